"""Double descent: test and training error across the interpolation threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from app.labs import learning_python
from app.labs.base import Key, Lab, Readout, Report, Table, Task
from app.labs.double_descent_formulas import FORMULAS
from app.labs.double_descent_words import explain, lamps
from app.labs.learning_settings import (
    VIEW,
    chance_settings,
    data_settings,
    legend_settings,
    network_of,
    network_settings,
    number,
    population_of,
    readings_of,
    ridge_of,
    ridge_settings,
)
from app.parts import regime
from app.parts.curves import FIFTH, FOURTH, TEST, THIRD, TRAIN, CurvePlot, CurveScene, Line, paint
from app.parts.figure import Declare, Figure
from app.settings import Schema, Setting, Values
from rmtcore import Network, Repeated, optimal_ridge, repeat, ridge_errors, standard_error
from rmtcore.experiment import largest_matrix
from rmtcore.scaling import Sweep, sweep

Array = NDArray[np.float64]

_LOW, _HIGH = 0.1, 10.0
_RIDGES = np.geomspace(1e-8, 100.0, 81)
_VIEW_ONLY = {"view", "axis", "across", "split", "optimal", "scale", "actual", "equivalent"}

SCHEMA = Schema(
    [
        *data_settings(),
        *network_settings(),
        *ridge_settings(),
        *chance_settings(),
        Setting("view", "View", "choice", "curves", group=VIEW,
                choices=(("curves", "curves"), ("map", "curves and regime map")),
                help="The map shows the test error over two axes; click it or drag on it to move the sliders."),
        Setting("axis", "Across", "choice", "width", group=VIEW,
                choices=(("width", "d/n, width per sample"), ("samples", "n/p, samples per dimension"),
                         ("aspect", "p/n, dimension per sample"), ("ridge", "λ, ridge")),
                help="What runs along the horizontal axis; a linear model has no width and takes n/p instead."),
        Setting("across", "Map upwards", "choice", "samples", group=VIEW, when={"view": ("map",)},
                choices=(("samples", "n/p"), ("ridge", "λ")), help="Vertical axis of the regime map."),
        Setting("scale", "Errors", "choice", "linear", group=VIEW,
                choices=(("linear", "linear"), ("log", "logarithmic")), help="Scale of the error axis."),
        Setting("split", "Decomposition", "flag", False, group=VIEW,
                help="Stack what the test error consists of: noise, label variance, training-set variance, misfit."),
        Setting("optimal", "Optimal ridge", "flag", True, group=VIEW,
                help="The test error with the best ridge at every point: no peak is left."),
        *legend_settings(),
    ]
)  # fmt: skip

PLOT = CurvePlot(
    (
        Line("test", TEST),
        Line("train", TRAIN, "dashed"),
        Line("optimal ridge", THIRD, "dotted", dots=False),
    ),
    (("noise", "#888888"), ("label variance", FIFTH), ("data variance", FOURTH), ("misfit", "#56b4e9")),
)


@dataclass(frozen=True, eq=False)
class Theory:
    """Curves along the chosen axis at the present network."""

    network: Network
    axis: str
    x: Array
    curve: Sweep
    best: Array
    map: regime.RegimeMap | None


class DoubleDescentLab(Lab):
    """Lines of the equivalent, dots of trained networks, a map of regimes."""

    name = "double-descent"
    title = "Double descent"
    summary = "Test error peaks where the network can just fit its training set, and falls again beyond."
    schema = SCHEMA
    formulas = FORMULAS
    presets = (
        ("The peak where width meets samples", "ridge=1e-6&noise=0.1"),
        ("Regularised away: the optimal ridge", "ridge=0.3&split=1"),
        ("What the peak is made of", "ridge=1e-4&split=1&noise=0.3"),
        ("Linear model: the peak at n = p", "family=linear&axis=samples&noise=0.3"),
        ("Five layers deep", "family=deep&depth=5&activation=tanh&ridge=1e-4"),
        ("A discontinuous activation", "activation=sign&ridge=1e-4"),
        ("Training error, plunging as width comes to n", "scale=log&ridge=1e-6"),
        ("The map of regimes", "view=map&ridge=1e-4"),
    )

    @property
    def figures(self) -> Mapping[str, Declare]:
        """Curves, and the regime map."""
        return {"main": PLOT, "map": regime.declare}

    def visible(self, values: Values) -> list[str]:
        """The map only where it is asked for."""
        return ["main", "map"] if values["view"] == "map" else ["main"]

    def equivalent(self, values: Values) -> Theory:
        """All curves; the map only where it is shown."""
        settings = SCHEMA.counting(values, _VIEW_ONLY | {"seed", "draws", "linear"})
        axis = _axis(values)
        network, x, curve, best = _curves(settings, axis, bool(values["optimal"]))
        plane = _plane(settings, str(values["across"])) if values["view"] == "map" else None
        return Theory(network, axis, x, curve, best, plane)

    def experiment(self, values: Values) -> Task:
        """One repetition a round, of every network along the axis."""
        axis = _axis(values)
        shown = SCHEMA.counting(values, _VIEW_ONLY | {"draws"})
        networks, _ = _experiments(shown, axis, self.most_entries)
        ridges = _RIDGES[::4].tolist() if axis == "ridge" else None
        key = (self.name, self.most_entries, shown, axis, values["draws"])
        args = (networks, int(number(values, "seed")), ridges, None, readings_of(values))
        return Task(key, repeat, args, rounds=int(number(values, "draws")))

    def merge(self, before: Repeated, new: Repeated) -> Repeated:
        """All repetitions so far."""
        return before.join(new)

    def pick(self, values: Values, figure: str, x: float, y: float) -> Values:
        """A point of the map becomes the sliders' values; of the curves, the position along the axis."""
        if figure == "map":
            return regime.picked(_first(values), str(values["across"]), x, y)
        axis = _axis(values)
        value = 10.0**x
        return {"samples": 1.0 / value} if axis == "aspect" else {axis: value}

    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Theory, observed: Any, stale: bool) -> None:
        """Patch both figures."""
        paint(figures["main"], PLOT, _scene(values, theory, observed, stale, self.most_entries))
        if theory.map is not None:
            here = (_position(values, axis) for axis in (theory.map.right, theory.map.up))
            regime.paint(figures["map"], theory.map, *here)

    def report(self, values: Values, theory: Theory, observed: Any) -> Report:
        """Errors here, where they come from, and the agreement along the axis."""
        errors = ridge_errors(theory.network)
        best = optimal_ridge(theory.network)
        noise = f"{errors.noise:.3g} + {_say(errors.label_variance)}"
        rest = f"{_say(errors.data_variance)} + {errors.misfit:.3g}"
        freedom = f"{errors.df1:.1f} of n = {errors.samples}"
        readouts = [
            Readout("Test error here", _say(errors.test), f"train {_say(errors.train)}"),
            Readout("Noise + label variance", noise, "irreducible, and fitted"),
            Readout("Data variance + misfit", rest, "of the training set; what remains"),
            Readout("Over the weights", _say(errors.weight_variance), "what averaging networks removes"),
            Readout("Degrees of freedom", freedom, f"df₂ = {errors.df2:.1f}, κ = {errors.kappa:.3g}"),
            Readout("Optimal ridge", _say(best), "λ with the least test error here"),
            _agreement(values, theory, observed, self.most_entries),
        ]
        keys = [Key("test error", TEST), Key("training error", TRAIN, "dashed")]
        keys += [Key("test error with the optimal ridge", THIRD, "dotted")] if values["optimal"] else []
        keys += [Key(label, colour, "area") for label, colour in PLOT.areas] if values["split"] else []
        return Report(readouts, explain(theory.network, errors, best, theory.axis), lamps(theory.network), keys=keys)

    def table(self, values: Values, theory: Theory, observed: Any) -> list[Table]:
        """Curves, and the experiment's means and standard errors."""
        curve = theory.curve
        columns = {
            _NAMES[theory.axis]: theory.x,
            "test": curve.test,
            "train": curve.train,
            "df1": curve.df1,
            "df2": curve.df2,
        }
        tables = [Table("Theory", columns)]
        if observed is not None:
            x = _positions(values, self.most_entries)
            found = {"test": observed.test, "train": observed.train}
            means = {name: part.mean(axis=0) for name, part in found.items()}
            errors = {f"{name} ±": standard_error(part) for name, part in found.items()}
            tables.append(
                Table(
                    f"Experiment, {observed.test.shape[0]} repetitions",
                    {_NAMES[theory.axis]: x, **means, **errors},
                )
            )
        return tables

    def python(self, values: Values, theory: Theory, observed: Any) -> str:
        """The same with rmtcore alone."""
        networks, _ = _experiments(SCHEMA.counting(values, _VIEW_ONLY | {"draws"}), theory.axis, self.most_entries)
        return learning_python.double_descent(values, theory.network, theory.axis, _NAMES[theory.axis], networks)


