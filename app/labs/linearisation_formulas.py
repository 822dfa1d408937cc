"""The formulas of the Linearisation lab."""

from __future__ import annotations

import math
from typing import Any

from app.labs.linearisation_theory import Solved
from app.parts.formula import LIAO_MAHONEY, Formula, Formulas, Numbers, Symbol, say, whole
from app.settings import Values

_SECTION = f"section on high-dimensional linearisation, {LIAO_MAHONEY}"
CATALOGUE = (
    Formula(
        "taylor",
        r"@activation{\varphi}(@at{a} + @regime{t}) \simeq \sum_{j=0}^{@degree{k}} "
        r"\frac{@activation{\varphi}^{(j)}(@at{a})}{j!}\, @regime{t}^{\,j} + @bend{\beta}\, @regime{t}^{\,@degree{k}+1}, "
        r"\quad @regime{t} = \frac{x^{\top} y}{@n{n}}",
        f"Definition 8; {_SECTION}",
        "Where the argument concentrates, value and derivatives at a point are all that counts.",
        "n = {n}, a = {at}, k = {degree}: mean square error {error}",
    ),
    Formula(
        "taylor-rate",
        r"@error{\mathbb{E}\,\bigl|@activation{\varphi} - @main{\tilde\varphi}\bigr|^2} \sim @n{n}^{-@rate{r}}, "
        r"\quad @rate{r} \ge @degree{k} + 1",
        _SECTION,
        "Each further derivative buys a power of n, for the argument has variance 1/n.",
        "r = {rate}, error at n = {n}: {error}",
    ),
    Formula(
        "hermite",
        r"@activation{\varphi}(@regime{t}) \simeq @a0{a_0} + @a1{a_1}\, @regime{t} + "
        r"\sqrt{@nu{\nu} - a_0^2 - a_1^2}\; g, \quad @regime{t} = \frac{x^{\top} y}{\sqrt{@n{n}}}, \quad "
        r"@a1{a_1} = \mathbb{E}\,\xi @activation{\varphi}(\xi), \quad @nu{\nu} = \mathbb{E}\,@activation{\varphi}(\xi)^2",
        f"Theorem 3 and Remark 8, {LIAO_MAHONEY}; Definition 8",
        "Where it stays Gaussian, two Hermite coefficients and the energy count; the rest is as good as noise.",
        "a₀ = {a0}, a₁ = {a1}, ν = {nu}: noise {noise}; largest gap at n = {n}: {error}",
    ),
)

SYMBOLS = {
    "main": Symbol("φ̃", "what stands in for φ", ("main:main", "error:main", "energy:main")),
    "error": Symbol("E|φ − φ̃|²", "mean square error", ("error:main", "error:y")),
    "rate": Symbol("r", "power of 1/n with which the error falls", ("error:main",)),
    "a0": Symbol("a₀", "mean of φ, its Hermite coefficient of degree 0", ("energy:kept",)),
    "a1": Symbol("a₁", "slope of φ, its Hermite coefficient of degree 1", ("energy:kept",)),
    "nu": Symbol("ν", "energy of φ, its mean square", ("energy:kept", "energy:rest")),
}


def numbers(values: Values, theory: Solved, _observed: Any) -> Numbers:
    """Those of the regime, at the present n."""
    n, main = int(values["n"]), theory.members.get("main")
    error = say(float(main.error[theory.dims.index(n)])) if main is not None else "none"
    if theory.regime == "clt":
        moments = theory.activation.moments(1.0)
        energy = moments.variance + moments.mean**2
        here = {
            "n": whole(n), "a0": say(moments.mean), "a1": say(moments.mu1), "nu": say(energy),
            "noise": say(moments.mu_star2), "error": error,
        }  # fmt: skip
        return {"hermite": here}
    rate = "none" if main is None else "∞: exact" if math.isinf(main.rate) else say(main.rate)
    here = {
        "n": whole(n), "at": say(theory.at) if theory.at else "0", "degree": whole(theory.degree),
        "error": error, "rate": rate,
    }  # fmt: skip
    return {"taylor": here, "taylor-rate": here}


FORMULAS = Formulas(
    CATALOGUE,
    numbers,
    SYMBOLS,
    marks={
        "activation": ("main:phi",),
        "at": ("main:now", "main:x"),
        "n": ("error:now", "error:x"),
        "regime": ("main:x", "main:drawn", "main:density"),
        "degree": ("main:main", "error:main"),
        "bend": ("main:member", "error:member"),
        "carrier": ("main:member", "error:member"),
        "actual": ("main:drawn", "error:actual main"),
        "equivalent": ("main:main", "error:main"),
        "other": ("main:other", "error:other"),
    },
    assumes={
        "large dimension": "n to infinity: both laws are limits",
        "smooth where the argument concentrates": "k derivatives at a: Taylor's equivalent",
        "Gaussian argument": "x′y/√n is N(0, 1) by the central limit theorem: Hermite's equivalent, Theorem 3",
    },
)
