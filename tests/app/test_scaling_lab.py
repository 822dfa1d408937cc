"""The Scaling laws lab: what is painted is what the library computes, and every setting can be chosen."""

from functools import cache

import numpy as np
import pytest
from visitor import Visitor

from app.labs.scaling import ScalingLab
from app.labs.scaling_settings import SCHEMA
from app.labs.scaling_theory import WIDTHS
from rmtcore import Layer, Network, Population, ridge_errors
from rmtcore.experiment import largest_matrix
from rmtcore.exponents import fit_exponent, local_slopes, predicted_exponents
from rmtcore.scaling import Frontier, above_limit, frontier, sweep, timed_frontier

SMALL = "size=100&draws=2"
LAB = ScalingLab()
AXES = [key for key, _ in SCHEMA.by_name["axis"].choices]
FAMILIES = [key for key, _ in SCHEMA.by_name["family"].choices]
VIEW = {"actual": False, "equivalent": False, "fitted": False, "limited": True}


def visitor(query=""):
    return Visitor(f"{SMALL}&{query}", lab=LAB)


@cache
def walker():
    """One visitor who goes from state to state: opening a page costs more than most of these tests."""
    return visitor()


def walk(query=""):
    one = walker()
    assert one.say(type="query", search=f"{SMALL}&{query}")["type"] == "state"
    return one


@cache
def at_rest(query=""):
    """A visitor who has seen both rounds; to look at only."""
    one = visitor(query)
    one.answer()
    if one.session._task.total > 1:
        one.answer()
    return one


def columns(one, label, figure="main"):
    found = one.session.figures[figure].columns(label)
    return {name: np.asarray(column) for name, column in found.items()}


def network(p=100, n=60, widths=(120,), activation="identity", noise=0.0, ridge=1e-5):
    layers = [Layer(width, activation, normalise=True) for width in widths]
    return Network(Population.power_law(1.2, p, 0.7), layers, samples=n, noise=noise, ridge=ridge)


def readouts(one):
    return {readout["label"]: readout for readout in one.session.state()["readouts"]}


