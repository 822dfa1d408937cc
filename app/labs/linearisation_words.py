"""What the Linearisation lab says about the present state: numbers beside the figures, sentences, assumptions."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.labs.base import Lamp, Readout
from app.labs.linearisation_scenes import names, shown
from app.labs.linearisation_theory import Measured, Member, Solved, even_moments
from app.parts.arguments import Arguments
from app.settings import Values
from rmtcore import hermite, z_score

Array = NDArray[np.float64]

# Where a mean square comes from a few rare pairs, its standard error is as uncertain as itself: no verdict.
_RARE = 4.0


class Slope(NamedTuple):
    """A power of n through dots, weighted by their errors."""

    slope: float
    error: float


def readouts(
    solved: Solved, values: Values, n: int, observed: Arguments | None, measured: dict[str, Measured]
) -> list[Readout]:
    """The argument, the errors at n, their rates, and how well experiment and theory agree."""
    called, row = names(solved, values), solved.dims.index(n)
    found = [_argument(solved, n, observed)]
    others = [who for who in shown(solved, values) if who != "other"]
    found += [_here(solved, called[who], solved.members[who], row, measured.get(who)) for who in others]
    found += [_rate(solved, called[who], solved.members[who], measured.get(who)) for who in others]
    if solved.regime == "clt":
        expansion = hermite(solved.activation, 1)
        a0, a1 = expansion.coefficients
        value = f"{short(a0)}, {short(a1)}, {float(expansion.energies.sum()):.4g}"
        found.append(Readout("a₀, a₁, ν = E φ²", value, f"energy beyond the line: {short(expansion.residual)}"))
    if "other" in solved.members:
        found.append(_other(solved, called["other"], solved.members["other"], row))
    return [*found, agreement(solved, measured)]


def _argument(solved: Solved, n: int, observed: Arguments | None) -> Readout:
    """Its spread where it concentrates; its fourth moment where it becomes Gaussian."""
    drawn = None if observed is None else observed.values[observed.dims.index(n)].astype(float)
    if solved.regime == "lln":
        detail, good = f"1/√n = {1.0 / math.sqrt(n):.4g}", None
        if drawn is not None:
            score = z_score(drawn**2 / n, 1.0 / n)
            detail, good = f"drawn {math.sqrt(score.mean):.4g}, z = {signed(score.z)}", bool(abs(score.z) < 4.0)
        return Readout("Width of the argument", f"{1.0 / math.sqrt(n):.4g}", detail, good)
    fourth = float(even_moments(n, solved.vectors)[2]) * n**2
    detail, good = "Gaussian: 3; …", None
    if drawn is not None:
        score = z_score(drawn**4, fourth)
        detail, good = f"Gaussian: 3; drawn {score.mean:.3g} ± {score.standard_error:.2g}", bool(abs(score.z) < 4.0)
    return Readout("Fourth moment of t", f"{fourth:.4g}", detail, good)


def _here(solved: Solved, name: str, member: Member, row: int, found: Measured | None) -> Readout:
    label = f"{'Gap' if solved.regime == 'clt' else 'Error'}, {name}"
    predicted = float(member.error[row])
    if predicted == 0.0:
        return Readout(label, "none" if member.exact else "below rounding", "it is φ itself" if member.exact else "")
    detail, good = "drawn …", None
    if found is not None:
        mean, error = float(found.error[0][row]), float(found.error[1][row])
        certain = error < 1e-6 * abs(mean)
        detail = f"drawn {short(mean)}" + ("" if certain or mean == 0.0 else f" ± {short(error, 1)}")
        if solved.regime == "clt" or mean > _RARE * error:
            good = bool(abs(mean - predicted) < 4.0 * error + 1e-5 * predicted)
    return Readout(label, short(predicted), detail, good)


def _rate(solved: Solved, name: str, member: Member, found: Measured | None) -> Readout:
    label = f"Rate, {name}"
    if member.exact:
        return Readout(label, "exact", "no error at any n")
    if math.isinf(member.rate):
        return Readout(label, "beyond powers", "φ is this polynomial near a: what is left falls exponentially")
    expected = f"expected −{member.rate:.0f}"
    if member.fit is None:
        return Readout(label, "…", f"{expected}; below rounding at large n")
    # A gap may fall faster than 1/n, where the terms of that order happen to cancel.
    off = member.fit.slope + member.rate
    good = bool(off < 0.1 if solved.regime == "clt" else abs(off) < 0.1)
    detail = f"{expected}; from n = {member.fit.window[0]:.0f} on"
    if solved.regime == "lln":
        dots = None if found is None else slope_of(np.array(solved.dims, float), member, found)
        detail = f"{expected}; dots " + (f"{signed(dots.slope)} ± {dots.error:.2g}" if dots else "…")
    if not good and member.fit.error > 0.05:
        return Readout(label, signed(member.fit.slope), f"{expected}; still bending: it wants larger n")
    return Readout(label, signed(member.fit.slope), detail, good)


def slope_of(n: Array, member: Member, found: Measured) -> Slope | None:
    """The dots' own rate, over the same n as that of theory, where they stand clear of chance."""
    if member.fit is None:
        return None
    mean, error = found.error
    clear = (n >= member.fit.window[0] * (1.0 - 1e-9)) & (mean > 5.0 * error) & (error > 0.0)
    if clear.sum() < 4:
        return None
    x, y, weight = np.log(n[clear]), np.log(mean[clear]), (mean[clear] / error[clear]) ** 2
    centre = np.average(x, weights=weight)
    spread = float(weight @ (x - centre) ** 2)
    return Slope(float(weight @ ((x - centre) * y)) / spread, spread**-0.5)


