"""Spectrum: the eigenvalues of a network's features, three times over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np

from app.labs import spectrum_python
from app.labs.base import Lab, Readout, Report, Table, Task
from app.labs.spectrum_formulas import FORMULAS
from app.labs.spectrum_settings import SCHEMA
from app.labs.spectrum_words import explain, lamps
from app.parts import spectral
from app.parts.figure import Declare, Figure
from app.settings import Values
from rmtcore import Layer, Network, Observation, Population, Spectrum, observe, spectrum, z_score
from rmtcore.datasets import digits
from rmtcore.experiment import largest_matrix

# What changes neither the law nor the draw.
_DISPLAY = {"side", "bins", "axes", "actual", "linear", "equivalent"}
_CHANCE = {"seed", "draws", "dof"}  # nor what changes the draw alone (entries decide on its cost)
_SMALLEST = 20


@dataclass(frozen=True, eq=False)
class Theory:
    """The network of the settings, its law on the chosen side, and what had to be adapted."""

    network: Network
    law: Spectrum
    notices: tuple[str, ...]


class SpectrumLab(Lab):
    """Histogram of an actual draw, outline of its linear equivalent, deterministic density on top."""

    name = "spectrum"
    title = "Spectrum"
    summary = "Eigenvalues of random features: drawn, linearised and predicted."
    schema = SCHEMA
    formulas = FORMULAS
    presets = (
        ("Marchenko and Pastur: white data, wide spectrum", "ratio=0.5&size=1000"),
        ("As many samples as dimensions: a hard edge", "ratio=1&size=800"),
        ("Fewer samples than dimensions: an atom at zero", "ratio=3&size=900"),
        ("Two atoms, two bulks", "data=atoms2&s2=10&ratio=0.2&size=600&bins=80"),
        ("A spike that shows", "data=spiked&spike=4&ratio=0.5&size=800"),
        ("A spike that does not (below 1 + √c)", "data=spiked&spike=1.5&ratio=0.5&size=800"),
        ("One tanh layer: actual, linear, deterministic", "depth=1&size=600"),
        ("Ten layers deep", "depth=10&size=200"),
        ("Real digits", "data=digits&ratio=0.1"),
        ("Tails too heavy for the theorem", "entries=student&dof=2.5&size=600"),
    )

    @property
    def figures(self) -> Mapping[str, Declare]:
        """One figure."""
        return {"main": spectral.declare}

    def equivalent(self, values: Values) -> Theory:
        """The law of the feature covariance or the Gram matrix."""
        network, notices = _network(SCHEMA.counting(values, _DISPLAY | _CHANCE), self.most_entries)
        return Theory(network, _law(network, cast("Any", values["side"])), notices)

    def experiment(self, values: Values) -> Task:
        """Actual and linear draws; display settings leave the draw as it is."""
        network, _ = _network(SCHEMA.counting(values, _DISPLAY | _CHANCE), self.most_entries)
        chance = int(_number(values, "seed")), int(_number(values, "draws"))
        readings = ("actual", "linear") if network.layers else ("actual",)
        entries, dof = values["entries"], _number(values, "dof")
        key = (self.name, self.most_entries, SCHEMA.counting(values, _DISPLAY))
        return Task(key, observe, (network, *chance, readings, entries, dof))

    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Theory, observed: Any, stale: bool) -> None:
        """Patch the figure."""
        law = theory.law
        samples = {
            reading: _sample(one, values, reading) for reading, one in (observed or {}).items() if values[reading]
        }
        scene = spectral.Scene(
            law.grid,
            law.density,
            law.weights,
            law.bulks,
            law.atom,
            np.array([outlier.position for outlier in law.outliers if outlier.separated]),
            _axes(values),
            int(_number(values, "bins")),
            samples,
            stale,
        )
        figure = figures["main"]
        spectral.paint(figure, scene)
        for label in ("equivalent", "edges", "outliers", "atom"):
            figure.show(label, bool(values["equivalent"]))

    def report(self, values: Values, theory: Theory, observed: Any) -> Report:
        """Agreement first, then edges, atom, largest eigenvalue, solver, time."""
        actual = observed.get("actual") if observed else None
        linear = observed.get("linear") if observed else None
        readouts = [
            *_agreement(values, theory, actual, linear),
            *_positions(theory, actual),
            _health(theory.law),
            Readout("Draw time", f"{1e3 * actual.seconds:.0f} ms" if actual else "…", "in a worker process"),
        ]
        return Report(
            readouts,
            explain(values, theory.network, theory.law, actual),
            lamps(values, theory.network),
            list(theory.notices),
        )

    def table(self, values: Values, theory: Theory, observed: Any) -> list[Table]:
        """Density curve, bulks, outliers, eigenvalues."""
        law = theory.law
        tables = [
            Table("Deterministic equivalent", {"λ": law.grid, "density": law.density}),
            Table("Bulks", {"left edge": law.bulks[:, 0], "right edge": law.bulks[:, 1]}),
        ]
        if law.outliers:
            columns = {
                "spike s": [outlier.spike for outlier in law.outliers],
                "position": [outlier.position for outlier in law.outliers],
                "overlap": [outlier.overlap for outlier in law.outliers],
                "score overlap": [outlier.score_overlap for outlier in law.outliers],
            }
            tables.append(Table("Outliers, predicted", columns))
        for reading, one in (observed or {}).items():
            tables.append(Table(f"Non-zero eigenvalues, {reading}", {"λ": one.eigenvalues}))
        return tables

    def python(self, values: Values, theory: Theory, observed: Any) -> str:
        """The same with rmtcore alone."""
        return spectrum_python.python(values, theory.network, theory.law)


def _number(values: Values, name: str) -> float:
    return float(cast("float", values[name]))


@lru_cache(maxsize=512)
def _network(settings: tuple[tuple[str, Any], ...], most_entries: int) -> tuple[Network, tuple[str, ...]]:
    """The network of these settings, made smaller where its matrices would pass the limit."""
    values = dict(settings)
    wanted = int(values.get("size", 0))  # real data have their own
    size, share = wanted, 1.0
    while True:
        network, notices = _sized(values, size, share)
        excess = largest_matrix(network, values.get("entries", "student")) / most_entries
        if excess <= 1.0:
            break
        if size > _SMALLEST:
            size = max(_SMALLEST, int(size / max(np.sqrt(excess), 1.01)))
        else:
            share /= max(np.sqrt(excess), 1.01)
    if size < wanted:
        told = f"p = {wanted} would need a matrix of more than {most_entries:,} entries; p = {size} is drawn."
        notices = (told, *notices)
    if share < 1.0:
        told = f"Layers so wide would need matrices of more than {most_entries:,} entries; narrower ones are drawn."
        notices = (told, *notices)
    return network, notices


def _sized(values: dict[str, Any], size: int, share: float) -> tuple[Network, tuple[str, ...]]:
    """The network at dimension `size`, its layers narrowed to a `share` of their width."""
    population = _population(values, size)
    wanted = max(1, round(population.dim / values["ratio"]))
    samples, notices = wanted, tuple[str, ...]()
    if population.data is not None and wanted > population.data.shape[1]:
        samples = population.data.shape[1]
        notices = (f"There are {samples} digits: n = {samples} instead of {wanted}.",)
    layers = []
    for layer in range(1, int(values["depth"]) + 1):
        ratio = values[f"width{layer}"] or values["width"]
        activation = values[f"activation{layer}"] or values["activation"]
        layers.append(Layer(max(1, round(ratio * samples * share)), activation, normalise=True))
    return Network(population, layers, samples=samples), notices


def _population(values: dict[str, Any], size: int) -> Population:
    kind = values["data"]
    if kind == "atoms2":
        return Population.atoms([1.0, values["s2"]], [1.0 - values["w2"], values["w2"]], size)
    if kind == "atoms3":
        rest = (1.0 - values["w3"]) * np.array([1.0 - values["w2"], values["w2"]])
        return Population.atoms([1.0, values["s2"], values["s3"]], [*rest, values["w3"]], size)
    if kind == "toeplitz":
        return Population.toeplitz(values["rho"], size)
    if kind == "power_law":
        raw = Population.power_law(values["alpha"], size)
        return Population.atoms(raw.eigenvalues / raw.variance, np.ones(size), size)
    if kind == "spiked":
        spikes = [spike for spike in (values["spike"], values["spike2"]) if spike != 1.0]
        return Population.spiked(spikes, size) if spikes else Population.identity(size)
    if kind == "mixture":
        return Population.mixture(values["mean_norm2"], size)
    return digits() if kind == "digits" else Population.identity(size)


@lru_cache(maxsize=512)
def _law(network: Network, side: Any) -> Spectrum:
    return spectrum(network, matrix=side)


def _axes(values: Values) -> str:
    """The axes; automatic ones hang on choices alone, so that they never change under a moving slider."""
    if values["axes"] != "auto":
        return str(values["axes"])
    return "log" if values["data"] in ("power_law", "digits") or _number(values, "depth") > 0 else "linear"


def _sample(one: Observation, values: Values, reading: str) -> spectral.Sample:
    total = one.shape[1 if values["side"] == "gram" else 0] * one.ks.size
    # Rounding turns exact zeros into noise; they belong to the atom all the same.
    positive = one.eigenvalues > 1e-10 * one.eigenvalues[-1]
    found = one.outliers.ravel() if reading == "actual" else np.zeros(0)
    return spectral.Sample(one.eigenvalues[positive], total, float(total - positive.sum()) / total, found)


def _agreement(values: Values, theory: Theory, actual: Observation | None, linear: Observation | None) -> list[Readout]:
    """KS and W1 of both readings, on the side that is shown."""
    network = theory.network
    factor = network.feature_dim / network.samples if values["side"] == "gram" else 1.0
    size = network.samples if values["side"] == "gram" else network.feature_dim
    readouts = []
    for name, one in (("actual", actual), ("linear", linear)):
        if one is None and (name == "linear" and not network.layers):
            continue
        if one is None:
            readouts += [
                Readout(f"KS distance, {name}", "…", "drawing"),
                Readout(f"W1 distance, {name}", "…", "drawing"),
            ]
            continue
        ks, w1 = factor * one.ks, factor * one.w1
        step = 1.0 / size
        detail = f"one eigenvalue is {step:.2g}" + (f"; ± {_error(ks):.2g}" if ks.size > 1 else "")
        readouts.append(Readout(f"KS distance, {name}", f"{ks.mean():.4f}", detail, bool(ks.mean() < 0.02 + 4 * step)))
        readouts.append(Readout(f"W1 distance, {name}", f"{w1.mean():.4g}", "area between the two cdfs"))
    label = "Mean eigenvalue, z-score"
    if actual is None and values["draws"] != 1:
        readouts.append(Readout(label, "…", "drawing"))
    elif actual is not None and np.ptp(actual.mean) > 1e-9 * actual.mean.mean():
        score = z_score(actual.mean, network.moments()[-1].variance if network.layers else network.population.variance)
        readouts.append(
            Readout(
                label,
                f"{score.z:+.2f}",
                f"{score.mean:.4f} ± {score.standard_error:.2g}",
                bool(abs(score.z) < 3),
            )
        )
    return readouts


def _error(values: np.ndarray[Any, Any]) -> float:
    return float(values.std(ddof=1) / np.sqrt(values.size))


def _positions(theory: Theory, actual: Observation | None) -> list[Readout]:
    """Edges, outliers, atom, largest eigenvalue: a projector shows the first of them only."""
    law = theory.law
    shown = "; ".join(f"[{left:.4g}, {right:.4g}]" for left, right in law.bulks[:3])
    more = f" and {len(law.bulks) - 3} more" if len(law.bulks) > 3 else ""
    readouts = [
        Readout("Bulk" if len(law.bulks) == 1 else f"{len(law.bulks)} bulks", shown + more, "edges from dλ/dκ = 0"),
        *(_outlier(outlier, actual, index) for index, outlier in enumerate(law.outliers)),
        Readout("Atom at 0", f"{law.atom:.4g}", "mass of the zero eigenvalues"),
    ]
    top = max([law.bulks[-1, 1], *(outlier.position for outlier in law.outliers)])
    what = "outlier" if top > law.bulks[-1, 1] else "edge"
    largest = "…" if actual is None else f"{actual.largest.mean():.4g}"
    readouts.append(Readout("Largest eigenvalue", largest, f"{what} predicted at {top:.4g}"))
    return readouts


def _outlier(outlier: Any, actual: Observation | None, index: int) -> Readout:
    label = f"Spike s = {outlier.spike:.4g}"
    if not outlier.separated:
        return Readout(label, "no outlier", f"it stays in the bulk, at the edge {outlier.position:.4g}")
    behind = bool(np.isnan(outlier.overlap))
    predicted = outlier.score_overlap if behind else outlier.overlap
    detail = f"{'score overlap' if behind else 'overlap'} {predicted:.3f}"
    value = f"λ = {outlier.position:.4g}"
    if actual is not None:
        overlaps = (actual.score_overlap if behind else actual.overlap)[:, index]
        value += f", found {actual.outliers[:, index].mean():.4g}"
        detail += f", found {overlaps.mean():.3f}"
    return Readout(label, value, detail)


def _health(law: Spectrum) -> Readout:
    health = law.health
    good = health.certified and health.residual < 1e-9 and health.mass_error < 1e-4
    detail = (
        f"residual {health.residual:.0e}, {health.steps:.1f} Newton steps a point, "
        f"mass error {health.mass_error:.0e}, {law.grid.size} points"
    )
    return Readout("Solver", "certified" if good else "NOT certified", detail, good)
