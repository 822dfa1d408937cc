"""The limiting spectrum: closed forms, edges and gaps, the real axis, the actual network, outliers."""

import math
from fractions import Fraction

import numpy as np
import pytest
from naive import chain_numbers, count_edges, edges_polynomial, gram_fixed_point
from scipy.integrate import quad
from scipy.linalg import eigh

from rmtcore import Layer, Network, Population, spectrum, stieltjes

SIDES = ["covariance", "gram"]
RATIOS = {
    0.01: (10, 1000),
    0.1: (100, 1000),
    0.5: (200, 400),
    1: (300, 300),
    2: (400, 200),
    20: (1000, 50),
    100: (1000, 10),
}


# --- Marchenko and Pastur -------------------------------------------------------------------------


def marchenko_pastur(x, c):
    """Density of the covariance side, away from zero."""
    low, high = (1 - math.sqrt(c)) ** 2, (1 + math.sqrt(c)) ** 2
    return np.sqrt(np.maximum((x - low) * (high - x), 0)) / (2 * np.pi * c * x)


@pytest.mark.parametrize("matrix", SIDES)
@pytest.mark.parametrize("c", RATIOS)
def test_marchenko_pastur_edges_density_atom_and_distribution(c, matrix):
    p, n = RATIOS[c]
    law = spectrum(Network(Population.identity(p), samples=n), matrix=matrix)
    edges = np.array([(1 - math.sqrt(c)) ** 2, (1 + math.sqrt(c)) ** 2])
    assert law.bulks.shape == (1, 2)
    np.testing.assert_allclose(law.bulks[0], edges, rtol=1e-12, atol=0)
    side = 1 if matrix == "covariance" else c
    assert law.atom == pytest.approx(max(1 - 1 / c, 0) if matrix == "covariance" else max(1 - c, 0), abs=1e-15)
    inner = (law.grid > edges[0]) & (law.grid < edges[1])
    # next to an edge the closed form itself loses digits: there x is known no better than the edge
    gap = np.min(np.abs(law.grid[inner, None] - edges), axis=1) / law.grid[inner]
    error = np.abs(law.density[inner] / (side * marchenko_pastur(law.grid[inner], c)) - 1)
    assert np.max(error * np.minimum(1, gap / 1e-4)) < 1e-10
    assert law.health.mass_error < 1e-4
    for at in (len(law.grid) // 4, len(law.grid) // 2):
        # x = u^2 takes the square root, or the hard edge, out of the integrand
        lower, upper = np.sqrt(edges[0]), np.sqrt(law.grid[at])
        mass, _ = quad(lambda u: 2 * u * marchenko_pastur(u * u, c), max(lower, 1e-12), upper, epsabs=1e-10)
        assert law.cdf[at] == pytest.approx(law.atom + side * mass, abs=1e-4)
    assert law.cdf[-1] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("c", RATIOS)
def test_marchenko_pastur_stieltjes_equation(c):
    """c z m^2 - (1 - c - z) m + 1 = 0, and z m^2 + (1 - c + z) m + 1 = 0 on the Gram side."""
    p, n = RATIOS[c]
    network = Network(Population.identity(p), samples=n)
    top = (1 + math.sqrt(c)) ** 2
    z = np.concatenate([top * np.array([-2, -0.1, 1e-3j, 0.3 + 1e-6j, 0.5 + 0.2j, 1 + 1e-9j, 1.5, 3 + 4j, 1e6, 1e4j])])
    for m, ratio in ((stieltjes(network, z), c), (stieltjes(network, z, "gram"), None)):
        terms = [c * z * m**2, -(1 - c - z) * m] if ratio else [z * m**2, (1 - c + z) * m]
        assert np.all(np.abs(sum(terms) + 1) < 1e-12 * (1 + sum(map(abs, terms))))
        assert np.all(m.imag[z.imag > 0] > 0)
        assert np.all(m.imag[z.imag == 0] == 0)
        assert m[-2] == pytest.approx(-1 / z[-2], rel=1e-4)


def test_marchenko_pastur_hard_edge():
    """At p = n the density is sqrt((4 - x)/x)/(2 pi): it diverges as 1/(pi sqrt(x)) and has mass 1."""
    law = spectrum(Network(Population.identity(200), samples=200))
    assert law.bulks[0, 0] == 0
    assert law.atom == 0
    assert law.grid[0] > 0
    assert np.all(np.isfinite(law.density))
    assert law.density[0] * np.sqrt(law.grid[0]) == pytest.approx(1 / np.pi, rel=1e-6)
    assert law.weights.sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 6, 10])
