"""Kernel matrices: their law against its cubic, the chain and simulation; outliers, overlaps, edge cases."""

import pickle
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import kernel_edges, kernel_root
from scipy.integrate import cumulative_trapezoid
from scipy.stats import wasserstein_distance

from rmtcore import (
    ACTIVATIONS,
    DISTANCE_KERNELS,
    Activation,
    DistanceKernel,
    Network,
    Population,
    distance_kernel_spectrum,
    draw_distance_kernel,
    draw_kernel,
    hermite,
    kernel_spectrum,
    kolmogorov_smirnov,
    matching,
    spectrum,
    wasserstein1,
)
from rmtcore.agreement import cdf
from rmtcore.convolution import Convolution, plant, sample
from rmtcore.experiment import spawn_streams
from rmtcore.kernel_draws import distance_kernel, inner_kernel, norm_excess
from rmtcore.kernels import fourth_moment, get_distance_kernel

RATIOS = (0.01, 0.3, 1.0, 2.5, 100.0)
NAMES = [name for name in ACTIVATIONS if ACTIVATIONS[name].moments(1.0).variance > 0]


# --- The law against its cubic ----------------------------------------------------------------------


@pytest.mark.parametrize("c", RATIOS)
@pytest.mark.parametrize(("a", "b"), [(0.6, 0.03), (-0.8, 0.2), (1.0, 1e-3), (0.0, 2.0), (0.3, 0.0), (1e-3, 1.0)])
def test_density_is_that_of_the_cubic(a, b, c):
    law = sample(Convolution(a, b, c), 60)
    inside = np.flatnonzero(law.density)[1:-1]
    exact = np.array([kernel_root(x, a, b, c).imag / np.pi for x in law.grid[inside]])
    scale = law.density.max()
    # numpy.roots keeps half the digits where two roots meet
    middle = np.min(np.abs(law.grid[inside, None] - law.bulks.ravel()), axis=1) > 1e-3 * np.ptp(law.bulks)
    np.testing.assert_allclose(law.density[inside][middle], exact[middle], rtol=1e-6, atol=1e-9 * scale)
    assert law.health.certified
    assert law.health.residual < 1e-14


@pytest.mark.parametrize("c", RATIOS)
@pytest.mark.parametrize(("a", "b"), [(0.6, 0.03), (-0.8, 0.2), (1.0, 1e-3), (1e-3, 1.0), (2.0, 20.0)])
def test_edges_are_those_of_the_quartic(a, b, c):
    law = Convolution(a, b, c)
    found = np.sort([law.place(law.depth(kappa)) for bulk in law.edges() for kappa in bulk[:2]])
    np.testing.assert_allclose(found, kernel_edges(a, b, c), rtol=1e-9, atol=1e-9 * law.scale)
    np.testing.assert_array_equal(np.sort(sample(law, 32).bulks.ravel()), found)


@given(
    st.floats(-2.0, 2.0),
    st.floats(-14.0, 1.0).map(lambda power: 10.0**power),
    st.floats(-2.0, 2.0).map(lambda power: 10.0**power),
    st.sampled_from([-1.0, 0.0, 1.0]),
)
def test_mass_and_moments(shift, b, c, a):
    law = sample(Convolution(a, b, c, shift), 400)
    scale = np.sqrt((a * a + b) / c)
    assert law.health.certified
    assert law.health.mass_error < 4.1e-5
    assert np.all(np.diff(law.grid) >= 0)
    assert np.all(np.diff(law.cdf) >= 0)
    # free cumulants: 0, (a^2 + b)/c, a^3/c^2
    centred = [law.integral(lambda x, k=k: (x - shift) ** k) for k in (1, 2, 3)]
    width = np.max(np.abs(law.bulks - shift))
    assert centred[0] == pytest.approx(0.0, abs=1e-4 * scale)
    assert centred[1] == pytest.approx(scale**2, rel=1e-4, abs=1e-4 * width**2)
    assert centred[2] == pytest.approx(a**3 / c**2, abs=1e-4 * width**3)


@pytest.mark.parametrize("c", [0.01, 0.3, 0.9])
def test_the_gap_closes_where_it_must(c):
    # r^(1/3) + q^(1/3) = t^(2/3), that is b = (c^(-1/3) - 1)^3 at a = 1
    closing = (c ** (-1 / 3) - 1) ** 3
    below, above = (sample(Convolution(1.0, closing * factor, c), 400) for factor in (1 - 1e-6, 1 + 1e-6))
    assert len(below.bulks) == 2
    assert len(above.bulks) == 1
    gap = below.bulks[1, 0] - below.bulks[0, 1]
    assert 0 < gap < 1e-6
    assert np.sum(below.weights[below.grid <= below.bulks[0, 1]]) == pytest.approx(1 - c, abs=2e-5)
    for law in (below, above):
        assert law.health.mass_error < 1e-4


