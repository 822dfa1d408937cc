"""What the Equivalents lab says about the present state, in words with the current numbers."""

from __future__ import annotations

from app.labs.base import Lamp
from app.labs.equivalents_scenes import Observed
from app.labs.equivalents_settings import is_classical
from app.labs.equivalents_theory import Theory
from app.settings import Values
from rmtcore.observations import top_outlier

_READINGS = {
    "gram": "The linear equivalent replaces φ(WX/√p) by μ₁WX/√p + μ⁎G, with fresh noise G; the deterministic one is "
    "no random matrix at all.",
    "covariance": "A sample covariance is linear in its data already, so there are two readings: XX′/n, and C.",
    "kernel": "The linear equivalent replaces φ by its linear Hermite part and fresh noise; the deterministic one is "
    "no random matrix at all.",
}


def explain(values: Values, theory: Theory, seen: Observed | None) -> list[str]:
    """What is compared, what is observed, and what the operator norm says."""
    if values["view"] == "contour":
        return _contour(values, theory, seen)
    words = [_READINGS[str(values["matrix"])], _observation(values, theory, seen)]
    if theory.observable is not None:
        words.append(_norms(values, theory, seen))
    if values["matrix"] == "covariance":
        words.append(_regime(values, theory))
    return words


def _observation(values: Values, theory: Theory, seen: Observed | None) -> str:
    name = "risk" if theory.observable is None else theory.observable.name
    if theory.rate == 0.0:
        what = "nothing averages here: the top eigenvector stays random"
    elif is_classical(values) and name == "overlap":
        what = "with p fixed the top eigenvector settles on u, and its squared cosine is 1 − O(1/n)"
    elif is_classical(values):
        what = "with p fixed everything averages over the samples alone, and the error falls as 1/√n"
    elif name == "overlap" and theory.rate == -1.0:
        what = "the top eigenvector is random, and its squared cosine with u is of order 1/N"
    elif name == "largest" and theory.rate < -0.5:
        what = "the largest eigenvalue sticks to the edge of the bulk, about which it fluctuates as n^(−2/3)"
    elif theory.rate == -0.5:
        what = "this one looks in one direction, or hangs on one eigenvalue or data set, and its error falls as 1/√n"
    else:
        what = "a trace averages over all N directions, and its error falls as 1/n"
    start = "Equivalent is meant for an observation: "
    rate = None if seen is None else seen.actual.rate
    if rate is None:
        return start + what + "."
    told = f" (measured exponent {rate.slope:.2f})".replace("-", "−")
    early = rate.slope < theory.rate - max(0.1, 2.0 * rate.error)
    return start + what + told + ("; at small n terms of higher order still add to it." if early else ".")


def _norms(values: Values, theory: Theory, seen: Observed | None) -> str:
    norm = None if seen is None else seen.to_mean if values["matrix"] == "covariance" else seen.to_linear
    other = "its mean C" if values["matrix"] == "covariance" else "its linear equivalent"
    if is_classical(values):
        tail = "With p fixed even the operator norm of M − C falls: the classical law of large numbers."
        return tail if norm is None else tail + f" It is {norm[0][-1]:.2g} |M| at the largest n."
    tail = f"As matrices they are not close: in operator norm M stays away from {other} at every n"
    if norm is None:
        return tail + "."
    first, last = norm[0][0], norm[0][-1]
    if last == 0.0:
        return "With a linear φ there is nothing to linearise: M is its own linear equivalent."
    return tail + f", by {first:.2g} of |M| at the smallest n and {last:.2g} at the largest. That is the point."


def _regime(values: Values, theory: Theory) -> str:
    last = theory.matrices.rungs[-1].network
    ratio = last.population.dim / last.samples
    if is_classical(values):
        return f"p = {last.population.dim} stays while n grows to {last.samples}: p/n = {ratio:.3g}."
    return f"Here p/n = {ratio:.3g} at every n. Choose “p stays” to see the classical regime p/n → 0."


def _contour(values: Values, theory: Theory, seen: Observed | None) -> list[str]:
    left, right = theory.ends
    trace, form = theory.forms
    last = theory.matrices.rungs[-1]
    words = [
        f"The contour crosses the axis at {left:.3g} and {right:.3g}. The integral of f(z) Q̄(z) around it is the sum "
        f"over what it encloses: {trace * last.size:.3g} as the sum of all f(λᵢ), {form:.3g} weighted by (u′vᵢ)²."
    ]
    if seen is not None:
        inside = int(((seen.spectrum[0] > left) & (seen.spectrum[0] < right)).sum())
        words.append(f"In the draw it encloses {inside} of {last.size} eigenvalues.")
    top = top_outlier(last)
    if top is not None and left < top.position < right and left >= last.law.bulks[-1, 1]:
        words.append(
            f"Around the outlier at {top.position:.3g} alone, f = 1 gives the squared cosine of its eigenvector with "
            "u: an eigenvector, read off a contour."
        )
    elif top is None and values["enclose"] == "outlier":
        words.append("No outlier leaves the bulk here, so the contour stands beside it and encloses nothing.")
    words.append("Drag an end of the contour: the theory follows, and the same eigenvalues stay.")
    return words


def lamps(values: Values, theory: Theory) -> list[Lamp]:
    """The assumptions, and whether the present settings leave them."""
    first, last = theory.matrices.rungs[0], theory.matrices.rungs[-1]
    p = last.network.population.dim
    low, high = last.ends
    near = values["matrix"] == "kernel" and float(values["ridge"] or 0.0) < 0.05 * (high - low)
    strong = last.separation > 0.15 * first.network.population.dim
    return [
        Lamp("large dimensions", p < 30, f"p = {p} at the largest n; the theory is a limit."),
        Lamp("n and p grow together", is_classical(values),
             "p stays: the classical regime, in which the same formulas hold."),
        Lamp("weak means", strong and values["matrix"] != "covariance",
             f"|μ|² = {last.separation:.3g} is not small beside p = {first.network.population.dim} at the smallest n: "
             "the nonlinearity sees more of the classes than its linear part."),
        Lamp("z off the spectrum", near,
             "z is so near to the spectrum that a single stray eigenvalue moves the resolvent."),
    ]  # fmt: skip
