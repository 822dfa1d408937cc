"""Scaling laws: errors as powers of samples and width, their exponents, and the best use of a budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.labs import scaling_python
from app.labs import scaling_scenes as scenes
from app.labs.base import Lab, Report, Table, Task
from app.labs.learning_settings import number, readings_of
from app.labs.scaling_formulas import FORMULAS
from app.labs.scaling_scenes import Dots
from app.labs.scaling_settings import SCHEMA, counting, here, is_frontier, position
from app.labs.scaling_theory import (
    TRIED,
    WIDTHS,
    Budget,
    Solved,
    axis_of,
    experiments,
    solve,
    spend,
    timed_arguments,
    timed_law,
    tried,
)
from app.labs.scaling_words import explain, explain_frontier, lamps
from app.parts import frontier as plane
from app.parts.curves import paint
from app.parts.figure import Declare, Figure
from app.settings import Values
from rmtcore import Network, Population, Repeated, repeat, standard_error
from rmtcore.scaling import Frontier, timed_frontier

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Theory:
    """One of the two views."""

    solved: Solved | None
    budget: Budget | None


class ScalingLab(Lab):
    """Errors log-log with their exponents; the frontier of what a budget buys."""

    name = "scaling"
    title = "Scaling laws"
    summary = "Errors fall as powers of samples and width: which powers, where, and how to spend a budget."
    schema = SCHEMA
    formulas = FORMULAS
    presets = (
        ("Linear model: error as a power of n", "family=linear&axis=samples&samples=0.3"),
        ("Random features: error as a power of width", "axis=width"),
        ("Training error near the threshold is a power law as well", "axis=gap&width=0.5&noise=0.1"),
        ("Three layers deep", "family=deep&depth=3"),
        ("How to spend a budget: the frontier", "view=frontier"),
    )

    @property
    def figures(self) -> Mapping[str, Declare]:
        """Errors and their slopes; frontier and plane."""
        return {"main": scenes.ERRORS, "slope": scenes.SLOPES, "frontier": scenes.FRONTIER, "plane": plane.declare}

    def visible(self, values: Values) -> list[str]:
        """Two figures of each view."""
        return ["frontier", "plane"] if is_frontier(values) else ["main", "slope"]

    def equivalent(self, values: Values) -> Theory:
        """The curves of the view that is shown."""
        settings = counting(values)
        if is_frontier(values):
            return Theory(None, spend(settings))
        return Theory(solve(settings, axis_of(values)), None)

    def experiment(self, values: Values) -> Task:
        """One repetition a round of every network along the axis, or about the frontier; or the timed frontier."""
        settings, rounds, seed = counting(values), int(number(values, "draws")), int(number(values, "seed"))
        if is_frontier(values) and values["timed"]:
            # No chance in it, but too slow for the event loop.
            return Task((self.name, "timed", settings), timed_frontier, timed_arguments(settings))
        view = "frontier" if is_frontier(values) else axis_of(values)
        networks = self._drawn(values)[0]
        if not networks:  # too large, all of them: a task must be something, and this is nothing to see
            networks = [Network(Population.identity(2), samples=2)]
        key = (self.name, self.most_entries, view, settings, readings_of(values), seed, rounds)
        return Task(key, repeat, (networks, seed, None, None, readings_of(values)), rounds)

    def merge(self, before: Repeated, new: Repeated) -> Repeated:
        """All repetitions so far."""
        return before.join(new)

    def pick(self, values: Values, figure: str, x: float, y: float) -> Values:
        """A point of the plane is a width and n; of a curve, a position along the axis."""
        p, (n, d) = number(values, "size"), here(values)
        if figure == "plane":
            return {"samples": 10.0**y / p, "width": 10.0 ** (x - y)}
        if figure == "frontier":
            return {}
        value = 10.0**x
        axis = axis_of(values)
        if axis == "samples":
            n = max(2.0, round(value))  # a whole number, so that the other neurons stay as many as they are
            return {"samples": n / p} | ({} if values["family"] == "linear" else {"width": d / n})
        ratio = {"ratio": value, "gap": max(1.0 - value, 1e-3), "width": value / n}[axis]
        return {"samples": 1.0 / ratio} if values["family"] == "linear" else {"width": ratio}

    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Theory, observed: Any, stale: bool) -> None:
        """Patch the figures of the view."""
        if theory.budget is not None:
            self._paint_frontier(figures, values, theory.budget, observed, stale)
        elif theory.solved is not None:
            solved = theory.solved
            main = scenes.errors(values, solved, self._dots(values, observed), stale)
            paint(figures["main"], scenes.ERRORS, main)
            paint(figures["slope"], scenes.SLOPES, scenes.slopes(values, solved, main))
            for name in ("main", "slope"):
                _plain_ticks(figures[name])
            for name in scenes.FITTED:
                figures["main"].style(f"fit {name}", line_width=2)
                figures["slope"].style(f"predicted {name}", line_width=2)

    def _paint_frontier(
        self, figures: Mapping[str, Figure], values: Values, budget: Budget, observed: Any, stale: bool
    ) -> None:
        timed = observed if values["timed"] and isinstance(observed, Frontier) else None
        figure = figures["frontier"]
        paint(figure, scenes.FRONTIER, scenes.bought(values, budget, timed, self._dots(values, observed), stale))
        _plain_ticks(figure)
        for width in WIDTHS:
            figure.style(f"d = {width}", line_width=1.5)
        figure.style("frontier", line_width=5, line_alpha=0.3 if stale and values["timed"] else 1.0)
        figure.style("fit", line_width=2)
        best = timed if values["timed"] else budget.best
        known = np.isfinite(best.samples) if best is not None else np.zeros(0, bool)
        path = (best.widths[known], best.samples[known]) if best is not None else (np.zeros(0), np.zeros(0))
        low = float(np.log10(max(float(budget.best.test.min()), 1e-11))) - 0.3
        limits = (low, max(min(float(budget.image.max()), 0.5), low + 1.0))
        n, d = here(values)
        plane.paint(figures["plane"], plane.Plane(budget.range, budget.image, limits, path, (d, n)))

    def report(self, values: Values, theory: Theory, observed: Any) -> Report:
        """Exponents fitted and predicted, and the agreement with the experiment."""
        networks, places, _ = self._drawn(values)
        notices = [] if networks else ["These networks are too large to train here: only the theory is shown."]
        agreement = scenes.agreement(networks, observed)
        noise = number(values, "noise")
        if theory.budget is not None:
            timed = observed if values["timed"] and isinstance(observed, Frontier) else None
            readouts = scenes.prices(values, theory.budget, timed, timed_law(counting(values), theory.budget.network))
            words = explain_frontier(theory.budget, timed, bool(values["timed"]))
            held = lamps(theory.budget.network, False, noise)
            keys = scenes.frontier_keys(values)
            return Report([*readouts] + ([] if values["timed"] else [agreement]), words, held, notices, keys)
        solved = theory.solved
        assert solved is not None
        dots = observed if isinstance(observed, Repeated) and observed.test.shape[1] == places.size else None
        readouts = [*scenes.exponents(solved, dots, places, bool(values["limited"])), agreement]
        held = lamps(solved.network, solved.ridge_matters, noise)
        return Report(readouts, explain(solved, position(values)), held, notices, scenes.error_keys(values, solved))

    def table(self, values: Values, theory: Theory, observed: Any) -> list[Table]:
        """Curves with their slopes, or the frontier; and the experiment."""
        networks, places, widths = self._drawn(values)
        found: dict[str, Any]
        if theory.budget is not None:
            tables = [Table("Frontier", scenes.spent_columns(theory.budget.best))]
            if isinstance(observed, Frontier):
                tables.append(Table("Frontier with early stopping", scenes.spent_columns(observed)))
            found = {"n": places, "d": widths}
        else:
            assert theory.solved is not None
            columns = scenes.error_columns(theory.solved)
            tables, found = [Table("Theory", columns)], {next(iter(columns)): places}
        if isinstance(observed, Repeated) and networks and observed.test.shape[1] == len(networks):
            for name, part in (("test", observed.test), ("train", observed.train)):
                found |= {name: part.mean(axis=0), f"{name} ±": standard_error(part)}
            caption = f"Experiment, {observed.test.shape[0]} repetitions"
            tables.append(Table(caption, found))
        return tables

    def python(self, values: Values, theory: Theory, observed: Any) -> str:
        """The same with rmtcore alone."""
        networks, _, _ = self._drawn(values)
        if theory.budget is not None:
            return scaling_python.spent(values, theory.budget, networks, timed_arguments(counting(values)))
        assert theory.solved is not None
        symbol = next(iter(scenes.error_columns(theory.solved)))
        return scaling_python.errors(values, theory.solved, symbol, networks)

    def _drawn(self, values: Values) -> tuple[list[Network], Array, Array]:
        """The networks of the experiment, their positions (n on the frontier) and widths."""
        if is_frontier(values):
            return tried(counting(values), self.most_entries)
        networks, places = experiments(counting(values), axis_of(values), self.most_entries)
        return networks, places, np.array([network.feature_dim for network in networks], float)

    def _dots(self, values: Values, observed: Any) -> Dots:
        """Means and standard errors, where what was observed belongs to this view."""
        networks, places, widths = self._drawn(values)
        if not isinstance(observed, Repeated) or not networks or observed.test.shape[1] != len(networks):
            return {}
        if is_frontier(values) and values["timed"]:
            return {}
        dots: Dots = {}
        for reading, one in (("actual", observed), ("linear", observed.linear)):
            if one is None or not values[reading]:
                continue
            mean, error = one.test.mean(axis=0), standard_error(one.test)
            if is_frontier(values):
                for width in TRIED:
                    row = widths == width
                    dots.setdefault(f"d = {width}", {})[reading] = places[row] * width, mean[row], error[row]
            else:
                dots.setdefault("test", {})[reading] = places, mean, error
                dots.setdefault("train", {})[reading] = places, one.train.mean(axis=0), standard_error(one.train)
        return dots


def _plain_ticks(figure: Figure) -> None:
    """Ticks at powers of ten only, where a logarithmic axis is long enough to hold two."""
    for axis in ("x", "y"):
        start, end = figure.look("range", axis)
        figure.decades(axis, figure.look("axis", axis)["log"] and end - start >= 2.0)
