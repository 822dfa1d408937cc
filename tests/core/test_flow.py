"""Gradient flow and descent: closed forms, limits, the best time to stop, step sizes, the actual network."""

import numpy as np
import pytest
import trainer
from scipy.special import ndtr

from rmtcore import (
    Layer,
    Network,
    Population,
    accuracy,
    descent,
    early_stopping,
    flow,
    optimal_ridge,
    ridge_errors,
    stability_edge,
)

IDENTITY = Population.identity(100)
TIMES = np.logspace(-2, 4, 7)
COUNTS = np.array([1, 2, 5, 50, 63, 64, 65, 66, 100, 500, 5000])


def at(network, ridge):
    return Network(network.population, network.layers, samples=network.samples, noise=network.noise, ridge=ridge)


def spiked(dim, spike=6.0):
    """C = I but for one spike, all of it isotropic in target."""
    return Population.spiked([spike], dim)


NETWORKS = {
    "linear": Network(Population.atoms([1, 5], [0.5, 0.5], 100), samples=160, noise=0.5),
    "wide-linear": Network(Population.power_law(1.0, 300), samples=100, noise=0.1),
    "shallow": Network(IDENTITY, [Layer(150, "relu")], samples=200, noise=0.5),
    "wide": Network(IDENTITY, [Layer(300, "tanh")], samples=120, noise=0.2),
    "deep": Network(Population.toeplitz(0.5, 100), [Layer(150, "tanh", True)] * 3, samples=220, noise=0.5),
    "mixture": Network(Population.mixture(2.0, 120), [Layer(200, "sign")], samples=150),
}
every_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


# --- Closed forms, linear networks on white data --------------------------------------------------


def marchenko_pastur(c, nodes=20_000):
    """Points and weights of the law without its atom: midpoints of an angle, exact to rounding."""
    theta = (np.arange(nodes) + 0.5) * np.pi / nodes
    if c == 1:  # x = u^2 takes the hard edge out
        return 4 * np.sin(theta / 2) ** 2, (1 + np.cos(theta)) / nodes
    middle, half = 1 + c, 2 * np.sqrt(c)
    x = middle - half * np.cos(theta)
    return x, (half * np.sin(theta)) ** 2 / (2 * c * x * nodes)


def white(c, fit, left, norm2, noise, start=0.0):
    """Test and training error of theta = fit(S) X y/n + left(S) theta_0 for b of squared length norm2.

    Without ridge and start these are the integrals against the Marchenko-Pastur law, for e^(-xt) or any other filter.
    `fit` and `left` take points (m,) and return one row for each time, (t, m).
    """
    x, weight = marchenko_pastur(c)
    atom = max(0.0, 1 - 1 / c)
    none = np.zeros(1)
    missed = 1 - x * fit(x)
    risk = norm2 * (missed**2 @ weight + atom) + noise * c * (fit(x) ** 2 * x) @ weight
    seen = noise * (1 - c) + noise * c * (missed**2 @ weight + atom) + norm2 * (missed**2 * x) @ weight
    risk = risk + start * (left(x) ** 2 @ weight + atom * left(none)[:, 0] ** 2)
    return risk + noise, seen + start * (left(x) ** 2 * x) @ weight


@pytest.mark.parametrize(("p", "n"), [(200, 400), (400, 200), (300, 300), (270, 300), (100, 1000), (1000, 100)])
@pytest.mark.parametrize(("norm2", "noise"), [(1.0, 0.0), (1.3, 0.4), (0.0, 2.0)])
def test_white_data_follow_the_integrals_of_marchenko_and_pastur(p, n, norm2, noise):
    """int e^(-2xt), int (1 - e^(-xt))^2/x and int x e^(-2xt), to 1e-6, up to t = 1e4 at the hard edge."""
    c = p / n
    t = np.logspace(-3, 4 if c == 1 else 8, 34)
    test, train = white(
        c,
        lambda x: -np.expm1(-np.outer(t, x)) / np.maximum(x, 1e-300),
        lambda x: np.exp(-np.outer(t, x)),
        norm2,
        noise,
    )
    found = flow(Network(Population.identity(p, signal=norm2), samples=n, noise=noise), t)
    np.testing.assert_array_equal(found.times, t)
    np.testing.assert_allclose(found.test, test, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.train, train, rtol=1e-6, atol=1e-8)
    assert np.all(np.isnan(found.accuracy))


