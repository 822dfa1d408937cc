"""The formulas of the Scaling laws lab."""

from __future__ import annotations

from typing import Any

from app.labs.double_descent_formulas import ASSUMES, ERROR_SYMBOLS, FAMILIES, TRAIN_REMARK
from app.labs.double_descent_formulas import train_formula as _train
from app.labs.scaling_settings import counting
from app.labs.scaling_settings import here as _place
from app.labs.scaling_theory import Budget, Solved, axis_of, law_of, linear_layers
from app.parts.formula import LIAO_MAHONEY, Formula, Formulas, Numbers, Symbol, say, whole
from app.settings import Values
from rmtcore.scaling import sweep

_POWER = "Bahri et al. (2021)"
_EXPONENTS = "predicted {predicted}, fitted to the curve {fitted}"
_LAW = r"s_k \sim k^{-@alpha{\alpha}}, \quad s_k v_k \sim k^{-(2@alpha{\alpha}@source{r}+1)}"


def _of(family: str) -> str:
    return f"of the kind of {TRAIN_REMARK[family]}, {LIAO_MAHONEY}; exponents: {_POWER}"


CATALOGUE = (
    Formula(
        "law",
        _LAW,
        f"Definition 9, {LIAO_MAHONEY}; {_POWER}",
        "The data: eigenvalue k of C, and the target's energy along it, fall as powers of k.",
        "α = {alpha}, r = {source}: k = 10 has {tenth} of the first eigenvalue",
    ),
    Formula(
        "samples",
        r"@test{\mathcal{E}_{\mathrm{test}}} \sim @samples{n}^{-2@alpha{\alpha}\min(@source{r},\,1)}",
        _of("linear"),
        "n samples see about n directions: what lies beyond is the error.",
        _EXPONENTS,
    ),
    Formula(
        "width",
        r"@test{\mathcal{E}_{\mathrm{test}}} \sim @width{d}^{-@alpha{\alpha}\min(2@source{r},\,1)}",
        _of("shallow"),
        "A width of d linear features sees about d directions.",
        _EXPONENTS,
    ),
    Formula(
        "width-nonlinear",
        r"@test{\mathcal{E}_{\mathrm{test}}} \sim @width{d}^{-\min(2@source{r},\,1)}",
        _of("shallow"),
        "The noise μ∗² of a nonlinear layer acts as a ridge of about 1/d, whatever the capacity α.",
        _EXPONENTS,
    ),
    Formula(
        "gap",
        r"@test{\mathcal{E}_{\mathrm{test}}} \sim \Bigl(1 - \tfrac{@width{d}}{@samples{n}}\Bigr)^{-1}, \quad "
        r"@train{\mathcal{E}_{\mathrm{train}}} \sim 1 - \tfrac{@width{d}}{@samples{n}}",
        f"Remarks 6, 7, 9, 10 and 12, {LIAO_MAHONEY}",
        "Close to the threshold both errors are powers of the distance to it, at any depth and for any activation.",
        "test: predicted {predicted}, fitted {fitted}; training: predicted {also}, fitted {found}",
    ),
    Formula(
        "errors",
        r"@test{\mathcal{E}_{\mathrm{test}}} = "
        r"\frac{@misfit{B} + @noise{\sigma^2}}{1 - @df2{\mathrm{df}_2}/@n{n}}",
        f"Remarks 7, 10 and 12, {LIAO_MAHONEY}",
        "The curve itself, of which the power law is the straight part.",
        "n = {n}, d = {d}: E_test = {test}, E_train = {train}",
    ),
    *map(_train, FAMILIES),
    Formula(
        "frontier",
        r"@frontier{\mathcal{E}^*}(@budget{c}) = \min_{@samples{n}\, @width{d}\, =\, @budget{c}} "
        r"@test{\mathcal{E}_{\mathrm{test}}}(@samples{n}, @width{d}) \sim @budget{c}^{\,-\gamma}",
        _of("shallow"),
        "The least error that a budget of n × d can buy, and how it falls.",
        "γ: predicted {predicted}, fitted {fitted}; the best n grows as c to the power {spent}",
    ),
)

