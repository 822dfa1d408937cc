"""Spectrum lab: the lines that make its curves and its draw."""

from __future__ import annotations

from typing import Any

from app.parts import script
from app.parts.script import Script, call, literal
from app.settings import Values
from rmtcore import Network


def python(values: Values, network: Network, law: Any) -> str:
    """The law of the network, and its draw at the present seed."""
    found = Script(*_population(values, network.population.dim), f"network = {script.network(network)}")
    found.add(f"law = spectrum(network, matrix={literal(values['side'])})")
    readings = ("actual", "linear") if network.layers else ("actual",)
    asked = '("actual", "linear")' if network.layers else '("actual",)'
    arguments = ["network", literal(values["seed"]), literal(values["draws"]), asked]
    if values["entries"] != "gaussian" and network.population.data is None:
        arguments += [literal(values["entries"]), literal(values["dof"])]
    found.add(f"drawn = {call('observe', *arguments)}")
    found.table("Deterministic equivalent", {"λ": "law.grid", "density": "law.density"})
    found.table("Bulks", {"left edge": "law.bulks[:, 0]", "right edge": "law.bulks[:, 1]"})
    if law.outliers:
        columns = {"spike s": "spike", "position": "position", "overlap": "overlap", "score overlap": "score_overlap"}
        found.table(
            "Outliers, predicted", {name: f"[one.{part} for one in law.outliers]" for name, part in columns.items()}
        )
    for reading in readings:
        found.table(f"Non-zero eigenvalues, {reading}", {"λ": f"drawn[{literal(reading)}].eigenvalues"})
    return found.text()


def _population(values: Values, size: int) -> list[str]:
    kind, two, three = values["data"], literal(values["s2"]), literal(values["s3"])
    second = f"[{literal(1.0 - values['w2'])}, {literal(values['w2'])}]"
    if kind == "power_law":
        return [
            f"raw = Population.power_law({literal(values['alpha'])}, {size})",
            f"population = Population.atoms(raw.eigenvalues / raw.variance, np.ones({size}), {size})",
        ]
    if kind == "atoms3":
        return [
            f"two = {literal(1.0 - values['w3'])} * np.array({second})",
            f"population = Population.atoms([1, {two}, {three}], [*two, {literal(values['w3'])}], {size})",
        ]
    spikes = [spike for spike in (values["spike"], values["spike2"]) if spike != 1.0]
    made = {
        "atoms2": f"Population.atoms([1, {two}], {second}, {size})",
        "toeplitz": f"Population.toeplitz({literal(values['rho'])}, {size})",
        "spiked": f"Population.spiked({literal(spikes)}, {size})" if spikes else f"Population.identity({size})",
        "mixture": f"Population.mixture({literal(values['mean_norm2'])}, {size})",
        "digits": "digits()",
    }
    return [f"population = {made.get(kind, f'Population.identity({size})')}"]
