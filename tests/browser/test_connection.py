"""The connection in a real browser: cuts, a server that comes back, and a security policy that every page passes."""

import os
import signal

import pytest
from visiting import Visit

SOCKETS = """
window.sockets = []
const Real = WebSocket
window.WebSocket = class extends Real { constructor(...all) { super(...all); window.sockets.push(this) } }
"""
WORDS = "document.getElementById('connection').textContent"


def test_cuts_keep_the_state_and_are_said_in_words(visit):
    one = visit(go=False)
    one.page.add_init_script(SOCKETS)
    one.go("/spectrum?size=60")
    one.press("bins", "ArrowRight", 2)
    for _ in range(5):
        before, count = one.values, one.evaluate("sockets.length")
        assert "lost" in one.evaluate("""new Promise((done) => {
            const sign = document.getElementById('connection')
            new MutationObserver(() => done(sign.textContent)).observe(sign, { childList: true })
            sockets.at(-1).close()
        })""")
        one.until(f"sockets.length > {count} && sockets.at(-1).readyState === 1 && {WORDS}.includes('again')")
        one.rest()
        assert one.values == before
        assert one.press("bins", "ArrowRight").values["bins"] > before["bins"]  # and it still answers
    one.until(f"{WORDS} === ''")
    assert one.evaluate("document.querySelectorAll('.notice.error').length") == 0


@pytest.mark.parametrize("lab", ["home", "deep", "matrix"])  # every test in a browser holds the others to it
def test_every_lab_passes_its_security_policy(visit, lab):
    # Whatever the policy blocks is an error in the console, which `visit` does not let pass.
    one = visit(go=False)
    one.page.add_init_script(
        "window.blocked = []; addEventListener('securitypolicyviolation', (e) => blocked.push(e.blockedURI))"
    )
    one.go(f"/{lab}")
    assert one.evaluate("window.blocked") == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_that_is_not_there_looks_like_ours(visit, theme):
    one = visit(go=False, color_scheme=theme, width=390, height=844)
    assert one.page.goto(one.origin + "/nothing").status == 404
    assert one.page.locator("h1").text_content() == "There is nothing here"
    assert one.evaluate("document.documentElement.scrollWidth <= innerWidth")
    one.failed.clear()  # the 404 that was asked for
    one.complaints.clear()
    one.page.get_by_role("link", name="RMT Playground").click()
    one.rest()


def test_after_a_restart_the_page_comes_back_with_its_settings(browser, launch):
    first = launch("--workers", "1", "--secret", "kept")
    context = browser.new_context()
    try:
        one = Visit(context.new_page(), first.url).go("/spectrum?size=60&theme=dark")
        one.press("bins", "ArrowRight", 2)
        before = one.values
        os.killpg(first.process.pid, signal.SIGKILL)
        first.process.wait()
        one.until(f"{WORDS}.includes('lost')")
        with one.page.expect_navigation(timeout=120_000):
            launch("--workers", "1", "--secret", "kept", "--port", str(first.port))
        one.rest()
        assert one.values == before
        assert one.evaluate("document.documentElement.dataset.theme") == "dark"
    finally:
        context.close()
