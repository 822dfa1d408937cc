"""What stands in the figures of the Linearisation lab."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from app.labs.base import Key
from app.labs.learning_settings import number
from app.labs.linearisation_settings import DEGREES, DIMS
from app.labs.linearisation_theory import FAMILY, WHO, Measured, Solved, hermite_energies, taylor_energies
from app.parts.arguments import Arguments
from app.parts.bars import BarPlot, BarScene
from app.parts.curves import FIFTH, FOURTH, TEST, THIRD, TRAIN, CurvePlot, CurveScene, Line
from app.parts.figure import ACTUAL
from app.settings import Values
from rmtcore import inner_product_density

Array = NDArray[np.float64]

_GREY = "#888888"
_COLOURS = {"main": TEST, "member": FIFTH, "other": FOURTH}
_MARKERS = {"main": "circle", "member": "triangle", "other": "diamond"}
_DASHES = {"main": "solid", "member": "dashed", "other": "dashed"}

FUNCTION = CurvePlot(
    (
        *(Line(f"family {index}", _GREY, dots=False) for index in range(FAMILY)),
        Line("phi", TRAIN, dots=False),
        *(Line(who, _COLOURS[who], _DASHES[who], dots=False) for who in reversed(WHO)),
        Line("density", THIRD, dots=False),
    ),
    (("noise", TEST), ("drawn", ACTUAL)),
)
ERRORS = CurvePlot(
    (
        *(Line(f"pointwise {who}", _COLOURS[who], "dotted", marker=_MARKERS[who]) for who in ("main", "member")),
        *(Line(who, _COLOURS[who], _DASHES[who], marker=_MARKERS[who]) for who in reversed(WHO)),
    )
)
ENERGIES = BarPlot((("kept", TRAIN), ("rest", _GREY)), (("main", TEST, "solid"), ("member", FIFTH, "dashed")))

_EDGES = (np.arange(52) - 25.5) * 0.2  # of the histogram, in standard deviations: no edge at 0 nor at +-1
_UNDER = 0.6  # of the height of the curves, left free under them for the histogram
_PEAK = 0.34  # of the frame's height, where a Gaussian density of the argument's width has its peak
NOISE_AT = DEGREES + 2.2  # where the bar of the noise stands


def shown(solved: Solved, values: Values) -> list[str]:
    """Who is drawn: the member where it is another one, the other regime's where it is wanted."""
    same = solved.regime == "lln" and values["bend"] == 0.0
    hidden = {"member"} if same else set()
    return [who for who in WHO if who in solved.members and who not in hidden and (who != "other" or values["other"])]


def spread(solved: Solved, n: int) -> float:
    """Standard deviation of the argument."""
    return 1.0 / math.sqrt(n) if solved.regime == "lln" else 1.0


def function(solved: Solved, values: Values, n: int, observed: Arguments | None, stale: bool) -> CurveScene:
    """The function and what is put in its place, over the histogram of the argument on a scale of its own."""
    sigma = spread(solved, n)
    zoomed = bool(values["zoom"]) and solved.regime == "lln"
    x_range = (solved.at - 4.0 * sigma, solved.at + 4.0 * sigma) if zoomed else (-4.0, 4.0)
    t = np.linspace(*x_range, 401)
    phi = np.asarray(solved.activation.function(t), float)
    height = max(float(np.ptp(phi)), 0.1 * sigma if zoomed else 0.1)
    low, high = float(phi.min()) - _UNDER * height, float(phi.min()) + 1.15 * height
    unit = _PEAK * (high - low)  # of a density times sqrt(2 pi) sigma
    lines, areas = {"phi": (t, phi)}, {}
    if values["equivalent"]:
        lines |= {who: (t, solved.members[who].equivalent.function(t)) for who in shown(solved, values)}
        if values["family"]:
            lines |= {f"family {index}": (t, one(t)) for index, one in enumerate(solved.family)}
        main = solved.members.get("main")
        if main is not None and main.equivalent.noise > 0.0:
            line, band = main.equivalent.function(t), math.sqrt(main.equivalent.noise)
            areas["noise"] = t, line - band, line + band
        density = argument_density(solved, n)
        if density is not None:
            lines["density"] = density[0], low + unit * density[1] * math.sqrt(math.tau) * sigma
    if values["actual"] and observed is not None and n in observed.dims:
        x, heights = histogram(solved, n, observed)
        outline = low + unit * np.repeat(heights, 2) * math.sqrt(math.tau) * sigma
        areas["drawn"] = np.repeat(x, 2)[1:-1], np.full(outline.size, low), outline
    label = "t = x′y/√n" if solved.regime == "clt" else "t = a + x′y/n" if solved.at else "t = x′y/n"
    return CurveScene(
        label, "φ(t)", x_range, (low, high), False, False, lines, areas=areas,
        thresholds=(solved.at,) if solved.regime == "lln" else (), stale=stale,
    )  # fmt: skip


def argument_density(solved: Solved, n: int) -> tuple[Array, Array] | None:
    """Exact density of t: points and values; None where there are two atoms. What is infinite is very high."""
    if n == 1 and solved.vectors == "sphere":
        return None
    sigma = spread(solved, n)
    end = min(5.0, math.sqrt(n)) if solved.vectors == "sphere" else 5.0
    side = end * np.linspace(0.0, 1.0, 201) ** 2  # denser where it may be infinite ...
    if solved.vectors == "sphere":
        side = end * np.sin(np.linspace(0.0, math.pi / 2, 201))  # ... which is at the ends on the sphere
    xi = np.concatenate([-side[:0:-1], side])
    density = inner_product_density(xi, n, "clt", "sphere" if solved.vectors == "sphere" else "gaussian")
    return np.asarray(solved.at + sigma * xi), np.minimum(density, 1e3) / sigma


