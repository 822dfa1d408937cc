"""The curves of the Scaling laws lab: errors along an axis, their exponents, the compute-optimal frontier."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from app.labs.learning_settings import network_of, number, population_of
from app.settings import Values
from rmtcore import Network, Population
from rmtcore.experiment import largest_matrix
from rmtcore.exponents import Exponent, PredictedExponents, fit_exponent, local_slopes, predicted_exponents
from rmtcore.scaling import Frontier, Sweep, above_limit, frontier, sweep

Array = NDArray[np.float64]
Frozen = tuple[tuple[str, Any], ...]

FEWEST = 8  # samples or neurons at the left end
_MOST = 600  # of what the experiment varies
_LARGEST_SIDE = 1000  # of its eigendecompositions
_POINTS, _DOTS = 161, 21
_SHARE = 0.5  # of the range below the threshold that a fit must cover
_SIDE = 48  # of the image
WIDTHS = (8, 16, 32, 64, 128, 256, 512, 1024)  # of the frontier's lines
TRIED = (16, 64, 256)  # of these the experiment has networks
_ANY = predicted_exponents(2.0, 0.5)  # for what does not depend on the population


@dataclass(frozen=True, eq=False)
class Solved:
    """Everything along one axis that does not hang on where the sliders stand.

    Attributes
    ----------
    axis : samples, width, ratio or gap; x the positions on it.
    above : variance-limited part of the test error, where the axis has one.
    fits, predicted : exponents of the errors by their name, test, train and above; fits lack what has no straight part.
    threshold : position where features and samples are equally many, or where p ends them; nan on the axis of gaps.
    ridge_matters : whether the ridge changes the test error in the window of its fit by a tenth or more.
    """

    network: Network
    axis: str
    x: Array
    curve: Sweep
    above: Array
    fits: dict[str, Exponent]
    predicted: dict[str, float]
    threshold: float
    ridge_matters: bool

    def errors(self) -> dict[str, Array]:
        """The curves by name."""
        return {"test": self.curve.test, "train": self.curve.train, "above": self.above}

    def slopes(self) -> dict[str, Array]:
        """Local slopes of the curves, nan where a curve is zero or infinite."""
        return {name: local_slopes(self.x, part) for name, part in self.errors().items() if part.size}


@dataclass(frozen=True, eq=False)
class Budget:
    """The frontier of a network, and what it bounds.

    Attributes
    ----------
    best : least test error of every budget n x width.  fit, predicted : its exponent; nan where there is none.
    spent, spent_predicted : exponent of the best n in the budget.
    samples, tests : (k,) and (len(WIDTHS), k), errors at equal width.
    image : log10 test error over width and n, from `range[0]` to `range[1]`.
    """

    network: Network
    best: Frontier
    fit: Exponent
    predicted: float
    spent: Exponent
    spent_predicted: float
    samples: Array
    tests: Array
    range: tuple[float, float]
    image: Array


def axis_of(values: Values) -> str:
    """The axis shown; a linear model has no width of its own."""
    axis = str(values["axis"])
    return "samples" if axis == "width" and values["family"] == "linear" else axis


def _network(settings: Frozen, **changes: Any) -> Network:
    spare = {"depth": 1, "width": 1.0, "samples": 1.0, "activation": "relu", "ridge": 0.0}
    values = cast("Values", spare | dict(settings))
    if "neurons" in values:
        changes = {"width": values["neurons"]} | changes
    return network_of(values, _population(settings), **changes)


@lru_cache(maxsize=64)
def _population(settings: Frozen) -> Population:
    values = cast("Values", dict(settings))
    return population_of(values, int(number(values, "size")))


def linear_layers(network: Network) -> bool:
    """Whether no layer adds noise of its own."""
    return all(moments.mu_star2 < 1e-12 for moments in network.moments())


def law_of(settings: Frozen) -> PredictedExponents | None:
    """Exponents of the population, where it is a power law that has some."""
    asked = dict(settings)
    if asked["data"] != "power_law" or asked["alpha"] <= 1.0 or asked["source"] <= 0.0:
        return None
    return predicted_exponents(float(asked["alpha"]), float(asked["source"]))


def moved(network: Network, axis: str, x: Array) -> dict[str, Any]:
    """The arguments of `sweep` along an axis. Without layers d is p, and only n can move."""
    if axis == "samples":
        return {"samples": x}
    if axis == "width":
        return {"widths": x}
    ratio = x if axis == "ratio" else 1.0 - x
    return {"widths": ratio * network.samples} if network.layers else {"samples": network.feature_dim / ratio}


def _grid(network: Network, axis: str) -> Array:
    if axis == "gap":
        return np.geomspace(1e-3, 0.95, _POINTS)
    if axis == "ratio":
        return np.geomspace(0.02, 10.0, _POINTS) if network.layers else np.geomspace(0.4, 100.0, _POINTS)
    # With layers far beyond the threshold, to where the error is variance-limited.
    return np.geomspace(FEWEST, (8.0 if network.layers else 3.0) * network.population.dim, _POINTS)


def _window(network: Network, axis: str, x: Array) -> NDArray[np.bool_]:
    """Where a power law may be looked for: the moved resource scarce, or the threshold near."""
    if axis == "gap":
        return x <= 0.2
    p, d = network.population.dim, network.feature_dim
    if axis == "samples":
        return x <= 0.5 * min(p, d)
    if not network.layers:  # p/n falls as n grows
        return x >= 2.0
    scarce = x if axis == "width" else x * network.samples
    return (scarce >= FEWEST) & (scarce <= 0.5 * min(p, network.samples))


@lru_cache(maxsize=256)
def solve(settings: Frozen, axis: str) -> Solved:
    """All curves along an axis."""
    network = _network(settings)
    x = _grid(network, axis)
    changes = moved(network, axis, x)
    curve = sweep(network, **changes)
    above = (
        np.zeros(0) if axis == "gap" or (axis == "ratio" and not network.layers) else above_limit(network, **changes)
    )
    window = _window(network, axis, x)
    bare = sweep(network, **changes, ridge=0.0).test
    with np.errstate(invalid="ignore"):
        free = np.abs(curve.test / np.maximum(bare, 1e-300) - 1.0) < 0.1
    ridge_matters = bool(window.any() and np.mean(free[window]) < 0.5)
    if axis == "gap":
        window &= free  # nearer to the threshold the ridge holds the peak down, and its flat top is straight too
    fits = {}
    for name, part in (("test", curve.test), ("train", curve.train)):
        fit = _fitted(x[window], part[window])
        if fit is not None:
            fits[name] = fit
    ample = x > 4.0 * (network.feature_dim if axis == "samples" else network.samples if axis == "width" else 1.0)
    fit = _fitted(x[ample], above[ample]) if above.size else None
    if fit is not None:
        fits["above"] = fit
    # Linear layers carry p directions at most, however wide they are.
    most = float(network.population.dim) if linear_layers(network) else np.inf
    meet = min(network.samples, most)
    threshold = {"samples": min(network.feature_dim, most), "width": meet, "ratio": meet / network.samples}
    predicted = _predicted(network, axis, law_of(settings), curve, window)
    return Solved(
        network, axis, x, curve, above, fits, predicted, float(threshold.get(axis, np.nan)),
        ridge_matters,
    )  # fmt: skip


def _fitted(x: Array, y: Array, window: tuple[float, float] | None = None) -> Exponent | None:
    """A fit, or None where too little of the curve is left."""
    if np.count_nonzero((y > 1e-300) & np.isfinite(y)) < 5:
        return None
    return fit_exponent(x, np.where(y > 1e-300, y, 0.0), window, _SHARE)


def fit_dots(places: Array, means: Array, window: tuple[float, float]) -> Exponent | None:
    """Exponent of the experiment's means on the window of the theory."""
    try:
        return fit_exponent(places, means, (window[0] * 0.95, window[1] * 1.05))
    except ValueError:
        return None


