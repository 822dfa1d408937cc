"""What the Linearisation lab computes: the members of the family, their errors against n, and the same from draws."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from app.labs.linearisation_settings import DEGREES
from app.parts.arguments import Arguments
from rmtcore import (
    Activation,
    Equivalent,
    get_activation,
    hermite,
    hermite_equivalent,
    mean_square_error,
    projections,
    taylor,
    taylor_equivalent,
)
from rmtcore.exponents import Exponent, fit_exponent

Array = NDArray[np.float64]
Frozen = tuple[tuple[str, Any], ...]

WHO = ("main", "member", "other")  # the equivalent, another of its family, the other regime's
_FITTED = 5  # dimensions that a power law is fitted to
_BENDS, _CARRIERS = (-1.0, -0.5, 0.5, 1.0), (2, 3, 4, 5)  # more of the family
FAMILY = len(_BENDS)


@dataclass(frozen=True, eq=False)
class Member:
    """A function that is put in the place of phi.

    Attributes
    ----------
    equivalent : polynomial and noise.
    pointwise : (dims,) E |phi(t) - equivalent(t)|^2; rounding alone is 0.
    gaps : (3, dims) of a_0, a_1 and nu, phi less equivalent; only where the argument stays Gaussian.
    error : (dims,) what equivalence means in the regime: `pointwise`, or the largest of the gaps' sizes; 0 likewise.
    rate : the power of 1/n with which `error` must fall; inf where it falls faster than any, 0 where it does not.
    fit : the power law of `error`, or None.
    """

    equivalent: Equivalent
    pointwise: Array
    gaps: Array | None
    error: Array
    rate: float
    fit: Exponent | None

    @property
    def exact(self) -> bool:
        """Whether there is no error at all."""
        return bool(np.all(self.error == 0.0))

    @property
    def widest(self) -> NDArray[np.intp]:
        """(dims,) which of the three gaps is the largest."""
        return np.argmax(np.abs(self.gaps), axis=0) if self.gaps is not None else np.zeros(self.error.size, int)


@dataclass(frozen=True, eq=False)
class Solved:
    """The function, its regime, and the members, by `WHO`; those that do not exist are missing."""

    activation: Activation
    regime: str
    vectors: str
    at: float
    degree: int
    dims: tuple[int, ...]
    members: dict[str, Member]
    family: tuple[Polynomial, ...]

    @property
    def broken(self) -> bool:
        """Whether the argument concentrates where the function is not smooth."""
        return self.regime == "lln" and self.at in self.activation.breaks


@lru_cache(maxsize=256)
def solve(settings: Frozen, dims: tuple[int, ...]) -> Solved:
    """The members at these settings and their errors at `dims`."""
    values = dict(settings)
    activation, vectors = get_activation(values["activation"]), values["vectors"]
    if values["regime"] == "clt":
        carrier = values["carrier"]
        members = {
            "main": _hermite_member(activation, None, "clt", 0.0, dims, vectors),
            "member": _hermite_member(activation, carrier, "clt", 0.0, dims, vectors),
        }
        if 0.0 not in activation.breaks:
            members["other"] = _taylor_member(activation, 1, 0.0, "clt", 0.0, dims, vectors)
        family = tuple(hermite_equivalent(activation, one).function for one in _CARRIERS)
        return Solved(activation, "clt", vectors, 0.0, 1, dims, members, family)
    at, degree, bend = values["at"], values["degree"], values["bend"]
    other = {"other": _hermite_member(activation, None, "lln", at, dims, vectors)}
    if at in activation.breaks:
        return Solved(activation, "lln", vectors, at, degree, dims, other, ())
    members = {
        who: _taylor_member(activation, degree, one, "lln", at, dims, vectors)
        for who, one in (("main", 0.0), ("member", bend))
    }
    return Solved(activation, "lln", vectors, at, degree, dims, members | other, _bent(activation, at, degree))


@lru_cache(maxsize=256)
def _bent(activation: Activation, at: float, degree: int) -> tuple[Polynomial, ...]:
    return tuple(taylor_equivalent(activation, at, degree, bend).function for bend in _BENDS)


@lru_cache(maxsize=256)
def _taylor_member(
    activation: Activation, degree: int, bend: float, regime: str, at: float, dims: tuple[int, ...], vectors: Any
) -> Member:
    equivalent = taylor_equivalent(activation, at, degree, bend)
    if regime == "clt":
        return _matching(activation, equivalent, 0.0, dims, vectors)
    return _pointwise(activation, equivalent, at, rate(activation, at, degree, bend), dims, vectors)


@lru_cache(maxsize=256)
def _hermite_member(
    activation: Activation, carrier: int | None, regime: str, at: float, dims: tuple[int, ...], vectors: Any
) -> Member:
    equivalent = hermite_equivalent(activation, carrier)
    if regime == "clt":
        return _matching(activation, equivalent, 1.0, dims, vectors)
    return _pointwise(activation, equivalent, at, 0.0, dims, vectors)


def rate(activation: Activation, at: float, degree: int, bend: float) -> float:
    """The power j of 1/n in E |phi - equivalent|^2: the first order in which they differ; inf if there is none."""
    series = taylor(activation, at, 20)
    series[: degree + 1] = 0.0
    series[degree + 1] -= bend
    left = np.flatnonzero(series)
    return float(left[0]) if left.size else math.inf


def _pointwise(
    activation: Activation, equivalent: Equivalent, at: float, rate: float, dims: tuple[int, ...], vectors: Any
) -> Member:
    found = mean_square_error(activation, equivalent, dims, "lln", at, vectors)
    error = np.where(found > _rounding(activation, at), found, 0.0)
    return Member(equivalent, error, None, error, rate, _fit(dims, error))


def _matching(
    activation: Activation, equivalent: Equivalent, rate: float, dims: tuple[int, ...], vectors: Any
) -> Member:
    pointwise = mean_square_error(activation, equivalent, dims, "clt", 0.0, vectors)
    truth = np.array(projections(activation, dims, vectors))
    pointwise = np.where(pointwise > 1e-28 * (1.0 + truth[2]), pointwise, 0.0)
    gaps = truth - np.array(projections(equivalent, dims, vectors))
    error = np.max(np.abs(gaps), axis=0)
    error = np.where(error > 1e-11 * (1.0 + truth[2]), error, 0.0)
    return Member(equivalent, pointwise, gaps, error, rate, _fit(dims, error))


def _rounding(activation: Activation, at: float) -> float:
    """What the mean square of a difference of numbers like phi(at) cannot fall below."""
    return 1e-29 * (1.0 + float(activation.function(np.array([at]))[0]) ** 2)


def _fit(dims: tuple[int, ...], error: Array) -> Exponent | None:
    """The power law of the largest n where there is an error to see."""
    kept = np.flatnonzero(error)[-_FITTED:]
    n = np.array(dims, float)[kept]
    return fit_exponent(n, error[kept], (n[0], n[-1])) if kept.size == _FITTED else None


@dataclass(frozen=True, eq=False)
class Measured:
    """Means and standard errors (dims,) of what a member's `pointwise` and `error` predict."""

    pointwise: tuple[Array, Array]
    error: tuple[Array, Array]


