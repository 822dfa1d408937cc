"""The Deep networks lab: what is drawn is what the library says, in all five views, and the networks agree."""

import numpy as np
import pytest
from visitor import Visitor

from app.labs.deep import DeepLab
from app.labs.deep_propagation_theory import BIAS, WEIGHT, plane_of
from app.labs.deep_settings import SCHEMA, sizes
from app.labs.deep_view import scaled
from app.parts.deep_trials import climb, join, kernel_pair, layered, pressed, trained
from rmtcore import (
    ACTIVATIONS,
    InfiniteNetwork,
    Layer,
    Mixture,
    Network,
    Population,
    ck_equivalent,
    coefficients,
    compress,
    conjugate_kernel,
    correlation_map,
    critical_weight_variance,
    draw,
    draw_tangent,
    fixed_correlation,
    fixed_point,
    kernel_training_error,
    kolmogorov_smirnov,
    ntk_equivalent,
    operator_norm,
    ridge_errors,
    spectrum,
    tangent_spectrum,
    training_error,
    variance_map,
    z_score,
)

VIEWS = {
    "kernel": "view=kernel&size=80",
    "tangent": "view=kernel&which=ntk&size=80&picture=spectrum",
    "spectrum": "view=spectrum&size=120&draws=3",
    "tangent spectrum": "view=spectrum&which=ntk&size=120&draws=3&depth=1",
    "propagation": "view=propagation&units=300&draws=4",
    "dynamics": "view=dynamics&dim=60&units=300&draws=3",
    "compression": "view=compression&dim=60&draws=3",
}
JUMPS = ("sign", "step", "ternary")


def at_rest(query):
    one = Visitor(query, lab=DeepLab())
    while one.session._busy:
        one.answer()
    return one


@pytest.fixture(scope="module", params=VIEWS.values(), ids=VIEWS.keys())
def seen(request):
    return at_rest(request.param)


def columns(one, figure, label):
    return {name: np.asarray(part) for name, part in one.session.figures[figure].columns(label).items()}


def readouts(one):
    return {part["label"]: part for part in one.session.state()["readouts"]}


def test_every_view_says_how_well_theory_and_experiment_agree(seen):
    state = seen.told[-1]
    assert state["type"] == "state"
    assert state["notices"] == []
    judged = [part for part in state["readouts"] if part["good"] is not None]
    assert judged
    assert [part["label"] for part in judged if not part["good"]] == []
    said = " ".join([*state["explain"], *(part["value"] + part["detail"] for part in state["readouts"])])
    assert "nan" not in said
    assert "…" not in said
    assert 2 <= len(state["figures"]) <= 3
    assert 2 <= len(state["explain"]) <= 6


def test_all_that_is_drawn_is_finite_and_in_the_tables(seen):
    for name in seen.told[-1]["figures"]:
        figure = seen.session.figures[name]
        drawn = 0
        for label in figure.blueprint.labels:
            for key, column in figure.columns(label).items():
                if key not in ("text", "image"):
                    assert np.all(np.isfinite(np.asarray(column, float))), (name, label)
                    drawn += len(column)
        assert drawn > 0, name
    tables = seen.say(type="table", open=True)["tables"]
    assert tables
    assert all(len(column) > 0 for table in tables for column in table["columns"].values())


@pytest.mark.parametrize(("which", "names"), [("ck", ("a1", "a2", "a3", "a4")), ("ntk", ("b1", "b2", "b3"))])
def test_the_coefficients_are_those_of_the_library(which, names):
    one = at_rest(f"view=kernel&which={which}&size=60&activation=swish&depth=3")
    rows = coefficients(InfiniteNetwork(["swish"] * 8, 1.0, normalise=True))
    for label, name in zip(("first", "second", "third", "fourth"), names, strict=False):
        line = columns(one, "weights", label)
        expected = np.array([getattr(row, name) for row in rows])[line["x"].astype(int)]
        shown = line["y"] > -3.0  # what is zero lies below the frame
        assert np.count_nonzero(shown) >= 7, name
        np.testing.assert_allclose(10.0 ** line["y"][shown], expected[shown], rtol=1e-6)


