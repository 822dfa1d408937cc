"""Home: the lines that make the nine curves and train their networks."""

from __future__ import annotations

from collections.abc import Mapping

from app.labs.home_theory import COLUMNS, FAMILIES, Picture
from app.labs.learning_python import layer
from app.parts import script
from app.parts.script import Script, literal, rounds

AXES = {"scaling": "n", "double-descent": "ratio", "dynamics": "t"}


def home(pictures: Mapping[str, Picture], seed: int, count: int) -> str:
    """All nine; `count` repetitions of the networks, none where they have not been trained."""
    found = Script()
    for name, one in pictures.items():
        lab, family = name.split("/")
        caption = f"{COLUMNS[lab]}, {FAMILIES[family].lower()}"
        found.add(f"# {caption}", f"population = Population.{_population(lab, one)}")
        prefix = name.replace("-", "_").replace("/", "_")
        trained = _in_time(found, one, prefix) if lab == "dynamics" else _swept(found, lab, one, prefix)
        columns = {AXES[lab]: f"{prefix}_x"} | {part: f"{prefix}.{part}" for part in ("test", "train")}
        if count:
            found.add(f"{prefix}_rounds = {rounds(trained.format(seed=seed), count)}")
            columns |= {"at": f"{prefix}_at", "test, predicted": f"{prefix}_expected"}
            for part in ("test", "train"):
                columns[f"{part}, trained"] = f"np.mean([one.{part}[0] for one in {prefix}_rounds], axis=0)"
        found.table(caption, columns)
    return found.text()


def _population(lab: str, one: Picture) -> str:
    population = one.trials.networks[0].population
    if lab == "scaling":
        return f"power_law({literal(one.alpha)}, {population.dim}, {literal(one.source)})"
    return f"identity({population.dim})"


def _in_time(found: Script, one: Picture, name: str) -> str:
    found.add(
        f"network = {script.network(one.trials.networks[0])}",
        f"{name}_x = np.geomspace(0.01, 1e4, 31)",
        f"{name} = flow(network, {name}_x)",
        f"{name}_at, {name}_expected = {name}_x[2::4], {name}.test[2::4]",
    )
    return f"repeat([network], {{seed}}, None, {name}_at.tolist(), 'actual', index)"


def _swept(found: Script, lab: str, one: Picture, name: str) -> str:
    networks = one.trials.networks
    here = networks[0]
    wide = len({network.samples for network in networks}) == 1  # it is the width that varies
    sizes = [network.feature_dim if wide else network.samples for network in networks]
    low, high = (literal(round(float(edge), 6)) for edge in (one.x[0], one.x[-1]))
    unit = "" if lab == "scaling" else f" * {here.samples if wide else here.population.dim}"
    changed = {"layers": f"[{layer(here, 'd')}] * {len(here.layers)}"} if wide else {"samples": "d"}
    moved = "widths" if wide else "samples"
    found.add(
        f"network = {script.network(here)}",
        f"{name}_x, sizes = np.geomspace({low}, {high}, {one.x.size}), np.array({sizes})",
        f"{name} = sweep(network, {moved}={name}_x{unit})",
        f"{name}_expected = sweep(network, {moved}=sizes).test",
        f"{name}_at = sizes{unit.replace('*', '/')}",
        f"{name}_networks = [{script.network(here, **changed)} for d in sizes]",
    )
    return f"repeat({name}_networks, {{seed}}, None, None, 'actual', index)"
