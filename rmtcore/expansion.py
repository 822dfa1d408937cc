"""Two expansions of an activation: Hermite, for a Gaussian argument, and Taylor, for one that concentrates.

    >>> from rmtcore import hermite, taylor
    >>> hermite("tanh", 1).coefficients.round(4), taylor("tanh", 0.0, 3).round(4)
    (array([0.    , 0.6057]), array([ 0.    ,  1.    ,  0.    , -0.3333]))

Hermite coefficients are integrals over the smooth pieces; Taylor coefficients are Cauchy's integrals, so neither
differences numbers that nearly agree (Liao and Mahoney, arXiv:2506.13139, section on linearisation).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rmtcore.activation import ACTIVATIONS, Activation, get_activation, unsettled
from rmtcore.checks import finite, in_range, integer
from rmtcore.quadrature import folded, half_line_rules

Array = NDArray[np.float64]

HIGHEST_DEGREE = 200
_SETTLED = 1e-12  # between two quadrature rules, relative; the finer one is returned
_CIRCLE = 128  # points of Cauchy's integral

# Off the real line, where the function of the table takes only real numbers. `t.real` picks the smooth piece.
_CONTINUED: dict[str, Callable[[Any], Any]] = {
    "relu": lambda t: np.where(t.real > 0.0, t, 0.0),
    "leaky_relu": lambda t: np.where(t.real > 0.0, t, 0.1 * t),
    "abs": lambda t: np.where(t.real > 0.0, t, -t),
    "sign": lambda t: np.sign(t.real),
    "step": lambda t: np.heaviside(t.real, 0.0),
    "sigmoid": lambda t: 1.0 / (1.0 + np.exp(-t)),
    "softplus": lambda t: np.log1p(np.exp(-np.sign(t.real) * t)) + np.where(t.real > 0.0, t, 0.0),
    "swish": lambda t: t / (1.0 + np.exp(-t)),
}


class Hermite(NamedTuple):
    """Expansion of phi(sqrt(q) xi), xi ~ N(0, 1), in orthonormal Hermite polynomials h_k = He_k/sqrt(k!).

    Attributes
    ----------
    coefficients : (K + 1,) a_k = E phi(sqrt(q) xi) h_k(xi); exactly 0 where parity says so.
    residuals : energy of all higher even degrees and of all higher odd ones, not computed as a difference.
    """

    coefficients: Array
    residuals: tuple[float, float]

    @property
    def residual(self) -> float:
        """Energy of all higher degrees, E phi^2 - sum a_k^2."""
        return sum(self.residuals)

    @property
    def energies(self) -> Array:
        """(K + 2,) energy in degree 0, .., K, and beyond."""
        return np.append(self.coefficients**2, self.residual)


def hermite_functions(t: ArrayLike, degree: int) -> Array:
    """Orthonormal Hermite polynomials h_0 .. h_degree at t (m,), shape (degree + 1, m)."""
    points = np.asarray(t, float)
    values = np.ones((degree + 1, points.size))
    if degree > 0:
        values[1] = points
    for k in range(1, degree):
        values[k + 1] = (points * values[k] - math.sqrt(k) * values[k - 1]) / math.sqrt(k + 1)
    return values


def hermite(activation: str | Activation, degree: int = 3, variance: float = 1.0) -> Hermite:
    """Hermite coefficients a_0 .. a_degree of phi(sqrt(variance) xi), and the energy beyond.

    Parameters
    ----------
    activation : a name, or an Activation of at most polynomial growth.
    degree : 0 to 200.
    variance : of the Gaussian argument, in (0, inf).

    Returns
    -------
    Hermite, good to about 1e-12 of the root mean square of phi; E phi' = a_1/sqrt(q), E phi'' = sqrt(2) a_2/q.

    Raises
    ------
    ValueError : unknown name, degree or variance out of range, or a custom function with a break that it does not list.
    """
    order = integer("degree", degree, low=0)
    in_range("degree", order, 0, HIGHEST_DEGREE)
    q = float(in_range("variance", variance, 0.0, np.inf, strict=True))
    return _hermite(get_activation(activation), order, q)


@lru_cache(maxsize=1024)
def _hermite(activation: Activation, degree: int, q: float) -> Hermite:
    previous = np.full(degree + 3, np.inf)
    cut = max(12.0, 2.0 * math.sqrt(degree) + 8.0)  # h_k^2 times the Gaussian weight oscillates up to 2 sqrt(k)
    for xi, lengths in half_line_rules(activation.breaks, q, cut):
        weights, *halves = folded(activation.function, q, xi, lengths)
        basis = hermite_functions(xi, degree)
        coefficients, residuals, energy = np.empty(degree + 1), [], 0.0
        for parity, half in enumerate(halves):
            coefficients[parity::2] = basis[parity::2] @ (weights * half)
            residuals.append(float(weights @ (half - coefficients[parity::2] @ basis[parity::2]) ** 2))
            energy += float(weights @ half**2)
        current = np.concatenate([coefficients * math.sqrt(energy), residuals])
        if not math.isfinite(energy):
            raise ValueError(f"The Gaussian energy of the 'activation' must be finite. Got {activation.name!r}.")
        if np.all(np.abs(current - previous) <= _SETTLED * energy):
            coefficients.setflags(write=False)  # it is cached
            even, odd = (0.0 if residual < 1e-28 * energy else residual for residual in residuals)
            return Hermite(coefficients, (even, odd))
        previous = current
    raise unsettled(activation, f"'variance' = {q!r}")


def taylor(activation: str | Activation, at: float, degree: int) -> Array:
    """Taylor coefficients phi^(k)(at)/k!, k = 0 .. degree, by Cauchy's integral on a circle around `at`.

    Parameters
    ----------
    activation : a name, or an Activation whose function takes complex arrays.
    at : a point where phi is smooth.
    degree : 0 to 20.

    Returns
    -------
    (degree + 1,) coefficients, each good to about 1e-15 times the largest |phi| nearby, over radius^k; the
    radius is 1, or less where a break or a pole is nearer.

    Raises
    ------
    ValueError : `at` is a break, the degree is out of range, or the function has no analytic continuation here
        (checked by comparing the series with the function itself).
    """
    chosen, order = get_activation(activation), integer("degree", degree, low=0)
    in_range("degree", order, high=20)
    at = float(finite("at", at))
    nearest = min((abs(at - point) for point in chosen.breaks), default=math.inf)
    if nearest == 0.0:
        raise ValueError(f"The 'at' parameter must not be a break of {chosen.name!r}, {chosen.breaks}. Got {at!r}.")
    radius = min(1.0, 0.9 * nearest)
    for _ in range(12):
        series = _cauchy(chosen, at, radius)
        real = np.linspace(-0.4, 0.4, 9)
        truth = np.asarray(chosen.function(at + radius * real), float)
        size = float(np.max(np.abs(truth)))
        if np.all(np.abs(np.polynomial.polynomial.polyval(real, series) - truth) <= 1e-12 * max(size, 1e-300)):
            # What rounding leaves of a coefficient that is zero.
            series[np.abs(series) <= 4e-15 * size] = 0.0
            return series[: order + 1] / radius ** np.arange(order + 1)
        radius *= 0.5
    raise ValueError(
        f"The 'activation' must take complex arguments and be analytic near 'at' = {at!r}. Got {chosen.name!r} instead."
    )


def _cauchy(activation: Activation, at: float, radius: float) -> Array:
    """Coefficients of the power series in (t - at)/radius, from values on the circle."""
    named = ACTIVATIONS.get(activation.name) is activation
    function = _CONTINUED.get(activation.name, activation.function) if named else activation.function
    circle = at + radius * np.exp(2j * np.pi * np.arange(_CIRCLE) / _CIRCLE)
    try:
        values = np.asarray(function(circle), complex)
    except TypeError as error:
        raise ValueError(f"The function of {activation.name!r} must take complex arguments: {error}") from error
    return np.asarray((np.fft.fft(values) / _CIRCLE)[: _CIRCLE // 4].real)
