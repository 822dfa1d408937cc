"""The tangent kernel at proportional widths: exact limits, Fan and Wang's recursion, the actual networks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import marchenko_pastur_nodes, tangent_nested

from rmtcore import (
    ACTIVATIONS,
    Activation,
    Layer,
    Network,
    Population,
    derivative_energy,
    draw_tangent,
    kolmogorov_smirnov,
    spectrum,
    stieltjes,
    tangent_spectrum,
    tangent_stieltjes,
    tangent_weights,
    wasserstein1,
    z_score,
)
from rmtcore.agreement import cdf


def network(p, layers, n, normalise=False, population=None):
    pairs = [layer.split() for layer in layers.split(", ")] if layers else []
    built = [Layer(int(width), name, normalise) for width, name in pairs]
    return Network(population or Population.identity(p), built, samples=n)


DEEP = network(200, "300 tanh, 300 tanh, 300 tanh", 400, normalise=True)
CASES = {
    "wide": network(200, "600 swish, 800 relu", 100),
    "equal": network(100, "100 gelu, 100 sin", 100, normalise=True),
    "deep": DEEP,
    "two atoms": network(0, "400 swish, 100 relu", 100, population=Population.atoms([1, 10], [0.5, 0.5], 100)),
    "atom": network(50, "50 relu", 200),
    "blind": network(50, "50 relu, 150 abs, 50 gelu", 200),
    "linear": network(50, "150 identity, 70 identity", 100),
    "narrow data": network(20, "100 tanh", 100),
}


# --- What it is made of ---------------------------------------------------------------------------


def test_weights_and_floor_of_normalised_layers():
    """q_l = b^(2(L - l)) and r_+ = sum_(l<L) (a^(L-l) - q_l), with b = E phi' and a = E phi'^2."""
    q, floor = tangent_weights(DEEP)
    size = DEEP.layers[0].scale(1.0)
    b2 = (DEEP.moments()[0].mu1) ** 2
    a = derivative_energy("tanh", 1.0) / size**2
    np.testing.assert_allclose(q, b2 ** np.array([3, 2, 1, 0]), rtol=1e-12)
    assert floor == pytest.approx(sum(a**k - b2**k for k in (1, 2, 3)), rel=1e-12)


def test_linear_layers_have_no_floor():
    q, floor = tangent_weights(CASES["linear"])
    np.testing.assert_array_equal(q, [1, 1, 1])
    assert floor == 0


# --- Exact limits ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("p", "n"), [(50, 200), (200, 200), (400, 100)])
def test_without_layers_it_is_the_gram_matrix(p, n):
    """K = X'X = (n/p) F'F/n."""
    population = Population.atoms([1, 6], [0.5, 0.5], p)
    law = tangent_spectrum(Network(population, samples=n))
    gram = spectrum(Network(population, samples=n), matrix="gram")
    np.testing.assert_allclose(law.bulks, gram.bulks * (n / p), rtol=1e-9, atol=1e-12)
    assert law.atom == pytest.approx(gram.atom)
    inside = np.interp(law.grid * p / n, gram.grid, gram.cdf)
    assert np.max(np.abs(law.cdf - inside)) < 2e-3
    z = np.array([1 + 0.5j, -2 + 0.1j, 3 - 1j])
    expected = stieltjes(Network(population, samples=n), z * p / n, "gram") * p / n
    np.testing.assert_allclose(tangent_stieltjes(Network(population, samples=n), z), expected, rtol=1e-10)


def test_infinitely_wide_layers_leave_the_data():
    """Widths >> n: b1 X'X + (kappa^2 - b1) I of infinite width, with X'X nearly its expectation I for p >> n."""
    wide = network(40_000, "4000000 relu, 4000000 relu", 20)
    law = tangent_spectrum(wide)
    moments = wide.moments()
    energy = 1.0
    total = moments[1].variance
    for layer in (1, 0):
        energy *= 0.5
        total += wide.input_variance(layer) * energy
    assert law.integral(lambda x: x) == pytest.approx(total, rel=1e-9)
    assert law.bulks[0, 1] - law.bulks[0, 0] < 0.1 * total


@pytest.mark.parametrize("name", list(CASES))
def test_health_mass_and_mean(name):
    """Mean = sum over layers of variance times the product of E phi'^2 above: exact, at any ratio."""
    case = CASES[name]
    law = tangent_spectrum(case)
    assert law.health.certified
    assert law.health.residual < 1e-12
    assert law.health.mass_error < 1e-5
    mean, energy = case.moments()[-1].variance, 1.0
    for index in range(len(case.layers) - 1, -1, -1):
        variance, layer = case.input_variance(index), case.layers[index]
        energy *= derivative_energy(layer.activation, variance) / layer.scale(variance) ** 2
        mean += variance * energy
    assert law.integral(lambda x: x) == pytest.approx(mean, rel=1e-5)
    assert np.all(np.diff(law.grid) > 0)
    assert np.all(np.diff(law.cdf) >= 0)
    assert law.cdf[-1] == pytest.approx(1, abs=1e-5)
    assert law.bulks[0, 0] >= law.atom_at


