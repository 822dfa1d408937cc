"""How long the law of a kernel matrix takes, beside numpy.roots point by point on the same cubic. One table.

    python tests/benchmarks/kernels.py

Nothing here gates: times depend on the machine, ratios come from calls that take turns in one run. "error" is the
largest difference between both densities over the largest density, on the points not within 1 % of an edge.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from naive import kernel_root
from spectrum import Table, medians

from rmtcore import (
    ACTIVATIONS,
    distance_kernel_spectrum,
    hermite,
    kernel_spectrum,
    mean_square_error,
    taylor_equivalent,
)
from rmtcore.expansion import _hermite

CASES = (
    ("tanh", 800, 1600, "tanh, p/n = 0.5"),
    ("relu", 100, 1000, "relu, p/n = 0.1, a gap"),
    ("he2", 500, 500, "he2"),
)


def main() -> None:
    """Measure, and print the table."""
    table = Table()
    for name, dim, samples, what in CASES:
        law = kernel_spectrum(name, dim, samples, points=1000)
        moments = ACTIVATIONS[name].moments(1.0)
        a, b, c = moments.mu1, moments.mu_star2, dim / samples

        def ours(name: str = name, dim: int = dim, samples: int = samples) -> object:
            return kernel_spectrum(name, dim, samples, points=1000)

        def theirs(x: np.ndarray = law.grid, a: float = a, b: float = b, c: float = c) -> np.ndarray:
            return np.array([max(kernel_root(point, a, b, c).imag, 0.0) / np.pi for point in x])

        inside = np.min(np.abs(law.grid[:, None] - law.bulks.ravel()), axis=1) > 0.01 * np.ptp(law.bulks)
        error = float(np.max(np.abs(theirs() - law.density)[inside]) / law.density.max())
        (alone,) = medians(300, ours)
        here, there = medians(5, ours, theirs)
        table.add(f"{what}, density on {law.grid.size} points", alone, 1)
        table.add(f"{what}, density", here, None, "numpy.roots point by point", there, None, (error, 0.0))
    table.add("Gaussian distances", medians(300, lambda: distance_kernel_spectrum("gaussian", 800, 1600, 1000))[0])

    def fresh() -> None:
        _hermite.cache_clear()
        for name in ACTIVATIONS:
            hermite(name, 10)

    table.add(f"Hermite coefficients to degree 10 of all {len(ACTIVATIONS)} activations", medians(20, fresh)[0])
    line = taylor_equivalent("tanh")
    dims = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    table.add(
        "exact error of an equivalent at 10 dimensions",
        medians(3, lambda: mean_square_error("tanh", line, dims, "lln"))[0],
    )
    table.show()


if __name__ == "__main__":
    main()
