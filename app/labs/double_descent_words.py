"""What the Double descent lab says about the present state."""

from __future__ import annotations

import numpy as np

from app.labs.base import Lamp
from app.labs.learning_settings import effective_dimension
from rmtcore import Network, RidgeErrors


def explain(network: Network, errors: RidgeErrors, best: float, axis: str) -> list[str]:
    """The regime, where the error comes from, what the ridge does."""
    n, d = network.samples, network.feature_dim
    what = "parameters" if network.layers else "dimensions"
    words = [f"{n} samples, {d} {what}: d/n = {d / n:.3g}. " + _regime(n, d, network.ridge)]
    if np.isinf(errors.test):
        words.append("Exactly here the least-norm fit diverges: the curve runs out of the top of the plot.")
    else:
        variance = errors.label_variance + errors.data_variance
        share = variance / errors.test
        words.append(
            f"Of the test error {errors.test:.3g}, {share:.0%} is variance that the training set and its label "
            f"noise cause, {errors.noise / errors.test:.0%} is noise that nobody can remove."
        )
    if np.isfinite(best) and best > 0:
        words.append(f"The best ridge here is λ = {best:.3g}, {_beside(best, network.ridge)}.")
        words.append("With the best ridge at every point (dotted) the peak is gone: more data or neurons never hurt.")
    if axis == "width":
        words.append("Training error falls as the width grows to n, and is (nearly) zero beyond.")
    if network.layers and network.blind():
        words.append("An even activation carries no linear signal: the network cannot learn this target at all.")
    return words


def _beside(best: float, present: float) -> str:
    """How the best ridge compares with the present one, as far as the digits shown tell."""
    if f"{best:.3g}" == f"{present:.3g}":
        return "the present one"
    return f"{'larger' if best > present else 'smaller'} than the present {present:.3g}"


def _regime(n: int, d: int, ridge: float) -> str:
    if 0.8 < d / n < 1.25:
        return "This is the interpolation threshold" + (": a small ridge lets the error peak." if ridge < 1e-2 else ".")
    if d < n:
        return "Fewer parameters than samples: the classical regime."
    return "More parameters than samples: they interpolate."


def lamps(network: Network) -> list[Lamp]:
    """Assumptions, and whether the present settings leave them."""
    smallest = min([network.population.dim, network.samples, *(layer.width for layer in network.layers)])
    spread = effective_dimension(network.population)
    return [
        Lamp("large dimensions", smallest < 30, f"The smallest dimension is {smallest}; the theory is a limit."),
        Lamp("many directions", bool(network.layers) and spread < 30,
             f"The variance lies in about {spread:.0f} directions: |x|²/p varies from sample to sample, and "
             "the features are not Gaussian enough for their linear equivalent."),
    ]  # fmt: skip
