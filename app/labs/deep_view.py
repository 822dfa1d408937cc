"""What the views of the Deep networks lab have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from app.labs.base import Key, Lamp, Readout, Report, Table, Task
from app.parts import spectral
from app.parts.figure import ACTUAL, EQUIVALENT, LINEAR, Figure
from app.settings import Values
from rmtcore import Spectrum, get_activation

Array = NDArray[np.float64]

WAITING = "drawing"
_TAIL = 1e-3  # of the mass of a law


class View(ABC):
    """One look at a deep network; stateless, like a lab."""

    figures: ClassVar[tuple[str, ...]]

    def visible(self, values: Values) -> list[str]:
        """Names of the figures shown."""
        return list(self.figures)

    def pick(self, values: Values, figure: str, x: float, y: float) -> Values:
        """Changes of settings by a click or drag."""
        return {}

    @abstractmethod
    def theory(self, values: Values, most_entries: int) -> Any:
        """All that needs no draw."""

    @abstractmethod
    def task(self, values: Values, theory: Any, most_entries: int) -> Task:
        """The experiment."""

    @abstractmethod
    def observed(self, theory: Any, observed: Any) -> Any:
        """What was observed, or None where it belongs to another view or to other sizes."""

    @abstractmethod
    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Any, observed: Any, stale: bool) -> None:
        """Patch the figures."""

    @abstractmethod
    def report(self, values: Values, theory: Any, observed: Any) -> Report:
        """Numbers and words."""

    @abstractmethod
    def table(self, values: Values, theory: Any, observed: Any) -> list[Table]:
        """What is plotted, as numbers."""

    @abstractmethod
    def python(self, values: Values, theory: Any, observed: Any) -> str:
        """Lines that reproduce the tables."""


def activation_of(values: Values, name: str = "activation") -> str:
    """Its label, as it stands in a sentence."""
    return get_activation(str(values[name])).label


def layers_in_words(count: int, label: str) -> str:
    """3 ReLU layers."""
    return f"{count} {label} layer" + ("" if count == 1 else "s")


def scaled(law: Spectrum, factor: float, shift: float = 0.0) -> Spectrum:
    """The law of factor M + shift I, from that of M with its atom at 0; factor > 0."""
    moved = [replace(one, position=factor * one.position + shift) for one in law.outliers]
    return replace(
        law,
        outliers=tuple(moved),
        grid=factor * law.grid + shift,
        density=law.density / factor,
        bulks=factor * law.bulks + shift,
        atom_at=factor * law.atom_at + shift,
    )


def outliers_of(law: Spectrum | None) -> Array:
    """Where eigenvalues stand alone."""
    return np.array([one.position for one in (law.outliers if law else ()) if one.separated], float)


def sample(eigenvalues: Array, atom_at_zero: bool = False, outliers: Array | None = None) -> spectral.Sample:
    """Eigenvalues of draws, as the spectral plot wants them: those of an atom at 0 apart."""
    values = np.sort(eigenvalues.ravel())
    kept = values[values > 1e-10 * values[-1]] if atom_at_zero else values
    found = np.zeros(0) if outliers is None else outliers.ravel()
    return spectral.Sample(kept, values.size, 1.0 - kept.size / values.size, found)


def paint_spectrum(
    figure: Figure,
    law: Spectrum | None,
    samples: Mapping[str, spectral.Sample],
    outliers: Array,
    axes: str,
    shown: bool,
    stale: bool,
) -> None:
    """The spectral plot; without a law only the draws."""
    here = _span_of(samples) if law is None else law
    atom = here.atom if here.atom_at == 0.0 else 0.0  # elsewhere it is among the bars
    inside = here.grid > -np.inf
    if axes == "log":  # the tail towards a hard edge at 0 goes on for decades, and holds next to nothing
        inside = np.cumsum(here.weights) > _TAIL * here.weights.sum()
    low = float(here.grid[inside][0]) if axes == "log" else -np.inf
    kept = {name: replace(one, eigenvalues=one.eigenvalues[one.eigenvalues >= low]) for name, one in samples.items()}
    scene = spectral.Scene(
        here.grid[inside], here.density[inside], here.weights[inside], here.bulks, atom, outliers, axes, 60, kept, stale
    )
    spectral.paint(figure, scene)
    for label in ("equivalent", "edges", "outliers", "atom"):
        figure.show(label, shown and law is not None)


def _span_of(samples: Mapping[str, spectral.Sample]) -> Any:
    """A flat stand-in for a law, which only sets the frame."""
    values = np.concatenate([one.eigenvalues for one in samples.values()]) if samples else np.array([0.5, 1.5])
    low, high = np.quantile(values, [0.02, 0.98])
    room = max(high - low, 0.02 * abs(high), 1e-9)
    grid = np.array([low - 0.1 * room, low + 0.5 * room, low + 1.1 * room])
    grid = np.maximum(grid, 1e-6 * room)
    weights = np.full(3, 1.0 / 3.0)
    return Spectrum(
        "gram", grid, np.full(3, 1.5 / room), weights, np.cumsum(weights), grid[[[0, 2]]], 0.0, (), _NO_HEALTH
    )


_NO_HEALTH: Any = None

SPECTRAL_KEYS = [
    Key("actual, in a histogram", ACTUAL, "area"),
    Key("linear equivalent", LINEAR, "dashed"),
    Key("limiting density", EQUIVALENT),
]


def jump_lamp(label: str, jumping: bool) -> Lamp:
    """Whether there is a tangent kernel at all."""
    return Lamp(
        "a derivative",
        jumping,
        f"{label} jumps: its gradient is zero almost everywhere, E φ′² is infinite, and there is no tangent kernel.",
    )


def size_lamp(smallest: int) -> Lamp:
    """Whether the limit is near."""
    return Lamp("large dimensions", smallest < 50, f"The smallest dimension is {smallest}; the theory is a limit.")


def waiting(*labels: str) -> list[Readout]:
    """Read-outs that keep their places while the workers draw."""
    return [Readout(label, "…", WAITING) for label in labels]


def gap_and_z(label: str, mean: Array, error: Array, predicted: Array, what: str, room: float) -> Readout:
    """Median relative gap and median |z| of dots; good within `room`, or three standard errors."""
    usable = (predicted > 0) & np.isfinite(predicted) & np.isfinite(mean) & (error > 0)
    if not usable.any():
        return Readout(label, "…", "needs two repetitions")
    gap = float(np.median(np.abs(mean[usable] / predicted[usable] - 1.0)))
    z = float(np.median(np.abs(mean[usable] - predicted[usable]) / error[usable]))
    return Readout(
        label, f"median gap {gap:.1%}", f"median |z| = {z:.1f} over {usable.sum()} {what}", gap < room or z < 3
    )
