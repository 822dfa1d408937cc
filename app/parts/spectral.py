"""The spectral plot: histogram, outline, density, rug, edges, outliers and the atom."""

from __future__ import annotations

from dataclasses import dataclass

import holoviews as hv
import numpy as np
from numpy.typing import NDArray

from app.parts.figure import ACTUAL, EQUIVALENT, LINEAR, MARK, Figure, empty

Array = NDArray[np.float64]

_DECADES = 4.0  # how far down a logarithmic density axis goes
_BAND = 0.07  # share of the height below zero that the rug takes


@dataclass(frozen=True, eq=False)
class Sample:
    """Eigenvalues of one reading: those off the atom, the matrix size times draws, mass found at the atom."""

    eigenvalues: Array
    total: int
    atom: float
    outliers: Array


@dataclass(frozen=True, eq=False)
class Scene:
    """All that the plot shows; `axes` is linear, log (density per unit of ln), loglog, or logy (of the density).

    Attributes
    ----------
    signed : eigenvalues may be negative, on a linear axis; the atom is a bar of the histogram, as a finite matrix
        spreads it.
    atom_at : where the atom is; 0 unless signed.
    reach : outliers farther from the bulk than so many of its widths are named at the side of the frame.
    """

    grid: Array
    density: Array
    weights: Array
    bulks: Array
    atom: float
    outliers: Array
    axes: str
    bins: int
    samples: dict[str, Sample]
    stale: bool
    signed: bool = False
    atom_at: float = 0.0
    reach: float = np.inf

    @property
    def near(self) -> tuple[float, float]:
        """The part of the axis within reach."""
        low, high = float(self.bulks[0, 0]), float(self.bulks[-1, 1])
        room = self.reach * max(high - low, 1e-12)
        return low - room, high + room

    def within(self, positions: Array) -> Array:
        """Those of the positions that exist and are within reach."""
        return positions[(positions >= self.near[0]) & (positions <= self.near[1])]


def declare() -> hv.Overlay:
    """The overlay, empty; every element is known by its label."""
    none = np.zeros(0)
    line = hv.Curve((none, none), "x", "y")
    return (
        hv.Histogram((np.array([0.0, 1.0]), np.array([0.0])), label="actual").opts(
            fill_color=ACTUAL, fill_alpha=0.45, line_color=ACTUAL, line_alpha=0.6
        )
        * hv.Rectangles([], label="atom found").opts(fill_color=ACTUAL, fill_alpha=0.6, line_color=None)
        * hv.Rectangles([], label="atom").opts(fill_color=None, line_color=EQUIVALENT, line_width=3)
        * hv.Spikes(none, label="rug").opts(color=ACTUAL, line_width=1, line_alpha=0.7)
        * line.relabel("linear").opts(color=LINEAR, line_width=2, line_dash="dashed")
        * line.relabel("equivalent").opts(color=EQUIVALENT, line_width=3)
        * hv.VLines(none, label="edges").opts(color=EQUIVALENT, line_width=1.5, line_dash="dotted", line_alpha=0.6)
        * hv.Points((none, none), label="outliers").opts(
            color=None, line_color=EQUIVALENT, marker="diamond", size=18, line_width=3
        )
        * hv.Points((none, none), label="outliers linear").opts(
            color=None, line_color=LINEAR, marker="square", size=10, line_width=2
        )
        * hv.Points((none, none), label="outliers found").opts(color=MARK, marker="circle", size=8)
        * _notes("notes", "left")
        * _notes("notes right", "right")
    ).opts(
        hv.opts.Overlay(responsive=True, show_legend=False, xlabel="eigenvalue λ", ylabel="density"),
        hv.opts.Histogram(tools=[], default_tools=["xpan", "xwheel_zoom", "box_zoom", "reset", "save"]),
    )


def _notes(label: str, align: str) -> hv.Labels:
    none = np.zeros(0)
    notes = hv.Labels((none, none, []), ["x", "y"], "text", label=label)
    return notes.opts(text_font_size="13px", text_align=align, text_baseline="bottom")


