"""What the two figures of the Your matrix lab show: the spectrum under its laws, and its tail."""

from __future__ import annotations

from collections.abc import Mapping

import holoviews as hv
import numpy as np
from numpy.typing import NDArray

from app.parts import curves, spectral
from app.parts.figure import ACTUAL, EQUIVALENT, LINEAR, Figure
from app.parts.matrix_reading import Found
from app.settings import Values
from rmtcore import Diagnosis

Array = NDArray[np.float64]

WHITE, POPULATION = "#0072b2", "#e69f00"
TAIL = curves.CurvePlot(
    (
        curves.Line("permuted", LINEAR, "dashed", dots=False),
        curves.Line("eigenvalues", ACTUAL, "solid"),
        curves.Line("power law", EQUIVALENT, "solid", dots=False),
    )
)
_LEVELS = 0.04, 0.16  # of spikes and what they shrink to, as shares of the height
_FAR = 8.0  # edges of the bulk up to which the largest eigenvalue still leaves room for it
_TAIL_AXES = "eigenvalue λ", "share of eigenvalues ≥ λ"


def declare_spectrum() -> hv.Overlay:
    """The spectral plot with a second law, stems for the population, and lines from spikes to what they shrink to."""
    none = np.zeros(0)
    stems = hv.Segments([], label="population").opts(color=POPULATION, line_width=4)
    tops = hv.Points((none, none), label="population tops").opts(color=POPULATION, size=9)
    white = hv.Curve((none, none), "x", "y", label="white").opts(color=WHITE, line_width=3, line_dash="dashed")
    shrinkage = hv.Segments([], label="shrinkage").opts(color=EQUIVALENT, line_width=1.5, line_alpha=0.7)
    whole = spectral.declare() * white * stems * tops * shrinkage
    return whole.opts(hv.opts.Overlay(responsive=True, show_legend=False))


def paint_nothing(figures: Mapping[str, Figure]) -> None:
    """Clear both figures; their axes stay."""
    for figure in figures.values():
        for label in figure.blueprint.labels:
            columns = figure.columns(label)
            figure.write(label, **{name: column[:0] for name, column in columns.items()})
    for figure, labels in ((figures["main"], ("eigenvalue λ", "density")), (figures["tail"], _TAIL_AXES)):
        figure.axes(*labels, False, False)
        figure.frame((0.0, 1.0), (0.0, 1.0))


def paint_spectrum(figure: Figure, values: Values, found: Found, stale: bool) -> None:
    """Histogram, both laws, permuted outline, edges, spikes, population."""
    d = found.diagnosis
    law, share = d.generalised.law, bulk_share(d)
    samples = {"actual": _sample(d.eigenvalues, np.array([spike.eigenvalue for spike in d.spikes]))}
    if values["permuted"]:
        samples["linear"] = _sample(d.permuted, np.zeros(0))
    scene = spectral.Scene(
        law.grid,
        share * law.density,
        law.weights,
        bulks(d),
        atom_share(d),
        np.array([spike.shrunk for spike in d.spikes]),
        axes(values, d),
        int(values["bins"]),
        samples,
        stale,
    )
    plane = spectral.paint(figure, scene)
    x, density = white_curve(found, str(values["fit"]))
    figure.write("white", x=plane.x(x), y=plane.height(x, density))
    found_at, shrunk = scene.samples["actual"].outliers, scene.outliers
    low, high = (np.full(shrunk.size, share * plane.top) for share in _LEVELS)
    figure.write("shrinkage", x0=plane.x(found_at), y0=low, x1=plane.x(shrunk), y1=high)
    figure.write("outliers", y=high)
    atoms, weights = d.generalised.atoms, d.generalised.weights
    seen = atoms > plane.smallest
    at, top = plane.x(atoms[seen]), 0.9 * plane.top * weights[seen]
    figure.write("population", x0=at, y0=np.zeros(at.size), x1=at, y1=top)
    figure.write("population tops", x=at, y=top)
    for label, flag in _FLAGS.items():
        figure.show(label, bool(values[flag]))
    for label in ("equivalent", "white"):
        figure.style(label, line_alpha=0.3 if stale else 1.0)


_FLAGS = {
    "equivalent": "generalised",
    "atom": "generalised",
    "white": "white",
    "linear": "permuted",
    "population": "population",
    "population tops": "population",
}


