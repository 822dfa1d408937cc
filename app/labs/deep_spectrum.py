"""Deep networks, second view: spectra at widths in proportion to the samples, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.labs import deep_python
from app.labs.base import Key, Lamp, Readout, Report, Table, Task
from app.labs.deep_kernel_theory import DEEPEST
from app.labs.deep_settings import CHANCE_ONLY, LOOKS, counting, jumps, sizes
from app.labs.deep_view import (
    SPECTRAL_KEYS,
    View,
    activation_of,
    jump_lamp,
    layers_in_words,
    outliers_of,
    paint_spectrum,
    sample,
    scaled,
    size_lamp,
    waiting,
)
from app.labs.learning_settings import number
from app.parts import ridgeline
from app.parts.deep_trials import Layered, layered
from app.parts.figure import EQUIVALENT, MARK, Figure
from app.settings import Values
from rmtcore import (
    Layer,
    Network,
    Population,
    Spectrum,
    kolmogorov_smirnov,
    spectrum,
    tangent_spectrum,
    tangent_weights,
    wasserstein1,
    z_score,
)

Array = NDArray[np.float64]

LEVELS = ridgeline.Ridgeline(DEEPEST)


@dataclass(frozen=True, eq=False)
class Theory:
    """Laws of the conjugate kernels X_l'X_l of all layers, and of the tangent kernel where it is asked for.

    Attributes
    ----------
    weights, floor : what the tangent kernel is made of; empty and 0 otherwise.
    mean : eigenvalue of the kernel in the large figure.
    """

    network: Network
    levels: tuple[Spectrum, ...]
    tangent: Spectrum | None
    weights: Array
    floor: float
    mean: float
    notices: tuple[str, ...]

    @property
    def law(self) -> Spectrum:
        """The one in the large figure."""
        return self.levels[-1] if self.tangent is None else self.tangent


def _mean(network: Network, weights: Array, floor: float) -> float:
    """Mean eigenvalue of floor I + sum_l weights_l X_l'X_l, outliers included, which the density of a bulk is not."""
    variances = [network.population.variance, *(1.0 for _ in network.layers)]
    return floor + float(weights @ variances)


def _wants_tangent(values: Values) -> bool:
    return values["which"] == "ntk" and not jumps(values)


@lru_cache(maxsize=256)
def _solve(settings: tuple[tuple[str, Any], ...], most_entries: int) -> Theory:
    values = dict(settings)
    width, depth = float(values["width"]), int(values["depth"])
    # The largest matrix is n x n, d x n or d x d.
    p, n, notices = sizes(values, "size", int(most_entries / max(1.0, width) ** 2))
    layers = [Layer(max(2, round(width * n)), str(values["activation"]), normalise=True)] * depth
    population = Population.mixture(float(values["mean_norm2"]), p)
    networks = [Network(population, layers[: top + 1], samples=n) for top in range(depth)]
    levels = tuple(scaled(spectrum(one, 240, "gram"), n / one.feature_dim) for one in networks)
    if not _wants_tangent(values):
        return Theory(networks[-1], levels, None, np.zeros(0), 0.0, 1.0, notices)  # the layers are normalised
    weights, floor = tangent_weights(networks[-1])
    mean = _mean(networks[-1], weights, floor)
    return Theory(networks[-1], levels, tangent_spectrum(networks[-1]), weights, floor, mean, notices)


