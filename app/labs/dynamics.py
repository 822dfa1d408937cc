"""Learning dynamics: test and training error in time, early stopping, which eigen-directions are learned by now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.labs import learning_python
from app.labs.base import Key, Lab, Readout, Report, Table, Task
from app.labs.dynamics_formulas import FORMULAS
from app.labs.dynamics_theory import LONGEST, PER_DECADE, SHORTEST, Solved, describe_time, solve, top_of
from app.labs.dynamics_words import FAMILIES, explain, lamps
from app.labs.learning_settings import (
    VIEW,
    chance_settings,
    data_settings,
    legend_settings,
    network_settings,
    number,
    readings_of,
    ridge_settings,
)
from app.parts.curves import FIFTH, TEST, THIRD, TRAIN, CurvePlot, CurveScene, Line, paint
from app.parts.figure import ACTUAL, MARK, Declare, Figure
from app.settings import Schema, Setting, Values
from rmtcore import Repeated, Steps, repeat, standard_error

Array = NDArray[np.float64]
Dots = dict[str, tuple[Array, Array, Array]]  # of every reading

TIME = "Time"
_VIEW_ONLY = {"time", "scale", "compare", "actual", "equivalent"}
_GREY = "#888888"
_DIVERGED = 100.0  # times the error before training

SCHEMA = Schema(
    [
        Setting("time", "Time", "number", 1.0, symbol="t", low=SHORTEST, high=LONGEST, step=PER_DECADE, log=True,
                group=TIME, player=True, help="Training time; click in a plot, drag, or play it."),
        Setting("method", "Training", "choice", "flow", group=TIME,
                choices=(("flow", "gradient flow"), ("descent", "gradient descent")),
                help="Infinitely small steps, or steps of one size; time is then steps × step size."),
        Setting("step", "Step size", "number", 0.5, symbol="s/s*", low=0.05, high=0.99, step=0.01, group=TIME,
                when={"method": ("descent",)},
                help="As a share of the stability edge s* = 2/(largest eigenvalue + λ), beyond which it diverges."),
        *data_settings(),
        *network_settings(),
        *ridge_settings(1e-6),
        *chance_settings(),
        Setting("compare", "Compare depths", "flag", False, group=VIEW,
                help="The same curves of the other two families, everything else equal."),
        Setting("scale", "Errors", "choice", "linear", group=VIEW,
                choices=(("linear", "linear"), ("log", "logarithmic")), help="Scale of the error axis."),
        *legend_settings(),
    ]
)  # fmt: skip

_OTHERS = {"linear": THIRD, "shallow": ACTUAL, "deep": FIFTH}
CURVES = CurvePlot(
    (
        *(Line(f"train {label}", colour, "dashed", dots=False) for label, colour in _OTHERS.items()),
        *(Line(f"test {label}", colour, dots=False) for label, colour in _OTHERS.items()),
        Line("train", TRAIN, "dashed"),
        Line("test", TEST),
    )
)
FILTER = CurvePlot((Line("filter", THIRD),), (("learned", ACTUAL), ("not yet", _GREY)))
ACCURACY = CurvePlot((Line("accuracy", THIRD),))


@dataclass(frozen=True, eq=False)
class Theory:
    """The curves at these settings, and those of the other families where they are compared."""

    solved: Solved
    others: Mapping[str, Solved]


class DynamicsLab(Lab):
    """Errors in time as lines, networks trained in the workers as dots, the filter over the spectrum."""

    name = "dynamics"
    title = "Learning dynamics"
    summary = "What a network has learned by a time, why stopping early helps, and what depth changes."
    schema = SCHEMA
    formulas = FORMULAS
    presets = (
        ("Early stopping beats the end of training", "noise=0.5&time=1.5"),
        ("Deeper networks learn more slowly", "family=deep&depth=5&activation=tanh&compare=1&time=10"),
        ("Large eigenvalues first: correlated data", "data=power_law&alpha=1.2&family=linear&time=30"),
        ("Gradient descent near its largest stable step", "method=descent&step=0.95"),
        ("Two classes: accuracy over time", "data=mixture&time=2"),
    )

    @property
    def figures(self) -> Mapping[str, Declare]:
        """Errors, the filter, and the accuracy."""
        return {"main": CURVES, "filter": FILTER, "accuracy": ACCURACY}

    def visible(self, values: Values) -> list[str]:
        """The accuracy only where there are classes."""
        return ["main", "filter", "accuracy"] if values["data"] == "mixture" else ["main", "filter"]

    def equivalent(self, values: Values) -> Theory:
        """All curves; the time alone costs nothing."""
        others = [name for name in FAMILIES if name != values["family"]] if values["compare"] else []
        return Theory(self._solve(values), {name: self._solve(values | {"family": name}) for name in others})

    def _solve(self, values: Values) -> Solved:
        return solve(SCHEMA.counting(values, _VIEW_ONLY | {"seed", "draws", "linear"}), self.most_entries)

    def experiment(self, values: Values) -> Task:
        """One network a round, at every time."""
        solved, rounds, seed = self._solve(values), int(number(values, "draws")), int(number(values, "seed"))
        key = (self.name, self.most_entries, SCHEMA.counting(values, _VIEW_ONLY))
        counts = solved.counts[:: solved.every].tolist()
        times = Steps(solved.step, counts) if solved.step else counts
        return Task(key, repeat, ([solved.network], seed, None, times, readings_of(values)), rounds)

    def merge(self, before: Repeated, new: Repeated) -> Repeated:
        """All repetitions so far."""
        return before.join(new)

    def pick(self, values: Values, figure: str, x: float, y: float) -> Values:
        """A moment of the curves; of the spectrum, the time by which that eigenvalue is learned."""
        exponent = -x if figure == "filter" else x
        return {"time": float(np.clip(10.0 ** np.clip(exponent, -9.0, 9.0), SHORTEST, LONGEST))}

    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Theory, observed: Any, stale: bool) -> None:
        """Patch the figures that are shown."""
        paint(figures["main"], CURVES, _errors(values, theory, observed, stale))
        spectrum = _filter(values, theory.solved)
        paint(figures["filter"], FILTER, spectrum)
        # Powers of ten alone, where the axis is wide enough to show two of them.
        figures["filter"].decades("x", spectrum.x_range[1] >= 100.0 * spectrum.x_range[0])
        figures["main"].decades("y", values["scale"] == "log")
        if values["data"] == "mixture":
            paint(figures["accuracy"], ACCURACY, _accuracy(values, theory.solved, observed, stale))

    def report(self, values: Values, theory: Theory, observed: Any) -> Report:
        """Errors now, where to stop, what is learned, the agreement along the curve."""
        solved, time = theory.solved, theory.solved.moment(number(values, "time"))
        words = explain(solved, time, theory.others, str(values["family"]))
        return Report(
            [*_readouts(solved, time), _agreement(solved, observed)],
            words,
            lamps(solved),
            keys=_keys(values, theory),
        )

    def table(self, values: Values, theory: Theory, observed: Any) -> list[Table]:
        """Curves, the experiment's means and standard errors, the spectrum with the share learned by now."""
        solved = theory.solved
        counted = {"steps": solved.counts} if solved.step else {}
        columns = {"t": solved.times, "test": solved.curve.test, "train": solved.curve.train}
        if values["data"] == "mixture":
            columns["accuracy"] = solved.curve.accuracy
        tables = [Table("Theory", counted | columns)]
        if observed is not None:
            found: dict[str, Array] = {"t": _places(solved)}
            for name in list(columns)[1:]:
                part = getattr(observed, name)
                found |= {name: part.mean(axis=0), f"{name} ±": standard_error(part)}
            tables.append(Table(f"Experiment, {observed.test.shape[0]} repetitions", found))
        for name, other in theory.others.items():
            curves = {"t": other.times, "test": other.curve.test, "train": other.curve.train}
            tables.append(Table(FAMILIES[name], curves))
        time, law = solved.moment(number(values, "time")), solved.law
        learned = {"x": law.grid, "density": law.density, "learned": solved.learned(time, law.grid)}
        tables.append(Table(_learned_caption(time), learned))
        return tables

    def python(self, values: Values, theory: Theory, observed: Any) -> str:
        """The same with rmtcore alone."""
        caption = _learned_caption(theory.solved.moment(number(values, "time")))
        return learning_python.dynamics(values, theory.solved, theory.others, FAMILIES, caption)


