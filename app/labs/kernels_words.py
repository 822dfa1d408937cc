"""What the Kernels lab says about the present state, in words with the current numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from app.labs.base import Lamp
from app.parts.kernel_rounds import Case, Drawn, Reading, same
from rmtcore import KernelOutlier, Spectrum, hermite
from rmtcore.kernels import derivatives, fourth_moment

Observed = Mapping[Reading, Drawn]


def outliers_of(law: Spectrum, source: str) -> list[tuple[int, KernelOutlier]]:
    """The outliers of one source, with their places among all."""
    found = [(index, one) for index, one in enumerate(law.outliers) if isinstance(one, KernelOutlier)]
    return [(index, one) for index, one in found if one.source == source]


def spread(case: Case) -> float:
    """Standard deviation of a squared distance |x - y|^2/p about 2."""
    return math.sqrt((2.0 * fourth_moment(case.entries, case.dof) + 2.0) / case.dim)


def explain(case: Case, laws: Mapping[Reading, Spectrum], beside: str, gap: float | None) -> list[str]:
    """The setting, what the bulk knows, its companion, the outliers."""
    law = laws["actual"]
    words = [*(_distances(case, law) if case.distance else _inner_products(case))]
    if beside == "twin":
        words.append(_twin(case, laws["twin"], gap))
    elif beside == "linear":
        words.append(_linear(case, gap))
    words.append(_labels(case, law))
    other = _distance_outliers(law) if case.distance else _norms(case, law)
    return [*words, *(text for text in other if text)]


def _inner_products(case: Case) -> list[str]:
    moments, name = case.function.moments(1.0), case.function.formula
    words = [
        f"n = {case.samples} points of dimension p = {case.dim}. An inner product over √p is as random as a standard "
        f"Gaussian, however large p: all of φ = {name} is felt."
    ]
    share = moments.mu1**2 / moments.variance
    if moments.mu1 == 0.0:
        words.append(
            f"φ has no linear part: a₁ = 0. Its kernel matrix looks like pure noise of variance "
            f"ν = {moments.variance:.4g}: a semicircle of radius 2√(ν/(p/n)) = {_radius(case):.4g}."
        )
    elif moments.mu_star2 == 0.0:
        words.append("φ is linear: the kernel matrix is X′X/p without its diagonal, the Marchenko–Pastur law.")
    else:
        words.append(
            f"Still the bulk knows but two numbers of it: its slope a₁ = {moments.mu1:.4g} and its energy "
            f"ν = {moments.variance:.4g}. The linear share a₁²/ν = {share:.0%} makes a Marchenko–Pastur law, the rest "
            f"acts as independent noise and blurs it like a semicircle."
        )
    return words


def _radius(case: Case) -> float:
    return 2.0 * math.sqrt(case.function.moments(1.0).variance * case.samples / case.dim)


def _distances(case: Case, law: Spectrum) -> list[str]:
    start, value, first, _ = derivatives(case.function)
    words = [
        f"n = {case.samples} points of dimension p = {case.dim}. All squared distances over p lie near 2 (here "
        f"± {spread(case):.2g}), where f is nearly its tangent: the kernel matrix is nearly linear in X′X/p.",
        f"The bulk is a Marchenko–Pastur law stretched by −2f′(2) = {-2 * first:.4g} and lifted by "
        f"f(0) − f(2) + 2f′(2) = {start - value + 2 * first:.4g}. The bulk knows nothing else of f.",
    ]
    if law.atom > 0:
        words[1] += (
            f" With p < n a share {law.atom:.3g} of it sits at one point; the curvature of f spreads these "
            "eigenvalues a little, less and less as p grows."
        )
    return words


def _twin(case: Case, law: Spectrum, gap: float | None) -> str:
    letter, kept = ("f", "f(0), f(2) and f′(2)") if case.distance else ("φ", "a₁ and ν")
    if same(case.function, case.twin):
        return f"The quadratic with the same {kept} is {letter} itself: it is its own twin."
    text = f"Its twin, {case.twin.formula}, is another function with the same {kept}, and so with the same bulk"
    text += "." if gap is None else f": on the same data the two histograms differ by {gap:.2%}."
    seen = [one for _, one in outliers_of(law, "norms") if one.separated]
    own = f" Outliers may differ: the norms of the points give it its own, at {_places(seen)}." if seen else ""
    return text + own


def _places(found: list[KernelOutlier]) -> str:
    return true_minus(" and ".join(f"{one.position:.4g}" for one in found))


def _linear(case: Case, gap: float | None) -> str:
    what = "the Taylor expansion of f at 2" if case.distance else "a₁X′X/p plus independent Gaussian noise"
    text = f"Its linear equivalent, {what}, has the same bulk"
    return text + ("." if gap is None else f": on the same data the two histograms differ by {gap:.2%}.")


def _labels(case: Case, law: Spectrum) -> str:
    if case.mean_norm2 == 0.0:
        return "There is one class; separate two of them (|μ|²) to see an outlier that knows the labels."
    found = outliers_of(law, "labels")
    if not found:
        return "The two classes leave no trace in the spectrum: without a linear part φ does not see them."
    one = found[0][1]
    if not one.separated:
        return f"The two classes are too near (|μ|² = {case.mean_norm2:.4g}): their outlier is lost in the bulk."
    return (
        f"The two classes (|μ|² = {case.mean_norm2:.4g}) show as an outlier at {one.position:.4g}; its eigenvector is "
        f"the labels with squared cosine {one.overlap:.3f}, a clustering that nobody taught."
    )


def _norms(case: Case, law: Spectrum) -> list[str]:
    seen = [one for _, one in outliers_of(law, "norms") if one.separated]
    if not seen:
        return []
    a2 = hermite(case.function, 2).coefficients[2]
    return [
        f"Outliers tell functions apart where the bulk cannot: through a₂ = {a2:.3g} this φ sees that the norms of the "
        f"points vary, at {_places(seen)}. An odd φ, or entries ±1, has none of these."
    ]


def _distance_outliers(law: Spectrum) -> list[str]:
    mean = [one for _, one in outliers_of(law, "mean") if one.separated]
    words = []
    if mean:
        words.append(
            f"Far outside, at {mean[0].position:.4g}, is the mean f(2) of all entries: of the order of n, and "
            "nearly the same on every data set."
        )
    seen = [one for _, one in outliers_of(law, "norms") if one.separated]
    if seen:
        words.append(f"The norms of the points vary, and f″(2) shows it at {_places(seen)}.")
    return [" ".join(words)]


def lamps(case: Case, law: Spectrum) -> list[Lamp]:
    """The assumptions of the limiting law, and whether the present settings leave them."""
    smallest = min(case.dim, case.samples)
    signal = case.mean_norm2 / math.sqrt(case.dim)
    student = case.entries == "student" and case.dof <= 8.0
    pair = not case.distance and bool(outliers_of(law, "norms"))
    return [
        Lamp("large dimensions", smallest < 50, f"The smaller of p and n is {smallest}; the theory is a limit."),
        Lamp("class separation small beside √p", signal > 0.25,
             f"|μ|²/√p is {signal:.2g}: it shifts the {'distances' if case.distance else 'inner products'} so far that "
             "more than the slope is felt."),
        Lamp("light tails", student,
             "Student t with at most 8 degrees of freedom: norms of single points stick out, and outliers come near "
             "their limit slowly."),
        Lamp("no outliers of the norms", pair,
             "A pair of outliers of the norms is planted, beyond the theorem on the bulk; where it leaves the bulk it "
             "nears its limit as slowly as 1/√p."),
        Lamp("continuous law", law.atom > 0,
             "A finite matrix spreads the atom: the distance W1 is shown, since KS would compare it with a jump."),
    ]  # fmt: skip


def true_minus(text: str) -> str:
    """Numbers with a true minus sign."""
    return text.replace("-", "−")


def ends(values: NDArray[np.float64]) -> str:
    """Smallest and largest."""
    return f"[{values.min():.4g}, {values.max():.4g}]"