def test_square_deep_linear_network_is_fuss_catalan(depth):
    """A product of s = L + 1 square matrices: moments binom((s+1)k, k)/(sk + 1), hard edge x^-s/(s+1)."""
    s = depth + 1
    network = Network(Population.identity(100), [Layer(100, "identity")] * depth, samples=100)
    law = spectrum(network)
    assert law.bulks[0, 0] == 0
    assert law.bulks[0, 1] == pytest.approx((s + 1) ** (s + 1) / s**s, rel=1e-12)
    assert np.all(np.isfinite(law.density))
    assert law.health.certified
    assert law.weights.sum() == pytest.approx(1, abs=1e-4)
    tail = law.grid[:20]
    exponent = np.polyfit(np.log(tail), np.log(law.density[:20]), 1)[0]
    assert exponent == pytest.approx(-s / (s + 1), abs=1e-3)
    constant = law.density[0] * law.grid[0] ** (s / (s + 1))
    assert constant == pytest.approx(math.sin(np.pi / (s + 1)) / np.pi, rel=1e-3)
    for k in (1, 2, 3):
        assert law.integral(lambda x, k=k: x**k) == pytest.approx(math.comb((s + 1) * k, k) / (s * k + 1), rel=1e-4)


@pytest.mark.parametrize(
    ("atoms", "p", "layers", "n"),
    [
        ([1], 60, "64 sigmoid, 60 identity, 60 identity, 60 identity, 60 sigmoid", 60),
        ([1], 100, "100 erf, 200 sigmoid, 100 sigmoid, 100 identity, 200 sigmoid, 200 identity", 200),
        ([1, 10], 200, "200 tanh, 214 sigmoid, 200 identity, 200 erf, 200 identity, 200 sigmoid", 200),
        ([1, 10], 100, "100 sigmoid, 100 sigmoid, 107 sigmoid, 107 identity", 107),
        ([1], 200, "200 sign, 200 sigmoid, 200 identity, 400 identity, 400 sigmoid", 400),
    ],
)
def test_a_hard_edge_far_below_a_thin_stretch_keeps_its_mass(atoms, p, layers, n):
    """Weak layers put eigenvalues decades below the rest, with hardly any between: the tail starts only there."""
    pairs = [layer.split() for layer in layers.split(", ")]
    population = Population.atoms(atoms, np.ones(len(atoms)), p)
    law = spectrum(Network(population, [Layer(int(width), name) for width, name in pairs], samples=n))
    assert law.bulks[0, 0] == 0
    assert law.health.mass_error < 1e-4
    assert law.cdf[-1] == pytest.approx(1, abs=1e-4)


def test_a_threshold_of_many_atoms_is_a_hard_edge():
    """58 + 29 + 13 = 100 whatever their shares round to."""
    rng = np.random.default_rng(0)
    for counts in [(58, 29, 13), *rng.integers(1, 200, (50, 3))]:
        p = int(np.sum(counts))
        law = spectrum(Network(Population.atoms([0.1, 1, 10], counts, p), samples=p), points=32)
        assert law.bulks[0, 0] == 0


# --- Linear statistics ----------------------------------------------------------------------------