def _learned_caption(time: float) -> str:
    return f"Spectrum, learned by t = {describe_time(time)}"


def _places(solved: Solved) -> Array:
    """Times of the experiment."""
    return solved.times[:: solved.every]


def _dots(values: Values, solved: Solved, observed: Repeated | None, name: str) -> Dots:
    """Means and standard errors of one quantity in every reading, where they belong to these times."""
    places, dots = _places(solved), {}
    for reading, one in (("actual", observed), ("linear", observed and observed.linear)):
        if one is not None and values[reading] and one.test.shape[1] == places.size:
            part: Array = getattr(one, name)
            mean, error = part.mean(axis=0), standard_error(part)
            kept = mean < _DIVERGED * solved.start  # the bars of what diverged would stripe the plot
            dots[reading] = places[kept], mean[kept], error[kept]
    return dots


def _errors(values: Values, theory: Theory, observed: Repeated | None, stale: bool) -> CurveScene:
    """Test and training error in time."""
    solved, shown = theory.solved, bool(values["equivalent"])
    log_y = values["scale"] == "log"
    lines = {}
    if shown:
        for name, one in theory.others.items():
            lines[f"test {name}"] = one.times, one.curve.test
            lines[f"train {name}"] = one.times, one.curve.train
        lines |= {"test": (solved.times, solved.curve.test), "train": (solved.times, solved.curve.train)}
    dots = {name: _dots(values, solved, observed, name) for name in ("test", "train")}
    top = top_of([one.curve.test for one in (solved, *theory.others.values())], solved.start)
    return CurveScene(
        "time, t = steps × step size" if solved.step else "time t", "mean squared error", (SHORTEST, LONGEST),
        (1e-3 * solved.start, 4.0 * solved.start) if log_y else (0.0, top), True, log_y, lines, dots,
        thresholds=_stop_mark(solved, shown), now=solved.moment(number(values, "time")), stale=stale,
    )  # fmt: skip


