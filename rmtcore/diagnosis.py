"""A matrix taken apart: its spectrum against Marchenko and Pastur, spikes, tail, and a verdict with its evidence.

    >>> import numpy as np
    >>> from rmtcore import diagnose
    >>> noise = np.random.default_rng(0).standard_normal((300, 150))
    >>> diagnose(noise).verdict
    'bulk'

The verdicts are those of Martin and Mahoney (JMLR 22, 2021), each decided by a number with a stated bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigvalsh

from rmtcore.chain import Array
from rmtcore.checks import finite, in_range, integer
from rmtcore.experiment import spawn_streams
from rmtcore.fitting import Generalised, MarchenkoPastur, fit_atoms, fit_marchenko_pastur
from rmtcore.lanczos import estimate_eigenvalues, estimate_error
from rmtcore.network import Network
from rmtcore.population import Population
from rmtcore.spikes import Edge, Kind, Spike, chain_edge, count_spikes, describe_spikes, noise_variance, white_edge
from rmtcore.tails import PowerLaw, fit_power_law
from rmtcore.tracy_widom import tracy_widom_quantile

Verdict = Literal["bulk", "bulk + spikes", "bulk bleeding out", "heavy tail"]
Model = Literal["white", "generalised"]

_SMALLEST = 20  # smaller side from which there is a spectrum to speak of
_HEAVIEST, _SPAN, _PLAUSIBLE = 6.0, 3.0, 0.1  # largest exponent, shortest window (a ratio), smallest p-value of a tail
_RARE = 2  # eigenvalues that an atom of the bulk must exceed
_FAINTEST = 1e-25


class Distances(NamedTuple):
    """Kolmogorov-Smirnov distances of the eigenvalues without spikes.

    Attributes
    ----------
    white : to the law of white noise at the ratio of the matrix.
    effective : to the law of white noise at the fitted ratio.
    generalised : to the generalised law.
    permuted : between all eigenvalues and those of the same entries in random order.
    allowed : what white noise of this size stays below (99 % of draws and more); more where it is estimated.
    """

    white: float
    effective: float
    generalised: float
    permuted: float
    allowed: float


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What is known about one matrix W (rows, columns); all eigenvalues are those of W'W/rows.

    Data are centred first, so that rows is one less than the matrix has.

    Attributes
    ----------
    kind, shape : as given.
    rows : the number that the eigenvalues are divided by.
    eigenvalues : (min(rows, columns),) ascending.  permuted : the same for the entries in random order.
    estimated : whether they are estimates (Lanczos), the largest 20 apart; dense otherwise.
    stable_rank : |W|_F^2 / |W|^2.  effective_rank : exp of the entropy of the eigenvalues' shares.
    white : Marchenko-Pastur at the ratio of the matrix.  effective : with fitted ratio.
    generalised : a few atoms.
    model : the law that the spikes are held against: white where it fits, else generalised.
    edge : its right edge.  spikes : what is significant above it, largest first.
    tail : power law fitted to the largest eigenvalues; None with fewer than 20 that are not zero,
        or all the same.
    distances : see `Distances`.
    verdict, evidence : in words.
    """

    kind: Kind
    shape: tuple[int, int]
    rows: int
    eigenvalues: Array
    permuted: Array
    estimated: bool
    stable_rank: float
    effective_rank: float
    white: MarchenkoPastur
    effective: MarchenkoPastur
    generalised: Generalised
    model: Model
    edge: Edge
    spikes: tuple[Spike, ...]
    tail: PowerLaw | None
    distances: Distances
    verdict: Verdict
    evidence: tuple[str, ...]


