"""Linearisation in two regimes: exact laws of the argument, errors of equivalents, both against simulation."""

import math
import pickle

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import k0, k1, kv
from scipy.stats import kstest

from rmtcore import (
    ACTIVATIONS,
    Activation,
    draw_inner_products,
    hermite,
    hermite_equivalent,
    inner_product_density,
    mean_square_error,
    measure_error,
    projections,
    taylor,
    taylor_equivalent,
)

# --- The argument -----------------------------------------------------------------------------------


def test_density_of_gaussian_vectors_is_bessel():
    t = np.array([-7.0, -1.0, 1e-9, 0.01, 0.3, 2.0, 20.0])
    np.testing.assert_allclose(inner_product_density(t, 1), k0(np.abs(t)) / np.pi, 1e-12, 1e-20)
    root = math.sqrt(2)
    np.testing.assert_allclose(inner_product_density(t, 2), root * np.exp(-root * np.abs(t)) / 2, 1e-12, 1e-20)
    s = np.abs(3 * t)  # x'y at n = 3, x'y/n = t
    np.testing.assert_allclose(inner_product_density(t, 3, "lln"), 3 * s * k1(s) / np.pi, 1e-12, 1e-20)
    for n in (4, 9, 30):
        s, order = np.abs(t) * math.sqrt(n), 0.5 * (n - 1)
        expected = s**order * kv(order, s) / (math.sqrt(np.pi) * math.gamma(n / 2) * 2**order)
        np.testing.assert_allclose(inner_product_density(t, n), expected * math.sqrt(n), 1e-10, 1e-20)
    assert inner_product_density(0.0, 1) == np.inf
    assert inner_product_density(np.zeros((2, 3)), 5).shape == (2, 3)


def test_density_on_the_sphere():
    t = np.linspace(-0.99, 0.99, 9)
    np.testing.assert_allclose(inner_product_density(t, 2, "lln", "sphere"), 1 / np.pi / np.sqrt(1 - t * t))
    np.testing.assert_allclose(inner_product_density(t, 3, "lln", "sphere"), 0.5)  # Archimedes
    np.testing.assert_allclose(inner_product_density(t, 4, "lln", "sphere"), 2 / np.pi * np.sqrt(1 - t * t))
    ends = [inner_product_density([-1.0, 1.5], n, "lln", "sphere").tolist() for n in (2, 3, 4)]
    assert ends == [[np.inf, 0], [0.5, 0], [0, 0]]


@pytest.mark.parametrize("vectors", ["gaussian", "sphere"])
@pytest.mark.parametrize("regime", ["lln", "clt"])
def test_mass_and_variance(regime, vectors):
    for n in (4, 25, 1000, 10**6):
        sigma = 1 / math.sqrt(n) if regime == "lln" else 1.0
        end = min(12.0, math.sqrt(n)) * sigma if vectors == "sphere" else 40 * sigma
        for power, expected in ((0, 1.0), (2, sigma**2)):
            integral = sum(
                quad(lambda t, k=power, n=n: t**k * float(inner_product_density(t, n, regime, vectors)), a, b)[0]
                for a, b in ((0.0, 2 * sigma), (2 * sigma, end))
            )
            assert 2 * integral == pytest.approx(expected, rel=1e-7)


def test_it_concentrates_or_stays_gaussian():
    t = np.linspace(-4, 4, 33)
    normal = np.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    for vectors, factor in (("gaussian", 0.3), ("sphere", 0.3)):
        gaps = [np.max(np.abs(inner_product_density(t, n, "clt", vectors) - normal)) for n in (100, 1000)]
        assert gaps[0] < factor / 100 * 3
        assert gaps[1] == pytest.approx(gaps[0] / 10, rel=0.1)
        assert inner_product_density(0.0, 10_000, "lln", vectors) == pytest.approx(
            100 / math.sqrt(2 * math.pi), rel=1e-3
        )


@pytest.mark.parametrize("vectors", ["gaussian", "sphere"])
@pytest.mark.parametrize("n", [1, 2, 3, 20])
def test_draws_follow_the_density(n, vectors):
    drawn = draw_inner_products(n, 20_000, 3, "lln", vectors)
    assert drawn.shape == (20_000,)
    assert abs(drawn.mean()) < 4 / math.sqrt(20_000 * n)
    if n == 1 and vectors == "sphere":
        np.testing.assert_allclose(np.abs(drawn), 1.0, rtol=1e-12)  # two atoms: no density
        return
    # the substitution t = u^3 (or sin) tames the ends
    u = np.linspace(-1, 1, 4001)
    t, slope = (
        (np.sin(u * np.pi / 2), np.pi / 2 * np.cos(u * np.pi / 2)) if vectors == "sphere" else (20 * u**3, 60 * u**2)
    )
    with np.errstate(invalid="ignore"):
        heights = np.nan_to_num(inner_product_density(t, n, "lln", vectors) * slope, posinf=0.0)
    mass = np.concatenate([[0.0], np.cumsum(0.5 * (heights[1:] + heights[:-1])) * (u[1] - u[0])])
    assert mass[-1] == pytest.approx(1.0, abs=2e-3)
    assert kstest(drawn, lambda x: np.interp(x, t, mass)).pvalue > 1e-3


