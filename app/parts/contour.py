"""The complex plane about a spectrum: eigenvalues on the axis, bulks, outliers, and a contour around some of them."""

from __future__ import annotations

from dataclasses import dataclass

import holoviews as hv
import numpy as np
from numpy.typing import NDArray

from app.parts.figure import ACTUAL, EQUIVALENT, MARK, Figure

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Plane:
    """What the figure shows.

    Attributes
    ----------
    range : of the real axis.  height : of the contour; the frame is twice as high.
    bulks : (B, 2).  outliers : (K,).  left, right : where the contour crosses the axis.
    pole : z, where f may be singular; None outside the frame.
    eigenvalues : (N,) those drawn, empty while there are none.
    """

    range: tuple[float, float]
    height: float
    bulks: Array
    outliers: Array
    left: float
    right: float
    pole: float | None
    eigenvalues: Array
    stale: bool


def declare() -> hv.Overlay:
    """The overlay, empty; every element is known by its label."""
    none = np.zeros(0)
    points = hv.Points((none, none), label="eigenvalues")
    return (
        hv.Segments([], label="bulks").opts(color=EQUIVALENT, line_width=14, line_alpha=0.35)
        * hv.Area((none, none, none), "x", ["y", "y2"], label="inside").opts(color=MARK, alpha=0.15, line_color=None)
        * hv.Curve((none, none), "x", "y").relabel("contour").opts(color=MARK, line_width=3)
        * points.opts(color=ACTUAL, line_color=None, size=6, alpha=0.8)
        * points.relabel("enclosed").opts(color=MARK, line_color="#1b1f24", size=9, line_width=0.8)
        * points.relabel("outliers").opts(color=None, line_color=EQUIVALENT, marker="diamond", size=20, line_width=3)
        * points.relabel("ends").opts(color="white", line_color=MARK, size=16, line_width=4)
        * points.relabel("pole").opts(color="#888888", line_color="#888888", marker="x", size=12, line_width=3)
        * hv.Labels((none, none, np.array([], str)), ["x", "y"], "text", label="notes").opts(
            text_font_size="10pt", text_align="center", text_baseline="bottom"
        )
    ).opts(
        hv.opts.Overlay(responsive=True, show_legend=False, default_tools=["save"], active_tools=[]),
        *(kind(default_tools=["save"]) for kind in (hv.opts.Segments, hv.opts.Area, hv.opts.Curve, hv.opts.Points)),
        hv.opts.Labels(default_tools=["save"]),
    )


def paint(figure: Figure, scene: Plane) -> None:
    """Write the plane."""
    high = 2.0 * scene.height
    figure.axes("Re z, the axis of the eigenvalues", "Im z", False, False)
    figure.frame(scene.range, (-high, high))
    zeros = np.zeros(len(scene.bulks))
    figure.write("bulks", x0=scene.bulks[:, 0], y0=zeros, x1=scene.bulks[:, 1], y1=zeros)
    angle = np.linspace(0.0, 2.0 * np.pi, 121)
    x = 0.5 * (scene.left + scene.right) + 0.5 * (scene.right - scene.left) * np.cos(angle)
    figure.write("contour", x=x, y=scene.height * np.sin(angle))
    figure.write("inside", x=x, y=scene.height * np.sin(angle))
    low, top = scene.range
    seen = scene.eigenvalues[(scene.eigenvalues >= low) & (scene.eigenvalues <= top)]
    inside = (seen > scene.left) & (seen < scene.right)
    for label, part in (("eigenvalues", seen[~inside]), ("enclosed", seen[inside])):
        figure.write(label, x=part, y=np.zeros(part.size))
        figure.style(label, fill_alpha=0.25 if scene.stale else 0.8)
    figure.write("outliers", x=scene.outliers, y=np.zeros(scene.outliers.size))
    figure.write("ends", x=np.array([scene.left, scene.right]), y=np.zeros(2))
    at = np.array([] if scene.pole is None else [scene.pole])
    figure.write("pole", x=at, y=np.zeros(at.size))
    figure.write("notes", x=at, y=np.full(at.size, 0.06 * high), text=["z"] * at.size)
