"""No wrong branch: over the whole range of settings the chain agrees with routes that share nothing with it.

The independent routes are in naive.py: polynomial roots for a sample covariance of few atoms, and through
any depth a damped fixed point, with a proof that it converges to the right root.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st
from naive import (
    chain_numbers,
    count_edges,
    edges_polynomial,
    forward_map,
    gram_fixed_point,
    gram_moments,
    gram_polynomial,
)

from rmtcore import Layer, Network, Population, spectrum, stieltjes
from rmtcore.chain import evaluate

SIGNAL = ["identity", "relu", "leaky_relu", "tanh", "erf", "sigmoid", "softplus", "gelu", "swish", "sin"]
JUMPS = ["sign", "step", "ternary"]
CUTS = ["abs", "cos", "he2", "he3"]
ACTIVATIONS = SIGNAL + JUMPS + CUTS


@st.composite
def networks(draw, depth=(0, 10), most_atoms=50, activations=tuple(ACTIVATIONS)):
    """p/n 0.01 to 100, atoms over three decades, widths 0.01 to 100 times p or n, or just at a threshold."""
    ratio = 10.0 ** draw(st.floats(-2.0, 2.0))
    p = draw(st.sampled_from([100, 144, 300, 1000]))
    n = p if draw(st.integers(0, 9)) == 0 else round(p / ratio)
    count = draw(st.integers(1, most_atoms))
    exponents = st.lists(st.floats(-1.5, 1.5), min_size=count, max_size=count)
    weights = st.lists(st.floats(0.02, 1.0), min_size=count, max_size=count)
    population = Population.atoms(10.0 ** np.array(draw(exponents)), draw(weights), p)
    layers = []
    for _ in range(draw(st.integers(*depth))):
        previous = layers[-1].width if layers else p
        free = max(1, round(draw(st.sampled_from([p, n])) * 10.0 ** draw(st.floats(-2.0, 2.0))))
        width = draw(st.sampled_from([free, free, free, n, p, previous]))
        layers.append(Layer(width, draw(st.sampled_from(activations)), normalise=draw(st.booleans())))
    try:
        return Network(population, layers, samples=n)
    except ValueError:  # a variance that grows or dies out on its way up
        return reject()


many = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
some = settings(many, max_examples=100)


@many
@given(network=networks(), matrix=st.sampled_from(["covariance", "gram"]))
def test_every_law_is_certified_and_is_a_probability(network, matrix):
    law = spectrum(network, points=64, matrix=matrix)
    assert np.all(np.isfinite(law.density))
    assert np.all(law.density >= 0)
    assert law.health.certified
    assert law.health.residual < 1e-9
    assert law.health.mass_error < 1e-4
    assert law.atom + law.weights.sum() == pytest.approx(1.0, abs=1e-4)
    assert 0 <= law.atom < 1
    assert np.all(np.diff(law.bulks.ravel()) > 0)
    assert law.bulks[0, 0] >= 0
    assert np.all(np.diff(law.grid) > 0)
    assert np.all(np.diff(law.cdf) >= 0)


@many
@given(network=networks())
def test_the_moments_of_every_law_are_those_of_free_probability(network):
    law = spectrum(network, points=400, matrix="gram")
    found = [law.integral(lambda x, k=k: x**k) for k in (1, 2, 3)]
    np.testing.assert_allclose(found, gram_moments(*chain_numbers(network)), rtol=1e-3)


@many
@given(network=networks(), share=st.floats(0.05, 0.95), height=st.floats(-1.0, 3.0))
def test_the_map_is_the_one_of_the_theory_and_so_is_its_derivative(network, share, height):
    numbers = chain_numbers(network)
    kappa = np.max(numbers[0]) * 10.0**height * np.exp(1j * np.pi * share)
    lam, kappas = forward_map(kappa, *numbers)
    value, slope, top, top_slope = evaluate(kappa, *network.chain())[:4]
    # where kappa_l, or mu*^2 + kappa_l, is what a difference leaves, the words have lost these digits
    above = [(nu, k) for (_, nu, _), k in zip(numbers[2], kappas[1:], strict=True)]
    lost = max([1.0, *((nu + abs(k)) / min(abs(k), abs(nu + k)) for nu, k in above)])
    assume(lost < 1e3)
    assert abs(value - lam) <= 1e-8 * lost**2 * abs(lam)
    assert abs(top - kappas[-1]) <= 1e-8 * lost**2 * abs(kappas[-1])
    step = np.clongdouble(1e-5 * kappa)
    (up, up_all), (down, down_all) = (forward_map(kappa + side * step, *numbers) for side in (1, -1))
    assert abs(slope - (up - down) / (2 * step)) <= 1e-6 * lost**2 * max(abs(slope), abs(lam / kappa))
    rate = (up_all[-1] - down_all[-1]) / (2 * step)
    assert abs(top_slope - rate) <= 1e-6 * lost**2 * max(abs(top_slope), abs(kappas[-1] / kappa))


@some
@given(
    network=networks(),
    height=st.floats(-1.0, 1.0),
    shares=st.lists(st.floats(0.02, 0.98), min_size=3, max_size=3),
)
def test_the_transform_off_the_axis_is_the_fixed_point(network, height, shares):
    law = spectrum(network, points=64, matrix="gram")
    inside = law.grid[law.grid > 0]
    x = inside[(np.array(shares) * inside.size).astype(int)]
    z = x * (1 + 1j * 10.0**height)
    expected = gram_fixed_point(z, *chain_numbers(network), limit=2000)
    found = np.isfinite(expected)
    assume(found.any())
    got = stieltjes(network, z, "gram")
    np.testing.assert_allclose(got[found], expected[found], rtol=1e-8)
    # the other side has the same non-zero eigenvalues
    n, d = network.samples, network.feature_dim
    other = stieltjes(network, z, "covariance")
    np.testing.assert_allclose(other[found], (n * expected[found] + (n - d) / z[found]) / d, rtol=1e-8 * (1 + n / d))


@many
@given(network=networks(depth=(0, 0), most_atoms=5), height=st.floats(-6.0, 2.0), share=st.floats(0.0, 0.999))
def test_the_transform_of_a_sample_covariance_is_the_root_of_its_polynomial(network, height, share):
    s, m, _, n = chain_numbers(network)
    assume(np.all(np.diff(np.log(s)) > 0.05))
    law = spectrum(network, points=64, matrix="gram")
    inside = law.grid[law.grid > 0]
    x = inside[int(share * inside.size)]
    z = x * (1 + 1j * 10.0**height)
    expected = gram_polynomial(z, s, m, n)
    assert abs(stieltjes(network, z, "gram") - expected) <= 1e-8 * abs(expected)


@many
@given(network=networks(depth=(0, 0), most_atoms=5), share=st.floats(0.1, 0.9))
def test_the_density_of_a_sample_covariance_is_the_root_of_its_polynomial_on_the_axis(network, share):
    s, m, _, n = chain_numbers(network)
    assume(np.all(np.diff(np.log(s)) > 0.05))
    law = spectrum(network, points=128, matrix="gram")
    at = int(share * law.grid.size)
    assume(law.density[at] > 0)
    expected = gram_polynomial(law.grid[at], s, m, n).imag / np.pi
    # at a square-root edge, rounding of x moves the density by this much
    gap = np.min(np.abs(law.bulks / law.grid[at] - 1))
    assert law.density[at] == pytest.approx(expected, rel=1e-8 + 1e-13 / gap)


@some
@given(network=networks(), share=st.floats(0.0, 0.999))
def test_the_density_inside_a_bulk_is_the_fixed_point_just_above_the_axis(network, share):
    law = spectrum(network, points=256, matrix="gram")
    left, right = law.bulks[int(share * len(law.bulks))]
    middle = (law.grid > left) & (law.grid < right)
    at = np.flatnonzero(middle)[[middle.sum() // 3, middle.sum() // 2, 2 * middle.sum() // 3]]
    x, density = law.grid[at], law.density[at]
    height = 1e-11 * np.minimum(x - left, right - x)
    expected = gram_fixed_point(x + 1j * height, *chain_numbers(network), limit=2000)
    found = np.isfinite(expected)
    assume(found.any())
    np.testing.assert_allclose(density[found], expected.imag[found] / np.pi, rtol=1e-6)


@many
@given(network=networks(depth=(0, 0), most_atoms=4))
def test_every_bulk_of_a_sample_covariance_is_an_edge_pair_of_its_polynomial(network):
    s, m, _, n = chain_numbers(network)
    assume(np.all(np.diff(np.log(s)) > 0.05))
    bulks = spectrum(network, points=64).bulks
    exact = count_edges([round(v * 2**40) for v in s], [int(c) for c in m], int(n))
    # a hard edge lies at t = infinity, and is no root
    assert 2 * len(bulks) == exact + (bulks[0, 0] == 0)
    edges = edges_polynomial(s, m, n)
    if edges.size == exact:  # else a gap too narrow for roots in floating point
        assert bulks[bulks > 0] == pytest.approx(edges, rel=1e-6)


def _outside(law, kind, share):
    """A point off the support: left of 0, between 0 and the law, in a gap, or right of everything."""
    left, right = law.bulks.T
    if kind == "negative":
        return -right[-1] * 10.0 ** (4 * share - 2)
    if kind == "below":
        return left[0] * (0.1 + 0.8 * share)
    if kind == "above":
        return right[-1] * (1 + 10.0 ** (4 * share - 2))
    which = np.argmax(left[1:] / right[:-1]) if left.size > 1 else 0
    return right[which] + (0.1 + 0.8 * share) * (left[which + 1] - right[which]) if left.size > 1 else 0.0


@many
@given(
    network=networks(),
    kind=st.sampled_from(["negative", "below", "gap", "above"]),
    share=st.floats(0.0, 1.0),
    matrix=st.sampled_from(["covariance", "gram"]),
)
def test_the_transform_on_the_axis_is_the_limit_from_above_and_the_integral(network, kind, share, matrix):
    law = spectrum(network, points=3000, matrix=matrix)
    x = _outside(law, kind, share)
    assume(x != 0)
    distance = np.min(np.abs(law.bulks - x))
    assume(distance > 1e-2 * abs(x) or kind == "negative")
    value = complex(stieltjes(network, x, matrix))
    assert value.imag == 0
    beside = complex(stieltjes(network, complex(x, 1e-7 * min(distance, abs(x))), matrix))
    assert value.real == pytest.approx(beside.real, rel=1e-6)
    expected = np.sum(law.weights / (law.grid - x)) - law.atom / x
    size = np.sum(law.weights / np.abs(law.grid - x)) + law.atom / abs(x)
    # next to a bulk the integrand is steep between two grid points
    assert abs(value.real - expected) < (1e-4 if distance > 0.5 * abs(x) else 1e-3) * size


@many
@given(
    network=networks(),
    exponent=st.floats(-2.0, 4.0),
    angle=st.floats(0.01, 0.99),
    matrix=st.sampled_from(["covariance", "gram"]),
)
def test_the_transform_is_that_of_a_measure_anywhere_in_the_plane(network, exponent, angle, matrix):
    """m(conj z) = conj m(z), Im m > 0 above the axis, and m is the integral of 1/(x - z): also far out."""
    law = spectrum(network, points=400, matrix=matrix)
    z = law.bulks[-1, 1] * 10.0**exponent * np.exp(1j * np.pi * angle)
    above, below = stieltjes(network, [z, z.conjugate()], matrix)
    assert above.imag > 0
    assert below == pytest.approx(above.conjugate(), rel=1e-12)
    assume(z.imag > 0.3 * abs(z))
    expected = np.sum(law.weights / (law.grid - z)) - law.atom / z
    assert above == pytest.approx(expected, rel=1e-3)


@many
@given(network=networks(), offset=st.sampled_from([0.0, 1e-12, 1e-9, -1e-9, -1e-3]))
def test_the_transform_next_to_zero_is_the_mean_inverse_eigenvalue_however_deep(network, offset):
    for matrix in ("covariance", "gram"):
        law = spectrum(network, points=400, matrix=matrix)
        assume(law.bulks[0, 0] > 0)
        x = offset * law.bulks[0, 0]
        try:
            value = complex(stieltjes(network, x, matrix))
        except ArithmeticError:  # said, not guessed: deep square layers leave no digits next to zero
            reject()
        if law.atom == 0:
            assert value == pytest.approx(law.integral(lambda x: 1 / x), rel=5e-3)
        elif x != 0:
            assert value == pytest.approx(np.sum(law.weights / law.grid) - law.atom / x, rel=5e-3)
        else:
            assert value.real == np.inf
