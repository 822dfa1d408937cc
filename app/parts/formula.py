"""Formulas beside a lab: TeX with marked symbols, what each symbol is, and what it is linked to.

The page gets the catalogue of a lab once and typesets it itself; a state carries only which formulas show and
their present numbers. In the TeX, `@name{..}` marks a symbol: of a setting, by its name, or of `Formulas.symbols`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.settings import Schema, Values

Numbers = Mapping[str, Mapping[str, str]]  # name of a formula that shows -> its present numbers by name

LIAO_MAHONEY = "arXiv:2506.13139"
_MARK = re.compile(r"@(\w+)\{")
_QUAD = re.compile(r",?\s*\\q?quad(?![a-z])")
_BLANK = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Symbol:
    """What a symbol stands for, where no setting says it.

    Attributes
    ----------
    text : the symbol itself, as in the glossary.
    meaning : a few words.
    marks : where it is seen in the plot, see `Formulas.marks`.
    """

    text: str
    meaning: str
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Formula:
    """One formula.

    Attributes
    ----------
    name : key in `Numbers`.
    tex : display mathematics with marked symbols; quads between its parts.
    source : where it stands: theorem, remark, definition or equation, and the paper.
    meaning : one sentence.
    line : text with a {blank} for every number, as `Numbers` names them.
    """

    name: str
    tex: str
    source: str
    meaning: str
    line: str = ""

    @property
    def symbols(self) -> list[str]:
        """Names of the symbols that are marked, in their order."""
        return list(dict.fromkeys(_MARK.findall(self.tex)))

    @property
    def blanks(self) -> list[str]:
        """Names of the numbers that the line asks for."""
        return list(dict.fromkeys(_BLANK.findall(self.line)))

    @property
    def parts(self) -> list[str]:
        """The TeX for MathJax: every mark a class, cut at each quad, so that a narrow page can break the line there."""
        marked = _MARK.sub(lambda found: rf"\class{{mark mark-{found[1]}}}{{", self.tex)
        return [part.strip() for part in _QUAD.split(marked)]


def _none(_values: Values, _theory: Any, _observed: Any) -> Numbers:
    return {}


@dataclass(frozen=True)
class Formulas:
    """All formulas of a lab.

    Attributes
    ----------
    catalogue : every formula that it may show.
    numbers : numbers(values, theory, observed): those that show now, in order, with their numbers; about no time.
    symbols : what the marked symbols are that are no settings.
    marks : where settings are seen in the plot. A mark is "figure:element", "figure:x" or "figure:y" for an axis,
        "key:label" for an entry of the legend, or "set:name" for a control.
    assumes : label of each assumption's lamp -> which theorem assumes it.
    """

    catalogue: tuple[Formula, ...] = ()
    numbers: Callable[[Values, Any, Any], Numbers] = _none
    symbols: Mapping[str, Symbol] = field(default_factory=dict)
    marks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    assumes: Mapping[str, str] = field(default_factory=dict)

    def describe(self, schema: Schema) -> dict[str, Any]:
        """All of it as plain data, for the page."""
        symbols: dict[str, dict[str, Any]] = {
            name: {"text": one.text, "meaning": one.meaning, "marks": one.marks} for name, one in self.symbols.items()
        }
        for one in schema.settings:
            symbols[one.name] = {
                "text": one.symbol, "meaning": one.label, "marks": self.marks.get(one.name, ()), "setting": True,
            }  # fmt: skip
        formulas = {
            one.name: {"parts": one.parts, "source": one.source, "meaning": one.meaning, "line": one.line}
            for one in self.catalogue
        }
        return {"formulas": formulas, "symbols": symbols, "assumes": dict(self.assumes)}


def say(value: float, digits: int = 3) -> str:
    """A number in a line: so many digits, always, that the line keeps its length while it changes."""
    if math.isnan(value):
        return "…"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    text = f"{value:#.{digits}g}".rstrip(".")
    head, _, power = text.partition("e")
    if power:
        text = f"{head}e{int(power)}"
    return text.replace("-", "−")


def whole(value: float) -> str:
    """A count."""
    return f"{round(value)}"