class SpectrumView(View):
    """The kernel of the last layer, large; the conjugate kernels of all layers, one below the other."""

    figures = ("spectrum", "levels")

    def pick(self, values: Values, figure: str, x: float, y: float) -> Values:
        """A row is a depth."""
        if figure != "levels":
            return {}
        depth = int(number(values, "depth"))
        return {"depth": round(float(np.clip(depth - np.floor(y), 1, DEEPEST)))}

    def theory(self, values: Values, most_entries: int) -> Theory:
        """All laws."""
        return _solve(counting(values, LOOKS | CHANCE_ONLY), most_entries)

    def task(self, values: Values, theory: Theory, most_entries: int) -> Task:
        """One network a round."""
        seed, rounds = int(number(values, "seed")), int(number(values, "draws"))
        args = theory.network, theory.tangent is not None, seed
        return Task((most_entries, counting(values, LOOKS)), layered, args, rounds)

    def observed(self, theory: Theory, observed: Any) -> Layered | None:
        """Spectra of as many layers, of this kernel and size."""
        if not isinstance(observed, Layered):
            return None
        n, depth = theory.network.samples, len(theory.levels)
        tangent = theory.tangent is not None
        fits = observed.levels.shape[1:] == (depth, n) and (observed.tangent.shape[1] > 0) == tangent
        return observed if fits else None

    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Theory, observed: Any, stale: bool) -> None:
        """Patch both figures."""
        law, shown = theory.law, bool(values["equivalent"])
        samples, positions = {}, outliers_of(law)
        if observed is not None:
            actual = observed.levels[:, -1] if theory.tangent is None else observed.tangent
            found = observed.outliers if theory.tangent is None else np.zeros(0)
            zeros = law.atom > 0.0 and law.atom_at == 0.0
            both = {"actual": sample(actual, zeros, found), "linear": sample(observed.linear, zeros)}
            samples = {name: one for name, one in both.items() if values[name]}
        paint_spectrum(
            figures["spectrum"], law, samples, positions, "log" if theory.tangent is None else "linear", shown, stale
        )
        rows = [
            ridgeline.Row(one.grid, one.density, None if observed is None else np.sort(observed.levels[:, top].ravel()))
            for top, one in enumerate(theory.levels)
        ]
        names = [f"layer {top + 1}" for top in range(len(rows))]
        ridgeline.paint(figures["levels"], LEVELS, rows, names, (bool(values["actual"]), shown), stale)

    def report(self, values: Values, theory: Theory, observed: Any) -> Report:
        """Distances to the law, edges, what the depth does."""
        label = activation_of(values)
        keys = [*SPECTRAL_KEYS, Key("predicted outlier", EQUIVALENT, "square"), Key("found", MARK, "dot")]
        return Report(
            _readouts(theory, observed),
            _explain(values, theory, label),
            _lamps(values, theory, label),
            list(theory.notices),
            keys[:3] if theory.tangent is not None else keys,
        )

    def table(self, values: Values, theory: Theory, observed: Any) -> list[Table]:
        """Densities and eigenvalues."""
        tables = []
        if theory.tangent is not None:
            tables.append(Table("Tangent kernel, limit", {"λ": theory.tangent.grid, "density": theory.tangent.density}))
            tables.append(Table("Its weights", {"layer": np.arange(theory.weights.size), "q": theory.weights}))
        for top, law in enumerate(theory.levels):
            tables.append(Table(f"Conjugate kernel, layer {top + 1}, limit", {"λ": law.grid, "density": law.density}))
        if observed is not None:
            columns = {
                f"layer {top + 1}": np.sort(observed.levels[:, top].ravel()) for top in range(len(theory.levels))
            }
            if theory.tangent is not None:
                columns["tangent"] = np.sort(observed.tangent.ravel())
            tables.append(
                Table("Eigenvalues, actual", columns | {"linear equivalent": np.sort(observed.linear.ravel())})
            )
        return tables

    def python(self, values: Values, theory: Theory, observed: Any) -> str:
        """The same with rmtcore alone."""
        return deep_python.spectrum(values, theory)


