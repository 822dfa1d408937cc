"""Conjugate kernels: against plain quadrature, against wide layers, and what is exactly known of them."""

import numpy as np
import pytest
from naive_given import pair_mean
from scipy.special import erf, expit

from rmtcore import ACTIVATIONS, Activation, layer_diagonal, layer_kernel, ternary

HARD = Activation("hard_tanh", lambda t: np.clip(t, -1, 1), (-1.0, 1.0))
ALL = [*ACTIVATIONS.values(), ternary(0.0, 0.5), ternary(0.3, 0.9), ternary(-0.3, 1.2, -0.4, 1.7), HARD]
QUADRATURE = {"tanh", "sigmoid", "softplus", "swish"}
# (|a|^2, |b|^2, cosine): ordinary, nearly parallel, nearly opposite, small, large
PAIRS = [(0.5, 2, -0.7), (1, 1.2, 0.98), (0.8, 0.8, -0.98), (1e-3, 1, 0.5), (6, 9, 0.6)]


def points(a2, b2, r):
    """Two columns with these squared norms and this cosine."""
    return np.array([[np.sqrt(a2)], [0.0]]), np.sqrt(b2) * np.array([[r], [np.sqrt(1 - r * r)]])


def custom(name):
    """The named function as one that the package does not know."""
    one = ACTIVATIONS[name]
    return Activation(f"my {name}", lambda t: one.function(t), one.breaks or ((0.0,) if name == "abs" else ()))


def cloud(count, p=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((p, count)) / np.sqrt(p) * rng.uniform(0.5, 1.5, count)


@pytest.mark.parametrize("activation", ALL, ids=lambda one: one.name)
def test_every_kernel_is_the_mean_over_pairs(activation):
    for a2, b2, r in PAIRS:
        found = layer_kernel(activation, *points(a2, b2, r))
        expected = pair_mean(activation.function, activation.breaks, a2, b2, r * np.sqrt(a2 * b2))
        assert found.values[0, 0] == pytest.approx(expected, abs=1e-8 + found.error, rel=1e-8)


@pytest.mark.parametrize("activation", ALL, ids=lambda one: one.name)
def test_every_kernel_is_that_of_a_wide_layer(activation):
    A, B = cloud(4), cloud(3, seed=1)
    A[:, 3] = -1.2 * A[:, 2]
    B[:, 1] = A[:, 1]
    rng, width, blocks = np.random.default_rng(2), 25_000, []
    for _ in range(4):
        weights = rng.standard_normal((width, 6))
        left, right = activation.function(weights @ A), activation.function(weights @ B)
        blocks.append([left.T @ right / width, (left**2).T @ right**2 / width])
    mean, square = np.mean(blocks, axis=0)
    error = np.sqrt(np.maximum(square - mean**2, 0) / (4 * width))
    found = layer_kernel(activation, A, B)
    assert np.max(np.abs(found.values - mean) - 4.5 * error) < 1e-9
    assert np.median(np.abs(found.values - mean) / np.maximum(error, 1e-12)) < 2


def test_the_route_is_told():
    A = cloud(3)
    for name in ACTIVATIONS:
        found = layer_kernel(name, A)
        assert found.route == ("quadrature" if name in QUADRATURE else "closed form")
        assert found.error == 0 if name not in QUADRATURE else found.error < 1e-10
    assert layer_kernel(HARD, A).route == "quadrature"
    # a name alone is no proof
    assert layer_kernel(Activation("relu", np.tanh), A).values == pytest.approx(layer_kernel("tanh", A).values)


@pytest.mark.parametrize("name", ["identity", "erf", "gelu", "sin", "cos", "he2", "he3"])
def test_quadrature_and_closed_form_agree_for_smooth_functions(name):
    A, B = cloud(5), cloud(4, seed=3)
    exact, found = layer_kernel(name, A, B), layer_kernel(custom(name), A, B)
    assert found.route == "quadrature"
    np.testing.assert_allclose(found.values, exact.values, atol=1e-10)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "abs", "sign", "step", "ternary"])
