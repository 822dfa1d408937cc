"""One schema of every setting. Sliders, the URL, validation and limits all come from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

Value = float | int | str | bool | None
Values = dict[str, Any]  # of `Value`, and a visitor's file where a lab takes one
Kind = Literal["number", "integer", "choice", "flag"]

_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
_LONGEST_QUERY = 4000


@dataclass(frozen=True)
class Setting:
    """One thing a visitor can move.

    Attributes
    ----------
    name : key in the URL and in `Values`.
    label, symbol, unit, help : what the control says; the symbol is the one of the formulas.
    low, high, step : bounds of a number; on a log scale `step` counts steps per factor of ten.
    choices : (value, label) pairs of a choice.
    when : the control is shown only while these other settings have one of these values.
    follows : name of the setting whose value counts while this one is None.
    group : heading under which the control stands.
    player : the page can play it: step the slider by itself.
    swatch : how a legend flag looks, dots, squares or line; without, as in a spectrum.
    """

    name: str
    label: str
    kind: Kind
    default: Value
    symbol: str = ""
    unit: str = ""
    help: str = ""
    low: float = 0.0
    high: float = 1.0
    step: float = 0.01
    log: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    follows: str = ""
    group: str = ""
    player: bool = False
    swatch: str = ""

    def read(self, raw: Any, present: Value) -> tuple[Value, str]:
        """The allowed value nearest to `raw`, and a notice where that is another one ('' otherwise).

        What cannot be read at all leaves the `present` value.
        """
        if self.follows and raw in (None, ""):
            return None, ""
        value, fault = self._parse(raw)
        if value is None:
            stays = "as all layers" if present is None else self.show(present)
            return present, f"{self.label}: “{_short(raw)}” {fault}; it stays {stays}."
        return value, fault

    def _parse(self, raw: Any) -> tuple[Value, str]:
        """A value and a notice, or None and what is wrong."""
        text = str(raw).strip().lower()
        if self.kind == "flag":
            return (text in _TRUE, "") if text in _TRUE | _FALSE else (None, "is neither on (1) nor off (0)")
        if self.kind == "choice":
            return (text, "") if text in dict(self.choices) else (None, "is not offered")
        number = _number(raw)
        if number is None:
            return None, "is not a number"
        inside = min(max(number, self.low), self.high)
        value = round(inside) if self.kind == "integer" else _significant(inside)
        if inside != number:
            bounds = f"{self.show(self.low)} to {self.show(self.high)}"
            return value, f"{self.label} must be {bounds}; {_short(raw)} became {self.show(value)}."
        return value, ""

    def show(self, value: Value) -> str:
        """The value as a visitor reads it."""
        if self.kind == "choice":
            return dict(self.choices).get(str(value), str(value))
        if isinstance(value, float):
            return f"{value:.4g}"
        return str(value)

    def write(self, value: Value) -> str:
        """The value as it stands in a URL."""
        if self.kind == "flag":
            return "1" if value else "0"
        return f"{value:.6g}" if isinstance(value, float) else str(value)


class Schema:
    """The settings of one lab, in the order of its controls."""

    def __init__(self, settings: Iterable[Setting]) -> None:
        self.settings = tuple(settings)
        self.by_name = {setting.name: setting for setting in self.settings}
        if len(self.by_name) != len(self.settings):
            raise ValueError("Two settings share a name.")

    def defaults(self) -> Values:
        """Every setting at its default."""
        return {setting.name: setting.default for setting in self.settings}

    def update(self, values: Values, changes: Mapping[str, Any]) -> tuple[Values, list[str]]:
        """`values` with validated `changes`, and notices. Unknown names are ignored."""
        result, notices = dict(values), []
        for name, raw in changes.items():
            setting = self.by_name.get(name)
            if setting is not None:
                result[name], notice = setting.read(raw, values[name])
                if notice:
                    notices.append(notice)
        return result, notices

    def from_query(self, query: str) -> tuple[Values, list[str]]:
        """Values of a link: defaults where it is silent, the nearest allowed where it is wrong."""
        if len(query) > _LONGEST_QUERY:
            return self.defaults(), ["This link is too long to be one of ours; the defaults are shown."]
        return self.update(self.defaults(), _pairs(query))

    def given(self, query: str) -> set[str]:
        """Names of the settings that a link states."""
        return set() if len(query) > _LONGEST_QUERY else self.by_name.keys() & _pairs(query)

    def to_query(self, values: Values) -> str:
        """The link's query string: only what differs from the defaults."""
        changed = {
            setting.name: setting.write(values[setting.name])
            for setting in self.settings
            if values[setting.name] != setting.default
        }
        return urlencode(changed)

    def resolved(self, values: Values) -> Values:
        """Values with every setting that follows another one filled in."""
        return {
            setting.name: values[setting.follows]
            if setting.follows and values[setting.name] is None
            else values[setting.name]
            for setting in self.settings
        }

    def shown(self, name: str, values: Values) -> bool:
        """Whether the control shows; one that hangs on a hidden one is hidden too."""
        return all(
            values[other] in allowed and self.shown(other, values) for other, allowed in self.by_name[name].when.items()
        )

    def counting(self, values: Values, without: set[str]) -> tuple[tuple[str, Value], ...]:
        """The settings that count, hashable: those that are shown, but for the ones named."""
        return tuple((name, values[name]) for name in self.by_name if name not in without and self.shown(name, values))

    def describe(self) -> list[dict[str, Any]]:
        """The schema as plain data, for the page."""
        return [
            asdict(setting) | {"when": {name: list(values) for name, values in setting.when.items()}}
            for setting in self.settings
        ]


def _pairs(query: str) -> dict[str, str]:
    return dict(parse_qsl(query.lstrip("?"), keep_blank_values=True, max_num_fields=None))


def _number(raw: Any) -> float | None:
    """`raw` as a finite or infinite number; None for text and for NaN."""
    if isinstance(raw, bool):
        return None
    try:
        number = float(raw)
    except (TypeError, ValueError, OverflowError):
        return None
    return None if math.isnan(number) else number


def _significant(number: float, digits: int = 4) -> float:
    """The grid of numbers: what a slider sends lies on it, and what is typed is moved to it, so that caches hit."""
    return float(f"{number:.{digits}g}")


def _short(raw: Any) -> str:
    text = str(raw)
    return text if len(text) <= 20 else text[:19] + "…"