def diagnose(
    matrix: ArrayLike, kind: Kind = "data", level: float = 0.01, seed: int = 0, dense: int = 2500
) -> Diagnosis:
    """Spectrum, fits, spikes, tail and verdict of one matrix.

    Parameters
    ----------
    matrix : (rows, columns) finite, both sides at least 21. Of data the rows are the samples, and every column is
        centred; weights are taken as they are.
    kind : "data" or "weights"; it also says what a spike stands for (see `Spike`).
    level : chance that white noise shows a first spike, 1e-12 < level < 1.
    seed : of the permutation, the bootstrap and the estimate.
    dense : smaller side, >= 100, up to which every eigenvalue is computed; beyond, they are estimated.

    Eigenvalues below 1e-13 of the largest are lost in rounding, and count as zero.

    Raises
    ------
    ValueError : an argument out of its range, or a matrix (of centred data) that is all zero.
    """
    if kind not in get_args(Kind):
        raise ValueError(f"The 'kind' parameter must be 'data' or 'weights'. Got {kind!r} instead.")
    level = float(in_range("level", level, low=1e-12, high=1.0 - 1e-12, strict=True))
    dense = integer("dense", dense, low=100)
    table, unit = _scaled(_checked(matrix), kind)
    n, p = table.shape[0] - (kind == "data"), table.shape[1]
    estimated = min(n, p) > dense
    y, permuted = (unit**2 * values for values in _spectra(table, n, p, seed, estimated))
    allowed = allowed_distance(y.size) + (estimate_error(y.size) if estimated else 0.0)
    white = _white(y, n, p, level)
    effective = fit_marchenko_pastur(y, n, p, white.spikes)
    fits = white.law.ks <= allowed and white.spikes <= _most_spikes(y.size)
    other = _generalised(y, n, p, white.spikes if fits else 0, level, allowed)
    chosen: _White | _Other = white if fits else other
    chain = white.network(n).chain() if fits else other.law.network.chain()
    base = white.law.variance if fits else other.law.network.population.variance
    spikes = describe_spikes(y, chosen.spikes, chain, chosen.edge, kind, base)
    positive = y[y > 0]
    varies = positive.size >= _SMALLEST and positive[-1] > (1.0 + 1e-6) * positive[0]
    tail = fit_power_law(positive, seed=seed) if varies else None
    distances = Distances(white.law.ks, effective.ks, other.law.ks, _two_sample(y, permuted), allowed)
    share = positive / positive.sum()
    return Diagnosis(
        kind,
        (int(np.shape(matrix)[0]), p),
        n,
        y,
        permuted,
        estimated,
        float(y.sum() / y[-1]),
        float(np.exp(-share @ np.log(share))),
        white.law,
        effective,
        other.law,
        "white" if fits else "generalised",
        chosen.edge,
        spikes,
        tail,
        distances,
        _verdict(fits, spikes, tail, distances),
        _evidence(y, p / n, chosen, white, spikes, tail, distances),
    )


def allowed_distance(count: int) -> float:
    """Kolmogorov-Smirnov distance to its own law that the spectrum of `count` eigenvalues of white noise stays below.

    Eigenvalues repel: the distance falls like log(N)/N (Gustavsson, 2005), not like 1/sqrt(N). The constants were
    measured on Gaussian noise of 50 to 1000 eigenvalues at ratios of 0.1 to 1, where more than 99 % stay below.
    """
    return float((1.5 + 0.45 * np.log(count)) / count)