def test_quadrature_keeps_its_bound_for_broken_functions(name):
    A, B = cloud(4), cloud(4, seed=3)
    B[:, 0] = A[:, 0]  # here what is left out is known
    B[:, 1] = A[:, 1] + 0.1 * np.linalg.norm(A[:, 1]) * np.eye(6)[0]  # the worst: nearly parallel
    exact, found = layer_kernel(name, A, B), layer_kernel(custom(name), A, B)
    off = np.abs(found.values - exact.values)
    assert off.max() <= found.error + 1e-8
    assert off.max() > 1e-9  # so the bound says something
    assert off[0, 0] < 1e-9
    assert off[:, 2:].max() < 1e-4 * np.abs(exact.values).max()


@pytest.mark.parametrize("activation", ALL, ids=lambda one: one.name)
def test_the_diagonal_is_the_second_moment(activation):
    A = cloud(4)
    moments = [activation.moments(float(q)) for q in np.sum(A**2, axis=0)]
    expected = [one.variance + one.mean**2 for one in moments]
    np.testing.assert_allclose(layer_diagonal(activation, A), expected, rtol=1e-9)
    values = layer_kernel(activation, A).values
    np.testing.assert_allclose(np.diag(values), expected, rtol=1e-9)
    np.testing.assert_allclose(values, values.T, atol=1e-14)
    assert np.linalg.eigvalsh(values)[0] > -1e-12


@pytest.mark.parametrize("activation", ALL, ids=lambda one: one.name)
def test_a_point_at_the_origin(activation):
    A = np.column_stack([np.zeros(6), cloud(1)[:, 0]])
    at_zero = float(activation.function(np.zeros(1))[0])
    mean = activation.moments(float(A[:, 1] @ A[:, 1])).mean
    values = layer_kernel(activation, A).values
    assert values[0, 0] == pytest.approx(at_zero**2, abs=1e-12)
    assert values[0, 1] == pytest.approx(at_zero * mean, abs=1e-10)


def test_known_values():
    a = np.array([[2.0], [0.0]])
    b = np.array([[0.0], [3.0]])
    assert layer_kernel("relu", a, b).values[0, 0] == pytest.approx(6 / (2 * np.pi))
    assert layer_kernel("step", a, b).values[0, 0] == pytest.approx(0.25)
    for name, same, opposite in [("sign", 1, -1), ("step", 0.5, 0), ("relu", 3, 0), ("abs", 6, 6)]:
        found = [layer_kernel(name, a, side * 1.5 * a).values[0, 0] for side in (1, -1)]
        assert found == pytest.approx([same, opposite], abs=1e-7)
    # the sine and the cosine make the Gaussian kernel
    A = cloud(5)
    both = layer_kernel("cos", A).values + layer_kernel("sin", A).values
    distance = np.sum((A[:, :, None] - A[:, None, :]) ** 2, axis=0)
    np.testing.assert_allclose(both, np.exp(-distance / 2), atol=1e-14)


def test_large_arguments_neither_overflow_nor_lie():
    a = np.array([[30.0], [1.0]])
    for name, function in (("tanh", np.tanh), ("erf", erf), ("sigmoid", expit)):
        found = layer_kernel(name, a, 1.1 * a)
        limit = 0.5 if name == "sigmoid" else 1.0
        assert found.values[0, 0] == pytest.approx(limit, abs=0.05 + found.error)
        exact = pair_mean(function, (0.0,), 901.0, 901.0 * 1.21, 901.0 * 1.1)
        assert found.values[0, 0] == pytest.approx(exact, abs=1e-3 + found.error)
    assert layer_kernel("cos", a, a).values[0, 0] == pytest.approx(0.5)
    assert layer_kernel("sin", 40 * a, 40 * a).values[0, 0] == pytest.approx(0.5)


def test_what_is_refused():
    A = cloud(3)
    with pytest.raises(ValueError, match="'activation' must be one of"):
        layer_kernel("nothing", A)
    with pytest.raises(ValueError, match="'A' parameter must be a matrix"):
        layer_kernel("relu", A[:, 0])
    with pytest.raises(ValueError, match="'B' parameter must have 6 rows"):
        layer_kernel("relu", A, A[:5])
    with pytest.raises(ValueError, match="'A' parameter must be finite"):
        layer_diagonal("relu", np.full((2, 2), np.nan))


def test_all_named_activations_but_four_have_a_closed_form():
    assert {name for name, one in ACTIVATIONS.items() if one.pair is None} == QUADRATURE
