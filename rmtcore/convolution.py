"""The one law of kernel matrices: slope (X'X/p - I) + noise, a Marchenko-Pastur law freely added to a semicircle.

With c = p/n, slope a and noise variance b (per entry, in units of 1/p), the Stieltjes transform m(z) of this
n x n matrix obeys a cubic (Cheng and Singer, 2013; as a free convolution, Fan and Montanari, 2019)

    -1/m = z + a^2 m/(c + a m) + b m/c,

which is explicit in the other direction. In units of the law's standard deviation s, s^2 = (a^2 + b)/c, with
kappa = 1/(s m), r = a^2/(a^2 + b), q = 1 - r, t = sqrt(r/c), and measured from where the zeros of X'X/p go:

    D(kappa) = -kappa + sqrt(r c) kappa/(kappa + t) - q/kappa,    growth = -D' = 1 - r/(kappa + t)^2 - q/kappa^2.

Off the support kappa is real and the growth positive (Silverstein and Choi, 1995); so the edges are the real
roots of growth = 0, one left of -t, one right of 0, and two between them exactly if r^(1/3) + q^(1/3) < t^(2/3):
then there is a gap. On the support the cubic has one real root and one pair; only one root of that pair is in
the half plane of Stieltjes transforms, so no branch is guessed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from rmtcore.compiled import kernel
from rmtcore.spectrum import Health, Outlier, Spectrum

Array = NDArray[np.float64]

_NO_NOISE = 1e-24  # share of the energy below which noise moves eigenvalues by less than rounding
_MASS_TOLERANCE = 2e-5
_DEPTH = 26.0  # of the logistic rule: mass left beyond is exp(-depth/2) at a hard edge, less at a soft one


@dataclass(frozen=True)
class Convolution:
    """The law of slope (X'X/p - I) + noise + shift.

    Parameters
    ----------
    slope, noise : a, and b >= 0; not both 0.
    ratio : c = p/n > 0.
    shift : what is added to every eigenvalue.
    """

    slope: float
    noise: float
    ratio: float
    shift: float = 0.0

    @property
    def scale(self) -> float:
        """Standard deviation s of the law."""
        return math.sqrt((self.slope**2 + self.noise) / self.ratio)

    @property
    def shares(self) -> tuple[float, float]:
        """r and q: shares of the linear and of the nonlinear part in the energy."""
        energy = self.slope**2 + self.noise
        q = self.noise / energy
        return (1.0, 0.0) if q < _NO_NOISE else (self.slope**2 / energy, q)

    @property
    def pole(self) -> float:
        """t = sqrt(r/c)."""
        return math.sqrt(self.shares[0] / self.ratio)

    def growth(self, kappa: float) -> float:
        """-dD/dkappa; positive off the support. What a planted direction keeps of its eigenvector there."""
        r, q = self.shares
        linear = r / (kappa + self.pole) ** 2 if kappa != -self.pole else math.inf * r
        return 1.0 - linear - (q / kappa**2 if q > 0 else 0.0)

    def depth(self, kappa: float) -> float:
        """D(kappa) at a real kappa != 0 off the support."""
        r, q = self.shares
        bulk = math.sqrt(r * self.ratio) * kappa / (kappa + self.pole) if r > 0 else 0.0
        return -kappa + bulk - (q / kappa if q > 0 else 0.0)

    def place(self, depth: float | Array) -> float | Array:
        """Eigenvalue at D; the law of a negative slope is the mirror image."""
        sign = -1.0 if self.slope < 0 else 1.0
        return self.shift + sign * (self.scale * depth - abs(self.slope))

    @property
    def atom(self) -> float:
        """Mass at D = 0: the zeros of X'X/p, where no noise spreads them."""
        return max(0.0, 1.0 - self.ratio) if self.shares[1] == 0.0 else 0.0

    def edges(self) -> list[tuple[float, float, float]]:
        """Bulks, ascending in D: kappa at the left edge, at the right one, mass. A hard edge has kappa 0."""
        r, q = self.shares
        t = self.pole
        top = -t - _root(lambda u: self.growth(-t - u), math.sqrt(r) or 1e-3, 1.0)
        gap = (math.cbrt(r) + math.cbrt(q)) ** 3 < t * t
        middle = -t * math.cbrt(q) / (math.cbrt(q) + math.cbrt(r))
        if q == 0.0:
            return [(1.0 - t, top, min(1.0, self.ratio))]
        bottom = _root(self.growth, max(math.sqrt(q), math.sqrt(r) - t), 1.0)
        if not gap:
            return [(bottom, top, 1.0)]
        left = -t + _root(lambda u: self.growth(-t + u), math.sqrt(r), middle + t)
        right = -_root(lambda u: self.growth(-u), math.sqrt(q), -middle)
        return [(bottom, right, 1.0 - self.ratio), (left, top, self.ratio)]


class Planted(NamedTuple):
    """Where a planted rank one goes, whether it leaves the bulk, squared cosine with its direction."""

    position: float
    separated: bool
    overlap: float


def plant(law: Convolution, strength: float) -> Planted:
    """Outlier of the law plus strength u u', u a unit vector independent of it.

    1 + strength m(z) = 0 at the outlier, which is there if the growth is positive; else it sticks to the nearest
    edge (Benaych-Georges and Nadakuditi, 2011, for both laws at once).
    """
    kappa = -math.copysign(strength / law.scale, strength * law.slope if law.slope else strength)
    growth = law.growth(kappa) if kappa != 0.0 else -math.inf
    if growth > 0:
        return Planted(float(law.place(law.depth(kappa))), True, growth)
    edges = [edge for bulk in law.edges() for edge in bulk[:2]]
    nearest = min(edges, key=lambda edge: abs(edge - kappa))
    return Planted(float(law.place(_edge_depth(law, nearest))), False, 0.0)


def sample(law: Convolution, points: int, outliers: tuple[Outlier, ...] = ()) -> Spectrum:
    """The law on about `points` points shared between the bulks: each at least 24, more where needed."""
    bulks = [(_edge_depth(law, left), _edge_depth(law, right), mass) for left, right, mass in law.edges()]
    widths = np.array([math.sqrt(right - left) for left, right, _ in bulks])
    counts = np.maximum(24, points * widths / widths.sum()).astype(int)
    parts = [_bulk(law, *bulk, int(count)) for bulk, count in zip(bulks, counts, strict=True)]
    depth, density, weights = (np.concatenate([part[index] for part in parts]) for index in range(3))
    edges = np.array([bulk[:2] for bulk in bulks])
    grid, bounds = np.asarray(law.place(depth)), np.asarray(law.place(edges))
    density = density / law.scale
    first = law.atom
    if law.slope < 0:
        grid, density, weights, bounds, first = grid[::-1], density[::-1], weights[::-1], bounds[::-1, ::-1], 0.0
    mass = np.cumsum(weights)
    health = Health(
        max(part.solved.residual for part in parts),
        sum(part.solved.steps for part in parts) / grid.size,
        float(abs(1.0 - law.atom - mass[-1])),
        all(part.solved.certified for part in parts),
    )
    cdf = np.minimum(first + mass - 0.5 * weights, first + 1.0 - law.atom)
    at = float(law.place(0.0))
    return Spectrum("kernel", grid, density, weights, cdf, bounds, law.atom, outliers, health, at)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Root of an increasing function between bounds that may be the root themselves, up to rounding."""
    if function(low) >= 0.0:
        return low
    if function(high) <= 0.0:
        return high
    return float(brentq(function, low, high, xtol=1e-300, rtol=1e-15, maxiter=1000))


def _edge_depth(law: Convolution, kappa: float) -> float:
    """D at an edge; 0 at a hard one."""
    return law.depth(kappa) if kappa != 0.0 else 0.0


class _Sampled(NamedTuple):
    """Density at ascending D, largest relative residual, Newton steps, every root in the right half plane."""

    depth: Array
    density: Array
    residual: float
    steps: int
    certified: bool


class _Part(NamedTuple):
    """One bulk: D ascending with its edges, density and weights in D, and how it was solved."""

    depth: Array
    density: Array
    weights: Array
    solved: _Sampled


def _bulk(law: Convolution, left: float, right: float, mass: float, count: int) -> _Part:
    """One bulk, with as many points as its exactly known mass needs."""
    few = max(count, 400)
    for rule, points in ((_cosine, count), (_cosine, 4 * count), (_logistic, 4 * few), (_logistic, 16 * few)):
        part = rule(law, left, right, points)
        if abs(part.weights.sum() - mass) < _MASS_TOLERANCE:
            break
    return part


def _cosine(law: Convolution, left: float, right: float, count: int) -> _Part:
    """Even in the angle: made for two square-root edges, the density 0 at both."""
    angle = np.pi * np.arange(1, count) / count
    solved = _density(law, left + (right - left) * np.sin(0.5 * angle) ** 2)
    return _framed(solved, left, right, np.sin(angle) * (0.5 * np.pi * (right - left) / count))


def _logistic(law: Convolution, left: float, right: float, count: int) -> _Part:
    """Even in log((D - left)/(right - D)): for a hard edge, or what is sharp very near an edge.

    A hard edge (at D = 0) is not on the grid, since the density is infinite there.
    """
    place = np.linspace(-_DEPTH, _DEPTH, count)
    low, high = expit(place), expit(-place)
    solved = _density(law, left + (right - left) * low)
    part = _framed(solved, left, right, (right - left) * low * high * (place[1] - place[0]))
    hard = left == 0.0 and law.shares[1] == 0.0
    return _Part(part.depth[1:], part.density[1:], part.weights[1:], solved) if hard else part


def _framed(solved: _Sampled, left: float, right: float, lengths: Array) -> _Part:
    """The bulk with its edges, where the density is 0."""
    framed = np.zeros((3, solved.depth.size + 2))
    framed[0] = left
    framed[0, 1:-1], framed[0, -1] = solved.depth, right
    framed[1, 1:-1] = solved.density
    framed[2] = framed[1]
    framed[2, 1:-1] *= lengths
    return _Part(framed[0], framed[1], framed[2], solved)


def _density(law: Convolution, depth: Array) -> _Sampled:
    """Density in D strictly inside the bulks."""
    (r, q), t = law.shares, law.pole
    kappa, residual, steps = solve(depth, math.sqrt(r * law.ratio), t, q)
    sure = bool(residual < 1e-10 and np.all(kappa.imag > 0.0))
    return _Sampled(depth, np.abs((1.0 / kappa).imag) / np.pi, residual, steps, sure)


@kernel
def solve(depth: Any, reach: float, t: float, q: float) -> Any:
    """kappa in the upper half plane at every D of an array inside the bulks; reach is sqrt(r c).

    Also the largest relative residual, and the Newton steps in all.
    """
    roots = np.empty(depth.size, np.complex128)
    largest, steps = 0.0, 0
    for j in range(depth.size):
        d = depth[j]
        kappa = _pair(t - reach + d, d * t + q, q * t)
        for _ in range(60):
            beyond, inverse = 1.0 / (kappa + t), 1.0 / kappa
            error = -kappa + reach * kappa * beyond - q * inverse - d
            size = abs(kappa) + reach * abs(kappa * beyond) + q * abs(inverse) + abs(d)
            if abs(error) <= 2e-16 * size:
                break
            steps += 1
            step = error / (1.0 - reach * t * beyond * beyond - q * inverse * inverse)
            kappa += step
            if abs(step) <= 1e-9 * abs(kappa):
                error = -kappa + reach * kappa / (kappa + t) - q / kappa - d
                break  # Newton squares the error: only rounding is left
        largest = max(largest, abs(error) / size)
        roots[j] = kappa
    return roots, largest, steps


@kernel
def _pair(second: float, first: float, zeroth: float) -> complex:
    """The complex pair, upper half, of kappa^3 + second kappa^2 + first kappa + zeroth with one real root <= 0."""
    p = first - second * second / 3.0
    half = second * (second * second / 27.0 - first / 6.0) + 0.5 * zeroth
    spread = np.sqrt(max(half * half + (p / 3.0) ** 3, 0.0))
    cube = -np.copysign(np.cbrt(abs(half) + spread), half)  # Cardano's, with the sign that does not cancel
    real = min((cube - p / (3.0 * cube) if cube != 0.0 else 0.0) - second / 3.0, 0.0)
    if real * real > abs(first):  # the real root is the large one: the low coefficients keep the digits
        product = -zeroth / real
        total = (first - product) / real
    else:
        product = first + real * (second + real)
        total = -(second + real)
    return complex(0.5 * total, np.sqrt(max(product - 0.25 * total * total, 1e-16 * abs(product))))
