"""Gaussian moments of the activations: adaptive quadrature, exact answers, and its traps."""

import itertools
import math
import pickle
import warnings
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import IntegrationWarning, quad
from scipy.special import erf

from rmtcore.activation import ACTIVATIONS, Activation, get_activation, ternary

NAMES = [
    *("identity", "relu", "leaky_relu", "abs", "tanh", "erf", "sigmoid", "softplus", "gelu", "swish"),
    *("sin", "cos", "sign", "step", "he2", "he3", "ternary"),
]
VARIANCES = (1e-4, 0.01, 0.3, 1.0, 2.5, 30.0, 1000.0)
EVEN = ("abs", "cos", "he2")
ODD = ("identity", "tanh", "erf", "sin", "sign", "he3", "ternary")


def adaptive_moments(function, breaks, q):
    """(mean, mu1, variance, mu_star2) by scipy.integrate.quad between break points, in the variable xi."""
    sigma = math.sqrt(q)

    def phi(xi):
        return float(function(np.float64(sigma * xi)))

    centres = np.array([0.0, *breaks]) / sigma
    steps = np.array([0.1, 0.3, 1.0, 3.0, 10.0, 30.0]) / sigma
    near = centres[:, None] + np.concatenate([-steps, [0.0], steps])
    points = np.unique(np.concatenate([near.ravel(), np.linspace(-13.0, 13.0, 53)]))
    points = points[np.abs(points) <= 13.0]

    def gaussian(integrand, scale):
        def weighted(xi):
            return integrand(xi) * math.exp(-0.5 * xi * xi) / math.sqrt(2.0 * math.pi)

        total = 0.0
        for a, b in itertools.pairwise(points):
            with warnings.catch_warnings():
                # it warns when it reaches rounding; its own error estimate is checked instead
                warnings.simplefilter("ignore", IntegrationWarning)
                value, error = quad(weighted, a, b, epsabs=1e-15 * scale, epsrel=1e-13, limit=200)
            total += value
            assert error <= 1e-12 * max(scale, abs(total))
        return total

    rms = math.sqrt(gaussian(lambda xi: phi(xi) ** 2, 1e-300))
    mean = gaussian(phi, rms)
    linear = gaussian(lambda xi: xi * phi(xi), rms)
    variance = gaussian(lambda xi: (phi(xi) - mean) ** 2, 1e-300)
    mu_star2 = gaussian(lambda xi: (phi(xi) - mean - linear * xi) ** 2, variance)
    return mean, linear / sigma, variance, mu_star2


def assert_moments(moments, expected, q, tolerance=1e-10):
    mean, mu1, variance, mu_star2 = expected
    assert moments.mean == pytest.approx(mean, rel=tolerance, abs=tolerance)
    assert moments.mu1 == pytest.approx(mu1, rel=tolerance, abs=tolerance)
    # on the scale of the fluctuations, far below 1 when q is small; the reference rounds and ends at 13 sigma
    rounding = 1e-14 * math.hypot(mean, math.sqrt(variance)) + 1e-37
    assert abs(moments.mu1 - mu1) * math.sqrt(q) <= tolerance * math.sqrt(variance) + rounding
    assert abs(moments.variance - variance) <= tolerance * variance + rounding**2
    assert abs(moments.mu_star2 - mu_star2) <= tolerance * variance + rounding**2


def test_the_menu_is_complete():
    assert list(ACTIVATIONS) == NAMES
    for name, activation in ACTIVATIONS.items():
        assert activation.name == name
        assert activation.label
        assert activation.formula
    assert len({activation.label for activation in ACTIVATIONS.values()}) == len(NAMES)
    assert ACTIVATIONS["relu"].label == "ReLU"


@pytest.mark.parametrize("q", VARIANCES)
@pytest.mark.parametrize("name", NAMES)
def test_named_moments_match_adaptive_quadrature(name, q):
    activation = ACTIVATIONS[name]
    assert_moments(activation.moments(q), adaptive_moments(activation.function, activation.breaks, q), q)


@pytest.mark.parametrize("q", VARIANCES)
@pytest.mark.parametrize("thresholds", [(-0.6, 0.6), (-1.5, 0.2), (0.3, 2.0), (0.4, 0.4)])
def test_ternary_at_any_thresholds(thresholds, q):
    activation = ternary(*thresholds)
    assert_moments(activation.moments(q), adaptive_moments(activation.function, thresholds, q), q)


@pytest.mark.parametrize("q", [1e-6, *VARIANCES, 1e6])
@pytest.mark.parametrize("name", NAMES)
def test_piecewise_rule_agrees_with_the_closed_forms(name, q):
    if name in ("sin", "cos") and q > 1000.0:
        pytest.skip("thousands of periods: the closed form is the only sensible route")
    named = ACTIVATIONS[name]
    custom = Activation("custom", named.function, breaks=named.breaks)
    expected = named.moments(q)
    assert_moments(custom.moments(q), expected, q, tolerance=1e-11 if q >= 1e-4 else 1e-9)


