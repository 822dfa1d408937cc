"""Widths proportional to the samples: the limiting spectrum of the neural tangent kernel, and the actual one.

    >>> from rmtcore import Layer, Network, Population, tangent_spectrum
    >>> layers = [Layer(300, "tanh", normalise=True)] * 3
    >>> law = tangent_spectrum(Network(Population.identity(200), layers, samples=400))
    >>> law.health.certified
    True

With h_0 = X of columns x/sqrt(p) and X_l = phi_l(W_l X_(l-1))/sqrt(d_l), centred, the tangent kernel of all weights of
f(x) = w'h_L behaves as floor I + sum_l q_l X_l'X_l (Fan and Wang, Spectra of the conjugate kernel and neural tangent
kernel for linear-width neural networks, NeurIPS 2020). They normalise Var phi = 1; here a layer keeps its own scale.
The conjugate kernel X_L'X_L is the Gram matrix of `rmtcore.spectrum`, times n/d_L.
"""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigvalsh

from rmtcore.checks import finite, integer
from rmtcore.experiment import Reading, draw_data, spawn_streams
from rmtcore.gaussian import derivative_energy
from rmtcore.network import Network
from rmtcore.spectrum import Health, Spectrum
from rmtcore.tangent_map import Array, Tangent, edge, march, scan, transform
from rmtcore.wide import as_level, gradient_kernels

_MASS_TOLERANCE = 1e-4
_SCANS = (96, 384, 1536)
_MOST_POINTS = 6400
_LOWEST = 1e-13  # of the bound on the spectrum: bulks that go on below it end in a hard edge at the floor
_REST = 1e-9  # of a bulk: below it the density at a hard edge is a power
_LOG_SPAN = 30.0

Part = tuple[
    Array, Array, Array, Array, NDArray[np.int64]
]  # grid, density, weights; of the inner points residual, steps


def tangent_weights(network: Network) -> tuple[Array, float]:
    """What the tangent kernel is made of: weights q_l of X_l'X_l, l = 0..L, and the floor r_+ of its spectrum.

    q_l = product over k > l of mu1_k^2, and r_+ = sum_{l<L} v_l (product of E phi_k'^2 - q_l), v_l the variance of a
    coordinate of layer l (Fan and Wang, 2020, where v_l = 1).

    Raises
    ------
    ValueError : an activation without derivative (it jumps): there is no tangent kernel.
    """
    q, energy, floor = [1.0], 1.0, 0.0
    for index in range(len(network.layers) - 1, -1, -1):
        layer, moments = network.layers[index], network.moments()[index]
        variance = network.input_variance(index)
        energy *= derivative_energy(layer.activation, variance) / layer.scale(variance) ** 2
        q.append(q[-1] * moments.mu1**2)
        floor += variance * (energy - q[-1])
    return np.array(q[::-1]), max(floor, 0.0)


def _numbers(network: Network) -> tuple[Tangent, float]:
    """The system; behind a blind layer (mu1 = 0) nothing below is seen, and its noise is the data."""
    q, floor = tangent_weights(network)
    chain = network.chain()
    start = len(network.layers) - chain.d.size
    widths = [network.population.dim, *(layer.width for layer in network.layers)][start:]
    moments = network.moments()[start:]
    return (
        Tangent(
            chain.s,
            chain.m / widths[0],
            network.samples / np.array(widths, float),
            np.array([one.mu_star2 for one in moments]),
            np.array([one.mu1**2 for one in moments]),
            q[start:],
        ),
        floor,
    )


def tangent_spectrum(network: Network, points: int = 300) -> Spectrum:
    """Limiting eigenvalue law of the tangent kernel (n x n) of all weights of the network.

    Parameters
    ----------
    network : its ridge and noise play no part; widths, dimension and samples enter by their ratios.
    points : number of grid points, shared between the bulks (each gets at least 24).

    Returns
    -------
    Spectrum with matrix "gram" (the Gram matrix of the gradients) and without outliers; its `atom_at` is r_+, where
    its atom sits if there is one.

    Raises
    ------
    ValueError : `points` < 32, or an activation without tangent kernel.
    """
    points = integer("points", points, low=32)
    system, floor = _numbers(network)
    rank = sum(width for width in _independent(network))
    atom = max(1.0 - rank / network.samples, 0.0)
    for size in _SCANS:
        bulks = _bulks(system, size)
        bulks, parts = _resolve(system, bulks, points, 1.0 - atom)
        x, density, weights, residual, steps = (np.concatenate(column) for column in zip(*parts, strict=True))
        missing = abs(1.0 - atom - weights.sum())
        if missing < _MASS_TOLERANCE:
            break
    mass = np.cumsum(weights)
    health = Health(float(residual.max()), float(steps.mean()), float(missing), bool(np.isfinite(residual).all()))
    cdf = np.minimum(atom + mass - 0.5 * weights, 1.0)
    return Spectrum("gram", floor + x, density, weights, cdf, floor + bulks, atom, (), health, floor)


