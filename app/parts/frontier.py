"""The plane of width and samples: test error as an image, lines of equal compute, the best use of every budget."""

from __future__ import annotations

from dataclasses import dataclass

import holoviews as hv
import numpy as np
from numpy.typing import NDArray

from app.parts.figure import Figure

Array = NDArray[np.float64]

_DIGITS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, eq=False)
class Plane:
    """What the figure shows; the range holds widths and samples alike.

    Attributes
    ----------
    range : lowest and highest width, and n.
    image : log10 test error (k, k), rows upwards in n.
    limits : of the colour scale.
    path : widths and samples of the best use of a growing budget.
    here : the present width and n.
    """

    range: tuple[float, float]
    image: Array
    limits: tuple[float, float]
    path: tuple[Array, Array]
    here: tuple[float, float]


def declare() -> hv.Overlay:
    """The overlay: image, lines of equal compute with their budgets, threshold, best path, present point."""
    none = np.zeros(0)
    image = hv.Image(np.zeros((2, 2)), bounds=(0, 0, 1, 1), label="plane").opts(
        cmap="viridis", colorbar=True, clim=(0.0, 1.0), clabel="log₁₀ test error", default_tools=["save"]
    )
    curve = hv.Curve((none, none), "x", "y")
    names = hv.Labels((none, none, np.array([], str)), ["x", "y"], "text", label="budgets")
    return (
        image
        * hv.Segments([], label="compute").opts(color="white", line_alpha=0.6, line_width=1)
        * curve.relabel("threshold").opts(color="white", line_dash="dashed", line_width=1.5, line_alpha=0.8)
        * curve.relabel("path").opts(color="#ff7f2a", line_width=4)
        * names.opts(text_color="white", text_font_size="9pt", text_align="right", text_baseline="bottom")
        * hv.Points((none, none), label="here").opts(color="#cc79a7", line_color="white", size=16, line_width=2)
    ).opts(hv.opts.Overlay(responsive=True, show_legend=False, default_tools=["save"], active_tools=[]))


def paint(figure: Figure, scene: Plane) -> None:
    """Write the plane."""
    low, high = np.log10(scene.range)
    figure.axes("width d", "samples n", True, True)
    figure.frame((low, high), (low, high))
    figure.colours("plane", *scene.limits)
    figure.write("plane", image=[scene.image], x=[low], y=[low], dw=[high - low], dh=[high - low])
    powers = np.arange(np.ceil(2 * low + 0.2), np.floor(2 * high - 0.2) + 1)
    left = np.maximum(low, powers - high)
    figure.write("compute", x0=left, y0=powers - left, x1=powers - left, y1=left)
    # A name stands where its line leaves the plane: at the bottom, or at the right.
    at = np.minimum(powers - low, high) - 0.02 * (high - low)
    texts = [f"10{str(int(power)).translate(_DIGITS)}" for power in powers]
    figure.write("budgets", x=at, y=powers - at + 0.01 * (high - low), text=texts)
    # The page gives all text its ink, black or white: both can be read on this grey.
    figure.style("budgets", background_fill_alpha=0.9, padding=1)
    figure.write("threshold", x=np.array([low, high]), y=np.array([low, high]))
    figure.write("path", x=np.log10(scene.path[0]), y=np.log10(scene.path[1]))
    figure.write("here", x=np.log10([scene.here[0]]), y=np.log10([scene.here[1]]))
