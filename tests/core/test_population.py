"""Populations: what every constructor promises, counts that are whole, errors that name what is wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import toeplitz

from rmtcore import Network, Population, spectrum


def assert_sound(population, dim, signal=None):
    """Counts are whole numbers that sum to the dimension; eigenvalues ascend; the target has its variance."""
    assert population.dim == dim
    assert population.counts.sum() == dim
    np.testing.assert_array_equal(population.counts, np.round(population.counts))
    assert np.all(population.counts > 0)
    assert np.all(np.diff(population.eigenvalues) >= 0)
    assert np.all(population.target >= 0)
    assert population.spectrum.shape == (dim,)
    assert population.variance == pytest.approx(population.spectrum.mean())
    values, counts = population.bulk()
    assert counts.sum() == dim  # exactly: a threshold n = dim is a comparison of these
    assert values.size + population.isolated.sum() == population.eigenvalues.size
    if signal is not None:
        assert population.signal == pytest.approx(signal, rel=1e-12)


def test_identity_is_one_atom():
    population = Population.identity(7, signal=3.0)
    assert_sound(population, 7, 3.0)
    np.testing.assert_array_equal(population.eigenvalues, [1])
    np.testing.assert_array_equal(population.counts, [7])
    np.testing.assert_allclose(population.target, [3.0])
    assert population.spikes.size == 0
    assert population.noise == 0


def test_atoms_sorts_normalises_the_weights_and_spreads_the_target_evenly():
    population = Population.atoms([5, 1], [30, 10], 200, signal=2.0)
    assert_sound(population, 200, 2.0)
    np.testing.assert_array_equal(population.eigenvalues, [1, 5])
    np.testing.assert_array_equal(population.counts, [50, 150])
    # the same squared component in every direction: 2 / (50 + 5 150) each
    np.testing.assert_allclose(population.target / population.counts, 2.0 / 800)


def test_atoms_keeps_a_zero_eigenvalue_and_drops_what_rounds_to_nothing():
    population = Population.atoms([0, 1], [0.25, 0.75], 8)
    np.testing.assert_array_equal(population.counts, [2, 6])
    assert_sound(population, 8, 1.0)
    assert spectrum(Network(population, samples=100)).atom == pytest.approx(0.25)
    one = Population.atoms([1, 2], [1, 100], 10)
    np.testing.assert_array_equal(one.eigenvalues, [2])


@pytest.mark.parametrize(
    ("weights", "dim", "counts"),
    [
        ([1, 1, 1], 10, [4, 3, 3]),  # remainders 1/3 each: the first of equals
        ([0.5, 0.3, 0.2], 9, [4, 3, 2]),  # 4.5, 2.7, 1.8: the largest remainders .8 and .7 first
        ([0.415, 0.415, 0.17], 10, [4, 4, 2]),
        ([1, 2], 3, [1, 2]),
    ],
)
def test_counts_are_rounded_by_largest_remainder(weights, dim, counts):
    population = Population.atoms([1, 2, 3][: len(weights)], weights, dim)
    np.testing.assert_array_equal(population.counts, counts)


@given(weights=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=50), dim=st.integers(1, 5000))
def test_rounded_counts_sum_to_the_dimension_and_stay_within_one_of_their_share(weights, dim):
    values = np.arange(1.0, len(weights) + 1)
    population = Population.atoms(values, weights, dim)
    assert_sound(population, dim, 1.0)
    counts = np.zeros(len(weights))
    counts[population.eigenvalues.astype(int) - 1] = population.counts
    shares = np.array(weights) / np.sum(weights) * dim
    assert np.all(np.abs(counts - shares) < 1 + 1e-9 * dim)


@pytest.mark.parametrize("rho", [-0.9, -0.3, 0.0, 0.5, 0.99])
@pytest.mark.parametrize("dim", [1, 2, 3, 50])
def test_toeplitz_has_the_eigenvalues_of_the_matrix(rho, dim):
    population = Population.toeplitz(rho, dim, signal=0.5)
    assert_sound(population, dim, 0.5)
    expected = np.linalg.eigvalsh(toeplitz(float(rho) ** np.arange(dim)))
    np.testing.assert_allclose(population.eigenvalues, expected, rtol=1e-11)
    assert population.variance == pytest.approx(1)


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.5])
@pytest.mark.parametrize("source", [0.0, 0.5, 2.0])
def test_power_law_has_its_two_exponents(alpha, source):
    """s_k = k^-alpha (capacity) and s_k v_k proportional to k^-(2 alpha source + 1)."""
    population = Population.power_law(alpha, 300, source=source, signal=4.0)
    assert_sound(population, 300, 4.0)
    k = np.arange(300, 0, -1)
    np.testing.assert_allclose(population.eigenvalues, k**-alpha)
    energy = population.eigenvalues * population.target
    np.testing.assert_allclose(energy / energy[-1], k ** -(2 * alpha * source + 1))


def test_spiked_keeps_the_spikes_apart_from_the_bulk():
    population = Population.spiked([4.0, 0.5, 4.0], 100, signal=2.0)
    assert_sound(population, 100, 2.0)
    np.testing.assert_array_equal(population.spikes, [0.5, 4, 4])
    np.testing.assert_array_equal(population.eigenvalues, [0.5, 1, 4])
    np.testing.assert_array_equal(population.counts, [1, 97, 2])
    np.testing.assert_array_equal(population.isolated, [True, False, True])
    values, counts = population.bulk()
    np.testing.assert_array_equal(values, [1])
    assert counts == pytest.approx([100])  # of the limiting law: a spike has no mass


def test_a_spike_may_be_a_number_and_may_sit_on_the_bulk():
    assert Population.spiked(3.0, 10).spikes == pytest.approx([3])
    population = Population.spiked([1.0], 10)
    np.testing.assert_array_equal(population.spikes, [1])
    assert_sound(population, 10, 1.0)


@pytest.mark.parametrize("energy", [0.25, 1.0, 9.0])
def test_mixture_is_the_regression_of_its_label(energy):
    """Spike 1 + |mu|^2, target |mu|^2/s^2, noise 1/s, E (b'x)^2 = |mu|^2/s: the last two make 1."""
    population = Population.mixture(energy, 50)
    assert_sound(population, 50, energy / (1 + energy))
    np.testing.assert_allclose(population.spikes, [1 + energy])
    np.testing.assert_allclose(population.target, [0, energy / (1 + energy) ** 2])
    assert population.noise == pytest.approx(1 / (1 + energy))
    assert population.signal + population.noise == pytest.approx(1)
    # least squares on actual labels: b = C^-1 E(y x) = mu / (1 + |mu|^2)
    rng = np.random.default_rng(3)
    y = rng.choice([-1.0, 1.0], 200_000)
    x = rng.standard_normal(y.size) + np.sqrt(energy) * y
    slope = np.mean(x * y) / np.mean(x * x)
    assert slope**2 == pytest.approx(population.target[1], rel=0.02)
    assert np.mean((y - slope * x) ** 2) == pytest.approx(population.noise, rel=0.02)


def test_mixture_without_signal_is_noise():
    population = Population.mixture(0.0, 10)
    assert population.signal == 0
    assert population.noise == 1


def test_from_data_undoes_the_spread_of_the_sample_eigenvalues():
    """Half 1, half 5 seen through 4 samples per dimension spreads over [0.3, 8.8]; the estimate does not."""
    rng = np.random.default_rng(0)
    p, n = 100, 400
    truth = np.repeat([1.0, 5.0], p // 2)
    data = np.sqrt(truth)[:, None] * rng.standard_normal((p, n)) + 7.0
    population = Population.from_data(data, signal=2.0)
    assert_sound(population, p, 2.0)
    sample = np.linalg.eigvalsh(np.cov(data, bias=True))
    assert population.variance == pytest.approx(sample.mean(), rel=1e-6)
    error = np.mean(np.abs(population.spectrum - truth))
    assert error < 0.5 * np.mean(np.abs(sample - truth))
    # the data stay attached, centred, for experiments on random subsets of them
    np.testing.assert_allclose(population.data, data - data.mean(axis=1, keepdims=True))


def test_from_data_keeps_directions_without_variance_at_zero():
    rng = np.random.default_rng(1)
    data = np.vstack([rng.standard_normal((5, 60)), np.full((2, 60), 3.0)])
    population = Population.from_data(data)
    assert_sound(population, 7, 1.0)
    np.testing.assert_array_equal(population.spectrum[:2], [0, 0])
    assert np.all(population.spectrum[2:] > 0.2)


GOOD = np.random.default_rng(2).standard_normal((3, 10))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Population.identity(0), ["dim", ">= 1", "Got 0"]),
        (lambda: Population.identity(2.5), ["dim", "integer", "Got 2.5"]),
        (lambda: Population.identity("ten"), ["dim", "integer", "Got 'ten'"]),
        (lambda: Population.identity(True), ["dim", "integer", "Got True"]),
        (lambda: Population.identity(None), ["dim", "integer", "Got None"]),
        (lambda: Population.identity(float("nan")), ["dim", "integer", "Got nan"]),
        (lambda: Population.identity(float("inf")), ["dim", "integer", "Got inf"]),
        (lambda: Population.identity(5, signal=-1), ["signal", "range [0", "Got -1"]),
        (lambda: Population.identity(5, signal=float("nan")), ["signal", "finite", "Got nan"]),
        (lambda: Population.atoms([1, -2], [1, 1], 5), ["eigenvalues", "range [0", "-2"]),
        (lambda: Population.atoms([1, 2], [1, 0], 5), ["weights", "range (0", "0"]),
        (lambda: Population.atoms([1, np.inf], [1, 1], 5), ["eigenvalues", "finite", "inf"]),
        (lambda: Population.atoms(["a"], [1], 5), ["eigenvalues", "numeric", "'a'"]),
        (lambda: Population.atoms([1, 2], [1], 5), ["eigenvalues", "weights", "(2,)", "(1,)"]),
        (lambda: Population.atoms([], [], 5), ["eigenvalues", "at least 1", "(0,)"]),
        (lambda: Population.atoms([[1]], [[1]], 5), ["eigenvalues", "sequences", "(1, 1)"]),
        (lambda: Population.atoms([1], [1], 0), ["dim", ">= 1", "Got 0"]),
        (lambda: Population.atoms([0], [1], 5), ["eigenvalue > 0"]),
        (lambda: Population.toeplitz(1.0, 5), ["rho", "range (-1, 1)", "Got 1.0"]),
        (lambda: Population.toeplitz(-1.0, 5), ["rho", "range (-1, 1)", "Got -1.0"]),
        (lambda: Population.toeplitz(float("nan"), 5), ["rho", "finite", "Got nan"]),
        (lambda: Population.toeplitz(0.5, 0), ["dim", ">= 1", "Got 0"]),
        (lambda: Population.power_law(-0.1, 5), ["alpha", "range [0", "Got -0.1"]),
        (lambda: Population.power_law(1, 5, source=-1), ["source", "range [0", "Got -1"]),
        (lambda: Population.power_law(1, 5, signal=-1), ["signal", "range [0", "Got -1"]),
        (lambda: Population.power_law(1, 0), ["dim", ">= 1", "Got 0"]),
        (lambda: Population.spiked([0.0], 5), ["spikes", "range (0", "Got"]),
        (lambda: Population.spiked([np.nan], 5), ["spikes", "finite", "nan"]),
        (lambda: Population.spiked([2, 3, 4], 3), ["dim", ">= 4", "Got 3"]),
        (lambda: Population.mixture(-1, 5), ["mean_norm2", "range [0", "Got -1"]),
        (lambda: Population.mixture(1, 1), ["dim", ">= 2", "Got 1"]),
        (lambda: Population.from_data(np.zeros((3, 3))), ["X", "more samples", "(3, 3)"]),
        (lambda: Population.from_data(np.zeros(3)), ["X", "matrix", "(3,)"]),
        (lambda: Population.from_data(np.full((2, 5), np.nan)), ["X", "finite"]),
        (lambda: Population.from_data(np.ones((2, 5))), ["X", "constant"]),
        (lambda: Population.from_data(GOOD, signal=-2), ["signal", "range [0", "Got -2"]),
    ],
)
def test_errors_name_the_argument_what_is_allowed_and_what_was_given(build, words):
    with pytest.raises(ValueError, match=r".") as caught:
        build()
    message = str(caught.value)
    for word in words:
        assert word in message


def test_a_power_law_too_steep_for_floating_point_is_refused():
    """k^-400 underflows at k = 1000: no eigenvalue, target or NaN may come out of that silently."""
    with pytest.raises(ValueError, match="alpha"):
        Population.power_law(400, 1000)


def test_whole_numbers_of_other_types_count():
    for dim in (3, 3.0, np.int32(3), np.float64(3)):
        assert Population.identity(dim).dim == 3


def test_a_population_cannot_be_changed():
    population = Population.identity(5)
    with pytest.raises(AttributeError):
        population.dim = 6
