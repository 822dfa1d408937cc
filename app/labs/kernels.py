"""Kernels: the spectrum of kernel matrices, how little of the function it knows, and what sticks out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from app.labs import kernels_python
from app.labs.base import Key, Lab, Report, Table, Task
from app.labs.kernels_formulas import FORMULAS
from app.labs.kernels_readouts import gap, predicted, readouts
from app.labs.kernels_settings import DISPLAY, SCHEMA, case_of
from app.labs.kernels_words import explain, lamps, spread
from app.labs.learning_settings import number
from app.parts import spectral
from app.parts.curves import CurvePlot, CurveScene, Line, paint
from app.parts.figure import ACTUAL, EQUIVALENT, LINEAR, MARK, Declare, Figure
from app.parts.kernel_rounds import Case, Drawn, Reading, drawn, on, same
from app.settings import Values
from rmtcore import DistanceKernel, Spectrum
from rmtcore.kernels import derivatives

Array = NDArray[np.float64]

_GREY = "#888888"
_REACH = 1.5  # outliers farther than so many widths of the bulk are named at the side
FUNCTIONS = CurvePlot(
    (Line("function", ACTUAL, dots=False), Line("beside", LINEAR, "dashed", dots=False)), (("argument", _GREY),)
)


@dataclass(frozen=True, eq=False)
class Theory:
    """The kernel, the laws by reading (the kernel itself first; they differ in their outliers), and notices."""

    case: Case
    laws: dict[Reading, Spectrum]
    notices: tuple[str, ...]


class KernelsLab(Lab):
    """Histogram of a kernel matrix, outline of its twin or linear equivalent, the one curve; and the two functions."""

    name = "kernels"
    title = "Kernels"
    summary = "Kernel matrices of any function: two numbers of it make the spectrum, and the classes stick out."
    schema = SCHEMA
    formulas = FORMULAS
    presets = (
        ("Two functions, one spectrum", "activation=tanh&mean_norm2=0"),
        ("Clusters show as an outlier that nobody taught", "activation=sign&mean_norm2=4"),
        ("An even function: a semicircle", "activation=cos&mean_norm2=0"),
        ("Few dimensions: a gap opens", "activation=relu&ratio=0.1&mean_norm2=0"),
        ("Distances: a line in disguise", "kind=distance&ratio=0.4&mean_norm2=0"),
    )

    @property
    def figures(self) -> Mapping[str, Declare]:
        """Spectrum and functions."""
        return {"main": spectral.declare, "function": FUNCTIONS}

    def equivalent(self, values: Values) -> Theory:
        """The law, and that of the companion."""
        case, notices = case_of(values, self.most_entries)
        return Theory(case, _laws(case, _readings(values)), notices)

    def experiment(self, values: Values) -> Task:
        """One data set a round."""
        case, _ = case_of(values, self.most_entries)
        key = (self.name, self.most_entries, SCHEMA.counting(values, DISPLAY))
        return Task(key, drawn, (case, int(number(values, "seed")), _readings(values)), int(number(values, "draws")))

    def merge(self, before: dict[Reading, Drawn], new: dict[Reading, Drawn]) -> dict[Reading, Drawn]:
        """All rounds so far."""
        return {reading: one.join(new[reading]) for reading, one in before.items()}

    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Theory, observed: Any, stale: bool) -> None:
        """Patch both figures."""
        law, seen = theory.laws["actual"], cast("dict[Reading, Drawn]", observed or {})
        shown = seen if values["actual"] else {}
        samples = {"actual" if name == "actual" else "linear": _sample(one) for name, one in shown.items()}
        scene = spectral.Scene(
            law.grid,
            law.density,
            law.weights,
            law.bulks,
            law.atom,
            np.unique([one.position for other in theory.laws.values() for one in predicted(other)]),
            str(values["axes"]),
            int(number(values, "bins")),
            samples,
            stale,
            signed=True,
            atom_at=law.atom_at,
            reach=_REACH,
        )
        figure = figures["main"]
        spectral.paint(figure, scene)
        for label in ("equivalent", "edges", "outliers", "atom", "notes", "notes right"):
            figure.show(label, bool(values["equivalent"]))
        paint(figures["function"], FUNCTIONS, _functions(theory.case, _beside(values)))

    def report(self, values: Values, theory: Theory, observed: Any) -> Report:
        """Agreement, what the bulk knows, outliers."""
        case, laws, beside = theory.case, theory.laws, _beside(values)
        apart = None
        if observed and beside != "nothing":
            apart = gap(laws["actual"], observed["actual"], observed[beside])
        return Report(
            readouts(case, laws, observed),
            explain(case, laws, beside, apart),
            lamps(case, laws["actual"]),
            list(theory.notices),
            _keys(case, laws, beside),
        )

    def table(self, values: Values, theory: Theory, observed: Any) -> list[Table]:
        """Density, edges, outliers, the functions, eigenvalues."""
        law, scene = theory.laws["actual"], _functions(theory.case, _beside(values))
        names = {"actual": "the kernel", "twin": "its twin", "linear": "its linear equivalent"}
        t, height = scene.lines["function"]
        curves: dict[str, Any] = {"t": t, "function": height}
        if "beside" in scene.lines:
            curves[names[_beside(values)]] = scene.lines["beside"][1]
        tables = [
            Table("Deterministic equivalent", {"λ": law.grid, "density": law.density}),
            Table("Bulks", {"left edge": law.bulks[:, 0], "right edge": law.bulks[:, 1]}),
            Table("Functions", curves),
        ]
        if law.atom > 0:
            tables.append(Table("Atom", {"λ": [law.atom_at], "mass": [law.atom]}))
        for reading, one in theory.laws.items():
            if found := predicted(one):
                columns: dict[str, Any] = {
                    "position": [outlier.position for outlier in found],
                    "overlap": [outlier.overlap for outlier in found],
                }
                tables.append(Table(f"Outliers predicted, {names[reading]}", columns))
        for reading, seen in cast("dict[Reading, Drawn]", observed or {}).items():
            tables.append(Table(f"Eigenvalues without outliers, {names[reading]}", {"λ": np.sort(seen.kept)}))
            for index in np.flatnonzero(np.isfinite(seen.outliers).all(axis=0)):
                columns = {"λ": seen.outliers[:, index], "overlap": seen.overlap[:, index]}
                tables.append(Table(f"Outlier {index + 1} found, {names[reading]}", columns))
        return tables

    def python(self, values: Values, theory: Theory, observed: Any) -> str:
        """The same with rmtcore alone."""
        return kernels_python.python(values, theory.case, theory.laws)


def _beside(values: Values) -> Any:
    return values["beside"]


def _readings(values: Values) -> tuple[Reading, ...]:
    beside = _beside(values)
    return ("actual",) if beside == "nothing" else ("actual", beside)


@lru_cache(maxsize=256)
def _laws(case: Case, readings: tuple[Reading, ...]) -> dict[Reading, Spectrum]:
    law = case.law()
    return {reading: case.law(points=32, twin=True) if reading == "twin" else law for reading in readings}


def _sample(one: Drawn) -> spectral.Sample:
    total = one.samples * one.rounds
    return spectral.Sample(np.sort(one.kept), total, 0.0, one.outliers.ravel())


def _functions(case: Case, beside: str) -> CurveScene:
    """The function, its companion, and where their arguments are."""
    centre, width = (2.0, spread(case)) if case.distance else (0.0, 1.0)
    low, high = (0.0, 4.0) if case.distance else (-2.5, 2.5)
    t = np.linspace(low, high, 301)
    lines = {"function": (t, on(case.function, t))}
    if beside == "twin":
        lines["beside"] = (t, on(case.twin, t))
    elif beside == "linear":
        lines["beside"] = (t, _tangent(case.function, t))
    heights = np.concatenate([line[1] for line in lines.values()])
    room = 0.06 * (heights.max() - heights.min())
    bottom, top = float(heights.min() - room), float(heights.max() + room)
    hill = bottom + 0.4 * (top - bottom) * np.exp(-0.5 * ((t - centre) / width) ** 2)
    return CurveScene(
        "t = |x − y|²/p" if case.distance else "t = x′y/√p",
        "f(t)" if case.distance else "φ(t) − E φ",
        (low, high),
        (bottom, top),
        False,
        False,
        lines,
        areas={"argument": (t, np.full(t.size, bottom), hill)},
        thresholds=(centre,) if case.distance else (),
    )


def _tangent(function: Any, t: Array) -> Array:
    """The part of the function that is linear in the data."""
    if isinstance(function, DistanceKernel):
        _, value, first, _ = derivatives(function)
        return value + first * (t - 2.0)
    return np.asarray(function.moments(1.0).mu1 * t)


def _keys(case: Case, laws: dict[Reading, Spectrum], beside: str) -> list[Key]:
    letter = "f" if case.distance else "φ"
    keys = [Key(f"{letter} = {case.function.formula}", ACTUAL, "area")]
    if beside == "twin":
        its = f"{letter} itself" if same(case.function, case.twin) else case.twin.formula
        keys.append(Key(f"its twin, {its}", LINEAR, "dashed"))
    elif beside == "linear":
        keys.append(Key("its linear equivalent", LINEAR, "dashed"))
    keys.append(Key("the law of both" if beside != "nothing" else "its law", EQUIVALENT))
    if any(predicted(law) for law in laws.values()):
        keys.append(Key("outliers found (◇ predicted)", MARK, "dot"))
        keys += [Key("those of the companion", LINEAR, "square")] if beside != "nothing" else []
    keys.append(Key("where the arguments t are", _GREY, "area"))
    return keys