def _most_spikes(size: int) -> int:
    """So many of the eigenvalues may stand above a bulk; more of them are a part of it."""
    return min(max(10, size // 10), size // 4)  # never all of them


class _White(NamedTuple):
    law: MarchenkoPastur
    spikes: int
    edge: Edge
    dim: int

    def network(self, n: int) -> Network:
        return Network(Population.atoms([self.law.variance], [1.0], self.dim), samples=n)


class _Other(NamedTuple):
    law: Generalised
    spikes: int
    edge: Edge


def _checked(matrix: ArrayLike) -> Array:
    table = finite("matrix", matrix)
    if table.ndim != 2 or min(table.shape) < _SMALLEST + 1:
        raise ValueError(
            f"The 'matrix' parameter must have two sides of at least {_SMALLEST + 1}. Got shape {table.shape} instead."
        )
    return table


def _scaled(table: Array, kind: Kind) -> tuple[Array, float]:
    """The matrix with mean square 1, centred where it holds data, and the factor that was taken out."""
    largest = float(np.max(np.abs(table)))
    if largest > 0:
        table = table / largest
        if kind == "data":
            table -= table.mean(axis=0)
        size = float(np.sqrt(np.mean(table**2)))
        # what centring leaves of a constant is rounding
        if size > 1e-14:
            unit = largest * size
            if _FAINTEST < unit < 1.0 / _FAINTEST:
                return table / size, unit
            raise ValueError(
                f"The 'matrix' parameter must have entries of a size between {_FAINTEST:g} and {1 / _FAINTEST:g}. "
                f"Got a root mean square of {unit:g} instead."
            )
    varies = "vary from row to row" if kind == "data" else "hold more than zeros"
    raise ValueError(f"The 'matrix' parameter must {varies}. Got {table.shape[0]} equal rows instead.")


def _spectra(table: Array, n: int, p: int, seed: int, estimated: bool) -> tuple[Array, Array]:
    """Eigenvalues of the matrix, and of its entries in random order (single precision is enough for those)."""
    order, here, there = spawn_streams(seed, 3)
    shuffled = table.astype(np.float32).ravel()
    order.shuffle(shuffled)
    return (
        _eigenvalues(table, n, p, here, estimated),
        _eigenvalues(shuffled.reshape(table.shape), n, p, there, estimated),
    )


def _eigenvalues(table: NDArray[Any], n: int, p: int, rng: Generator, estimated: bool) -> Array:
    """The min(n, p) eigenvalues of W'W/n, ascending, from the Gram matrix of the smaller side."""
    if estimated:
        return estimate_eigenvalues(table, rng)[-min(n, p) :] / n
    small = table.T @ table if p <= table.shape[0] else table @ table.T
    values = eigvalsh(small, overwrite_a=True, check_finite=False)[-min(n, p) :].astype(float) / n
    noise = (1e-13 if table.dtype == np.float64 else 1e-6) * values[-1]
    return np.where(values < noise, 0.0, values)


def _white(y: Array, n: int, p: int, level: float) -> _White:
    """Marchenko-Pastur at the ratio of the matrix, under what stands above it."""
    count = count_spikes(y, n, p, level)
    variance = noise_variance(y, n, p, count)
    edge = white_edge(n, p - count, variance)
    law = fit_marchenko_pastur(y, n, p, count, ratio=(p - count) / (n - count))
    return _White(law, count, edge, p - count)


def _generalised(y: Array, n: int, p: int, spikes: int, level: float, enough: float) -> _Other:
    """A few atoms, without those that stand for one or two eigenvalues, and what stands above their bulk."""
    bar = tracy_widom_quantile(level)
    rank = int(np.sum(y > 0))
    most = min(_most_spikes(rank), rank - 1)  # something must be left to fit
    while True:
        law = fit_atoms(y, n, p, spikes, enough)
        edge = chain_edge(law.network.chain())
        rare = int(law.network.population.counts[-1]) if law.atoms.size > 1 else 0
        more = rare if 0 < rare <= _RARE else int(np.sum(y[: y.size - spikes] > edge.position + bar * edge.scale))
        if more == 0 or spikes + more > most:
            return _Other(law, spikes, edge)
        spikes += more


def _two_sample(one: Array, other: Array) -> float:
    """Largest distance between two empirical distribution functions of ascending values."""
    at = np.concatenate([one, other])
    gap = np.searchsorted(one, at, side="right") / one.size - np.searchsorted(other, at, side="right") / other.size
    return float(np.max(np.abs(gap)))


def _is_heavy(tail: PowerLaw | None) -> bool:
    return (
        tail is not None
        and tail.alpha <= _HEAVIEST
        and tail.end >= _SPAN * tail.start
        and tail.p_value >= _PLAUSIBLE
        and tail.against_exponential > 0
        and tail.against_p < _PLAUSIBLE
    )


def _verdict(fits: bool, spikes: tuple[Spike, ...], tail: PowerLaw | None, distances: Distances) -> Verdict:
    """White noise first, then a heavy tail, then a few atoms; what none of them explains bleeds out."""
    if not fits and _is_heavy(tail):
        return "heavy tail"
    if fits or distances.generalised <= distances.allowed:
        return "bulk + spikes" if spikes else "bulk"
    return "bulk bleeding out"


def _evidence(
    y: Array,
    ratio: float,
    chosen: _White | _Other,
    white: _White,
    spikes: tuple[Spike, ...],
    tail: PowerLaw | None,
    distances: Distances,
) -> tuple[str, ...]:
    d = distances
    word = "fits" if chosen is white else "does not fit"
    above = f" under the {white.spikes} largest" if white.spikes else ""
    lines = [
        f"White noise at the ratio {ratio:.3g} {word}{above}: distance {d.white:.3f}, up to {d.allowed:.3f} is chance; "
        f"with a fitted ratio {d.effective:.3f}."
    ]
    if isinstance(chosen, _Other):
        atoms = zip(chosen.law.atoms, chosen.law.weights, strict=True)
        parts = ", ".join(f"{weight:.0%} at {atom:.3g}" for atom, weight in atoms)
        word = "fits" if d.generalised <= d.allowed else "does not fit"
        lines.append(f"A population of a few atoms ({parts}) {word}: distance {d.generalised:.3f}.")
    if spikes:
        lines.append(
            f"{len(spikes)} of {y.size} eigenvalues stand above the bulk; the largest is {spikes[0].eigenvalue:.4g}, "
            f"the least significant has p = {spikes[-1].p_value:.2g}."
        )
    else:
        lines.append("No eigenvalue stands above the bulk.")
    if tail is not None:
        against = "better" if tail.against_exponential > 0 else "worse"
        lines.append(
            f"Tail from {tail.start:.3g} to {tail.end:.3g} ({tail.size} eigenvalues): exponent {tail.alpha:.2f} +- "
            f"{tail.error:.2f}, goodness of fit p = {tail.p_value:.2f}, {against} than an exponential tail "
            f"(p = {tail.against_p:.2g})."
        )
    lines.append(f"The same entries in random order have a spectrum at distance {d.permuted:.3f}.")
    return tuple(lines)