@pytest.mark.parametrize("c", [0.3, 1.0, 4.0])
def test_no_linear_part_is_a_semicircle(c):
    law = kernel_spectrum("he3", dim=int(300 * c), samples=300, points=200)
    radius = 2 * np.sqrt(6 / c)
    np.testing.assert_allclose(law.bulks, [[-radius, radius]], rtol=1e-12)
    np.testing.assert_allclose(
        law.density, 2 * np.sqrt(np.maximum(radius**2 - law.grid**2, 0)) / np.pi / radius**2, atol=1e-9
    )
    assert law.outliers == ()
    assert law.atom == 0


@pytest.mark.parametrize(("dim", "samples"), [(60, 200), (200, 200), (300, 200), (20, 2000)])
def test_a_linear_kernel_is_the_gram_matrix_of_the_chain(dim, samples):
    # X'X/p - I, off its diagonal; the chain gives X'X/n
    law = kernel_spectrum("identity", dim, samples, points=400)
    gram = spectrum(Network(Population.identity(dim), samples=samples), points=400, matrix="gram")
    scale = samples / dim
    np.testing.assert_allclose(law.bulks, gram.bulks * scale - 1, rtol=1e-12, atol=1e-12)
    assert law.atom == pytest.approx(max(0, 1 - dim / samples), abs=1e-15)
    assert law.atom_at == -1
    x = np.linspace(*law.bulks[0], 50)[1:-1]
    np.testing.assert_allclose(cdf(law, x), cdf(gram, (x + 1) / scale), atol=2e-4)
    assert law.integral(lambda t: t) == pytest.approx(0.0, abs=1e-4)


def test_the_hard_edge_is_infinite_and_its_mass_is_there():
    law = kernel_spectrum("identity", 200, 200)
    assert law.bulks[0, 0] == -1
    assert law.grid[0] > -1
    assert law.health.mass_error < 1e-5
    assert np.all(np.isfinite(law.density))
    # Marchenko-Pastur at ratio 1: density sqrt((4 - u)/u)/(2 pi) of u = x + 1
    u = law.grid[1:-1] + 1
    middle = u > 1e-6
    np.testing.assert_allclose(law.density[1:-1][middle], np.sqrt((4 - u) / u)[middle] / (2 * np.pi), 1e-7, 1e-10)


def test_a_negative_slope_mirrors_the_law():
    for b in (0.0, 0.05):
        one, other = sample(Convolution(1.0, b, 0.4, 3.0), 100), sample(Convolution(-1.0, b, 0.4, -3.0), 100)
        np.testing.assert_allclose(other.grid, -one.grid[::-1], atol=1e-15)
        np.testing.assert_allclose(other.density, one.density[::-1], rtol=1e-12)
        np.testing.assert_allclose(other.bulks, -one.bulks[::-1, ::-1], atol=1e-15)
        assert other.atom == one.atom
        assert other.atom_at == pytest.approx(-one.atom_at)
        x = np.linspace(-8, 8, 1000)  # not at the atom, where one is continuous from the other side
        np.testing.assert_allclose(cdf(other, x), 1 - cdf(one, -x), atol=1e-4)


def test_vanishing_noise_is_no_noise():
    none = sample(Convolution(1.0, 0.0, 0.5), 400)
    for b in (1e-30, 1e-22, 1e-14, 1e-10):
        law = sample(Convolution(1.0, b, 0.5), 400)
        np.testing.assert_allclose(law.bulks[-1], none.bulks[-1], rtol=1e-6)
        assert law.atom + law.weights[law.grid < -0.9].sum() == pytest.approx(0.5, abs=1e-5)
    assert sample(Convolution(1.0, 1e-30, 0.5), 400).atom == 0.5


# --- Distances to laws with an atom away from zero ---------------------------------------------------


@pytest.mark.parametrize("slope", [1.0, -1.0])
def test_distances_know_where_the_atom_is(slope):
    law = sample(Convolution(slope, 0.0, 0.4, 0.5), 800)
    assert law.atom_at == pytest.approx(0.5 - slope)
    levels = (np.arange(4000) + 0.5) / 4000
    place = law.atom_at
    first = law.atom if slope > 0 else 0.0
    spread = np.interp(levels, law.cdf, law.grid)
    values = np.where((levels < first) | (levels > first + 1 - law.atom), place, spread)
    assert kolmogorov_smirnov(values, law) < 3e-4
    assert wasserstein1(values, law) < 2e-3
    moved = values + 0.25
    expected = wasserstein_distance(
        moved, np.append(law.grid, place), None, np.append(np.maximum(law.weights, 1e-300), law.atom)
    )
    assert wasserstein1(moved, law) == pytest.approx(expected, rel=1e-2)
    assert kolmogorov_smirnov(moved, law) > 0.59  # the whole atom
    assert cdf(law, place) - cdf(law, np.nextafter(place, -9)) == pytest.approx(0.6, abs=1e-12)


