"""The formulas of the Real data lab."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.parts.formula import LIAO_MAHONEY, Formula, Formulas, Numbers, Symbol, say, whole
from app.parts.real_data import FOURIER, Measured
from app.settings import Values

_LOUART = f"Louart, Liao and Couillet (2018); Remarks 9 and 10, {LIAO_MAHONEY}"
CATALOGUE = (
    Formula(
        "kernel",
        r"@qbar{\bar Q} = \bigl(\bar K + @ridge{\lambda} I\bigr)^{-1}, \quad "
        r"\bar K = @width{\tfrac{d}{n}}\, \frac{@k{K}}{1 + @delta{\delta}}, \quad "
        r"@delta{\delta} = \tfrac{1}{@samples{n}} \operatorname{tr} @k{K} @qbar{\bar Q}, \quad "
        r"@k{K} = \mathbb{E}_w\, @activation{\varphi}(X^{\top} w)\, @activation{\varphi}(w^{\top} X)",
        _LOUART,
        "On given data the d neurons play the part of samples, and the kernel K that of their covariance.",
        "n = {n}, d = {d}, λ = {ridge}",
    ),
    Formula(
        "fourier",
        r"@qbar{\bar Q} = \Bigl(@width{\tfrac{d}{n}} \Bigl(\frac{K_{\cos}}{1 + @delta{\delta_c}} + "
        r"\frac{K_{\sin}}{1 + @delta{\delta_s}}\Bigr) + @ridge{\lambda} I\Bigr)^{-1}, \quad "
        r"@delta{\delta_\sigma} = \tfrac{1}{@samples{n}} \operatorname{tr} K_\sigma @qbar{\bar Q}",
        f"Theorem 1 of Liao, Couillet and Mahoney (2020); Remark 10, {LIAO_MAHONEY}",
        "Cosines and sines together: two numbers δ instead of one, and a threshold at 2d = n.",
        "n = {n}, d = {d}, λ = {ridge}",
    ),
    Formula(
        "train",
        r"@train{\mathcal{E}_{\mathrm{train}}} = \frac{@ridge{\lambda}^2}{@samples{n}}\, y^{\top} @qbar{\bar Q} \left["
        r"\frac{\tfrac1d \operatorname{tr} @qbar{\bar Q}\bar K@qbar{\bar Q}}"
        r"{1 - \tfrac1d \operatorname{tr} \bar K@qbar{\bar Q}\bar K@qbar{\bar Q}}\, \bar K + I \right] @qbar{\bar Q}\, y",
        _LOUART,
        "Training error of the network on these points; the test error has the same denominator.",
        "E_train = {train}, E_test = {test}",
    ),
)

SYMBOLS = {
    "qbar": Symbol("Q̄", "deterministic equivalent of the resolvent"),
    "k": Symbol("K", "kernel of infinitely many neurons on the training points"),
    "delta": Symbol("δ", "what a finite width takes away from the kernel"),
    "train": Symbol("E_train", "training error", ("train:own", "train:y")),
}


def numbers(values: Values, theory: Any, observed: Any) -> Numbers:
    """At the width and the ridge of the sliders, once the workers have the curves."""
    ridge = float(values["ridge"])
    n, d, test, train = float(values["samples"]), float("nan"), float("nan"), float("nan")
    if isinstance(observed, Measured):
        n = observed.facts.samples
        d = float(values["width"]) * n
        curve = observed.curves.get(ridge)
        if curve is not None:
            here = int(np.argmin(np.abs(curve.widths - d)))
            d, test, train = float(curve.widths[here]), float(curve.test[here]), float(curve.train[here])
    numbers_here = {
        "n": whole(n), "d": whole(d) if d == d else "…", "ridge": say(ridge), "test": say(test), "train": say(train),
    }  # fmt: skip
    if theory.features == FOURIER:
        return {"fourier": numbers_here}
    return {"kernel": numbers_here, "train": numbers_here}


FORMULAS = Formulas(
    CATALOGUE,
    numbers,
    SYMBOLS,
    marks={
        "width": ("main:now", "main:x", "train:now", "train:x"),
        "ridge": ("main:own", "train:own"),
        "actual": ("main:actual own", "train:actual own"),
        "equivalent": ("main:own", "train:own"),
        "twin": ("main:twin own", "key:Gaussian twin"),
        "samples": ("main:threshold", "train:threshold"),
    },
    assumes={
        "Lipschitz activation": "φ Lipschitz: Louart, Liao and Couillet (2018)",
        "points of comparable norm": "|x|² bounded: Louart, Liao and Couillet (2018)",
        "many training points": "n, d to infinity together: Remarks 9 and 10",
    },
)
