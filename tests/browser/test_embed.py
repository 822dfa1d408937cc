"""A lab in another site's iframe."""

import http.server
import threading
import time
from urllib.parse import parse_qsl, urlsplit

import pytest
from visiting import REST


@pytest.fixture(scope="module")
def stranger():
    """The address of another site; the path that it is asked for, after the first slash, is what its iframe shows."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            target = self.path.removeprefix("/?")
            if self.path.startswith("/?"):
                self.wfile.write(f"<!doctype html><iframe src='{target}' width=700 height=500></iframe>".encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{site.server_port}"
        site.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def hospitable(stranger, serving, tmp_path_factory):
    """A server that lets that site frame its pages."""
    with serving(tmp_path_factory.mktemp("hospitable") / "log", "--workers", "1", "--frames", stranger) as one:
        yield one


def rest(frame, condition="true"):
    """Wait in a frame, where Playwright's own waiting would evaluate text against the page's security policy."""
    deadline = time.monotonic() + 30
    while not frame.evaluate(f"({REST}) && ({condition})"):
        assert time.monotonic() < deadline, condition
        frame.evaluate("new Promise((done) => setTimeout(done, 20))")


def shown(frame, selector):
    return frame.locator(selector).first.is_visible()


def test_a_strangers_iframe_shows_the_lab_with_the_controls_it_asks_for(browser, hospitable, stranger):
    context = browser.new_context(viewport={"width": 900, "height": 700})
    try:
        page = context.new_page()
        page.goto(f"{stranger}/?{hospitable.url}/spectrum?embed&show=ratio,depth&size=100&ratio=0.3")
        frame = page.frames[1]
        page.frame_locator("iframe").locator("#set-ratio").wait_for()
        rest(frame)
        assert frame.evaluate("window.origin") != page.evaluate("window.origin")
        controls = "[...document.querySelectorAll('#controls [data-name]')].filter((one) => one.checkVisibility())"
        assert frame.evaluate(f"{controls}.map((one) => one.dataset.name)") == ["ratio", "depth"]
        for chrome in (".top", ".words", "#readouts", ".skip", "#drawer", ".presets"):
            assert not shown(frame, chrome), chrome
        assert shown(frame, "#plot")
        assert frame.evaluate("document.documentElement.scrollWidth") <= 700
        entries = page.evaluate("history.length")
        slider = frame.locator("#set-ratio")
        slider.focus()
        slider.press("End")
        rest(frame, "playground.state.values.ratio > 0.3")
        assert page.evaluate("history.length") == entries  # the way back is that of the page around
        whole = urlsplit(frame.locator("a.whole").get_attribute("href"))
        asked = dict(parse_qsl(whole.query, keep_blank_values=True))
        assert whole.path == "/spectrum"
        assert set(asked) == {"size", "ratio"}
        assert float(asked["ratio"]) == frame.evaluate("playground.state.values.ratio")
        kept = dict(parse_qsl(urlsplit(frame.url).query, keep_blank_values=True))
        assert {"embed", "show"} <= set(kept)
    finally:
        context.close()


def test_without_show_there_is_the_plot_alone_and_unknown_names_are_passed_over(visit):
    one = visit("/double-descent?embed&size=40&draws=1", width=600, height=400)
    assert not one.shown("#controls")
    assert one.shown("#legend")
    left, _, right, bottom = one.box("#plot-main")
    assert bottom <= 400
    assert right - left > 500
    one.go("/double-descent?embed&show=ridge,nonsense&size=40&draws=1")
    assert one.shown("#set-ridge")
    assert not one.shown("#set-noise")
    assert one.notices() == []