# --- Inner products: simulation ---------------------------------------------------------------------


@cache
def pooled(name, dim, samples, reading="actual", entries="gaussian", count=4):
    found = [draw_kernel(name, dim, samples, (11, i), reading, 0.0, entries) for i in range(count)]
    return np.sort(np.concatenate([one.bulk for one in found]))


@pytest.mark.parametrize("name", ["tanh", "relu", "sign", "softplus", "cos", "ternary"])
@pytest.mark.parametrize(("dim", "samples"), [(120, 240), (200, 200), (300, 120)])
def test_spectrum_of_the_actual_kernel(name, dim, samples):
    law = kernel_spectrum(name, dim, samples)
    # rigid eigenvalues: of order 1/n; the argument is Gaussian to 1/sqrt(p)
    assert kolmogorov_smirnov(pooled(name, dim, samples), law) < 2 / samples + 0.25 / np.sqrt(dim)
    assert kolmogorov_smirnov(pooled(name, dim, samples, "linear"), law) < 4 / samples


@pytest.mark.parametrize("name", ["he2", "relu", "abs"])
def test_the_finite_size_term_vanishes(name):
    distances = []
    for dim in (40, 360):
        law = kernel_spectrum(name, dim, dim)
        distances.append(kolmogorov_smirnov(pooled(name, dim, dim, count=12 if dim == 40 else 2), law))
    assert distances[1] < 0.5 * distances[0]  # 1/3 if it falls as 1/sqrt(p)


@pytest.mark.parametrize("entries", ["rademacher", "uniform", "student"])
def test_the_law_of_the_entries_does_not_matter(entries):
    law = kernel_spectrum("tanh", 200, 400)
    values = draw_kernel("tanh", 200, 400, 3, entries=entries, dof=8.0).eigenvalues
    assert kolmogorov_smirnov(values, law) < 0.015


def test_far_ratios():
    for dim, samples in ((40, 800), (3000, 30)):
        law = kernel_spectrum("erf", dim, samples)
        scale = np.sqrt(law.integral(np.square))
        assert wasserstein1(pooled("erf", dim, samples, count=4), law) < 0.06 * scale


@pytest.mark.parametrize("name", ["tanh", "relu", "sign", "cos", "he3"])
def test_two_activations_with_the_same_two_numbers(name):
    moments = ACTIVATIONS[name].moments(1.0)
    other = matching(moments.mu1, moments.variance)
    one, two = kernel_spectrum(name, 200, 400), kernel_spectrum(other, 200, 400)
    np.testing.assert_allclose(two.bulks, one.bulks, rtol=1e-9)
    np.testing.assert_allclose(np.interp(one.grid, two.grid, two.density), one.density, atol=1e-6 * one.density.max())
    if name == "tanh":
        twin = pooled(other, 200, 400, entries="rademacher")
        assert kolmogorov_smirnov(twin, one) < 0.02
        # another law is told apart: what a kernel does to data is not all the same
        assert kolmogorov_smirnov(pooled("relu", 200, 400), one) > 0.05


def test_matching_is_what_it_says():
    shape = matching(0.60571, 0.39429)
    assert [shape.function.square, shape.function.linear] == pytest.approx([0.1171, 0.6057], abs=1e-4)
    found = hermite(shape, 4)
    np.testing.assert_allclose(found.coefficients, [0, 0.60571, np.sqrt(0.39429 - 0.60571**2), 0, 0], atol=1e-13)
    assert found.energies.sum() == pytest.approx(0.39429)
    own = Activation("own", shape.function)  # by quadrature
    for variance in (0.3, 1.0, 4.0):
        np.testing.assert_allclose(shape.moments(variance), own.moments(variance), rtol=1e-9, atol=1e-12)
    assert pickle.loads(pickle.dumps(shape)).moments(1.0) == shape.moments(1.0)
    assert matching(0.5, 0.25).moments(1.0).mu_star2 == 0
    with pytest.raises(ValueError, match="nu"):
        matching(1.0, 0.9)


