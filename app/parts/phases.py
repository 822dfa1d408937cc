"""The plane of bias and weight variance: how deep signals reach, as an image, the edge of chaos, the present point."""

from __future__ import annotations

import holoviews as hv
import numpy as np
from numpy.typing import NDArray

from app.parts.figure import Figure

Array = NDArray[np.float64]


def declare() -> hv.Overlay:
    """The overlay: image, edge, names of the phases, present point."""
    none = np.zeros(0)
    image = hv.Image(np.zeros((2, 2)), bounds=(0, 0, 1, 1), label="reach").opts(
        cmap="viridis",
        colorbar=True,
        clim=(0.0, 2.0),
        clabel="log₁₀ ξ",
        default_tools=["save"],
    )
    names = hv.Labels((none, none, np.array([], str)), ["x", "y"], "text", label="names")
    return (
        image
        * hv.Curve((none, none), "x", "y", label="edge").opts(color="white", line_width=3, line_dash="dashed")
        * names.opts(text_font_size="10pt", text_align="center", text_baseline="middle")
        * hv.Points((none, none), label="here").opts(color="#cc79a7", line_color="white", size=16, line_width=2)
    ).opts(hv.opts.Overlay(responsive=True, show_legend=False, default_tools=["save"], active_tools=[]))


def paint(
    figure: Figure, image: Array, spans: tuple[tuple[float, float], tuple[float, float]], edge: tuple[Array, Array],
    names: dict[str, tuple[float, float]], here: tuple[float, float],
) -> None:  # fmt: skip
    """Write the plane; image (k, k) with rows upwards over the spans of bias and weight variance."""
    (left, right), (low, high) = spans
    figure.axes("bias variance σ_b²", "weight variance σ_w²", False, False)
    figure.frame((left, right), (low, high))
    figure.colours("reach", 0.0, 2.0)
    figure.write("reach", image=[image], x=[left], y=[low], dw=[right - left], dh=[high - low])
    figure.write("edge", x=edge[0], y=edge[1])
    places = np.array(list(names.values())).reshape(-1, 2)
    figure.write("names", x=places[:, 0], y=places[:, 1], text=list(names))
    # The page gives all text its ink, black or white: both can be read on this grey.
    figure.style("names", background_fill_alpha=0.85, padding=2)
    figure.write("here", x=np.array([here[0]]), y=np.array([here[1]]))
