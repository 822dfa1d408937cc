"""Figures and read-outs of the Equivalents lab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.labs.base import Key, Readout, Table
from app.labs.equivalents_settings import SCHEMA
from app.labs.equivalents_theory import Theory, basis, equivalent_image
from app.labs.learning_settings import number
from app.parts import contour
from app.parts.curves import FIFTH, FOURTH, CurvePlot, CurveScene, Line
from app.parts.figure import ACTUAL, EQUIVALENT, LINEAR, MARK
from app.parts.matrices import Panel, thinned
from app.parts.realisations import Gathered
from app.settings import Values
from rmtcore import Rate, fit_rate, measure
from rmtcore.equivalents import enclosed
from rmtcore.observations import relative_to, root_mean_square

Array = NDArray[np.float64]

_TICKS = tuple(float(np.log10(2.0**k)) for k in range(4, 12))
SCATTER = CurvePlot(
    (Line("actual", ACTUAL), Line("linear", LINEAR), Line("deterministic", EQUIVALENT, dots=False)), x_ticks=_TICKS
)
ERRORS = CurvePlot(
    (
        Line("expected", "#888888", "dotted", dots=False),
        Line("fit", ACTUAL, "dashed", dots=False),
        Line("norm to mean", FIFTH, "solid"),
        Line("norm to linear", FOURTH, "solid"),
        Line("linear", LINEAR),
        Line("actual", ACTUAL),
    ),
    x_ticks=_TICKS,
)
_LABELS = {
    "trace": "(1/N) tr Q(z)", "form": "u′Q(z)u", "largest": "largest eigenvalue",
    "overlap": "(u′v)² of the top eigenvector", "training": "training error", "risk": "test error",
    "statistic": "(1/N) Σ f(λ)",
    "enclosed trace": "(1/N) Σ f(λᵢ) enclosed", "enclosed form": "Σ f(λᵢ)(u′vᵢ)² enclosed",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Seen:
    """One reading of the observable at every size: what was measured, (R,) each, its error and the fitted rate."""

    values: list[Array]
    errors: Array
    spread: Array
    rate: Rate | None


@dataclass(frozen=True, eq=False)
class Observed:
    """The observable in both readings; operator norms (means and their errors) where matrices were compared.

    `spectrum` holds eigenvalues and weights of one draw of the largest size, `shown` the matrices on show.
    """

    actual: Seen
    linear: Seen | None
    to_linear: tuple[Array, Array] | None
    to_mean: tuple[Array, Array] | None
    spectrum: tuple[Array, Array]
    shown: tuple[Array, Array] | None


def observed_of(values: Values, theory: Theory, raw: Any) -> Observed | None:
    """The experiment, looked at as the settings say; None where it belongs to another kind of observation."""
    rungs, observable = theory.matrices.rungs, theory.observable
    linear = values["matrix"] != "covariance"
    if observable is None:
        if not isinstance(raw, np.ndarray) or raw.shape[2] != len(rungs):
            return None
        seen = [_seen(theory, list(part.T)) for part in raw]
        return Observed(seen[0], seen[1] if linear else None, None, None, (np.zeros(0), np.zeros(0)), None)
    if not isinstance(raw, Gathered) or len(raw.rungs) != len(rungs):
        return None
    pairs = list(zip(rungs, raw.rungs, strict=True))
    actual = _seen(theory, [measure(one, drawn.actual, observable) for one, drawn in pairs])
    other = _seen(theory, [measure(one, drawn.linear, observable) for one, drawn in pairs]) if linear else None
    return Observed(
        actual, other,
        _means([drawn.off_linear for drawn in raw.rungs]) if linear else None,
        _means([drawn.off_mean for drawn in raw.rungs]),
        (raw.rungs[-1].actual.eigenvalues[0], raw.rungs[-1].actual.weights[0]), raw.shown,
    )  # fmt: skip


def _seen(theory: Theory, values: list[Array]) -> Seen:
    size = relative_to(float(theory.predicted[-1]))
    pairs = zip(values, theory.predicted, strict=True)
    found = np.array([root_mean_square(part, float(value)) for part, value in pairs]) / size
    # What is exact but for rounding has no rate.
    errors = np.where(found[:, 0] > 1e-12, found[:, 0], 0.0)
    return Seen(values, errors, found[:, 1], fit_rate(theory.matrices.samples, errors, found[:, 1]))


def _means(parts: list[Array]) -> tuple[Array, Array]:
    mean = np.array([part.mean() for part in parts])
    return mean, np.array([part.std() / np.sqrt(part.size) for part in parts])


def label_of(values: Values, theory: Theory) -> str:
    """The observable as a formula."""
    name = "risk" if theory.observable is None else theory.observable.name
    text = _LABELS[name]
    setting = {"statistic": "shape", "enclosed trace": "inside", "enclosed form": "inside"}.get(name)
    return text if setting is None else f"{text}, f = {SCHEMA.by_name[setting].show(values[setting])}"


def panels(values: Values, theory: Theory, seen: Observed | None) -> tuple[list[Panel], float]:
    """The images of the readings on one scale, and their difference."""
    one = theory.matrices.shown
    z = theory.observable.place(one) if theory.observable is not None and values["images"] == "resolvent" else None
    if theory.observable is None and values["images"] == "resolvent":
        z = -number(values, "ridge")  # of a test error there is no kernel
    turn = basis(one, number(values, "rho") if values["data"] == "toeplitz" else None)

    def image(matrix: Array) -> Array:
        return thinned(matrix if turn is None else turn @ matrix @ turn.T)

    fixed = image(equivalent_image(one, z))
    if seen is None or seen.shown is None:
        return [Panel("deterministic", fixed)], max(float(np.abs(fixed).max()), 1e-12)
    drawn = [
        image(matrix if z is None else np.asarray(np.linalg.inv(matrix - z * np.eye(one.size)), float))
        for matrix in seen.shown
    ]
    limit = max(float(np.quantile(np.abs(drawn[0]), 0.97)), 1e-12)
    if values["matrix"] == "covariance":
        rest = Panel("their difference", drawn[0] - fixed)
        return [Panel("actual", drawn[0]), Panel("deterministic", fixed), rest], limit
    rest = Panel("actual − linear", drawn[0] - drawn[1])
    named = [("actual", drawn[0]), ("linear", drawn[1]), ("deterministic", fixed)]
    return [*(Panel(name, matrix) for name, matrix in named), rest], limit


def scatter(values: Values, theory: Theory, seen: Observed | None, stale: bool) -> CurveScene:
    """Every realisation at its n, and the deterministic value."""
    n = theory.matrices.samples
    held, dots = [theory.predicted], {}
    for name, part, side in _readings(values, seen):
        # A fixed jitter: realisations stand beside one another, the readings left and right of their n.
        steps = [np.linspace(0.03, 0.17, one.size) * side for one in part.values]
        x = np.concatenate([at * 2.0**step for at, step in zip(n, steps, strict=True)])
        y = np.concatenate(part.values)
        dots[name] = {name: (x, y, np.zeros(y.size))}
        held.append(np.quantile(y, [0.002, 0.998]))
    low, high = float(min(part.min() for part in held)), float(max(part.max() for part in held))
    room = 0.08 * (high - low) or 0.1 * abs(high) or 0.1
    lines = {"deterministic": (n, theory.predicted)} if values["equivalent"] else {}
    return CurveScene(
        "samples n", label_of(values, theory), _across(n), (low - room, high + room), True, False, lines, dots,
        stale=stale,
    )  # fmt: skip


def _readings(values: Values, seen: Observed | None) -> list[tuple[str, Seen, float]]:
    if seen is None:
        return []
    found = [("actual", seen.actual, -1.0)]
    if seen.linear is not None:
        found.append(("linear", seen.linear, 1.0))
    return [one for one in found if values[one[0]]]


def _across(n: Array) -> tuple[float, float]:
    return float(n[0] / 1.35), float(n[-1] * 1.35)


def errors(values: Values, theory: Theory, seen: Observed | None, stale: bool) -> CurveScene:
    """Error of the observation against n with its rate, and the operator norms that stay."""
    n = theory.matrices.samples
    lines: dict[str, tuple[Array, Array]] = {}
    dots: dict[str, dict[str, tuple[Array, Array, Array]]] = {}
    held = [1.0]
    for name, part, _ in _readings(values, seen):
        there = part.errors > 0.0
        held += list(part.errors[there])
        dots[name] = {name: (n[there], part.errors[there], part.spread[there])}
        if name == "actual" and part.rate is not None:
            lines["fit"] = n, part.rate.prefactor * n**part.rate.slope
            middle = np.exp(np.mean(np.log(n)))
            lines["expected"] = n, part.rate.prefactor * middle**part.rate.slope * (n / middle) ** theory.rate
    if seen is not None and values["equivalent"]:
        for name, norm in (("norm to mean", seen.to_mean), ("norm to linear", seen.to_linear)):
            if norm is not None and norm[0].min() > 0.0:  # a linear matrix is its own linear equivalent
                lines[name], dots[name] = (n, norm[0]), {"actual": (n, *norm)}
                held += list(norm[0])
    low, high = 10.0 ** np.floor(np.log10(0.8 * min(held))), 1.6 * max(held)
    return CurveScene(
        "samples n", "relative error", _across(n), (float(low), float(high)), True, True, lines, dots, stale=stale
    )


def plane(theory: Theory, seen: Observed | None, stale: bool) -> contour.Plane:
    """The spectrum at the largest size, and the contour."""
    last = theory.matrices.rungs[-1]
    assert theory.observable is not None
    z, (low, high) = theory.observable.place(last), theory.window
    return contour.Plane(
        theory.window, 0.18 * (high - low), last.law.bulks, np.array([one.position for one in last.outliers]),
        *theory.ends, z if z > low else None, seen.spectrum[0] if seen is not None else np.zeros(0), stale,
    )  # fmt: skip


def keys(values: Values, theory: Theory, seen: Observed | None) -> list[Key]:
    """Legend of the curves."""
    found = []
    if values["view"] == "contour":
        found += [Key("predicted bulk, outliers and value", EQUIVALENT), Key("contour, what it encloses", MARK)]
    found += [Key("actual", ACTUAL, "dot")]
    found += [Key("linear", LINEAR, "square")] if values["matrix"] != "covariance" else []
    found += [Key("deterministic value", EQUIVALENT)] if values["view"] == "observation" else []
    if values["view"] == "contour":
        return found
    found += [Key("fitted rate", ACTUAL, "dashed"), Key("expected rate", "#888888", "dotted")]
    if seen is None or seen.to_linear is not None:
        found.append(Key("operator norm |M − M̃|/|M|", FOURTH))
    if seen is None or seen.to_mean is not None:
        found.append(Key("operator norm |M − E M|/|M|", FIFTH))
    return found


def readouts(values: Values, theory: Theory, seen: Observed | None) -> list[Readout]:
    """Value, agreement, rates and operator norms; of a contour both functionals."""
    found = [_value(values, theory, seen), _agreement(theory, seen)]
    linear = values["matrix"] != "covariance"
    found.append(_rate("Error: rate, actual", theory, None if seen is None else seen.actual, seen is None))
    if linear:
        part = None if seen is None or seen.linear is None else seen.linear
        found.append(_rate("Error: rate, linear", theory, part, seen is None))
    if values["view"] == "contour":
        return found + _both(theory, seen)
    if theory.observable is not None:
        if linear:
            found.append(_norm("Operator norm, to linear", theory, None if seen is None else seen.to_linear))
        found.append(_norm("Operator norm, to E M", theory, None if seen is None else seen.to_mean))
    return found


def _value(values: Values, theory: Theory, seen: Observed | None) -> Readout:
    predicted, last = float(theory.predicted[-1]), theory.matrices.rungs[-1]
    label = label_of(values, theory)
    if seen is None:
        return Readout(label, f"{predicted:.4g}", f"at n = {last.network.samples}; measured …")
    part = seen.actual.values[-1]
    error = f" ± {part.std(ddof=1) / np.sqrt(part.size):.1g}" if part.size > 1 else ""
    return Readout(label, f"{predicted:.4g}", f"at n = {last.network.samples}; measured {part.mean():.4g}{error}")


def _agreement(theory: Theory, seen: Observed | None) -> Readout:
    label = "Agreement, largest n"
    if seen is None:
        return Readout(label, "…", "drawing")
    part, predicted = seen.actual.values[-1], float(theory.predicted[-1])
    gap = abs(float(part.mean()) - predicted) / relative_to(predicted)
    spread = float(part.std(ddof=1)) if part.size > 1 else 0.0
    z = (float(part.mean()) - predicted) / (spread / np.sqrt(part.size)) if spread > 0 else 0.0
    detail = f"{part.size} realisations" + (f", z = {z:+.1f}".replace("-", "−") if spread > 0 else "")
    near = True if gap < 0.05 else abs(z) < 3.0 if part.size > 3 else None  # two or three cannot say
    return Readout(label, f"gap {gap:.2%}", detail, near)


def _rate(label: str, theory: Theory, part: Seen | None, drawing: bool) -> Readout:
    expected = f"expected {_power(theory.rate)}"
    if part is None or part.rate is None:
        exact = part is not None and not part.errors.any()
        text = "exact" if exact else "…" if drawing else "no fit yet"
        return Readout(label, text, "no error to fit" if exact else expected)
    slope, error = part.rate.slope, part.rate.error
    near = bool(slope - theory.rate < max(0.15, 3.0 * error))  # what higher orders add at small n falls faster
    return Readout(label, f"n^({_minus(slope)} ± {error:.2f})", expected, near)


def _both(theory: Theory, seen: Observed | None) -> list[Readout]:
    """Both functionals at the largest size, of the theory and of the draw whose eigenvalues are shown."""
    assert theory.observable is not None
    last, (trace, form) = theory.matrices.rungs[-1], theory.forms
    told = ["…", "…"]
    if seen is not None:
        function = theory.observable.function(theory.observable.place(last))
        sums = enclosed(*seen.spectrum, function, *theory.ends)
        told = [f"in this draw {float(one):.4g}" for one in (sums[0] * last.size, sums[1])]
    return [
        Readout("Σ f(λᵢ) enclosed", f"{trace * last.size:.4g}", told[0]),
        Readout("Σ f(λᵢ)(u′vᵢ)² enclosed", f"{form:.4g}", told[1]),
    ]


def _norm(label: str, theory: Theory, norm: tuple[Array, Array] | None) -> Readout:
    n = theory.matrices.samples
    if norm is None:
        return Readout(label, "…", "relative to |M|")
    return Readout(label, f"{norm[0][-1]:.3g}", f"of |M| at n = {n[-1]:.0f}; {norm[0][0]:.3g} at n = {n[0]:.0f}")


def _power(rate: float) -> str:
    known = {-1.0: "1/n", -0.5: "1/√n", -2.0 / 3.0: "n^(−2/3)", 0.0: "none: it stays"}
    return known[rate]


def _minus(slope: float) -> str:
    return f"{slope:.2f}".replace("-", "−")


def tables(values: Values, theory: Theory, seen: Observed | None) -> list[Table]:
    """What the figures show."""
    n = theory.matrices.samples
    sizes: dict[str, Any] = {"n": n, "predicted": theory.predicted}
    found = []
    if seen is not None:
        for name, part in (("actual", seen.actual), ("linear", seen.linear)):
            if part is not None:
                sizes |= {f"mean, {name}": [one.mean() for one in part.values]}
                sizes |= {f"relative error, {name}": part.errors, f"its ±, {name}": part.spread}
                columns = {f"n = {at:.0f}": one for at, one in zip(n, part.values, strict=True)}
                found.append(Table(f"Realisations, {name}: {label_of(values, theory)}", columns))
        for name, norm in (("|M − M̃|/|M|", seen.to_linear), ("|M − E M|/|M|", seen.to_mean)):
            if norm is not None:
                sizes |= {name: norm[0], f"{name} ±": norm[1]}
    tables = [Table(f"By size: {label_of(values, theory)}", sizes), *found]
    if values["view"] == "contour":
        ends = np.array(theory.ends)
        tables.append(Table("Contour", {"crosses the axis": ends}))
        if seen is not None:
            tables.append(Table("Eigenvalues of one draw", {"λ": seen.spectrum[0], "(u′v)²": seen.spectrum[1]}))
    if values["view"] == "matrices":
        for panel in panels(values, theory, seen)[0]:
            columns = {str(k + 1): column for k, column in enumerate(panel.matrix.T)}
            tables.append(Table(f"Image: {panel.title}", columns))
    return tables
