"""What the Scaling laws lab says about the present state."""

from __future__ import annotations

import numpy as np

from app.labs.base import Lamp
from app.labs.learning_settings import effective_dimension
from app.labs.scaling_theory import Budget, Solved, linear_layers
from rmtcore import Network
from rmtcore.exponents import Exponent
from rmtcore.scaling import Frontier

_NOBODY = "For these data, or these features, no exponent is known in closed form: the curve bends, or its law is open."


def explain(solved: Solved, now: float) -> list[str]:
    """The regime here, the law of the test error, the law of the training error."""
    words = [_regime(solved, now), _law(solved)]
    if solved.axis == "gap":
        words.append(
            "Without ridge the training error is (1 − d/n)² times the test error. The test error grows as "
            "1/(1 − d/n), so the training error falls as the first power: the plunge, at any depth."
        )
        if solved.ridge_matters:
            words.append("The ridge rounds both off: tick “Without ridge” to see the laws down to the threshold.")
    elif not solved.network.layers:
        words.append(
            "Below n = p a linear model fits all its samples but for the ridge: its training error is (λ/κ)² times "
            "the test error, and rises with n. Without ridge it is zero up to n = p, and off this plot."
        )
    elif solved.axis == "samples":
        words.append("The training error is (nearly) zero while n < d, then rises to meet the test error.")
    else:
        words.append(
            "The training error falls with the test error while the width is scarce, and plunges where d comes up to "
            "n: choose “1 − d/n” as the axis to see that this plunge is a power law as well."
        )
    if solved.network.layers and solved.network.blind():
        words.append("An even activation carries no linear signal: the network cannot learn this target at all.")
    return words


def _regime(solved: Solved, now: float) -> str:
    network = solved.network
    if solved.axis == "gap":
        return "All power laws of the threshold are in the distance 1 − d/n from it: they need no power-law data."
    if not network.layers:
        return (
            "A linear model has only its samples to spend: while n < p the error is resolution-limited, for the n "
            "samples decide how many directions of the data are seen."
        )
    what, other = ("samples n", "neurons d") if solved.axis == "samples" else ("neurons d", "samples n")
    place = now / solved.threshold
    if place < 0.6:
        return (
            f"Here the {what} are scarce: resolution-limited. They decide how many directions of the data are seen, "
            "and the exponent depends on the data."
        )
    if place > 1.6:
        return (
            f"Here the {what} are ample: variance-limited. The error has a limit that the {other} set; the distance "
            "to it falls as the first power, whatever the data (slope −1: tick “Distance to the limit”)."
        )
    return "Here d ≈ n, the interpolation threshold between the resolution-limited and the variance-limited side."


def _law(solved: Solved) -> str:
    fit, known = solved.fits.get("test"), solved.predicted.get("test")
    if known is None or fit is None:
        return _NOBODY
    low, high = fit.window
    low, high = fit.window
    text = f"On its straightest part, {low:.3g} to {high:.3g}, the test error has slope {say(fit)}; "
    text += f"the law for infinite dimension says {minus(known)}. "
    off = abs(fit.slope - known)
    if off < 0.03 * abs(known):
        return text + "They agree."
    if solved.axis == "gap":
        return text + "The other factor, the misfit, moves as well; nearer to the threshold only the gap counts."
    if not linear_layers(solved.network):
        return text + "The noise of nonlinear features acts as a ridge that falls as 1/d; its law is reached slowly."
    if solved.axis == "samples" and solved.network.layers:
        return text + "The law needs d far above n: raise d/n. And p ends the power law of the data."
    text += "It lies within the bending of the curve: " if off < 2.0 * fit.error else "The difference is finite size: "
    return text + "p ends the power law of the data, the sooner the nearer α is to 1."


def explain_frontier(budget: Budget, timed: Frontier | None, wants_time: bool) -> list[str]:
    """What the frontier is, its exponent, how to spend."""
    words = [
        "Every thin line is one width: it falls while samples are scarce, peaks where n = d, and ends where the width "
        "is what limits. The thick line is the least error that any width reaches with that compute n × d."
    ]
    if wants_time:
        words[0] = (
            "Now every step of training costs as much as the network is large, compute is n × d × steps, and training "
            "may stop early. The thick line is the least error that each budget buys."
        )
        if timed is not None and np.isfinite(timed.samples).any():
            i = int(np.flatnonzero(np.isfinite(timed.samples))[-1])
            steps = f"{timed.steps[i]:.3g}" if np.isfinite(timed.steps[i]) else "all"
            words.append(
                f"Of a budget {timed.budgets[i]:.0e}, the best use found is n = {timed.samples[i]:.0f}, "
                f"d = {timed.widths[i]:.0f} and {steps} steps. (Sizes are tried on a grid, so the path has corners.)"
            )
    share = budget.spent.slope
    words.append(
        f"Without time, the best n grows as compute to the power {share:.2f}, the best width as {1 - share:.2f}: "
        + ("both in proportion." if abs(share - 0.5) < 0.05 else "not in proportion."),
    )
    if np.isnan(budget.predicted):
        words.append(_NOBODY)
    words.append(
        "On the white lines of the plane the compute is equal; the best point of each lies on the orange path."
    )
    return words


def lamps(network: Network, ridge_matters: bool, noise: float) -> list[Lamp]:
    """Assumptions, and whether the present settings leave them."""
    smallest = min([network.population.dim, network.samples, *(layer.width for layer in network.layers)])
    spread = effective_dimension(network.population)
    nonlinear = bool(network.layers) and not linear_layers(network)
    return [
        Lamp("large dimensions", smallest < 30, f"The smallest dimension is {smallest}; the theory is a limit."),
        Lamp("many directions", nonlinear and spread < 30,
             f"The variance lies in about {spread:.0f} directions: |x|²/p varies from sample to sample, and "
             "nonlinear features are not Gaussian enough for their linear equivalent."),
        Lamp("no label noise", noise > 0,
             "The predicted exponents are those of noiseless labels: with noise the test error levels off at σ²."),
        Lamp("negligible ridge", ridge_matters,
             "The ridge changes the test error in the window of the fit: what it holds back, no sample brings."),
    ]  # fmt: skip


def say(fit: Exponent | None) -> str:
    """An exponent with its error."""
    if fit is None:
        return "…"
    return minus(fit.slope) + (f" ± {fit.error:.3f}" if fit.error >= 5e-4 else "")


def minus(number: float) -> str:
    """Three digits behind the point, with a true minus sign."""
    return f"{number:.3f}".replace("-", "−")


def window(fit: Exponent | None) -> str:
    """The window of a fit."""
    return "no straight part" if fit is None else f"fitted {fit.window[0]:.3g} to {fit.window[1]:.3g}"


def beside(known: float | None) -> str:
    """The predicted exponent."""
    return "no prediction" if known is None or np.isnan(known) else f"predicted {minus(known)}"
