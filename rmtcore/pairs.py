"""Closed-form kernels E phi(u) phi(v) of a Gaussian pair with variances q1, q2 > 0 and correlation r.

Arguments are arrays that broadcast; -1 <= r <= 1. Sources: Williams (1997) for erf; Cho and Saul (2009) for the
piecewise powers; Louart, Liao and Couillet (2018), Table 1, for these and the sine, cosine and polynomials; the GELU
by two integrations by parts of the kernel of erf; the ternary function by Owen's (1956) function.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, owens_t

Array = NDArray[np.floating[Any]]


def _covariance(q1: Array, q2: Array, r: Array) -> Array:
    return np.asarray(np.sqrt(q1 * q2) * r)  # one root of the product: exactly q1 at q1 = q2, r = 1


def linear_pair(q1: Array, q2: Array, r: Array) -> Array:
    """phi(t) = t."""
    return _covariance(q1, q2, r)


def bent_pair(degree: int, left: float, q1: Array, q2: Array, r: Array) -> Array:
    """|t|^degree for t > 0 and left |t|^degree for t < 0, degree 0 or 1: even and odd part do not mix."""
    even, odd = 0.5 * (1.0 + left), 0.5 * (1.0 - left)
    arc = np.arcsin(r)
    if degree == 0:
        return even * even + odd * odd * (2.0 / math.pi) * arc + 0.0 * (q1 + q2)
    corner = (2.0 / math.pi) * (r * arc + np.sqrt((1.0 - r) * (1.0 + r)))
    return np.sqrt(q1 * q2) * (even * even * corner + odd * odd * r)


def erf_pair(q1: Array, q2: Array, r: Array) -> Array:
    """phi(t) = erf(t)."""
    size = np.sqrt(1.0 + 2.0 * q1) * np.sqrt(1.0 + 2.0 * q2)
    return 2.0 / math.pi * np.arcsin(2.0 * _covariance(q1, q2, r) / size)


def gelu_pair(q1: Array, q2: Array, r: Array) -> Array:
    """t Phi(t) = t/2 + t erf(t/sqrt 2)/2; the second, even part by Stein's lemma from the kernel of erf."""
    c, product = _covariance(q1, q2, r), (1.0 + q1) * (1.0 + q2)
    root = np.sqrt(1.0 + q1 + q2 + q1 * q2 * (1.0 - r) * (1.0 + r))
    bend = (q1 * q2 + c**2 * (1.0 - q1 * q2) / product) / root
    return 0.25 * c + (c * np.arcsin(c / np.sqrt(product)) + bend) / math.tau


def sin_pair(q1: Array, q2: Array, r: Array) -> Array:
    """phi(t) = sin(t): half the difference of two Gaussians, the larger in front, so that neither overflows."""
    c = _covariance(q1, q2, r)
    return -0.5 * np.sign(c) * np.exp(np.abs(c) - 0.5 * (q1 + q2)) * np.expm1(-2.0 * np.abs(c))


def cos_pair(q1: Array, q2: Array, r: Array) -> Array:
    """phi(t) = cos(t)."""
    c, half = _covariance(q1, q2, r), 0.5 * (q1 + q2)
    return 0.5 * (np.exp(c - half) + np.exp(-c - half))


def he2_pair(q1: Array, q2: Array, r: Array) -> Array:
    """phi(t) = t^2 - 1."""
    return 2.0 * _covariance(q1, q2, r) ** 2 + (q1 - 1.0) * (q2 - 1.0)


def he3_pair(q1: Array, q2: Array, r: Array) -> Array:
    """phi(t) = t^3 - 3t."""
    c = _covariance(q1, q2, r)
    return 6.0 * c**3 + 9.0 * c * (q1 - 1.0) * (q2 - 1.0)


def ternary_pair(low: float, high: float, below: float, above: float, q1: Array, q2: Array, r: Array) -> Array:
    """phi(t) = `below` for t < low, `above` for t > high, 0 between: probabilities of the four corners."""
    first, second = np.sqrt(q1), np.sqrt(q2)
    one, other = ((-high / root, low / root) for root in (first, second))  # P(t > high) = P(-t < -high)
    same = above**2 * _bivariate(one[0], other[0], r) + below**2 * _bivariate(one[1], other[1], r)
    return same + above * below * (_bivariate(one[0], other[1], -r) + _bivariate(one[1], other[0], -r))


def _bivariate(h: Array, k: Array, r: Array) -> Array:
    """P(x < h, y < k) of standard normal x and y with correlation r (Owen, 1956)."""
    h, k, r = np.broadcast_arrays(h, k, r)
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt((1.0 - r) * (1.0 + r))
        equal = np.sqrt((1.0 - r) / (1.0 + r))  # both slopes where h = k
        slopes = (np.where(h == k, equal, (other - r * one) / (one * root)) for one, other in ((h, k), (k, h)))
        tails = sum(owens_t(one, np.nan_to_num(a, nan=0.0, posinf=np.inf, neginf=-np.inf))
                    for one, a in zip((h, k), slopes, strict=True))  # fmt: skip
    apart = (h * k < 0) | ((h * k == 0) & (h + k < 0))
    return np.asarray(0.5 * (ndtr(h) + ndtr(k)) - tails - 0.5 * apart)
