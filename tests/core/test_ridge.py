"""Ridge regression on the features: closed forms, identities, limits, the best ridge, the actual network."""

from dataclasses import replace

import numpy as np
import pytest
import trainer
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from naive import chain_numbers
from scipy.optimize import brentq
from scipy.special import ndtr

from rmtcore import (
    ACTIVATIONS,
    Layer,
    Network,
    Population,
    accuracy,
    directions,
    optimal_ridge,
    ridge_errors,
)

RATIOS = [(10, 1000), (100, 1000), (200, 400), (270, 300), (330, 300), (400, 200), (1000, 50)]
IDENTITY = Population.identity(100)
PARTS = ("test", "train", "noise", "label_variance", "data_variance", "misfit", "bias", "variance", "weight_variance")


def at(network, ridge):
    return Network(network.population, network.layers, samples=network.samples, noise=network.noise, ridge=ridge)


def power_law(alpha, dim, source=0.5):
    return Population.power_law(alpha, dim, source=source)


def spiked(dim, share=0.5):
    """C = I but for a spike of 6 that carries this share of a signal of variance 1."""
    population = Population.spiked([6.0], dim)
    return replace(population, target=np.where(population.isolated, share / 6, 1 - share))


# --- Closed forms, linear networks ----------------------------------------------------------------


def white_transform(c, lam):
    """m(-lam) of Marchenko and Pastur and its derivative dm/dz, without cancellation."""
    b = 1 - c + lam
    root = np.sqrt(b * b + 4 * c * lam)
    m = 2 / (b + root) if b > 0 else (root - b) / (2 * c * lam)
    return m, (c * m * m + m) / root


@pytest.mark.parametrize(("p", "n"), [*RATIOS, (300, 300)])
@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_excess_risk_of_white_data(p, n, noise):
    """sigma2 c m + lambda m' (lambda |b|^2 - sigma2 c), and the training error of the same fit."""
    c = p / n
    for lam in (1e-4, 1e-2, 0.1, 1, 10, 1e3):
        for norm2 in (0.0, 1.0, 3.0):
            network = Network(Population.identity(p, signal=norm2), samples=n, noise=noise, ridge=lam)
            errors = ridge_errors(network)
            m, slope = white_transform(c, lam)
            excess = noise * c * m + lam * slope * (lam * norm2 - noise * c)
            allowed = 1e-9 * (noise + norm2)
            assert abs(errors.test - noise - excess) <= allowed
            # the residual is lam (F'F/n + lam)^-1 y: lam^2 (|b|^2 int x/(x+lam)^2 + sigma2 int 1/(x+lam)^2)
            gram = 1 - c + c * lam**2 * slope
            assert abs(errors.train - lam**2 * norm2 * (m - lam * slope) - noise * gram) <= allowed


@pytest.mark.parametrize(("p", "n"), RATIOS)
@pytest.mark.parametrize(("norm2", "noise"), [(1, 0), (1, 0.5), (0, 0.5), (3, 2)])
def test_ridgeless_white_data_on_both_sides_of_the_threshold(p, n, norm2, noise):
    c = p / n
    errors = ridge_errors(Network(Population.identity(p, signal=norm2), samples=n, noise=noise))
    excess = noise * c / (1 - c) if c < 1 else norm2 * (1 - 1 / c) + noise / (c - 1)
    assert errors.test - noise == pytest.approx(excess, abs=1e-9)
    assert errors.train == pytest.approx(noise * (1 - c) if c < 1 else 0, abs=1e-9)


@pytest.mark.parametrize(
    "population", [Population.atoms([1, 5], [0.5, 0.5], 90), power_law(1.5, 90), Population.toeplitz(0.9, 90)]
)
def test_ridgeless_below_the_threshold_does_not_know_the_covariance(population):
    """Ordinary least squares: sigma2 p/(n - p) in the limit, whatever C and b."""
    errors = ridge_errors(Network(population, samples=200, noise=0.7))
    c = 90 / 200
    assert errors.test - 0.7 == pytest.approx(0.7 * c / (1 - c), abs=1e-9)
    assert errors.train == pytest.approx(0.7 * (1 - c), abs=1e-9)
    assert errors.label_variance == pytest.approx(0.7 * c / (1 - c), abs=1e-9)
    assert errors.df1 == errors.df2 == pytest.approx(90)


