"""The formulas of the Spectrum lab."""

from __future__ import annotations

from typing import Any

from app.parts.formula import LIAO_MAHONEY, Formula, Formulas, Numbers, Symbol, say, whole
from app.settings import Values
from rmtcore import Network, Spectrum

DIMENSIONS = "p, n (and all widths) to infinity together: Theorems 1 to 3"

# What the learning labs say of a layer too.
LAYER = Formula(
    "layer",
    r"\varphi\!\left(\tfrac{W h}{\sqrt{d_{\ell-1}}}\right) \simeq "
    r"@mu1{\mu_1}\, \tfrac{W h}{\sqrt{d_{\ell-1}}} + @mustar{\mu_*}\, g, \quad "
    r"@mu1{\mu_1} = \mathbb{E}\,@activation{\varphi}'(\xi), \quad "
    r"@mustar{\mu_*^2} = \operatorname{Var} @activation{\varphi}(\xi) - @mu1{\mu_1^2}",
    f"Definition 8, Theorem 3 and Remark 8, {LIAO_MAHONEY}",
    "A random layer acts as a line plus independent noise: of the nonlinearity only two numbers count.",
    "last layer: μ₁ = {mu1}, μ∗² = {mustar}",
)
UP = Formula(
    "up",
    r"\kappa_\ell = @mu1{\mu_1^2}\, \tfrac{@width{d_\ell}}{d_{\ell-1}}\, \kappa_{\ell-1}"
    r"\Bigl(1 - \tfrac{\mathrm{df}_{\ell-1}}{@width{d_\ell}}\Bigr) - @mustar{\mu_*^2}",
    f"Theorems 1 to 3 composed, {LIAO_MAHONEY}",
    "Each of the L layers takes the ridge that the data feel, κ, one step up.",
    "L = {depth}, last width d = {d}, μ₁² = {slope}, μ∗² = {mustar}",
)
LAYER_SYMBOLS = {
    "mu1": Symbol("μ₁", "linear part of the nonlinearity, its slope"),
    "mustar": Symbol("μ∗", "size of the nonlinear part: noise"),
}

_CURVE = ("main:equivalent", "set:equivalent")
_EDGES = ("main:edges",)
SYMBOLS = LAYER_SYMBOLS | {
    "density": Symbol("ρ(x)", "predicted density of the eigenvalues", _CURVE),
    "x": Symbol("x", "an eigenvalue, along the axis", ("main:x",)),
    "edges": Symbol("λ±", "edges of the bulk", _EDGES),
    "atom": Symbol("δ₀", "share of eigenvalues that are zero", ("main:atom",)),
    "kappa": Symbol("κ", "effective ridge: the root of the map at a point λ"),
    "df1": Symbol("df₁", "effective degrees of freedom"),
    "n": Symbol("n", "number of samples"),
    "outlier": Symbol("λ(s)", "where the spike's eigenvalue stands", ("main:outliers", "main:outliers found")),
    "overlap": Symbol("cos²", "squared cosine of sample and population eigenvector"),
}

