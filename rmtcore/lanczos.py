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
    matrix : (rows, columns), with more than `top` + `steps` of both.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    size = wide.shape[0]
    largest = np.sort(svds(wide, top, return_singular_vectors=False, v0=rng.standard_normal(size))) ** 2
    nodes, weights = zip(*(_rule(wide, rng, steps) for _ in range(_PROBES)), strict=True)
    at, mass = np.concatenate(nodes), np.concatenate(weights) / _PROBES
    order = np.argsort(at)
    at, mass = np.maximum(at[order], 0.0), mass[order]
    middle = np.cumsum(mass) - 0.5 * mass
    # The exact ones take their share from the top.
    places = (np.arange(size - top) + 0.5) / size
    rest = np.minimum(np.interp(places, middle, at), largest[0])
    return np.concatenate([rest, largest])


def _rule(wide: Array, rng: Generator, steps: int) -> tuple[Array, Array]:
    """Nodes and weights of one start vector, with full reorthogonalisation."""
    size = wide.shape[0]
    basis = np.zeros((steps, size))
    diagonal, beside = np.zeros(steps), np.zeros(steps - 1)
    vector = rng.standard_normal(size)
    for step in range(steps):
        basis[step] = vector / np.linalg.norm(vector)
        vector = wide @ (wide.T @ basis[step])
        diagonal[step] = basis[step] @ vector
        for _ in range(2):
            vector -= basis[: step + 1].T @ (basis[: step + 1] @ vector)
        if step < steps - 1:
            beside[step] = np.linalg.norm(vector)
            if beside[step] <= 1e-12 * abs(diagonal[0]):  # an invariant subspace: the rule is exact
                diagonal, beside = diagonal[: step + 1], beside[:step]
                break
    nodes, vectors = eigh_tridiagonal(diagonal, beside)
    return nodes, vectors[0] ** 2