def test_a_population_without_variance_in_some_directions():
    """Eigenvalue 0 in 70 of 100 directions: 30 dimensions are left, also for the threshold."""
    population = Population.atoms([0, 2], [0.7, 0.3], 100)
    errors = ridge_errors(Network(population, samples=40, noise=1))
    assert errors.test - 1 == pytest.approx(0.75 / 0.25, abs=1e-9)
    assert ridge_errors(Network(population, samples=30, noise=1)).test == np.inf
    assert np.isfinite(ridge_errors(Network(population, samples=100, noise=1)).test)


def test_a_target_that_the_data_cannot_show_is_misfit_and_bias():
    """All of the signal on one spike and a ridge so large that nothing is learned."""
    errors = ridge_errors(Network(spiked(100, share=1.0), samples=200, noise=0.3, ridge=1e9))
    assert errors.misfit == pytest.approx(1, rel=1e-6)
    assert errors.bias == pytest.approx(1, rel=1e-6)
    assert errors.test == pytest.approx(1.3, rel=1e-6)
    assert errors.train == pytest.approx(1.3, rel=1e-6)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_noiseless_errors_keep_their_digits(noise):
    """At a small ridge the excess is kappa^2 |b|^2/(1 + kappa)^2 or so: 1e-13 here, and never zero."""
    lam, c = 1e-6, 0.1
    errors = ridge_errors(Network(IDENTITY, samples=1000, noise=noise, ridge=lam))
    kappa = 2 * lam / ((1 - c - lam) + np.sqrt((1 - c - lam) ** 2 + 4 * lam))
    assert errors.kappa == errors.kappa_base == pytest.approx(kappa, rel=1e-9)
    shrunk = (kappa / (1 + kappa)) ** 2
    assert errors.bias == pytest.approx(shrunk, rel=1e-9)
    assert errors.misfit == pytest.approx(shrunk, rel=1e-9)
    if noise == 0:
        assert errors.test == pytest.approx(shrunk / (1 - c / (1 + kappa) ** 2), rel=1e-9)


# --- The formulas, on a chain that shares no code ------------------------------------

DEEP = [
    Network(Population.atoms([1, 5], [0.5, 0.5], 100), samples=150, noise=0.3),
    Network(IDENTITY, [Layer(150, "tanh")], samples=200, noise=0.2),
    Network(power_law(0.8, 120), [Layer(90, "relu")], samples=100, noise=0.1),
    Network(Population.toeplitz(0.5, 80), [Layer(200, "sign", True), Layer(70, "erf")], samples=150),
    Network(Population.mixture(2.0, 120), [Layer(150, "tanh"), Layer(150, "softplus", True)], samples=100),
    Network(power_law(1.2, 100), [Layer(150, "relu", True)] * 3, samples=250, noise=1),
]


@pytest.mark.parametrize("network", DEEP, ids=lambda one: str(len(one.layers)))
@pytest.mark.parametrize("ridge", [1e-3, 0.1, 3.0])
def test_the_errors_are_those_of_the_theory_on_a_naive_chain(network, ridge):
    """Root by bisection, derivatives by complex step, everything else in the words of their definition."""
    network = at(network, ridge)
    population, n = network.population, network.samples
    _, _, layers, _ = chain_numbers(network)
    s, m, v = population.eigenvalues, population.counts, population.target

    def climb(kappa):
        lam, df = kappa, np.sum(m * s / (s + kappa))
        for a, nu, d in layers:
            kappa_up = a * lam * (1 - df / d) - nu
            df = d - kappa_up / (nu + kappa_up) * (d - df)
            lam = kappa_up
        return lam * (1 - df / n), lam, np.sum(v * s**2 / (s + kappa))

    high = 1e6  # the branch of learning is the rightmost
    while climb(0.99 * high)[0] > ridge:
        high *= 0.99
    base = brentq(lambda kappa: climb(kappa)[0] - ridge, 0.99 * high, high, xtol=1e-15, rtol=1e-14)
    lam, top, learned = climb(base)
    growth, rise, slope = (part.imag / 1e-30 for part in climb(base + 1e-30j))
    signal, noise = np.sum(v * s), network.noise + population.noise
    misfit = signal - learned + top * slope / rise
    free = growth / rise
    test = (misfit + noise) / free
    bias = np.sum(v * s * (base / (s + base)) ** 2)
    ensemble = (bias + noise) / (1 - np.sum(m * (s / (s + base)) ** 2) / n)
    errors = ridge_errors(network)
    found = [errors.test, errors.train, errors.misfit, errors.bias, errors.kappa, errors.kappa_base]
    np.testing.assert_allclose(found, [test, (lam / top) ** 2 * test, misfit, bias, top, base], rtol=1e-8)
    assert errors.label_variance == pytest.approx(noise * (1 - free) / free, rel=1e-8)
    assert errors.data_variance == pytest.approx(misfit * (1 - free) / free, rel=1e-8)
    if network.layers:
        assert errors.ensemble == pytest.approx(ensemble, rel=1e-8)


