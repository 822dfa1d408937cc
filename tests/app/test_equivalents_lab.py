"""The Equivalents lab: what is painted is what the library computes, and every setting can be chosen."""

from functools import cache

import numpy as np
import pytest
from visitor import Visitor

from app.labs.equivalents import EquivalentsLab
from app.labs.equivalents_settings import DISPLAY, SCHEMA
from app.parts.realisations import Gathered
from rmtcore import (
    Ensemble,
    Layer,
    Network,
    Observable,
    Population,
    functional,
    get_activation,
    mean_matrix,
    measure,
    predict,
    realise,
    resolvent_matrix,
    ridge_errors,
)

SMALL = "top=256&draws=2"
LAB = EquivalentsLab()
N = np.array([64.0, 128.0, 256.0])


def visitor(query=""):
    return Visitor(f"{SMALL}&{query}", lab=LAB)


@cache
def at_rest(query=""):
    """A visitor who has seen both rounds; to look at only."""
    one = visitor(query)
    for _ in range(one.session._task.total):
        one.answer()
    return one


@cache
def walker():
    return visitor()


def walk(query=""):
    one = walker()
    assert one.say(type="query", search=f"{SMALL}&{query}")["type"] == "state"
    return one


def columns(one, label, figure):
    return {name: np.asarray(column) for name, column in one.session.figures[figure].columns(label).items()}


def readouts(one):
    return {readout["label"]: readout for readout in one.session.state()["readouts"]}


