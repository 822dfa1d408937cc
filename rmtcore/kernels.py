"""Kernel matrices of n data points in dimension p: their limiting spectrum and their outliers.

    >>> from rmtcore import distance_kernel_spectrum, kernel_spectrum
    >>> kernel_spectrum("tanh", dim=800, samples=1600).bulks.round(4)
    array([[-0.9677,  2.9511]])
    >>> distance_kernel_spectrum("gaussian", dim=800, samples=1600).atom
    0.5

Inner products, phi(x_i'x_j/sqrt(p))/sqrt(p) off the diagonal (the argument stays Gaussian): slope a_1, noise
Var phi - a_1^2 (Cheng and Singer, 2013). Distances, f(|x_i - x_j|^2/p) (the argument concentrates at 2): slope
-2 f'(2), no noise (El Karoui, 2010). Both are the one law of `rmtcore.convolution`. Data: x = z, entries
independent, standardised, symmetric; or two classes x = y mu + z, y = +-1, |mu|^2 fixed.

Three kinds of outliers, each a planted rank one:

- "labels". The kernel sees X'X/p through its slope, and so the rank one of the scores mu'x_i/|mu|, of strength
  slope (1 + |mu|^2)/c. Higher Hermite directions see |mu|^2/sqrt(p) per entry to a higher power: nothing.
- "norms". Norms fluctuate: |x_i|^2/p = 1 + psi_i, Var psi = (E z^4 - 1)/p. The second Hermite direction adds
  (a_2/sqrt(2)) (psi 1' + 1 psi')/sqrt(p), a pair of strengths +-a_2 sqrt((E z^4 - 1)/2)/c (for even phi this
  is what Fan and Montanari, 2019, exclude by taking phi odd). For distances: f'' psi psi', less f'^2/f, which the
  mean takes away; nothing at all for exp(-t/2).
- "mean". f(2) 1 1' of a distance kernel: of order n. An inner product kernel has none, since phi is centred:
  E phi is subtracted, which would be an eigenvalue of E phi n/sqrt(p).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rmtcore.activation import Activation, Moments, get_activation
from rmtcore.checks import at_least, finite, in_range, integer
from rmtcore.convolution import Convolution, plant, sample
from rmtcore.expansion import hermite
from rmtcore.experiment import Entries
from rmtcore.spectrum import Outlier, Spectrum

Array = NDArray[np.float64]
Source = Literal["labels", "norms", "mean"]

TAU = 2.0  # where |x_i - x_j|^2/p concentrates


@dataclass(frozen=True)
class KernelOutlier(Outlier):
    """An `Outlier` of a kernel matrix.

    Attributes
    ----------
    spike : strength of the planted rank one, with its sign.
    position, separated : as in `Outlier`.
    overlap : squared cosine of the eigenvector with the labels ("labels"), else with the planted direction.
    score_overlap : squared cosine with the planted direction itself (for labels: with the scores mu'x_i).
    source : "labels", "norms" or "mean".
    direction : weights of 1/sqrt(n) and of the unit vector along psi in the planted direction; 0, 0 for labels.
    deviation : standard deviation that the eigenvalue keeps as n grows; 0 where it converges.
    """

    source: Source
    direction: tuple[float, float]
    deviation: float = 0.0


@dataclass(frozen=True)
class DistanceKernel:
    """f of the squared distance t = |x_i - x_j|^2/p, with its first two derivatives.

    Parameters
    ----------
    name : short key.
    value, first, second : vectorised functions of t >= 0; the derivatives are needed at t = 2 only.
    label, formula : for menus.
    """

    name: str
    value: Callable[[Any], Any]
    first: Callable[[Any], Any] = field(repr=False, compare=False)
    second: Callable[[Any], Any] = field(repr=False, compare=False)
    label: str = ""
    formula: str = ""

    def __reduce_ex__(self, protocol: Any) -> Any:
        # the named ones travel by name: a lambda cannot
        if DISTANCE_KERNELS.get(self.name) is self:
            return get_distance_kernel, (self.name,)
        return super().__reduce_ex__(protocol)


_NAMED = (
    DistanceKernel(
        "gaussian",
        lambda t: np.exp(-0.5 * t),
        lambda t: -0.5 * np.exp(-0.5 * t),
        lambda t: 0.25 * np.exp(-0.5 * t),
        "Gaussian",
        "exp(−t/2)",
    ),
    DistanceKernel(
        "laplacian",
        lambda t: np.exp(-np.sqrt(t)),
        lambda t: -0.5 * np.exp(-np.sqrt(t)) / np.sqrt(t),
        lambda t: 0.25 * np.exp(-np.sqrt(t)) * (1.0 + 1.0 / np.sqrt(t)) / t,
        "Laplacian",
        "exp(−√t)",
    ),
    DistanceKernel(
        "rational",
        lambda t: 1.0 / (1.0 + t),
        lambda t: -((1.0 + t) ** -2.0),
        lambda t: 2.0 * (1.0 + t) ** -3.0,
        "Rational",
        "1/(1 + t)",
    ),
    DistanceKernel(
        "polynomial",  # (1 + x'y/p)^2 on the sphere
        lambda t: (2.0 - 0.5 * t) ** 2,
        lambda t: 0.5 * t - 2.0,
        lambda t: 0.5 + 0.0 * t,
        "Polynomial",
        "(2 − t/2)²",
    ),
)
DISTANCE_KERNELS: dict[str, DistanceKernel] = {one.name: one for one in _NAMED}


def get_distance_kernel(function: str | DistanceKernel) -> DistanceKernel:
    """The distance kernel of that name; a DistanceKernel is returned as it is.

    Raises
    ------
    ValueError : anything else; the message lists the names.
    """
    if isinstance(function, DistanceKernel):
        return function
    if isinstance(function, str) and function in DISTANCE_KERNELS:
        return DISTANCE_KERNELS[function]
    raise ValueError(f"The 'function' must be one of {', '.join(DISTANCE_KERNELS)}. Got {function!r} instead.")


def fourth_moment(entries: Entries = "gaussian", dof: float = 5.0) -> float:
    """E z^4 of the standardised data entries.

    Raises
    ------
    ValueError : unknown law; for "student" also dof <= 4, where there is no fourth moment.
    """
    if entries == "student":
        return 3.0 + 6.0 / (float(in_range("dof", dof, low=4.0, high=np.inf, strict=True)) - 4.0)
    known = {"gaussian": 3.0, "rademacher": 1.0, "uniform": 1.8}
    if entries not in known:
        raise ValueError(f"The 'entries' parameter must be one of {', '.join(known)}, student. Got {entries!r}.")
    return known[entries]


def kernel_spectrum(
    activation: str | Activation,
    dim: int,
    samples: int,
    points: int = 400,
    mean_norm2: float = 0.0,
    entries: Entries = "gaussian",
    dof: float = 5.0,
) -> Spectrum:
    """Limiting spectrum of phi(x_i'x_j/sqrt(p))/sqrt(p), i != j, zero diagonal, phi centred (E phi is subtracted).

    Depends on phi through a_1 and Var phi only, but for the outliers of "norms", which depend on a_2.

    Parameters
    ----------
    activation : a name, or an Activation.
    dim, samples : p and n, >= 1.
    points : of the grid, >= 32, shared between the bulks.
    mean_norm2 : |mu|^2 >= 0 of the two classes; 0 for one class.
    entries, dof : law of the data entries, as in `draw`; only its fourth moment counts, for the outliers of "norms".

    Returns
    -------
    Spectrum with matrix "kernel", and outliers that are KernelOutlier. Only a linear phi with p < n has an atom, of
    mass 1 - p/n at -a_1.

    Raises
    ------
    ValueError : a constant phi, or an argument out of range.
    """
    law = _inner_law(activation, dim, samples)
    points = integer("points", points, low=32)
    pair = hermite(activation, 2).coefficients[2] * math.sqrt((fourth_moment(entries, dof) - 1.0) / 2.0) / law.ratio
    half = math.sqrt(0.5)
    found = [
        _outlier(law, "norms", -pair, (half, -half)),
        _outlier(law, "norms", pair, (half, half)),
        _labels(law, mean_norm2),
    ]
    return sample(law, points, _ascending(found))


def _inner_law(activation: str | Activation, dim: int, samples: int) -> Convolution:
    chosen = get_activation(activation)
    moments = chosen.moments(1.0)
    if moments.variance == 0.0:
        raise ValueError(f"The 'activation' must not be constant. Got {chosen.name!r} instead.")
    return Convolution(moments.mu1, moments.mu_star2, _ratio(dim, samples))


def _ratio(dim: int, samples: int) -> float:
    return integer("dim", dim, low=1) / integer("samples", samples, low=1)


def _labels(law: Convolution, mean_norm2: float) -> KernelOutlier | None:
    """The labels are in the scores with a squared cosine |mu|^2/(1 + |mu|^2)."""
    mean_norm2 = at_least("mean_norm2", mean_norm2, 0.0)
    if mean_norm2 == 0.0:
        return None
    share = mean_norm2 / (1.0 + mean_norm2)
    return _outlier(law, "labels", law.slope * (1.0 + mean_norm2) / law.ratio, (0.0, 0.0), share)


def _outlier(
    law: Convolution,
    source: Source,
    strength: float,
    direction: tuple[float, float],
    share: float = 1.0,
    deviation: float = 0.0,
) -> KernelOutlier | None:
    if strength == 0.0:  # nothing is planted
        return None
    planted = plant(law, strength)
    position, overlap = planted.position, planted.overlap
    return KernelOutlier(strength, position, planted.separated, share * overlap, overlap, source, direction, deviation)


def _ascending(found: list[KernelOutlier | None]) -> tuple[KernelOutlier, ...]:
    return tuple(sorted((one for one in found if one is not None), key=lambda one: (one.position, one.spike)))


def distance_kernel_spectrum(
    function: str | DistanceKernel,
    dim: int,
    samples: int,
    points: int = 400,
    mean_norm2: float = 0.0,
    entries: Entries = "gaussian",
    dof: float = 5.0,
) -> Spectrum:
    """Limiting spectrum of f(|x_i - x_j|^2/p): -2 f'(2) X'X/p + (f(0) - f(2) + 2 f'(2)) I, and outliers.

    The one of the "mean" is of order n: its position is right to o(1), about which it fluctuates with the
    `deviation` given.

    Parameters
    ----------
    function : a name, or a DistanceKernel.
    dim, samples, points, mean_norm2, entries, dof : as in `kernel_spectrum`.

    Returns
    -------
    Spectrum with matrix "kernel", and outliers that are KernelOutlier. With p < n it has an atom of mass 1 - p/n at
    f(0) - f(2) + 2 f'(2).

    Raises
    ------
    ValueError : f'(2) = 0 (the bulk shrinks to a point), or an argument out of range.
    """
    kernel, ratio = get_distance_kernel(function), _ratio(dim, samples)
    points = integer("points", points, low=32)
    start, value, first, second = derivatives(kernel)
    if first == 0.0:
        raise ValueError(f"The 'function' must have a derivative other than 0 at 2. Got {kernel.name!r} instead.")
    law = Convolution(-2.0 * first, 0.0, ratio, start - value)
    spread = (fourth_moment(entries, dof) - 1.0) / ratio
    found = [_labels(law, mean_norm2)]
    # In the basis 1/sqrt(n), psi/|psi|: exactly singular where f'' = f'^2/f.
    cross = first * math.sqrt(samples * spread)
    strengths, directions = np.linalg.eigh([[samples * value, cross], [cross, second * spread]])
    # Of order one beside f(2) n: E psi = |mu|^2/p, E psi^2, and the mean of (x_i'x_j)^2.
    lift = second * (spread + 2.0 / ratio) + 2.0 * first * mean_norm2 / ratio
    top = int(np.argmax(np.abs(directions[0])))
    for index, strength in enumerate(strengths):
        if abs(strength) > 1e-12 * np.max(np.abs(strengths)):
            one, two = (float(part) for part in directions[:, index])
            # What fluctuates by order one: sum psi, and where f(2) is small also |psi|.
            deviation = abs(first) * math.sqrt(spread * (4.0 * one**4 + 2.0 * (one * two) ** 2))
            source: Source = "mean" if index == top else "norms"
            found.append(_outlier(law, source, float(strength + lift * one**2), (one, two), 1.0, deviation))
    return sample(law, points, _ascending(found))


def derivatives(kernel: DistanceKernel) -> tuple[float, float, float, float]:
    """f(0), f(2), f'(2), f''(2).

    Raises
    ------
    ValueError : one of them is not finite.
    """
    numbers = (kernel.value(0.0), kernel.value(TAU), kernel.first(TAU), kernel.second(TAU))
    start, value, first, second = (float(finite("function", number)) for number in numbers)
    return start, value, first, second


@dataclass(frozen=True)
class _Quadratic:
    linear: float
    square: float

    def __call__(self, t: NDArray[Any]) -> NDArray[Any]:
        return self.square * (t * t - 1.0) + self.linear * t

    def moments(self, q: float) -> Moments:
        rest = 2.0 * (self.square * q) ** 2
        return Moments(self.square * (q - 1.0), self.linear, q * self.linear**2 + rest, rest)


def matching(a1: float, nu: float) -> Activation:
    """c_2 (t^2 - 1) + c_1 t with E phi' = a1 and E phi^2 = nu: the same bulk as any other phi that has them.

    tanh and 0.1171 (t^2 - 1) + 0.6057 t are such a pair. Outliers of "norms" may differ: a_2 does.

    Raises
    ------
    ValueError : a number is not finite, or nu < a1^2.
    """
    slope = float(finite("a1", a1))
    rest = at_least("nu", nu, slope**2) - slope**2
    shape = _Quadratic(slope, math.sqrt(0.5 * rest))
    formula = f"{shape.square:.4g} (t² − 1) + {shape.linear:.4g} t"
    name = f"matching({slope!r}, {float(nu)!r})"
    return Activation(name, shape, (), "Quadratic", formula, shape.moments)