def _other(solved: Solved, name: str, member: Member, row: int) -> Readout:
    last = float(member.error[-1])
    detail = f"at n = {solved.dims[-1]}: {short(last)}" + (": it stays" if last > 1e-3 else "")
    return Readout(f"{name.capitalize()}", short(float(member.error[row])), f"of the other regime; {detail}")


def scores(solved: Solved, measured: dict[str, Measured]) -> Array:
    """z of every dot that has chance in it."""
    found = []
    for who, part in measured.items():
        member = solved.members[who]
        pairs = [(part.error, member.error)]
        if solved.regime == "clt":
            pairs.append((part.pointwise, member.pointwise))
        for index, ((mean, error), predicted) in enumerate(pairs):
            random = (error > 1e-6 * np.abs(predicted)) & (predicted > 0.0)
            if solved.regime == "lln" or index == 1:
                random &= mean > _RARE * error
            found.append((mean[random] - predicted[random]) / error[random])
    return np.concatenate([np.zeros(0), *found])


def agreement(solved: Solved, measured: dict[str, Measured]) -> Readout:
    """Median |z| over all dots; 0.67 were they independent and Gaussian."""
    label = "Agreement of the dots"
    if not measured:
        return Readout(label, "…", "drawing")
    z = scores(solved, measured)
    if z.size == 0:
        return Readout(label, "exact", "nothing left to chance")
    middle = float(np.median(np.abs(z)))
    return Readout(label, f"median |z| = {middle:.2f}", f"{z.size} dots; chance alone gives 0.67", bool(middle < 2.0))


def explain(solved: Solved, values: Values, n: int) -> list[str]:
    """The regime, the equivalent, its family, the other regime."""
    label, row = solved.activation.label, solved.dims.index(n)
    if solved.regime == "clt":
        return _explain_clt(solved, values, label, row)
    words = [_concentrates(solved, n)]
    if solved.broken:
        words.append(
            f"But {label} is not smooth at a = {short(solved.at)}, exactly where the argument concentrates: there is "
            "no Taylor polynomial, at any n. Move the point a, and there is one."
        )
    else:
        main, member = solved.members["main"], solved.members["member"]
        words.append(_taylor(solved, main, row))
        if values["bend"]:
            words.append(_bent(solved, values, main, member, row))
    if values["other"]:
        stays = float(solved.members["other"].error[-1])
        reason = "averages over a wide Gaussian that is not there"
        words.append(
            f"The Hermite equivalent {reason}: its error is {short(stays)} even at n = {solved.dims[-1]}."
            if stays > 1e-12
            else "A linear function is its own equivalent in both regimes."
        )
    return words


def _concentrates(solved: Solved, n: int) -> str:
    width = f"{1.0 / math.sqrt(n):.3g}"
    if n == 1 and solved.vectors == "sphere":
        return "At n = 1 the sphere is two points, and x′y is 1 or −1: nothing has concentrated yet."
    if n < 10:
        return f"x′y/n is a mean of n products: at n = {n} it is still wide, {width}. Raise n, and it concentrates."
    return (
        f"x′y/n is a mean of n products: at n = {n} it has width {width}, and it concentrates. "
        f"Of φ only the neighbourhood of a = {short(solved.at)} is ever seen."
    )


def _taylor(solved: Solved, main: Member, row: int) -> str:
    start = f"The Taylor polynomial of degree {solved.degree}"
    if main.exact:
        return f"{start} is the function itself: nothing is lost."
    if math.isinf(main.rate):
        return f"{start} is the function itself near a: only arguments beyond the break differ, exponentially few."
    here = f"{short(main.error[row])}" if main.error[row] > 0.0 else "below rounding"
    order = round(main.rate)
    skipped = f" (order {solved.degree + 1} is zero)" if order == solved.degree + 2 else ""
    return (
        f"{start} has a mean squared error of {here}; it falls as {law(main.rate)}, for the first order "
        f"it lacks is {order}{skipped}."
    )


