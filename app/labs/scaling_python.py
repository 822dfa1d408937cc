"""Scaling laws lab: the lines that make its curves and train its networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.labs.learning_python import layer, population
from app.labs.learning_settings import readings_of
from app.parts import script
from app.parts.script import Script, literal, means, rounds
from app.settings import Values
from rmtcore import Network

Array = NDArray[np.float64]

_TITLES = {"test": "test error", "train": "training error", "above": "distance to the limit"}


def errors(values: Values, solved: Any, symbol: str, drawn: list[Network]) -> str:
    """Errors along an axis and their slopes."""
    here, axis = solved.network, solved.axis
    found = Script(f"population = {population(values, here.population.dim)}", f"network = {script.network(here)}")
    x, ratio = solved.x, "x" if axis == "ratio" else "(1 - x)"
    found.add(f"x = np.geomspace({x[0]:.6g}, {x[-1]:.6g}, {x.size})")
    moved = {"samples": "samples=x", "width": "widths=x"}.get(axis) or (
        f"widths={ratio} * network.samples" if here.layers else f"samples=network.feature_dim / {ratio}"
    )
    found.add(f"curve = sweep(network, {moved})")
    parts = {"test": "curve.test", "train": "curve.train"}
    if solved.above.size:
        found.add(f"above = above_limit(network, {moved})")
        parts["above"] = "above"
    columns = {symbol: "x"} | {_TITLES[name]: part for name, part in parts.items()}
    columns |= {f"slope of {_TITLES[name]}": f"local_slopes(x, {part})" for name, part in parts.items()}
    found.table("Theory", columns)
    if drawn:
        _varied(found, here, axis, drawn)
        _experiment(found, values, {symbol: "places"})
    return found.text()


def _varied(found: Script, here: Network, axis: str, drawn: list[Network]) -> None:
    """The networks along the axis."""
    if axis == "samples" or not here.layers:
        found.add(
            f"n = np.array({[one.samples for one in drawn]})",
            f"networks = [{script.network(here, samples='samples')} for samples in n]",
        )
        d, n = str(here.feature_dim), "n"
    else:
        stack = f"[{layer(here, 'width')}]" + (f" * {len(here.layers)}" if len(here.layers) > 1 else "")
        found.add(
            f"d = np.array({[one.feature_dim for one in drawn]})",
            f"networks = [{script.network(here, layers=stack)} for width in d]",
        )
        d, n = "d", str(here.samples)
    places = {"samples": "n", "width": "d", "ratio": f"{d} / {n}", "gap": f"1 - {d} / {n}"}[axis]
    found.add(f"places = {places}")


def _experiment(found: Script, values: Values, first: Mapping[str, str]) -> None:
    seed, count, reading = int(values["seed"]), int(values["draws"]), literal(readings_of(values))
    found.add(f"rounds = {rounds(f'repeat(networks, {seed}, None, None, {reading}, index)', count)}")
    parts = {}
    for name in ("test", "train"):
        found.add(f"{name} = np.concatenate([one.{name} for one in rounds])")
        parts[name] = name
    found.table(f"Experiment, {count} repetitions", dict(first) | means(list(parts), parts))


def spent(values: Values, budget: Any, drawn: list[Network], timed: tuple[Any, ...]) -> str:
    """The compute-optimal frontier."""
    here: Network = budget.network
    found = Script(f"population = {population(values, here.population.dim)}", f"network = {script.network(here)}")
    budgets = budget.best.budgets
    found.add(f"best = frontier(network, np.geomspace(100, {literal(float(budgets[-1]))}, {budgets.size}))")
    found.table("Frontier", _columns("best"))
    if values["timed"]:
        _, compute, sizes, _, steps = timed
        grids = [
            f"np.geomspace({literal(float(one[0]))}, {literal(float(one[-1]))}, {one.size})"
            for one in (compute, sizes, sizes, steps)
        ]
        found.add(f"sizes = {grids[1]}", f"timed = timed_frontier(network, {grids[0]}, sizes, sizes, {grids[3]})")
        found.table("Frontier with early stopping", _columns("timed"))
        return found.text()
    if drawn:
        pairs = [(one.samples, one.feature_dim) for one in drawn]
        stack = f"[{layer(here, 'd')}]" + (f" * {len(here.layers)}" if len(here.layers) > 1 else "")
        found.add(
            f"pairs = np.array({literal(pairs)})",
            f"networks = [{script.network(here, layers=stack, samples='n')} for n, d in pairs]",
        )
        _experiment(found, values, {"n": "pairs[:, 0]", "d": "pairs[:, 1]"})
    return found.text()


def _columns(name: str) -> dict[str, str]:
    parts = {"compute": "budgets", "test": "test", "n": "samples", "d": "widths", "steps": "steps"}
    return {column: f"{name}.{part}" for column, part in parts.items()}
