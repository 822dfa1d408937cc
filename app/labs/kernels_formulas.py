"""The formulas of the Kernels lab."""

from __future__ import annotations

from typing import Any

from app.labs.kernels_readouts import predicted
from app.parts.formula import LIAO_MAHONEY, Formula, Formulas, Numbers, Symbol, say
from app.settings import Values
from rmtcore.kernels import derivatives

_OUTLIERS = ("main:outliers", "main:outliers found", "key:outliers found (◇ predicted)")
CATALOGUE = (
    Formula(
        "cubic",
        r"-\frac{1}{@m{m}} = z + \frac{@a1{a_1^2}\, @m{m}}{@ratio{c} + @a1{a_1} @m{m}} + "
        r"\frac{(@nu{\nu} - @a1{a_1^2})\, @m{m}}{@ratio{c}}",
        f"Cheng and Singer (2013); linear equivalent: Definition 8, {LIAO_MAHONEY}",
        "Of the function only its slope a₁ and its variance ν count: two functions with the same have one spectrum.",
        "c = {ratio}, a₁ = {a1}, ν = {nu}: bulk from {left} to {right}",
    ),
    Formula(
        "label",
        r"1 + t\, @m{m}(@outlier{\lambda}) = 0, \qquad t = @a1{a_1}\, \frac{1 + @mean_norm2{|\mu|^2}}{@ratio{c}}",
        f"rank one in a linear equivalent: Definition 8, {LIAO_MAHONEY}; Baik, Ben Arous and Péché (2005)",
        "Two classes plant one eigenvalue of strength t; where it leaves the bulk, its eigenvector is the labels.",
        "t = {strength}: {outlier}",
    ),
    Formula(
        "distance",
        r"@kind{K} \simeq -2@function{f}'(2)\, \frac{X^{\top}X}{p} + "
        r"\bigl(@function{f}(0) - @function{f}(2) + 2@function{f}'(2)\bigr) I + \text{rank} \le 3",
        f"El Karoui (2010); linear equivalent: Definition 8, {LIAO_MAHONEY}",
        "Squared distances concentrate at 2: the function is a line there, and the kernel a covariance in disguise.",
        "f(0) = {zero}, f(2) = {value}, f′(2) = {slope}; c = {ratio}: bulk from {left} to {right}",
    ),
)

SYMBOLS = {
    "m": Symbol(
        "m(z)", "Stieltjes transform of the law; density (1/π) Im m", ("main:equivalent", "key:the law of both")
    ),
    "a1": Symbol("a₁", "slope of φ, its Hermite coefficient of degree 1", ("function:beside",)),
    "nu": Symbol("ν", "variance of φ: E φ² less the squared mean", ("function:function",)),
    "outlier": Symbol("λ", "where the classes' eigenvalue stands", _OUTLIERS),
}


def numbers(_values: Values, theory: Any, _observed: Any) -> Numbers:
    """The law, and the classes where there are two."""
    case, law = theory.case, theory.laws["actual"]
    here = {
        "ratio": say(case.dim / case.samples), "left": say(float(law.bulks[0, 0])),
        "right": say(float(law.bulks[-1, 1])),
    }  # fmt: skip
    if case.distance:
        zero, value, slope, _ = derivatives(case.function)
        return {"distance": here | {"zero": say(zero), "value": say(value), "slope": say(slope)}}
    moments = case.function.moments(1.0)
    found = {"cubic": here | {"a1": say(moments.mu1), "nu": say(moments.variance)}}
    if case.mean_norm2 > 0.0:
        strength = moments.mu1 * (1.0 + case.mean_norm2) / (case.dim / case.samples)
        apart = [one for one in predicted(law) if one.source == "labels"]
        where = f"λ = {say(apart[0].position)}, cos² with the labels {say(apart[0].overlap)}" if apart else "no outlier"
        found["label"] = {"strength": say(strength), "outlier": where}
    return found


FORMULAS = Formulas(
    CATALOGUE,
    numbers,
    SYMBOLS,
    marks={
        "activation": ("function:function",),
        "function": ("function:function",),
        "mean_norm2": _OUTLIERS,
        "ratio": ("main:edges",),
        "beside": ("function:beside", "main:linear"),
        "actual": ("main:actual", "main:rug"),
        "equivalent": ("main:equivalent",),
    },
    assumes={
        "large dimensions": "p, n to infinity with p/n → c: the theorem on the bulk",
        "class separation small beside √p": "|μ|² bounded while p grows: the linear equivalent, Definition 8",
        "light tails": "bounded moments of the entries: norms concentrate",
        "no outliers of the norms": "odd φ: the theorem on outliers (Fan and Montanari, 2019)",
        "continuous law": "no atom: the distance KS",
    },
)
