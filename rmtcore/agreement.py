"""How well experiment and equivalent agree: one number each for spectra, and z-scores for averages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rmtcore.checks import finite
from rmtcore.experiment import Draw, Entries, Reading, draws
from rmtcore.network import Network
from rmtcore.spectrum import Spectrum, spectrum


class ZScore(NamedTuple):
    """A Monte-Carlo mean against a prediction.

    mean and standard_error of the repetitions, predicted value, z = (mean - predicted) / standard_error.
    """

    mean: float
    standard_error: float
    predicted: float
    z: float


def cdf(law: Spectrum, x: ArrayLike) -> NDArray[np.float64]:
    """Distribution function of the law at x (any shape), its atom included."""
    points = np.asarray(x, float)
    if law.atom_at > law.grid[-1]:
        inside = np.interp(points, law.grid, law.cdf, right=1.0 - law.atom)
        return np.where(points < law.atom_at, inside, 1.0)
    inside = np.interp(points, law.grid, law.cdf, left=law.atom, right=1.0)
    return np.where((points < law.atom_at) & (points < law.grid[0]), 0.0, inside)


def kolmogorov_smirnov(eigenvalues: ArrayLike, law: Spectrum) -> float:
    """Largest distance between the empirical distribution function and the law's, the atom included.

    Parameters
    ----------
    eigenvalues : (N,) all eigenvalues of the matrix, exact zeros included (several draws may be pooled).

    Raises
    ------
    ValueError : no eigenvalues, or one that is not finite.
    """
    values = _sorted(eigenvalues)
    distinct, first = np.unique(values, return_index=True)
    below = first / values.size
    upto = np.append(first[1:], values.size) / values.size
    predicted = cdf(law, distinct)
    # An atom jumps in both functions at once: compare left limits with left limits.
    left = np.where(distinct == law.atom_at, predicted - law.atom, predicted)
    return float(max(np.max(np.abs(upto - predicted)), np.max(np.abs(below - left))))


def wasserstein1(eigenvalues: ArrayLike, law: Spectrum) -> float:
    """Area between the two distribution functions (Wasserstein-1 distance), in units of the eigenvalues.

    Raises
    ------
    ValueError : no eigenvalues, or one that is not finite.
    """
    values = _sorted(eigenvalues)
    knots = np.union1d(np.concatenate([values, law.grid]), [law.atom_at])
    empirical = np.searchsorted(values, knots[:-1], side="right") / values.size
    # Between knots the empirical function is constant and the law's nearly straight.
    left, right = cdf(law, knots[:-1]) - empirical, cdf(law, knots[1:]) - empirical
    right = np.where(knots[1:] == law.atom_at, right - law.atom, right)
    crosses = left * right < 0
    spread = np.abs(left) + np.abs(right)
    with np.errstate(divide="ignore", invalid="ignore"):
        area = np.where(crosses, (left**2 + right**2) / (2.0 * spread), 0.5 * spread)
    return float(np.nansum(area * np.diff(knots)))


def z_score(samples: ArrayLike, predicted: float) -> ZScore:
    """The mean of independent repetitions against its prediction, in standard errors.

    Raises
    ------
    ValueError : fewer than two samples, or one that is not finite.
    """
    values = finite("samples", samples).ravel()
    if values.size < 2:
        raise ValueError(f"The 'samples' parameter must hold at least 2 values. Got {values.size} instead.")
    mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))
    gap = mean - predicted
    z = gap / error if error > 0 else (0.0 if gap == 0 else float(np.copysign(np.inf, gap)))
    return ZScore(mean, error, float(predicted), z)


def _sorted(eigenvalues: ArrayLike) -> NDArray[np.float64]:
    values = np.sort(finite("eigenvalues", eigenvalues).ravel())
    if values.size == 0:
        raise ValueError("The 'eigenvalues' parameter must hold at least 1 value. Got none instead.")
    return values


@dataclass(frozen=True, eq=False)
class Observation:
    """Several draws of one reading against the limiting law of the feature covariance.

    Attributes
    ----------
    shape : (d, n) of the feature matrix F.
    eigenvalues : (R min(d, n),) those of all R draws, ascending.
    mean, largest : (R,) mean eigenvalue of FF'/n, and the largest one.
    outliers, overlap, score_overlap : (R, K) as in `Draw`.
    ks, w1 : (R,) distances of every draw to the law (side "covariance").
    seconds : time taken by all draws.
    """

    shape: tuple[int, int]
    eigenvalues: NDArray[np.float64]
    mean: NDArray[np.float64]
    largest: NDArray[np.float64]
    outliers: NDArray[np.float64]
    overlap: NDArray[np.float64]
    score_overlap: NDArray[np.float64]
    ks: NDArray[np.float64]
    w1: NDArray[np.float64]
    seconds: float


def observe(
    network: Network,
    seed: int,
    count: int,
    readings: tuple[Reading, ...] = ("actual", "linear"),
    entries: Entries = "gaussian",
    dof: float = 5.0,
) -> dict[Reading, Observation]:
    """Draw `count` networks in each reading and hold their spectra against the deterministic one.

    Arguments and errors as in `draw`.
    """
    law = spectrum(network)
    return {
        reading: _observation(network, draws(network, seed, count, reading, entries, dof), law) for reading in readings
    }


def _observation(network: Network, found: list[Draw], law: Spectrum) -> Observation:
    spectra = [one.all_eigenvalues() for one in found]
    return Observation(
        (network.feature_dim, network.samples),
        np.sort(np.concatenate([one.eigenvalues for one in found])),
        np.array([values.mean() for values in spectra]),
        np.array([values[-1] for values in spectra]),
        np.stack([one.outliers for one in found]),
        np.stack([one.overlap for one in found]),
        np.stack([one.score_overlap for one in found]),
        np.array([kolmogorov_smirnov(values, law) for values in spectra]),
        np.array([wasserstein1(values, law) for values in spectra]),
        sum(one.seconds for one in found),
    )