@pytest.mark.parametrize("start", [0.0, 0.7])
@pytest.mark.parametrize("ridge", [1e-4, 0.03, 2.0])
@pytest.mark.parametrize(("p", "n"), [(200, 400), (400, 200), (300, 300), (1000, 100)])
def test_white_data_with_ridge_from_random_weights(p, n, ridge, start):
    """Weight decay also takes the initial weights away that no data point sees, however slowly."""
    t = np.logspace(-3, 6, 28)
    test, train = white(
        p / n,
        lambda x: -np.expm1(-np.outer(t, x + ridge)) / (x + ridge),
        lambda x: np.exp(-np.outer(t, x + ridge)),
        1.3,
        0.4,
        start,
    )
    found = flow(Network(Population.identity(p, signal=1.3), samples=n, noise=0.4, ridge=ridge), t, start)
    np.testing.assert_allclose(found.test, test, rtol=1e-6)
    np.testing.assert_allclose(found.train, train, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("start", [0.0, 0.7])
@pytest.mark.parametrize("ridge", [0.0, 0.03])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95, 0.99])
@pytest.mark.parametrize(("p", "n"), [(200, 400), (400, 200), (300, 300), (1000, 100)])
def test_descent_on_white_data(p, n, share, ridge, start):
    """The same integrals with (1 - step x)^k, on both sides of the switch between contours."""
    network = Network(Population.identity(p, signal=1.3), samples=n, noise=0.4, ridge=ridge)
    edge = 2 / ((1 + np.sqrt(p / n)) ** 2 + ridge)
    assert stability_edge(network) == pytest.approx(edge, rel=1e-12)
    step = share * edge
    counts = np.concatenate([COUNTS, [180, 195, 196, 197, 198, 199, 200, 220, 1000, 100_000, 10_000_000]])

    def left(x):
        return (1 - step * (x + ridge)) ** counts[:, None]

    # at x + ridge = 0 (no ridge, no eigenvalue) nothing is fitted: those points carry no weight
    test, train = white(p / n, lambda x: (1 - left(x)) / np.maximum(x + ridge, 1e-300), left, 1.3, 0.4, start)
    known = slice(None) if p != n or ridge > 0 else counts <= 5000  # of the quadrature at the hard edge
    found = descent(network, step, counts, start)
    np.testing.assert_array_equal(found.times, counts)
    np.testing.assert_allclose(found.test[known], test[known], rtol=1e-6)
    np.testing.assert_allclose(found.train[known], train[known], rtol=1e-6, atol=1e-7)


# --- Classification from random weights (Liao and Couillet, 2018) -------------------------------------


def two_classes(c, energy, left, start):
    """Accuracy, test and training error by Liao and Couillet's measure omega, for any filter left(x): (m,) to (t, m).

    Q(E/sqrt V) is derived by another route, and in the limit: no finite dimension.
    """
    x, nu = marchenko_pastur(c)
    isolated = c + 1 + energy + c / energy
    omega = np.append(nu * c * x / (isolated - x), max(energy**2 - c, 0) / energy)
    both = np.append(x, isolated)
    decay, scale = left(both), (energy + c) / energy
    mean = ((1 - decay) / both) @ omega
    rest = decay[:, :-1] ** 2
    spread = scale * ((1 - decay) ** 2 / both**2) @ omega + start * (rest @ nu + max(0, 1 - 1 / c))
    second = scale * ((1 - decay) ** 2 / both) @ omega + start * rest @ (x * nu)
    return ndtr(mean / np.sqrt(spread)), 1 - 2 * mean + spread + mean**2, 1 - 2 * scale * mean + second


