"""Random Fourier features on a given data set: Liao, Couillet and Mahoney (2020).

    >>> from rmtcore import GivenData, fourier_errors
    >>> from rmtcore.datasets import digits_pair
    >>> data = GivenData.split(*digits_pair(3, 8), samples=120, seed=1)
    >>> fourier_errors(data, widths=[30, 60, 120], ridges=1e-5).test.round(2)
    array([0.32, 2.85, 0.17])

The 2d features cos(WX) and sin(WX) share the d rows of W, independent N(0, I): the Gram matrix estimates
the Gaussian kernel exp(-|a - b|^2/2) = Kc + Ks, and the test error peaks at 2d = n. Every row adds the rank-two
block of one cosine and one sine, uncorrelated since E cos(w'a) sin(w'b) = 0, so there are two coupled deltas,

    Qbar = ((d/n) (Kc/(1 + dc) + Ks/(1 + ds)) + g)^-1,    dc = (1/n) tr Kc Qbar,    ds = (1/n) tr Ks Qbar.

With rho = (1 + ds)/(1 + dc) this is the chain again, on the kernel K = Kc + Ks/rho but with only the cosine's
share of its degrees of freedom: g n/d = kappa (1 - dfc/d), Qbar = (kappa/g) (K + kappa)^-1 = (kappa/g) P, and
what remains is one equation for rho, 1 - rho = (dfc - rho dfs)/d with dfc = tr Kc P and dfs = tr Ks P/rho: a
scalar root, regular at ridge 0 on both sides of 2d = n.

The errors (Theorems 2 and 3 of the paper, derived again here) follow from -d/de of the resolvent with g + e B:
E[Q B Q] = Qbar (B + (d/n) sum_a t_a K_a/(1 + d_a)^2) Qbar, where t_a = (1/n) tr K_a E[Q B Q] is a 2 x 2 linear
system. In terms of the mean predictor k(x)' P y with k(x) the column of K, and of its residuals
v_a(x) = E_w (phi_a(w'x) - k(x)' P phi_a(X'w))^2 on both kinds of feature,

    error = mean over points [ (y - k(x)' P y)^2 + sum_ab v_a(x) (D - M)^-1_ab y'P K_b P y ],
    D = d diag(1, rho^2),    M_ab = tr K_a P K_b P,

on training and on test points: the formula of one kind of feature, with a matrix in the place of d - df2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from scipy.optimize import brentq

from rmtcore.chain import learn
from rmtcore.conjugate import layer_diagonal, layer_kernel
from rmtcore.given_data import GivenData, GivenTrial, points, trial

Array = NDArray[np.float64]
KINDS = ("cos", "sin")


@dataclass(frozen=True, eq=False)
class FourierErrors:
    """Errors over widths and ridges, all arrays of their broadcast shape.

    Attributes
    ----------
    train, test : mean squared errors; test is inf at the interpolation threshold 2d = n without ridge.
    delta_cos, delta_sin : the two deltas; inf without ridge where 2d <= n.
    df1 : effective degrees of freedom of both kinds together, to compare with the 2d features.
    kappa, rho : effective ridge on the kernel Kc + Ks/rho.
    """

    train: Array
    test: Array
    delta_cos: Array
    delta_sin: Array
    df1: Array
    kappa: Array
    rho: Array


def fourier_errors(data: GivenData, widths: ArrayLike, ridges: ArrayLike) -> FourierErrors:
    """Deterministic equivalents of the errors of random Fourier features on the data.

    The features [cos(WX); sin(WX)] are fitted as in `given_errors`. Each point costs about ten
    eigendecompositions of size n; neighbours in the order of the arrays help each other.

    Parameters
    ----------
    widths : numbers d of rows of W, each a cosine and a sine: 2d features; any shape.
    ridges : g >= 0, of a shape that broadcasts with it; 0 is the exact limit, on both sides of 2d = n.

    Raises
    ------
    ValueError : an argument out of range.
    """
    d, g = points(widths, ridges)
    kernels = _kernels(data)
    found = np.empty((7, d.size))
    rho = 1.0
    for index, (width, ridge) in enumerate(zip(d.flat, g.flat, strict=True)):
        mixed = _balance(kernels, width, ridge * data.samples / width, rho)
        found[:, index] = *_errors(mixed, kernels, data), *mixed.deltas, mixed.dfs.sum(), mixed.kappa, mixed.rho
        rho = mixed.rho
    return FourierErrors(*found.reshape(7, *d.shape))


def train_fourier(data: GivenData, widths: ArrayLike, ridges: ArrayLike, seed: int | tuple[int, ...]) -> GivenTrial:
    """The experiment that `fourier_errors` predicts: one draw of W for every width, all ridges on it.

    Parameters and errors raised: as in `train_given`.
    """

    def draw(width: int, rng: np.random.Generator) -> tuple[Array, Array]:
        weights = rng.standard_normal((width, data.X.shape[0]))
        inside, outside = weights @ data.X, weights @ data.X_test
        return np.concatenate([np.cos(inside), np.sin(inside)]), np.concatenate([np.cos(outside), np.sin(outside)])

    return trial(data, draw, widths, ridges, seed)


@dataclass(frozen=True, eq=False)
class _Kernels:
    """Kc and Ks on the training points (n, n), from them to the test points (m, n), and their mean power there."""

    inside: tuple[Array, Array]
    across: tuple[Array, Array]
    power: Array


def forget() -> None:
    """Drop what is remembered of the last data sets, as `rmtcore.given_data.forget`."""
    _kernels.cache_clear()


@lru_cache(maxsize=2)
def _kernels(data: GivenData) -> _Kernels:
    inside = (layer_kernel("cos", data.X).values, layer_kernel("sin", data.X).values)
    across = tuple(layer_kernel(kind, data.X_test, data.X).values for kind in KINDS)
    power = np.array([layer_diagonal(kind, data.X_test).mean() for kind in KINDS])
    return _Kernels(inside, (across[0], across[1]), power)


@dataclass(frozen=True, eq=False)
class _Mixed:
    """The kernel Kc + Ks/rho, diagonalised, at the kappa that the cosines ask for.

    values (r,) eigenvalues k > 0 and vectors (n, r); part (r,) of the cosines in each; spare = g n/kappa = d - dfc;
    gap = 1 - rho - (dfc - rho dfs)/d, which the right rho makes 0.
    """

    rho: float
    width: float
    values: Array
    vectors: Array
    part: Array
    kappa: float
    spare: float

    @property
    def dfs(self) -> Array:
        """Degrees of freedom dfc and dfs, (2,)."""
        share = self.values / (self.values + self.kappa)
        return np.array([self.part @ share, (1.0 - self.part) @ share])

    @property
    def gap(self) -> float:
        dfc, dfs = self.dfs
        return 1.0 - self.rho - (dfc - self.rho * dfs) / self.width

    @property
    def deltas(self) -> tuple[float, float]:
        """delta = df/(d - df), with d - dfc = g n/kappa and d - dfs = g n/(kappa rho)."""
        (dfc, dfs), spare = self.dfs, self.spare
        return (dfc / spare, dfs * self.rho / spare) if spare > 0 else (np.inf, np.inf)


def _mix(kernels: _Kernels, width: float, lam: float, rho: float) -> _Mixed:
    cosine, sine = kernels.inside
    values, vectors = eigh(cosine + sine / rho, check_finite=False)
    seen = values > values.size * np.finfo(float).eps * values[-1]
    values, vectors = values[seen], vectors[:, seen]
    part = np.clip(np.einsum("ij,ij->j", vectors, cosine @ vectors) / values, 0.0, 1.0)
    none, rank = np.zeros(0), float(part.sum())
    if lam == 0 and (rank <= width or 2 * width == values.size):
        spare = 0.0 if 2 * width == values.size else width - rank
        return _Mixed(rho, width, values, vectors, part, 0.0, spare)
    kappa = float(learn(lam, values, part, none, none, none, width))
    return _Mixed(rho, width, values, vectors, part, kappa, lam * width / kappa)


def _balance(kernels: _Kernels, width: float, lam: float, guess: float) -> _Mixed:
    """The kernel at the right rho: where the gap, positive at rho = 0 and negative at infinity, is 0."""

    def gap(log_rho: float) -> float:
        return _mix(kernels, width, lam, float(np.exp(log_rho))).gap

    low = high = float(np.log(guess))
    step, rising = 0.05, gap(low) > 0
    while (gap(high) > 0) if rising else (gap(low) <= 0):
        low, high = (high, high + step) if rising else (low - step, low)
        step *= 2.0
    return _mix(kernels, width, lam, float(np.exp(brentq(gap, low, high, xtol=1e-12))))


def _errors(mixed: _Mixed, kernels: _Kernels, data: GivenData) -> tuple[float, float]:
    """Train and test error at a balanced kernel, the 2 x 2 system in sums of positive terms."""
    rho, kappa, k = mixed.rho, mixed.kappa, mixed.values
    p = 1.0 / (k + kappa)
    cosines = mixed.vectors.T @ kernels.inside[0] @ mixed.vectors
    inside = cosines, rho * (np.diag(k) - cosines)
    target = mixed.vectors.T @ data.y
    weights = p * target
    push = np.array([weights @ one @ weights for one in inside])  # y'P K_a P y
    pull = np.array([np.diag(one) @ p**2 for one in inside])  # tr K_a P^2
    shared = max(float(p @ (inside[0] * inside[1]) @ p), 0.0)  # tr Kc P Ks P
    cosine, sine = kappa * pull + mixed.spare
    free = shared * (sine + rho * cosine) + rho * cosine * sine  # det(D - M)
    adjugate = np.array([[rho * (shared + sine), shared], [shared, shared / rho + cosine]])
    across = [one @ mixed.vectors for one in kernels.across]
    predictor = (across[0] + across[1] / rho) * p
    products = predictor.T @ predictor / predictor.shape[0]
    unseen = [
        max(power - 2.0 * np.sum(predictor * one) / predictor.shape[0] + np.sum(products * kernel), 0.0)
        for power, one, kernel in zip(kernels.power, across, inside, strict=True)
    ]
    left = float(data.y @ data.y - target @ target) if k.size < data.samples else 0.0
    plain = (max(left, 0.0) + kappa**2 * float(weights @ weights)) / data.samples
    bare = float(np.mean((data.y_test - predictor @ target) ** 2))
    ways = [push @ adjugate @ part for part in (kappa**2 * pull / data.samples, np.array(unseen))]
    train, test = (float(way) / free if free > 0 else np.inf if way > 0 else 0.0 for way in ways)
    return plain + train, bare + test
