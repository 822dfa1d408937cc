"""The Linearisation lab: what is painted is what the library computes, and what the drawn vectors say."""

import math
from functools import cache

import numpy as np
import pytest
from visitor import Visitor

from app.labs.linearisation import LinearisationLab
from app.labs.linearisation_scenes import NOISE_AT
from app.labs.linearisation_settings import DEGREES, DIMS, SCHEMA
from app.labs.linearisation_theory import even_moments, measure, rate, taylor_energies
from app.labs.linearisation_words import agreement, scores, short
from app.parts.arguments import PAIRS, Arguments, draw_arguments
from rmtcore import (
    ACTIVATIONS,
    hermite,
    hermite_equivalent,
    inner_product_density,
    mean_square_error,
    measure_error,
    projections,
    taylor,
    taylor_equivalent,
)

LAB = LinearisationLab()
VIEW = {"zoom": True, "family": False, "other": False, "actual": False, "equivalent": False}
NAMES = list(ACTIVATIONS)
SPHERE = "vectors=sphere&"


@cache
def walker(vectors):
    """One visitor who has seen both rounds; the arguments stay as they are, whatever else is asked of them."""
    one = Visitor(f"draws=2&{vectors}", lab=LAB)
    one.answer()
    one.answer()
    return one


def walk(query=""):
    vectors = SPHERE if SPHERE in query else ""
    one = walker(vectors)
    assert one.say(type="query", search=f"draws=2&{vectors}{query}")["type"] == "state"
    assert not one.session._stale
    return one


def columns(one, label, figure="main"):
    found = one.session.figures[figure].columns(label)
    return {name: np.asarray(column) for name, column in found.items()}


def readouts(one):
    return {readout["label"]: readout for readout in one.session.state()["readouts"]}


def words(one):
    return " ".join(one.session.state()["explain"])


def theory(query=""):
    values = SCHEMA.resolved(SCHEMA.from_query(query)[0])
    return LAB.equivalent(values)


# ---- errors ----
@pytest.mark.parametrize("vectors", ["gaussian", "sphere"])
def test_error_lines_where_it_concentrates(vectors):
    seen = walk(f"vectors={vectors}&at=0.4&degree=2&bend=-0.5&activation=gelu")
    for label, equivalent in [
        ("main", taylor_equivalent("gelu", 0.4, 2)),
        ("member", taylor_equivalent("gelu", 0.4, 2, -0.5)),
        ("other", hermite_equivalent("gelu")),
    ]:
        line = columns(seen, label, "error")
        np.testing.assert_allclose(10.0 ** line["x"], DIMS)
        expected = mean_square_error("gelu", equivalent, DIMS, "lln", 0.4, vectors)
        np.testing.assert_allclose(10.0 ** line["y"], expected, rtol=1e-9)


@pytest.mark.parametrize("vectors", ["gaussian", "sphere"])
def test_error_lines_where_it_stays_gaussian(vectors):
    seen = walk(f"vectors={vectors}&regime=clt&carrier=3")
    truth = np.array(projections("tanh", DIMS, vectors))
    for label, equivalent in [
        ("main", hermite_equivalent("tanh")),
        ("member", hermite_equivalent("tanh", 3)),
        ("other", taylor_equivalent("tanh")),
    ]:
        gap = np.abs(truth - np.array(projections(equivalent, DIMS, vectors))).max(axis=0)
        np.testing.assert_allclose(10.0 ** columns(seen, label, "error")["y"], gap, rtol=1e-7)
        if label != "other":
            line = columns(seen, f"pointwise {label}", "error")
            expected = mean_square_error("tanh", equivalent, DIMS, "clt", 0.0, vectors)
            np.testing.assert_allclose(10.0 ** line["y"], expected, rtol=1e-9)


