"""The matrices of the Equivalents lab, their sizes, what is observed of them and what the equivalents predict."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.linalg import eigh, toeplitz

from app.labs.equivalents_settings import CHANCE, DISPLAY, SCHEMA, is_classical, is_risk
from app.labs.learning_settings import number
from app.settings import Values
from rmtcore import (
    Ensemble,
    Functional,
    Layer,
    Network,
    Observable,
    Population,
    expected_rate,
    functional,
    get_activation,
    mean_matrix,
    predict,
    resolvent_matrix,
    ridge_errors,
)
from rmtcore.equivalents import Kind
from rmtcore.observations import top_outlier

Array = NDArray[np.float64]
Frozen = tuple[tuple[str, Any], ...]

SHOWN = 64  # side of the matrices on show
_FIRST = 64  # smallest size
_MOST_DRAWS = 8  # of one size in a round
_TINY = 0.01  # of the spectrum's length: how near to an atom a contour may come


@dataclass(frozen=True, eq=False)
class Matrices:
    """What the draw hangs on.

    Attributes
    ----------
    shown : the one on show.  rungs : the sizes, ascending, at least one.
    notices : what was left out.
    """

    shown: Ensemble
    rungs: tuple[Ensemble, ...]
    notices: tuple[str, ...]

    @property
    def samples(self) -> Array:
        """n of every rung."""
        return np.array([float(one.network.samples) for one in self.rungs])

    @property
    def counts(self) -> list[int]:
        """Realisations in a round: the smaller the more."""
        sizes = [max(one.size, one.network.samples) for one in self.rungs]
        return [max(1, min(_MOST_DRAWS, sizes[-1] // size)) for size in sizes]


@dataclass(frozen=True, eq=False)
class Theory:
    """Everything without chance.

    Attributes
    ----------
    observable : what is observed; None for a test error.  predicted : (K,) its value at every size.
    rate : expected exponent of its error.  ends : the contour.  window : the real axis of the plane.
    forms : trace form and quadratic form of what the contour encloses at the largest size; nan in the other views.
    """

    matrices: Matrices
    observable: Observable | None
    predicted: Array
    rate: float
    ends: tuple[float, float]
    window: tuple[float, float]
    forms: tuple[float, float]


def matrices_of(values: Values, most_entries: int) -> Matrices:
    """The ensembles of these settings."""
    return _matrices(SCHEMA.counting(values, DISPLAY | CHANCE), most_entries)


@lru_cache(maxsize=64)
def _matrices(settings: Frozen, most_entries: int) -> Matrices:
    values = dict(settings)
    top = int(values["top"])
    sides = [_FIRST * 2**k for k in range(int(np.log2(top // _FIRST)) + 1)]
    rungs = [_ensemble(values, side, top) for side in sides]
    held = [one for one in rungs if _entries(one) <= most_entries]
    notices: tuple[str, ...] = ()
    if len(held) < len(rungs):
        would = "would need matrices of more than"
        notices = (f"Sizes up to {top} {would} {most_entries:,} entries; the largest is left out.",)
    return Matrices(_shown(values, top), tuple(held or rungs[:1]), notices)


def _entries(one: Ensemble) -> int:
    network = one.network
    sides = sorted([network.population.dim, network.samples, network.feature_dim])
    return max(one.size**2, sides[-1] * sides[-2])


def _dimension(values: dict[str, Any], n: int) -> int:
    classical = values.get("growth") == "classical"
    return max(2, round(values["ratio"] * (_FIRST if classical else n)))


def _ensemble(values: dict[str, Any], side: int, top: int) -> Ensemble:
    """The matrix whose larger dimension is `side`, of the features' width apart."""
    n = side
    if values["matrix"] == "covariance" and values["growth"] == "proportional":
        n = max(2, round(side / max(1.0, values["ratio"])))
    return _at(values, n, _dimension(values, n))


def _shown(values: dict[str, Any], top: int) -> Ensemble:
    """The one on show: of side 64, at the aspect ratio of the largest."""
    if values["matrix"] != "covariance":
        return _at(values, SHOWN, _dimension(values, SHOWN))
    ratio = values["ratio"] * (_FIRST / top if values["growth"] == "classical" else 1.0)
    return _at(values, max(2, round(SHOWN / ratio)), SHOWN)


def _at(values: dict[str, Any], n: int, p: int) -> Ensemble:
    kind = cast("Kind", values["matrix"])
    layers = []
    if kind == "gram":
        layers = [Layer(max(2, round(values["width"] * n)), values["activation"], normalise=True)]
    phi = get_activation(values["activation"]) if kind == "kernel" else None
    return Ensemble(kind, Network(_population(kind, values, p), layers, samples=n), phi)


def _population(kind: Kind, values: dict[str, Any], p: int) -> Population:
    data = "mixture" if kind == "kernel" else values["data"]
    if data == "mixture":
        return Population.mixture(values["separation" if kind == "kernel" else "mean_norm2"], p)
    if data == "atoms2":
        return Population.atoms([1.0, values["s2"]], [0.5, 0.5], p)
    return _toeplitz(values["rho"], p) if data == "toeplitz" else Population.identity(p)


@lru_cache(maxsize=64)
def _toeplitz(rho: float, p: int) -> Population:
    return Population.toeplitz(rho, p)