def test_phi_is_centred():
    lifted = Activation("lifted", lambda t: np.tanh(t) + 5.0)
    plain, other = (draw_kernel(name, 50, 80, 1).eigenvalues for name in ("tanh", lifted))
    np.testing.assert_allclose(other, plain, atol=1e-12)
    np.testing.assert_allclose(kernel_spectrum(lifted, 50, 80).bulks, kernel_spectrum("tanh", 50, 80).bulks, rtol=1e-9)


def test_the_actual_kernel_is_the_one_of_the_definition():
    data = spawn_streams(5, 2)[0].standard_normal((30, 20))
    matrix = inner_kernel("relu", data)
    for i in range(20):
        for j in range(20):
            entry = (max(data[:, i] @ data[:, j] / np.sqrt(30), 0) - 1 / np.sqrt(2 * np.pi)) / np.sqrt(30)
            assert matrix[i, j] == pytest.approx(0.0 if i == j else entry, abs=1e-14)
    eigenvalues = np.linalg.eigvalsh(matrix)
    np.testing.assert_allclose(draw_kernel("relu", 30, 20, 5).eigenvalues, eigenvalues, atol=1e-13)


def test_a_linear_kernel_is_its_own_equivalent():
    actual, linear = (draw_kernel("identity", 40, 60, 2, reading).eigenvalues for reading in ("actual", "linear"))
    np.testing.assert_allclose(actual, linear, atol=1e-13)


# --- Outliers ---------------------------------------------------------------------------------------


def measured(drawing, law, name, dim, samples, count, reading="actual", **options):
    """Means and standard errors of the outliers of `law`: positions, overlaps, score overlaps, (K,) each."""
    found = [drawing(name, dim, samples, (5, i), reading, **options) for i in range(count)]
    table = np.array([[one.outliers, one.overlap, one.score_overlap] for one in found])
    assert table.shape == (count, 3, len(law.outliers))
    return table.mean(axis=0), table.std(axis=0, ddof=1) / np.sqrt(count)