def _readouts(theory: Theory, observed: Layered | None) -> list[Readout]:
    law, n, tangent = theory.law, theory.network.samples, theory.tangent is not None
    labels = "KS distance, actual", "KS distance, linear", "W1 distance, actual", "Mean eigenvalue, z-score"
    bulk = "; ".join(f"[{left:.3g}, {right:.3g}]" for left, right in law.bulks[:3])
    more = f" and {len(law.bulks) - 3} more" if len(law.bulks) > 3 else ""
    at = f"at r₊ = {law.atom_at:.3g}" if tangent else "at 0"
    last = [
        Readout(
            "Bulk" if len(law.bulks) == 1 else f"{len(law.bulks)} bulks",
            bulk + more,
            "no tangent eigenvalue below r₊" if tangent else "widens with every layer",
        ),
        Readout("Atom", f"{law.atom:.3g}", at),
    ]
    if observed is None:
        return [*waiting(*labels), *last]
    actual = observed.tangent if tangent else observed.levels[:, -1]
    distances = [np.array([kolmogorov_smirnov(one, law) for one in part]) for part in (actual, observed.linear)]
    area = float(np.mean([wasserstein1(one, law) for one in actual]))
    width = theory.network.feature_dim
    smallest = min(width, theory.network.population.dim, n)
    limit = 0.02 + 4.0 / n + 0.5 / smallest**0.5
    found = [
        Readout(f"KS distance, {name}", f"{ks.mean():.4f}", f"one eigenvalue is {1.0 / n:.2g}", bool(ks.mean() < limit))
        for name, ks in zip(("actual", "linear"), distances, strict=True)
    ]
    if tangent:  # the diagonal strays by 1/sqrt(d) in every layer: no fault, but no agreement to boast of either
        slow = f"closes in like 1/√d = {width**-0.5:.2f}, slower with depth"
        found[0] = replace(found[0], detail=slow, good=found[0].good or None)
    found.append(Readout(labels[2], f"{area:.3g}", "area between the two cdfs"))
    means = actual.mean(axis=1)
    if means.size < 2 or np.ptp(means) < 1e-12:
        found.append(Readout(labels[3], "…", "needs two repetitions"))
    else:
        expected = theory.mean
        score = z_score(means, expected)
        off = abs(score.mean / expected - 1.0)
        near = abs(score.z) < 3 or off < (4.0 if tangent else 1.0) * len(theory.levels) / smallest
        found.append(
            Readout(
                labels[3],
                f"{score.z:+.2f}".replace("-", "−"),
                f"{score.mean:.4f}, predicted {expected:.4f}",
                bool(near),
            )
        )
    return found + last


def _explain(values: Values, theory: Theory, label: str) -> list[str]:
    n, width, depth = theory.network.samples, theory.network.feature_dim, len(theory.levels)
    first, last = theory.levels[0], theory.levels[-1]
    words = [
        f"{layers_in_words(depth, label)} of d = {width} neurons on n = {n} samples: widths in proportion to the "
        "samples, "
        "so the kernels stay random and their spectra spread. Every layer is one more step of the same map κ → λ."
    ]
    if values["which"] == "ntk" and jumps(values):
        words.append(f"{label} jumps, so there is no tangent kernel: the conjugate kernel is shown instead.")
    if depth > 1:
        words.append(
            f"From the first layer to the last the largest eigenvalue of the bulk goes from {first.bulks[-1, 1]:.3g} "
            "to "
            f"{last.bulks[-1, 1]:.3g}, while the mean stays 1: each random layer of width d spreads the spectrum by "
            f"about n/d = {n / width:.3g}."
        )
    if theory.tangent is not None:
        q = theory.weights
        words.append(
            f"The tangent kernel is r₊ I plus the conjugate kernels of all layers, layer l with weight q_l: the data "
            f"{q[0]:.3g}, the last layer 1, and r₊ = {theory.floor:.3g} (Fan and Wang, 2020). It is never singular: "
            "that is why gradient descent on all weights can fit anything."
        )
        words.append(
            "The actual kernel approaches this law slowly, like 1/√d, and the more slowly the deeper: every sample's "
            "gradient carries a random factor from each layer. Raise p, and with it n and d, and it closes in."
        )
    else:
        words.append(_outlier(theory))
    return words


def _outlier(theory: Theory) -> str:
    if theory.network.blind():
        return "The activation is even: it does not pass on the class means, and no outlier leaves the bulk."
    apart = [one for one in theory.levels[-1].outliers if one.separated]
    if not apart:
        return "The class direction is too weak to leave the bulk after so many layers (raise |μ|², n or d)."
    return (
        f"The class means stand out as one eigenvalue at {apart[0].position:.3g}; its eigenvector has squared "
        f"cosine {apart[0].score_overlap:.2f} with the classes' direction in the samples."
    )


def _lamps(values: Values, theory: Theory, label: str) -> list[Lamp]:
    smallest = min(theory.network.population.dim, theory.network.samples, theory.network.feature_dim)
    found = [size_lamp(smallest)]
    if values["which"] == "ntk":
        found.append(jump_lamp(label, jumps(values)))
        found.append(
            Lamp(
                "bulk alone",
                theory.tangent is not None,
                "The law of the tangent kernel is that of its bulk: the one eigenvalue of the class means, "
                "out "
                "on the right, is not in it.",
            )
        )
    return found
