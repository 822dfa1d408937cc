"""Presenter mode and exercises: what is large, what is gone, what the keys do, and that it undoes itself."""

import pytest

HIDDEN = (".top", "#controls", ".words")
LINE = "playground.figures.find('GlyphRenderer', 'equivalent').glyph.line_width.value"
AXES = "playground.figures.get('main').axes.x.axis_label_text_font_size"


def press(one, *keys):
    for key in keys:
        one.page.keyboard.press(key)
        one.rest()


def test_p_makes_it_large_and_p_undoes_it(visit):
    one = visit("/spectrum?size=60&depth=1")
    before = one.evaluate(f"[{LINE}, {AXES}, getComputedStyle(document.documentElement).fontSize]")
    boxes = [side for selector in ("#plot", "#controls", "#readouts") for side in one.box(selector)]
    press(one, "p")
    assert one.query()["present"] == "1"
    width, axis, text = one.evaluate(f"[{LINE}, {AXES}, getComputedStyle(document.documentElement).fontSize]")
    assert width >= 1.5 * before[0]
    assert int(axis.removesuffix("px")) >= 24
    assert float(text.removesuffix("px")) >= 1.3 * float(before[2].removesuffix("px"))
    assert [selector for selector in HIDDEN if one.shown(selector)] == []
    assert one.shown("#legend")
    assert one.shown("#plot")
    assert one.shown(".readout")
    one.until("document.getElementById('plot').offsetWidth > 0.95 * innerWidth")
    press(one, "p")
    assert "present" not in one.query()
    one.until(f"{LINE} === {before[0]}")
    assert one.evaluate(f"[{LINE}, {AXES}, getComputedStyle(document.documentElement).fontSize]") == before
    assert [selector for selector in HIDDEN if not one.shown(selector)] == []
    one.until("!document.fullscreenElement")
    assert [side for selector in ("#plot", "#controls", "#readouts") for side in one.box(selector)] == pytest.approx(
        boxes, abs=1
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_link_presents_from_the_first_paint_and_nothing_is_cut_off(visit, theme):
    one = visit(f"/double-descent?size=30&draws=2&present&theme={theme}", width=1024, height=768)
    assert [selector for selector in HIDDEN if one.shown(selector)] == []
    assert one.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert one.box("#plot")[3] - one.box("#plot")[1] > 320
    assert one.box("#readouts")[3] <= 768
    assert one.evaluate("playground.figures.find('GlyphRenderer', 'test').glyph.line_width.value") > 5
    one.page.get_by_role("button", name="Leave").click()
    assert one.shown("#controls")


def test_a_long_step_of_a_tour_is_readable_beside_its_buttons(visit):
    path = "/double-descent?tour=double-descent.3&size=30&draws=2&width=5&ridge=1e-6&present"
    one = visit(path, width=1024, height=768)
    one.until("document.querySelector('#tour h2').textContent")
    assert one.box(".tour-text")[3] <= 768
    assert one.box("#plot")[3] - one.box("#plot")[1] > 250
    _, _, right, bottom = one.box(".tour-buttons .next")
    assert right <= 1024
    assert bottom <= one.box(".tour-text")[1]


def test_the_keys_of_the_presenter(visit):
    one = visit("/spectrum?size=60&depth=1&present")
    for key, name in (("1", "actual"), ("2", "linear"), ("3", "equivalent")):
        press(one, key)
        assert one.values[name] is False
        press(one, key)
        assert one.values[name] is True
    press(one, "n")
    assert one.values["seed"] == 2
    ratio = one.values["ratio"]
    press(one, "]", "]")
    assert one.page.locator("#nudged").text_content() == f"Aspect ratio p/n = {one.values['ratio']:.4g}"
    assert one.shown("#nudged")
    assert one.values["ratio"] > ratio
    press(one, "[", "[")
    assert one.values["ratio"] == pytest.approx(ratio, rel=1e-2)  # the slider's nearest position
    press(one, "ArrowDown", "}")
    assert one.page.locator("#nudged").text_content().startswith("Dimension p = ")
    assert one.values["size"] > 60
    press(one, "r")
    assert one.values["size"] == 400
    assert "present" in one.page.url
    press(one, "?")
    assert one.page.get_by_role("dialog", name="Keys").is_visible()
    press(one, "n", "Escape")
    assert one.values["seed"] == 1
    press(one, "p")
    press(one, "n", "1")
    assert one.values["seed"] == 1
    assert one.values["actual"] is True


def test_keys_are_letters_in_a_field_and_can_be_switched_off(visit):
    one = visit("/spectrum?size=60")
    one.page.locator("#value-ratio").focus()
    one.page.keyboard.press("p")
    assert not one.evaluate("'present' in document.documentElement.dataset")
    one.page.locator("#set-data").focus()
    one.page.keyboard.press("p")
    assert not one.evaluate("'present' in document.documentElement.dataset")
    one.page.evaluate("document.activeElement.blur()")
    press(one, "?")
    one.page.get_by_label("Single keys on").uncheck()
    press(one, "Escape")
    press(one, "p")
    assert not one.evaluate("'present' in document.documentElement.dataset")
    one.rest()


def test_an_exercise_hides_controls_and_no_read_out(visit):
    plain = visit("/spectrum?data=spiked&size=60&ratio=2")
    one = visit("/spectrum?data=spiked&size=60&ratio=2&hide=ratio,spike,nothing,%3Cb%3E,legend,draw,preset,readouts")
    assert one.values["ratio"] == 2
    for name in ("ratio", "spike"):
        assert not one.shown(f'[data-name="{name}"]')
    assert one.shown('[data-name="size"]')
    assert not one.shown("#draw")
    assert not one.shown("#preset")
    assert one.shown("#reset")
    assert list(one.readouts()) == list(plain.readouts())
    assert one.notices() == []
    one.press("bins", "ArrowRight")
    assert one.query()["hide"].startswith("ratio,spike")
    press(one, "p", "]")
    assert one.values["ratio"] == 2


@pytest.mark.parametrize(("hide", "moved"), [("&hide=width", {"ridge"}), ("", {"width", "ridge"})])
def test_a_click_in_the_plot_moves_no_hidden_setting(visit, hide, moved):
    one = visit(f"/double-descent?view=map&across=ridge&size=30&draws=1&width=2&ridge=0.01{hide}")
    before = one.values
    left, top, right, bottom = one.box("#plot-map")
    one.page.mouse.click(left + 0.35 * (right - left), top + 0.35 * (bottom - top))
    one.until(f"playground.state.values.ridge !== {before['ridge']}")
    one.rest()
    assert {name for name, value in one.values.items() if value != before[name]} == moved


def test_nothing_of_a_plots_tools_is_left_on_a_projector(visit):
    one = visit("/deep?present&size=40", width=1024, height=768)
    locations = "[...Bokeh.documents].flatMap((doc) => [...doc.all_models]).filter((one) => one.type === 'Toolbar')"
    assert one.evaluate("[...document.querySelectorAll('.plot')].filter((one) => !one.hidden).length") == 3
    assert one.evaluate(f"{locations}.filter((tool) => Bokeh.index.find_one(tool)).length") == 0