def theory_of(values: Values, most_entries: int) -> Theory:
    """All that the equivalents say at these settings."""
    matrices = matrices_of(values, most_entries)
    if is_risk(values):
        predicted = np.array([ridge_errors(network).test for network in risk_networks(values, matrices)])
        return Theory(matrices, None, predicted, -0.5, (0.0, 1.0), (0.0, 1.0), (np.nan, np.nan))
    last = matrices.rungs[-1]
    window = window_of(last)
    ends = _ends(values, last, window) if values["view"] == "contour" else (0.0, 1.0)
    observable = _observable(values, ends)
    if values["view"] == "contour":
        found = _enclosed(matrices.rungs, observable)
        predicted = np.array([getattr(one, str(values["functional"])) for one in found])
        forms = found[-1].trace, found[-1].form
    else:
        predicted = _predicted(matrices.rungs, observable)
        forms = (np.nan, np.nan)
    rate = expected_rate(last, observable, is_classical(values))
    return Theory(matrices, observable, predicted, rate, ends, window, forms)


@lru_cache(maxsize=256)
def _predicted(rungs: tuple[Ensemble, ...], observable: Observable) -> Array:
    return np.array([predict(one, observable) for one in rungs])


@lru_cache(maxsize=64)
def _enclosed(rungs: tuple[Ensemble, ...], observable: Observable) -> list[Functional]:
    """Both functionals of the contour at every size."""
    ends = observable.left, observable.right
    return [functional(one, observable.function(observable.place(one)), *ends) for one in rungs]


def _observable(values: Values, ends: tuple[float, float]) -> Observable:
    ridge = number(values, "ridge")
    if values["view"] == "contour":
        name: Any = f"enclosed {values['functional']}"
        return Observable(name, ridge, cast("Any", values["inside"]), *ends)
    # The risk of a kernel is that of its training error.
    chosen: Any = "training" if values["observation"] == "risk" else values["observation"]
    return Observable(chosen, ridge, cast("Any", values["shape"]))


def risk_networks(values: Values, matrices: Matrices) -> list[Network]:
    """The regressions of every size."""
    noise, ridge = number(values, "noise"), number(values, "ridge")
    return [
        Network(one.network.population, one.network.layers, samples=one.network.samples, noise=noise, ridge=ridge)
        for one in matrices.rungs
    ]


def window_of(ensemble: Ensemble) -> tuple[float, float]:
    """The real axis of the plane."""
    low, high = ensemble.ends
    span = max(high - low, 1e-3)
    return low - 0.14 * span, high + 0.3 * span


def _ends(values: Values, ensemble: Ensemble, window: tuple[float, float]) -> tuple[float, float]:
    """Where the contour crosses the axis: right of z, and not at an atom."""
    low, high = window
    span, law = high - low, ensemble.law
    top, edge = top_outlier(ensemble), float(law.bulks[-1, 1])
    # Nearer to the bulk than to the outlier: in small matrices that moves a lot.
    apart = edge + (0.06 * span if top is None else 0.3 * (top.position - edge))
    most = high - 0.04 * span
    if values["enclose"] == "hand":
        left, right = sorted(low + number(values, name) * span for name in ("left", "right"))
    elif values["enclose"] == "outlier":
        left, right = (edge + 0.01 * span, apart) if top is None else (apart, most)
    else:
        left, right = low + 0.04 * span, most
        if values["enclose"] == "bulk":
            start = float(law.bulks[0, 0])
            below = [one.position for one in ensemble.outliers if one.position < start]
            left, right = 0.5 * (max(below) + start) if below else left, apart
    z = _place(values, ensemble)
    left = max(left, z + 0.1 * (ensemble.ends[0] - z))
    right = max(right, left + 0.005 * span)
    if law.atom > 0:
        room = min(_TINY * span, 0.5 * (law.atom_at - z))
        left = law.atom_at - room if abs(left - law.atom_at) < room else left
        right = law.atom_at + room if abs(right - law.atom_at) < room else right
    return float(left), float(right)


def _place(values: Values, ensemble: Ensemble) -> float:
    return Observable("trace", number(values, "ridge")).place(ensemble)


def picked_ends(theory: Theory, x: float) -> Values:
    """The contour after its nearer end was dragged to x."""
    low, high = theory.window
    left, right = theory.ends
    left, right = (x, right) if abs(x - left) < abs(x - right) else (left, x)
    shares = [min(max((end - low) / (high - low), 0.0), 1.0) for end in sorted((left, right))]
    return {"enclose": "hand", "left": shares[0], "right": shares[1]}


@lru_cache(maxsize=32)
def equivalent_image(ensemble: Ensemble, z: float | None) -> Array:
    """The deterministic equivalent of M, or of Q(z), in the coordinates of the data."""
    return mean_matrix(ensemble) if z is None else resolvent_matrix(ensemble, z)


@lru_cache(maxsize=32)
def basis(ensemble: Ensemble, rho: float | None) -> Array | None:
    """Eigenvectors of C as columns, eigenvalues ascending: waves, and those of a Toeplitz matrix where there is rho.

    A Gram or kernel matrix has its samples for coordinates already: None.
    """
    if ensemble.kind != "covariance":
        return None
    p = ensemble.size
    if rho is not None:
        return np.asarray(eigh(toeplitz(np.power(rho, np.arange(p))))[1])
    waves = dct(np.eye(p), norm="ortho", axis=0).T
    # Long waves have the large eigenvalues; of all that vary the longest stands for the spike.
    return np.asarray(waves[:, [*range(p - 1, 1, -1), 0, 1]])
