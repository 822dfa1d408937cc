"""Symmetric matrices as images, side by side on one colour scale."""

from __future__ import annotations

from dataclasses import dataclass

import holoviews as hv
import numpy as np
from numpy.typing import NDArray

from app.parts.figure import Figure

Array = NDArray[np.float64]

PANELS = ("first", "second", "third", "fourth")
_GAP, _TITLE = 0.06, 0.17
_LARGEST = 64  # rows and columns shown


@dataclass(frozen=True, eq=False)
class Panel:
    """One matrix (N, N) and its name."""

    title: str
    matrix: Array


def declare() -> hv.Overlay:
    """Up to four panels, two and two, with their names."""
    none = np.zeros(0)
    place = {"colorbar_position": "bottom", "colorbar_opts": {"height": 10, "padding": 2}}
    bar = {"colorbar": True, "clabel": "entry", **place}
    panels = [
        hv.Image(np.zeros((2, 2)), bounds=(0, 0, 1, 1), label=label).opts(
            cmap="RdBu_r", clim=(-1.0, 1.0), default_tools=["save"], **(bar if label == PANELS[0] else {})
        )
        for label in PANELS
    ]
    titles = hv.Labels((none, none, np.array([], str)), ["x", "y"], "text", label="titles").opts(
        text_font_size="10pt", text_align="center", text_baseline="bottom", default_tools=["save"]
    )
    overlay = hv.Overlay([*panels, titles])
    plain = {"xaxis": None, "yaxis": None, "backend_opts": {"plot.xgrid.visible": False, "plot.ygrid.visible": False}}
    return overlay.opts(
        hv.opts.Overlay(responsive=True, show_legend=False, default_tools=["save"], active_tools=[], **plain)
    )


def thinned(matrix: Array) -> Array:
    """At most 64 rows and columns, spread evenly over all."""
    step = int(np.ceil(matrix.shape[0] / _LARGEST))
    return matrix[::step, ::step]


def paint(figure: Figure, panels: list[Panel], limit: float, pale: bool) -> None:
    """Write the panels, row by row from the top left; entries beyond +-`limit` take the colours of the ends."""
    rows = (len(panels) + 1) // 2
    figure.frame((0.0, 2.0 + _GAP), (0.0, rows * (1.0 + _TITLE)))
    titles: list[tuple[float, float, str]] = []
    for index, label in enumerate(PANELS):
        figure.show(label, index < len(panels))
        figure.colours(label, -limit, limit)
        if index >= len(panels):
            continue
        row, column = divmod(index, 2)
        # The last of an odd number stands in the middle.
        x = 0.5 * (1.0 + _GAP) if index == len(panels) - 1 and column == 0 else column * (1.0 + _GAP)
        y = (rows - 1 - row) * (1.0 + _TITLE)
        # Images grow upwards, matrices down.
        figure.write(label, image=[panels[index].matrix[::-1]], x=[x], y=[y], dw=[1.0], dh=[1.0])
        figure.style(label, global_alpha=0.3 if pale and index != 2 else 1.0)
        titles.append((x + 0.5, y + 1.0, panels[index].title))
    x_at, y_at, texts = zip(*titles, strict=True)
    figure.write("titles", x=np.array(x_at), y=np.array(y_at), text=list(texts))
