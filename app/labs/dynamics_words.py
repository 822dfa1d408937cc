"""What the Learning dynamics lab says about the present state."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from app.labs.base import Lamp
from app.labs.double_descent_words import lamps as shared_lamps
from app.labs.dynamics_theory import Solved, describe_time

FAMILIES = {"linear": "linear model", "shallow": "shallow network", "deep": "deep network"}


def explain(solved: Solved, time: float, others: Mapping[str, Solved], family: str) -> list[str]:
    """Where training stands, when to stop, what the step size does, how depth compares."""
    words = [_now(solved, time), _stopping(solved)]
    if solved.step:
        words.append(_step(solved, time))
    if others:
        words.append(_depths(solved, others, family))
    network = solved.network
    if network.layers and network.blind():
        words.append("An even activation carries no linear signal: the network cannot learn this target at all.")
    if solved.wanted > network.population.dim:
        words.append(
            f"p = {solved.wanted} would need larger matrices than this server draws; "
            f"theory and experiment are shown at p = {network.population.dim}."
        )
    return words


def _now(solved: Solved, time: float) -> str:
    test, train, _ = solved.at(time)
    network, law = solved.network, solved.law
    said = f"At t = {describe_time(time)} the test error is {test:.3g}, the training error {train:.3g}. "
    if time * solved.largest < 0.1:
        return said + "Hardly any direction is learned yet."
    if time * float(law.bulks[0, 0]) > 5.0:
        said += "Every direction that can be learned is learned"
        return said + (f"; {law.atom:.0%} of the {network.feature_dim} have eigenvalue 0." if law.atom > 0.005 else ".")
    said += f"Directions with eigenvalues well above 1/t = {1.0 / time:.3g} are learned, those well below are not"
    if law.atom > 0.005:
        return said + f"; {law.atom:.0%} of the {network.feature_dim} have eigenvalue 0 and never will be."
    return said + "."


def _stopping(solved: Solved) -> str:
    stop, end = solved.stop, solved.end.test
    if stop.test > 0.999 * solved.start:
        return "The test error never falls below its start: the best is not to train."
    if not stop.gains:
        return f"Stopping early gains nothing here: the test error only falls, to {end:.3g} at the end of training."
    after = "diverges" if np.isinf(end) else f"is {end:.3g}"
    said = f"Early stopping at t = {describe_time(stop.time)} (dashed) gives {stop.test:.3g}; "
    said += f"at the end of training the test error {after}"
    said += "" if np.isinf(end) else f", {end / stop.test - 1.0:.0%} more"
    if np.isfinite(stop.ridge):
        said += f". Stopped there it is as good as with a ridge of λ = {stop.ridge:.3g}"
    return said + ". What is learned late is mostly noise."


def _step(solved: Solved, time: float) -> str:
    count, share = round(time / solved.step), 2.0 * solved.step / solved.edge
    said = f"Step size {solved.step:.3g}, {count:,} step{'s' if count > 1 else ''} by now. "
    said += f"Above the edge {solved.edge:.3g} = 2/(largest eigenvalue + λ) the descent diverges. "
    if share > 1.0:
        return (
            said + f"The largest direction overshoots: each step turns its error into −{share - 1.0:.2g} times itself."
        )
    return said + f"Each step leaves {1.0 - share:.2g} of the error along the largest direction."


def _depths(solved: Solved, others: Mapping[str, Solved], family: str) -> str:
    everyone = {name: solved if name == family else others.get(name) for name in FAMILIES}
    times = {
        name: one.falls_to(one.curve.train, 0.5 * solved.start) for name, one in everyone.items() if one is not None
    }
    said = ", ".join(
        f"{FAMILIES[name]} {describe_time(time) if np.isfinite(time) else 'never'}" for name, time in times.items()
    )
    slower = times["deep"] / times["shallow"]
    factor = f" ({slower:.3g} times as long)" if slower > 1.0 else ""
    return (
        f"Time until the training error is halved: {said}{factor}. Every layer passes on only a part of the linear "
        "signal: depth slows learning. (The linear model has p features, the networks d.)"
    )


def lamps(solved: Solved) -> list[Lamp]:
    """Assumptions, and whether the present settings leave them."""
    found = shared_lamps(solved.network)
    if solved.step:
        smallest = min(solved.network.samples, solved.network.feature_dim)
        # The largest eigenvalue of a draw strays from its limit by about this share, one that stands alone by more.
        stray = 2.0 * smallest ** (-0.5 if solved.outliers.size else -2.0 / 3.0)
        near = 1.0 - solved.step / solved.edge < stray
        text = "The largest eigenvalue of a draw can lie above its limit: some of the trained networks may diverge."
        found.append(Lamp("step size below the edge", near, text))
        text = "The largest eigenvalue stands alone and swings: for some steps the theory is too low, by up to a third."
        found.append(Lamp("no step that swings in a single eigenvalue", solved.curve.cut, text))
    return found
