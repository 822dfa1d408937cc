"""Eigenvalues above the bulk: whether chance explains them, and what they stand for.

Significance is that of the Tracy-Widom law at the bulk's edge. What an outlier stands for depends on the model:
in *data* a direction of larger variance (multiplicative: the population eigenvalue s, seen at z(s)); in *weights*
a signal of low rank plus noise (additive: a singular value of the signal). The two are different models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import brentq

from rmtcore.chain import Array, Chain, evaluate
from rmtcore.support import find_support
from rmtcore.tracy_widom import tracy_widom_quantile, tracy_widom_sf

Kind = Literal["data", "weights"]


@dataclass(frozen=True)
class Spike:
    """One eigenvalue above the bulk.

    Attributes
    ----------
    eigenvalue : of W'W/n.
    p_value : chance that pure noise with this bulk has an eigenvalue at least as large.
    strength : what it stands for, on the scale of the eigenvalue: the population eigenvalue ("data"), or the squared
        singular value of the signal over n ("weights").
    shrunk : the best estimate to put in its place, in Frobenius norm: of that population eigenvalue, or of
        that squared singular value (the right factor for the sample's own singular vectors).
    overlap : squared cosine between the sample's right singular vector and the true one.
    """

    eigenvalue: float
    p_value: float
    strength: float
    shrunk: float
    overlap: float


class Edge(NamedTuple):
    """Right edge of a bulk, and the unit in which the largest eigenvalue fluctuates around it (Tracy-Widom)."""

    position: float
    scale: float

    def p_value(self, eigenvalue: float) -> float:
        """Chance of an eigenvalue at least as large."""
        return float(tracy_widom_sf((eigenvalue - self.position) / self.scale))


def white_edge(n: int, p: int, variance: float) -> Edge:
    """Edge of W'W/n for white noise, with the centring that is right to order N^(-2/3) (Ma, Bernoulli 18, 2012)."""
    a, b = np.sqrt(n - 0.5), np.sqrt(p - 0.5)
    return Edge(float(variance * (a + b) ** 2 / n), float(variance * (a + b) * np.cbrt(1.0 / a + 1.0 / b) / n))


def chain_edge(chain: Chain) -> Edge:
    """Edge of any bulk from the curvature of the map (El Karoui, Ann. Probab. 35, 2007).

    Near it the density of the Gram matrix is A sqrt(E - x) / pi, so the unit is (n A)^(-2/3).
    """
    support = find_support(chain)
    kappa = support.kappa[-1, 1]
    nudge = 1e-5 * abs(kappa)
    slopes = [evaluate(complex(kappa + side * nudge, 0.0), *chain)[1].real for side in (-1.0, 1.0)]
    curvature = (slopes[0] - slopes[1]) / (2.0 * nudge)
    return Edge(float(support.bulks[-1, 1]), float((chain.n * np.sqrt(2.0 / curvature) / kappa**2) ** (-2.0 / 3.0)))


def count_spikes(y: Array, n: int, p: int, level: float) -> int:
    """How many of the eigenvalues y (ascending) stand above white noise.

    One after the other, from the largest down, each against Tracy-Widom with the noise estimated from those below
    it, corrected for what the ones above take with them (Kritchman and Nadler, IEEE Trans. Signal Process. 57, 2009).
    At most half of the eigenvalues are tested.
    """
    bar = tracy_widom_quantile(level)
    small = min(n, p)
    for count in range(small // 2 + 1):
        variance = noise_variance(y, n, p, count)
        edge = white_edge(n, p - count, variance)
        if y[small - 1 - count] <= edge.position + bar * edge.scale:
            break
    return count


def noise_variance(y: Array, n: int, p: int, count: int) -> float:
    """Variance of white noise behind all but the `count` largest of the eigenvalues y."""
    rest, top = float(y[: y.size - count].sum()), y[y.size - count :]
    variance = rest / (p - count)
    for _ in range(100):
        # a population eigenvalue s is seen at s + variance (p - k)/n s/(s - variance): the surplus is the bulk's loss
        half = 0.5 * (top + variance - variance * (p - count) / n)
        s = half + np.sqrt(np.maximum(half**2 - top * variance, 0.0))
        new = (rest + float(np.sum(np.maximum(top - s, 0.0)))) / (p - count)
        if abs(new - variance) <= 1e-12 * variance:
            break
        variance = new
    return variance


def describe_spikes(y: Array, count: int, chain: Chain, edge: Edge, kind: Kind, base: float) -> tuple[Spike, ...]:
    """The `count` largest of the eigenvalues y, largest first.

    Parameters
    ----------
    chain : of the bulk.  base : mean population eigenvalue of the bulk.
    """
    rest = y[: y.size - count]
    top = -float(find_support(chain).kappa[-1, 1])
    found = []
    for value in y[::-1][:count]:
        estimate = _direction(float(value), chain, top, base) if kind == "data" else _signal(float(value), rest, chain)
        found.append(Spike(float(value), edge.p_value(float(value)), *estimate))
    return tuple(found)


def _direction(value: float, chain: Chain, top: float, base: float) -> tuple[float, float, float]:
    """Population eigenvalue s with z(s) = value, its shrunk estimate s c2 + base (1 - c2), and c2 = s z'(s)/z(s).

    `top` is the s of the bulk's edge, below which an eigenvalue has no place of its own.
    The shrinkage is that of Donoho, Gavish and Johnstone (Ann. Statist. 46, 2018), on any bulk.
    """

    def place(s: float) -> float:
        return -float(evaluate(complex(-s, 0.0), *chain)[0].real)

    if value <= place(top):
        return top, base, 0.0
    s = float(brentq(lambda s: place(s) - value, top, 1.01 * value, xtol=1e-13 * value))
    slope = evaluate(complex(-s, 0.0), *chain)[1].real
    overlap = float(s * slope / value)
    return s, s * overlap + base * (1.0 - overlap), overlap


def _signal(value: float, rest: Array, chain: Chain) -> tuple[float, float, float]:
    """Signal strength, shrunk value and overlap from the D-transform of the bulk that is there.

    Benaych-Georges and Nadakuditi (J. Multivariate Anal. 111, 2012) for strength and overlap, Nadakuditi (IEEE Trans.
    Inform. Theory 60, 2014) for the shrunk singular value -2 D/D'.
    """
    x, squares = np.sqrt(value), rest
    dim = float(chain.m.sum())
    inverse = 1.0 / (value - squares)
    short, dshort = np.sum(x * inverse), -np.sum((value + squares) * inverse**2)

    def side(size: float) -> tuple[float, float]:
        """(1/size) sum x/(x^2 - sigma^2) with the zeros of a side of this size, and its derivative."""
        zeros = size - squares.size
        return float(short + zeros / x) / size, float(dshort - zeros / value) / size

    (rows, drows), (columns, dcolumns) = side(chain.n), side(dim)
    transform, slope = rows * columns, drows * columns + rows * dcolumns
    overlap = -2.0 * columns * transform / slope
    return float(1.0 / transform), float((2.0 * transform / slope) ** 2), float(min(overlap, 1.0))
