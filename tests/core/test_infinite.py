"""Infinite width: coefficients, kernels against their linear equivalents and against finite random networks."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmtcore import (
    ACTIVATIONS,
    Activation,
    InfiniteNetwork,
    Mixture,
    ck_equivalent,
    coefficients,
    conjugate_kernel,
    derivative_energy,
    ntk_equivalent,
    operator_norm,
    random_features,
    random_kernels,
    relative_error,
    tangent_kernel,
    top_eigenvectors,
    z_score,
)

PLAIN = [name for name in ACTIVATIONS if name not in ("he2", "he3")]  # those two overflow through depth
SMOOTH = [name for name in ACTIVATIONS if name not in ("sign", "step", "ternary")]


def two_classes(p, n):
    """Classes that differ in mean, size and shape."""
    mu = np.zeros((2, p))
    mu[:, 0] = 1.5, -1.5
    shape = np.where(np.arange(p) < p // 2, 1.5, 0.5)
    return Mixture(mu, np.array([np.ones(p), shape * (1 + 4 / math.sqrt(p))]), [n // 2, n - n // 2])


# --- Coefficients ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_one_layer_in_words(name):
    """a1 = E[phi']^2, a2 = E[phi'']^2/4, a3 = 2 a2, b1 = 2 a1, kappa^2 = tau^2 + tau_0^2 E phi'^2."""
    first = coefficients(InfiniteNetwork([name], 1.7))[1]
    moments = ACTIVATIONS[name].moments(1.7)
    assert first.a1 == pytest.approx(moments.mu1**2, rel=1e-12)
    assert first.a3 == 2 * first.a2
    assert first.b1 == 2 * first.a1
    assert first.b2 == first.a2
    assert first.b3 == pytest.approx(first.a3 + 4 * first.a2, rel=1e-14)
    assert first.tau**2 == pytest.approx(moments.variance, rel=1e-12)
    if name in SMOOTH:
        assert first.kappa**2 == pytest.approx(moments.variance + 1.7 * derivative_energy(name, 1.7), rel=1e-12)
    else:
        assert first.kappa == math.inf


def test_linear_network_keeps_the_data():
    """Identity layers: CK = X'X and NTK = (L + 1) X'X at any depth."""
    network = InfiniteNetwork(["identity"] * 4, 2.0)
    last = coefficients(network)[-1]
    np.testing.assert_allclose(last, (1, 0, 0, 1, 5, 0, 0, math.sqrt(2), math.sqrt(10)), atol=1e-12)
    X = np.random.default_rng(0).standard_normal((20, 30))
    np.testing.assert_allclose(conjugate_kernel(network, X), X.T @ X, atol=1e-12)
    np.testing.assert_allclose(tangent_kernel(network, X), 5 * X.T @ X, atol=1e-11)


@pytest.mark.parametrize("even", ["abs", "cos", "he2"])
def test_even_layers_are_blind(even):
    for layers in ([even], ["relu", even], [even, "relu"]):
        assert coefficients(InfiniteNetwork(layers))[-1].a1 == 0


@given(
    layers=st.lists(st.sampled_from(PLAIN), min_size=1, max_size=5),
    exponent=st.floats(-1, 1),
    normalise=st.booleans(),
)
def test_depth_favours_norms_and_shapes(layers, exponent, normalise):
    """a2/a1 and a3/a1 do not decrease with depth (compared without division: a1 may vanish)."""
    found = coefficients(InfiniteNetwork(layers, 10**exponent, normalise))
    for below, above in pairwise(found):
        assert above.a2 * below.a1 >= below.a2 * above.a1 * (1 - 1e-12)
        assert above.a3 * below.a1 >= below.a3 * above.a1 * (1 - 1e-12)
        assert above.kappa >= above.tau
        if normalise:
            assert above.tau == pytest.approx(1, rel=1e-12)


def test_normalised_layers_scale_the_kernels():
    plain = coefficients(InfiniteNetwork(["tanh"], 2.0))[1]
    scaled = coefficients(InfiniteNetwork(["tanh"], 2.0, normalise=True))[1]
    for name in ("a1", "a2", "a3", "a4", "b1", "b2", "b3"):
        assert getattr(scaled, name) == pytest.approx(getattr(plain, name) / plain.tau**2, rel=1e-12)
    assert scaled.kappa == pytest.approx(plain.kappa / plain.tau, rel=1e-12)


# --- Kernels against their equivalents ------------------------------------------------------------


CASES = [
    (["relu"], 0.5),
    (["swish"], 2.0),
    (["swish", "tanh"], 1.5),
    (["abs", "relu"], 1.0),
    (["gelu", "softplus", "leaky_relu"], 0.5),
    (["sign", "relu", "ternary"], 1.0),
]


@pytest.mark.parametrize(("layers", "ratio"), CASES)
def test_equivalents_close_in_as_the_data_grow(layers, ratio):
    """Mean error of three draws in operator norm: like sqrt(log n/p), so over a factor 4 in p it nearly halves."""
    errors = []
    for p in (100, 400):
        mixture = two_classes(p, int(ratio * p))
        network, found = InfiniteNetwork(layers, mixture.variance), []
        for seed in range(3):
            X = mixture.draw((p, seed))
            found.append([relative_error(conjugate_kernel(network, X), ck_equivalent(network, mixture, X))])
            if set(layers) <= set(SMOOTH):
                found[-1].append(relative_error(tangent_kernel(network, X), ntk_equivalent(network, mixture, X)))
        errors.append(np.mean(found, axis=0))
    small, large = np.array(errors)
    assert np.all(large < 0.68 * small)
    assert np.all(large < 0.2)


def test_full_covariances_and_three_classes():
    p = 200
    rng = np.random.default_rng(3)
    rotation = np.linalg.qr(rng.standard_normal((p, p)))[0]
    shape = np.where(np.arange(p) < p // 2, 1.8, 0.2)
    covariances = np.array([np.eye(p), np.diag(shape), (rotation * shape) @ rotation.T])
    mixture = Mixture(np.zeros((3, p)), covariances, [100, 120, 80])
    assert mixture.variance == pytest.approx(1)
    np.testing.assert_allclose(mixture.T[0], [1, 1, 1], atol=1e-12)
    assert mixture.T[1, 1] == pytest.approx(1.64)
    X, network = mixture.draw(1), InfiniteNetwork(["relu", "relu"], 1.0)
    assert relative_error(conjugate_kernel(network, X), ck_equivalent(network, mixture, X)) < 0.06
    np.testing.assert_array_equal(mixture.labels[[0, 99, 100, 219, 220]], [0, 0, 1, 1, 2])


def test_the_misprinted_identity_coefficient_is_wrong():
    """An extra -tau_0^4 a3 is in print: without it the diagonals agree, with it they do not."""
    mixture = two_classes(600, 600)
    X, network = mixture.draw(1), InfiniteNetwork(["swish", "swish"], mixture.variance)
    gap = np.diag(conjugate_kernel(network, X) - ck_equivalent(network, mixture, X)).mean()
    extra = mixture.variance**2 * coefficients(network)[-1].a3
    assert abs(gap) < 0.1 * extra


@pytest.mark.parametrize("layers", [["relu"], ["swish", "tanh"]])
def test_top_eigenvectors_by_class(layers):
    mixture = two_classes(500, 500)
    X, network = mixture.draw(2), InfiniteNetwork(layers, mixture.variance)
    for kernel, equivalent in (
        (conjugate_kernel(network, X), ck_equivalent(network, mixture, X)),
        (tangent_kernel(network, X), ntk_equivalent(network, mixture, X)),
    ):
        actual, linear = (top_eigenvectors(one, mixture.labels, 2) for one in (kernel, equivalent))
        np.testing.assert_allclose(actual.values, linear.values, rtol=0.05)
        np.testing.assert_allclose(actual.means, linear.means, atol=0.15)
        np.testing.assert_allclose(np.linalg.norm(actual.vectors, axis=1), math.sqrt(500), rtol=1e-12)
        assert actual.values[0] >= actual.values[1]
        # their own eigenpairs
        np.testing.assert_allclose(kernel @ actual.vectors.T, actual.vectors.T * actual.values, atol=1e-9)


# --- Kernels against finite networks --------------------------------------------------------------


@pytest.mark.parametrize("layers", [["relu"], ["swish", "tanh"], ["abs", "gelu"]])
def test_finite_networks_average_to_the_kernels(layers):
    """Quadratic forms of 24 random networks: within 4.5 standard errors, plus 2/width for hidden layers."""
    mixture = Mixture.labelled(2.0, 50, 30)
    X, network = mixture.draw(1), InfiniteNetwork(layers, mixture.variance)
    rng = np.random.default_rng(0)
    probes = [rng.standard_normal(30) for _ in range(3)]
    width = 400
    nets = [random_kernels(network, [width] * len(layers), X, (4, seed)) for seed in range(24)]
    for exact, drawn in (
        (conjugate_kernel(network, X), [one.conjugate for one in nets]),
        (tangent_kernel(network, X), [one.tangent for one in nets]),
    ):
        for value, samples in (
            *((v @ exact @ v, [v @ one @ v for one in drawn]) for v in probes),
            (np.trace(exact), [np.trace(one) for one in drawn]),
        ):
            found = z_score(samples, value)
            assert abs(found.mean - value) < 4.5 * found.standard_error + 2 / width * value


@pytest.mark.parametrize("layers", [["relu"], ["swish", "tanh"], ["step", "sin"]])
def test_the_finite_width_error_falls_like_the_root_of_the_width(layers):
    mixture = Mixture.labelled(2.0, 50, 30)
    X, network = mixture.draw(1), InfiniteNetwork(layers, mixture.variance)
    exact = conjugate_kernel(network, X)
    errors = []
    for width in (200, 1800):
        nets = (random_kernels(network, [width] * len(layers), X, (width, seed)) for seed in range(4))
        errors.append(np.mean([relative_error(exact, one.conjugate) for one in nets]))
    assert errors[1] < 0.45 * errors[0]


def test_tangent_kernel_is_that_of_numerical_gradients():
    """The finite network's kernel against differences of its output in every single weight."""
    network = InfiniteNetwork(["tanh", "gelu"], 1.0)
    X = np.random.default_rng(1).standard_normal((4, 5)) / 2
    widths, seed = [6, 3], 5

    def weights(bump):
        calls = iter(range(2))

        def draw(shape, rng):
            matrix = rng.standard_normal(shape)
            layer = next(calls)
            if bump and bump[0] == layer:
                matrix[bump[1:3]] += bump[3]
            return matrix

        return draw

    reference = random_kernels(network, widths, X, seed, weights(None))
    last = np.random.default_rng(np.random.SeedSequence([seed]).spawn(3)[2]).standard_normal(3)

    def output(bump):
        return last @ random_features(network, widths, X, seed, weights(bump))

    total = reference.conjugate.copy()
    for layer, shape in enumerate([(6, 4), (3, 6)]):
        for i in range(shape[0]):
            for j in range(shape[1]):
                gradient = (output((layer, i, j, 1e-5)) - output((layer, i, j, -1e-5))) / 2e-5
                total += np.outer(gradient, gradient)
    np.testing.assert_allclose(reference.tangent, total, rtol=1e-7)


def test_jumping_networks_have_no_tangent_kernel():
    network, X = InfiniteNetwork(["relu", "sign"]), np.eye(3)
    assert random_kernels(network, [5, 5], X, 1).tangent is None
    for call in (lambda: tangent_kernel(network, X), lambda: ntk_equivalent(network, Mixture.labelled(1, 4, 2), X)):
        with pytest.raises(ValueError, match="no tangent kernel"):
            call()
    assert conjugate_kernel(network, X).shape == (3, 3)


def test_any_data_and_custom_functions():
    """Norms that differ hundredfold, repeated and opposite samples: exact for ReLU by its arc-cosine formula."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((10, 12)) * np.geomspace(0.1, 10, 12)
    X[:, 1], X[:, 2] = 2 * X[:, 0], -X[:, 0]
    norms = np.linalg.norm(X, axis=0)
    r = np.clip(X.T @ X / np.outer(norms, norms), -1, 1)
    raw = np.outer(norms, norms) / math.tau * (r * np.arccos(-r) + np.sqrt(1 - r * r))
    mean = ACTIVATIONS["relu"].moments(1.0).mean
    shift = mean * (norms[:, None] + norms) / math.sqrt(math.tau) - mean**2
    expected = raw - shift
    np.testing.assert_allclose(conjugate_kernel(InfiniteNetwork(["relu"]), X), expected, atol=1e-6 * norms.max() ** 2)
    own = InfiniteNetwork([Activation("own", lambda t: np.maximum(t, 0.0), (0.0,))])
    assert relative_error(expected, conjugate_kernel(own, X)) < 1e-4


def test_operator_norm_and_errors():
    matrix = np.diag([1.0, -5.0, 2.0, 0.5])
    assert operator_norm(matrix) == pytest.approx(5)
    assert relative_error(matrix, np.zeros((4, 4))) == pytest.approx(1)


def test_trouble_is_named():
    mixture = Mixture.labelled(1.0, 10, 6)
    X = mixture.draw(0)
    with pytest.raises(ValueError, match="at least 1 activation"):
        InfiniteNetwork([])
    with pytest.raises(ValueError, match=r"'variance' parameter must be in the range \(0, inf\)"):
        InfiniteNetwork(["relu"], 0.0)
    with pytest.raises(ValueError, match="must vary"):
        InfiniteNetwork([Activation("flat", np.ones_like)])
    with pytest.raises(ValueError, match=r"mixture's variance 1\. Got 2"):
        ck_equivalent(InfiniteNetwork(["relu"], 2.0), mixture, X)
    with pytest.raises(ValueError, match=r"'X' parameter must have the shape \(10, 6\)"):
        ck_equivalent(InfiniteNetwork(["relu"]), mixture, X.T)
    with pytest.raises(ValueError, match="without zero columns"):
        conjugate_kernel(InfiniteNetwork(["relu"]), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="one width per activation, 1"):
        random_kernels(InfiniteNetwork(["relu"]), [3, 4], X, 0)
    with pytest.raises(ValueError, match=r"'count' parameter must be in the range \[1, 5\]"):
        top_eigenvectors(np.eye(6), mixture.labels, 6)
    with pytest.raises(ValueError, match=r"shapes \(n, n\) and \(n,\)"):
        top_eigenvectors(np.eye(5), mixture.labels)
    with pytest.raises(ValueError, match="must be even"):
        Mixture.labelled(1.0, 10, 7)
    with pytest.raises(ValueError, match=r"shapes \(K, p\)"):
        Mixture(np.zeros((2, 3)), np.ones((2, 4)), [1, 1])
    with pytest.raises(ValueError, match="symmetric matrices >= 0"):
        Mixture(np.zeros((1, 2)), [[-1.0, 2.0]], [3])
    with pytest.raises(ValueError, match="'sizes' parameter must be an integer >= 1"):
        Mixture(np.zeros((1, 2)), [[1.0, 2.0]], [0])
