"""A Gaussian mixture in many dimensions: the data that the kernels of wide networks are expanded on.

>>> from rmtcore import Mixture
>>> Mixture.labelled(mean_norm2=2.0, dim=100, samples=50).draw(seed=1).shape
(100, 50)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rmtcore.checks import at_least, finite, integer
from rmtcore.experiment import spawn_streams

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mixture:
    """Samples with sqrt(p) x ~ N(mu_a, C_a) in class a (the model of Gu et al., NeurIPS 2022).

    Attributes
    ----------
    means : (K, p) class means mu_a, of norm O(1).
    covariances : (K, p) diagonals, or (K, p, p) symmetric matrices C_a >= 0.
    sizes : (K,) samples n_a >= 1 of every class.

    Raises
    ------
    ValueError : shapes that do not fit, a size < 1, or a covariance that is not symmetric, negative or zero.
    """

    means: Array
    covariances: Array
    sizes: NDArray[np.int64]

    def __init__(self, means: ArrayLike, covariances: ArrayLike, sizes: ArrayLike) -> None:
        mu, cov = finite("means", means), finite("covariances", covariances)
        counts = np.array([integer("sizes", size, low=1) for size in np.atleast_1d(np.asarray(sizes))])
        if mu.ndim != 2 or cov.shape not in (mu.shape, (*mu.shape, mu.shape[-1])) or counts.shape != mu.shape[:1]:
            raise ValueError(
                "The 'means', 'covariances' and 'sizes' parameters must have shapes (K, p), (K, p) or (K, p, p), "
                f"and (K,). Got {mu.shape}, {cov.shape} and {counts.shape} instead."
            )
        lowest = cov.min() if cov.ndim == 2 else np.linalg.eigvalsh(cov).min()
        trace = cov.sum() if cov.ndim == 2 else np.trace(cov, axis1=1, axis2=2).sum()
        symmetric = cov.ndim == 2 or np.allclose(cov, cov.transpose(0, 2, 1))
        if not symmetric or not trace > 0 or lowest < -1e-10 * trace / mu.shape[1]:
            raise ValueError(
                "The 'covariances' parameter must hold symmetric matrices >= 0, not all zero. "
                f"Got trace {trace:g} and lowest eigenvalue {lowest:g} instead."
            )
        object.__setattr__(self, "means", mu)
        object.__setattr__(self, "covariances", cov)
        object.__setattr__(self, "sizes", counts)

    @classmethod
    def labelled(cls, mean_norm2: float, dim: int, samples: int) -> Mixture:
        """Two equal classes sqrt(p) x ~ N(+-mu, I), |mu|^2 = `mean_norm2` >= 0, in an even number of samples."""
        p, n = integer("dim", dim, low=1), integer("samples", samples, low=2)
        if n % 2:
            raise ValueError(f"The 'samples' parameter must be even, for two equal classes. Got {samples!r} instead.")
        mu = np.zeros((2, p))
        mu[:, 0] = np.sqrt(at_least("mean_norm2", mean_norm2, 0.0)) * np.array([1.0, -1.0])
        return cls(mu, np.ones((2, p)), [n // 2, n // 2])

    @property
    def dim(self) -> int:
        """Dimension p."""
        return int(self.means.shape[1])

    @property
    def samples(self) -> int:
        """Number n of samples."""
        return int(self.sizes.sum())

    @property
    def labels(self) -> NDArray[np.int64]:
        """(n,) class of every sample, 0 .. K-1 in ascending order: the order of `draw`."""
        return np.repeat(np.arange(self.sizes.size), self.sizes)

    @property
    def traces(self) -> Array:
        """(K,) tr C_a."""
        cov = self.covariances
        return np.asarray(cov.sum(axis=1) if cov.ndim == 2 else np.trace(cov, axis1=1, axis2=2))

    @property
    def variance(self) -> float:
        """tau_0^2 = tr C0 / p, C0 the mean covariance: the squared norm of a typical sample."""
        return float(self.sizes @ self.traces) / (self.samples * self.dim)

    @property
    def t(self) -> Array:
        """(K,) t_a = tr(C_a - C0) / sqrt(p): how the classes differ in size."""
        return (self.traces - self.variance * self.dim) / np.sqrt(self.dim)

    @property
    def T(self) -> Array:
        """(K, K) T_ab = tr C_a C_b / p: how they differ in shape."""
        flat = self.covariances.reshape(self.sizes.size, -1)
        return np.asarray(flat @ flat.T / self.dim)

    def features(self, X: ArrayLike) -> Array:
        """What the kernels single out beside X'X: V = [J/sqrt(p), psi].

        Parameters
        ----------
        X : (p, n) samples in the order of `labels`.

        Returns
        -------
        (n, K + 1), J the indicators of the classes, psi_i = |x_i|^2 less its mean in the class.

        Raises
        ------
        ValueError : X not finite, or not of shape (p, n).
        """
        data = self.check(X)
        mean_norm2 = (self.traces + np.sum(self.means**2, axis=1)) / self.dim
        psi = np.sum(data**2, axis=0) - mean_norm2[self.labels]
        classes = np.eye(self.sizes.size)[self.labels] / np.sqrt(self.dim)
        return np.column_stack([classes, psi])

    def check(self, X: ArrayLike) -> Array:
        """X as a finite (p, n) array; ValueError otherwise."""
        data = finite("X", X)
        if data.shape != (self.dim, self.samples):
            raise ValueError(
                f"The 'X' parameter must have the shape {(self.dim, self.samples)}. Got {data.shape} instead."
            )
        return data

    def draw(self, seed: int | tuple[int, ...]) -> Array:
        """Data X (p, n), class by class; the same seed gives the same data anywhere."""
        rng = spawn_streams(seed, 1)[0]
        parts = [
            (mu[:, None] + _root(cov) @ rng.standard_normal((self.dim, size)))
            if cov.ndim == 2
            else mu[:, None] + np.sqrt(np.maximum(cov, 0.0))[:, None] * rng.standard_normal((self.dim, size))
            for mu, cov, size in zip(self.means, self.covariances, self.sizes, strict=True)
        ]
        return np.concatenate(parts, axis=1) / np.sqrt(self.dim)


def _root(covariance: Array) -> NDArray[Any]:
    """Symmetric square root."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
