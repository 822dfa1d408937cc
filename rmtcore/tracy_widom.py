"""The Tracy-Widom law of order one: where the largest eigenvalue of a real sample covariance falls.

Its distribution function is the Fredholm determinant det(1 - B_s) on L2(0, oo) of the kernel Ai(x + y + s)
(Ferrari and Spohn, J. Phys. A 38, 2005), computed by Gauss-Legendre quadrature, which converges exponentially
(Bornemann, Math. Comp. 79, 2010). The eigenvalues of B_s keep all digits of small tail probabilities.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import airy

from rmtcore.checks import finite, in_range

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(44)
_RELEVANT = 16.0  # Ai falls from 1 to 1e-20 on (0, 16)
_LOWEST, _HIGHEST = -10.0, 100.0  # below, the distribution function is 0 to 1e-19; above, the tail nearly underflows


def tracy_widom_cdf(s: ArrayLike) -> NDArray[np.float64]:
    """P(TW1 <= s), in the shape of s.

    Raises
    ------
    ValueError : s not finite.
    """
    return np.asarray(np.exp(_log_cdf(s)))


def tracy_widom_sf(s: ArrayLike) -> NDArray[np.float64]:
    """P(TW1 > s), in the shape of s, with small probabilities to relative precision; beyond 100 that at 100 (1e-292).

    Raises
    ------
    ValueError : s not finite.
    """
    return np.asarray(-np.expm1(_log_cdf(s)))


@cache
def tracy_widom_quantile(level: float) -> float:
    """The s that TW1 exceeds with probability `level`, 1e-12 < level < 1 - 1e-12.

    Raises
    ------
    ValueError : `level` outside this range.
    """
    level = float(in_range("level", level, low=1e-12, high=1.0 - 1e-12, strict=True))
    return float(brentq(lambda s: float(tracy_widom_sf(s)) - level, _LOWEST, 30.0, xtol=1e-12))


def _log_cdf(s: ArrayLike) -> NDArray[np.float64]:
    values = finite("s", s)
    return np.array([_log_determinant(value) for value in values.ravel()]).reshape(values.shape)


def _log_determinant(s: float) -> float:
    if s < _LOWEST:
        return -np.inf
    half = 0.5 * max(_RELEVANT - s, 4.0) if s < _RELEVANT else 2.0
    x, root = half * (1.0 + _NODES), np.sqrt(half * _WEIGHTS)
    kernel = root[:, None] * airy(np.add.outer(x, x) + min(s, _HIGHEST))[0] * root
    # The eigenvalues lie in (-1, 1); rounding must not take the largest out of it.
    return float(np.sum(np.log1p(-np.minimum(np.linalg.eigvalsh(kernel), 1.0 - 1e-16))))
