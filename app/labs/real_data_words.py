"""What the Real data lab says about the present state."""

from __future__ import annotations

import numpy as np

from app.labs.base import Lamp
from app.parts.real_data import FOURIER, HIGH, LOW, Facts, Source
from rmtcore import get_activation

_DIGITS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_APART = 1.2  # ratio of two errors that a few hundred test points can tell from 1
_JUMP = 1e-6  # half the distance across which a jump is looked for


def explain(
    task: str, facts: Facts, here: tuple[float, float], tests: dict[str, float], twin: float | None
) -> list[str]:
    """Which data, the errors here, and what is Gaussian in the data.

    here : width and ridge.  tests : theory of the test error by curve, as far as there is one.  twin : of the twin.
    """
    width, ridge = here
    n = facts.samples
    words = [
        f"{n} points train ({task}), {facts.tests} others test. Nothing is assumed of them: the theory takes the "
        "kernel matrix of these very points, and is deterministic where the dots are random."
    ]
    fixed = {LOW: tests.get("low"), HIGH: tests.get("high")}
    own = fixed[ridge] if ridge in fixed else tests.get("own")
    errors = [(ridge, own), *((g, error) for g, error in fixed.items() if g != ridge)]
    said = [f"{error:.3g} with λ = {power(g)}" for g, error in errors if error is not None]
    if said:
        words.append(f"At d = {width:.0f} (d/n = {width / n:.2f}) the test error is {listed(said)}.")
    words.append(_peak(facts))
    if twin is not None and own:
        words.append(_gaussian(twin, twin / own, facts.tests))
    return words


def _peak(facts: Facts) -> str:
    n, threshold = facts.samples, facts.threshold
    tail = "there the test error peaks if the ridge is small, and the training error (log-log) plunges."
    if threshold == n / 2:
        return f"Every row of W makes two features, so 2d meets n at d = {threshold:g}: {tail}"
    if threshold < n:
        return (
            f"This kernel has rank {threshold:.0f} only: from d = {threshold:.0f} on the neurons span all that it "
            "holds, and both errors level off."
        )
    return f"At d = n = {n} the neurons can just fit all training points: {tail}"


def _gaussian(twin: float, ratio: float, tests: int) -> str:
    text = f"Gaussian points with the same covariance and the same linear target (dashed) have {twin:.3g} here, "
    if ratio > _APART:
        return text + (
            f"{ratio:.2g} times the error on the data: what lies beyond the covariance helps. (All that is not linear "
            "in the target is mere noise to the twin.)"
        )
    if ratio < 1.0 / _APART:
        return text + f"{ratio:.2g} times the error on the data: what lies beyond the covariance hurts here."
    return text + f"as the data do, as far as {tests} test points can tell: here they might as well be Gaussian."


def waiting(task: str, fetched: bool) -> list[str]:
    """While nothing has come yet."""
    words = [f"Drawing networks on real data ({task}); their theory comes with the first of them."]
    if fetched:
        words.append(
            "The first time, the data set is downloaded from OpenML (some 15 to 30 MB), which can take minutes; from "
            "then on it is read from this machine's disk, which takes some ten seconds. Digits and breast cancer are "
            "there at once."
        )
    return words


def missing(source: Source, reason: str) -> list[str]:
    """Where the data cannot be downloaded, or a visitor's file cannot be used."""
    if source.name.startswith("file "):
        return [
            f"“{source.name.removeprefix('file ')}” cannot be used here: a row a point, its label in the last column.",
            reason,
        ]
    name = {"mnist": "MNIST", "fashion": "Fashion-MNIST"}[source.name]
    return [
        f"{name} is not on this machine yet, and OpenML, where it comes from, cannot be reached from here.",
        "Choose digits or breast cancer, which need no network; or press “New draw” in a minute to try again.",
        f"The reason given: {reason}",
    ]


def lamps(features: str, facts: Facts) -> list[Lamp]:
    """Assumptions, and whether the present settings leave them."""
    return [
        Lamp("Lipschitz activation", jumps(features),
             "This activation jumps, and the theorem asks for a Lipschitz one: some 8 % off for the sign of digits."),
        Lamp("points of comparable norm", facts.spread > 0.6,
             f"|x|² varies by {facts.spread:.0%}, up to {facts.furthest:.0f} times its mean: near an interpolator, "
             "networks on such outlying points differ from the theory by some 20 %."),
        Lamp("many training points", facts.samples < 80, f"n = {facts.samples}; the theory is a limit."),
    ]  # fmt: skip


def listed(parts: list[str]) -> str:
    """One, two and three."""
    return " and ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part)


def jumps(features: str) -> bool:
    """Whether the activation is discontinuous."""
    if features == FOURIER:
        return False
    one = get_activation(features)
    at = np.array([0.0, *one.breaks])
    return bool(np.any(np.abs(one.function(at + _JUMP) - one.function(at - _JUMP)) > 1e-3))


def power(ridge: float) -> str:
    """A ridge as one writes it: 10⁻⁵, 0.1, 1.78·10⁻⁴."""
    if ridge >= 1e-2:
        return f"{ridge:.3g}"
    head, tail = f"{ridge:.2e}".split("e")
    short = f"{float(head):g}"
    ten = "10" + str(int(tail)).translate(_DIGITS)
    return ten if short == "1" else f"{short}·{ten}"
