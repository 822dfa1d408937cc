"""A large study: one network at many settings and seeds, split into seeded tasks of about a second.

Its settings are those of the learning labs with wider bounds, in the same schema. Ridges share their sums; every
other setting that varies makes points of its own. Points and tasks are numbered the same way on every machine.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from app.labs.learning_settings import data_settings, network_of, network_settings, population_of, ridge_settings
from app.settings import Schema, Setting, Values
from rmtcore import Network, ridge_errors
from rmtcore.streaming import Chunk, Sums, solve

# Wider than on a page: nobody waits for a frame.
_LEAST = {"width": 1e-4}
_MOST = {"size": 20_000.0, "samples": 1e4, "width": 100.0}
_MOST_SAMPLES = 1_000_000
_MOST_TASKS = 1_000_000
_OPERATIONS = 2e10  # a task: about a second of a core
_SMALLEST_CHUNK = 64
_FRESH_SAMPLES = 4000


def _wider(setting: Setting) -> Setting:
    low, high = _LEAST.get(setting.name, setting.low), _MOST.get(setting.name, setting.high)
    return replace(setting, low=low, high=high)


SCHEMA = Schema([_wider(one) for one in (*data_settings(), *network_settings("linear"), *ridge_settings())])


@dataclass(frozen=True)
class Study:
    """What is to be computed.

    Attributes
    ----------
    base : settings that stay.
    axes : values of the settings that vary.
    seeds : how many independent networks at every point.
    """

    base: Values
    axes: Mapping[str, list[Any]]
    seeds: int

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"A study needs at least 1 seed, not {self.seeds}.")
        largest = max(network.samples for network in self.networks)
        if largest > _MOST_SAMPLES:
            raise ValueError(f"A study may have {_MOST_SAMPLES} samples at a point, not {largest}.")
        if len(self.trials) > _MOST_TASKS:
            raise ValueError(f"A study may have {_MOST_TASKS} trials, not {len(self.trials)}.")

    @cached_property
    def points(self) -> list[Values]:
        """Settings of every point, in order; the ridge is not among what varies."""
        names = [name for name in self.axes if name != "ridge"]
        return [
            self.base | dict(zip(names, values, strict=True))
            for values in itertools.product(*(self.axes[name] for name in names))
        ]

    @cached_property
    def networks(self) -> list[Network]:
        """The network of every point."""
        return [network_of(values, population_of(values, int(values["size"]))) for values in self.points]

    @cached_property
    def ridges(self) -> list[float]:
        """Ridges that every trial is solved at."""
        return [float(ridge) for ridge in self.axes.get("ridge", [self.base["ridge"]])]

    @cached_property
    def trials(self) -> list[tuple[int, int]]:
        """Point and seed of every trial."""
        return list(itertools.product(range(len(self.points)), range(self.seeds)))

    @cached_property
    def key(self) -> str:
        """Digest of all that the result depends on."""
        whole = {"base": self.base, "axes": dict(self.axes), "seeds": self.seeds, "operations": _OPERATIONS}
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()

    def jobs(self, trial: int) -> Iterator[Chunk]:
        """The tasks of one trial: its training samples in chunks, then the fresh ones."""
        point, number = self.trials[trial]
        network = self.networks[point]
        chunk = chunk_size(network)
        seed = (int(self.base.get("seed", 1) or 0), number)
        for fresh, total in ((False, network.samples), (True, _FRESH_SAMPLES)):
            for index, start in enumerate(range(0, total, chunk)):
                yield Chunk(network, seed, index, min(chunk, total - start), fresh)

    def rows(self, trial: int, jobs: list[Chunk], sums: list[Sums]) -> list[dict[str, Any]]:
        """The finished trial: one row a ridge. Added up in the order of the tasks, whatever order they came in."""
        point, number = self.trials[trial]
        network = self.networks[point]
        seen, fresh = (
            _total([one for job, one in zip(jobs, sums, strict=True) if job.fresh is which]) for which in (False, True)
        )
        errors = solve(network, seen, fresh, self.ridges)
        rows = []
        for index, ridge in enumerate(self.ridges):
            size = network.samples
            theory = ridge_errors(
                Network(network.population, network.layers, samples=size, noise=network.noise, ridge=ridge)
            )
            settings = {name: self.points[point][name] for name in self.axes if name != "ridge"}
            sizes = {"dimension": network.population.dim, "n": size, "features": network.feature_dim}
            measured = {"test": float(errors.test[index]), "train": float(errors.train[index])}
            predicted = {"test_theory": float(theory.test), "train_theory": float(theory.train)}
            rows.append(settings | {"ridge": ridge, "seed": number} | sizes | measured | predicted)
        return rows


def chunk_size(network: Network) -> int:
    """Samples of a chunk, so that a task takes about a second: the same on every machine."""
    widths = [network.population.dim, *(layer.width for layer in network.layers)]
    products = sum(2 * below * above for below, above in itertools.pairwise(widths)) + 2 * widths[-1] ** 2
    return int(np.clip(_OPERATIONS / products, _SMALLEST_CHUNK, 50_000))


def _total(parts: list[Sums]) -> Sums:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def read(query: str, vary: list[str], seeds: int, seed: int = 1) -> Study:
    """A study from a link's query string and texts such as "samples=0.1:10:30" or "width=0.5,1,2".

    Raises
    ------
    ValueError : a setting that is unknown, not a number, or out of its bounds; nothing is clamped here.
    """
    base, notices = SCHEMA.from_query(query)
    unknown = [name for name, _ in parse_qsl(query.lstrip("?"), keep_blank_values=True) if name not in SCHEMA.by_name]
    if unknown:
        raise ValueError(f"Unknown setting {unknown[0]!r}; there are {', '.join(SCHEMA.by_name)}.")
    if notices:
        raise ValueError(_fault(notices[0]))
    axes: dict[str, list[Any]] = {}
    for text in vary:
        name, _, said = text.partition("=")
        if name not in SCHEMA.by_name:
            raise ValueError(f"Unknown setting {name!r}; there are {', '.join(SCHEMA.by_name)}.")
        axes[name] = _values(SCHEMA.by_name[name], said)
    if base["ridgeless"] or "ridgeless" in axes:
        raise ValueError("A study needs a ridge above zero; take a small one for the ridgeless limit.")
    return Study(base | {"seed": seed}, axes, seeds)


def _fault(notice: str) -> str:
    """What is wrong, without what a page does about it."""
    return notice.split("; ")[0].rstrip(".") + "."


def _values(setting: Setting, said: str) -> list[Any]:
    """The values "low:high:count", evenly spaced on the setting's own scale, or "a,b,c"."""
    parts = said.split(":")
    if len(parts) == 3 and setting.kind in ("number", "integer"):
        try:
            low, high, count = float(parts[0]), float(parts[1]), int(parts[2])
        except ValueError:
            raise ValueError(f"{setting.name}: {said!r} is not low:high:count.") from None
        if count < 1 or (setting.log and min(low, high) <= 0):
            raise ValueError(f"{setting.name}: {said!r} is not low:high:count on its scale.")
        numbers = np.geomspace(low, high, count) if setting.log else np.linspace(low, high, count)
        raw: list[Any] = [float(f"{number:.6g}") for number in numbers]
        raw = [round(number) for number in raw] if setting.kind == "integer" else raw
    else:
        raw = said.split(",")
    found = []
    for one in raw:
        value, notice = setting.read(one, setting.default)
        if notice:
            raise ValueError(_fault(notice))
        found.append(value)
    return list(dict.fromkeys(found))
