"""Real data: the digits as a population, random subsets of data, and how good the estimated spectrum is."""

from dataclasses import replace
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
from sklearn.datasets import load_digits

from rmtcore import (
    Layer,
    Network,
    Population,
    datasets,
    draw,
    draws,
    experiment,
    kolmogorov_smirnov,
    spectrum,
    wasserstein1,
)
from rmtcore.datasets import breast_cancer, digits, digits_pair, fetch, two_classes
from rmtcore.experiment import draw_data, largest_matrix


def small(p=12, n=60, seed=0):
    """A population of Gaussian data whose samples all differ."""
    return Population.from_data(np.random.default_rng(seed).standard_normal((p, n)) * np.arange(1, p + 1)[:, None])


def positions(columns, data):
    """Where every column stands in the data."""
    same = np.all(columns[:, :, None] == data[:, None, :], axis=0)
    assert np.all(same.sum(axis=1) >= 1)
    return np.argmax(same, axis=1)


# --- The digits -----------------------------------------------------------------------------------


def test_the_digits_are_all_there_centred_with_mean_variance_one():
    population = digits()
    assert population.dim == 61
    assert population.data.shape == (61, 1797)
    np.testing.assert_allclose(population.data.mean(axis=1), 0, atol=1e-12)
    assert population.data.var(axis=1).mean() == pytest.approx(1)
    assert population.data.var(axis=1).min() > 0
    assert population.variance == pytest.approx(1)
    assert population.signal == pytest.approx(1)
    assert population.spikes.size == 0
    assert not population.is_mixture
    assert population.spectrum.shape == (61,)
    assert np.all(population.spectrum > 0)


def test_the_digits_are_those_of_scikit_learn_in_one_unit():
    """One factor for all pixels and all images, and the three pixels without ink left out."""
    pixels = load_digits().data.T
    pixels = pixels[pixels.max(axis=1) > pixels.min(axis=1)]
    centred = pixels - pixels.mean(axis=1, keepdims=True)
    data = digits().data
    np.testing.assert_allclose(data, centred * np.linalg.norm(data) / np.linalg.norm(centred), atol=1e-12)


def test_the_digits_are_estimated_once():
    assert digits() is digits()


def test_the_law_of_all_digits_has_their_eigenvalues():
    """The estimate is made for this: within half a step of 1/61, where the raw eigenvalues are not. The smallest
    steps are below that, so the quantiles themselves are compared too."""
    population = digits()
    sample = draw(Network(population, samples=1797), 0).eigenvalues
    np.testing.assert_allclose(sample, np.linalg.eigvalsh(population.data @ population.data.T / 1797), atol=1e-12)
    raw = Population(61, sample, np.ones(61), np.zeros(61), np.zeros(61, bool))
    estimated, naive = (spectrum(Network(one, samples=1797)) for one in (population, raw))
    assert kolmogorov_smirnov(sample, estimated) < 1 / 61
    assert kolmogorov_smirnov(sample, estimated) < kolmogorov_smirnov(sample, naive)
    assert wasserstein1(sample, estimated) < wasserstein1(sample, naive)
    # sample eigenvalues spread: the population's are inside theirs
    assert population.spectrum[0] > sample[0]
    assert population.spectrum[-1] < sample[-1]


@pytest.mark.parametrize("n", [100, 400, 1200])
def test_random_digits_follow_the_law_of_the_population(n):
    """Real images: dependent, bounded entries, heavy tails of the dark corners. Still within 0.12 at n = 100, and
    nearer the more there are."""
    network = Network(digits(), samples=n)
    law = spectrum(network)
    distances = [kolmogorov_smirnov(one.all_eigenvalues(), law) for one in draws(network, 1, 6)]
    assert np.mean(distances) < 1.2 / np.sqrt(n)


@pytest.mark.parametrize("activation", ["tanh", "relu", "sign"])
@pytest.mark.parametrize("n", [150, 400])
def test_the_linear_equivalent_on_digits_follows_its_law(activation, n):
    """Given the weights it is linear in the images. (The actual network is not near it: a few directions hold most
    of the variance of the digits, so two images are far from orthogonal, and higher Hermite terms are seen.)"""
    network = Network(digits(), [Layer(200, activation, True)], samples=n)
    law = spectrum(network)
    distances = [kolmogorov_smirnov(one.all_eigenvalues(), law) for one in draws(network, 1, 4, "linear")]
    assert max(distances) < 6 / 200


# --- Random subsets -------------------------------------------------------------------------------


def test_a_draw_takes_every_sample_at_most_once():
    population = small()
    for seed in range(20):
        taken, labels = draw_data(population, 25, np.random.default_rng(seed))
        assert labels.size == 0
        assert np.unique(positions(taken, population.data)).size == 25


def test_all_samples_are_as_likely():
    population = small(p=3, n=20)
    counts = np.zeros(20)
    for seed in range(600):
        taken, _ = draw_data(population, 5, np.random.default_rng(seed))
        counts[positions(taken, population.data)] += 1
    assert counts.sum() == 3000
    # 600 draws of one quarter each: a standard deviation of 10.6
    assert np.all(np.abs(counts - 150) < 4 * np.sqrt(600 * 0.25 * 0.75))


