"""Real sliders, moved: what then stands in the plot's data, in the read-outs and on the controls."""

from itertools import pairwise

import pytest


def mass(curve):
    """Area under a curve by trapezia."""
    pairs = zip(pairwise(curve["x"]), pairwise(curve["y"]), strict=True)
    return sum((right - left) * (low + high) / 2 for (left, right), (low, high) in pairs)


def atom(one):
    """Mass of the drawn bar at zero."""
    top = one.columns("atom")["top"]
    return top[0] / one.figure()["y"][1] if top else 0.0


def test_arrow_keys_move_the_bins_and_leave_the_rug(visit):
    one = visit()
    rug, curve = one.columns("rug")["x"], one.columns("equivalent")
    one.press("bins", "ArrowRight", 3)
    assert one.values["bins"] == 65
    assert len(one.columns("actual")["top"]) == 65
    assert one.columns("rug")["x"] == rug
    assert one.columns("equivalent") == curve
    one.press("bins", "ArrowLeft", 2)
    assert len(one.columns("actual")["top"]) == 55
    assert one.page.locator("#value-bins").input_value() == "55"
    one.press("bins", "Home")
    assert one.values["bins"] == 10
    one.press("bins", "End")
    assert one.values["bins"] == 200
    assert one.page.locator("#set-bins").get_attribute("aria-valuetext") == "200"
    assert one.notices() == []


def test_a_dragged_ratio_moves_theory_experiment_and_words(visit):
    one = visit()
    seen = [(one.values["ratio"], one.columns("rug")["x"], one.columns("equivalent")["x"], one.readouts())]
    for start, end in ((0.385, 0.75), (0.75, 0.2)):
        one.drag("ratio", start, end)
        ratio, law = one.values["ratio"], one.columns("equivalent")
        samples = one.evaluate("Math.round(400 / playground.state.values.ratio)")
        assert one.state["busy"] is False
        assert mass(law) + atom(one) == pytest.approx(1.0, abs=5e-3)
        assert atom(one) == pytest.approx(max(0.0, 1 - 1 / ratio), abs=0.01)
        assert law["x"][-1] == pytest.approx((1 + ratio**0.5) ** 2, rel=0.02)
        assert len(one.columns("rug")["x"]) == min(400, samples)
        assert one.query()["ratio"] == f"{ratio:.6g}"
        for before in seen:
            assert ratio != before[0]
            assert one.columns("rug")["x"] != before[1]
            assert law["x"] != before[2]
            for label in ("KS distance, actual", "Bulk", "Largest eigenvalue"):
                assert one.readouts()[label] != before[3][label]
        seen.append((ratio, one.columns("rug")["x"], law["x"], one.readouts()))
        assert f"n = {samples} samples of dimension p = 400" in one.page.locator("#explain").inner_text()


def test_typed_values(visit):
    one = visit()
    one.type("ratio", "0.25")
    assert one.values["ratio"] == 0.25
    assert one.columns("equivalent")["x"][-1] == pytest.approx(2.25, rel=1e-6)
    position = int(one.page.locator("#set-ratio").input_value())
    assert position == pytest.approx(28, abs=1)  # 0.7 of 2.6 decades, 40 steps each
    one.type("ratio", "0,5")
    assert one.values["ratio"] == 0.25
    assert one.page.locator("#value-ratio").input_value() == "0.25"
    assert "is not a number" in one.notices()[-1]
    one.type("ratio", "99")
    assert one.values["ratio"] == 20
    assert one.page.locator("#value-ratio").input_value() == "20"
    assert "Aspect ratio must be 0.05 to 20" in one.notices()[-1]
    one.type("seed", "12")
    assert one.values["seed"] == 12


def test_new_draw_takes_another_and_reset_brings_the_first_back(visit):
    one = visit()
    first = one.columns("rug")["x"], one.columns("equivalent"), one.columns("actual")
    one.click("#draw")
    assert one.values["seed"] == 2
    assert one.columns("rug")["x"] != first[0]
    assert one.columns("equivalent") == first[1]
    assert one.query() == {"seed": "2"}
    one.type("ratio", "3")
    one.choose("axes", "log")
    one.click("#reset")
    assert (one.columns("rug")["x"], one.columns("equivalent"), one.columns("actual")) == first
    assert one.page.url == one.origin + "/spectrum"
    assert one.page.locator("#set-axes").input_value() == "auto"


def test_the_legend_hides_what_it_names(visit):
    one = visit("/spectrum?depth=1&size=100")
    full = len(one.columns("linear")["y"])
    assert full > 0
    one.page.get_by_label("Deterministic equivalent").uncheck()
    one.rest()
    assert not one.renderer("equivalent")
    assert not one.renderer("edges")
    one.page.get_by_label("Experiment", exact=True).uncheck()
    one.rest()
    assert one.columns("actual")["top"] == one.columns("rug")["x"] == []
    one.page.get_by_label("Linear equivalent").uncheck()
    one.rest()
    assert one.columns("linear")["y"] == []
    assert one.query() == {"depth": "1", "size": "100", "actual": "0", "linear": "0", "equivalent": "0"}
    for label in ("Deterministic equivalent", "Experiment", "Linear equivalent"):
        one.page.get_by_label(label, exact=True).check()
        one.rest()
    assert one.renderer("equivalent")
    assert len(one.columns("actual")["top"]) == 50
    assert len(one.columns("linear")["y"]) == full


