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
from typing import Any, Literal

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
    bulks : (B, 2) edges.  atom : mass at ``atom_at``, outside the bulks (zero but for kernel matrices).
    outliers : one per spike, ascending.
    """

    matrix: Matrix | Literal["kernel"]
    grid: Array
    density: Array
    weights: Array
    cdf: Array
    bulks: Array
    atom: float
    outliers: tuple[Outlier, ...]
    health: Health
    atom_at: float = 0.0

    def integral(self, function: Callable[[Array], Array]) -> float:
        """Linear statistic: the integral of `function` against the whole law, atom included."""
        at_atom = self.atom * float(function(np.array([self.atom_at]))[0]) if self.atom > 0 else 0.0
        return float(function(self.grid) @ self.weights) + at_atom


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
            edges = np.nan_to_num(support.kappa.ravel())  # kappa vanishes at a hard edge
            nearest = int(np.argmin(np.abs(edges + spike)))
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
    _, size = _side(network, matrix)
    points = np.asarray(z, dtype=complex)
    if not np.all(np.isfinite(points)):
        raise ValueError("The 'z' parameter must be finite.")
    chain = network.chain()
    flat = points.ravel()
    off = flat.imag != 0
    result = np.empty(flat.size, complex)
    _, top, spare, sure = companion(flat.real[off], np.abs(flat.imag[off]), *chain)
    if not sure.all():
        raise ArithmeticError("A root of the chain could not be certified.")
    below = _transform(matrix, size, chain, flat.real[off] - 1j * np.abs(flat.imag[off]), top, spare)
    result[off] = np.where(flat.imag[off] > 0, below.conj(), below)
    support = find_support(chain)
    result[~off] = [_on_axis(matrix, size, chain, support, x) for x in flat.real[~off]]
    return np.asarray(result.reshape(points.shape))


def _transform(
    matrix: Matrix, size: float, chain: Chain, z: NDArray[np.complex128], top: Any, spare: Any
) -> NDArray[np.complex128]:
    """m(z) from kappa_L on the Gram side, from d - df on the covariance side: either keeps its digits."""
    return np.asarray(1.0 / top if matrix == "gram" else -((size - chain.rank) + spare) / (size * z))


def _on_axis(matrix: Matrix, size: float, chain: Chain, support: Support, x: float) -> complex:
    """Transform at a real point: real off the support, the boundary value from above on it."""
    left, right = support.bulks.T
    atom = min(chain.rank, chain.n) < size
    if x == 0 and (atom or left[0] == 0):
        return complex(np.inf, 0.0)
    inside = bool(np.any((left < x) & (x < right)))
    # Off the support the real part at height eta differs by eta^2 only, and the root stays certified.
    singular = np.append(support.bulks, [0.0] if atom and x != 0 else [])
    eta = 0.0 if inside else 1e-8 * float(np.min(np.abs(singular - x)))
    _, top, spare, sure = companion(np.array([x]), np.array([eta]), *chain)
    if not sure[0]:
        raise ArithmeticError(f"The root of the chain at {x} could not be certified.")
    value = complex(_transform(matrix, size, chain, np.array([x - 1j * eta]), top, spare)[0])
    return value.conjugate() if inside else complex(value.real, 0.0)
