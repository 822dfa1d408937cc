"""Compression without loss: ternary activations and sparse ternary weights with the kernel of the original.

The conjugate kernel of a wide network sees an activation through E phi', E phi'' and E[phi'^2 + phi phi''] at the
variance it acts on: a function of three values that has the same three gives every coefficient (a1, a2, a3, a4), so
the same kernel up to a multiple of the identity, which a ridge makes up for. Weights enter by their variance only.
Source: Gu, Du, Yuan, Xie, Pu, Qiu and Liao (NeurIPS 2022), Algorithm 1 and Corollary 1.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from rmtcore.activation import Activation, get_activation, ternary
from rmtcore.checks import at_least, in_range, integer
from rmtcore.gaussian import expectations
from rmtcore.infinite import InfiniteNetwork

Array = NDArray[np.float64]

_FAR = 9.0  # thresholds beyond so many standard deviations act on nothing


def matched_ternary(activation: str | Activation, variance: float, own_variance: float | None = None) -> Activation:
    """The ternary activation with the same |E phi'|, |E phi''| and E[phi'^2 + phi phi''] (centred), so the same kernel.

    Parameters
    ----------
    activation, variance : phi, and the variance in (0, inf) of its Gaussian argument.
    own_variance : variance of the argument of the ternary one; by default the same.

    Returns
    -------
    Activation -s, 0, +s with thresholds low <= high: of the solutions, the one of least variance.

    Raises
    ------
    ValueError : an argument out of range, E phi' = 0 (an even function; -s, 0, +s cannot), or no solution:
        three levels are not smooth enough.
    """
    known = get_activation(activation)
    goal = expectations(known, variance)
    q = variance if own_variance is None else float(in_range("own_variance", own_variance, 0.0, np.inf, strict=True))
    slope, curvature = abs(goal.slope), abs(goal.curvature)
    if slope * math.sqrt(variance) <= 1e-9 * math.sqrt(goal.variance):
        raise ValueError(f"The 'activation' parameter must have E phi' other than 0. Got {known.name!r} instead.")
    balance, growth = curvature * math.sqrt(q) / slope, goal.centred_growth / slope**2
    found = []
    for low, high in _thresholds(balance, growth):
        scale = slope * math.sqrt(q) / (_bell(low) + _bell(high))
        found.append(ternary(low * math.sqrt(q), high * math.sqrt(q), scale))
    if not found:
        raise ValueError(
            f"No ternary activation has the E phi', E phi'' and E[phi'^2 + phi phi''] of {known.name!r} at variance "
            f"{variance:g}: their ratios are {balance:g} and {growth:g}."
        )
    return min(found, key=lambda one: one.moments(q).variance)


def _thresholds(balance: float, growth: float) -> list[tuple[float, float]]:
    """All (low, high) in standard deviations with these two ratios: the second is sought along the first."""
    found = []
    if abs(_growth(balance, balance, False) - growth) <= 1e-12:  # both thresholds meet: a single jump
        found.append((balance, balance))
    heights = balance + np.geomspace(1e-6, _FAR, 400)
    for far in (False, True):
        values = np.array([_growth(balance, float(high), far) for high in heights]) - growth
        for i in np.flatnonzero(values[:-1] * values[1:] < 0):
            high = brentq(
                lambda high, far=far: _growth(balance, high, far) - growth, heights[i], heights[i + 1], xtol=1e-14
            )
            found.append((_partner(balance, high, far), high))
    return found


def _bell(x: float) -> float:
    return math.exp(-0.5 * x * x) / math.sqrt(math.tau)


def _partner(balance: float, high: float, far: bool) -> float:
    """low with (low g(low) + high g(high))/(g(low) + g(high)) = balance, g the normal density; nan where none.

    (balance - low) g(low) rises from 0 at low = balance to a maximum and falls again: two branches.
    """
    if high == balance:
        return balance
    top = 0.5 * (balance - math.sqrt(balance * balance + 4.0))
    level = (high - balance) * _bell(high)

    def excess(low: float) -> float:
        return (balance - low) * _bell(low) - level

    if excess(top) < 0.0:
        return math.nan
    ends = (top - _FAR, top) if far else (top, balance)
    return float(brentq(excess, *ends, xtol=1e-15)) if excess(ends[0]) * excess(ends[1]) < 0 else math.nan


def _growth(balance: float, high: float, far: bool) -> float:
    """E[phi'^2 + phi phi'']/(E phi')^2 of the centred ternary activation with these thresholds, at variance 1."""
    low = _partner(balance, high, far)
    left, right = _bell(low), _bell(high)
    mean = float(ndtr(-high) - ndtr(low))
    return (0.5 * (high * right - low * left) - mean * (low * left + high * right)) / (left + right) ** 2


class Compressed(NamedTuple):
    """A ternary network with the kernel of another.

    Attributes
    ----------
    network : the ternary layers.
    offset : tau_L^2 of it less that of the original: its conjugate kernel is the original's plus offset I.
    """

    network: InfiniteNetwork
    offset: float


def compress(network: InfiniteNetwork) -> Compressed:
    """Every layer replaced by its matched ternary one, each at the variance that it sees in the new network.

    Raises
    ------
    ValueError : a normalised network, or a layer that no ternary activation matches.
    """
    if network.normalise:
        raise ValueError("The 'network' parameter must not be normalised: the scale is part of the match.")
    layers: list[Activation] = []
    variance = network.variance
    for stage in network.stages:
        layers.append(matched_ternary(stage.activation, stage.variance, variance))
        variance = layers[-1].moments(variance).variance
    return Compressed(InfiniteNetwork(layers, network.variance), variance - network.stages[-1].out)


def sparse_ternary_weights(shape: tuple[int, int], sparsity: float, rng: Generator) -> NDArray[Any]:
    """Independent weights of variance 1: zero with probability `sparsity`, else +-1/sqrt(1 - sparsity).

    Raises
    ------
    ValueError : sparsity not in [0, 1).
    """
    share = float(in_range("sparsity", sparsity, low=0.0))
    if not share < 1.0:
        raise ValueError(f"The 'sparsity' parameter must be in the range [0, 1). Got {sparsity!r} instead.")
    signs = 2.0 * rng.integers(0, 2, shape) - 1.0
    return np.where(rng.random(shape) < share, 0.0, signs / math.sqrt(1.0 - share))


class Memory(NamedTuple):
    """Bits that the hidden weights take: as 32-bit numbers; as a bit mask and a sign each; as positions and signs."""

    dense: int
    masked: int
    listed: int

    @property
    def saving(self) -> float:
        """How many times smaller the better ternary format is."""
        return self.dense / min(self.masked, self.listed)


def memory_bits(shape: tuple[int, int], nonzero: int) -> Memory:
    """Memory of a weight matrix (d, d_below), dense in single precision against ternary with `nonzero` entries.

    The mask has a bit for every place and one for every sign; the index format lists, row by row, how many entries
    there are and for each its column and its sign. Either carries one 32-bit scale.

    Raises
    ------
    ValueError : a side < 1, or `nonzero` not in [0, d d_below].
    """
    rows, columns = (integer("shape", side, low=1) for side in shape)
    count = integer("nonzero", nonzero, low=0)
    at_least("nonzero", rows * columns - count, 0.0)
    position, length = max(1, math.ceil(math.log2(columns))), math.ceil(math.log2(columns + 1))
    return Memory(32 * rows * columns, 32 + rows * columns + count, 32 + rows * length + count * (position + 1))
