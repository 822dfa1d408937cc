"""The spectrum of a matrix that is too large to be decomposed, estimated from products with vectors.

Stochastic Lanczos quadrature (Ubaru, Chen and Saad, SIAM J. Matrix Anal. Appl. 38, 2017): every random start vector
gives a Gauss rule for the spectral measure; their mean estimates the distribution function. The largest
eigenvalues come from ARPACK through scipy, exact to its tolerance.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy.linalg import eigh_tridiagonal
from scipy.sparse.linalg import svds

from rmtcore.chain import Array

_PROBES = 10


def estimate_error(size: int) -> float:
    """Distance (Kolmogorov-Smirnov) that an estimated distribution function of `size` eigenvalues stays below.

    A probe weighs every eigenvalue by an independent chi-squared number: a Brownian bridge of variance
    2/(size probes), whose supremum stays below 1.63 standard deviations in 99 % of cases.
    """
    return float(1.63 * np.sqrt(2.0 / (size * _PROBES)))


def estimate_eigenvalues(matrix: Array, rng: Generator, top: int = 20, steps: int = 60) -> Array:
    """The min(matrix.shape) eigenvalues of MM' (or M'M), ascending: quantiles of the estimate, and the exact top ones.

    Parameters
    ----------
    matrix : (rows, columns), with more than 4 `top` and `steps` of both.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    size = wide.shape[0]
    largest = np.sort(svds(wide, top, ncv=4 * top, return_singular_vectors=False, v0=rng.standard_normal(size))) ** 2
    at, mass = _rules(wide, rng, steps)
    order = np.argsort(at)
    at, mass = np.maximum(at[order], 0.0), mass[order]
    middle = np.cumsum(mass) - 0.5 * mass
    # The exact ones take their share from the top.
    places = (np.arange(size - top) + 0.5) / size
    rest = np.interp(places, middle, at)
    # The sum of all is known exactly; the noise variance, and with it every significance, rests on it.
    rest *= max(float(np.sum(wide**2) - largest.sum()), 0.0) / max(float(rest.sum()), 1e-300)
    rest = np.minimum(rest, largest[0])
    return np.concatenate([rest, largest])


def _rules(wide: Array, rng: Generator, steps: int) -> tuple[Array, Array]:
    """Nodes and weights of all start vectors together (their sum is 1), with full reorthogonalisation."""
    basis = np.zeros((_PROBES, steps, wide.shape[0]))
    diagonal, beside = np.zeros((_PROBES, steps)), np.zeros((_PROBES, steps))
    vectors = rng.standard_normal((_PROBES, wide.shape[0]))
    length = np.linalg.norm(vectors, axis=1)
    for step in range(steps):
        # At an invariant subspace the rule is exact: the vectors stay zero, and what follows gets no weight.
        vectors = np.where(length[:, None] > 0, vectors / np.where(length > 0, length, 1.0)[:, None], 0.0)
        basis[:, step] = vectors
        vectors = (vectors @ wide) @ wide.T
        diagonal[:, step] = np.sum(basis[:, step] * vectors, axis=1)
        for _ in range(2):
            along = basis[:, : step + 1] @ vectors[:, :, None]
            vectors = vectors - (along.transpose(0, 2, 1) @ basis[:, : step + 1])[:, 0]
        length = np.linalg.norm(vectors, axis=1)
        length[length <= 1e-12 * np.abs(diagonal[:, 0])] = 0.0
        beside[:, step] = length
    rules = [eigh_tridiagonal(d, b[:-1]) for d, b in zip(diagonal, beside, strict=True)]
    mass = np.concatenate([vectors[0] ** 2 for _, vectors in rules])
    return np.concatenate([nodes for nodes, _ in rules]), mass / _PROBES
