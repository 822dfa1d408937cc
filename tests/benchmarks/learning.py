"""How long errors, maps and trajectories take, beside plain SciPy on the same formulas. One table.

    python tests/benchmarks/learning.py

Plain SciPy is what one would write from the formulas: the map as a Python function, brentq for each ridge, and for
each node of a flow's contour scipy.optimize.newton, brought down from far above the axis. Nothing here gates:
times depend on the machine, ratios come from calls that take turns in one run. Both "error" columns hold the
largest relative difference of the test errors between the two; a plain flow, with ten nodes, has
five or six digits. Plain maps and flows are timed on a few points and scaled up.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq, newton
from spectrum import Table, medians

from rmtcore import Layer, Network, Population, flow, ridge_errors
from rmtcore.scaling import frontier, sweep

Layers = list[tuple[float, float, float]]  # a, nu, d


def describe(network: Network) -> tuple[np.ndarray, np.ndarray, np.ndarray, Layers]:
    """(s, m, v, layers) of a network none of whose layers is blind."""
    population, below, layers = network.population, network.population.dim, []
    for layer, moments in zip(network.layers, network.moments(), strict=True):
        layers.append((moments.mu1**2 * layer.width / below, moments.mu_star2, layer.width))
        below = layer.width
    return population.eigenvalues, population.counts, population.target, layers


def plain_map(kappa, s, m, layers, n):
    """lambda, kappa_L, their derivatives in kappa_0, and the smallest kappa on the way, from its definition."""
    base, rise, least = kappa, 1.0, kappa.real
    df, ddf = np.sum(m * s / (s + base)), -np.sum(m * s / (s + base) ** 2)
    for a, nu, d in layers:
        up = a * kappa * (1 - df / d) - nu
        dup = a * (rise * (1 - df / d) - kappa * ddf / d)
        share = up / (nu + up)
        df, ddf = d - share * (d - df), share * ddf - nu * dup / (nu + up) ** 2 * (d - df)
        kappa, rise, least = up, dup, min(least, up.real)
        if least <= 0 and not isinstance(up, complex):  # left of the right branch
            break
    return kappa * (1 - df / n), kappa, rise * (1 - df / n) - kappa * ddf / n, rise, least


def plain_test(s, m, v, layers, n, lam, noise):
    """Test error by brentq; the right root is the first from above, and every kappa is positive there."""

    def gap(kappa):
        value, *_, least = plain_map(kappa, s, m, layers, n)
        return value - lam if least > 0 else -lam

    high = 1e3 * (s.max() + lam)
    while gap(high) < 0:
        high *= 10
    low = high
    while gap(low) > 0:
        high, low = low, 0.7 * low
    base = brentq(gap, low, high, rtol=1e-14, xtol=1e-300)
    _, top, growth, rise, _ = plain_map(base, s, m, layers, n)
    misfit = np.sum(v * s) - np.sum(v * s**2 / (s + base)) - top / rise * np.sum(v * s**2 / (s + base) ** 2)
    return (misfit + noise) * rise / growth


def plain_root(lam, s, m, layers, n):
    """kappa_0 at a complex lambda, Im lambda > 0, by Newton from far above."""
    height = 1e6 * (s.max() + abs(lam))
    slope = np.prod([a for a, _, _ in layers])
    kappa = 1j * height / slope
    while height > lam.imag:
        height = max(0.5 * height, lam.imag)

        def gap(k, goal=complex(lam.real, height)):
            return plain_map(k, s, m, layers, n)[0] - goal

        kappa = newton(
            gap, kappa, fprime=lambda k: plain_map(k, s, m, layers, n)[2], rtol=1e-13, tol=1e-300, maxiter=99
        )
    return kappa


def plain_flow(network: Network, times: np.ndarray) -> np.ndarray:
    """Test error of gradient flow without ridge, by the parabola of Weideman and Trefethen (2007) with 2 x 10 nodes."""
    s, m, v, layers = describe(network)
    n, signal = network.samples, float(v @ s)
    total, nodes = signal + network.noise, 10
    width = 3.0 / nodes
    u = (np.arange(nodes) + 0.5) * width
    found = []
    for t in times:
        sides = []
        for aside in (1.0, 1.3):
            mu = aside * np.pi * nodes / (12.0 * t)
            z = -mu * (1j * u + 1.0) ** 2
            base = np.array([plain_root(-w, s, m, layers, n) for w in z])
            top = np.array([plain_map(k, s, m, layers, n)[1] for k in base])
            learned = np.array([np.sum(v * s**2 / (s + k)) for k in base])
            weight = -width / np.pi * mu * (1j * u + 1.0) * np.exp(-t * z) / z
            sides.append([np.concatenate([x, x.conj()]) for x in (-z, top, learned, weight)])
        (l1, k1, t1, c1), (l2, k2, t2, c2) = sides
        gap = k1[:, None] - k2
        joint = (total - (k1[:, None] * t2 - k2 * t1[:, None]) / gap) * gap / (l1[:, None] - l2)
        joint += t1[:, None] + t2 - total
        found.append((total - 2.0 * np.sum(c1 * t1) + c1 @ joint @ c2).real)
    return np.array(found)


def maps(table: Table) -> None:
    """60 x 60 test errors at depth 1 over each pair of axes; plain SciPy on every 12th row and column."""
    ratio, lam = np.geomspace(0.1, 10.0, 60), np.geomspace(1e-6, 10.0, 60)
    populations = {
        "white": Population.identity(200),
        "two atoms": Population.atoms([1.0, 5.0], [0.5, 0.5], 200),
        "power law, 300 atoms": Population.power_law(1.5, 300, 0.8),
    }
    for name, population in populations.items():
        p, network = population.dim, Network(population, [Layer(300, "relu")], samples=400, noise=0.1, ridge=1e-3)
        s, m, v, layers = describe(network)
        a0, nu, d0 = layers[0]
        axes = {
            "width/n by n/p": (p * ratio[:, None], p * ratio[:, None] * ratio, 1e-3),
            "width/n by ridge": (400.0, 400.0 * ratio[:, None], lam),
            "n/p by ridge": (p * ratio[:, None], 300.0, lam),
        }
        for pair, (n, d, ridge) in axes.items():

            def ours(n=n, d=d, ridge=ridge, network=network):
                return sweep(network, samples=n, widths=d, ridge=ridge).test

            coarse = [np.broadcast_to(axis, (60, 60))[::12, ::12].ravel() for axis in (n, d, ridge)]

            def theirs(coarse=coarse, s=s, m=m, v=v, slope=a0 / d0, nu=nu):
                points = zip(*coarse, strict=True)
                return [plain_test(s, m, v, [(slope * w, nu, w)], k, r, 0.1) for k, w, r in points]

            here, there = medians(15, ours, theirs)
            off = float(np.max(np.abs(ours()[::12, ::12].ravel() / theirs() - 1)))
            table.add(
                f"60 x 60 map, {name}: {pair}", here, 60, "brentq, 25 points x 144", 144 * there, None, (off, off)
            )


def main() -> None:
    """Measure, and print the table."""
    table = Table()
    maps(table)
    many = Network(Population.power_law(1.5, 300, 0.8), [Layer(300, "identity")], samples=100)
    for depth in (1, 10):
        network = Network(Population.identity(200), [Layer(300, "tanh")] * depth, samples=400, noise=0.1, ridge=1e-3)
        numbers = (*describe(network), 400, 1e-3, 0.1)
        here, there = medians(100, lambda one=network: ridge_errors(one), lambda x=numbers: plain_test(*x))
        off = abs(ridge_errors(network).test / plain_test(*numbers) - 1)
        goal = 0.1 if depth == 10 else None
        table.add(f"ridge errors, depth {depth}", here, goal, "brentq", there, None, (off, off))
    times, few = np.geomspace(0.3, 1e5, 100), slice(10, None, 33)
    for depth in (1, 3):
        network = Network(Population.identity(200), [Layer(300, "tanh")] * depth, samples=400, noise=0.1)
        here, there = medians(5, lambda one=network: flow(one, times), lambda one=network: plain_flow(one, times[few]))
        scale = times.size / times[few].size
        off = float(np.max(np.abs(flow(network, times).test[few] / plain_flow(network, times[few]) - 1)))
        goal = 15 if depth == 3 else None
        table.add(
            f"flow, 100 times, depth {depth}", here, goal, f"newton, {100 / scale:.0f} times x {scale:.0f}",
            scale * there, None, (off, off),
        )  # fmt: skip
    budgets = np.geomspace(1e2, 1e6, 30)
    table.add("frontier of 30 budgets, 300 atoms", medians(15, lambda: frontier(many, budgets))[0])
    table.show()


if __name__ == "__main__":
    main()
