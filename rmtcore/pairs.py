"""Closed-form kernels E phi(u) phi(v) of a Gaussian pair with variances q1, q2 and correlation r.

Arguments are arrays that broadcast; -1 <= r <= 1. Sources: Liao and Mahoney,
arXiv:2506.13139; Williams (1997) for erf; Cho and Saul (2009) for the piecewise powers; Plackett (1954) for the steps.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

_FEW, _MANY = (np.polynomial.legendre.leggauss(nodes) for nodes in (10, 48))


def linear_pair(q1: Array, q2: Array, r: Array) -> Array:
    """phi(t) = t."""
    return np.sqrt(q1 * q2) * r


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
    ratio = 2.0 * np.sqrt(q1 * q2) * r / np.sqrt((1.0 + 2.0 * q1) * (1.0 + 2.0 * q2))
    return 2.0 / math.pi * np.arcsin(ratio)


def sin_pair(q1: Array, q2: Array, r: Array) -> Array:
    """phi(t) = sin(t): half the difference of two Gaussians, which does not overflow."""
    half, cross = 0.5 * (q1 + q2), np.sqrt(q1 * q2) * r
    return -0.5 * np.exp(cross - half) * np.expm1(-2.0 * cross)


def cos_pair(q1: Array, q2: Array, r: Array) -> Array:
    """phi(t) = cos(t)."""
    half, cross = 0.5 * (q1 + q2), np.sqrt(q1 * q2) * r
    return 0.5 * (np.exp(cross - half) + np.exp(-cross - half))


def steps_pair(breaks: tuple[float, ...], jumps: tuple[float, ...], mean: Any, q1: Array, q2: Array, r: Array) -> Array:
    """A staircase that jumps by jumps[i] at breaks[i]; `mean` gives E phi at an array of variances.

    dE/dr is a sum of Gaussian densities at pairs of breaks. With r = sin(angle) its square root at r = +-1
    goes away; what is left of it where two breaks meet there is smooth, or vanishes with all derivatives.
    """
    angle = np.arcsin(r)
    total = mean(q1) * mean(q2) + 0.0 * angle
    nearly_independent = np.all(np.abs(angle) < 0.4)
    for node, weight in zip(*(_FEW if nearly_independent else _MANY), strict=True):
        theta = 0.5 * angle * (1.0 + node)
        sine, room = np.sin(theta), 2.0 * np.cos(theta) ** 2
        for one, rise in zip(breaks, jumps, strict=True):
            for other, climb in zip(breaks, jumps, strict=True):
                a, b = one / np.sqrt(q1), other / np.sqrt(q2)
                power = (a * a + b * b - 2.0 * a * b * sine) / room
                total = total + (0.5 * weight * rise * climb / math.tau) * angle * np.exp(-power)
    return total
