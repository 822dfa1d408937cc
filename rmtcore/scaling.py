from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rmtcore.chain import evaluate, learn
from rmtcore.checks import in_range
from rmtcore.compiled import kernel
from rmtcore.network import Network

Array = NDArray[np.float64]


@kernel
def _points(a: Array, nu: Array, d: Array, n: Array, lam: Array, noise: Array, s: Array, m: Array, v: Array,
            lost: float) -> Array:
    found = np.empty((6, n.size))
    count = m.sum()
    for i in range(n.size):
        base = learn(lam[i], s, m, a[i], nu, d[i], n[i])
        _, growth, top, rise, left = evaluate(complex(base, 0.0), s, m, a[i], nu, d[i], n[i])
        rank = count
        for layer in range(nu.size):
            rank = d[i, layer] if nu[layer] > 0.0 else min(rank, d[i, layer])
        free, unfit = growth.real / rise.real, left.real
        if rank > n[i]:
            unfit = lam[i] / top.real
        if free <= 0.0 or (rank == n[i] and lam[i] == 0.0):
            free = unfit = 0.0
        apart = base - top.real / rise.real
        misfit = lost
        for k in range(s.size):
            share = s[k] / (s[k] + base)
            misfit += v[k] * (s[k] * (1.0 - share) * (1.0 - share) + apart * share * share)
        test = (misfit + noise[i]) / free if free > 0.0 else np.inf
        found[0, i] = test
        found[1, i] = unfit * unfit * test if free > 0.0 else 0.0
        found[2, i] = n[i] * (1.0 - unfit)
        found[3, i] = n[i] * (1.0 - free)
        found[4, i] = top.real
        found[5, i] = base
    return found


def sweep(network, samples=None, widths=None, ridge=None, noise=None, layers="all"):
    chain, v = network.learning_chain()
    own = np.array([layer.width for layer in network.layers], float)
    n = np.asarray(network.samples if samples is None else samples, float)
    lam = np.asarray(network.ridge if ridge is None else ridge, float)
    sig = np.asarray(network.noise if noise is None else noise, float) + network.population.noise
    if widths is None:
        d = own
    elif layers == "each":
        d = np.asarray(widths, float)
    else:
        w = np.asarray(widths, float)[..., None]
        d = own * w / own[-1]
        if layers == "last":
            d[..., :-1] = own[:-1]
    shape = np.broadcast_shapes(n.shape, lam.shape, sig.shape, d.shape[:-1])
    flat = lambda x: np.broadcast_to(x, shape).ravel().copy()
    d = np.broadcast_to(d, (*shape, own.size)).reshape(int(np.prod(shape)), own.size)
    below = np.concatenate([np.full((len(d), 1), float(network.population.dim)), d[:, :-1]], 1)
    mu2 = np.array([mom.mu1**2 for mom in network.moments()])
    a = mu2 * d / below
    r = _points(np.ascontiguousarray(a), chain.nu, np.ascontiguousarray(d), flat(n), flat(lam), flat(sig), chain.s, chain.m, v, 0.0)
    return r.reshape(6, *shape)
