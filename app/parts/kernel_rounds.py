"""The experiment of the Kernels lab: one kernel matrix, and beside it its twin or its linear equivalent.

It stands apart from the labs because worker processes import it, and need none of the drawing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rmtcore import (
    Activation,
    DistanceKernel,
    KernelDraw,
    Spectrum,
    distance_kernel_spectrum,
    draw_distance_kernel,
    draw_kernel,
    get_activation,
    kernel_spectrum,
    kolmogorov_smirnov,
    matching,
    wasserstein1,
)
from rmtcore.experiment import Entries
from rmtcore.kernels import derivatives, get_distance_kernel

Array = NDArray[np.float64]
Reading = Literal["actual", "twin", "linear"]


@dataclass(frozen=True)
class Case:
    """A kernel and its data.

    Attributes
    ----------
    distance : a distance kernel; else one of inner products.
    name : of the activation, or of the distance kernel.
    dim, samples, mean_norm2, entries, dof : as in `rmtcore.kernel_spectrum`.
    """

    distance: bool
    name: str
    dim: int
    samples: int
    mean_norm2: float = 0.0
    entries: Entries = "gaussian"
    dof: float = 5.0

    @property
    def function(self) -> Any:
        """The Activation or DistanceKernel."""
        return get_distance_kernel(self.name) if self.distance else get_activation(self.name)

    @property
    def twin(self) -> Any:
        """A quadratic with the same limiting bulk."""
        if self.distance:
            return quadratic_distance_kernel(self.function)
        moments = self.function.moments(1.0)
        return matching(moments.mu1, moments.variance)

    def law(self, points: int = 400, twin: bool = False) -> Spectrum:
        """The limiting law of the kernel, or of its twin: another function, the same bulk, other outliers of norms."""
        solve: Any = distance_kernel_spectrum if self.distance else kernel_spectrum
        function = self.twin if twin else self.function
        return solve(function, self.dim, self.samples, points, self.mean_norm2, self.entries, self.dof)

    def draw(self, seed: tuple[int, ...], reading: Reading) -> KernelDraw:
        """One kernel matrix; every reading has the same data."""
        make: Any = draw_distance_kernel if self.distance else draw_kernel
        function = self.twin if reading == "twin" else self.function
        how = "linear" if reading == "linear" else "actual"
        return make(function, self.dim, self.samples, seed, how, self.mean_norm2, self.entries, self.dof)


def quadratic_distance_kernel(function: DistanceKernel) -> DistanceKernel:
    """The quadratic with the same f(0), f(2) and f'(2): all that the bulk knows of a distance kernel."""
    start, value, first, _ = derivatives(function)
    linear = value - start - first
    square = 0.25 * (first - linear)
    formula = f"{start:.4g} {linear:+.4g} t {square:+.4g} t²".replace("+", "+ ").replace("-", "− ")
    return DistanceKernel(
        f"quadratic like {function.name}",
        lambda t: start + t * (linear + square * t),
        lambda t: linear + 2.0 * square * t,
        lambda t: 2.0 * square + 0.0 * t,
        "Quadratic",
        formula,
    )


def same(one: Activation | DistanceKernel, other: Activation | DistanceKernel) -> bool:
    """Whether two functions are one, up to rounding, where their arguments live; activations are centred."""
    t = np.linspace(0.0, 4.0, 41) if isinstance(one, DistanceKernel) else np.linspace(-4.0, 4.0, 41)
    first, second = on(one, t), on(other, t)
    return bool(np.max(np.abs(first - second)) < 1e-9 * np.max(np.abs(first)))


def on(function: Activation | DistanceKernel, t: Array) -> Array:
    """The function as it enters the kernel, at t (any shape): an activation less its mean."""
    if isinstance(function, DistanceKernel):
        return np.asarray(function.value(t), float)
    return np.asarray(function.function(t), float) - function.moments(1.0).mean


@dataclass(frozen=True, eq=False)
class Drawn:
    """R rounds of one reading.

    Attributes
    ----------
    samples : n, eigenvalues of every round.
    bulk, atomic : those of all rounds that are no outliers; atomic are those on the atom's side of the middle
        between the atom and the bulk.
    outliers, overlap, score_overlap : (R, K) as in `rmtcore.KernelDraw`.
    ks, w1 : (R,) distances to the law of the kernel itself (outliers left out).
    """

    samples: int
    bulk: Array
    atomic: Array
    outliers: Array
    overlap: Array
    score_overlap: Array
    ks: Array
    w1: Array

    @property
    def rounds(self) -> int:
        """R."""
        return self.ks.size

    @property
    def kept(self) -> Array:
        """All eigenvalues but the outliers."""
        return np.concatenate([self.atomic, self.bulk])

    def join(self, other: Drawn) -> Drawn:
        """Both together."""
        names = ("bulk", "atomic", "outliers", "overlap", "score_overlap", "ks", "w1")
        return Drawn(self.samples, *(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))


def drawn(case: Case, seed: int, readings: tuple[Reading, ...], index: int) -> dict[Reading, Drawn]:
    """Round number `index`: a kernel matrix in every reading, on the same data, held against the law of the kernel."""
    law = case.law()
    return {reading: _held(law, case.draw((seed, index), reading), case.samples) for reading in readings}


def _held(law: Spectrum, found: KernelDraw, samples: int) -> Drawn:
    atomic = np.zeros(found.bulk.size, bool)
    if law.atom > 0:
        # The atom lies below the bulk, or above it where the slope is negative.
        below = law.atom_at <= law.bulks[0, 0]
        middle = 0.5 * (law.atom_at + (law.bulks[0, 0] if below else law.bulks[-1, 1]))
        atomic = found.bulk < middle if below else found.bulk > middle
    return Drawn(
        samples,
        found.bulk[~atomic],
        found.bulk[atomic],
        found.outliers[None],
        found.overlap[None],
        found.score_overlap[None],
        np.array([kolmogorov_smirnov(found.bulk, law)]),
        np.array([wasserstein1(found.bulk, law)]),
    )