@pytest.mark.parametrize("query", ["activation=swish&at=0.5&bend=0.5", "regime=clt&activation=relu"])
def test_the_dots_are_means_over_the_drawn_pairs(query):
    seen = walk(query)
    drawn, solved = seen.session._observed, theory(query)
    assert drawn.values.shape == (len(DIMS), 2 * PAIRS)
    for who, member in solved.members.items():
        dots = columns(seen, f"actual {who}", "error")
        for row, n in enumerate(DIMS):
            xi = drawn.values[row].astype(float)
            t = xi if solved.regime == "clt" else 0.5 + xi / math.sqrt(n)
            phi = ACTIVATIONS[seen.values["activation"]].function(t)
            other = member.equivalent.function(t) + math.sqrt(member.equivalent.noise) * drawn.noise[row]
            samples = (phi - other) ** 2
            if solved.regime == "clt":
                gaps = np.stack([phi - other, t * (phi - other), phi**2 - other**2])
                which = np.argmax(np.abs(member.gaps[:, row]))
                samples = np.sign(member.gaps[which, row]) * gaps[which]
            if samples.mean() > 1e-9:
                assert 10.0 ** dots["y"][row] == pytest.approx(samples.mean(), rel=1e-6), (who, n)


@pytest.mark.parametrize("query", ["", "at=0.7&degree=0&bend=-1&activation=cos", SPHERE + "at=-0.5&activation=gelu"])
def test_dots_and_the_experiment_of_the_library_agree(query):
    solved, drawn = theory(query), walk(query).session._observed
    for who, member in solved.members.items():
        mean, error = measure(solved, drawn)[who].error
        other = measure_error(solved.activation, member.equivalent, DIMS[:8], "lln", 9, 4000, solved.at, solved.vectors)
        spread = np.hypot(error[:8], other.standard_error)
        assert np.all(np.abs(mean[:8] - other.mean) < 5 * spread + 1e-6 * mean[:8]), who


@pytest.mark.parametrize(
    "query", ["", "regime=clt", SPHERE, SPHERE + "regime=clt", "activation=relu&regime=clt&carrier=4"]
)
def test_theory_and_experiment_agree(query):
    seen = walk(query)
    solved, drawn = theory(query), seen.session._observed
    z = scores(solved, measure(solved, drawn))
    assert z.size > 30
    assert np.median(np.abs(z)) < 1.3
    shown = readouts(seen)["Agreement of the dots"]
    assert shown["good"] is True
    assert shown["value"] == f"median |z| = {np.median(np.abs(z)):.2f}"


@pytest.mark.parametrize("query", ["", "regime=clt"])
def test_agreement_can_fail(query):
    # vectors that are longer than they should be
    solved, drawn = theory(query), walk(query).session._observed
    wrong = Arguments(drawn.dims, np.float32(1.3) * drawn.values, drawn.noise)
    assert agreement(solved, measure(solved, wrong)).good is False


# ---- rates ----
@pytest.mark.parametrize(
    ("name", "at", "degree", "bend", "expected"),
    [
        ("tanh", 0.0, 1, 0.0, 3), ("tanh", 0.0, 2, 0.0, 3), ("tanh", 0.0, 1, 0.25, 2), ("tanh", 0.5, 1, 0.0, 2),
        ("cos", 0.0, 0, 0.0, 2), ("cos", 0.0, 1, -0.5, 4), ("identity", 0.3, 0, 1.0, math.inf),
        ("relu", 0.5, 1, 0.0, math.inf), ("relu", 0.5, 1, 0.5, 2), ("he3", 0.0, 2, 1.0, math.inf),
    ],
)  # fmt: skip
def test_the_rate_is_that_of_the_first_order_that_differs(name, at, degree, bend, expected):
    assert rate(ACTIVATIONS[name], at, degree, bend) == expected
    n = [1000, 2000]
    errors = mean_square_error(name, taylor_equivalent(name, at, degree, bend), n, "lln", at)
    if math.isfinite(expected):
        assert math.log2(errors[0] / errors[1]) == pytest.approx(expected, abs=0.02)
    else:
        assert errors[1] <= max(errors[0] / 2**20, 1e-28)


