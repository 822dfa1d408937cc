"""The curves of the Learning dynamics lab: errors in time, early stopping, the spectrum; solved once per network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from app.labs.learning_settings import network_of, number, population_of
from app.settings import Values
from rmtcore import (
    Network,
    RidgeErrors,
    Spectrum,
    Trajectory,
    descent,
    early_stopping,
    flow,
    ridge_errors,
    spectrum,
    stability_edge,
)
from rmtcore.experiment import largest_matrix

Array = NDArray[np.float64]
Frozen = tuple[tuple[str, Any], ...]

SHORTEST, LONGEST, PER_DECADE = 1e-2, 1e6, 15
_TIMES = np.geomspace(SHORTEST, LONGEST, 8 * PER_DECADE + 1)  # where the time slider can stand
_STEPS_PER_DECADE = 8  # numbers of steps cost more than times
_LARGEST_SIDE = 1000  # of the experiment's eigendecomposition
_FAINT = 1e-3  # relative gain of early stopping that is not worth a mark


@dataclass(frozen=True, eq=False)
class Stop:
    """The best moment to stop: time, test error there, equivalent ridge (nan where there is none)."""

    time: float
    test: float
    ridge: float
    gains: bool


@dataclass(frozen=True, eq=False)
class Solved:
    """All that hangs on the network and the method, but not on the present time.

    Attributes
    ----------
    step, edge : step size (0 for gradient flow) and the step size at which descent diverges.
    times, counts : where the curve is known; counts of steps are times for gradient flow.
    curve : errors there.  end : errors of the fit that training ends in.
    every : the experiment stands at every so many of the times.
    wanted : the dimension asked for, where the network had to be made smaller; else its own.
    """

    network: Network
    step: float
    edge: float
    times: Array
    counts: Array
    curve: Trajectory
    end: RidgeErrors
    law: Spectrum
    stop: Stop
    every: int
    wanted: int

    @property
    def start(self) -> float:
        """Test error before training."""
        population = self.network.population
        return population.signal + self.network.noise + population.noise

    @property
    def outliers(self) -> Array:
        """Positions of the eigenvalues that stand alone."""
        return np.array([one.position for one in self.law.outliers if one.separated])

    @property
    def largest(self) -> float:
        """The largest eigenvalue, one that stands alone included."""
        return float(np.max([self.law.bulks[-1, 1], *self.outliers]))

    def moment(self, time: float) -> float:
        """The time shown: for descent that of a whole number of steps, at least one."""
        return max(1.0, float(np.round(time / self.step))) * self.step if self.step else time

    def at(self, time: float) -> tuple[float, float, float]:
        """Test error, training error and accuracy at a time."""
        parts = (self.curve.test, self.curve.train, self.curve.accuracy)
        test, train, right = (float(np.interp(np.log(time), np.log(self.times), part)) for part in parts)
        return test, train, right

    def learned(self, time: float, x: Array) -> Array:
        """Share of the least-squares solution that is learned along eigen-directions of eigenvalue x."""
        whole = np.asarray(x, float) + self.network.ridge
        left = (1.0 - self.step * whole) ** np.round(time / self.step) if self.step else np.exp(-time * whole)
        # Without ridge a direction of eigenvalue 0 stays where it started.
        return np.divide(x * (1.0 - left), whole, out=np.zeros(whole.shape), where=whole > 0)

    def covered(self, time: float, x: Array) -> Array:
        """The same from 0 to 1: what overshoots is as far from learned as what falls short by as much."""
        return np.asarray(1.0 - np.abs(1.0 - np.clip(self.learned(time, x), 0.0, 2.0)))

    def falls_to(self, part: Array, goal: float) -> float:
        """First time at which an error curve is down to `goal`; nan if it never is."""
        below = np.flatnonzero(part <= goal)
        if not below.size:
            return float("nan")
        i = int(below[0])
        if i == 0:
            return float(self.times[0])
        share = (part[i - 1] - goal) / (part[i - 1] - part[i])
        return float(self.times[i - 1] * (self.times[i] / self.times[i - 1]) ** share)


@lru_cache(maxsize=256)
def solve(settings: Frozen, most_entries: int) -> Solved:
    """Everything but the present time, for the settings that count."""
    values = cast("Values", {"depth": 1, "width": 1.0, "activation": "relu", "ridge": 0.0, **dict(settings)})
    wanted = int(number(values, "size"))
    network = _network(values, most_entries)
    edge = stability_edge(network)
    if values["method"] == "descent":
        step = number(values, "step") * edge
        counts = _counts(step)
        times, every = step * counts, 3
        curve = descent(network, step, counts)
    else:
        step, counts, times, every = 0.0, _TIMES, _TIMES, 5
        curve = flow(network, times)
    end = ridge_errors(network)
    stop = _stop(network, step, times, curve, end.test)
    return Solved(network, step, edge, times, counts, curve, end, spectrum(network, 240), stop, every, wanted)


def _network(values: Values, most_entries: int) -> Network:
    """The network, of smaller dimension where the experiment could not be drawn."""
    size = int(number(values, "size"))
    while True:
        network = network_of(values, population_of(values, size))
        side = min(network.feature_dim, network.samples) / _LARGEST_SIDE
        excess = max(largest_matrix(network) / most_entries, side**2)
        if excess <= 1.0 or size <= 20:
            return network
        size = max(20, int(size / max(np.sqrt(excess), 1.01)))


def _counts(step: float) -> Array:
    """Whole numbers of steps, evenly on the logarithmic axis."""
    low, high = max(SHORTEST, step), max(LONGEST, step)
    number = int(_STEPS_PER_DECADE * np.log10(high / low)) + 2
    return np.unique(np.maximum(1.0, np.round(np.geomspace(low, high, number) / step)))


def _stop(network: Network, step: float, times: Array, curve: Trajectory, end: float) -> Stop:
    """Of gradient flow, or of the shown numbers of steps."""
    if step:
        best = int(np.argmin(curve.test))
        time, test, ridge = float(times[best]), float(curve.test[best]), float("nan")
    else:
        time, test, ridge = early_stopping(network, SHORTEST, LONGEST)
    start = network.population.signal + network.noise + network.population.noise
    return Stop(time, test, ridge, bool(end > (1.0 + _FAINT) * test and end > test + 0.1 * _FAINT * start))


def describe_time(time: float) -> str:
    """A time as one reads it."""
    return f"{time:.3g}" if time < 1000 else f"{float(f'{time:.3g}'):,.0f}"


def top_of(tests: Iterable[Array], start: float) -> float:
    """Height of a linear error axis: a few fixed ones, so that it does not tremble while a slider moves."""
    highest = max(float(part.max()) for part in tests)
    # A tenth is left for the dots above their line.
    return next((factor * start for factor in (1.2, 2.0, 3.0) if highest <= 0.9 * factor * start), 5.0 * start)