# --- Identities -----------------------------------------------------------------------------------


@st.composite
def networks(draw):
    """Any family: depth 0 to 4, blind layers and thresholds among them, widths and samples of few sizes."""
    p, n = draw(st.sampled_from([20, 100, 150])), draw(st.sampled_from([20, 100, 150, 400]))
    population = draw(
        st.sampled_from(
            [
                Population.identity(p),
                Population.atoms([0.5, 3], [0.3, 0.7], p),
                Population.atoms([0, 3], [0.4, 0.6], p),
                power_law(1.3, p, source=0.7),
                spiked(p),
                Population.mixture(2.0, p),
            ]
        )
    )
    names = st.one_of(st.sampled_from(sorted(ACTIVATIONS)), st.sampled_from(["identity", "tanh", "relu"]))
    layers = [
        Layer(draw(st.sampled_from([20, 60, 100, 150, 400])), draw(names), normalise=True)
        for _ in range(draw(st.integers(0, 4)))
    ]
    return Network(population, layers, samples=n, noise=draw(st.sampled_from([0.0, 0.1, 1.0])))


@settings(max_examples=300)
@given(network=networks(), ridge=st.sampled_from([1e-12, 1e-8, 1e-4, 1e-2, 1.0, 100.0]))
def test_the_parts_sum_to_the_whole(network, ridge):
    network = at(network, ridge)
    errors = ridge_errors(network)
    total = errors.test
    assert all(np.isfinite(getattr(errors, part)) for part in PARTS)
    assert all(getattr(errors, part) >= -1e-12 * total for part in PARTS)
    assert errors.noise == network.noise + network.population.noise
    assert errors.noise + errors.label_variance + errors.data_variance + errors.misfit == pytest.approx(total)
    assert errors.noise + errors.bias + errors.variance == pytest.approx(total)
    assert errors.ensemble + errors.weight_variance == pytest.approx(total)
    if ridge >= 1e-4:  # kappa itself loses digits where it is small beside mu*^2
        assert errors.train == pytest.approx((ridge / errors.kappa) ** 2 * total)
    assert errors.gcv == pytest.approx(total, rel=1e-6)
    # more knowledge cannot hurt: mean predictor < one set of weights, infinitely many sets < one
    slack = 1e-12 * (network.population.signal + errors.noise)
    assert errors.bias <= errors.misfit + slack
    assert errors.bias + errors.noise <= errors.ensemble + slack
    assert errors.train <= total + slack
    if not network.layers:
        assert errors.weight_variance == 0
        assert errors.bias == pytest.approx(errors.misfit, rel=1e-9)
    assert -1e-9 <= errors.df2 <= errors.df1 + 1e-9
    assert errors.df1 <= min(network.feature_dim, network.samples) + 1e-9
    assert errors.samples == network.samples


