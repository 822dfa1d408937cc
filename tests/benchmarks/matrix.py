"""How long a matrix report takes, beside one SVD and beside WeightWatcher's Marchenko-Pastur fit. One table.

    python tests/benchmarks/matrix.py

WeightWatcher is optional (pip install -e ".[benchmark]"): its rows are left out where it is not installed. Nothing
here gates: times depend on the machine, ratios come from calls that take turns in one run, on one BLAS thread.
Errors are those of the noise variance, relative, over ten draws of white noise.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parent))

from spectrum import Table, medians

from rmtcore import diagnose, fit_atoms, fit_marchenko_pastur, fit_power_law, load
from rmtcore.diagnosis import allowed_distance
from rmtcore.lanczos import estimate_eigenvalues


def sample(seed: int, n: int, p: int) -> tuple[np.ndarray, np.ndarray]:
    """White noise of variance 1 and the eigenvalues of its covariance."""
    matrix = np.random.default_rng(seed).standard_normal((n, p))
    return matrix, np.linalg.eigvalsh(matrix.T @ matrix / n)


def against_weightwatcher(table: Table) -> bool:
    """Its fit, and ours, on the same 1000 eigenvalues; False where it is not installed."""
    try:
        from weightwatcher.RMT_Util import fit_density_with_range
    except ImportError:
        return False
    n, p = 2000, 1000
    spectra = [sample(seed, n, p)[1] for seed in range(10)]
    y = spectra[0]
    ours, theirs = medians(
        5, lambda: fit_marchenko_pastur(y, n, p, ratio=p / n), lambda: fit_density_with_range(y, n / p)
    )
    errors = (
        float(np.mean([abs(fit_marchenko_pastur(one, n, p, ratio=p / n).variance - 1) for one in spectra])),
        float(np.mean([abs(fit_density_with_range(one, n / p)[0] ** 2 - 1) for one in spectra])),
    )
    table.add("Marchenko-Pastur fit, 1000 eigenvalues", ours, None, "WeightWatcher", theirs, 100, errors)
    ours, theirs = medians(5, lambda: fit_marchenko_pastur(y, n, p), lambda: fit_density_with_range(y, n / p))
    table.add("the same, ratio fitted too", ours, None, "WeightWatcher, ratio given", theirs, 100)
    return True


def main() -> None:
    """Measure, and print the table."""
    table = Table()
    with threadpool_limits(1):
        matrix, _ = sample(1, 1000, 2000)
        report, svd = medians(
            7, lambda: diagnose(matrix, kind="weights"), lambda: np.linalg.svd(matrix, compute_uv=False)
        )
        table.add("whole report, 1000 x 2000", report, None, "numpy SVD, values only", svd, 1 / 1.3)
        spiked = matrix * np.append(np.ones(1995), [2.0, 2.5, 3.0, 3.5, 4.0])
        here, there = medians(7, lambda: diagnose(spiked), lambda: np.linalg.svd(spiked, compute_uv=False))
        table.add("the same with five spikes, as data", here, None, "numpy SVD, values only", there, 1 / 1.3)

        n, p = 2000, 1000
        mixed = np.random.default_rng(2).standard_normal((n, p)) * np.sqrt(np.where(np.arange(p) < 500, 1.0, 5.0))
        y = np.linalg.eigvalsh(mixed.T @ mixed / n)
        table.add("two atoms, 1000 eigenvalues", medians(9, lambda: fit_atoms(y, n, p, 0, allowed_distance(p)))[0])
        table.add("power-law tail with bootstrap", medians(9, lambda: fit_power_law(y))[0])
        large = np.random.default_rng(3).standard_normal((2000, 2000))
        here, there = medians(
            1,
            lambda: estimate_eigenvalues(large, np.random.default_rng(0)),
            lambda: np.linalg.svd(large, compute_uv=False),
        )
        table.add("estimated spectrum, 2000 x 2000", here, None, "numpy SVD, values only", there)
        text = "\n".join(",".join(f"{x:.6g}" for x in row) for row in matrix[:500]).encode()
        table.add("a table of 1 million numbers as text", medians(3, lambda: load(text, "a.csv"))[0])
        installed = against_weightwatcher(table)
    table.show()
    if not installed:
        print("\nWeightWatcher is not installed: pip install weightwatcher")


if __name__ == "__main__":
    main()
