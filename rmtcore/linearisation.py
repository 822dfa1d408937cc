"""High-dimensional linearisation: what may replace a nonlinearity, in the two scaling regimes.

For independent x, y ~ N(0, I_n) the argument is

    x'y / n         in the regime "lln": variance 1/n, it concentrates, and phi is its Taylor polynomial there;
    x'y / sqrt(n)   in the regime "clt": it stays N(0, 1), and only the Hermite coefficients a_0, a_1 and the
                    energy E phi^2 are seen by large matrices.

Neither equivalent is unique: any function with the same value and derivatives (lln), or the same a_0, a_1 and
E phi^2 (clt), serves as well (Liao and Mahoney, arXiv:2506.13139, section on high-dimensional linearisation).

    >>> from rmtcore import mean_square_error, taylor_equivalent
    >>> mean_square_error("tanh", taylor_equivalent("tanh"), [10, 1000], "lln")
    array([1.47945404e-03, 1.66728577e-09])
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainccinv, gammaincinv, gammaln, kv

from rmtcore.activation import Activation, get_activation, unsettled
from rmtcore.checks import finite, in_range, integer
from rmtcore.expansion import hermite, taylor
from rmtcore.experiment import spawn_streams
from rmtcore.quadrature import NODES, WEIGHTS

Array = NDArray[np.float64]
Regime = Literal["lln", "clt"]
Vectors = Literal["gaussian", "sphere"]

_SETTLED = 1e-12  # between two quadrature rules, relative; the finer one is returned
_MOST_LEVELS = 7  # how often the rules are halved before giving up
_RARE = 1e-30  # probability cut off
_BESSEL = 8  # dimension up to which Bessel functions give the density fastest, and never overflow
_CHUNK = 1 << 22  # numbers drawn at a time


@dataclass(frozen=True)
class Equivalent:
    """What may stand for phi in one regime: a polynomial of the argument, and independent centred noise.

    Attributes
    ----------
    name : for menus.
    function : polynomial of the argument.
    noise : variance of the Gaussian noise that is added, drawn anew for every argument.
    """

    name: str
    function: Polynomial
    noise: float = 0.0


def taylor_equivalent(activation: str | Activation, at: float = 0.0, degree: int = 1, bend: float = 0.0) -> Equivalent:
    """The Taylor polynomial at the point where the argument concentrates, plus bend (t - at)^(degree + 1).

    Whatever the bend, it serves as well to the order n^-(degree + 1)/2: tanh is t, or t + t^2/4, or (degree 0) t^2/4
    if only its value counts. Errors as in `taylor`.
    """
    series = np.append(taylor(activation, at, degree), float(finite("bend", bend)))
    name = f"Taylor of degree {degree}" + (f" {bend:+g} (t − {at:g})^{degree + 1}" if bend else "")
    # Evaluated in t - at: in powers of t its large terms would cancel.
    return Equivalent(name, Polynomial(series, domain=[at - 1.0, at + 1.0], window=[-1.0, 1.0]))


def hermite_equivalent(activation: str | Activation, carrier: int | None = None) -> Equivalent:
    """a_0 + a_1 t, and the rest of the energy as independent noise, or on the Hermite polynomial h_carrier.

    Parameters
    ----------
    carrier : None for noise, or the degree >= 2 of the polynomial that carries the energy of all degrees >= 2.

    Raises
    ------
    ValueError : carrier below 2 or above 20, or as in `hermite`.
    """
    expansion = hermite(activation, 1)
    line = Polynomial(expansion.coefficients)
    if carrier is None:
        return Equivalent("Hermite: line and noise", line, expansion.residual)
    degree = integer("carrier", carrier, low=2)
    in_range("carrier", degree, high=20)
    basis = np.polynomial.hermite_e.herme2poly(np.eye(degree + 1)[degree]) / math.sqrt(math.factorial(degree))
    return Equivalent(f"Hermite: line and degree {degree}", line + math.sqrt(expansion.residual) * Polynomial(basis))


def inner_product_density(t: ArrayLike, dim: int, regime: Regime = "clt", vectors: Vectors = "gaussian") -> Array:
    """Exact density of the argument: x'y/n ("lln") or x'y/sqrt(n) ("clt").

    Parameters
    ----------
    t : array of any shape.
    dim : n >= 1; at least 2 on the sphere, where n = 1 leaves two atoms at +-1.
    vectors : x, y ~ N(0, I_n), or both uniform on the "sphere" of radius sqrt(n).

    Returns
    -------
    array of the shape of t; infinite at t = 0 for Gaussian vectors with n = 1, (1/pi) K_0(|t|).

    Raises
    ------
    ValueError : t not finite, dim too small, unknown regime or vectors.
    """
    n = _dimension(dim, regime, vectors)
    scale = 1.0 if regime == "clt" else math.sqrt(n)
    points = finite("t", t) * scale  # of variance 1
    if vectors == "sphere":
        # x'y/n has the density (1 - u^2)^((n - 3)/2) / B(1/2, (n - 1)/2)
        cosine = np.asarray(t, float) / (math.sqrt(n) / scale)
        room = (1.0 - cosine) * (1.0 + cosine)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = np.exp(0.5 * (n - 3) * np.log(room) - _log_beta(n)) / math.sqrt(n)
        edge = np.inf if n == 2 else (0.5 if n == 3 else 0.0) / math.sqrt(n)
        values = np.where(room > 0.0, inside, np.where(room == 0.0, edge, 0.0))
    elif n <= _BESSEL:
        # |x'y|^v K_v(|x'y|), v = (n - 1)/2
        order, size = 0.5 * (n - 1), np.maximum(np.abs(points) * math.sqrt(n), 1e-40)
        values = math.sqrt(n / math.pi) * size**order * kv(order, size) / (math.gamma(0.5 * n) * 2.0**order)
        if n == 1:
            values = np.where(points == 0.0, np.inf, values)
    else:
        # given |y|, x'y/sqrt(n) is Gaussian of variance |y|^2/n
        variances, shares = _norms(n)
        flat = points.reshape(-1, 1)
        terms = shares / np.sqrt(math.tau * variances) * np.exp(-(flat**2) / (2.0 * variances))
        values = terms.sum(axis=1).reshape(points.shape)
    return np.asarray(values * scale)


def _log_beta(n: int) -> float:
    """log B(1/2, (n - 1)/2)."""
    return float(0.5 * math.log(math.pi) + gammaln(0.5 * (n - 1)) - gammaln(0.5 * n))


def _drawn_dimension(dim: int, regime: Regime, vectors: Vectors) -> int:
    """The same where two atoms do no harm."""
    _dimension(2, regime, vectors)
    return _dimension(dim, regime)


def _dimension(dim: int, regime: Regime, vectors: Vectors = "gaussian") -> int:
    if regime not in get_args(Regime):
        raise ValueError(f"The 'regime' parameter must be 'lln' or 'clt'. Got {regime!r} instead.")
    if vectors not in get_args(Vectors):
        raise ValueError(f"The 'vectors' parameter must be 'gaussian' or 'sphere'. Got {vectors!r} instead.")
    return integer("dim", dim, low=2 if vectors == "sphere" else 1)


@lru_cache(maxsize=256)
def _norms(n: int) -> tuple[Array, Array]:
    """Nodes and weights for E f(q), q = |y|^2/n with y ~ N(0, I_n): the trapezoidal rule in log q.

    The integrand is analytic for |Im log q| < pi/2, so the rule converges exponentially. Little is cut off at
    either end: what is rare counts most at 0 and far out.
    """
    half = 0.5 * n
    low = math.log(gammaincinv(half, _RARE) / half)
    high = math.log(gammainccinv(half, _RARE) / half)
    count = math.ceil((high - low) / min(0.2, 0.5 * math.sqrt(2.0 / n)))
    log_q = np.linspace(low, high, count + 1)
    weights = np.exp(half * (log_q - np.expm1(log_q)))
    return np.exp(log_q), weights / weights.sum()


def mean_square_error(
    activation: str | Activation,
    equivalent: Equivalent,
    dims: Sequence[int],
    regime: Regime,
    at: float = 0.0,
    vectors: Vectors = "gaussian",
) -> Array:
    """E |phi(t) - equivalent(t)|^2 at t = at + argument, exactly, for every n in `dims`.

    In the regime "lln" it decays as c^2 (2k+1)!! n^-(k+1), c the first coefficient beyond degree k in which the two
    differ. In the regime "clt" it stays: equivalence there is not pointwise, but that of `projections`.

    Parameters
    ----------
    dims : n >= 1, dimensions of the vectors x and y.
    vectors : as in `inner_product_density`; n = 1 is allowed on the sphere too.

    Returns
    -------
    (len(dims),) float.

    Raises
    ------
    ValueError : n < 1, unknown regime or vectors, or a custom function with a break that it does not list.
    """
    chosen, shift = get_activation(activation), float(finite("at", at))

    def squared(t: Array) -> Array:
        truth = np.asarray(chosen.function(shift + t), float)
        return np.stack([(truth - equivalent.function(shift + t)) ** 2, truth**2])

    return equivalent.noise + _mean(squared, chosen, dims, regime, vectors, shift)[:, 0]


class Projections(NamedTuple):
    """What large matrices see of a function of the argument t: E f, E t f, and the energy E f^2; (len(dims),) each."""

    mean: Array
    linear: Array
    energy: Array


def projections(
    function: str | Activation | Equivalent, dims: Sequence[int], vectors: Vectors = "gaussian"
) -> Projections:
    """E f(t), E t f(t) and E f(t)^2, noise included, at t = x'y/sqrt(n), exactly, for every n in `dims`.

    An activation and each of its Hermite equivalents share the limits a_0, a_1 and nu; at finite n they differ by
    a term of order 1/n. Errors as in `mean_square_error`.
    """
    known = function if isinstance(function, Equivalent) else get_activation(function)
    noise = known.noise if isinstance(known, Equivalent) else 0.0

    def moments(t: Array) -> Array:
        values = np.asarray(known.function(t), float)
        return np.stack([values, t * values, values**2 + noise])

    source = known if isinstance(known, Activation) else Activation(known.name, known.function)
    return Projections(*_mean(moments, source, dims, "clt", vectors, 0.0).T)


def _mean(
    function: Callable[[Array], Array], source: Activation, dims: Any, regime: Regime, vectors: Vectors, shift: float
) -> Array:
    """E function(argument) for every n, (len(dims), rows); breaks are those of `source`, seen from `shift`."""
    results = []
    for dim in dims:
        n = _drawn_dimension(dim, regime, vectors)
        scale = math.sqrt(n) if regime == "lln" else 1.0
        breaks = tuple(sorted({abs(point - shift) * scale for point in source.breaks}))
        results.append(_settled_mean(function, source, n, vectors, breaks, scale))
    return np.stack(results)


def _settled_mean(
    function: Callable[[Array], Array],
    source: Activation,
    n: int,
    vectors: Vectors,
    breaks: tuple[float, ...],
    scale: float,
) -> Array:
    """E function(argument / scale), one number a row, by a rule with which the one half as fine agrees."""
    previous: Array | float = np.inf
    for level in range(_MOST_LEVELS):
        t, weights = _rule(n, vectors, breaks, level)
        values = function(np.concatenate([t, -t]) / scale)
        both = np.concatenate([weights, weights])
        current, size = values @ both, np.abs(values) @ both
        # A difference of large numbers is no better than their rounding, and its square need not settle further.
        rounding = 1e-14 * np.sqrt(size * size.max()) + 1e-28 * size.max()
        if np.all(np.abs(current - previous) <= _SETTLED * size + rounding):
            return np.asarray(current)
        previous = current
    raise unsettled(source, f"arguments of dimension {n}")


@lru_cache(maxsize=256)
def _rule(n: int, vectors: Vectors, breaks: tuple[float, ...], level: int) -> tuple[Array, Array]:
    """Nodes t > 0 and weights of E f(t), t = x'y/sqrt(n), so that E f = sum weights (f(t) + f(-t)).

    Gauss-Legendre on panels between the breaks, halved `level` times, under the exact density.
    """
    if vectors == "sphere" and n == 1:
        return np.ones(1), np.full(1, 0.5)
    root = math.sqrt(n)
    # Far out the density falls as exp(-root t): polynomials of degree 40 have their moments inside.
    far = root if vectors == "sphere" and n < 400 else 14.0 + (0.0 if vectors == "sphere" else 200.0 / root)
    edges = [np.arange(0.0, 8.0, 0.5), np.arange(8.0, 16.0), np.arange(16.0, 40.0, 2.0), np.arange(40.0, far, 4.0)]
    if n % 2 and n < 9:
        edges.append(0.5 ** np.arange(2, 42))  # the density has a logarithm at 0
    edges.append(np.array([far, *breaks]))
    ends = np.unique(np.concatenate(edges))
    ends = ends[ends <= far]
    if vectors == "sphere":
        ends = np.arcsin(ends / root)  # in the angle no end is singular
    for _ in range(level):
        ends = np.sort(np.append(ends, 0.5 * (ends[1:] + ends[:-1])))
    half = 0.5 * np.diff(ends)[:, None]
    nodes, lengths = (ends[:-1, None] + half + half * NODES).ravel(), (half * WEIGHTS).ravel()
    if vectors == "sphere":
        weights = np.cos(nodes) ** (n - 2) * math.exp(-_log_beta(n))
        return root * np.sin(nodes), lengths * weights
    return nodes, lengths * inner_product_density(nodes, n)


def draw_inner_products(
    dim: int, count: int, seed: int | tuple[int, ...], regime: Regime = "clt", vectors: Vectors = "gaussian"
) -> Array:
    """(count,) independent arguments from fresh vectors x and y of dimension `dim`.

    Errors as in `inner_product_density` (n = 1 is allowed on the sphere too), count < 1, or a bad seed.
    """
    return _draw_arguments(dim, count, spawn_streams(seed, 1)[0], regime, vectors)


def _draw_arguments(dim: int, count: int, rng: np.random.Generator, regime: Regime, vectors: Vectors) -> Array:
    n = _drawn_dimension(dim, regime, vectors)
    count, batch = integer("count", count, low=1), max(1, _CHUNK // (2 * n))
    parts = []
    for start in range(0, count, batch):
        x, y = rng.standard_normal((2, min(batch, count - start), n))
        products = np.einsum("ij,ij->i", x, y)
        if vectors == "sphere":
            products *= n / (np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1))
        parts.append(products)
    return np.concatenate(parts) / (n if regime == "lln" else math.sqrt(n))


class Measured(NamedTuple):
    """Monte-Carlo mean and its standard error, (len(dims),) each."""

    mean: Array
    standard_error: Array


def measure_error(
    activation: str | Activation,
    equivalent: Equivalent,
    dims: Sequence[int],
    regime: Regime,
    seed: int,
    count: int = 10_000,
    at: float = 0.0,
    vectors: Vectors = "gaussian",
) -> Measured:
    """The experiment of `mean_square_error`: `count` fresh pairs of vectors (and fresh noise) for every n.

    Raises
    ------
    ValueError : as there, count < 2, or a bad seed.
    """
    chosen, count = get_activation(activation), integer("count", count, low=2)
    rows = []
    for dim, (pairs, noise) in zip(dims, _pairs(spawn_streams(seed, 2 * len(dims))), strict=True):
        t = float(finite("at", at)) + _draw_arguments(dim, count, pairs, regime, vectors)
        error = chosen.function(t) - equivalent.function(t)
        if equivalent.noise > 0:
            error = error - math.sqrt(equivalent.noise) * noise.standard_normal(count)
        rows.append((np.mean(error**2), np.std(error**2, ddof=1) / math.sqrt(count)))
    return Measured(*np.array(rows).T)


def _pairs(streams: list[np.random.Generator]) -> list[tuple[np.random.Generator, np.random.Generator]]:
    return list(zip(streams[::2], streams[1::2], strict=True))
