"""Real data: networks on digits, garments and tumours, their theory, and Gaussian data in their place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.labs import real_data_python
from app.labs.base import Key, Lab, Readout, Report, Table, Task
from app.labs.learning_settings import number
from app.labs.real_data_formulas import FORMULAS
from app.labs.real_data_settings import (
    SCHEMA,
    drawn_ridges,
    features_of,
    is_fetched,
    shown_ridges,
    source_of,
    task_words,
)
from app.labs.real_data_words import explain, lamps, missing, power, waiting
from app.parts.curves import TEST, THIRD, TRAIN, CurvePlot, CurveScene, Line, paint
from app.parts.figure import Declare, Figure
from app.parts.real_data import DOWNLOAD, FOURIER, LOW, WIDEST, Curve, Measured, Missing, measure
from app.settings import Values
from rmtcore import standard_error

Array = NDArray[np.float64]

_COLOURS = {"low": TEST, "high": TRAIN, "own": THIRD}
_MARKERS = {"low": "circle", "high": "square", "own": "triangle"}
_LINES = tuple(Line(name, colour, marker=_MARKERS[name]) for name, colour in _COLOURS.items())
TEST_PLOT = CurvePlot((*(Line(f"twin {name}", colour, "dashed", False) for name, colour in _COLOURS.items()), *_LINES))
TRAIN_PLOT = CurvePlot(_LINES)

_PALE = 0.3


@dataclass(frozen=True)
class Theory:
    """What is asked for: the curves themselves come from the workers with the kernel that they need."""

    ridges: dict[str, float]
    features: str


class RealDataLab(Lab):
    """Training and test error across the width; lines, dots, and the Gaussian twin."""

    name = "real-data"
    title = "Real data"
    summary = "The theory on data as they are: digits, garments, tumours. How much of them is Gaussian?"
    schema = SCHEMA
    formulas = FORMULAS
    files = (".npy", ".npz", ".csv", ".safetensors")
    presets = (
        ("Three against eight: real digits obey", "one=3&other=8"),
        ("One digit against all others", "one=1&other=all&samples=240"),
        ("Random Fourier features: the peak at 2d = n", "features=fourier&samples=120"),
        ("An activation without closed form", "activation=tanh"),
        ("Tumours: a few points stick out", "data=cancer"),
    )

    @property
    def figures(self) -> Mapping[str, Declare]:
        """Test error, and training error."""
        return {"main": TEST_PLOT, "train": TRAIN_PLOT}

    def equivalent(self, values: Values) -> Theory:
        """Which curves are shown."""
        return Theory(shown_ridges(values), features_of(values))

    def experiment(self, values: Values) -> Task:
        """One draw of the neurons a round, at every width and ridge; the theory with the first rounds."""
        source, features, ridges = source_of(values), features_of(values), drawn_ridges(values)
        rounds = int(number(values, "draws"))
        file = values.get("file")
        key = (self.name, source, features, ridges, rounds, file and file.key)
        if file is not None:
            source = source._replace(file=(file.name, file.data))
        limit = DOWNLOAD if is_fetched(values) else None
        return Task(key, measure, (source, features, ridges, rounds), rounds, keep=file is None, limit=limit)

    def merge(self, before: Measured | Missing, new: Measured | Missing) -> Measured | Missing:
        """All rounds so far; whatever came once is worth more than a later failure."""
        if isinstance(before, Missing) or isinstance(new, Missing):
            return new if isinstance(before, Missing) else before
        return before.join(new)

    def pick(self, values: Values, figure: str, x: float, y: float) -> Values:
        """A place in either figure is a width."""
        return {"width": x if figure == "main" else 10.0**x}

    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Theory, observed: Any, stale: bool) -> None:
        """Patch both figures."""
        found = observed if isinstance(observed, Measured) else None
        paint(figures["main"], TEST_PLOT, _test_scene(values, theory, found, stale))
        paint(figures["train"], TRAIN_PLOT, _train_scene(values, theory, found, stale))
        for axis in ("x", "y"):
            figures["train"].decades(axis, True)
        for name in _COLOURS:
            for figure in figures.values():
                figure.style(name, line_alpha=_PALE if stale else 1.0)
            figures["main"].style(f"twin {name}", line_width=2, line_alpha=_PALE if stale else 1.0)

    def report(self, values: Values, theory: Theory, observed: Any) -> Report:
        """Errors here, agreement with the networks, and how Gaussian the data are."""
        source, keys = source_of(values), _keys(values, theory)
        if not isinstance(observed, Measured):
            words, value = waiting(task_words(source), is_fetched(values)), "…"
            if isinstance(observed, Missing):
                words, value = missing(source, observed.reason), "no data"
            return Report([Readout(label, value) for label in _LABELS], words, [], keys=keys)
        width, ridge = _here(values, observed), number(values, "ridge")
        tests = {name: _at(observed.curves[g], width)[0] for name, g in theory.ridges.items() if g in observed.curves}
        twin = _at(observed.twins[ridge], width)[0] if values["twin"] and ridge in observed.twins else None
        words = explain(task_words(source), observed.facts, (width, ridge), tests, twin)
        readouts = [
            _error_here(observed, width, ridge),
            _peak(observed),
            _agreement(theory, observed, "test"),
            _agreement(theory, observed, "training"),
            _twin_here(values, observed, width, ridge),
            _kernel(theory, observed),
        ]
        return Report(readouts, words, lamps(theory.features, observed.facts), keys=keys)

    def table(self, values: Values, theory: Theory, observed: Any) -> list[Table]:
        """Curves by ridge, the twin's beside them; the networks' means and standard errors."""
        if not isinstance(observed, Measured):
            return []
        n, tables = observed.facts.samples, []
        for g in theory.ridges.values():
            if g in observed.curves:
                curve = observed.curves[g]
                columns = {"d": curve.widths, "d/n": curve.widths / n, "test": curve.test, "train": curve.train}
                if g in observed.twins and values["twin"]:
                    columns |= {"Gaussian twin, test": observed.twins[g].test}
                tables.append(Table(f"Theory, λ = {g:g}", columns))
            if g in observed.ridges:
                k = observed.ridges.index(g)
                found = {"d": observed.widths, "d/n": observed.widths / n}
                for name, part in (("test", observed.test), ("train", observed.train)):
                    found |= {name: part[:, :, k].mean(axis=0), f"{name} ±": standard_error(part[:, :, k])}
                tables.append(Table(f"Experiment, λ = {g:g}, {observed.test.shape[0]} networks a width", found))
        return tables

    def python(self, values: Values, theory: Theory, observed: Any) -> str:
        """The same with rmtcore alone."""
        file = values.get("file")
        name = None if file is None else file.name
        return real_data_python.python(values, source_of(values), theory.features, theory.ridges, name)


# ---- figures ----
def _test_scene(values: Values, theory: Theory, found: Measured | None, stale: bool) -> CurveScene:
    """Test error against d/n, to 2.5; the twin's may run out of the top."""
    log_y = values["scale"] == "log"
    unit = found.facts.test_power if found is not None else 1.0
    lines = _lines(values, theory, found, "test")
    top = float(np.clip(1.15 * _highest(lines, unit), 0.6 * unit, 3.0 * unit))
    if found is not None and values["twin"] and values["equivalent"]:
        twins = {name: found.twins[g] for name, g in theory.ridges.items() if g in found.twins}
        lines |= {f"twin {name}": (one.widths / found.facts.samples, one.test) for name, one in twins.items()}
    if log_y:
        top = float(np.clip(1.5 * _highest(lines, unit), 2.0 * unit, 1e4 * unit))
    lowest = min((float(y.min()) for _, y in lines.values()), default=0.1 * unit)
    bottom = float(np.clip(0.8 * lowest, 1e-4 * unit, 0.5 * unit)) if log_y else 0.0
    return CurveScene(
        "width per training point, d/n", "test error, mean squared", (0.0, WIDEST),
        (bottom, top), False, log_y, lines, _dots(values, theory, found, "test"),
        thresholds=_thresholds(found), now=_mark(values, found), stale=stale,
    )  # fmt: skip


