"""What is observed of a random matrix, what its equivalent predicts, and how fast the two meet as it grows.

    >>> from rmtcore import Ensemble, Network, Observable, Population, predict
    >>> one = Ensemble("covariance", Network(Population.mixture(4.0, dim=200), samples=400))
    >>> round(predict(one, Observable("overlap")), 4)
    0.8611

A trace has an error ~ 1/n, a quadratic form ~ 1/sqrt(n): what is observed decides on the rate, and the operator norm
is not among what may be observed (Liao and Mahoney, arXiv:2506.13139, Definitions 1, 2 and 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rmtcore.checks import finite, in_range, integer
from rmtcore.equivalents import Ensemble, Function, distance, enclosed, functional, mean_matrix, realise, resolvent
from rmtcore.kernels import KernelOutlier
from rmtcore.network import Network
from rmtcore.spectrum import Outlier
from rmtcore.training import train

Array = NDArray[np.float64]
Name = Literal["trace", "form", "training", "statistic", "largest", "overlap", "enclosed trace", "enclosed form"]
Shape = Literal["one", "identity", "square", "log", "inverse"]

_TESTS = 4  # test points per sample: with n of them the error of a measured risk falls as 1/sqrt(n) too


@dataclass(frozen=True)
class Observable:
    """A number that a matrix M and a vector u have.

    Attributes
    ----------
    name : "trace" (1/N) tr Q(z); "form" u'Q(z)u; "training" z^2 u'Q(z)^2 u, the training error of ridge regression
        on the labels u sqrt(n) at the ridge -z; "statistic" (1/N) sum f(x_i); "largest" eigenvalue; "overlap" of its
        eigenvector, (u'v)^2; "enclosed trace" and "enclosed form", the eigenspectral functionals (1/N) sum f(x_i) and
        sum f(x_i) (u'v_i)^2 over left < x_i < right.
    ridge : > 0; z lies so far below 0, and for a kernel below the left end of its spectrum.
    shape : f, "one" 1, "identity" x, "square" x^2, "log" log(x - z), "inverse" 1/(x - z).
    left, right : where the contour crosses the axis.

    Raises
    ------
    ValueError : an unknown name or shape, ridge <= 0, or left >= right.
    """

    name: Name
    ridge: float = 1.0
    shape: Shape = "identity"
    left: float = 0.0
    right: float = 1.0

    def __post_init__(self) -> None:
        for what, known in (("name", Name), ("shape", Shape)):
            if getattr(self, what) not in get_args(known):
                allowed = ", ".join(get_args(known))
                raise ValueError(
                    f"The '{what}' parameter must be one of {allowed}. Got {getattr(self, what)!r} instead."
                )
        in_range("ridge", self.ridge, low=0.0, strict=True)
        if not self.left < self.right:
            raise ValueError(f"The 'left' parameter must be below 'right' = {self.right!r}. Got {self.left!r} instead.")

    def place(self, ensemble: Ensemble) -> float:
        """z."""
        return (ensemble.ends[0] if ensemble.kind == "kernel" else 0.0) - self.ridge

    def function(self, z: float) -> Function:
        """f, analytic right of z."""
        return {
            "one": lambda x: 1.0 + 0.0 * x,
            "identity": lambda x: x,
            "square": lambda x: x * x,
            "log": lambda x: np.log(x - z),
            "inverse": lambda x: 1.0 / (x - z),
        }[self.shape]


def predict(ensemble: Ensemble, observable: Observable) -> float:
    """The deterministic value, at p and n as they are; of the largest eigenvalue and its overlap the limit."""
    z = observable.place(ensemble)
    if observable.name == "largest":
        return ensemble.ends[1]
    if observable.name == "overlap":
        top = top_outlier(ensemble)
        return 0.0 if top is None else _overlap(ensemble, top)
    if observable.name in ("trace", "form"):
        return float(getattr(resolvent(ensemble, z), observable.name))
    if observable.name == "training":
        step = 1e-6 * observable.ridge  # a complex step differentiates without cancellation
        return z * z * float(resolvent(ensemble, z + 1j * step).form.imag) / step
    left, right = observable.left, observable.right
    if observable.name == "statistic":
        low, high = ensemble.ends
        left, right = 0.5 * (low + z), high + 0.5 * (high - low + observable.ridge)
    found = functional(ensemble, observable.function(z), left, right)
    return found.form if observable.name == "enclosed form" else found.trace


def top_outlier(ensemble: Ensemble) -> Outlier | None:
    """The outlier that is the largest eigenvalue; None where that sticks to the bulk."""
    above = [one for one in ensemble.outliers if one.position > ensemble.law.bulks[-1, 1]]
    return max(above, key=lambda one: one.position, default=None)


def _overlap(ensemble: Ensemble, top: Outlier) -> float:
    """Squared cosine of its eigenvector with u."""
    if ensemble.kind == "covariance":
        return top.overlap
    if isinstance(top, KernelOutlier):
        return top.overlap if top.source == "labels" else 0.0
    return top.score_overlap * ensemble.separation / (1.0 + ensemble.separation)


def expected_rate(ensemble: Ensemble, observable: Observable, fixed_dim: bool = False) -> float:
    """Exponent of n in the error that theory expects; 0 where it does not fall.

    Parameters
    ----------
    fixed_dim : p stays as it is while n grows, the classical regime; else they grow together.
    """
    apart = top_outlier(ensemble) is not None
    if fixed_dim:
        # A spike and its eigenvector have a squared cosine 1 - O(1/n); without a spike all is left to chance.
        cosine = observable.name == "overlap" or (observable.name == "enclosed form" and observable.shape == "one")
        return (-1.0 if apart else 0.0 if observable.name == "overlap" else -0.5) if cosine else -0.5
    if observable.name == "largest":
        return -0.5 if apart else -2.0 / 3.0
    if observable.name == "overlap":
        return -0.5 if apart else -1.0
    return -0.5 if observable.name in ("form", "training", "enclosed form") else -1.0


class Spectra(NamedTuple):
    """Eigenvalues and squared components of u on the eigenvectors, (R, N) each."""

    eigenvalues: Array
    weights: Array


class Drawn(NamedTuple):
    """R realisations of one ensemble.

    Attributes
    ----------
    actual, linear : their spectra; a covariance is its own linear equivalent.
    off_linear, off_mean : (R,) operator norms |M - M~|/|M| to the linear equivalent, and |M - E M|/|M|.
    """

    actual: Spectra
    linear: Spectra
    off_linear: Array
    off_mean: Array


def collect(ensembles: list[Ensemble], counts: list[int], seed: int, index: int) -> list[Drawn]:
    """Round number `index`: of every ensemble as many realisations, actual and linear, as `counts` says.

    Raises
    ------
    ValueError : lengths that differ, a count < 1, or a bad seed.
    """
    if len(ensembles) != len(counts):
        raise ValueError(f"The 'counts' parameter must have {len(ensembles)} entries. Got {len(counts)} instead.")
    found = []
    for k, (ensemble, count) in enumerate(zip(ensembles, counts, strict=True)):
        means = mean_matrix(ensemble)
        rows = [_one(ensemble, means, (seed, index, k, r)) for r in range(integer("counts", count, low=1))]
        columns = [np.array(column) for column in zip(*rows, strict=True)]
        found.append(Drawn(Spectra(*columns[:2]), Spectra(*columns[2:4]), *columns[4:]))
    return found


def _one(ensemble: Ensemble, means: Array, seed: tuple[int, ...]) -> tuple[Array, Array, Array, Array, float, float]:
    actual = realise(ensemble, seed)
    linear = actual if ensemble.kind == "covariance" else realise(ensemble, seed, "linear")
    norm = float(np.max(np.abs(actual.eigenvalues)))
    off = 0.0 if linear is actual else distance(actual.matrix, linear.matrix) / norm
    return (
        actual.eigenvalues, actual.weights, linear.eigenvalues, linear.weights,
        off, distance(actual.matrix, means) / norm,
    )  # fmt: skip


def join(before: list[Drawn], new: list[Drawn]) -> list[Drawn]:
    """The realisations of both rounds."""

    def both(one: Spectra, other: Spectra) -> Spectra:
        return Spectra(*(np.concatenate(pair) for pair in zip(one, other, strict=True)))

    return [
        Drawn(
            both(one.actual, other.actual),
            both(one.linear, other.linear),
            np.concatenate([one.off_linear, other.off_linear]),
            np.concatenate([one.off_mean, other.off_mean]),
        )
        for one, other in zip(before, new, strict=True)
    ]


def measure(ensemble: Ensemble, spectra: Spectra, observable: Observable) -> Array:
    """The observable of every realisation, (R,)."""
    values, weights = spectra
    z = observable.place(ensemble)
    if observable.name == "largest":
        return np.asarray(values[:, -1])
    if observable.name == "overlap":
        return np.asarray(weights[:, -1])
    if observable.name == "trace":
        return np.asarray(np.mean(1.0 / (values - z), axis=-1))
    if observable.name == "form":
        return np.asarray(np.sum(weights / (values - z), axis=-1))
    if observable.name == "training":
        return np.asarray(z * z * np.sum(weights / (values - z) ** 2, axis=-1))
    # Whatever strays left of z has no logarithm; there is none but where z touches the spectrum.
    whole = (z, np.inf) if observable.shape in ("log", "inverse") else (-np.inf, np.inf)
    ends = whole if observable.name == "statistic" else (observable.left, observable.right)
    trace, form = enclosed(values, weights, observable.function(z), *ends)
    return form if observable.name == "enclosed form" else trace


def risks(networks: list[Network], seed: int, index: int) -> Array:
    """Test errors (2, 1, K) of every network at its own ridge, actual and linear, in repetition number `index`.

    Measured on test points four times as many as the samples.
    """
    return np.array(
        [
            [[
                float(train(one, (seed, index, k), [one.ridge], (), reading, _TESTS * one.samples).test[0])
                for k, one in enumerate(networks)
            ]]
            for reading in ("actual", "linear")
        ]
    )  # fmt: skip


class Rate(NamedTuple):
    """error = prefactor * n^slope, and the standard error of the slope."""

    slope: float
    prefactor: float
    error: float


def root_mean_square(values: Array, predicted: float) -> tuple[float, float]:
    """Root mean square of values (R,) about a prediction, and its standard error (0 for a single one)."""
    squares = (finite("values", values) - predicted) ** 2
    root = float(np.sqrt(squares.mean()))
    if squares.size < 2 or root == 0.0:
        return root, 0.0
    return root, float(squares.std(ddof=1) / np.sqrt(squares.size) / (2.0 * root))


def fit_rate(n: ArrayLike, errors: ArrayLike, standard_errors: ArrayLike) -> Rate | None:
    """Weighted least squares of log error on log n; None with fewer than 3 errors that are positive and known.

    The error of the slope is what the standard errors imply, or what the scatter about the line does if that is more.

    Raises
    ------
    ValueError : an n <= 0, something not finite, or a standard error < 0.
    """
    x = np.log(in_range("n", n, low=0.0, strict=True))
    y, spread = finite("errors", errors), in_range("standard_errors", standard_errors, low=0.0)
    known = (y > 0.0) & (spread > 0.0)
    if known.sum() < 3:
        return None
    x, y, weight = x[known], np.log(y[known]), (y[known] / spread[known]) ** 2
    centre = weight @ x / weight.sum()
    lever = weight @ (x - centre) ** 2
    slope = float(weight @ ((x - centre) * y) / lever)
    offset = float(weight @ y / weight.sum() - slope * centre)
    scatter = float(weight @ (y - offset - slope * x) ** 2) / (x.size - 2)
    return Rate(slope, float(np.exp(offset)), float(np.sqrt(max(1.0, scatter) / lever)))


def relative_to(predicted: float) -> float:
    """What an error is measured against: the prediction, or 1 where that is 0."""
    return abs(predicted) if abs(predicted) > 1e-9 else 1.0