# ---- errors along an axis ----
@pytest.mark.parametrize(
    ("query", "one", "moves"),
    [
        ("", network(), lambda x: {"widths": x}),
        ("axis=ratio", network(), lambda x: {"widths": 60 * x}),
        ("axis=gap", network(), lambda x: {"widths": 60 * (1 - x)}),
        ("axis=samples", network(), lambda x: {"samples": x}),
        ("family=deep&activation=relu&noise=0.1", network(widths=(120,) * 3, activation="relu", noise=0.1),
         lambda x: {"widths": x}),
        ("family=linear", network(widths=()), lambda x: {"samples": x}),
        ("family=linear&axis=ratio", network(widths=()), lambda x: {"samples": 100 / x}),
        ("family=linear&axis=gap&noise=0.2", network(widths=(), noise=0.2), lambda x: {"samples": 100 / (1 - x)}),
    ],
)  # fmt: skip
def test_the_lines_are_those_of_the_library(query, one, moves):
    seen = walk(query)
    for name in ("test", "train"):
        line, slope = columns(seen, name), columns(seen, name, "slope")
        x = 10.0 ** line["x"]
        expected = getattr(sweep(one, **moves(x)), name)
        low, high = seen.session.figures["main"].look("range", "y")
        inside = (line["y"] > low - 1) & (line["y"] < high + 1)
        assert name == "train" or inside.any()
        np.testing.assert_allclose(10.0 ** line["y"][inside], expected[inside], rtol=1e-6)
        found = np.interp(slope["x"], np.log10(x), local_slopes(x, expected))
        near = np.abs(found) < 4
        np.testing.assert_allclose(slope["y"][near], found[near], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("query", ["", "axis=samples", "axis=gap", "family=linear", "family=linear&axis=ratio"])
def test_the_dots_stand_on_networks_of_their_position(query):
    seen = at_rest(query)
    networks, places, _ = LAB._drawn(SCHEMA.resolved(seen.values))
    dots = columns(seen, "actual test")
    np.testing.assert_allclose(10.0 ** dots["x"], places)
    np.testing.assert_allclose(10.0 ** dots["y"], seen.session._observed.test.mean(axis=0))
    assert len(places) > 5
    n = {"": 60, "axis=gap": 60}.get(query)
    for one, place in zip(networks, places, strict=True):
        assert largest_matrix(one) <= LAB.most_entries
        expected = {
            "": one.feature_dim, "axis=samples": one.samples, "axis=gap": 1 - one.feature_dim / one.samples,
            "family=linear": one.samples, "family=linear&axis=ratio": 100 / one.samples,
        }[query]  # fmt: skip
        assert place == pytest.approx(expected)
        assert n is None or one.samples == n


def test_the_fit_is_a_line_of_its_slope_beside_the_prediction():
    seen = walk()
    line, shown = columns(seen, "fit test"), readouts(seen)["Test error: exponent"]
    slope = np.diff(line["y"])[0] / np.diff(line["x"])[0]
    assert float(shown["value"].split(" ")[0].replace("−", "-")) == pytest.approx(slope, abs=6e-4)
    low, high = 10.0 ** line["x"] * [2.0, 0.5]
    x = np.geomspace(low, high, 50)
    assert fit_exponent(x, sweep(network(), widths=x).test, (low, high)).slope == pytest.approx(slope, abs=0.01)
    assert "predicted −1.200" in shown["detail"]
    assert predicted_exponents(1.2, 0.7).width == pytest.approx(-1.2)
    assert set(columns(seen, "predicted test", "slope")["y"]) == {predicted_exponents(1.2, 0.7).width}


@pytest.mark.parametrize(
    ("query", "test", "train"),
    [
        ("axis=samples", "predicted −1.680", "no prediction"),
        ("family=linear", "predicted −1.680", "predicted 0.720"),
        ("family=linear&noise=1", "predicted −1.680", "predicted 2.400"),
        ("activation=relu", "predicted −1.000", "predicted −1.000"),
        ("activation=relu&axis=samples", "no prediction", "no prediction"),
        ("axis=gap", "predicted −1.000", "predicted 1.000"),
        ("data=toeplitz", "no prediction", "no prediction"),
        ("alpha=0.9", "no prediction", "no prediction"),
        ("activation=cos", "no prediction", "no prediction"),
    ],
)
def test_what_is_predicted_and_what_is_not(query, test, train):
    values = SCHEMA.resolved(SCHEMA.from_query(f"{SMALL}&{query}")[0])
    shown = {one.label: one.detail for one in LAB.report(values, LAB.equivalent(values), None).readouts}
    assert test in shown["Test error: exponent"]
    assert train in shown["Training error: exponent"]


def test_the_distance_to_the_limit():
    line = columns(walk("limited=1"), "above")
    x = 10.0 ** line["x"]
    expected = above_limit(network(), widths=x)
    inside = expected > 1e-5
    np.testing.assert_allclose(10.0 ** line["y"][inside], expected[inside], rtol=1e-6)
    assert not columns(walk(), "above")["x"].size


# ---- the frontier ----
def test_the_frontier_is_that_of_the_library():
    seen = walk("view=frontier")
    line, path = columns(seen, "frontier", "frontier"), columns(seen, "path", "plane")
    expected = frontier(network(n=100, widths=(100,)), 10.0 ** line["x"])
    np.testing.assert_allclose(10.0 ** line["y"], expected.test, rtol=1e-5)
    np.testing.assert_allclose(path["x"] + path["y"], line["x"], atol=1e-9)
    for width in WIDTHS:
        row = columns(seen, f"d = {width}", "frontier")
        test = sweep(network(), samples=10.0 ** row["x"] / width, widths=width).test
        inside = np.abs(np.log10(test)) < 5
        np.testing.assert_allclose(10.0 ** row["y"][inside], test[inside], rtol=1e-6)


def test_the_image_of_the_plane():
    seen = walk("view=frontier&activation=relu")
    image = columns(seen, "plane", "plane")["image"][0]
    side = np.geomspace(8, 200, image.shape[0])
    one = network(widths=(30,), n=40, activation="relu")
    assert image[3, 30] == pytest.approx(np.log10(sweep(one, samples=side[3], widths=side[30]).test), abs=1e-6)


def test_what_the_present_compute_buys():
    shown = readouts(walk("view=frontier&samples=0.5&width=1.5"))
    assert shown["Test error here"]["value"] == f"{ridge_errors(network(n=50, widths=(75,))).test:.3g}"
    best = frontier(network(), [50 * 75]).test[0]
    assert shown["Best for this compute"]["value"] == f"{best:.3g}"


def test_the_frontier_with_early_stopping_comes_from_the_workers():
    seen = at_rest("view=frontier&timed=1")
    task = seen.session._task
    assert task.function is timed_frontier
    assert isinstance(seen.session._observed, Frontier)
    line = columns(seen, "frontier", "frontier")
    np.testing.assert_allclose(10.0 ** line["y"], timed_frontier(*task.args).test, rtol=1e-9)
    assert "predicted −0.457" in readouts(seen)["Frontier: exponent"]["detail"]
    seen.set(timed=False)  # what was observed is of another kind now, and is not drawn
    assert not columns(seen, "actual d = 16", "frontier")["x"].size
    at_rest.cache_clear()


def test_a_linear_model_has_no_frontier():
    assert walk("view=frontier&family=linear").session.state()["figures"] == ["main", "slope"]


# ---- experiments and settings ----
@pytest.mark.parametrize("query", ["", "axis=samples", "family=linear", "view=frontier"])
def test_view_settings_keep_the_experiment(query):
    values = SCHEMA.from_query(query)[0]
    key = LAB.experiment(SCHEMA.resolved(values)).key
    for name, value in VIEW.items():
        assert LAB.experiment(SCHEMA.resolved(values | {name: value})).key == key, name


@pytest.mark.parametrize(
    ("query", "same"),
    [("", {"width": 0.5}), ("family=linear", {"samples": 0.2}), ("view=frontier", {"samples": 0.2, "width": 3.0})],
)
def test_what_runs_along_the_axis_keeps_the_experiment(query, same):
    values = SCHEMA.from_query(query)[0]
    assert LAB.experiment(SCHEMA.resolved(values)).key == LAB.experiment(SCHEMA.resolved(values | same)).key
    other = LAB.experiment(SCHEMA.resolved(values | {"seed": 2}))
    assert other.key != LAB.experiment(SCHEMA.resolved(values)).key


@pytest.mark.parametrize("query", ["axis=samples", "axis=width", "axis=ratio", "axis=gap", "family=linear"])
def test_a_click_moves_the_sliders_and_keeps_the_dots(query):
    one = walk(query)
    before = one.session._task.key
    x = {"axis=gap": 0.25, "axis=ratio": 0.5}.get(query, 40.0)
    one.say(type="pick", figure="main", x=np.log10(x), y=0.0)
    mark = columns(one, "now")["x"]
    assert 10.0 ** mark[0] == pytest.approx(x, rel=0.02)
    assert one.session._task.key == before


def test_a_click_in_the_plane_is_a_width_and_samples():
    one = walk("view=frontier")
    one.say(type="pick", figure="plane", x=2.0, y=1.5)
    here = columns(one, "here", "plane")
    assert [here["x"][0], here["y"][0]] == pytest.approx([2.0, 1.5], abs=0.01)


@pytest.mark.parametrize("draws", [1, 2])
def test_any_number_of_repetitions(draws):
    one = Visitor(f"size=100&draws={draws}", lab=LAB)
    for _ in range(draws):
        one.answer()
    assert one.session._observed.test.shape[0] == draws
    assert not one.session._busy


def test_networks_that_are_too_large_are_left_out_with_a_notice():
    lab = ScalingLab()
    lab.most_entries = 50
    one = Visitor(SMALL, lab=lab)
    one.answer()
    assert not columns(one, "actual test")["x"].size
    assert any("too large" in notice for message in one.told for notice in message["notices"])


def choices():
    for setting in SCHEMA.settings:
        if setting.kind == "choice":
            yield from (f"{setting.name}={value}" for value, _ in setting.choices)
        elif setting.kind == "flag":
            yield from (f"{setting.name}=0", f"{setting.name}=1")
        elif setting.name not in ("size", "draws", "seed"):
            yield from (f"{setting.name}={setting.low:g}", f"{setting.name}={setting.high:g}")


@pytest.mark.parametrize("view", ["axis=width", "axis=samples", "axis=gap", "family=linear", "view=frontier"])
def test_every_choice_paints_and_reports(view):
    data = {"s2": "atoms2", "rho": "toeplitz", "spike": "spiked", "mean_norm2": "mixture"}
    one = walk(view)
    one.say(type="table", open=True)
    for choice in choices():
        name = choice.partition("=")[0]
        more = f"&data={data[name]}" if name in data else ""
        more += "&family=deep" if name == "depth" else ""
        told = one.say(type="query", search=f"{SMALL}&{view}&{choice}{more}")
        assert told["type"] == "state", choice
        assert told["notices"] == [], choice
        assert told["tables"], choice
        for figure in told["figures"]:
            ends = [one.session.figures[figure].look("range", axis) for axis in "xy"]
            assert np.all(np.isfinite(ends)), choice


def test_every_axis_of_every_family_learns():
    one = walk()
    for family in FAMILIES:
        for axis in AXES:
            one.say(type="query", search=f"{SMALL}&axis={axis}&family={family}&noise=0.1")
            if one.session._stale:  # not so where the axis is that of another name
                one.answer()
                one.answer()
            assert one.told[-1]["type"] == "state"
            assert columns(one, "actual test")["x"].size > 3, (family, axis)
            assert readouts(one)["Agreement of the dots"]["value"].startswith("median gap"), (family, axis)
