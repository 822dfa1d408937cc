"""A figure declared once per process with HoloViews, cloned per visitor, and patched in place on every move."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import holoviews as hv
import numpy as np
from bokeh.core.json_encoder import serialize_json
from bokeh.document import Document
from bokeh.models import ColumnDataSource, CustomJSTickFormatter, GlyphRenderer
from bokeh.plotting import figure as BokehFigure
from numpy.typing import NDArray

hv.extension("bokeh", logo=False)

Declare = Callable[[], hv.Overlay]

# Okabe and Ito's palette: told apart by every kind of colour vision, on white and on black.
ACTUAL, LINEAR, EQUIVALENT, MARK = "#56b4e9", "#009e73", "#d55e00", "#cc79a7"

# A plot's coordinate is the value itself or its logarithm to base 10, so that one figure serves both.
_TICKS = """
const text = (v) => {
    const size = Math.abs(v)
    if (v === 0) return "0"
    if (size >= 1e4 || size < 1e-3) {
        const [head, tail] = v.toExponential(1).split("e")
        const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹"
        const power = tail.replace("+", "").replace("-", "⁻").replace(/[0-9]/g, (d) => digits[d])
        return (head === "1.0" ? "" : head.replace(".0", "") + "·") + "10" + power
    }
    return String(parseFloat(v.toPrecision(3)))
}
return log ? text(Math.pow(10, tick + shift)) : text(tick)
"""


class Figure:
    """One visitor's copy of a declared figure.

    Every element of the overlay is known by its label: `write` replaces its columns, `show` its visibility.
    """

    def __init__(self, declare: Declare) -> None:
        document = Document.from_json(json.loads(_blueprint(declare)))
        self.model: BokehFigure = document.roots[0]
        document.remove_root(self.model)
        self._written: dict[str, dict[str, Any]] = {}
        self._renderers = {item.name: item for item in self.model.renderers if isinstance(item, GlyphRenderer)}
        self._sources: dict[str, ColumnDataSource] = {
            name: renderer.data_source for name, renderer in self._renderers.items()
        }

    def write(self, label: str, **columns: NDArray[Any] | list[Any]) -> None:
        """Replace the data of one element; what stays the same is not sent again."""
        before = self._written.get(label)
        if before is None or any(not np.array_equal(before[name], column) for name, column in columns.items()):
            self._written[label] = columns
            self._sources[label].data = columns

    @property
    def has_ghosts(self) -> bool:
        """Whether a snapshot of this figure can be kept."""
        return any(label.startswith("ghost ") for label in self._sources)

    def snapshot(self, keep: bool) -> None:
        """Copy what every element shows into its ghost, "ghost LABEL", or clear the ghosts."""
        for ghost, source in self._sources.items():
            if ghost.startswith("ghost "):
                columns = self.columns(ghost.removeprefix("ghost "))
                source.data = columns if keep else {name: [] for name in columns}

    def columns(self, label: str) -> dict[str, Any]:
        """The data of one element, as the page has them."""
        return dict(self._sources[label].data)

    def show(self, label: str, visible: bool) -> None:
        """Show or hide one element."""
        self._renderers[label].visible = visible

    def style(self, label: str, **properties: Any) -> None:
        """Change the look of one element."""
        self._renderers[label].glyph.update(**properties)

    def colours(self, label: str, low: float, high: float) -> None:
        """Limits of an image's colour scale."""
        self._renderers[label].glyph.color_mapper.update(low=low, high=high)

    def frame(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        """Set both ranges."""
        self.model.x_range.update(start=x[0], end=x[1])
        self.model.y_range.update(start=y[0], end=y[1])

    def axes(self, x_label: str, y_label: str, log_x: bool, log_y: bool, shift_y: float = 0.0) -> None:
        """Say what the coordinates are: values, or logarithms to base 10 (of y, less `shift_y`)."""
        for axis, label, log, shift in (
            (self.model.xaxis[0], x_label, log_x, 0.0),
            (self.model.yaxis[0], y_label, log_y, shift_y),
        ):
            axis.axis_label = label
            arguments = {"log": log, "shift": shift}
            if axis.formatter.args != arguments:
                axis.formatter.args = arguments


@cache
def _blueprint(declare: Declare) -> str:
    """The figure as JSON: HoloViews composes it once, a clone costs a fraction of that."""
    plot = hv.renderer("bokeh").get_plot(declare())
    model: BokehFigure = plot.state
    for part in plot.subplots.values():
        label = part.current_frame.label
        part.handles["source"].name = label
        renderer = part.handles["glyph_renderer"]
        # The variants for selected, muted and hovered glyphs would be four fifths of the page.
        renderer.update(name=label, selection_glyph=None, nonselection_glyph=None, muted_glyph=None, hover_glyph=None)
        renderer.glyph.tags = []
    for axis in (*model.xaxis, *model.yaxis):
        axis.formatter = CustomJSTickFormatter(code=_TICKS, args={"log": False, "shift": 0.0})
    model.update(sizing_mode="stretch_both", toolbar_location="above", output_backend="canvas")
    model.update(background_fill_color=None, border_fill_color=None)  # the page's theme shines through
    model.toolbar.logo = None
    document = Document()
    document.add_root(model)
    return serialize_json(document.to_json(deferred=False))


def empty(*names: str) -> dict[str, NDArray[np.float64]]:
    """Columns without rows."""
    return {name: np.zeros(0) for name in names}
