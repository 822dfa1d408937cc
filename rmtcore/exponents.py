"""Exponents of power laws: local slopes of a curve, fits with their window and error, and what the map predicts.

>>> from rmtcore.exponents import fit_exponent, predicted_exponents
>>> fit_exponent([1, 2, 4, 8, 16, 32], [1, 0.5, 0.25, 0.125, 0.0625, 0.03125]).slope
-1.0
>>> predicted_exponents(alpha=1.5, source=0.8).samples
-2.4000000000000004
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rmtcore.checks import in_range

Array = NDArray[np.float64]

_FEWEST = 5  # points of a fit


def local_slopes(x: ArrayLike, y: ArrayLike) -> Array:
    """d log y / d log x along the last axis, (..., k); nan beside values that are not positive and finite.

    Raises
    ------
    ValueError : x not positive, fewer than 2 points, or lengths that differ.
    """
    log_x, log_y = _logarithms(x, y, 2)
    return np.asarray(np.gradient(log_y, log_x, axis=-1))


def _logarithms(x: ArrayLike, y: ArrayLike, fewest: int) -> tuple[Array, Array]:
    abscissa, values = in_range("x", x, low=0.0, strict=True), np.asarray(y, dtype=float)
    if abscissa.ndim != 1 or values.shape[-1:] != abscissa.shape or abscissa.size < fewest:
        raise ValueError(
            f"The 'x' and 'y' parameters must have the same length, at least {fewest}. "
            f"Got shapes {abscissa.shape} and {values.shape} instead."
        )
    usable = (values > 0) & (values < np.inf)
    return np.log(abscissa), np.log(np.where(usable, values, np.nan))


class Exponent(NamedTuple):
    """A power law y = prefactor * x^slope, fitted on a window.

    Attributes
    ----------
    slope, prefactor : least squares of log y on log x.
    error : the larger of the slope's standard error, which measures scatter, and half the difference between
        the slopes of the window's two halves, which measures bending and does not shrink with more points.
    window : first and last x of the fit.
    """

    slope: float
    prefactor: float
    error: float
    window: tuple[float, float]


def fit_exponent(
    x: ArrayLike, y: ArrayLike, window: tuple[float, float] | None = None, share: float = 1 / 3
) -> Exponent:
    """Exponent of a curve on a window, by default on its straightest part.

    Parameters
    ----------
    x, y : (k,) ascending x; points where y is not positive and finite are left out.
    window : lowest and highest x. None: of all windows over at least `share` of the range of log x, the one
        whose slope has the smallest error (`Exponent.error`). A plateau is straight too: where the curve has
        one, give the window.

    Raises
    ------
    ValueError : x not positive and ascending, share not in (0, 1], or fewer than 5 usable points.
    """
    share = float(in_range("share", share, low=0.0, high=1.0))
    log_x, log_y = _logarithms(x, y, 1)
    if np.any(np.diff(log_x) <= 0):
        raise ValueError("The 'x' parameter must be ascending.")
    low, high = (log_x[0], log_x[-1]) if window is None else np.log(in_range("window", window, low=0.0, strict=True))
    keep = np.isfinite(log_y) & (log_x >= low - 1e-12) & (log_x <= high + 1e-12)
    if keep.sum() < _FEWEST:
        raise ValueError(f"A fit needs at least {_FEWEST} points with y > 0. Got {keep.sum()} in the window instead.")
    log_x, log_y = log_x[keep], log_y[keep]
    first, last = np.triu_indices(log_x.size, _FEWEST - 1)
    if window is not None:
        first, last = np.array([0]), np.array([log_x.size - 1])
    else:
        wide = log_x[last] - log_x[first] >= share * (log_x[-1] - log_x[0]) - 1e-12
        first, last = first[wide], last[wide]
    slope, scatter, offset = _lines(log_x, log_y, first, last)
    middle = (first + last) // 2
    bend = 0.5 * np.abs(_lines(log_x, log_y, middle, last)[0] - _lines(log_x, log_y, first, middle)[0])
    error = np.maximum(scatter, bend)
    # Where rounding alone decides, the longest window is best.
    best = np.lexsort((first - last, np.maximum(error, 1e-6)))[0]
    ends = (float(np.exp(log_x[first[best]])), float(np.exp(log_x[last[best]])))
    return Exponent(float(slope[best]), float(np.exp(offset[best])), float(error[best]), ends)


def _lines(x: Array, y: Array, first: NDArray[np.intp], last: NDArray[np.intp]) -> tuple[Array, Array, Array]:
    """Least squares lines on many windows at once: slope, its standard error, and intercept."""
    centre_x, centre_y = x.mean(), y.mean()
    x, y = x - centre_x, y - centre_y
    sums = np.cumsum([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    sums = np.concatenate([np.zeros((6, 1)), sums], axis=1)
    count, sx, sy, sxx, sxy, syy = sums[:, last + 1] - sums[:, first]
    spread = sxx - sx * sx / count
    slope = (sxy - sx * sy / count) / spread
    left = np.maximum(syy - sy * sy / count - slope**2 * spread, 0.0)
    offset = centre_y + (sy - slope * sx) / count - slope * centre_x
    return slope, np.sqrt(left / np.maximum(count - 2.0, 1.0) / spread), offset


class PredictedExponents(NamedTuple):
    """Exponents of a power-law population, of noiseless ridgeless errors where nothing else is said.

    Attributes
    ----------
    samples : test error in n; linear model, or width much larger than n (resolution-limited).
    width : test and training error in the width d of random features, n much larger (resolution-limited).
        Linear layers of equal width: any depth.
    nonlinear_width : the same where mu*^2 > 0, once the features' own noise is what limits them: it acts as a
        ridge ~ 1/d. Any depth, the more slowly reached the deeper.
    variance : distance to the limit of infinite n, or d, at fixed d, or n (variance-limited).
    time : test and training error in the time of gradient flow, n much larger.
    ridge : test error in lambda, n much larger.
    train_samples, train_samples_noise : training error of the linear model in n, at a small fixed ridge, from
        the signal and from the label noise (it is lambda^2 times these powers, until kappa falls to lambda).
    threshold : ridgeless training error in 1 - d/n as d comes up to n, and of a linear model with label noise in
        1 - p/n; any depth, any activation.
    frontier, frontier_samples : least test error, and best n, of random features in the budget n d.
    timed_frontier : least test error in the budget n d x gradient steps; nan for r > 1.
    """

    samples: float
    width: float
    nonlinear_width: float
    variance: float
    time: float
    ridge: float
    train_samples: float
    train_samples_noise: float
    threshold: float
    frontier: float
    frontier_samples: float
    timed_frontier: float


def predicted_exponents(alpha: float, source: float) -> PredictedExponents:
    """Exponents that follow from the map for capacity alpha > 1 and source r > 0.

    n samples alone leave kappa_0 ~ n^-alpha, random features alone kappa_0 ~ d^-alpha, a time kappa_0 ~ 1/t.
    Sampling costs sum v s (kappa/(s + kappa))^2 ~ kappa^(2 min(r, 1)), the width sum v s kappa/(s + kappa) ~
    kappa^min(2r, 1), and that times n/d where n < d. A budget is best spent where these are equal, but that n
    and d grow together where r <= 1/2 or (without time) alpha >= 2.

    Raises
    ------
    ValueError : alpha <= 1 (tr C grows with the dimension, and no power of n alone is left) or source <= 0.
    """
    alpha = float(in_range("alpha", alpha, low=1.0, high=np.inf, strict=True))
    source = float(in_range("source", source, low=0.0, high=np.inf, strict=True))
    sampling, features = 2.0 * min(source, 1.0), min(2.0 * source, 1.0)
    best = 1.0 / (2.0 + alpha * (sampling - 1.0)) if source > 0.5 and alpha < 2.0 else 0.5
    return PredictedExponents(
        samples=-alpha * sampling,
        width=-alpha * features,
        nonlinear_width=-features,
        variance=-1.0,
        time=-2.0 * source,
        ridge=sampling,
        train_samples=alpha * (2.0 - sampling),
        train_samples_noise=2.0 * alpha,
        threshold=1.0,
        frontier=-best * alpha * (sampling if best < 0.5 else features),
        frontier_samples=best,
        timed_frontier=_timed(alpha, source),
    )


def _timed(alpha: float, source: float) -> float:
    """n ~ t^(1/alpha) and d ~ n, but d ~ t^(2r - 1) n for r > 1/2; the error is t^(-2r)."""
    if source > 1.0:
        return float("nan")
    return -2.0 * source / (1.0 + 2.0 / alpha + max(2.0 * source - 1.0, 0.0))
