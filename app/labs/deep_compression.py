"""Deep networks, fifth view: ternary activations and sparse ternary weights with the kernel of the original."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.labs import deep_python
from app.labs.base import Key, Lamp, Readout, Report, Table, Task
from app.labs.deep_kernel_theory import BLIND
from app.labs.deep_settings import CHANCE_ONLY, LOOKS, counting, sizes
from app.labs.deep_view import (
    View,
    activation_of,
    gap_and_z,
    layers_in_words,
    outliers_of,
    paint_spectrum,
    sample,
    scaled,
    size_lamp,
)
from app.labs.learning_settings import number
from app.parts.curves import TEST, TRAIN, CurvePlot, CurveScene, Line, paint
from app.parts.deep_trials import Pressed, pressed
from app.parts.figure import ACTUAL, EQUIVALENT, LINEAR, Figure
from app.settings import Values
from rmtcore import (
    Activation,
    Coefficients,
    Compressed,
    InfiniteNetwork,
    Layer,
    Network,
    Population,
    Spectrum,
    coefficients,
    compress,
    get_activation,
    memory_bits,
    spectrum,
    standard_error,
)
from rmtcore.scaling import sweep

Array = NDArray[np.float64]

ERRORS = CurvePlot((Line("dense", TEST), Line("ternary", TRAIN, "dashed")))
FUNCTIONS = CurvePlot((Line("given", TEST, dots=False), Line("matched", TRAIN, "dashed", dots=False)))
_REACH = 3.0  # of the functions' plot, in standard deviations of the argument
_POINTS, _DOTS = 41, 6
_RATIOS = (0.25, 8.0)  # widths per sample


@dataclass(frozen=True, eq=False)
class Theory:
    """Both networks, their errors along the width, and the memory that they take.

    Attributes
    ----------
    small : the compressed network; None where no ternary activation matches.
    ridges : on the kernels of the two.
    widths : of the curves; bits, tests : (2, k) of dense and ternary.
    drawn : widths of the experiment.
    law : of the given network's kernel at infinite width; None where it keeps nothing of X'X.
    """

    network: InfiniteNetwork
    small: Compressed | None
    rows: tuple[Coefficients, ...]
    ridges: tuple[float, float]
    dim: int
    samples: int
    widths: Array
    bits: Array
    tests: Array
    drawn: tuple[int, ...]
    law: Spectrum | None
    notices: tuple[str, ...]


@lru_cache(maxsize=128)
def _pressed(activation: str, depth: int) -> tuple[InfiniteNetwork, Compressed | None]:
    """The network and its compressed form, None where the library finds no match."""
    network = InfiniteNetwork([activation] * depth, 1.0)
    try:
        return network, compress(network)
    except ValueError:  # it says so of functions that have no match: a lamp does here
        return network, None


@lru_cache(maxsize=128)
def _solve(settings: tuple[tuple[str, Any], ...], most_entries: int) -> Theory:
    values = dict(settings)
    activation, depth = str(values["activation"]), int(values["layers"])
    # The largest matrix is d x d, d = 8 n.
    p, n, notices = sizes(values, "dim", int(most_entries / _RATIOS[1] ** 2))
    network, small = _pressed(activation, depth)
    offset = 0.0 if small is None else small.offset
    gamma = float(values["ridge"])
    ridges = gamma + max(-offset, 0.0), gamma + max(offset, 0.0)
    ridges = ridges[1], ridges[0]  # the ternary kernel carries `offset` more of the identity
    population = Population.mixture(float(values["mean_norm2"]), p)
    widths = np.unique(np.geomspace(_RATIOS[0] * n, _RATIOS[1] * n, _POINTS).round())
    tests, bits = np.full((2, widths.size), np.nan), np.full((2, widths.size), np.nan)
    kinds: list[list[Activation]] = [[get_activation(activation)] * depth]
    kinds += [list(small.network.activations)] if small is not None else []
    for row, kind in enumerate(kinds):
        one = Network(population, [Layer(n, layer) for layer in kind], samples=n)
        tests[row] = sweep(one, widths=widths, ridge=ridges[row] * widths / n).test
        share = 1.0 if row == 0 else 1.0 - float(values["sparsity"])
        bits[row] = [_memory(p, int(width), depth, share, row == 1) for width in widths]
    drawn = tuple(int(one) for one in np.unique(np.geomspace(_RATIOS[0] * n, _RATIOS[1] * n, _DOTS).round()))
    rows = coefficients(network)
    weight, size = rows[-1].a1, rows[-1].tau ** 2
    law = None
    if weight > BLIND:  # else the kernel keeps nothing of X'X
        law = scaled(spectrum(Network(population, samples=n), 240, "gram"), weight * n / p, size - weight)
    return Theory(network, small, rows, ridges, p, n, widths, bits, tests, drawn, law, notices)


def _memory(p: int, width: int, depth: int, share: float, light: bool) -> float:
    """Bits of all hidden weights."""
    total = 0
    for below in [p] + [width] * (depth - 1):
        memory = memory_bits((width, below), round(share * width * below))
        total += min(memory.masked, memory.listed) if light else memory.dense
    return float(total)


class CompressionView(View):
    """Test error against bits; the spectra of both kernels; the two activations."""

    figures = ("errors", "spectrum", "functions")

    def theory(self, values: Values, most_entries: int) -> Theory:
        """Curves and law."""
        return _solve(counting(values, LOOKS | CHANCE_ONLY), most_entries)

    def task(self, values: Values, theory: Theory, most_entries: int) -> Task:
        """Both networks at all widths, on the same data, a round."""
        small = None if theory.small is None else theory.small.network
        args = (
            theory.network,
            small,
            number(values, "mean_norm2"),
            theory.dim,
            theory.samples,
            theory.drawn,
            theory.ridges,
            number(values, "sparsity"),
            int(number(values, "seed")),
        )
        return Task((most_entries, counting(values, LOOKS)), pressed, args, int(number(values, "draws")))

    def observed(self, theory: Theory, observed: Any) -> Pressed | None:
        """Errors at as many widths, spectra of this size."""
        if not isinstance(observed, Pressed):
            return None
        shape = observed.dense.shape[1], observed.dense_spectrum.shape[1]
        return observed if shape == (len(theory.drawn), theory.samples) else None

    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Theory, observed: Any, stale: bool) -> None:
        """Patch the three figures."""
        shown, drawn, matched = (
            bool(values["equivalent"]),
            values["actual"] and observed is not None,
            theory.small is not None,
        )
        names = ("dense", "ternary") if matched else ("dense",)
        lines = {name: (theory.bits[row], theory.tests[row]) for row, name in enumerate(names)} if shown else {}
        dots = {name: {"actual": _dots(theory, observed, row)} for row, name in enumerate(names)} if drawn else {}
        span = 10.0 ** np.floor(np.log10(np.nanmin(theory.bits))), 10.0 ** np.ceil(np.log10(np.nanmax(theory.bits)))
        low, high = float(np.nanmin(theory.tests)), float(np.nanmax(theory.tests))
        height = max(0.0, low - 0.6 * (high - low) - 0.02), high + 0.25 * (high - low) + 0.02
        paint(
            figures["errors"],
            ERRORS,
            CurveScene(
                "memory of the hidden weights, bits",
                "test error",
                (float(span[0]), float(span[1])),
                height,
                True,
                False,
                lines,
                dots,
                stale=stale,
            ),
        )
        figures["errors"].decades("x", True)
        samples = {}
        if drawn:
            samples["actual"] = sample(observed.dense_spectrum, False, observed.dense_spectrum[:, -1])
            if theory.small is not None:
                samples["linear"] = sample(observed.light_spectrum - theory.small.offset)
        paint_spectrum(figures["spectrum"], theory.law, samples, outliers_of(theory.law), "linear", shown, stale)
        paint(figures["functions"], FUNCTIONS, _functions(theory))

    def report(self, values: Values, theory: Theory, observed: Any) -> Report:
        """Bits, errors, the match."""
        keys = [
            Key("given activation, Gaussian weights in 32 bits", TEST),
            Key("matched activation, sparse ternary weights", TRAIN, "dashed"),
            Key("trained", TEST, "dot"),
            Key("infinite width: kernel of the given network", ACTUAL, "area"),
            Key("of the ternary one, less its offset", LINEAR, "dashed"),
            Key("limit", EQUIVALENT),
        ]
        readouts, words = _readouts(values, theory, observed), _explain(values, theory)
        return Report(readouts, words, _lamps(theory), list(theory.notices), keys)

    def table(self, values: Values, theory: Theory, observed: Any) -> list[Table]:
        """Curves, dots, spectra."""
        columns = {"d": theory.widths}
        for row, name in enumerate(("dense", "ternary") if theory.small is not None else ("dense",)):
            columns |= {f"bits, {name}": theory.bits[row], f"test, {name}": theory.tests[row]}
        tables = [Table("Theory", columns)]
        if observed is not None:
            found = {
                "d": np.array(theory.drawn, float),
                "dense": observed.dense.mean(axis=0),
                "dense ±": standard_error(observed.dense),
            }
            if theory.small is not None:
                found |= {
                    "bits, ternary": observed.bits.mean(axis=0),
                    "ternary": observed.light.mean(axis=0),
                    "ternary ±": standard_error(observed.light),
                }
            tables.append(Table(f"Experiment, {observed.dense.shape[0]} repetitions", found))
            spectra = {"dense": np.sort(observed.dense_spectrum.ravel())}
            if theory.small is not None:
                spectra["ternary"] = np.sort(observed.light_spectrum.ravel())
            tables.append(Table("Eigenvalues", spectra))
        return tables

    def python(self, values: Values, theory: Theory, observed: Any) -> str:
        """The same with rmtcore alone."""
        return deep_python.compression(values, theory)


def _dots(theory: Theory, observed: Pressed, row: int) -> tuple[Array, Array, Array]:
    """Bits, mean test error and its standard error."""
    part = observed.dense if row == 0 else observed.light
    depth = len(theory.network.activations)
    bits = [_memory(theory.dim, width, depth, 1.0, False) for width in theory.drawn]
    return np.array(bits) if row == 0 else observed.bits.mean(axis=0), part.mean(axis=0), standard_error(part)


def _functions(theory: Theory) -> CurveScene:
    """The activation of the first layer and its ternary match, centred."""
    t = np.linspace(-_REACH, _REACH, 601)
    stages = {"given": theory.network.stages[0]}
    if theory.small is not None:
        stages["matched"] = theory.small.network.stages[0]
    lines = {name: (t, np.asarray(one.activation.function(t), float) - one.mean) for name, one in stages.items()}
    low, high = (f([f(part) for _, part in lines.values()]) for f in (min, max))
    room = 0.1 * (high - low)
    return CurveScene(
        "argument t", "φ(t), centred", (-_REACH, _REACH), (float(low - room), float(high + room)), False, False, lines
    )


def _readouts(values: Values, theory: Theory, observed: Pressed | None) -> list[Readout]:
    labels = "Agreement, dense", "Agreement, ternary"
    dense, light = theory.bits[0, -1], theory.bits[1, -1]
    if theory.small is None:
        found = [Readout("Ternary match", "none", "E φ′ = E φ″ = 0, or thresholds out of reach", None)]
    else:
        gap = theory.tests[1, -1] / theory.tests[0, -1] - 1.0
        found = [
            Readout("Memory", f"{dense / light:.1f} times less", f"{_size(light)} instead of {_size(dense)}, d = 8 n"),
            Readout(
                "Test error there",
                f"{theory.tests[1, -1]:.3f} and {theory.tests[0, -1]:.3f}",
                f"ternary and dense: {gap:+.1%}".replace("-", "−"),
                bool(abs(gap) < 0.1),
            ),
            Readout(
                "Kernels differ by",
                f"{theory.small.offset:+.3g} I".replace("-", "−"),
                "a multiple of the identity, made up for by the ridge",
            ),
            _match(theory),
        ]
    if observed is None or observed.dense.shape[0] < 2:
        return found + [Readout(label, "…", "needs two repetitions") for label in labels]
    for row, label in enumerate(labels[: 1 if theory.small is None else 2]):
        _, mean, error = _dots(theory, observed, row)
        places = np.array(theory.drawn, float)
        predicted = np.interp(np.log(places), np.log(theory.widths), theory.tests[row])
        found.append(gap_and_z(label, mean, error, predicted, "widths", 0.1))
    return found


def _match(theory: Theory) -> Readout:
    """How far the coefficients of the two networks are apart."""
    assert theory.small is not None
    one, other = theory.rows[-1], coefficients(theory.small.network)[-1]
    off = max(abs(getattr(one, name) - getattr(other, name)) for name in ("a1", "a2", "a3"))
    return Readout(
        "a₁, a₂, a₃", f"{one.a1:.3g}, {one.a2:.3g}, {one.a3:.3g}", f"both networks, to {off:.0e}", bool(off < 1e-6)
    )


def _size(bits: float) -> str:
    for unit, size in (("Mbit", 1e6), ("kbit", 1e3)):
        if bits >= size:
            return f"{bits / size:.3g} {unit}"
    return f"{bits:.0f} bit"


def _explain(values: Values, theory: Theory) -> list[str]:
    label, depth = activation_of(values), len(theory.network.activations)
    if theory.small is None:
        return [
            f"No function of three values has the coefficients of {layers_in_words(depth, label)}: E φ′ = E φ″ = 0. "
            "The kernel keeps nothing of the data that could be matched. Only the given network is shown."
        ]
    first = theory.small.network.activations[0]
    words = [
        "In the limit a kernel sees an activation only through E φ′, E φ″ and E[φ′² + φ φ″]. So a function of three "
        "values "
        f"with the same three gives the same a₁, a₂ and a₃. In the first layer: {_formula(first)}.",
        f"Weights count by their variance alone: {float(values['sparsity'] or 0.0):.0%} of them are zero, the others "
        "plus or "
        "minus one scale. A sign and a place each instead of 32 bits.",
    ]
    dense, light = theory.bits[:, -1]
    words.append(
        f"At d = {theory.drawn[-1]} the hidden weights take {_size(light)} instead of {_size(dense)}, "
        f"{dense / light:.1f} times "
        f"less, and the test error is {theory.tests[1, -1]:.3f} instead of {theory.tests[0, -1]:.3f}: the curve "
        "moves to the left."
    )
    words.append(
        f"The kernels differ by {theory.small.offset:+.3g} times the identity, ".replace("-", "−")
        + "so one ridge is larger by that; in finite widths the ternary network's own noise is felt a little more."
    )
    return words


def _formula(activation: Activation) -> str:
    """Its three values, with fewer digits than it has."""
    return re.sub(r"\d+\.\d+", lambda found: f"{float(found.group()):.3g}", activation.formula)


def _lamps(theory: Theory) -> list[Lamp]:
    return [
        size_lamp(min(theory.dim, theory.samples)),
        Lamp("a ternary match", theory.small is None, "No three-valued function has these coefficients."),
    ]
