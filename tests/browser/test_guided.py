"""Tours in a browser: played to the end, linked, predicted, written, downloaded and opened again."""

import json
from itertools import pairwise

import pytest
from visiting import MODEL

from app.files import assets
from app.tours import read, shipped

OURS = shipped(assets() / "tours")


@pytest.fixture
def walk(visit):
    """Visit a page with a tour, at rest or not: an experiment may take longer than the words."""

    def go(path, **options):
        one = visit(go=False, **options)
        one.page.goto(one.origin + path)
        return one

    return go


def at(one, step, of):
    one.until(f"""document.documentElement?.dataset.ready && window.playground?.tour
        && document.querySelector('#tour .tour-head').textContent.endsWith('step {step} of {of}')""")


def phase(one, name):
    one.until(f"playground.predict.phase === {name!r}")


def gap(one):
    return one.evaluate("playground.predict.gap")


def test_every_tour_plays_to_the_end_by_keys(walk):
    one = walk("/spectrum?size=60")
    for name, tour in OURS.items():
        one.page.goto(f"{one.origin}/{tour['steps'][0]['lab']}?tour={name}")
        for number, step in enumerate(tour["steps"], 1):
            at(one, number, len(tour["steps"]))
            assert one.page.locator("#tour h2").text_content() == step["title"]
            one.until(f"playground.state.query === {json.dumps(step['query'])}")
            assert one.query()["tour"] == f"{name}.{number}"
            if step["predict"]:
                assert one.evaluate("playground.predict.phase") == "asking"
                one.page.locator("#tour").get_by_text("Use the keys").click()
                one.page.keyboard.press("Enter")
                phase(one, "told")
                assert gap(one)["difference"] == gap(one)["guess"] - gap(one)["truth"]
                assert one.renderer(step["predict"]["element"])
                one.page.locator("#tour h2").click()
            if number < len(tour["steps"]):
                one.page.evaluate("document.activeElement.blur()")
                one.page.keyboard.press("ArrowRight" if number % 2 else "PageDown")
        assert one.page.locator("#tour .next").text_content() == "More tours"


def test_a_step_that_somebody_typed_has_its_settings(walk):
    one = walk("/spectrum?tour=bbp.4&theme=dark")
    at(one, 4, 6)
    assert one.query() == {"data": "spiked", "spike": "1.5", "size": "800", "tour": "bbp.4", "theme": "dark"}
    assert one.values["spike"] == 1.5
    one.click("#reset")
    one.page.reload()
    at(one.rest(), 4, 6)
    assert one.values["data"] == "identity"  # what was reset stays so


def test_a_step_is_a_link_and_back_goes_back(walk):
    one = walk("/spectrum?tour=bbp&theme=dark")
    at(one, 1, 6)
    for number in (2, 3):
        one.page.get_by_role("button", name="Next").click()
        at(one, number, 6)
    one.until("playground.state.values.spike === 2.5 && playground.state.values.actual")
    link = one.page.url
    assert one.query() == {"data": "spiked", "spike": "2.5", "size": "800", "tour": "bbp.3", "theme": "dark"}
    one.page.go_back()
    at(one, 2, 6)
    one.until("!playground.state.values.actual")
    phase(one, "asking")
    one.page.go_back()
    at(one, 1, 6)
    one.until("playground.state.values.spike === 4")
    other = walk(link.removeprefix(one.origin))
    at(other, 3, 6)
    assert other.values["spike"] == 2.5
    assert other.page.locator("#tour [aria-current]").text_content() == "3"
    other.press("bins", "ArrowRight")
    assert other.query()["tour"] == "bbp.3"
    other.page.get_by_role("button", name="Leave tour").click()
    assert "tour" not in other.query()
    assert not other.shown("#tour")
    assert other.values["spike"] == 2.5


def test_a_link_to_no_tour_says_so(walk):
    one = walk("/spectrum?size=60&tour=%3Cb%3E.2")
    one.until("document.querySelector('.notice')")
    assert one.notices() == ["There is no tour “<b>” here."]
    assert not one.shown("#tour")
    one.rest()


def test_a_click_is_held_against_the_curve(walk):
    one = walk("/spectrum?tour=sample-covariance.2&ratio=0.5&actual=0")
    at(one, 2, 6)
    phase(one, "asking")
    assert not one.renderer("equivalent")
    assert not one.page.locator("#readouts").is_visible()
    box = one.page.locator("#plot-main").bounding_box()
    one.page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.3 * box["height"])
    phase(one, "told")
    told = gap(one)
    curve = one.columns("equivalent")
    pairs = list(zip(curve["x"], curve["y"], strict=True))
    (x0, y0), (x1, y1) = next((a, b) for a, b in pairwise(pairs) if a[0] <= told["at"] <= b[0])
    truth = y0 + (y1 - y0) * (told["at"] - x0) / (x1 - x0)
    assert told["truth"] == pytest.approx(truth, rel=1e-9)
    assert told["difference"] == pytest.approx(told["guess"] - truth, rel=1e-9)
    assert told["difference"] > 0
    words = one.page.locator(".tour-predict").text_content()
    assert f"You were {told['difference']:.3g} too high" in words
    assert one.renderer("equivalent")
    assert one.page.locator("#readouts").is_visible()
    ends = one.evaluate(
        f"() => {{ {MODEL} const data = model('GlyphRenderer', 'predicted Segment').data_source.data;"
        " return [...data.y0, ...data.y1] }"
    )
    assert ends == pytest.approx([told["guess"], truth])
    one.press("bins", "ArrowRight")
    assert one.page.locator(".tour-predict").text_content() == ""
    names = one.evaluate("playground.figures.get('main').root.renderers.map((one) => one.name)")
    assert "equivalent" in names
    assert "predicted Segment" not in names


