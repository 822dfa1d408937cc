"""Networks of infinite width: conjugate and neural tangent kernel through any depth, actual and linear.

    >>> from rmtcore import InfiniteNetwork, Mixture, coefficients
    >>> one, = coefficients(InfiniteNetwork(["relu"], variance=1.0))[1:]
    >>> one.a1, one.a3 / one.a2
    (0.25, 2.0)

Every layer is centred, phi - E phi at its own input variance. On a Gaussian mixture both kernels are X'X, a few
class directions and a multiple of the identity, up to a vanishing operator norm; nine numbers a layer say all:
Gu, Du, Zhang, Xie, Pu, Qiu and Liao, "Lossless" compression of deep neural networks: a high-dimensional neural tangent
kernel approach (NeurIPS 2022, arXiv:2403.00258); Liao and Mahoney, arXiv:2506.13139.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import eigsh

from rmtcore.activation import Activation, get_activation
from rmtcore.checks import finite, in_range, integer
from rmtcore.gaussian import derivative_energy, expectations, pair
from rmtcore.mixture import Mixture

Array = NDArray[np.float64]


class Stage(NamedTuple):
    """One centred layer at the variance it sees.

    Attributes
    ----------
    activation, variance : phi and its input variance tau_(l-1)^2.
    mean, scale : the layer computes (phi - mean)/scale.
    slope, curvature, growth : E phi', E phi'' and E[phi'^2 + phi phi''] of that.
    energy : E phi'^2 of that; inf where phi declares no derivative (it jumps: no tangent kernel).
    out : its output variance tau_l^2.
    """

    activation: Activation
    variance: float
    mean: float
    scale: float
    slope: float
    curvature: float
    growth: float
    energy: float
    out: float


@dataclass(frozen=True)
class InfiniteNetwork:
    """Layers of infinite width on data of a given squared norm.

    Attributes
    ----------
    activations : one per layer, a name or an `Activation`.
    variance : tau_0^2 > 0, the squared norm of a typical sample (columns of X are not rescaled).
    normalise : divide every layer by its standard deviation, so tau_l = 1.

    Raises
    ------
    ValueError : no activation, an unknown one, or a variance out of range on its way up.
    """

    activations: tuple[Activation, ...]
    variance: float
    normalise: bool

    def __init__(self, activations: Sequence[str | Activation], variance: float = 1.0, normalise: bool = False) -> None:
        layers = tuple(get_activation(one) for one in activations)
        if not layers:
            raise ValueError("The 'activations' parameter must hold at least 1 activation. Got none instead.")
        object.__setattr__(self, "activations", layers)
        object.__setattr__(self, "variance", float(in_range("variance", variance, 0.0, np.inf, strict=True)))
        object.__setattr__(self, "normalise", bool(normalise))
        if len(self.stages) != len(layers):
            raise AssertionError("every activation is one stage")

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """Every layer with the expectations at its input variance."""
        variance, found = self.variance, []
        for activation in self.activations:
            e = expectations(activation, variance)
            scale = float(np.sqrt(e.variance)) if self.normalise else 1.0
            if not e.variance > 0 or not scale > 0:
                raise ValueError(f"The activation {activation.name!r} must vary. Got variance {e.variance:g} instead.")
            jumps = activation.derivative is None
            energy = np.inf if jumps else derivative_energy(activation, variance)
            found.append(
                Stage(
                    activation,
                    variance,
                    e.mean,
                    scale,
                    e.slope / scale,
                    e.curvature / scale,
                    e.centred_growth / scale**2,
                    energy / scale**2,
                    e.variance / scale**2,
                )
            )
            variance = found[-1].out
        return tuple(found)


class Coefficients(NamedTuple):
    """What a kernel at one depth depends on.

    Attributes
    ----------
    a1, a2, a3, a4 : conjugate kernel: weight of X'X, of the norms, of the covariance shapes; a4 carries the norm.
    b1, b2, b3 : the same of the tangent kernel.
    tau, kappa : tau^2 and kappa^2 are the diagonals of the two kernels; kappa is inf without a tangent kernel.
    """

    a1: float
    a2: float
    a3: float
    a4: float
    b1: float
    b2: float
    b3: float
    tau: float
    kappa: float


def coefficients(network: InfiniteNetwork) -> tuple[Coefficients, ...]:
    """The coefficients at every depth, from the data (index 0) to the last layer (Gu et al., 2022)."""
    tau = float(np.sqrt(network.variance))
    found = [Coefficients(1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, tau, tau)]
    for stage in network.stages:
        below = found[-1]
        slope2, curvature2 = stage.slope**2, stage.curvature**2
        a1 = slope2 * below.a1
        a2 = slope2 * below.a2 + 0.25 * curvature2 * below.a4**2
        a3 = slope2 * below.a3 + 0.5 * curvature2 * below.a1**2
        found.append(
            Coefficients(
                a1,
                a2,
                a3,
                stage.growth * below.a4,
                a1 + slope2 * below.b1,
                a2 + slope2 * below.b2,
                a3 + slope2 * below.b3 + curvature2 * below.a1 * below.b1,
                float(np.sqrt(stage.out)),
                float(np.sqrt(stage.out + below.kappa**2 * stage.energy)),
            )
        )
    return tuple(found)


def ck_equivalent(network: InfiniteNetwork, mixture: Mixture, X: ArrayLike) -> Array:
    """Linear equivalent a1 X'X + V A V' + (tau^2 - tau_0^2 a1) I of the last layer's conjugate kernel.

    Parameters
    ----------
    X : (p, n) data of the mixture, in the order of its labels.

    Returns
    -------
    (n, n) matrix; its distance to `conjugate_kernel` vanishes in operator norm as n, p grow together.

    Raises
    ------
    ValueError : X of another shape, or the network's variance is not the mixture's.
    """
    c = coefficients(network)[-1]
    return _equivalent(network, mixture, X, c.a1, c.a2, c.a3, c.tau)


def ntk_equivalent(network: InfiniteNetwork, mixture: Mixture, X: ArrayLike) -> Array:
    """Linear equivalent b1 X'X + V B V' + (kappa^2 - tau_0^2 b1) I of the tangent kernel; as `ck_equivalent`.

    Raises
    ------
    ValueError : as there, and where an activation has no tangent kernel.
    """
    _demand_tangent(network)
    c = coefficients(network)[-1]
    return _equivalent(network, mixture, X, c.b1, c.b2, c.b3, c.kappa)


def _equivalent(
    network: InfiniteNetwork, mixture: Mixture, X: ArrayLike, c1: float, c2: float, c3: float, size: float
) -> Array:
    if not np.isclose(network.variance, mixture.variance, rtol=1e-9):
        raise ValueError(
            f"The 'network' parameter must have the mixture's variance {mixture.variance:g}. "
            f"Got {network.variance:g} instead."
        )
    data = mixture.check(X)
    inner = np.empty((mixture.t.size + 1,) * 2)
    inner[:-1, :-1] = c2 * np.outer(mixture.t, mixture.t) + c3 * mixture.T
    inner[:-1, -1] = inner[-1, :-1] = c2 * mixture.t
    inner[-1, -1] = c2
    v = mixture.features(data)
    kernel = c1 * (data.T @ data) + v @ inner @ v.T
    kernel[np.diag_indices_from(kernel)] += size**2 - network.variance * c1
    return np.asarray(kernel)


def conjugate_kernel(network: InfiniteNetwork, X: ArrayLike) -> Array:
    """The last layer's conjugate kernel of infinite width itself, on any data.

    Parameters
    ----------
    X : (p, n) samples as columns, none zero; used as they are.

    Returns
    -------
    (n, n) matrix E[phi(u) phi(v)], layer after layer.

    Raises
    ------
    ValueError : X not a finite matrix, or with a zero column.
    """
    for ck, _ in _through(network, X, tangent=False):
        kernel = ck
    return kernel


def tangent_kernel(network: InfiniteNetwork, X: ArrayLike) -> Array:
    """The tangent kernel of infinite width itself: K_NTK' = K_CK' + K_NTK * E[phi'(u) phi'(v)] (entrywise).

    Parameters, returns and errors as in `conjugate_kernel`; also ValueError where it does not exist.
    """
    _demand_tangent(network)
    for _, ntk in _through(network, X, tangent=True):
        kernel = ntk
    return kernel


def _demand_tangent(network: InfiniteNetwork) -> None:
    for stage in network.stages:
        derivative_energy(stage.activation, stage.variance)  # refuses those that jump


def _through(network: InfiniteNetwork, X: ArrayLike, tangent: bool) -> Iterator[tuple[Array, Array]]:
    """Both kernels after every layer; the second is the first where it is not asked for."""
    data = finite("X", X)
    if data.ndim != 2 or data.size == 0 or not np.all(np.any(data != 0, axis=0)):
        raise ValueError(f"The 'X' parameter must be a matrix without zero columns. Got shape {data.shape} instead.")
    ck = ntk = np.asarray(data.T @ data)
    for stage in network.stages:
        q = np.diag(ck).copy()
        r = np.clip(ck / np.sqrt(np.outer(q, q)), -1.0, 1.0)
        if tangent and stage.activation.derivative is not None:
            ntk = ntk * _entrywise(stage.activation.derivative, q, r) / stage.scale**2
        ck = _entrywise(stage.activation, q, r, stage.mean) / stage.scale**2
        ntk = ck + ntk if tangent else ck
        yield ck, ntk


def _entrywise(activation: Activation, q: Array, r: Array, mean: float = 0.0) -> Array:
    """E[(phi(u) - mean)(phi(v) - mean)] for all pairs of samples; the diagonal from the moments."""
    off = r.copy()
    np.fill_diagonal(off, 0.0)
    kernel = pair(activation, q[:, None], q, off)
    moments = [activation.moments(float(value)) for value in q]
    means = np.array([one.mean for one in moments])
    kernel -= mean * (means[:, None] + means) - mean**2
    np.fill_diagonal(kernel, [one.variance + (one.mean - mean) ** 2 for one in moments])
    return kernel


def operator_norm(matrix: ArrayLike) -> float:
    """Largest |eigenvalue| of a symmetric matrix (n, n)."""
    return float(abs(_extreme(finite("matrix", matrix), 1, "LM")[0][0]))


def relative_error(actual: ArrayLike, equivalent: ArrayLike) -> float:
    """Operator norm of the difference of two symmetric matrices over that of the first."""
    one, other = finite("actual", actual), finite("equivalent", equivalent)
    if one.shape != other.shape:
        raise ValueError(f"The 'equivalent' parameter must have shape {one.shape}. Got {other.shape} instead.")
    return operator_norm(one - other) / operator_norm(one)


class Top(NamedTuple):
    """The leading eigenvectors of a kernel, as a classifier sees them.

    Attributes
    ----------
    values : (k,) eigenvalues, descending.
    vectors : (k, n) of norm sqrt(n), the sign such that the first class is on the positive side.
    means, deviations : (k, K) mean and standard deviation of their entries within every class.
    """

    values: Array
    vectors: Array
    means: Array
    deviations: Array


def top_eigenvectors(kernel: ArrayLike, labels: ArrayLike, count: int = 4) -> Top:
    """The `count` leading eigenvectors of a symmetric (n, n) kernel, and their profile over the classes.

    Raises
    ------
    ValueError : a kernel that is not a finite square matrix, labels (n,) that do not fit, or count not in [1, n - 1].
    """
    matrix, classes = finite("kernel", kernel), np.asarray(labels)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or classes.shape != matrix.shape[:1]:
        raise ValueError(
            "The 'kernel' and 'labels' parameters must have shapes (n, n) and (n,). "
            f"Got {matrix.shape} and {classes.shape} instead."
        )
    k = integer("count", count, low=1)
    in_range("count", k, 1, matrix.shape[0] - 1)
    values, vectors = _extreme(matrix, k, "LA")
    order = np.argsort(-values)
    rows = vectors.T[order] * np.sqrt(matrix.shape[0])
    members = [classes == name for name in np.unique(classes)]
    rows *= np.where(rows[:, members[0]].sum(axis=1) < 0, -1.0, 1.0)[:, None]
    means = np.stack([rows[:, inside].mean(axis=1) for inside in members], axis=1)
    deviations = np.stack([rows[:, inside].std(axis=1) for inside in members], axis=1)
    return Top(values[order], rows, means, deviations)


def _extreme(matrix: Array, count: int, which: str) -> tuple[Array, Array]:
    # A fixed start vector: the same matrix must give the same numbers.
    start = np.cos(np.arange(matrix.shape[0], dtype=float))
    values, vectors = eigsh(matrix, count, which=which, v0=start)
    return np.asarray(values), np.asarray(vectors)