def test_large_draws_come_in_chunks():
    one = draw_inner_products(3000, 1000, (1, 2), "clt")
    assert one.shape == (1000,)
    assert one.std() == pytest.approx(1.0, abs=0.1)
    np.testing.assert_array_equal(one, draw_inner_products(3000, 1000, (1, 2), "clt"))


# --- Errors -----------------------------------------------------------------------------------------


def test_errors_of_polynomials_are_exact():
    n = np.array([1, 2, 7, 100])
    # S = x'y: E S^2 = n, E S^4 = 3 n^2 + 6 n, E S^6 = 15 n^3 + 90 n^2 + 120 n
    second, fourth = 1 / n, (3 * n**2 + 6 * n) / n**4
    sixth = (15 * n**3 + 90 * n**2 + 120 * n) / n**6
    np.testing.assert_allclose(mean_square_error("he2", taylor_equivalent("he2"), n, "lln"), fourth, rtol=1e-12)
    np.testing.assert_allclose(mean_square_error("he3", taylor_equivalent("he3"), n, "lln"), sixth, rtol=1e-12)
    np.testing.assert_allclose(
        mean_square_error("he3", taylor_equivalent("he3", degree=0), n, "lln"),
        sixth - 6 * fourth + 9 * second,
        rtol=1e-11,
    )
    for name in ("identity", "he2", "he3"):
        assert np.all(mean_square_error(name, taylor_equivalent(name, degree=3), n, "lln") < 1e-26)
    found = projections("he2", n)
    np.testing.assert_allclose(found.mean, 0, atol=1e-13)
    np.testing.assert_allclose(found.energy, fourth * n**2 - 1, rtol=1e-12)
    np.testing.assert_allclose(projections("he3", n).linear, fourth * n**2 - 3, rtol=1e-11, atol=1e-12)
    # E |S| at n = 1 is (2/pi)
    assert projections("relu", [1]).mean[0] == pytest.approx(1 / np.pi)


@pytest.mark.parametrize(
    ("name", "at", "degree", "bend"),
    [
        ("tanh", 0.0, 1, 0.0),
        ("tanh", 0.0, 0, 0.25),
        ("tanh", 0.0, 1, 0.25),
        ("gelu", 0.5, 2, 0.0),
        ("relu", 1.0, 1, 0.0),
    ],
)
def test_errors_where_the_argument_concentrates(name, at, degree, bend):
    dims = [1, 2, 10, 100]
    equivalent = taylor_equivalent(name, at, degree, bend)
    predicted = mean_square_error(name, equivalent, dims, "lln", at)
    measured = measure_error(name, equivalent, dims, "lln", seed=4, count=40_000, at=at)
    apart = predicted > 1e-20  # far from its break ReLU is its Taylor polynomial
    assert np.all(
        np.abs(measured.mean - predicted)[apart] < 4 * measured.standard_error[apart] + 1e-3 * predicted[apart]
    )
    assert np.all(measured.standard_error[apart][:2] < 0.2 * predicted[apart][:2])


@pytest.mark.parametrize(
    ("name", "degree", "bend"), [("tanh", 1, 0.25), ("tanh", 2, 0.0), ("swish", 1, 0.0), ("cos", 0, -2.0)]
)
def test_errors_fall_at_the_rate_of_the_first_difference(name, degree, bend):
    dims = np.array([1000, 10_000])
    order = degree + 1
    first = taylor(name, 0.0, order + 1)[order] - bend
    if first == 0:  # then the next one counts
        order += 1
        first = taylor(name, 0.0, order)[order]
    double = np.prod(np.arange(1, 2 * order, 2))
    errors = mean_square_error(name, taylor_equivalent(name, 0.0, degree, bend), dims, "lln")
    scaled = errors * dims.astype(float) ** order / (first**2 * double)
    assert abs(scaled[1] - 1) < 1.2 * abs(scaled[0] - 1) / 10 + 1e-9
    assert abs(scaled[0] - 1) < 0.1