def _stop_mark(solved: Solved, shown: bool) -> tuple[float, ...]:
    return (solved.stop.time,) if shown and solved.stop.gains else ()


def _accuracy(values: Values, solved: Solved, observed: Repeated | None, stale: bool) -> CurveScene:
    """Share of test points on the right side, in time."""
    shown = bool(values["equivalent"])
    lines = {"accuracy": (solved.times, solved.curve.accuracy)} if shown else {}
    dots = {"accuracy": _dots(values, solved, observed, "accuracy")}
    return CurveScene(
        "time, t = steps × step size" if solved.step else "time t", "test accuracy", (SHORTEST, LONGEST), (0.45, 1.0),
        True, False, lines, dots, now=solved.moment(number(values, "time")), stale=stale,
    )  # fmt: skip


def _filter(values: Values, solved: Solved) -> CurveScene:
    """The spectrum, divided into what is learned by now and what is not, and the filter that divides it."""
    time, law = solved.moment(number(values, "time")), solved.law
    low, high = _span(solved)
    x = np.geomspace(low, solved.largest, 200)  # beyond it descent may diverge, and nothing is there
    inside = law.grid > 0.5 * low
    grid, height = law.grid[inside], law.density[inside] * law.grid[inside]
    # Only its shape counts; a hard edge or a thin band must not press the rest down.
    height = np.minimum(0.9 * height / max(_typical(height, law.weights[inside]), 1e-300), 1.0)
    share = solved.covered(time, grid)
    top = 2.0 if 2.0 * solved.step > 1.0001 * solved.edge else 1.05  # large steps overshoot
    single = solved.outliers
    return CurveScene(
        "eigenvalue x of the features' covariance", "share learned", (low, high), (0.0, top), True, False,
        {"filter": (x, solved.learned(time, x))},
        {"filter": {"linear": (single, solved.learned(time, single), np.zeros(single.size))}},
        {"learned": (grid, np.zeros(grid.size), height * share), "not yet": (grid, height * share, height)},
        now=1.0 / time,
    )  # fmt: skip