@pytest.mark.parametrize("layers", [[], [Layer(30, "relu")]], ids=len)
def test_a_draw_of_all_samples_is_the_data(layers):
    """Without layers the order does not matter, so every seed gives the covariance of all data."""
    population = small()
    network = Network(population, layers, samples=60)
    found = [draw(network, seed).eigenvalues for seed in range(3)]
    if layers:
        assert abs(found[0][-1] - found[1][-1]) > 1e-6
    else:
        expected = np.linalg.eigvalsh(population.data @ population.data.T / 60)
        for values in found:
            np.testing.assert_allclose(values, expected, rtol=1e-10)


def test_subsets_differ_between_seeds_and_not_between_entry_laws_or_readings():
    population = small()
    network = Network(population, samples=30)
    tops = {draw(network, seed).eigenvalues[-1] for seed in range(10)}
    assert len(tops) == 10
    expected = draw(network, 3).eigenvalues
    for entries in ("gaussian", "rademacher", "uniform", "student"):
        for reading in ("actual", "linear"):
            np.testing.assert_array_equal(draw(network, 3, reading, entries, 9.0).eigenvalues, expected)


def test_more_dimensions_than_samples_leave_zeros():
    one = draw(Network(digits(), samples=40), 1)
    assert one.zeros == (21, 0)
    assert one.all_eigenvalues().shape == (61,)
    assert np.sum(one.all_eigenvalues() == 0) == 21
    assert one.eigenvalues[0] > 0


def test_one_sample_has_one_eigenvalue():
    population = small()
    one = draw(Network(population, samples=1), 5)
    norms = np.sum(population.data**2, axis=0)
    assert np.min(np.abs(norms / one.eigenvalues[0] - 1)) < 1e-12


@pytest.mark.parametrize("layers", [[], [Layer(10, "tanh")]], ids=len)
@pytest.mark.parametrize("excess", [1, 1000])
def test_more_samples_than_data_are_refused(layers, excess):
    network = Network(digits(), layers, samples=1797 + excess)
    with pytest.raises(ValueError, match=rf"'samples' parameter must be at most 1797, .* Got {1797 + excess} instead"):
        draw(network, 1)
    spectrum(network)  # the law knows no such limit


def test_a_draw_leaves_the_data_as_they_were(monkeypatch):
    population = digits()
    before = population.data.copy()
    for dtype in (np.float64, np.float32):
        monkeypatch.setattr(experiment, "_precision", lambda *_, dtype=dtype: dtype)
        draw(Network(population, [Layer(70, "relu")], samples=100), 1)
        taken, _ = draw_data(population, 50, np.random.default_rng(0), dtype=dtype)
        assert taken.dtype == dtype
        taken[:] = 0
    np.testing.assert_array_equal(population.data, before)


def test_the_largest_matrix_of_data_is_the_subset_or_the_features():
    assert largest_matrix(Network(digits(), samples=300)) == 61 * 300
    assert largest_matrix(Network(digits(), [Layer(100, "relu")], samples=300)) == 100 * 300
    # one dimension is not white data: there is no short route for what is given
    assert largest_matrix(Network(small(p=1, n=9), samples=4)) == 4


# --- The estimated spectrum -----------------------------------------------------------------------


TRUTHS = {
    "identity": (np.ones(80), 160),
    "even": (np.linspace(0.5, 5, 80), 160),
    "even, many samples": (np.linspace(0.5, 5, 60), 600),
    "two atoms": (np.repeat([1.0, 6.0], 40), 240),
    "three atoms": (np.repeat([1.0, 3.0, 10.0], 30), 180),
    "toeplitz": (Population.toeplitz(0.5, 80).spectrum, 160),
    "power law": (Population.power_law(1.0, 60).spectrum, 180),
    "hardly enough samples": (np.linspace(1, 3, 60), 66),
}


@pytest.mark.parametrize("name", TRUTHS)
def test_the_estimate_beats_the_raw_eigenvalues(name):
    """W1 to the truth, on average over four data sets; by half where the raw ones are far off."""
    truth, n = TRUTHS[name]
    far = {"identity", "even", "two atoms", "three atoms", "hardly enough samples"}
    errors = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        data = np.sqrt(truth)[:, None] * rng.standard_normal((truth.size, n))
        rotation, _ = np.linalg.qr(rng.standard_normal((truth.size, truth.size)))
        population = Population.from_data(rotation @ data + 3.0)
        raw = np.linalg.eigvalsh(np.cov(data, bias=True))
        assert population.spectrum.mean() == pytest.approx(raw.mean(), rel=1e-9)
        errors.append([np.mean(np.abs(values - np.sort(truth))) for values in (population.spectrum, raw)])
    estimated, raw = np.mean(errors, axis=0)
    assert estimated < (0.5 if name in far else 1.0) * raw