def test_on_a_logarithmic_axis_the_gap_is_a_factor_and_keys_place_the_guess(walk):
    one = walk("/scaling?tour=scaling.2&samples=0.3&family=linear&axis=samples&actual=0&linear=1")
    at(one, 2, 5)
    phase(one, "asking")
    one.page.get_by_role("button", name="Use the keys").click()
    for key in ("ArrowLeft", "Shift+ArrowUp", "Shift+ArrowUp"):
        one.page.keyboard.press(key)
    assert "Enter places your guess" in one.page.locator(".tour-predict").text_content()
    one.page.keyboard.press("Enter")
    phase(one, "told")
    told = gap(one)
    curve = one.columns("test")
    near = min(range(len(curve["x"])), key=lambda index: abs(10 ** curve["x"][index] - told["at"]))
    assert told["truth"] == pytest.approx(10 ** curve["y"][near], rel=0.2)
    factor = max(told["guess"] / told["truth"], told["truth"] / told["guess"])
    assert f"(a factor {factor:.3g})" in one.page.locator(".tour-predict").text_content()


def test_a_guess_can_be_skipped(walk):
    one = walk("/spectrum?tour=sample-covariance.2&ratio=0.5&actual=0")
    at(one, 2, 6)
    phase(one, "asking")
    one.page.get_by_role("button", name="Show without a guess").click()
    assert one.renderer("equivalent")
    assert gap(one) is None


def add(one, title, text):
    one.page.get_by_role("button", name="Tours", exact=True).click()
    one.page.locator("#step-title").fill(title)
    one.page.locator("#step-text").fill(text)
    one.page.get_by_role("button", name="Add step").click()
    one.until(f"[...document.querySelectorAll('.own-step')].some((step) => step.textContent.startsWith({title!r}))")
    one.page.keyboard.press("Escape")


def test_a_lecturers_tour_is_written_downloaded_opened_and_played(visit, tmp_path):
    one = visit("/spectrum?size=60&ratio=2&actual=0")
    add(one, "First <b>", 'Words with "quotes" and \\(c\\).\n\nMore.')
    one.go("/double-descent?size=30&draws=2")
    add(one, "Second", "Other words.")
    one.page.get_by_role("button", name="Tours", exact=True).click()
    one.page.locator("#own-title").fill("My <i>lecture</i>")
    one.page.locator("#own-title").blur()
    one.until("JSON.parse(localStorage.getItem('tour')).title === 'My <i>lecture</i>'")
    one.page.get_by_role("button", name="Later: step 1").click()
    one.until("document.querySelector('.own-step').textContent.startsWith('Second')")
    one.page.get_by_role("button", name="Earlier: step 2").click()
    one.until("document.querySelector('.own-step').textContent.startsWith('First')")
    with one.page.expect_download() as download:
        one.page.get_by_role("button", name="Download").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name == "my-i-lecture-i.toml"
    tour = read(file.read_text(encoding="utf-8"))
    assert [step.title for step in tour.steps] == ["First <b>", "Second"]
    assert tour.steps[0].settings == {"size": 60, "ratio": 2.0}
    assert tour.steps[0].reveal == ("linear", "equivalent")

    other = visit("/spectrum?size=60")
    other.page.get_by_role("button", name="Tours", exact=True).click()
    bad = tmp_path / "bad.toml"
    bad.write_text(file.read_text(encoding="utf-8").replace("size = 60", "size = 6000"), encoding="utf-8")
    other.page.locator("#tour-file").set_input_files(bad)
    other.until("document.querySelector('.fault').textContent")
    assert other.page.locator(".fault").text_content() == "bad.toml: Step 1: Dimension must be 20 to 2000."
    other.page.locator("#tour-file").set_input_files(file)
    other.until("document.querySelectorAll('.own-step').length === 2")
    assert other.page.locator(".fault").text_content() == ""
    other.page.get_by_role("button", name="Delete step 2").click()
    other.until("document.querySelectorAll('.own-step').length === 1")
    other.page.get_by_role("button", name="Play").click()
    at(other, 1, 1)
    assert other.page.locator("#tour .tour-head").text_content() == "My <i>lecture</i> · step 1 of 1"
    assert other.page.locator(".tour-text p").count() == 2
    assert other.query() == {"ratio": "2", "size": "60", "actual": "0", "tour": "own.1"}
    other.page.get_by_role("button", name="More tours").click()
    other.page.get_by_role("button", name="Delete", exact=True).click()
    other.page.get_by_role("button", name="Undo").click()
    assert other.page.locator(".own-step").count() == 1
    assert other.rest().dialogs == []