def gram(n=256):
    layer = Layer(int(1.5 * n), "relu", normalise=True)
    return Ensemble("gram", Network(Population.mixture(4.0, n // 2), [layer], samples=n))


def kernel(n=256):
    return Ensemble("kernel", Network(Population.mixture(4.0, n // 2), samples=n), get_activation("relu"))


def covariance(n=256):
    return Ensemble("covariance", Network(Population.mixture(4.0, n // 2), samples=n))


MADE = {"gram": gram, "kernel": kernel, "covariance": covariance}


# ---- the images ----
@pytest.mark.parametrize("matrix", ["gram", "kernel"])
@pytest.mark.parametrize("images", ["matrix", "resolvent"])
def test_the_images_are_those_of_the_library(matrix, images):
    one = at_rest(f"matrix={matrix}")
    one.say(type="query", search=f"{SMALL}&matrix={matrix}&images={images}")  # the draw stays
    ensemble = MADE[matrix](64)
    z = Observable("trace", 0.5).place(ensemble)
    actual, linear = (realise(ensemble, (1, 0), reading).matrix for reading in ("actual", "linear"))
    fixed = mean_matrix(ensemble)
    if images == "resolvent":
        actual, linear = (np.linalg.inv(part - z * np.eye(64)) for part in (actual, linear))
        fixed = resolvent_matrix(ensemble, z)
    readings = {"first": actual, "second": linear, "third": fixed, "fourth": actual - linear}
    for label, expected in readings.items():
        image = columns(one, label, "matrices")["image"][0]
        np.testing.assert_allclose(image[::-1], expected, atol=1e-9)
    scales = {label: one.session.figures["matrices"].look("colours", label) for label in ("first", "third", "fourth")}
    assert len({tuple(scale) for scale in scales.values()}) == 1


@pytest.mark.parametrize("data", ["toeplitz", "mixture", "atoms2"])
def test_a_covariance_is_shown_in_the_coordinates_of_the_data(data):
    one = at_rest(f"matrix=covariance&data={data}")
    image = columns(one, "second", "matrices")["image"][0][::-1]
    if data == "toeplitz":
        np.testing.assert_allclose(image, 0.6 ** np.abs(np.subtract.outer(np.arange(64), np.arange(64))), atol=1e-9)
    values = np.linalg.eigvalsh(image)
    assert values[-1] == pytest.approx({"mixture": 5.0, "atoms2": 5.0, "toeplitz": values[-1]}[data])
    assert not one.session.figures["matrices"].look("show", "fourth")


def test_before_the_draw_the_deterministic_equivalent_stands_alone():
    one = visitor()
    assert list(one.session.figures["matrices"].columns("titles")["text"]) == ["deterministic"]
    assert {readout["value"] for readout in readouts(one).values()} >= {"…"}
    assert list(readouts(one)) == list(readouts(at_rest()))  # nothing jumps


# ---- observations ----
@pytest.mark.parametrize("matrix", ["gram", "covariance", "kernel"])
@pytest.mark.parametrize("observation", ["trace", "form", "statistic", "largest", "overlap"])
def test_the_line_and_the_dots_are_those_of_the_library(matrix, observation):
    one = at_rest(f"matrix={matrix}")
    one.say(type="query", search=f"{SMALL}&matrix={matrix}&view=observation&observation={observation}")
    assert one.session._round == 2  # the draw stays
    observable = Observable(observation, 0.5, "square")
    line = columns(one, "deterministic", "scatter")
    np.testing.assert_allclose(10.0 ** line["x"], N)
    np.testing.assert_allclose(line["y"], [predict(MADE[matrix](int(n)), observable) for n in N], rtol=1e-9)
    dots, drawn = columns(one, "actual actual", "scatter"), one.session._observed.rungs
    expected = np.concatenate(
        [measure(MADE[matrix](int(n)), part.actual, observable) for n, part in zip(N, drawn, strict=True)]
    )
    np.testing.assert_allclose(dots["y"], expected)
    assert expected.size == 2 * (4 + 2 + 1)
    assert columns(one, "linear linear", "scatter")["y"].size == (0 if matrix == "covariance" else expected.size)


@pytest.mark.parametrize(
    "query", ["", "view=observation&observation=form", "view=contour", "matrix=kernel", "matrix=covariance"]
)
def test_experiment_and_theory_agree(query):
    one = Visitor(f"top=256&draws=6&{query}", lab=LAB)
    for _ in range(6):
        one.answer()
    told = readouts(one)
    assert told["Agreement, largest n"]["good"] is True
    assert told["Error: rate, actual"]["good"] is True


@pytest.mark.parametrize("matrix", ["gram", "kernel", "covariance"])
def test_operator_norms_are_drawn_and_stay(matrix):
    one = at_rest(f"matrix={matrix}")
    one.say(type="query", search=f"{SMALL}&matrix={matrix}")
    drawn = one.session._observed.rungs
    for label, name in (("norm to mean", "off_mean"), ("norm to linear", "off_linear")):
        found = columns(one, f"actual {label}", "errors")
        if matrix == "covariance" and name == "off_linear":
            assert not found["y"].size
            continue
        np.testing.assert_allclose(10.0 ** found["y"], [getattr(part, name).mean() for part in drawn])
        assert np.all(found["y"] > -1.0)
    assert "stays away" in " ".join(one.session.state()["explain"])


def test_the_fit_and_the_expected_rate_are_lines_of_their_slopes():
    one = at_rest("view=observation&observation=form&draws=2")
    slope = {label: np.diff(columns(one, label, "errors")["y"])[0] / np.log10(2.0) for label in ("fit", "expected")}
    assert slope["expected"] == pytest.approx(-0.5)
    said = readouts(one)["Error: rate, actual"]
    assert f"n^({slope['fit']:.2f}".replace("-", "−") in said["value"]
    assert said["detail"] == "expected 1/√n"


def test_in_the_classical_regime_the_norm_falls_too():
    one = at_rest("matrix=covariance&data=identity&growth=classical&ratio=0.3&draws=2")
    for rung, n in zip(one.session._theory.matrices.rungs, N, strict=True):
        assert (rung.network.population.dim, rung.network.samples) == (19, n)
    norm = 10.0 ** columns(one, "actual norm to mean", "errors")["y"]
    assert norm[2] < 0.65 * norm[0]
    words = " ".join(one.session.state()["explain"])
    assert "even the operator norm" in words
    assert "averages over the samples alone" in words
    assert "p = 19 stays" in words
    assert {lamp["label"]: lamp["on"] for lamp in one.session.state()["lamps"]}["n and p grow together"]


@pytest.mark.parametrize("matrix", ["gram", "covariance"])
def test_the_risk_is_a_test_error_with_an_experiment_of_its_own(matrix):
    one = at_rest(f"matrix={matrix}&view=observation&observation=risk&top=256")
    line = columns(one, "deterministic", "scatter")
    expected = [
        ridge_errors(Network(part.population, part.layers, samples=part.samples, noise=0.1, ridge=0.5)).test
        for part in (MADE[matrix](int(n)).network for n in N)
    ]
    np.testing.assert_allclose(line["y"], expected, rtol=1e-9)
    np.testing.assert_allclose(columns(one, "actual actual", "scatter")["y"], one.session._observed[0].T.ravel())
    assert readouts(one)["Agreement, largest n"]["good"] is not False
    before = one.session._task.key
    one.set(ridge=0.7)
    assert one.session._task.key != before
    at_rest.cache_clear()


def test_the_risk_of_a_kernel_is_its_training_error():
    one = at_rest("matrix=kernel&view=observation&observation=risk")
    assert isinstance(one.session._observed, Gathered)
    expected = predict(kernel(), Observable("training", 0.5))
    assert readouts(one)["training error"]["value"] == f"{expected:.4g}"


# ---- the contour ----
@pytest.mark.parametrize("matrix", ["gram", "kernel", "covariance"])
@pytest.mark.parametrize("inside", ["one", "log"])
def test_the_functional_is_that_of_the_library_and_of_the_draw(matrix, inside):
    one = at_rest(f"matrix={matrix}")
    one.say(type="query", search=f"{SMALL}&matrix={matrix}&view=contour&inside={inside}")
    left, right = np.sort(columns(one, "ends", "plane")["x"])
    ensemble = MADE[matrix](256)
    observable = Observable("enclosed form", 0.5, inside, left, right)
    found = functional(ensemble, observable.function(observable.place(ensemble)), left, right)
    told = readouts(one)
    assert float(told["Σ f(λᵢ) enclosed"]["value"]) == pytest.approx(found.trace * ensemble.size, rel=1e-3)
    assert float(told["Σ f(λᵢ)(u′vᵢ)² enclosed"]["value"]) == pytest.approx(found.form, rel=1e-3)
    values = one.session._observed.rungs[-1].actual.eigenvalues[0]
    enclosed = columns(one, "enclosed", "plane")["x"]
    np.testing.assert_allclose(enclosed, values[(values > left) & (values < right)])
    assert enclosed.size == 1  # the outlier
    if inside == "one":
        assert float(told["Σ f(λᵢ) enclosed"]["value"]) == pytest.approx(1.0, abs=1e-3)


def test_a_drag_moves_the_nearer_end_and_keeps_the_draw():
    one = at_rest("view=contour")
    key, (left, right) = one.session._task.key, np.sort(columns(one, "ends", "plane")["x"])
    one.say(type="pick", figure="plane", x=2.0, y=0.1, final=False)
    np.testing.assert_allclose(np.sort(columns(one, "ends", "plane")["x"]), [2.0, right], atol=0.05)
    assert left > 2.0
    one.say(type="pick", figure="plane", x=right - 1.0, y=0.0, final=True)
    np.testing.assert_allclose(np.sort(columns(one, "ends", "plane")["x"]), [2.0, right - 1.0], atol=0.05)
    one.say(type="pick", figure="scatter", x=2.0, y=0.0, final=True)
    assert one.values["enclose"] == "hand"
    assert one.session._task.key == key
    at_rest.cache_clear()


@pytest.mark.parametrize("enclose", ["outlier", "bulk", "all", "hand"])
@pytest.mark.parametrize("matrix", ["gram&width=0.3", "kernel", "covariance&ratio=2", "covariance&data=identity"])
def test_no_contour_comes_near_to_z_or_to_an_atom(enclose, matrix):
    for shares in ("", "&left=0&right=0", "&left=0.1&right=0.11", "&left=1&right=1", "&ridge=0.03"):
        one = walk(f"matrix={matrix}&view=contour&enclose={enclose}&inside=inverse{shares}")
        theory = one.session._theory
        last, (left, right) = theory.matrices.rungs[-1], theory.ends
        z = theory.observable.place(last)
        assert z < left < right
        if last.law.atom > 0:
            assert (
                min(abs(left - last.law.atom_at), abs(right - last.law.atom_at)) > 0.4 * (last.law.atom_at - z) * 0.01
            )
        assert np.all(np.isfinite(theory.predicted))
        if enclose == "all":
            # f = 1: everything is enclosed once, the atom too
            whole = functional(last, lambda x: 1.0 + 0.0 * x, left, right)
            assert whole.trace == pytest.approx(1.0, abs=1e-3)


def test_around_the_bulk_there_are_no_outliers():
    one = walk("view=contour&enclose=bulk&matrix=kernel")  # ReLU has outliers on both sides
    last, (left, right) = one.session._theory.matrices.rungs[-1], one.session._theory.ends
    places = np.array([outlier.position for outlier in last.outliers])
    assert places.min() < left < last.law.bulks[0, 0] < last.law.bulks[-1, 1] < right < places.max()
    assert float(readouts(one)["Σ f(λᵢ) enclosed"]["value"]) == pytest.approx(256 - places.size, abs=0.05)


def test_without_an_outlier_the_contour_encloses_nothing():
    one = walk("view=contour&mean_norm2=0.1")
    assert abs(float(readouts(one)["Σ f(λᵢ) enclosed"]["value"])) < 1e-6
    assert "encloses nothing" in " ".join(one.session.state()["explain"])


# ---- settings ----
def test_view_settings_keep_the_experiment():
    values = SCHEMA.defaults()
    key = LAB.experiment(SCHEMA.resolved(values)).key
    for name in DISPLAY - {"observation"}:
        setting = SCHEMA.by_name[name]
        others = [one for one, _ in setting.choices] or (
            [True, False] if setting.kind == "flag" else [setting.low, setting.high]
        )
        for other in others:
            assert LAB.experiment(SCHEMA.resolved(values | {name: other})).key == key, (name, other)
    for name, other in (("ratio", 0.7), ("matrix", "kernel"), ("activation", "tanh"), ("mean_norm2", 1.0),
                        ("seed", 2), ("draws", 3), ("top", "256"), ("width", 1.0)):  # fmt: skip
        assert LAB.experiment(SCHEMA.resolved(values | {name: other})).key != key, name


def test_sizes_that_are_too_large_are_left_out_with_a_notice():
    lab = EquivalentsLab()
    lab.most_entries = 20_000
    one = Visitor(SMALL, lab=lab)
    assert [rung.size for rung in one.session._theory.matrices.rungs] == [64]
    assert any("would need" in notice for message in one.told for notice in message["notices"])
    one.answer()
    assert one.told[-1]["type"] == "state"


def choices():
    for setting in SCHEMA.settings:
        if setting.kind == "choice":
            yield from (
                f"{setting.name}={value}" for value, _ in setting.choices if setting.name not in ("view", "top")
            )
        elif setting.kind == "flag":
            yield from (f"{setting.name}=0", f"{setting.name}=1")
        elif setting.name not in ("draws", "seed"):
            yield from (f"{setting.name}={setting.low:g}", f"{setting.name}={setting.high:g}")


@pytest.mark.parametrize("matrix", ["gram", "covariance", "kernel"])
@pytest.mark.parametrize("view", ["matrices", "observation", "contour"])
def test_every_choice_paints_and_reports(view, matrix):
    one = walk()
    one.say(type="table", open=True)
    more = {
        "s2": "&data=atoms2", "rho": "&data=toeplitz", "noise": "&observation=risk", "shape": "&observation=statistic",
        "left": "&enclose=hand", "right": "&enclose=hand",
    }  # fmt: skip
    for choice in choices():
        name = choice.partition("=")[0]
        fixed = "" if name == "matrix" else f"&matrix={matrix}"
        told = one.say(type="query", search=f"{SMALL}&view={view}{fixed}&{choice}{more.get(name, '')}")
        assert told["type"] == "state", choice
        assert told["notices"] == [], choice
        assert told["tables"], choice
        for figure in told["figures"]:
            held = one.session.figures[figure]
            assert np.all(np.isfinite([held.look("range", axis) for axis in "xy"])), choice
            for label in held.blueprint.labels:
                for column, part in held.columns(label).items():
                    assert column == "text" or np.all(np.isfinite(np.asarray(part, float))), (choice, label, column)


@pytest.mark.parametrize("activation", ["identity", "cos", "he3", "sign"])
@pytest.mark.parametrize("matrix", ["gram", "kernel"])
def test_every_kind_of_nonlinearity_is_drawn(matrix, activation):
    one = Visitor(f"top=256&draws=1&matrix={matrix}&activation={activation}", lab=LAB)
    one.answer()
    told = one.told[-1]
    assert told["type"] == "state"
    assert told["busy"] is False
    assert told["readouts"][1]["value"].startswith("gap")
    assert told["readouts"][1]["good"] is not False
