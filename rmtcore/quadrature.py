"""Quadrature of phi(sqrt(q) xi), xi ~ N(0, 1): Gauss-Legendre rules on the half line that cross no break."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Function = Callable[[Array], Array]

CUT = 12.0  # P(|xi| > 12) = 4e-33: nothing of polynomial growth is left beyond
_MOST_NODES = 1 << 20
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


def _panel_edges(breaks: tuple[float, ...], q: float, cut: float) -> Array:
    """Edges in [0, cut], shape (m,): 0, the folded breaks, and panels that double in length away from them."""
    sigma = math.sqrt(q)
    finest = min(0.5, 1.0 / sigma)
    reach = finest * 2.0 ** np.arange(math.ceil(math.log2(cut / finest)))
    centres = np.abs([0.0, *breaks])[:, None] / sigma
    edges = np.concatenate(
        [np.linspace(0.0, cut, math.ceil(2 * cut) + 1), *centres, *(centres + reach), *(centres - reach)]
    )
    return np.unique(edges[(edges >= 0.0) & (edges <= cut)])


def half_line_rules(breaks: tuple[float, ...], q: float, cut: float = CUT) -> Iterator[tuple[Array, Array]]:
    """Ever finer Gauss-Legendre rules for smooth pieces of phi(+-sqrt(q) xi): nodes xi in (0, cut), weights d xi.

    No panel crosses a break: Gauss-Hermite across a jump or a kink is wrong by several per cent in mu*^2.
    """
    edges = _panel_edges(breaks, q, cut)
    while edges.size * _NODES.size <= _MOST_NODES:
        half = 0.5 * np.diff(edges)[:, None]
        yield (edges[:-1, None] + half + half * _NODES).ravel(), (half * _WEIGHTS).ravel()
        edges = np.sort(np.append(edges, edges[:-1] + half.ravel()))


def folded(function: Function, q: float, xi: Array, lengths: Array) -> tuple[Array, Array, Array]:
    """Gaussian weights of a rule on the half line, even and odd part of phi(sqrt(q) xi) there: three times (m,).

    The nodes xi > 0 and lengths d xi have shape (m,). Apart, the parts make what parity forbids exactly 0.
    """
    t = math.sqrt(q) * xi
    weights = lengths * np.exp(-0.5 * xi**2) * (2.0 / math.sqrt(math.tau))
    above, below = (np.asarray(function(side), dtype=float) for side in (t, -t))
    if above.shape != t.shape:
        raise ValueError(f"The 'function' must keep the shape {t.shape}. Got {above.shape} instead.")
    return weights, 0.5 * (above + below), 0.5 * (above - below)
