"""How long the deep kernels take, beside Fan and Wang's recursion iterated as it is written. One table.

    python tests/benchmarks/deep.py

Nothing here gates: times depend on the machine, ratios come from calls that take turns in one run. The recursion is
vectorised over the grid and runs above the axis, at a height that blurs the density; three heights are shown. "error"
is for ours the largest relative residual of its equations, for the recursion the largest error of the density over its
largest value, 1 % away from the edges.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from naive import marchenko_pastur_nodes, tangent_nested
from spectrum import Table, medians

from rmtcore import (
    InfiniteNetwork,
    Layer,
    Mixture,
    Network,
    Population,
    conjugate_kernel,
    critical_weight_variance,
    fixed_point,
    matched_ternary,
    tangent_kernel,
    tangent_spectrum,
    tangent_weights,
)


def deep(depth: int) -> Network:
    """Normalised tanh layers at ratios around one half."""
    return Network(Population.identity(200), [Layer(300, "tanh", normalise=True)] * depth, samples=400)


def nested_density(network: Network, x: np.ndarray, eta: float, tolerance: float) -> np.ndarray:
    """Density of the tangent kernel at height eta by nested fixed points, all points at once."""
    q, floor = tangent_weights(network)
    moments = network.moments()
    z = np.array([floor - (x + 1j * eta), *(np.full(x.size, weight) for weight in q)], complex)
    w = np.zeros_like(z)
    w[0] = 1.0
    g = [network.samples / layer.width for layer in network.layers]
    nu, mu2 = [one.mu_star2 for one in moments], [one.mu1**2 for one in moments]
    nodes = marchenko_pastur_nodes(network.samples / network.population.dim, 60)
    return tangent_nested(z, w, g, nu, mu2, nodes, tolerance).imag / np.pi


def main() -> None:
    """Measure, and print the table."""
    table = Table()
    three = deep(3)
    law = tangent_spectrum(three, points=300)
    x = law.grid
    inside = (law.density > 0) & np.all(np.abs(x[:, None] / law.bulks.ravel() - 1) > 0.01, axis=1)
    exact = law.density[inside]

    def error(density: np.ndarray) -> float:
        return float(np.max(np.abs(density[inside] - exact)) / exact.max())

    def ours() -> object:
        return tangent_spectrum(three, points=300)

    table.add(f"NTK density on {x.size} points, depth 3", medians(100, ours)[0], 50)
    table.add("NTK density on 300 points, depth 10", medians(50, lambda: tangent_spectrum(deep(10)))[0])
    for eta, tolerance in ((0.3, 1e-3), (0.03, 1e-3), (0.003, 1e-4)):
        kept: list[np.ndarray] = []
        here, there = medians(
            1, ours, lambda eta=eta, tol=tolerance, kept=kept: kept.append(nested_density(three, x, eta, tol))
        )
        what = f"nested, height {eta:g}, to {tolerance:g}"
        table.add("NTK density, depth 3", here, None, what, there, None, (law.health.residual, error(kept[-1])))
    two = deep(2)
    grid = tangent_spectrum(two, points=300).grid
    here, there = medians(1, lambda: tangent_spectrum(two), lambda: nested_density(two, grid, 0.03, 1e-3))
    table.add("NTK density, depth 2", here, None, "nested, height 0.03, to 0.001", there)

    mixture = Mixture.labelled(2.0, 400, 400)
    data = mixture.draw(0)
    network = InfiniteNetwork(["relu", "tanh", "swish"])
    conjugate, tangent = medians(5, lambda: conjugate_kernel(network, data), lambda: tangent_kernel(network, data))
    table.add("CK of infinite width, 400 samples, depth 3", conjugate)
    table.add("NTK of infinite width, 400 samples, depth 3", tangent)
    table.add("ternary match of one layer", medians(20, lambda: matched_ternary("relu", 1.0))[0])
    table.add("edge of chaos, one point", medians(20, lambda: critical_weight_variance("tanh", 0.05))[0])
    table.add("fixed point of the variance", medians(20, lambda: fixed_point("tanh", 2.0, 0.05))[0])
    table.show()


if __name__ == "__main__":
    main()
