"""Hermite and Taylor coefficients: closed forms, adaptive quadrature, parity, breaks."""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erf, ndtr

from rmtcore import ACTIVATIONS, Activation, get_activation, hermite, taylor
from rmtcore.expansion import hermite_functions

EVEN = ("abs", "cos", "he2")
ODD = ("identity", "tanh", "erf", "sin", "sign", "he3", "ternary")
RNG = np.random.default_rng(0)


def adaptive(name, k):
    """E phi(xi) He_k(xi)/sqrt(k!) by scipy.integrate.quad between the breaks, He_k from numpy's series."""
    activation = get_activation(name)
    basis = np.polynomial.hermite_e.HermiteE.basis(k)

    def integrand(xi):
        return float(activation.function(np.float64(xi))) * basis(xi) * math.exp(-0.5 * xi * xi)

    points = np.unique([*np.linspace(-14, 14, 29), *activation.breaks])
    total = sum(quad(integrand, a, b, epsabs=1e-12, epsrel=1e-11)[0] for a, b in itertools.pairwise(points))
    return total / math.sqrt(2 * math.pi * math.factorial(k))


def test_the_basis_is_orthonormal():
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    basis = hermite_functions(nodes, 40)
    np.testing.assert_allclose((basis * weights) @ basis.T / math.sqrt(2 * math.pi), np.eye(41), atol=1e-11)
    np.testing.assert_allclose(hermite_functions([2.0], 3)[:, 0], [1, 2, 3 / math.sqrt(2), 2 / math.sqrt(6)])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_coefficients_by_adaptive_quadrature(name):
    found = hermite(name, 6)
    assert found.coefficients.shape == (7,)
    np.testing.assert_allclose(found.coefficients, [adaptive(name, k) for k in range(7)], atol=1e-11)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_energies_add_up(name):
    moments = ACTIVATIONS[name].moments(1.0)
    total = moments.variance + moments.mean**2
    for degree in (0, 1, 2, 7, 40, 100):
        found = hermite(name, degree)
        assert found.energies.shape == (degree + 2,)
        assert found.energies.sum() == pytest.approx(total, rel=1e-12)
        assert found.residual >= 0
    one = hermite(name, 1)
    assert one.coefficients[0] == pytest.approx(moments.mean, abs=1e-13)
    assert one.coefficients[1] == pytest.approx(moments.mu1, abs=1e-13)
    assert one.residual == pytest.approx(moments.mu_star2, rel=1e-11, abs=1e-15)


@pytest.mark.parametrize("name", EVEN + ODD)
def test_parity_is_exact(name):
    found = hermite(name, 9).coefficients
    assert np.all(found[1 if name in EVEN else 0 :: 2] == 0)
    assert np.any(found[0 if name in EVEN else 1 :: 2] != 0)


def test_closed_forms():
    k = np.arange(9)
    factorial = np.array([math.factorial(j) for j in k], float)
    # E e^(i xi) h_k = i^k e^(-1/2)/sqrt(k!)
    waves = np.exp(-0.5) / np.sqrt(factorial) * np.array([1, 1j, -1, -1j] * 3)[:9]
    np.testing.assert_allclose(hermite("cos", 8).coefficients, waves.real, atol=1e-14)
    np.testing.assert_allclose(hermite("sin", 8).coefficients, waves.imag, atol=1e-14)
    root = math.sqrt(2 * math.pi)
    np.testing.assert_allclose(
        hermite("relu", 4).coefficients,
        [1 / root, 0.5, 1 / root / math.sqrt(2), 0, -1 / root / math.sqrt(24)],
        atol=1e-14,
    )
    np.testing.assert_allclose(hermite("sign", 3).coefficients[1::2], [2 / root, -2 / root / math.sqrt(6)], atol=1e-14)
    assert hermite("he3", 3).residual == 0
    assert hermite("he2", 2).residual == 0
    assert hermite("identity", 1).residual == 0
    assert hermite("he3", 2).residual == pytest.approx(6)


def test_a_small_residual_keeps_its_digits():
    # of e^(t s) the energy beyond degree K is the tail of sum s^2k/k!, far below the rounding of the whole
    small = Activation("small", lambda t: np.exp(0.1 * t))
    tail = math.exp(0.01) * sum(0.01**k / math.factorial(k) for k in range(5, 12))
    assert hermite(small, 4).residual == pytest.approx(tail, rel=1e-6)
    assert tail < 1e-12


def test_hermite_is_careful():
    assert hermite("relu", 3).coefficients is hermite("relu", 3).coefficients
    with pytest.raises(ValueError, match="read-only"):
        hermite("relu", 3).coefficients[0] = 1.0
    for degree in (-1, 201, 2.5):
        with pytest.raises(ValueError, match="degree"):
            hermite("relu", degree)
    with pytest.raises(ValueError, match=r"'variance' parameter must be in the range \(0, inf\)"):
        hermite("relu", 3, 0.0)
    with pytest.raises(ValueError, match="nonsense"):
        hermite("nonsense")
    with pytest.raises(ValueError, match="breaks"):
        hermite(Activation("hidden", lambda t: np.where(t > 0.123456, 1.0, 0.0)), 2)
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="finite"):
        hermite(Activation("wild", lambda t: np.exp(t**4)), 2)


