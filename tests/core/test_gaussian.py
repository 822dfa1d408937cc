"""Expectations of derivatives, Hermite coefficients and pairs: differences, exact answers, plain quadrature."""

import math

import numpy as np
import pytest
from naive import pair_quadrature

from rmtcore import ACTIVATIONS, Activation, derivative_energy, expectations, hermite, pair, ternary
from rmtcore.gaussian import pair_with_bound, second_moment
from rmtcore.pairs import bent_pair

NAMES = list(ACTIVATIONS)
JUMPS = ("sign", "step", "ternary")
VARIANCES = (0.3, 1.0, 4.0)


@pytest.mark.parametrize("q", VARIANCES)
@pytest.mark.parametrize("name", NAMES)
def test_curvature_and_growth_are_derivatives_in_the_variance(name, q):
    """d/dq E phi = E phi''/2 and d/dq E phi^2 = E[phi'^2 + phi phi'']: the heat equation."""
    step = 1e-4 * q
    upper, lower = (ACTIVATIONS[name].moments(q + side * step) for side in (1, -1))
    found = expectations(name, q)
    scale = math.sqrt(found.variance + found.mean**2)
    assert found.curvature == pytest.approx((upper.mean - lower.mean) / step, abs=1e-6 * scale / q)
    energy = [one.variance + one.mean**2 for one in (upper, lower)]
    assert found.growth == pytest.approx((energy[0] - energy[1]) / (2 * step), abs=1e-6 * scale**2 / q)
    assert found.centred_growth == pytest.approx(found.growth - found.mean * found.curvature)


@pytest.mark.parametrize("q", VARIANCES)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in JUMPS])
def test_derivative_energy_is_that_of_the_difference_quotient(name, q):
    activation, step = ACTIVATIONS[name], 1e-5
    xi, weights = np.polynomial.legendre.leggauss(40)
    panels = np.linspace(-12, 12, 97)  # 0 is an edge: no panel holds a kink
    xi = (panels[:-1, None] + 0.125 * (1 + xi)).ravel()
    weights = np.tile(0.125 * weights, 96) * np.exp(-0.5 * xi**2) / math.sqrt(math.tau)
    t = math.sqrt(q) * xi
    quotient = (activation.function(t + step) - activation.function(t - step)) / (2 * step)
    assert derivative_energy(name, q) == pytest.approx(weights @ quotient**2, rel=2e-5)
    slope = activation.derivative.moments(q)
    assert slope.mean == pytest.approx(activation.moments(q).mu1, abs=1e-9)


def test_exact_answers():
    for q in VARIANCES:
        relu = expectations("relu", q)
        assert relu.slope == 0.5
        assert relu.curvature == pytest.approx(1 / math.sqrt(math.tau * q), rel=1e-12)
        assert relu.growth == pytest.approx(0.5, rel=1e-12)
        assert derivative_energy("relu", q) == pytest.approx(0.5, rel=1e-14)
        assert derivative_energy("abs", q) == pytest.approx(1, rel=1e-14)
        assert derivative_energy("he2", q) == pytest.approx(4 * q, rel=1e-12)
        assert derivative_energy("sin", q) == pytest.approx(0.5 * (1 + math.exp(-2 * q)), rel=1e-12)
        assert derivative_energy("erf", q) == pytest.approx(4 / math.pi / math.sqrt(1 + 4 * q), rel=1e-12)
        he3 = expectations("he3", q)
        assert he3.slope == pytest.approx(3 * (q - 1), abs=1e-12)
        assert he3.growth == pytest.approx(45 * q * q - 36 * q + 9, rel=1e-12)
        sign = expectations("sign", q)
        assert sign.slope == pytest.approx(math.sqrt(2 / math.pi / q), rel=1e-12)
        assert abs(sign.growth) < 1e-14
        step = expectations("step", q)
        assert step.curvature == pytest.approx(0, abs=1e-14)


def test_hermite_coefficients():
    for name in NAMES:
        found, *rests = hermite(name, 120, 1.7)
        moments = ACTIVATIONS[name].moments(1.7)
        energy = moments.variance + moments.mean**2
        assert found[0] == pytest.approx(moments.mean, abs=1e-11)
        assert found[1] == pytest.approx(moments.mu1 * math.sqrt(1.7), abs=1e-10)
        assert found[2] * math.sqrt(2) / 1.7 == pytest.approx(expectations(name, 1.7).curvature, abs=1e-10)
        rest = energy - found @ found
        # jumps leave k^-1/2, kinks k^-3/2, the smooth nothing
        allowed = 0.1 if name in JUMPS else 1e-3 if ACTIVATIONS[name].breaks else 1e-10
        assert -1e-10 * energy < rest < allowed * energy
        assert sum(*rests) == pytest.approx(rest, abs=1e-10 * energy)
    he3 = np.zeros(8)
    he3[3] = math.sqrt(6)
    np.testing.assert_allclose(hermite("he3", 7, 1.0).coefficients, he3, atol=1e-11)


