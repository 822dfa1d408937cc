"""Deep networks, fourth view: training all weights of a wide network, as its tangent kernel says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.labs import deep_python
from app.labs.base import Key, Lamp, Readout, Report, Table, Task
from app.labs.deep_kernel_theory import network_of
from app.labs.deep_settings import CHANCE_ONLY, LOOKS, counting, jumps, sizes
from app.labs.deep_view import View, activation_of, gap_and_z, jump_lamp, layers_in_words, size_lamp
from app.labs.learning_settings import number
from app.parts.curves import FIFTH, FOURTH, TEST, THIRD, TRAIN, CurvePlot, CurveScene, Line, paint
from app.parts.deep_trials import DIVERGED, Trained, nothing, trained
from app.parts.figure import ACTUAL, Figure
from app.settings import Values
from rmtcore import coefficients, label_laws, standard_error, training_error

Array = NDArray[np.float64]

DEPTHS = (1, 2, 4, 8)
_STEPS = 200
_STRIDE = 0.12  # of a step at most, over the largest eigenvalue of the limit: descent is nearly flow
_POINTS, _DOTS = 121, 14
_SMALLEST = 1e-3  # of the error before training: the frame's bottom

_VISIBLE = 0.03  # and what counts in the agreement: below, the slowest few directions alone are left

TRAINING = CurvePlot(
    (Line("labels", THIRD, "dashed", dots=False), Line("noise", FOURTH, "dotted", dots=False), Line("error", TEST))
)
COMPARED = CurvePlot(
    tuple(
        Line(f"depth {depth}", colour, dash, dots=False)
        for depth, colour, dash in zip(
            DEPTHS, (ACTUAL, TRAIN, FIFTH, TEST), ("solid", "dashed", "dotted", "dashed"), strict=True
        )
    )
)


@dataclass(frozen=True, eq=False)
class Theory:
    """Error in time; without a tangent kernel all curves are empty.

    Attributes
    ----------
    slowest, fastest : decay rates of the error's directions, lambda of e^(-2 eta t lambda).
    labels, noise : the parts of the error due to the labels, and to the random start.
    rate, counts : step size of the trained networks, and steps after which they are looked at.
    """

    dim: int
    samples: int
    slowest: float
    fastest: float
    times: Array
    error: Array
    labels: Array
    noise: Array
    compared: Mapping[int, Array]
    rate: float
    counts: tuple[int, ...]
    notices: tuple[str, ...]

    @property
    def places(self) -> Array:
        """Times of the dots."""
        return self.rate * np.array(self.counts, float)

    @property
    def expected(self) -> Array:
        """The error there, from the curve."""
        return np.exp(np.interp(np.log(self.places), np.log(self.times), np.log(self.error)))


@lru_cache(maxsize=256)
def _solve(settings: tuple[tuple[str, Any], ...], most_entries: int) -> Theory:
    values = dict(settings)
    p, n, notices = sizes(values, "dim", most_entries)
    if jumps(values):
        none = np.zeros(0)
        return Theory(p, n, 0.0, 0.0, none, none, none, none, {}, 1.0, (), notices)
    activation, rho, ratio = str(values["activation"]), float(values["mean_norm2"]), n / p
    network = network_of(activation, int(values["layers"]))
    row, laws = coefficients(network)[-1], label_laws(rho, ratio)
    floor = row.kappa**2 - row.b1
    support = laws.x[(laws.trace > 0) | (laws.signal > 0)]
    slowest, fastest = (floor + row.b1 * float(end) for end in (support.min(), support.max()))
    # As small steps as bring the error to the bottom of the frame: descent is then as good as flow.
    enough = np.geomspace(0.01, 1.0, 100) * _STEPS * _STRIDE / fastest
    left = training_error(network, rho, ratio, enough)
    end = enough[min(int(np.searchsorted(-left, -_SMALLEST * left[0])), enough.size - 1)]
    rate = float(end) / _STEPS
    counts = tuple(int(one) for one in np.unique(np.geomspace(1, _STEPS, _DOTS).round()))
    times = np.geomspace(rate, rate * _STEPS, _POINTS)
    error = training_error(network, rho, ratio, times)
    decay = np.exp(-2.0 * times[:, None] * (floor + row.b1 * laws.x))
    labels = 0.5 * decay @ (laws.trace + rho * laws.signal) / (1.0 + rho)
    compared = {depth: training_error(network_of(activation, depth), rho, ratio, times) for depth in DEPTHS}
    return Theory(p, n, slowest, fastest, times, error, labels, error - labels, compared, rate, counts, notices)


class DynamicsView(View):
    """The error in time with its two parts and the trained networks; the same at other depths."""

    figures = ("training", "compared")

    def visible(self, values: Values) -> list[str]:
        """Without a tangent kernel there is nothing to compare."""
        return ["training"] if jumps(values) else ["training", "compared"]

    def theory(self, values: Values, most_entries: int) -> Theory:
        """All curves."""
        return _solve(counting(values, LOOKS | CHANCE_ONLY | {"units"}), most_entries)

    def task(self, values: Values, theory: Theory, most_entries: int) -> Task:
        """One network a round."""
        key = (most_entries, counting(values, LOOKS))
        if not theory.counts:
            return Task(key, nothing, (0,))
        units = min(int(number(values, "units")), int(most_entries**0.5))
        network = network_of(str(values["activation"]), int(number(values, "layers")))
        args = (
            network,
            number(values, "mean_norm2"),
            theory.dim,
            theory.samples,
            units,
            theory.rate,
            theory.counts,
            int(number(values, "seed")),
        )
        return Task(key, trained, args, int(number(values, "draws")))

    def observed(self, theory: Theory, observed: Any) -> Trained | None:
        """Errors after as many steps."""
        fits = isinstance(observed, Trained) and observed.actual.shape[1] == len(theory.counts)
        return observed if fits else None

    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Theory, observed: Any, stale: bool) -> None:
        """Patch both figures."""
        if not theory.counts:
            paint(
                figures["training"],
                TRAINING,
                CurveScene("time η t", "training error", (1e-2, 10.0), (1e-3, 1.0), True, True, {}),
            )
            return
        shown, start = bool(values["equivalent"]), float(theory.error[0])
        span, height = (theory.times[0], theory.times[-1]), (_SMALLEST * start, 1.6 * start)
        parts = {"error": theory.error, "labels": theory.labels, "noise": theory.noise}
        lines = {name: (theory.times, part) for name, part in parts.items()} if shown else {}
        dots = {}
        if observed is not None:
            both = {name: _dots(theory, getattr(observed, name)) for name in ("actual", "linear") if values[name]}
            dots = {"error": both}
        frame = "time η t", "training error, |y − f|²/2n", span, height, True, True
        paint(figures["training"], TRAINING, CurveScene(*frame, lines, dots, stale=stale))
        others = {f"depth {depth}": (theory.times, part) for depth, part in theory.compared.items()} if shown else {}
        paint(figures["compared"], COMPARED, CurveScene(*frame, others))
        for name in ("training", "compared"):
            for axis in ("x", "y"):
                figures[name].decades(axis, True)

    def report(self, values: Values, theory: Theory, observed: Any) -> Report:
        """Rates, half-time, agreement."""
        keys = [
            Key("training error", TEST),
            Key("of the labels", THIRD, "dashed"),
            Key("of the random start", FOURTH, "dotted"),
            Key("trained networks", TEST, "dot"),
            Key("linear equivalent (hollow)", TEST, "square"),
            *(Key(line.label, line.colour, line.dash) for line in COMPARED.lines),
        ]
        return Report(
            _readouts(theory, observed),
            _explain(values, theory),
            _lamps(values, theory),
            list(theory.notices),
            keys if theory.counts else [],
        )

    def table(self, values: Values, theory: Theory, observed: Any) -> list[Table]:
        """Curves and dots."""
        if not theory.counts:
            return [Table("Theory", {"t": np.zeros(0)})]
        columns = {
            "t": theory.times,
            "error": theory.error,
            "of the labels": theory.labels,
            "of the start": theory.noise,
        }
        columns |= {f"depth {depth}": part for depth, part in theory.compared.items()}
        tables = [Table("Theory", columns)]
        if observed is not None:
            found = {"t": theory.places, "steps": np.array(theory.counts, float)}
            for name in ("actual", "linear"):
                part = getattr(observed, name)
                found |= {name: part.mean(axis=0), f"{name} ±": standard_error(part)}
            tables.append(Table(f"Experiment, {observed.actual.shape[0]} repetitions", found))
        return tables

    def python(self, values: Values, theory: Theory, observed: Any) -> str:
        """The same with rmtcore alone."""
        return deep_python.dynamics(values, theory, DEPTHS, int(number(values, "units")))


def _dots(theory: Theory, part: Array) -> tuple[Array, Array, Array]:
    """Means and standard errors, but for what diverged."""
    mean, error = part.mean(axis=0), standard_error(part)
    kept = mean < 100.0 * theory.error[0]
    return theory.places[kept], mean[kept], error[kept]


def _half(theory: Theory) -> float:
    """Time at which half of the first error is left; inf if later than shown."""
    below = np.flatnonzero(theory.error <= 0.5 * theory.error[0])
    if below.size == 0:
        return float("inf")
    i = below[0]
    if i == 0:
        return float(theory.times[0])
    return float(np.interp(-0.5 * theory.error[0], -theory.error[i - 1 : i + 1], theory.times[i - 1 : i + 1]))


def _readouts(theory: Theory, observed: Trained | None) -> list[Readout]:
    labels = "Agreement, trained networks", "Agreement, linear equivalent"
    if not theory.counts:
        return [Readout("Tangent kernel", "none", "the activation jumps")]
    found = [
        Readout("Error at first", f"{theory.error[0]:.3g}", "half labels, half random start"),
        Readout(
            "Halved by", f"η t = {_half(theory):.3g}", f"{_half(theory) / theory.rate:.0f} steps of {theory.rate:.2g}"
        ),
        Readout(
            "Decay rates", f"{theory.slowest:.3g} to {theory.fastest:.3g}", "of e^(−2 η t λ), from bulk to classes"
        ),
    ]
    if observed is None or observed.actual.shape[0] < 2:
        return found + [Readout(label, "…", "needs two repetitions") for label in labels]
    for label, part in zip(labels, (observed.actual, observed.linear), strict=True):
        if part.max() >= 0.1 * DIVERGED:
            found.append(Readout(label, "some diverge", "their kernels fluctuate too much at this width", False))
            continue
        visible = theory.expected > _VISIBLE * theory.error[0]
        mean, error = part.mean(axis=0)[visible], standard_error(part)[visible]
        found.append(gap_and_z(label, mean, error, theory.expected[visible], "times", 0.1))
    return found


def _explain(values: Values, theory: Theory) -> list[str]:
    label, depth = activation_of(values), int(number(values, "layers"))
    if not theory.counts:
        return [
            f"{label} jumps: its gradient is zero almost everywhere, so gradient descent moves only the last layer and "
            "there is no tangent kernel. Choose an activation without jumps."
        ]
    rows = theory.compared
    times = theory.times

    def half(part: Array) -> float:
        below = np.flatnonzero(part <= 0.5 * part[0])
        return float(times[below[0]]) if below.size else float("inf")

    first, last = half(rows[DEPTHS[0]]), half(rows[DEPTHS[-1]])
    faster = f"{first / last:.2g} times as fast as one" if np.isfinite(first) and last < first else "no faster than one"
    return [
        f"{layers_in_words(depth, label)} of {values['units']} neurons, all weights trained: wide networks hardly "
        "move their "
        "kernel, so every direction of the error decays on its own, as e^(−2 η t λ) with λ an eigenvalue of the "
        "tangent kernel.",
        f"The error starts at {theory.error[0]:.3g}: the labels are not fitted yet (dashed), and the random network "
        "says "
        "something of its own (dotted), which training must undo as well.",
        f"No direction decays slower than at {theory.slowest:.3g}: the identity in the kernel, which nonlinearity "
        "and depth "
        f"make larger. The class means decay at up to {theory.fastest:.3g}, and so are learned first.",
        f"At the same step size {DEPTHS[-1]} layers halve the error {faster}: more layers, more gradients.",
    ]


def _lamps(values: Values, theory: Theory) -> list[Lamp]:
    units = int(number(values, "units"))
    return [
        jump_lamp(activation_of(values), jumps(values)),
        size_lamp(min(theory.dim, theory.samples)),
        Lamp(
            "much wider than the data",
            units < 2 * theory.samples,
            f"{units} neurons for {theory.samples} samples: the kernel moves while training, and the limit is that of "
            "infinite width.",
        ),
    ]
