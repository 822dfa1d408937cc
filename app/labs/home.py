"""Home: the paper's roadmap as nine living pictures, each of them a door into its lab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.labs.base import Key, Lab, Readout, Report, Sketch, Table, Task
from app.labs.home_python import AXES, home
from app.labs.home_theory import COLUMNS, FAMILIES, Picture, address, pictures
from app.labs.learning_settings import number
from app.parts.curves import TEST, TRAIN
from app.parts.figure import Declare, Figure
from app.parts.roadmap import rehearse
from app.settings import Schema, Setting, Values
from rmtcore import Repeated

Array = NDArray[np.float64]
Pictures = Mapping[str, Picture]
Observed = Mapping[str, Repeated]

_ROUNDS = 4
_WIDTH, _HEIGHT = 200.0, 100.0  # of a picture's drawing
_LOG_SPAN = (-2.0, 1.0)  # of the scaling pictures' error axis, powers of ten
_CLOSE = 0.15  # relative gap that a few small networks may show

SCHEMA = Schema(
    [
        Setting("ridge", "Ridge", "number", 1e-3, symbol="λ", low=1e-6, high=10.0, step=10, log=True, player=True,
                group="Move all nine", help="Penalty λ|θ|² on the trained weights: it takes the peaks away."),
        Setting("noise", "Label noise", "number", 0.1, symbol="σ²", low=0.0, high=1.0, step=0.01,
                group="Move all nine", help="Variance of the noise on the labels; the target has variance 1."),
        Setting("seed", "Seed", "integer", 1, low=0, high=999_999, step=0,
                group="Experiment", help="Same seed, same networks."),
        Setting("actual", "Experiment", "flag", True, group="legend", swatch="dots",
                help="Dots: networks trained in the workers."),
        Setting("equivalent", "Theory", "flag", True, group="legend", swatch="line",
                help="Lines: deterministic equivalents."),
    ]
)  # fmt: skip


class HomeLab(Lab):
    """Nine small pictures, drawn by `assets/home.js` from what `Report.sketches` says."""

    name = "home"
    title = "Home"
    summary = "Random matrix theory predicts how large networks learn: nine live pictures, each the door to a lab."
    schema = SCHEMA
    front = "home.html"

    @property
    def figures(self) -> Mapping[str, Declare]:
        """None: nine Bokeh figures would cost a phone a second."""
        return {}

    def equivalent(self, values: Values) -> dict[str, Picture]:
        """The nine pictures."""
        return pictures(values)

    def experiment(self, values: Values) -> Task:
        """One network a dot and round."""
        asked = {name: one.trials for name, one in pictures(values).items()}
        seed = int(number(values, "seed"))
        key = (self.name, number(values, "noise"), number(values, "ridge"), seed)
        return Task(key, rehearse, (asked, seed), rounds=_ROUNDS)

    def merge(self, before: Observed, new: Observed) -> dict[str, Repeated]:
        """All repetitions so far."""
        return {name: one.join(new[name]) for name, one in before.items()}

    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Any, observed: Any, stale: bool) -> None:
        """There are no figures: see `report`."""

    def report(self, values: Values, theory: Pictures, observed: Observed | None) -> Report:
        """The pictures, and what all of them say together."""
        sketches = [_sketch(name, one, values, observed) for name, one in theory.items()]
        keys = [Key("test error", TEST), Key("training error", TRAIN, "dashed")]
        return Report(_readouts(theory, observed), _explain(theory), [], keys=keys, sketches=sketches)

    def table(self, values: Values, theory: Pictures, observed: Observed | None) -> list[Table]:
        """Every picture's curves, and its dots."""
        tables = []
        for name, one in theory.items():
            lab, family = name.split("/")
            columns = {AXES[lab]: one.x, "test": one.test, "train": one.train}
            if observed is not None:
                dots = observed[name]
                columns |= {
                    "at": one.places, "test, predicted": one.expected,
                    "test, trained": dots.test.mean(axis=0), "train, trained": dots.train.mean(axis=0),
                }  # fmt: skip
            tables.append(Table(f"{COLUMNS[lab]}, {FAMILIES[family].lower()}", columns))
        return tables

    def python(self, values: Values, theory: Pictures, observed: Observed | None) -> str:
        """The same with rmtcore alone."""
        count = 0 if observed is None else next(iter(observed.values())).test.shape[0]
        return home(theory, int(number(values, "seed")), count)


def gap(one: Picture, observed: Repeated) -> float:
    """Median relative distance of the trained networks' mean test error from its prediction."""
    return float(np.median(np.abs(observed.test.mean(axis=0) / one.expected - 1.0)))


