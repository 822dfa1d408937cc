"""A figure declared once per process with HoloViews; every visitor's copy is what has been written into it.

The page gets the declared figure as Bokeh's JSON and draws it with BokehJS; from then on it gets only what
changed. No Bokeh model lives on the server: that would be most of the cost of opening a page.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import holoviews as hv
import numpy as np
from bokeh.core.json_encoder import serialize_json
from bokeh.document import Document
from bokeh.models import BasicTickFormatter, Legend
from bokeh.plotting import figure as BokehFigure
from numpy.typing import NDArray

hv.extension("bokeh", logo=False)

Declare = Callable[[], hv.Overlay]
Columns = dict[str, NDArray[Any] | list[Any]]
Patch = dict[str, dict[str, Any]]  # kind of change -> element, or axis -> new value

# Okabe and Ito's palette: told apart by every kind of colour vision, on white and on black.
ACTUAL, LINEAR, EQUIVALENT, MARK = "#56b4e9", "#009e73", "#d55e00", "#cc79a7"


class Blueprint(NamedTuple):
    """A declared figure: Bokeh's JSON of its document, its root, and the labels of its elements."""

    document: dict[str, Any]
    root: str
    labels: frozenset[str]


class Figure:
    """One visitor's copy of a declared figure.

    Every element of the overlay is known by its label: `write` replaces its columns, `show` its visibility.
    """

    def __init__(self, declare: Declare) -> None:
        self.blueprint = blueprint(declare)
        self._columns: dict[str, Columns] = {}
        self._rest: Patch = {}  # all but the columns
        self._news: Patch = {}

    def write(self, label: str, **columns: NDArray[Any] | list[Any]) -> None:
        """Replace columns of one element; what stays the same is not sent again."""
        self._known(label)
        before = self._columns.setdefault(label, {})
        for name, column in columns.items():
            if name not in before or not np.array_equal(before[name], column):
                before[name] = column
                self._news.setdefault("data", {}).setdefault(label, {})[name] = column

    @property
    def has_ghosts(self) -> bool:
        """Whether a snapshot of this figure can be kept."""
        return any(label.startswith("ghost ") for label in self.blueprint.labels)

    def snapshot(self, keep: bool) -> None:
        """Copy what every element shows into its ghost, "ghost LABEL", or clear the ghosts."""
        for ghost in self.blueprint.labels:
            if ghost.startswith("ghost "):
                columns = self.columns(ghost.removeprefix("ghost "))
                self.write(ghost, **(columns if keep else {name: column[:0] for name, column in columns.items()}))

    def columns(self, label: str) -> Columns:
        """The data of one element, as the page has them."""
        self._known(label)
        return dict(self._columns.get(label, {}))

    def repeat(self) -> None:
        """Say everything again: the page may have missed what it was told."""
        self._news = {kind: dict(parts) for kind, parts in self._rest.items()}
        if self._columns:
            self._news["data"] = {label: dict(columns) for label, columns in self._columns.items()}

    def show(self, label: str, visible: bool) -> None:
        """Show or hide one element."""
        self._known(label)
        self._set("show", label, visible)

    def style(self, label: str, **properties: Any) -> None:
        """Change the look of one element."""
        self._known(label)
        self._set("style", label, self.look("style", label, {}) | properties)

    def colours(self, label: str, low: float, high: float) -> None:
        """Limits of an image's colour scale."""
        self._known(label)
        self._set("colours", label, [float(low), float(high)])

    def frame(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        """Set both ranges."""
        for axis, (start, end) in (("x", x), ("y", y)):
            self._set("range", axis, [float(start), float(end)])

    def axes(self, x_label: str, y_label: str, log_x: bool, log_y: bool, shift_y: float = 0.0) -> None:
        """Say what the coordinates are: values, or logarithms to base 10 (of y, less `shift_y`)."""
        self._set("axis", "x", {"label": x_label, "log": bool(log_x), "shift": 0.0})
        self._set("axis", "y", {"label": y_label, "log": bool(log_y), "shift": float(shift_y)})

    def decades(self, axis: str, alone: bool) -> None:
        """Ticks of the axis "x" or "y" at whole coordinates alone, which are powers of ten on a logarithmic one."""
        self._set("decades", axis, bool(alone))

    def look(self, kind: str, name: str, default: Any = None) -> Any:
        """What was last said of an element or axis: kinds show, style, colours, range, axis, decades."""
        return self._rest.get(kind, {}).get(name, default)

    def inside(self, x: float, y: float) -> tuple[float, float]:
        """The point of the frame nearest to (x, y)."""
        low, high = np.sort(np.array([self.look("range", axis, [0.0, 1.0]) for axis in ("x", "y")]), axis=1).T
        return float(np.clip(x, low[0], high[0])), float(np.clip(y, low[1], high[1]))

    def news(self) -> Patch:
        """What has changed since this was last asked, ready for JSON."""
        news, self._news = self._news, {}
        if "data" in news:
            news["data"] = {
                label: {name: _packed(column) for name, column in columns.items()}
                for label, columns in news["data"].items()
            }
        return news

    def _known(self, label: str) -> None:
        if label not in self.blueprint.labels:
            raise KeyError(f"The figure has no element {label!r}.")

    def _set(self, kind: str, name: str, value: Any) -> None:
        known = self._rest.setdefault(kind, {})
        if name not in known or known[name] != value:
            known[name] = value
            self._news.setdefault(kind, {})[name] = value


def _packed(column: NDArray[Any] | list[Any]) -> Any:
    """Numbers as bytes in base64, a matrix with its shape; texts as they are; a list of matrices one by one."""
    if isinstance(column, list):
        return [_packed(item) if isinstance(item, np.ndarray) else item for item in column]
    if column.dtype.kind in "US":
        return column.tolist()
    packed: dict[str, Any] = {"f8": base64.b64encode(np.ascontiguousarray(column, "<f8").tobytes()).decode("ascii")}
    return packed if column.ndim == 1 else packed | {"shape": list(column.shape)}


_known: dict[Declare, Blueprint] = {}


def blueprint(declare: Declare) -> Blueprint:
    """The figure as HoloViews composes it, once per process."""
    if declare not in _known:
        _known[declare] = _composed(declare)
    return _known[declare]


def remember(declare: Declare, found: Blueprint) -> None:
    """Take a blueprint that was composed before, by the same code in another process."""
    _known[declare] = found


def _composed(declare: Declare) -> Blueprint:
    plot = hv.renderer("bokeh").get_plot(declare())
    model: BokehFigure = plot.state
    labels = set()
    for part in plot.subplots.values():
        label = part.current_frame.label
        labels.add(label)
        part.handles["source"].name = label
        renderer = part.handles["glyph_renderer"]
        # The variants for selected, muted and hovered glyphs would be four fifths of the page.
        renderer.update(name=label, selection_glyph=None, nonselection_glyph=None, muted_glyph=None, hover_glyph=None)
        renderer.glyph.tags = []
    for axis in (*model.xaxis, *model.yaxis):
        axis.formatter = BasicTickFormatter()  # assets/figures.js says how
    model.update(sizing_mode="stretch_both", toolbar_location="above", output_backend="canvas")
    model.update(background_fill_color=None, border_fill_color=None)  # the page's theme shines through
    model.toolbar.logo = None
    model.center = [part for part in model.center if not isinstance(part, Legend)]  # the page has its own
    document = Document()
    document.add_root(model)
    # Names of models that no other process gives away: a blueprint may come from one (`remember`).
    text = re.sub(r'"id":\s*"p(\d+)"', r'"id":"figure\1"', serialize_json(document.to_json(deferred=False)))
    return Blueprint(json.loads(text), model.id.replace("p", "figure"), frozenset(labels))


def empty(*names: str) -> dict[str, NDArray[np.float64]]:
    """Columns without rows."""
    return {name: np.zeros(0) for name in names}