def paint(figure: Figure, scene: Scene) -> Plane:
    """Write the scene into a visitor's figure, in place; the coordinates, for what else a lab draws there."""
    plane = Plane(scene)
    figure.axes("eigenvalue λ", plane.y_label, plane.log_x, plane.log_y, plane.floor)
    figure.frame(plane.x_range, plane.y_range)
    height = plane.height(scene.grid, scene.density)
    figure.write("equivalent", x=plane.x(scene.grid), y=height)
    edges = scene.bulks if len(scene.bulks) <= 4 else np.array([scene.bulks[0, 0], scene.bulks[-1, 1]])
    figure.write("edges", x=plane.x(edges.ravel() if scene.signed else edges[edges > 0]))
    marked = scene.within(scene.outliers)
    level = 0.04 * plane.top
    figure.write("outliers", x=plane.x(marked), y=np.full(marked.size, level))
    _write_actual(figure, plane, scene, level)
    _write_linear(figure, plane, scene, level)
    _write_atom(figure, plane, scene)
    # While a new draw is on its way the old one stays, pale.
    figure.style("actual", fill_alpha=0.12 if scene.stale else 0.45, line_alpha=0.2 if scene.stale else 0.6)
    figure.style("linear", line_alpha=0.25 if scene.stale else 1.0)
    return plane