@settings(max_examples=100)
@given(network=networks(), ridge=st.sampled_from([1e-6, 1e-2, 1.0]))
def test_the_directions_sum_to_the_misfit(network, ridge):
    network = at(network, ridge)
    errors = ridge_errors(network)
    eigenvalues, share, left = directions(network)
    assert eigenvalues.shape == share.shape == left.shape
    assert left.sum() == pytest.approx(errors.misfit, abs=1e-12)
    assert np.all(left >= -1e-12)
    assert np.all((share >= 0) & (share <= 1))
    if not network.blind():
        np.testing.assert_allclose(share, eigenvalues / (eigenvalues + errors.kappa_base))
    assert np.all(np.diff(share) >= 0)  # eigenvalues ascend: the largest are learned first


def test_a_direction_that_carries_no_target_leaves_nothing():
    population = spiked(100, share=1.0)
    eigenvalues, share, left = directions(Network(population, samples=200, ridge=0.1))
    np.testing.assert_allclose(eigenvalues, [1, 6])
    assert left[0] == 0
    assert left[1] == pytest.approx((1 - share[1]) ** 2)


# --- Ridge 0 and the threshold --------------------------------------------------------------------


@settings(max_examples=300)
@given(network=networks())
def test_ridge_zero_is_the_limit_of_small_ridges(network):
    """Everything but kappa; at a threshold the limit is approached as a root of the ridge, or is infinite."""
    scale = network.moments()[-1].variance if network.layers else network.population.variance
    exact, near, nearer = (
        {part: getattr(ridge_errors(at(network, scale * ridge)), part) for part in PARTS} for ridge in (0, 1e-12, 1e-14)
    )
    total = network.population.signal + exact["noise"]
    square = [layer.width == network.samples == network.population.dim for layer in network.layers]
    linear = [layer.activation.name == "identity" for layer in network.layers]
    assume(not np.any(np.logical_and(square, linear)))  # least squares, see ridge_errors
    for part in PARTS:
        if part == "weight_variance" and exact["test"] == np.inf:
            continue  # two infinite errors may differ by something finite
        if np.isinf(exact[part]):
            assert nearer[part] > max(1.5 * near[part], 10 * total), part
        else:
            assert abs(exact[part] - nearer[part]) < 3 * abs(near[part] - nearer[part]) + 1e-7 * total, part


@pytest.mark.parametrize(
    ("layers", "samples"),
    [
        ([], 100),
        ([Layer(150, "tanh")], 150),
        ([Layer(60, "relu")], 60),
        ([Layer(200, "tanh"), Layer(70, "sign")], 70),
        ([Layer(200, "identity")], 100),
        ([Layer(50, "abs")], 50),
    ],
)
def test_the_test_error_is_infinite_exactly_at_the_threshold(layers, samples):
    errors = ridge_errors(Network(IDENTITY, layers, samples=samples, noise=0.1))
    assert errors.test == np.inf
    assert errors.label_variance == np.inf
    assert errors.variance == np.inf
    assert errors.train == 0
    assert errors.gcv == np.inf
    beside = [
        ridge_errors(Network(IDENTITY, layers, samples=samples + step, noise=0.1)).test for step in (-5, -1, 1, 5)
    ]
    assert np.all(np.isfinite(beside))
    assert beside[0] < beside[1]
    assert beside[2] > beside[3]
    small = ridge_errors(Network(IDENTITY, layers, samples=samples, noise=0.1, ridge=1e-10))
    assert 10 < small.test < np.inf


def test_at_the_threshold_only_what_diverges_is_infinite():
    """p = n without layers: an infinite label variance, but nothing from the weights, for there are none."""
    errors = ridge_errors(Network(IDENTITY, samples=100, noise=0.1))
    assert errors.weight_variance == 0
    assert errors.data_variance == pytest.approx(0, abs=1e-6)
    assert errors.ensemble == np.inf


@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_an_ensemble_does_not_peak_where_width_is_the_number_of_samples(name):
    """Averaged over the weights the model is a kernel method: width = n is nothing special to it."""
    widths = [145, 149, 150, 151, 155]
    found = [ridge_errors(Network(IDENTITY, [Layer(width, name)], samples=150, noise=0.1)).ensemble for width in widths]
    assert np.all(np.isfinite(found))
    assert np.ptp(found) < 0.1 * found[2]


