"""The nine curves of the home page: those that the labs draw, with the same settings, at fewer points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from app.labs.double_descent import SCHEMA as DESCENT
from app.labs.dynamics import SCHEMA as DYNAMICS
from app.labs.learning_settings import network_of, number, population_of
from app.labs.scaling_settings import SCHEMA as SCALING
from app.parts.roadmap import Trials
from app.settings import Values
from rmtcore import Network, flow
from rmtcore.scaling import sweep

Array = NDArray[np.float64]

FAMILIES = {"linear": "Linear model", "shallow": "Shallow network", "deep": "Deep network"}
COLUMNS = {"scaling": "Scaling laws", "double-descent": "Double descent", "dynamics": "Learning dynamics"}
CELLS = tuple((lab, family) for family in FAMILIES for lab in COLUMNS)

_SCHEMAS = {"scaling": SCALING, "double-descent": DESCENT, "dynamics": DYNAMICS}
# Small sizes: a picture is small, and its networks are trained anew whenever a slider moves.
_OWN: dict[str, dict[str, Any]] = {
    "scaling": {"axis": "samples", "alpha": 0.7, "size": 100, "samples": 1.0, "width": 2.0, "activation": "tanh"},
    "double-descent": {"size": 60, "activation": "tanh"},
    "dynamics": {"size": 60, "activation": "tanh"},
}
_TIMES = np.geomspace(1e-2, 1e4, 31)
_RATIOS = np.geomspace(0.1, 10.0, 41)
_POINTS = 41


@dataclass(frozen=True, eq=False)
class Picture:
    """One cell of the map.

    Attributes
    ----------
    x, test, train : the predicted errors along the lab's axis; x is positive and even on a logarithmic scale.
    places, expected : where networks are trained, and the test error predicted there.
    trials : those networks.
    level : error of a network that has learned nothing.
    threshold : where features are as many as samples; nan where that is not on the axis.
    alpha, source : exponents of the population's power law, where it has one.
    """

    x: Array
    test: Array
    train: Array
    places: Array
    expected: Array
    trials: Trials
    level: float
    threshold: float = float("nan")
    alpha: float = 0.0
    source: float = 0.0


def address(lab: str, family: str, noise: float, ridge: float) -> str:
    """The query that opens this picture in its lab."""
    schema = _SCHEMAS[lab]
    asked = _OWN[lab] | {"family": family, "noise": noise, "ridge": ridge}
    if family == "linear":
        asked = {name: value for name, value in asked.items() if name not in ("activation", "width")}
    if lab == "double-descent":
        asked["axis"] = "samples" if family == "linear" else "width"
    return schema.to_query(schema.from_query(urlencode(asked))[0])


@lru_cache(maxsize=1024)  # a class drags the same slider over the same positions
def picture(lab: str, family: str, noise: float, ridge: float) -> Picture:
    """The curves of one cell."""
    schema = _SCHEMAS[lab]
    values = schema.from_query(address(lab, family, noise, ridge))[0]
    population = population_of(values, int(number(values, "size")))
    network = network_of(values, population)
    level = population.signal + network.noise + population.noise
    if lab == "dynamics":
        curve, places = flow(network, _TIMES), _TIMES[2::4]
        return Picture(
            _TIMES, curve.test, curve.train, places, curve.test[2::4], Trials((network,), tuple(places)), level
        )
    if lab == "scaling":
        x = np.geomspace(8.0, (8.0 if network.layers else 3.0) * population.dim, _POINTS)
        return _swept(values, network, x, x[2:32:5], 1.0, True, level)
    unit = float(population.dim if family == "linear" else network.samples)
    return _swept(values, network, _RATIOS, _RATIOS[4:34:4], unit, family == "linear", level)


def _swept(values: Values, network: Network, x: Array, few: Array, unit: float, samples: bool, level: float) -> Picture:
    """Errors along samples or widths, which are `x` in the given unit."""
    sizes = np.maximum(2, np.round(few * unit))
    if samples:
        networks = [network_of(values, network.population, samples=int(n), width=network.feature_dim) for n in sizes]
        curve, expected = sweep(network, samples=x * unit), sweep(network, samples=sizes)
        threshold = network.feature_dim / unit
    else:
        networks = [network_of(values, network.population, width=int(d)) for d in sizes]
        curve, expected = sweep(network, widths=x * unit), sweep(network, widths=sizes)
        threshold = network.samples / unit
    places = sizes / unit
    trials, law = Trials(tuple(networks)), [float(values.get(name, 0.0)) for name in ("alpha", "source")]
    return Picture(x, curve.test, curve.train, places, expected.test, trials, level, threshold, *law)


def pictures(values: Values) -> dict[str, Picture]:
    """All nine, by lab and family."""
    noise, ridge = number(values, "noise"), number(values, "ridge")
    return {f"{lab}/{family}": picture(lab, family, noise, ridge) for lab, family in CELLS}