def _write_actual(figure: Figure, plane: Plane, scene: Scene, level: float) -> None:
    sample = scene.samples.get("actual")
    if sample is None:
        figure.write("actual", **empty("left", "right", "top"))
        figure.write("rug", **empty("x", "y0", "y1"))
        figure.write("outliers found", **empty("x", "y"))
        return
    left, right, top = plane.histogram(sample)
    figure.write("actual", left=left, right=right, top=top)
    values = sample.eigenvalues[:: max(1, sample.eigenvalues.size // 4000)]
    ticks = plane.x(values[values >= plane.smallest])
    low, high = plane.y_range[0], 0.25 * plane.y_range[0]
    figure.write("rug", x=ticks, y0=np.full(ticks.size, low), y1=np.full(ticks.size, high))
    found = plane.x(scene.within(sample.outliers))
    figure.write("outliers found", x=found, y=np.full(found.size, level))


def _write_linear(figure: Figure, plane: Plane, scene: Scene, level: float) -> None:
    sample = scene.samples.get("linear")
    if sample is None:
        figure.write("linear", **empty("x", "y"))
        figure.write("outliers linear", **empty("x", "y"))
        return
    found = plane.x(scene.within(sample.outliers))
    figure.write("outliers linear", x=found, y=np.full(found.size, level))
    left, right, top = plane.histogram(sample)
    steps_x = np.column_stack([left, right]).ravel()
    figure.write("linear", x=steps_x, y=np.repeat(top, 2))


def _write_atom(figure: Figure, plane: Plane, scene: Scene) -> None:
    left, right = plane.atom_span
    names = "left", "bottom", "right", "top"
    sample = scene.samples.get("actual")
    found = sample.atom if sample is not None else 0.0

    def bar(mass: float) -> dict[str, Array]:
        if mass <= 0:
            return empty(*names)
        return dict(zip(names, np.array([[left], [0.0], [right], [plane.atom_height(mass)]]), strict=True))

    figure.write("atom", **bar(scene.atom))
    figure.write("atom found", **bar(found))
    mass = max(scene.atom, found)
    rows = []
    if mass > 0:
        height = min(plane.atom_height(mass), 0.9 * plane.top if scene.signed else plane.top)
        rows = [(right, height, f" mass {scene.atom:.3g} at {scene.atom_at:.3g}")]
    _write_notes(figure, plane, scene, rows)


def _write_notes(figure: Figure, plane: Plane, scene: Scene, rows: list[tuple[float, float, str]]) -> None:
    """What is said in the figure: `rows`, and outliers out of reach at the side where they are."""
    far = np.sort(scene.outliers[np.isfinite(scene.outliers)])
    low, high = scene.near
    if (far < low).any():
        rows = [*rows, (plane.x_range[0], 0.8 * plane.top, f" ◂ outlier at {_listed(far[far < low])}")]
    ends = []
    if (far > high).any():
        ends = [(plane.x_range[1], 0.9 * plane.top, f"outlier at {_listed(far[far > high])} ▸ ")]
    for label, notes in (("notes", rows), ("notes right", ends)):
        x, y = np.array([note[:2] for note in notes]).reshape(-1, 2).T
        figure.write(label, x=x, y=y, text=[note[2].replace("-", "−") for note in notes])


def _listed(positions: Array) -> str:
    """With three digits; those that these do not tell apart only once."""
    return ", ".join(dict.fromkeys(f"{one:.3g}" for one in positions))


class Plane:
    """How values become coordinates, and the ranges they need."""

    def __init__(self, scene: Scene) -> None:
        self.log_x = scene.axes in ("log", "loglog")
        self.log_y = scene.axes in ("loglog", "logy")
        self.per_log = scene.axes == "log"
        self.y_label = "density per unit of ln λ" if self.per_log else "density"
        self.bins = scene.bins
        self.smallest = -np.inf if scene.signed else 0.0
        if self.log_x:
            positive = scene.grid[scene.grid > 0]
            seen = [sample.eigenvalues for sample in scene.samples.values()]
            found = np.concatenate([positive, *seen, scene.outliers[np.isfinite(scene.outliers)]])
            self.smallest = float(found[found > 1e-12 * float(positive[-1])].min())
        heights = scene.density * scene.grid if self.per_log else scene.density
        ceiling = _ceiling(heights, scene.weights)
        self._set_x(scene)
        bars = [self._densities(sample).max() for sample in scene.samples.values()]
        most = (100.0 if scene.axes == "logy" else 1.8) * ceiling
        ceiling = _step_up(max([ceiling, *np.minimum(bars, most)]))
        self.floor = float(np.floor(np.log10(ceiling)) + 1.0 - _DECADES) if self.log_y else 0.0
        self.top = 1.06 * (np.log10(ceiling) - self.floor if self.log_y else ceiling)
        self.y_range = (-_BAND * self.top, self.top)

    def _set_x(self, scene: Scene) -> None:
        values = [scene.bulks[0, 0], scene.bulks[-1, 1], *scene.within(scene.outliers)]
        if scene.atom > 0:
            values.append(scene.atom_at)
        for sample in scene.samples.values():
            # A single stray eigenvalue of a heavy tail may lie outside; a crowd may not.
            values.extend(np.quantile(sample.eigenvalues, [0.005, 0.995]) if sample.eigenvalues.size else [])
            values.extend(scene.within(sample.outliers))
        high = self.x(np.array([max(values)]))[0]
        low = self.x(np.array([self.smallest if self.log_x else min(values) if scene.signed else scene.bulks[0, 0]]))[0]
        if not (self.log_x or scene.signed):
            # Start at zero unless the bulk is a narrow band far from it.
            low = 0.0 if scene.atom > 0 or low < 0.6 * high else low
        room = 0.04 * max(high - low, 1e-9 * abs(high), 1e-12)
        atom_room = 3.0 * room if scene.atom > 0 and self.log_x else 0.0
        self.x_range = (low - room - atom_room, high + room)
        start = low - room - atom_room if self.log_x else scene.atom_at - 0.6 * room
        self.atom_span = (start + 0.2 * room, start + 1.2 * room) if self.log_x else (start, start + 1.2 * room)
        first = low if self.log_x else low - room if scene.signed else max(low - room, 0.0)
        self._edges = np.linspace(first, high + 0.5 * room, self.bins + 1)
        self._bin_of_atom = scene.signed
        if scene.signed and scene.atom > 0:
            bar = int(np.searchsorted(self._edges, scene.atom_at, side="right"))
            self.atom_span = float(self._edges[bar - 1]), float(self._edges[bar])

    def atom_height(self, mass: float) -> float:
        """Of its bar: a share of the frame, or the density within the bin that it is in."""
        if not self._bin_of_atom:
            return mass * self.top
        return float(self.y(np.array([mass / (self.atom_span[1] - self.atom_span[0])]))[0])

    def x(self, values: Array) -> Array:
        """Horizontal coordinates."""
        return np.log10(np.maximum(values, self.smallest)) if self.log_x else np.asarray(values, float)

    def y(self, density: Array) -> Array:
        """Vertical coordinates of a density that is already per unit of the axis."""
        if not self.log_y:
            return density
        return np.log10(np.maximum(density, 10.0**self.floor)) - self.floor

    def height(self, values: Array, density: Array) -> Array:
        """Vertical coordinates of a density per unit of lambda."""
        return self.y(density * values if self.per_log else density)

    def histogram(self, sample: Sample) -> tuple[Array, Array, Array]:
        """Left, right and top of the bars; their area is the fraction of all eigenvalues, zeros included."""
        return self._edges[:-1], self._edges[1:], self.y(self._densities(sample))

    def _densities(self, sample: Sample) -> Array:
        counts, _ = np.histogram(self.x(sample.eigenvalues[sample.eigenvalues >= self.smallest]), self._edges)
        if self.per_log:
            width = np.diff(self._edges) * np.log(10.0)
        else:
            width = np.diff(10.0**self._edges if self.log_x else self._edges)
        return counts / (sample.total * width)


def _step_up(height: float) -> float:
    """The next of 24 steps per factor of ten: a range that does not tremble while a slider moves."""
    return float(10.0 ** (np.ceil(24.0 * np.log10(height)) / 24.0))


def _ceiling(heights: Array, weights: Array) -> float:
    """Height that all but a thin spike of the curve stays under (hard edges are infinitely high)."""
    order = np.argsort(heights)
    mass = np.cumsum(weights[order])
    typical = heights[order][np.searchsorted(mass, 0.9 * mass[-1])]
    return float(max(min(heights.max(), 2.5 * typical), 1e-300))