def _typical(height: Array, weights: Array) -> float:
    """Height that nine tenths of the mass stay under, with room above."""
    order = np.argsort(height)
    mass = np.cumsum(weights[order])
    level = height[order][min(int(np.searchsorted(mass, 0.9 * mass[-1])), height.size - 1)]
    return float(min(height.max(), 1.3 * level))


def _span(solved: Solved) -> tuple[float, float]:
    """Where all but a few of the eigenvalues are, to a quarter of a decade."""
    law = solved.law
    found = np.cumsum(law.weights)
    low = float(law.grid[min(int(np.searchsorted(found, 0.003 * found[-1])), law.grid.size - 1)])
    high = solved.largest
    low = max(low, 1e-9 * high)
    return 10.0 ** (np.floor(4.0 * np.log10(low) - 0.3) / 4.0), 10.0 ** (np.ceil(4.0 * np.log10(high) + 0.3) / 4.0)


def _readouts(solved: Solved, time: float) -> list[Readout]:
    stop, end, law, width = solved.stop, solved.end, solved.law, solved.network.feature_dim
    test, train, right = solved.at(time)
    learned = width * float(law.weights @ solved.covered(time, law.grid))
    detail = f"train {train:.3g}" if np.isnan(right) else f"train {train:.3g}, accuracy {right:.1%}"
    never = f"{law.atom * width:.0f} more have eigenvalue 0" if law.atom > 0 else "none has eigenvalue 0"
    able = round((1.0 - law.atom) * width)
    edge = (
        f"step {solved.step:.3g}, {round(time / solved.step):,} steps" if solved.step else "2/(largest eigenvalue + λ)"
    )
    ridge = f", like λ = {stop.ridge:.3g}" if stop.gains and np.isfinite(stop.ridge) else ""
    return [
        Readout("Test error now", f"{test:.3g}", detail),
        Readout("Early stopping", f"t = {describe_time(stop.time)}" if stop.gains else "no gain",
                f"test {stop.test:.3g}{ridge}"),
        Readout("End of training", "∞" if np.isinf(end.test) else f"{end.test:.3g}", f"train {end.train:.3g}"),
        Readout("Directions learned", f"{learned:.1f} of {able}", never),
        Readout("Largest stable step", f"{solved.edge:.3g}", edge),
    ]  # fmt: skip


def _agreement(solved: Solved, observed: Repeated | None) -> Readout:
    """Median relative gap and median |z| of the dots of the test error."""
    label = "Agreement in time"
    if observed is None or observed.test.shape[0] < 2 or observed.test.shape[1] != _places(solved).size:
        return Readout(label, "…", "needs two repetitions")
    predicted, mean = solved.curve.test[:: solved.every], observed.test.mean(axis=0)
    error = np.maximum(standard_error(observed.test), 1e-300)
    if solved.step and mean.max() > _DIVERGED * max(solved.start, predicted.max()):
        return Readout(label, "some diverge", "drawn eigenvalues above 2/step", False)
    # Relative to what there was to learn where nothing is left of the error.
    gap = float(np.median(np.abs(mean - predicted) / np.maximum(predicted, 1e-6 * solved.start)))
    z = float(np.median(np.abs(mean - predicted) / error))
    return Readout(label, f"median gap {gap:.1%}", f"median |z| = {z:.1f} over {mean.size} times", gap < 0.1 or z < 3)


def _keys(values: Values, theory: Theory) -> list[Key]:
    keys = [Key("test error", TEST), Key("training error", TRAIN, "dashed")]
    keys += [Key(FAMILIES[name], _OTHERS[name]) for name in theory.others]
    keys += [Key("early stopping", _GREY, "dashed")] if theory.solved.stop.gains else []
    keys += [Key("accuracy", THIRD)] if values["data"] == "mixture" else []
    share = "1 − (1 − sx)ᵏ" if theory.solved.step else "1 − e⁻ᵗˣ"
    keys += [Key("now", MARK), Key(f"share learned, {share}", THIRD)]
    keys += [Key("eigenvalues: learned", ACTUAL, "area"), Key("not yet", _GREY, "area")]
    return keys + ([Key("single eigenvalues", THIRD, "square")] if theory.solved.outliers.size else [])
