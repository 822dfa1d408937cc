"""Compression without loss: ternary activations and sparse ternary weights with the kernel of the original.

The conjugate kernel of a wide network sees an activation through E phi', E phi'' and E[phi'^2 + phi phi''] at the
variance it acts on: a function of three values that has the same three gives every coefficient (a1, a2, a3, a4), so
the same kernel up to a multiple of the identity, which a ridge makes up for. Weights enter by their variance only.
After Gu, Du, Zhang, Xie, Pu, Qiu and Liao (NeurIPS 2022, arXiv:2403.00258), whose levels are 0 and +-1 up to one scale;
here the outer levels are free, which matches every function at any depth, and with less variance.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import ndtr

from rmtcore.activation import Activation, get_activation, ternary
from rmtcore.checks import at_least, in_range, integer
from rmtcore.gaussian import expectations
from rmtcore.infinite import InfiniteNetwork

Array = NDArray[np.float64]

_FAR = 5.0  # thresholds beyond so many standard deviations act on next to nothing
_GRID = np.linspace(-_FAR, _FAR, 201)
_TRIED = 16  # cells of the grid that are looked into
_WIDTHS = np.geomspace(1e-3, 2.0 * _FAR, 160)


def matched_ternary(activation: str | Activation, variance: float, own_variance: float | None = None) -> Activation:
    """The three-level activation with the same E phi', E phi'' and E[phi'^2 + phi phi''] (centred): the same kernel.

    Parameters
    ----------
    activation, variance : phi, and the variance in (0, inf) of its Gaussian argument.
    own_variance : variance of the argument of the ternary one; by default the same.

    Returns
    -------
    Activation of levels below, 0, above and thresholds low <= high: of all solutions the one of least
        variance, found on a grid and refined there.

    Raises
    ------
    ValueError : an argument out of range, or no solution: E phi' = E phi'' = 0, where the kernel keeps nothing of the
        data, or thresholds beyond five standard deviations.
    """
    known = get_activation(activation)
    goal = expectations(known, variance)
    q = variance if own_variance is None else float(in_range("own_variance", own_variance, 0.0, np.inf, strict=True))
    match = _Match(goal.slope * math.sqrt(q), goal.curvature * q, goal.centred_growth * q)
    if math.hypot(match.slope, match.curvature) <= 1e-9 * math.sqrt(goal.variance):
        raise ValueError(
            f"The 'activation' parameter must have E phi' or E phi'' other than 0. Got {known.name!r} instead."
        )
    best = match.best()
    if best is None:
        raise ValueError(
            f"The 'activation' parameter must have a ternary match at variance {variance:g}. Got {known.name!r}, with "
            f"E phi' = {goal.slope:g}, E phi'' = {goal.curvature:g}, E[phi'^2 + phi phi''] = {goal.growth:g} instead."
        )
    low, high = best
    below, above = match.levels(low, high)
    return ternary(low * math.sqrt(q), high * math.sqrt(q), float(below), float(above))


class _Match(NamedTuple):
    """The conditions in units of the argument's standard deviation.

    Given the thresholds, the first two are linear in the levels; the third leaves a curve of thresholds.
    """

    slope: float
    curvature: float
    growth: float

    def levels(self, low: Any, high: Any) -> tuple[Any, Any]:
        """Outer levels with this slope and curvature."""
        left = (high * self.slope - self.curvature) / (high - low)  # jump times density
        right = (self.curvature - low * self.slope) / (high - low)
        return -left / _bell(low), right / _bell(high)

    def excess(self, low: Any, high: Any) -> Any:
        """How far the growth is from its goal."""
        below, above = self.levels(low, high)
        mean = above * ndtr(-high) + below * ndtr(low)
        half = 0.5 * (above**2 * high * _bell(high) - below**2 * low * _bell(low))
        return half - mean * self.curvature - self.growth

    def spread(self, low: Any, high: Any) -> Any:
        """Variance of the activation."""
        below, above = self.levels(low, high)
        mean = above * ndtr(-high) + below * ndtr(low)
        return above**2 * ndtr(-high) + below**2 * ndtr(low) - mean**2

    def best(self) -> tuple[float, float] | None:
        """Thresholds on the curve with the least spread: on a grid, then between its lines."""
        low = _GRID[:, None]
        high = low + _WIDTHS
        excess, spread = self.excess(low, high), self.spread(low, high)
        crossed = (excess[:, :-1] * excess[:, 1:] <= 0) & (high[:, 1:] < _FAR)
        if not crossed.any():
            return None
        order = np.argsort(np.where(crossed, spread[:, :-1] + spread[:, 1:], np.inf), axis=None)
        order = order[: min(_TRIED, np.count_nonzero(crossed))]
        cells = [np.unravel_index(index, crossed.shape) for index in order]
        places = [(float(_GRID[row]), float(_WIDTHS[column]), float(_WIDTHS[column + 1])) for row, column in cells]
        start, narrow, wide = min(places, key=lambda place: self._cost(*place))
        step = float(_GRID[1] - _GRID[0])
        found = minimize_scalar(
            self._cost, bounds=(start - step, start + step), args=(narrow / 1.3, 1.3 * wide), method="bounded"
        )
        if found.fun > self._cost(start, narrow, wide):
            return start, self._upper(start, narrow, wide)
        return float(found.x), self._upper(float(found.x), narrow / 1.3, 1.3 * wide)

    def _upper(self, low: float, narrow: float, wide: float) -> float:
        """The upper threshold over this lower one, at a distance between the two; inf where none."""
        ends = [float(self.excess(low, low + width)) for width in (narrow, wide)]
        if ends[0] * ends[1] > 0:
            return math.inf
        return low + float(brentq(lambda width: self.excess(low, low + width), narrow, wide, xtol=1e-15))

    def _cost(self, low: float, narrow: float, wide: float) -> float:
        upper = self._upper(low, narrow, wide)
        return math.inf if math.isinf(upper) else float(self.spread(low, upper))


def _bell(x: Any) -> Any:
    return np.exp(-0.5 * x * x) / math.sqrt(math.tau)


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
