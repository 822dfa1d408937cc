"""The experiment that learns: train the actual network, or its linear equivalent, and measure its errors.

    >>> from rmtcore import Layer, Network, Population, train
    >>> network = Network(Population.identity(100), [Layer(150, "relu")], samples=300, noise=0.1)
    >>> train(network, seed=1, ridges=[1e-2, 1.0]).test.shape
    (2,)

One eigendecomposition of the smaller side of F'F/n serves every ridge, every time, and every number of steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh

from rmtcore.checks import at_least, in_range, integer, whole_numbers
from rmtcore.experiment import Reading, draw_data, draw_features, spawn_streams
from rmtcore.network import Network
from rmtcore.population import Population

Array = NDArray[np.float64]
_DIVERGED = 1e30  # where a descent that diverges is left


@dataclass(frozen=True, eq=False)
class Errors:
    """Errors along one list of ridges, or of times.

    Attributes
    ----------
    test, train : (k,) mean squared errors, label noise included.
    accuracy : (k,) for a mixture, share of test points classified rightly; nan otherwise.
    """

    test: Array
    train: Array
    accuracy: Array


@dataclass(frozen=True, eq=False)
class Steps:
    """Gradient descent in the place of gradient flow: after `counts` (t,) steps of one size."""

    size: float
    counts: ArrayLike


@dataclass(frozen=True, eq=False)
class Trial:
    """One trained network.

    Attributes
    ----------
    ridge : errors at the ridges asked for.  flow : errors at the times or steps, at the network's own ridge.
    seconds : time taken.
    """

    ridge: Errors
    flow: Errors
    seconds: float

    @property
    def test(self) -> Array:
        """Test errors at the ridges."""
        return self.ridge.test

    @property
    def train(self) -> Array:
        """Training errors at the ridges."""
        return self.ridge.train


def train(
    network: Network,
    seed: int | tuple[int, ...],
    ridges: ArrayLike = (),
    times: ArrayLike | Steps = (),
    reading: Reading = "actual",
    tests: int = 1000,
    start: float = 0.0,
) -> Trial:
    """Draw one network with its training set, fit it at every ridge and train it until every time.

    Parameters
    ----------
    seed : non-negative integer, or a tuple of them.
    ridges : (k,) ridges >= 0; 0 is the least-norm interpolator.
    times : (t,) times > 0 of gradient flow at the network's own ridge; or Steps of gradient descent. Where a drawn
        eigenvalue lies above 2/size, their errors grow until they are huge, and stay finite.
    reading : "actual" network, or its "linear" equivalent on the same data, weights and labels.
    tests : number of fresh test points, against their noise-free targets plus the noise variance.
    start : variance s2 of the initial weights, theta_0 of independent N(0, s2/d) entries.

    Raises
    ------
    ValueError : an argument out of range, or a population of real data, which has no target of its own.
    """
    began = time.perf_counter()
    lam = np.atleast_1d(in_range("ridges", ridges, low=0.0)).astype(float)
    unlearned = _clock(times)
    n, m = network.samples, integer("tests", tests, low=1)
    start = at_least("start", start, 0.0)
    if network.population.data is not None:
        raise ValueError("The 'network' parameter must stand on a population with a target. Got real data instead.")
    streams = spawn_streams(seed, 2 + 2 * len(network.layers))
    data, labels = draw_data(network.population, n + m, streams[0])
    clean = labels if network.population.is_mixture else target(network.population, streams[1]) @ data
    y = clean[:n] + np.sqrt(network.noise) * streams[1].standard_normal(n)
    features = draw_features(network, data, streams[2:], reading)
    fit = Fit(features[:, :n], features[:, n:], y)
    initial = np.sqrt(start / fit.width) * streams[1].standard_normal(fit.width)
    with np.errstate(divide="ignore"):
        filters = np.where(fit.seen[:, None], 1.0 / (fit.values[:, None] + lam), 0.0)
    ridge = _errors(*fit.predict(filters), y, clean[n:], network)
    rates = fit.values + network.ridge
    decay, fade = unlearned(rates), unlearned(np.array([network.ridge]))[0]
    filters = (1.0 - decay) / np.maximum(rates, 1e-300)[:, None]
    flow = _errors(*fit.predict(filters, initial, decay, fade), y, clean[n:], network)
    return Trial(ridge, flow, time.perf_counter() - began)


def _clock(times: ArrayLike | Steps) -> Callable[[Array], Array]:
    """The share of eigen-directions that is unlearned at all times, (r, t) of rates (r,)."""
    if not isinstance(times, Steps):
        t = np.atleast_1d(in_range("times", times, low=0.0, high=np.inf, strict=True)).astype(float)
        return lambda rates: np.exp(-np.outer(rates, t))
    size = float(in_range("size", times.size, low=0.0, high=np.inf, strict=True))
    counts = np.atleast_1d(whole_numbers("counts", times.counts, low=1.0))

    def unlearned(rates: Array) -> Array:
        with np.errstate(over="ignore"):
            left = (1.0 - size * rates[:, None]) ** counts
        return np.clip(left, -_DIVERGED, _DIVERGED)

    return unlearned


@dataclass(frozen=True, eq=False)
class Repeated:
    """Errors of K networks over R repetitions, (R, K) each; `linear`: those of their linear equivalents, if asked."""

    test: Array
    train: Array
    accuracy: Array
    seconds: float
    linear: Repeated | None = None

    def join(self, other: Repeated) -> Repeated:
        """Both sets of repetitions."""
        return Repeated(
            np.concatenate([self.test, other.test]),
            np.concatenate([self.train, other.train]),
            np.concatenate([self.accuracy, other.accuracy]),
            self.seconds + other.seconds,
            self.linear.join(other.linear) if self.linear is not None and other.linear is not None else None,
        )


def standard_error(values: Array) -> Array:
    """Standard error of the mean over the first axis; zero for a single repetition."""
    rows = values.shape[0]
    return values.std(axis=0, ddof=1) / np.sqrt(rows) if rows > 1 else np.zeros(values.shape[1:])


def repeat(
    networks: list[Network],
    seed: int,
    ridges: list[float] | None,
    times: list[float] | Steps | None,
    reading: Reading | Literal["both"],
    index: int,
) -> Repeated:
    """One repetition, number `index`, of every network at its own ridge; or of the only one at many.

    With `ridges` or `times` (or Steps) there is one network, and K counts those instead. Reading "both" is "actual"
    with the linear equivalents, on the same data, weights and labels, under `linear`.

    Raises
    ------
    ValueError : several networks together with ridges or times.
    """
    if reading == "both":
        actual, linear = (repeat(networks, seed, ridges, times, one, index) for one in get_args(Reading))
        return replace(actual, linear=linear)
    began = time.perf_counter()
    if ridges is None and times is None:
        found = [train(one, (seed, index, k), [one.ridge], (), reading).ridge for k, one in enumerate(networks)]
    elif len(networks) != 1:
        raise ValueError(f"The 'networks' parameter must be one network for many ridges or times. Got {len(networks)}.")
    else:
        trial = train(networks[0], (seed, index), ridges or (), () if times is None else times, reading)
        found = [trial.ridge if ridges is not None else trial.flow]
    return Repeated(
        np.concatenate([one.test for one in found])[None, :],
        np.concatenate([one.train for one in found])[None, :],
        np.concatenate([one.accuracy for one in found])[None, :],
        time.perf_counter() - began,
    )


def target(population: Population, rng: np.random.Generator) -> Array:
    """b (p,) of random direction in every eigenspace, with exactly the population's squared components."""
    b = rng.standard_normal(population.dim)
    for share, block in zip(population.target, np.split(b, np.cumsum(population.counts.astype(int))[:-1]), strict=True):
        block *= np.sqrt(share) / np.linalg.norm(block)
    return b