_NAMES = {"width": "d/n", "samples": "n/p", "aspect": "p/n", "ridge": "λ"}
_LABELS = {
    "width": "width per sample, d/n", "samples": "samples per dimension, n/p",
    "aspect": "dimension per sample, p/n", "ridge": "ridge, λ",
}  # fmt: skip


def _first(values: Values) -> str:
    """What runs along the map: width, or samples where there is no layer."""
    return "samples" if values["family"] == "linear" else "width"


def _axis(values: Values) -> str:
    axis = str(values["axis"])
    return "samples" if axis == "width" and values["family"] == "linear" else axis


def _position(values: Values, axis: str) -> float:
    """Where the sliders stand on an axis."""
    if axis == "ridge":
        return ridge_of(values) or float(_RIDGES[0])
    return 1.0 / number(values, "samples") if axis == "aspect" else number(values, axis)


@lru_cache(maxsize=256)
def _curves(settings: tuple[tuple[str, Any], ...], axis: str, optimal: bool) -> tuple[Network, Array, Sweep, Array]:
    """Network, positions, errors, and errors with the best ridge at every position."""
    values = cast("Values", {"depth": 1, "width": 1.0, "activation": "relu", "ridge": 0.0, **dict(settings)})
    network = network_of(values, population_of(values, int(number(values, "size"))))
    x = _RIDGES if axis == "ridge" else np.geomspace(_LOW, _HIGH, 161)
    curve = sweep(network, **_moved(network, axis, x))
    best = np.full(x.size, np.inf)
    if optimal:
        ridges = np.geomspace(1e-6, 1e3, 46)
        few = x[:: max(1, x.size // 40)]
        moved = {name: part[:, None] for name, part in _moved(network, axis, few).items()} if axis != "ridge" else {}
        tests = sweep(network, **(moved | {"ridge": np.broadcast_to(ridges, (few.size, ridges.size))})).test
        best = np.exp(np.interp(np.log(x), np.log(few), np.log(tests.min(axis=1))))
    return network, x, curve, best


def _moved(network: Network, axis: str, x: Array) -> dict[str, Any]:
    """The arguments of `sweep` along an axis; the number of neurons stays where samples move."""
    if axis == "ridge":
        return {"ridge": x}
    if axis == "width":
        return {"widths": x * network.samples}
    return {"samples": network.population.dim * (x if axis == "samples" else 1.0 / x)}


@lru_cache(maxsize=64)
def _plane(settings: tuple[tuple[str, Any], ...], up: str) -> regime.RegimeMap:
    values = cast("Values", {"depth": 1, "width": 1.0, "activation": "relu", "ridge": 0.0, **dict(settings)})
    return regime.compute(network_of(values, population_of(values, int(number(values, "size")))), _first(values), up)


@lru_cache(maxsize=64)
def _experiments(settings: tuple[tuple[str, Any], ...], axis: str, most_entries: int) -> tuple[list[Network], Array]:
    """The networks that are trained, and their exact positions on the axis; too large ones are left out."""
    values = cast("Values", {"depth": 1, "width": 1.0, "activation": "relu", "ridge": 0.0, **dict(settings)})
    population = population_of(values, int(number(values, "size")))
    here = network_of(values, population)
    if axis == "ridge":
        return [here], _RIDGES[::4]
    networks, places = [], []
    for x in np.geomspace(_LOW, _HIGH, 17):
        if axis == "width":
            width = max(2, round(x * here.samples))
            network, place = network_of(values, population, width=width), width / here.samples
        else:
            n = max(2, round(population.dim * (x if axis == "samples" else 1.0 / x)))
            width = here.layers[-1].width if here.layers else 2
            network = network_of(values, population, samples=n, width=width)
            place = n / population.dim if axis == "samples" else population.dim / n
        if largest_matrix(network) <= most_entries and min(network.feature_dim, network.samples) <= 1000:
            networks.append(network)
            places.append(place)
    return networks, np.array(places)


def _positions(values: Values, most_entries: int) -> Array:
    return _experiments(SCHEMA.counting(values, _VIEW_ONLY | {"draws"}), _axis(values), most_entries)[1]


def _thresholds(network: Network, axis: str) -> tuple[float, ...]:
    """Where as many features meet as many samples."""
    ratio = network.feature_dim / network.population.dim
    return {"width": (1.0,), "samples": (ratio,), "aspect": (1.0 / ratio,)}.get(axis, ())


def _scene(values: Values, theory: Theory, observed: Repeated | None, stale: bool, most_entries: int) -> CurveScene:
    x, curve = theory.x, theory.curve
    shown = bool(values["equivalent"])
    total = theory.network.population.signal + theory.network.noise + theory.network.population.noise
    log_y = values["scale"] == "log"
    lines = {"test": (x, curve.test), "train": (x, curve.train)} if shown else {}
    if shown and values["optimal"]:
        lines["optimal ridge"] = (x, theory.best)
    dots: dict[str, dict[str, tuple[Array, Array, Array]]] = {}
    places = _positions(values, most_entries)
    for reading, one in (("actual", observed), ("linear", observed and observed.linear)):
        if one is not None and values[reading] and one.test.shape[1] == places.size:
            for name, part in (("test", one.test), ("train", one.train)):
                dots.setdefault(name, {})[reading] = places, part.mean(axis=0), standard_error(part)
    return CurveScene(
        _LABELS[theory.axis], "mean squared error", (x[0], x[-1]), (1e-3, 1e2 * total) if log_y else (0.0, 3.0 * total),
        True, log_y, lines, dots, _areas(values, theory) if values["split"] and shown else {},
        _thresholds(theory.network, theory.axis), _position(values, theory.axis), stale,
    )  # fmt: skip


def _areas(values: Values, theory: Theory) -> dict[str, tuple[Array, Array, Array]]:
    """Stacked parts of the test error, cut where it is infinite."""
    noise = theory.network.noise + theory.network.population.noise
    moved = _moved(theory.network, theory.axis, theory.x)
    n = moved.get("samples", np.array(float(theory.network.samples)))
    free = np.maximum(1.0 - theory.curve.df2 / n, 1e-6)
    misfit = np.minimum(theory.curve.test, 1e9) * free - noise
    parts = {
        "noise": np.full(theory.x.size, noise), "misfit": misfit,
        "data variance": misfit * (1.0 - free) / free, "label variance": noise * (1.0 - free) / free,
    }  # fmt: skip
    tops = np.cumsum(list(parts.values()), axis=0)
    return {name: (theory.x, tops[i - 1] if i else np.zeros(theory.x.size), tops[i]) for i, name in enumerate(parts)}


def _agreement(values: Values, theory: Theory, observed: Repeated | None, most_entries: int) -> Readout:
    """Root mean square z-score of the dots, and the largest relative gap."""
    label = "Agreement along the axis"
    if observed is None or observed.test.shape[0] < 2:
        return Readout(label, "…", "needs two repetitions")
    networks, places = _experiments(SCHEMA.counting(values, _VIEW_ONLY | {"draws"}), theory.axis, most_entries)
    if theory.axis == "ridge":
        predicted = sweep(networks[0], ridge=places).test
    else:
        predicted = np.array([ridge_errors(network).test for network in networks])
    mean, error = observed.test.mean(axis=0), standard_error(observed.test)
    finite = np.isfinite(predicted) & (error > 0)
    gap = np.median(np.abs(mean[finite] / predicted[finite] - 1.0))
    z = np.sqrt(np.median(((mean[finite] - predicted[finite]) / error[finite]) ** 2))
    detail = f"median |z| = {z:.1f} over {finite.sum()} points"
    return Readout(label, f"median gap {gap:.1%}", detail, bool(gap < 0.1 or z < 3))


def _say(value: float) -> str:
    return "∞ (threshold)" if np.isinf(value) else f"{value:.3g}"