@pytest.mark.parametrize("q", [1e-6, 1e-3, 0.1, 0.1666, 0.1667, 0.3333, 0.3334, 0.999999, 1.0, 4.0])
def test_residual_energy_keeps_its_digits(q):
    """mu*^2 itself, not only relative to the variance, against 60-digit arithmetic."""
    with localcontext() as context:
        context.prec = 60
        exact, pi = Decimal(q), Decimal("3.14159265358979323846264338327950288419716939937510582097494")

        def arcsine(x):
            terms = (math.comb(2 * k, k) * x ** (2 * k + 1) / (4**k * (2 * k + 1)) for k in range(600))
            return sum(terms, Decimal(0))

        sin = (1 - (-2 * exact).exp()) / 2 - exact * (-exact).exp()
        x_erf, x_gelu = 2 * exact / (1 + 2 * exact), exact / (1 + exact)
        erf_ = 2 / pi * arcsine(x_erf) - 2 / pi * x_erf
        root = (1 + 2 * exact).sqrt()
        second = (exact + 2 * exact / pi * arcsine(x_gelu) + 4 / pi * exact * x_gelu / root) / 4
        gelu = second - exact * x_gelu / (2 * pi) - exact / 4
    for name, reference in (("sin", sin), ("erf", erf_), ("gelu", gelu)):
        assert ACTIVATIONS[name].moments(q).mu_star2 == pytest.approx(float(reference), rel=1e-12, abs=0.0)


@pytest.mark.parametrize("q", VARIANCES)
def test_parity_is_exact(q):
    for name in EVEN:
        assert ACTIVATIONS[name].moments(q).mu1 == 0.0
    for name in ODD:
        assert ACTIVATIONS[name].moments(q).mean == 0.0
    assert Activation("bump", lambda t: np.exp(-t * t)).moments(q).mu1 == 0.0
    assert Activation("window", lambda t: np.abs(t) < 0.7, breaks=(-0.7, 0.7)).moments(q).mu1 == 0.0
    assert ACTIVATIONS["identity"].moments(q) == (0.0, 1.0, q, 0.0)


@pytest.mark.parametrize("q", [1e-6, *VARIANCES, 1e6])
def test_traps_of_the_theory_page(q):
    sign, relu = ACTIVATIONS["sign"].moments(q), ACTIVATIONS["relu"].moments(q)
    assert sign.mu1**2 == pytest.approx(2.0 / (math.pi * q), rel=1e-14)
    assert sign.mu_star2 == pytest.approx(1.0 - 2.0 / math.pi, rel=1e-15)
    assert sign.variance == pytest.approx(1.0, rel=1e-14)
    assert relu.mean == pytest.approx(math.sqrt(q / (2.0 * math.pi)), rel=1e-14)
    assert relu.mu1 == 0.5
    assert relu.variance == pytest.approx(q * (0.5 - 0.5 / math.pi), rel=1e-14)


@pytest.mark.parametrize("q", VARIANCES)
def test_custom_clipped_linear_against_its_exact_answer(q):
    clip = Activation("clip", lambda t: np.clip(t, -1.0, 1.0), breaks=(-1, 1))
    inside = float(erf(1.0 / math.sqrt(2.0 * q)))
    density = math.exp(-0.5 / q) / math.sqrt(2.0 * math.pi * q)
    variance = q * (inside - 2.0 * density) + math.erfc(1.0 / math.sqrt(2.0 * q))
    moments = clip.moments(q)
    assert moments.mean == 0.0
    assert moments.mu1 == pytest.approx(inside, rel=1e-12)
    assert moments.variance == pytest.approx(variance, rel=1e-12)
    assert moments.mu_star2 == pytest.approx(variance - q * inside**2, abs=1e-12 * variance)


def test_custom_shifted_step_with_its_break():
    shifted = Activation("shifted", lambda t: (t > 0.3).astype(float), breaks=[0.3])
    above = 0.5 * math.erfc(0.3 / math.sqrt(2.0))
    moments = shifted.moments(1.0)
    assert shifted.breaks == (0.3,)
    assert shifted.label == "shifted"
    assert moments.mean == pytest.approx(above, rel=1e-12)
    assert moments.variance == pytest.approx(above * (1.0 - above), rel=1e-12)


def test_custom_constant_or_line_has_no_residual():
    assert Activation("line", lambda t: 2.0 * t - 1.0).moments(0.3).mu_star2 == 0.0
    assert Activation("two", lambda t: np.full_like(t, 2.0)).moments(1.0)[1:] == (0.0, 0.0, 0.0)
    assert Activation("zero", np.zeros_like).moments(1.0) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("q", [0, -1.0, math.nan, math.inf, -math.inf, "1", None, True, 1j])
def test_variance_out_of_range(q):
    with pytest.raises(ValueError, match=r"'variance' must be a finite number in \(0, inf\)\. Got"):
        ACTIVATIONS["relu"].moments(q)


def test_variance_of_any_real_type():
    expected = ACTIVATIONS["gelu"].moments(2.0)
    for q in (2, np.float32(2.0), np.float64(2.0), np.int64(2)):
        assert ACTIVATIONS["gelu"].moments(q) == expected


