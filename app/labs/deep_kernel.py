"""Deep networks, first view: kernels of infinite width through depth, and their linear equivalents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.labs import deep_python
from app.labs.base import Key, Lamp, Readout, Report, Table, Task
from app.labs.deep_kernel_theory import BLIND, DEEPEST, Theory, solve, weights
from app.labs.deep_settings import LOOKS, counting, jumps
from app.labs.deep_view import (
    SPECTRAL_KEYS,
    View,
    activation_of,
    jump_lamp,
    layers_in_words,
    paint_spectrum,
    sample,
    size_lamp,
    waiting,
)
from app.labs.learning_settings import number
from app.parts import kernel_image
from app.parts.curves import FIFTH, FOURTH, TEST, THIRD, TRAIN, CurvePlot, CurveScene, Line, paint
from app.parts.deep_trials import Pair, kernel_pair, nothing
from app.parts.figure import EQUIVALENT, MARK, Figure
from app.settings import Values
from rmtcore import Coefficients, wasserstein1

Array = NDArray[np.float64]

_FLOOR = 1e-3  # of the coefficients' axis
_SHOWN = 40  # samples of a class in the eigenvector plot

WEIGHTS = CurvePlot(
    (
        Line("first", TEST, dots=False),
        Line("second", TRAIN, "dashed", dots=False),
        Line("third", THIRD, "dotted", dots=False),
        Line("fourth", FOURTH, "dashed", dots=False),
    )
)
ENTRIES = CurvePlot(
    (Line("class 1", TEST), Line("class 2", TRAIN), Line("mean", FIFTH, "dashed", dots=False)),
)
_TOPS = [Key("leading, linear equivalent", EQUIVALENT, "square"), Key("leading, actual", MARK, "dot")]
_ROWS = {
    "ck": (("a1", "a₁"), ("a2", "a₂"), ("a3", "a₃"), ("a4", "a₄")),
    "ntk": (("b1", "b₁"), ("b2", "b₂"), ("b3", "b₃"), ("kappa", "κ²")),
}
_MEANING = {
    "ck": ("weight of XᵀX, the means", "of the norms", "of the shapes", "of norms, from below"),
    "ntk": ("weight of XᵀX, the means", "of the norms", "of the shapes", "diagonal"),
}


class KernelView(View):
    """The kernel and its equivalent as a matrix or a spectrum, the coefficients, an eigenvector."""

    figures = ("kernel", "spectrum", "weights", "entries")

    def visible(self, values: Values) -> list[str]:
        """The kernel as it is asked for, where there is one."""
        if values["which"] == "ntk" and jumps(values):
            return ["weights"]
        return ["spectrum" if values["picture"] == "spectrum" else "kernel", "weights", "entries"]

    def pick(self, values: Values, figure: str, x: float, y: float) -> Values:
        """A layer of the coefficients' plot."""
        return {"depth": round(float(np.clip(x, 1, DEEPEST)))} if figure == "weights" else {}

    def theory(self, values: Values, most_entries: int) -> Theory:
        """Coefficients and bulk."""
        return solve(counting(values, LOOKS | {"seed"}), most_entries)

    def task(self, values: Values, theory: Theory, most_entries: int) -> Task:
        """Both kernels on one draw of the data."""
        key = (most_entries, counting(values, LOOKS))
        if values["which"] == "ntk" and jumps(values):
            return Task(key, nothing, (0,))
        tangent = values["which"] == "ntk"
        return Task(key, kernel_pair, (theory.network, theory.mixture, tangent, int(number(values, "seed"))))

    def observed(self, theory: Theory, observed: Any) -> Pair | None:
        """A pair of kernels of this size."""
        fits = isinstance(observed, Pair) and observed.eigenvalues.shape[1] == theory.mixture.samples
        return observed if fits else None

    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Theory, observed: Any, stale: bool) -> None:
        """Patch the three figures."""
        self._paint_weights(figures["weights"], values, theory)
        shown = self.visible(values)
        if "kernel" in shown:
            self._paint_matrix(figures["kernel"], values, theory, observed, stale)
        elif "spectrum" in shown:
            self._paint_spectrum(figures["spectrum"], values, theory, observed, stale)
        if "entries" in shown:
            paint(figures["entries"], ENTRIES, _entries(values, theory, observed, stale))

    def _paint_weights(self, figure: Figure, values: Values, theory: Theory) -> None:
        which, x = str(values["which"]), np.arange(DEEPEST + 1.0)
        columns = _columns(theory.rows, which)
        lines, top = {}, 1.0
        for line, column in zip(WEIGHTS.lines, columns.values(), strict=True):
            finite = np.isfinite(column)
            top = max(top, float(column[finite].max()))
            lines[line.label] = x[finite], column[finite]
        shown = lines if values["equivalent"] else {}
        paint(
            figure,
            WEIGHTS,
            CurveScene(
                "layer ℓ",
                "coefficient",
                (0.0, float(DEEPEST)),
                (_FLOOR, 10.0 ** np.ceil(np.log10(1.05 * top))),
                False,
                True,
                shown,
                now=float(theory.depth),
            ),
        )
        figure.decades("x", True)
        figure.decades("y", True)

    def _paint_matrix(self, figure: Figure, values: Values, theory: Theory, observed: Pair | None, stale: bool) -> None:
        names = "actual", "equivalent"
        n = theory.mixture.samples
        if observed is None:
            kernel_image.blank(figure, n, names)
            return
        images = observed.images.copy()
        for index, flag in enumerate(("actual", "linear")):
            images[index] *= bool(values[flag])
        kernel_image.paint(figure, images, float(theory.mixture.sizes[0]) / n, n, names, stale)

    def _paint_spectrum(
        self, figure: Figure, values: Values, theory: Theory, observed: Pair | None, stale: bool
    ) -> None:
        samples, tops = {}, np.zeros(0)
        if observed is not None:
            actual, linear = observed.values[:, :1]
            if theory.law is not None:  # a tenth of its width beyond the bulk, no fluctuation takes an eigenvalue
                low, high = theory.law.bulks[0, 0], theory.law.bulks[-1, 1]
                actual, linear = (one[one > high + 0.1 * (high - low)] for one in observed.values)
            both = {
                "actual": sample(observed.eigenvalues[0], False, actual),
                "linear": sample(observed.eigenvalues[1]),
            }
            samples = {name: one for name, one in both.items() if values[name]}
            tops = linear if values["linear"] else tops
        paint_spectrum(figure, theory.law, samples, tops, "linear", bool(values["equivalent"]), stale)

    def report(self, values: Values, theory: Theory, observed: Any) -> Report:
        """Distance of kernel and equivalent, eigenpairs, ratios."""
        return Report(
            _readouts(values, theory, observed),
            _explain(values, theory, observed),
            _lamps(values, theory),
            list(theory.notices),
            _keys(values),
        )

    def table(self, values: Values, theory: Theory, observed: Any) -> list[Table]:
        """Coefficients by layer; eigenvalues, eigenvector, image."""
        names = Coefficients._fields
        columns = {"layer": np.arange(DEEPEST + 1.0)} | {
            name: np.array([getattr(row, name) for row in theory.rows]) for name in names
        }
        tables = [Table("Coefficients", columns)]
        if observed is not None:
            k = _index(values, observed)
            tables.append(Table("Eigenvalues", {"actual": observed.eigenvalues[0], "linear": observed.eigenvalues[1]}))
            vectors = {
                "class": theory.mixture.labels + 1,
                "actual": observed.vectors[0, k],
                "linear": observed.vectors[1, k],
            }
            tables.append(Table(f"Eigenvector {k + 1}", vectors))
        return tables

    def python(self, values: Values, theory: Theory, observed: Any) -> str:
        """The same with rmtcore alone."""
        k = min(int(number(values, "eigenvector")), theory.mixture.samples - 1) - 1
        return deep_python.kernel(values, theory, k, not (values["which"] == "ntk" and jumps(values)))