@pytest.mark.parametrize("name", NAMES)
def test_fitted_rates_meet_the_expected(name):
    for query in ("at=0.35", "at=0.35&degree=0", "regime=clt", f"{SPHERE}regime=clt&carrier=3"):
        for who, member in theory(f"activation={name}&{query}").members.items():
            if who != "other" and member.fit is not None and math.isfinite(member.rate):
                # what lies beyond a break adds a part that dies out exponentially: there the fit says that it bends
                room = 0.1 + (2 * member.fit.error if ACTIVATIONS[name].breaks else 0.0)
                assert member.fit.slope == pytest.approx(-member.rate, abs=room), (query, who)


def test_the_rates_are_shown():
    shown = readouts(walk())
    assert shown["Rate, Taylor polynomial"]["value"] == "−3.00"
    assert "expected −3" in shown["Rate, Taylor polynomial"]["detail"]
    dots = shown["Rate, Taylor polynomial"]["detail"].split("dots ")[1].replace("−", "-").split(" ± ")
    assert abs(float(dots[0]) + 3.0) < 4 * float(dots[1])
    assert "expected −2" in shown["Rate, with bend +0.25"]["detail"]
    assert readouts(walk("regime=clt"))["Rate, line and noise"]["value"] == "−1.00"


# ---- the function and its argument ----
@pytest.mark.parametrize("query", ["at=0.5&n=64", "at=-1&zoom=1&n=1024", "regime=clt&n=2", SPHERE + "regime=clt&n=4"])
def test_the_function_over_its_argument(query):
    seen, solved = walk(query), theory(query)
    phi = columns(seen, "phi")
    np.testing.assert_allclose(phi["y"], np.tanh(phi["x"]))
    n, low = seen.values["n"], seen.session.figures["main"].look("range", "y")[0]
    density, drawn = columns(seen, "density"), columns(seen, "drawn")
    regime, vectors = seen.values["regime"], seen.values["vectors"]
    expected = inner_product_density(density["x"] - solved.at, n, regime, vectors)
    shape = density["y"] - low
    inside = (expected > 0) & (expected < 50) & (shape < 5)
    ratio = shape[inside] / expected[inside]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)
    # the outline goes there and back, and its area is the mass inside of it, on the same scale
    size = drawn["x"].size // 2
    outline, floor = drawn["y"][:size] - low, drawn["y"][size:] - low
    np.testing.assert_allclose(floor, 0.0, atol=1e-9)
    area = np.sum(np.diff(drawn["x"][:size]) * outline[1:]) / ratio[0]
    assert 0.99 < area < 1 + 1e-6


def test_the_histogram_counts_the_drawn_arguments():
    seen = walk("n=16")
    seen.say(type="table", open=True)
    table = seen.session.lab.table(SCHEMA.resolved(seen.values), seen.session._theory, seen.session._observed)[-1]
    t = seen.session._observed.values[DIMS.index(16)] / 4.0
    counts, _ = np.histogram(t, np.append(table.columns["from"], table.columns["to"][-1]))
    np.testing.assert_allclose(table.columns["density"] * np.diff(table.columns["from"])[0] * t.size, counts, atol=1e-3)
    assert str(t.size) in table.caption


@pytest.mark.parametrize("regime", ["lln", "clt"])
def test_the_equivalents_are_drawn(regime):
    seen = walk(f"regime={regime}&bend=0.5&carrier=4&at=0.3")
    pairs = {
        "lln": [taylor_equivalent("tanh", 0.3), taylor_equivalent("tanh", 0.3, 1, 0.5), hermite_equivalent("tanh")],
        "clt": [hermite_equivalent("tanh"), hermite_equivalent("tanh", 4), taylor_equivalent("tanh")],
    }[regime]
    low, high = seen.session.figures["main"].look("range", "y")
    for label, equivalent in zip(("main", "member", "other"), pairs, strict=True):
        line = columns(seen, label)
        near = (line["y"] > low) & (line["y"] < high)
        assert near.sum() > 20
        np.testing.assert_allclose(line["y"][near], equivalent.function(line["x"][near]))
    assert columns(seen, "noise")["x"].size == (802 if regime == "clt" else 0)


