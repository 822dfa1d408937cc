"""Guided tours: sequences of views with words, as TOML; ours are read once per process, a visitor's when it comes."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import tomli_w

from app.labs import LABS
from app.labs.base import Lab
from app.parts.figure import blueprint
from app.settings import Values

MOST_BYTES = 64 * 1024
MOST_STEPS = 60
REVEALED = ("actual", "linear", "equivalent")
_LONGEST = {"title": 120, "summary": 400, "text": 2000, "question": 300, "settings": 2000}
_MOST_DOTS = 200  # in a line: a key of 32000 dotted parts would keep tomllib busy for 13 s


class TourError(ValueError):
    """What is wrong with a tour, in words for whoever wrote it."""


@dataclass(frozen=True)
class Predict:
    """What the visitor is asked before it is shown.

    Attributes
    ----------
    figure, element : the figure's name and the label of the curve (or of the marks) in it.
    question : in words.
    along : the gap is measured along this axis: "y" of a curve, "x" of marks.
    also : further elements that would give it away; dots and error bars of the element are hidden anyway.
    """

    figure: str
    element: str
    question: str
    along: str = "y"
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One view and what to say about it; `reveal` says which of `REVEALED` it shows, None leaves all."""

    title: str
    text: str
    lab: str
    settings: Values
    reveal: tuple[str, ...] | None = None
    predict: Predict | None = None

    @property
    def flags(self) -> Values:
        """The settings that say what is revealed."""
        known = LABS[self.lab].schema.by_name
        return {} if self.reveal is None else {flag: flag in self.reveal for flag in REVEALED if flag in known}


@dataclass(frozen=True)
class Tour:
    """A title, a summary and steps."""

    title: str
    summary: str
    steps: tuple[Step, ...]


def read(text: str) -> Tour:
    """The tour that a TOML file describes; `TourError` says what is wrong with it."""
    _encoded(text)
    if max(line.count(".") for line in text.split("\n")) > _MOST_DOTS:
        raise TourError(f"A line of this file has more than {_MOST_DOTS} full stops.")
    try:
        data = tomllib.loads(text)
    except RecursionError as error:
        raise TourError("This file nests tables deeper than any tour does.") from error
    except ValueError as error:
        raise TourError(f"This is not a TOML file: {error}.") from error
    return parse(data)


def parse(data: Any) -> Tour:
    """The tour in plain data; `TourError` says what is wrong with it."""
    table = _table(data, ("title", "summary", "steps"), "The tour")
    steps = table.get("steps")
    if not isinstance(steps, list) or not steps:
        raise TourError("The tour has no steps: each begins with [[steps]].")
    if len(steps) > MOST_STEPS:
        raise TourError(f"The tour has {len(steps)} steps; {MOST_STEPS} are allowed.")
    return Tour(
        _text(table, "title", "The tour"),
        _text(table, "summary", "The tour", needed=False),
        tuple(_step(step, f"Step {number}") for number, step in enumerate(steps, 1)),
    )


def write(tour: Tour) -> str:
    """The tour as a TOML file, which `read` gives back."""
    steps = []
    for step in tour.steps:
        parts = asdict(step) | {"predict": asdict(step.predict) if step.predict else None}
        if step.predict and not step.predict.also:
            del parts["predict"]["also"]
        steps.append({name: part for name, part in parts.items() if part is not None})
    return tomli_w.dumps({"title": tour.title, "summary": tour.summary, "steps": steps}, multiline_strings=True)


def describe(tour: Tour) -> dict[str, Any]:
    """The tour as the page takes it: settings as query strings, with and without what is revealed."""
    steps = [asdict(step) | {"settings": _query(step, {}), "query": _query(step, step.flags)} for step in tour.steps]
    return {"title": tour.title, "summary": tour.summary, "steps": steps}


def answer(message: Mapping[str, Any]) -> dict[str, Any]:
    """What the page is told about a visitor's tour, sent as a file's `text` or as plain data: `tour`."""
    try:
        text = message.get("text")
        tour = read(text) if isinstance(text, str) else parse(message.get("tour"))
        written = write(tour)
        _encoded(written)
    except TourError as error:
        return {"fault": str(error)}
    return {"tour": describe(tour), "toml": written}


@cache
def shipped(folder: Path) -> dict[str, dict[str, Any]]:
    """The tours of a folder by name, as the page takes them, in the order of their files' names."""
    found = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            tour = read(path.read_text(encoding="utf-8"))
        except TourError as error:
            raise TourError(f"{path.name}: {error}") from error
        found[re.sub(r"^\d+_", "", path.stem)] = describe(tour)
    return found


@cache
def shipped_json(folder: Path) -> bytes:
    """`shipped` as the page fetches it."""
    return json.dumps(shipped(folder), ensure_ascii=False, separators=(",", ":")).encode()