# --- Taylor -----------------------------------------------------------------------------------------


def polynomial(coefficients, at):
    """Taylor coefficients of a polynomial (ascending) around `at`, by NumPy's own shift."""
    return np.polynomial.Polynomial(coefficients)(np.polynomial.Polynomial([at, 1.0])).coef


@pytest.mark.parametrize("at", [0.0, 0.7, -1.3, 3.0])
def test_taylor_of_what_has_simple_derivatives(at):
    cycle = [math.sin(at), math.cos(at), -math.sin(at), -math.cos(at)] * 2
    factorial = np.array([math.factorial(k) for k in range(8)])
    np.testing.assert_allclose(taylor("sin", at, 7), np.array(cycle) / factorial, atol=1e-14)
    np.testing.assert_allclose(taylor("cos", at, 6), np.array(cycle[1:]) / factorial[:7], atol=1e-14)
    gauss = 2 / math.sqrt(math.pi) * math.exp(-at * at)
    derivatives = [erf(at), gauss, -2 * at * gauss, (4 * at * at - 2) * gauss]
    np.testing.assert_allclose(taylor("erf", at, 3), np.array(derivatives) / factorial[:4], atol=1e-14)
    density = math.exp(-at * at / 2) / math.sqrt(2 * math.pi)
    gelu = [at * ndtr(at), ndtr(at) + at * density, (2 - at * at) * density, (at**3 - 4 * at) * density]
    np.testing.assert_allclose(taylor("gelu", at, 3), np.array(gelu) / factorial[:4], atol=1e-14)
    t = math.tanh(at)
    slope = 1 - t * t
    tanh = [t, slope, -2 * t * slope, (6 * t * t - 2) * slope]
    np.testing.assert_allclose(taylor("tanh", at, 3), np.array(tanh) / factorial[:4], atol=1e-14)
    np.testing.assert_allclose(taylor("he2", at, 4), np.append(polynomial([-1, 0, 1], at), [0, 0]), atol=1e-13)
    np.testing.assert_allclose(taylor("he3", at, 4), np.append(polynomial([0, -3, 0, 1], at), 0), atol=1e-13)


@pytest.mark.parametrize("at", [0.0, 0.7, -4.0])
def test_taylor_of_the_logistic_family(at):
    k = np.arange(9)
    half = taylor("tanh", at / 2, 8) / 2.0**k
    sigmoid = taylor("sigmoid", at, 8)
    np.testing.assert_allclose(sigmoid, 0.5 * (k == 0) + 0.5 * half, atol=1e-13)
    np.testing.assert_allclose(taylor("softplus", at, 8)[1:], sigmoid[:-1] / k[1:], atol=1e-13)
    swish = at * sigmoid + np.append(0.0, sigmoid[:-1])
    np.testing.assert_allclose(taylor("swish", at, 8), swish, atol=1e-12)


def test_taylor_of_smooth_pieces():
    for at, piece in ((0.01, 1.0), (2.0, 1.0), (-0.5, 0.1)):
        np.testing.assert_array_equal(taylor("leaky_relu", at, 3)[2:], 0)
        np.testing.assert_allclose(taylor("leaky_relu", at, 1), [piece * at, piece], rtol=1e-12)
    np.testing.assert_allclose(taylor("abs", -0.3, 2), [0.3, -1, 0], atol=1e-14)
    np.testing.assert_allclose(taylor("relu", -0.3, 2), [0, 0, 0], atol=1e-14)
    for name, at, value in (("sign", -2.0, -1), ("step", 0.1, 1), ("ternary", 0.59, 0), ("ternary", 0.7, 1)):
        np.testing.assert_allclose(taylor(name, at, 4), [value, 0, 0, 0, 0], atol=1e-14)


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if ACTIVATIONS[name].breaks])
def test_no_taylor_at_a_break(name):
    for at in ACTIVATIONS[name].breaks:
        with pytest.raises(ValueError, match="break"):
            taylor(name, at, 2)


def test_taylor_zeros_are_zeros():
    for name in ODD:
        if not ACTIVATIONS[name].breaks:
            assert np.all(taylor(name, 0.0, 12)[::2] == 0)
    assert np.all(taylor("cos", 0.0, 12)[1::2] == 0)


def test_taylor_shrinks_its_circle_before_a_pole():
    runge = Activation("runge", lambda t: 1.0 / (1.0 + 25.0 * t**2))
    np.testing.assert_allclose(taylor(runge, 0.0, 4), [1, 0, -25, 0, 625], rtol=1e-10)


def test_taylor_refuses_what_it_cannot_continue():
    with pytest.raises(ValueError, match="complex"):
        taylor(Activation("modulus", np.abs), 1.0, 2)  # |z| is not analytic
    with pytest.raises(ValueError, match="complex"):
        taylor(Activation("real", lambda t: np.heaviside(t, 0.0), (0.0,)), 1.0, 2)
    with pytest.raises(ValueError, match="complex"):
        # a name of the table does not make it that function
        taylor(Activation("relu", lambda t: np.abs(t) ** 1.5, (0.0,)), 1.0, 2)
    for degree in (-1, 21):
        with pytest.raises(ValueError, match="degree"):
            taylor("tanh", 0.0, degree)
    with pytest.raises(ValueError, match="at"):
        taylor("tanh", np.nan, 2)
