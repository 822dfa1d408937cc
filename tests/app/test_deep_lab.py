"""The Deep networks lab: what is drawn is what the library says, in all five views, and the networks agree."""

import numpy as np
import pytest
from visitor import Visitor

from app.labs.deep import DeepLab
from rmtcore import (
    InfiniteNetwork,
    Layer,
    Network,
    Population,
    coefficients,
    correlation_map,
    fixed_point,
    spectrum,
    variance_map,
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
    # the tangent kernel of few neurons is far from its limit, and says so
    weak = {"W1 distance to the limit", "KS distance to the limit", "KS distance, actual", "Mean eigenvalue, z-score"}
    assert [part["label"] for part in judged if not part["good"] and part["label"] not in weak] == []
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
        assert found == pytest.approx(c, rel=1e-9)
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
