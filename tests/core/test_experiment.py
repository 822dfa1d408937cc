"""The experiment: seeds, entry laws, the two readings, precision, and draws against what is predicted of them."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import cache, wraps
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import eigh
from threadpoolctl import threadpool_limits

from rmtcore import Layer, Network, Population, draw, draws, experiment, get_activation, kolmogorov_smirnov, spectrum
from rmtcore.experiment import draw_data, draw_features, largest_matrix, spawn_streams

ENTRIES = ["gaussian", "rademacher", "uniform", "student"]
READINGS = ["actual", "linear"]
RARE = 1e-4  # for the p-values of some sixty tests of laws


@pytest.fixture
def seen(monkeypatch):
    """What `draw` makes on its way, of the last draw: the data, and the features of every layer."""
    record = SimpleNamespace(data=None, labels=None, layers=[])
    data, layer = experiment.draw_data, experiment._layer

    @wraps(data)
    def record_data(*args, **kwargs):
        made, labels = data(*args, **kwargs)
        record.data, record.labels, record.layers = made.copy(), labels.copy(), []
        return made, labels

    @wraps(layer)
    def record_layer(*args, **kwargs):
        made = layer(*args, **kwargs)
        record.layers.append(made.copy())
        return made

    monkeypatch.setattr(experiment, "draw_data", record_data)
    monkeypatch.setattr(experiment, "_layer", record_layer)
    return record


def features(seen):
    """The last feature matrix of what was seen."""
    return seen.layers[-1] if seen.layers else seen.data


def precision(monkeypatch, dtype):
    """Let `draw` use this one whatever the network."""
    monkeypatch.setattr(experiment, "_precision", lambda *_: dtype)


def assert_same(one, other):
    """Two draws with the same numbers, to the last bit."""
    for name in ("eigenvalues", "outliers", "overlap", "score_overlap"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.zeros == other.zeros


# --- Seeds ----------------------------------------------------------------------------------------


@cache
def networks():
    """One network for every route through `draw`."""
    rng = np.random.default_rng(0)
    return {
        "white": Network(Population.identity(30), samples=50),
        "atoms": Network(Population.atoms([1, 5], [0.5, 0.5], 60), samples=40),
        "spikes": Network(Population.spiked([0.1, 9.0], 50), samples=200),
        "deep": Network(Population.spiked([20.0], 40), [Layer(70, "relu"), Layer(50, "sign", True)], samples=60),
        "single": Network(Population.spiked([4.0], 400), samples=1000),
        "data": Network(Population.from_data(rng.standard_normal((10, 40))), samples=20),
    }


def again(name, seed, reading, entries):
    """The draw of that name; picklable, for another process."""
    with threadpool_limits(1):
        return draw(networks()[name], seed, reading, entries)


@pytest.mark.parametrize("entries", ENTRIES)
@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("name", networks())
def test_the_same_seed_gives_the_same_draw_whatever_was_drawn_before(name, reading, entries):
    first = again(name, 3, reading, entries)
    again("deep", 4, "actual", "student")
    np.random.default_rng().standard_normal(7)
    assert_same(first, again(name, 3, reading, entries))


def test_the_same_seed_gives_the_same_draw_in_another_process():
    cases = [(name, (8, 1), reading, "gaussian") for name in networks() for reading in READINGS]
    cases += [("atoms", 8, "actual", entries) for entries in ENTRIES]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(again, "deep", 0, "actual", "student").result()
        there = [pool.submit(again, *case) for case in cases]
        for case, future in zip(cases, there, strict=True):
            assert_same(again(*case), future.result())


@pytest.mark.parametrize("name", networks())
def test_different_seeds_give_different_draws(name):
    seeds = [0, 1, 2, 10, 2**40, 2**128 + 1, (1, 1), (1, 2), (2, 1), (1, 1, 1), (0, 1, 2)]
    tops = [draw(networks()[name], seed).eigenvalues[-1] for seed in seeds]
    assert len(set(tops)) == len(seeds)


def test_a_seed_is_a_number_or_a_tuple_of_them():
    network = networks()["atoms"]
    assert_same(draw(network, 5), draw(network, np.int64(5)))
    assert_same(draw(network, 5), draw(network, (5,)))
    assert_same(draw(network, (5, 6)), draw(network, [5, np.uint32(6)]))


@pytest.mark.parametrize("seed", [-1, (1, -1), 1.5, np.nan, "one", None, True, (None,), ((1, 2), 3)])
@pytest.mark.parametrize("name", networks())
def test_no_other_seed_is_taken(name, seed):
    with pytest.raises(ValueError, match=r"The 'seed' parameter must be an integer >= 0\. Got"):
        draw(networks()[name], seed)


def test_streams_depend_on_the_seed_and_their_place_alone():
    few, many = ([rng.random(3).tolist() for rng in spawn_streams((5, 1), count)] for count in (2, 7))
    assert many[:2] == few
    assert len({tuple(numbers) for numbers in many}) == 7


@pytest.mark.parametrize("reading", READINGS)
def test_draws_are_the_draws_of_seed_and_index(reading):
    network = networks()["deep"]
    several = draws(network, 6, 3, reading, "student", 7.0)
    assert len(several) == 3
    for index, one in enumerate(several):
        assert_same(one, draw(network, (6, index), reading, "student", 7.0))
    assert len({one.eigenvalues[0] for one in several}) == 3


# --- The two readings -----------------------------------------------------------------------------


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("widths", [[30], [80], [60, 20, 90]])
def test_with_the_identity_both_readings_are_one(widths, normalise):
    network = Network(
        Population.atoms([0.5, 4], [0.5, 0.5], 40), [Layer(d, "identity", normalise) for d in widths], samples=50
    )
    actual, linear = (draw(network, 2, reading).eigenvalues for reading in READINGS)
    np.testing.assert_allclose(actual, linear, rtol=1e-12, atol=1e-13 * linear[-1])


def test_both_readings_have_the_same_data_and_weights_and_the_predicted_noise(seen):
    """Leaky ReLU can be inverted, so the weights of the actual network can be solved for: what the linear
    one has besides mu1 W h is white noise of variance mu*^2, independent of everything else."""
    layers = [Layer(60, "leaky_relu"), Layer(90, "leaky_relu", normalise=True)]
    network = Network(Population.toeplitz(0.5, 50), layers, samples=200)
    draw(network, 4)
    data, (first, second) = seen.data, seen.layers
    draw(network, 4, "linear")
    np.testing.assert_array_equal(seen.data, data)
    below, linear_below, noises = data, data, []
    for index, (actual, linear) in enumerate(zip((first, second), seen.layers, strict=True)):
        moments = network.moments()[index]
        value = (actual + moments.mean) * layers[index].scale(network.input_variance(index))
        inputs = np.where(value > 0, value, 10 * value)
        weights = np.linalg.lstsq(below.T, inputs.T)[0].T * np.sqrt(below.shape[0])
        np.testing.assert_allclose(weights @ below / np.sqrt(below.shape[0]), inputs, atol=1e-9)
        assert stats.kstest(weights.ravel(), "norm").pvalue > RARE
        signal = moments.mu1 * weights @ linear_below / np.sqrt(below.shape[0])
        noise = (linear - signal) / np.sqrt(moments.mu_star2)
        assert stats.kstest(noise.ravel(), "norm").pvalue > RARE
        for other in (signal, *(part for part in noises if part.shape == noise.shape)):
            assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 4 / np.sqrt(noise.size)
        noises.append(noise)
        below, linear_below = actual, linear


@pytest.mark.parametrize("activation", ["identity", "relu", "tanh", "sign", "abs", "he2", "softplus"])
@pytest.mark.parametrize("normalise", [False, True])
def test_features_are_centred_and_have_the_variance_of_the_moments(activation, normalise, seen):
    network = Network(Population.identity(300), [Layer(200, activation, normalise)], samples=300)
    (moments,) = network.moments()
    for reading in READINGS:
        draw(network, 1, reading)
        made = seen.layers[0]
        # the mean over the weights and that over the data are as large as 1/sqrt(300) and 1/sqrt(200) in every
        # direction, and the norms of both vary by a few per cent
        assert abs(made.mean()) < 0.02 * np.sqrt(moments.variance)
        assert made.var() == pytest.approx(moments.variance, rel=0.05)
    if normalise:
        assert moments.variance == 1


@pytest.mark.parametrize("activation", ["relu", "tanh", "sign", "step", "cos"])
def test_actual_features_are_the_activation_of_the_same_inputs(activation, seen):
    """The identity network of the same seed gives the inputs."""
    population = Population.atoms([1, 3], [0.5, 0.5], 20)
    draw(Network(population, [Layer(30, "identity")], samples=40), 9)
    inputs = seen.layers[0]
    network = Network(population, [Layer(30, activation)], samples=40)
    draw(network, 9)
    expected = get_activation(activation).function(inputs) - network.moments()[0].mean
    np.testing.assert_allclose(seen.layers[0], expected, atol=1e-13)


# --- Eigenvalues ----------------------------------------------------------------------------------


SHAPES = [(20, 50), (50, 50), (50, 20), (1, 30), (30, 1), (1, 1), (2, 2)]


@pytest.mark.parametrize("kind", ["white", "atoms", "layer"])
@pytest.mark.parametrize(("d", "n"), SHAPES)
def test_both_sides_have_their_size_and_their_zeros(kind, d, n):
    network = {
        "white": lambda: Network(Population.identity(d), samples=n),
        "atoms": lambda: Network(Population.atoms([1, 2], [0.5, 0.5], d), samples=n),
        "layer": lambda: Network(Population.identity(25), [Layer(d, "tanh")], samples=n),
    }[kind]()
    one = draw(network, 1)
    assert one.eigenvalues.shape == (min(d, n),)
    assert one.eigenvalues.dtype == float
    assert one.zeros == (max(d - n, 0), max(n - d, 0))
    assert one.seconds > 0
    assert one.outliers.shape == one.overlap.shape == one.score_overlap.shape == (0,)
    np.testing.assert_array_equal(one.all_eigenvalues(), one.all_eigenvalues("covariance"))
    for side, size in (("covariance", d), ("gram", n)):
        every = one.all_eigenvalues(side)
        assert every.shape == (size,)
        assert np.all(np.diff(every) >= 0)
        assert np.all(every >= 0)
        assert np.sum(every == 0) == size - min(d, n)
        np.testing.assert_array_equal(every[size - min(d, n) :], one.eigenvalues)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("layers", [[], [("relu", 60)], [("tanh", 20)], [("sign", 60), ("relu", 40)]], ids=str)
@pytest.mark.parametrize("n", [25, 40, 90])
def test_eigenvalues_are_those_of_both_matrices(n, layers, reading, seen):
    network = Network(Population.toeplitz(0.7, 40), [Layer(d, name) for name, d in layers], samples=n)
    one = draw(network, 12, reading)
    made = features(seen)
    assert made.shape == (network.feature_dim, n)
    for side, matrix in (("covariance", made @ made.T / n), ("gram", made.T @ made / n)):
        expected = np.linalg.eigvalsh(matrix)
        np.testing.assert_allclose(one.all_eigenvalues(side), expected, atol=1e-13 * expected[-1])
    assert one.eigenvalues.sum() == pytest.approx(np.sum(made**2) / n, rel=1e-12)
    assert np.sum(one.eigenvalues**2) == pytest.approx(np.linalg.norm(made @ made.T) ** 2 / n**2, rel=1e-12)


@pytest.mark.parametrize(
    "network",
    [
        lambda: Network(Population.identity(100), [Layer(300, "identity")], samples=400),
        lambda: Network(Population.identity(100), [Layer(300, "identity")], samples=250),
        lambda: Network(Population.identity(150), [Layer(40, "relu"), Layer(150, "identity")], samples=150),
        lambda: Network(Population.atoms([0, 1], [0.9, 0.1], 800), samples=400),
    ],
)
def test_eigenvalues_that_a_deficient_rank_puts_at_zero_are_zero(network):
    law, one = spectrum(network()), draw(network(), 1)
    every = one.all_eigenvalues()
    assert np.mean(every == 0) == pytest.approx(law.atom)
    assert kolmogorov_smirnov(every, law) < 0.03


# --- Entry laws -----------------------------------------------------------------------------------


LAWS = [
    ("gaussian", 5.0, stats.norm()),
    ("uniform", 5.0, stats.uniform(-np.sqrt(3), 2 * np.sqrt(3))),
    ("student", 5.0, stats.t(5, scale=np.sqrt(3 / 5))),
    ("student", 12.0, stats.t(12, scale=np.sqrt(10 / 12))),
    ("student", 2.5, stats.t(2.5, scale=np.sqrt(0.5 / 2.5))),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("entries", "dof", "law"), LAWS, ids=lambda value: str(value)[:10])
def test_entries_have_their_standardised_law(entries, dof, law, dtype, seen, monkeypatch):
    """Whole law by Kolmogorov-Smirnov; mean 0 and variance 1 within 4 standard errors; scaled by C."""
    precision(monkeypatch, dtype)
    population = Population.atoms([0.25, 9.0], [0.5, 0.5], 100)
    draw(Network(population, samples=500), 3, entries=entries, dof=dof)
    assert seen.data.dtype == dtype
    z = seen.data / np.sqrt(population.spectrum)[:, None]
    assert law.mean() == pytest.approx(0, abs=1e-15)
    assert law.var() == pytest.approx(1)
    for part in (z, z[:50], z[50:]):
        assert stats.kstest(part.ravel(), law.cdf).pvalue > RARE
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
    if dof > 4:
        assert abs(z.var() - 1) < 4 * np.sqrt((law.stats("k") + 2) / z.size)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rademacher_entries_are_fair_signs(dtype, seen, monkeypatch):
    precision(monkeypatch, dtype)
    population = Population.atoms([4.0, 16.0], [0.5, 0.5], 100)
    draw(Network(population, samples=500), 3, entries="rademacher")
    z = seen.data / np.sqrt(population.spectrum)[:, None]
    np.testing.assert_array_equal(np.abs(z), 1)
    assert abs(z.mean()) < 4 / np.sqrt(z.size)


@pytest.mark.parametrize(("entries", "dof"), [(name, dof) for name, dof, _ in LAWS[:4]] + [("rademacher", 5.0)])
def test_one_mean_square_has_mean_one_for_every_entry_law(entries, dof):
    """In dimension one the eigenvalue is the mean square of n entries."""
    network = Network(Population.atoms([3.0], [1.0], 1), samples=50_000)
    found = draw(network, 1, entries=entries, dof=dof).eigenvalues[0] / 3
    excess = {"gaussian": 0, "rademacher": -2, "uniform": -1.2, "student": 6 / (dof - 4)}[entries]
    assert abs(found - 1) <= 4 * np.sqrt((excess + 2) / 50_000) + 1e-12


@pytest.mark.parametrize("entries", ENTRIES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_mixture_has_two_fair_classes_of_variance_one(entries, dtype):
    population, n = Population.mixture(6.25, 20), 20_000
    data, labels = draw_data(population, n, np.random.default_rng(1), entries, 12.0, dtype)
    assert data.dtype == labels.dtype == dtype
    assert data.shape == (20, n)
    np.testing.assert_array_equal(np.abs(labels), 1)
    assert abs(labels.mean()) < 4 / np.sqrt(n)
    noise = data.astype(float)
    noise[-1] -= 2.5 * labels
    kurtosis = {"gaussian": 3, "rademacher": 1, "uniform": 1.8, "student": 3.75}[entries]
    for row in noise:
        for part in (row[labels > 0], row[labels < 0]):
            assert abs(part.mean()) < 4.5 / np.sqrt(part.size)
            assert abs(np.mean(part**2) - 1) < 4.5 * np.sqrt((kurtosis - 1) / part.size) + 1e-5


def test_only_a_mixture_has_labels():
    rng = np.random.default_rng(1)
    for network in networks().values():
        assert draw_data(network.population, 5, rng)[1].shape == (0,)
    data, labels = draw_data(Population.mixture(0.0, 5), 1000, rng)
    assert labels.shape == (1000,)
    assert abs(np.mean(data[-1] * labels)) < 4 / np.sqrt(1000)


@pytest.mark.parametrize("reading", READINGS)
def test_features_of_a_column_do_not_depend_on_the_others(reading):
    """The same streams give the same network; only the noise of the linear reading belongs to the columns."""
    network = Network(Population.identity(20), [Layer(30, "relu"), Layer(10, "identity")], samples=40)
    data = np.random.default_rng(1).standard_normal((20, 40))
    whole, part = (
        draw_features(network, some, [np.random.default_rng(seed) for seed in range(4)], reading)
        for some in (data, data[:, :15])
    )
    assert whole.shape == (10, 40)
    assert part.shape == (10, 15)
    assert np.allclose(whole[:, :15], part, rtol=1e-12) == (reading == "actual")
    bare = Network(Population.identity(20), samples=40)
    np.testing.assert_array_equal(draw_features(bare, data, [], reading), data)


def test_neighbouring_entries_are_not_correlated(seen):
    for entries in ENTRIES:
        draw(Network(Population.atoms([1, 1], [0.5, 0.5], 200), samples=300), 1, entries=entries)
        z = seen.data
        for left, right in ((z[1:], z[:-1]), (z[:, 1:], z[:, :-1])):
            assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 4 / np.sqrt(z.size)


@pytest.mark.parametrize("entries", ENTRIES)
def test_the_limit_is_the_same_for_every_entry_law(entries):
    """Universality: within 5/d at d = 300, the size that Gaussian entries need too. Student with 12 degrees."""
    network = Network(Population.atoms([1, 4], [0.5, 0.5], 300), samples=600)
    one = draw(network, 1, entries=entries, dof=12.0)
    assert kolmogorov_smirnov(one.all_eigenvalues(), spectrum(network)) < 5 / 300


# --- White Wishart matrices -----------------------------------------------------------------------


def dense_white(p, n, scale, rng):
    data = rng.standard_normal((p, n))
    return np.linalg.eigvalsh(data @ data.T if p <= n else data.T @ data) * scale / n


@pytest.mark.parametrize(("p", "n"), [(30, 75), (40, 40), (75, 30), (1, 20), (20, 1), (1, 1), (2, 2), (2, 3), (39, 40)])
def test_the_tridiagonal_form_has_the_law_of_the_dense_matrix(p, n):
    """Pooled eigenvalues, the smallest and the largest one: two-sample Kolmogorov-Smirnov. Moments: exact."""
    repetitions, scale = 400, 3.0
    network = Network(Population.atoms([scale], [1.0], p), samples=n)
    found = np.array([one.eigenvalues for one in draws(network, 1, repetitions)])
    rng = np.random.default_rng(2)
    expected = np.array([dense_white(p, n, scale, rng) for _ in range(repetitions)])
    assert found.shape == expected.shape == (repetitions, min(p, n))
    for part in (slice(None), 0, -1):
        assert stats.ks_2samp(found[:, part].ravel(), expected[:, part].ravel()).pvalue > RARE
    # n tr W / s is chi-square with p n degrees of freedom: its whole law, so its mean and variance too
    trace = found.sum(axis=1)
    assert stats.kstest(trace * n / scale, stats.chi2(p * n).cdf).pvalue > RARE
    assert abs(trace.mean() - scale * p) < 4 * scale * np.sqrt(2 * p / n / repetitions)
    spread = np.sqrt((2 + 12 / (p * n)) / repetitions)  # of a variance, relative, for chi-square
    assert abs(trace.var(ddof=1) / (2 * scale**2 * p / n) - 1) < 4 * spread
    squares = np.sum(found**2, axis=1)
    error = squares.std(ddof=1) / np.sqrt(repetitions)
    assert abs(squares.mean() - scale**2 * p * (n + p + 1) / n) < 4 * error


@pytest.mark.parametrize(("p", "n"), [(300, 600), (400, 400), (900, 300)])
def test_white_draws_follow_marchenko_pastur(p, n):
    """Within 5/min(p, n): the eigenvalues repel each other, so the distance falls as 1/n."""
    network = Network(Population.identity(p), samples=n)
    law = spectrum(network)
    for one in draws(network, 3, 5):
        assert kolmogorov_smirnov(one.all_eigenvalues(), law) < 5 / min(p, n)


def test_the_tridiagonal_form_is_only_for_white_gaussian_data(seen):
    draw(Network(Population.identity(30), samples=50), 1)
    assert seen.data is None
    for network, entries in (
        (Network(Population.identity(30), samples=50), "uniform"),
        (Network(Population.identity(30), [Layer(20, "tanh")], samples=50), "gaussian"),
        (Network(Population.spiked([1.5], 30), samples=50), "gaussian"),
        (Network(Population.from_data(np.array([[0.0, 1.0, 4.0]])), samples=2), "gaussian"),
    ):
        seen.data = None
        draw(network, 1, entries=entries)
        assert seen.data.shape == (network.population.dim, network.samples)


# --- Single precision -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "dtype"),
    [
        (lambda: Network(Population.toeplitz(0.2, 400), samples=1000), np.float32),
        (lambda: Network(Population.toeplitz(0.2, 399), samples=1000), np.float64),  # too small to pay
        (lambda: Network(Population.toeplitz(0.2, 1000), samples=400), np.float32),
        (lambda: Network(Population.toeplitz(0.2, 1000), samples=399), np.float64),
        (lambda: Network(Population.toeplitz(0.2, 400), samples=480), np.float64),  # small eigenvalues
        (lambda: Network(Population.toeplitz(0.2, 400), samples=400), np.float64),  # hard edge
        (lambda: Network(Population.atoms([1e-3, 1], [0.5, 0.5], 400), samples=4000), np.float64),
        (lambda: Network(Population.spiked([5.0], 400), samples=1000), np.float32),
        (lambda: Network(Population.spiked([500.0], 400), samples=1000), np.float64),  # a large outlier
        (lambda: Network(Population.identity(800), [Layer(400, "sign")], samples=1500), np.float32),
        (lambda: Network(Population.identity(900), [Layer(399, "sign")], samples=1500), np.float64),
    ],
)
@pytest.mark.parametrize("reading", READINGS)
def test_single_precision_only_for_large_matrices_without_small_eigenvalues(network, dtype, reading, seen):
    network = network()
    law = spectrum(network)
    assert draw(network, 1, reading).eigenvalues.dtype == np.float64
    assert features(seen).dtype == dtype
    if dtype == np.float32:
        assert min(network.feature_dim, network.samples) >= 400
        assert law.bulks[0, 0] > 0.01 * law.bulks[-1, 1]


class _Rounded:
    """A generator whose single-precision normals are its double-precision ones, rounded."""

    def __init__(self, rng):
        self._rng = rng

    def __getattr__(self, name):
        return getattr(self._rng, name)

    def standard_normal(self, shape, dtype=np.float64):
        return self._rng.standard_normal(shape).astype(dtype)

    def random(self, shape, dtype=np.float64):
        return self._rng.random(shape).astype(dtype)


@pytest.mark.parametrize(
    ("network", "entries"),
    [
        (lambda: Network(Population.toeplitz(0.2, 450), samples=1200), "gaussian"),
        (lambda: Network(Population.spiked([0.1, 6.0], 400), samples=1600), "uniform"),
        (lambda: Network(Population.spiked([6.0], 1200), samples=400), "student"),
        (lambda: Network(Population.identity(450), samples=1200), "rademacher"),
        (lambda: Network(Population.spiked([9.0], 800), [Layer(400, "tanh")], samples=2000), "gaussian"),
        (lambda: Network(Population.identity(300), [Layer(400, "relu"), Layer(1600, "gelu")], samples=400), "gaussian"),
    ],
)
@pytest.mark.parametrize("reading", READINGS)
def test_single_precision_does_not_show(network, entries, reading, seen, monkeypatch):
    """The same numbers in double precision differ by less than 1e-5 of the largest eigenvalue."""
    network, rng = network(), np.random.default_rng

    def rounded(seed=None):  # ARPACK asks for one too
        return _Rounded(rng(seed)) if isinstance(seed, np.random.SeedSequence) else rng(seed)

    monkeypatch.setattr(np.random, "default_rng", rounded)
    single = draw(network, 5, reading, entries)
    assert features(seen).dtype == np.float32
    precision(monkeypatch, np.float64)
    double = draw(network, 5, reading, entries)
    assert features(seen).dtype == np.float64
    top = double.eigenvalues[-1]
    assert np.max(np.abs(single.eigenvalues - double.eigenvalues)) < 1e-5 * top
    np.testing.assert_allclose(single.eigenvalues, double.eigenvalues, rtol=1e-3)
    np.testing.assert_allclose(single.outliers, double.outliers, rtol=1e-3, atol=1e-5 * top)
    np.testing.assert_allclose(single.overlap, double.overlap, atol=1e-4)
    np.testing.assert_allclose(single.score_overlap, double.score_overlap, atol=1e-4)


def test_single_precision_is_not_used_where_it_blurs_an_outlier_below_the_bulk():
    network = Network(Population.spiked([1e-7], 400), samples=2000)
    (predicted,) = spectrum(network).outliers
    found = [one.outliers[0] for one in draws(network, 1, 4)]
    np.testing.assert_allclose(found, predicted.position, rtol=0.2)


@pytest.mark.parametrize("scale", [1e-46, 1e36])
def test_single_precision_is_not_used_beyond_its_range(scale):
    network = Network(Population.atoms([scale, 2 * scale], [0.5, 0.5], 400), samples=1600)
    assert kolmogorov_smirnov(draw(network, 1).all_eigenvalues(), spectrum(network)) < 5 / 400


# --- Against the limiting law ---------------------------------------------------------------------


ACTIVATIONS = ["tanh", "softplus", "relu", "leaky_relu", "sign", "ternary"]  # smooth, with kinks, with jumps


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("width", [200, 400, 800])
@pytest.mark.parametrize("p", [250, 400, 600])
def test_one_layer_follows_its_law_in_both_readings(activation, width, p):
    """d/n = 1/2, 1, 2 and p/n = 5/8, 1, 3/2. The linear equivalent is Gaussian given its weights, so within
    5/d; the actual network has a correction of relative order 1 over its smallest size, so within 6/min(p, d, n)."""
    network = Network(Population.toeplitz(0.5, p), [Layer(width, activation)], samples=400)
    law = spectrum(network)
    for reading, size in (("actual", min(p, width, 400)), ("linear", width)):
        every = draw(network, 17, reading).all_eigenvalues()
        assert every.shape == (width,)
        assert kolmogorov_smirnov(every, law) < (6 if reading == "actual" else 5) / size


@pytest.mark.parametrize(
    "layers",
    [
        [("tanh", 300), ("relu", 400)],
        [("sign", 500), ("gelu", 250)],
        [("relu", 300), ("sin", 450), ("leaky_relu", 350)],
        [("abs", 400)],  # no linear part: as noise
        [("tanh", 300), ("cos", 350)],
    ],
    ids=str,
)
@pytest.mark.parametrize("n", [200, 350, 800])
def test_deep_and_blind_networks_follow_their_law(layers, n):
    network = Network(Population.atoms([1, 3], [0.5, 0.5], 400), [Layer(d, a, True) for a, d in layers], samples=n)
    law = spectrum(network)
    size = min(400, n, *(d for _, d in layers))
    for reading, most in (("actual", 8 / size), ("linear", 5 / network.feature_dim)):
        assert kolmogorov_smirnov(draw(network, 5, reading).all_eigenvalues(), law) < most


@pytest.mark.parametrize("activation", ["relu", "sign"])
def test_the_distance_tells_a_wrong_law(activation):
    """Without the noise of the nonlinear part, or with that of another activation, the law is far off."""
    network = Network(Population.toeplitz(0.5, 400), [Layer(400, activation, True)], samples=400)
    wrong = [Network(network.population, [Layer(400, name, True)], samples=400) for name in ("identity", "cos")]
    every = draw(network, 1).all_eigenvalues()
    assert kolmogorov_smirnov(every, spectrum(network)) < 6 / 400
    for other in wrong:
        assert kolmogorov_smirnov(every, spectrum(other)) > 12 / 400


def test_the_distance_falls_with_the_size():
    distances = []
    for n in (60, 600):
        network = Network(Population.identity(n), [Layer(2 * n, "tanh")], samples=n)
        law = spectrum(network)
        distances.append(np.mean([kolmogorov_smirnov(one.all_eigenvalues(), law) for one in draws(network, 1, 3)]))
    assert distances[1] < 0.25 * distances[0]


# --- Outliers -------------------------------------------------------------------------------------


OUTLIERS = {
    "c = 1/2": Network(Population.spiked([8.0, 3.5], 200), samples=400),
    "c = 1": Network(Population.spiked([9.0, 5.0], 250), samples=250),
    "c = 2": Network(Population.spiked([12.0, 5.0], 400), samples=200),
    "low": Network(Population.spiked([0.05, 0.2], 120), samples=480),
    "low and high": Network(Population.spiked([0.05, 1.1, 6.0], 120), samples=480),
    "mixture": Network(Population.mixture(4.0, 200), samples=400),
    "single precision": Network(Population.spiked([5.0], 400), samples=1000),
    "tanh": Network(Population.spiked([12.0], 200), [Layer(300, "tanh")], samples=400),
    "wide relu": Network(Population.spiked([12.0], 200), [Layer(600, "relu")], samples=300),
    "narrow sign": Network(Population.spiked([15.0], 200), [Layer(150, "sign")], samples=300),
    "two layers": Network(Population.spiked([25.0, 12.0], 200), [Layer(300, "tanh"), Layer(250, "relu")], samples=400),
}


@pytest.mark.parametrize(
    ("name", "reading"),
    [(name, reading) for name, network in OUTLIERS.items() for reading in READINGS[: 1 + bool(network.layers)]],
)
def test_outliers_are_found_where_they_are_predicted(name, reading):
    """Mean of 20 draws within 3 standard errors plus what a finite size adds: with m the smallest of p, d, n,
    12/m of the position and 6/m for the squared cosines."""
    network, repetitions = OUTLIERS[name], 20
    law, several = spectrum(network), draws(network, 3, repetitions, reading)
    smallest = min(network.population.dim, network.samples, network.feature_dim)
    assert any(outlier.separated for outlier in law.outliers)
    for index, outlier in enumerate(law.outliers):
        for attribute, expected, slack in (
            ("outliers", outlier.position, 12 * outlier.position / smallest),
            ("overlap", outlier.overlap, 6 / smallest),
            ("score_overlap", outlier.score_overlap, 6 / smallest),
        ):
            found = np.array([getattr(one, attribute)[index] for one in several])
            if not outlier.separated or np.isnan(expected):
                assert np.all(np.isnan(found))
            else:
                error = 3 * found.std(ddof=1) / np.sqrt(repetitions) + slack
                assert abs(found.mean() - expected) < error, (attribute, found.mean(), expected, error)


def test_equal_spikes_share_their_eigenspace():
    """Their eigenvalues repel each other, half above and half below; their means are as predicted."""
    network = Network(Population.spiked([5.0, 5.0, 5.0], 200), samples=400)
    (predicted, *_) = spectrum(network).outliers
    several = draws(network, 2, 20)
    assert np.all(np.diff([one.outliers for one in several], axis=1) > 0)
    for attribute in ("overlap", "score_overlap"):
        found = np.array([np.mean(getattr(one, attribute)) for one in several])
        error = 3 * found.std(ddof=1) / np.sqrt(20) + 6 / 200
        assert abs(found.mean() - getattr(predicted, attribute)) < error
    positions = np.array([one.outliers.mean() for one in several])
    error = 3 * positions.std(ddof=1) / np.sqrt(20) + 12 / 200 * predicted.position
    assert abs(positions.mean() - predicted.position) < error


@pytest.mark.parametrize("layers", [[], [("relu", 80)], [("tanh", 30)]], ids=str)
@pytest.mark.parametrize(("p", "n"), [(40, 160), (100, 50)])
def test_outliers_are_eigenvalues_and_overlaps_those_of_their_vectors(p, n, layers, seen):
    network = Network(Population.spiked([0.05, 60.0, 30.0], p), [Layer(d, a) for a, d in layers], samples=n)
    law, one = spectrum(network), draw(network, 1)
    made = features(seen)
    values, vectors = eigh(made @ made.T / n)
    high = [k for k, outlier in enumerate(law.outliers) if outlier.separated and outlier.position > law.bulks[-1, 1]]
    low = [k for k, outlier in enumerate(law.outliers) if outlier.separated and outlier.position < law.bulks[0, 0]]
    assert high == [1, 2]
    assert low == ([0] if (p, n, layers) == (40, 160, []) else [])
    zeros = max(made.shape[0] - n, 0)
    for index, at in [(1, -2), (2, -1), *[(k, zeros) for k in low]]:
        inside = np.flatnonzero(network.population.spectrum == law.outliers[index].spike)
        assert one.outliers[index] == pytest.approx(values[at], rel=1e-10)
        scores, other = seen.data[inside[0]], made.T @ vectors[:, at]
        cosine = (scores @ other) ** 2 / (scores @ scores) / (other @ other)
        assert one.score_overlap[index] == pytest.approx(cosine, abs=1e-9)
        if layers:
            assert np.isnan(one.overlap[index])
        else:
            assert one.overlap[index] == pytest.approx(vectors[inside[0], at] ** 2, abs=1e-9)


def test_no_outlier_where_none_is_separated_and_none_behind_a_blind_layer():
    one = draw(Network(Population.spiked([1.2], 100), samples=100), 1)
    for found in (one.outliers, one.overlap, one.score_overlap):
        np.testing.assert_array_equal(found, [np.nan])
    blind = draw(Network(Population.spiked([30.0], 50), [Layer(60, "abs")], samples=100), 1)
    assert blind.outliers.shape == (0,)


@pytest.mark.parametrize(("p", "n"), [(2, 1), (2, 2), (3, 2), (5, 2), (3, 50)])
def test_the_smallest_matrices_have_outliers_or_nan(p, n):
    one = draw(Network(Population.spiked([30.0], p), samples=n), 0)
    assert one.outliers.shape == (1,)
    assert one.eigenvalues.shape == (min(p, n),)
    assert np.isnan(one.outliers[0]) or one.outliers[0] == pytest.approx(one.eigenvalues[-1])


@pytest.mark.parametrize("d", [90, 150])
def test_a_low_outlier_is_found_above_the_zeros_of_a_deficient_rank(d):
    network = Network(Population.spiked([0.02], 60), [Layer(d, "identity")], samples=500)
    law = spectrum(network)
    (predicted,) = law.outliers
    assert predicted.separated
    assert 0 < predicted.position < law.bulks[0, 0]
    found = [one.outliers[0] for one in draws(network, 1, 8)]
    assert np.mean(found) == pytest.approx(predicted.position, rel=0.3)


# --- Cost and errors ------------------------------------------------------------------------------


def test_the_largest_matrix_of_white_data_is_a_line():
    assert largest_matrix(Network(Population.identity(500), samples=700)) == 500
    assert largest_matrix(Network(Population.identity(700), samples=500)) == 500


@pytest.mark.parametrize(
    ("p", "widths", "n", "expected"),
    [
        (20, [], 50, 20 * 50),
        (50, [], 20, 50 * 20),
        (20, [30], 50, 30 * 50),
        (20, [10], 50, 20 * 50),
        (90, [80], 5, 90 * 80),
        (20, [90, 80], 5, 90 * 80),
    ],
)
def test_the_largest_matrix_is_the_largest_that_is_made(p, widths, n, expected, seen):
    network = Network(Population.atoms([1, 2], [0.5, 0.5], p), [Layer(d, "relu") for d in widths], samples=n)
    assert largest_matrix(network) == expected
    draw(network, 1)
    made = [seen.data, *seen.layers]
    weights = [below.shape[0] * above.shape[0] for below, above in pairwise(made)]
    assert max([matrix.size for matrix in made] + weights) == expected


def test_the_largest_matrix_of_white_data_with_other_entries_is_the_data():
    network = Network(Population.identity(500), samples=700)
    assert largest_matrix(network, "gaussian") == 500
    assert largest_matrix(network, "student") == 500 * 700


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"reading": "real"}, ["reading", "actual", "linear", "Got 'real'"]),
        ({"reading": None}, ["reading", "Got None"]),
        ({"entries": "cauchy"}, ["entries", "student", "Got 'cauchy'"]),
        ({"dof": 2}, ["dof", "range (2", "Got 2"]),
        ({"dof": 2.0, "entries": "student"}, ["dof", "range (2", "Got 2.0"]),
        ({"dof": 1.0, "entries": "student"}, ["dof", "range (2", "Got 1.0"]),
        ({"dof": -5}, ["dof", "range (2", "Got -5"]),
        ({"dof": np.nan}, ["dof", "finite", "Got nan"]),
        ({"dof": np.inf}, ["dof", "finite", "Got inf"]),
        ({"dof": "five"}, ["dof", "numeric", "Got 'five'"]),
    ],
)
@pytest.mark.parametrize("name", ["white", "deep", "data"])
def test_errors_name_the_parameter(name, arguments, words):
    network = networks()[name]
    for call in (lambda: draw(network, 1, **arguments), lambda: draws(network, 1, 2, **arguments)):
        with pytest.raises(ValueError, match="parameter must be") as raised:
            call()
        assert all(word in str(raised.value) for word in words)


@pytest.mark.parametrize("count", [0, -1, 1.5, "two", None])
def test_the_number_of_draws_is_a_positive_integer(count):
    with pytest.raises(ValueError, match=r"The 'count' parameter must be an integer >= 1\. Got"):
        draws(networks()["white"], 1, count)


def test_an_outlier_between_two_bulks_is_found_there():
    """Neurons in excess of the dimension open a gap, and a low spike puts an eigenvalue into it.

    Within 3 standard errors over the draws, plus 1/sqrt(n) relative (position) and 0.5/sqrt(n) (cosine).
    """
    p, n, count = 100, 500, 12
    network = Network(Population.spiked(0.05, p), [Layer(8 * p, "tanh")], samples=n)
    law = spectrum(network)
    (predicted,) = law.outliers
    assert law.bulks[0, 1] < predicted.position < law.bulks[1, 0]
    for reading in ("actual", "linear"):
        found = draws(network, 1, count, reading)
        for values, expected, slack in (
            ([one.outliers[0] for one in found], predicted.position, predicted.position / np.sqrt(n)),
            ([one.score_overlap[0] for one in found], predicted.score_overlap, 0.5 / np.sqrt(n)),
        ):
            error = np.std(values, ddof=1) / np.sqrt(count)
            assert abs(np.mean(values) - expected) < 3 * error + slack, reading
