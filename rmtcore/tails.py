"""A power law fitted to the tail of a sample: where it starts, its exponent, and whether it is one.

After Clauset, Shalizi and Newman (SIAM Review 51, 2009): maximum likelihood above every possible start, the start
with the smallest Kolmogorov-Smirnov distance, a semi-parametric bootstrap for the goodness of fit, and a likelihood
ratio (Vuong, 1989) against the exponential tail. Their p-value takes the values as independent. Eigenvalues of one
matrix repel each other and follow their law more closely than independent draws would: the p-value is generous, a
small one counts, a large one only means that nothing speaks against a power law.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy.stats import norm

from rmtcore.chain import Array
from rmtcore.checks import in_range, integer
from rmtcore.compiled import kernel
from rmtcore.experiment import spawn_streams

_STARTS = 100  # at most so many starts are tried
_FEWEST = 10  # values that a tail needs


class PowerLaw(NamedTuple):
    """Density proportional to x^-alpha for x >= start.

    Attributes
    ----------
    alpha, error : exponent and its standard error.
    start, end : the window: from the start of the tail to the largest value.
    size : values in it.
    ks : Kolmogorov-Smirnov distance between them and the law.
    p_value : share of synthetic samples that fit worse; nan without bootstrap.
    against_exponential : normalised log-likelihood ratio; > 0 speaks for the power law.
    against_p : two-sided p-value of that ratio.
    """

    alpha: float
    error: float
    start: float
    end: float
    size: int
    ks: float
    p_value: float
    against_exponential: float
    against_p: float


@kernel
def _scan(logs, starts):
    """Best start among `starts` (indices into the ascending logs): index, mean excess, distance."""
    best, best_mean, best_ks = -1, 0.0, np.inf
    size = logs.size
    above, at = 0.0, size
    for j in range(starts.size - 1, -1, -1):
        first = starts[j]
        while at > first:
            at -= 1
            above += logs[at]
        count = size - first
        mean = above / count - logs[first]
        if mean <= 1e-12:  # equal but for rounding: no tail
            continue
        ks = 0.0
        for i in range(count):
            predicted = -np.expm1(-(logs[first + i] - logs[first]) / mean)
            ks = max(ks, (i + 1.0) / count - predicted, predicted - i / count)
            if ks >= best_ks:
                break
        if ks < best_ks:
            best, best_mean, best_ks = first, mean, ks
    return best, best_mean, best_ks


def _starts(size: int) -> np.ndarray:
    return np.unique(np.linspace(0, size - _FEWEST, min(_STARTS, size - _FEWEST + 1)).astype(np.int64))


def fit_power_law(values: ArrayLike, bootstrap: int = 100, seed: int = 0) -> PowerLaw:
    """The power law that fits the tail of a sample best.

    Parameters
    ----------
    values : at least 20 numbers > 0, any order, not all the same.
    bootstrap : synthetic samples for the p-value, whose error is at most 0.5/sqrt(bootstrap); 0 for none.

    Raises
    ------
    ValueError : fewer values, one that is not finite and > 0, or no variation.
    """
    x = np.sort(in_range("values", values, low=0.0, strict=True).ravel())
    bootstrap = integer("bootstrap", bootstrap, low=0)
    if x.size < 2 * _FEWEST:
        raise ValueError(f"The 'values' parameter must hold at least {2 * _FEWEST} values. Got {x.size} instead.")
    logs, starts = np.log(x), _starts(x.size)
    first, mean, ks = _scan(logs, starts)
    if first < 0:
        raise ValueError("The 'values' parameter must vary. Got one value instead.")
    count = x.size - first
    p_value = float("nan")
    if bootstrap:
        (rng,) = spawn_streams(seed, 1)
        worse = [_scan(_synthetic(logs, first, mean, rng), starts)[2] >= ks for _ in range(bootstrap)]
        p_value = float(np.mean(worse))
    ratio, against = _versus_exponential(x[first:], mean)
    return PowerLaw(
        1.0 + 1.0 / mean,
        1.0 / (mean * np.sqrt(count)),
        float(x[first]),
        float(x[-1]),
        count,
        ks,
        p_value,
        ratio,
        against,
    )


def _synthetic(logs: Array, first: int, mean: float, rng: Generator) -> Array:
    """A sample (logarithms, ascending): below the start drawn from the data, above it from the law."""
    below = int(rng.binomial(logs.size, first / logs.size))
    tail = logs[first] + mean * rng.standard_exponential(logs.size - below)
    body = logs[rng.integers(0, max(first, 1), below)]
    return np.sort(np.concatenate([body, tail]))


def _versus_exponential(tail: Array, mean: float) -> tuple[float, float]:
    """Vuong's statistic between the power law and the exponential law from the same start, and its p-value."""
    scale = float(np.mean(tail - tail[0]))
    power = -np.log(tail[0] * mean) - (1.0 + 1.0 / mean) * np.log(tail / tail[0])
    exponential = -np.log(scale) - (tail - tail[0]) / scale
    gain = power - exponential
    spread = float(gain.std())
    if spread == 0.0:
        return 0.0, 1.0
    ratio = float(gain.sum() / (spread * np.sqrt(tail.size)))
    return ratio, float(2.0 * norm.sf(abs(ratio)))
