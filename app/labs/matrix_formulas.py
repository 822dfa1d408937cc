"""The formulas of the Your matrix lab."""

from __future__ import annotations

from typing import Any

from app.parts.formula import LIAO_MAHONEY, Formula, Formulas, Numbers, Symbol, say, whole
from app.parts.matrix_reading import Found
from app.settings import Values

CATALOGUE = (
    Formula(
        "edges",
        r"@edges{\lambda_\pm} = @variance{\sigma^2}\bigl(1 \pm \sqrt{@ratio{c}}\bigr)^2, \qquad "
        r"@ratio{c} = \frac{p}{n}",
        f"Theorem 1 with C = σ²I, {LIAO_MAHONEY} (Marchenko and Pastur)",
        "Where the eigenvalues of pure noise of one strength would be: nothing in this bulk speaks of structure.",
        "p = {p}, n = {n}, σ² = {variance}: λ± = {left}, {right}; distance to it {ks}",
    ),
    Formula(
        "significance",
        r"\Pr\Bigl(\mathrm{TW}_1 > \frac{\lambda_{\max} - @top{\lambda_+}}{s}\Bigr) < @level{\varepsilon}",
        f"Tracy and Widom (1996), Johnstone (2001); spikes: Theorems 1 and 2, {LIAO_MAHONEY}",
        "A spike counts where noise alone would show so large an eigenvalue with a chance below ε.",
        "λ₊ = {edge}, s = {scale}; {spikes} above it, the largest {largest}",
    ),
    Formula(
        "tail",
        r"\rho(x) \sim x^{-@tail{\alpha}} \quad\text{for } x \ge x_{\min}",
        "Martin and Mahoney (2021); Clauset, Shalizi and Newman (2009)",
        "A heavy tail instead of an edge: weights that have learned correlations at all scales.",
        "α = {alpha} from x = {start} on; p = {chance}",
    ),
)

SYMBOLS = {
    "edges": Symbol("λ±", "edges of the bulk", ("main:white", "set:white")),
    "variance": Symbol("σ²", "strength of the noise, fitted", ("main:white",)),
    "ratio": Symbol("c", "ratio of columns to rows"),
    "top": Symbol("λ₊", "right edge of the bulk", ("main:edges",)),
    "tail": Symbol("α", "exponent of the tail", ("tail:power law",)),
}


def numbers(_values: Values, _theory: Any, observed: Any) -> Numbers:
    """Of the diagnosis, once it is there."""
    if not isinstance(observed, Found):
        blank = dict.fromkeys(
            (
                "p",
                "n",
                "variance",
                "left",
                "right",
                "ks",
                "edge",
                "scale",
                "spikes",
                "largest",
                "alpha",
                "start",
                "chance",
            ),
            "…",
        )
        return {"edges": blank, "significance": blank, "tail": blank}
    d = observed.diagnosis
    here = {
        "p": whole(d.shape[1]), "n": whole(d.rows), "variance": say(d.white.variance),
        "left": say(d.white.edges[0]), "right": say(d.white.edges[1]), "ks": say(d.white.ks),
        "edge": say(d.edge.position), "scale": say(d.edge.scale), "largest": say(float(d.eigenvalues[-1])),
        "spikes": "one spike" if len(d.spikes) == 1 else f"{len(d.spikes) or 'no'} spikes",
    }  # fmt: skip
    found = {"edges": here, "significance": here}
    if d.tail is not None:
        found["tail"] = {
            "alpha": say(d.tail.alpha), "start": say(d.tail.start), "chance": say(d.tail.p_value),
        }  # fmt: skip
    return found


FORMULAS = Formulas(
    CATALOGUE,
    numbers,
    SYMBOLS,
    marks={
        "level": ("main:outliers found", "main:outliers", "key:spikes (◇ shrunk to)"),
        "white": ("main:white", "key:Marchenko–Pastur, fitted"),
        "generalised": ("main:equivalent",),
        "permuted": ("main:linear", "key:same entries, random order"),
        "population": ("main:population", "main:population tops"),
    },
    assumes={
        "one noise strength": "C = σ²I: Theorem 1",
        "light entries": "bounded fourth moments of the entries: Theorem 1",
        "large dimensions": "rows and columns to infinity together: Theorem 1",
        "all eigenvalues": "the whole spectrum, not an estimate of it",
    },
)
