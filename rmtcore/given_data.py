"""One hidden layer on a given data set, with no model of the data: Louart, Liao and Couillet (2018).

    >>> import numpy as np
    >>> from rmtcore import GivenData, given_errors
    >>> from rmtcore.datasets import digits_pair
    >>> data = GivenData.split(*digits_pair(3, 8), samples=180, seed=1)
    >>> given_errors(data, "relu", widths=[90, 180, 360], ridges=1e-5).test.round(2)
    array([0.22, 1.71, 0.14])

The d neurons F = phi(WX), W of independent N(0, 1) entries, are d independent samples of the n-dimensional vector
phi(X'w), whose second moment is the conjugate kernel K. So F'F/d is a sample covariance matrix of the
population K, and the chain that closes with n samples in `rmtcore.chain` closes here with d neurons: with the
eigenvalues k_i of K, ridge fit at g,

    g n/d = kappa (1 - df1/d),   df1 = tr K (K + kappa)^-1,   df2 = tr K^2 (K + kappa)^-2,   P = (K + kappa)^-1.

The mean predictor at a point x is k(x)' P y, its residual on neurons v(x) = E_w (phi(w'x) - k(x)' P phi(X'w))^2, and

    error = mean over points [ (y - k(x)' P y)^2 + v(x) y'PKPy/(d - df2) ],

on the training points (where y - KPy = kappa P y) and on test points alike. That is Theorem 3 of the paper and
its conjecture for test points, with the misprints of later summaries removed; delta = df1/(d - df1) in their
notation. One eigendecomposition of K serves every width and ridge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh

from rmtcore.activation import Activation, get_activation
from rmtcore.chain import learn
from rmtcore.checks import finite, in_range, integer, whole_numbers
from rmtcore.conjugate import Route, layer_diagonal, layer_kernel
from rmtcore.experiment import spawn_streams
from rmtcore.network import Layer, Network
from rmtcore.population import Population
from rmtcore.training import Fit

Array = NDArray[np.float64]

_NONE = np.zeros(0)
_BLOCK = 1 << 22  # entries of the matrices that a batch of points may fill


@dataclass(frozen=True, eq=False)
class GivenData:
    """A training and a test set, taken as they are.

    Attributes
    ----------
    X, X_test : (p, n) and (p, m), columns the points.
    y, y_test : (n,) and (m,) targets.

    Raises
    ------
    ValueError : shapes that do not fit together, or entries that are not finite.
    """

    X: Array
    y: Array
    X_test: Array
    y_test: Array

    def __post_init__(self) -> None:
        for name in ("X", "y", "X_test", "y_test"):
            object.__setattr__(self, name, finite(name, getattr(self, name)))
        for name, points, target in (("X", self.X, self.y), ("X_test", self.X_test, self.y_test)):
            if points.ndim != 2 or points.size == 0 or target.shape != points.shape[1:]:
                raise ValueError(
                    f"The '{name}' parameter must be a matrix (dimensions, points) with one target for every point. "
                    f"Got shapes {points.shape} and {target.shape} instead."
                )
        if self.X_test.shape[0] != self.X.shape[0]:
            raise ValueError(
                f"The 'X_test' parameter must have {self.X.shape[0]} rows, as 'X'. Got {self.X_test.shape[0]} instead."
            )

    @property
    def samples(self) -> int:
        """Number n of training points."""
        return self.y.size

    def standardised(self) -> GivenData:
        """The same data, shifted and scaled by the training set: X and y of mean 0, |x|^2 of mean 1.

        One factor for all dimensions, so that a neuron w'x with w ~ N(0, I) has mean variance 1, as behind a
        `Layer` on a population of variance 1; what is left of the mean of y no neuron need learn.

        Raises
        ------
        ValueError : all training points are the same.
        """
        mean, level = self.X.mean(axis=1, keepdims=True), self.y.mean()
        size = np.sqrt(np.mean(np.sum((self.X - mean) ** 2, axis=0)))
        if not size > 1e-12 * np.abs(mean).max():
            raise ValueError("The 'X' parameter must vary from point to point. Got constant columns instead.")
        return GivenData((self.X - mean) / size, self.y - level, (self.X_test - mean) / size, self.y_test - level)

    @classmethod
    def split(
        cls, X: ArrayLike, y: ArrayLike, samples: int, seed: int | tuple[int, ...], tests: int | None = None
    ) -> GivenData:
        """A random training set of `samples` of the points, `tests` of the others (default: all); standardised.

        Parameters
        ----------
        X, y : (p, N) points and (N,) targets.

        Raises
        ------
        ValueError : shapes that do not fit, or more points asked for than there are.
        """
        points, target = finite("X", X), finite("y", y)
        if points.ndim != 2 or target.shape != points.shape[1:]:
            raise ValueError(
                "The 'X' parameter must be a matrix (dimensions, points) with one target for every point. "
                f"Got shapes {points.shape} and {target.shape} instead."
            )
        samples, rest = integer("samples", samples, low=1), target.size - samples
        tests = rest if tests is None else integer("tests", tests, low=1)
        if not 1 <= tests <= rest:
            raise ValueError(
                f"The 'samples' and 'tests' parameters must leave at least 1 test point and add up to at most "
                f"{target.size}. Got {samples} and {tests} instead."
            )
        order = spawn_streams(seed, 1)[0].permutation(target.size)
        inside, outside = order[:samples], order[samples : samples + tests]
        return cls(points[:, inside], target[inside], points[:, outside], target[outside]).standardised()


@dataclass(frozen=True, eq=False)
class GivenErrors:
    """Errors over widths and ridges, all arrays of their broadcast shape.

    Attributes
    ----------
    train, test : mean squared errors; test is inf at the interpolation threshold without ridge.
    delta : (1/n) tr K Qbar = df1/(d - df1) of the paper; inf without ridge where d <= n.
    df1, df2 : effective degrees of freedom, to compare with the width d.
    kappa : effective ridge on the kernel K.
    route : how the kernel was found, "closed form" or "quadrature".
    """

    train: Array
    test: Array
    delta: Array
    df1: Array
    df2: Array
    kappa: Array
    route: Route


@dataclass(frozen=True, eq=False)
class Decomposition:
    """All that the errors need of the kernel: it serves every width and ridge.

    Attributes
    ----------
    values : (r,) eigenvalues > 0 of K, ascending, and `target` (r,) the components of y on their vectors U.
    missed : squared norm of what the null space of K holds of y.
    across : (m, r) k(x)' U for the test points, `across2` (r,) the mean of its squares.
    power : mean of E phi(w'x)^2 over the test points.
    route : "closed form" or "quadrature".
    """

    values: Array
    target: Array
    missed: float
    across: Array
    across2: Array
    power: float
    route: Route


def decompose(data: GivenData, activation: str | Activation) -> Decomposition:
    """The conjugate kernel of the data, diagonalised; the last few are remembered.

    Eigenvalues that rounding alone keeps from zero count as zero.

    Raises
    ------
    ValueError : an unknown activation, or one that is zero on all the data.
    """
    return _decompose(data, get_activation(activation))


@lru_cache(maxsize=4)
def _decompose(data: GivenData, activation: Activation) -> Decomposition:
    inside = layer_kernel(activation, data.X)
    values, vectors = eigh(inside.values, check_finite=False)
    seen = values > values.size * np.finfo(float).eps * values[-1]
    if not values[-1] > 0:
        raise ValueError(f"The 'activation' must not be zero on all the data. Got {activation.name!r} instead.")
    values, vectors = values[seen], vectors[:, seen]
    target = vectors.T @ data.y
    across = layer_kernel(activation, data.X_test, data.X).values @ vectors
    missed = max(float(data.y @ data.y - target @ target), 0.0) if not seen.all() else 0.0
    power = float(layer_diagonal(activation, data.X_test).mean())
    return Decomposition(values, target, missed, across, np.mean(across**2, axis=0), power, inside.route)


def given_errors(data: GivenData, activation: str | Activation, widths: ArrayLike, ridges: ArrayLike) -> GivenErrors:
    """Deterministic equivalents of the errors of one random hidden layer on the data.

    The layer phi(WX), W of independent N(0, 1) entries, is fitted by the theta that minimises
    (1/n) |y - F'theta|^2 + g |theta|^2. The theory asks for smooth activations and points of comparable norm: on
    digits it is within a few per cent (sign: 8 %); near an interpolator of data with outlying points
    (breast cancer, tanh, d = 2n, g = 1e-5) 20 % below actual networks, though right for Gaussian features.

    Parameters
    ----------
    widths : numbers d of neurons, >= 1; any shape.
    ridges : g >= 0, of a shape that broadcasts with it; 0 is the exact limit, on both sides of d = n.

    Raises
    ------
    ValueError : an argument out of range.
    """
    d, g = points(widths, ridges)
    one = decompose(data, activation)
    kappa = np.array([_kappa(one.values, *point, data.samples) for point in zip(d.flat, g.flat, strict=True)])
    parts = [
        _errors(one, data, kappa[block], d.ravel()[block], g.ravel()[block])
        for block in _blocks(kappa.size, one.across)
    ]
    train, test, delta, df1, df2 = (np.concatenate(part).reshape(d.shape) for part in zip(*parts, strict=True))
    return GivenErrors(train, test, delta, df1, df2, kappa.reshape(d.shape), one.route)


def points(widths: ArrayLike, ridges: ArrayLike) -> tuple[Array, Array]:
    """Widths d and ridges g, checked and broadcast; ValueError where one is out of range."""
    d, g = whole_numbers("widths", widths, low=1.0), in_range("ridges", ridges, low=0.0)
    try:
        d, g = np.broadcast_arrays(d, g)
    except ValueError:
        raise ValueError(
            f"The 'ridges' parameter must broadcast with the widths {d.shape}. Got shape {g.shape} instead."
        ) from None
    return d, g


def _blocks(points: int, across: Array) -> list[slice]:
    """Slices of the points that keep the predictions at all test points, and all eigenvalues, in bounds."""
    step = max(_BLOCK // max(across.shape), 1)
    return [slice(start, start + step) for start in range(0, points, step)]


def _kappa(values: Array, width: float, ridge: float, samples: int) -> float:
    """The effective ridge: the chain's root, with the d neurons as its samples."""
    if ridge == 0 and width >= values.size:
        return 0.0
    return float(learn(ridge * samples / width, values, np.ones(values.size), _NONE, _NONE, _NONE, width))


def _errors(one: Decomposition, data: GivenData, kappa: Array, d: Array, g: Array) -> tuple[Array, ...]:
    """Train, test, delta, df1 and df2 at points kappa (k,), in sums of positive terms."""
    k, t2 = one.values[:, None], (one.target**2)[:, None]
    p = 1.0 / (k + kappa)
    share, left = k * p, kappa * p  # they add up to 1
    # d - df1 is g n/kappa, and where kappa = 0 what the width has more than the rank
    bare = np.divide(g * data.samples, kappa, out=np.maximum(d - one.values.size, 0.0), where=kappa > 0)
    free = bare + np.sum(share * left, axis=0)  # d - df2
    push = np.sum(t2 * share * p, axis=0)  # y'PKPy
    residual = data.y_test[:, None] - one.across @ (p * one.target[:, None])
    unseen = np.maximum(one.power - one.across2 @ (p * (1.0 + left)), 0.0)
    inside, outside = (_amplified(push * v, free) for v in (np.sum(left**2 * k, axis=0), unseen))
    train = (one.missed + np.sum(t2 * left**2, axis=0) + inside) / data.samples
    df1 = np.sum(share, axis=0)
    return train, np.mean(residual**2, axis=0) + outside, _amplified(df1, bare), df1, np.sum(share**2, axis=0)


def _amplified(part: Array, free: Array) -> Array:
    """part/free; infinite at the threshold, where free is 0, but for what is exactly nothing."""
    return np.divide(part, free, out=np.where(part > 0, np.inf, 0.0), where=free > 0)


@dataclass(frozen=True, eq=False)
class GivenTrial:
    """Errors of actual networks over widths and ridges: `train` and `test`, arrays of their broadcast shape."""

    train: Array
    test: Array


def train_given(
    data: GivenData,
    activation: str | Activation,
    widths: ArrayLike,
    ridges: ArrayLike,
    seed: int | tuple[int, ...],
) -> GivenTrial:
    """The experiment that `given_errors` predicts: one draw of the neurons for every width, all ridges on it.

    Parameters
    ----------
    widths, ridges : as in `given_errors`; ridge 0 is the least-norm fit.
    seed : non-negative integer, or a tuple of them. The neurons of a width depend on seed and width alone.

    Raises
    ------
    ValueError : an argument out of range.
    """
    function = get_activation(activation).function

    def draw(width: int, rng: np.random.Generator) -> tuple[Array, Array]:
        weights = rng.standard_normal((width, data.X.shape[0]))
        return np.asarray(function(weights @ data.X), float), np.asarray(function(weights @ data.X_test), float)

    return trial(data, draw, widths, ridges, seed)


def trial(
    data: GivenData,
    draw: Callable[[int, np.random.Generator], tuple[Array, Array]],
    widths: ArrayLike,
    ridges: ArrayLike,
    seed: int | tuple[int, ...],
) -> GivenTrial:
    """`train_given` for any random features: draw(width, rng) gives those of the training and the test points.

    One eigendecomposition of the smaller side of F'F/n serves all ridges of a width.

    Raises
    ------
    ValueError : an argument out of range.
    """
    d, g = points(widths, ridges)
    root = (seed,) if not isinstance(seed, tuple) else seed
    train, test = np.empty(d.shape), np.empty(d.shape)
    for width in np.unique(d):
        fit = Fit(*draw(int(width), spawn_streams((*root, int(width)), 1)[0]), data.y)
        here = d == width
        with np.errstate(divide="ignore"):
            filters = np.where(fit.seen[:, None], 1.0 / (fit.values[:, None] + g[here]), 0.0)
        on_train, on_test = fit.predict(filters)
        train[here] = np.mean((data.y[:, None] - on_train) ** 2, axis=0)
        test[here] = np.mean((data.y_test[:, None] - on_test) ** 2, axis=0)
    return GivenTrial(train, test)


def gaussian_twin(data: GivenData, activation: str | Activation, width: int, ridge: float) -> Network:
    """The same network on Gaussian data with the covariance, and the linear target, of these: for `ridge_errors`.

    How far its errors are from those of the data tells how little of the data is Gaussian: at ridge 0.1 and d = 2n
    the twin's test error is 1.1 (tanh) and 1.7 (ReLU) times that of digits 3 against 8, where the nonlinear part
    of the target, noise to the twin, is learned; 3 to 5 times at the peak with ridge 1e-5. Covariance and target
    are estimated from all points, training and test: the spectrum as in `Population.from_data`; the target by
    least squares, less the energy 1/N of the noise that such a fit finds in every direction; the noise is the
    residual variance over N less the number of directions. The twin's layer is centred, that of `given_errors`
    is not: on a target of mean 0 that is one direction of n. For data that are Gaussian the twin is within 3 % of
    the truth at N = 6 p, and within 10 % at N = 2 p.

    Raises
    ------
    ValueError : no more points than dimensions, or a width or ridge out of range.
    """
    population, noise = _gaussian(data)
    return Network(population, [Layer(width, activation)], samples=data.samples, noise=noise, ridge=ridge)


def forget() -> None:
    """Drop what is remembered of the last few data sets: one that was lent must not outlive its use."""
    for cache in (_decompose, _gaussian):
        cache.cache_clear()


@lru_cache(maxsize=4)
def _gaussian(data: GivenData) -> tuple[Population, float]:
    """Population and noise variance of the twin."""
    x = np.concatenate([data.X, data.X_test], axis=1) * np.sqrt(data.X.shape[0])  # the layer divides by this
    y = np.concatenate([data.y, data.y_test])
    population = Population.from_data(x)
    x, y, count = x - x.mean(axis=1, keepdims=True), y - y.mean(), y.size
    values, vectors = eigh(x @ x.T / count, check_finite=False)
    seen = values > 1e-12 * values[-1]
    values = np.where(seen, values, 1.0)
    energy = np.where(seen, (vectors.T @ (x @ y) / count) ** 2 / values, 0.0)  # v_k s_k, noise included
    variance, left = float(y @ y) / count, count - int(seen.sum()) - 1
    noise = max(variance - float(energy.sum()), 0.0) * count / left if left > 0 else 0.0
    noise = min(noise, variance)
    energy = np.where(seen, np.maximum(energy - noise / count, 0.0), 0.0)
    total = float(energy.sum())
    scale = (variance - noise) / total if total > 0 else 0.0
    # eigenvalues of the population: the sample's own are wider spread
    target = np.where(seen, scale * energy / np.where(seen, population.spectrum, 1.0), 0.0)
    return replace(population, target=target, data=None), noise
