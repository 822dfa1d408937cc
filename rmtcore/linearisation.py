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
from itertools import islice
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainccinv, gammaincinv, gammaln

from rmtcore.activation import Activation, get_activation, unsettled
from rmtcore.checks import finite, in_range, integer
from rmtcore.expansion import hermite, taylor
from rmtcore.experiment import spawn_streams
from rmtcore.quadrature import half_line_rules

Array = NDArray[np.float64]
Regime = Literal["lln", "clt"]
Vectors = Literal["gaussian", "sphere"]

_SETTLED = 1e-12  # between two quadrature rules, relative; the finer one is returned
_MOST_LEVELS = 7  # how often the rules are halved before giving up
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
    return Equivalent(name, Polynomial(series)(Polynomial([-at, 1.0])))


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
        log_beta = 0.5 * math.log(math.pi) + gammaln(0.5 * (n - 1)) - gammaln(0.5 * n)
        cosine = np.asarray(t, float) / (math.sqrt(n) / scale)
        room = (1.0 - cosine) * (1.0 + cosine)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = np.exp(0.5 * (n - 3) * np.log(room) - log_beta) / math.sqrt(n)
        edge = np.inf if n == 2 else (0.5 if n == 3 else 0.0) / math.sqrt(n)
        values = np.where(room > 0.0, inside, np.where(room == 0.0, edge, 0.0))
    else:
        # given |y|, x'y/sqrt(n) is Gaussian of variance |y|^2/n
        variances, shares = _norms(n, 1e-30)  # what is rare counts most at 0 and far out
        flat = points.reshape(-1, 1)
        terms = shares / np.sqrt(math.tau * variances) * np.exp(-(flat**2) / (2.0 * variances))
        values = terms.sum(axis=1).reshape(points.shape)
        if n == 1:
            values = np.where(points == 0.0, np.inf, values)
    return np.asarray(values * scale)


def _dimension(dim: int, regime: Regime, vectors: Vectors = "gaussian") -> int:
    if regime not in get_args(Regime):
        raise ValueError(f"The 'regime' parameter must be 'lln' or 'clt'. Got {regime!r} instead.")
    if vectors not in get_args(Vectors):
        raise ValueError(f"The 'vectors' parameter must be 'gaussian' or 'sphere'. Got {vectors!r} instead.")
    return integer("dim", dim, low=2 if vectors == "sphere" else 1)


@lru_cache(maxsize=256)
def _norms(n: int, rare: float = 1e-18) -> tuple[Array, Array]:
    """Nodes and weights for E f(q), q = |y|^2/n with y ~ N(0, I_n): the trapezoidal rule in log q.

    The integrand is analytic for |Im log q| < pi/2, so the rule converges exponentially. Less than `rare` of the
    probability is cut off at either end.
    """
    half = 0.5 * n
    low = math.log(gammaincinv(half, rare) / half)
    high = math.log(gammainccinv(half, rare) / half)
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
) -> Array:
    """E |phi(t) - equivalent(t)|^2 at t = at + argument, exactly, for every n in `dims`.

    In the regime "lln" it decays as c^2 (2k+1)!! n^-(k+1), c the first coefficient beyond degree k in which the two
    differ. In the regime "clt" it stays: equivalence there is not pointwise, but that of `projections`.

    Parameters
    ----------
    dims : n >= 1, dimensions of the Gaussian vectors x and y.

    Returns
    -------
    (len(dims),) float.

    Raises
    ------
    ValueError : n < 1, unknown regime, or a custom function with a break that it does not list.
    """
    chosen, shift = get_activation(activation), float(finite("at", at))

    def squared(t: Array) -> Array:
        truth = np.asarray(chosen.function(shift + t), float)
        return np.stack([(truth - equivalent.function(shift + t)) ** 2, truth**2])

    return equivalent.noise + _mean(squared, chosen, dims, regime, shift)[:, 0]


class Projections(NamedTuple):
    """What large matrices see of a function of the argument t: E f, E t f, and the energy E f^2; (len(dims),) each."""

    mean: Array
    linear: Array
    energy: Array


