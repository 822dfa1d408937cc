"""How long the errors on given data take, all widths and ridges at once, beside NumPy point by point. One table.

    python tests/benchmarks/given.py

Point by point is what one would write from the paper: the fixed point of delta with the resolvent inverted in
every step, and then its formulas (`one_kind` of tests/core/naive_given.py). It is timed on four of the
points and scaled up. "error" is the largest relative difference of the test errors there. Nothing here gates.
"""

from __future__ import annotations

import numpy as np
from spectrum import Table, medians  # puts tests/core on the path

from naive_given import one_kind  # isort: skip

from rmtcore import GivenData, decompose, fourier_errors, given_errors, layer_kernel, train_given
from rmtcore.datasets import digits_pair
from rmtcore.given_data import _decompose


def main() -> None:
    """Measure, and print the table."""
    table = Table()
    data = GivenData.split(*digits_pair(3, 8), samples=180, seed=1)
    X, X_test = data.X, data.X_test
    widths, ridges = np.unique(np.geomspace(1, 450, 60).astype(int))[:, None], np.array([1e-5, 1e-1])
    points = [(int(d), g) for d in widths[::20, 0] for g in ridges][:4]
    scale = widths.size * ridges.size / len(points)
    kernels = [layer_kernel("relu", *pair).values for pair in ((X,), (X, X_test), (X_test,))]

    def all_at_once() -> np.ndarray:
        return given_errors(data, "relu", widths, ridges).test

    def by_point() -> list[float]:
        return [one_kind(*kernels, data.y, data.y_test, d, g)[1] for d, g in points]

    def afresh(activation: str) -> None:
        _decompose.cache_clear()
        decompose(data, activation)

    decompose(data, "relu")
    ours, theirs = medians(5, all_at_once, by_point)
    off = max(
        abs(float(given_errors(data, "relu", d, g).test) / test - 1)
        for (d, g), test in zip(points, by_point(), strict=True)
    )
    count = widths.size * ridges.size
    table.add(
        f"{count} points, n = 180", ours, 60, f"inverses, 4 points x {scale:.0f}", scale * theirs, None, (off, off)
    )
    one = medians(50, lambda: given_errors(data, "relu", 200, 1e-2))[0]
    table.add("one point, as a slider moves", one, 1)
    for activation in ("relu", "tanh"):
        table.add(f"kernel and decomposition, {activation}", medians(3, lambda name=activation: afresh(name))[0])
    table.add("actual network, d = 360, 2 ridges", medians(3, lambda: train_given(data, "relu", 360, ridges, 1))[0])
    table.add("random Fourier features, one point", medians(3, lambda: fourier_errors(data, 100, 1e-2))[0])
    table.show()


if __name__ == "__main__":
    main()
