"""Gaussian expectations that deep kernels need beyond the moments: slopes, curvatures, pairs.

Nothing is differentiated numerically. With t = sqrt(q) xi, xi ~ N(0, 1), Stein's identity turns derivatives
into polynomials, E phi'(t) = E[xi phi] / sqrt(q), E phi''(t) = E[(xi^2 - 1) phi] / q, so kinks and jumps come
out right; only E phi'^2 asks for the derivative itself, and does not exist where phi jumps.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rmtcore.activation import Activation, get_activation, unsettled
from rmtcore.checks import in_range
from rmtcore.expansion import HIGHEST_DEGREE, hermite
from rmtcore.quadrature import folded, half_line_rules

Array = NDArray[np.float64]

_SETTLED = 1e-11  # between two quadrature rules, relative; the finer one is returned
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
    mean, slope, variance, _ = activation.moments(q)
    size = variance + mean**2
    previous, scale = np.full(2, np.inf), np.array([math.sqrt(size), size]) / q
    for xi, lengths in half_line_rules(activation.breaks, q):
        weights, even, odd = folded(activation.function, q, xi, lengths)
        he2 = weights * (xi**2 - 1.0)
        current = np.array([he2 @ (even - mean), 0.5 * (he2 @ (even**2 + odd**2))]) / q
        if np.all(np.abs(current - previous) <= _SETTLED * scale):
            return Expectations(mean, variance, slope, float(current[0]), float(current[1]))
        previous = current
    raise unsettled(activation, f"'variance' = {q!r}")


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


def pair(activation: str | Activation, q1: ArrayLike, q2: ArrayLike, r: ArrayLike) -> Array:
    """E phi(u) phi(v) for centred Gaussian u, v of variances q1, q2 and correlation r.

    In closed form where the activation has one; otherwise the Hermite (Mehler) series sum a_k(q1) a_k(q2) r^k.
    The energy beyond its last degree (200 at most, less where the rest cannot matter) is put at the next one of its
    parity: exact at r = +-1 and q1 = q2, elsewhere wrong by less than twice that energy times |r|^201, which is
    rounding for smooth functions.

    Parameters
    ----------
    q1, q2 : variances > 0;  r : correlations in [-1, 1]; arrays that broadcast together.

    Raises
    ------
    ValueError : unknown activation, or an argument out of range.
    """
    return pair_with_bound(activation, q1, q2, r)[0]


def pair_with_bound(activation: str | Activation, q1: ArrayLike, q2: ArrayLike, r: ArrayLike) -> tuple[Array, float]:
    """The same, and a bound on what a series leaves out of any of them; 0 for a closed form."""
    known = get_activation(activation)
    first, second = (in_range(name, q, 0.0, np.inf, strict=True) for name, q in (("q1", q1), ("q2", q2)))
    r = in_range("r", r, -1.0, 1.0)
    if known.pair is not None:
        return np.asarray(known.pair(first, second, r), dtype=float), 0.0
    strongest = float(np.max(np.abs(r), initial=1e-3))
    degree = min(math.ceil(math.log(_TOLERANCE) / math.log(min(strongest, 0.99))), HIGHEST_DEGREE)
    left, right = (_series(known, q, degree) for q in (first, second))
    sizes = np.array([np.max(np.abs(one)) * np.max(np.abs(other)) for one, other in zip(left, right, strict=True)])
    terms = 1 + int(np.max(np.flatnonzero(sizes > 1e-17 * sizes.max()), initial=0))
    total = np.zeros(np.broadcast_shapes(first.shape, second.shape, r.shape))
    for one, other in zip(left[terms - 1 :: -1], right[terms - 1 :: -1], strict=True):
        total = total * r + one * other
    return total, float(2.0 * sizes[-2:].sum() * strongest ** (degree + 1))


def second_moment(activation: str | Activation, q: ArrayLike) -> Array:
    """E phi(sqrt(q) xi)^2 at every one of many variances q > 0.

    Raises
    ------
    ValueError : unknown activation, or a variance out of range.
    """
    known, q = get_activation(activation), in_range("q", q, 0.0, np.inf, strict=True)
    if known.pair is not None:
        return np.asarray(known.pair(q, q, np.ones(())), dtype=float)
    return np.sum(_series(known, q, 0) ** 2, axis=0)


def _series(activation: Activation, q: Array, degree: int) -> Array:
    """Coefficients a_0 .. a_degree at every variance, (degree + 3, *q.shape).

    The last two stand for all that is beyond: the roots of the energies in the parities of the next two degrees.
    They are analytic in q for |arg q| < pi/2, so a few Chebyshev points in log q give them everywhere.
    """
    distinct = np.unique(q)
    middle, half = 0.5 * np.log(distinct[-1] * distinct[0]), 0.5 * np.log(distinct[-1] / distinct[0])
    count = math.ceil(32.0 / math.asinh(1.0 / max(half, 1e-6)))
    few = distinct.size <= count
    knots = distinct if few else np.exp(middle + half * np.cos(np.pi * (np.arange(count) + 0.5) / count))
    found = [hermite(activation, degree, float(knot)) for knot in knots]
    table = np.array([[*one.coefficients, *(one.residuals if degree % 2 else one.residuals[::-1])] for one in found])
    if few:
        values = table[np.searchsorted(distinct, q)].transpose(-1, *range(q.ndim))
    else:
        fit = np.polynomial.chebyshev.chebfit((np.log(knots) - middle) / half, table, count - 1)
        values = np.polynomial.chebyshev.chebval((np.log(q) - middle) / half, fit)
    values[-2:] = np.sqrt(np.maximum(values[-2:], 0.0))
    return np.asarray(values)
