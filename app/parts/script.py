"""Python lines that a visitor takes home: written from validated settings, imports found by reading the lines."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping, Sequence
from typing import Any

import rmtcore
from rmtcore import Network

_WIDEST = 110  # columns of a line
_HOMES = {
    "rmtcore": rmtcore.__all__,
    "rmtcore.datasets": ("breast_cancer", "digits", "digits_pair", "fetch", "two_classes"),
    "rmtcore.equivalents": ("enclosed",),
    "rmtcore.exponents": ("local_slopes",),
    "rmtcore.observations": ("join", "relative_to", "risks", "root_mean_square"),
    "rmtcore.spikes": ("count_spikes",),
    "rmtcore.scaling": ("above_limit", "frontier", "sweep", "timed_frontier"),
    "pathlib": ("Path",),
    "functools": ("reduce",),
    "math": ("factorial", "inf"),
}
HOME = {name: home for home, names in _HOMES.items() for name in names}


class Script:
    """Lines, and which tables of the lab they make: `tables[caption][column]` once they have run."""

    def __init__(self, *lines: str) -> None:
        self._lines = list(lines)
        self._tables: dict[str, dict[str, str]] = {}

    def add(self, *lines: str) -> None:
        """More lines."""
        self._lines += lines

    def table(self, caption: str, columns: Mapping[str, str]) -> None:
        """One table: column -> expression."""
        self._tables[caption] = dict(columns)

    def text(self) -> str:
        """The whole, with its imports."""
        body = "\n".join([*self._lines, "", *self._table_lines()])
        return "\n".join([*_imports(body), "", body, ""])

    def _table_lines(self) -> list[str]:
        lines = ["tables = {"]
        for caption, columns in self._tables.items():
            cells = [f"{literal(name)}: {expression}" for name, expression in columns.items()]
            one = f"    {literal(caption)}: {{{', '.join(cells)}}},"
            if len(one) <= _WIDEST:
                lines.append(one)
            else:
                lines += [f"    {literal(caption)}: {{", *(f"        {cell}," for cell in cells), "    },"]
        return [*lines, "}"]


def literal(value: Any) -> str:
    """A text, number, flag or sequence of them as Python writes it; a text can hold anything a visitor thinks of."""
    if isinstance(value, str):
        # Double quotes as in the rest; what does not print is escaped.
        plain = value.isprintable() and '"' not in value and "\\" not in value
        return f'"{value}"' if plain else ascii(value)
    if isinstance(value, (list, tuple)):
        inner = ", ".join(literal(one) for one in value)
        return f"[{inner}]"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value)


def call(name: str, *arguments: str, **named: str) -> str:
    """A call; arguments are expressions."""
    return f"{name}({', '.join([*arguments, *(f'{key}={value}' for key, value in named.items())])})"


def layers(network: Network) -> str:
    """The layers of a network."""
    made = [
        call("Layer", str(one.width), literal(one.activation.name), **({"normalise": "True"} if one.normalise else {}))
        for one in network.layers
    ]
    if len(made) > 1 and len(set(made)) == 1:
        return f"[{made[0]}] * {len(made)}"
    return f"[{', '.join(made)}]"


def network(made: Network, population: str = "population", **changes: str) -> str:
    """A network on an expression for its population; `changes` replaces arguments by expressions."""
    named = {"samples": str(made.samples)}
    named |= {"noise": literal(made.noise)} if made.noise else {}
    named |= {"ridge": literal(made.ridge)} if made.ridge else {}
    stack = changes.pop("layers", layers(made) if made.layers else "")
    return call("Network", population, *([stack] if stack else []), **(named | changes))


def rounds(expression: str, count: int) -> str:
    """A list of the rounds of an experiment, `expression` naming each by `index`."""
    return f"[{expression} for index in range({count})]"


def means(names: Sequence[str], of: Mapping[str, str]) -> dict[str, str]:
    """Columns of means and standard errors over the rounds."""
    found: dict[str, str] = {}
    for name in names:
        found |= {name: f"{of[name]}.mean(axis=0)", f"{name} ±": f"standard_error({of[name]})"}
    return found


def _imports(body: str) -> list[str]:
    """The imports of what the lines use."""
    tree = ast.parse(body)
    names = [node for node in ast.walk(tree) if isinstance(node, (ast.Name, ast.arg))]
    made = {one.arg if isinstance(one, ast.arg) else one.id for one in names if not _reads(one)}
    made |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    used = {one.id for one in names if isinstance(one, ast.Name) and _reads(one)} - made - set(dir(builtins))
    lines = ["import numpy as np"] if "np" in used else []
    homes: dict[str, list[str]] = {}
    for name in sorted(used - {"np"}, key=lambda one: (not one[0].isupper(), one)):
        homes.setdefault(HOME[name], []).append(name)
    for home in sorted(homes, key=lambda one: (one.startswith("rmtcore"), one)):
        line = f"from {home} import {', '.join(homes[home])}"
        lines.append(line if len(line) <= _WIDEST else _folded(home, homes[home]))
    return lines


def _reads(node: ast.Name | ast.arg) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)


def _folded(home: str, names: list[str]) -> str:
    return "\n".join([f"from {home} import (", *(f"    {name}," for name in names), ")"])
