"""The home page: nine pictures that move, and lead on."""

import pytest
from visiting import Visit

PATH = "document.querySelector('#cell-{} .{}').getAttribute('d')"


def path(one, cell, part="test"):
    return one.evaluate(PATH.format(cell, part))


def test_a_first_visitor_moves_something_and_goes_on(visit):
    one = visit("/")
    assert one.page.url == f"{one.origin}/home"
    cells = one.page.locator(".cell")
    assert cells.count() == 9
    before = one.evaluate("[...document.querySelectorAll('.cell .test')].map((one) => one.getAttribute('d'))")
    elements = one.evaluate("window.kept = [...document.querySelectorAll('.cell path')]; kept.length")
    one.press("ridge", "End")
    after = one.evaluate("[...document.querySelectorAll('.cell .test')].map((one) => one.getAttribute('d'))")
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert elements == 45
    assert one.evaluate("kept.every((one) => one.isConnected)")  # changed in place, not drawn anew
    assert one.query() == {"ridge": "10"}
    for cell in cells.all():
        assert cell.locator(".caption").inner_text() not in ("", "…")
        assert cell.locator(".test-dots").get_attribute("d").count("M") >= 6
    one.page.locator("#cell-double-descent-deep").click()
    one.page.wait_for_url("**/double-descent?**")
    one.rest()
    assert (one.values["family"], one.values["ridge"]) == ("deep", 10.0)


def test_the_link_brings_the_same_map_back(visit):
    first = visit("/home?ridge=0.05&noise=0.4")
    second = visit("/home?ridge=0.05&noise=0.4")
    for part in ("test", "test-dots"):
        assert path(first, "scaling-shallow", part) == path(second, "scaling-shallow", part) != ""


def test_reset_theme_and_legend_work_as_elsewhere(visit):
    one = visit("/home?ridge=1", color_scheme="light")
    ink = one.evaluate("getComputedStyle(document.querySelector('.cell .train')).stroke")
    one.click("#theme")
    assert one.evaluate("getComputedStyle(document.querySelector('.cell .train')).stroke") != ink
    one.click("#set-actual")
    assert path(one, "dynamics-linear", "test-dots") == ""
    one.click("#reset")
    assert one.values["ridge"] == 1e-3
    assert path(one, "dynamics-linear", "test-dots") != ""


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (390, 844)])
def test_claim_sliders_and_pictures_are_in_sight_at_once(browser, server, width, height):
    context = browser.new_context(viewport={"width": width, "height": height})
    one = Visit(context.new_page(), server.url).go("/home")
    try:
        for selector in ("h1", "#set-ridge", "#set-noise", "#cell-double-descent-linear svg", ".way.first"):
            left, top, right, bottom = one.box(selector)
            assert 0 <= left < right <= width, selector
            assert 0 <= top < bottom <= height, selector
        assert one.evaluate("document.documentElement.scrollWidth") <= width
        assert one.evaluate("recorded.shift") < 0.05
        one.assert_clean()
    finally:
        context.close()


def test_the_first_tour_is_one_click_away(visit):
    one = visit("/home")
    one.page.click(".way.first")
    one.until("window.playground && document.documentElement.dataset.ready && playground.idle")
    assert one.page.url.endswith("tour=sample-covariance.1")
    assert "Twenty samples for every dimension" in one.page.locator("#tour").inner_text()
    assert one.values["ratio"] == 0.05
    assert one.notices() == []


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768)])
def test_the_whole_map_is_in_sight_on_a_desk_and_on_a_projector(visit, width, height):
    one = visit("/home", width=width, height=height)
    for cell in one.page.locator(".cell").all():
        box = cell.bounding_box()
        assert box["y"] + box["height"] <= height
        assert box["height"] >= 90
