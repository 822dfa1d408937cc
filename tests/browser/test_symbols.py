"""The formulas beside a lab: typeset from here, linked to sliders and plot both ways, with the present numbers."""

import pytest

from app.labs import LABS

RIDGE = "/double-descent?ridge=0.01&draws=2&size=40"
TYPESET = "[...document.querySelectorAll('.formula .tex')].every((one) => one.querySelector('svg'))"
LIT = "(selector) => [...document.querySelectorAll(selector)].map((one) => one.classList.contains('lit'))"
WIDTH = """([figure, label]) => {
    const width = playground.figures.get(figure).parts.get(label).glyph.line_width
    return typeof width === "number" ? width : width.value
}"""


@pytest.fixture
def typeset(visit):
    def open_page(path=RIDGE, **options):
        one = visit(path, **options)
        one.until(TYPESET)
        return one

    return open_page


def lit(one, selector):
    found = one.evaluate(LIT, selector)
    assert found, selector
    return all(found)


def numbers(one, formula):
    """What stands in the line of a formula, by the names of the blanks."""
    return one.evaluate(
        """(formula) => {
            const places = document.querySelectorAll(`[data-formula="${formula}"] .number`)
            return [...places].map((one) => one.textContent)
        }""",
        formula,
    )


def test_formulas_are_typeset_from_here_after_the_plot(typeset):
    one = typeset()
    assert one.evaluate("[...document.querySelectorAll('.formula')].map((one) => one.dataset.formula)") == [
        "test-shallow", "train-shallow", "up", "layer",
    ]  # fmt: skip
    assert one.page.locator(".formula .mark-ridge").count() == 2
    assert [url for url in one.urls if "mathjax" in url] == [one.origin + one.evaluate(
        "document.querySelector('[data-mathjax]').dataset.mathjax"
    )]  # fmt: skip
    painted, asked = one.evaluate("""() => {
        const asked = performance.getEntriesByType("resource").find((entry) => entry.name.includes("mathjax"))
        return [performance.getEntriesByName("first-contentful-paint")[0].startTime, asked.startTime]
    }""")
    assert asked > painted
    assert "?v=" in next(url for url in one.urls if "mathjax" in url)
    one.assert_clean()


def test_every_formula_of_every_lab_can_be_typeset(visit):
    one = visit(RIDGE)
    parts = [
        [formula.name, part] for lab in LABS.values() for formula in lab.formulas.catalogue for part in formula.parts
    ]
    wrong = one.evaluate(
        """async (parts) => {
            const wrong = []
            for (const [name, part] of parts) {
                const drawn = await mathematics.draw(part, true)
                if (drawn.querySelector("[data-mml-node=merror]") || !drawn.querySelector("path, use")) wrong.push(name)
            }
            return wrong
        }""",
        parts,
    )
    assert len(parts) > 80
    assert wrong == []


def test_the_mouse_on_a_symbol_lights_its_slider_and_its_marks(typeset):
    one = typeset()
    before = one.evaluate(WIDTH, ["main", "optimal ridge"])
    one.page.locator(".mark-ridge").first.hover()
    assert lit(one, ".mark-ridge")
    assert lit(one, '.control[data-name="ridge"]')
    assert one.evaluate(WIDTH, ["main", "optimal ridge"]) == before + 3
    keys = one.evaluate("[...document.querySelectorAll('#keys li.lit')].map((key) => key.textContent)")
    assert keys == ["test error with the optimal ridge"]
    one.page.locator("h1").hover()
    assert one.page.locator(".lit").count() == 0
    assert one.evaluate(WIDTH, ["main", "optimal ridge"]) == before


def test_the_mouse_on_a_slider_lights_its_symbol(typeset):
    one = typeset()
    one.page.locator("#set-noise").hover()
    assert lit(one, ".mark-noise")
    assert lit(one, '.number[data-symbol="noise"]')
    assert one.page.locator(".lit.mark").count() == 1
    # A light is more than a colour: a ground with a line around it.
    ground = one.evaluate("getComputedStyle(document.querySelector('.mark-noise > .ground'))")
    assert ground["fill"] != "rgba(0, 0, 0, 0)"
    assert float(ground["strokeWidth"].removesuffix("px")) > 0
    one.page.locator("#set-size").hover()  # p stands in no formula here
    assert one.page.locator(".lit").count() == 0


def test_the_keyboard_does_the_same(typeset):
    one = typeset()
    one.page.locator("#set-noise").focus()
    assert lit(one, ".mark-noise")
    one.page.locator(".mark-test").first.focus()
    assert lit(one, ".mark-test")
    assert not lit(one, ".mark-noise")
    one.page.keyboard.press("Tab")
    assert one.evaluate("document.activeElement.dataset.symbol") == "misfit"
    one.page.keyboard.press("Tab")
    assert lit(one, '.control[data-name="noise"]')
    assert one.evaluate("document.activeElement.getAttribute('aria-label')") == "σ², Label noise: 0.100"


