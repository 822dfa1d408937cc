"""The formulas of the Equivalents lab."""

from __future__ import annotations

from typing import Any

from app.labs.equivalents_theory import Theory
from app.labs.spectrum_formulas import LAYER_SYMBOLS
from app.parts.formula import LIAO_MAHONEY, Formula, Formulas, Numbers, Symbol, say, whole
from app.settings import Values

_AT = "n = {n}: predicted {predicted}"
_RATE = _AT + "; expected error {rate}"
CATALOGUE = (
    Formula(
        "high",
        r"f(@matrix{M}) - f(@lin{\tilde M}) \to 0 \quad\text{as } n, p \to \infty,\ p/n \to @ratio{c}",
        f"Definition 1, {LIAO_MAHONEY}",
        "Two random matrices are equivalent for an observation f if f cannot tell them apart in the limit.",
        _RATE,
    ),
    Formula(
        "deterministic",
        r"\tfrac{1}{N}\operatorname{tr} A\,(Q - @det{\bar Q}) \to 0, \quad "
        r"a^{\top}(Q - @det{\bar Q})\, b \to 0, \qquad Q(z) = (@matrix{M} - z)^{-1}",
        f"Definition 2, {LIAO_MAHONEY}",
        "A matrix without randomness stands for the resolvent in traces and forms, not in operator norm.",
        _RATE,
    ),
    Formula(
        "functional",
        r"\sum_{\lambda_i \in @enclose{\Gamma}} @inside{f}(\lambda_i)\,(u^{\top} v_i)^2 = "
        r"-\frac{1}{2\pi i}\oint_{@enclose{\Gamma}} @inside{f}(z)\, u^{\top} Q(z)\, u\, dz",
        f"Definition 4, {LIAO_MAHONEY}",
        "Cauchy's integral around some eigenvalues sees their eigenvectors too: beyond eigenvalues.",
        "Γ from {left} to {right}: form {form}, trace {trace}",
    ),
    Formula(
        "linear",
        r"@activation{\varphi}\!\left(\tfrac{WX}{\sqrt p}\right) \;\leftrightarrow\; "
        r"@mu1{\mu_1} \tfrac{WX}{\sqrt p} + @mustar{\mu_*} G",
        f"Definition 8 and Theorem 3, {LIAO_MAHONEY}",
        "The linear equivalent is random still, but linear in the data: the nonlinearity is gone.",
        "μ₁ = {mu1}, μ∗² = {mustar}",
    ),
    Formula(
        "covariance",
        r"@det{\bar Q}(z) = -\frac{@kappa{\kappa}}{z}\,\bigl(@data{C} + @kappa{\kappa}\bigr)^{-1}, \qquad "
        r"z = -@ridge{\lambda}, \quad @ridge{\lambda} = @kappa{\kappa}\Bigl(1 - \tfrac{\mathrm{df}_1(@kappa{\kappa})}{n}"
        r"\Bigr)",
        f"Theorems 1 and 2, {LIAO_MAHONEY}",
        "Of a sample covariance: the population's own resolvent, at the effective ridge κ.",
        "λ = {ridge} below the spectrum",
    ),
    Formula(
        "gram",
        r"@det{\bar Q}(z) = \tfrac{1}{@kappa{\kappa}}\bigl(I - h\, u u^{\top}\bigr), \quad "
        r"h = \frac{l}{1 + l + \kappa_0}, \quad u = \frac{y}{\sqrt n}",
        f"Theorem 3, {LIAO_MAHONEY}",
        "Of a Gram matrix: a multiple of the identity, and the labels y of two classes, l = |μ|² apart.",
        "λ = {ridge}, l = {separation}",
    ),
    Formula(
        "kernel",
        r"@det{\bar Q}(z) = m\,\bigl(I - h\, u u^{\top}\bigr), \quad "
        r"h = \frac{l}{1+l}\,\frac{t m}{1 + t m}, \quad t = @mu1{a_1}\,(1 + l)\,\frac{n}{p}",
        f"Definitions 2 and 8, {LIAO_MAHONEY}; Cheng and Singer (2013)",
        "Of a kernel matrix: m from the cubic of the Kernels lab, and the labels of two classes, l = |μ|² apart.",
        "λ = {ridge} below the spectrum, l = {separation}, a₁ = {mu1}",
    ),
)

SYMBOLS = LAYER_SYMBOLS | {
    "lin": Symbol("M̃", "the equivalent matrix", ("errors:linear", "scatter:linear", "set:linear")),
    "det": Symbol("Q̄", "deterministic equivalent of the resolvent", ("scatter:deterministic", "set:equivalent")),
    "kappa": Symbol("κ", "effective ridge: the root of the map at z"),
}


def numbers(values: Values, theory: Theory, _observed: Any) -> Numbers:
    """What equivalence means, then the equivalents of this matrix."""
    last = theory.matrices.rungs[-1]
    kind, view = last.kind, str(values["view"])
    here = {
        "n": whole(last.network.samples), "predicted": say(float(theory.predicted[-1])),
        "rate": {-1.0: "∼ 1/n", -0.5: "∼ 1/√n"}.get(theory.rate, f"∼ 1/n to the power {-theory.rate:.2g}"),
        "left": say(theory.ends[0]), "right": say(theory.ends[1]),
        "trace": say(theory.forms[0]), "form": say(theory.forms[1]),
        "ridge": say(float(values["ridge"])), "separation": say(last.separation),
        "mu1": "", "mustar": "",
    }  # fmt: skip
    if last.network.layers or last.activation is not None:
        moments = last.activation.moments(1.0) if last.activation is not None else last.network.moments()[-1]
        here |= {"mu1": say(moments.mu1), "mustar": say(moments.mu_star2)}
    shown = ["functional"] if view == "contour" else ["high", "deterministic"]
    shown.append(str(kind))
    if kind == "gram":
        shown.append("linear")
    return dict.fromkeys(shown, here)


FORMULAS = Formulas(
    CATALOGUE,
    numbers,
    SYMBOLS,
    marks={
        "enclose": ("plane:contour", "plane:inside"),
        "left": ("plane:ends",),
        "right": ("plane:ends",),
        "ridge": ("plane:pole",),
        "actual": ("scatter:actual actual", "errors:actual"),
        "linear": ("scatter:actual linear", "errors:linear"),
        "equivalent": ("scatter:deterministic", "plane:bulks"),
        "top": ("errors:x", "scatter:x"),
        "mean_norm2": ("plane:outliers",),
        "separation": ("plane:outliers",),
    },
    assumes={
        "large dimensions": "n, p, N to infinity: Definitions 1 and 2",
        "n and p grow together": "p/n → c > 0, the proportional regime: Definition 1",
        "weak means": "|μ|² bounded while p grows: Theorem 3",
        "z off the spectrum": "z at a fixed distance from the eigenvalues: Definition 2",
    },
)