def test_atom_sits_at_the_floor():
    law = tangent_spectrum(CASES["atom"])
    assert law.atom_at == pytest.approx(0.25, rel=1e-12)  # tau_0^2 (E phi'^2 - (E phi')^2) = 1/2 - 1/4
    assert law.atom == pytest.approx(0.5)
    assert cdf(law, 0.2499) == 0
    assert cdf(law, 0.2501) == pytest.approx(0.5)
    assert law.integral(np.ones_like) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", ["narrow data", "deep", "atom"])
def test_points_and_edges(name):
    """Edges do not depend on the grid; beyond them the density is zero, as seen from just above the axis."""
    fine, coarse = (tangent_spectrum(CASES[name], points) for points in (600, 64))
    np.testing.assert_allclose(fine.bulks, coarse.bulks, rtol=1e-8)
    width = fine.bulks[:, 1] - fine.bulks[:, 0]
    step = 1e-3 * width[:, None] * np.array([-1, 1])
    outside, inside = fine.bulks + step, fine.bulks - step
    eta = 1e-7
    gaps = tangent_stieltjes(CASES[name], outside + 1j * eta).imag
    bulk = tangent_stieltjes(CASES[name], inside + 1j * eta).imag
    assert np.all(gaps < 1e-2 * bulk)


def test_a_hard_edge_at_the_floor():
    """As many independent directions as samples: the density diverges at r_+."""
    law = tangent_spectrum(network(200, "200 relu", 400))
    assert law.bulks[0, 0] == law.atom_at
    assert law.atom == 0
    assert law.health.mass_error < 1e-5


def test_narrow_gaps_are_found():
    law = tangent_spectrum(network(100, "300 tanh, 300 tanh", 400, True, Population.power_law(1.0, 100)))
    assert law.health.certified
    assert law.health.mass_error < 1e-4
    assert len(law.bulks) == 6
    assert np.min(law.bulks[1:, 0] - law.bulks[:-1, 1]) < 0.3


def test_a_gap_between_grid_points_is_found():
    """A linear equivalent has no eigenvalue inside it."""
    case = network(67, "19 gelu, 464 leaky_relu", 211)
    law = tangent_spectrum(case)
    assert law.health.certified
    assert len(law.bulks) == 2
    gap = law.bulks[0, 1], law.bulks[1, 0]
    eigenvalues = draw_tangent(case, 1, "linear")
    middle, half = 0.5 * (gap[0] + gap[1]), 0.4 * (gap[1] - gap[0])
    assert not np.any(np.abs(eigenvalues - middle) < half)
    below = law.weights[law.grid < middle].sum() * case.samples
    assert np.count_nonzero(eigenvalues < middle) == pytest.approx(below, abs=1.5)


@given(seed=st.integers(0, 10**6))
def test_any_network_has_a_certified_law(seed):
    rng = np.random.default_rng(seed)
    names = [name for name, one in ACTIVATIONS.items() if one.derivative is not None]
    layers = [
        Layer(int(10 ** rng.uniform(1, 3)), names[rng.integers(len(names))], True) for _ in range(rng.integers(5))
    ]
    dim, samples = int(10 ** rng.uniform(1, 2.5)), int(10 ** rng.uniform(1, 3))
    population = (Population.identity(dim), Population.toeplitz(0.6, dim))[rng.integers(2)]
    law = tangent_spectrum(Network(population, layers, samples=samples))
    assert law.health.certified
    assert law.health.mass_error < 1e-4
    assert np.all(np.diff(law.bulks.ravel()) > 0)
    assert law.bulks[0, 0] >= law.atom_at


