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

from rmtcore.activation import Activation
from rmtcore.checks import finite, integer
from rmtcore.experiment import spawn_streams
from rmtcore.infinite import InfiniteNetwork, Stage

Array = NDArray[np.float64]
Weights = Callable[[tuple[int, int], Generator], NDArray[Any]]


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
    sizes, data = _check(network, widths, X)
    features, _ = _forward(network.stages, sizes, data, spawn_streams(seed, len(sizes) + 1), weights)
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
    sizes, data = _check(network, widths, X)
    streams = spawn_streams(seed, len(sizes) + 1)
    features, inputs = _forward(network.stages, sizes, data, streams, weights)
    grams = [one.T @ one for one in features]
    if any(stage.activation.derivative is None for stage in network.stages):
        return Kernels(grams[-1], None)
    tangent = grams[-1].copy()
    signal = streams[-1].standard_normal((sizes[-1], 1))
    for level in range(len(sizes) - 1, -1, -1):
        stage, (matrix, u) = network.stages[level], inputs[level]
        gradient = signal * _slope(stage.activation)(u) / (stage.scale * np.sqrt(sizes[level]))
        tangent += (gradient.T @ gradient) * grams[level]
        signal = matrix.T @ gradient
    return Kernels(grams[-1], tangent)


def _check(network: InfiniteNetwork, widths: Sequence[int], X: ArrayLike) -> tuple[list[int], Array]:
    sizes = [integer("widths", width, low=1) for width in widths]
    if len(sizes) != len(network.activations):
        raise ValueError(
            f"The 'widths' parameter must hold one width per activation, {len(network.activations)}. "
            f"Got {widths!r} instead."
        )
    data = finite("X", X)
    if data.ndim != 2 or data.size == 0:
        raise ValueError(f"The 'X' parameter must be a matrix. Got shape {data.shape} instead.")
    return sizes, data


def _forward(
    stages: Sequence[Stage], sizes: list[int], data: Array, streams: list[Generator], weights: Weights
) -> tuple[list[Array], list[tuple[Array, Array]]]:
    """h_0 .. h_L, and of every layer its weights and inputs u = W h."""
    features, inputs = [data], []
    for stage, size, rng in zip(stages, sizes, streams, strict=False):
        matrix = weights((size, features[-1].shape[0]), rng)
        u = np.asarray(matrix @ features[-1])
        inputs.append((matrix, u))
        features.append((stage.activation.function(u) - stage.mean) / (stage.scale * np.sqrt(size)))
    return features, inputs


def _slope(activation: Activation) -> Callable[[Array], Array]:
    if activation.derivative is None:
        raise ValueError(f"The 'activation' parameter must declare a derivative. Got {activation.name!r} instead.")
    return activation.derivative.function