def _train_scene(values: Values, theory: Theory, found: Measured | None, stale: bool) -> CurveScene:
    """Training error against d/n, log-log, up to just beyond the threshold."""
    n = found.facts.samples if found is not None else int(number(values, "samples"))
    end = min(_thresholds(found) or (1.0,))
    lines = _lines(values, theory, found, "train")
    before = [y[x <= end] for x, y in lines.values()]
    low = min((float(y.min()) for y in before if y.size), default=1e-3)
    low = float(10.0 ** np.floor(np.log10(np.clip(low, 1e-10, 1e-1))))
    return CurveScene(
        "width per training point, d/n", "training error, mean squared", (0.8 / n, 1.25 * end), (low, 1.5),
        True, True, lines, _dots(values, theory, found, "train"),
        thresholds=_thresholds(found), now=_mark(values, found), stale=stale,
    )  # fmt: skip


def _highest(lines: dict[str, tuple[Array, Array]], otherwise: float) -> float:
    return max((float(y.max()) for _, y in lines.values()), default=otherwise)


def _lines(values: Values, theory: Theory, found: Measured | None, error: str) -> dict[str, tuple[Array, Array]]:
    if found is None or not values["equivalent"]:
        return {}
    curves = {name: found.curves[g] for name, g in theory.ridges.items() if g in found.curves}
    return {name: (one.widths / found.facts.samples, getattr(one, error)) for name, one in curves.items()}


def _dots(
    values: Values, theory: Theory, found: Measured | None, error: str
) -> dict[str, dict[str, tuple[Array, Array, Array]]]:
    if found is None or not values["actual"]:
        return {}
    places, dots = found.widths / found.facts.samples, {}
    for name, g in theory.ridges.items():
        if g in found.ridges:
            part = getattr(found, error)[:, :, found.ridges.index(g)]
            dots[name] = {"actual": (places, part.mean(axis=0), standard_error(part))}
    return dots


