"""The formulas of the Learning dynamics lab."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.labs.double_descent_formulas import ASSUMES, ERROR_SYMBOLS
from app.labs.learning_settings import number
from app.parts.formula import LIAO_MAHONEY, Formula, Formulas, Numbers, Symbol, say
from app.settings import Values

_SHALLOW, _DEEP = f"Remark 11, {LIAO_MAHONEY}", f"Remark 13, {LIAO_MAHONEY}"
_TEST = (
    r"@test{\mathcal{E}_{\mathrm{test}}}(@time{t}) = V + @noise{\sigma^2} - 2A(@time{t}) + M(@time{t}), \quad "
    r"A(@time{t}) = \frac{1}{2\pi i}\oint_{@contour{\Gamma}} \frac{e^{-@time{t} z}}{z}\, "
    r"T\bigl(@kappa{\kappa}(-z)\bigr)\, dz"
)
_TRAIN = (
    r"@train{\mathcal{E}_{\mathrm{train}}}(@time{t}) = -\frac{1}{2\pi i}\oint_{@contour{\Gamma}} e^{-2@time{t} z}\, "
    r"\frac{V + @noise{\sigma^2} - T\bigl(@kappa{\kappa}(-z)\bigr)}{@kappa{\kappa}(-z)}\, dz "
    r"\quad (@ridge{\lambda} \to 0)"
)


def _errors(depth: str, source: str) -> tuple[Formula, Formula]:
    return (
        Formula(
            f"test-{depth}",
            _TEST,
            source,
            "A fit in training is a mixture of ridge fits, one for every point of a contour; M is the same, twice.",
            "t = {time}: E_test = {test}; before training {start}, at the end {end}",
        ),
        Formula(
            f"train-{depth}",
            _TRAIN,
            source,
            "The training error falls as each eigen-direction decays at twice its rate.",
            "t = {time}: E_train = {train}",
        ),
    )


_FILTER = r"@learned{f_t(x)} = \frac{@x{x}}{@x{x} + @ridge{\lambda}}\Bigl("
CATALOGUE = (
    *_errors("shallow", _SHALLOW),
    *_errors("deep", _DEEP),
    Formula(
        "flow",
        _FILTER + r"1 - e^{-@time{t}(@x{x} + @ridge{\lambda})}\Bigr)",
        _SHALLOW,
        "Of what is to be learned along an eigenvalue x, this share is learned by the time t: the largest first.",
        "largest eigenvalue x = {x}: learned {learned}; half of it was at t = {half}",
    ),
    Formula(
        "descent",
        _FILTER + r"1 - \bigl(1 - s(@x{x} + @ridge{\lambda})\bigr)^{@time{t}/s}\Bigr), \quad "
        r"@step{s} < @edge{s^*} = \frac{2}{@x{x}_{\max} + @ridge{\lambda}}",
        _SHALLOW,
        "Descent in steps of size s: stable below s*, beyond which the largest direction diverges.",
        "s = {step}, s* = {edge}; largest eigenvalue x = {x}: learned {learned}",
    ),
    Formula(
        "stop",
        r"@stop{t^*} = \arg\min_{@time{t}} @test{\mathcal{E}_{\mathrm{test}}}(@time{t})",
        _SHALLOW,
        "Stopping early is a regularisation of its own: what is learned late is mostly noise.",
        "t* = {stop}: E_test = {least}, against {end} at the end",
    ),
)

SYMBOLS = ERROR_SYMBOLS | {
    "x": Symbol("x", "an eigenvalue of the features, along the axis of the spectrum", ("filter:x",)),
    "learned": Symbol("f_t(x)", "share learned along an eigenvalue by the time t", ("filter:filter", "filter:learned")),
    "contour": Symbol("Γ", "a contour around 0 and all eigenvalues"),
    "edge": Symbol("s*", "stability edge: the largest step that does not diverge"),
    "stop": Symbol("t*", "the best moment to stop", ("main:threshold",)),
}


def numbers(values: Values, theory: Any, _observed: Any) -> Numbers:
    """At the present time."""
    solved = theory.solved
    time = solved.moment(number(values, "time"))
    test, train, _ = solved.at(time)
    largest = solved.largest
    here = {
        "time": say(time), "test": say(test), "train": say(train), "start": say(solved.start),
        "end": say(solved.end.test), "x": say(largest), "step": say(solved.step), "edge": say(solved.edge),
        "learned": say(float(solved.learned(time, np.array([largest]))[0])),
        "half": say(np.log(2.0) / (largest + solved.network.ridge)),
        "stop": say(solved.stop.time), "least": say(solved.stop.test),
    }  # fmt: skip
    depth = "deep" if values["family"] == "deep" else "shallow"
    shown = [f"test-{depth}", "descent" if solved.step else "flow"]
    if solved.network.ridge == 0 and not solved.step:
        shown.insert(1, f"train-{depth}")
    if solved.stop.gains:
        shown.append("stop")
    return dict.fromkeys(shown, here)


FORMULAS = Formulas(
    CATALOGUE,
    numbers,
    SYMBOLS,
    marks={
        "time": ("main:now", "main:x", "filter:now", "accuracy:now"),
        "noise": ("main:test",),
        "actual": ("main:actual test", "main:actual train"),
        "equivalent": ("main:test", "main:train"),
    },
    assumes=ASSUMES
    | {
        "step size below the edge": "s below s*: descent converges, Remark 11",
        "no step that swings in a single eigenvalue": "errors are contour integrals around all eigenvalues",
    },
)
