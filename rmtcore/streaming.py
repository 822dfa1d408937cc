"""Training sets too large for memory: the same experiment, gathered in chunks of samples and solved at the end.

    >>> from rmtcore import Layer, Network, Population
    >>> from rmtcore.streaming import gather, solve
    >>> network = Network(Population.identity(50), [Layer(80, "relu")], samples=4000, noise=0.1)
    >>> seen = sum((gather(network, 1, chunk, 1000) for chunk in range(1, 4)), gather(network, 1, 0, 1000))
    >>> fresh = gather(network, 1, 0, 1000, fresh=True)
    >>> solve(network, seen, fresh, [1e-3, 1e-1]).test.shape
    (2,)

Ridge regression needs of its samples only FF', Fy and y'y, which add up over chunks. A chunk depends on the seed and on
its own number alone: computed anywhere, in any order, again or for the first time, it is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh

from rmtcore.checks import in_range, integer
from rmtcore.experiment import Reading, draw_data, draw_features, spawn_streams
from rmtcore.network import Network
from rmtcore.training import Errors, target

Array = NDArray[np.float64]

_SHARED, _TRAIN, _FRESH = 0, 1, 2  # what a stream of random numbers is for: the network, its samples, fresh ones


@dataclass(frozen=True, eq=False)
class Sums:
    """What ridge regression needs of a number of samples.

    Attributes
    ----------
    samples : how many.
    gram : (d, d) sum of f f'.  cross : (d,) sum of f y.  energy : sum of y^2.
    """

    samples: int
    gram: Array
    cross: Array
    energy: float

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.samples + other.samples,
            self.gram + other.gram,
            self.cross + other.cross,
            self.energy + other.energy,
        )


def gather(
    network: Network,
    seed: int | tuple[int, ...],
    chunk: int,
    size: int,
    fresh: bool = False,
    reading: Reading = "actual",
) -> Sums:
    """The sums of one chunk of samples of a random network.

    Parameters
    ----------
    seed : of the network and its target, the same for all of its chunks.
    chunk, size : number of the chunk, from 0, and how many samples it has.
    fresh : samples of the test set, whose labels are the noise-free targets.
    reading : "actual" network, or its "linear" equivalent on the same data, weights and labels.

    Raises
    ------
    ValueError : an argument out of range, or a population of real data, which has no target of its own.
    """
    size, chunk = integer("size", size, low=1), integer("chunk", chunk, low=0)
    if network.population.data is not None:
        raise ValueError("The 'network' parameter must stand on a population with a target. Got real data instead.")
    root = seed if isinstance(seed, tuple) else (seed,)
    layers = len(network.layers)
    shared = spawn_streams((*root, _SHARED), 1 + layers)
    own = spawn_streams((*root, _FRESH if fresh else _TRAIN, chunk), 2 + layers)
    data, labels = draw_data(network.population, size, own[0])
    y = labels if network.population.is_mixture else target(network.population, shared[0]) @ data
    if not fresh:
        y = y + np.sqrt(network.noise) * own[1].standard_normal(size)
    streams = [stream for pair in zip(shared[1:], own[2:], strict=True) for stream in pair]
    features = draw_features(network, data, streams, reading)
    return Sums(size, features @ features.T, features @ y, float(y @ y))


class Chunk(NamedTuple):
    """One chunk to gather, as a task for whoever is free: the arguments of `gather`."""

    network: Network
    seed: tuple[int, ...]
    chunk: int
    size: int
    fresh: bool

    def run(self) -> Sums:
        """Gather it."""
        return gather(*self)


def solve(network: Network, seen: Sums, fresh: Sums, ridges: ArrayLike) -> Errors:
    """Errors of the ridge regression on the samples `seen`, at every ridge.

    Parameters
    ----------
    seen, fresh : sums over all training and all test samples.
    ridges : (k,) ridges > 0. Through FF' the errors are exact to about 1e-15 y'y / (n ridge) at the least.

    Returns
    -------
    Errors : test and train (k,), label noise included; accuracy is nan (the sums do not know single points).

    Raises
    ------
    ValueError : a ridge that is not positive.
    """
    lam = np.atleast_1d(in_range("ridges", ridges, low=0.0, high=np.inf, strict=True))
    values, vectors = eigh(seen.gram / seen.samples, check_finite=False)
    pull = vectors.T @ seen.cross / seen.samples
    weights = vectors @ (pull[:, None] / (np.maximum(values, 0.0)[:, None] + lam))
    train, test = (
        (sums.energy - 2 * sums.cross @ weights + np.sum(weights * (sums.gram @ weights), axis=0)) / sums.samples
        for sums in (seen, fresh)
    )
    return Errors(test + network.noise, np.maximum(train, 0.0), np.full(lam.size, np.nan))
