"""The experiment: draw the actual network, or its linear equivalent, and look at its eigenvalues.

    >>> from rmtcore import Layer, Network, Population, draw
    >>> one = draw(Network(Population.identity(100), [Layer(150, "relu")], samples=200), seed=1)
    >>> one.eigenvalues.shape
    (150,)

The linear equivalent replaces every layer by mu1 W h / sqrt(d_below) + mu* g with g independent noise
(Liao and Mahoney, arXiv:2506.13139, Definition 8 and Theorem 3); it uses the same data and weights.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray
from scipy.linalg import eigh, eigvalsh, eigvalsh_tridiagonal
from scipy.sparse.linalg import eigsh

from rmtcore.checks import in_range, integer
from rmtcore.network import Layer, Network
from rmtcore.population import Population
from rmtcore.spectrum import Matrix, Spectrum, spectrum

Array = NDArray[np.float64]
Reading = Literal["actual", "linear"]
Entries = Literal["gaussian", "rademacher", "uniform", "student"]

_SINGLE_FROM = 400  # smaller side from which single precision pays
_SINGLE_SPREAD = 1e-2  # and how far down from the largest eigenvalue it does not show


@dataclass(frozen=True, eq=False)
class Draw:
    """One realisation.

    Attributes
    ----------
    eigenvalues : (min(d, n),) ascending: those that FF'/n and F'F/n share.
    zeros : how many more eigenvalues, all zero, the feature covariance and the Gram matrix have.
    outliers : (K,) eigenvalues found where the equivalent puts outliers, in the order of `Spectrum.outliers`.
    overlap, score_overlap : (K,) squared cosines as in `Outlier`; nan where not defined.
    seconds : time taken.
    """

    eigenvalues: Array
    zeros: tuple[int, int]
    outliers: Array
    overlap: Array
    score_overlap: Array
    seconds: float

    def all_eigenvalues(self, matrix: Matrix = "covariance") -> Array:
        """Every eigenvalue of FF'/n (d of them) or F'F/n (n of them), zeros included, ascending."""
        if matrix not in get_args(Matrix):
            raise ValueError(f"The 'matrix' parameter must be 'covariance' or 'gram'. Got {matrix!r} instead.")
        zeros = np.zeros(self.zeros[0 if matrix == "covariance" else 1])
        return np.sort(np.concatenate([zeros, self.eigenvalues]))


def draw(
    network: Network,
    seed: int | tuple[int, ...],
    reading: Reading = "actual",
    entries: Entries = "gaussian",
    dof: float = 5.0,
) -> Draw:
    """Eigenvalues of one random network on random data; the same seed gives the same draw anywhere.

    Parameters
    ----------
    seed : non-negative integer, or a tuple of them.
    reading : "actual" network, or its "linear" equivalent on the same data and weights.
    entries : law of the standardised data entries z in x = C^(1/2) z; "student" has `dof` > 2 degrees of
        freedom, and no fourth moment (which the theory assumes) where dof <= 4. A population with data
        of its own ignores it: its samples are a random subset of the data.

    Raises
    ------
    ValueError : an unknown reading or entry law, dof <= 2, or more samples than the population's data.
    """
    start = time.perf_counter()
    if reading not in get_args(Reading):
        raise ValueError(f"The 'reading' parameter must be 'actual' or 'linear'. Got {reading!r} instead.")
    if entries not in get_args(Entries):
        raise ValueError(f"The 'entries' parameter must be one of {get_args(Entries)}. Got {entries!r} instead.")
    dof = float(in_range("dof", dof, low=2.0, high=np.inf, strict=True))
    streams = spawn_streams(seed, 1 + 2 * len(network.layers))
    if _is_white(network) and entries == "gaussian":
        eigenvalues = _white_wishart(network, streams[0])
        found = (np.zeros(0), np.zeros(0), np.zeros(0))
    else:
        law = spectrum(network, points=32)
        data, _ = draw_data(network.population, network.samples, streams[0], entries, dof, _precision(network, law))
        features = draw_features(network, data, streams[1:], reading)
        eigenvalues, found = _decompose(network, law, features, data)
    d, n = network.feature_dim, network.samples
    return Draw(eigenvalues, (max(d - n, 0), max(n - d, 0)), *found, time.perf_counter() - start)


def spawn_streams(seed: int | tuple[int, ...], count: int) -> list[Generator]:
    """Independent generators that depend on the seed alone.

    Raises
    ------
    ValueError : the seed is no whole number >= 0, nor a tuple of them.
    """
    numbers = [integer("seed", number, low=0) for number in (seed if isinstance(seed, (tuple, list)) else (seed,))]
    return [np.random.default_rng(child) for child in SeedSequence(numbers).spawn(count)]


def largest_matrix(network: Network, entries: Entries = "gaussian") -> int:
    """Entries of the largest matrix that `draw` forms: what an experiment costs in memory."""
    if _is_white(network) and entries == "gaussian":
        return min(network.population.dim, network.samples)
    widths = [network.population.dim, *(layer.width for layer in network.layers)]
    weights = [above * below for below, above in pairwise(widths)]
    return max([max(widths) * network.samples, *weights])


def _is_white(network: Network) -> bool:
    population = network.population
    return not network.layers and population.eigenvalues.size == 1 and population.data is None


def _white_wishart(network: Network, rng: Generator) -> Array:
    """Eigenvalues of a white Wishart matrix from its tridiagonal form (Dumitriu and Edelman, 2002)."""
    small, large = sorted((network.population.dim, network.samples))
    diagonal = rng.chisquare(large - np.arange(small))  # squared entries of the bidiagonal factor
    below = rng.chisquare(np.arange(small - 1, 0, -1))
    main = diagonal.copy()
    main[1:] += below
    off = np.sqrt(diagonal[:-1] * below)
    values = eigvalsh_tridiagonal(main, off, lapack_driver="sterf") if small > 1 else main
    scale = float(network.population.eigenvalues[0]) / network.samples
    return np.maximum(values, 0.0) * scale


def _precision(network: Network, law: Spectrum) -> Any:
    """Single precision only for large matrices whose small eigenvalues it cannot blur."""
    side = min(network.feature_dim, network.samples)
    places = [law.bulks[0, 0], law.bulks[-1, 1], *(outlier.position for outlier in law.outliers)]
    fine = min(places) > _SINGLE_SPREAD * max(places) and 1e-15 < max(places) < 1e15
    return np.float32 if side >= _SINGLE_FROM and fine else np.float64


def draw_data(
    population: Population,
    n: int,
    rng: Generator,
    entries: Entries = "gaussian",
    dof: float = 5.0,
    dtype: Any = np.float64,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """X (p, n) in the eigenbasis of C, eigenvalues ascending, or random columns of the population's data.

    Returns
    -------
    X, and for a mixture the labels (n,) of +-1 (empty otherwise).
    """
    labels = np.zeros(0, dtype)
    if population.data is not None:
        available = population.data.shape[1]
        if n > available:
            raise ValueError(
                f"The 'samples' parameter must be at most {available}, the size of the data. Got {n!r} instead."
            )
        return population.data[:, rng.choice(available, n, replace=False)].astype(dtype), labels
    shape = (population.dim, n)
    if entries == "gaussian":
        z = rng.standard_normal(shape, dtype=dtype)
    elif entries == "rademacher":
        z = (2 * rng.integers(0, 2, shape, dtype=np.int8) - 1).astype(dtype)
    elif entries == "uniform":
        z = ((rng.random(shape) - 0.5) * np.sqrt(12.0)).astype(dtype)
    else:
        z = (rng.standard_t(dof, shape) * np.sqrt((dof - 2.0) / dof)).astype(dtype)
    scale = np.sqrt(population.spectrum).astype(dtype)
    if population.is_mixture:
        labels = (2 * rng.integers(0, 2, n) - 1).astype(dtype)
        z[-1] += labels * np.sqrt(scale[-1] ** 2 - 1)
        scale[-1] = 1.0
    z *= scale[:, None]
    return z, labels


def draw_features(
    network: Network, data: NDArray[Any], streams: list[Generator], reading: Reading = "actual"
) -> NDArray[Any]:
    """Last feature matrix (d, columns of data); two streams a layer, for its weights and its linear noise."""
    features = data
    for index, layer in enumerate(network.layers):
        features = _layer(network, index, layer, features, streams[2 * index :], reading)
    return features


def _layer(
    network: Network,
    index: int,
    layer: Layer,
    below: NDArray[Any],
    streams: list[Generator],
    reading: Reading,
) -> NDArray[Any]:
    """Features of one layer, actual or linear; centred, and scaled where the layer is normalised."""
    dtype = below.dtype.type
    weights = streams[0].standard_normal((layer.width, below.shape[0]), dtype=dtype)
    inputs = weights @ below
    inputs /= dtype(np.sqrt(below.shape[0]))
    moments = network.moments()[index]
    if reading == "linear":
        inputs *= dtype(moments.mu1)
        if moments.mu_star2 > 0:
            noise = streams[1].standard_normal(inputs.shape, dtype=dtype)
            inputs += dtype(np.sqrt(moments.mu_star2)) * noise
        return inputs
    features = layer.activation.function(inputs)
    scale = layer.scale(network.input_variance(index))
    return (features / dtype(scale) - dtype(moments.mean)).astype(dtype)


def _decompose(
    network: Network, law: Spectrum, features: NDArray[Any], data: NDArray[Any]
) -> tuple[Array, tuple[Array, Array, Array]]:
    """Eigenvalues of the smaller side, and what is found at the outliers."""
    d, n = features.shape
    small = features @ features.T if d <= n else features.T @ features
    small /= features.dtype.type(n)
    size = len(law.outliers)
    found = np.full((3, size), np.nan)
    apart = [index for index, outlier in enumerate(law.outliers) if outlier.separated]
    high = [index for index in apart if law.outliers[index].position > law.bulks[-1, 1]]
    low = [index for index in apart if law.outliers[index].position < law.bulks[0, 0]]
    rank = int(min(network.learning_chain()[0].rank, n))
    for vectors_of, indices in ((_highest, high), (_lowest, low)):
        if indices and len(indices) < rank:
            for index, value, vector in zip(indices, *vectors_of(small, len(indices), rank), strict=True):
                spike = law.outliers[index].spike
                found[:, index] = value, *_overlaps(network, spike, features, data, vector)
    for index in set(apart) - set(high) - set(low):
        seen = _nearest(small, law.outliers[index].position, law.bulks)
        if seen is not None:
            found[:, index] = seen[0], *_overlaps(network, law.outliers[index].spike, features, data, seen[1])
    eigenvalues = np.maximum(eigvalsh(small, overwrite_a=True, check_finite=False), 0.0).astype(float)
    eigenvalues[: eigenvalues.size - rank] = 0.0  # rounding lifts what a deficient rank puts at zero
    return eigenvalues, (found[0], found[1], found[2])


def _highest(small: NDArray[Any], count: int, _rank: int) -> tuple[Array, Array]:
    """The largest eigenvalues, ascending, and their vectors as rows."""
    # A fixed start vector: the same draw must give the same numbers.
    values, vectors = eigsh(small, count, which="LA", v0=np.ones(small.shape[0], small.dtype))
    return values, vectors.T


def _lowest(small: NDArray[Any], count: int, rank: int) -> tuple[Array, Array]:
    """The smallest eigenvalues above the zeros of a deficient rank, ascending, and their vectors as rows."""
    first = small.shape[0] - rank
    values, vectors = eigh(small, subset_by_index=(first, first + count - 1), check_finite=False)
    return values, vectors.T


def _nearest(small: NDArray[Any], position: float, bulks: Array) -> tuple[float, Array] | None:
    """The eigenvalue of a gap between two bulks that is nearest to a position there, and its vector."""
    gap = float(bulks[bulks[:, 1] < position, 1].max()), float(bulks[bulks[:, 0] > position, 0].min())
    # Eigenvalues of a bulk stray into the gap by less than half way to the outlier, or it cannot be told apart.
    reach = tuple(0.5 * (position + edge) for edge in gap)
    values, vectors = eigh(small, subset_by_value=reach, check_finite=False)
    if values.size == 0:
        return None
    best = int(np.argmin(np.abs(values - position)))
    return float(values[best]), vectors[:, best]


def _overlaps(
    network: Network, spike: float, features: NDArray[Any], data: NDArray[Any], vector: NDArray[Any]
) -> tuple[float, float]:
    """Squared cosines with the eigenspace of the spike, and with the samples' scores along it."""
    d, n = features.shape
    inside = network.population.spectrum == spike
    other = features.T @ vector if d <= n else features @ vector
    other = other / np.linalg.norm(other)
    left, right = (vector, other) if d <= n else (other, vector)
    basis, _ = np.linalg.qr(data[inside].T)
    direction = float("nan") if network.layers else float(np.sum(left[inside] ** 2))
    return direction, float(np.sum((basis.T @ right) ** 2))


def draws(
    network: Network,
    seed: int,
    count: int,
    reading: Reading = "actual",
    entries: Entries = "gaussian",
    dof: float = 5.0,
) -> list[Draw]:
    """`count` independent draws with seeds (seed, 0), (seed, 1), ..."""
    count = integer("count", count, low=1)
    return [draw(network, (seed, index), reading, entries, dof) for index in range(count)]