@pytest.mark.parametrize("name", [*NAMES, "ternary(-0.3, 1.2)", "softened"])
def test_pairs_match_plain_quadrature(name):
    special = {
        "ternary(-0.3, 1.2)": ternary(-0.3, 1.2, -0.4, 1.7),
        "softened": Activation("softened", lambda t: np.log1p(np.exp(-np.abs(t))) * np.cos(t), breaks=(0.0,)),
    }
    activation = special.get(name) or ACTIVATIONS[name]
    # without closed form the series of a kink is cut at degree 200
    tolerance = 1e-9 if activation.pair is not None or not activation.breaks else 1e-6
    for q1, q2, r in ((1.0, 1.0, 0.3), (0.5, 2.0, -0.6), (1.3, 1.2, 0.95)):
        expected = pair_quadrature(activation.function, activation.breaks, q1, q2, r)
        size = math.sqrt(np.prod([activation.moments(q).variance + activation.moments(q).mean ** 2 for q in (q1, q2)]))
        assert float(pair(activation, q1, q2, r)) == pytest.approx(expected, abs=tolerance * size)


@pytest.mark.parametrize("activation", [ternary(), ternary(-0.3, 1.2, -0.4, 1.7), ACTIVATIONS["relu"]])
def test_nearly_parallel_pairs(activation):
    """Where breaks nearly meet: a series or a rule over the angle loses five digits here."""
    for q2, gap in ((1.01, 1e-4), (1.01, 1e-6), (1.0001, 1e-7), (1.0, 1e-5)):
        expected = pair_quadrature(activation.function, activation.breaks, 1.0, q2, 1 - gap)
        assert float(pair(activation, 1.0, q2, 1 - gap)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_second_moments_at_many_variances(name):
    q = np.geomspace(1e-3, 30, 50)
    expected = [one.variance + one.mean**2 for one in map(ACTIVATIONS[name].moments, q)]
    unknown = Activation("unknown", ACTIVATIONS[name].function, ACTIVATIONS[name].breaks)
    np.testing.assert_allclose(second_moment(name, q), expected, rtol=1e-11, atol=1e-13 * max(expected))
    np.testing.assert_allclose(second_moment(unknown, q), expected, atol=1e-11 * max(expected))


@pytest.mark.parametrize("left", [-1.0, 0.0, 1.0])
def test_a_series_places_what_it_leaves_out(left):
    """A kink without closed form: exact for the same and the opposite point, within its bound between."""
    kink = Activation("kink", lambda t: np.where(t > 0, t, -left * t), (0.0,))
    for r in (1.0, -1.0, 0.995, -0.995):
        found, bound = pair_with_bound(kink, 1.3, 1.3, r)
        expected = bent_pair(1, left, 1.3, 1.3, r)
        assert abs(found - expected) <= (1e-11 if abs(r) == 1 else bound + 1e-12)
    assert 0 < bound < 1e-3 or left == -1.0


@pytest.mark.parametrize("name", NAMES)
def test_pair_limits(name):
    moments = ACTIVATIONS[name].moments(1.4)
    energy = moments.variance + moments.mean**2
    assert float(pair(name, 1.4, 1.4, 1.0)) == pytest.approx(energy, rel=1e-9)
    assert float(pair(name, 1.4, 1.4, 0.0)) == pytest.approx(moments.mean**2, abs=1e-11 * energy)
    slope = (pair(name, 1.4, 1.4, 1e-4) - pair(name, 1.4, 1.4, -1e-4)) / 2e-4
    assert slope == pytest.approx(1.4 * moments.mu1**2, abs=1e-7 * energy)


def test_pairs_at_many_variances_are_interpolated():
    """60 variances over two decades, against each alone."""
    q = np.geomspace(0.2, 20, 60)
    for name in ("swish", "tanh", "gelu"):
        table = pair(name, q[:, None], q, np.full((60, 60), 0.4))
        for i, j in ((0, 59), (7, 31), (20, 20)):
            assert table[i, j] == pytest.approx(float(pair(name, q[i], q[j], 0.4)), rel=1e-9)


def test_trouble_is_named():
    for name in JUMPS:
        with pytest.raises(ValueError, match=f"must declare a derivative.*no tangent kernel.*'{name}'"):
            derivative_energy(name, 1.0)
    hidden = Activation("hidden", np.sign, (0.0,), derivative=ACTIVATIONS["cos"])
    with pytest.raises(ValueError, match="hides a jump"):
        derivative_energy(hidden, 1.0)
    with pytest.raises(ValueError, match=r"'variance' parameter must be in the range \(0, inf\)"):
        expectations("relu", 0.0)
    with pytest.raises(ValueError, match=r"'degree' parameter must be in the range \[0, 200\]"):
        hermite("relu", 201, 1.0)
    with pytest.raises(ValueError, match=r"'r' parameter must be in the range \[-1, 1\]"):
        pair("relu", 1.0, 1.0, 1.1)
    with pytest.raises(ValueError, match=r"'q2' parameter must be in the range \(0, inf\)"):
        pair("relu", 1.0, 0.0, 0.5)
