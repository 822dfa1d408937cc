"""Sweeps agree with the single point, exponents with the prediction, frontiers with the plane they bound."""

import numpy as np
import pytest

from rmtcore import Layer, Network, Population, flow, ridge_errors, stability_edge
from rmtcore.exponents import fit_exponent, local_slopes, predicted_exponents
from rmtcore.scaling import above_limit, frontier, sweep, timed_frontier

LAW = Population.power_law(1.5, 200, 0.8)


def power(alpha, source, dim=4000, widths=(), activation="identity", **fit):
    layers = [Layer(width, activation) for width in widths]
    return Network(Population.power_law(alpha, dim, source), layers, **{"samples": 100, **fit})


def resized(network, widths):
    pairs = zip(network.layers, widths, strict=True)
    return [Layer(int(width), layer.activation, layer.normalise) for layer, width in pairs]


NETWORKS = {
    "linear": Network(LAW, samples=50),
    "random features": Network(LAW, [Layer(80, "identity")], samples=50),
    "tanh": Network(Population.identity(60), [Layer(80, "tanh")], samples=50),
    "deep": Network(Population.atoms([1, 5], [0.5, 0.5], 60), [Layer(w, "relu") for w in (80, 40, 120)], samples=50),
    "identity on relu": Network(LAW, [Layer(60, "relu", True), Layer(88, "identity")], samples=50),
    "blind below": Network(LAW, [Layer(60, "cos"), Layer(120, "tanh")], samples=50),
    "blind on top": Network(LAW, [Layer(60, "tanh"), Layer(120, "abs")], samples=50),
    "mixture": Network(Population.mixture(2.0, 60), [Layer(80, "erf")], samples=50),
    "spiked": Network(Population.spiked([4.0, 9.0], 60), [Layer(80, "sign")], samples=50),
    "ten layers": Network(Population.identity(60), [Layer(80, "tanh", True)] * 10, samples=50),
}


@pytest.mark.parametrize("which", ["all", "last", "each"])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_every_point_of_a_sweep_is_that_of_ridge_errors(network, which):
    n, lam = np.array([20, 80, 160])[:, None, None, None], np.array([0.0, 1e-6, 1e-1])[:, None]
    noise = np.array([0.0, 0.3])
    own = np.array([layer.width for layer in network.layers], float)
    factor = np.array([0.25, 1.0, 1.5])
    if not network.layers:
        widths, rows = None, np.zeros((1, 0))
    elif which == "last":
        rows = np.array([np.append(own[:-1], own[-1] * f) for f in factor])
        widths = rows[:, -1][:, None, None]
    else:
        rows = factor[:, None] * own
        widths = rows[:, None, None, :] if which == "each" else rows[:, -1][:, None, None]
    found = sweep(network, samples=n, widths=widths, ridge=lam, noise=noise, layers=which)
    assert found.test.shape == (3, len(rows), 3, 2)
    for index in np.ndindex(found.test.shape):
        i, j, k, o = index
        one = Network(
            network.population, resized(network, rows[j]),
            samples=int(n[i, 0, 0, 0]), ridge=float(lam[k, 0]), noise=float(noise[o]),
        )  # fmt: skip
        single = ridge_errors(one)
        expected = [single.test, single.train, single.df1, single.df2, single.kappa, single.kappa_base]
        # ridge_errors takes V - T + kappa T' as a difference, so it holds 1e-10 of the target's variance
        scale = 1e-10 * network.population.signal / max(1.0 - single.df2 / one.samples, 1e-300)
        actual = [part[index] for part in found]
        np.testing.assert_allclose(actual[0], expected[0], rtol=1e-10, atol=min(scale, 1e-6))
        np.testing.assert_allclose(actual[1], expected[1], rtol=1e-10, atol=min(scale, 1e-6))
        np.testing.assert_allclose(actual[2:], expected[2:], rtol=1e-10, atol=1e-10)


def test_what_is_not_given_stays_as_it_is():
    network = Network(LAW, [Layer(80, "relu")], samples=50, noise=0.2, ridge=1e-3)
    assert sweep(network).test.shape == ()
    assert float(sweep(network).test) == pytest.approx(ridge_errors(network).test, rel=1e-10)


