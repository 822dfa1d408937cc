"""Signal propagation: how the size of a signal, and the angle of two, travel through wide random layers.

    >>> from rmtcore import critical_weight_variance, fixed_point
    >>> round(critical_weight_variance("tanh", bias_variance=0.0), 9)
    1.0
    >>> fixed_point("relu", weight_variance=2.0, bias_variance=0.0).chi1
    1.0

Layers h = W phi(h_below)/sqrt(d) + b, entries of W of variance sigma_w^2 and of b of variance sigma_b^2, not centred;
q is the variance of a coordinate of h. Source: Poole, Lahiri, Raghu, Sohl-Dickstein and Ganguli, Exponential
expressivity in deep neural networks through transient chaos (NeurIPS 2016); Schoenholz, Gilmer, Ganguli and
Sohl-Dickstein, Deep information propagation (ICLR 2017).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from rmtcore.activation import Activation, get_activation
from rmtcore.checks import at_least, in_range, integer
from rmtcore.gaussian import derivative_energy, expectations, pair

Array = NDArray[np.float64]

_LOWEST, _HIGHEST = 1e-12, 1e12  # variances between which a fixed point is sought


def variance_map(
    activation: str | Activation, variance: ArrayLike, weight_variance: float, bias_variance: float = 0.0
) -> Array:
    """q of the next layer: sigma_w^2 E phi(sqrt(q) xi)^2 + sigma_b^2.

    Parameters
    ----------
    variance : q > 0, array of any shape.
    weight_variance, bias_variance : sigma_w^2 >= 0 and sigma_b^2 >= 0.

    Raises
    ------
    ValueError : unknown activation, or an argument out of range.
    """
    known = get_activation(activation)
    q = in_range("variance", variance, 0.0, np.inf, strict=True)
    weight, bias = _variances(weight_variance, bias_variance)
    energy = [_energy(known, float(value)) for value in q.ravel()]
    return weight * np.reshape(energy, q.shape) + bias


def _energy(activation: Activation, q: float) -> float:
    moments = activation.moments(q)
    return moments.variance + moments.mean**2


def _variances(weight: float, bias: float) -> tuple[float, float]:
    return at_least("weight_variance", weight, 0.0), at_least("bias_variance", bias, 0.0)


class FixedPoint(NamedTuple):
    """Where the variance settles, and what a small perturbation then does.

    Attributes
    ----------
    variance : q*; 0 where the signal dies out, inf where it explodes.
    chi1 : sigma_w^2 E phi'^2 at q*, the growth of small angles a layer: < 1 ordered, 1 critical, > 1 chaotic; inf
        where phi jumps.
    growth : sigma_w^2 E[phi'^2 + phi phi''] at q*, the factor by which a deviation from q* shrinks a layer.
    depth : layers over which two nearby signals forget (or find) their difference, 1/|log chi1|; inf at criticality.
    variance_depth : the same for the variance, 1/|log |growth||.
    """

    variance: float
    chi1: float
    growth: float
    depth: float
    variance_depth: float


def fixed_point(
    activation: str | Activation, weight_variance: float, bias_variance: float = 0.0, start: float = 1.0
) -> FixedPoint:
    """The fixed point of the variance map that a signal of variance `start` goes to, to 1e-12.

    It is the nearest one on the side to which the map moves the start: the limit of the layers wherever the map
    does not decrease, which holds for all named activations but cos. A start that does not move stays.

    Raises
    ------
    ValueError : unknown activation, or an argument out of range.
    """
    known = get_activation(activation)
    weight, bias = _variances(weight_variance, bias_variance)
    q = _settled(known, weight, bias, float(in_range("start", start, _LOWEST, _HIGHEST)))
    inner = min(max(q, _LOWEST), _HIGHEST)
    jumps = known.derivative is None
    chi1 = weight * (math.inf if jumps else derivative_energy(known, inner)) if weight > 0 else 0.0
    growth = weight * expectations(known, inner).growth
    return FixedPoint(q, chi1, growth, _memory(chi1), _memory(abs(growth)))


def _settled(activation: Activation, weight: float, bias: float, start: float) -> float:
    """q* from the start: a sign change of log(map(q)/q), sought in steps and then closed in on."""

    def drift(log_q: float) -> float:
        q = math.exp(log_q)
        return math.log(max(weight * _energy(activation, q) + bias, 1e-300)) - log_q

    here = math.log(start)
    slope = drift(here)
    if abs(slope) < 1e-14:
        return start
    direction = math.copysign(1.0, slope)
    step = 0.1
    while math.log(_LOWEST) <= here <= math.log(_HIGHEST):
        there = here + direction * step
        if drift(there) * direction <= 0.0:
            return math.exp(brentq(drift, here, there, xtol=1e-14, rtol=1e-14))
        here = there
    return math.inf if direction > 0 else 0.0


def _memory(factor: float) -> float:
    """Layers over which factor^l falls, or rises, by e."""
    if factor < 1e-12 or math.isinf(factor):
        return 0.0
    rate = abs(math.log(factor))
    return math.inf if rate < 1e-12 else 1.0 / rate


def correlation_map(
    activation: str | Activation,
    correlation: ArrayLike,
    variance: float,
    weight_variance: float,
    bias_variance: float = 0.0,
) -> Array:
    """Correlation of two signals one layer on, both of variance q: c -> (sigma_w^2 E phi(u) phi(v) + sigma_b^2)/q'.

    Parameters
    ----------
    correlation : c in [-1, 1], array of any shape.
    variance : q in (0, inf); at the fixed point q* it is also q', the variance of the next layer.

    Raises
    ------
    ValueError : unknown activation, an argument out of range, or a next layer without variance.
    """
    known = get_activation(activation)
    c = in_range("correlation", correlation, -1.0, 1.0)
    q = float(in_range("variance", variance, 0.0, np.inf, strict=True))
    weight, bias = _variances(weight_variance, bias_variance)
    above = weight * _energy(known, q) + bias
    if not above > 0:
        raise ValueError(f"The next layer must have a variance > 0. Got {above!r} instead.")
    same = np.asarray(q)
    return np.clip((weight * pair(known, same, same, c) + bias) / above, -1.0, 1.0)


def propagate(
    activation: str | Activation,
    depth: int,
    weight_variance: float,
    bias_variance: float = 0.0,
    variance: float = 1.0,
    correlation: float = 0.5,
) -> tuple[Array, Array]:
    """Variance and correlation of two signals of the same size at every layer, from the first inputs (index 0).

    Parameters
    ----------
    depth : number of layers >= 1.
    variance, correlation : those of the first layer's inputs, q in (0, inf) and c in [-1, 1].

    Returns
    -------
    q, c : (depth + 1,) arrays; a variance that leaves (1e-12, 1e12) stays where it left.

    Raises
    ------
    ValueError : unknown activation, or an argument out of range.
    """
    q = [float(in_range("variance", variance, 0.0, np.inf, strict=True))]
    c = [float(in_range("correlation", correlation, -1.0, 1.0))]
    for _ in range(integer("depth", depth, low=1)):
        if not _LOWEST < q[-1] < _HIGHEST:
            q.append(q[-1])
            c.append(c[-1])
            continue
        c.append(float(correlation_map(activation, c[-1], q[-1], weight_variance, bias_variance)))
        q.append(float(variance_map(activation, q[-1], weight_variance, bias_variance)))
    return np.array(q), np.array(c)


def fixed_correlation(
    activation: str | Activation, weight_variance: float, bias_variance: float = 0.0, start: float = 1.0
) -> float:
    """c* that the correlation of two signals at q* goes to: 1 in the ordered phase, below 1 in the chaotic one.

    The correlation map increases and is convex on [0, 1], so beside 1 it has at most one fixed point there.

    Raises
    ------
    ValueError : an argument out of range, or a variance without fixed point in (0, inf).
    """
    point = fixed_point(activation, weight_variance, bias_variance, start)
    if not 0 < point.variance < math.inf:
        raise ValueError(f"The variance must have a fixed point in (0, inf). Got {point.variance!r} instead.")
    if point.chi1 <= 1.0 + 1e-9:
        return 1.0

    def excess(c: float) -> float:
        return float(correlation_map(activation, c, point.variance, weight_variance, bias_variance)) - c

    if excess(0.0) <= 1e-15:
        return 0.0
    gap = 1e-3
    while excess(1.0 - gap) >= 0.0:
        gap *= 0.1
        if gap < 1e-12:
            return 1.0
    return float(brentq(excess, 0.0, 1.0 - gap, xtol=1e-14))


def critical_weight_variance(activation: str | Activation, bias_variance: float = 0.0) -> float:
    """The edge of chaos: the smallest sigma_w^2 at which chi1 = 1 at a fixed point where the variance is stable.

    With q* as the parameter both conditions are explicit: sigma_w^2 = 1/E phi'^2, sigma_b^2 = q* - sigma_w^2 E phi^2.

    Returns
    -------
    sigma_w^2, to 1e-10; without bias possibly the limit q* -> 0, 1/phi'(0)^2.

    Raises
    ------
    ValueError : unknown activation, one that jumps, or a bias variance that no such network has.
    """
    known = get_activation(activation)
    bias = at_least("bias_variance", bias_variance, 0.0)

    def critical(q: float) -> float:
        return 1.0 / derivative_energy(known, q)

    def needed(log_q: float) -> float:
        """The bias variance, over q, that puts the fixed point there."""
        q = math.exp(log_q)
        return 1.0 - critical(q) * _energy(known, q) / q

    grid = np.linspace(math.log(1e-8), math.log(1e4), 120)
    values = np.array([needed(float(log_q)) for log_q in grid])
    found = []
    if np.all(np.abs(values) < 1e-9):  # a homogeneous function: critical at every variance, and without bias only
        found += [critical(1.0)] if bias == 0 else []
    elif bias == 0:
        origin = critical(1e-14)
        found += [origin] if origin * _energy(known, 1e-3) <= 1e-3 * (1.0 + 1e-9) else []
        values[np.abs(values) < 1e-6] = 0.0
    excess = values - bias * np.exp(-grid)
    for i in np.flatnonzero(excess[:-1] * excess[1:] < 0):
        root = brentq(lambda log_q: needed(log_q) - bias * math.exp(-log_q), grid[i], grid[i + 1], xtol=1e-13)
        weight = critical(math.exp(root))
        if weight * expectations(known, math.exp(root)).growth <= 1.0 + 1e-9:
            found.append(weight)
    if not found:
        raise ValueError(
            f"The 'bias_variance' parameter must be one at which {known.name!r} layers have a critical and stable "
            f"fixed point between 1e-8 and 1e4. Got {bias_variance!r} instead."
        )
    return min(found)