@pytest.mark.parametrize(("name", "dim", "samples"), [("tanh", 160, 320), ("sign", 150, 150), ("erf", 320, 160)])
def test_labels_show_as_an_outlier(name, dim, samples):
    (outlier,) = kernel_spectrum(name, dim, samples, mean_norm2=4.0).outliers
    assert outlier.separated
    assert outlier.source == "labels"
    predicted = np.array([outlier.position, outlier.overlap, outlier.score_overlap])
    gaps = []
    for shrink in (4, 1):
        shape = (name, dim // shrink, samples // shrink)
        actual, linear = (
            np.array(
                [
                    [one.outliers[0], one.overlap[0], one.score_overlap[0]]
                    for one in (draw_kernel(*shape, (5, i), reading, 4.0) for i in range(12 * shrink))
                ]
            )
            for reading in ("actual", "linear")
        )
        error = linear.std(axis=0, ddof=1) / np.sqrt(12 * shrink)
        assert np.all(np.abs(linear.mean(axis=0) - predicted) < 4 * error + 2 / shape[1])
        # the same data: what is left is the curvature of phi over |mu|^2/sqrt(p), of order 1/p
        gaps.append((actual - linear).mean(axis=0))
        assert np.all(np.abs(gaps[-1]) < np.array([60.0, 8.0, 3.0]) / shape[1])
    assert 0.1 < gaps[1][0] / gaps[0][0] < 0.5  # 1/4
    assert error[0] < 0.03 * outlier.position
    assert error[1] < 0.03


def test_labels_by_hand():
    # the linear kernel: Baik and Silverstein's outlier of X'X/n, in units of p/n
    c, rho = 0.5, 2.0
    (outlier,) = kernel_spectrum("identity", 100, 200, mean_norm2=rho).outliers
    assert outlier.position == pytest.approx((1 + rho) * (1 + c / rho) / c - 1)
    assert outlier.score_overlap == pytest.approx(1 - c / rho**2)
    assert outlier.overlap == pytest.approx((rho**2 - c) / (rho * (1 + rho)))
    # in general a ((1 + rho)/c + 1/rho) + b/(a (1 + rho)), overlap 1 - c/rho^2 - c b/(a (1 + rho))^2
    moments = ACTIVATIONS["tanh"].moments(1.0)
    (outlier,) = kernel_spectrum("tanh", 100, 200, mean_norm2=rho).outliers
    a, b = moments.mu1, moments.mu_star2
    assert outlier.position == pytest.approx(a * ((1 + rho) / c + 1 / rho) + b / a / (1 + rho))
    assert outlier.score_overlap == pytest.approx(1 - c / rho**2 - c * b / a**2 / (1 + rho) ** 2)


def test_labels_threshold():
    # sign, c = 1: 1/rho^2 + beta/(1 + rho)^2 = 1
    moments = ACTIVATIONS["sign"].moments(1.0)
    beta = moments.mu_star2 / moments.mu1**2
    low, high = 1.0, 3.0
    for _ in range(60):
        rho = 0.5 * (low + high)
        low, high = (rho, high) if 1 / rho**2 + beta / (1 + rho) ** 2 > 1 else (low, rho)
    (below,) = kernel_spectrum("sign", 300, 300, mean_norm2=rho * (1 - 1e-6)).outliers
    (above,) = kernel_spectrum("sign", 300, 300, mean_norm2=rho * (1 + 1e-6)).outliers
    edge = kernel_spectrum("sign", 300, 300).bulks[-1, 1]
    assert not below.separated
    assert below.position == pytest.approx(edge)
    assert below.overlap == 0
    assert above.separated
    assert above.position == pytest.approx(edge, rel=1e-9)
    assert 0 < above.overlap < 1e-4
    # simulated far below and far above
    tops = [[draw_kernel("sign", 300, 300, (8, i), mean_norm2=m).eigenvalues[-1] for i in range(3)] for m in (0.5, 5.0)]
    assert np.mean(tops[0]) == pytest.approx(edge, rel=0.05)
    assert np.mean(tops[1]) > 1.2 * edge


def test_an_even_activation_does_not_see_the_labels():
    assert [one.source for one in kernel_spectrum("cos", 100, 200, mean_norm2=5.0).outliers] == ["norms", "norms"]
    law = kernel_spectrum("cos", 200, 200, mean_norm2=4.0, entries="rademacher")
    assert law.outliers == ()
    found = [draw_kernel("cos", 200, 200, (1, i), mean_norm2=4.0, entries="rademacher") for i in range(3)]
    assert np.mean([one.eigenvalues[-1] for one in found]) < 1.1 * law.bulks[-1, 1]


def test_norms_show_as_a_pair_of_outliers():
    middles = []
    for dim, count in ((40, 24), (160, 6)):
        law = kernel_spectrum("he2", dim, 4 * dim)
        low, high = law.outliers
        # strength sqrt(2)/c, semicircle of variance 2/c: s + 2/(c s), overlap 1 - c
        assert [low.position, high.position] == pytest.approx([-5 * np.sqrt(2), 5 * np.sqrt(2)])
        assert [low.overlap, high.overlap] == pytest.approx([0.75, 0.75])
        assert low.source == high.source == "norms"
        found, error = measured(draw_kernel, law, "he2", dim, 4 * dim, count)
        # half their distance is right to 1/p; both are moved the same way by a term of 1/sqrt(p)
        half = 0.5 * (found[0, 1] - found[0, 0])
        assert abs(half - high.position) < 2 * np.hypot(*error[0]) + 16 / dim
        middles.append(0.5 * (found[0, 1] + found[0, 0]))
        assert np.all(np.abs(found[1] - 0.75) < 4 * error[1] + 1.2 / np.sqrt(dim))
        linear, error = measured(draw_kernel, law, "he2", dim, 4 * dim, count, "linear")
        assert np.all(np.abs(linear[0] - [low.position, high.position]) < 4 * error[0] + 8 / dim)
        assert np.all(np.abs(linear[1] - 0.75) < 4 * error[1] + 2 / dim)
    assert 0.3 < middles[1] / middles[0] < 0.7  # 1/2


def test_no_norms_no_outliers():
    law = kernel_spectrum("he2", 80, 320, entries="rademacher")
    assert law.outliers == ()
    # half the spread: both edges are moved the same way by a term of 1/sqrt(p)
    for entries, expected in (("rademacher", 4 * np.sqrt(2)), ("gaussian", 5 * np.sqrt(2))):
        spread = [np.ptp(draw_kernel("he2", 80, 320, (2, i), entries=entries).eigenvalues) for i in range(8)]
        assert np.mean(spread) / 2 == pytest.approx(expected, rel=0.06)
    assert [fourth_moment(name) for name in ("gaussian", "rademacher", "uniform")] == [3, 1, 1.8]
    assert fourth_moment("student", 10.0) == 4


def test_an_outlier_in_a_gap():
    law = kernel_spectrum("relu", 60, 600)
    assert len(law.bulks) == 2
    below, inside = law.outliers
    assert below.separated
    assert inside.separated
    assert below.position < law.bulks[0, 0]
    assert law.bulks[0, 1] < inside.position < law.bulks[1, 0]
    found, error = measured(draw_kernel, law, "relu", 60, 600, 8, "linear")
    assert np.all(np.abs(found[0] - [below.position, inside.position]) < 4 * error[0] + 3 / 60)
    assert np.all(np.abs(found[1] - [below.overlap, inside.overlap]) < 4 * error[1] + 2 / 60)
    assert error[0].max() < 0.06


@pytest.mark.parametrize("strength", [4.0, -4.0, 0.2])
@pytest.mark.parametrize("slope", [0.7, -0.7])
def test_planting_a_rank_one(strength, slope):
    law = Convolution(slope, 0.05, 0.8, 0.3)
    planted = plant(law, strength)
    rng = np.random.default_rng(4)
    x, w = rng.standard_normal((400, 500)), np.triu(rng.standard_normal((500, 500)), 1)
    matrix = slope * (x.T @ x / 400 - np.eye(500)) + np.sqrt(0.05 / 400) * (w + w.T) + 0.3 * np.eye(500)
    u = rng.standard_normal(500)
    u /= np.linalg.norm(u)
    values, vectors = np.linalg.eigh(matrix + strength * np.outer(u, u))
    bulks = sample(law, 32).bulks
    nearest = np.argmin(np.abs(values - planted.position))
    if planted.separated:
        assert abs(strength) == 4
        assert values[nearest] == pytest.approx(planted.position, abs=0.15)
        assert (vectors[:, nearest] @ u) ** 2 == pytest.approx(planted.overlap, abs=0.05)
        assert nearest == (499 if strength > 0 else 0)
    else:
        assert strength == 0.2
        assert planted.position in bulks
        assert np.ptp(values) < np.ptp(bulks) + 0.1


# --- Distances --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", DISTANCE_KERNELS.values(), ids=DISTANCE_KERNELS.keys())
def test_derivatives_are_derivatives(kernel):
    for t in (0.7, 2.0, 5.0):
        # the complex step: no difference is taken
        assert kernel.first(t) == pytest.approx(kernel.value(t + 1e-30j).imag / 1e-30, rel=1e-14)
        assert kernel.second(t) == pytest.approx(kernel.first(t + 1e-30j).imag / 1e-30, rel=1e-14)
    assert get_distance_kernel(kernel.name) is kernel
    assert pickle.loads(pickle.dumps(kernel)) is kernel


@pytest.mark.parametrize(("dim", "samples"), [(100, 300), (200, 200), (300, 120)])
@pytest.mark.parametrize("name", DISTANCE_KERNELS)
def test_distance_law_is_that_of_the_chain(name, dim, samples):
    kernel = DISTANCE_KERNELS[name]
    law = distance_kernel_spectrum(name, dim, samples)
    gram = spectrum(Network(Population.identity(dim), samples=samples), matrix="gram")
    slope = -2 * kernel.first(2.0)
    shift = kernel.value(0.0) - kernel.value(2.0) + 2 * kernel.first(2.0)
    np.testing.assert_allclose(law.bulks, slope * gram.bulks * samples / dim + shift, rtol=1e-11, atol=1e-11)
    assert law.atom == pytest.approx(gram.atom)
    assert law.atom_at == pytest.approx(shift)


@pytest.mark.parametrize(("dim", "samples"), [(150, 300), (200, 200), (300, 150)])
@pytest.mark.parametrize("name", DISTANCE_KERNELS)
def test_spectrum_of_the_actual_distance_kernel(name, dim, samples):
    law = distance_kernel_spectrum(name, dim, samples)
    width = law.bulks[-1, 1] - min(law.atom_at, law.bulks[0, 0])
    for reading in ("actual", "linear"):
        found = draw_distance_kernel(name, dim, samples, 6, reading)
        # the square of the inner products, of order 1/sqrt(p), and norms: what spreads the atom
        assert wasserstein1(found.bulk, law) < (0.25 / np.sqrt(dim) if reading == "actual" else 1.5 / dim) * width


@pytest.mark.parametrize("name", DISTANCE_KERNELS)
def test_the_linear_equivalent_of_a_distance_kernel_nears_it(name):
    gaps = []
    for dim in (60, 540):
        data = np.random.default_rng(3).standard_normal((dim, dim))
        gap = distance_kernel(name, data) - distance_kernel(name, data, linear=True)
        gaps.append(np.linalg.norm(gap, 2) / abs(DISTANCE_KERNELS[name].first(2.0)))
    assert gaps[1] < 0.5 * gaps[0]  # 1/3 if it falls as 1/sqrt(p)


def test_the_actual_distance_kernel_is_the_one_of_the_definition():
    data = spawn_streams(9, 2)[0].standard_normal((30, 20))
    matrix = distance_kernel("laplacian", data)
    for i in range(20):
        for j in range(20):
            distance = np.sum((data[:, i] - data[:, j]) ** 2) / 30
            assert matrix[i, j] == pytest.approx(np.exp(-np.sqrt(distance)), abs=1e-13)
    found = draw_distance_kernel("laplacian", 30, 20, 9)
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(matrix), atol=1e-13)
    assert found.bulk.size == 19