def test_depth_brings_its_controls(visit):
    one = visit("/spectrum?size=100")
    assert not one.controls() & {"width", "activation", "linear", "width1"}
    assert not one.shown("text=Layers one by one")
    one.press("depth", "ArrowRight", 2)
    assert one.controls() >= {"width", "activation", "linear", "width1", "activation1", "width2", "activation2"}
    assert "width3" not in one.controls()
    assert "2 layers of width 300, 300" in one.page.locator("#explain").inner_text()
    assert "KS distance, linear" in one.readouts()
    one.press("depth", "ArrowLeft", 2)
    assert not one.controls() & {"width", "activation", "linear", "width1"}


def test_layers_one_by_one_follow_until_they_are_moved(visit):
    one = visit("/spectrum?size=100&depth=3")
    assert not one.shown("#set-width1")  # folded
    one.click("text=Layers one by one")
    assert one.shown("#set-width1")
    one.type("width", "2")
    assert one.page.locator("#value-width2").input_value() == "2"
    one.press("width2", "Home")
    one.choose("activation3", "relu")
    assert one.query() == {"size": "100", "depth": "3", "width": "2", "width2": "0.05", "activation3": "relu"}
    assert "3 layers of width 400, 10, 400" in one.page.locator("#explain").inner_text()
    one.type("width", "1")
    assert "3 layers of width 200, 10, 200" in one.page.locator("#explain").inner_text()
    one.click('[data-name="width2"] .follow')
    one.choose("activation3", "")
    assert one.query() == {"size": "100", "depth": "3", "width": "1"}
    assert "3 layers of width 200, 200, 200" in one.page.locator("#explain").inner_text()


OF_DATA = {
    "identity": set(), "atoms2": {"s2", "w2"}, "atoms3": {"s2", "w2", "s3", "w3"}, "toeplitz": {"rho"},
    "power_law": {"alpha"}, "spiked": {"spike", "spike2"}, "mixture": {"mean_norm2"}, "digits": set(),
}  # fmt: skip


def test_all_kinds_of_data(visit):
    one = visit("/spectrum?size=100")
    options = one.evaluate("[...document.getElementById('set-data').options].map((option) => option.value)")
    assert options == list(OF_DATA)
    rugs = set()
    for data, controls in OF_DATA.items():
        one.choose("data", data)
        assert one.values["data"] == data
        assert one.controls() & set().union(*OF_DATA.values()) == controls
        assert ("size" in one.controls()) == ("entries" in one.controls()) == (data != "digits")
        rug = one.columns("rug")["x"]
        assert len(rug) == pytest.approx(61 if data == "digits" else 100, abs=10)
        rugs.add(tuple(rug))
        assert float(one.readouts()["KS distance, actual"]) < 0.1
        assert one.readouts()["Solver"] == "certified"
        assert one.notices() == []
        for name in controls:
            one.press(name, "ArrowRight")
            assert one.notices() == []
    assert len(rugs) == len(OF_DATA)
    assert "n = 122 samples of dimension p = 61" in one.page.locator("#explain").inner_text()


def test_axes(visit):
    one = visit("/spectrum?size=100&ratio=0.2")
    edges = [(1 - 0.2**0.5) ** 2, (1 + 0.2**0.5) ** 2]
    seen = {}
    for axes in ("linear", "log", "loglog"):
        one.choose("axes", axes)
        figure = one.figure()
        power = 10 if axes != "linear" else None
        found = [power**x if power else x for x in one.columns("edges")["x"]]
        assert found == pytest.approx(edges)
        assert figure["labels"][0] == "eigenvalue λ"
        assert figure["labels"][1] == ("density per unit of ln λ" if axes == "log" else "density")
        seen[axes] = figure["x"] + figure["y"]
    assert seen["linear"][:2] != seen["log"][:2] == seen["loglog"][:2]
    assert seen["log"][2:] != seen["loglog"][2:]


def test_the_help_of_a_control_opens_and_closes(visit):
    one = visit()
    more = one.page.get_by_label("About Aspect ratio")
    assert not one.shown("#help-ratio")
    more.click()
    assert one.shown("#help-ratio")
    assert more.get_attribute("aria-expanded") == "true"
    one.page.keyboard.press("Enter")
    assert not one.shown("#help-ratio")
    assert more.get_attribute("aria-expanded") == "false"


def test_the_table_of_the_plot_opens_and_is_copied(visit):
    one = visit("/spectrum?size=100", permissions=["clipboard-read", "clipboard-write"])
    assert one.page.locator("#tables table").count() == 0
    one.click("#data summary")
    assert one.page.locator("#tables caption").all_inner_texts() == [
        "Deterministic equivalent", "Bulks", "Non-zero eigenvalues, actual",
    ]  # fmt: skip
    rows = one.page.locator("#tables table").last.locator("tbody td").all_inner_texts()
    assert [float(row) for row in rows] == pytest.approx(one.columns("rug")["x"], rel=1e-5)
    one.press("ratio", "ArrowRight", 10)  # follows
    rows = one.page.locator("#tables table").last.locator("tbody td").all_inner_texts()
    assert [float(row) for row in rows] == pytest.approx(one.columns("rug")["x"], rel=1e-5)
    one.click("#copy-data")
    one.until("document.querySelector('.notice')")
    lines = one.evaluate("navigator.clipboard.readText()").split("\n")
    assert lines[:2] == ["# Deterministic equivalent", "λ,density"]
    assert float(lines[2].split(",")[0]) == one.columns("equivalent")["x"][0]
    assert "# Non-zero eigenvalues, actual" in lines