@pytest.mark.parametrize("start", [0.0, 0.5])
@pytest.mark.parametrize("energy", [0.3, 1.0, 5.0])
@pytest.mark.parametrize("c", [0.1, 0.5, 1.0, 2.0])
def test_classification_dynamics_of_liao_and_couillet(c, energy, start):
    n = 10**9
    network = Network(Population.mixture(energy, round(c * n)), samples=n)
    found = flow(network, TIMES, start)
    expected = two_classes(c, energy, lambda x: np.exp(-np.outer(TIMES, x)), start)
    for ours, theirs in zip((found.accuracy, found.test, found.train), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("share", [0.3, 0.95, 0.99])
@pytest.mark.parametrize(("c", "energy"), [(0.1, 5.0), (0.5, 2.0), (2.0, 5.0), (0.5, 0.3)])
def test_classification_by_descent(c, energy, share):
    """What is learned lies on the largest eigenvalue, an outlier but for the last: near the edge it swings long."""
    n = 10**12  # the swing is k times as sensitive to the outlier's place, known to O(1/n)
    network = Network(Population.mixture(energy, round(c * n)), samples=n)
    largest = (1 + energy) * (1 + c / energy) if energy > np.sqrt(c) else (1 + np.sqrt(c)) ** 2
    assert stability_edge(network) == pytest.approx(2 / largest, rel=1e-9)
    step = share * stability_edge(network)
    counts = np.concatenate([COUNTS, [200, 300, 1000, 1030, 100_000]])
    # where the outlier is none, its place beyond the bulk holds no mass but is still passed to the filter
    x = largest * (1 + 1e-12)
    found = descent(network, step, counts, 0.5)
    expected = two_classes(c, energy, lambda at: (1 - step * np.minimum(at, x)) ** counts[:, None], 0.5)
    for ours, theirs in zip((found.accuracy, found.test, found.train), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


# --- Limits and shape -----------------------------------------------------------------------------


@every_network
@pytest.mark.parametrize("ridge", [0.0, 1e-3, 0.5])
def test_in_the_end_flow_is_ridge_regression(network, ridge):
    """From zero weights to the ridge fit, without ridge to the least-norm one; from any weights with ridge."""
    network = at(network, ridge)
    errors = ridge_errors(network)
    for start in (0.0, 0.5) if ridge > 0 else (0.0,):
        found = flow(network, [1e8], start)
        assert found.test[0] == pytest.approx(errors.test, rel=1e-6)
        assert found.train[0] == pytest.approx(errors.train, rel=1e-6, abs=1e-8)
        if network.population.is_mixture:
            assert found.accuracy[0] == pytest.approx(accuracy(network), abs=1e-6)


@pytest.mark.parametrize("share", [0.3, 0.97])
@pytest.mark.parametrize("ridge", [1e-3, 1.0])
def test_in_the_end_descent_is_ridge_regression(ridge, share):
    for network in NETWORKS.values():
        network = at(network, ridge)
        errors = ridge_errors(network)
        found = descent(network, share * stability_edge(network), [10**6, 10**8])
        np.testing.assert_allclose(found.test, errors.test, rtol=1e-5)
        np.testing.assert_allclose(found.train, errors.train, rtol=1e-5, atol=1e-7)


@every_network
def test_at_first_nothing_is_known(network):
    """theta = 0 predicts 0; theta = theta_0 adds the variance of its scores. Then errors fall as the gradient."""
    population = network.population
    total = population.signal + network.noise + population.noise
    for ridge in (0.0, 0.5):
        for start in (0.0, 0.5):
            moments = network.moments()
            scores = start * (moments[-1].variance if moments else population.variance)
            found = flow(at(network, ridge), [1e-6], start)
            assert found.test[0] == pytest.approx(total + scores, abs=1e-4)
            assert found.train[0] == pytest.approx(total + scores, abs=1e-4)
    first, second = (total - flow(network, [time]).train[0] for time in (1e-5, 2e-5))
    assert second / first == pytest.approx(2, rel=1e-3)
    if population.is_mixture:
        assert flow(network, [1e-6], 0.5).accuracy[0] == pytest.approx(0.5, abs=1e-3)


@every_network
def test_the_training_error_never_rises(network):
    total = network.population.signal + network.noise + network.population.noise
    t = np.geomspace(1e-3, 1e8, 300)
    for start in (0.0, 1.0):
        train = flow(network, t, start).train
        assert np.all(np.diff(train) < 1e-10 * total)
        assert np.all(train >= 0)
        for share in (0.1, 0.5, 0.95):
            step = share * stability_edge(network)
            train = descent(network, step, np.unique(np.geomspace(1, 1e6, 60).round()), start).train
            assert np.all(np.diff(train) < 1e-8 * total)


@every_network
def test_errors_are_never_less_than_the_noise(network):
    for noise in (0.0, network.noise):
        one = Network(network.population, network.layers, samples=network.samples, noise=noise)
        t = np.geomspace(1e-3, 1e8, 100)
        assert np.all(flow(one, t).test >= noise + one.population.noise)


@pytest.mark.parametrize("name", ["abs", "cos"])
def test_a_blind_network_only_learns_noise(name):
    found = flow(Network(IDENTITY, [Layer(150, name)], samples=300, noise=0.2), [1e-3, 0.1, 10, 1e6])
    assert np.all(np.diff(found.test) > 0)
    assert np.all(np.diff(found.train) < 0)
    assert found.test[-1] == pytest.approx(1.2 / (1 - 150 / 300), rel=1e-6)


def test_flow_takes_a_number_many_times_and_none():
    network = NETWORKS["shallow"]
    many = flow(network, np.geomspace(1e-3, 1e8, 200))
    for index in (0, 50, 120, 199):
        one = flow(network, many.times[index])
        assert one.test.shape == (1,)
        assert one.test[0] == pytest.approx(many.test[index], rel=1e-9)
        assert one.train[0] == pytest.approx(many.train[index], rel=1e-9, abs=1e-12)
    assert flow(network, []).test.size == 0
    # in any order
    shuffled = flow(network, many.times[::-1])
    np.testing.assert_allclose(shuffled.test[::-1], many.test, rtol=1e-9)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda one: flow(one, [1.0, 0.0]), ["times", "(0, inf)"]),
        (lambda one: flow(one, [-1.0]), ["times", "(0, inf)"]),
        (lambda one: flow(one, [np.inf]), ["times", "finite"]),
        (lambda one: flow(one, [np.nan]), ["times", "finite"]),
        (lambda one: flow(one, "soon"), ["times", "numeric", "soon"]),
        (lambda one: flow(one, [1.0], start=-0.1), ["start", "-0.1"]),
        (lambda one: descent(one, 0.0, [1]), ["step", "Got 0"]),
        (lambda one: descent(one, -0.1, [1]), ["step", "Got -0.1"]),
        (lambda one: descent(one, 1.0001 * stability_edge(one), [1]), ["step", "(0, "]),
        (lambda one: descent(one, stability_edge(one), [1]), ["step", "(0, "]),
        (lambda one: descent(one, 0.1, [0]), ["counts", "Got [0]"]),
        (lambda one: descent(one, 0.1, [1, -3]), ["counts", "-3"]),
        (lambda one: descent(one, 0.1, [np.inf]), ["counts", "finite"]),
        (lambda one: descent(one, 0.1, [2, 2.5]), ["counts", "2.5"]),
        (lambda one: descent(one, 0.1, [3], start=-1), ["start", "-1"]),
    ],
)
def test_errors_name_the_argument_what_is_allowed_and_what_was_given(call, words):
    with pytest.raises(ValueError, match=r".") as caught:
        call(NETWORKS["linear"])
    for word in words:
        assert word in str(caught.value)