@pytest.mark.parametrize("entries", ["gaussian", "rademacher", "uniform"])
@pytest.mark.parametrize(("name", "rho"), [("gaussian", 0.0), ("laplacian", 3.0), ("polynomial", 3.0)])
def test_the_mean_of_a_distance_kernel(name, rho, entries):
    kernel = DISTANCE_KERNELS[name]
    for dim, samples in ((60, 120), (120, 60)):
        law = distance_kernel_spectrum(name, dim, samples, mean_norm2=rho, entries=entries)
        outlier = law.outliers[-1]
        assert outlier.source == "mean"
        options = {"mean_norm2": rho, "entries": entries}
        found = [draw_distance_kernel(name, dim, samples, (1, i), **options).outliers[-1] for i in range(40)]
        scale = max(outlier.deviation, 0.05 * abs(kernel.first(2.0)))
        error = np.std(found, ddof=1) / np.sqrt(40)
        # next terms of the Taylor series: (2 (1 + |mu|^2)/p)^2 per entry
        finite = 3 * abs(kernel.first(2.0)) * (1 + rho) ** 2 * samples / dim**2
        assert abs(np.mean(found) - outlier.position) < 4 * error + finite
        if entries != "rademacher":  # whose norms do not fluctuate, nor does the mean to this order
            assert np.std(found, ddof=1) == pytest.approx(scale, rel=0.5)
        else:
            assert outlier.deviation == 0
    # without the terms of order one it would be off by more than is allowed above
    if rho == 0:
        assert abs(outlier.position - samples * kernel.value(2.0)) > 0.5 * abs(kernel.value(2.0))