def measure(solved: Solved, observed: Arguments) -> dict[str, Measured]:
    """Every member on the drawn arguments, the same for all of them."""
    place = solved.activation, solved.regime, solved.at, observed
    return {who: _measure(member, *place) for who, member in solved.members.items()}


@lru_cache(maxsize=4)
def _truth(activation: Activation, regime: str, at: float, observed: Arguments) -> tuple[Array, Array]:
    """The drawn arguments and phi of them, (dims, pairs) each."""
    t = observed.values.astype(float)
    if regime == "lln":
        t = at + t / np.sqrt(np.array(observed.dims, float))[:, None]
    return t, np.asarray(activation.function(t), float)


@lru_cache(maxsize=12)
def _measure(member: Member, activation: Activation, regime: str, at: float, observed: Arguments) -> Measured:
    t, truth = _truth(activation, regime, at, observed)
    difference = truth - member.equivalent.function(t)
    if member.equivalent.noise > 0.0:
        difference -= math.sqrt(member.equivalent.noise) * observed.noise
    pointwise = _mean(difference**2)
    if member.gaps is None:
        seen = pointwise[0] > _rounding(activation, at)
        pointwise = np.where(seen, pointwise[0], 0.0), np.where(seen, pointwise[1], 0.0)
        return Measured(pointwise, pointwise)
    # Of the three gaps the one that is largest in theory: chosen by the draw it would be biased.
    factors = np.ones_like(t), t, 2.0 * truth - difference  # phi^2 - e^2 = (phi - e)(2 phi - (phi - e))
    rows = np.arange(len(observed.dims))
    mean, error = _mean(difference * np.stack([factors[which][row] for row, which in enumerate(member.widest)]))
    return Measured(pointwise, (np.sign(member.gaps[member.widest, rows]) * mean, error))


def _mean(samples: Array) -> tuple[Array, Array]:
    """Mean and standard error along the last axis."""
    return samples.mean(axis=-1), samples.std(axis=-1, ddof=1) / math.sqrt(samples.shape[-1])


def hermite_energies(solved: Solved) -> dict[str, Array]:
    """Energy by degree 0 .. DEGREES, beyond, and in noise: of phi and of the two equivalents."""
    expansion = hermite(solved.activation, DEGREES)
    found = {"phi": np.append(expansion.energies, 0.0)}
    for who in ("main", "member"):
        equivalent = solved.members[who].equivalent
        own = np.zeros(DEGREES + 3)
        series = np.polynomial.hermite_e.poly2herme(equivalent.function.coef)
        own[: series.size] = series**2 * [math.factorial(k) for k in range(series.size)]
        own[-1] = equivalent.noise
        found[who] = own
    return found


def taylor_energies(solved: Solved, n: int) -> dict[str, Array]:
    """Mean square of every order 0 .. DEGREES at dimension n, c_k^2 E (x'y/n)^2k: of phi and of the equivalents."""
    series = taylor(solved.activation, solved.at, DEGREES)
    kept = np.where(np.arange(DEGREES + 1) <= solved.degree, series, 0.0)
    bent = kept.copy()
    polynomial = solved.members["member"].equivalent.function(Polynomial([solved.at, 1.0]))
    bent[solved.degree + 1] = polynomial.coef[solved.degree + 1] if polynomial.degree() > solved.degree else 0.0
    moments = even_moments(n, solved.vectors)
    return {who: part**2 * moments for who, part in (("phi", series), ("main", kept), ("member", bent))}


def even_moments(n: int, vectors: str) -> Array:
    """E (x'y/n)^2k, k = 0 .. DEGREES: (2k - 1)!! over, or times, n (n + 2) .. (n + 2k - 2)."""
    k = np.arange(DEGREES)
    steps = np.array(n + 2 * k, float)
    odd = np.append(1.0, np.cumprod(2.0 * k + 1.0))
    factors = 1.0 / steps if vectors == "sphere" else steps / float(n) ** 2
    return odd * np.append(1.0, np.cumprod(factors))
