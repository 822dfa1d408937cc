"""Conjugate kernel of one layer: what infinitely many random neurons make of given points, E_w[phi(w'a) phi(w'b)].

    >>> import numpy as np
    >>> from rmtcore import layer_kernel
    >>> layer_kernel("relu", np.eye(2)).values.round(4)
    array([[0.5   , 0.1592],
           [0.1592, 0.5   ]])

With w ~ N(0, I) the pair (w'a, w'b) is Gaussian with covariance a'b, so a kernel is a function of |a|^2, |b|^2 and
their cosine: in closed form (`rmtcore.pairs`), or by Mehler's series with quadrature (`rmtcore.gaussian`).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rmtcore.activation import Activation, get_activation
from rmtcore.checks import finite
from rmtcore.gaussian import pair_with_bound, second_moment

Array = NDArray[np.float64]
Route = Literal["closed form", "quadrature"]


class LayerKernel(NamedTuple):
    """A kernel matrix and how it was found.

    Attributes
    ----------
    values : (n, m) E_w[phi(w'a_i) phi(w'b_j)].
    route : "closed form" or "quadrature".
    error : bound on what the quadrature route leaves out of any entry; 0 for a closed form.
    """

    values: Array
    route: Route
    error: float


def layer_kernel(activation: str | Activation, A: ArrayLike, B: ArrayLike | None = None) -> LayerKernel:
    """E_w[phi(w'a) phi(w'b)], w ~ N(0, I), for all columns a of A and b of B.

    Parameters
    ----------
    A : (p, n) points, columns.
    B : (p, m) points; default: A itself, and the kernel is symmetric with an exact diagonal.

    Raises
    ------
    ValueError : an unknown activation, points that are not finite matrices with the same number of rows.
    """
    one = get_activation(activation)
    left = _points("A", A)
    right = left if B is None else _points("B", B)
    if left.shape[0] != right.shape[0]:
        raise ValueError(f"The 'B' parameter must have {left.shape[0]} rows, as 'A'. Got shape {right.shape} instead.")
    a2 = np.einsum("ij,ij->j", left, left)
    b2 = a2 if B is None else np.einsum("ij,ij->j", right, right)
    r = _cosines(left.T @ right, a2, b2)
    if B is None:
        np.fill_diagonal(r, 0.0)
    seen_a, seen_b = a2 > 0, b2 > 0
    values, error = np.zeros_like(r), 0.0
    if seen_a.any() and seen_b.any():
        inside = np.ix_(seen_a, seen_b)
        values[inside], error = pair_with_bound(one, a2[seen_a, None], b2[seen_b], r[inside])
    if not (seen_a.all() and seen_b.all()):  # what a point at the origin makes does not depend on the weights
        values[~seen_a, :] = _at_zero(one) * _means(one, b2)
        values[:, ~seen_b] = _at_zero(one) * _means(one, a2)[:, None]
    if B is None:
        np.fill_diagonal(values, layer_diagonal(one, left))
    return LayerKernel(values, "quadrature" if one.pair is None else "closed form", error)


def layer_diagonal(activation: str | Activation, A: ArrayLike) -> Array:
    """E_w phi(w'a)^2 for every column a of A (p, n), shape (n,).

    Raises
    ------
    ValueError : as `layer_kernel`.
    """
    one = get_activation(activation)
    points = _points("A", A)
    norms2 = np.einsum("ij,ij->j", points, points)
    squares = np.full(norms2.shape, _at_zero(one) ** 2)
    if (norms2 > 0).any():
        squares[norms2 > 0] = second_moment(one, norms2[norms2 > 0])
    return squares


def _points(name: str, value: ArrayLike) -> Array:
    points = finite(name, value)
    if points.ndim != 2 or points.size == 0:
        raise ValueError(f"The '{name}' parameter must be a matrix (dimensions, points). Got shape {points.shape}.")
    return points


def _cosines(inner: Array, a2: Array, b2: Array) -> Array:
    """The cosines (n, m) of the angles between the points; 0 where one is at the origin."""
    size = np.sqrt(np.outer(a2, b2))
    return np.clip(np.divide(inner, size, out=np.zeros_like(size), where=size > 0), -1.0, 1.0)


def _at_zero(activation: Activation) -> float:
    return float(np.asarray(activation.function(np.zeros(1)))[0])


def _means(activation: Activation, norms2: Array) -> Array:
    """E phi(w'a) for every |a|^2."""
    at_zero = _at_zero(activation)
    return np.array([activation.moments(float(q)).mean if q > 0 else at_zero for q in norms2])