@pytest.mark.parametrize("entries", ["gaussian", "rademacher"])
@pytest.mark.parametrize(("dim", "samples"), [(80, 160), (160, 80)])
def test_the_mean_to_order_one(dim, samples, entries):
    kernel = DISTANCE_KERNELS["rational"]
    outlier = distance_kernel_spectrum("rational", dim, samples, entries=entries).outliers[-1]
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        data = rng.standard_normal((dim, samples)) if entries == "gaussian" else rng.choice([-1.0, 1.0], (dim, samples))
        top = np.linalg.eigvalsh(distance_kernel("rational", data))[-1]
        # less what it fluctuates by to first order, of mean zero: a much smaller standard error
        found.append(top - 2 * kernel.first(2.0) * norm_excess(data).sum())
    error = np.std(found, ddof=1) / np.sqrt(40)
    assert error < 0.02
    assert abs(np.mean(found) - outlier.position) < 4 * error
    # and this is a test of the terms of order one
    assert outlier.position - samples * kernel.value(2.0) > 40 * error


def test_norms_of_a_distance_kernel():
    law = distance_kernel_spectrum("polynomial", 200, 400)
    norms, mean = law.outliers
    assert (norms.source, mean.source) == ("norms", "mean")
    # (f'' - f'^2/f) (E z^4 - 1)/c = -0.5 . 2/0.5
    assert norms.spike == pytest.approx(-2.0, abs=0.1)
    assert distance_kernel_spectrum("polynomial", 20000, 40000).outliers[0].spike == pytest.approx(-2.0, abs=1e-3)
    for reading in ("actual", "linear"):
        found, error = measured(draw_distance_kernel, law, "polynomial", 200, 400, 10, reading)
        assert abs(found[0, 0] - norms.position) < 4 * error[0, 0] + 0.6 / np.sqrt(200)
        assert abs(found[1, 0] - norms.overlap) < 4 * error[1, 0] + 0.6 / np.sqrt(200)
        assert norms.position < law.atom_at - 0.5
    assert [one.source for one in distance_kernel_spectrum("gaussian", 200, 400).outliers] == ["mean"]
    assert len(distance_kernel_spectrum("polynomial", 200, 400, entries="rademacher").outliers) == 1


def test_labels_of_a_distance_kernel():
    for name in ("gaussian", "rational"):
        law = distance_kernel_spectrum(name, 200, 300, mean_norm2=4.0)
        index = [one.source for one in law.outliers].index("labels")
        found, error = measured(draw_distance_kernel, law, name, 200, 300, 12, mean_norm2=4.0)
        labels = law.outliers[index]
        assert abs(found[0, index] - labels.position) < 4 * error[0, index] + 0.01 * labels.position
        assert abs(found[1, index] - labels.overlap) < 4 * error[1, index] + 0.01
        c = 2 / 3
        assert labels.score_overlap == pytest.approx(1 - c / 16)


