"""Spectra one below the other, down the depth: a filled histogram and a density for every layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import holoviews as hv
import numpy as np
from numpy.typing import NDArray

from app.parts.figure import ACTUAL, EQUIVALENT, Figure, empty

Array = NDArray[np.float64]

_BINS = 48
_OVERLAP = 0.92  # height of a row, where rows are 1 apart


@dataclass(frozen=True, eq=False)
class Row:
    """One layer.

    Attributes
    ----------
    grid, density : the law on positive eigenvalues, per unit of the eigenvalue.
    eigenvalues : of all draws, ascending; None while there are none.
    """

    grid: Array
    density: Array
    eigenvalues: Array | None


@dataclass(frozen=True)
class Ridgeline:
    """Declares a figure of at most so many rows; call it for the HoloViews overlay."""

    most: int

    def __call__(self) -> hv.Overlay:
        """The overlay, empty: "actual 1", "equivalent 1", .. from the top, and the names of the rows."""
        none = np.zeros(0)
        parts = []
        for row in range(1, self.most + 1):
            area = hv.Area((none, none, none), "x", ["y", "y2"], label=f"actual {row}")
            parts.append(area.opts(color=ACTUAL, alpha=0.45, line_color=None))
            parts.append(
                hv.Curve((none, none), "x", "y", label=f"equivalent {row}").opts(color=EQUIVALENT, line_width=2.5)
            )
        names = hv.Labels((none, none, np.array([], str)), ["x", "y"], "text", label="names")
        parts.append(names.opts(text_font_size="10pt", text_align="left", text_baseline="bottom"))
        return hv.Overlay(parts).opts(
            hv.opts.Overlay(responsive=True, show_legend=False),
            hv.opts.Area(yticks=[-1.0], default_tools=["xpan", "xwheel_zoom", "box_zoom", "reset", "save"]),
        )


def paint(figure: Figure, plot: Ridgeline, rows: Sequence[Row], names: Sequence[str], shown: tuple[bool, bool],
          stale: bool) -> None:  # fmt: skip
    """Write the rows, the first at the top; `shown` says whether histograms and densities are."""
    low, high = _span(rows)
    figure.axes("eigenvalue λ", "density per unit of ln λ, row by row", True, False)
    figure.frame((low, high), (0.0, len(rows) + 0.12))
    figure.decades("x", high - low > 1.5)
    edges = np.linspace(low, high, _BINS + 1)
    for number in range(1, plot.most + 1):
        actual, line = f"actual {number}", f"equivalent {number}"
        if number > len(rows):
            figure.write(actual, **empty("x", "y"))
            figure.write(line, **empty("x", "y"))
            continue
        row, base = rows[number - 1], float(len(rows) - number)
        per_log = row.density * row.grid
        tall = _OVERLAP / max(_typical(per_log), 1e-300)
        figure.write(line, x=np.log10(row.grid), y=base + np.minimum(per_log * tall, _OVERLAP))
        figure.show(line, shown[1])
        if row.eigenvalues is None or not shown[0]:
            figure.write(actual, **empty("x", "y"))
            continue
        positive = row.eigenvalues[row.eigenvalues > 0]
        counts, _ = np.histogram(np.log10(positive), edges)
        heights = counts / (row.eigenvalues.size * np.log(10.0) * (edges[1] - edges[0]))
        steps_x, steps_y = np.repeat(edges, 2)[1:-1], np.repeat(np.minimum(heights * tall, _OVERLAP), 2)
        outline = np.concatenate([steps_x, steps_x[::-1]])
        figure.write(actual, x=outline, y=base + np.concatenate([steps_y, np.zeros(steps_y.size)]))
        figure.style(actual, fill_alpha=0.12 if stale else 0.45)
    figure.write("names", x=np.full(len(rows), low + 0.015 * (high - low)),
                 y=np.arange(len(rows) - 1, -1, -1) + 0.76, text=list(names))  # fmt: skip


def _typical(heights: Array) -> float:
    """Height that a hard edge's spike does not set."""
    return float(min(heights.max(), 1.6 * np.quantile(heights, 0.9)))


def _span(rows: Sequence[Row]) -> tuple[float, float]:
    """Logarithms between which all but the lowest thousandth lies, to a tenth."""
    ends = []
    for row in rows:
        mass = np.cumsum(np.gradient(row.grid) * row.density)
        ends.append(float(row.grid[np.searchsorted(mass, 2e-3 * mass[-1])]))
    low, high = min(ends), max(float(row.grid[-1]) for row in rows)
    low = max(low, 1e-5 * high)
    return float(np.floor(10.0 * np.log10(low)) / 10.0 - 0.1), float(np.ceil(10.0 * np.log10(high)) / 10.0 + 0.1)
