"""Themes, screens large and small, the keyboard."""

import pytest
from visiting import contrast, near, rgb

PAGE = "getComputedStyle(document.body).backgroundColor"
WORDS = [
    "h1",
    "#controls label",
    ".readout dt",
    ".readout dd",
    ".readout .detail",
    "#explain p",
    "#lamps li",
    "#draw",
    ".source",
]


def theme(one):
    return one.evaluate("document.documentElement.dataset.theme")


def assert_readable(one):
    """Text of the figure against the page, and of the page against what is behind it: WCAG AA."""
    page = rgb(one.evaluate(PAGE))
    for ink in one.figure()["ink"]:
        assert contrast(rgb(ink), page) >= 4.5
    behind = """(selector) => {
        let one = document.querySelector(selector)
        const ink = getComputedStyle(one).color
        const ground = () => getComputedStyle(one).backgroundColor
        while (ground() === "rgba(0, 0, 0, 0)") one = one.parentElement
        return [ink, ground()]
    }"""
    for selector in WORDS:
        ink, ground = one.evaluate(behind, selector)
        assert contrast(rgb(ink), rgb(ground)) >= 4.5, (selector, ink, ground)


def test_the_theme_switches_is_kept_and_loses_nothing(visit):
    one = visit("/spectrum?size=100&ratio=0.3", color_scheme="light")
    assert theme(one) == "light"
    assert_readable(one)
    light = one.picture()
    one.press("bins", "ArrowRight", 2)
    before = one.values, one.columns("rug"), one.page.url
    one.click("#theme")
    assert theme(one) == "dark"
    assert one.page.locator("#theme").inner_text() == "Light"
    assert one.page.locator("#theme").get_attribute("aria-pressed") == "true"
    assert (one.values, one.columns("rug"), one.page.url) == before
    assert_readable(one)
    dark = one.picture()
    assert max(light[0][0]) == 255
    assert max(dark[0][0]) < 60  # the ground of the plot is that of the page
    assert near(dark, (0xD5, 0x5E, 0x00)) > 500
    one.page.reload()
    one.rest()
    assert theme(one) == "dark"
    assert (one.values, one.columns("rug"), one.page.url) == before
    assert_readable(one)
    one.click("#theme")
    assert theme(one) == "light"
    assert_readable(one)


def test_the_theme_of_the_system_and_of_the_address(visit):
    assert theme(visit(color_scheme="dark")) == "dark"
    one = visit("/spectrum?theme=dark&size=100", color_scheme="light")
    assert theme(one) == "dark"
    one.press("bins", "ArrowRight")
    assert one.query() == {"theme": "dark", "size": "100", "bins": "55"}
    assert one.notices() == []


def test_the_button_wins_over_the_theme_of_the_address(visit):
    one = visit("/spectrum?theme=dark&size=100", color_scheme="light")
    one.click("#theme")
    one.page.reload()
    one.rest()
    assert theme(one) == "light"


def test_on_a_phone_nothing_overflows_and_the_plot_comes_first(visit):
    one = visit("/spectrum?depth=3&data=spiked", width=390, height=844, has_touch=True, is_mobile=True)
    one.click("#drawer")
    one.click("text=Layers one by one")
    heights = one.evaluate("[...document.querySelectorAll('input[type=range]')].map((one) => one.clientHeight)")
    assert any(heights)
    assert all(height == 0 or height >= 30 for height in heights)  # a finger is no mouse
    wide = """[...document.body.querySelectorAll("*")].filter((one) => {
        const { width, right, left } = one.getBoundingClientRect()
        return width > 0 && right > 390.5 && left > -500 && !one.closest(".scroll, .bk-Canvas, .skip, nav")
    }).map((one) => one.tagName + "." + one.className + "#" + one.id)"""
    assert one.evaluate(wide) == []
    one.click("#drawer")
    one.click("#data summary")
    assert one.evaluate("document.documentElement.scrollWidth") <= 390
    assert one.evaluate(wide) == []
    one.evaluate("scrollTo(0, 0)")
    left, top, right, _ = one.box("#plot")
    assert top < 844 / 2
    assert right - left > 350


@pytest.mark.parametrize(("width", "height"), [(1024, 768), (1280, 720), (1920, 1080)])
def test_the_plot_is_in_sight_without_scrolling(visit, width, height):
    one = visit("/spectrum?depth=2", width=width, height=height)
    left, top, right, bottom = one.box("#plot")
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert one.evaluate("document.documentElement.scrollWidth") <= width
    assert one.box("#set-ratio")[3] <= height


FOCUSABLE = """[...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
    .filter((one) => one.checkVisibility({ checkVisibilityCSS: true }) && !one.disabled)"""


def test_tab_reaches_every_control_and_shows_where_it_is(visit):
    one = visit("/spectrum?depth=2&size=100")
    one.click("text=Layers one by one")
    one.evaluate(f"{FOCUSABLE}.forEach((one, index) => {{ one.dataset.stop = index }})")
    stops = one.evaluate(f"{FOCUSABLE}.map((one) => one.id || one.getAttribute('class') || one.tagName)")
    assert len(stops) > 40
    one.evaluate("document.activeElement.blur(); window.getSelection().removeAllRanges()")
    one.page.locator("body").press("Home")
    one.evaluate("document.querySelector('.skip').focus()")
    reached, outlines = [], {}
    for _ in range(len(stops) + 20):
        stop, outline = one.evaluate("""(() => {
            const style = getComputedStyle(document.activeElement)
            const ground = document.activeElement.querySelector(":scope > .ground") // a symbol of a formula has its own
            const width = ground ? 3 * (getComputedStyle(ground).stroke !== "none")
                : style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth)
            return [document.activeElement.dataset.stop, width]
        })()""")
        if stop is not None:
            reached.append(int(stop))
            outlines[stops[int(stop)]] = outline
        one.page.keyboard.press("Tab")
    assert set(range(len(stops))) - set(reached) == set(), [
        stops[miss] for miss in set(range(len(stops))) - set(reached)
    ]
    assert [name for name, outline in outlines.items() if outline < 2] == []
    first = reached[: len(stops)]
    assert first == sorted(first)  # in the order in which they stand


def test_every_control_has_a_name(visit):
    one = visit("/spectrum?depth=2&size=100")
    one.click("text=Layers one by one")
    nameless = one.evaluate(f"""{FOCUSABLE}.filter((one) => !(one.textContent.trim() || one.getAttribute("aria-label")
        || one.labels?.length)).map((one) => one.outerHTML.slice(0, 100))""")
    assert nameless == []
    for role in ("banner", "main", "navigation"):
        assert one.page.get_by_role(role).count() == 1
