"""The numbers beside the plots of the Kernels lab: agreement, what the bulk knows, where the outliers are."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from app.labs.base import Readout
from app.labs.kernels_words import Observed, ends, outliers_of, true_minus
from app.parts.kernel_rounds import Case, Drawn, Reading
from rmtcore import KernelOutlier, Spectrum, hermite
from rmtcore.kernels import derivatives

Array = NDArray[np.float64]

NAMES: dict[Reading, str] = {"twin": "its twin", "linear": "linear equivalent"}
_LEAST = 0.01  # what a distance between spectra may be at any size
_MOST = 0.3  # share by which an outlier may be off at any size


def readouts(case: Case, laws: dict[Reading, Spectrum], observed: Observed | None) -> list[Readout]:
    """All of them, in their order; `laws` by reading, that of the kernel itself first."""
    law = laws["actual"]
    seen: Observed = observed or {}
    parts = [_agreement(case, law, reading, seen.get(reading)) for reading in laws]
    beside = next((reading for reading in laws if reading != "actual"), None)
    if beside is not None:
        parts.append(_between(law, beside, seen))
    parts += [*(_derivatives(case) if case.distance else _energies(case)), _bulk(law)]
    if law.atom > 0:
        parts.append(_atom(law, seen.get("actual")))
    if case.mean_norm2 > 0:
        parts.append(_labels(case, law, laws, seen))
    if case.distance:
        parts += [_mean(one, reading, seen.get(reading)) for reading, one in laws.items() if outliers_of(one, "mean")]
    parts += [_norms(one, reading, seen.get(reading)) for reading, one in laws.items() if outliers_of(one, "norms")]
    return [*parts, _health(law)]


def symbol(case: Case, reading: Reading) -> str:
    """Whose number it is."""
    return ("f" if case.distance else "φ") if reading == "actual" else NAMES[reading]


def distance_name(law: Spectrum) -> str:
    """KS; W1 beside an atom, which no finite matrix has."""
    return "W1" if law.atom > 0 else "KS"


def allowance(case: Case, reading: Reading) -> float:
    """How far spectra of this size are from the limit.

    Twice a rigid spectrum's steps, and what falls as 1/sqrt(p): for inner products the distance from Gaussian, which
    the nonlinear part feels; for distances the curvature f''(2) beside the slope f'(2).
    """
    if case.distance:
        _, _, first, second = derivatives(case.twin if reading == "twin" else case.function)
        bend = 0.9 * abs(second / first)
    else:
        moments = case.function.moments(1.0)
        bend = 0.3 + 0.8 * math.sqrt(moments.mu_star2 / moments.variance)
    return max(_LEAST, 2.0 / case.samples + bend / math.sqrt(case.dim))


def _agreement(case: Case, law: Spectrum, reading: Reading, found: Drawn | None) -> Readout:
    label = f"{distance_name(law)} distance, {symbol(case, reading)}"
    allowed = allowance(case, reading)
    detail = f"from the curve; up to {allowed:.2g} expected at this size"
    if found is None:
        return Readout(label, "…", detail)
    values = found.w1 / np.ptp(law.bulks) if law.atom > 0 else found.ks
    if found.rounds > 1:
        detail = f"± {values.std(ddof=1) / math.sqrt(found.rounds):.1g}; {detail}"
    return Readout(label, f"{values.mean():.4f}", detail, bool(values.mean() < allowed))


def gap(law: Spectrum, one: Drawn, other: Drawn) -> float:
    """Distance of two pooled spectra: KS, or W1 as a share of the bulk's width."""
    first, second = np.sort(one.kept), np.sort(other.kept)
    if law.atom > 0:
        return float(wasserstein_distance(first, second) / np.ptp(law.bulks))
    places = np.concatenate([first, second])
    levels = [np.searchsorted(part, places, side="right") / part.size for part in (first, second)]
    return float(np.max(np.abs(levels[0] - levels[1])))


def _between(law: Spectrum, reading: Reading, seen: Observed) -> Readout:
    label, detail = f"The two histograms: {distance_name(law)}", "between all eigenvalues of both, but outliers"
    if "actual" not in seen or reading not in seen:
        return Readout(label, "…", detail)
    return Readout(label, f"{gap(law, seen['actual'], seen[reading]):.4f}", detail)


def _energies(case: Case) -> list[Readout]:
    moments, expansion = case.function.moments(1.0), hermite(case.function, 3)
    first, second, third, rest = expansion.energies[1:] / expansion.energies[1:].sum()
    slope = f"a₁ = {moments.mu1:.4g}, ν = {moments.variance:.4g}"
    shares = " · ".join(f"{100 * share:.1f}" for share in (first, second, third, rest)) + " %"
    return [
        Readout("What the bulk knows of φ", true_minus(slope), "a₁ = E ξφ(ξ), ν = Var φ(ξ), ξ ~ N(0, 1)"),
        Readout("Hermite energies", shares, "a₁², a₂², a₃² and all beyond, as shares of ν"),
    ]