def test_errors_of_polynomials_on_the_sphere_are_exact():
    n = np.array([1, 2, 3, 7, 100, 5000])
    # u = x'y/n: E u^2 = 1/n, E u^4 = 3/(n (n + 2)), E u^6 = 15/(n (n + 2) (n + 4))
    second, fourth, sixth = 1 / n, 3 / (n * (n + 2)), 15 / (n * (n + 2) * (n + 4))
    line = {name: taylor_equivalent(name) for name in ("he2", "he3")}
    for name, expected in (("he2", fourth), ("he3", sixth)):
        found = mean_square_error(name, line[name], n, "lln", vectors="sphere")
        np.testing.assert_allclose(found, expected, rtol=1e-11)
    found = projections("he2", n, "sphere")
    np.testing.assert_allclose(found.mean, 0, atol=1e-13)
    np.testing.assert_allclose(found.energy, n**2 * fourth - 1, rtol=1e-11, atol=1e-13)  # 0 at n = 1: t^2 = 1
    assert projections("sign", [1, 2], "sphere").linear == pytest.approx([1.0, 2 * math.sqrt(2) / np.pi])
    assert second[0] == projections("identity", [1], "sphere").energy[0]


@pytest.mark.parametrize(("name", "at"), [("tanh", 0.0), ("gelu", 0.5), ("relu", 0.3)])
def test_errors_on_the_sphere(name, at):
    dims = [1, 2, 3, 20]
    for regime, equivalent in (("lln", taylor_equivalent(name, at or 0.3, 1, 0.25)), ("clt", hermite_equivalent(name))):
        predicted = mean_square_error(name, equivalent, dims, regime, at, "sphere")
        found = measure_error(name, equivalent, dims, regime, 5, 40_000, at, "sphere")
        # at n = 1 the argument is +-1: nothing but the noise is random
        assert np.all(np.abs(found.mean - predicted) < 4.5 * found.standard_error + 1e-9 * predicted)
    ball = mean_square_error(name, equivalent, [10**5], regime, at)
    np.testing.assert_allclose(mean_square_error(name, equivalent, [10**5], regime, at, "sphere"), ball, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "at", "degree", "bend"), [("cos", 0.0, 1, -0.5), ("tanh", 3.0, 6, 0.0), ("softplus", -3.0, 4, 0.0)]
)
def test_small_errors_of_large_values_keep_their_rate(name, at, degree, bend):
    dims = np.array([500, 2000, 4000])
    series = taylor(name, at, 20)
    series[degree + 1] -= bend
    order = degree + 1 + int(np.flatnonzero(series[degree + 1 :])[0])
    double = np.prod(np.arange(1, 2 * order, 2.0))
    errors = mean_square_error(name, taylor_equivalent(name, at, degree, bend), dims, "lln", at)
    scaled = errors * dims.astype(float) ** order / (series[order] ** 2 * double)
    assert np.all(errors > 1e-29)
    np.testing.assert_allclose(scaled, 1.0, atol=0.6)  # n = 500 is not large for degree 6
    assert abs(scaled[2] - 1) < 0.6 * abs(scaled[0] - 1) + 1e-3


def test_other_functions_serve_as_well():
    # tanh and t^2/4: the same value at 0, so the same limit, though they look nothing alike
    quarter = taylor_equivalent("tanh", degree=1, bend=0.25)
    np.testing.assert_allclose(quarter.function.coef, [0, 1, 0.25])
    bare = Activation("quarter", lambda t: t * t / 4)
    errors = mean_square_error("tanh", taylor_equivalent(bare, degree=2), [100, 10_000], "lln")
    assert errors[1] == pytest.approx(errors[0] / 100, rel=0.1)
    # where it stays Gaussian they never agree
    apart = mean_square_error("tanh", taylor_equivalent(bare, degree=2), [100, 10_000], "clt")
    assert apart[1] == pytest.approx(apart[0], rel=0.05)
    assert apart[1] > 0.3


@pytest.mark.parametrize("name", ["tanh", "relu", "sign", "cos", "ternary"])
@pytest.mark.parametrize("carrier", [None, 2, 3])
def test_errors_where_the_argument_stays_gaussian(name, carrier):
    dims = [1, 3, 50]
    equivalent = hermite_equivalent(name, carrier)
    predicted = mean_square_error(name, equivalent, dims, "clt")
    measured = measure_error(name, equivalent, dims, "clt", seed=8, count=40_000)
    # heavy tails at n = 1 for the cubic: its own standard error is rough there
    assert np.all(np.abs(measured.mean - predicted) < 5 * measured.standard_error)
    limit = mean_square_error(name, equivalent, [10**6], "clt")[0]
    expansion = hermite(name, 3)
    residual = hermite(name, 1).residual
    # |phi - line - rest|^2: twice the residual, less twice what the carrier and phi have in common
    common = 0.0 if carrier is None else math.sqrt(residual) * expansion.coefficients[carrier]
    assert limit == pytest.approx(2 * residual - 2 * common, abs=2e-4)


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "identity"])
def test_the_family_shares_what_matrices_see(name):
    expansion = hermite(name, 1)
    limits = np.array([*expansion.coefficients, expansion.energies.sum()])
    gaps = []
    for equivalent in (name, hermite_equivalent(name), hermite_equivalent(name, 2), hermite_equivalent(name, 3)):
        seen = np.array(projections(equivalent, [200, 2000]))
        assert seen.shape == (3, 2)
        gaps.append(np.abs(seen - limits[:, None]))
        # of order 1/n; for a polynomial of degree 3, 1/n times moments of order 6
        assert np.all(gaps[-1][:, 0] < 60 * max(limits[2], 1) / 200)
        large = gaps[-1][:, 0] > 1e-9
        np.testing.assert_allclose(gaps[-1][large, 1], gaps[-1][large, 0] / 10, rtol=0.15)
    # line and noise has them exactly, at any n
    assert np.max(gaps[1]) < 1e-12 * max(1.0, limits[2])