@pytest.mark.parametrize(
    ("network", "widths"),
    [
        (Network(LAW, samples=200, noise=0.1), None),
        (Network(LAW, [Layer(80, "tanh")], samples=50), 50),
        (Network(LAW, [Layer(80, "identity")], samples=50), 50),
        (Network(LAW, [Layer(80, "identity")] * 3, samples=50), 50),
        (Network(LAW, [Layer(80, "relu")] * 3, samples=50, noise=0.1), 50),
    ],
)
def test_at_a_threshold_without_ridge_the_error_is_infinite_and_nothing_is_left_to_fit(network, widths):
    found = sweep(network, widths=widths, ridge=[0.0, 1e-9])
    assert found.test[0] == np.inf
    assert found.train[0] == 0
    assert np.all(np.isfinite([found.test[1], found.train[1], *found.df1, *found.df2]))
    assert found.df1[0] == found.df2[0] == network.samples


@pytest.mark.parametrize("widths", [(50, 50), (50, 50, 50), (80, 50), (50, 80), (200, 200, 50), (90, 50, 50, 70)])
def test_least_squares_sees_only_the_narrowest_of_linear_layers(widths):
    single = sweep(Network(LAW, [Layer(50, "identity")], samples=100, noise=0.1))
    stack = Network(LAW, [Layer(width, "identity") for width in widths], samples=100, noise=0.1)
    found = sweep(stack, ridge=[0.0, 1e-16])
    assert found.test[0] == pytest.approx(float(single.test), rel=1e-12)
    assert found.train[0] == pytest.approx(float(single.train), rel=1e-12)
    assert found.test[1] == pytest.approx(float(single.test), rel=1e-4)
    # on a nonlinear layer as well, where the linear ones are not the first
    plain, more = [Layer(60, "relu")], [Layer(60, "relu"), Layer(60, "identity"), Layer(90, "identity")]
    assert sweep(Network(LAW, more, samples=100)).test == pytest.approx(
        float(sweep(Network(LAW, plain, samples=100)).test), rel=1e-12
    )


def test_small_errors_keep_their_digits():
    # noiseless, ridgeless, far below rounding of V - T: B = sum v s (kappa/(s + kappa))^2 exactly
    network = power(3.0, 1.0, 2000)
    found = sweep(network, samples=[100, 400, 1600])
    s, v = network.population.eigenvalues, network.population.target
    for n, test, kappa in zip((100, 400, 1600), found.test, found.kappa_base, strict=True):
        rest = kappa / (s + kappa)
        free = 1 - np.sum((s / (s + kappa)) ** 2) / n
        assert test == pytest.approx(float(v @ (s * rest**2)) / free, rel=1e-9)
    assert found.test[-1] < 1e-14


def test_a_wide_layer_of_identity_is_no_layer():
    found = sweep(power(1.5, 0.8, 400, [100]), samples=[40, 160], widths=1e8 * 100)
    bare = sweep(power(1.5, 0.8, 400), samples=[40, 160])
    np.testing.assert_allclose(found.test, bare.test, rtol=1e-5)


def test_fits_find_exponent_window_and_error():
    x = np.geomspace(1, 1e6, 121)
    exact = fit_exponent(x, 3.0 * x**-1.7)
    assert exact.slope == pytest.approx(-1.7, abs=1e-9)
    assert exact.prefactor == pytest.approx(3.0)
    assert exact.error < 1e-6
    assert exact.window == pytest.approx((1.0, 1e6))  # the longest of equally straight ones
    bent = x**-1.0 / (1.0 + (x / 1e2) ** 2) + 1e-30
    found = fit_exponent(x, bent, share=0.25)
    assert found.window[0] > 1e3 or found.window[1] < 1e1
    assert min(abs(found.slope + 1), abs(found.slope + 3)) < 0.01
    knee = fit_exponent(x, bent, (1e1, 1e3))
    assert knee.error > 0.1
    assert knee.window == pytest.approx((1e1, 1e3))
    np.testing.assert_allclose(local_slopes(x, x**2.0), 2.0, rtol=1e-9)
    assert fit_exponent(np.r_[x, 2e6], np.r_[x**-1.0, np.inf], (1.0, 3e6)).slope == pytest.approx(-1.0)