# --- Fan and Wang's recursion ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["wide", "equal", "deep", "atom"])
def test_stieltjes_transform_is_that_of_the_recursion(name):
    """Nested functions, each with its own fixed point, from the definition."""
    case = CASES[name]
    q, floor = tangent_weights(case)
    moments = case.moments()
    nu, mu2 = [one.mu_star2 for one in moments], [one.mu1**2 for one in moments]
    g = [case.samples / layer.width for layer in case.layers]
    law = tangent_spectrum(case)
    points = np.quantile(law.grid, [0.1, 0.8]) + 1j * law.integral(lambda x: x)
    z = np.array([floor - points, *(np.full(2, weight) for weight in q)], complex)
    w = np.zeros_like(z)
    w[0] = 1
    nodes = marchenko_pastur_nodes(case.samples / case.population.dim)
    tolerance = 1e-9 if len(g) < 3 else 1e-6
    nested = tangent_nested(z, w, g, nu, mu2, nodes, tolerance)
    np.testing.assert_allclose(tangent_stieltjes(case, points), nested, rtol=10 * tolerance)


@pytest.mark.parametrize("name", list(CASES))
def test_law_and_transform_are_one(name):
    law = tangent_spectrum(CASES[name])
    z = law.integral(lambda x: x) * np.array([0.5 + 0.5j, 1 - 0.3j, -1 + 0.1j])
    expected = [(law.weights / (law.grid - at)).sum() + law.atom / (law.atom_at - at) for at in z]
    np.testing.assert_allclose(tangent_stieltjes(CASES[name], z), expected, rtol=1e-5)


# --- Random networks ------------------------------------------------------------------------------


def scaled(case, factor):
    population = Population.atoms(
        case.population.eigenvalues, case.population.counts, int(case.population.dim * factor)
    )
    layers = [Layer(int(layer.width * factor), layer.activation, layer.normalise) for layer in case.layers]
    return Network(population, layers, samples=int(case.samples * factor))


@pytest.mark.parametrize("name", list(CASES))
def test_linear_networks_follow_the_law(name):
    """The linear equivalent, one draw at n of some hundreds: distance O(1/n), far below the spacing of a histogram."""
    case = scaled(CASES[name], 2)
    law = tangent_spectrum(case)
    eigenvalues = draw_tangent(case, 1, "linear")
    assert wasserstein1(eigenvalues, law) < 8 / case.samples * eigenvalues.mean()
    assert np.mean(eigenvalues == law.atom_at) == pytest.approx(law.atom, abs=1e-12)
    assert kolmogorov_smirnov(eigenvalues, law) < 5 / case.samples + 0.01


@pytest.mark.parametrize("name", ["wide", "equal", "two atoms", "narrow data"])
def test_actual_networks_approach_the_law(name):
    """All gradients of all weights: the mean eigenvalue within its Monte-Carlo error, the distance falling with n."""
    distances = []
    for factor, draws in ((0.5, 24), (4, 3)):
        case = scaled(CASES[name], factor)
        law = tangent_spectrum(case)
        found = [draw_tangent(case, (3, seed)) for seed in range(draws)]
        mean = law.integral(lambda x: x)
        if draws > 20:
            score = z_score([one.mean() for one in found], mean)
            # the mean is exact in the limit; 1/width is left at finite size
            assert abs(score.mean - mean) < 4.5 * score.standard_error + mean / case.layers[0].width
        # the readout's random length moves a whole spectrum: each is compared at its own mean
        distances.append(np.mean([wasserstein1(one * mean / one.mean(), law) for one in found]) / mean)
    assert distances[1] < 0.65 * distances[0]
    assert distances[1] < 0.08


def test_same_seed_same_draw():
    case = CASES["equal"]
    for reading in ("actual", "linear"):
        np.testing.assert_array_equal(draw_tangent(case, 7, reading), draw_tangent(case, (7,), reading))
    assert not np.allclose(draw_tangent(case, 7), draw_tangent(case, 8))


def test_trouble_is_named():
    with pytest.raises(ValueError, match="no tangent kernel"):
        tangent_spectrum(network(20, "30 sign", 40))
    own = Activation("own", np.tanh)
    with pytest.raises(ValueError, match="must declare a derivative"):
        tangent_spectrum(Network(Population.identity(20), [Layer(30, own)], samples=40))
    with pytest.raises(ValueError, match="'points' parameter must be an integer >= 32"):
        tangent_spectrum(CASES["equal"], 10)
    with pytest.raises(ValueError, match="'reading' parameter must be 'actual' or 'linear'"):
        draw_tangent(CASES["equal"], 1, "both")
    with pytest.raises(ValueError, match="'z' parameter must be off the real axis"):
        tangent_stieltjes(CASES["equal"], 1.0)
    assert math.isfinite(tangent_spectrum(CASES["equal"], 32).health.residual)
