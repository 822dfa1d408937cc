"""The experiments of the Deep networks lab: one draw each, arrays with the draws along the first axis.

They stand apart from the labs because worker processes import them, and need none of the drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh

from rmtcore import (
    Activation,
    InfiniteNetwork,
    Mixture,
    Network,
    ck_equivalent,
    conjugate_kernel,
    draw,
    draw_tangent,
    kernel_training_error,
    memory_bits,
    ntk_equivalent,
    random_features,
    relative_error,
    sparse_ternary_weights,
    tangent_kernel,
    top_eigenvectors,
    train_gradient,
)
from rmtcore.experiment import spawn_streams

Array = NDArray[np.float64]
Seed = tuple[int, ...]
Drawn = TypeVar("Drawn", bound=tuple[Array, ...])

BLOCKS = 40  # of an image, along each side
VECTORS = 4
DIVERGED = 1e30  # where a descent that diverges is left
_TESTS = 400
_HUGE = 1e12  # variances beyond it, or below its inverse, stay where they are


def join(before: Drawn, new: Drawn) -> Drawn:
    """All draws so far."""
    return type(before)(*(np.concatenate(pair) for pair in zip(before, new, strict=True)))


def nothing(_round: int) -> None:
    """Where there is nothing to draw."""
    return


class Pair(NamedTuple):
    """A kernel of infinite width (index 0) and its linear equivalent (1) on the same data.

    Attributes
    ----------
    images : (2, B, B) means over blocks of samples, their diagonal left out.
    eigenvalues : (2, n) ascending.
    values, vectors, means : (2, k), (2, k, n), (2, k, 2): the leading eigenpairs as in `top_eigenvectors`.
    error : (1,) operator norm of the difference over that of the kernel.
    """

    images: Array
    eigenvalues: Array
    values: Array
    vectors: Array
    means: Array
    error: Array


def kernel_pair(network: InfiniteNetwork, mixture: Mixture, tangent: bool, seed: int) -> Pair:
    """One draw of the data, and both kernels on it."""
    data = mixture.draw(seed)
    actual, equivalent = (tangent_kernel, ntk_equivalent) if tangent else (conjugate_kernel, ck_equivalent)
    both = actual(network, data), equivalent(network, mixture, data)
    count = min(VECTORS, mixture.samples - 1)
    tops = [top_eigenvectors(kernel, mixture.labels, count) for kernel in both]
    return Pair(
        np.array([_blocks(kernel) for kernel in both]),
        np.array([eigvalsh(kernel) for kernel in both]),
        np.array([top.values for top in tops]),
        np.array([top.vectors for top in tops]),
        np.array([top.means for top in tops]),
        np.array([relative_error(*both)]),
    )


def _blocks(kernel: Array) -> Array:
    n = kernel.shape[0]
    edges = np.linspace(0, n, min(BLOCKS, n // 2) + 1).astype(int)[:-1]

    def total(matrix: Array) -> Array:
        return np.asarray(np.add.reduceat(np.add.reduceat(matrix, edges, axis=0), edges, axis=1))

    off = 1.0 - np.eye(n)
    return total(kernel * off) / total(off)


class Layered(NamedTuple):
    """Spectra of one network, layer by layer; conjugate kernels are X_l'X_l (n x n).

    Attributes
    ----------
    levels : (R, L, n) ascending eigenvalues of the conjugate kernel of every layer.
    outliers : (R, K) of the last one, found where its law has outliers.
    linear : (R, n) of the last layer's linear equivalent, or of the tangent kernel's where that was asked for.
    tangent : (R, n) of the tangent kernel; (R, 0) where it was not asked for.
    """

    levels: Array
    outliers: Array
    linear: Array
    tangent: Array


def layered(network: Network, tangent: bool, seed: int, index: int) -> Layered:
    """Draw number `index`: the same data and weights for all layers, which grow one upon the other."""
    key = (seed, index)
    cut = [
        Network(network.population, network.layers[:top], samples=network.samples) for top in range(len(network.layers))
    ]
    drawn = [(one, draw(one, key)) for one in (*cut[1:], network)]
    levels = [one.all_eigenvalues("gram") * _kernel_scale(part) for part, one in drawn]
    last = drawn[-1][1].outliers * _kernel_scale(network)
    if tangent:
        linear, own = draw_tangent(network, key, "linear"), draw_tangent(network, key)
    else:
        linear, own = draw(network, key, "linear").all_eigenvalues("gram") * _kernel_scale(network), np.zeros(0)
    return Layered(np.array([levels]), last[None], linear[None], own[None])


def _kernel_scale(network: Network) -> float:
    """X'X from F'F/n."""
    return network.samples / network.feature_dim


class Climb(NamedTuple):
    """Signals on their way up one wide network, after 1, 2, .. layers: (R, steps) each.

    Attributes
    ----------
    variances : of a signal that starts at the first variance.
    correlations : of two that start at another variance with the first correlation.
    """

    variances: Array
    correlations: Array


def climb(
    activation: Activation, units: int, steps: int, weight: float, bias: float,
    start: float, settled: float, alike: float, seed: int, index: int,
) -> Climb:  # fmt: skip
    """Draw number `index` of layers h = W phi(h_below) + b, entries of W of variance weight/units, of b bias."""
    streams = spawn_streams((seed, index), steps + 1)
    basis = np.linalg.qr(streams[0].standard_normal((units, 2)))[0] * np.sqrt(units)
    pair = np.sqrt(settled) * np.column_stack([basis[:, 0], basis @ [alike, np.sqrt(1.0 - alike**2)]])
    h = np.column_stack([np.sqrt(start) * basis[:, 0], pair])
    found = []
    for rng in streams[1:]:
        sizes = np.mean(h**2, axis=0)
        if sizes.max() < _HUGE and sizes.min() > 1.0 / _HUGE:
            noise = np.sqrt(bias) * rng.standard_normal((units, 1))
            h = np.sqrt(weight / units) * (rng.standard_normal((units, units)) @ activation.function(h)) + noise
            sizes = np.mean(h**2, axis=0)
        product = np.sqrt(sizes[1] * sizes[2])
        found.append((sizes[0], np.mean(h[:, 1] * h[:, 2]) / product if product > 0 else 1.0))
    variances, correlations = np.array(found).T
    return Climb(variances[None], correlations[None])


class Trained(NamedTuple):
    """Training errors (1/2n)|y - f|^2 in time: (R, T) each.

    Attributes
    ----------
    actual : of a network of finite width, all its weights trained by gradient descent.
    linear : of the linear equivalents of its kernels.
    """

    actual: Array
    linear: Array


def trained(
    network: InfiniteNetwork, mean_norm2: float, dim: int, samples: int, units: int, rate: float,
    counts: Sequence[int], seed: int, index: int,
) -> Trained:  # fmt: skip
    """Draw number `index`, after each of these numbers of steps."""
    mixture = Mixture.labelled(mean_norm2, dim, samples)
    data, y = mixture.draw((seed, index)), 1.0 - 2.0 * mixture.labels
    widths = [units] * len(network.activations)
    with np.errstate(over="ignore", invalid="ignore"):
        errors = train_gradient(network, widths, data, y, (seed, index), rate, max(counts))
    errors = np.minimum(np.nan_to_num(errors, nan=DIVERGED), DIVERGED)
    kernels = ck_equivalent(network, mixture, data), ntk_equivalent(network, mixture, data)
    linear = kernel_training_error(*kernels, y, rate * np.array(counts))
    return Trained(errors[list(counts)][None], linear[None])


class Pressed(NamedTuple):
    """Two networks of the same kernel at several widths: (R, W) each but for the spectra.

    Attributes
    ----------
    dense, light : test errors of Gaussian weights with the given activation, and of sparse ternary ones with its match.
    bits : memory that the light network's hidden weights take.
    dense_spectrum, light_spectrum : (R, n) eigenvalues of their kernels of infinite width.
    """

    dense: Array
    light: Array
    bits: Array
    dense_spectrum: Array
    light_spectrum: Array


def pressed(
    network: InfiniteNetwork, small: InfiniteNetwork | None, mean_norm2: float, dim: int, samples: int,
    widths: Sequence[int], ridges: tuple[float, float], sparsity: float, seed: int, index: int,
) -> Pressed:  # fmt: skip
    """Draw number `index`: kernel ridge regression of the labels on both; the second is left out where it is None."""
    mixture = Mixture.labelled(mean_norm2, dim, 2 * ((samples + _TESTS) // 2))
    order = spawn_streams((seed, index, 0), 1)[0].permutation(mixture.samples)
    data, y = mixture.draw((seed, index))[:, order], (1.0 - 2.0 * mixture.labels)[order]
    errors = np.full((2, len(widths)), np.nan)
    bits, spectra = np.zeros(len(widths)), [np.zeros(samples)] * 2
    for row, one in enumerate((network, small)):
        if one is not None:
            spectra[row] = eigvalsh(conjugate_kernel(one, data[:, :samples]))
    for column, width in enumerate(widths):
        kept: list[int] = []
        for row, (one, kind) in enumerate(((network, None), (small, partial(_sparse, sparsity, kept)))):
            if one is None:
                continue
            key = (seed, index, column + 1, row)
            shape = [width] * len(one.activations)
            h = random_features(one, shape, data, key) if kind is None else random_features(one, shape, data, key, kind)
            kernel = h.T @ h[:, :samples]
            fit = np.linalg.solve(kernel[:samples] + ridges[row] * np.eye(samples), y[:samples])
            errors[row, column] = np.mean((y[samples:] - kernel[samples:] @ fit) ** 2)
        bits[column] = sum(kept)
    return Pressed(errors[:1], errors[1:], bits[None], spectra[0][None], spectra[1][None])


def _sparse(sparsity: float, kept: list[int], shape: tuple[int, int], rng: Any) -> NDArray[Any]:
    """Sparse ternary weights, whose memory is noted down."""
    matrix = sparse_ternary_weights(shape, sparsity, rng)
    memory = memory_bits(shape, int(np.count_nonzero(matrix)))
    kept.append(min(memory.masked, memory.listed))
    return matrix