def test_spectra_down_the_depth_are_those_of_the_chain():
    one = at_rest("view=spectrum&size=120&draws=1&depth=2&width=1&activation=tanh&mean_norm2=0.1&samples=1")
    curve = columns(one, "spectrum", "equivalent")
    population = Population.mixture(0.1, 120)
    law = spectrum(Network(population, [Layer(120, "tanh", normalise=True)] * 2, samples=120))
    assert readouts(one)["Bulk"]["value"].endswith(f"{law.bulks[-1, 1]:.3g}]")
    assert 10 ** curve["x"].max() == pytest.approx(law.bulks[-1, 1], rel=1e-6)


def test_signals_follow_the_maps_of_the_library():
    one = at_rest(
        "view=propagation&units=100&draws=1&nonlinearity=tanh&weight=2.5&bias=0.05&start=0.4&alike=0.9&steps=6"
    )
    theory = one.session._theory.found
    q = 0.4
    for found in theory.variances:
        assert found == pytest.approx(q, rel=1e-9)
        q = float(variance_map("tanh", q, 2.5, 0.05))
    at = fixed_point("tanh", 2.5, 0.05, 0.4).variance
    c = 0.9
    for found in theory.correlations:
        assert found == pytest.approx(c, abs=1e-8)
        c = float(correlation_map("tanh", np.array([c]), at, 2.5, 0.05)[0])


def test_a_click_in_the_plane_moves_the_variances_of_weights_and_biases():
    one = at_rest("view=propagation&units=100&draws=1")
    one.say(type="pick", figure="plane", x=0.3, y=2.0)
    assert one.values["bias"] == pytest.approx(0.3, abs=0.02)
    assert one.values["weight"] == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("name", JUMPS)
@pytest.mark.parametrize("view", ["kernel&which=ntk", "spectrum&which=ntk", "dynamics"])
def test_without_a_derivative_there_is_no_tangent_kernel_and_a_lamp_says_so(view, name):
    one = Visitor(f"view={view}&activation={name}&size=60&dim=40&units=50&draws=1", lab=DeepLab())
    state = one.session.state()
    assert any(lamp["on"] for lamp in state["lamps"])
    assert "error" not in {message["type"] for message in one.told}


@pytest.mark.parametrize("name", ["swish", "relu", "gelu"])
def test_one_layer_weighs_shapes_twice_as_much_as_norms(name):
    one = at_rest(f"view=kernel&size=60&activation={name}&depth=1")
    assert readouts(one)["a₂/a₁ at depth 1"]["detail"] == "a₃/a₂ = 2"


# ---- the experiments, against the library piece by piece ----
def test_a_pair_of_kernels_is_the_library_s_on_one_draw():
    mixture, network = Mixture.labelled(4.0, 60, 40), InfiniteNetwork(["swish"] * 2, 1.0, normalise=True)
    pair, data = kernel_pair(network, mixture, False, 3), mixture.draw(3)
    actual, linear = conjugate_kernel(network, data), ck_equivalent(network, mixture, data)
    np.testing.assert_allclose(pair.eigenvalues, [np.linalg.eigvalsh(one) for one in (actual, linear)], atol=1e-10)
    assert pair.error[0] == pytest.approx(operator_norm(actual - linear) / operator_norm(actual), rel=1e-6)
    # blocks of two samples: on the diagonal the one pair that is not a sample with itself
    assert pair.images.shape == (2, 20, 20)
    assert pair.images[0, 3, 3] == pytest.approx(actual[6, 7])
    assert pair.images[1, 3, 8] == pytest.approx(linear[6:8, 16:18].mean())


