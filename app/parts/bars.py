"""Bars over whole numbers: filled ones, and outlines beside each other that are to be compared with them."""

from __future__ import annotations

from dataclasses import dataclass, field

import holoviews as hv
import numpy as np
from numpy.typing import NDArray

from app.parts.figure import Figure

Array = NDArray[np.float64]

_HALF = 0.4  # of the width of a bar


@dataclass(frozen=True)
class BarPlot:
    """Declares a figure: (label, colour) of the filled bars, and (label, colour, dash) of the outlines."""

    filled: tuple[tuple[str, str], ...]
    outlined: tuple[tuple[str, str, str], ...]

    def __call__(self) -> hv.Overlay:
        """The overlay, empty; every element is known by its label."""
        parts = [
            hv.Rectangles([], label=label).opts(fill_color=colour, fill_alpha=0.5, line_color=colour)
            for label, colour in self.filled
        ]
        parts += [
            hv.Rectangles([], label=label).opts(fill_color=None, line_color=colour, line_width=2.5, line_dash=dash)
            for label, colour, dash in self.outlined
        ]
        none = np.zeros(0)
        parts.append(
            hv.Labels((none, none, []), ["x", "y"], "text", label="notes").opts(
                text_font_size="13px", text_align="center", text_baseline="top"
            )
        )
        tools = {"default_tools": ["save"]}
        return hv.Overlay(parts).opts(
            hv.opts.Overlay(responsive=True, show_legend=False, active_tools=[], **tools),
            hv.opts.Rectangles(tools=[], **tools),
            hv.opts.Labels(**tools),
        )


@dataclass(frozen=True, eq=False)
class BarScene:
    """Heights by label (position, height); notes (position, text) stand at the top."""

    x_label: str
    y_label: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    log_y: bool
    bars: dict[str, tuple[Array, Array]]
    notes: tuple[tuple[float, str], ...] = field(default=())


def paint(figure: Figure, plot: BarPlot, scene: BarScene) -> None:
    """Write the scene into a visitor's figure, in place; what is lower than the frame is left out."""
    low, high = np.log10(scene.y_range) if scene.log_y else scene.y_range
    figure.axes(scene.x_label, scene.y_label, False, scene.log_y)
    figure.frame(scene.x_range, (float(low), float(high)))
    for label, _ in plot.filled:
        _write(figure, label, scene, float(low), (-_HALF, _HALF))
    width = 2.0 * _HALF / max(len(plot.outlined), 1)
    for index, (label, _, _) in enumerate(plot.outlined):
        _write(figure, label, scene, float(low), (index * width - _HALF, (index + 1) * width - _HALF))
    x, top = np.array([place for place, _ in scene.notes], float), float(high) - 0.02 * float(high - low)
    figure.write("notes", x=x, y=np.full(x.size, top), text=[text for _, text in scene.notes])


def _write(figure: Figure, label: str, scene: BarScene, floor: float, span: tuple[float, float]) -> None:
    x, heights = scene.bars.get(label, (np.zeros(0), np.zeros(0)))
    seen = heights > (10.0**floor if scene.log_y else floor)
    x, heights = x[seen], heights[seen]
    tops = np.log10(heights) if scene.log_y else heights
    figure.write(label, left=x + span[0], bottom=np.full(x.size, floor), right=x + span[1], top=tops)
