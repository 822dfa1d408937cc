"""The limiting spectrum of a network's features: density, bulks, atom, outliers, overlaps.

    >>> from rmtcore import Network, Population, spectrum
    >>> law = spectrum(Network(Population.atoms([1, 5], [0.5, 0.5], dim=200), samples=400))
    >>> law.bulks.round(4)
    array([[ 0.1247,  1.6594],
           [ 1.6775, 11.5384]])

The sample covariance of the features is FF'/n (d x d), the Gram matrix F'F/n (n x n): the same non-zero
eigenvalues, another atom at zero. Source: Liao and Mahoney, arXiv:2506.13139, sections III and IV; edges and
outliers after Silverstein and Choi (1995) and Baik and Silverstein (2006), through every layer of the chain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rmtcore.chain import Array, Chain, companion, evaluate
from rmtcore.checks import integer
from rmtcore.law import sample_law
from rmtcore.network import Network
from rmtcore.support import Support, find_support

Matrix = Literal["covariance", "gram"]


@dataclass(frozen=True)
class Outlier:
    """What a population spike does to the sample spectrum.

    Attributes
    ----------
    spike : the population eigenvalue s.
    position : limit of the sample eigenvalue: outside the bulk, or the bulk edge it sticks to.
    separated : whether it leaves the bulk (the BBP transition).
    overlap : squared cosine between sample and population eigenvector; nan behind layers.
    score_overlap : squared cosine between the Gram eigenvector and the samples' scores along the spike.
    """

    spike: float
    position: float
    separated: bool
    overlap: float
    score_overlap: float


@dataclass(frozen=True)
class Health:
    """How well the equations were solved.

    Attributes
    ----------
    residual : largest relative residual |lambda(kappa)/lambda - 1| over the grid.
    steps : Newton steps per grid point, on average.
    mass_error : |1 - atom - integral of the density|.
    certified : every point proven to lie on the right branch.
    """

    residual: float
    steps: float
    mass_error: float
    certified: bool


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Limiting spectral law; the density is zero at every edge, where the grid touches it.

    Attributes
    ----------
    grid, density : (P,) ascending eigenvalues and the density there.
    weights : (P,) quadrature weights: integral of f against the continuous part is sum f(grid) weights.
    cdf : (P,) distribution function on the grid, the atom included.
    bulks : (B, 2) edges.  atom : mass at zero.  outliers : one per spike, ascending.
    """

    matrix: Matrix
    grid: Array
    density: Array
    weights: Array
    cdf: Array
    bulks: Array
    atom: float
    outliers: tuple[Outlier, ...]
    health: Health

    def integral(self, function: Callable[[Array], Array]) -> float:
        """Linear statistic: the integral of `function` against the whole law, atom included."""
        at_zero = self.atom * float(function(np.zeros(1))[0]) if self.atom > 0 else 0.0
        return float(function(self.grid) @ self.weights) + at_zero


def spectrum(network: Network, points: int = 400, matrix: Matrix = "covariance") -> Spectrum:
    """Limiting eigenvalue law of the features' covariance FF'/n or Gram matrix F'F/n.

    Parameters
    ----------
    network : the description; its ridge and noise play no part.
    points : number of grid points, shared between the bulks (each gets at least 24, more where its
        mass needs them).

    Raises
    ------
    ValueError : `matrix` not "covariance" or "gram", or `points` < 32.
    """
    scale, size = _side(network, matrix)
    points = integer("points", points, low=32)
    chain = network.chain()
    support = find_support(chain)
    law = sample_law(chain, support, points)
    atom = 1.0 - min(chain.rank, chain.n) / size
    weights = law.weights * scale
    mass = np.cumsum(weights)
    health = Health(
        residual=law.residual,
        steps=law.steps / law.grid.size,
        mass_error=float(abs(1.0 - atom - mass[-1])),
        certified=law.certified,
    )
    return Spectrum(
        matrix,
        law.grid,
        law.density * scale,
        weights,
        np.minimum(atom + mass - 0.5 * weights, 1.0),
        support.bulks,
        atom,
        _outliers(network, chain, support),
        health,
    )


