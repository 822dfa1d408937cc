"""Scaling laws: errors along samples, widths and ridges at once, their exponents, and the best use of a budget.

    >>> import numpy as np
    >>> from rmtcore import Network, Population
    >>> from rmtcore.scaling import sweep
    >>> linear = Network(Population.power_law(1.5, 1000, source=0.8), samples=64)
    >>> sweep(linear, samples=np.array([64, 128, 256])).test.round(6)
    array([4.35e-04, 7.60e-05, 1.20e-05])

A power-law population has s_k ~ k^-alpha (capacity) and s_k v_k ~ k^-(2 alpha r + 1) (source r); random
features of width d are a layer with the identity as activation. Curves in time come from `rmtcore.flow`.
A nonlinear layer asks that |x|^2 concentrate; for alpha > 1 a few directions carry it, and the equivalents of
nonlinear networks are off by some per cent (ReLU, alpha 1.5: 11 %), those of linear layers are not.

The names are those of Bahri et al. (2021). A curve in one resource, the other being ample, is
*resolution-limited*: its exponent depends on the data, for the scarce resource decides how many directions are
seen. Once the curved resource is the ample one, the error has a limit, and its distance to that limit is
*variance-limited*: it falls as the first power of the resource, whatever the data.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rmtcore.chain import evaluate, learn
from rmtcore.checks import in_range
from rmtcore.compiled import kernel
from rmtcore.exponents import Exponent, fit_exponent
from rmtcore.flow import flow, stability_edge
from rmtcore.network import Layer, Network

Array = NDArray[np.float64]
Which = Literal["all", "last", "each"]

_WIDEST = 1e9  # ratio of one width to the next, or to n, from which rounding shows in the map
_ENDLESS = 1e8  # and the ratio that stands for infinity
_FLOW_FLOOR = 1e-8  # of the target's variance: what the contour integrals of a flow resolve


class Sweep(NamedTuple):
    """What `ridge_errors` gives, at every point of a sweep; all arrays have the sweep's shape.

    Attributes
    ----------
    test, train : mean squared errors, label noise included; test is inf at a threshold without ridge.
    df1, df2 : effective degrees of freedom tr C(C + kappa)^-1 and tr C^2 (C + kappa)^-2 of the features.
    kappa, kappa_base : kappa_L and kappa_0.
    """

    test: Array
    train: Array
    df1: Array
    df2: Array
    kappa: Array
    kappa_base: Array


@kernel
def _ranks(nu: Array, d: Array, dim: float) -> tuple[int, float, float]:
    """How many layers there are up to the last one with mu*^2 > 0, the rank there, and the rank at the top."""
    noisy, under, rank = 0, dim, dim
    for layer in range(nu.size):
        rank = d[layer] if nu[layer] > 0.0 else min(rank, d[layer])
        if nu[layer] > 0.0:
            noisy, under = layer + 1, rank
    return noisy, under, rank


@kernel
def learn_all(
    a: Array, nu: Array, d: Array, n: Array, lam: Array, noise: Array,
    s: Array, m: Array, v: Array, lost: float,
) -> Array:  # fmt: skip
    """Rows of a `Sweep`, (6, points), of chains on one population.

    a, d (points, L); nu (L,); n, lam, noise (points,); s, m, v (k,); lost: signal that no direction carries.
    """
    found = np.empty((6, n.size))
    dim = m.sum()
    for i in range(n.size):
        noisy, under, rank = _ranks(nu, d[i], dim)
        depth, widths = nu.size, d[i].copy()
        if lam[i] == 0.0 and rank < n[i] and depth > noisy:
            # Least squares sees only the span of the linear layers on top: one layer, or none, has the same.
            # (Two of one width would put the root on a double zero of the map.)
            widths[noisy] = rank
            depth = noisy + 1 if rank < under else noisy
        slopes, noises, widths = a[i, :depth], nu[:depth], widths[:depth]
        base = learn(lam[i], s, m, slopes, noises, widths, n[i])
        _, growth, top, rise, left = evaluate(complex(base, 0.0), s, m, slopes, noises, widths, n[i])
        unfit = left.real  # 1 - df1/n; where n is small it is small, and lambda/kappa keeps its digits
        if rank > n[i]:
            unfit = lam[i] / top.real
        free = growth.real / rise.real if rise.real > 0.0 else 0.0  # 1 - df2/n
        if rank == n[i] and lam[i] == 0.0:
            unfit = free = 0.0
        # B as a sum of positive terms: V - T + kappa T' would cancel where the error is small.
        apart = base - top.real / rise.real
        misfit = lost
        for k in range(s.size):
            share = s[k] / (s[k] + base)
            rest = base / (s[k] + base)
            misfit += v[k] * (s[k] * rest * rest + apart * share * share)
        test = (max(misfit, 0.0) + noise[i]) / free if free > 0.0 else np.inf
        found[0, i] = test
        found[1, i] = unfit * unfit * test if free > 0.0 else 0.0
        found[2, i], found[3, i] = n[i] * (1.0 - unfit), n[i] * (1.0 - max(free, 0.0))
        found[4, i], found[5, i] = top.real, base
    return found


def sweep(
    network: Network,
    *,
    samples: ArrayLike | None = None,
    widths: ArrayLike | None = None,
    ridge: ArrayLike | None = None,
    noise: ArrayLike | None = None,
    layers: Which = "all",
) -> Sweep:
    """Errors of the network with other samples, widths, ridge or noise: one compiled call for all points.

    The axes are broadcast against each other: `samples[:, None]` and `widths` make a plane. What is not given
    stays as it is in the network. The theory takes any real n and d, so nothing is rounded to whole numbers.

    Parameters
    ----------
    samples : n > 0.
    widths : width > 0 of the last layer; with layers="each" (..., L), one for every layer. At most 1e9
        times the width above it, or n.
    ridge, noise : >= 0; a mixture's own label noise comes on top.
    layers : "all" scales the other layers in proportion, "last" leaves them as they are.

    Returns
    -------
    Sweep of arrays in the broadcast shape.

    Raises
    ------
    ValueError : an axis out of range, axes that do not broadcast, or widths of a network without layers.
    """
    n = in_range("samples", network.samples if samples is None else samples, low=0.0, high=np.inf, strict=True)
    lam = in_range("ridge", network.ridge if ridge is None else ridge, low=0.0)
    sigma2 = in_range("noise", network.noise if noise is None else noise, low=0.0) + network.population.noise
    d = _widths(network, widths, layers)
    depth = d.shape[-1]
    try:
        shape = np.broadcast_shapes(n.shape, lam.shape, sigma2.shape, d.shape[:-1])
    except ValueError:
        raise ValueError("The 'samples', 'widths', 'ridge' and 'noise' parameters must broadcast.") from None
    points = int(np.prod(shape))
    d = np.array(np.broadcast_to(d, (*shape, depth))).reshape(points, depth)
    n, lam, sigma2 = (np.array(np.broadcast_to(axis, shape)).ravel() for axis in (n, lam, sigma2))
    above = np.concatenate([d[:, 1:], n[:, None]], axis=1)[:, :depth]
    if np.any(d > _WIDEST * above):
        raise ValueError(f"The 'widths' parameter must be at most {_WIDEST:g} times 'samples'. Got {widths!r} instead.")
    return Sweep(*_learn(network, d, n, lam, sigma2).reshape(6, *shape))


def _learn(network: Network, d: Array, n: Array, lam: Array, noise: Array) -> Array:
    """Rows of a `Sweep`, (6, points), for widths d (points, L) and the rest (points,)."""
    chain, v = network.learning_chain()
    points, depth = d.shape
    blind = depth - chain.a.size  # layers up to the last one without linear part: the chain starts anew there
    dim = d[:, blind - 1] if blind else np.full(points, float(network.population.dim))
    own = d[:, blind:]
    slope2 = np.array([moments.mu1**2 for moments in network.moments()[blind:]])
    a = slope2 * own / np.concatenate([dim[:, None], own], axis=1)[:, : depth - blind]
    if not blind:
        return np.asarray(learn_all(a, chain.nu, np.ascontiguousarray(own), n, lam, noise, chain.s, chain.m, v, 0.0))
    found = np.empty((6, points))
    for count in np.unique(dim):
        here = dim == count
        found[:, here] = learn_all(
            a[here], chain.nu, own[here], n[here], lam[here], noise[here],
            chain.s, np.array([count]), v, network.population.signal,
        )  # fmt: skip
    return found


def _widths(network: Network, widths: ArrayLike | None, layers: Which) -> Array:
    """Widths (..., L) of every layer at every point."""
    if layers not in get_args(Which):
        raise ValueError(f"The 'layers' parameter must be one of {get_args(Which)}. Got {layers!r} instead.")
    own = np.array([float(layer.width) for layer in network.layers])
    if widths is None:
        return own
    asked = in_range("widths", widths, low=0.0, high=np.inf, strict=True)
    if own.size == 0:
        raise ValueError(f"The 'widths' parameter needs a network with layers. Got {widths!r} instead.")
    if layers == "each":
        if asked.ndim == 0 or asked.shape[-1] != own.size:
            raise ValueError(
                f"The 'widths' parameter must end in an axis of {own.size}, one for every layer. "
                f"Got shape {asked.shape} instead."
            )
        return asked
    scaled = own * asked[..., None] / own[-1]
    if layers == "last":
        scaled[..., :-1] = own[:-1]
    return np.asarray(scaled)


def above_limit(network: Network, *, samples: ArrayLike | None = None, widths: ArrayLike | None = None) -> Array:
    """Variance-limited part of the test error: its distance to the limit of infinite samples, or widths.

    Give one of the two axes; the other resource stays as in the network. Falls as 1/n, or 1/d, wherever the
    curved resource is the ample one.

    Raises
    ------
    ValueError : none or both of the axes given, or out of range as in `sweep`.
    """
    if (samples is None) == (widths is None):
        raise ValueError("Exactly one of the 'samples' and 'widths' parameters must be given.")
    if samples is not None:
        curve, endless = sweep(network, samples=samples), _ENDLESS * max(network.feature_dim, network.population.dim)
        return curve.test - sweep(network, samples=endless).test
    return sweep(network, widths=widths).test - sweep(network, widths=_ENDLESS * network.samples).test


class Frontier(NamedTuple):
    """The least test error that every budget buys, and how: all arrays (b,).

    Attributes
    ----------
    budgets : n x width, or n x width x steps.
    test : lower envelope of the test error.
    samples, widths, steps : where it is attained; steps are inf where training goes on to the end.
    """

    budgets: Array
    test: Array
    samples: Array
    widths: Array
    steps: Array

    def exponent(self, window: tuple[float, float] | None = None) -> Exponent:
        """Fitted exponent of the envelope in the budget, as `fit_exponent`."""
        return fit_exponent(self.budgets, self.test, window)


def frontier(network: Network, budgets: ArrayLike, layers: Which = "all") -> Frontier:
    """Compute-optimal frontier in the plane of n and the last width, n x width = budget, n and width >= 1.

    For every budget a grid over log width, then finer grids about its best point.

    Raises
    ------
    ValueError : budgets not (b,) or < 1, layers="each", or a network without layers.
    """
    total = _budgets(budgets)
    if layers == "each":
        raise ValueError("The 'layers' parameter must be 'all' or 'last' here. Got 'each' instead.")
    rows = np.arange(total.size)
    low, high = np.zeros(total.size), np.ones(total.size)
    for size in (121, 21, 21, 21):
        power = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, size)
        d = total[:, None] ** power
        n = total[:, None] / d
        test = sweep(network, samples=n, widths=d, layers=layers).test
        best = np.argmin(test, axis=1)
        low, high = power[rows, np.maximum(best - 1, 0)], power[rows, np.minimum(best + 1, size - 1)]
    return Frontier(total, test[rows, best], n[rows, best], d[rows, best], np.full(total.size, np.inf))


def timed_frontier(
    network: Network, budgets: ArrayLike, samples: ArrayLike, widths: ArrayLike, steps: ArrayLike
) -> Frontier:
    """Frontier under n x width x steps <= budget, training by gradient flow that may stop earlier.

    A step is a flow's time 1/(largest eigenvalue), half of what is stable: the eigenvalues grow with the width,
    and in plain time the widest network would always be best. The envelope of one flow for each pair of
    `samples` and `widths` (whole numbers; all layers scaled), between `steps` by power laws; inf and nan where
    a budget buys none of them.

    Raises
    ------
    ValueError : an axis out of range, steps not ascending, or a network without layers.
    """
    total, t = _budgets(budgets), np.atleast_1d(in_range("steps", steps, low=0.0, high=np.inf, strict=True))
    if t.ndim != 1 or np.any(np.diff(t) <= 0):
        raise ValueError(f"The 'steps' parameter must be ascending. Got {steps!r} instead.")
    _widths(network, widths, "all")
    d, n = (np.unique(np.rint(in_range(*axis, low=1.0))) for axis in (("widths", widths), ("samples", samples)))
    found = np.full((4, total.size), np.nan)
    found[0] = np.inf
    for width in d:
        scaled = [
            Layer(max(1, round(layer.width * width / network.feature_dim)), layer.activation, layer.normalise)
            for layer in network.layers
        ]
        for count in n:
            other = Network(network.population, scaled, samples=int(count), noise=network.noise, ridge=network.ridge)
            allowed = total / (count * width)
            if allowed.max() >= t[0]:
                test, stop = _stopped(other, t, allowed)
                better = test < found[0]
                row = np.stack([test, np.full_like(test, count), np.full_like(test, width), stop])
                found[:, better] = row[:, better]
    return Frontier(total, *found)


def _stopped(network: Network, steps: Array, allowed: Array) -> tuple[Array, Array]:
    """Least test error within `allowed` steps, and when it was reached; inf where `steps` start later."""
    floor = _FLOW_FLOOR * (network.population.signal + network.noise + network.population.noise)
    times = steps * (0.5 * stability_edge(network))
    test = np.log(np.maximum(flow(network, times).test, floor))
    last = np.searchsorted(steps, allowed, side="right") - 1
    first = np.array([int(np.argmin(test[: index + 1])) for index in range(steps.size)])[last]
    now = np.interp(np.log(allowed), np.log(steps), test)
    earlier = test[first] <= now
    value, stop = np.where(earlier, test[first], now), np.where(earlier, steps[first], allowed)
    return np.where(last < 0, np.inf, np.exp(value)), stop


def _budgets(budgets: ArrayLike) -> Array:
    total = np.atleast_1d(in_range("budgets", budgets, low=1.0))
    if total.ndim != 1:
        raise ValueError(f"The 'budgets' parameter must be one-dimensional. Got shape {total.shape} instead.")
    return total