def test_the_error_of_a_fit_covers_scatter():
    rng = np.random.default_rng(0)
    x = np.geomspace(1, 100, 40)
    fits = [fit_exponent(x, x**-0.5 * np.exp(0.1 * rng.standard_normal(40)), (1, 100)) for _ in range(200)]
    off = np.array([abs(fit.slope + 0.5) / fit.error for fit in fits])
    assert np.mean(off < 2) > 0.93


@pytest.mark.parametrize(("alpha", "source", "slope"), [(1.5, 0.8, -2.4), (2.0, 0.4, -1.6), (1.5, 1.6, -3.0)])
def test_the_exponents_of_theory_in_samples(alpha, source, slope):
    n = np.geomspace(64, 512, 25)
    assert predicted_exponents(alpha, source).samples == pytest.approx(slope)
    found = fit_exponent(n, sweep(power(alpha, source, 20000), samples=n).test, (64, 512))
    assert found.slope == pytest.approx(slope, rel=0.02)


@pytest.mark.parametrize(("alpha", "source"), [(1.5, 0.8), (2.0, 0.4), (1.5, 1.6), (2.0, 0.8)])
def test_the_exponents_in_width_ridge_and_time(alpha, source):
    predicted = predicted_exponents(alpha, source)
    wide = np.geomspace(64, 512, 13)
    for depth in (1, 4):
        curve = sweep(power(alpha, source, 20000, [64] * depth), samples=1e9, widths=wide)
        for error in (curve.test, curve.train):
            assert fit_exponent(wide, error).slope == pytest.approx(predicted.width, rel=0.04)
    lam = np.geomspace(3e-5, 3e-3, 13)
    curve = sweep(power(alpha, source, 20000), samples=1e9, ridge=lam)
    assert fit_exponent(lam, curve.test).slope == pytest.approx(predicted.ridge, rel=0.02)
    times = np.geomspace(10, 1e3, 13)
    trained = flow(power(alpha, source, 1000, samples=10**8), times)
    for error in (trained.test[times < 100], trained.train[times < 100]):
        assert fit_exponent(times[times < 100], error).slope == pytest.approx(predicted.time, rel=0.03)


def test_the_noise_of_nonlinear_features_slows_the_law_in_width():
    wide = np.geomspace(500, 5000, 13)
    for alpha, source in ((1.5, 0.8), (2.0, 0.4)):
        for depth in (1, 3):
            curve = sweep(power(alpha, source, 20000, [64] * depth, "relu"), samples=1e9, widths=wide)
            found = fit_exponent(wide, curve.test).slope
            assert found == pytest.approx(predicted_exponents(alpha, source).nonlinear_width, rel=0.06)


def test_the_laws_of_the_training_error():
    n = np.geomspace(64, 512, 13)
    predicted = predicted_exponents(2.0, 0.4)
    for noise, slope in ((0.0, predicted.train_samples), (1e6, predicted.train_samples_noise)):
        curve = sweep(power(2.0, 0.4, 20000), samples=n, ridge=1e-11, noise=noise)
        assert fit_exponent(n, curve.train).slope == pytest.approx(slope, rel=0.02)
    short = np.geomspace(1e-5, 1e-2, 13)
    for network in (power(1.5, 0.8, 4000, [64]), power(1.5, 0.8, 4000, [64] * 3, "relu")):
        plunge = sweep(network, samples=1000, widths=1000 * (1 - short)).train
        assert fit_exponent(short, plunge).slope == pytest.approx(predicted.threshold, rel=0.01)
    linear = sweep(Network(Population.identity(1000), samples=1000, noise=0.5), samples=1000 / (1 - short)).train
    np.testing.assert_allclose(linear, 0.5 * short, rtol=1e-6)


@pytest.mark.parametrize("activation", ["identity", "relu"])
def test_what_the_ample_resource_still_costs_is_variance_limited(activation):
    network = power(1.5, 0.8, 1000, [100], activation)
    ample = np.geomspace(3e3, 3e5, 9)
    by_samples, by_width = above_limit(network, samples=ample), above_limit(network, widths=ample)
    assert fit_exponent(ample, by_samples).slope == pytest.approx(-1.0, rel=0.02)
    assert fit_exponent(ample, by_width).slope == pytest.approx(-1.0, rel=0.02)


