"""What a lab is. Everything else (URL, seed, workers, table, notices, busy sign) it gets from the shell."""

from __future__ import annotations

import math
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from app.parts.figure import Declare, Figure
from app.parts.formula import Formulas
from app.settings import Schema, Values


@dataclass(frozen=True)
class Task:
    """An experiment for the workers: equal keys must mean equal results.

    With `rounds`, the function takes the number of the round (from 0) as its last argument, and the lab
    merges what arrives: the picture sharpens while one watches. Without, it is called once as it is.
    Without `keep` the result is nobody else's and not kept: it comes from a visitor's own file.
    It may take `limit` seconds a round, where the server's own limit is not meant.
    """

    key: Hashable
    function: Callable[..., Any]
    args: tuple[Any, ...]
    rounds: int | None = None
    keep: bool = True
    limit: float | None = None

    @property
    def total(self) -> int:
        """How many results there will be."""
        return self.rounds or 1


@dataclass(frozen=True, eq=False)
class Upload:
    """A visitor's file: in memory only, for as long as its session lives.

    Attributes
    ----------
    name, data : as sent; nothing about them has been checked but the size.
    key : random, for the keys of tasks.
    """

    name: str
    data: bytes = field(repr=False)
    key: str = field(default_factory=secrets.token_hex)


@dataclass(frozen=True)
class Readout:
    """One number beside the plot; `good` is False where it should worry, None where it cannot say."""

    label: str
    value: str
    detail: str = ""
    good: bool | None = None


@dataclass(frozen=True)
class Lamp:
    """An assumption of the theory: on where the present settings leave it."""

    label: str
    on: bool
    text: str


@dataclass(frozen=True)
class Table:
    """The plotted data; every column has the same length, shorter ones are padded by the page."""

    caption: str
    columns: Mapping[str, ArrayLike]

    def plain(self) -> dict[str, Any]:
        """For JSON, which has no infinity ("inf" here) and no NaN (None)."""

        def cell(value: float) -> float | str | None:
            return value if math.isfinite(value) else None if math.isnan(value) else str(value)

        columns = {name: [cell(one) for one in np.asarray(part, float).tolist()] for name, part in self.columns.items()}
        return {"caption": self.caption, "columns": columns}


@dataclass(frozen=True)
class Key:
    """One entry of the plot's legend; `dash` is solid, dashed, dotted, dot or square."""

    label: str
    colour: str
    dash: str = "solid"


@dataclass(frozen=True)
class Sketch:
    """A small picture that is a link: its words, and SVG paths by the name that the style sheet draws them under."""

    name: str
    link: str
    words: str
    paths: Mapping[str, str]


@dataclass(frozen=True)
class Report:
    """What the page says about the present state."""

    readouts: list[Readout]
    explain: list[str]
    lamps: list[Lamp]
    notices: list[str] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    sketches: list[Sketch] = field(default_factory=list)


class Lab(ABC):
    """One page. Stateless: one object serves all visitors."""

    name: str
    title: str
    summary: str
    schema: Schema
    front: str = ""  # a fragment of HTML in `app/` that stands in the place of the figures
    most_entries: int = 4_000_000  # of the largest matrix an experiment may form
    size = "size"  # name of the setting that makes experiments long: their time grows with its cube
    presets: tuple[tuple[str, str], ...] = ()  # what is worth seeing: its name, and its query
    formulas: Formulas = Formulas()
    files: tuple[str, ...] = ()  # endings of the visitor's files that it takes; `values["file"]` is then an `Upload`

    @property
    @abstractmethod
    def figures(self) -> Mapping[str, Declare]:
        """The figures of the page by name."""

    def visible(self, values: Values) -> list[str]:
        """Names of the figures that these settings show: all, unless the lab says otherwise."""
        return list(self.figures)

    def pick(self, values: Values, figure: str, x: float, y: float) -> Values:
        """Changes of settings when the visitor clicks or drags at (x, y) of a figure: none by default."""
        return {}

    def work(self, values: Values) -> float:
        """How long the experiment takes beside one of next to no size: what waits in line is estimated by it."""
        setting = self.schema.by_name.get(self.size)
        if setting is None or not isinstance(setting.default, int):
            return 1.0
        return 1.0 + (float(values[self.size]) / setting.default) ** 3

    def smaller(self, given: Collection[str]) -> Values:
        """Changes for a page that is opened while many wait, except of settings that were given: half the size."""
        setting = self.schema.by_name.get(self.size)
        if setting is None or self.size in given or not isinstance(setting.default, int):
            return {}
        return {self.size: max(int(setting.low), setting.default // 2)}

    @abstractmethod
    def equivalent(self, values: Values) -> Any:
        """The theory at these settings: pure, about a millisecond."""

    @abstractmethod
    def experiment(self, values: Values) -> Task:
        """The experiment these settings ask for."""

    def merge(self, before: Any, new: Any) -> Any:
        """What is observed after one more round; only for tasks of several rounds."""
        raise NotImplementedError(f"The lab {self.name} has no rounds to merge.")

    @abstractmethod
    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Any, observed: Any, stale: bool) -> None:
        """Write theory and, where there is one, observation into the figures.

        A stale observation belongs to settings just left; its successor is being drawn.
        """

    @abstractmethod
    def report(self, values: Values, theory: Any, observed: Any) -> Report:
        """The words and numbers beside the figures; `observed` is None while the workers draw."""

    @abstractmethod
    def table(self, values: Values, theory: Any, observed: Any) -> list[Table]:
        """What the figures show, as numbers."""

    @abstractmethod
    def python(self, values: Values, theory: Any, observed: Any) -> str:
        """Lines that reproduce the tables with rmtcore alone, as a dictionary `tables[caption][column]`."""