def _predicted(
    network: Network, axis: str, law: PredictedExponents | None, curve: Sweep, window: NDArray[np.bool_]
) -> dict[str, float]:
    """What theory says of the exponents of noiseless ridgeless errors, by the name of the curve."""
    if axis == "gap":
        # train = (1 - d/n)^2 test without ridge; a linear model with n > p fits all but the noise
        found = {"test": _ANY.threshold - 2.0, "train": _ANY.threshold}
        return found if network.layers or network.noise + network.population.noise > 0 else {}
    found = {"above": _ANY.variance}
    if law is None or network.blind():
        return found
    if axis == "samples":
        if linear_layers(network):
            found["test"] = law.samples
        if not network.layers and network.ridge > 0:
            found["train"] = _train_law(network, law, curve, window)
    elif network.layers:
        found["test"] = found["train"] = law.width if linear_layers(network) else law.nonlinear_width
    else:
        found = {"test": -law.samples}  # x = p/n
        if network.ridge > 0:
            found["train"] = -_train_law(network, law, curve, window)
    return found


def _train_law(network: Network, law: PredictedExponents, curve: Sweep, window: NDArray[np.bool_]) -> float:
    """Of a linear model in n: whichever of noise and signal is larger."""
    noisy = network.noise > 0 and network.noise > np.median(curve.test[window] - network.noise)
    return law.train_samples_noise if noisy else law.train_samples