def test_the_legend_and_an_axis_light_symbols(typeset):
    one = typeset()
    one.page.locator("#keys li", has_text="training error").hover()
    assert lit(one, ".mark-train")
    one.page.locator("#keys li", has_text="test error with").focus()
    assert lit(one, ".mark-ridge")
    one = typeset("/dynamics?draws=2&size=40")
    x, _, right, bottom = one.box("#plot-main")
    one.page.mouse.move((x + right) / 2, bottom - 6)
    assert lit(one, ".mark-time")
    one.page.locator(".mark-time").first.hover()
    assert one.evaluate("playground.figures.get('main').axes.x.axis_label_text_font_style") == "bold"
    one.page.locator("h1").hover()
    assert one.evaluate("playground.figures.get('main').axes.x.axis_label_text_font_style") == "normal"


def test_a_drag_moves_the_numbers_and_nothing_else(typeset):
    one = typeset()
    before = numbers(one, "test-shallow")
    one.evaluate("""() => {
        recorded.svg = document.querySelector(".formula svg")
        recorded.tops = new Set()
        recorded.texts = new Set()
        const look = () => {
            recorded.tops.add(Math.round(document.querySelector("#formulas").getBoundingClientRect().top + scrollY))
            recorded.texts.add(document.querySelector(".numbers").textContent)
        }
        new MutationObserver(look).observe(document.querySelector("#formulas"),
            { subtree: true, childList: true, characterData: true })
    }""")
    one.drag("ridge", 0.4, 0.9)
    after = numbers(one, "test-shallow")
    assert after != before
    shown = one.state["formulas"]["test-shallow"]
    assert after == [shown[name] for name in ("misfit", "noise", "df2", "n", "test")]
    assert one.evaluate("recorded.texts.size") > 3
    assert one.evaluate("recorded.svg === document.querySelector('.formula svg')")
    said = one.page.locator(".mark-kappa").first.get_attribute("aria-label")
    assert said == f"κ, effective ridge that the features feel: {one.state['formulas']['train-shallow']['kappa']}"


def test_the_settings_choose_the_formulas(typeset):
    one = typeset("/spectrum?size=40")
    assert list(one.state["formulas"]) == ["mp"]
    one.choose("data", "spiked")
    one.until(f"document.querySelector('[data-formula=spike]') && {TYPESET}")
    assert one.page.locator('[data-formula="mp"]').count() == 1
    assert one.page.locator(".mark-spike").count() > 3
    one.choose("data", "toeplitz")
    one.until(f"document.querySelector('[data-formula=sampling]') && {TYPESET}")
    assert one.page.locator(".formula").count() == 1


def test_assumptions_name_their_theorem_where_the_settings_leave_it(typeset):
    one = typeset("/spectrum?size=200&entries=student&dof=2.5")
    lamp = one.page.locator("#lamps li.on", has_text="four moments")
    assert "Theorem 1" in lamp.inner_text()
    assert "no fourth moment" in lamp.inner_text()


def test_the_glossary_opens_by_button_and_by_key(typeset):
    one = typeset()
    one.page.locator("#set-ridge").focus()
    one.page.keyboard.press("g")
    one.page.locator("#glossary-box[open] table").first.wait_for()
    assert "effective ridge" in one.page.locator("#glossary-box").inner_text()
    assert one.page.locator("#glossary-box td sub", has_text="w").count() == 1
    one.page.keyboard.press("Escape")
    assert not one.shown("#glossary-box")
    one.page.locator("#value-ridge").focus()
    one.page.keyboard.press("g")
    assert not one.shown("#glossary-box")
    one.page.locator("#glossary").click()
    assert one.shown("#glossary-box")
    one.page.locator("#glossary-box .close").click()
    assert not one.shown("#glossary-box")
    assert len([url for url in one.urls if url.endswith("/glossary")]) == 1


def test_the_glossary_is_a_page_too(visit):
    one = visit(go=False)
    one.page.goto(f"{one.origin}/glossary")
    assert one.page.locator("h1").inner_text() == "Glossary of symbols"
    assert one.page.locator("td sub", has_text="w").count() == 1


def test_symbols_of_sliders_stand_high_and_low(visit):
    one = visit("/deep?view=propagation&draws=1&units=50")
    mark = one.page.locator('[data-name="weight"] .symbol')
    assert (mark.locator("sub").inner_text(), mark.locator("sup").inner_text()) == ("w", "2")


def test_the_text_about_the_lab(visit):
    one = visit("/scaling?size=100&draws=1")
    assert not one.shown("#about strong")
    one.page.locator("#about summary").click()
    assert "What to try." in one.page.locator("#about").inner_text()


@pytest.mark.parametrize(
    "name", ["spectrum?depth=1&size=40", "deep", "equivalents?view=contour&top=64", "real-data?draws=4"]
)
def test_a_phone_is_wide_enough(typeset, name):
    one = typeset(f"/{name}", width=390, height=844)
    assert one.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = one.evaluate("[...document.querySelectorAll('.formula')].map((one) => one.getBoundingClientRect().right)")
    assert max(boxes) <= 390


def test_others_can_typeset_their_own(visit):
    one = visit(RIDGE)
    texts = one.evaluate(r"""async () => {
        const made = document.createElement("p")
        made.textContent = "The ridge \\(\\lambda\\) and \\[x^2 + <b>\\] are drawn, 5 $ are not."
        document.querySelector("main").append(made)
        await playground.typeset(made)
        const parts = [...made.querySelectorAll("svg")].map((one) => one.parentNode.className)
        return [parts, made.querySelector("b"), [...made.childNodes].map((one) => one.data ?? "").join("|")]
    }""")
    assert texts == [["math", "math display"], None, "The ridge || and || are drawn, 5 $ are not."]