def test_noiseless_data_at_the_threshold_are_interpolated_without_error():
    """p = n and y = b'x: a square invertible system, solved exactly, as the limit of small ridges says."""
    for population in (IDENTITY, Population.atoms([1, 5], [0.5, 0.5], 100)):
        assert ridge_errors(Network(population, samples=100)).test == pytest.approx(0, abs=1e-6)
    network = Network(IDENTITY, [Layer(300, "identity")], samples=100)
    assert ridge_errors(network).test == pytest.approx(0, abs=1e-6)
    # behind a nonlinear layer the rest of the features is noise to the target
    assert ridge_errors(Network(IDENTITY, [Layer(100, "tanh")], samples=100)).test == np.inf


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize(
    ("layers", "samples"),
    [
        ([Layer(20, "identity"), Layer(20, "identity")], 100),
        ([Layer(20, "tanh"), Layer(20, "identity")], 400),
        ([Layer(20, "tanh"), Layer(20, "identity"), Layer(20, "identity")], 10),
        ([Layer(100, "identity")] * 3, 200),
    ],
)
def test_square_linear_layers_inside_are_no_threshold(layers, samples, noise):
    """A square random matrix is invertible: least squares on top of it fits as without it."""
    network = Network(IDENTITY, layers, samples=samples, noise=noise)
    errors = ridge_errors(network)
    first = Network(IDENTITY, layers[:1] if layers[0].width < 100 else [], samples=samples, noise=noise)
    if samples > layers[-1].width:
        for part in ("test", "train", "misfit", "label_variance"):
            assert getattr(errors, part) == pytest.approx(getattr(ridge_errors(first), part), abs=1e-6)
    assert errors.test == pytest.approx(ridge_errors(at(network, 1e-14)).test, abs=1e-3)
    assert np.isfinite(errors.ensemble)


# --- Blind layers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [["abs"], ["cos"], ["tanh", "abs"], ["he2", "relu"]])
@pytest.mark.parametrize("ridge", [0.0, 1e-3, 1.0])
def test_blind_networks_learn_nothing(layers, ridge):
    """No linear part: the features are noise to the target, which stays whole as bias."""
    network = Network(IDENTITY, [Layer(150, name) for name in layers], samples=300, noise=0.2, ridge=ridge)
    errors = ridge_errors(network)
    assert errors.bias == errors.misfit == pytest.approx(1, abs=1e-12)
    assert errors.weight_variance == 0
    assert errors.test >= 1.2
    assert optimal_ridge(network) == np.inf
    if ridge == 0:
        assert errors.test == pytest.approx(1.2 / (1 - 150 / 300), rel=1e-9)
        assert errors.train == pytest.approx(1.2 * (1 - 150 / 300), rel=1e-9)


@pytest.mark.parametrize("name", ["abs", "cos"])
def test_the_actual_blind_network_learns_nothing(name):
    """Up to 3 standard errors and 4/n relative; what an even function sees of b'x is O(1/p) of it."""
    network = Network(IDENTITY, [Layer(100, name)], samples=200, noise=0.2, ridge=0.05)
    found = trainer.train(network, [trainer.ridge(0.05)], 12, seed=1)
    errors = ridge_errors(network)
    found["test"].meets([errors.test], 4 / 200 * errors.test)
    found["train"].meets([errors.train], 4 / 200 * errors.train)


# --- The best ridge -------------------------------------------------------------------------------


@pytest.mark.parametrize(("p", "n"), RATIOS)
@pytest.mark.parametrize("noise", [0.01, 0.5, 3.0])
def test_best_ridge_of_white_data(p, n, noise):
    for norm2 in (0.5, 2.0):
        network = Network(Population.identity(p, signal=norm2), samples=n, noise=noise)
        assert optimal_ridge(network) == pytest.approx(noise * p / n / norm2, rel=1e-9)


@pytest.mark.parametrize(
    "population",
    [
        Population.atoms([1, 5], [0.5, 0.5], 150),
        Population.toeplitz(0.8, 150),
        Population.atoms([0, 2], [0.4, 0.6], 150),
    ],
)
@pytest.mark.parametrize("n", [60, 150, 400])
def test_best_ridge_of_a_target_without_preference(population, n):
    """b of one size in every direction, a Gaussian prior as good as known: sigma2 p/(n |b|^2) for any C."""
    b2 = population.target / population.counts  # the same wherever there is variance
    network = Network(population, samples=n, noise=0.5)
    assert optimal_ridge(network) == pytest.approx(0.5 / (n * b2[-1]), rel=1e-5)


