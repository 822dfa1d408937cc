"""Error curves: theory as lines, experiment as dots with error bars, stacked areas, marks, ghosts of a snapshot."""

from __future__ import annotations

from dataclasses import dataclass, field

import holoviews as hv
import numpy as np
from numpy.typing import NDArray

from app.parts.figure import Figure, empty

Array = NDArray[np.float64]

TEST, TRAIN, THIRD, FOURTH, FIFTH = "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00"


@dataclass(frozen=True)
class Line:
    """One quantity: its label, colour and dash; with dots, of that marker, it has an experiment beside it."""

    label: str
    colour: str
    dash: str = "solid"
    dots: bool = True
    marker: str = "circle"


@dataclass(frozen=True)
class CurvePlot:
    """Declares a figure for these quantities; call it for the HoloViews overlay.

    `x_ticks` are coordinates (logarithms to base 10 on such an axis) that replace the automatic ones.
    """

    lines: tuple[Line, ...]
    areas: tuple[tuple[str, str], ...] = ()
    x_ticks: tuple[float, ...] = ()

    def __call__(self) -> hv.Overlay:
        """The overlay, empty; every element is known by its label."""
        none = np.zeros(0)
        curve = hv.Curve((none, none), "x", "y")
        parts = [
            hv.Area((none, none, none), "x", ["y", "y2"], label=label).opts(color=colour, alpha=0.45, line_color=None)
            for label, colour in self.areas
        ]
        for line in self.lines:
            style = {"color": line.colour, "line_dash": line.dash}
            parts.append(curve.relabel(f"ghost {line.label}").opts(**style, line_width=2, line_alpha=0.3))
            parts.append(curve.relabel(line.label).opts(**style, line_width=3))
            if line.dots:
                bars = hv.Segments([], label=f"bars {line.label}")
                parts.append(bars.opts(color=line.colour, line_width=2))
                for kind, marker, size in (("actual", line.marker, 9), ("linear", "square", 8)):
                    points = hv.Points((none, none), label=f"{kind} {line.label}")
                    fill = line.colour if kind == "actual" else None
                    parts.append(
                        points.opts(color=fill, line_color=line.colour, marker=marker, size=size, line_width=1.5)
                    )
        parts.append(hv.VLines(none, label="threshold").opts(color="#888888", line_dash="dashed", line_width=1.5))
        parts.append(hv.VLines(none, label="now").opts(color="#cc79a7", line_width=2))
        overlay = hv.Overlay(parts).opts(hv.opts.Overlay(responsive=True, show_legend=False))
        if self.x_ticks:
            overlay = overlay.opts(hv.opts.Overlay(xticks=list(self.x_ticks)))
        return overlay.opts(hv.opts.Curve(tools=[], default_tools=["xpan", "xwheel_zoom", "box_zoom", "reset", "save"]))


@dataclass(frozen=True, eq=False)
class CurveScene:
    """What the figure shows; dots hold x, mean and standard error per reading ("actual", "linear")."""

    x_label: str
    y_label: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    log_x: bool
    log_y: bool
    lines: dict[str, tuple[Array, Array]]
    dots: dict[str, dict[str, tuple[Array, Array, Array]]] = field(default_factory=dict)
    areas: dict[str, tuple[Array, Array, Array]] = field(default_factory=dict)
    thresholds: tuple[float, ...] = ()
    now: float | None = None
    stale: bool = False


def paint(figure: Figure, plot: CurvePlot, scene: CurveScene) -> None:
    """Write the scene into a visitor's figure, in place. What is infinite runs out of the top."""
    x_axis, y_axis = _Axis(scene.x_range, scene.log_x), _Axis(scene.y_range, scene.log_y)
    figure.axes(scene.x_label, scene.y_label, scene.log_x, scene.log_y)
    figure.frame(x_axis.range, y_axis.range)
    for label, _ in plot.areas:
        x, low, high = scene.areas.get(label, (np.zeros(0),) * 3)
        outline = np.concatenate([x_axis(x), x_axis(x)[::-1]])
        figure.write(label, x=outline, y=np.concatenate([y_axis(high), y_axis(low)[::-1]]))
    for line in plot.lines:
        x, y = scene.lines.get(line.label, (np.zeros(0), np.zeros(0)))
        figure.write(line.label, x=x_axis(x), y=y_axis(y))
        if line.dots:
            _write_dots(figure, line.label, scene, x_axis, y_axis)
    figure.write("threshold", x=x_axis(np.array(scene.thresholds)))
    figure.write("now", x=x_axis(np.array([] if scene.now is None else [scene.now])))


def _write_dots(figure: Figure, label: str, scene: CurveScene, x_axis: _Axis, y_axis: _Axis) -> None:
    readings = scene.dots.get(label, {})
    for kind in ("actual", "linear"):
        x, mean, _ = readings.get(kind, (np.zeros(0),) * 3)
        figure.write(f"{kind} {label}", x=x_axis(x), y=y_axis(mean))
        pale = 0.25 if scene.stale else 1.0
        figure.style(f"{kind} {label}", line_alpha=pale, fill_alpha=pale)
    if "actual" not in readings:
        figure.write(f"bars {label}", **empty("x0", "y0", "x1", "y1"))
        return
    x, mean, error = readings["actual"]
    across = x_axis(x)
    figure.write(f"bars {label}", x0=across, y0=y_axis(mean - error), x1=across, y1=y_axis(mean + error))


class _Axis:
    """Coordinates of one axis: the values, or their logarithms to base 10, kept near the range."""

    def __init__(self, span: tuple[float, float], log: bool) -> None:
        self._log = log
        self.range = (float(np.log10(span[0])), float(np.log10(span[1]))) if log else span
        self._far = 3.0 * (self.range[1] - self.range[0])

    def __call__(self, values: Array) -> Array:
        with np.errstate(divide="ignore"):
            moved = np.log10(np.maximum(values, 0.0)) if self._log else np.asarray(values, float)
        # Far outside is as good as infinite, and a canvas can draw it.
        return np.clip(moved, self.range[0] - self._far, self.range[1] + self._far)