def _columns(rows: tuple[Coefficients, ...], which: str) -> dict[str, Array]:
    """The four curves."""
    return {
        label: np.array([getattr(row, name) ** (2 if name == "kappa" else 1) for row in rows])
        for name, label in _ROWS[which]
    }


def _index(values: Values, observed: Pair) -> int:
    return min(int(number(values, "eigenvector")), observed.vectors.shape[1]) - 1


def _entries(values: Values, theory: Theory, observed: Pair | None, stale: bool) -> CurveScene:
    """One eigenvector over the samples, and what the equivalent says of its class means."""
    n = theory.mixture.samples
    frame = "sample, sorted by class", f"eigenvector {values['eigenvector']} × √n", (0.0, float(n)), (-3.6, 3.6)
    if observed is None:
        return CurveScene(*frame, False, False, {})
    k, first = _index(values, observed), int(theory.mixture.sizes[0])
    dots: dict[str, dict[str, tuple[Array, Array, Array]]] = {}
    for label, low, high in (("class 1", 0, first), ("class 2", first, n)):
        at = np.unique(np.linspace(low, high - 1, min(_SHOWN, high - low)).astype(int))
        none = np.zeros(at.size)
        dots[label] = {
            reading: (at + 0.5, observed.vectors[index, k, at], none)
            for index, reading in enumerate(("actual", "linear"))
            if values[reading]
        }
    means = observed.means[1, k]
    line = np.array([0.0, first, first, n]), np.repeat(means, 2)
    return CurveScene(
        *frame, False, False, {"mean": line} if values["linear"] else {}, dots, thresholds=(float(first),), stale=stale
    )