def _derivatives(case: Case) -> list[Readout]:
    start, value, first, second = derivatives(case.function)
    known = f"slope {-2 * first:.4g}, shift {start - value + 2 * first:.4g}"
    taylor = f"{start:.4g}; {value:.4g}; {first:.4g}; {second:.4g}"
    return [
        Readout("What the bulk knows of f", true_minus(known), "−2f′(2), and f(0) − f(2) + 2f′(2)"),
        Readout("f(0); f(2); f′(2); f″(2)", true_minus(taylor), "f″ moves the outliers alone"),
    ]


def _bulk(law: Spectrum) -> Readout:
    label = "Bulk" if len(law.bulks) == 1 else f"{len(law.bulks)} bulks"
    return Readout(label, true_minus("; ".join(ends(one) for one in law.bulks)), "edges of the limiting law")


def _atom(law: Spectrum, found: Drawn | None) -> Readout:
    label, value = true_minus(f"Atom at {law.atom_at:.4g}"), f"mass {law.atom:.4g}"
    if found is None:
        return Readout(label, f"{value}, found …", "1 − p/n, nearer to it than to the bulk")
    share = found.atomic.size / (found.samples * found.rounds)
    where = f", in {true_minus(ends(found.atomic))}" if found.atomic.size else ""
    return Readout(label, f"{value}, found {share:.4g}", f"1 − p/n, nearer to it than to the bulk{where}")


def _labels(case: Case, law: Spectrum, laws: dict[Reading, Spectrum], seen: Observed) -> Readout:
    label = "Outlier of the labels"
    planted = outliers_of(law, "labels")
    if not planted:
        return Readout(label, "none", "a₁ = 0: φ does not see the classes")
    index, one = planted[0]
    if not one.separated:
        return Readout(label, "no outlier", true_minus(f"in the bulk, at the edge {one.position:.4g}"))
    value, detail = f"λ = {one.position:.4g}", f"overlap {one.overlap:.3f}"
    good = None
    if "actual" in seen:
        found = seen["actual"]
        at = float(found.outliers[:, index].mean())
        value += f", found {at:.4g}"
        detail += f", found {found.overlap[:, index].mean():.3f}"
        # One draw scatters as 1/sqrt(n); inner products feel |mu|^2/sqrt(p) beyond the slope, its square in all.
        allowed = 1.8 / math.sqrt(case.samples * found.rounds) + (1.0 + case.mean_norm2**2) / case.dim
        good = bool(abs(at / one.position - 1.0) < min(allowed, _MOST))
    for reading, other in laws.items():
        if reading in seen and reading != "actual" and (place := outliers_of(other, "labels")):
            detail += f"; {NAMES[reading]} {seen[reading].outliers[:, place[0][0]].mean():.4g}"
    return Readout(label, value, detail, good)


def _norms(law: Spectrum, reading: Reading, found: Drawn | None) -> Readout:
    label = f"Outliers of the norms{'' if reading == 'actual' else ', ' + NAMES[reading]}"
    apart = [(index, one) for index, one in outliers_of(law, "norms") if one.separated]
    if not apart:
        return Readout(label, "in the bulk", "too weak to leave it")
    predicted = " and ".join(f"{one.position:.4g}" for _, one in apart)
    detail = "nearing their limits as 1/√p"
    if found is None:
        return Readout(label, true_minus(f"λ = {predicted}, found …"), detail)
    places = " and ".join(f"{found.outliers[:, index].mean():.4g}" for index, _ in apart)
    overlaps = " and ".join(f"{found.overlap[:, index].mean():.2f} for {one.overlap:.2f}" for index, one in apart)
    return Readout(label, true_minus(f"λ = {predicted}, found {places}"), f"overlap {overlaps}; {detail}")


def _mean(law: Spectrum, reading: Reading, found: Drawn | None) -> Readout:
    label = f"Outlier of the mean{'' if reading == 'actual' else ', ' + NAMES[reading]}"
    index, one = outliers_of(law, "mean")[0]
    if not one.separated:
        return Readout(label, "in the bulk", "n is too small for it to leave")
    value, detail = f"λ = {one.position:.4g}", f"of order n; fluctuates by {one.deviation:.2g}"
    if found is None:
        return Readout(label, f"{value}, found …", detail)
    at = float(found.outliers[:, index].mean())
    allowed = 3.0 * one.deviation / math.sqrt(found.rounds) + 0.01 * abs(one.position)
    return Readout(label, f"{value}, found {at:.4g}", detail, bool(abs(at - one.position) < allowed))


def _health(law: Spectrum) -> Readout:
    health = law.health
    good = health.certified and health.residual < 1e-9 and health.mass_error < 1e-4
    detail = f"residual {health.residual:.0e}, mass error {health.mass_error:.0e}, {law.grid.size} points"
    return Readout("Solver", "certified" if good else "NOT certified", detail, good)


def predicted(law: Spectrum) -> list[KernelOutlier]:
    """Outliers that leave the bulk."""
    return [one for one in law.outliers if isinstance(one, KernelOutlier) and one.separated]