@pytest.mark.parametrize("c", RATIOS)
def test_linear_statistics_of_marchenko_pastur(c):
    """Moments 1, 1 + c, 1 + 3c + c^2; E log x and E 1/x for c < 1; the constant counts the atom."""
    p, n = RATIOS[c]
    law = spectrum(Network(Population.identity(p), samples=n))
    for k, expected in enumerate([1, 1, 1 + c, 1 + 3 * c + c * c]):
        assert law.integral(lambda x, k=k: x**k) == pytest.approx(expected, rel=1e-4)
    if c < 1:
        assert law.integral(lambda x: 1 / x) == pytest.approx(1 / (1 - c), rel=1e-4)
        assert law.integral(np.log) == pytest.approx((c - 1) / c * math.log(1 - c) - 1, abs=1e-4)


def test_linear_statistics_use_the_value_at_the_atom():
    law = spectrum(Network(Population.identity(400), samples=100))
    assert law.atom == pytest.approx(0.75)
    assert law.integral(lambda x: np.where(x == 0, 1.0, 0.0)) == pytest.approx(0.75, abs=1e-4)
    gram = spectrum(Network(Population.identity(400), samples=100), matrix="gram")
    assert gram.integral(lambda x: 1 / x) == pytest.approx(1 / 3, rel=1e-4)  # 1/(c - 1): no atom, no 1/0


# --- Edges and gaps -------------------------------------------------------------------------------


def test_half_one_half_five_has_both_bulks():
    """The example that a large imaginary part, or a coarse grid, merges into one bulk."""
    law = spectrum(Network(Population.atoms([1, 5], [0.5, 0.5], 200), samples=400))
    np.testing.assert_allclose(law.bulks, [[0.1247, 1.6594], [1.6775, 11.538]], atol=5e-4)
    np.testing.assert_allclose(law.bulks.ravel(), edges_polynomial([1, 5], [100, 100], 400), rtol=1e-10)
    first = law.grid <= law.bulks[0, 1]
    assert law.weights[first].sum() == pytest.approx(0.5, abs=1e-4)
    assert law.health.certified


