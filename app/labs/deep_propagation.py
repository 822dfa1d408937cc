"""Deep networks, third view: how the size of a signal and the angle of two travel up wide layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.labs import deep_python
from app.labs.base import Key, Lamp, Readout, Report, Table, Task
from app.labs.deep_propagation_theory import BIAS, WEIGHT, Theory, solve
from app.labs.deep_settings import CHANCE_ONLY, LOOKS, SCHEMA, counting
from app.labs.deep_view import View, activation_of, gap_and_z
from app.labs.learning_settings import number
from app.parts import phases
from app.parts.curves import FOURTH, TEST, CurvePlot, CurveScene, Line, paint
from app.parts.deep_trials import Climb, climb
from app.parts.figure import Figure
from app.settings import Values
from rmtcore import (
    FixedPoint,
    get_activation,
    standard_error,
)

Array = NDArray[np.float64]

_DIAGONAL = "#888888"

VARIANCES = CurvePlot(
    (Line("diagonal", _DIAGONAL, "dotted", dots=False), Line("steps", FOURTH, "dashed", dots=False), Line("map", TEST))
)
CORRELATIONS = CurvePlot(VARIANCES.lines)


class PropagationView(View):
    """The plane with the edge of chaos; the variance map and the correlation map with their staircases."""

    figures = ("plane", "variances", "correlations")

    def pick(self, values: Values, figure: str, x: float, y: float) -> Values:
        """A point of the plane is a pair of variances; of a map, where the signals start."""
        if figure == "plane":
            return {"bias": float(np.clip(x, *BIAS)), "weight": float(np.clip(y, *WEIGHT))}
        name = {"variances": "start", "correlations": "alike"}.get(figure)
        if name is None:
            return {}
        setting = SCHEMA.by_name[name]
        return {name: float(np.clip(x, setting.low, setting.high))}

    def theory(self, values: Values, most_entries: int) -> Theory:
        """Maps and plane."""
        return solve(counting(values, LOOKS | CHANCE_ONLY | {"units"}))

    def task(self, values: Values, theory: Theory, most_entries: int) -> Task:
        """One network a round."""
        units = min(int(number(values, "units")), int(most_entries**0.5))
        args = (
            get_activation(theory.activation),
            units,
            int(number(values, "steps")),
            number(values, "weight"),
            number(values, "bias"),
            number(values, "start"),
            theory.at,
            number(values, "alike"),
            int(number(values, "seed")),
        )
        return Task((most_entries, counting(values, LOOKS)), climb, args, int(number(values, "draws")))

    def observed(self, theory: Theory, observed: Any) -> Climb | None:
        """A climb of as many steps."""
        fits = isinstance(observed, Climb) and observed.variances.shape[1] == theory.variances.size - 1
        return observed if fits else None

    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Theory, observed: Any, stale: bool) -> None:
        """Patch the three figures."""
        shown, drawn = bool(values["equivalent"]), observed is not None and values["actual"]
        here = number(values, "bias"), number(values, "weight")
        edge = theory.plane.edge if shown else (np.zeros(0), np.zeros(0))
        names = {"ordered": (0.82, 0.4), "chaotic": (0.82, 5.5)} if _is_line(edge) else {}
        phases.paint(figures["plane"], theory.plane.reach, (BIAS, WEIGHT), edge, names, here)
        found = observed.variances if drawn else None
        scene = _map_scene(theory.variance_curve, theory.variances, found, shown, stale)
        top = float(theory.variance_curve[0][-1])
        paint(
            figures["variances"],
            VARIANCES,
            CurveScene(
                "variance q",
                "variance one layer up",
                (0.0, top),
                (0.0, top),
                False,
                False,
                *scene,
                now=number(values, "start"),
                stale=stale,
            ),
        )
        found = observed.correlations if drawn and theory.settles else None
        scene = _map_scene(theory.correlation_curve, theory.correlations, found, shown, stale)
        paint(
            figures["correlations"],
            CORRELATIONS,
            CurveScene(
                "correlation c",
                "correlation one layer up",
                (0.0, 1.0),
                (0.0, 1.02),
                False,
                False,
                *scene,
                now=number(values, "alike"),
                stale=stale,
            ),
        )

    def report(self, values: Values, theory: Theory, observed: Any) -> Report:
        """Fixed points, slopes, depths, agreement."""
        keys = [
            Key("one layer of infinite width", TEST),
            Key("layer by layer", FOURTH, "dashed"),
            Key("actual network, layer by layer", TEST, "dot"),
            Key("unchanged", _DIAGONAL, "dotted"),
        ]
        return Report(_readouts(theory, observed), _explain(values, theory), _lamps(values, theory), keys=keys)

    def table(self, values: Values, theory: Theory, observed: Any) -> list[Table]:
        """Maps, trajectories, the edge."""
        q, c = theory.variance_curve, theory.correlation_curve
        layers = np.arange(theory.variances.size, dtype=float)
        columns = {"layer": layers, "q": theory.variances} | ({"c": theory.correlations} if theory.settles else {})
        if observed is not None:
            for name, part in (("q", observed.variances), ("c", observed.correlations)):
                if name in columns:
                    columns |= {
                        f"{name} actual": np.append(columns[name][0], part.mean(axis=0)),
                        f"{name} ±": np.append(0.0, standard_error(part)),
                    }
        edge = theory.plane.edge
        return [
            Table("Layer by layer", columns),
            Table("Variance map", {"q": q[0], "next q": q[1]}),
            Table("Correlation map", {"c": c[0], "next c": c[1]}),
            Table("Edge of chaos", {"σ_b²": edge[0], "σ_w²": edge[1]}),
        ]

    def python(self, values: Values, theory: Theory, observed: Any) -> str:
        """The same with rmtcore alone."""
        return deep_python.propagation(values, theory)


def _map_scene(
    curve: tuple[Array, Array], path: Array, found: Array | None, shown: bool, stale: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Lines and dots: the map, its staircase, the diagonal; a dot is a layer of the networks, its in- and output."""
    end = float(curve[0][-1])
    lines = {"diagonal": (np.array([0.0, end]), np.array([0.0, end]))}
    if shown:
        lines["map"] = curve
        lines["steps"] = np.repeat(path, 2)[:-1], np.append(path[:1], np.repeat(path[1:], 2))
    dots = {}
    if found is not None:
        mean = found.mean(axis=0)
        dots["map"] = {"actual": (np.append(path[0], mean[:-1]), mean, standard_error(found))}
    return lines, dots


