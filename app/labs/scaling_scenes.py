"""What stands in the figures of the Scaling laws lab, beside them and under them."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.palettes import viridis
from numpy.typing import NDArray

from app.labs.base import Key, Readout
from app.labs.scaling_settings import here, position
from app.labs.scaling_theory import TRIED, WIDTHS, Budget, Solved, fit_dots, linear_layers
from app.labs.scaling_words import beside, say, window
from app.parts.curves import FOURTH, TEST, THIRD, TRAIN, CurvePlot, CurveScene, Line
from app.parts.figure import ACTUAL
from app.settings import Values
from rmtcore import Network, Repeated, ridge_errors, standard_error
from rmtcore.exponents import Exponent, fit_exponent
from rmtcore.scaling import Frontier, frontier, sweep

Array = NDArray[np.float64]
Dots = dict[str, dict[str, tuple[Array, Array, Array]]]

_COLOURS = {"test": TEST, "train": TRAIN, "above": FOURTH}
_DASHES = {"test": "solid", "train": "dashed", "above": "dotted"}
TITLES = {"test": "test error", "train": "training error", "above": "distance to the limit"}
FITTED = {"test": THIRD, "train": ACTUAL, "above": "#e69f00"}
_LABELS = {
    "samples": ("n", "samples n"), "width": ("d", "width d"), "ratio": ("d/n", "width per sample, d/n"),
    "gap": ("1 − d/n", "gap to the threshold, 1 − d/n"),
}  # fmt: skip
_LINEAR_LABELS = {
    "ratio": ("p/n", "dimension per sample, p/n"), "gap": ("1 − p/n", "gap to the threshold, 1 − p/n"),
}  # fmt: skip

ERRORS = CurvePlot(
    (
        *(Line(name, _COLOURS[name], _DASHES[name], dots=name != "above") for name in _COLOURS),
        *(Line(f"fit {name}", FITTED[name], "dashed", dots=False) for name in FITTED),
    )
)
SLOPES = CurvePlot(
    (
        *(Line(f"predicted {name}", FITTED[name], "dashed", dots=False) for name in FITTED),
        *(Line(name, _COLOURS[name], _DASHES[name], dots=False) for name in _COLOURS),
    )
)
# The middle of the palette can be seen on white and on black.
_SHADES = viridis(256)[58:227:24]
FRONTIER = CurvePlot(
    (
        *(Line(f"d = {width}", shade, dots=width in TRIED) for width, shade in zip(WIDTHS, _SHADES, strict=True)),
        Line("frontier", TEST, dots=False),
        Line("fit", FOURTH, "dashed", dots=False),
    )
)


def errors(values: Values, solved: Solved, dots: Any, stale: bool) -> CurveScene:
    """Curves and dots in a frame of whole decades, with the fits."""
    shown, x = bool(values["equivalent"]), solved.x
    lines = {}
    for name, part in solved.errors().items():
        if not shown or (name == "above" and not (values["limited"] and part.size)):
            continue
        lines[name] = x, part
        fit = solved.fits.get(name)
        if values["fitted"] and fit is not None:
            # A little beyond its window, for there it parts from the curve and can be seen.
            ends = np.array([fit.window[0] / 2.0, fit.window[1] * 2.0])
            lines[f"fit {name}"] = ends, fit.prefactor * ends**fit.slope
    now = position(values)
    marks = () if np.isnan(solved.threshold) else (solved.threshold,)
    return CurveScene(
        _labels(solved)[1], "mean squared error", (float(x[0]), float(x[-1])), _frame(solved), True, True, lines, dots,
        thresholds=marks, now=now if x[0] <= now <= x[-1] else None, stale=stale,
    )  # fmt: skip


def _frame(solved: Solved) -> tuple[float, float]:
    """Whole decades that hold the power laws, not the bottomless plunge beside them."""
    total = solved.network.population.signal + solved.network.noise + solved.network.population.noise
    held = [1e-2 * total]
    for name in ("test", "train"):
        fit = solved.fits.get(name)
        if fit is not None and name in solved.predicted:
            held += [fit.prefactor * end**fit.slope for end in fit.window]
    network = solved.network
    if network.layers:
        # As many linear features as dimensions learn everything from p samples on: that floor is rounding.
        endless = solved.axis == "samples" and linear_layers(network) and network.feature_dim >= network.population.dim
        part = solved.x < 0.7 * solved.threshold if endless else np.full(solved.x.size, True)
        held.append(float(solved.curve.test[part & np.isfinite(solved.curve.test)].min()))
    low = max(min(held), 1e-12 * total)
    return 10.0 ** np.floor(np.log10(0.5 * low)), 10.0 ** np.ceil(np.log10(3.0 * total))


def _labels(solved: Solved) -> tuple[str, str]:
    """Symbol and name of the axis."""
    own = {} if solved.network.layers else _LINEAR_LABELS
    return own.get(solved.axis) or _LABELS[solved.axis]


def slopes(values: Values, solved: Solved, main: CurveScene) -> CurveScene:
    """Local slopes of the curves, and what is predicted of them."""
    shown, ends = bool(values["equivalent"]), np.array(main.x_range)
    lines = {}
    for name, part in solved.slopes().items():
        if not shown or (name == "above" and not values["limited"]):
            continue
        finite = np.isfinite(part)
        lines[name] = solved.x[finite], part[finite]
        if name in solved.predicted:
            lines[f"predicted {name}"] = ends, np.full(2, solved.predicted[name])
    known = [0.0, *solved.predicted.values(), *(fit.slope for fit in solved.fits.values())]
    span = (np.floor(min(known)) - 1.0, np.ceil(max(known)) + 1.0)
    return CurveScene(
        main.x_label, "local slope", main.x_range,
        (float(span[0]), float(span[1])), True, False, lines, thresholds=main.thresholds, now=main.now,
    )  # fmt: skip


def bought(values: Values, budget: Budget, timed: Frontier | None, dots: Dots, stale: bool) -> CurveScene:
    """Errors of equal width against compute, and their lower envelope; or the timed envelope alone."""
    shown, wants_time = bool(values["equivalent"]), bool(values["timed"])
    best = timed if wants_time else budget.best
    lines = {}
    if shown and not wants_time:
        lines = {f"d = {d}": (budget.samples * d, row) for d, row in zip(WIDTHS, budget.tests, strict=True)}
    if shown and best is not None:
        known = np.isfinite(best.test)
        lines["frontier"] = best.budgets[known], best.test[known]
        fit = _envelope_fit(budget, timed, wants_time)
        if values["fitted"] and fit is not None:
            ends = np.array([fit.window[0] / 4.0, fit.window[1] * 4.0])
            lines["fit"] = ends, fit.prefactor * ends**fit.slope
    n, d = here(values)
    total = budget.network.population.signal + budget.network.noise + budget.network.population.noise
    low = max(float(budget.best.test.min()), 1e-12 * total)
    x_range = (1e3, 1e7) if wants_time else (1e2, 10.0 * budget.range[1] ** 2 / 4.0)
    return CurveScene(
        "compute, n × d × steps" if wants_time else "compute, n × d", "test error", x_range,
        (10.0 ** np.floor(np.log10(0.5 * low)), 10.0 * total), True, True, lines, dots,
        now=None if wants_time else n * d, stale=stale,
    )  # fmt: skip


def _envelope_fit(budget: Budget, timed: Frontier | None, wants_time: bool) -> Exponent | None:
    if not wants_time:
        return budget.fit
    if timed is None or np.count_nonzero(np.isfinite(timed.test)) < 5:
        return None
    known = np.isfinite(timed.test)
    return fit_exponent(timed.budgets[known], timed.test[known], None, 0.5)


def exponents(solved: Solved, observed: Repeated | None, places: Array, limited: bool) -> list[Readout]:
    """Fitted beside predicted, of theory and of the experiment."""
    found = []
    for name in ("test", "train"):
        fit, known = solved.fits.get(name), solved.predicted.get(name)
        near = None if fit is None or known is None else abs(fit.slope - known) < 0.1 * abs(known) + 2.0 * fit.error
        label = TITLES[name].capitalize()
        found.append(Readout(f"{label}: exponent", say(fit), f"{beside(known)}; {window(fit)}", near))
        if fit is None:
            continue
        measured = None
        if observed is not None:
            measured = fit_dots(places, getattr(observed, name).mean(axis=0), fit.window)
        detail = "a line through the dots in this window" if measured else "needs five dots in the window"
        found.append(Readout(f"{label}: measured", say(measured), detail))
    if limited and (fit := solved.fits.get("above")) is not None:
        found.append(Readout("Distance to the limit", say(fit), f"predicted −1, variance-limited; {window(fit)}"))
    return found


def agreement(networks: list[Network], observed: Any) -> Readout:
    """Median relative gap and median |z| of the dots of the test error."""
    label = "Agreement of the dots"
    if not isinstance(observed, Repeated) or observed.test.shape[0] < 2 or observed.test.shape[1] != len(networks):
        return Readout(label, "…", "needs two repetitions")
    predicted = np.array([ridge_errors(network).test for network in networks])
    mean, error = observed.test.mean(axis=0), standard_error(observed.test)
    usable = np.isfinite(predicted) & (predicted > 0) & (error > 0)
    if not usable.any():
        return Readout(label, "…", "no error to compare")
    gap = float(np.median(np.abs(mean[usable] / predicted[usable] - 1.0)))
    z = float(np.median(np.abs(mean[usable] - predicted[usable]) / error[usable]))
    detail = f"median |z| = {z:.1f} over {usable.sum()} networks"
    return Readout(label, f"median gap {gap:.1%}", detail, gap < 0.1 or z < 3)


def prices(values: Values, budget: Budget, timed: Frontier | None, known: float) -> list[Readout]:
    """Exponents of the frontier, and what the present compute could buy."""
    if values["timed"]:
        fit = _envelope_fit(budget, timed, True)
        near = None if fit is None or np.isnan(known) else abs(fit.slope - known) < 0.1 * abs(known) + 2.0 * fit.error
        return [
            Readout("Frontier: exponent", say(fit), f"{beside(known)}; {window(fit)}", near),
            Readout("Without time", say(budget.fit), f"{beside(budget.predicted)}; compute n × d"),
        ]
    fit, known = budget.fit, budget.predicted
    near = None if np.isnan(known) else abs(fit.slope - known) < 0.1 * abs(known) + 2.0 * fit.error
    n, d = here(values)
    test = float(sweep(budget.network, samples=n, widths=d).test)
    best = frontier(budget.network, [n * d])
    shape = f"n = {best.samples[0]:.0f}, d = {best.widths[0]:.0f}; now {n:.0f}, {d:.0f}"
    return [
        Readout("Frontier: exponent", say(fit), f"{beside(known)}; {window(fit)}", near),
        Readout("Best n: exponent", say(budget.spent), beside(budget.spent_predicted)),
        Readout("Test error here", "∞ (threshold)" if np.isinf(test) else f"{test:.3g}", f"compute {n * d:.3g}"),
        Readout("Best for this compute", f"{best.test[0]:.3g}", shape),
    ]


def error_keys(values: Values, solved: Solved) -> list[Key]:
    """Legend of errors and slopes."""
    shown = [name for name, part in solved.errors().items() if part.size and (name != "above" or values["limited"])]
    keys = [Key(TITLES[name], _COLOURS[name], _DASHES[name]) for name in shown]
    for name in shown:
        if name in solved.fits or name in solved.predicted:
            what = " and ".join(
                word
                for word, there in (("fit", name in solved.fits), ("predicted slope", name in solved.predicted))
                if there
            )
            keys.append(Key(f"{what}, {TITLES[name]}", FITTED[name], "dashed"))
    return keys + ([] if np.isnan(solved.threshold) else [Key("threshold", "#888888", "dashed")])


def frontier_keys(values: Values) -> list[Key]:
    """Legend of the frontier."""
    keys = [Key("frontier", TEST), Key("its fit", FOURTH, "dashed"), Key("best n and d, in the plane", "#ff7f2a")]
    if values["timed"]:
        return keys
    return keys + [Key(f"d = {width}", shade) for width, shade in zip(WIDTHS, _SHADES, strict=True)]


def spent_columns(best: Frontier) -> dict[str, Array]:
    """A frontier as columns."""
    return {"compute": best.budgets, "test": best.test, "n": best.samples, "d": best.widths, "steps": best.steps}


def error_columns(solved: Solved) -> dict[str, Array]:
    """The curves along the axis, with their slopes."""
    columns = {_labels(solved)[0]: solved.x}
    columns |= {TITLES[name]: part for name, part in solved.errors().items() if part.size}
    columns |= {f"slope of {TITLES[name]}": part for name, part in solved.slopes().items()}
    return columns
