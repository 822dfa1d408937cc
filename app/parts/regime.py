"""The regime map: test error over two axes as an image, with threshold, optimal ridge and the present point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import holoviews as hv
import numpy as np
from numpy.typing import NDArray

from app.parts.figure import Figure
from app.settings import Values
from rmtcore import Network
from rmtcore.scaling import sweep

Array = NDArray[np.float64]

SIDE = 60
_SPANS = {"width": (0.1, 10.0), "samples": (0.1, 10.0), "ridge": (1e-8, 100.0)}
_LABELS = {"width": "width per sample, d/n", "samples": "samples per dimension, n/p", "ridge": "ridge, λ"}


@dataclass(frozen=True, eq=False)
class RegimeMap:
    """log10 test error (SIDE, SIDE), rows upwards; the threshold and the best vertical position per column."""

    right: str
    up: str
    image: Array
    threshold: tuple[Array, Array]
    best: tuple[Array, Array]
    limits: tuple[float, float]


def compute(network: Network, right: str, up: str) -> RegimeMap:
    """The map around a network: along `right` and `up`, everything else as it is."""
    if right == up:
        up = "ridge"
    x, y = (np.geomspace(*_SPANS[axis], SIDE) for axis in (right, up))
    p, n = network.population.dim, float(network.samples)
    changes: dict[str, Any] = {}
    for axis, values in ((right, x[None, :]), (up, y[:, None])):
        if axis == "ridge":
            changes["ridge"] = values
        elif axis == "samples":
            changes["samples"] = p * values
    if right == "width":
        changes["widths"] = x[None, :] * changes.get("samples", np.array(n))
    test = sweep(network, **changes).test
    image = np.log10(np.clip(test, 1e-12, 1e12))
    floor = float(image.min())
    best = (np.log10(x), np.log10(y[np.argmin(test, axis=0)])) if up == "ridge" else (np.zeros(0), np.zeros(0))
    at = 1.0 if right == "width" else network.feature_dim / p
    line = np.full(2, np.log10(at))
    limits = (floor, min(floor + 2.0, float(image.max()) + 1e-9))
    return RegimeMap(right, up, image, (line, np.log10(np.array(_SPANS[up]))), best, limits)


def declare() -> hv.Overlay:
    """The overlay: image, threshold, best ridge, present point."""
    none = np.zeros(0)
    image = hv.Image(np.zeros((2, 2)), bounds=(0, 0, 1, 1), label="map").opts(
        cmap="viridis", colorbar=True, clim=(0.0, 1.0), clabel="log₁₀ test error", default_tools=["save"]
    )
    curve = hv.Curve((none, none), "x", "y")
    here = hv.Points((none, none), label="here")
    return (
        image
        * curve.relabel("threshold").opts(color="white", line_dash="dashed", line_width=2)
        * curve.relabel("best").opts(color="white", line_dash="dotted", line_width=3)
        * here.opts(color="#cc79a7", line_color="white", size=16, line_width=2)
    ).opts(hv.opts.Overlay(responsive=True, show_legend=False, default_tools=["save"], active_tools=[]))


def paint(figure: Figure, scene: RegimeMap, right: float, up: float) -> None:
    """Write the map and the present point."""
    low_x, high_x = np.log10(_SPANS[scene.right])
    low_y, high_y = np.log10(_SPANS[scene.up])
    figure.axes(_LABELS[scene.right], _LABELS[scene.up], True, True)
    figure.frame((low_x, high_x), (low_y, high_y))
    figure.colours("map", *scene.limits)
    figure.write("map", image=[scene.image], x=[low_x], y=[low_y], dw=[high_x - low_x], dh=[high_y - low_y])
    figure.write("threshold", x=scene.threshold[0], y=scene.threshold[1])
    figure.write("best", x=scene.best[0], y=scene.best[1])
    figure.write("here", x=np.log10([right]), y=np.log10([up]))


def picked(right: str, up: str, x: float, y: float) -> Values:
    """The settings of a point on the map."""
    up = "ridge" if right == up else up
    changes: Values = {right: 10.0**x, up: 10.0**y}
    if up == "ridge":
        changes["ridgeless"] = False
    return changes