def test_the_picture_has_the_actual_kernel_below_its_diagonal_and_the_equivalent_above():
    one = at_rest("view=kernel&size=80")
    pair = one.session._observed
    shown = one.session.figures["kernel"].columns("kernel")["image"][0]
    low, up = np.tril_indices(shown.shape[0], -1), np.triu_indices(shown.shape[0], 1)
    # rows run upwards: what lies below the drawn diagonal has the larger column
    np.testing.assert_array_equal(shown[up], pair.images[0][up])
    np.testing.assert_array_equal(shown[low], pair.images[1][low])


def test_every_layer_of_one_network():
    layers = [Layer(50, "tanh", normalise=True), Layer(70, "tanh", normalise=True)]
    network = Network(Population.mixture(4.0, 60), layers, samples=40)
    found = layered(network, False, 5, 2)
    below = draw(Network(network.population, layers[:1], samples=40), (5, 2)).all_eigenvalues("gram") * 40 / 50
    np.testing.assert_allclose(found.levels[0], [below, draw(network, (5, 2)).all_eigenvalues("gram") * 40 / 70])
    np.testing.assert_allclose(found.linear[0], draw(network, (5, 2), "linear").all_eigenvalues("gram") * 40 / 70)
    assert found.tangent.size == 0
    both = join(found, layered(network, False, 5, 3))
    assert both.levels.shape == (2, 2, 40)
    tangent = layered(network, True, 5, 2)
    np.testing.assert_allclose(tangent.tangent[0], draw_tangent(network, (5, 2)))
    np.testing.assert_allclose(tangent.linear[0], draw_tangent(network, (5, 2), "linear"))


@pytest.mark.parametrize(("name", "weight", "bias"), [("tanh", 2.0, 0.1), ("relu", 1.5, 0.2), ("sign", 1.0, 0.3)])
def test_wide_layers_follow_the_maps(name, weight, bias):
    """One layer from exact sizes and angles: 4.5 standard errors plus 3/d; the next ones: closer at twice the width."""
    at, c, q = fixed_point(name, weight, bias, 0.5).variance, 0.8, 0.5
    expected = float(variance_map(name, q, weight, bias)), float(correlation_map(name, c, at, weight, bias))
    for units, count in ((100, 60), (400, 30)):
        runs = [climb(ACTIVATIONS[name], units, 1, weight, bias, q, at, c, 4, index) for index in range(count)]
        for part, value in zip(zip(*runs, strict=True), expected, strict=True):
            score = z_score(np.array(part).ravel(), value)
            assert abs(score.mean - value) < 4.5 * score.standard_error + 3.0 / units


def test_signals_that_explode_stay_finite():
    found = climb(ACTIVATIONS["he3"], 50, 30, 6.0, 0.0, 6.0, 6.0, 0.5, 1, 0)
    assert np.all(np.isfinite(found.variances))
    assert np.all(np.isfinite(found.correlations))
    assert found.variances.max() > 1e12


def test_trained_networks_start_where_the_kernels_say_and_follow_them():
    """Six wide networks against the kernels of their data: 4.5 standard errors plus 10 % for width and step size."""
    network, counts = InfiniteNetwork(["tanh"], 1.0, normalise=True), (1, 20, 60)
    runs = [trained(network, 4.0, 30, 16, 800, 0.01, counts, 2, index) for index in range(6)]
    mixture = Mixture.labelled(4.0, 30, 16)
    for index, one in enumerate(runs):
        data, y = mixture.draw((2, index)), 1.0 - 2.0 * mixture.labels
        kernels = ck_equivalent(network, mixture, data), ntk_equivalent(network, mixture, data)
        expected = kernel_training_error(*kernels, y, 0.01 * np.array(counts))
        np.testing.assert_allclose(one.linear[0], expected, rtol=1e-12)
    for column in range(3):
        score = z_score(
            [one.actual[0, column] for one in runs], float(np.mean([one.linear[0, column] for one in runs]))
        )
        assert abs(score.mean - score.predicted) < 4.5 * score.standard_error + 0.1 * score.predicted