# --- Stopping early -------------------------------------------------------------------------------

NOISY = [
    Network(IDENTITY, samples=150, noise=2),
    Network(Population.power_law(1.2, 200), samples=100, noise=1),
    Network(IDENTITY, [Layer(150, "relu")], samples=150, noise=0.5),
    Network(IDENTITY, [Layer(300, "tanh", True)] * 3, samples=150, noise=2),
    Network(Population.mixture(2.0, 120), [Layer(150, "sign")], samples=150),
]


@pytest.mark.parametrize("network", NOISY, ids=lambda one: f"{len(one.layers)}-{one.population.dim}")
def test_stopping_early_beats_the_end_of_training(network):
    time, test, ridge = early_stopping(network)
    assert 1e-3 < time < 1e8
    assert test == pytest.approx(flow(network, [time]).test[0], rel=1e-9)
    grid = flow(network, np.geomspace(1e-3, 1e8, 1000)).test
    assert test <= grid.min() * (1 + 1e-9)
    for factor in (0.9, 0.97, 1.03, 1.1):
        assert flow(network, [factor * time]).test[0] > test
    assert test < 0.95 * flow(network, [1e8]).test[0]
    # its ridge has learned the training set as well, and is of the size of 1/time
    assert ridge_errors(at(network, ridge)).train == pytest.approx(flow(network, [time]).train[0], rel=1e-6)
    assert 0.1 < ridge * time < 10


def test_stopping_early_is_close_to_the_best_ridge_on_white_data():
    """For a target without preference that ridge is Bayes optimal, and stopping in time nearly so."""
    for noise in (0.3, 1.0, 3.0):
        network = Network(IDENTITY, samples=150, noise=noise)
        best = ridge_errors(at(network, optimal_ridge(network))).test
        _, test, ridge = early_stopping(network)
        assert best <= test < 1.03 * best
        assert ridge == pytest.approx(optimal_ridge(network), rel=0.25)