def test_two_points_of_the_sphere_have_no_density():
    seen = walk(SPHERE + "regime=clt&n=1")
    assert not columns(seen, "density")["x"].size
    drawn = columns(seen, "drawn")
    high = drawn["y"][: drawn["y"].size // 2] > seen.session.figures["main"].look("range", "y")[0] + 1e-9
    np.testing.assert_allclose(np.unique(drawn["x"][: high.size][high].round(6)), [-1.1, -0.9, 0.9, 1.1])
    assert "density" not in str(seen.session.state()["keys"])


# ---- energies ----
@pytest.mark.parametrize("name", ["tanh", "relu", "sign", "cos", "he3"])
def test_energies_by_degree(name):
    seen = walk(f"regime=clt&activation={name}&carrier=3")
    expansion = hermite(name, DEGREES)
    bars = {label: columns(seen, label, "energy") for label in ("kept", "rest", "main", "member")}
    found = np.zeros(DEGREES + 2)
    for label in ("kept", "rest"):
        degrees = np.round(0.5 * (bars[label]["left"] + bars[label]["right"])).astype(int)
        assert np.all((degrees <= 1) == (label == "kept"))
        found[degrees] = bars[label]["top"]
    np.testing.assert_allclose(found, expansion.energies, atol=1e-12)
    # the equivalents have the same energy in all, and the same below degree 2
    for label in ("main", "member"):
        assert bars[label]["top"].sum() == pytest.approx(expansion.energies.sum())
    residual = hermite(name, 1).residual
    noise = np.abs(bars["main"]["left"] - NOISE_AT) < 0.5
    assert bars["main"]["top"][noise] == pytest.approx([residual])
    carrier = np.abs(bars["member"]["left"] - 3.0) < 0.5
    assert bars["member"]["top"][carrier] == pytest.approx([residual])


@pytest.mark.parametrize("vectors", ["gaussian", "sphere"])
@pytest.mark.parametrize("n", [4, 64])
def test_mean_squares_by_order(vectors, n):
    query = f"vectors={vectors}&at=0.6&n={n}"
    seen, solved = walk(query), theory(query)
    series = taylor("tanh", 0.6, DEGREES)
    s = seen.session._observed.values[DIMS.index(n)].astype(float) / math.sqrt(n)
    top = columns(seen, "kept", "energy")["top"]
    for k in range(4):
        samples = (series[k] * s**k) ** 2
        predicted = taylor_energies(solved, n)["phi"][k]
        if k < 2:
            assert 10.0 ** top[k] == pytest.approx(predicted)
        assert abs(samples.mean() - predicted) < 5 * samples.std() / math.sqrt(s.size) + 1e-12
    bent = taylor_energies(solved, n)["member"]
    assert bent[2] == pytest.approx(0.25**2 * even_moments(n, vectors)[2] * (1 + series[2] * 0))
    assert not bent[3:].any()


def test_even_moments():
    # x'y: E^2 = n, E^4 = 3 n (n + 2), E^6 = 15 n (n + 2) (n + 4)
    for n in (1, 5, 4096):
        expected = np.array([1, 1 / n, 3 * (n + 2) / n**3, 15 * (n + 2) * (n + 4) / n**5])
        np.testing.assert_allclose(even_moments(n, "gaussian")[:4], expected)
        expected = [1, 1 / n, 3 / (n * (n + 2)), 15 / (n * (n + 2) * (n + 4))]
        np.testing.assert_allclose(even_moments(n, "sphere")[:4], expected)


# ---- limits and edges ----
@pytest.mark.parametrize("query", ["activation=relu", "activation=ternary&at=0.6", "activation=sign&degree=3"])
def test_no_taylor_polynomial_at_a_break(query):
    seen = walk(query)
    for label in ("main", "member"):
        assert not columns(seen, label)["x"].size
        assert not columns(seen, label, "error")["x"].size
    assert columns(seen, "other", "error")["x"].size == len(DIMS)
    lamp = {one["label"]: one for one in seen.session.state()["lamps"]}["smooth where the argument concentrates"]
    assert lamp["on"] is True
    assert "not smooth" in words(seen)
    told = seen.set(at=1.3)  # a little aside, and it is there
    assert columns(seen, "main")["x"].size
    assert not any(one["on"] for one in told["lamps"] if "smooth" in one["label"])


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ("activation=identity&bend=0", "Taylor polynomial"),
        ("activation=identity&regime=clt", "line and noise"),
        ("activation=he3&regime=clt&carrier=3", "line and degree 3"),
        ("activation=he2&bend=1", "with bend +1"),
    ],
)
def test_an_equivalent_that_is_the_function_itself(query, label):
    seen = walk(query)
    assert readouts(seen)[f"Rate, {label}"]["value"] == "exact"
    who = "main" if label in ("Taylor polynomial", "line and noise") else "member"
    assert not columns(seen, who, "error")["x"].size
    assert not columns(seen, f"actual {who}", "error")["x"].size
    low, high = seen.session.figures["error"].look("range", "y")
    assert low < high


