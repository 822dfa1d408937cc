"""Activations and their Gaussian moments: all that a wide random layer remembers of its nonlinearity.

With t = sqrt(q) xi, xi ~ N(0, 1), a layer enters the theory through E phi(t), mu1 = E[xi phi(t)] / sqrt(q)
and mu*^2 = Var phi(t) - q mu1^2 only (Liao and Mahoney, arXiv:2506.13139, Theorem 3 and Remark 8). Every
route here computes the residual energy mu*^2 itself, never as a difference of nearly equal numbers, and adds
the linear part to get the variance, so both keep their digits when q is small.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from scipy.special import erf, expit, ndtr

from rmtcore.pairs import (
    bent_pair,
    cos_pair,
    erf_pair,
    gelu_pair,
    he2_pair,
    he3_pair,
    linear_pair,
    sin_pair,
    ternary_pair,
)
from rmtcore.quadrature import CUT, Array, Function, folded, half_line_rules

_STEP = 0.1  # of the trapezoidal rule, see _strip_moments
_TOLERANCE = 1e-10  # between two refinements of the piecewise rule; the finer one is returned


class Moments(NamedTuple):
    """Gaussian moments of phi(t), t = sqrt(q) xi, xi ~ N(0, 1), at one variance q.

    Attributes
    ----------
    mean : float
        E phi(t).
    mu1 : float
        E[xi phi(t)] / sqrt(q), the linear part; exactly 0 when phi is even.
    variance : float
        Var phi(t) = q mu1^2 + mu*^2, the q of the next layer.
    mu_star2 : float
        mu*^2 >= 0, the energy of the nonlinear part; exactly 0 for the identity.
    """

    mean: float
    mu1: float
    variance: float
    mu_star2: float


@dataclass(frozen=True)
class Activation:
    """An entrywise nonlinearity and its moments under a centred Gaussian argument.

    Parameters
    ----------
    name : str
        Short key, as used in settings and addresses.
    function : callable
        Vectorised: float array of any shape in, array of that shape out. The named ones keep float32.
    breaks : tuple of float
        Where the function jumps, bends or turns sharply: the quadrature does not cross these points (nor 0).
    label, formula : str
        Name for menus (default: ``name``), and the function of t in a few unicode characters.
    closed_form : callable, optional
        q -> Moments. Without it: piecewise quadrature, for functions of at most polynomial growth.
    derivative : Activation, optional
        The derivative of a continuous function, itself described as an activation. None where the function
        jumps (or nothing is known): such a layer has no neural tangent kernel.
    pair : callable, optional
        (q1, q2, r) -> E phi(u) phi(v) in closed form, see `rmtcore.pairs`.

    Raises
    ------
    ValueError
        When ``function`` is not callable or a break is not finite.
    """

    name: str
    function: Function
    breaks: tuple[float, ...] = ()
    label: str = ""
    formula: str = ""
    closed_form: Callable[[float], Moments] | None = field(default=None, repr=False, compare=False)
    derivative: Activation | None = field(default=None, repr=False, compare=False)
    pair: Callable[[Array, Array, Array], Array] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        breaks = tuple(float(point) for point in self.breaks)
        if not callable(self.function):
            raise ValueError(f"The 'function' must be callable. Got {self.function!r} instead.")
        if not all(map(math.isfinite, breaks)):
            raise ValueError(f"The 'breaks' must be finite numbers. Got {self.breaks!r} instead.")
        object.__setattr__(self, "breaks", breaks)
        object.__setattr__(self, "label", self.label or self.name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        # the named ones travel by name: a lambda cannot, and a worker gets the very object of its own table
        if ACTIVATIONS.get(self.name) is self:
            return get_activation, (self.name,)
        return super().__reduce_ex__(protocol)

    def moments(self, variance: float) -> Moments:
        """Mean, mu1, variance and mu*^2 of phi(sqrt(variance) xi), xi ~ N(0, 1); cached.

        Parameters
        ----------
        variance : float
            Variance q of a coordinate of what the layer acts on, in (0, inf).

        Returns
        -------
        Moments
            Good to about 1e-13 relative to E phi^2; without a closed form, 1e-10.

        Raises
        ------
        ValueError
            When ``variance`` is out of range, a moment is not finite, or a custom function hides a jump.
        """
        if isinstance(variance, bool) or not isinstance(variance, Real) or not 0.0 < variance < math.inf:
            raise ValueError(f"The 'variance' must be a finite number in (0, inf). Got {variance!r} instead.")
        return _cached_moments(self, float(variance))


@lru_cache(maxsize=8192)
def _cached_moments(activation: Activation, q: float) -> Moments:
    moments = (activation.closed_form or partial(_piecewise_moments, activation))(q)
    if not all(map(math.isfinite, moments)):
        raise ValueError(f"The moments of {activation.name!r} are not finite. Got 'variance' = {q!r}.")
    return moments


def _assemble(q: float, mean: float, mu1: float, mu_star2: float) -> Moments:
    """Moments from the three independent ones, less the rounding that makes mu*^2 negative."""
    mu_star2 = max(mu_star2, 0.0)
    return Moments(mean, mu1, q * mu1 * mu1 + mu_star2, mu_star2)


@np.errstate(over="ignore", invalid="ignore")  # the caller refuses what is not finite
def _from_rule(function: Function, q: float, xi: Array, lengths: Array) -> Moments:
    """Moments by a quadrature rule on the half line."""
    weights, even, odd = folded(function, q, xi, lengths)
    mean, mu1 = float(weights @ even), float(weights @ (xi * odd)) / math.sqrt(q)
    residual = float(weights @ ((even - mean) ** 2 + (odd - mu1 * math.sqrt(q) * xi) ** 2))
    # the rounding of an affine function is not a nonlinearity
    noise = 1e-28 * float(weights @ (even**2 + odd**2))
    return _assemble(q, mean, mu1, 0.0 if residual < noise else residual)


def _strip_moments(function: Function, q: float) -> Moments:
    """Moments of tanh and the logistic family: analytic around the real line, no elementary closed form.

    The trapezoidal rule then converges exponentially: its error is about exp(-2 pi a/step) if the integrand
    is analytic for |Im| < a. In xi that strip closes as q grows, the poles being +-i pi/(2 sqrt(q)) (tanh) or
    +-i pi/sqrt(q) (logistic). With t = min(1, sqrt(q)) sinh(u) they stay at |Im u| >= pi/2 for every q, and
    the Gaussian, bounded for |Im u| < pi/4, sets the strip: a = 0.7 and step 0.1 give exp(-44) = 8e-20 times
    a moderate constant, far below 1e-13, with only asinh(12 max(1, sqrt(q)))/0.1 nodes.
    """
    stretch = max(1.0, math.sqrt(q))
    u = _STEP * (np.arange(math.ceil(math.asinh(CUT * stretch) / _STEP)) + 0.5)
    return _from_rule(function, q, np.sinh(u) / stretch, _STEP * np.cosh(u) / stretch)


def _piecewise_moments(activation: Activation, q: float) -> Moments:
    """The rules of the half line, refined until the moments settle."""
    previous = np.full(3, np.inf)
    for xi, lengths in half_line_rules(activation.breaks, q):
        moments = _from_rule(activation.function, q, xi, lengths)
        size = math.hypot(moments.mean, math.sqrt(moments.variance))
        current = np.array([moments.mean * size, moments.mu1 * math.sqrt(q) * size, moments.mu_star2])
        if not math.isfinite(size) or np.all(np.abs(current - previous) <= _TOLERANCE * size * size):
            return moments  # what is not finite is refused, by name, where it was asked for
        previous = current
    raise unsettled(activation, f"'variance' = {q!r}")


def unsettled(activation: Activation, where: str) -> ValueError:
    """What to raise when finer rules go on giving other numbers."""
    return ValueError(
        f"The moments of {activation.name!r} do not settle at {where}: the 'breaks' must list "
        f"every point where the function is not smooth. Got {activation.breaks!r}."
    )


def _bent_moments(degree: int, left: float, q: float) -> Moments:
    """|t|^degree for t > 0 and left |t|^degree for t < 0: a kink (degree 1) or a jump (degree 0) at 0."""
    even, odd = 0.5 * (1.0 + left), 0.5 * (1.0 - left)
    root, rest = math.sqrt(2.0 / math.pi), 1.0 - 2.0 / math.pi
    if degree == 0:
        return _assemble(q, even, odd * root / math.sqrt(q), odd * odd * rest)
    return _assemble(q, even * root * math.sqrt(q), odd, even * even * q * rest)


def _arc_excess(s: float) -> float:
    """asin(x) - x at x = s/(1 + s), accurate for x near 0 (series) and near 1 (arc tangent)."""
    x = s / (1.0 + s)
    if x < 0.25:
        return sum(math.comb(2 * k, k) / 4.0**k * x ** (2 * k + 1) / (2 * k + 1) for k in range(15, 0, -1))
    return math.atan(s / math.sqrt(1.0 + 2.0 * s)) - x


def _erf_moments(q: float) -> Moments:
    """E phi^2 = (2/pi) asin(x) and q mu1^2 = (2/pi) x at the same x = 2q/(1 + 2q)."""
    return _assemble(q, 0.0, 2.0 / math.sqrt(math.pi * (1.0 + 2.0 * q)), 2.0 / math.pi * _arc_excess(2.0 * q))


def _gelu_moments(q: float) -> Moments:
    """t Phi(t) is t/2 plus an even function: mu*^2 is the variance of that one."""
    x = q / (1.0 + q)
    mu_star2 = q / math.tau * (_arc_excess(q) + 2.0 * x / math.sqrt(1.0 + 2.0 * q))
    return _assemble(q, q / math.sqrt(math.tau * (1.0 + q)), 0.5, mu_star2)


def _sin_moments(q: float) -> Moments:
    """mu*^2 = (1 - exp(-2q))/2 - q exp(-q) = exp(-q) (sinh(q) - q), by its series for small q."""
    mu_star2 = -0.5 * math.expm1(-2.0 * q) - q * math.exp(-q)
    if q < 1.0:
        mu_star2 = math.exp(-q) * sum(q**k / math.factorial(k) for k in range(21, 1, -2))
    return _assemble(q, 0.0, math.exp(-0.5 * q), mu_star2)


def _cos_moments(q: float) -> Moments:
    return _assemble(q, math.exp(-0.5 * q), 0.0, 0.5 * math.expm1(-q) ** 2)


def _he2_moments(q: float) -> Moments:
    return _assemble(q, q - 1.0, 0.0, 2.0 * q * q)


def _he3_moments(q: float) -> Moments:
    return _assemble(q, 0.0, 3.0 * (q - 1.0), 6.0 * q * q * q)


@dataclass(frozen=True)
class _Ternary:
    low: float
    high: float
    below: float
    above: float

    def __call__(self, t: Array) -> Array:
        t = np.real(t)  # so that an analytic continuation of its pieces can be asked for
        return self.above * np.heaviside(t - self.high, 0.0) + self.below * np.heaviside(self.low - t, 0.0)

    def moments(self, q: float) -> Moments:
        a, b = self.high / math.sqrt(q), self.low / math.sqrt(q)
        up, down = self.above, self.below
        right, left = float(ndtr(-a)), float(ndtr(b))  # probabilities of the outer levels
        slope = (up * math.exp(-0.5 * a * a) - down * math.exp(-0.5 * b * b)) / math.sqrt(math.tau)
        spread = (
            up * up * right * float(ndtr(a)) + down * down * left * float(ndtr(-b)) - 2.0 * up * down * right * left
        )
        return _assemble(q, up * right + down * left, slope / math.sqrt(q), spread - slope * slope)

    def pair(self, q1: Array, q2: Array, r: Array) -> Array:
        return ternary_pair(self.low, self.high, self.below, self.above, q1, q2, r)


def ternary(low: float = -0.6, high: float = 0.6, below: float = -1.0, above: float = 1.0) -> Activation:
    """`below` for t < ``low``, `above` for t > ``high``, 0 between: by default -1, 0, 1.

    Parameters
    ----------
    low, high, below, above : float
        Finite, low <= high; in the name, "ternary(low, high)", where they are not the default ones.

    Raises
    ------
    ValueError
        When an argument is not finite or ``low`` is above ``high``.
    """
    if not -math.inf < low <= high < math.inf:
        raise ValueError(f"The thresholds must be finite, 'low' <= 'high'. Got {low!r} and {high!r} instead.")
    if not math.isfinite(below + above):
        raise ValueError(f"The levels 'below' and 'above' must be finite. Got {below!r} and {above!r} instead.")
    rule = _Ternary(float(low), float(high), float(below), float(above))
    shown = (rule.low, rule.high) if (below, above) == (-1, 1) else (rule.low, rule.high, rule.below, rule.above)
    name = "ternary" if shown == (-0.6, 0.6) else f"ternary{shown!r}"
    formula = f"{below:+g} if t < {low:g}, {above:+g} if t > {high:g}, else 0".replace("-", "−")
    return Activation(name, rule, shown[:2], name.capitalize(), formula, rule.moments, None, rule.pair)


def _analytic(name: str, function: Function, label: str, formula: str, slope: Function | None = None) -> Activation:
    """An entire function or one with poles like those of tanh or the logistic function; so is its slope."""
    derivative = None if slope is None else _analytic(f"{name}'", slope, "", "")
    return Activation(name, function, (), label, formula, partial(_strip_moments, function), derivative)


def _bent(name: str, function: Function, label: str, formula: str, degree: int, left: float) -> Activation:
    derivative = None
    if degree == 1:
        slope = partial(_two_levels, -left)
        derivative = _bent(f"{name}'", slope, "", "", 0, -left)
    moments = partial(_bent_moments, degree, left)
    return Activation(name, function, (0.0,), label, formula, moments, derivative, partial(bent_pair, degree, left))


def _two_levels(left: float, t: Array) -> Array:
    """1 for t > 0, `left` for t < 0, their middle at 0; float32 stays."""
    return 0.5 * (1.0 + left) + 0.5 * (1.0 - left) * np.sign(t)


def _bell(t: Array) -> Array:
    return np.exp(-0.5 * t * t) / math.sqrt(math.tau)


_COS = Activation("cos", np.cos, (), "cos", "cos(t)", _cos_moments, None, cos_pair)
_SIN = Activation("sin", np.sin, (), "sin", "sin(t)", _sin_moments, _COS, sin_pair)
_MINUS_SIN = Activation("cos'", lambda t: -np.sin(t), closed_form=_sin_moments, pair=sin_pair)
_SLOPES = {
    "identity": Activation("one", np.ones_like),
    "erf": _analytic("erf'", lambda t: 2.0 / math.sqrt(math.pi) * np.exp(-t * t), "", ""),
    "gelu": _analytic("gelu'", lambda t: ndtr(t) + t * _bell(t), "", ""),
    "he2": Activation("he2'", lambda t: 2.0 * t),
    "he3": Activation("he3'", lambda t: 3.0 * (t * t - 1.0)),
}

_NAMED = (
    Activation(
        "identity",
        np.positive,
        (),
        "Identity",
        "t",
        lambda q: Moments(0.0, 1.0, q, 0.0),
        _SLOPES["identity"],
        linear_pair,
    ),
    _bent("relu", lambda t: np.maximum(t, 0.0), "ReLU", "max(t, 0)", 1, 0.0),
    _bent("leaky_relu", lambda t: np.maximum(t, 0.1 * t), "Leaky ReLU", "max(t, 0.1 t)", 1, -0.1),
    _bent("abs", np.abs, "Absolute value", "|t|", 1, 1.0),
    _analytic("tanh", np.tanh, "tanh", "tanh(t)", lambda t: 1.0 - np.tanh(t) ** 2),
    Activation("erf", erf, (), "erf", "erf(t)", _erf_moments, _SLOPES["erf"], erf_pair),
    _analytic("sigmoid", expit, "Sigmoid", "1/(1 + e⁻ᵗ)", lambda t: expit(t) * expit(-t)),
    _analytic("softplus", lambda t: np.logaddexp(0.0, t), "Softplus", "log(1 + eᵗ)", expit),
    Activation("gelu", lambda t: t * ndtr(t), (), "GELU", "t Φ(t)", _gelu_moments, _SLOPES["gelu"], gelu_pair),
    _analytic("swish", lambda t: t * expit(t), "Swish", "t/(1 + e⁻ᵗ)", lambda t: expit(t) * (1.0 + t * expit(-t))),
    _SIN,
    replace(_COS, derivative=_MINUS_SIN),
    _bent("sign", np.sign, "Sign", "sign(t)", 0, -1.0),
    _bent("step", lambda t: np.heaviside(t, 0.0), "Step", "1 if t > 0, else 0", 0, 0.0),
    Activation("he2", lambda t: t * t - 1.0, (), "Hermite He₂", "t² − 1", _he2_moments, _SLOPES["he2"], he2_pair),
    Activation(
        "he3", lambda t: t * (t * t - 3.0), (), "Hermite He₃", "t³ − 3t", _he3_moments, _SLOPES["he3"], he3_pair
    ),
    ternary(),
)
ACTIVATIONS: dict[str, Activation] = {activation.name: activation for activation in _NAMED}


def get_activation(activation: str | Activation) -> Activation:
    """The activation of that name; an Activation is returned as it is.

    Raises
    ------
    ValueError
        For anything else; the message lists the allowed names.
    """
    if isinstance(activation, Activation):
        return activation
    if isinstance(activation, str) and activation in ACTIVATIONS:
        return ACTIVATIONS[activation]
    raise ValueError(f"The 'activation' must be one of {', '.join(ACTIVATIONS)}. Got {activation!r} instead.")