def test_without_noise_there_is_no_reason_to_stop():
    network = Network(IDENTITY, samples=200)
    time, test, _ = early_stopping(network)
    assert test == pytest.approx(0, abs=1e-6)
    assert flow(network, [time]).test[0] == pytest.approx(0, abs=1e-6)


def test_the_best_time_stays_inside_the_window():
    network = NOISY[0]
    time, test, _ = early_stopping(network)
    assert early_stopping(network, shortest=10 * time)[0] == pytest.approx(10 * time)
    assert early_stopping(network, longest=0.1 * time)[0] == pytest.approx(0.1 * time)
    assert early_stopping(network, shortest=10 * time)[1] > test


# --- Step sizes -----------------------------------------------------------------------------------


@every_network
def test_small_steps_follow_the_flow(network):
    """k steps are time k step, up to an error in proportion to the step."""
    t = np.array([0.5, 4.0, 32.0, 256.0])
    expected = flow(network, t, 0.3)
    off = []
    for fine in (1, 2):
        step = 1 / 256 / fine
        found = descent(network, step, t / step, 0.3)
        off.append(np.array([found.test - expected.test, found.train - expected.train]))
        assert np.max(np.abs(off[-1])) < 4 * step
    np.testing.assert_allclose(off[0], 2 * off[1], atol=0.02 * np.max(np.abs(off[0])))


@every_network
@pytest.mark.parametrize("share", [0.3, 0.5, 0.95])
def test_nothing_jumps_where_one_contour_takes_over(network, share):
    """Over neighbouring counts the curves are smooth, the switch (at 64, or near the edge later) included."""
    step = share * stability_edge(network)
    for counts in (np.arange(56, 74), np.arange(184, 214)):
        found = descent(network, step, counts, 0.3)
        for curve in (found.test, found.train):
            # the part that a polynomial of degree 5 in log k leaves; the sign of (1 - step x)^k alternates
            x = np.log(counts / counts.mean())
            even = counts % 2 == 0
            for side in (even, ~even):
                smooth = np.polynomial.Polynomial.fit(x[side], curve[side], 5)
                assert np.max(np.abs(curve[side] - smooth(x[side]))) < 2e-6 * curve[side].max()


@every_network
def test_one_step_is_quadratic_in_its_size(network):
    """theta = step F y/n: no higher power, and at first as fast as the flow."""
    steps = np.array([0.25, 0.5, 0.75, 1.0]) * 0.4 * stability_edge(network)
    found = [descent(network, step, [1]) for step in steps]
    total = network.population.signal + network.noise + network.population.noise
    for name in ("test", "train"):
        curve = np.array([getattr(one, name)[0] for one in found])
        fit = np.polyfit(np.append(0, steps), np.append(total, curve), 2)
        np.testing.assert_allclose(np.polyval(fit, steps), curve, rtol=1e-7)
        slope = (getattr(flow(network, [1e-6]), name)[0] - total) / 1e-6
        assert fit[1] == pytest.approx(slope, rel=1e-3)


EDGES = [
    (Population.identity(150), []),
    (spiked(150), []),
    (Population.mixture(2.0, 150), []),
    (Population.atoms([1, 5], [0.5, 0.5], 450), []),
    (Population.identity(200), [Layer(450, "tanh")]),
    (Population.identity(200), [Layer(300, "relu")]),
    (Population.identity(200), [Layer(150, "sign")]),
    (spiked(300), [Layer(300, "tanh", True)] * 3),
    (Population.identity(150), [Layer(300, "relu", True)] * 3),
]


@pytest.mark.parametrize(
    ("population", "layers"),
    EDGES,
    ids=lambda one: "-".join(x.activation.name for x in one) if type(one) is list else "",
)
def test_the_largest_eigenvalue_sets_the_stability_edge(population, layers):
    """Outliers included. 3 standard errors, 2 n^(-2/3) (Tracy and Widom: it lies below the edge) and units/size."""
    network = Network(population, layers, samples=300)
    found = trainer.train(network, [trainer.ridge(0.1)], 8, seed=7, fresh=2, targets=1)["largest"]
    largest = 2 / stability_edge(network)
    units, size = trainer.finite_size(network)
    found.meets(largest, (2 * 300 ** (-2 / 3) + units / size) * largest)
    assert 2 / stability_edge(at(network, 0.7)) == pytest.approx(largest + 0.7)