def test_away_from_a_break_the_error_falls_faster_than_any_power():
    seen = walk("activation=relu&at=0.5&n=256")
    shown = readouts(seen)
    assert shown["Rate, Taylor polynomial"]["value"] == "beyond powers"
    assert shown["Error, Taylor polynomial"]["good"] is None  # no drawn pair comes so far
    assert "exponentially" in words(seen)


def test_a_rate_that_is_not_yet_one_is_not_judged():
    shown = readouts(walk("activation=sign&at=0.2"))["Rate, with bend +0.25"]
    assert shown["good"] is None
    assert "still bending" in shown["detail"]


def test_a_bend_of_zero_is_not_drawn_twice():
    seen = walk("bend=0")
    assert not columns(seen, "member")["x"].size
    assert [key["label"] for key in seen.session.state()["keys"]][:2] == ["φ", "Taylor polynomial"]


# ---- words ----
@pytest.mark.parametrize("name", ["tanh", "relu", "cos", "gelu"])
def test_the_words_hold_the_numbers(name):
    seen = walk(f"regime=clt&activation={name}")
    expansion, said = hermite(name, 1), words(seen)
    for number in (*expansion.coefficients, expansion.energies.sum(), expansion.residual):
        assert f"{number:.3g}".replace("-", "−") in said
    limit = mean_square_error(name, hermite_equivalent(name), [4096], "clt")[0]
    assert f"stays at {short(limit)}" in said
    near = walk(f"activation={name}&at=0.4&n=32")
    error = mean_square_error(name, taylor_equivalent(name, 0.4), [32], "lln", 0.4)[0]
    assert short(error) in readouts(near)["Error, Taylor polynomial"]["value"]
    assert f"width {1 / math.sqrt(32):.3g}" in words(near)
    assert name == "relu" or short(error) in words(near)


def test_few_digits():
    assert [short(x) for x in (0.0, -0.5, 0.00123, 1.234e-9, -2.5e7)] == [
        "0", "−0.5", "0.00123", "1.23·10⁻⁹", "−2.50·10⁷",
    ]  # fmt: skip


# ---- experiment and settings ----
def test_only_the_vectors_decide_on_the_draw():
    values = SCHEMA.resolved(SCHEMA.defaults())
    key = LAB.experiment(values).key
    same = VIEW | {"regime": "clt", "activation": "relu", "n": 1024, "at": 1.0, "degree": 4, "bend": 0.9, "carrier": 5}
    for name, value in same.items():
        assert LAB.experiment(values | {name: value}).key == key, name
    for name, value in {"vectors": "sphere", "seed": 2, "draws": 3, "n": 37}.items():
        assert LAB.experiment(values | {name: value}).key != key, name


