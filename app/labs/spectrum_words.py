"""What the Spectrum lab says about the present state, in words with the current numbers."""

from __future__ import annotations

import numpy as np

from app.labs.base import Lamp
from app.settings import Values
from rmtcore import Network, Observation, Spectrum


def explain(values: Values, network: Network, law: Spectrum, actual: Observation | None) -> list[str]:
    """A few sentences: the setting, the bulk, the atom, the outliers, the agreement."""
    words = [_setting(network), _bulk(network, law)]
    if law.atom > 0:
        small, large = sorted((network.feature_dim, network.samples))
        words.append(
            f"A share {law.atom:.3g} of the eigenvalues is exactly zero: the matrix has size "
            f"{large if values['side'] == 'gram' or network.feature_dim == large else small} and rank at most {small}."
        )
    words.extend(_outliers(network, law))
    if network.layers and network.blind():
        words.append(
            "An even activation has μ₁ = 0: its features carry no linear signal, and the layers above see only noise."
        )
    if actual is not None:
        words.append(_verdict(network, float(actual.ks.mean())))
    return words


def _setting(network: Network) -> str:
    p, n = network.population.dim, network.samples
    if not network.layers:
        return f"n = {n} samples of dimension p = {p}: p/n = {p / n:.3g}."
    widths = [str(layer.width) for layer in network.layers]
    shown = ", ".join(widths[:4]) + (", …" if len(widths) > 4 else "")
    depth = "one layer" if len(widths) == 1 else f"{len(widths)} layers"
    return f"n = {n} samples of dimension p = {p} through {depth} of width {shown}."


def _bulk(network: Network, law: Spectrum) -> str:
    left, right = law.bulks[0, 0], law.bulks[-1, 1]
    values = network.population.eigenvalues
    if left == 0:
        where = f"The spectrum reaches down to zero, where its density diverges, and up to {right:.4g}: a hard edge"
        return where + ", the sign of an interpolation threshold."
    start = f"The eigenvalues spread over [{left:.4g}, {right:.4g}]"
    if len(law.bulks) > 1:
        start = f"The eigenvalues form {len(law.bulks)} bulks between {left:.4g} and {right:.4g}"
    if not network.layers and values.size == 1:
        return start + f", although every population eigenvalue is {values[0]:.3g}: p is not small beside n."
    if not network.layers:
        return start + f"; the population's lie in [{values.min():.4g}, {values.max():.4g}]."
    return start + ": layer upon layer of random weights widens the spectrum further."


def _outliers(network: Network, law: Spectrum) -> list[str]:
    words = []
    for outlier in law.outliers:
        if outlier.separated:
            words.append(f"The spike s = {outlier.spike:.4g} is seen as an outlier at {outlier.position:.4g}.")
        else:
            words.append(
                f"The spike s = {outlier.spike:.4g} is lost: too weak to leave the bulk at "
                f"p/n = {network.population.dim / network.samples:.3g} (below the BBP transition)."
            )
    return words


def _verdict(network: Network, ks: float) -> str:
    size = network.feature_dim
    if ks < 0.01 + 2.0 / size:
        return f"Experiment and theory agree: their distribution functions differ by at most {ks:.2%}."
    if ks < 0.03 + 4.0 / size:
        return f"Experiment and theory agree up to finite size: they differ by {ks:.2%} at d = {size}."
    return f"Experiment and theory differ by {ks:.1%}: look at the assumption lamps, or enlarge p."


def lamps(values: Values, network: Network) -> list[Lamp]:
    """The assumptions of the limiting law, and whether the present settings leave them."""
    student = values["entries"] == "student" and network.population.data is None
    dof = float(values["dof"] or 0.0)
    smallest = min([network.population.dim, network.samples, *(layer.width for layer in network.layers)])
    real = network.population.data is not None
    clipped = bool(np.any(network.population.spikes > 0.25 * network.population.dim))
    return [
        Lamp("four moments", student and dof <= 4.0,
             "Student t with ν ≤ 4 has no fourth moment: single entries stick out as eigenvalues."),
        Lamp("large dimensions", smallest < 50,
             f"The smallest dimension is {smallest}; the theory is a limit."),
        Lamp("independent entries", real,
             "Real data are not C^(1/2) z with independent entries of z; here one sees how much that matters."),
        Lamp("finite spikes", clipped, "A spike of the order of p is not a bounded eigenvalue."),
    ]  # fmt: skip