def test_beyond_the_edge_descent_diverges():
    """The actual one, 10 % above the predicted edge, and 10 % below it does not."""
    network = Network(IDENTITY, [Layer(300, "tanh")], samples=300, noise=0.2)
    edge = stability_edge(network)
    filters = [trainer.descent(share * edge, 300) for share in (0.9, 1.1)]
    found = trainer.train(network, filters, 3, seed=1, fresh=100)["train"].mean
    assert found[0] < 1
    assert found[1] > 1e6


# --- The actual network ---------------------------------------------------------------------------


def test_the_simulator_takes_the_steps_that_it_diagonalises():
    """Its filters against 40 steps of gradient descent taken one by one, and 4000 small ones for the flow."""
    network = Network(Population.identity(12), [Layer(20, "tanh")], samples=15, noise=0.1)
    rng = np.random.default_rng(0)
    b = trainer.directions(network, rng, 2)
    data, labels = trainer.points(network, rng, 15, b)
    fresh, _ = trainer.points(network, rng, 6, b)
    weights = trainer.draw_weights(network, rng)
    h, h_fresh = trainer.features(network, weights, data), trainer.features(network, weights, fresh)
    first = np.random.default_rng(5).standard_normal((20, 2)) * np.sqrt(0.3 / 20)
    for one, step, count in (
        (trainer.descent(0.2, 40, 0.05), 0.2, 40),
        (trainer.flow(8.0, 0.05), 0.002, 4000),
        (trainer.ridge(0.05), 0.2, 4000),
    ):
        theta = first
        for _ in range(count):
            theta = theta - step * (h @ (h.T @ theta - labels) / 15 + 0.05 * theta)
        fit = trainer.Fit(network, weights, data, labels, [one], fresh, 0.3, np.random.default_rng(5))
        np.testing.assert_allclose(fit.scores[0], h_fresh.T @ theta, atol=1e-3)
        np.testing.assert_allclose(fit.train[0], np.mean((labels - h.T @ theta) ** 2, axis=0), atol=1e-3)


def slack(network, curve, moved):
    """Finite-size terms of test and training errors: what eigenvalues off by units/n (test), units/size do.

    Errors scale so, by units/n or units/size relative, and shift as if time and ridge were off by as much.
    Training errors below 1e-4 of the labels' variance count as nothing: they fall by e^(-2xt).
    """
    units, size = trainer.finite_size(network)
    rate = 1 / np.log(1.01)
    total = network.population.signal + network.noise + network.population.noise
    test = units / network.samples * (curve.test + rate * np.abs(moved.test - curve.test))
    train = units / size * (curve.train + rate * np.abs(moved.train - curve.train)) + 1e-4 * total
    return test, train


def compare(network, draws, seed, start=0.0, ridges=(0.0, 0.02), times=TIMES):
    """Both errors over time, without and with ridge, from one set of draws; returns what was measured."""
    filters = [trainer.flow(time, ridge) for ridge in ridges for time in times]
    found = trainer.train(network, filters, draws, seed, fresh=1000, start=start)
    curves = [flow(at(network, ridge), times, start) for ridge in ridges]
    moved = [flow(at(network, ridge / 1.01), times * 1.01, start) for ridge in ridges]
    allowed = [slack(network, *pair) for pair in zip(curves, moved, strict=True)]
    for part, side in (("test", 0), ("train", 1)):
        expected = np.concatenate([getattr(curve, part) for curve in curves])
        found[part].meets(expected, np.concatenate([both[side] for both in allowed]))
    return found


@pytest.mark.parametrize("start", [0.0, 0.5])
@pytest.mark.parametrize("p", [80, 160, 320])
def test_the_linear_network_below_at_and_above_the_threshold(p, start):
    compare(Network(Population.atoms([1, 5], [0.5, 0.5], p), samples=160, noise=0.5), 16, seed=p, start=start)


@pytest.mark.parametrize("population", [Population.power_law(1.0, 200), spiked(200, 10.0)], ids=["power-law", "spiked"])
def test_the_linear_network_on_other_populations(population):
    compare(Network(population, samples=160, noise=0.5), 16, seed=1)


