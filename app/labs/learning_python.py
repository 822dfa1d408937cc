"""Double descent and Learning dynamics: the lines that make their curves and train their networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from app.labs.learning_settings import readings_of
from app.parts import script
from app.parts.script import Script, literal, means, rounds
from app.settings import Values
from rmtcore import Network


def population(values: Values, size: int) -> str:
    """The population of the shared data settings."""
    made = {
        "atoms2": f"Population.atoms([1, {literal(values['s2'])}], [0.5, 0.5], {size})",
        "toeplitz": f"Population.toeplitz({literal(values['rho'])}, {size})",
        "power_law": f"Population.power_law({literal(values['alpha'])}, {size}, {literal(values['source'])})",
        "spiked": f"Population.spiked([{literal(values['spike'])}], {size})",
        "mixture": f"Population.mixture({literal(values['mean_norm2'])}, {size})",
    }
    return made.get(str(values["data"]), f"Population.identity({size})")


def double_descent(values: Values, here: Network, axis: str, column: str, drawn: list[Network]) -> str:
    """Errors along the axis, and the networks that were trained along it."""
    found = Script(f"population = {population(values, here.population.dim)}", f"network = {script.network(here)}")
    if axis == "ridge":
        found.add("x = np.geomspace(1e-8, 100, 81)", "curve = sweep(network, ridge=x)")
    else:
        moved = {
            "width": "widths=x * network.samples",
            "samples": "samples=population.dim * x",
            "aspect": "samples=population.dim / x",
        }[axis]
        found.add("x = np.geomspace(0.1, 10, 161)", f"curve = sweep(network, {moved})")
    names = ("test", "train", "df1", "df2")
    found.table("Theory", {column: "x"} | {name: f"curve.{name}" for name in names})
    if drawn:
        _experiment(found, values, here, axis, column, drawn)
    return found.text()


def _experiment(found: Script, values: Values, here: Network, axis: str, column: str, drawn: list[Network]) -> None:
    seed, count, reading = int(values["seed"]), int(values["draws"]), literal(readings_of(values))
    ridges = "None"
    if axis == "ridge":
        found.add("places = x[::4]", "networks = [network]")
        ridges = "places.tolist()"
    elif axis == "width":
        layers = f"[{layer(here, 'd')}]" + (f" * {len(here.layers)}" if len(here.layers) > 1 else "")
        found.add(
            f"widths = np.array({[one.feature_dim for one in drawn]})",
            f"networks = [{script.network(here, layers=layers)} for d in widths]",
            f"places = widths / {here.samples}",
        )
    else:
        found.add(
            f"samples = np.array({[one.samples for one in drawn]})",
            f"networks = [{script.network(here, samples='n')} for n in samples]",
            "places = " + ("samples / population.dim" if axis == "samples" else "population.dim / samples"),
        )
    one = f"repeat(networks, {seed}, {ridges}, None, {reading}, index)"
    found.add(
        f"rounds = {rounds(one, count)}",
        "test = np.concatenate([one.test for one in rounds])",
        "train = np.concatenate([one.train for one in rounds])",
    )
    parts = {"test": "test", "train": "train"}
    columns = {column: "places"} | {name: f"{name}.mean(axis=0)" for name in parts}
    found.table(
        f"Experiment, {count} repetitions", columns | {f"{name} ±": f"standard_error({name})" for name in parts}
    )


def layer(here: Network, width: str) -> str:
    """A layer like those of a network, of another width."""
    return f"Layer({width}, {literal(here.layers[0].activation.name)}, normalise=True)"


def dynamics(values: Values, solved: Any, others: Mapping[str, Any], titles: Mapping[str, str], caption: str) -> str:
    """Errors in time, of the other families too, the spectrum, and the networks that were trained."""
    here: Network = solved.network
    found = Script(f"population = {population(values, here.population.dim)}", f"network = {script.network(here)}")
    step = solved.step
    if step:
        found.add(f"step = {literal(values['step'])} * stability_edge(network)", _steps("steps", "step", step))
        found.add("t, curve = step * steps, descent(network, step, steps)")
    else:
        found.add("t = np.geomspace(0.01, 1e6, 121)", "curve = flow(network, t)")
    names = ["test", "train"] + (["accuracy"] if values["data"] == "mixture" else [])
    columns = {"t": "t"} | {name: f"curve.{name}" for name in names}
    found.table("Theory", ({"steps": "steps"} if step else {}) | columns)
    for name, other in others.items():
        made = script.network(other.network, literal_population(values, other.network, here))
        found.add(f"{name} = {made}")
        if step:
            found.add(
                f"{name}_step = {literal(values['step'])} * stability_edge({name})",
                _steps(f"{name}_steps", f"{name}_step", other.step),
            )
            time = f"{name}_step * {name}_steps"
            found.add(f"{name}_curve = descent({name}, {name}_step, {name}_steps)")
        else:
            time = "t"
            found.add(f"{name}_curve = flow({name}, t)")
        parts = {part: f"{name}_curve.{part}" for part in ("test", "train")}
        found.table(titles[name], {"t": time} | parts)
    _trained(found, values, solved, names)
    _spectrum(found, solved, solved.moment(float(values["time"])), caption)
    return found.text()


def literal_population(values: Values, one: Network, here: Network) -> str:
    """The population of another network: the same unless its dimension had to be another."""
    same = one.population.dim == here.population.dim
    return "population" if same else population(values, one.population.dim)


def _steps(name: str, step: str, size: float) -> str:
    """Whole numbers of steps, even on a logarithmic axis."""
    count = int(8 * np.log10(1e6 / max(1e-2, size))) + 2
    return f"{name} = np.unique(np.round(np.geomspace(max(0.01, {step}), 1e6, {count}) / {step}))"


def _trained(found: Script, values: Values, solved: Any, names: list[str]) -> None:
    """Networks trained by gradient flow or descent."""
    seed, count, reading = int(values["seed"]), int(values["draws"]), literal(readings_of(values))
    times = f"Steps(step, steps[::{solved.every}])" if solved.step else f"t[::{solved.every}].tolist()"
    one = f"repeat([network], {seed}, None, {times}, {reading}, index)"
    found.add(f"rounds = {rounds(one, count)}")
    for name in names:
        found.add(f"{name} = np.concatenate([one.{name} for one in rounds])")
    found.table(
        f"Experiment, {count} repetitions", {"t": f"t[::{solved.every}]"} | means(names, {name: name for name in names})
    )


def _spectrum(found: Script, solved: Any, time: float, caption: str) -> None:
    ridge = solved.network.ridge
    found.add("law = spectrum(network, 240)")
    whole = f"(law.grid + {literal(ridge)})" if ridge else "law.grid"
    left = (
        f"(1 - step * {whole}) ** {round(time / solved.step)}" if solved.step else f"np.exp(-{literal(time)} * {whole})"
    )
    learned = f"law.grid / {whole} * (1 - {left})" if ridge else f"1 - {left}"
    found.add(f"learned = {learned}")
    found.table(caption, {"x": "law.grid", "density": "law.density", "learned": "learned"})