def test_compressed_networks_err_like_the_originals():
    """The measured errors against `ridge_errors` of either network, eight draws: 4.5 standard errors plus 6 %."""
    network = InfiniteNetwork(["relu"], 1.0)
    small = compress(network)
    ridges, n, p, width = (0.2 + small.offset, 0.2), 60, 100, 240
    runs = [pressed(network, small.network, 6.0, p, n, (width,), ridges, 0.8, 7, index) for index in range(8)]
    for part, activations, ridge in (
        ("dense", ["relu"], ridges[0]), ("light", small.network.activations, ridges[1]),
    ):  # fmt: skip
        layers = [Layer(width, one) for one in activations]
        expected = ridge_errors(Network(Population.mixture(6.0, p), layers, samples=n, ridge=ridge * width / n)).test
        score = z_score([float(getattr(one, part)[0, 0]) for one in runs], expected)
        assert abs(score.mean - expected) < 4.5 * score.standard_error + 0.06 * expected
    # one bit a place, one a sign: a tenth of the entries and of 32 bits
    share = np.mean([one.bits[0, 0] for one in runs]) / (32 * width * p)
    assert share == pytest.approx((0.2 + 1.0) / 32, rel=0.15)
    gaps = [np.abs(one.light_spectrum - small.offset - one.dense_spectrum).max() for one in runs]
    assert np.mean(gaps) < 0.05 * np.mean([one.dense_spectrum[0, -1] for one in runs])


# ---- what the theory of the views says ----
def test_a_scaled_law_is_that_of_the_scaled_matrix():
    network = Network(Population.mixture(9.0, 80), [Layer(90, "tanh")], samples=60)
    law = spectrum(network, matrix="gram")
    moved = scaled(law, 2.5, 0.7)
    values = draw(network, 1).all_eigenvalues("gram")
    assert kolmogorov_smirnov(2.5 * values + 0.7, moved) == pytest.approx(kolmogorov_smirnov(values, law), abs=1e-12)
    assert moved.integral(lambda x: x) == pytest.approx(2.5 * law.integral(lambda x: x) + 0.7, rel=1e-4)
    assert moved.outliers[0].position == pytest.approx(2.5 * law.outliers[0].position + 0.7)


@pytest.mark.parametrize("name", ["tanh", "erf", "sin"])
def test_the_edge_of_chaos_is_the_library_s(name):
    bias, weight = plane_of(name).edge
    places = np.linspace(0.05, 0.85, 4)
    assert bias.min() == pytest.approx(0.0, abs=1e-9)
    assert bias.max() > 0.85
    expected = [critical_weight_variance(name, float(one)) for one in places]
    np.testing.assert_allclose(np.interp(places, bias, weight), expected, rtol=2e-3)


@pytest.mark.parametrize("name", ["tanh", "relu", "swish", "sin"])
def test_the_plane_shows_how_far_signals_reach(name):
    reach = plane_of(name).reach
    bias, weight = np.linspace(*BIAS, reach.shape[1]), np.linspace(*WEIGHT, reach.shape[0])
    for row, column in ((5, 10), (13, 30), (20, 5), (38, 40)):
        point = fixed_point(name, float(weight[row]), float(bias[column]))
        expected = np.clip(np.log10(point.depth), 0.0, 2.0) if point.depth > 0 else 0.0
        assert reach[row, column] == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_the_correlation_map_is_the_library_s(name):
    one = Visitor(f"view=propagation&nonlinearity={name}&weight=1.4&bias=0.1&units=50&draws=1", lab=DeepLab())
    theory = one.session._theory.found
    c, curve = theory.correlation_curve
    np.testing.assert_allclose(curve, correlation_map(name, c, theory.at, 1.4, 0.1), atol=2e-7)