SYMBOLS = ERROR_SYMBOLS | {
    "test": Symbol(
        "E_test",
        "test error, label noise included",
        ("main:test", "main:actual test", "slope:test", "key:test error"),
    ),
    "n": Symbol("n", "number of training samples"),
    "df2": Symbol("df₂", "degrees of freedom of the second kind, tr C²(C + κ)⁻²"),
    "frontier": Symbol("E*", "least test error of a budget", ("frontier:frontier",)),
    "budget": Symbol("c", "budget: samples times width", ("frontier:x",)),
}


def numbers(values: Values, theory: Any, _observed: Any) -> Numbers:
    """The law of the data, that of the axis, and the errors."""
    found: dict[str, dict[str, str]] = {}
    settings = counting(values)
    law = law_of(settings)
    if theory.budget is not None:
        found["frontier"] = _bought(theory.budget)
    else:
        found |= _along(values, theory.solved, law is not None)
    if values["data"] == "power_law":
        alpha = float(values["alpha"])
        found["law"] = {"alpha": say(alpha), "source": say(float(values["source"])), "tenth": say(10.0**-alpha)}
    return found


def _bought(budget: Budget) -> dict[str, str]:
    return {
        "predicted": say(-budget.predicted), "fitted": say(-budget.fit.slope), "spent": say(budget.spent.slope),
    }  # fmt: skip


def _along(values: Values, solved: Solved, lawful: bool) -> dict[str, dict[str, str]]:
    """The power of the axis, where there is one; and the curve."""
    axis = axis_of(values)
    test = _pair(solved, "test")
    found: dict[str, dict[str, str]] = {}
    if axis == "gap":
        train = _pair(solved, "train")
        found["gap"] = test | {"also": train["predicted"], "found": train["fitted"]}
    elif lawful and (axis == "samples" or not solved.network.layers):
        flip = -1.0 if axis == "ratio" else 1.0  # x = p/n
        found["samples"] = _pair(solved, "test", flip)
    elif lawful:
        found["width" if linear_layers(solved.network) else "width-nonlinear"] = test
    n, d = _place(values)
    ridge = solved.network.ridge
    here = sweep(solved.network, samples=n, widths=d) if solved.network.layers else sweep(solved.network, samples=n)
    at = {"n": whole(n), "d": whole(d), "test": say(float(here.test)), "train": say(float(here.train))}
    found["errors"] = at
    if ridge > 0:
        found[f"train-{values['family']}"] = _hidden(here, n, ridge)
    return found


def _hidden(here: Any, n: float, ridge: float) -> dict[str, str]:
    left = 1.0 - float(here.df1) / n
    return {
        "kappa": say(ridge / left if left > 0 else float("inf")), "df1": say(float(here.df1)), "n": whole(n),
        "left": say(left), "test": say(float(here.test)), "train": say(float(here.train)),
    }  # fmt: skip


def _pair(solved: Solved, name: str, flip: float = 1.0) -> dict[str, str]:
    fit = solved.fits.get(name)
    return {
        "predicted": say(flip * solved.predicted[name]) if name in solved.predicted else "none",
        "fitted": say(flip * fit.slope) if fit is not None else "none",
    }


FORMULAS = Formulas(
    CATALOGUE,
    numbers,
    SYMBOLS,
    marks={
        "width": ("main:now", "plane:x"),
        "samples": ("main:now", "plane:y"),
        "alpha": ("main:fit test", "slope:predicted test"),
        "source": ("main:fit test", "slope:predicted test"),
        "actual": ("main:actual test", "main:actual train"),
        "equivalent": ("main:test", "main:train", "frontier:frontier"),
        "fitted": ("main:fit test", "main:fit train", "frontier:fit"),
    },
    assumes=ASSUMES
    | {
        "no label noise": "σ² = 0: the exponents are those of noiseless labels",
        "negligible ridge": "λ → 0: the exponents are those of ridgeless errors",
    },
)