@lru_cache(maxsize=64)
def experiments(settings: Frozen, axis: str, most_entries: int) -> tuple[list[Network], Array]:
    """The networks that are trained, and their exact positions on the axis; too large ones are left out."""
    here = _network(settings)
    n, d, p = here.samples, here.feature_dim, here.population.dim
    grid = _grid(here, axis)
    networks, places, seen = [], [], set()
    most = min(_MOST, 3 * p)
    low, high = (FEWEST, most) if axis in ("samples", "width") else (grid[0], grid[-1])
    for x in np.geomspace(low, high, _DOTS):
        asked = {name: max(1, round(float(size))) for name, size in moved(here, axis, np.asarray(x)).items()}
        changes = {"samples": asked.get("samples", n), "width": asked.get("widths", d)}
        if tuple(changes.values()) in seen or (axis == "gap" and changes["samples"] == changes["width"]):
            continue
        seen.add(tuple(changes.values()))
        network = _network(settings, **changes)
        if largest_matrix(network) <= most_entries and min(network.feature_dim, network.samples) <= _LARGEST_SIDE:
            networks.append(network)
            ratio = network.feature_dim / network.samples
            found = {"samples": network.samples, "width": network.feature_dim, "ratio": ratio, "gap": 1.0 - ratio}
            places.append(found[axis])
    order = np.argsort(places)
    return [networks[i] for i in order], np.array(places, float)[order]


@lru_cache(maxsize=64)
def tried(settings: Frozen, most_entries: int) -> tuple[list[Network], Array, Array]:
    """Networks for the frontier's dots, with their samples and widths."""
    pairs = [(round(n), d) for d in TRIED for n in np.geomspace(FEWEST, 512, 7)]
    networks = [_network(settings, samples=n, width=d) for n, d in pairs]
    networks = [network for network in networks if largest_matrix(network) <= most_entries]
    return (
        networks,
        np.array([network.samples for network in networks], float),
        np.array([network.feature_dim for network in networks], float),
    )


@lru_cache(maxsize=64)
def spend(settings: Frozen) -> Budget:
    """The frontier; settings without samples and width, for it has all of them."""
    network = _network(settings, samples=100, width=100)
    p = network.population.dim
    best = frontier(network, np.geomspace(1e2, 0.5 * float(p) ** 2, 33))
    samples = np.geomspace(4.0, 3.0 * p, 121)
    tests = sweep(network, samples=samples[None, :], widths=np.array(WIDTHS, float)[:, None]).test
    sides = (float(FEWEST), 2.0 * p)
    side = np.geomspace(*sides, _SIDE)
    image = np.log10(np.clip(sweep(network, samples=side[:, None], widths=side[None, :]).test, 1e-12, 1e12))
    law = law_of(settings) if linear_layers(network) else None
    # Beyond, the best n and width are no longer small against the dimension, and no power law is left.
    inside = best.budgets <= 0.1 * p**2
    budgets = best.budgets[inside]
    return Budget(
        network, best,
        fit_exponent(budgets, best.test[inside], None, _SHARE), law.frontier if law else float("nan"),
        fit_exponent(budgets, best.samples[inside], (budgets[0], budgets[-1])),
        law.frontier_samples if law else float("nan"),
        samples, tests, sides, image,
    )  # fmt: skip


def timed_arguments(settings: Frozen) -> tuple[Network, Array, Array, Array, Array]:
    """What `timed_frontier` is asked: network, budgets, samples, widths, steps."""
    network = _network(settings, samples=100, width=100)
    sizes = np.geomspace(4.0, min(512.0, 0.6 * network.population.dim), 9)
    return network, np.geomspace(1e3, 1e7, 25), sizes, sizes, np.geomspace(1.0, 1e4, 21)


def timed_law(settings: Frozen, network: Network) -> float:
    """Predicted exponent of the timed frontier; nan where there is none."""
    law = law_of(settings) if linear_layers(network) else None
    return law.timed_frontier if law else float("nan")
