"""Conjugate kernels: what infinitely many random neurons make of two given points, E_w[phi(w'a) phi(w'b)].

    >>> import numpy as np
    >>> from rmtcore import conjugate_kernel
    >>> conjugate_kernel("relu", np.eye(2)).values.round(4)
    array([[0.5   , 0.1592],
           [0.1592, 0.5   ]])

With w ~ N(0, I) the pair (w'a, w'b) is Gaussian with covariance a'b, so a kernel is a function of |a|^2, |b|^2
and a'b. Closed forms: Williams (1997) for erf, Cho and Saul (2009) for the step and the ReLU, Louart, Liao and
Couillet (2018), Table 1, for these and the sine, cosine and polynomials; the GELU by two integrations by parts
of the erf kernel, the ternary function by Owen's (1956) function for the bivariate normal law. All others by
their Hermite expansion (Mehler's formula),

    phi(|a| xi) = sum_k c_k(a) he_k(xi),    K(a, b) = sum_k c_k(a) c_k(b) cos(a, b)^k,

with coefficients by quadrature; by Parseval what is left out is known, and reported.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, owens_t

from rmtcore.activation import ACTIVATIONS, Activation, get_activation, panel_edges, ternary_levels
from rmtcore.checks import finite

Array = NDArray[np.float64]
Route = Literal["closed form", "quadrature"]

_TOLERANCE = 1e-10  # of the Hermite expansion, relative to the largest E phi^2
_DEGREES = (64, 512)  # first and last number of its terms
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


class ConjugateKernel(NamedTuple):
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


def conjugate_kernel(activation: str | Activation, A: ArrayLike, B: ArrayLike | None = None) -> ConjugateKernel:
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
    inner = left.T @ right
    a2 = np.einsum("ij,ij->j", left, left)
    b2 = a2 if B is None else np.einsum("ij,ij->j", right, right)
    if B is None:
        np.fill_diagonal(inner, a2)
    form = _closed_form(one)
    if form is not None:
        return ConjugateKernel(form(inner, a2[:, None], b2[None, :]), "closed form", 0.0)
    values, error = _mehler(one, inner, a2, b2)
    if B is None:
        np.fill_diagonal(values, conjugate_diagonal(one, left))
    return ConjugateKernel(values, "quadrature", error)


def conjugate_diagonal(activation: str | Activation, A: ArrayLike) -> Array:
    """E_w phi(w'a)^2 for every column a of A (p, n), shape (n,).

    Raises
    ------
    ValueError : as `conjugate_kernel`.
    """
    one = get_activation(activation)
    points = _points("A", A)
    norms2 = np.einsum("ij,ij->j", points, points)
    form = _closed_form(one)
    return form(norms2, norms2, norms2) if form is not None else _expand(one, norms2, 1)[1]


def _points(name: str, value: ArrayLike) -> Array:
    points = finite(name, value)
    if points.ndim != 2 or points.size == 0:
        raise ValueError(f"The '{name}' parameter must be a matrix (dimensions, points). Got shape {points.shape}.")
    return points


def _cosine(c: Array, a2: Array, b2: Array) -> Array:
    """c/(|a| |b|) in [-1, 1]; 0 where a point is 0."""
    size = np.sqrt(a2 * b2)  # one root of the product: exactly |a|^2 where b is a
    return np.clip(np.divide(c, size, out=np.zeros(np.shape(c)), where=size > 0), -1.0, 1.0)


def _bent(even: float, odd: float, c: Array, a2: Array, b2: Array) -> Array:
    """Even |t| + odd t."""
    r = _cosine(c, a2, b2)
    arc = r * np.arcsin(r) + np.sqrt((1.0 - r) * (1.0 + r))
    return odd**2 * c + even**2 * (2.0 / np.pi) * np.sqrt(a2 * b2) * arc


def _jump(even: float, odd: float, c: Array, a2: Array, b2: Array) -> Array:
    """Even + odd sign(t), and 0 at t = 0."""
    both = (a2 > 0) & (b2 > 0)
    return both * (even**2 + odd**2 * (2.0 / np.pi) * np.arcsin(_cosine(c, a2, b2)))


def _erf(c: Array, a2: Array, b2: Array) -> Array:
    size = np.sqrt(1.0 + 2.0 * a2) * np.sqrt(1.0 + 2.0 * b2)
    return (2.0 / np.pi) * np.arcsin(2.0 * c / size)


def _gelu(c: Array, a2: Array, b2: Array) -> Array:
    """t Phi(t) = t/2 + t erf(t/sqrt 2)/2; the second, even part by Stein's lemma from the kernel of erf."""
    product = (1.0 + a2) * (1.0 + b2)
    root = np.sqrt(product - c**2)
    bend = (a2 * b2 + c**2 * (1.0 - a2 * b2) / product) / root
    return 0.25 * c + (c * np.arcsin(c / np.sqrt(product)) + bend) / (2.0 * np.pi)


def _cos(c: Array, a2: Array, b2: Array) -> Array:
    half = 0.5 * (a2 + b2)
    return 0.5 * (np.exp(c - half) + np.exp(-c - half))


def _sin(c: Array, a2: Array, b2: Array) -> Array:
    # the larger of the two exponentials in front, so that neither overflows
    return -0.5 * np.sign(c) * np.exp(np.abs(c) - 0.5 * (a2 + b2)) * np.expm1(-2.0 * np.abs(c))


def _he2(c: Array, a2: Array, b2: Array) -> Array:
    return 2.0 * c**2 + (a2 - 1.0) * (b2 - 1.0)


def _he3(c: Array, a2: Array, b2: Array) -> Array:
    return 6.0 * c**3 + 9.0 * c * (a2 - 1.0) * (b2 - 1.0)


def _ternary(low: float, high: float, c: Array, a2: Array, b2: Array) -> Array:
    """P(++) + P(--) - P(+-) - P(-+)."""
    r = _cosine(c, a2, b2)
    up_a, up_b = (_level(-high, q) for q in (a2, b2))  # P(t > high) = P(-t < -high)
    down_a, down_b = (_level(low, q) for q in (a2, b2))
    same = _bivariate(up_a, up_b, r) + _bivariate(down_a, down_b, r)
    return same - _bivariate(up_a, down_b, -r) - _bivariate(down_a, up_b, -r)


def _level(level: float, q: Array) -> Array:
    """level/sqrt(q); at q = 0 the level is passed (t < level) or not for certain."""
    outside = np.full(np.shape(q), np.inf if level > 0 else -np.inf)
    return np.divide(level, np.sqrt(q), out=outside, where=q > 0) + 0.0  # no negative zeros


def _bivariate(h: Array, k: Array, r: Array) -> Array:
    """P(x < h, y < k) of standard normal x and y with correlation r (Owen, 1956)."""
    h, k, r = np.broadcast_arrays(h, k, r)
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt((1.0 - r) * (1.0 + r))
        equal = np.sqrt((1.0 - r) / (1.0 + r))  # both slopes where h = k
        slopes = (np.where(h == k, equal, (other - r * one) / (one * root)) for one, other in ((h, k), (k, h)))
        tails = sum(owens_t(one, np.nan_to_num(a, nan=0.0, posinf=np.inf, neginf=-np.inf))
                    for one, a in zip((h, k), slopes, strict=True))  # fmt: skip
        apart = (h * k < 0) | ((h * k == 0) & (h + k < 0))
    return np.where(np.isinf(h) | np.isinf(k), ndtr(h) * ndtr(k), 0.5 * (ndtr(h) + ndtr(k)) - tails - 0.5 * apart)


_FORMS: dict[str, Callable[[Array, Array, Array], Array]] = {
    "identity": lambda c, a2, b2: c + 0.0,
    "relu": partial(_bent, 0.5, 0.5),
    "leaky_relu": partial(_bent, 0.45, 0.55),
    "abs": partial(_bent, 1.0, 0.0),
    "sign": partial(_jump, 0.0, 1.0),
    "step": partial(_jump, 0.5, 0.5),
    "erf": _erf,
    "gelu": _gelu,
    "cos": _cos,
    "sin": _sin,
    "he2": _he2,
    "he3": _he3,
}


def _closed_form(activation: Activation) -> Callable[[Array, Array, Array], Array] | None:
    """The kernel as a function of (a'b, |a|^2, |b|^2), for the named activations that have one."""
    levels = ternary_levels(activation)
    if levels is not None:
        return partial(_ternary, *levels)
    return _FORMS.get(activation.name) if ACTIVATIONS.get(activation.name) is activation else None


def _mehler(activation: Activation, c: Array, a2: Array, b2: Array) -> tuple[Array, float]:
    """The kernel by its Hermite expansion, and a bound on what it leaves out."""
    terms, last = _DEGREES
    while True:
        first = _expand(activation, a2, terms)
        sides = first, first if b2 is a2 else _expand(activation, b2, terms)
        left_out = [np.sqrt(np.maximum(square - np.sum(found**2, axis=1), 0.0).max()) for found, square in sides]
        error = float(left_out[0] * left_out[1])
        if terms >= last or error <= _TOLERANCE * max(square.max() for _, square in sides):
            break
        terms *= 2
    (left, _), (right, _) = sides
    r = _cosine(c, a2[:, None], b2[None, :])
    values = np.zeros_like(r)
    for k in reversed(range(terms)):  # Horner
        values *= r
        values += np.outer(left[:, k], right[:, k])
    return values, error


def _expand(activation: Activation, norms2: Array, terms: int) -> tuple[Array, Array]:
    """Hermite coefficients c_k of phi(|a| xi), shape (n, terms), and E phi^2, shape (n,), for every |a|^2."""
    distinct, where = np.unique(norms2, return_inverse=True)
    # only breaks away from 0 stand elsewhere in xi for every norm
    groups = np.split(distinct, distinct.size) if any(activation.breaks) else [distinct]
    coefficients, squares = zip(*(_coefficients(activation, group, terms) for group in groups), strict=True)
    return np.concatenate(coefficients)[where], np.concatenate(squares)[where]


def _coefficients(activation: Activation, norms2: Array, terms: int) -> tuple[Array, Array]:
    """The same by one rule: Gauss-Legendre between the breaks, phi taken apart into its even and odd part."""
    edges = panel_edges(activation.breaks, max(float(norms2[-1]), 1e-8))
    edges = np.union1d(edges, np.linspace(0.0, edges[-1], 49))
    half = 0.5 * np.diff(edges)[:, None]
    xi = (edges[:-1, None] + half + half * _NODES).ravel()
    weights = (half * _WEIGHTS).ravel() * np.exp(-0.5 * xi**2) * (2.0 / np.sqrt(2.0 * np.pi))
    t = np.sqrt(norms2)[:, None] * xi
    above, below = (np.asarray(activation.function(side), float) for side in (t, -t))
    parts = 0.5 * (above + below), 0.5 * (above - below)
    hermite = np.zeros((terms + 1, xi.size))  # orthonormal, by their recurrence; the last row is room to work in
    hermite[0] = 1.0
    for k in range(terms - 1):
        hermite[k + 1] = (xi * hermite[k] - np.sqrt(k) * hermite[k - 1]) / np.sqrt(k + 1.0)
    hermite *= weights
    found = np.empty((norms2.size, terms))
    for parity in (0, 1):
        found[:, parity::2] = parts[parity] @ hermite[parity:terms:2].T
    return found, (parts[0] ** 2 + parts[1] ** 2) @ weights
