"""A phone: the drawer of controls under the plot, scrolling over a plot, what is read out."""

import pytest

PHONE = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}


def swipe(one, x, y, up):
    """A finger from (x, y), by so many pixels."""
    hand = one.page.context.new_cdp_session(one.page)

    def touch(kind, *points):
        hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": one} for one in points]})

    touch("touchStart", y)
    for share in range(1, 11):
        touch("touchMove", y + up * share / 10)
    touch("touchEnd")


def test_the_drawer_leaves_the_plot_in_sight(visit):
    one = visit("/spectrum?size=100", **PHONE)
    assert not one.shown("#controls")
    one.page.locator("#drawer").tap()
    assert one.page.locator("#drawer").get_attribute("aria-expanded") == "true"
    plot, drawer = one.box("#plot"), one.box("#controls")
    assert 0 <= plot[1] < plot[3] <= drawer[1]
    assert drawer[3] <= 844
    assert drawer[3] - drawer[1] < 844 / 2
    before = one.columns("equivalent")
    one.drag("ratio", 0.5, 0.9)
    assert one.columns("equivalent") != before
    assert one.box("#plot")[3] <= one.box("#controls")[1]
    one.page.keyboard.press("Escape")
    assert not one.shown("#controls")
    assert one.evaluate("document.activeElement.id") == "drawer"


def test_the_drawer_comes_after_its_button_and_the_skip_link_opens_it(visit):
    one = visit("/double-descent?size=40&draws=1", **PHONE)
    one.evaluate("document.querySelector('.skip').click()")
    assert one.shown("#controls")
    one.page.locator("#drawer").focus()
    one.page.keyboard.press("Tab")
    assert one.evaluate("document.getElementById('controls').contains(document.activeElement)")


def test_most_buttons_of_the_header_stand_behind_one(visit):
    one = visit("/spectrum?size=100", **PHONE)
    menu = one.page.locator("#menu")
    assert one.box(".top")[3] <= 90
    assert one.shown("#draw")
    assert not one.shown("#share")
    menu.tap()
    assert menu.get_attribute("aria-expanded") == "true"
    left, _, right, bottom = one.box("#menu-box")
    assert 0 <= left < right <= 390
    assert bottom <= 844
    one.page.locator("#glossary").focus()
    one.page.keyboard.press("Escape")
    assert not one.shown("#glossary")
    assert one.evaluate("document.activeElement.id") == "menu"
    menu.tap()
    one.page.locator("#theme").tap()
    assert one.evaluate("document.documentElement.dataset.theme") == "dark"
    assert not one.shown("#theme")
    assert menu.get_attribute("aria-expanded") == "false"


@pytest.mark.parametrize("name", ["home", "spectrum", "equivalents", "deep", "matrix"])
def test_nothing_overflows_and_a_finger_on_the_plot_scrolls_the_page(visit, name):
    one = visit(f"/{name}", **PHONE)
    assert one.evaluate("document.documentElement.scrollWidth") <= 390
    left, top, right, bottom = one.box("#plot")
    x, y = (left + right) / 2, min((top + bottom) / 2, 500)
    ranges = "(({ x_range, y_range }) => [x_range?.start, y_range?.start])(playground.figures.find('Figure') ?? {})"
    before = one.evaluate(ranges)
    swipe(one, x, y, -200)
    one.until("scrollY > 100")
    assert one.evaluate(ranges) == before


@pytest.mark.parametrize("path", ["/equivalents?size=64", "/deep?size=40"])
def test_a_matrix_is_about_square(visit, path):
    one = visit(path, **PHONE)
    width, height = one.evaluate("""(() => {
        const figure = playground.figures.find("Figure")
        const view = Bokeh.index.find_one(figure)
        return [view.frame.bbox.width, view.frame.bbox.height]
    })()""")
    assert 0.75 < width / height < 1.35


def test_a_summary_is_read_once_a_move_has_come_to_rest(visit):
    one = visit("/spectrum?size=100")
    one.evaluate("""(() => {
        const place = document.getElementById("spoken")
        window.spoken = []
        new MutationObserver(() => spoken.push(place.textContent)).observe(place, { childList: true })
    })()""")
    assert one.evaluate("document.getElementById('spoken').textContent") == ""
    one.drag("ratio", 0.3, 0.7, moves=30)
    one.until("spoken.length > 0")
    one.press("bins", "ArrowRight")
    said = one.evaluate("spoken")
    assert len(said) == 1  # not one a step of the drag
    assert said[0].startswith("KS distance, actual: " + one.readouts()["KS distance, actual"])