BEST = [
    Network(power_law(1.2, 120), samples=200, noise=0.1),
    Network(spiked(120), samples=100, noise=0.5),
    Network(Population.mixture(2.0, 120), samples=100),
    Network(IDENTITY, [Layer(100, "tanh")], samples=100, noise=0.2),
    Network(IDENTITY, [Layer(300, "relu")], samples=100),
    Network(IDENTITY, [Layer(80, "sign", True)], samples=300, noise=1),
    Network(power_law(0.8, 100), [Layer(200, "erf", True)] * 3, samples=150, noise=0.2),
    Network(Population.mixture(1.0, 100), [Layer(150, "relu")] * 3, samples=150),
]


@pytest.mark.parametrize("network", BEST, ids=lambda one: f"{len(one.layers)}-{one.samples}")
def test_the_best_ridge_is_a_minimum(network):
    best = optimal_ridge(network)
    assert 0 < best < np.inf
    lowest = ridge_errors(at(network, best)).test
    for factor in (0.1, 0.5, 0.9, 0.99, 1.01, 1.1, 2, 10):
        assert ridge_errors(at(network, best * factor)).test > lowest * (1 - 1e-12)
    assert ridge_errors(at(network, best * 0.9)).test > lowest
    assert ridge_errors(at(network, best * 1.1)).test > lowest
    grid = [ridge_errors(at(network, ridge)).test for ridge in np.geomspace(1e-10, 1e8, 73)]
    assert lowest <= min([*grid, ridge_errors(network).test]) * (1 + 1e-12)
    # its own ridge plays no part
    assert optimal_ridge(at(network, 0.123)) == best


def test_no_ridge_is_best_where_nothing_is_to_be_gained_from_one():
    assert optimal_ridge(Network(IDENTITY, samples=200)) == 0
    assert optimal_ridge(Network(IDENTITY, samples=50)) == 0
    assert optimal_ridge(Network(Population.atoms([1, 5], [0.5, 0.5], 100), samples=200)) == 0
    # much signal on one strong direction, little noise, p > n: the best ridge is negative (Kobak et al., 2020)
    population = replace(Population.spiked([300.0], 1000), target=np.array([0.0, 1 / 300]))
    assert optimal_ridge(Network(population, samples=100)) == 0


def test_any_ridge_is_too_small_where_there_is_nothing_to_learn():
    assert optimal_ridge(Network(Population.identity(100, signal=0), samples=200, noise=1)) == np.inf
    assert optimal_ridge(Network(IDENTITY, [Layer(100, "abs")], samples=200)) == np.inf


def test_the_best_ridge_is_finite_however_little_there_is_to_learn():
    """Some signal passes every layer that is not blind, so a large enough ridge is better than none at all."""
    population = Population.atoms([0.5, 3], [0.3, 0.7], 150)
    network = Network(population, [Layer(100, "swish"), Layer(20, "he3")], samples=20, noise=10)
    best = optimal_ridge(network)
    assert best < np.inf
    nothing = network.population.signal + network.noise
    assert ridge_errors(at(network, best)).test < nothing


def test_at_its_best_ridge_the_peak_is_gone():
    """Test error against width: a peak at n = 150 for a small ridge, monotone at the best one."""
    widths = [30, 60, 100, 140, 150, 160, 200, 300, 600]
    small, best = [], []
    for width in widths:
        network = Network(IDENTITY, [Layer(width, "relu")], samples=150, noise=0.3, ridge=1e-6)
        small.append(ridge_errors(network).test)
        best.append(ridge_errors(at(network, optimal_ridge(network))).test)
    assert widths[int(np.argmax(small))] == 150
    assert np.all(np.diff(best) < 0)


# --- Accuracy -------------------------------------------------------------------------------------