def _bent(solved: Solved, values: Values, main: Member, member: Member, row: int) -> str:
    start = f"It is not the only one: with {short(float(values['bend'] or 0.0))} (t − a)"
    start += f"{superscript(solved.degree + 1)} added"
    if member.exact:
        return start + " the function is met exactly."
    if member.rate > main.rate:
        return start + ", the next order is met too, and the error falls faster still."
    if member.rate == main.rate:
        return start + f" the error falls as {law(member.rate)} as well: only the constant is another."
    far = f"{short(member.error[row])}"
    same = ("value", "value and slope")[solved.degree] if solved.degree < 2 else f"first {solved.degree} derivatives"
    return start + (
        f" the curves part in the plot, yet the error, {far}, vanishes as well, as {law(member.rate)}: "
        f"whatever has the same {same} at a serves."
    )


def _explain_clt(solved: Solved, values: Values, label: str, row: int) -> list[str]:
    n, main, member = solved.dims[row], solved.members["main"], solved.members["member"]
    expansion = hermite(solved.activation, 1)
    a0, a1 = expansion.coefficients
    fourth = f"{even_moments(n, solved.vectors)[2] * n**2:.3g}"
    words = [
        f"x′y/√n does not concentrate: whatever n, its variance is 1, and it becomes N(0, 1) (fourth moment "
        f"{fourth} at n = {n}, 3 in the limit). All of φ is seen."
    ]
    if expansion.residual == 0.0:
        own = "A linear function is its own equivalent: it has no energy beyond the line, and needs no noise."
        return [*words, own, "So is its tangent at 0: for linear functions the two regimes are one."]
    words.append(
        f"Large matrices feel three numbers: a₀ = {short(a0)}, a₁ = {short(a1)} and the energy "
        f"ν = {float(expansion.energies.sum()):.3g}. The line a₀ + a₁ t with {short(expansion.residual)} of noise "
        f"has them too; so has the line with all the rest on degree {values['carrier']}."
    )
    still = f"{short(main.pointwise[-1])}"
    if member.pointwise[-1] > 1e-12:
        still += f" and {short(member.pointwise[-1])}"
    words.append(
        f"Point by point they are not close, and never will be: the mean squared error stays at {still} (dotted). "
        f"What vanishes is the gap of (a₀, a₁, ν), {short(main.error[row], 2)} at n = {n}, as 1/n: equivalent for "
        "matrices, not for numbers."
    )
    if values["other"]:
        words.append(
            _tangent(solved.members["other"])
            if "other" in solved.members
            else f"{label} has no tangent at 0 to compare with; Hermite needs none, for it averages."
        )
    return words


def _tangent(other: Member) -> str:
    gap = float(other.error[-1])
    if gap < 1e-9:
        return "The tangent at 0 happens to share all three numbers."
    what = ("a₀", "a₁", "ν")[int(other.widest[-1])]
    return f"The tangent at 0 misses them: its {what} is off by {short(gap)} at any n. It is right only for x′y/n."


def lamps(solved: Solved, n: int) -> list[Lamp]:
    """Assumptions, and whether the present settings leave them."""
    found = [Lamp("large dimension", n < 10, f"n = {n}: the errors here are those of small n; the laws are limits.")]
    if solved.regime == "lln":
        text = f"{solved.activation.label} has a break at a = {short(solved.at)}: no Taylor polynomial exists there."
        return [*found, Lamp("smooth where the argument concentrates", solved.broken, text)]
    fourth = float(even_moments(n, solved.vectors)[2]) * n**2
    text = f"The fourth moment of t is {fourth:.3g}, not 3: Hermite coefficients of N(0, 1) are not yet those of t."
    return [*found, Lamp("Gaussian argument", abs(fourth - 3.0) > 0.3, text)]


def law(power: float) -> str:
    """1 over a whole power of n."""
    return f"1/n{superscript(round(power))}"


def superscript(number: int) -> str:
    """A whole number as a power; 1 is none."""
    return "" if number == 1 else str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def signed(number: float) -> str:
    """With its sign."""
    return f"{number:+.2f}".replace("-", "−")


def short(number: float, digits: int = 3) -> str:
    """A few digits, and a power of ten where the number is small or large; a true minus sign."""
    if number == 0.0 or 1e-3 <= abs(number) < 1e5:
        return f"{number:.{digits}g}".replace("-", "−")
    head, tail = f"{number:.{digits - 1}e}".split("e")
    return f"{head}·10{superscript(int(tail))}".replace("-", "−")
