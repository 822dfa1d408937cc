"""A kernel as an image, samples sorted by class: the actual one below the diagonal, its equivalent above."""

from __future__ import annotations

import holoviews as hv
import numpy as np
from numpy.typing import NDArray

from app.parts.figure import Figure

Array = NDArray[np.float64]


def declare() -> hv.Overlay:
    """The overlay: image, diagonal, boundaries of the classes, what stands on which side."""
    none = np.zeros(0)
    image = hv.Image(np.zeros((2, 2)), bounds=(0, 0, 1, 1), label="kernel").opts(
        cmap="RdBu_r",
        colorbar=True,
        colorbar_position="bottom",
        colorbar_opts={"height": 8, "padding": 3, "title_standoff": 2},
        clabel="kernel entry",
        clim=(-1.0, 1.0),
        default_tools=["save"],
    )
    names = hv.Labels((none, none, np.array([], str)), ["x", "y"], "text", label="sides")
    return (
        image
        * hv.Segments([], label="classes").opts(color="#333333", line_dash="dotted", line_width=1.5)
        * hv.Segments([], label="diagonal").opts(color="#333333", line_width=2)
        * names.opts(text_font_size="10pt", text_align="center", text_baseline="middle")
    ).opts(hv.opts.Overlay(responsive=True, show_legend=False, default_tools=["save"], active_tools=[]))


def paint(figure: Figure, images: Array, boundary: float, samples: int, names: tuple[str, str], stale: bool) -> None:
    """Write both halves; images (2, B, B) actual and equivalent, the boundary of the classes as a share."""
    figure.axes("sample, sorted by class", "sample, sorted by class", False, False)
    figure.frame((0.0, samples), (0.0, samples))
    size = images.shape[1]
    # rows upwards: what lies below the diagonal of the picture has its column beyond its row
    both = np.where(np.arange(size) > np.arange(size)[:, None], images[0], images[1])
    top = max(float(np.quantile(np.abs(images), 0.99)), 1e-9)
    figure.colours("kernel", -top, top)
    figure.write("kernel", image=[both], x=[0.0], y=[0.0], dw=[float(samples)], dh=[float(samples)])
    figure.style("kernel", global_alpha=0.35 if stale else 1.0)
    n, at = float(samples), boundary * samples
    figure.write("classes", x0=np.array([at, 0.0]), y0=np.array([0.0, at]), x1=np.array([at, n]), y1=np.array([n, at]))
    figure.write("diagonal", x0=np.zeros(1), y0=np.zeros(1), x1=np.array([n]), y1=np.array([n]))
    figure.write("sides", x=np.array([0.74 * n, 0.26 * n]), y=np.array([0.07 * n, 0.93 * n]), text=list(names))
    # The page gives all text its ink, black or white: both can be read on this grey.
    figure.style("sides", background_fill_alpha=0.85, padding=2)


def blank(figure: Figure, samples: int, names: tuple[str, str]) -> None:
    """Before the first draw: the frame, and nothing in it."""
    paint(figure, np.zeros((2, 2, 2)), 0.5, samples, names, False)
