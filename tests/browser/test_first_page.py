"""The first page, as it comes."""

from itertools import pairwise

import pytest
from visiting import Visit, colours, near

from app.labs import LABS

SIZES = ((1440, 900), (1024, 768), (390, 844))
ACTUAL, EQUIVALENT = (0xB2, 0xDB, 0xF4), (0xD5, 0x5E, 0x00)  # the histogram is pale: 45 % on white


def test_the_first_page_is_drawn(visit):
    one = visit("/spectrum")
    assert one.page.title() == "Spectrum · RMT Playground"
    bars, curve, rug = one.columns("actual"), one.columns("equivalent"), one.columns("rug")
    assert len(bars["top"]) == 50
    area = sum((right - left) * top for left, right, top in zip(bars["left"], bars["right"], bars["top"], strict=True))
    assert area == pytest.approx(1.0)
    assert len(rug["x"]) == 400
    mass = sum(
        (right - left) * (low + high) / 2
        for (left, right), (low, high) in zip(pairwise(curve["x"]), pairwise(curve["y"]), strict=True)
    )
    assert mass == pytest.approx(1.0, abs=2e-3)
    picture = one.picture()
    assert len(picture) > 50
    assert near(picture, ACTUAL) > 20_000
    assert near(picture, EQUIVALENT) > 1_000
    said = one.readouts()
    assert said["Solver"] == "certified"
    assert float(said["KS distance, actual"]) < 0.05
    assert "n = 800 samples of dimension p = 400" in one.page.locator("#explain").inner_text()
    assert one.page.locator("#busy").inner_text() == "up to date"
    assert one.notices() == []


def test_everything_comes_from_here(visit):
    one = visit("/spectrum?depth=2&data=digits")
    one.click("#data summary")
    kinds = ("/bundle/page.js", "/bundle/page.css", "bokeh.min.js", "/ws")
    assert all(any(kind in url for url in one.urls) for kind in kinds)
    one.assert_clean()


def test_what_is_lightened_of_bokeh_is_still_there(visit):
    """assets/figures.js replaces two inner functions of Bokeh; without them a frame costs a third more."""
    one = visit()
    assert one.evaluate("""(() => {
      const { VisualProperties } = Bokeh.require("core/visuals/visual")
      const { InlineStyleSheet } = Bokeh.require("core/dom")
      const names = Object.getOwnPropertyNames(VisualProperties.prototype)
      const sheet = new InlineStyleSheet("a {}")
      sheet.replace("b {}")
      const looked = VisualProperties.prototype._get_css_value.call({}, "fill-color")
      return [names.includes("_get_css_value"), looked, sheet.css]
    })()""") == [True, "", "b {}"]


@pytest.fixture(scope="module")
def arrivals(browser, server):
    """Boxes when the page was parsed and at rest, and the shift in between, at three sizes of the window."""
    found = {}
    for width, height in SIZES:
        context = browser.new_context(viewport={"width": width, "height": height})
        one = Visit(context.new_page(), server.url).go()
        found[width] = one.evaluate("[recorded.boxes, recorded.measure(), recorded.shift]")
        context.close()
    return found


@pytest.mark.parametrize("width", [width for width, _ in SIZES])
def test_the_plot_does_not_jump(arrivals, width):
    first, last, shift = arrivals[width]
    assert last["plot"] == first["plot"]
    assert shift < 0.05


@pytest.mark.parametrize("width", [width for width, _ in SIZES])
def test_nothing_else_jumps(arrivals, width):
    first, last, _ = arrivals[width]
    assert last == first


@pytest.mark.parametrize("name", LABS)
def test_every_lab_opens(visit, name):
    one = visit(go=False)
    one.page.goto(f"{one.origin}/{name}")
    one.until("window.playground && document.documentElement.dataset.ready && playground.state.progress[0] > 0")
    assert one.page.title() == f"{LABS[name].title} · RMT Playground"
    assert one.page.locator("nav [aria-current=page]").inner_text() == LABS[name].title
    assert one.page.locator("nav a").all_inner_texts() == [lab.title for lab in LABS.values()]
    assert one.evaluate("document.documentElement.scrollWidth") <= 1440
    assert one.notices() == []
    assert one.page.locator("#explain p").count() > 0
    image = one.page.locator("#plot").screenshot()
    assert len(colours(image)) > 50