def test_accuracy_without_classes_is_refused():
    with pytest.raises(ValueError, match=r"network.*mixture"):
        accuracy(Network(IDENTITY, samples=100))


@pytest.mark.parametrize("layers", [[], [Layer(100, "tanh")], [Layer(100, "abs")]])
def test_accuracy_of_a_guess(layers):
    """Classes with the same mean, or a blind layer, or a test error that diverges: one half."""
    assert accuracy(Network(Population.mixture(0.0, 100), layers, samples=150, ridge=0.1)) == pytest.approx(0.5)
    assert accuracy(Network(Population.mixture(2.0, 100), layers, samples=100)) == 0.5


def test_accuracy_approaches_the_bayes_rule():
    """Phi(|mu|) for infinitely many samples."""
    network = Network(Population.mixture(1.7, 100), samples=10**9)
    assert accuracy(network) == pytest.approx(ndtr(np.sqrt(1.7)), abs=1e-6)
    # at any ridge: it only scales the fit
    assert accuracy(at(network, 10.0)) == pytest.approx(ndtr(np.sqrt(1.7)), abs=1e-6)


@pytest.mark.parametrize("energy", [1.0, 4.0])
@pytest.mark.parametrize(
    "layers",
    [[], [Layer(200, "tanh")], [Layer(100, "relu")], [Layer(200, "sign")], [Layer(150, "tanh"), Layer(150, "relu")]],
    ids=lambda layers: "-".join(layer.activation.name for layer in layers) or "linear",
)
def test_the_actual_network_classifies_as_predicted(layers, energy):
    """Within 3 standard errors plus 1/n; errors as below, with |mu|^2 units of 4/n (the mean saturates neurons)."""
    n = 240
    network = Network(Population.mixture(energy, 120), layers, samples=n)
    ridges = [0.02, 0.3, 3.0]
    found = trainer.train(network, [trainer.ridge(ridge) for ridge in ridges], 16, seed=len(layers))
    errors = [ridge_errors(at(network, ridge)) for ridge in ridges]
    found["accuracy"].meets([accuracy(at(network, ridge)) for ridge in ridges], 1 / n)
    test = np.array([one.test for one in errors])
    found["test"].meets(test, (4 + 2 * energy) / n * test)


# --- The actual network ---------------------------------------------------------------------------

RIDGES = [0.01, 0.1, 1.0]


def compare(network, draws, seed, ridges=RIDGES, **options):
    """Test errors within units/n relative; training errors within what an eigenvalue off by units/size does.

    That moves the ridge as much, and so the training error by (1 + dlog train/dlog ridge) units/size: above
    the threshold it goes as the square of a small ridge. An interpolating fit has none, up to rounding.
    """
    found = trainer.train(network, [trainer.ridge(ridge) for ridge in ridges], draws, seed, **options)
    errors = [ridge_errors(at(network, ridge)) for ridge in ridges]
    test, train = (np.array([getattr(one, part) for one in errors]) for part in ("test", "train"))
    moved = np.array([ridge_errors(at(network, 1.01 * ridge)).train for ridge in ridges])
    units, size = trainer.finite_size(network)
    found["test"].meets(test, units / network.samples * test)
    found["train"].meets(train, units / size * (train + (moved - train) / np.log(1.01)) + 1e-20)


@pytest.mark.parametrize("p", [90, 180, 360])
@pytest.mark.parametrize(
    "build",
    [lambda p: Population.atoms([1, 5], [0.5, 0.5], p), lambda p: power_law(1.0, p), spiked],
    ids=["atoms", "power-law", "spiked"],
)
def test_the_linear_network_below_at_and_above_the_threshold(build, p):
    compare(Network(build(p), samples=180, noise=0.3), 16, seed=p)


@pytest.mark.parametrize("p", [90, 360])
def test_the_linear_network_without_ridge(p):
    compare(Network(Population.atoms([1, 5], [0.5, 0.5], p), samples=180, noise=0.3), 16, seed=p, ridges=[0.0])