def _step(data: Any, where: str) -> Step:
    table = _table(data, ("title", "text", "lab", "settings", "reveal", "predict"), where)
    name = _text(table, "lab", where)
    lab = LABS.get(name)
    if lab is None:
        raise TourError(f"{where}: there is no lab “{name[:40]}”; there are {', '.join(LABS)}.")
    predict = table.get("predict")
    return Step(
        _text(table, "title", where),
        _text(table, "text", where),
        name,
        _settings(table.get("settings", {}), lab, where),
        _revealed(table.get("reveal"), lab, where),
        None if predict is None else _predict(predict, lab, where),
    )


def _settings(given: Any, lab: Lab, where: str) -> Values:
    """The settings of a step, each as the lab's schema reads it; a query string will do for the table."""
    if isinstance(given, str):
        given = _pairs(given, where)
    if not isinstance(given, Mapping):
        raise TourError(f"{where}: settings must be a table or the query string of a link.")
    found: Values = {}
    for name, raw in given.items():
        setting = lab.schema.by_name.get(name)
        if setting is None:
            known = ", ".join(one for one in lab.schema.by_name if one not in REVEALED)
            raise TourError(f"{where}: the lab {lab.name} has no setting “{name[:40]}”; it has {known}.")
        if name in REVEALED:
            raise TourError(f"{where}: what is shown of {', '.join(REVEALED)} is said by reveal, not by settings.")
        if isinstance(raw, (list, dict)):
            raise TourError(f"{where}: the setting {name} needs one value.")
        value, fault = setting.read(raw, setting.default)
        if fault:  # what is wrong; what was made of it
            raise TourError(f"{where}: {fault.rsplit(';', 1)[0]}.")
        if value is not None:
            found[name] = value
    return found


def _pairs(query: str, where: str) -> dict[str, str]:
    if len(query) > _LONGEST["settings"]:
        raise TourError(f"{where}: settings may have {_LONGEST['settings']} characters.")
    return dict(parse_qsl(query.lstrip("?"), keep_blank_values=True))


def _revealed(given: Any, lab: Lab, where: str) -> tuple[str, ...] | None:
    if given is None:
        return None
    there = [flag for flag in REVEALED if flag in lab.schema.by_name]
    if not isinstance(given, list) or any(flag not in there for flag in given):
        raise TourError(f"{where}: reveal must list some of {', '.join(there)} in the lab {lab.name}.")
    return tuple(flag for flag in there if flag in given)


def _predict(data: Any, lab: Lab, where: str) -> Predict:
    where = f"{where}, predict"
    table = _table(data, ("figure", "element", "question", "along", "also"), where)
    name = _text(table, "figure", where, needed=False) or next(iter(lab.figures))
    if name not in lab.figures:
        raise TourError(f"{where}: the lab {lab.name} has no figure “{name}”; it has {', '.join(lab.figures)}.")
    labels = blueprint(lab.figures[name]).labels
    also = table.get("also", [])
    if not isinstance(also, list):
        raise TourError(f"{where}: also must be a list of elements.")
    for element in (table.get("element"), *also):
        if not isinstance(element, str) or element not in labels:
            raise TourError(f"{where}: the figure {name} has no element “{str(element)[:40]}”.")
    along = table.get("along", "y")
    if along not in ("x", "y"):
        raise TourError(f"{where}: along must be x or y.")
    return Predict(name, table["element"], _text(table, "question", where), along, tuple(also))


def _query(step: Step, flags: Values) -> str:
    schema = LABS[step.lab].schema
    return schema.to_query(schema.defaults() | step.settings | flags)


def _table(data: Any, known: Iterable[str], where: str) -> Mapping[str, Any]:
    """A table with no other keys than these."""
    if not isinstance(data, Mapping):
        raise TourError(f"{where} must be a table.")
    for key in data:
        if key not in known:
            raise TourError(f"{where}: “{str(key)[:40]}” is not known here; there are {', '.join(known)}.")
    return data


def _text(table: Mapping[str, Any], key: str, where: str, needed: bool = True) -> str:
    """A text of the table, neither empty nor too long."""
    most, text = _LONGEST.get(key, 40), table.get(key, "")
    if not isinstance(text, str):
        raise TourError(f"{where}: {key} must be a text.")
    text = text.strip()
    if needed and not text:
        raise TourError(f"{where} needs a {key}.")
    if len(text) > most:
        raise TourError(f"{where}: {key} has {len(text)} characters; {most} are allowed.")
    return text


def _encoded(text: str) -> None:
    """Refuse what is too large or no text at all."""
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise TourError("This file holds characters that are none.") from error
    if size > MOST_BYTES:
        raise TourError(f"A tour may have {MOST_BYTES // 1024} kB; this one has {size // 1024}.")
