"""Where the limiting spectrum lives: exact edges from dlambda/dkappa = 0, through any depth.

Off the support kappa is real, and a real kappa_0 belongs to a point off the support exactly where every
stage of the chain is increasing there (Silverstein and Choi, 1995, applied stage by stage). Between two
poles the derivative of a stage is concave in its own kappa, so each gap is found by one maximum and two
sign changes: no grid is searched and no gap is too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rmtcore.chain import Array, Chain, evaluate
from rmtcore.compiled import kernel

_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Support:
    """Bulks and gaps of the limiting spectrum of the Gram matrix F'F/n, ascending in x.

    Attributes
    ----------
    bulks : (B, 2) left and right edge of every bulk; a left edge of 0 is a hard edge.
    kappa : (B, 2) the real kappa_0 at those edges (nan at a hard edge).
    gaps : (B + 1, 2) the kappa_0 intervals off the support, in the order of x.
    counts : (B,) how many of the n eigenvalues each bulk holds: exact (Bai and Silverstein, 1999).
    """

    bulks: Array
    kappa: Array
    gaps: Array
    counts: Array

    def outside(self, kappa: float) -> bool:
        """Whether this real kappa_0 belongs to a point off the support."""
        return bool(np.any((self.gaps[:, 0] < kappa) & (kappa < self.gaps[:, 1])))


@kernel
def _growth(kappa, level, s, m, a, nu, d, n):
    """Derivative of stage `level` in its own kappa, and that kappa, at a real kappa_0."""
    close = d[level] if level < a.size else n
    point = complex(kappa, 0.0)
    _, slope, own, inner, _ = evaluate(point, s, m, a[:level], nu[:level], d[:level], close)
    return slope.real / inner.real, own.real


@kernel
def _middle(low, high):
    """Midpoint that also converges to zero in relative terms."""
    if low < 0.0 < high:
        return 0.0
    small, large = min(abs(low), abs(high)), max(abs(low), abs(high))
    if small < 0.25 * large:
        small = max(small, 1e-60 * large)
        return np.sqrt(small) * np.sqrt(large) * (1.0 if high > 0.0 else -1.0)
    return 0.5 * (low + high)


@kernel
def _crossing(off, on, which, level, s, m, a, nu, d, n):
    """Sign change of the growth (which = 0) or of the stage's kappa (which = 1) from off < 0 to on > 0."""
    for _ in range(400):
        mid = _middle(min(off, on), max(off, on))
        size = max(abs(on), abs(off))
        if mid in (off, on) or abs(on - off) <= 2e-16 * size or size < 1e-100:
            break
        growth, own = _growth(mid, level, s, m, a, nu, d, n)
        if (growth if which == 0 else own) > 0.0:
            on = mid
        else:
            off = mid
    return on


@kernel
def _summit(low, high, start, level, s, m, a, nu, d, n):
    """A point of (low, high) where the growth is positive, or nan where its maximum is not.

    The growth has one maximum in (low, high), falling to minus infinity at both ends.
    """
    if _growth(start, level, s, m, a, nu, d, n)[0] > 0.0:
        return start
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left = _growth(left, level, s, m, a, nu, d, n)[0]
    at_right = _growth(right, level, s, m, a, nu, d, n)[0]
    while high - low > 1e-15 * max(abs(low), abs(high)):
        if at_left > 0.0:
            return left
        if at_right > 0.0:
            return right
        if at_left > at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = _growth(left, level, s, m, a, nu, d, n)[0]
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = _growth(right, level, s, m, a, nu, d, n)[0]
        if not left < right:
            break
    return np.nan


@kernel
def _poles(s, m, n):
    """Intervals of kappa_0 between neighbouring poles -s_k, without those that cannot hold a gap.

    The two neighbours alone bound the growth by 1 - (A^(1/3) + B^(1/3))^3 / (n w^2), A and B being m s^2
    and w their distance. The third column is where that bound is attained.
    """
    found = np.empty((s.size + 1, 3))
    found[0] = -s[0], np.inf, 0.0
    count = 1
    for j in range(s.size - 1):
        width = s[j + 1] - s[j]
        right = (m[j] * s[j] * s[j]) ** (1.0 / 3.0)
        left = (m[j + 1] * s[j + 1] * s[j + 1]) ** (1.0 / 3.0)
        if (left + right) ** 3 < n * width * width:
            found[count] = -s[j + 1], -s[j], -s[j + 1] + width * left / (left + right)
            count += 1
    found[count] = -np.inf, -s[-1], 0.0
    return found[: count + 1]