@pytest.mark.parametrize("width", [100, 200, 400])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sign"])
@pytest.mark.parametrize("depth", [1, 3])
def test_the_nonlinear_network_below_at_and_above_width_equal_samples(depth, activation, width):
    layers = [Layer(width, activation, normalise=True)] * depth
    compare(Network(Population.identity(150), layers, samples=200, noise=0.2), 12, seed=depth, fresh=1000)


@pytest.mark.parametrize("p", [100, 200, 400])
@pytest.mark.parametrize(
    ("build", "names"),
    [
        (lambda p: Population.atoms([1, 5], [0.5, 0.5], p), ["tanh"]),
        (spiked, ["relu"]),
        (lambda p: power_law(0.4, p), ["sign"]),
        (lambda p: Population.atoms([1, 5], [0.5, 0.5], p), ["relu", "tanh", "sign"]),
    ],
    ids=["atoms", "spiked", "power-law", "deep"],
)
def test_the_nonlinear_network_with_fewer_as_many_and_more_dimensions_than_samples(build, names, p):
    layers = [Layer(300, name) for name in names]
    compare(Network(build(p), layers, samples=200, noise=0.2), 12, seed=p, fresh=1000)


@pytest.mark.parametrize("layers", [[Layer(100, "relu")], [Layer(200, "tanh")], [Layer(100, "tanh")] * 3])
def test_the_nonlinear_network_without_ridge(layers):
    """Off the threshold: half as wide as there are samples, or twice."""
    samples = 100 if layers[-1].width == 200 else 200
    compare(Network(IDENTITY, layers, samples=samples, noise=0.2), 16, seed=1, ridges=[0.0], fresh=1000)


@pytest.mark.parametrize(("depth", "activation"), [(1, "tanh"), (3, "relu")])
def test_what_a_finite_network_adds_shrinks_as_one_over_its_size(depth, activation):
    """Twice as wide on twice as many: half as far from the equivalent, and no more of it is left to explain."""
    off, error = {}, {}
    for n, draws in ((48, 240), (96, 160)):
        layers = [Layer(2 * n, activation, normalise=True)] * depth
        network = Network(Population.identity(3 * n // 4), layers, samples=n, noise=0.2, ridge=0.01)
        found = trainer.train(network, [trainer.ridge(0.01)], draws, seed=n, fresh=1000)
        errors = ridge_errors(network)
        for part in ("test", "train"):
            expected = getattr(errors, part)
            off[n, part] = found[part].mean[0] / expected - 1
            error[n, part] = found[part].error[0] / expected
    for part, second in (("test", 0.0), ("train", 0.1)):  # of order 1/n^2, seen where the first order is large
        assert abs(off[48, part]) > 5 * error[48, part]
        assert abs(off[96, part]) < 0.75 * abs(off[48, part])
        rest = 2 * off[96, part] - off[48, part]
        assert abs(rest) < 3 * np.hypot(2 * error[96, part], error[48, part]) + second * abs(off[48, part])


@pytest.mark.parametrize(
    ("p", "layers"),
    [
        (100, []),
        (150, [Layer(200, "tanh")]),
        (150, [Layer(100, "sign")]),
        (150, [Layer(200, "relu")]),
        (150, [Layer(200, "tanh", True), Layer(240, "sign", True), Layer(160, "relu", True)]),
    ],
    ids=["linear", "tanh", "sign", "relu", "deep"],
)
def test_where_the_error_comes_from(p, layers):
    """Two training sets times two draws of the weights: what two fits share is what their errors have in common."""
    network = Network(Population.atoms([1, 5], [0.5, 0.5], p), layers, samples=160, noise=0.3, ridge=0.02)
    found = trainer.split(network, 24, seed=p, fresh=1000)
    errors = ridge_errors(network)
    scale = trainer.finite_size(network)[0] / network.samples
    found["test"].meets(errors.test, scale * errors.test)
    found["ensemble"].meets(errors.ensemble, scale * errors.ensemble)
    found["label_variance"].meets(errors.label_variance, scale * errors.label_variance)
    # shares of the target, of variance 1
    found["same_weights"].meets(errors.misfit, scale)
    found["bias"].meets(errors.bias, scale)
    if layers:
        assert errors.weight_variance > 20 * found["ensemble"].error
        assert errors.misfit - errors.bias > found["bias"].error