def test_equivalents_are_what_they_say():
    cubic = hermite_equivalent("sign", 3).function
    residual = 1 - 2 / np.pi
    expected = np.array([0, math.sqrt(2 / np.pi), 0, 0]) + math.sqrt(residual / 6) * np.array([0, -3, 0, 1])
    np.testing.assert_allclose(cubic.coef, expected, atol=1e-13)
    noisy = hermite_equivalent("sign")
    assert noisy.noise == pytest.approx(residual)
    assert hermite_equivalent("sign", 3).noise == 0
    assert noisy.name != hermite_equivalent("sign", 3).name
    assert pickle.loads(pickle.dumps(noisy)).noise == noisy.noise
    shifted = taylor_equivalent("tanh", 0.5, 2, bend=0.3).function
    t = np.linspace(0.4, 0.6, 5)
    np.testing.assert_allclose(shifted(t), np.tanh(t) + (0.3 - taylor("tanh", 0.5, 3)[3]) * (t - 0.5) ** 3, atol=2e-5)


def test_a_break_is_seen_from_the_shift():
    # relu at 0.5 + s/sqrt(n)...: only arguments below 0 differ from the line
    predicted = mean_square_error("relu", taylor_equivalent("relu", 0.5), [1, 4], "lln", at=0.5)
    for n, value in zip((1, 4), predicted, strict=True):
        expected, _ = quad(
            lambda t, n=n: (0.5 + t) ** 2 * float(inner_product_density(t, n, "lln")),
            -40,
            -0.5,
            limit=200,
            points=[-5, -1],
        )
        assert value == pytest.approx(expected, rel=1e-7)


def test_measured_numbers_are_repeatable():
    arguments = ("tanh", hermite_equivalent("tanh"), [3, 5], "clt")
    one, two = measure_error(*arguments, seed=1, count=500), measure_error(*arguments, seed=1, count=500)
    np.testing.assert_array_equal(one.mean, two.mean)
    assert one.standard_error.shape == (2,)
    assert np.any(measure_error(*arguments, seed=2, count=500).mean != one.mean)


def test_what_is_refused():
    line = taylor_equivalent("tanh")
    for call, word in [
        (lambda: inner_product_density(np.nan, 3), "'t'"),
        (lambda: inner_product_density(0.0, 0), "dim"),
        (lambda: inner_product_density(0.0, 1, "clt", "sphere"), "dim"),
        (lambda: inner_product_density(0.0, 3, "other"), "regime"),
        (lambda: inner_product_density(0.0, 3, "clt", "cube"), "vectors"),
        (lambda: mean_square_error("tanh", line, [3, 0], "lln"), "dim"),
        (lambda: mean_square_error("tanh", line, [3], "nowhere"), "regime"),
        (lambda: mean_square_error("tanh", line, [3], "lln", at=np.inf), "at"),
        (lambda: mean_square_error("tanh", line, [3], "lln", vectors="cube"), "vectors"),
        (lambda: projections("tanh", [0], "sphere"), "dim"),
        (lambda: measure_error("tanh", line, [3], "lln", seed=1, count=1), "count"),
        (lambda: measure_error("tanh", line, [3], "lln", seed=-1), "seed"),
        (lambda: draw_inner_products(3, 0, 1), "count"),
        (lambda: hermite_equivalent("tanh", 1), "carrier"),
        (lambda: hermite_equivalent("tanh", 21), "carrier"),
        (lambda: taylor_equivalent("relu"), "break"),
        (lambda: taylor_equivalent("tanh", bend=np.nan), "bend"),
        (lambda: projections("nonsense", [3]), "nonsense"),
        (lambda: projections(Activation("hidden", lambda t: np.where(t > 0.123456, 1.0, 0.0)), [3]), "breaks"),
    ]:
        with pytest.raises(ValueError, match=word):
            call()
