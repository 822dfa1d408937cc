"""The experiment of gradient descent with a step size: trained networks after given numbers of steps.

It stands apart from the labs because worker processes import it, and need none of the drawing.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from rmtcore import Network, Population, Repeated
from rmtcore.experiment import draw_data, draw_features, spawn_streams

Array = NDArray[np.float64]

_TESTS = 1000
_DIVERGED = 1e30  # where a descent that diverges is left
_NOTHING = 1e-13  # of the largest eigenvalue: what rounding leaves of a zero


def descended(network: Network, seed: int, step: float, counts: list[float], index: int) -> Repeated:
    """Repetition number `index` of a network trained from zero by gradient descent, after each of `counts` steps.

    The draw is the one of `rmtcore.repeat` at the same seed and index. All numbers of steps come from one
    eigendecomposition: k steps leave the share (1 - step (x + ridge))^k of an eigen-direction unlearned.
    Where a drawn eigenvalue lies above 2/step, the errors grow until they are huge, and stay finite.
    """
    began = time.perf_counter()
    n = network.samples
    streams = spawn_streams((seed, index), 2 + 2 * len(network.layers))
    data, labels = draw_data(network.population, n + _TESTS, streams[0])
    clean = labels if network.population.is_mixture else _target(network.population, streams[1]) @ data
    y = clean[:n] + np.sqrt(network.noise) * streams[1].standard_normal(n)
    features = draw_features(network, data, streams[2:], "actual")
    values, basis, pull = _diagonal(features[:, :n], y)
    seen = values > _NOTHING * values[-1]
    whole = np.where(seen, values + network.ridge, 1.0)
    with np.errstate(over="ignore"):
        left = (1.0 - step * whole[:, None]) ** np.asarray(counts)
    learned = 1.0 - np.clip(left, -_DIVERGED, _DIVERGED)
    scores = features.T @ (basis @ (learned * np.where(seen, pull / whole, 0.0)[:, None]))
    test = np.mean((clean[n:, None] - scores[n:]) ** 2, axis=0) + network.noise
    right = np.full(test.size, np.nan)
    if network.population.is_mixture:
        right = np.mean(np.sign(scores[n:]) == clean[n:, None], axis=0)
    train = np.mean((y[:, None] - scores[:n]) ** 2, axis=0)
    return Repeated(test[None], train[None], right[None], time.perf_counter() - began)


def _diagonal(seen: Array, y: Array) -> tuple[Array, Array, Array]:
    """Eigenvalues of FF'/n (r,), directions B (d, r) and pulls c (r,): the ridge fit is B (c / (x + ridge))."""
    width, n = seen.shape
    if width <= n:
        values, left = eigh(seen @ seen.T / n, check_finite=False)
        return values, left, left.T @ (seen @ y) / n
    values, right = eigh(seen.T @ seen / n, check_finite=False)
    return values, seen @ right, right.T @ y / n


def _target(population: Population, rng: np.random.Generator) -> Array:
    """b (p,) of random direction in every eigenspace, with exactly the population's squared components."""
    b = rng.standard_normal(population.dim)
    for share, block in zip(population.target, np.split(b, np.cumsum(population.counts.astype(int))[:-1]), strict=True):
        block *= np.sqrt(share) / np.linalg.norm(block)
    return b
