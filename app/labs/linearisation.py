"""Linearisation: what may replace a nonlinearity where its argument concentrates, and where it stays Gaussian."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from app.labs import linearisation_python
from app.labs import linearisation_scenes as scenes
from app.labs.base import Lab, Report, Table, Task
from app.labs.learning_settings import number
from app.labs.linearisation_formulas import FORMULAS
from app.labs.linearisation_settings import DEGREES, DIMS, SCHEMA, WITHOUT
from app.labs.linearisation_theory import Measured, Solved, hermite_energies, measure, solve, taylor_energies
from app.labs.linearisation_words import explain, lamps, readouts
from app.parts import bars
from app.parts.arguments import Arguments, draw_arguments
from app.parts.curves import paint
from app.parts.figure import Declare, Figure
from app.settings import Values


class LinearisationLab(Lab):
    """The function over the histogram of its argument, errors against n, energy by degree."""

    name = "linearisation"
    title = "Linearisation"
    summary = "Two scalings of one argument, and what may stand for a nonlinearity in each."
    schema = SCHEMA
    formulas = FORMULAS
    presets = (
        ("It concentrates: the tangent is enough", "n=256"),
        ("Nothing concentrates at n = 1", "n=1"),
        ("Zoomed in, everything is a line", "activation=gelu&at=1&n=1024&zoom=1"),
        ("More derivatives, faster rates", "at=0.5&degree=3&bend=-0.5&n=64"),
        ("A kink where it concentrates: no Taylor polynomial", "activation=relu"),
        ("It stays Gaussian: a line and noise", "regime=clt&n=256"),
        ("As good for matrices: a square instead of noise", "regime=clt&activation=relu&carrier=2&n=256"),
        ("A discontinuous function has a line as well", "regime=clt&activation=sign&carrier=3&n=64"),
        ("No linear part at all: an even function", "regime=clt&activation=cos&n=64"),
    )

    @property
    def figures(self) -> Mapping[str, Declare]:
        """Function, errors, energies."""
        return {"main": scenes.FUNCTION, "error": scenes.ERRORS, "energy": scenes.ENERGIES}

    def equivalent(self, values: Values) -> Solved:
        """The members and their errors."""
        return solve(SCHEMA.counting(values, WITHOUT), _dims(values))

    def experiment(self, values: Values) -> Task:
        """Arguments for every n: no function in them, so that all but the vectors leaves them as they are."""
        dims, vectors, seed = _dims(values), str(values["vectors"]), int(number(values, "seed"))
        rounds = int(number(values, "draws"))
        return Task((self.name, dims, vectors, seed, rounds), draw_arguments, (dims, vectors, seed), rounds)

    def merge(self, before: Arguments, new: Arguments) -> Arguments:
        """All pairs so far."""
        return before.join(new)

    def pick(self, values: Values, figure: str, x: float, y: float) -> Values:
        """A place in the errors is a dimension, in steps of the slider; in the function it is the point a."""
        if figure == "error":
            return {"n": DIMS[int(np.argmin(np.abs(np.log10(DIMS) - x)))]}
        if figure == "main" and values["regime"] == "lln" and not values["zoom"]:
            return {"at": min(max(round(20.0 * x) / 20.0, -3.0), 3.0)}
        return {}

    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Solved, observed: Any, stale: bool) -> None:
        """Patch the three figures."""
        n = int(number(values, "n"))
        seen = observed if observed is not None and observed.dims == theory.dims else None
        paint(figures["main"], scenes.FUNCTION, scenes.function(theory, values, n, observed, stale))
        figures["main"].style("drawn", fill_alpha=0.12 if stale else 0.45)
        figures["main"].style("noise", fill_alpha=0.12)
        figures["main"].style("density", line_width=2)
        for index in range(scenes.FAMILY):
            figures["main"].style(f"family {index}", line_width=1, line_alpha=0.7)
        places = np.array(theory.dims, float)
        paint(figures["error"], scenes.ERRORS, scenes.errors(theory, values, n, _measured(theory, seen), places, stale))
        figures["error"].decades("x", True)
        figures["error"].decades("y", True)
        bars.paint(figures["energy"], scenes.ENERGIES, scenes.energies(theory, values, n))
        figures["energy"].decades("y", theory.regime == "lln")

    def report(self, values: Values, theory: Solved, observed: Any) -> Report:
        """Errors, rates and agreement."""
        n = int(number(values, "n"))
        numbers = readouts(theory, values, n, observed, _measured(theory, observed))
        return Report(numbers, explain(theory, values, n), lamps(theory, n), keys=scenes.keys(theory, values))

    def table(self, values: Values, theory: Solved, observed: Any) -> list[Table]:
        """Errors of theory and experiment, energies, function, density and histogram."""
        n, called = int(number(values, "n")), scenes.names(theory, values)
        visible = scenes.shown(theory, values)
        errors: dict[str, Any] = {"n": theory.dims}
        measured = _measured(theory, observed)
        what = "gap" if theory.regime == "clt" else "error"
        for who in visible:
            member, found = theory.members[who], measured.get(who)
            errors[f"{what}, {called[who]}"] = member.error
            if found is not None:
                errors |= {f"{called[who]}: drawn": found.error[0], f"{called[who]}: ±": found.error[1]}
            if theory.regime == "clt":
                errors[f"point by point, {called[who]}"] = member.pointwise
                if found is not None:
                    errors |= dict(
                        zip((f"{called[who]}: point drawn", f"{called[who]}: point ±"), found.pointwise, strict=True)
                    )
        tables = [Table("Errors", errors), *_energies(theory, n, called)]
        t = np.linspace(-4.0, 4.0, 161)
        curves = {"t": t, "φ": np.asarray(theory.activation.function(t), float)}
        curves |= {called[who]: theory.members[who].equivalent.function(t) for who in visible}
        tables.append(Table("Functions", curves))
        density = scenes.argument_density(theory, n)
        if density is not None:
            tables.append(Table(f"Density of the argument, n = {n}", dict(zip(("t", "density"), density, strict=True))))
        if observed is not None:
            edges, heights = scenes.histogram(theory, n, observed)
            drawn = {"from": edges[:-1], "to": edges[1:], "density": heights}
            tables.append(Table(f"Argument drawn, {observed.values.shape[1]} pairs", drawn))
        return tables

    def python(self, values: Values, theory: Solved, observed: Any) -> str:
        """The same with rmtcore alone."""
        called, visible = scenes.names(theory, values), scenes.shown(theory, values)
        return linearisation_python.python(values, theory, called, visible, theory.at)


def _dims(values: Values) -> tuple[int, ...]:
    """Powers of two, and the present n if it is none."""
    return tuple(sorted({*DIMS, int(number(values, "n"))}))


def _measured(theory: Solved, observed: Arguments | None) -> dict[str, Measured]:
    return {} if observed is None else measure(theory, observed)


def _energies(theory: Solved, n: int, called: dict[str, str]) -> list[Table]:
    """The bars."""
    if theory.broken:
        return []
    if theory.regime == "clt":
        parts, k = hermite_energies(theory), [*range(DEGREES + 2), math.inf]
        caption, first = f"Energy by Hermite degree ({DEGREES + 1}: and beyond; inf: noise)", "degree"
    else:
        parts, k = taylor_energies(theory, n), list(range(DEGREES + 1))
        caption, first = f"Mean square by Taylor order, n = {n}", "order"
    columns: dict[str, Any] = {first: k, "φ": parts["phi"]}
    return [Table(caption, columns | {called[who]: parts[who] for who in ("main", "member")})]