@pytest.mark.parametrize(
    ("alpha", "source", "tolerance"),
    [(2.0, 0.4, 0.03), (1.5, 0.4, 0.03), (1.5, 0.8, 0.04), (2.5, 0.7, 0.02), (3.0, 1.0, 0.02)],
)
def test_the_frontier_follows_its_exponent(alpha, source, tolerance):
    budgets = np.geomspace(1e3, 1e6, 16)
    found = frontier(power(alpha, source, 20000, [100]), budgets)
    predicted = predicted_exponents(alpha, source)
    assert found.exponent((1e4, 1e6)).slope == pytest.approx(predicted.frontier, rel=tolerance)
    np.testing.assert_allclose(found.samples * found.widths, budgets, rtol=1e-12)
    assert fit_exponent(budgets, found.samples).slope == pytest.approx(predicted.frontier_samples, abs=0.08)
    assert np.all(np.isinf(found.steps))


@pytest.mark.parametrize(
    "network",
    [
        power(1.5, 0.8, 500, [100]),
        power(1.5, 0.4, 500, [100], noise=0.1, ridge=1e-3),
        power(2.0, 0.8, 500, [100, 50], "relu", noise=0.01),
    ],
)
def test_no_point_of_the_plane_lies_below_the_frontier(network):
    budgets = np.geomspace(1e2, 1e6, 9)
    found = frontier(network, budgets)
    for budget, least in zip(budgets, found.test, strict=True):
        widths = np.geomspace(1.0, budget, 1501)
        plane = sweep(network, samples=budget / widths, widths=widths).test
        assert least <= plane.min() * (1 + 1e-6)
        assert least == pytest.approx(plane.min(), rel=1e-2)
    again = sweep(network, samples=found.samples, widths=found.widths)
    np.testing.assert_allclose(again.test, found.test, rtol=1e-10)


def test_the_timed_frontier_bounds_every_flow_and_follows_its_exponent():
    network = power(2.0, 0.4, 300, [100])
    sizes, steps = np.geomspace(3, 60, 8), np.geomspace(2, 1e3, 25)
    budgets = np.geomspace(1e3, 3e5, 10)
    found = timed_frontier(network, budgets, sizes, sizes, steps)
    assert found.exponent().slope == pytest.approx(predicted_exponents(2.0, 0.4).timed_frontier, rel=0.05)
    assert np.all(found.samples * found.widths * found.steps <= budgets * (1 + 1e-9))
    for n in (3, 11, 60):  # of those sizes
        for d in (5, 25, 60):
            other = Network(network.population, [Layer(d, "identity")], samples=n)
            allowed = np.clip(budgets / (n * d), steps[0], steps[-1])
            reached = flow(other, 0.5 * stability_edge(other) * allowed).test
            inside = budgets >= n * d * steps[0]
            assert np.all(found.test[inside] <= reached[inside] * 1.01)
    for n, d, k, test in zip(found.samples, found.widths, found.steps, found.test, strict=True):
        other = Network(network.population, [Layer(int(d), "identity")], samples=int(n))
        assert flow(other, 0.5 * stability_edge(other) * k).test[0] == pytest.approx(test, rel=0.01)


def test_noise_makes_the_timed_frontier_stop_early():
    network = power(1.5, 0.8, 100, [50], noise=0.5)
    found = timed_frontier(network, [1.0, 1e6], [20, 40], [20, 40], np.geomspace(1, 1e4, 30))
    assert found.test[0] == np.inf
    assert np.isnan(found.samples[0])
    assert found.steps[1] < 1e6 / (found.samples[1] * found.widths[1]) / 3


def simulated(network, rng):
    """Test error, exactly for the drawn weights and data, and training error of one ridge fit on linear features."""
    population = network.population
    scales, p, n = np.sqrt(population.eigenvalues), population.dim, network.samples
    b = np.sqrt(population.target) * rng.choice([-1.0, 1.0], p)
    x = scales[:, None] * rng.standard_normal((p, n))
    y = b @ x + np.sqrt(network.noise) * rng.standard_normal(n)
    mix = np.eye(p)
    for layer in network.layers:
        mix = rng.standard_normal((layer.width, mix.shape[0])) @ mix / np.sqrt(mix.shape[0])
    features = mix @ x
    if network.ridge == 0:
        theta = np.linalg.lstsq(features.T, y, rcond=None)[0]
    else:
        theta = features @ np.linalg.solve(features.T @ features / n + network.ridge * np.eye(n), y) / n
    rest = scales * (b - mix.T @ theta)
    return rest @ rest + network.noise, np.mean((y - features.T @ theta) ** 2)


