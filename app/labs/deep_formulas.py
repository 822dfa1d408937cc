"""The formulas of the Deep networks lab, view by view."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from app.labs.spectrum_formulas import DIMENSIONS, LAYER, LAYER_SYMBOLS, UP, layer_numbers
from app.parts.formula import LIAO_MAHONEY, Formula, Formulas, Numbers, Symbol, say, whole
from app.settings import Values

_GU = f"Gu et al. (2022, arXiv:2403.00258); linear equivalent: Definition 8, {LIAO_MAHONEY}"
_KIND = f"of the kind of Remark 13, {LIAO_MAHONEY}; HiLD workshop (2023)"
_FAN = f"Fan and Wang (2020); Theorem 3 composed, {LIAO_MAHONEY}"
_CHAOS = "Poole et al. (2016), Schoenholz et al. (2017); infinite width of Definition 11, " + LIAO_MAHONEY
CATALOGUE = (
    Formula(
        "ck",
        r"@which{K_{\mathrm{CK}}} \simeq @c1{a_1} X^{\top}X + V A V^{\top} + (@diagonal{\tau^2} - @c1{a_1})\, I, \quad "
        r"A = \begin{pmatrix} @c2{a_2} tt^{\top} + @c3{a_3} T & @c2{a_2} t \\ @c2{a_2} t^{\top} & @c2{a_2} \end{pmatrix}",
        _GU,
        "Through any depth the conjugate kernel keeps three numbers of the data: of means, norms and shapes.",
        "L = {depth}: a₁ = {c1}, a₂ = {c2}, a₃ = {c3}, τ² = {diagonal}",
    ),
    Formula(
        "ck-step",
        r"@c1{a_1}' = \mathbb{E}[@activation{\varphi}']^2 @c1{a_1}, \quad "
        r"@c2{a_2}' = \mathbb{E}[@activation{\varphi}']^2 @c2{a_2} + "
        r"\tfrac14 \mathbb{E}[@activation{\varphi}'']^2 @c4{a_4^2}, \quad "
        r"@c3{a_3}' = \mathbb{E}[@activation{\varphi}']^2 @c3{a_3} + "
        r"\tfrac12 \mathbb{E}[@activation{\varphi}'']^2 @c1{a_1^2}",
        _GU,
        "One layer up: slope and curvature of the activation are all that a layer needs.",
        "L = {depth}: a₂/a₁ = {second}, a₃/a₁ = {third}, a₄ = {c4}",
    ),
    Formula(
        "ntk",
        r"@which{K_{\mathrm{NTK}}} \simeq @b1{b_1} X^{\top}X + V B V^{\top} + (@size{\kappa^2} - @b1{b_1})\, I, \quad "
        r"@b1{b_1}' = @c1{a_1}' + \mathbb{E}[@activation{\varphi}']^2 @b1{b_1}",
        _GU,
        "The tangent kernel, which training of all layers sees, has the same form with other numbers.",
        "L = {depth}: b₁ = {b1}, b₂ = {b2}, b₃ = {b3}, κ² = {size}",
    ),
    UP,
    LAYER,
    Formula(
        "levels",
        r"\rho_{\ell}(x) = \tfrac{1}{\pi}\operatorname{Im} \frac{1}{\kappa_\ell(x + i0)} "
        r"\quad\text{of } \tfrac{1}{n} F_\ell^{\top} F_\ell, \qquad "
        r"K_\ell = \tfrac{n}{@width{d}}\cdot\tfrac{1}{n} F_\ell^{\top} F_\ell",
        f"Theorems 1 to 3 composed, {LIAO_MAHONEY}",
        "The spectrum of every layer comes from the same map, cut off at that layer.",
        "n/d = {inverse}: bulk of the last layer from {left} to {right}",
    ),
    Formula(
        "tangent",
        r"@which{K_{\mathrm{NTK}}} \simeq @floor{r_+} I + \sum_{\ell=0}^{@depth{L}} @weights{q_\ell}\, "
        r"X_\ell^{\top} X_\ell, \qquad @weights{q_\ell} = \prod_{k > \ell} @mu1{\mu_1^2}",
        _FAN,
        "At widths like n the tangent kernel is a floor and the kernels of all layers, deeper ones weighing more.",
        "r₊ = {floor}; q from {first} (data) to {last} (last layer): bulk from {left} to {right}",
    ),
    Formula(
        "variance",
        r"q_{\ell+1} = @weight{\sigma_w^2}\, \mathbb{E}\, @nonlinearity{\varphi}(\sqrt{q_\ell}\, \xi)^2 + "
        r"@bias{\sigma_b^2} \;\longrightarrow\; @settled{q^*}",
        _CHAOS,
        "The size of a signal: one step of a map on a number, which settles at a fixed point or not at all.",
        "σ_w² = {weight}, σ_b² = {bias}, q₀ = {start}: q* = {settled}",
    ),
    Formula(
        "chi",
        r"@chi{\chi_1} = @weight{\sigma_w^2}\, \mathbb{E}\, @nonlinearity{\varphi}'(\sqrt{@settled{q^*}}\, \xi)^2, "
        r"\qquad @reach{\xi} = \frac{1}{|\log @chi{\chi_1}|}",
        _CHAOS,
        "Below 1 signals become alike, above 1 they part; at the edge, 1, they reach any depth.",
        "χ₁ = {chi}, reach ξ = {reach} layers",
    ),
    Formula(
        "training",
        r"@error{E_t} = \tfrac{1}{2n}\operatorname{tr}\bigl(e^{-2\eta t @tangent{K_{\mathrm{NTK}}}} K_{\mathrm{CK}}\bigr) "
        r"+ \tfrac{1}{2n}\, y^{\top} e^{-2\eta t @tangent{K_{\mathrm{NTK}}}}\, y",
        _KIND,
        "Training all layers of a very wide network: its random start and its labels decay with the tangent kernel.",
        "at the start {start}, at the end {end}; rates from {slowest} to {fastest}",
    ),
    Formula(
        "ternary",
        r"\bigl(@c1{a_1}, @c2{a_2}, @c3{a_3}\bigr)[\text{ternary}] = \bigl(@c1{a_1}, @c2{a_2}, @c3{a_3}\bigr)"
        r"[@activation{\varphi}], \qquad K' = K + @offset{\Delta}\, I",
        _GU,
        "Three-valued activations with the same three numbers make the same kernel, up to a ridge.",
        "a₁ = {c1}, a₂ = {c2}, a₃ = {c3}; Δ = {offset}, zero weights ε = {sparsity}",
    ),
)

_WEIGHTS = ("weights:first", "weights:second", "weights:third", "weights:fourth")
SYMBOLS = LAYER_SYMBOLS | {
    "c1": Symbol("a₁", "weight of X′X, the class means, in the conjugate kernel", _WEIGHTS[:1]),
    "c2": Symbol("a₂", "weight of the norms of the samples", _WEIGHTS[1:2]),
    "c3": Symbol("a₃", "weight of the shapes of the covariances", _WEIGHTS[2:3]),
    "c4": Symbol("a₄", "how a layer passes on norms", _WEIGHTS[3:]),
    "b1": Symbol("b₁", "weight of X′X, the class means, in the tangent kernel", _WEIGHTS[:1]),
    "size": Symbol("κ²", "diagonal of the tangent kernel", _WEIGHTS[3:]),
    "diagonal": Symbol("τ²", "diagonal of the conjugate kernel", ("kernel:diagonal",)),
    "floor": Symbol("r₊", "floor: no eigenvalue of the tangent kernel is below", ("spectrum:edges",)),
    "weights": Symbol("q_l", "weight of layer ℓ in the tangent kernel"),
    "settled": Symbol("q*", "variance at which a signal settles", ("variances:diagonal",)),
    "chi": Symbol("χ₁", "slope of the correlation map at 1", ("plane:edge", "correlations:map")),
    "reach": Symbol("ξ", "layers over which two signals forget their difference", ("plane:reach",)),
    "error": Symbol("E_t", "training error at time t", ("training:error", "training:actual error")),
    "tangent": Symbol("K_NTK", "tangent kernel"),
    "offset": Symbol("Δ", "how much more of the identity the ternary kernel carries"),
}


def _kernel(values: Values, found: Any) -> Numbers:
    row = found.rows[found.depth]
    here = {
        "depth": whole(found.depth), "c1": say(row.a1), "c2": say(row.a2), "c3": say(row.a3), "c4": say(row.a4),
        "b1": say(row.b1), "b2": say(row.b2), "b3": say(row.b3), "diagonal": say(row.tau**2), "size": say(row.kappa**2),
        "second": say(row.a2 / row.a1 if row.a1 else math.inf), "third": say(row.a3 / row.a1 if row.a1 else math.inf),
    }  # fmt: skip
    return dict.fromkeys(["ck", "ck-step"] if values["which"] == "ck" else ["ntk", "ck-step"], here)


def _spectrum(_values: Values, found: Any) -> Numbers:
    here = layer_numbers(found.network) | {
        "inverse": say(found.network.samples / found.network.feature_dim),
        "left": say(float(found.law.bulks[0, 0])), "right": say(float(found.law.bulks[-1, 1])),
    }  # fmt: skip
    if found.tangent is None:
        return dict.fromkeys(["levels", "up", "layer"], here)
    q = found.weights
    here |= {"floor": say(found.floor), "first": say(float(q[0])), "last": say(float(q[-1]))}
    return dict.fromkeys(["tangent", "up", "layer"], here)


def _propagation(values: Values, found: Any) -> Numbers:
    here = {
        "weight": say(float(values["weight"])), "bias": say(float(values["bias"])), "start": say(float(values["start"])),
        "settled": say(found.point.variance), "chi": say(found.point.chi1), "reach": say(found.point.depth),
    }  # fmt: skip
    return dict.fromkeys(["variance", "chi"], here)


def _dynamics(_values: Values, found: Any) -> Numbers:
    known = found.error.size > 0
    here = {
        "start": say(float(found.error[0])) if known else "none", "end": say(float(found.error[-1])) if known else "none",
        "slowest": say(found.slowest), "fastest": say(found.fastest),
    }  # fmt: skip
    return {"training": here}


def _compression(values: Values, found: Any) -> Numbers:
    row = found.rows[-1]
    here = {
        "c1": say(row.a1), "c2": say(row.a2), "c3": say(row.a3), "sparsity": say(float(values["sparsity"])),
        "offset": say(found.small.offset) if found.small is not None else "none",
    }  # fmt: skip
    return {"ternary": here}


_VIEWS: dict[str, Callable[[Values, Any], Numbers]] = {
    "kernel": _kernel,
    "spectrum": _spectrum,
    "propagation": _propagation,
    "dynamics": _dynamics,
    "compression": _compression,
}


def numbers(values: Values, theory: Any, _observed: Any) -> Numbers:
    """Those of the view."""
    return _VIEWS[str(values["view"])](values, theory.found)


FORMULAS = Formulas(
    CATALOGUE,
    numbers,
    SYMBOLS,
    marks={
        "weight": ("plane:y", "plane:here", "variances:map"),
        "bias": ("plane:x", "plane:here", "variances:map"),
        "steps": ("variances:steps", "correlations:steps"),
        "start": ("variances:steps",),
        "alike": ("correlations:steps",),
        "depth": ("weights:now", "weights:x"),
        "activation": ("functions:given",),
        "mean_norm2": ("spectrum:outliers", "spectrum:outliers found"),
        "actual": ("spectrum:actual", "training:actual error"),
        "linear": ("spectrum:linear",),
        "equivalent": ("spectrum:equivalent", "training:error", *_WEIGHTS),
    },
    assumes={
        "large dimensions": DIMENSIONS,
        "classes near each other": "norms differ by O(1/√p): the equivalent of Gu et al. (2022)",
        "classes of one shape": "C the same in all classes: the density of Theorem 1",
        "a derivative": "φ differentiable: χ₁ and the tangent kernel",
        "bulk alone": "no outliers: the law of Fan and Wang (2020)",
        "wide layers": "infinite width: the maps of q and c",
        "a variance that settles": "q at its fixed point: the correlation map",
        "much wider than the data": "width much larger than n: the kernel stands still, Remark 13",
        "a ternary match": "three-valued φ with the same a₁, a₂, a₃ exists",
    },
)
