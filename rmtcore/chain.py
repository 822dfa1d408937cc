"""The one map of the theory: kappa_0 -> ... -> kappa_L -> lambda, explicit and analytic, with its derivative.

A population has df(kappa) = tr C (C + kappa)^-1. A layer of width d takes (kappa, df) up by

    lambda' = kappa (1 - df / d),    kappa_up = a lambda' - nu,    d - df_up = d kappa_up / (a kappa),

with a = mu1^2 d / d_below and nu = mu*^2, and n samples close the chain: lambda = kappa_L (1 - df_L / n),
z = -lambda (Liao and Mahoney, arXiv:2506.13139, Theorems 1 to 3, composed). Every question about the
network is one scalar root of this map; nothing is iterated to evaluate it.

Numerically the map carries not df but r - df, with r the rank: that difference stays exact where
df reaches n, so even the hard edge at an interpolation threshold keeps all its digits.

Complex roots are sought in the upper half plane of kappa with lambda = -x + i eta. There the right
root is the only one for which *every* kappa_l lies in the upper half plane (induction over the layers
from Silverstein and Bai, 1995), so a root is not assumed to be the right one: it is checked.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rmtcore.compiled import kernel

Array = NDArray[np.float64]


class Chain(NamedTuple):
    """The numbers of the map, ready for the kernels.

    Attributes
    ----------
    s, m : (k,) eigenvalues > 0 and their counts.
    a, nu, d : (L,) slope mu1^2 d/d_below, additive part mu*^2 and width of every layer.
    n : number of samples.
    """

    s: Array
    m: Array
    a: Array
    nu: Array
    d: Array
    n: float

    @property
    def ranks(self) -> list[float]:
        """Rank of the covariance that each layer, and last the samples, see."""
        ranks = [float(self.m.sum())]
        for nu, d in zip(self.nu, self.d, strict=True):
            ranks.append(float(d) if nu > 0 else min(ranks[-1], float(d)))
        return ranks

    @property
    def rank(self) -> float:
        """Rank of the feature covariance that the samples see."""
        return self.ranks[-1]

    @property
    def at_threshold(self) -> bool:
        """Whether some layer, or the samples, are exactly as many as the rank they see."""
        return any(rank == close for rank, close in zip(self.ranks, [*self.d, self.n], strict=True))


@kernel
def _excess(kappa, s, m):
    """rank - df of the population at a complex kappa, its derivative, and the rank."""
    kr, ki = kappa.real, kappa.imag
    er = ei = gr = gi = rank = 0.0
    for j in range(s.size):
        xr = s[j] + kr
        inverse = 1.0 / (xr * xr + ki * ki)
        ur, ui = xr * inverse, -ki * inverse
        er += m[j] * ur
        ei += m[j] * ui
        gr += m[j] * s[j] * (ur * ur - ui * ui)
        gi += m[j] * s[j] * (2.0 * ur * ui)
        rank += m[j]
    return kappa * complex(er, ei), complex(gr, gi), rank


@kernel
def evaluate(kappa, s, m, a, nu, d, n):
    """The map at one complex kappa_0: lambda, dlambda/dkappa_0, kappa_L, dkappa_L/dkappa_0, 1 - df_L/n."""
    excess, slope, rank = _excess(kappa, s, m)
    k, dk = kappa, 1.0 + 0.0j
    for layer in range(a.size):
        free = (d[layer] - rank) + excess
        up = a[layer] * k * free / d[layer] - nu[layer]
        dup = a[layer] * (dk * free + k * slope) / d[layer]
        if nu[layer] > 0.0 or rank > d[layer]:
            if k == 0.0:  # underflow at a hard edge
                return 0.0j, 0.0j, 0.0j, 1.0 + 0.0j, 0.0j
            excess = d[layer] * up / (a[layer] * k)
            slope = d[layer] / a[layer] * (dup - up * (dk / k)) / k
            rank = d[layer]
        k, dk = up, dup
    free = (n - rank) + excess
    return k * free / n, (dk * free + k * slope) / n, k, dk, free / n


@kernel
def _log_ratio(ratio):
    return np.log(ratio) if abs(ratio - 1.0) > 1e-5 else (ratio - 1.0) * (1.5 - 0.5 * ratio)


@kernel
def _sweep(k, step, shift, lam, s, m, a, nu, d, n):
    """One linearisation of all stage equations (in logarithms) around k = (kappa_0 .. kappa_L).

    Stage l asks a kappa_l (d - df_l)/d = kappa_(l+1) + nu, the last one kappa_L (1 - df_L/n) = lambda.
    Writes the relative corrections to `step` (`shift` is room to work in); returns the largest relative
    residual (of a stage: relative to its largest term). Carrying every kappa_l keeps digits that kappa_0
    alone cannot hold where layers amplify.
    """
    excess, excess_u, rank = _excess(k[0], s, m)
    excess_w = 0.0j
    u, w = 1.0 + 0.0j, 0.0j  # d kappa_l = u d kappa_0 + w
    step[0], shift[0] = u / k[0], w
    residual = 0.0
    depth = a.size
    for layer in range(depth + 1):
        close, rank_below = d[layer] if layer < depth else n, rank
        free = (close - rank) + excess
        product = k[layer] * free
        rate_u = u / k[layer] + excess_u / free
        rate_w = w / k[layer] + excess_w / free
        if layer == depth:
            ratio = product / (n * lam)
            move = -(_log_ratio(ratio) + rate_w) / rate_u
            lost = 1.0
        else:
            goal = k[layer + 1] + nu[layer]
            ratio = a[layer] * product / (close * goal)
            next_u, next_w = goal * rate_u, goal * (rate_w + _log_ratio(ratio))
            share_u, share_w = next_u / k[layer + 1], next_w / k[layer + 1]
            if nu[layer] > 0.0 or rank > close:
                excess = close * k[layer + 1] / (a[layer] * k[layer])
                excess_u = excess * (share_u - u / k[layer])
                excess_w = excess * (share_w - w / k[layer])
                rank = close
            u, w = next_u, next_w
            step[layer + 1], shift[layer + 1] = share_u, share_w
            lost = max(nu[layer], abs(k[layer + 1])) / abs(goal)
        # Where terms cancel, what rounding allows is relative to them, not to what they leave.
        lost = max(1.0, lost, abs(close - rank_below) / abs(free))
        residual = max(residual, abs(ratio - 1.0) / lost)
    for layer in range(depth + 1):
        step[layer] = step[layer] * move + shift[layer]
    return residual


@kernel
def polish(k, lam, s, m, a, nu, d, n):
    """Newton on all stage equations from the guess k = (kappa_0 .. kappa_L), which it overwrites.

    Returns the largest relative residual, the number of steps and whether the root is certified:
    residual below 1e-10 and every kappa_l in the upper half plane.
    """
    step, shift = np.empty_like(k), np.empty_like(k)
    residual, steps = np.inf, 0
    for steps in range(1, 61):
        residual = _sweep(k, step, shift, lam, s, m, a, nu, d, n)
        if not np.isfinite(residual):
            return np.inf, steps, False
        size = 0.0
        for layer in range(k.size):
            size = max(size, abs(step[layer]))
        if not np.isfinite(size):
            return np.inf, steps, False
        if residual < 1e-15:
            break
        if size > 1.0:
            step /= size
        for layer in range(k.size):
            k[layer] *= np.exp(step[layer]) if size > 1e-6 else 1.0 + step[layer]
        # Newton squares the error: after this step only rounding is left.
        if residual < 1e-8 and size < 1e-8:
            residual = _sweep(k, step, shift, lam, s, m, a, nu, d, n)
            break
    sure = residual < 1e-10
    for layer in range(k.size):
        sure = sure and k[layer].imag > 0.0
    return residual, steps, sure


@kernel
def descend(k, x, eta, s, m, a, nu, d, n):
    """Root at lambda = -x + i eta, eta >= 0, without a guess: from far above the axis down to it.

    Far away the map is a straight line, so Newton starts right there; every step down is certified.
    Fills k; returns residual, Newton steps, certified.
    """
    start = complex(0.0, 1e9 * (s.max() + abs(x) + eta))
    height = abs(evaluate(start, s, m, a, nu, d, n)[0])
    while height < 1e3 * (abs(x) + eta):  # layers may attenuate
        start *= 1e3
        height = abs(evaluate(start, s, m, a, nu, d, n)[0])
    k[0] = start
    for layer in range(a.size):
        close = evaluate(start, s, m, a[:layer], nu[:layer], d[:layer], d[layer])[0]
        k[layer + 1] = a[layer] * close - nu[layer]
    residual, steps, sure = polish(k, complex(-x, height), s, m, a, nu, d, n)
    kept = k.copy()
    factor = 0.1
    while sure and height > eta:
        lower = max(height * factor, eta)
        if lower < 1e-16 * abs(x):
            lower = eta
        residual, more, sure_below = polish(k, complex(-x, lower), s, m, a, nu, d, n)
        steps += more
        if sure_below:
            kept[:] = k
            height, factor = lower, max(0.5 * factor, 1e-3)
        elif factor > 0.999:
            sure = False
        else:
            k[:] = kept
            factor = np.sqrt(factor)
    return residual, steps, sure


@kernel
def march(x, start, s, m, a, nu, d, n):
    """Roots along the points x, from a bulk's right edge down, each guessed from the ones before.

    start guesses kappa_0 at the first point. Returns kappa_L, the relative residuals, the Newton steps
    and the certified flags, all (x.size,).
    """
    size, depth = x.size, a.size
    top = np.empty(size, np.complex128)
    residual = np.empty(size)
    steps = np.zeros(size, np.int64)
    sure = np.empty(size, np.bool_)
    k = np.empty((4, depth + 1), np.complex128)  # the roots at this point and the three before
    for j in range(size):
        k[3], k[2], k[1] = k[2], k[1], k[0]
        for layer in range(depth + 1):
            if j == 0:
                k[0, layer] = evaluate(start, s, m, a[:layer], nu[:layer], d[:layer], n)[2]
            elif j == 1:  # near a square-root edge Im kappa grows like the step count
                k[0, layer] = complex(k[1, layer].real, 2.0 * k[1, layer].imag)
            elif j == 2:
                k[0, layer] = 2.0 * k[1, layer] - k[2, layer]
            else:
                rate = k[1, layer] / k[2, layer]
                k[0, layer] = k[1, layer] * rate * rate * k[3, layer] / k[2, layer]
            if k[0, layer].imag <= 0.0 and j > 0:
                k[0, layer] = k[1, layer]
        residual[j], steps[j], sure[j] = polish(k[0], complex(-x[j], 0.0), s, m, a, nu, d, n)
        if not sure[j]:
            residual[j], more, sure[j] = descend(k[0], x[j], 0.0, s, m, a, nu, d, n)
            steps[j] += more
        top[j] = k[0, depth]
    return top, residual, steps, sure


@kernel
def _spare(k, s, m, a, nu, d):
    """rank - df of the last features at a root k = (kappa_0 .. kappa_L), without cancellation."""
    excess, _, rank = _excess(k[0], s, m)
    for layer in range(a.size):
        if nu[layer] > 0.0 or rank > d[layer]:
            excess = d[layer] * k[layer + 1] / (a[layer] * k[layer])
            rank = d[layer]
    return excess


@kernel
def companion(x, eta, s, m, a, nu, d, n):
    """Roots at lambda = -x + i eta for arrays x and eta >= 0.

    Returns kappa_0, kappa_L, rank - df (complex arrays) and the certified flags.
    """
    base = np.empty(x.size, np.complex128)
    top = np.empty(x.size, np.complex128)
    spare = np.empty(x.size, np.complex128)
    sure = np.zeros(x.size, np.bool_)
    k, before = np.empty(a.size + 1, np.complex128), np.empty(a.size + 1, np.complex128)
    for j in range(x.size):
        if j > 0 and sure[j - 1]:
            for layer in range(k.size):  # as a power law from the last two, where they are near
                rate = k[layer] / before[layer] if j > 1 else 1.0 + 0.0j
                before[layer] = k[layer]
                if abs(rate - 1.0) < 0.5 and (k[layer] * rate).imag > 0.0:
                    k[layer] *= rate
            _, _, sure[j] = polish(k, complex(-x[j], eta[j]), s, m, a, nu, d, n)
        if not sure[j]:
            _, _, sure[j] = descend(k, x[j], eta[j], s, m, a, nu, d, n)
        base[j], top[j], spare[j] = k[0], k[-1], _spare(k, s, m, a, nu, d)
    return base, top, spare, sure


@kernel
def learn(lam, s, m, a, nu, d, n):
    """The real kappa_0 at a ridge lambda >= 0.

    On the branch of learning lambda(kappa_0) is increasing and convex (every stage is), so Newton from
    the right never overshoots. At lambda = 0 and a threshold it comes to the hard edge itself.
    """
    slope = 1.0
    for layer in range(a.size):
        slope *= a[layer]
    far = 1e6 * s[-1]
    kappa = max((lam - evaluate(complex(far, 0.0), s, m, a, nu, d, n)[0].real) / slope + far, 0.0)
    kappa = 1.000001 * kappa + 1e-9 * s[-1]
    for _ in range(400):
        value, growth, _, _, _ = evaluate(complex(kappa, 0.0), s, m, a, nu, d, n)
        step = (value.real - lam) / growth.real
        if not step > 4e-16 * kappa or growth.real <= 0.0:
            break
        kappa -= step
        if kappa < 1e-150 * s[-1]:
            return 0.0
    return kappa


@kernel
def transfer(kappa, s, v):
    """T = sum v s^2 / (s + kappa) at every kappa_0 of a complex array."""
    result = np.empty(kappa.size, np.complex128)
    for j in range(kappa.size):
        kr, ki = kappa[j].real, kappa[j].imag
        tr = ti = 0.0
        for k in range(s.size):
            xr = s[k] + kr
            scale = v[k] * s[k] * s[k] / (xr * xr + ki * ki)
            tr += scale * xr
            ti -= scale * ki
        result[j] = complex(tr, ti)
    return result
