"""The actual network behind the kernels: finite random layers, and all their gradients.

A network f(x) = w'h_L, h_l = phi_l(W_l h_(l-1))/sqrt(d_l), h_0 = x, with independent standardised weights has the
conjugate kernel h_L'h_L and the tangent kernel of all its gradients (Jacot, Gabriel and Hongler, 2018),
h_L'h_L + sum over layers of (g_l'g_l) * (h_(l-1)'h_(l-1)) entrywise, g_l the gradients at the inputs of layer l.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from rmtcore.activation import Activation, Function
from rmtcore.checks import finite, in_range, integer
from rmtcore.experiment import spawn_streams
from rmtcore.infinite import InfiniteNetwork

Array = NDArray[np.float64]
Weights = Callable[[tuple[int, int], Generator], NDArray[Any]]


class Level(NamedTuple):
    """A layer (phi - mean)/scale of `width` neurons, as it is built; without `derivative` it has no gradient."""

    width: int
    function: Function
    derivative: Function | None
    mean: float
    scale: float


class Kernels(NamedTuple):
    """Kernels of one random network on n samples.

    Attributes
    ----------
    conjugate : (n, n) h_L'h_L.
    tangent : (n, n) of all gradients; None where an activation jumps.
    """

    conjugate: Array
    tangent: Array | None


def gaussian_weights(shape: tuple[int, int], rng: Generator) -> NDArray[np.float64]:
    """Independent standard normal weights."""
    return rng.standard_normal(shape)


def random_features(
    network: InfiniteNetwork,
    widths: Sequence[int],
    X: ArrayLike,
    seed: int | tuple[int, ...],
    weights: Weights = gaussian_weights,
) -> Array:
    """Features h_L (d_L, n) of one random network; arguments and errors as in `random_kernels`."""
    levels = _levels(network, widths)
    features, _ = _forward(levels, _matrix(X), spawn_streams(seed, len(levels) + 1), weights)
    return features[-1]


def random_kernels(
    network: InfiniteNetwork,
    widths: Sequence[int],
    X: ArrayLike,
    seed: int | tuple[int, ...],
    weights: Weights = gaussian_weights,
) -> Kernels:
    """Conjugate and tangent kernel of one random network with layers of these widths.

    Parameters
    ----------
    network : activations and input variance; its means and scales centre the layers.
    widths : d_1 .. d_L, each >= 1.
    X : (p, n) samples as columns, used as they are.
    seed : non-negative integer, or a tuple of them.
    weights : (shape, rng) -> standardised independent weights, of the hidden layers.

    Raises
    ------
    ValueError : X not a finite matrix, or widths that do not fit the activations.
    """
    levels = _levels(network, widths)
    return gradient_kernels(levels, _matrix(X), spawn_streams(seed, len(levels) + 1), weights)


def gradient_kernels(
    levels: Sequence[Level], X: Array, streams: Sequence[Generator], weights: Weights = gaussian_weights
) -> Kernels:
    """Both kernels of one network on X (p, n), by propagation back through it; one stream a layer, one for w."""
    features, inputs = _forward(levels, X, streams, weights)
    grams = [one.T @ one for one in features]
    tangent: Array | None = grams[-1].copy()
    signal = streams[len(levels)].standard_normal((features[-1].shape[0], 1))
    for level, (matrix, u), below in zip(levels[::-1], inputs[::-1], grams[-2::-1], strict=True):
        if level.derivative is None:
            return Kernels(grams[-1], None)
        gradient = signal * level.derivative(u) / (level.scale * np.sqrt(level.width))
        tangent += (gradient.T @ gradient) * below
        signal = matrix.T @ gradient
    return Kernels(grams[-1], tangent)


def _levels(network: InfiniteNetwork, widths: Sequence[int]) -> list[Level]:
    sizes = [integer("widths", width, low=1) for width in widths]
    if len(sizes) != len(network.activations):
        raise ValueError(
            f"The 'widths' parameter must hold one width per activation, {len(network.activations)}. "
            f"Got {widths!r} instead."
        )
    return [
        as_level(size, one.activation, one.mean, one.scale) for size, one in zip(sizes, network.stages, strict=True)
    ]


def as_level(width: int, activation: Activation, mean: float, scale: float) -> Level:
    """The level of an activation."""
    slope = None if activation.derivative is None else activation.derivative.function
    return Level(width, activation.function, slope, mean, scale)


def _matrix(X: ArrayLike) -> Array:
    data = finite("X", X)
    if data.ndim != 2 or data.size == 0:
        raise ValueError(f"The 'X' parameter must be a matrix. Got shape {data.shape} instead.")
    return data


def _forward(
    levels: Sequence[Level], data: Array, streams: Sequence[Generator], weights: Weights
) -> tuple[list[Array], list[tuple[Array, Array]]]:
    """h_0 .. h_L, and of every layer its weights and inputs u = W h."""
    features, inputs = [data], []
    for level, rng in zip(levels, streams, strict=False):
        matrix = weights((level.width, features[-1].shape[0]), rng)
        u = np.asarray(matrix @ features[-1])
        inputs.append((matrix, u))
        features.append(np.asarray((level.function(u) - level.mean) / (level.scale * np.sqrt(level.width))))
    return features, inputs


def train_gradient(
    network: InfiniteNetwork,
    widths: Sequence[int],
    X: ArrayLike,
    y: ArrayLike,
    seed: int | tuple[int, ...],
    rate: float,
    steps: int,
) -> Array:
    """Training errors (1/2n)|y - f|^2 of one network, all its weights trained by gradient descent on (1/2)|y - f|^2.

    Parameters
    ----------
    network, widths, X, seed : as in `random_kernels`.
    y : (n,) targets.
    rate : step size > 0; stable below 2 over the largest eigenvalue of the tangent kernel.
    steps : number of steps >= 1; after t of them, gradient flow has run for the time rate t.

    Returns
    -------
    (steps + 1,) errors, the first before training.

    Raises
    ------
    ValueError : an argument out of range, or an activation without derivative.
    """
    levels, data = _levels(network, widths), _matrix(X)
    target = finite("y", y)
    if target.shape != data.shape[1:]:
        raise ValueError(f"The 'y' parameter must have the shape {data.shape[1:]}. Got {target.shape} instead.")
    step = float(in_range("rate", rate, 0.0, np.inf, strict=True))
    streams = spawn_streams(seed, len(levels) + 1)
    _, inputs = _forward(levels, data, streams, gaussian_weights)
    matrices = [matrix for matrix, _ in inputs]
    last = streams[-1].standard_normal(levels[-1].width)
    errors = []
    for _ in range(integer("steps", steps, low=1) + 1):
        features = [data]
        slopes = []
        for level, matrix in zip(levels, matrices, strict=True):
            if level.derivative is None:
                raise ValueError("The 'network' parameter must have activations with a derivative. Got one without.")
            u = matrix @ features[-1]
            size = level.scale * np.sqrt(level.width)
            features.append((level.function(u) - level.mean) / size)
            slopes.append(level.derivative(u) / size)
        gap = last @ features[-1] - target
        errors.append(0.5 * float(np.mean(gap**2)))
        signal = np.outer(last, gap)
        last = last - step * (features[-1] @ gap)
        for index in range(len(levels) - 1, -1, -1):
            gradient = signal * slopes[index]
            signal = matrices[index].T @ gradient
            matrices[index] = matrices[index] - step * (gradient @ features[index].T)
    return np.array(errors)
