"""Ternary layers with the kernel of the original: the match, the kernels, the errors, the bits."""

import math

import numpy as np
import pytest

from rmtcore import (
    ACTIVATIONS,
    InfiniteNetwork,
    Mixture,
    coefficients,
    compress,
    conjugate_kernel,
    expectations,
    matched_ternary,
    memory_bits,
    operator_norm,
    random_features,
    sparse_ternary_weights,
    ternary,
)

MATCHED = [name for name in ACTIVATIONS if name != "he3"]  # which keeps nothing at variance 1


@pytest.mark.parametrize("variance", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("name", MATCHED)
def test_three_expectations_agree(name, variance):
    goal = expectations(name, variance)
    for own in (variance, 0.7 * variance):
        found = expectations(matched_ternary(name, variance, own), own)
        assert found.slope == pytest.approx(goal.slope, rel=1e-8, abs=1e-8 * math.sqrt(goal.variance))
        assert found.curvature == pytest.approx(goal.curvature, abs=1e-8 * math.sqrt(goal.variance))
        assert found.centred_growth == pytest.approx(goal.centred_growth, rel=1e-8, abs=1e-10)


def test_ternary_functions_are_matched_by_themselves_or_better():
    for own, variance in ((ternary(), 1.0), (ternary(-1.5, 0.4, -2.0, 1.0), 1.3), (ternary(0, 0), 2.0)):
        found = matched_ternary(own, variance).moments(variance)
        assert found.variance <= own.moments(variance).variance * (1 + 1e-3)


def test_among_all_matches_it_has_the_least_variance():
    """The match of ReLU with levels -s, 0, s, found by hand on its two thresholds: 1.523 times the variance of ReLU."""
    symmetric = ternary(-2.710608087529376, 0.935873460389408, -1.8685162686143024, 1.8685162686143024)
    goal, found = expectations("relu", 1.0), expectations(symmetric, 1.0)
    for one in ("slope", "curvature", "centred_growth"):
        assert getattr(found, one) == pytest.approx(getattr(goal, one), rel=1e-9)
    best = matched_ternary("relu", 1.0).moments(1.0).variance
    assert goal.variance < best < 0.8 * found.variance


@pytest.mark.parametrize("layers", [["relu"], ["tanh", "swish"], ["gelu", "relu", "sigmoid"], ["abs", "relu"]])
def test_compressed_networks_have_the_same_coefficients(layers):
    network = InfiniteNetwork(layers, 1.3)
    found = compress(network)
    for one, other in zip(coefficients(network), coefficients(found.network), strict=True):
        np.testing.assert_allclose(other[:4], one[:4], rtol=1e-7, atol=1e-9)
    assert found.offset == pytest.approx(
        coefficients(found.network)[-1].tau ** 2 - coefficients(network)[-1].tau ** 2, rel=1e-9
    )


@pytest.mark.parametrize("layers", [["relu"], ["tanh", "swish"]])
def test_the_same_kernel_but_for_a_ridge(layers):
    """K_ternary - offset I against K: the gap in operator norm vanishes like the error of the equivalent."""
    gaps = []
    for p in (100, 400):
        mu = np.zeros((2, p))
        mu[:, 0] = 1.5, -1.5
        sizes = np.array([1.0, 1 + 4 / math.sqrt(p)])
        mixture = Mixture(mu, sizes[:, None] * np.ones(p), [p // 2, p // 2])
        X, network = mixture.draw(p), InfiniteNetwork(layers, mixture.variance)
        small = compress(network)
        kernel = conjugate_kernel(network, X)
        other = conjugate_kernel(small.network, X) - small.offset * np.eye(p)
        gaps.append(operator_norm(other - kernel) / operator_norm(kernel))
    assert gaps[1] < 0.65 * gaps[0]
    assert gaps[1] < 0.06


def test_the_same_test_error_with_a_fraction_of_the_bits():
    """Random features, Gaussian in 32 bits against sparse ternary weights and ternary activations.

    Ridge regression of the labels on 2 x 2000 features; ten data sets, each with both networks; the second
    with the ridge less the offset.
    """
    p, n, width, ridge, sparsity = 100, 200, 2000, 0.6, 0.9
    small = compress(InfiniteNetwork(["relu"]))
    assert 0 < small.offset < ridge
    nonzero, errors = 0, np.empty((10, 2))
    for seed in range(10):
        mixture = Mixture.labelled(4.0, p, 2 * n)
        X = mixture.draw(seed)
        order = np.random.default_rng(seed).permutation(2 * n)
        X, y = X[:, order], 1.0 - 2.0 * mixture.labels[order]
        bits = []

        def sparse(shape, rng, kept=bits):
            matrix = sparse_ternary_weights(shape, sparsity, rng)
            kept.append(np.count_nonzero(matrix))
            return matrix

        dense = random_features(InfiniteNetwork(["relu"]), [width], X, (seed, 1))
        light = random_features(small.network, [width], X, (seed, 2), sparse)
        nonzero += bits[0]
        for column, (h, lam) in enumerate(((dense, ridge), (light, ridge - small.offset))):
            kernel = h.T @ h
            predicted = kernel[n:, :n] @ np.linalg.solve(kernel[:n, :n] + lam * np.eye(n), y[:n])
            errors[seed, column] = np.mean((y[n:] - predicted) ** 2)
    gap = errors[:, 1] - errors[:, 0]
    # paired draws; a finite width and dimension leave a few per cent of the error
    assert abs(gap.mean()) < 4 * gap.std(ddof=1) / math.sqrt(10) + 0.03 * errors[:, 0].mean()
    assert errors.mean() < 0.6  # it learns: predicting zero costs 1
    memory = memory_bits((width, p), nonzero // 10)
    assert memory.saving > 25


def test_sparse_ternary_weights():
    rng = np.random.default_rng(0)
    for sparsity in (0.0, 0.5, 0.9):
        weights = sparse_ternary_weights((400, 500), sparsity, rng)
        assert np.unique(np.abs(weights[weights != 0])) == pytest.approx([1 / math.sqrt(1 - sparsity)])
        share = np.mean(weights == 0)
        assert share == pytest.approx(sparsity, abs=4.5 * math.sqrt(sparsity * (1 - sparsity) / 200_000) + 1e-12)
        fourth = 1 / (1 - sparsity)
        assert weights.mean() == pytest.approx(0, abs=4.5 / math.sqrt(200_000))
        assert weights.var() == pytest.approx(1, abs=4.5 * math.sqrt((fourth - 1) / 200_000) + 1e-4)


def test_memory_by_hand():
    """3 x 8 with 5 entries: 24 mask bits and 5 signs; 3 counts up to 8 in 4 bits, 5 columns in 3 bits, 5 signs."""
    assert memory_bits((3, 8), 5) == (768, 32 + 24 + 5, 32 + 12 + 20)
    assert memory_bits((3, 8), 5).saving == pytest.approx(768 / 61)
    assert memory_bits((1000, 1000), 1000).listed < memory_bits((1000, 1000), 1000).masked


def test_trouble_is_named():
    assert ACTIVATIONS["he3"].moments(1.0).mu1 == 0
    with pytest.raises(ValueError, match=r"E phi' or E phi'' other than 0\. Got 'he3'"):
        matched_ternary("he3", 1.0)
    with pytest.raises(ValueError, match=r"'own_variance' parameter must be in the range \(0, inf\)"):
        matched_ternary("relu", 1.0, 0.0)
    with pytest.raises(ValueError, match="levels 'below' and 'above' must be finite"):
        ternary(-1, 1, math.inf)
    with pytest.raises(ValueError, match="must not be normalised"):
        compress(InfiniteNetwork(["relu"], normalise=True))
    with pytest.raises(ValueError, match=r"'sparsity' parameter must be in the range \[0, 1\)"):
        sparse_ternary_weights((2, 2), 1.0, np.random.default_rng(0))
    with pytest.raises(ValueError, match="'nonzero' parameter"):
        memory_bits((2, 2), 5)