_SAMPLED = f"Theorems 1 and 2, {LIAO_MAHONEY}"
_BBP = f"Theorems 1 and 2, {LIAO_MAHONEY}; Baik, Ben Arous and Péché (2005)"
_LINE = "c = p/n = {ratio}: λ± = {left}, {right}; mass at zero {atom}"
CATALOGUE = (
    Formula(
        "mp",
        r"@density{\rho}(@x{x}) = \frac{\sqrt{(@x{x} - @edges{\lambda_-})(@edges{\lambda_+} - @x{x})}}"
        r"{2\pi\, @ratio{c}\, @x{x}} + \Bigl(1 - \tfrac{1}{@ratio{c}}\Bigr)^{\!+} @atom{\delta_0}, "
        r"\quad @edges{\lambda_\pm} = \bigl(1 \pm \sqrt{@ratio{c}}\bigr)^2",
        f"Theorem 1 with C = I, {LIAO_MAHONEY} (Marchenko and Pastur)",
        "White data spread their eigenvalues around 1 although every population eigenvalue is 1.",
        _LINE,
    ),
    Formula(
        "mp-gram",
        r"@density{\rho}(@x{x}) = \frac{\sqrt{(@x{x} - @edges{\lambda_-})(@edges{\lambda_+} - @x{x})}}"
        r"{2\pi\, @x{x}} + (1 - @ratio{c})^{+}\, @atom{\delta_0}, "
        r"\quad @edges{\lambda_\pm} = \bigl(1 \pm \sqrt{@ratio{c}}\bigr)^2",
        f"Theorem 1 with C = I, {LIAO_MAHONEY} (Marchenko and Pastur)",
        "The Gram matrix has the same non-zero eigenvalues, each with the weight 1/n.",
        _LINE,
    ),
    Formula(
        "sampling",
        r"\lambda = @kappa{\kappa}\Bigl(1 - \tfrac{@df1{\mathrm{df}_1}(@kappa{\kappa})}{@n{n}}\Bigr), \quad "
        r"@df1{\mathrm{df}_1}(@kappa{\kappa}) = \operatorname{tr} @data{C}(@data{C} + @kappa{\kappa})^{-1}, \quad "
        r"\tilde m(-\lambda) = \tfrac{1}{@kappa{\kappa}}",
        _SAMPLED,
        "The density is (1/π) Im 1/κ just above the axis; the edges are where dλ/dκ = 0.",
        "n = {n}: bulk from {left} to {right}, mass at zero {atom}",
    ),
    UP,
    LAYER,
    Formula(
        "spike",
        r"@outlier{\lambda(s)} = @spike{s}\Bigl(1 + \tfrac{@ratio{c}}{@spike{s} - 1}\Bigr), \quad "
        r"@overlap{\cos^2} = \frac{1 - @ratio{c}/(@spike{s}-1)^2}{1 + @ratio{c}/(@spike{s}-1)} "
        r"\quad\text{if } |@spike{s} - 1| > \sqrt{@ratio{c}}",
        _BBP,
        "A population eigenvalue far enough from the others makes one of its own; a weaker one is lost in the bulk.",
        "s = {spike}, |s − 1| = {distance} against √c = {threshold}: λ = {outlier}, cos² = {overlap}",
    ),
    Formula(
        "class",
        r"s = 1 + @mean_norm2{|\mu|^2}, \quad "
        r"@outlier{\lambda(s)} = s\Bigl(1 + \tfrac{@ratio{c}}{s - 1}\Bigr), \quad "
        r"@overlap{\cos^2} = \frac{1 - @ratio{c}/(s-1)^2}{1 + @ratio{c}/(s-1)} "
        r"\quad\text{if } s - 1 > \sqrt{@ratio{c}}",
        _BBP,
        "Two classes ±μ are one spike of the covariance: seen or lost by the same rule.",
        "s = {spike}, s − 1 = {distance} against √c = {threshold}: λ = {outlier}, cos² = {overlap}",
    ),
)


def layer_numbers(network: Network) -> dict[str, str]:
    """Of the last layer."""
    moments = network.moments()[-1]
    return {
        "mu1": say(moments.mu1), "slope": say(moments.mu1**2), "mustar": say(moments.mu_star2),
        "d": whole(network.feature_dim), "depth": whole(len(network.layers)),
    }  # fmt: skip


def numbers(values: Values, theory: Any, _observed: Any) -> Numbers:
    """Those of the data, then those of the layers."""
    network: Network = theory.network
    law: Spectrum = theory.law
    c = network.population.dim / network.samples
    bulk = {
        "ratio": say(c), "n": whole(network.samples), "atom": say(law.atom),
        "left": say(float(law.bulks[0, 0])), "right": say(float(law.bulks[-1, 1])),
    }  # fmt: skip
    if network.layers:
        of_layer = layer_numbers(network)
        return {"sampling": bulk, "up": of_layer, "layer": of_layer}
    found: dict[str, dict[str, str]] = {}
    white = network.population.bulk()[0]
    if white.size == 1 and white[0] == 1.0:
        found["mp" if values["side"] == "covariance" else "mp-gram"] = bulk
    else:
        found["sampling"] = bulk
    if law.outliers and values["data"] in ("spiked", "mixture"):
        one = law.outliers[-1]
        found["spike" if values["data"] == "spiked" else "class"] = {
            "spike": say(one.spike), "distance": say(abs(one.spike - 1.0)), "threshold": say(c**0.5),
            "outlier": say(one.position) if one.separated else "in the bulk", "overlap": say(one.overlap),
        }  # fmt: skip
    return found


FORMULAS = Formulas(
    CATALOGUE,
    numbers,
    SYMBOLS,
    marks={
        "spike": ("main:outliers", "main:outliers found"),
        "spike2": ("main:outliers", "main:outliers found"),
        "mean_norm2": ("main:outliers", "main:outliers found"),
        "ratio": _EDGES,
        "linear": ("main:linear",),
        "actual": ("main:actual", "main:rug"),
        "equivalent": ("main:equivalent",),
    },
    assumes={
        "large dimensions": DIMENSIONS,
        "four moments": "bounded fourth moments of the entries: Theorem 1",
        "independent entries": "x = C^(1/2) z with independent z: Definition 9, Theorems 1 to 3",
        "finite spikes": "C of bounded norm: Theorems 1 and 2",
    },
)