@pytest.mark.parametrize(
    ("alpha", "source", "n", "widths", "ridge"),
    [
        (1.5, 0.8, 60, (200,), 0.0),
        (1.5, 0.8, 200, (60,), 0.0),
        (1.5, 0.4, 120, (120,), 1e-3),
        (1.2, 0.5, 150, (90,), 1e-4),
        (1.5, 0.8, 200, (80, 80, 80), 0.0),
        (1.5, 0.8, 100, (150, 250), 1e-4),
    ],
)
def test_actual_random_features_on_power_law_data_have_these_errors(alpha, source, n, widths, ridge):
    network = power(alpha, source, 300, widths, samples=n, ridge=ridge, noise=0.01)
    rng = np.random.default_rng(7)
    runs = np.array([simulated(network, rng) for _ in range(60)])
    error = runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
    found = sweep(network)
    # finite size: the equivalents are exact up to relative terms of order 1/(smallest dimension)
    allowed = 3 * error + 2.0 / min(n, *widths) * runs.mean(axis=0)
    assert abs(runs[:, 0].mean() - found.test) < allowed[0]
    assert abs(runs[:, 1].mean() - found.train) < allowed[1] + 1e-24


LINEAR, FEATURES = power(1.5, 0.8, 50), power(1.5, 0.8, 50, [20, 30])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sweep(LINEAR, samples=[0, 1]), "samples"),
        (lambda: sweep(LINEAR, ridge=-1), "ridge"),
        (lambda: sweep(LINEAR, noise=-1), "noise"),
        (lambda: sweep(LINEAR, widths=[3]), "needs a network with layers"),
        (lambda: sweep(FEATURES, widths=[0]), "widths"),
        (lambda: sweep(FEATURES, widths=[1e12]), "at most 1e\\+09 times"),
        (lambda: sweep(FEATURES, widths=[1, 2, 3], layers="each"), "one for every layer"),
        (lambda: sweep(FEATURES, widths=[1], layers="first"), "layers"),
        (lambda: sweep(FEATURES, widths=[1, 2], samples=[1, 2, 3]), "broadcast"),
        (lambda: above_limit(FEATURES), "Exactly one"),
        (lambda: above_limit(FEATURES, samples=[1], widths=[1]), "Exactly one"),
        (lambda: local_slopes([1, 2], [1, 2, 3]), "same length"),
        (lambda: local_slopes([0, 1], [1, 2]), "'x'"),
        (lambda: fit_exponent([3, 2, 1, 4, 5], [1] * 5), "ascending"),
        (lambda: fit_exponent([1, 2, 3, 4, 5], [1, 0, 1, 1, 1]), "at least 5 points"),
        (lambda: fit_exponent([1, 2, 3, 4, 5], [1] * 5, (2, 3)), "at least 5 points"),
        (lambda: fit_exponent([1, 2, 3, 4, 5], [1] * 5, share=2), "share"),
        (lambda: predicted_exponents(1.0, 0.5), "alpha"),
        (lambda: predicted_exponents(2.0, 0.0), "source"),
        (lambda: frontier(LINEAR, [10]), "needs a network with layers"),
        (lambda: frontier(FEATURES, [0.5]), "budgets"),
        (lambda: frontier(FEATURES, [[1.0, 2.0]]), "one-dimensional"),
        (lambda: frontier(FEATURES, [10], layers="each"), "layers"),
        (lambda: timed_frontier(LINEAR, [10], [1], [1], [1]), "needs a network with layers"),
        (lambda: timed_frontier(FEATURES, [10], [1], [1], [2, 1]), "ascending"),
        (lambda: timed_frontier(FEATURES, [10], [0.1], [1], [1]), "samples"),
    ],
)
def test_errors_name_the_argument(call, words):
    with pytest.raises(ValueError, match=words):
        call()
