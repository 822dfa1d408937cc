"""Laws fitted to the eigenvalues of one matrix: Marchenko-Pastur, and the chain over a few atoms.

Conventions: W is n x p with rows the samples; y are the min(n, p) eigenvalues that W'W/n and WW'/n share,
ascending. The matrix may come with a few outliers, which are left out by their number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares, minimize_scalar, nnls

from rmtcore.agreement import kolmogorov_smirnov
from rmtcore.chain import Array
from rmtcore.checks import in_range, integer
from rmtcore.network import Network
from rmtcore.population import Population
from rmtcore.spectrum import Spectrum, spectrum

_ANGLES = np.linspace(0.0, np.pi, 1025)
_MOST_ATOMS = 4


@dataclass(frozen=True)
class MarchenkoPastur:
    """White noise of this variance: the law fitted to a bulk.

    Attributes
    ----------
    variance : of the entries.
    ratio : effective ratio p/n; correlated samples have less of them than they seem (ratio larger).
    edges : (left, right) of the bulk of W'W/n.
    ks : Kolmogorov-Smirnov distance between the bulk's eigenvalues and the law.
    """

    variance: float
    ratio: float
    edges: tuple[float, float]
    ks: float


@dataclass(frozen=True, eq=False)
class Generalised:
    """The generalised Marchenko-Pastur law: a population of a few atoms, seen through n samples.

    Attributes
    ----------
    network : the population and the number of samples, ready for every question of the chain.
    law : its spectrum (side "covariance", atom at zero included).
    ks : Kolmogorov-Smirnov distance between the bulk's eigenvalues, zeros included, and the law.
    """

    network: Network
    law: Spectrum
    ks: float

    @property
    def atoms(self) -> Array:
        """Population eigenvalues, ascending."""
        return self.network.population.eigenvalues

    @property
    def weights(self) -> Array:
        """Share of every atom; they sum to 1."""
        return self.network.population.counts / self.network.population.dim


def marchenko_pastur_angles(ratio: float) -> tuple[Array, Array]:
    """Points x and distribution function there of the law of unit variance for a ratio in (0, 1].

    With x = 1 + r - 2 sqrt(r) cos t the law is (2/pi) sin(t)^2 / x dt: smooth, so that the trapezoid rule is exact
    to many digits.
    """
    x = 1.0 + ratio - 2.0 * np.sqrt(ratio) * np.cos(_ANGLES)
    with np.errstate(invalid="ignore", divide="ignore"):
        density = np.where(x > 0, np.sin(_ANGLES) ** 2 / x, 1.0) * (2.0 / np.pi)
    steps = 0.5 * (density[1:] + density[:-1]) * (_ANGLES[1] - _ANGLES[0])
    mass = np.concatenate([[0.0], np.cumsum(steps)])
    return x, mass / mass[-1]


def quantiles(ratio: float, count: int) -> Array:
    """Places (i - 1/2)/count of the distribution function, (count,), for a ratio in (0, 1]."""
    _, mass = marchenko_pastur_angles(ratio)
    angles = np.interp((np.arange(count) + 0.5) / count, mass, _ANGLES)
    return 1.0 + ratio - 2.0 * np.sqrt(ratio) * np.cos(angles)


def distance(bulk: Array, variance: float, ratio: float) -> float:
    """Kolmogorov-Smirnov distance of ascending eigenvalues, over the larger side, to the law; 1 at variance 0."""
    if variance == 0.0:
        return 1.0
    cosine = np.clip((1.0 + ratio - bulk / variance) / (2.0 * np.sqrt(ratio)), -1.0, 1.0)
    predicted = np.interp(np.arccos(cosine), _ANGLES, marchenko_pastur_angles(ratio)[1])
    steps = np.arange(bulk.size + 1) / bulk.size
    return float(max(np.max(steps[1:] - predicted), np.max(predicted - steps[:-1])))


def _bulk(y: Array, n: int, p: int, outliers: int) -> Array:
    """The eigenvalues without the outliers, once all four are checked."""
    values = in_range("y", y, low=0.0)
    size = min(integer("n", n, low=2), integer("p", p, low=2))
    if values.shape != (size,) or np.any(np.diff(values) < 0):
        raise ValueError(
            f"The 'y' parameter must hold {size} eigenvalues, ascending. Got shape {values.shape} instead."
        )
    if integer("outliers", outliers, low=0) > size - 2:
        raise ValueError(f"The 'outliers' parameter must be in the range [0, {size - 2}]. Got {outliers!r} instead.")
    return values[: size - outliers]


def fit_marchenko_pastur(y: Array, n: int, p: int, outliers: int = 0, ratio: float | None = None) -> MarchenkoPastur:
    """Variance and effective ratio by least squares between singular values and quantiles.

    Parameters
    ----------
    y : (min(n, p),) eigenvalues >= 0, ascending.
    outliers : how many of the largest are left out.
    ratio : p/n where it is not to be fitted.

    Raises
    ------
    ValueError : y of another length, negative or not ascending; outliers that leave fewer than two; ratio <= 0.
    """
    small, large = min(n, p), max(n, p)
    bulk = _bulk(y, n, p, outliers) * (n / large)
    roots = np.sqrt(bulk)

    def scale(r: float) -> tuple[float, Array]:
        expected = np.sqrt(quantiles(r, bulk.size))
        return float(roots @ expected / (expected @ expected)), expected

    def misfit(r: float) -> float:
        factor, expected = scale(r)
        return float(np.sum((roots - factor * expected) ** 2))

    if ratio is None:
        r = float(minimize_scalar(misfit, bounds=(1e-4 * small / large, 1.0), options={"xatol": 1e-4}).x)
    else:
        r = float(in_range("ratio", ratio, low=0.0, strict=True))
        r = min(r, 1.0 / r)
    variance = scale(r)[0] ** 2
    edges = variance * (1.0 - np.sqrt(r)) ** 2 * large / n, variance * (1.0 + np.sqrt(r)) ** 2 * large / n
    return MarchenkoPastur(
        variance, r if p <= n else 1.0 / r, (float(edges[0]), float(edges[1])), distance(bulk, variance, r)
    )


def fit_atoms(y: Array, n: int, p: int, outliers: int = 0, enough: float = 0.0) -> Generalised:
    """A population of as few atoms as bring the distance below `enough`, at most four.

    At a point z off the axis the chain says sum_k m_k s_k / (s_k + kappa) = n (1 + z / kappa), kappa = 1/m~(z), where
    m~ is the Stieltjes transform of the Gram matrix WW'/n: linear in the counts m_k. Non-negative least squares over
    many places s_k (El Karoui, Ann. Statist. 36, 2008) finds where the mass is; a few atoms are then fitted to the
    same equations. Nothing is iterated over densities.

    Parameters
    ----------
    y, n, p, outliers : as in `fit_marchenko_pastur`; exact zeros of y count as an atom of the population at zero.
    enough : distance from which no further atom is tried; 0 tries all four.

    Raises
    ------
    ValueError : as in `fit_marchenko_pastur`, or nothing but zeros under the outliers.
    """
    bulk = _bulk(y, n, p, outliers)
    zeros = int(np.sum(bulk == 0))
    if zeros == bulk.size:
        raise ValueError("The 'y' parameter must have an eigenvalue > 0 under the outliers. Got only zeros instead.")
    bulk, dim = bulk[zeros:], p - outliers - zeros
    kappa, target = _equations(bulk, n)
    start = _places(bulk, kappa, target, dim)
    found: list[Generalised] = []
    for count in range(1, _MOST_ATOMS + 1):
        places, counts = _merge(*start, count)
        places, counts = _refine(places, counts, kappa, target, dim)
        found.append(_judge(places, counts, bulk, n, dim, zeros))
        if found[-1].ks <= enough or places.size < count:
            break
    return min(found, key=lambda one: one.ks) if found[-1].ks > enough else found[-1]


def _equations(bulk: Array, n: int) -> tuple[Array, Array]:
    """kappa (J,) at points above the bulk, and what sum m s/(s + kappa) must be there."""
    at = np.quantile(bulk, np.linspace(0.02, 1.0, 30))
    at = np.maximum(at, 1e-3 * bulk.mean())
    z = np.concatenate([at * (1.0 + 0.4j), [-0.1 * at[0], -at[15], -10.0 * at[-1]]])
    # (n - N) eigenvalues of the Gram matrix are zero; summed apart, so that 1 + z m~ keeps its digits
    inner = np.mean(bulk / (bulk - z[:, None]), axis=1) * bulk.size / n  # = 1 + z m~
    kappa = z / (inner - 1.0)
    return kappa, n * inner


def _system(places: Array, kappa: Array, target: Array, dim: int) -> tuple[Array, Array]:
    """Rows of a real linear system for the counts; the last one asks for `dim` in all."""
    ratio = places / (places + kappa[:, None])
    weight = 3.0  # the total is exact, the others carry noise of order one
    rows = np.concatenate([ratio.real, ratio.imag, weight * np.ones((1, places.size))])
    return rows, np.concatenate([target.real, target.imag, [weight * dim]])


def _places(bulk: Array, kappa: Array, target: Array, dim: int) -> tuple[Array, Array]:
    low = max(bulk[0], 1e-3 * bulk.mean())
    places = np.geomspace(0.3 * low, 1.2 * bulk[-1], 80)
    counts, _ = nnls(*_system(places, kappa, target, dim))
    keep = counts > 0
    return places[keep], counts[keep]


def _merge(places: Array, counts: Array, count: int) -> tuple[Array, Array]:
    """Neighbours joined, those first that cost least (Ward), until `count` are left."""
    logs, masses = np.log(places), counts.copy()
    while logs.size > count:
        cost = np.diff(logs) ** 2 * masses[1:] * masses[:-1] / (masses[1:] + masses[:-1])
        at = int(np.argmin(cost))
        total = masses[at] + masses[at + 1]
        logs[at] = (masses[at] * logs[at] + masses[at + 1] * logs[at + 1]) / total
        masses[at] = total
        logs, masses = np.delete(logs, at + 1), np.delete(masses, at + 1)
    return np.exp(logs), masses


def _refine(places: Array, counts: Array, kappa: Array, target: Array, dim: int) -> tuple[Array, Array]:
    """Least squares on the same equations in log s and log m."""
    size = places.size

    def residual(x: Array) -> Array:
        rows, right = _system(np.exp(x[:size]), kappa, target, dim)
        return rows @ np.exp(x[size:]) - right

    def jacobian(x: Array) -> Array:
        s, m = np.exp(x[:size]), np.exp(x[size:])
        slope = s * kappa[:, None] / (s + kappa[:, None]) ** 2
        by_place = np.concatenate([slope.real, slope.imag, np.zeros((1, size))])
        return np.concatenate([by_place * m, _system(s, kappa, target, dim)[0] * m], axis=1)

    start = np.concatenate([np.log(places), np.log(np.maximum(counts, 1e-3))])
    width = np.concatenate([np.full(size, 3.0), np.full(size, 8.0)])
    found = least_squares(residual, start, jacobian, bounds=(start - width, start + width), max_nfev=60).x
    order = np.argsort(found[:size])
    return np.exp(found[:size])[order], np.exp(found[size:])[order]


def _judge(places: Array, counts: Array, bulk: Array, n: int, dim: int, zeros: int) -> Generalised:
    counts = counts / counts.sum() * dim
    if zeros:
        places, counts = np.append(places, 0.0), np.append(counts, zeros)
    network = Network(Population.atoms(places, counts, dim + zeros), samples=n)
    law = spectrum(network)
    everything = np.concatenate([np.zeros(dim + zeros - bulk.size), bulk])
    return Generalised(network, law, kolmogorov_smirnov(everything, law))