def test_arguments_of_a_dimension_do_not_hang_on_the_others():
    some, more = draw_arguments((2, 8), "gaussian", 1, 0), draw_arguments((2, 5, 8), "gaussian", 1, 0)
    np.testing.assert_array_equal(some.values, more.values[::2])
    np.testing.assert_array_equal(some.noise, more.noise[::2])
    again = draw_arguments((2, 8), "gaussian", 1, 1)
    assert np.all(again.values != some.values)
    both = some.join(again)
    assert both.values.shape == both.noise.shape == (2, 2 * PAIRS)
    assert abs(np.corrcoef(both.values.ravel(), both.noise.ravel())[0, 1]) < 0.05
    assert both.noise.std() == pytest.approx(1.0, abs=0.05)


def test_a_dimension_between_powers_of_two_is_drawn_too():
    one = Visitor("draws=1&n=37", lab=LAB)
    one.answer()
    assert 37 in one.session._observed.dims
    assert columns(one, "drawn")["x"].size
    line = columns(one, "main", "error")
    np.testing.assert_allclose(10.0 ** line["x"], sorted({*DIMS, 37}))
    assert not one.session._busy


@pytest.mark.parametrize(("x", "n"), [(0.0, 1), (1.5, 32), (9.0, 4096), (-2.0, 1), (2.2, 128)])
def test_a_click_in_the_errors_is_a_dimension(x, n):
    one = walk()
    one.say(type="pick", figure="error", x=x, y=-2.0)
    assert one.values["n"] == n
    assert not one.session._stale


def test_a_click_in_the_function_is_the_point():
    one = walk()
    one.say(type="pick", figure="main", x=0.74, y=0.0)
    assert one.values["at"] == 0.75
    for query in ("zoom=1", "regime=clt"):
        one = walk(query)
        one.say(type="pick", figure="main", x=0.74, y=0.0)
        assert one.values["at"] == 0.0


def choices():
    for setting in SCHEMA.settings:
        if setting.kind == "choice":
            yield from (f"{setting.name}={value}" for value, _ in setting.choices)
        elif setting.kind == "flag":
            yield from (f"{setting.name}=0", f"{setting.name}=1")
        elif setting.name not in ("draws", "seed"):
            yield from (f"{setting.name}={setting.low:g}", f"{setting.name}={setting.high:g}")


@pytest.mark.parametrize(
    "view", ["regime=lln", "regime=clt", "at=0.6&n=1&zoom=1", "activation=ternary&degree=6&n=4096"]
)
def test_every_choice_paints_finite_numbers(view):
    one = walk(view)
    one.say(type="table", open=True)
    for choice in choices():
        if choice == "vectors=sphere":
            continue  # another draw; below
        told = one.say(type="query", search=f"draws=2&{view}&{choice}")
        assert told["type"] == "state", choice
        assert told["notices"] == [], choice
        assert len(told["tables"]) >= 4, choice
        assert 3 <= len(told["explain"]) <= 5 or "other=0" in choice or "identity" in choice, choice
        for figure in one.session.figures.values():
            assert np.all(np.isfinite([figure.look("range", axis) for axis in "xy"])), choice
            for label in figure.blueprint.labels:
                for name, column in figure.columns(label).items():
                    assert name == "text" or np.all(np.isfinite(column)), (choice, label)
    one.say(type="table", open=False)


@pytest.mark.parametrize("name", NAMES)
def test_every_function_in_every_place(name):
    for query in ("", "at=-3&degree=6", "at=0.5&bend=1&n=1", "regime=clt", "regime=clt&carrier=7&n=1"):
        for vectors in ("", SPHERE):
            seen = walk(f"{vectors}{query}&activation={name}")
            text = str(seen.session.state())
            assert "nan" not in text.replace("ternary", "")
            assert columns(seen, "phi")["x"].size