class Fit:
    """Training features (d, n) diagonalised; predictions of any spectral filter, on training and test points."""

    def __init__(self, features: Array, fresh: Array, y: Array) -> None:
        self.width, n = features.shape
        self._features, self._fresh = features, fresh
        if self.width <= n:
            self.values, left = eigh(features @ features.T / n, overwrite_a=True, check_finite=False)
        else:
            self.values, right = eigh(features.T @ features / n, overwrite_a=True, check_finite=False)
            scale = np.sqrt(n * np.maximum(self.values, 1e-300))
            left = (features @ right) / scale
        # Directions that rounding alone keeps from zero are not there.
        self.seen = self.values > 1e-13 * self.values[-1]
        self.values = np.where(self.seen, self.values, 0.0)
        left[:, ~self.seen] = 0.0
        self._left = left
        self._pull = left.T @ (features @ y) / n
        self._on_train, self._on_test = features.T @ left, fresh.T @ left

    def predict(
        self, filters: Array, initial: Array | None = None, decay: Array | None = None, fade: Array | None = None
    ) -> tuple[Array, Array]:
        """Predictions (n, k) and (tests, k) of the filters (r, k).

        Initial weights fade by decay (r, k) where the data are, elsewhere by fade (k,).
        """
        weights = filters * self._pull[:, None]
        on_train, on_test = self._on_train @ weights, self._on_test @ weights
        if initial is not None and decay is not None and fade is not None and initial.any():
            seen = self._left.T @ initial
            rest = initial - self._left @ seen
            on_train += self._on_train @ (decay * seen[:, None])
            on_test += self._on_test @ (decay * seen[:, None])
            on_test += np.outer(self._fresh.T @ rest, fade)
        return on_train, on_test


def _errors(on_train: Array, on_test: Array, y: Array, clean: Array, network: Network) -> Errors:
    test = np.mean((clean[:, None] - on_test) ** 2, axis=0) + network.noise
    right = np.full(test.size, np.nan)
    if network.population.is_mixture:
        right = np.mean(np.sign(on_test) == clean[:, None], axis=0)
    return Errors(test, np.mean((y[:, None] - on_train) ** 2, axis=0), right)
