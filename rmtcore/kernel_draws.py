"""The experiment for kernel matrices: the actual one, or its linear equivalent, and what its outliers look like.

Linear equivalents, on the same data: of an inner product kernel a_1 X'X/p off the diagonal plus independent
symmetric Gaussian noise plus the rank two of the norms (see `rmtcore.kernels`); of a distance kernel its Taylor
expansion at 2 in the inner products and the norms (El Karoui, 2010), without noise.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import cast, get_args

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.linalg import eigh, eigvalsh

from rmtcore.activation import Activation, get_activation
from rmtcore.agreement import cdf
from rmtcore.checks import at_least, integer
from rmtcore.expansion import hermite
from rmtcore.experiment import Entries, Reading, draw_data, spawn_streams
from rmtcore.kernels import (
    TAU,
    DistanceKernel,
    KernelOutlier,
    derivatives,
    distance_kernel_spectrum,
    get_distance_kernel,
    kernel_spectrum,
)
from rmtcore.population import Population
from rmtcore.spectrum import Spectrum

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class KernelDraw:
    """One kernel matrix.

    Attributes
    ----------
    eigenvalues : (n,) all of them, ascending.
    bulk : those that are not one of the `outliers`, ascending: what the law's density is about.
    outliers : (K,) eigenvalues found where the equivalent puts separated outliers, in the order of
        `Spectrum.outliers`: as many from the top and from the bottom as it says, in a gap the nearest; nan where
        it has none.
    overlap, score_overlap : (K,) squared cosines as in `KernelOutlier`.
    seconds : time taken.
    """

    eigenvalues: Array
    bulk: Array
    outliers: Array
    overlap: Array
    score_overlap: Array
    seconds: float


def draw_kernel(
    activation: str | Activation,
    dim: int,
    samples: int,
    seed: int | tuple[int, ...],
    reading: Reading = "actual",
    mean_norm2: float = 0.0,
    entries: Entries = "gaussian",
    dof: float = 5.0,
) -> KernelDraw:
    """Eigenvalues of phi(x_i'x_j/sqrt(p))/sqrt(p), i != j, zero diagonal, phi centred; or of its linear equivalent.

    Parameters
    ----------
    seed : non-negative integer, or a tuple of them; the same seed gives the same draw anywhere.
    reading : "actual" kernel, or its "linear" equivalent on the same data.
    The others as in `kernel_spectrum`; memory is three n x n matrices.

    Raises
    ------
    ValueError : as there, an unknown reading, or a bad seed.
    """
    start = time.perf_counter()
    law = kernel_spectrum(activation, dim, samples, 32, mean_norm2, entries, dof)
    data, labels, noise = _data(dim, samples, seed, reading, mean_norm2, entries, dof)
    return _observe(law, inner_kernel(activation, data, noise if reading == "linear" else None), data, labels, start)


def draw_distance_kernel(
    function: str | DistanceKernel,
    dim: int,
    samples: int,
    seed: int | tuple[int, ...],
    reading: Reading = "actual",
    mean_norm2: float = 0.0,
    entries: Entries = "gaussian",
    dof: float = 5.0,
) -> KernelDraw:
    """Eigenvalues of f(|x_i - x_j|^2/p), or of its linear equivalent; arguments and errors as in `draw_kernel`."""
    start = time.perf_counter()
    law = distance_kernel_spectrum(function, dim, samples, 32, mean_norm2, entries, dof)
    data, labels, _ = _data(dim, samples, seed, reading, mean_norm2, entries, dof)
    return _observe(law, distance_kernel(function, data, reading == "linear"), data, labels, start)


def _data(
    dim: int,
    samples: int,
    seed: int | tuple[int, ...],
    reading: Reading,
    mean_norm2: float,
    entries: Entries,
    dof: float,
) -> tuple[Array, Array, Generator]:
    """X (p, n), the labels (empty for one class), and the generator of the noise."""
    if reading not in get_args(Reading):
        raise ValueError(f"The 'reading' parameter must be 'actual' or 'linear'. Got {reading!r} instead.")
    streams = spawn_streams(seed, 2)
    classes = at_least("mean_norm2", mean_norm2, 0.0) > 0
    population = Population.mixture(mean_norm2, dim) if classes else Population.identity(dim)
    data, labels = draw_data(population, integer("samples", samples, low=1), streams[0], entries, dof)
    return data, labels, streams[1]


def inner_kernel(activation: str | Activation, data: Array, noise: Generator | None = None) -> Array:
    """The n x n kernel matrix of the columns of `data` (p, n); with a generator of `noise` its linear equivalent."""
    chosen, root = get_activation(activation), math.sqrt(data.shape[0])
    moments = chosen.moments(1.0)
    matrix = data.T @ data
    matrix /= root
    if noise is None:
        matrix = np.asarray(chosen.function(matrix), float) - moments.mean
    else:
        matrix *= moments.mu1
        if moments.mu_star2 > 0:
            upper = np.triu(noise.standard_normal(matrix.shape), 1)
            matrix += math.sqrt(moments.mu_star2) * (upper + upper.T)
            psi = math.sqrt(0.5) * hermite(chosen, 2).coefficients[2] * norm_excess(data)
            matrix += psi + psi[:, None]
    matrix /= root
    np.fill_diagonal(matrix, 0.0)
    return np.asarray(matrix)


def distance_kernel(function: str | DistanceKernel, data: Array, linear: bool = False) -> Array:
    """The n x n kernel matrix of the columns of `data` (p, n), or its linear equivalent."""
    kernel = get_distance_kernel(function)
    gram = data.T @ data / data.shape[0]
    start, value, first, second = derivatives(kernel)
    if linear:
        psi = norm_excess(data)
        sums = psi + psi[:, None]
        # |x_i - x_j|^2/p - 2 is sums - 2 gram; only the mean 1/p of gram^2 is seen
        matrix = value + first * (sums - 2.0 * gram) + 0.5 * second * (sums**2 + 4.0 / data.shape[0])
        matrix.flat[:: len(psi) + 1] += start - value + TAU * first
        return np.asarray(matrix)
    norms = np.diag(gram)
    matrix = np.asarray(kernel.value(np.maximum(norms + norms[:, None] - 2.0 * gram, 0.0)), float)
    np.fill_diagonal(matrix, start)
    return matrix


def norm_excess(data: Array) -> Array:
    """psi_i = |x_i|^2/p - 1 of the columns, (n,)."""
    return np.asarray(np.einsum("ij,ij->j", data, data) / data.shape[0] - 1.0)


def _observe(law: Spectrum, matrix: Array, data: Array, labels: Array, start: float) -> KernelDraw:
    """Eigenvalues, and vectors only where there are outliers to look at."""
    outliers = cast(tuple[KernelOutlier, ...], law.outliers)
    found = np.full((3, len(outliers)), np.nan)
    apart = [index for index, one in enumerate(outliers) if one.separated]
    places: list[int] = []
    if apart:
        values, vectors = eigh(matrix, overwrite_a=True, check_finite=False)
        places = _places(law, [outliers[index].position for index in apart], values)
        for index, place in zip(apart, places, strict=True):
            found[:, index] = values[place], *_overlaps(outliers[index], vectors[:, place], data, labels)
    else:
        values = eigvalsh(matrix, overwrite_a=True, check_finite=False)
    bulk = np.delete(values, places)
    return KernelDraw(values, bulk, found[0], found[1], found[2], time.perf_counter() - start)


def _places(law: Spectrum, positions: list[float], values: Array) -> list[int]:
    """Index of the eigenvalue that belongs to every ascending position."""
    level = [float(cdf(law, position)) for position in positions]
    above = sum(share == 1.0 for share in level)
    places = []
    for index, (position, share) in enumerate(zip(positions, level, strict=True)):
        if share == 0.0:
            places.append(index)
        elif share == 1.0:
            places.append(len(values) - above + index - (len(positions) - above))
        else:
            places.append(int(np.argmin(np.abs(values - position))))
    return places


def _overlaps(outlier: KernelOutlier, vector: Array, data: Array, labels: Array) -> tuple[float, float]:
    """Squared cosines with the labels and the scores, or twice that with the planted direction."""
    if outlier.source == "labels":
        # the mean is along the last coordinate
        return _cosine2(vector, labels), _cosine2(vector, data[-1])
    psi = norm_excess(data)
    psi -= psi.mean()
    size = np.linalg.norm(psi)
    along = psi / size if size > 0 else psi
    planted = outlier.direction[0] / math.sqrt(len(psi)) + outlier.direction[1] * along
    return (_cosine2(vector, planted),) * 2


def _cosine2(vector: Array, other: Array) -> float:
    return float((vector @ other) ** 2 / (other @ other))