def _sketch(name: str, one: Picture, values: Values, observed: Observed | None) -> Sketch:
    lab, family = name.split("/")
    paths: dict[str, str] = {}
    at = _Place(one, lab == "scaling")
    if values["equivalent"]:
        paths |= {"test": at.line(one.test), "train": at.line(one.train)}
    if np.isfinite(one.threshold):
        paths["threshold"] = at.upright(one.threshold)
    words = _words(lab, one)
    if observed is not None:
        dots = observed[name]
        if values["actual"]:
            paths |= {
                "test-dots": at.dots(one.places, dots.test.mean(axis=0)),
                "train-dots": at.dots(one.places, dots.train.mean(axis=0)),
            }
        words += f" · dots {gap(one, dots):.0%} off"
    query = address(lab, family, number(values, "noise"), number(values, "ridge"))
    return Sketch(name.replace("/", "-"), f"{lab}?{query}", words, paths)


class _Place:
    """Where a value stands in a picture; ranges are fixed, so that nothing trembles while a slider moves."""

    def __init__(self, one: Picture, log: bool) -> None:
        self._x, self._log = np.log10(one.x), log
        self._span = _LOG_SPAN if log else (0.0, 3.0 * one.level if np.isfinite(one.threshold) else 1.6 * one.level)

    def _across(self, x: Array) -> Array:
        return np.asarray(_WIDTH * (np.log10(x) - self._x[0]) / (self._x[-1] - self._x[0]))

    def _up(self, y: Array) -> Array:
        value = np.log10(np.maximum(y, 1e-12)) if self._log else y
        share = (value - self._span[0]) / (self._span[1] - self._span[0])
        return np.asarray(_HEIGHT * (1.0 - np.clip(share, -0.1, 1.2)))

    def line(self, y: Array) -> str:
        """A curve over the picture's own x."""
        points = np.column_stack([self._across(10.0**self._x), self._up(y)])
        return "M" + "L".join(f"{x:.1f} {height:.1f}" for x, height in points)

    def dots(self, x: Array, y: Array) -> str:
        """Points without length: the stroke's ends make them round or square."""
        return "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(self._across(x), self._up(y), strict=True))

    def upright(self, x: float) -> str:
        """A line from bottom to top."""
        return f"M{float(self._across(np.array([x]))[0]):.1f} 0V{_HEIGHT:.0f}"


def _words(lab: str, one: Picture) -> str:
    """The picture in words."""
    if lab == "dynamics":
        best = int(np.argmin(one.test))
        if one.test[-1] > 1.02 * one.test[best]:
            return f"best {one.test[best]:.2g} at t = {one.x[best]:.2g}, {one.test[-1]:.2g} in the end"
        return f"falls to {one.test[-1]:.2g}; stopping early gains nothing"
    peak = _peak(one)
    if peak is not None:
        return f"peak of {peak:.2g}, then {one.test[-1]:.2g}"
    return f"falls to {one.test[-1]:.2g} without a peak"


def _peak(one: Picture) -> float | None:
    """Height of the maximum that the test error climbs to and leaves again; None where it has none."""
    inner = one.test[1:-1]
    tops = np.flatnonzero((inner > one.test[:-2]) & (inner > one.test[2:]))
    if not tops.size:
        return None
    best = 1 + int(tops[np.argmax(inner[tops])])
    return float(one.test[best]) if one.test[best] > 1.02 * one.test[: best + 1].min() else None


def _readouts(theory: Pictures, observed: Observed | None) -> list[Readout]:
    peaks = [(top, name) for name, one in theory.items() if "double" in name and (top := _peak(one)) is not None]
    ends = [(one.test[-1], one.test.min()) for name, one in theory.items() if "dynamics" in name]
    saved = max(1.0 - least / last if last > 0.0 else 0.0 for last, least in ends)  # without noise both may be 0
    if peaks:
        top, name = max(peaks)
        highest = Readout("Highest peak", f"{top:.3g}", FAMILIES[name.split("/")[1]].lower(), good=False)
    else:
        highest = Readout("Highest peak", "none", "regularised away")
    found = Readout("Dots off the lines", "…", "being trained")
    if observed is not None:
        middle = float(np.median([gap(one, observed[name]) for name, one in theory.items()]))
        found = Readout("Dots off the lines", f"{middle:.1%}", "median of nine pictures", middle < _CLOSE)
    gain = Readout("Stopping early gains", f"up to {saved:.0%}", "of the test error in the end")
    return [highest, gain, found]


def _explain(theory: Pictures) -> list[str]:
    """What the three columns show at these settings."""
    peaks = [FAMILIES[f].lower() for f in FAMILIES if _peak(theory[f"double-descent/{f}"]) is not None]
    climbs = (
        f"Where features are as many as samples (dotted) the test error of the {_listed(peaks)} climbs to a peak and "
        "falls again: double descent. More ridge takes it away."
        if peaks
        else "With this much ridge no test error peaks any more; with less, it does where features meet samples."
    )
    best = [float(theory[f"dynamics/{f}"].x[int(np.argmin(theory[f"dynamics/{f}"].test))]) for f in FAMILIES]
    times = ", ".join(f"{time:.2g}" for time in best)
    return [
        climbs,
        f"In training time the test error is least at t = {times} for the three families: each layer changes the pace.",
        "Lines are computed before any training; every dot is the mean of networks that were trained for this page.",
    ]


def _listed(names: list[str]) -> str:
    return " and the ".join([", the ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