@pytest.mark.parametrize(("name", "weight"), [("tanh", 2.5), ("relu", 1.5), ("erf", 4.0), ("tanh", 1.0)])
def test_the_limit_of_the_correlation_is_the_library_s(name, weight):
    one = at_rest(f"view=propagation&nonlinearity={name}&weight={weight}&bias=0.05&units=50&draws=1&steps=2")
    theory = one.session._theory.found
    assert theory.alike == pytest.approx(fixed_correlation(name, weight, 0.05, 0.4), abs=1e-7)


def test_training_is_the_library_s_limit_in_two_parts():
    one = at_rest("view=dynamics&dim=60&samples=1&mean_norm2=3&layers=2&activation=tanh&units=60&draws=1")
    line, labels, noise = (columns(one, "training", label) for label in ("error", "labels", "noise"))
    network = InfiniteNetwork(["tanh"] * 2, 1.0, normalise=True)
    times = 10.0 ** line["x"]
    np.testing.assert_allclose(10.0 ** line["y"], training_error(network, 3.0, 1.0, times), rtol=1e-8)
    above = labels["y"] > line["y"].min() - 1.0
    np.testing.assert_allclose((10.0 ** labels["y"] + 10.0 ** noise["y"])[above], 10.0 ** line["y"][above], rtol=1e-8)
    # the labels' part begins at half of y'y/n, whatever the network: here, a first step later
    assert 0.35 < 10.0 ** labels["y"][0] < 0.5
    deep = columns(one, "compared", "depth 4")
    four = InfiniteNetwork(["tanh"] * 4, 1.0, normalise=True)
    shown = deep["y"] > deep["y"].max() - 3.0
    np.testing.assert_allclose(10.0 ** deep["y"][shown], training_error(four, 3.0, 1.0, times)[shown], rtol=1e-8)


def test_the_tangent_spectrum_is_the_library_s():
    one = at_rest("view=spectrum&which=ntk&size=100&samples=0.5&width=2&depth=2&activation=tanh&mean_norm2=2&draws=2")
    network = Network(Population.mixture(2.0, 100), [Layer(100, "tanh", normalise=True)] * 2, samples=50)
    law, curve = tangent_spectrum(network), columns(one, "spectrum", "equivalent")
    np.testing.assert_allclose(curve["x"], law.grid)
    np.testing.assert_allclose(curve["y"], law.density)


def test_the_memory_of_a_compressed_network():
    one = at_rest("view=compression&dim=60&samples=1&layers=2&sparsity=0.9&draws=1")
    theory = one.session._theory.found
    dense = 32.0 * (480 * 60 + 480 * 480)
    assert theory.bits[0, -1] == dense
    assert 10.0 ** columns(one, "errors", "dense")["x"][-1] == pytest.approx(dense)
    assert readouts(one)["Memory"]["value"] == f"{dense / theory.bits[1, -1]:.1f} times less"
    assert dense / theory.bits[1, -1] > 25


def test_even_functions_do_not_see_the_means():
    """The classes' difference along the first eigenvector: of the order of its noise, and less in more dimensions."""
    apart = []
    for size in (120, 480):
        found = []
        for seed in range(4):
            one = at_rest(f"view=kernel&activation=cos&size={size}&gap=0&mean_norm2=4&depth=1&seed={seed}")
            assert "invisible" in " ".join(one.session.state()["explain"])
            found.append(abs(np.subtract(*one.session._observed.means[0, 0])))
        apart.append(np.mean(found))
    assert readouts(one)["a₂/a₁ at depth 1"]["value"] == "∞"
    assert max(apart) < 0.3
    seen = at_rest("view=kernel&activation=tanh&size=120&gap=0&mean_norm2=4&depth=1").session._observed
    assert abs(np.subtract(*seen.means[0, 0])) > 1.0