@kernel
def _shrink(low, high, start, level, s, m, a, nu, d, n):
    """The part of (low, high) where stage `level` grows; (nan, nan) where there is none."""
    if high == np.inf:
        on = 2.0 * max(abs(low), s[-1])
        while _growth(on, level, s, m, a, nu, d, n)[0] <= 0.0:
            on *= 2.0
        return _crossing(low, on, 0, level, s, m, a, nu, d, n), high
    if low == -np.inf:
        on = 2.0 * high
        while _growth(on, level, s, m, a, nu, d, n)[0] <= 0.0:
            on *= 2.0
        return low, _crossing(high, on, 0, level, s, m, a, nu, d, n)
    on = _summit(low, high, start, level, s, m, a, nu, d, n)
    if np.isnan(on):
        return np.nan, np.nan
    return (
        _crossing(low, on, 0, level, s, m, a, nu, d, n),
        _crossing(high, on, 0, level, s, m, a, nu, d, n),
    )


@kernel
def _gaps(s, m, a, nu, d, n):
    """Intervals of kappa_0, descending, on which every stage of the chain grows."""
    current = _poles(s, m, d[0] if a.size > 0 else n)
    rank = m.sum()
    for level in range(a.size + 1):
        found = np.empty((2 * current.shape[0], 3))
        count = 0
        atom = level < a.size and nu[level] > 0.0 and d[level] > rank
        for j in range(current.shape[0]):
            low, high = _shrink(current[j, 0], current[j, 1], current[j, 2], level, s, m, a, nu, d, n)
            if np.isnan(low):
                continue
            # Neurons in excess of the rank put an atom on the next population: a pole at stage kappa = 0.
            if atom and high == np.inf:
                below = _growth(low, level, s, m, a, nu, d, n)[1] if low != 0.0 else 0.0
                if below < 0.0:
                    on = 2.0 * max(abs(low), s[-1])
                    while _growth(on, level, s, m, a, nu, d, n)[1] <= 0.0:
                        on *= 2.0
                    pole = _crossing(low, on, 1, level, s, m, a, nu, d, n) if level > 0 else 0.0
                    found[count] = pole, high, 0.0
                    found[count + 1] = low, pole, 0.5 * (low + pole)
                    count += 2
                    continue
            start = 0.0 if np.isinf(low) or np.isinf(high) else 0.5 * (low + high)
            found[count] = low, high, start
            count += 1
        if level < a.size and (nu[level] > 0.0 or rank > d[level]):
            rank = d[level]
        current = found[:count]
    return current[:, :2].copy()


def _count_above(chain: Chain, low: float, high: float) -> float:
    """How many sample eigenvalues lie right of the gap (low, high) of kappa_0.

    A gap separates as many sample as population eigenvalues, stage by stage; the neurons in excess of
    the rank sit at the lower end of their population.
    """
    kappa = 2.0 * high if np.isinf(low) else 0.5 * (low + high)
    count = float(chain.m[chain.s > -kappa].sum())
    for level, width in enumerate(chain.d):
        close = evaluate(complex(kappa, 0.0), chain.s, chain.m, *_below(chain, level), width)[0].real
        count = float(width) if close > 0 and chain.nu[level] > 0 else min(count, float(width))
    return min(count, chain.n)


def _below(chain: Chain, level: int) -> tuple[Array, Array, Array]:
    return chain.a[:level], chain.nu[:level], chain.d[:level]


def find_support(chain: Chain) -> Support:
    """Bulks of the Gram matrix F'F/n and the kappa_0 intervals between them."""
    gaps = _gaps(*chain)

    def position(kappa: float) -> float:
        return -float(evaluate(complex(kappa, 0.0), *chain)[0].real)

    right = np.array([position(k) for k in gaps[1:, 1]])
    left = np.array([position(k) for k in gaps[:-1, 0]])
    kappa = np.stack([gaps[:-1, 0], gaps[1:, 1]], axis=1)
    above = [min(chain.rank, chain.n), *(_count_above(chain, *gap) for gap in gaps[1:])]
    # At a threshold some kappa vanishes at the left edge, which is then zero: a hard edge.
    if chain.at_threshold and left[0] <= 1e-24 * right[-1]:
        left[0], kappa[0, 0] = 0.0, np.nan
    return Support(np.stack([left, right], axis=1), kappa, gaps, -np.diff(above))