def projections(function: str | Activation | Equivalent, dims: Sequence[int]) -> Projections:
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
    return Projections(*_mean(moments, source, dims, "clt", 0.0).T)


def _mean(function: Callable[[Array], Array], source: Activation, dims: Any, regime: Regime, shift: float) -> Array:
    """E function(argument) for every n, (len(dims), rows); breaks are those of `source`, seen from `shift`."""
    breaks = tuple(point - shift for point in source.breaks)
    results = []
    for dim in dims:
        n = _dimension(dim, regime)
        variances, shares = _norms(n)
        results.append(_mixture_mean(function, source, breaks, variances / (n if regime == "lln" else 1.0), shares))
    return np.stack(results)


def _mixture_mean(
    function: Callable[[Array], Array],
    source: Activation,
    breaks: tuple[float, ...],
    variances: Array,
    shares: Array,
) -> Array:
    """sum shares E function(sqrt(variance) xi), one number a row.

    By rules fine enough that, on every eighth variance, finer ones agree.
    """
    previous: Array | float = np.inf
    for level in range(_MOST_LEVELS):
        current, size = _at_level(function, breaks, variances[::8], shares[::8], level)
        # Squares of differences that are rounding need not agree.
        if np.all(np.abs(current - previous) <= _SETTLED * size + 1e-28 * size.max()):
            return _at_level(function, breaks, variances, shares, level - 1)[0]
        previous = current
    raise unsettled(source, "the variances of the argument")


def _at_level(
    function: Callable[[Array], Array], breaks: tuple[float, ...], variances: Array, shares: Array, level: int
) -> tuple[Array, Array]:
    """The mean by the rules halved `level` times, and that of |function|."""
    rules = [next(islice(half_line_rules(breaks, float(q)), level, None)) for q in variances]
    xi = np.concatenate([nodes for nodes, _ in rules])
    sizes = [nodes.size for nodes, _ in rules]
    weights = np.concatenate([lengths for _, lengths in rules]) * np.repeat(shares, sizes)
    weights *= np.exp(-0.5 * xi**2) / math.sqrt(math.tau)
    t = np.repeat(np.sqrt(variances), sizes) * xi
    values = function(np.concatenate([t, -t]))
    both = np.concatenate([weights, weights])
    return values @ both, np.abs(values) @ both


def draw_inner_products(
    dim: int, count: int, seed: int | tuple[int, ...], regime: Regime = "clt", vectors: Vectors = "gaussian"
) -> Array:
    """(count,) independent arguments from fresh vectors x and y of dimension `dim`.

    Errors as in `inner_product_density` (n = 1 is allowed on the sphere too), count < 1, or a bad seed.
    """
    return _draw_arguments(dim, count, spawn_streams(seed, 1)[0], regime, vectors)


def _draw_arguments(dim: int, count: int, rng: np.random.Generator, regime: Regime, vectors: Vectors) -> Array:
    n = _dimension(dim, regime) if vectors == "sphere" else _dimension(dim, regime, vectors)
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
) -> Measured:
    """The experiment of `mean_square_error`: `count` fresh pairs of vectors (and fresh noise) for every n.

    Raises
    ------
    ValueError : as there, count < 2, or a bad seed.
    """
    chosen, count = get_activation(activation), integer("count", count, low=2)
    rows = []
    for dim, (vectors, noise) in zip(dims, _pairs(spawn_streams(seed, 2 * len(dims))), strict=True):
        t = float(finite("at", at)) + _draw_arguments(dim, count, vectors, regime, "gaussian")
        error = chosen.function(t) - equivalent.function(t)
        if equivalent.noise > 0:
            error = error - math.sqrt(equivalent.noise) * noise.standard_normal(count)
        rows.append((np.mean(error**2), np.std(error**2, ddof=1) / math.sqrt(count)))
    return Measured(*np.array(rows).T)


def _pairs(streams: list[np.random.Generator]) -> list[tuple[np.random.Generator, np.random.Generator]]:
    return list(zip(streams[::2], streams[1::2], strict=True))
