"""How long the spectral core takes, beside a NumPy fixed point and freealg on the same law. One table.

    python tests/benchmarks/spectrum.py

freealg is optional (pip install -e ".[benchmark]"); its rows are left out where it is not installed. Nothing
here gates: times depend on the machine, ratios come from calls that take turns in one run. "error" is the
largest error of the density over its largest value, on the points not within 1 % of an edge, against the
roots of the law's polynomial.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from naive import edges_polynomial, gram_polynomial

from rmtcore import ACTIVATIONS, Activation, Layer, Network, Population, spectrum
from rmtcore.support import find_support

ATOMS, COUNTS, SAMPLES = np.array([1.0, 5.0]), np.array([100.0, 100.0]), 400
TWO = Network(Population.atoms(ATOMS, COUNTS, 200), samples=SAMPLES)
DEEP = Network(Population.identity(200), [Layer(300, "tanh")] * 10, samples=400)
MANY = Network(Population.power_law(1.0, 300), samples=600)
MIXED = Network(Population.identity(200), [Layer(300, "relu"), Layer(150, "tanh")] * 5, samples=400)


def damped_fixed_point(x: np.ndarray, eta: float = 1e-6, tolerance: float = 1e-8) -> np.ndarray:
    """Density of TWO's Gram matrix by t <- (t - 1/(z - (1/n) sum m s/(1 + s t)))/2, all points at once.

    As fast as it gets in NumPy: no sum over an axis, and points that have converged are dropped as it goes.
    """
    z = x + 1j * eta
    t, active = -1 / z, np.arange(x.size)
    shares = COUNTS * ATOMS / SAMPLES
    current, target = t.copy(), z.copy()
    for step in range(200_000):
        inner = shares[0] / (1 + ATOMS[0] * current)
        inner += shares[1] / (1 + ATOMS[1] * current)
        update = 0.5 * (current - 1 / (target - inner))
        if step % 20 == 0:
            open_ = np.abs(update - current) > tolerance * np.abs(update)
            t[active] = update
            if not open_.any():
                break
            active, update, target = active[open_], update[open_], target[open_]
        current = update
    return t.imag / np.pi


def medians(runs: int, *calls: Callable[[], object]) -> list[float]:
    """Median milliseconds of every call; they take turns, after a warm-up of each."""
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        for _ in range(min(runs, 5)):
            call()
    for _ in range(runs):
        for call, spent in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            spent.append(time.perf_counter() - start)
    return [1e3 * median(spent) for spent in times]


def fresh_moments(activations: list[Activation]) -> Callable[[], object]:
    """Moments of these activations at a variance never asked for before: the cache does not answer."""
    variances = iter(np.linspace(0.5, 2.0, 1_000_000))

    def call() -> None:
        variance = float(next(variances))
        for activation in activations:
            activation.moments(variance)

    return call


class Table:
    """Rows of one run: what, time, goal, beside what, its time, the ratio, both errors."""

    def __init__(self) -> None:
        self.rows = [("what", "ms", "goal", "beside", "ms", "ratio", "error", "its error")]

    def add(
        self,
        what: str,
        ours: float,
        goal: float | None = None,
        beside: str = "",
        theirs: float | None = None,
        least: float | None = None,
        errors: tuple[float, float] | None = None,
    ) -> None:
        """A row; `goal` is the most milliseconds, `least` the smallest ratio that counts as met."""
        aim = "" if goal is None else f"<= {goal:g} {'met' if ours <= goal else 'MISSED'}"
        ratio = ""
        if theirs is not None:
            ratio = f"{theirs / ours:.1f}"
            ratio += "" if least is None else f" (>= {least:g} {'met' if theirs / ours >= least else 'MISSED'})"
        shown = ("", "") if errors is None else tuple(f"{error:.0e}" for error in errors)
        self.rows.append((what, f"{ours:.3f}", aim, beside, "" if theirs is None else f"{theirs:.1f}", ratio, *shown))

    def show(self) -> None:
        """Print the columns, as wide as they need to be."""
        widths = [max(map(len, column)) for column in zip(*self.rows, strict=True)]
        for index, row in enumerate(self.rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
            if index == 0:
                print("  ".join("-" * width for width in widths))


def main() -> None:
    """Measure, and print the table."""
    table = Table()
    law = spectrum(TWO, points=1000, matrix="gram")
    x = law.grid
    edges = law.bulks.ravel()
    inside = (law.density > 0) & np.all(np.abs(x[:, None] / edges - 1) > 0.01, axis=1)
    exact = np.array([gram_polynomial(point, ATOMS, COUNTS, SAMPLES).imag / np.pi for point in x[inside]])

    def error(density: np.ndarray) -> float:
        return float(np.max(np.abs(density[inside] - exact)) / exact.max())

    edge_error = float(np.max(np.abs(edges / edges_polynomial(ATOMS, COUNTS, SAMPLES) - 1)))
    exact_error = error(law.density)

    def ours() -> object:
        return spectrum(TWO, points=1000, matrix="gram")

    (alone,) = medians(300, ours)
    table.add(f"two atoms, density on {x.size} points", alone, 1.5)
    # ours is exact; what a fixed point costs depends on the accuracy asked of it, so three are shown
    for eta, tolerance, least in ((1e-6, 1e-8, 60), (1e-4, 1e-6, None), (1e-3, 1e-4, None)):
        here, there = medians(5, ours, lambda eta=eta, tol=tolerance: damped_fixed_point(x, eta, tol))
        errors = exact_error, error(damped_fixed_point(x, eta, tolerance))
        what = f"NumPy fixed point, eta {eta:g}"
        table.add("two atoms, density", here, None, what, there, least, errors)
    table.add("ten tanh layers, density on 400 points", medians(200, lambda: spectrum(DEEP, points=400))[0], 3)
    table.add("ten layers, gaps, density on 400 points", medians(200, lambda: spectrum(MIXED, points=400))[0])
    table.add("300 atoms, density on 400 points", medians(200, lambda: spectrum(MANY, points=400))[0])

    two, deep, many = TWO.chain(), DEEP.chain(), MANY.chain()
    table.add("two atoms, edges", medians(1000, lambda: find_support(two))[0], 0.5)
    table.add("ten tanh layers, edges", medians(300, lambda: find_support(deep))[0], 0.5)
    table.add("300 atoms, edges", medians(300, lambda: find_support(many))[0], 0.5)

    named = list(ACTIVATIONS.values())
    own = Activation("own", lambda t: np.maximum(t, 0.0), breaks=(0.0,))
    table.add(f"moments of all {len(named)} activations", medians(300, fresh_moments(named))[0])
    table.add("moments of a custom one, by quadrature", medians(300, fresh_moments([own]))[0])

    try:
        from freealg.distributions import DeformedMarchenkoPastur
    except ImportError:
        table.show()
        print("\nfreealg is not installed: pip install freealg")
        return
    # its law is that of the covariance side, with weights that sum to one
    other = DeformedMarchenkoPastur(t=ATOMS, w=COUNTS / COUNTS.sum(), c=COUNTS.sum() / SAMPLES)
    share = COUNTS.sum() / SAMPLES
    for eta in (1e-3, 1e-6):
        here, there = medians(5, ours, lambda eta=eta: other.density(x, eta=eta))
        errors = exact_error, error(share * other.density(x, eta=eta))
        table.add("two atoms, density", here, None, f"freealg, eta {eta:g}", there, None, errors)
    for method in ("quartic", "probe"):
        here, there = medians(5, lambda: find_support(two), lambda method=method: other.support(method=method))
        found = np.array(other.support(method=method)).ravel()
        wrong = float(np.max(np.abs(found / edges - 1))) if found.size == edges.size else np.inf
        what = f"freealg support, {method}" + ("" if found.size == edges.size else " (gap missed)")
        table.add("two atoms, edges", here, None, what, there, None, (edge_error, wrong))
    table.show()


if __name__ == "__main__":
    main()
