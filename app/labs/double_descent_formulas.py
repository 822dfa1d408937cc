"""The formulas of the Double descent lab."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.labs.spectrum_formulas import DIMENSIONS, LAYER, LAYER_SYMBOLS, UP, layer_numbers
from app.parts.formula import LIAO_MAHONEY, Formula, Formulas, Numbers, Symbol, say, whole
from app.settings import Values
from rmtcore import RidgeErrors, ridge_errors

FAMILIES = ("linear", "shallow", "deep")
TEST_REMARK = {"linear": "Remark 7", "shallow": "Remark 10", "deep": "Remark 12"}
TRAIN_REMARK = {"linear": "Remark 6", "shallow": "Remark 9", "deep": "Remark 12"}
ERROR_SYMBOLS = LAYER_SYMBOLS | {
    "test": Symbol("E_test", "test error, label noise included", ("main:test", "main:actual test", "key:test error")),
    "train": Symbol("E_train", "training error", ("main:train", "main:actual train", "key:training error")),
    "misfit": Symbol("B", "what the fit misses on average: signal that is not learned"),
    "df1": Symbol("df₁", "effective degrees of freedom tr C(C + κ)⁻¹ of the features"),
    "df2": Symbol("df₂", "their second kind, tr C²(C + κ)⁻²: how far the fit follows noise", ("main:threshold",)),
    "n": Symbol("n", "number of training samples", ("main:threshold",)),
    "kappa": Symbol("κ", "effective ridge that the features feel"),
}
ASSUMES = {
    "large dimensions": DIMENSIONS,
    "many directions": "|x|²/p concentrates, so that features are Gaussian enough: Theorem 3",
}


def test_formula(family: str) -> Formula:
    """Double descent, of one of the families."""
    return Formula(
        f"test-{family}",
        r"@test{\mathcal{E}_{\mathrm{test}}} = "
        r"\frac{@misfit{B} + @noise{\sigma^2}}{1 - @df2{\mathrm{df}_2}/@n{n}}",
        f"{TEST_REMARK[family]}, {LIAO_MAHONEY}",
        "The error peaks where df₂ comes near n: the fit then follows the noise of the labels.",
        "E_test = ({misfit} + {noise}) / (1 − {df2}/{n}) = {test}",
    )


def train_formula(family: str) -> Formula:
    """The training error, of one of the families."""
    return Formula(
        f"train-{family}",
        r"@train{\mathcal{E}_{\mathrm{train}}} = \Bigl(\frac{@ridge{\lambda}}{@kappa{\kappa}}\Bigr)^{\!2} "
        r"@test{\mathcal{E}_{\mathrm{test}}}, \qquad "
        r"@ridge{\lambda} = @kappa{\kappa}\Bigl(1 - \frac{@df1{\mathrm{df}_1}}{@n{n}}\Bigr)",
        f"{TRAIN_REMARK[family]}, {LIAO_MAHONEY}",
        "The features feel a ridge κ larger than λ; training hides the share (λ/κ)² of the test error.",
        "κ = {kappa}, λ/κ = 1 − {df1}/{n} = {left}: E_train = {left}² · {test} = {train}",
    )


def error_numbers(errors: RidgeErrors) -> dict[str, str]:
    """Of both formulas, for the errors at the present settings."""
    return {
        "test": say(errors.test), "train": say(errors.train), "misfit": say(errors.misfit), "noise": say(errors.noise),
        "df1": say(errors.df1), "df2": say(errors.df2), "n": whole(errors.samples), "kappa": say(errors.kappa),
        "left": say(1.0 - errors.df1 / errors.samples),
    }  # fmt: skip


def numbers(values: Values, theory: Any, _observed: Any) -> Numbers:
    """The errors at the present settings, and the layer where there is one."""
    family = str(values["family"])
    here = error_numbers(ridge_errors(theory.network))
    found = {f"test-{family}": here, f"train-{family}": here}
    if theory.network.layers:
        of_layer = layer_numbers(theory.network)
        found |= {"up": of_layer, "layer": of_layer}
    return found


FORMULAS = Formulas(
    (*map(test_formula, FAMILIES), *map(train_formula, FAMILIES), UP, LAYER),
    numbers,
    ERROR_SYMBOLS | {"misfit": replace(ERROR_SYMBOLS["misfit"], marks=("main:misfit", "key:misfit"))},
    marks={
        "noise": ("main:noise", "key:noise"),
        "ridge": ("main:optimal ridge", "key:test error with the optimal ridge"),
        "width": ("main:now", "map:x"),
        "samples": ("main:now",),
        "actual": ("main:actual test", "main:actual train"),
        "linear": ("main:linear test", "main:linear train"),
        "equivalent": ("main:test", "main:train"),
        "optimal": ("main:optimal ridge",),
    },
    assumes=ASSUMES,
)