@pytest.mark.parametrize("width", [80, 160, 320])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sign"])
@pytest.mark.parametrize("depth", [1, 3])
def test_the_nonlinear_network_below_at_and_above_width_equal_samples(depth, activation, width):
    network = Network(
        Population.identity(120), [Layer(width, activation, normalise=True)] * depth, samples=160, noise=0.5
    )
    compare(network, 12, seed=depth)


@pytest.mark.parametrize("samples", [60, 120, 240])
def test_the_nonlinear_network_with_fewer_as_many_and_more_samples_than_dimensions(samples):
    network = Network(
        Population.identity(120), [Layer(180, "tanh"), Layer(160, "relu", True)], samples=samples, noise=0.5
    )
    compare(network, 16, seed=samples)


@pytest.mark.parametrize("layers", [[Layer(300, "tanh")], [Layer(80, "relu")], [Layer(240, "sign", True)] * 3])
def test_the_nonlinear_network_from_random_weights(layers):
    """Wider than the samples are many: what they do not see of the initial weights stays, or fades by the ridge."""
    compare(Network(Population.identity(120), layers, samples=160, noise=0.5), 12, seed=3, start=1.0)


@pytest.mark.parametrize("start", [0.0, 1.0])
@pytest.mark.parametrize("layers", [[], [Layer(200, "tanh")], [Layer(150, "relu")]], ids=["linear", "tanh", "relu"])
def test_the_network_classifies_better_with_time(layers, start):
    """Accuracy on the way, within 3 standard errors plus 2/n (n = 200)."""
    network = Network(Population.mixture(2.0, 120), layers, samples=200)
    found = compare(network, 20, seed=2, start=start, ridges=(0.0,), times=np.logspace(-2, 2, 5))
    curve = flow(network, np.logspace(-2, 2, 5), start)
    found["accuracy"].meets(curve.accuracy, 2 / 200)


@pytest.mark.parametrize("share", [0.5, 0.95])
@pytest.mark.parametrize(
    "layers",
    [[], [Layer(100, "tanh")], [Layer(300, "relu")], [Layer(240, "sign", True)] * 3],
    ids=["linear", "tanh", "relu", "deep"],
)
def test_the_actual_descent(layers, share):
    """Step sizes set by the predicted edge; a draw whose largest eigenvalue is beyond it would diverge, none is."""
    network = Network(Population.identity(120), layers, samples=200, noise=0.5)
    counts = np.array([1, 2, 5, 50, 64, 65, 100, 500, 5000])
    step = share * stability_edge(network)
    for start in (0.0, 0.5):
        found = trainer.train(
            network, [trainer.descent(step, k) for k in counts], 12, seed=len(layers), fresh=1000, start=start
        )
        curve, moved = (descent(network, one, counts, start) for one in (step, 0.99 * step))
        test, train = slack(network, curve, moved)
        found["test"].meets(curve.test, test)
        found["train"].meets(curve.train, train)


def test_stopping_the_actual_network_early_beats_the_end_of_training():
    network = NOISY[2]
    time, test, _ = early_stopping(network)
    found = trainer.train(network, [trainer.flow(one) for one in (time / 8, time, 8 * time, 1e4)], 8, seed=1)["test"]
    assert np.argmin(found.mean) == 1
    units, size = trainer.finite_size(network)
    assert abs(found.mean[1] - test) < 3 * found.error[1] + units / size * test
    assert found.mean[3] > 3 * found.mean[1]


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
@pytest.mark.parametrize(
    "network",
    [
        Network(
            Population.atoms([1, 5], [0.5, 0.5], dim=200), [Layer(300, "tanh")], samples=250, noise=0.3, ridge=0.01
        ),
        Network(Population.mixture(4.0, 200), [Layer(300, "tanh")], samples=400, ridge=1e-3),
        Network(Population.spiked([8.0], 200), [Layer(300, "tanh")], samples=400, noise=0.3),
    ],
    ids=["no outlier", "mixture", "spiked"],
)
def test_numbers_of_steps_do_not_depend_on_what_else_is_asked(network, share):
    """Also where one eigenvalue stands alone: a contour shared with more steps would cut through its narrow bulk."""
    step, counts = share * stability_edge(network), [1, 2, 3, 5, 8, 16, 60, 100, 1000]
    together = descent(network, step, counts)
    for i, count in enumerate(counts):
        one = descent(network, step, [count])
        np.testing.assert_allclose([together.test[i], together.train[i]], [one.test[0], one.train[0]], rtol=1e-7)