@pytest.mark.parametrize("name", ["even", "three atoms"])
def test_the_estimate_predicts_new_data(name):
    """The law of the estimate is nearer to the spectrum of fresh samples than the law of the raw eigenvalues."""
    truth, n = TRUTHS[name]
    rng = np.random.default_rng(11)
    data = np.sqrt(truth)[:, None] * rng.standard_normal((truth.size, n))
    population = Population.from_data(data)
    raw = replace(population, eigenvalues=np.linalg.eigvalsh(np.cov(data, bias=True)))
    fresh = np.sqrt(truth)[:, None] * rng.standard_normal((truth.size, n))
    values = np.linalg.eigvalsh(fresh @ fresh.T / n)
    close, far = (wasserstein1(values, spectrum(Network(one, samples=n))) for one in (population, raw))
    assert close < 0.5 * far


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_estimate_scales_with_the_data(scale):
    data = np.random.default_rng(4).standard_normal((20, 50))
    one, other = Population.from_data(data), Population.from_data(scale * data)
    # the iteration is stopped before it settles, and on the way it makes 1e-3 of rounding errors
    np.testing.assert_allclose(other.spectrum, scale**2 * one.spectrum, rtol=5e-3)


def test_the_estimate_does_not_see_order_sign_or_origin():
    data = np.random.default_rng(4).standard_normal((20, 50))
    expected = Population.from_data(data).spectrum
    rng = np.random.default_rng(5)
    for other in (data[::-1], -data, data + 100.0, data[:, rng.permutation(50)]):
        np.testing.assert_allclose(Population.from_data(other).spectrum, expected, rtol=5e-3)


# --- Points with labels ---------------------------------------------------------------------------


def test_a_pair_of_digits_and_one_against_all():
    bunch = load_digits()
    pair, all_others = digits_pair(3, 8), digits_pair(3)
    assert pair.X.shape == (64, pair.y.size)
    assert np.sum(pair.y == 1) == np.sum(all_others.y == 1) == np.sum(bunch.target == 3)
    assert np.sum(pair.y == -1) == np.sum(bunch.target == 8)
    assert all_others.y.size == 1797
    np.testing.assert_array_equal(pair.X[:, pair.y == 1], bunch.data[bunch.target == 3].T)
    np.testing.assert_array_equal(pair.X[:, pair.y == -1], bunch.data[bunch.target == 8].T)
    np.testing.assert_array_equal(digits_pair(8, 3).y, -pair.y)


def test_the_tumours_have_thirty_features_of_one_size():
    X, y = breast_cancer()
    assert X.shape == (30, 569)
    np.testing.assert_allclose(X.std(axis=1), 1)
    assert np.sum(y == 1) == 357  # benign
    assert np.sum(y == -1) == 212


@pytest.mark.parametrize(("one", "other"), [(3, 3), (11, 3), (3, 11), (-1, None)])
def test_classes_that_are_not_there_are_refused(one, other):
    with pytest.raises(ValueError, match="must be different classes among"):
        digits_pair(one, other)


def test_points_without_their_labels_are_refused():
    with pytest.raises(ValueError, match="one label for every point"):
        two_classes(np.ones((2, 3)), np.ones(2), 1)
    with pytest.raises(ValueError, match="must be different classes among"):
        two_classes(np.ones((2, 3)), np.ones(3), 1)


def test_a_fetched_set_comes_scaled_with_its_classes(monkeypatch):
    asked = []

    def fetcher(name, **options):
        asked.append((name, options["version"]))
        return SimpleNamespace(data=np.array([[0, 255], [51, 0], [255, 255]]), target=np.array(["7", "0", "7"], object))

    monkeypatch.setattr(datasets, "fetch_openml", fetcher)
    X, labels = fetch("mnist_784")
    np.testing.assert_allclose(X, [[0, 0.2, 1], [1, 0, 1]], rtol=1e-6)
    assert X.dtype == np.float32
    np.testing.assert_array_equal(labels, [7, 0, 7])
    np.testing.assert_array_equal(two_classes(X, labels, 7, 0).y, [1, -1, 1])
    fetch("Fashion-MNIST")
    assert asked == [("mnist_784", 1), ("Fashion-MNIST", 1)]


@pytest.mark.parametrize("error", [URLError("no route"), TimeoutError("slow"), ConnectionResetError("gone")])
def test_without_a_network_the_reason_is_told(monkeypatch, error):
    def fetcher(*_, **__):
        raise error

    monkeypatch.setattr(datasets, "fetch_openml", fetcher)
    with pytest.raises(ConnectionError, match="'mnist_784' is not on this machine yet, and OpenML cannot be reached"):
        fetch("mnist_784")


def test_a_full_disk_is_not_called_a_network(monkeypatch):
    def fetcher(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(datasets, "fetch_openml", fetcher)
    with pytest.raises(OSError, match="No space left"):
        fetch("mnist_784")


def test_other_names_are_not_fetched(monkeypatch):
    monkeypatch.setattr(datasets, "fetch_openml", lambda *_, **__: pytest.fail("fetched"))
    with pytest.raises(ValueError, match="'name' parameter must be one of mnist_784, Fashion-MNIST"):
        fetch("iris")