def _thresholds(found: Measured | None) -> tuple[float, ...]:
    return () if found is None else (found.facts.threshold / found.facts.samples,)


def _mark(values: Values, found: Measured | None) -> float:
    """Where the read-outs stand."""
    return number(values, "width") if found is None else _here(values, found) / found.facts.samples


def _here(values: Values, found: Measured) -> float:
    """The width nearest to the slider's of those that the theory was computed at."""
    known = next(iter(found.curves.values())).widths if found.curves else found.widths
    return float(known[np.argmin(np.abs(known - number(values, "width") * found.facts.samples))])


def _at(curve: Curve, width: float) -> tuple[float, float]:
    """Test and training error of a curve at one of its widths."""
    index = int(np.flatnonzero(curve.widths == width)[0])
    return float(curve.test[index]), float(curve.train[index])


def _keys(values: Values, theory: Theory) -> list[Key]:
    keys = [Key(f"λ = {power(g)}", _COLOURS[name]) for name, g in theory.ridges.items()]
    keys += [Key("networks, at the same λ", "#888888", "dot")] if values["actual"] else []
    twins = values["twin"] and values["equivalent"] and values["features"] == "neurons"
    return keys + ([Key("Gaussian twin", "#888888", "dashed")] if twins else [])


# ---- read-outs ----
_LABELS = (
    "Test error here", "At the threshold", "Agreement, test", "Agreement, training", "Gaussian twin here",
    "Kernel",
)  # fmt: skip


def _error_here(found: Measured, width: float, ridge: float) -> Readout:
    label = "Test error here"
    if ridge not in found.curves:
        return Readout(label, "…")
    test, train = _at(found.curves[ridge], width)
    return Readout(label, f"{test:.3g}", f"train {train:.3g}; d = {width:.0f}, λ = {power(ridge)}")


def _peak(found: Measured) -> Readout:
    """At the threshold, with the small ridge: the theory and the networks, both at the width nearest to it."""
    label = _LABELS[1]
    if LOW not in found.curves:
        return Readout(label, "…")
    k = int(np.argmin(np.abs(found.widths - found.facts.threshold)))
    theory = _at(found.curves[LOW], float(found.widths[k]))[0]
    drawn = found.test[:, k, found.ridges.index(LOW)]
    spread = float(standard_error(drawn))
    error = f" ± {spread:.0f}" if spread >= 10 else f" ± {spread:.2g}" if drawn.size > 1 else ""
    return Readout(
        label, f"{theory:.3g}", f"test; networks {drawn.mean():.3g}{error}; d = {found.widths[k]:.0f}, λ = {power(LOW)}"
    )


def _agreement(theory: Theory, found: Measured, error: str) -> Readout:
    """Median relative gap between networks and theory, over all widths and the ridges shown."""
    label = f"Agreement, {error}"
    name = "test" if error == "test" else "train"
    gaps, scores = [], []
    for g in theory.ridges.values():
        if g not in found.curves or g not in found.ridges or found.test.shape[0] < 2:
            continue
        curve, part = found.curves[g], getattr(found, name)[:, :, found.ridges.index(g)]
        predicted = getattr(curve, name)[np.searchsorted(curve.widths, found.widths)]
        mean, spread = part.mean(axis=0), standard_error(part)
        clear = (predicted > 0) & (spread > 0)
        gaps.append(np.abs(mean / np.where(clear, predicted, 1.0) - 1.0)[clear])
        scores.append(np.abs(mean - predicted)[clear] / spread[clear])
    if not gaps or not np.concatenate(gaps).size:
        return Readout(label, "…", "needs two rounds")
    gap, z = float(np.median(np.concatenate(gaps))), float(np.median(np.concatenate(scores)))
    detail = f"median |z| = {z:.1f} over {np.concatenate(gaps).size} dots"
    return Readout(label, f"median gap {gap:.1%}", detail, bool(gap < 0.1 or z < 3))


def _twin_here(values: Values, found: Measured, width: float, ridge: float) -> Readout:
    label = "Gaussian twin here"
    if values["features"] != "neurons":
        return Readout(label, "none", "of neurons only")
    if ridge not in found.twins or ridge not in found.curves:
        return Readout(label, "…")
    twin, own = found.twins[ridge], found.curves[ridge]
    overall = float(np.median(twin.test / own.test))
    here = _at(twin, width)[0]
    return Readout(
        label, f"{here:.3g}", f"× {here / _at(own, width)[0]:.2f} the data's; × {overall:.2f} over all widths"
    )


def _kernel(theory: Theory, found: Measured) -> Readout:
    """How the kernel of the theory was found."""
    kernel = "exp(−|a − b|²/2)" if theory.features == FOURIER else "K = E φ(w'a) φ(w'b)"
    return Readout("Kernel", found.facts.route, f"{kernel}, {found.facts.samples} × {found.facts.samples}")