# ---- settings ----
def test_looks_and_other_views_keep_the_draw():
    lab, values = DeepLab(), SCHEMA.defaults()
    for view, same in {
        "kernel": {"picture": "spectrum", "eigenvector": 3, "actual": False, "linear": False, "equivalent": False},
        "spectrum": {"picture": "spectrum", "units": 100, "gap": 1.0, "equivalent": False},
        "propagation": {"activation": "tanh", "size": 50, "actual": False},
        "dynamics": {"size": 50, "depth": 2, "linear": False},
        "compression": {"size": 50, "units": 100, "actual": False},
    }.items():
        here = values | {"view": view}
        assert lab.experiment(here | same).key == lab.experiment(here).key, view
        assert lab.experiment(here | {"seed": 5}).key != lab.experiment(here).key, view
    keys = {lab.experiment(values | {"view": view}).key for view in ("kernel", "spectrum", "dynamics", "compression")}
    assert len(keys) == 4


def test_matrices_stay_below_the_limit_and_a_notice_says_so():
    lab = DeepLab()
    lab.most_entries = 10_000
    for view in ("kernel", "spectrum", "dynamics", "compression"):
        one = Visitor(f"view={view}&samples=2&draws=1&size=400&dim=300&width=4&units=300", lab=lab)
        one.answer()
        assert any("would need" in text for message in one.told for text in message["notices"]), view
        observed = one.session._observed
        assert max(part.shape[-1] for part in observed) <= 100, view
    p, n, told = sizes(SCHEMA.defaults() | {"size": 400, "samples": 4.0}, "size", 40_000)
    assert (p, n) == (50, 200)
    assert len(told) == 1


def test_old_draws_of_another_view_or_size_are_not_shown():
    one = at_rest("view=kernel&size=60")
    one.set(size=80)
    assert not columns(one, "entries", "actual class 1")["x"].size
    one.set(view="spectrum", draws=1, size=60)
    assert not columns(one, "spectrum", "actual")["left"].size
    one.answer()
    assert columns(one, "spectrum", "actual")["left"].size


@pytest.mark.parametrize(
    ("query", "figure", "x", "y", "expected"),
    [
        ("view=kernel", "weights", 5.2, 0.0, {"depth": 5}),
        ("view=spectrum&depth=4", "levels", 0.0, 2.5, {"depth": 2}),
        ("view=propagation", "variances", 0.8, 0.0, {"start": 0.8}),
        ("view=propagation", "correlations", 0.5, 0.0, {"alike": 0.5}),
        ("view=dynamics", "training", 0.0, 0.0, {}),
    ],
)
def test_clicks_mean_something(query, figure, x, y, expected):
    one = Visitor(f"{query}&size=60&dim=40&units=50&draws=1", lab=DeepLab())
    before = one.values
    one.say(type="pick", figure=figure, x=x, y=y)
    changed = {name: value for name, value in one.values.items() if value != before[name]}
    assert changed == pytest.approx(expected)


@pytest.mark.parametrize("view", ["kernel", "kernel&which=ntk&picture=spectrum", "spectrum&which=ntk", "propagation",
                                  "dynamics", "compression"])  # fmt: skip
def test_every_choice_lives(view):
    small = f"view={view}&size=40&dim=40&units=50&draws=1&layers=1&depth=2"
    one = Visitor(small, lab=DeepLab())
    one.say(type="table", open=True)
    for name in ACTIVATIONS:
        told = one.say(type="query", search=f"{small}&activation={name}&nonlinearity={name}")
        assert told["type"] == "state", name
        for figure in told["figures"]:
            ends = [one.session.figures[figure].look("range", axis) for axis in "xy"]
            assert np.all(np.isfinite(ends)), (name, figure)
        if view not in ("dynamics",):  # where every draw trains a network
            one.answer()
            assert one.told[-1]["type"] == "state", name
    for setting in SCHEMA.settings:
        if setting.kind in ("number", "integer") and setting.name not in ("seed", "draws", "size", "dim", "units"):
            for value in (setting.low, setting.high):
                told = one.say(type="query", search=f"{small}&{setting.name}={value:g}")
                assert told["type"] == "state", (setting.name, value)
                assert told["tables"]