def _readouts(values: Values, theory: Theory, observed: Pair | None) -> list[Readout]:
    which, row = str(values["which"]), theory.rows[theory.depth]
    first, second, third = (getattr(row, name) for name, _ in _ROWS[which][:3])
    letter = "a" if which == "ck" else "b"
    ratio = "∞" if first <= BLIND < second else "0" if first <= BLIND else f"{second / first:.3g}"
    ratios = Readout(
        f"{letter}₂/{letter}₁ at depth {theory.depth}",
        ratio,
        f"{letter}₃/{letter}₂ = {third / second:.3g}" if second > BLIND else "E φ″ = 0 in every layer",
    )
    labels = "Kernel − equivalent", "Leading eigenvalues", "Eigenvectors agree", "Class means along it"
    if observed is None:
        return [*waiting(*labels), ratios, *(waiting("W1 distance to the limit") if theory.law is not None else [])]
    k, n, p = _index(values, observed), theory.mixture.samples, theory.mixture.dim
    error, rate = float(observed.error[0]), float(np.sqrt(np.log(n) / p))
    cosine2 = float(observed.vectors[0, k] @ observed.vectors[1, k] / n) ** 2
    lone = (
        float(np.min(np.abs(np.delete(observed.values[1], k) - observed.values[1, k]))) > error * observed.values[0, 0]
    )
    tops = observed.values[:, 0]
    one, two = observed.means[0, k]
    found = [
        Readout(
            labels[0], f"{error:.1%}", f"operator norm; it falls like √(log n/p) = {rate:.2f}", bool(error < 1.5 * rate)
        ),
        Readout(
            labels[1],
            f"{tops[0]:.4g} and {tops[1]:.4g}",
            "actual and linear equivalent",
            bool(abs(tops[1] / tops[0] - 1.0) < rate),
        ),
        Readout(
            labels[2],
            f"{cosine2:.3f}",
            "squared cosine" if lone else "squared cosine, but it does not stand alone",
            bool(cosine2 > 0.8) if lone else None,
        ),
        Readout(
            labels[3],
            f"{one:+.2f}, {two:+.2f}".replace("-", "−"),
            f"equivalent {observed.means[1, k, 0]:+.2f}, {observed.means[1, k, 1]:+.2f}".replace("-", "−"),
        ),
        ratios,
    ]
    if theory.law is not None:
        area, diagonal = wasserstein1(observed.eigenvalues[0], theory.law), weights(row, which)[1]
        near = bool(area < 1.5 * rate * diagonal + tops[0] / n)  # one eigenvalue may stand anywhere
        detail = f"of all eigenvalues; their mean is {diagonal:.3g}"
        found.append(Readout("W1 distance to the limit", f"{area:.3g}", detail, near))
    return found