def test_trouble_with_a_custom_function_is_named():
    with pytest.raises(ValueError, match=r"'jump' do not settle at 'variance' = 1\.0.*'breaks'.*Got \(\)"):
        Activation("jump", lambda t: np.sign(t - 0.3)).moments(1.0)
    with pytest.raises(ValueError, match="'blow up' are not finite"):
        Activation("blow up", lambda t: np.exp(t * t)).moments(1000.0)
    with pytest.raises(ValueError, match="'he3' are not finite"):
        ACTIVATIONS["he3"].moments(1e300)
    with pytest.raises(ValueError, match="'overflow' are not finite"):
        Activation("overflow", ACTIVATIONS["he2"].function).moments(1e300)
    with pytest.raises(ValueError, match="must keep the shape"):
        Activation("scalar", lambda t: np.float64(1.0)).moments(1.0)
    with pytest.raises(ValueError, match="'function' must be callable"):
        Activation("nothing", None)
    with pytest.raises(ValueError, match="'breaks' must be finite"):
        Activation("far", np.tanh, breaks=(math.inf,))


@pytest.mark.parametrize("thresholds", [(0.6, -0.6), (math.nan, 1.0), (-math.inf, 0.0), (0.0, math.inf)])
def test_ternary_thresholds_out_of_range(thresholds):
    with pytest.raises(ValueError, match="thresholds must be finite, 'low' <= 'high'"):
        ternary(*thresholds)


def test_get_activation():
    custom = Activation("cube", lambda t: t**3)
    assert get_activation("tanh") is ACTIVATIONS["tanh"]
    assert get_activation(custom) is custom
    for wrong in ("rleu", None, np.tanh):
        with pytest.raises(ValueError, match=r"'activation' must be one of identity, relu, .*, ternary\. Got"):
            get_activation(wrong)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_functions_keep_shape_and_dtype_and_do_not_overflow(name, dtype):
    t = np.array([[-1e5, -1000.0, -40.0], [0.0, 1.0, 1e5]], dtype=dtype)
    before = t.copy()
    values = ACTIVATIONS[name].function(t)
    assert values.dtype == dtype
    assert values.shape == t.shape
    assert np.isfinite(values).all()
    assert values is not t
    assert np.array_equal(t, before)


def test_function_values():
    t = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    values = {name: activation.function(t) for name, activation in ACTIVATIONS.items()}
    np.testing.assert_array_equal(values["leaky_relu"], [-0.1, -0.05, 0.0, 0.5, 1.0])
    np.testing.assert_array_equal(values["step"], [0.0, 0.0, 0.0, 1.0, 1.0])
    np.testing.assert_array_equal(values["ternary"], [-1.0, 0.0, 0.0, 0.0, 1.0])
    np.testing.assert_allclose(values["sigmoid"], 0.5 + 0.5 * np.tanh(0.5 * t), rtol=1e-15)
    np.testing.assert_allclose(values["softplus"], np.log(1.0 + np.exp(t)), rtol=1e-15)
    np.testing.assert_allclose(values["swish"], t / (1.0 + np.exp(-t)), rtol=1e-15)
    np.testing.assert_allclose(values["gelu"], t * 0.5 * (1.0 + erf(t / math.sqrt(2.0))), rtol=1e-14)
    np.testing.assert_array_equal(values["he2"], t**2 - 1.0)
    np.testing.assert_array_equal(values["he3"], t**3 - 3.0 * t)


@pytest.mark.parametrize("name", NAMES)
def test_named_ones_pickle_and_hash(name):
    activation = ACTIVATIONS[name]
    assert pickle.loads(pickle.dumps(activation)) is activation
    assert hash(activation) == hash(get_activation(name))


def test_others_pickle_when_their_function_does():
    for activation in (ternary(-1.0, 0.5), Activation("mine", np.tanh, breaks=(0.5,))):
        copy = pickle.loads(pickle.dumps(activation))
        assert copy == activation
        assert hash(copy) == hash(activation)
        assert copy.moments(0.7) == activation.moments(0.7)
    assert ternary() == ACTIVATIONS["ternary"]
    assert ternary(-1, 1) == ternary(-1.0, 1.0) != ternary()


@given(name=st.sampled_from(NAMES), exponent=st.floats(-6.0, 6.0))
def test_energies_are_ordered(name, exponent):
    q = 10.0**exponent
    moments = ACTIVATIONS[name].moments(q)
    assert all(map(math.isfinite, moments))
    assert moments.mu_star2 >= 0.0
    assert moments.variance >= q * moments.mu1 * moments.mu1
    assert moments.variance == pytest.approx(q * moments.mu1**2 + moments.mu_star2, rel=1e-14)


@given(low=st.floats(-5.0, 5.0), width=st.floats(0.0, 5.0), exponent=st.floats(-6.0, 6.0))
def test_ternary_energies_are_ordered(low, width, exponent):
    moments = ternary(low, low + width).moments(10.0**exponent)
    assert 0.0 <= moments.mu_star2 <= moments.variance <= 1.0 + 1e-14
    assert abs(moments.mean) <= 1.0