def histogram(solved: Solved, n: int, observed: Arguments) -> tuple[Array, Array]:
    """Edges and densities of the drawn t; what lies outside of the edges counts in the total."""
    drawn = observed.values[observed.dims.index(n)]
    counts, _ = np.histogram(drawn, _EDGES)
    sigma = spread(solved, n)
    heights = counts / (drawn.size * np.diff(_EDGES) * sigma)
    return np.asarray(solved.at + sigma * _EDGES), np.asarray(heights)


def errors(
    solved: Solved, values: Values, n: int, measured: dict[str, Measured], places: Array, stale: bool
) -> CurveScene:
    """Error of every member against n, log-log."""
    dims, visible = np.array(solved.dims, float), shown(solved, values)
    gaussian = solved.regime == "clt"
    lines = {who: (dims, solved.members[who].error) for who in visible}
    if gaussian:
        lines |= {f"pointwise {who}": (dims, solved.members[who].pointwise) for who in visible if who != "other"}
    lines = {label: (x[y > 0.0], y[y > 0.0]) for label, (x, y) in lines.items()}
    found = np.concatenate([np.zeros(0), *(y for _, y in lines.values())])
    top = float(found.max()) if found.size else 1.0
    bottom = max(float(found.min()), 1e-28) if found.size else 0.1
    dots = {}
    if values["actual"]:
        dots = {who: {"actual": (places, *measured[who].error)} for who in visible if who in measured}
        if gaussian:
            dots |= {
                f"pointwise {who}": {"actual": (places, *measured[who].pointwise)}
                for who in visible
                if who != "other" and who in measured
            }
        dots = {label: part for label, part in dots.items() if lines[label][0].size}
    label = "error; gap of (a₀, a₁, ν)" if gaussian else "mean squared error"
    return CurveScene(
        "dimension n", label, (0.8, 1.25 * DIMS[-1]),
        (10.0 ** np.floor(np.log10(0.5 * bottom)), 10.0 ** np.ceil(np.log10(1.5 * top))), True, True,
        lines if values["equivalent"] else {}, dots, now=float(n), stale=stale,
    )  # fmt: skip


def energies(solved: Solved, values: Values, n: int) -> BarScene:
    """Energy by Hermite degree, or mean square by Taylor order."""
    visible = [who for who in shown(solved, values) if who != "other"]
    notes: tuple[tuple[float, str], ...] = ()
    if solved.broken:
        notes = ((DEGREES / 2, "φ is not smooth at a: no Taylor series"),)
        return BarScene("Taylor order", "mean square at n", (-0.7, DEGREES + 0.7), (1e-3, 1.0), True, {}, notes)
    if solved.regime == "clt":
        parts, k = hermite_energies(solved), np.append(np.arange(DEGREES + 2.0), NOISE_AT)
        seen = k <= 1.0
        top = 1.2 * max(float(part.max()) for part in parts.values())
        frame, labels = (0.0, max(top, 1e-6)), ("degree of the Hermite polynomial", "energy")
        x_range, notes = (-0.7, NOISE_AT + 0.75), ((DEGREES + 1.0, f"≥ {DEGREES + 1}"), (NOISE_AT, "noise"))
    else:
        parts, k = taylor_energies(solved, n), np.arange(DEGREES + 1.0)
        seen = k <= solved.degree
        positive = np.concatenate([part[part > 0.0] for part in parts.values()])
        ends = (max(float(positive.min()), 1e-24), float(positive.max())) if positive.size else (0.1, 1.0)
        frame = (10.0 ** np.floor(np.log10(0.5 * ends[0])), 10.0 ** np.ceil(np.log10(1.5 * ends[1])))
        labels, x_range = ("Taylor order", f"mean square at n = {n}"), (-0.7, DEGREES + 0.7)
    bars = {"kept": (k[seen], parts["phi"][seen]), "rest": (k[~seen], parts["phi"][~seen])}
    bars |= {who: (k, parts[who]) for who in visible}
    return BarScene(*labels, x_range, frame, solved.regime == "lln", bars if values["equivalent"] else {}, notes)


def names(solved: Solved, values: Values) -> dict[str, str]:
    """What the members are called."""
    if solved.regime == "clt":
        return {
            "main": "line and noise",
            "member": f"line and degree {values['carrier']}",
            "other": "tangent at 0",
        }
    bend = f"{float(values['bend'] or 0.0):+g}".replace("-", "−")
    return {"main": "Taylor polynomial", "member": f"with bend {bend}", "other": "Hermite: line and noise"}


def keys(solved: Solved, values: Values) -> list[Key]:
    """The legend."""
    called, visible = names(solved, values), shown(solved, values)
    found = [Key("φ", TRAIN)]
    for who in visible:
        name = called[who] + (" (of the other regime)" if who == "other" else "")
        found.append(Key(name, _COLOURS[who], _DASHES[who]))
    if solved.regime == "clt":
        found.append(Key("error point by point, right", _GREY, "dotted"))
    if values["family"] and solved.family:
        found.append(Key("more of the family", _GREY))
    found.append(Key("t drawn", ACTUAL, "area"))
    if argument_density(solved, int(number(values, "n"))) is not None:
        found.append(Key("its density (own scale)", THIRD))
    if solved.broken:
        return found
    what = "degrees" if solved.regime == "clt" else "orders"
    return [*found, Key(f"{what} that count, bars", TRAIN, "area"), Key("the rest", _GREY, "area")]