def _explain(values: Values, theory: Theory, observed: Pair | None) -> list[str]:
    which, row, depth = str(values["which"]), theory.rows[theory.depth], theory.depth
    label, ck = activation_of(values), which == "ck"
    if not ck and jumps(values):
        return [
            f"{label} jumps, so a gradient says nothing about it and there is no tangent kernel: only b₁, b₂ and b₃, "
            "which need no derivative, are drawn. Choose the conjugate kernel, or an activation without jumps."
        ]
    names = ("a₁", "a₂", "a₃") if ck else ("b₁", "b₂", "b₃")
    first, second, third = (row.a1, row.a2, row.a3) if ck else (row.b1, row.b2, row.b3)
    words = [
        f"Infinitely wide, {layers_in_words(depth, label)} see{'s' if depth == 1 else ''} the data through three "
        "numbers: "
        f"{names[0]} = {first:.3g} weighs XᵀX and so the class means, {names[1]} = {second:.3g} the norms, "
        f"{names[2]} = {third:.3g} the shapes of the covariances. The rest is a multiple of the identity."
    ]
    if observed is not None:
        words.append(
            f"Linear in the data as it is, the equivalent differs from the kernel itself by {observed.error[0]:.1%} in "
            "operator norm, so that the halves of the matrix mirror each other; in larger dimensions by less."
        )
    words.append(_consequence(theory, label, first, second))
    if observed is not None:
        k = _index(values, observed)
        one, two = observed.means[0, k]
        apart = one * two < 0 and min(abs(one), abs(two)) > 0.3
        said = "it separates them" if apart else "it does not separate them"
        words.append(
            f"Eigenvector {k + 1} is {one:+.2f} on average over class 1 and {two:+.2f} over class 2: {said}.".replace(
                "-", "−"
            )
        )
    words.append(
        "Any activation with the same coefficients has the same kernel: a function of three values is enough. "
        "The view “compression” builds one."
    )
    return words


def _consequence(theory: Theory, label: str, first: float, second: float) -> str:
    depth = theory.depth
    if first <= BLIND < second:
        return (
            f"{label} is even: E φ′ = 0, no weight on XᵀX at any depth. The class means are invisible; only norms and "
            "shapes tell the classes apart."
        )
    if second <= BLIND < first:
        return (
            f"{label} is odd: E φ″ = 0, so norms and shapes have no weight at any depth. Only the class means are seen."
        )
    if first <= BLIND:
        return f"{label} has E φ′ = E φ″ = 0 here: the kernel keeps nothing of the data but the identity."
    lowest, here = theory.rows[1], theory.rows[depth]
    if depth == 1:
        return "One layer has a₃ = 2 a₂, whatever the activation: norms and shapes cannot be weighed independently."
    return (
        f"a₂/a₁ rises from {lowest.a2 / lowest.a1:.3g} after one layer to {here.a2 / here.a1:.3g} after {depth}, "
        "a₃/a₁ from "
        f"{lowest.a3 / lowest.a1:.3g} to {here.a3 / here.a1:.3g}. Neither can fall: depth favours norms and shapes "
        "over means."
    )


def _lamps(values: Values, theory: Theory) -> list[Lamp]:
    smallest = min(theory.mixture.dim, theory.mixture.samples)
    found = [
        size_lamp(smallest),
        Lamp(
            "classes near each other",
            number(values, "gap") > 0.25 * theory.mixture.dim**0.5,
            "The sizes differ by more than O(1/√p): the expansion around a common norm is at its limit.",
        ),
        Lamp(
            "classes of one shape",
            values["shape"] != 0.0,
            "Classes of different shapes have another bulk than Marchenko and Pastur's: no density is drawn.",
        ),
    ]
    if values["which"] == "ntk":
        found.append(jump_lamp(activation_of(values), jumps(values)))
    return found


def _keys(values: Values) -> list[Key]:
    which = str(values["which"])
    keys = [
        Key(f"{symbol}: {meaning}", line.colour, line.dash)
        for line, (_, symbol), meaning in zip(WEIGHTS.lines, _ROWS[which], _MEANING[which], strict=True)
    ]
    if which == "ntk" and jumps(values):
        return keys[:3]
    entries = [
        Key("class 1", TEST, "dot"),
        Key("class 2", TRAIN, "dot"),
        Key("class means, equivalent", FIFTH, "dashed"),
    ]
    return keys + entries + ([*SPECTRAL_KEYS, *_TOPS] if values["picture"] == "spectrum" else [])