def test_a_kernel_without_value_at_two():
    # f(2) = 0: no eigenvalue of order n; a pair of order sqrt(n), +-|f'| sqrt(n (E z^4 - 1)/c)
    kernel = DistanceKernel("line", lambda t: 2.0 - t, lambda t: -1.0 + 0.0 * t, lambda t: 0.0 * t)
    law = distance_kernel_spectrum(kernel, 200, 200)
    assert sorted(one.spike for one in law.outliers) == pytest.approx([-20, 20])
    found = [draw_distance_kernel(kernel, 200, 200, (4, i)).outliers for i in range(30)]
    for index, outlier in enumerate(law.outliers):
        values = np.array([one[index] for one in found])
        assert abs(values.mean() - outlier.position) < 4 * values.std(ddof=1) / np.sqrt(30) + 0.2
        assert values.std(ddof=1) == pytest.approx(outlier.deviation, rel=0.5)


# --- The experiment ---------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_draw():
    one, two, other = (draw_kernel("relu", 40, 60, seed, mean_norm2=2.0) for seed in ((1, 2), (1, 2), (1, 3)))
    np.testing.assert_array_equal(one.eigenvalues, two.eigenvalues)
    assert np.any(one.eigenvalues != other.eigenvalues)
    assert one.eigenvalues.shape == (60,)
    assert one.bulk.size == 60 - np.sum(np.isfinite(one.outliers))


def test_both_readings_share_the_data():
    # labels and scores are those of the data: the outliers move together
    pairs = [
        [draw_kernel("tanh", 100, 200, (3, i), reading, 6.0).outliers[0] for reading in ("actual", "linear")]
        for i in range(12)
    ]
    assert np.corrcoef(np.array(pairs).T)[0, 1] > 0.8


def test_norm_excess_by_hand():
    np.testing.assert_allclose(norm_excess(np.array([[1.0, 2.0], [1.0, 0.0]])), [0.0, 1.0])


@pytest.mark.parametrize("function", [kernel_spectrum, distance_kernel_spectrum, draw_kernel, draw_distance_kernel])
def test_what_is_refused(function):
    name = "tanh" if function in (kernel_spectrum, draw_kernel) else "gaussian"
    seed = (1,) if function in (draw_kernel, draw_distance_kernel) else ()
    for arguments, options, word in [
        (("nonsense", 10, 20), {}, "nonsense"),
        ((name, 0, 20), {}, "dim"),
        ((name, 10, 2.5), {}, "samples"),
        ((name, 10, 20), {"mean_norm2": -1.0}, "mean_norm2"),
        ((name, 10, 20), {"entries": "cauchy"}, "entries"),
        ((name, 10, 20), {"entries": "student", "dof": 4.0}, "dof"),
    ]:
        with pytest.raises(ValueError, match=word):
            function(*arguments, *seed, **options)
    if seed:
        with pytest.raises(ValueError, match="reading"):
            function(name, 10, 20, 1, "other")
        with pytest.raises(ValueError, match="seed"):
            function(name, 10, 20, -1)
    else:
        with pytest.raises(ValueError, match="points"):
            function(name, 10, 20, points=10)


def test_degenerate_functions_are_refused():
    flat = Activation("flat", lambda t: 1.0 + 0.0 * t)
    with pytest.raises(ValueError, match="constant"):
        kernel_spectrum(flat, 10, 20)
    with pytest.raises(ValueError, match="derivative"):
        distance_kernel_spectrum(DistanceKernel("still", *[lambda t: 0.0 * t + 1.0, lambda t: 0.0 * t] * 2), 10, 20)
    blunt = DistanceKernel("log", np.log, lambda t: 1.0 / t, lambda t: -1.0 / t**2)
    with np.errstate(divide="ignore"), pytest.raises(ValueError, match="function"):
        distance_kernel_spectrum(blunt, 10, 20)


def test_the_smallest_matrices():
    assert draw_kernel("tanh", 3, 1, 1).eigenvalues.tolist() == [0.0]
    assert draw_kernel("relu", 1, 2, 1).eigenvalues.shape == (2,)
    assert draw_distance_kernel("gaussian", 1, 1, 1).eigenvalues == pytest.approx([1.0])
    law = kernel_spectrum("tanh", 1, 1, points=32)
    assert cumulative_trapezoid(law.density, law.grid)[-1] == pytest.approx(1.0, abs=0.01)