def paint_tail(figure: Figure, values: Values, found: Found, stale: bool) -> None:
    """The share of eigenvalues above each, log-log, and the power law on its window."""
    curves.paint(figure, TAIL, tail_scene(values, found, stale))
    for axis in ("x", "y"):
        figure.decades(axis, True)
    for label in ("permuted", "power law", "threshold"):
        figure.style(label, line_alpha=0.3 if stale else 1.0)


def tail_scene(values: Values, found: Found, stale: bool) -> curves.CurveScene:
    """What the second figure shows; every eigenvalue that is not zero."""
    d = found.diagnosis
    x, share = survival(d.eigenvalues)
    lines = {"eigenvalues": (x, share)}
    if values["permuted"]:
        lines["permuted"] = survival(d.permuted)
    windows: tuple[float, ...] = ()
    if d.tail is not None:
        at = np.array([d.tail.start, d.tail.end])
        lines["power law"] = at, d.tail.size / d.eigenvalues.size * (at / d.tail.start) ** (1.0 - d.tail.alpha)
        windows = (d.tail.start,)
    # What is far below the bulk says nothing of the tail; two decades hold two ticks or more.
    end = 1.25 * max([float(x[-1]), *(float(line[0][-1]) for line in lines.values())])
    low = min(0.8 * max(float(x[0]), 0.02 * float(np.median(x))), end / 100.0)
    return curves.CurveScene(
        *_TAIL_AXES, (low, end), (min(0.6 / d.eigenvalues.size, 0.009), 1.5), True, True, lines,
        {"eigenvalues": {"actual": (x, share, np.zeros(x.size))}}, thresholds=windows, stale=stale,
    )  # fmt: skip


def survival(eigenvalues: Array) -> tuple[Array, Array]:
    """The eigenvalues that are not zero, ascending, and which share of all is at least as large."""
    count = eigenvalues.size
    keep = eigenvalues > 0
    return eigenvalues[keep], ((count - np.arange(count)) / count)[keep]


def axes(values: Values, d: Diagnosis) -> str:
    """The axes: logarithmic by itself where on a linear one the bulk would be a line."""
    if values["axes"] != "auto":
        return str(values["axes"])
    return "log" if d.eigenvalues[-1] > _FAR * d.edge.position else "linear"


def bulk_share(d: Diagnosis) -> float:
    """What a density of the generalised law is multiplied by: of W'W without spikes -> of all min(n, p) eigenvalues.

    Of the law's `dim` eigenvalues min(n, dim) are no trivial zeros; they stand for what is left without the spikes.
    """
    dim, count = d.generalised.network.population.dim, d.eigenvalues.size
    left_out = d.shape[1] - dim
    return float((count - left_out) / count * dim / min(d.rows, dim))


def atom_share(d: Diagnosis) -> float:
    """Zeros that the generalised law has, beyond those of the larger side, as a share of the min(n, p) eigenvalues."""
    trivial = max(0.0, 1.0 - d.rows / d.generalised.network.population.dim)
    share = (d.generalised.law.atom - trivial) * bulk_share(d)
    return float(share) if share > 1e-9 else 0.0


def bulks(d: Diagnosis) -> Array:
    """(bulks, 2) edges of the law that the spikes are held against."""
    return np.array([d.white.edges]) if d.model == "white" else d.generalised.law.bulks


def white_curve(found: Found, fit: str) -> tuple[Array, Array]:
    """Points (k,) and density there of the fitted Marchenko-Pastur law among the min(n, p) eigenvalues.

    With x = 1 + r - 2 sqrt(r) cos t, r <= 1, the density in x is sin t / (pi sqrt(r) x).
    """
    d = found.diagnosis
    law = d.effective if fit == "both" else d.white
    if law.variance == 0.0:
        return np.zeros(0), np.zeros(0)
    r, unit = min(law.ratio, 1.0 / law.ratio), law.variance * max(d.rows, d.shape[1]) / d.rows
    t = np.linspace(0.0, np.pi, 402)[1:-1]
    x = 1.0 + r - 2.0 * np.sqrt(r) * np.cos(t)
    share = 1.0 - found.white_spikes / d.eigenvalues.size
    return unit * x, share * np.sin(t) / (np.pi * np.sqrt(r) * x * unit)


def _sample(eigenvalues: Array, spikes: Array) -> spectral.Sample:
    positive = eigenvalues[eigenvalues > 0]
    return spectral.Sample(positive, eigenvalues.size, 1.0 - positive.size / eigenvalues.size, spikes)