def _readouts(theory: Theory, observed: Climb | None) -> list[Readout]:
    point, settled = theory.point, theory.settles
    q = (
        f"{point.variance:.4g}"
        if settled
        else "0: the signal dies"
        if point.variance < 1.0
        else "∞: the signal explodes"
    )
    factor = f"a deviation shrinks by {point.growth:.3g} a layer" if settled else "no fixed point in between"
    chi = "—" if not settled else "∞" if np.isinf(point.chi1) else f"{point.chi1:.4g}"
    asks = "asks for a variance that settles"
    labels = "Variances, layer by layer", "Correlations, layer by layer"
    found = [
        Readout("Fixed point of the variance, q*", q, factor),
        Readout("Slope at c = 1, χ₁", chi, _phase(point) if settled else asks),
        Readout(
            "Reach of a signal, ξ", _layers(point.depth) if settled else "—", "layers, 1/|log χ₁|" if settled else asks
        ),
        Readout(
            "Fixed point of the correlation",
            f"c* = {theory.alike:.4g}" if settled else "—",
            "where all pairs of signals end" if settled else asks,
        ),
    ]
    if observed is None or observed.variances.shape[0] < 2:
        return found + [Readout(label, "…", "needs two repetitions") for label in labels]
    usable = theory.variances[1:] < 1e9
    parts = [(labels[0], observed.variances[:, usable], theory.variances[1:][usable])]
    if settled:
        parts.append((labels[1], observed.correlations, theory.correlations[1:]))
    for label, part, predicted in parts:
        found.append(gap_and_z(label, part.mean(axis=0), standard_error(part), predicted, "layers", 0.1))
    return found if settled else [*found, Readout(labels[1], "—", asks)]


def _is_line(edge: tuple[Array, Array]) -> bool:
    """Whether there is an edge at other biases than 0."""
    return edge[0].size > 1 and float(np.ptp(edge[0])) > 1e-3


def _layers(depth: float) -> str:
    return "∞" if np.isinf(depth) else f"{depth:.3g}"


def _phase(point: FixedPoint) -> str:
    if abs(point.chi1 - 1.0) < 1e-6:
        return "critical: the edge of chaos"
    return "ordered: signals become alike" if point.chi1 < 1.0 else "chaotic: signals part"


def _explain(values: Values, theory: Theory) -> list[str]:
    label, point = activation_of(values, "nonlinearity"), theory.point
    words = [
        f"In {label} layers of infinite width a signal keeps only its variance q, and two signals their correlation c: "
        "each layer is one step of the two maps, drawn as staircases. The dots are the layers of networks of "
        f"{values['units']} neurons."
    ]
    if not theory.settles:
        end = "dies out" if point.variance < 1.0 else "grows without bound"
        words.append(f"Here the variance {end}: there is no fixed point, and no reach of a signal to speak of.")
    elif np.isinf(point.chi1):
        words.append(
            f"{label} jumps: however alike two signals are, the next layer tells them apart (χ₁ = ∞). It is chaotic "
            "everywhere, and there is no edge."
        )
    elif abs(point.chi1 - 1.0) < 1e-6:
        words.append("χ₁ = 1: this is the edge of chaos, where signals reach any depth and gradients keep their size.")
    elif point.chi1 < 1.0:
        words.append(
            f"χ₁ = {point.chi1:.3g} < 1: the ordered phase. All signals become the same one, up to a factor "
            f"e within ξ = {_layers(point.depth)} layers, and gradients vanish as χ₁ to the depth."
        )
    else:
        words.append(
            f"χ₁ = {point.chi1:.3g} > 1: the chaotic phase. Nearby signals part, by a factor e within "
            f"ξ = {_layers(point.depth)} layers, until their correlation is c* = {theory.alike:.3g}; gradients explode."
        )
    edge = theory.plane.edge
    if _is_line(edge):
        words.append(
            f"The dashed line is the edge of chaos; it begins at σ_w² = {edge[1][0]:.3g}, σ_b² = {edge[0][0]:.2f}. "
            "Networks can be "
            "trained about as deep as ξ says: bright in the plane. Click or drag there."
        )
    elif not np.isinf(point.chi1):
        words.append("The bright ridge in the plane is where χ₁ = 1: there signals reach far. Click or drag there.")
    return words


def _lamps(values: Values, theory: Theory) -> list[Lamp]:
    units = int(number(values, "units"))
    deep = theory.variances.size - 1 > 0.1 * units
    return [
        Lamp(
            "wide layers",
            units < 150 or deep,
            f"{units} neurons: sizes and angles fluctuate by about 1/√d in every layer, "
            "and the fluctuations add up with depth.",
        ),
        Lamp(
            "a variance that settles",
            not theory.settles,
            "The correlation map moves with the variance: it is drawn at q₀, without its staircase.",
        ),
        Lamp(
            "a derivative",
            bool(np.isinf(theory.point.chi1)),
            "The activation jumps: the slope of the correlation map at c = 1 is infinite.",
        ),
    ]