def _independent(network: Network) -> list[float]:
    """Ranks that the data and every layer with noise of its own add to the sum of the X_l'X_l."""
    chain = network.chain()
    return [float(chain.m.sum()), *(float(d) for d, nu in zip(chain.d, chain.nu, strict=True) if nu > 0)]


def _top(system: Tangent) -> float:
    """Upper bound of the spectrum above the floor: norms of the X_l'X_l, layer by layer."""
    norm = float(system.s.max()) * (1.0 + np.sqrt(system.g[0])) ** 2
    total = system.q[0] * norm
    for g, nu, mu2, q in zip(system.g[1:], system.nu, system.mu2, system.q[1:], strict=True):
        norm = (nu + mu2 * norm) * (1.0 + np.sqrt(g)) ** 2
        total += q * norm
    return 1.0001 * float(total)


def _bulks(system: Tangent, size: int) -> Array:
    """Edges (B, 2) above the floor: where the density vanishes on a grid, then exactly; dips are looked into."""
    top = _top(system)
    x = np.unique(np.concatenate([np.linspace(0.0, top, size)[1:], np.geomspace(_LOWEST * top, top, size)]))[::-1]
    x = np.ascontiguousarray(x)
    density = scan(x, *system)
    for _ in range(6):  # a gap narrower than the grid shows as a dip
        inner = (density[1:-1] > 0) & (density[1:-1] < density[:-2]) & (density[1:-1] < density[2:])
        at = np.flatnonzero(inner) + 1
        if at.size == 0:
            break
        more = np.concatenate([x[at] + 0.38 * (x[at - 1] - x[at]), x[at] + 0.38 * (x[at + 1] - x[at])])
        x, density = np.append(x, more), np.append(density, scan(more, *system))
        x, first = np.unique(x, return_index=True)
        x, density = x[::-1], density[first][::-1]
    edges = [
        edge(one, other, *system) if here > 0 else edge(other, one, *system)
        for (one, here), (other, there) in pairwise(zip(x, density, strict=True))
        if (here > 0) != (there > 0)
    ]
    if len(edges) % 2:
        edges.append(0.0)  # the density goes on below the grid: a hard edge
    return np.array(edges[::-1]).reshape(-1, 2)


def _resolve(system: Tangent, bulks: Array, points: int, mass: float) -> tuple[Array, list[Part]]:
    """Bulks and samples: split where a gap shows, refined until mass and mean, known exactly, are right."""
    mean, variance = 0.0, float(system.c @ system.s)
    for level, weight in enumerate(system.q):
        if level > 0:
            variance = float(system.nu[level - 1] + system.mu2[level - 1] * variance)
        mean += float(weight) * variance
    finer = 1
    while True:
        width = np.sqrt(bulks[:, 1] - bulks[:, 0])
        share = finer * np.maximum(24, points * width / width.sum()).astype(int)
        parts = [_bulk(system, left, right, int(size)) for (left, right), size in zip(bulks, share, strict=True)]
        split = np.concatenate([_split(system, bulk, part) for bulk, part in zip(bulks, parts, strict=True)])
        if len(split) > len(bulks) and share.sum() <= _MOST_POINTS:
            bulks = split
            continue
        weights, x = np.concatenate([part[2] for part in parts]), np.concatenate([part[0] for part in parts])
        wrong = max(abs(float(weights.sum()) - mass), abs(float(weights @ x) / mean - 1.0))
        if not 1e-5 < wrong < 1e-1 or share.sum() > _MOST_POINTS:
            return bulks, parts
        finer *= 2


def _split(system: Tangent, bulk: Array, part: Part) -> Array:
    """The bulk, in pieces where points inside it have a real root: a gap that the scan stepped over."""
    grid, residual = part[0], part[3]
    left, right = bulk
    x = grid[:-1] if left == 0.0 else grid[1:-1]
    off = np.isinf(residual)
    ends = np.flatnonzero(off[1:] != off[:-1])
    if ends.size == 0 or off[0] or off[-1]:
        return np.array([[left, right]])
    cuts = [edge(x[i], x[i + 1], *system) if off[i + 1] else edge(x[i + 1], x[i], *system) for i in ends]
    return np.array([left, *cuts, right]).reshape(-1, 2)


