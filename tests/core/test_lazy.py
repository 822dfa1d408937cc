"""Training as the tangent kernel says: the two laws of the labels, the kernels' formula, actual gradient descent."""

import numpy as np
import pytest

from rmtcore import (
    InfiniteNetwork,
    Mixture,
    ck_equivalent,
    conjugate_kernel,
    kernel_training_error,
    label_laws,
    ntk_equivalent,
    random_kernels,
    tangent_kernel,
    train_gradient,
    training_error,
    z_score,
)

TIMES = np.array([0, 0.1, 0.3, 1.0, 3.0])


@pytest.mark.parametrize("ratio", [0.25, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("rho", [0.1, 1.0, 5.0])
def test_laws_have_mass_one_and_their_means(rho, ratio):
    """tr X'X/n -> 1; y'X'Xy/n -> 1 + r rho, the first moment of the mixture of the two laws."""
    laws = label_laws(rho, ratio)
    assert laws.trace.sum() == pytest.approx(1, abs=1e-10)
    assert laws.signal.sum() == pytest.approx(1, abs=1e-10)
    assert laws.trace @ laws.x == pytest.approx(1, abs=1e-10)
    assert laws.trace @ laws.x**2 == pytest.approx(1 + ratio, abs=1e-9)
    mixed = (laws.trace + rho * laws.signal) / (1 + rho)
    assert mixed @ laws.x == pytest.approx(1 + ratio * rho, rel=1e-9)


@pytest.mark.parametrize(("rho", "ratio"), [(2.0, 0.5), (0.5, 1.0), (1.0, 3.0), (0.1, 0.5)])
def test_laws_of_the_labels_in_samples(rho, ratio):
    """(1/n) y' e^(-X'X) y over 30 data sets: 4.5 standard errors plus O(1/n)."""
    laws = label_laws(rho, ratio)
    expected = ((laws.trace + rho * laws.signal) / (1 + rho)) @ np.exp(-laws.x)
    for p in (60, 180):
        n = int(ratio * p) // 2 * 2
        mixture, found = Mixture.labelled(rho, p, n), []
        for seed in range(30):
            X = mixture.draw(seed)
            values, vectors = np.linalg.eigh(X.T @ X)
            y = 1.0 - 2.0 * mixture.labels
            found.append(((vectors.T @ y) ** 2 * np.exp(-values)).sum() / n)
        score = z_score(found, expected)
        assert abs(score.mean - expected) < 4.5 * score.standard_error + 1.5 / n


@pytest.mark.parametrize("layers", [["tanh"], ["tanh", "relu"], ["swish", "gelu", "relu"]])
def test_kernels_of_random_data_average_to_the_limit(layers):
    """Actual kernels of infinite width, and their equivalents, at two sizes: 4.5 standard errors plus 1/p of E_0."""
    network = InfiniteNetwork(layers)
    limit = training_error(network, 2.0, 0.5, TIMES)
    for p, draws in ((60, 12), (240, 4)):
        mixture, found = Mixture.labelled(2.0, p, p // 2), []
        y = 1.0 - 2.0 * mixture.labels
        for seed in range(draws):
            X = mixture.draw((p, seed))
            actual = kernel_training_error(conjugate_kernel(network, X), tangent_kernel(network, X), y, TIMES)
            linear = kernel_training_error(
                ck_equivalent(network, mixture, X), ntk_equivalent(network, mixture, X), y, TIMES
            )
            found.append([actual, linear])
        for reading in np.array(found).transpose(1, 2, 0):
            for samples, value in zip(reading, limit, strict=True):
                score = z_score(samples, value)
                assert abs(score.mean - value) < 4.5 * score.standard_error + limit[0] / p


def test_gradient_descent_on_all_weights():
    """Trained networks, against the kernels of infinite width, at two widths: the mean error closes in like 1/width."""
    network, rate, steps = InfiniteNetwork(["tanh", "relu"]), 0.02, 60
    mixture = Mixture.labelled(2.0, 30, 16)
    X, y = mixture.draw(1), 1.0 - 2.0 * mixture.labels
    expected = kernel_training_error(
        conjugate_kernel(network, X), tangent_kernel(network, X), y, rate * np.arange(steps + 1)
    )
    at = [0, 10, 30, 60]
    gaps = []
    for width, count in ((60, 40), (360, 20)):
        found = np.array([train_gradient(network, [width] * 2, X, y, (2, seed), rate, steps) for seed in range(count)])
        for k in at:
            score = z_score(found[:, k], expected[k])
            # descent is not flow: relative (rate x eigenvalue) a step; a finite width leaves O(1/width)
            assert abs(score.mean - expected[k]) < 4.5 * score.standard_error + (0.05 + 20 / width) * expected[k]
        gaps.append(abs(found[:, at].mean(axis=0) - expected[at]))
    assert gaps[1].mean() < gaps[0].mean()


def test_one_step_of_descent_is_the_tangent_kernel_of_that_network():
    """f after one small step: f - rate K (f - y), K of this very network; to first order in the rate."""
    network = InfiniteNetwork(["tanh", "gelu"])
    X = Mixture.labelled(1.0, 20, 8).draw(0)
    y = np.linspace(-1, 1, 8)
    kernel = random_kernels(network, [30, 40], X, 3).tangent
    start = train_gradient(network, [30, 40], X, np.zeros(8), 3, 1e-3, 1)[0]
    assert start > 0
    drops = []
    for rate in (1e-4, 1e-5):
        before, after = train_gradient(network, [30, 40], X, y, 3, rate, 1)
        drops.append((before - after) / rate)
    # dE/dt = -(1/n) g'Kg with E = |g|^2/2n: between the extreme eigenvalues times 2E
    values = np.linalg.eigvalsh(kernel)
    assert values[0] * 2 * before <= drops[1] <= values[-1] * 2 * before
    assert drops[0] == pytest.approx(drops[1], rel=2e-2)


def test_kernel_formula_by_hand():
    """Diagonal kernels: every sample decays on its own."""
    ck, ntk, y = np.diag([1.0, 2.0]), np.diag([3.0, 0.5]), np.array([1.0, -2.0])
    expected = [((1 + 1) * np.exp(-6 * t) + (2 + 4) * np.exp(-t)) / 4 for t in TIMES]
    np.testing.assert_allclose(kernel_training_error(ck, ntk, y, TIMES), expected, rtol=1e-14)


def test_limits_in_time():
    network = InfiniteNetwork(["tanh"], normalise=True)
    found = training_error(network, 1.0, 0.5, [0.0, 1e3])
    assert found[0] == pytest.approx(0.5 * (1 + 1), rel=1e-9)  # (tau^2 + 1)/2
    assert found[1] < 1e-12


def test_trouble_is_named():
    network = InfiniteNetwork(["tanh"])
    with pytest.raises(ValueError, match=r"must have variance 1\. Got 2"):
        training_error(InfiniteNetwork(["tanh"], 2.0), 1.0, 0.5, TIMES)
    with pytest.raises(ValueError, match="must have a tangent kernel"):
        training_error(InfiniteNetwork(["sign"]), 1.0, 0.5, TIMES)
    with pytest.raises(ValueError, match=r"'mean_norm2' parameter must be in the range \(0, inf\)"):
        training_error(network, 0.0, 0.5, TIMES)
    with pytest.raises(ValueError, match=r"'times' parameter must be in the range \[0, inf\]"):
        training_error(network, 1.0, 0.5, [-1.0])
    with pytest.raises(ValueError, match=r"shapes \(n, n\), \(n, n\) and \(n,\)"):
        kernel_training_error(np.eye(3), np.eye(2), np.ones(3), TIMES)
    with pytest.raises(ValueError, match="'rate' parameter"):
        train_gradient(network, [5], np.eye(3), np.ones(3), 0, 0.0, 5)
    with pytest.raises(ValueError, match=r"'y' parameter must have the shape \(3,\)"):
        train_gradient(network, [5], np.eye(3), np.ones(2), 0, 0.1, 5)
    with pytest.raises(ValueError, match="activations with a derivative"):
        train_gradient(InfiniteNetwork(["step"]), [5], np.eye(3), np.ones(3), 0, 0.1, 5)