def _side(network: Network, matrix: Matrix) -> tuple[float, float]:
    """Factor from the Gram density to the density of `matrix`, and the size of that matrix."""
    if matrix == "gram":
        return 1.0, float(network.samples)
    if matrix == "covariance":
        return network.samples / network.feature_dim, float(network.feature_dim)
    raise ValueError(f"The 'matrix' parameter must be 'covariance' or 'gram'. Got {matrix!r} instead.")


def _outliers(network: Network, chain: Chain, support: Support) -> tuple[Outlier, ...]:
    """Where every spike of the population goes."""
    if network.blind():
        return ()
    found = []
    for spike in network.population.spikes:
        value, slope, top, _, _ = evaluate(complex(-spike, 0.0), *chain)
        position, growth = -value.real, slope.real
        if support.outside(-spike):
            overlap = float("nan") if network.layers else float(spike * growth / position)
            outlier = Outlier(float(spike), float(position), True, overlap, float(-spike * growth / top.real))
        else:
            edges = support.kappa.ravel()
            nearest = int(np.nanargmin(np.abs(edges + spike)))
            outlier = Outlier(float(spike), float(support.bulks.ravel()[nearest]), False, 0.0, 0.0)
        found.append(outlier)
    return tuple(found)


def stieltjes(network: Network, z: ArrayLike, matrix: Matrix = "covariance") -> NDArray[np.complex128]:
    """Stieltjes transform m(z), the limit of tr (M - z)^-1 / size, for any complex z.

    On the support it is the boundary value from above; at an atom or a hard edge it is infinite.

    Parameters
    ----------
    z : array of any shape.
    matrix : M = FF'/n ("covariance") or F'F/n ("gram").

    Returns
    -------
    complex array of the shape of z.

    Raises
    ------
    ValueError : z not finite, or `matrix` unknown.
    ArithmeticError : a root could not be certified (never seen).
    """
    scale, size = _side(network, matrix)
    points = np.asarray(z, dtype=complex)
    if not np.all(np.isfinite(points)):
        raise ValueError("The 'z' parameter must be finite.")
    chain = network.chain()
    flat = points.ravel()
    gram = np.empty(flat.size, complex)
    off = flat.imag != 0
    _, top, sure = companion(flat.real[off], np.abs(flat.imag[off]), *chain)
    if not sure.all():
        raise ArithmeticError("A root of the chain could not be certified.")
    gram[off] = np.where(flat.imag[off] > 0, 1.0 / top.conj(), 1.0 / top)
    support = find_support(chain)
    gram[~off] = [_on_axis(chain, support, x) for x in flat.real[~off]]
    atom = 1.0 - network.samples / size
    with np.errstate(divide="ignore", invalid="ignore"):
        result = scale * gram - (atom / flat if atom != 0 else 0.0)
    if 1.0 - min(chain.rank, chain.n) / size > 0:
        result[flat == 0] = complex(np.inf, 0.0)
    return np.asarray(result.reshape(points.shape))


def _on_axis(chain: Chain, support: Support, x: float) -> complex:
    """Gram transform at a real point: real off the support, the boundary value from above on it."""
    left, right = support.bulks.T
    if np.any((left < x) & (x < right)):
        _, top, sure = companion(np.array([x]), np.zeros(1), *chain)
        if not sure[0]:
            raise ArithmeticError(f"The root of the chain at {x} could not be certified.")
        return complex(1.0 / top[0].conjugate())
    low, high = support.gaps[np.searchsorted(right, x)]
    top = evaluate(complex(_rise(chain, x, low, high), 0.0), *chain)[2].real
    return complex(1.0 / top) if top != 0 else complex(np.inf, 0.0)


def _rise(chain: Chain, x: float, low: float, high: float) -> float:
    """The real kappa_0 in a gap where -lambda(kappa_0) = x; lambda grows there."""
    scale = max(abs(x), float(chain.s[-1]), abs(low) if np.isfinite(low) else 0.0)

    def value(kappa: float) -> float:
        return float(evaluate(complex(kappa, 0.0), *chain)[0].real) + x

    reach = scale
    while np.isinf(high) and value(reach) < 0:
        reach *= 2.0
    high = reach if np.isinf(high) else high
    reach = scale
    while np.isinf(low) and value(-reach) > 0:
        reach *= 2.0
    low = -reach if np.isinf(low) else low
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (low, middle) if value(middle) > 0 else (middle, high)
    return 0.5 * (low + high)