@pytest.mark.parametrize(
    ("atoms", "counts"),
    [
        ((1, 5), (1, 1)),
        ((1, 2), (1, 1)),
        ((100, 101), (1, 1)),
        ((1, 30), (1, 10**6)),
        ((1, 30), (10**6, 1)),
        ((1, 3, 10), (1, 1, 1)),
        ((1, 2, 4, 1000), (5, 2, 1, 1)),
    ],
)
def test_a_gap_opens_where_sturm_says(atoms, counts):
    """The n at which the last gap opens, by bisection on the exact count; then one part in 1e11 beside it."""
    counts = [count * 10**9 for count in counts]
    p, k = sum(counts), len(atoms)
    low, high = p // 1000, p * 10**6
    assert count_edges(atoms, counts, low) < 2 * k == count_edges(atoms, counts, high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if count_edges(atoms, counts, middle) == 2 * k else (middle, high)
    for n in (high - high // 10**11 - 1, high + high // 10**11 + 1):
        population = Population.atoms(atoms, counts, p)
        law = spectrum(Network(population, samples=n), points=64)
        assert 2 * len(law.bulks) == count_edges(atoms, counts, n)
        assert law.health.certified
        assert law.health.mass_error < 1e-4


def test_sturm_counts_the_edges_of_known_examples():
    """One bulk for one atom (at p = n its left edge is at t = infinity), two bulks for far atoms."""
    assert count_edges([1], [100], 400) == 2
    assert count_edges([1], [100], 100) == 1
    assert count_edges([1, 5], [100, 100], 400) == 4
    assert count_edges([Fraction(1), Fraction(5)], [100, 100], 300) == 2


def test_a_gap_through_layers_holds_no_density_and_splits_the_mass():
    """Two atoms far apart stay apart through a tanh and a relu layer; the fixed point sees the gap too."""
    population = Population.atoms([0.05, 20], [0.5, 0.5], 100)
    network = Network(population, [Layer(4000, "tanh"), Layer(6000, "relu")], samples=40_000)
    law = spectrum(network, matrix="gram")
    assert len(law.bulks) == 2
    middles = 0.5 * (law.bulks[:-1, 1] + law.bulks[1:, 0])
    above = gram_fixed_point(middles + 1e-6j * middles, *chain_numbers(network))
    assert np.all(np.abs(above.imag) < 1e-3 * np.abs(above.real))
    # the strong half of the data is the highest bulk: 50 of the 40000
    assert law.weights[law.grid >= law.bulks[-1, 0]].sum() == pytest.approx(50 / 40_000, rel=1e-3)


@pytest.mark.parametrize("scale", [1e-40, 1e-9, 1e9, 1e40])
def test_the_law_scales_with_the_data(scale):
    for layers in ([], [Layer(150, "relu"), Layer(100, "identity")]):
        one, other = (
            spectrum(Network(Population.atoms([s, 5 * s], [0.5, 0.5], 100), layers, samples=200)) for s in (1.0, scale)
        )
        np.testing.assert_allclose(other.bulks, scale * one.bulks, rtol=1e-9)
        np.testing.assert_allclose(other.density * scale, one.density, rtol=1e-6, atol=1e-9)


def test_both_sides_share_their_bulks_and_differ_by_zeros():
    network = Network(Population.toeplitz(0.6, 120), [Layer(90, "relu")], samples=300)
    covariance, gram = (spectrum(network, matrix=side) for side in SIDES)
    np.testing.assert_array_equal(covariance.bulks, gram.bulks)
    np.testing.assert_allclose(90 * covariance.density, 300 * gram.density, rtol=1e-12)
    assert (covariance.atom, gram.atom) == (0, pytest.approx(0.7))


@pytest.mark.parametrize(
    ("p", "widths", "n"),
    [(100, [60], 200), (100, [150], 200), (100, [150], 90), (100, [150], 150), (100, [40, 150], 200)],
)
def test_the_atom_counts_the_missing_ranks_of_linear_and_nonlinear_layers(p, widths, n):
    """relu has full rank (its noise part), identity only the smallest width."""
    relu = spectrum(Network(Population.identity(p), [Layer(d, "relu") for d in widths], samples=n))
    linear = spectrum(Network(Population.identity(p), [Layer(d, "identity") for d in widths], samples=n))
    d = widths[-1]
    assert linear.atom == pytest.approx(1 - min(p, n, *widths) / d)
    assert relu.atom == pytest.approx(1 - min(n, d) / d)


# --- The Stieltjes transform at awkward places ----------------------------------------------------


def test_the_transform_keeps_the_shape_and_the_kind_of_its_argument():
    network = Network(Population.identity(50), samples=100)
    assert stieltjes(network, 1j).shape == ()
    assert stieltjes(network, np.zeros((0,))).shape == (0,)
    assert stieltjes(network, [[1j, 2.0], [3.0, -1.0]]).shape == (2, 2)
    assert stieltjes(network, 2.0).dtype == complex


def test_the_transform_at_zero_is_the_mean_inverse_eigenvalue():
    """1/(1 - c) for c < 1 on the covariance side, infinite on the Gram side, which has zeros there."""
    network = Network(Population.identity(100), samples=200)
    assert stieltjes(network, 0.0) == pytest.approx(2, rel=1e-12)
    assert stieltjes(network, 0.0, "gram").real == np.inf
    other = Network(Population.identity(200), samples=100)
    assert stieltjes(other, 0.0, "gram") == pytest.approx(1, rel=1e-12)
    assert stieltjes(other, 0.0).real == np.inf
    hard = Network(Population.identity(100), samples=100)
    assert np.isinf(stieltjes(hard, 0.0).real)


@pytest.mark.parametrize("z", [1e-12, -1e-12, 1e-9j, 1e-6 + 1e-9j])
def test_the_transform_next_to_zero_is_the_mean_inverse_eigenvalue(z):
    """Small z off the support, both where p > n and behind layers: nothing cancels, nothing fails."""
    for layers, p, n in (([], 100, 200), ([Layer(300, "identity"), Layer(50, "relu")], 100, 200)):
        network = Network(Population.identity(p), layers, samples=n)
        expected = spectrum(network).integral(lambda x: 1 / x)
        assert stieltjes(network, z) == pytest.approx(expected, rel=1e-4)
    wide = Network(Population.identity(200), samples=100)
    assert stieltjes(wide, z, "gram") == pytest.approx(1, rel=1e-5)
    assert stieltjes(wide, z) * z == pytest.approx(-0.5, rel=1e-4)


@pytest.mark.parametrize("width", [20, 100, 500])
@pytest.mark.parametrize("activation", ["identity", "tanh", "relu", "sigmoid"])
def test_the_transform_right_of_the_support_behind_a_layer(activation, width):
    """A narrow layer stretches kappa_0: the search for it must reach that far."""
    network = Network(Population.identity(100), [Layer(width, activation)], samples=100)
    right = spectrum(network).bulks[-1, 1]
    for factor in (1.05, 1.5, 3.0, 100.0):
        value, beside = stieltjes(network, [factor * right, factor * right * (1 + 1e-9j)])
        assert value == pytest.approx(beside.real, rel=1e-7)
        assert value.imag == 0


@pytest.mark.parametrize("depth", [1, 5, 10])
def test_the_transform_far_out_is_minus_one_over_z_however_much_the_layers_attenuate(depth):
    """Ten sigmoid layers pass on 1e-11 of what comes in; kappa_0 is as much larger."""
    network = Network(Population.identity(200), [Layer(200, "sigmoid")] * depth, samples=400)
    for z in (1e-3j, 0.002 + 0.01j, 1j, 5 - 3j):
        law = spectrum(network, matrix="gram")
        expected = np.sum(law.weights / (law.grid - z)) - law.atom / z
        assert stieltjes(network, z, "gram") == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("variance", [20, 24, 26, 28, 30, 32])
@pytest.mark.parametrize("above", [[], ["relu"], ["identity", "tanh"]], ids=str)
def test_the_transform_behind_a_layer_that_hardly_passes_a_signal(variance, above):
    """sin at variance q has a linear share of 2 q exp(-q): 8e-8 to 8e-13 of what it puts out."""
    population = Population.atoms([variance], [1], 100)
    network = Network(population, [Layer(100, name) for name in ["sin", *above]], samples=100)
    law = spectrum(network)
    right = law.bulks[-1, 1]
    for z in (-0.01, -1, -100, 1.1, 3, 100, 0.5j, -0.01 + 1e-6j, 0.5 + 0.5j):
        expected = np.sum(law.weights / (law.grid - z * right)) - (law.atom / (z * right) if law.atom else 0)
        assert stieltjes(network, z * right) == pytest.approx(expected, rel=2e-3)


def test_arguments_out_of_range_are_named():
    network = Network(Population.identity(50), samples=100)
    for call in (spectrum, lambda n, matrix: stieltjes(n, 1j, matrix)):
        with pytest.raises(ValueError, match=r"'matrix' parameter must be .* Got 'gramm' instead"):
            call(network, matrix="gramm")
    for points in (31, 0, -1, 64.5, "many"):
        with pytest.raises(ValueError, match=f"'points' parameter must be an integer >= 32. Got {points!r}"):
            spectrum(network, points=points)
    for z in (np.nan, np.inf, [1j, complex(0, np.inf)]):
        with pytest.raises(ValueError, match="'z' parameter must be finite"):
            stieltjes(network, z)


# --- The actual nonlinear network -----------------------------------------------------------------

FUNCTIONS = {"tanh": np.tanh, "relu": lambda t: np.maximum(t, 0), "sign": np.sign}


def features(network, rng):
    """X and the centred features of the network itself, drawn in a few lines that know no equivalent."""
    population, n = network.population, network.samples
    data = np.sqrt(population.spectrum)[:, None] * rng.standard_normal((population.dim, n))
    h = data
    for layer, moments in zip(network.layers, network.moments(), strict=True):
        weights = rng.standard_normal((layer.width, h.shape[0]))
        h = FUNCTIONS[layer.activation.name](weights @ h / np.sqrt(h.shape[0])) - moments.mean
    return data, h


def distance(eigenvalues, law):
    """Kolmogorov-Smirnov distance; the law's distribution function is linear between its grid points."""
    values = np.sort(eigenvalues)
    positive = values > 1e-9 * values[-1]
    expected = np.interp(values[positive], law.grid, law.cdf, left=law.atom, right=1)
    rank = np.arange(values.size)[positive]
    steps = np.stack([rank, rank + 1]) / values.size
    return max(np.max(np.abs(steps - expected)), abs(np.mean(~positive) - law.atom))


@pytest.mark.parametrize("across", [0.5, 1, 2])
@pytest.mark.parametrize("ratio", [0.5, 1, 2])
@pytest.mark.parametrize("activation", FUNCTIONS)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_nonlinear_network_has_the_predicted_spectrum(depth, activation, ratio, across):
    """Pooled eigenvalues of the draws, p/n = ratio and width/n = across, and the first two trace moments.

    Eigenvalues are rigid: the distribution function of one draw strays by O(1/d) only, and so does the pooled
    one. A relu layer takes one unit more, since the features' mean, which differs between neurons, is an
    outlying direction per layer. Hence 3/d, and (3 + depth)/d for relu; nu wrong by 5 % breaks it.
    Moments: 3 standard errors over the draws, plus O(1/n): (1 + depth)/n relative, for the second moment
    twice that, and for relu 10 depth/n, the squares of its outlying directions.
    """
    n, draws = 300, 8
    population = [
        Population.atoms([0.5, 2], [0.5, 0.5], int(ratio * n)),
        Population.toeplitz(0.4, int(ratio * n)),
    ]
    population = population[depth % 2]
    network = Network(population, [Layer(int(across * n), activation)] * depth, samples=n)
    law = spectrum(network, points=800)
    d = network.feature_dim
    found = []
    for seed in range(draws):
        _, h = features(network, np.random.default_rng([depth, d, population.dim, seed]))
        values = np.linalg.eigvalsh(h @ h.T / n if d <= n else h.T @ h / n)
        found.append(np.concatenate([np.zeros(max(d - n, 0)), np.maximum(values, 0)]))
    found = np.array(found)
    relu = activation == "relu"
    assert distance(found.ravel(), law) < (3 + depth * relu) / min(d, n)
    for power, slack in ((1, 1 + depth), (2, 10 * depth if relu else 2 * (1 + depth))):
        expected = law.integral(lambda x, k=power: x**k)
        means = np.mean(found**power, axis=1)
        error = np.std(means, ddof=1) / np.sqrt(draws)
        assert abs(means.mean() - expected) < 3 * error + slack / n * expected


# --- Outliers -------------------------------------------------------------------------------------


def outliers(spikes, c, layers=()):
    n = 400
    return spectrum(Network(Population.spiked(spikes, int(c * n)), layers, samples=n)).outliers


@pytest.mark.parametrize("c", [0.25, 0.5, 1, 2, 4])
@pytest.mark.parametrize("times", [1.01, 1.5, 3, 30])
def test_a_spike_above_the_transition_has_the_position_and_overlap_of_the_closed_form(c, times):
    strength = times * math.sqrt(c)
    (found,) = outliers([1 + strength], c)
    assert found.spike == pytest.approx(1 + strength)
    assert found.separated
    assert found.position == pytest.approx((1 + strength) * (1 + c / strength), rel=1e-12)
    assert found.overlap == pytest.approx((1 - c / strength**2) / (1 + c / strength), rel=1e-9)
    assert found.score_overlap == pytest.approx(1 - c / strength**2, rel=1e-9)


@pytest.mark.parametrize("c", [0.25, 0.5, 1, 2, 4])
def test_the_transition_is_at_the_square_root_of_c(c):
    critical, edge = 1 + math.sqrt(c), (1 + math.sqrt(c)) ** 2
    below, above = outliers([critical * (1 - 1e-9), critical * (1 + 1e-9)], c)
    assert (below.separated, above.separated) == (False, True)
    assert (below.overlap, below.score_overlap) == (0, 0)
    assert 0 < above.overlap < 1e-7
    assert below.position == pytest.approx(edge, rel=1e-12)
    assert above.position == pytest.approx(edge, rel=1e-12)


def test_a_spike_below_the_bulk_comes_out_on_its_left_where_there_are_samples_enough():
    """l in (-1, -sqrt c): possible for c < 1 only; else the spike sticks to the lower edge."""
    c = 0.25
    low, high = outliers([0.5 * (1 - 1e-9), 0.5 * (1 + 1e-9)], c)
    assert (low.separated, high.separated) == (True, False)
    assert high.position == pytest.approx(0.25, rel=1e-12)
    strength = -0.8
    (found,) = outliers([1 + strength], c)
    assert found.position == pytest.approx((1 + strength) * (1 + c / strength), rel=1e-12)
    assert found.position < 0.25
    assert found.overlap == pytest.approx((1 - c / strength**2) / (1 + c / strength), rel=1e-9)
    assert not outliers([0.01], 2)[0].separated
    assert outliers([0.01], 2)[0].position == pytest.approx((1 - math.sqrt(2)) ** 2, rel=1e-12)


def test_a_small_spike_at_the_hard_edge_sticks_to_zero():
    (found,) = outliers([0.01], 1)
    assert not found.separated
    assert found.position == 0


def test_several_spikes_are_independent_and_listed_in_ascending_order():
    found = outliers([8.0, 0.2, 3.0, 1.2, 3.0], 0.25)
    assert [one.spike for one in found] == [0.2, 1.2, 3.0, 3.0, 8.0]
    assert [one.separated for one in found] == [True, False, True, True, True]
    assert found[2] == found[3]
    assert found[4].position == pytest.approx(8 * (1 + 0.25 / 7))
    assert np.all(np.diff([one.position for one in found]) >= 0)


def test_spikes_carry_no_mass_in_the_law():
    plain = spectrum(Network(Population.identity(200), samples=400))
    spiked = spectrum(Network(Population.spiked([5.0, 9.0], 200), samples=400))
    np.testing.assert_allclose(spiked.density, plain.density, rtol=1e-9)
    np.testing.assert_allclose(spiked.bulks, plain.bulks, rtol=1e-12)
    assert plain.outliers == ()


def test_an_even_activation_hides_every_spike():
    assert outliers([20.0], 0.5, [Layer(300, "abs")]) == ()


@pytest.mark.parametrize("layers", [[Layer(600, "identity")], [Layer(600, "tanh"), Layer(500, "relu")]])
def test_behind_layers_a_spike_separates_later_and_overlaps_less(layers):
    direct, behind = outliers([6.0], 0.5)[0], outliers([6.0], 0.5, layers)[0]
    assert behind.separated
    assert math.isnan(behind.overlap)
    assert behind.score_overlap < direct.score_overlap
    assert outliers([1.75], 0.5)[0].separated
    assert not outliers([1.75], 0.5, layers)[0].separated


@pytest.mark.parametrize(
    "layers",
    [[], ["tanh"], ["relu"], ["tanh", "tanh"], ["relu", "relu"], ["tanh", "relu"]],
    ids=lambda names: "-".join(names) or "linear",
)
@pytest.mark.parametrize("across", [0.5, 1.5])
def test_the_nonlinear_network_has_the_predicted_outlier(layers, across):
    """Position, and squared cosine between the top Gram eigenvector and the samples' scores along the spike.

    Within 3 standard errors over the draws, plus 1/sqrt(n) relative for the position and 0.2/sqrt(n) for
    the cosine.
    """
    p, n, draws = 300, 600, 16
    network = Network(Population.spiked(20.0, p), [Layer(int(across * n), name) for name in layers], samples=n)
    law = spectrum(network)
    (predicted,) = law.outliers
    assert predicted.separated
    positions, cosines, overlaps = [], [], []
    for seed in range(draws):
        data, h = features(network, np.random.default_rng([seed, len(layers)]))
        d = h.shape[0]
        (top,), vector = eigh(h @ h.T / n, subset_by_index=(d - 1, d - 1))
        positions.append(top)
        scores = data[-1]  # the spike is the largest eigenvalue, so the last coordinate
        cosines.append((vector[:, 0] @ h @ scores) ** 2 / (top * n) / (scores @ scores))
        overlaps.append(vector[-1, 0] ** 2)
    for found, expected, slack in (
        (positions, predicted.position, predicted.position / np.sqrt(n)),
        (cosines, predicted.score_overlap, 0.2 / np.sqrt(n)),
        (overlaps, predicted.overlap, 0.2 / np.sqrt(n)),
    ):
        if not math.isnan(expected):
            assert abs(np.mean(found) - expected) < 3 * np.std(found, ddof=1) / np.sqrt(draws) + slack


def test_a_spike_below_the_bulk_is_found_there():
    """The smallest eigenvalue and its vector, l = -0.9 and c = 1/4: position, overlap and score overlap."""
    p, n, draws = 200, 800, 12
    network = Network(Population.spiked(0.1, p), samples=n)
    (predicted,) = spectrum(network).outliers
    found = []
    for seed in range(draws):
        data, _ = features(network, np.random.default_rng(seed))
        u, values, v = np.linalg.svd(data, full_matrices=False)
        found.append([values[-1] ** 2 / n, u[0, -1] ** 2, (v[-1] @ data[0]) ** 2 / (data[0] @ data[0])])
    expected = [predicted.position, predicted.overlap, predicted.score_overlap]
    error = 3 * np.std(found, axis=0, ddof=1) / np.sqrt(draws)
    slack = np.array([predicted.position, 0.2, 0.2]) / np.sqrt(n)
    assert np.all(np.abs(np.mean(found, axis=0) - expected) < error + slack)


def test_a_weak_direction_is_found_in_the_gap_that_a_wide_layer_opens():
    """For d >> p a tanh layer has its noise below and its signal above a gap; the spike 0.2 lies between."""
    p, d, n, draws = 80, 600, 1600, 8
    network = Network(Population.spiked(0.2, p), [Layer(d, "tanh")], samples=n)
    law = spectrum(network)
    (predicted,) = law.outliers
    assert predicted.separated
    assert law.bulks[0, 1] < predicted.position < law.bulks[1, 0]
    found = []
    for seed in range(draws):
        data, h = features(network, np.random.default_rng([seed, 7]))
        (value,), vector = eigh(h @ h.T / n, subset_by_index=(d - p, d - p))  # p - 1 eigenvalues lie above
        found.append([value, (vector[:, 0] @ h @ data[0]) ** 2 / (value * n) / (data[0] @ data[0])])
    error = 3 * np.std(found, axis=0, ddof=1) / np.sqrt(draws)
    slack = np.array([predicted.position, 0.2]) / np.sqrt(n)
    assert np.all(np.abs(np.mean(found, axis=0) - [predicted.position, predicted.score_overlap]) < error + slack)
