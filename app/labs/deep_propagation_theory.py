"""Deep networks: what theory says of how signals propagate through infinitely wide layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq

from app.labs.deep_settings import SCHEMA
from rmtcore import (
    FixedPoint,
    correlation_map,
    derivative_energy,
    expectations,
    fixed_point,
    get_activation,
    variance_map,
)

Array = NDArray[np.float64]

_POINTS = 60
_TOPS = (1.5, 3.0, 6.0, 12.0, 25.0)  # of the variance map: few, so that the moments on its grid are known already
_SIDE = 48
_NODES = 201  # of the spline
BIAS = (0.0, float(SCHEMA.by_name["bias"].high))
WEIGHT = (float(SCHEMA.by_name["weight"].low), float(SCHEMA.by_name["weight"].high))
_PASSES = 150  # of the variance map, before the plane asks for the slope


@dataclass(frozen=True, eq=False)
class Plane:
    """What the whole plane of one activation shows.

    Attributes
    ----------
    reach : (k, k) log10 of xi = 1/|log chi1|, from 0 to 2; rows upwards in the weight variance.
    edge : bias and weight variances at which chi1 = 1 at a stable fixed point.
    """

    reach: Array
    edge: tuple[Array, Array]


@dataclass(frozen=True, eq=False)
class Theory:
    """Maps, fixed points and trajectories.

    Attributes
    ----------
    at : variance at which the correlation map is drawn: q*, or the first variance where there is none.
    variances, correlations : (steps + 1,) along the layers; the correlations at q*, empty where there is none.
    """

    activation: str
    point: FixedPoint
    at: float
    alike: float
    variance_curve: tuple[Array, Array]
    correlation_curve: tuple[Array, Array]
    variances: Array
    correlations: Array
    plane: Plane

    @property
    def settles(self) -> bool:
        """Whether there is a variance to settle at."""
        return 0.0 < self.point.variance < np.inf


@lru_cache(maxsize=32)
def plane_of(activation: str) -> Plane:
    """The plane, from one table of energies: the variance map is iterated at all points at once, from 1."""
    q = np.concatenate(
        [np.geomspace(1e-8, 1e-3, 10)[:-1], np.geomspace(1e-3, 1e2, 120), np.geomspace(1e2, 1e6, 10)[1:]]
    )
    energy = np.maximum(variance_map(activation, q, 1.0), 1e-300)
    bias, weight = np.linspace(*BIAS, _SIDE), np.linspace(*WEIGHT, _SIDE)[:, None]
    if get_activation(activation).derivative is None:  # infinitely steep: nothing is passed on
        return Plane(np.zeros((_SIDE, _SIDE)), (np.zeros(0), np.zeros(0)))
    with np.errstate(divide="ignore"):
        log_q, log_energy, log_weight, log_bias = (np.log(one) for one in (q, energy, weight, bias))
    here = np.zeros((_SIDE, _SIDE))  # log q
    for _ in range(_PASSES):
        here = np.clip(np.logaddexp(log_weight + np.interp(here, log_q, log_energy), log_bias), log_q[0], log_q[-1])
    slope = np.array([derivative_energy(activation, float(one)) for one in q])
    log_chi1 = log_weight + np.interp(here, log_q, np.log(np.maximum(slope, 1e-300)))
    with np.errstate(divide="ignore"):
        reach = np.clip(-np.log10(np.abs(log_chi1)), 0.0, 2.0)
    return Plane(reach, _edge(activation, q, energy, slope))


def _edge(activation: str, q: Array, energy: Array, slope: Array) -> tuple[Array, Array]:
    """With q* as the parameter, both variances of the edge are explicit; the part where q* is stable, in the frame."""
    with np.errstate(divide="ignore", over="ignore"):
        weight = 1.0 / slope
        bias = np.where(np.isfinite(weight), q - weight * energy, np.inf)
    growth = np.array([expectations(activation, float(one)).growth for one in q])
    rounding = 1e-9 * q
    inside = (weight * growth <= 1.0 + 1e-9) & (bias >= -rounding) & (bias <= 1.25 * BIAS[1]) & (weight <= WEIGHT[1])
    ends = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(int), [0]])))
    runs = ends.reshape(-1, 2)
    if runs.size == 0:
        return np.zeros(0), np.zeros(0)
    first, last = runs[np.argmax(runs[:, 1] - runs[:, 0])]
    return np.maximum(bias[first:last], 0.0), weight[first:last]


@lru_cache(maxsize=256)
def solve(settings: tuple[tuple[str, Any], ...]) -> Theory:
    """The theory at the settings that count."""
    values = dict(settings)
    activation, weight, bias = str(values["nonlinearity"]), float(values["weight"]), float(values["bias"])
    start, alike, steps = float(values["start"]), float(values["alike"]), int(values["steps"])
    point = fixed_point(activation, weight, bias, start)
    settles = 1e-9 < point.variance < 1e9
    point = point if settles else point._replace(variance=0.0 if point.variance < 1.0 else np.inf)
    at = point.variance if settles else start
    variances = [start]
    for _ in range(steps):
        q = variances[-1]
        variances.append(float(variance_map(activation, q, weight, bias)) if 1e-12 < q < 1e12 else q)
    top = next((one for one in _TOPS if one > 1.25 * max(point.variance if settles else 0.0, start)), _TOPS[-1])
    across = np.linspace(0.0, top, _POINTS + 1)[1:]
    climb = _correlations(activation, at, weight, bias)
    c = np.linspace(0.0, 1.0, _POINTS)
    correlations = [alike]
    for _ in range(steps if settles else 0):
        correlations.append(float(climb(correlations[-1])))
    limit = _limit(climb, point.chi1) if settles else float("nan")
    return Theory(
        activation,
        point,
        at,
        limit,
        (across, variance_map(activation, across, weight, bias)),
        (c, climb(c)),
        np.array(variances),
        np.array(correlations if settles else []),
        plane_of(activation),
    )


def _correlations(activation: str, at: float, weight: float, bias: float) -> Callable[[Any], Any]:
    """The correlation map on [0, 1] as a spline, good to 1e-8: a hundred single calls would hold up the server.

    Its nodes are even in sqrt(1 - c), in which it is smooth even where the activation has kinks or jumps.
    """
    s = np.linspace(0.0, 1.0, _NODES)
    lives = float(variance_map(activation, at, weight, bias)) > 1e-12
    c = 1.0 - s**2
    spline = CubicSpline(s, correlation_map(activation, c, at, weight, bias) if lives else c)
    return lambda c: np.clip(spline(np.sqrt(1.0 - np.asarray(c))), -1.0, 1.0)


def _limit(climb: Callable[[Any], Any], chi1: float) -> float:
    """c* of `rmtcore.fixed_correlation`, on the spline."""
    if chi1 <= 1.0 + 1e-9:
        return 1.0

    def excess(c: float) -> float:
        return float(climb(c)) - c

    below = 1.0 - min(1e-3, 0.1 * (chi1 - 1.0))
    if excess(0.0) <= 1e-9:
        return 0.0
    return float(brentq(excess, 0.0, below, xtol=1e-9)) if excess(below) < 0.0 else 1.0