def _bulk(system: Tangent, left: float, right: float, count: int) -> Part:
    """Cosine nodes in x, or in log x where the bulk is wide; at a hard edge the rest is a power of x."""
    hard = left == 0.0
    low = _REST * right if hard else left
    theta = np.pi * np.arange(1, count) / count
    if hard:
        theta = 0.5 * np.pi * np.arange(1, count + 1) / count
        span = np.log(right / low)
        x = right * np.exp(-span * (1.0 - np.cos(theta)))
        jacobian = span * np.sin(theta) * x * (0.5 * np.pi / count)
    elif right > _LOG_SPAN * left:
        span = np.log(right / left)
        x = right * np.exp(-0.5 * span * (1.0 - np.cos(theta)))
        jacobian = 0.5 * span * np.sin(theta) * x * (np.pi / count)
    else:
        x = right - 0.5 * (right - left) * (1.0 - np.cos(theta))
        jacobian = 0.5 * (right - left) * np.sin(theta) * (np.pi / count)
    m, residual, steps, sure = march(x, *system)
    residual = np.where(sure, residual, np.inf)[::-1]
    density = m.imag / np.pi
    weights = density * jacobian
    ends = [] if hard else [0.0]
    if hard:
        last = density[-2:] * x[-2:]
        weights[-1] = 0.5 * weights[-1] + last[1] * np.log(x[-2] / x[-1]) / np.log(last[0] / last[1])
    grid = np.concatenate([[right], x, [left] if not hard else []])[::-1]
    padded = [np.concatenate([[0.0], values, ends])[::-1] for values in (density, weights)]
    return grid, padded[0], padded[1], residual, steps


def tangent_stieltjes(network: Network, z: ArrayLike) -> NDArray[np.complex128]:
    """Stieltjes transform m(z), the limit of tr (K_NTK - z)^-1 / n, off the real axis.

    Raises
    ------
    ValueError : z not finite or real, or an activation without tangent kernel.
    ArithmeticError : a root could not be certified.
    """
    points = np.asarray(z, dtype=complex)
    finite("z", np.abs(points))
    if np.any(points.imag == 0):
        raise ValueError("The 'z' parameter must be off the real axis. Got a real number instead.")
    system, floor = _numbers(network)
    flat = points.ravel()
    m, sure = transform(flat.real - floor, np.abs(flat.imag), *system)
    if not sure.all():
        raise ArithmeticError("A root of the tangent system could not be certified.")
    return np.asarray(np.where(flat.imag > 0, m, m.conj()).reshape(points.shape))


def draw_tangent(network: Network, seed: int | tuple[int, ...], reading: Reading = "actual") -> Array:
    """All n eigenvalues, ascending, of the tangent kernel of one random network on random data.

    Parameters
    ----------
    seed : non-negative integer, or a tuple of them.
    reading : "actual", the gradients of all weights; or "linear", floor I + sum_l q_l X_l'X_l with every X_l replaced
        by its linear equivalent mu1 W X_(l-1) + mu* g/sqrt(d_l), on the same data and weights.

    Raises
    ------
    ValueError : an unknown reading, or an activation without tangent kernel.
    """
    if reading not in get_args(Reading):
        raise ValueError(f"The 'reading' parameter must be 'actual' or 'linear'. Got {reading!r} instead.")
    q, floor = tangent_weights(network)
    data_stream, *streams = spawn_streams(seed, 2 + 2 * len(network.layers))
    data, _ = draw_data(network.population, network.samples, data_stream)
    data = data / np.sqrt(network.population.dim)
    weights, noises = streams[: len(network.layers) + 1], streams[len(network.layers) + 1 :]
    if reading == "actual":
        levels = [
            as_level(
                layer.width,
                layer.activation,
                layer.activation.moments(network.input_variance(index)).mean,
                layer.scale(network.input_variance(index)),
            )
            for index, layer in enumerate(network.layers)
        ]
        kernel = gradient_kernels(levels, data, weights).tangent
    else:
        kernel, h = q[0] * (data.T @ data), data
        for layer, moments, weight, rng, noise in zip(
            network.layers, network.moments(), q[1:], weights, noises, strict=False
        ):
            h = moments.mu1 * (rng.standard_normal((layer.width, h.shape[0])) @ h)
            h += np.sqrt(moments.mu_star2) * noise.standard_normal(h.shape)
            h /= np.sqrt(layer.width)
            kernel += weight * (h.T @ h)
        kernel[np.diag_indices_from(kernel)] += floor
    values = np.asarray(eigvalsh(kernel))
    values[np.abs(values - floor) < 1e-12 * values[-1]] = floor  # an atom, but for rounding
    return values
