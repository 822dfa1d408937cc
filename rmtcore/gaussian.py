"""Gaussian expectations that deep kernels need beyond the moments: slopes, curvatures, pairs.

Nothing is differentiated numerically. With t = sqrt(q) xi, xi ~ N(0, 1), Stein's identity turns derivatives
into polynomials, E phi'(t) = E[xi phi] / sqrt(q), E phi''(t) = E[(xi^2 - 1) phi] / q, so kinks and jumps come
out right; only E phi'^2 asks for the derivative itself, and does not exist where phi jumps.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rmtcore.activation import Activation, get_activation, piecewise_rule
from rmtcore.checks import in_range, integer

Array = NDArray[np.float64]

_DEGREE = 200  # of the longest Hermite series
_TOLERANCE = 1e-14  # of the energy: what a series may leave out


class Expectations(NamedTuple):
    """Expectations of phi and its derivatives at t = sqrt(q) xi.

    Attributes
    ----------
    mean, variance : E phi and Var phi.
    slope, curvature : E phi' and E phi''.
    growth : E[phi'^2 + phi phi''] = d/dq E phi(sqrt(q) xi)^2.
    """

    mean: float
    variance: float
    slope: float
    curvature: float
    growth: float

    @property
    def centred_growth(self) -> float:
        """The growth of phi - E phi, its mean subtracted at this q and then held fixed."""
        return self.growth - self.mean * self.curvature


def expectations(activation: str | Activation, variance: float) -> Expectations:
    """Expectations at t = sqrt(variance) xi; cached. Exact but for the rounding of a quadrature (1e-11).

    Raises
    ------
    ValueError : unknown activation, or variance not in (0, inf).
    """
    known = get_activation(activation)
    return _expectations(known, float(in_range("variance", variance, 0.0, np.inf, strict=True)))


@lru_cache(maxsize=4096)
def _expectations(activation: Activation, q: float) -> Expectations:
    moments = activation.moments(q)
    size = moments.variance + moments.mean**2

    def weigh(halvings: int) -> Array:
        xi, weights, above, below = _folded(activation, q, halvings)
        even = 0.5 * (above + below) - moments.mean
        he2 = weights * (xi**2 - 1.0)
        squares = 0.5 * (above**2 + below**2)
        return np.array([he2 @ even / q, he2 @ squares / (2.0 * q)])

    scale = np.array([math.sqrt(size), size]) / q
    curvature, growth = _settle(weigh, scale, activation, q)
    return Expectations(moments.mean, moments.variance, moments.mu1, float(curvature), float(growth))


def derivative_energy(activation: str | Activation, variance: float) -> float:
    """E phi'(sqrt(variance) xi)^2: how a layer scales the tangent kernel, and chi_1 of signal propagation.

    Raises
    ------
    ValueError : unknown activation, variance not in (0, inf), or an activation that declares no derivative:
        it jumps (sign, step, ternary), where this is infinite and there is no tangent kernel, or is a custom
        one without it; also a derivative that is not the one of a continuous function.
    """
    known = get_activation(activation)
    q = float(in_range("variance", variance, 0.0, np.inf, strict=True))
    if known.derivative is None:
        raise ValueError(
            "The 'activation' parameter must declare a derivative, as continuous functions do: where a function "
            f"jumps E phi'^2 is infinite and there is no tangent kernel. Got {known.name!r} instead."
        )
    slope = known.derivative.moments(q)
    energy = slope.variance + slope.mean**2
    expected = known.moments(q).mu1
    if abs(slope.mean - expected) > 1e-7 * math.sqrt(energy):
        raise ValueError(
            f"The derivative of the 'activation' must average to E[xi phi]/sqrt(q) = {expected:g}: it hides a jump, "
            f"or is not the derivative. Got {slope.mean:g} for {known.name!r} instead."
        )
    return energy


def hermite(activation: str | Activation, variance: float, degree: int) -> Array:
    """Coefficients a_k = E[phi(sqrt(variance) xi) h_k(xi)], k = 0..degree, h_k orthonormal Hermite polynomials.

    Returns
    -------
    (degree + 1,) array. sum a_k^2 = E phi^2; slope = a_1/sqrt(q), curvature = sqrt(2) a_2/q.

    Raises
    ------
    ValueError : unknown activation, variance not in (0, inf), or degree not in [0, 200].
    """
    known = get_activation(activation)
    q = float(in_range("variance", variance, 0.0, np.inf, strict=True))
    degree = integer("degree", degree, low=0)
    in_range("degree", degree, 0, _DEGREE)
    return _hermite(known, q, degree).copy()


@lru_cache(maxsize=1024)
def _hermite(activation: Activation, q: float, degree: int) -> Array:
    size = math.sqrt(_energy(activation, q))

    def weigh(halvings: int) -> Array:
        xi, weights, above, below = _folded(activation, q, halvings)
        sides = 0.5 * (above + below), 0.5 * (above - below)
        found = np.empty(degree + 1)
        # He_k grows and its Gaussian decays: together they stay of order one
        before, now = np.zeros_like(xi), np.sqrt(weights)
        for k in range(degree + 1):
            found[k] = (np.sqrt(weights) * now) @ sides[k % 2]
            before, now = now, (xi * now - math.sqrt(k) * before) / math.sqrt(k + 1.0)
        return found

    return _settle(weigh, np.full(degree + 1, size), activation, q)


def _folded(activation: Activation, q: float, halvings: int) -> tuple[Array, Array, Array, Array]:
    """Nodes xi > 0, Gaussian weights of the full line on them, and phi on either side."""
    nodes, lengths = piecewise_rule(activation.breaks, q, halvings)
    xi = np.asarray(nodes, dtype=float)
    weights = np.asarray(lengths * np.exp(-0.5 * xi**2) * (2.0 / math.sqrt(math.tau)), dtype=float)
    t = math.sqrt(q) * xi
    above, below = (np.asarray(activation.function(side), dtype=float) for side in (t, -t))
    return xi, weights, above, below


def _settle(weigh: Any, scale: Array, activation: Activation, q: float) -> Array:
    """Halve the panels of a quadrature until it agrees with itself, relative to `scale`."""
    previous = weigh(0)
    for halvings in range(1, 7):
        current = np.asarray(weigh(halvings))
        if np.all(np.abs(current - previous) <= 1e-11 * scale):
            return current
        previous = current
    raise ValueError(
        f"The expectations of {activation.name!r} do not settle at 'variance' = {q!r}: the 'breaks' must list "
        f"every point where the function is not smooth. Got {activation.breaks!r}."
    )


def pair(activation: str | Activation, q1: ArrayLike, q2: ArrayLike, r: ArrayLike) -> Array:
    """E phi(u) phi(v) for centred Gaussian u, v of variances q1, q2 and correlation r.

    In closed form where the activation has one; otherwise the Hermite (Mehler) series sum a_k(q1) a_k(q2) r^k.
    The energy beyond its last degree (200 at most, less where the rest cannot matter) is put at the next one, so
    it is exact at r = 1, and elsewhere wrong by less than that energy times |r|^201: rounding for smooth functions.

    Parameters
    ----------
    q1, q2 : variances > 0;  r : correlations in [-1, 1]; arrays that broadcast together.

    Raises
    ------
    ValueError : unknown activation, or an argument out of range.
    """
    known = get_activation(activation)
    first, second = (in_range(name, q, 0.0, np.inf, strict=True) for name, q in (("q1", q1), ("q2", q2)))
    r = in_range("r", r, -1.0, 1.0)
    if known.pair is not None:
        return np.asarray(known.pair(first, second, r), dtype=float)
    strongest = float(np.max(np.abs(r), initial=1e-3))
    degree = _DEGREE if strongest > 0.9 else math.ceil(math.log(_TOLERANCE) / math.log(strongest))
    left, right = (_series(known, q, min(degree, _DEGREE)) for q in (first, second))
    rest = np.sqrt(left[-1] * right[-1])
    total = rest * r
    for one, other in zip(left[-2::-1], right[-2::-1], strict=True):
        total = total * r + one * other
    return np.asarray(total)


def _energy(activation: Activation, q: float) -> float:
    moments = activation.moments(q)
    return moments.variance + moments.mean**2


def _series(activation: Activation, q: Array, degree: int) -> Array:
    """Coefficients a_0 .. a_degree at every variance, and last the energy beyond them: (degree + 2, *q.shape).

    They are analytic in q for |arg q| < pi/2, so a few Chebyshev points in log q give them everywhere.
    """
    distinct = np.unique(q)
    middle, half = 0.5 * np.log(distinct[-1] * distinct[0]), 0.5 * np.log(distinct[-1] / distinct[0])
    count = math.ceil(32.0 / math.asinh(1.0 / max(half, 1e-6)))
    few = distinct.size <= count
    knots = distinct if few else np.exp(middle + half * np.cos(np.pi * (np.arange(count) + 0.5) / count))
    table = np.array([_row(activation, float(knot), degree) for knot in knots])
    if few:
        return table[np.searchsorted(distinct, q)].transpose(-1, *range(q.ndim))
    fit = np.polynomial.chebyshev.chebfit((np.log(knots) - middle) / half, table, count - 1)
    values = np.polynomial.chebyshev.chebval((np.log(q) - middle) / half, fit)
    values[-1] = np.maximum(values[-1], 0.0)
    return values


def _row(activation: Activation, q: float, degree: int) -> Array:
    found = _hermite(activation, q, degree)
    beyond = max(_energy(activation, q) - float(found @ found), 0.0)
    return np.append(found, beyond)
