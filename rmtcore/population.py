"""What the data is: the spectrum of its covariance, and the target it carries.

>>> from rmtcore import Population
>>> Population.atoms([1, 5], [0.5, 0.5], dim=200).counts
array([100., 100.])
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigvalsh, eigvalsh_tridiagonal

from rmtcore.chain import Array, Chain
from rmtcore.checks import at_least, finite, in_range, integer
from rmtcore.law import sample_law
from rmtcore.support import find_support


@dataclass(frozen=True, eq=False)
class Population:
    """Covariance spectrum of the data and the squared target components on it.

    Data are x = C^(1/2) z with z of independent standardised entries; the target is y = b'x.

    Attributes
    ----------
    dim : dimension p of the data.
    eigenvalues : (k,) distinct eigenvalues s_k >= 0 of C.
    counts : (k,) how often each occurs; they sum to `dim`.
    target : (k,) squared components v_k of b, summed over each eigenspace; E (b'x)^2 = sum v_k s_k.
    isolated : (k,) True for a spike: finitely many, so without mass in the limiting spectrum.
    noise : variance of the target that no linear function of x explains (labels of a mixture).
    data : (p, N) the data themselves where the population was estimated from some, else None.
    """

    dim: int
    eigenvalues: Array
    counts: Array
    target: Array
    isolated: NDArray[np.bool_]
    noise: float = 0.0
    data: Array | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not np.any(self.eigenvalues * self.counts > 0):
            raise ValueError("A population needs at least one eigenvalue > 0.")

    @property
    def signal(self) -> float:
        """Variance E (b'x)^2 of the target."""
        return float(self.target @ self.eigenvalues)

    @property
    def variance(self) -> float:
        """Mean variance tr C / p of one coordinate."""
        return float(self.counts @ self.eigenvalues) / self.dim

    @property
    def spikes(self) -> Array:
        """Isolated eigenvalues, one entry each, in ascending order."""
        return np.repeat(self.eigenvalues[self.isolated], self.counts[self.isolated].astype(int))

    @property
    def spectrum(self) -> Array:
        """All `dim` eigenvalues of C, (p,), ascending."""
        return np.repeat(self.eigenvalues, self.counts.astype(int))

    @property
    def is_mixture(self) -> bool:
        """Whether the target is the label of two classes."""
        return self.noise > 0

    def bulk(self) -> tuple[Array, Array]:
        """Eigenvalues and counts of the limiting law: spikes carry no mass, the rest sums to `dim`."""
        rest = ~self.isolated
        counts = self.counts[rest]
        # Divided first: all counts together must be a whole number, or thresholds are missed.
        return self.eigenvalues[rest], counts if rest.all() else counts / counts.sum() * self.dim

    @classmethod
    def identity(cls, dim: int, signal: float = 1.0) -> Population:
        """C = I of dimension `dim` >= 1."""
        return cls.atoms([1.0], [1.0], dim, signal)

    @classmethod
    def atoms(cls, eigenvalues: ArrayLike, weights: ArrayLike, dim: int, signal: float = 1.0) -> Population:
        """A few distinct eigenvalues; their counts are `weights` times `dim`, rounded to whole numbers.

        Raises
        ------
        ValueError : an eigenvalue < 0, a weight <= 0, lengths that differ, or `dim` < 1.
        """
        values, shares = finite("eigenvalues", eigenvalues), finite("weights", weights)
        if values.ndim != 1 or values.shape != shares.shape or values.size == 0:
            raise ValueError(
                "The 'eigenvalues' and 'weights' parameters must be sequences of one length, at least 1. "
                f"Got shapes {values.shape} and {shares.shape} instead."
            )
        in_range("eigenvalues", values, low=0.0)
        in_range("weights", shares, low=0.0, strict=True)
        dim = integer("dim", dim, low=1)
        counts = _whole(shares / shares.sum() * dim, dim)
        return cls._spread(values, counts, signal)

    @classmethod
    def toeplitz(cls, rho: float, dim: int, signal: float = 1.0) -> Population:
        """C_ij = rho^|i-j|, -1 < rho < 1: its `dim` exact eigenvalues."""
        rho = float(in_range("rho", rho, low=-1.0, high=1.0, strict=True))
        dim = integer("dim", dim, low=1)
        # The inverse of this matrix is tridiagonal (an autoregression of order one).
        diagonal = np.full(dim, 1.0 + rho**2)
        diagonal[[0, -1]] = 1.0 if dim > 1 else 1.0 - rho**2
        inverse = eigvalsh_tridiagonal(diagonal, np.full(dim - 1, -rho)) / (1.0 - rho**2)
        return cls._spread(np.sort(1.0 / inverse), np.ones(dim), signal)

    @classmethod
    def power_law(cls, alpha: float, dim: int, source: float = 1.0, signal: float = 1.0) -> Population:
        """Capacity and source: s_k = k^-alpha and s_k v_k proportional to k^-(2 alpha source + 1)."""
        alpha = at_least("alpha", alpha, 0.0)
        source = at_least("source", source, 0.0)
        k = np.arange(integer("dim", dim, low=1), 0, -1, dtype=float)
        values = k**-alpha
        energy = k ** -(2.0 * alpha * source + 1.0)
        if not min(values[0], energy[0]) > 1e-250:
            raise ValueError(
                f"The 'alpha' and 'source' parameters must keep k^-(2 alpha source + 1) and k^-alpha above 1e-250 "
                f"at k = {values.size}. Got alpha = {alpha!r} and source = {source!r} instead."
            )
        target = at_least("signal", signal, 0.0) * energy / energy.sum() / values
        return cls(dim, values, np.ones(dim), target, np.zeros(dim, bool))

    @classmethod
    def spiked(cls, spikes: ArrayLike, dim: int, signal: float = 1.0) -> Population:
        """C = I but for a few eigenvalues `spikes` > 0 (each 1 + l in the l-notation)."""
        values = np.sort(np.atleast_1d(finite("spikes", spikes)))
        in_range("spikes", values, low=0.0, strict=True)
        dim = integer("dim", dim, low=values.size + 1)
        distinct, times = np.unique(values, return_counts=True)
        eigenvalues = np.append(distinct, 1.0)
        counts = np.append(times, dim - values.size).astype(float)
        order = np.argsort(eigenvalues, kind="stable")
        isolated = np.append(np.ones(distinct.size, bool), False)[order]
        return cls._spread(eigenvalues[order], counts[order], signal, isolated)

    @classmethod
    def mixture(cls, mean_norm2: float, dim: int) -> Population:
        """Two classes x = y mu + g with labels y = +-1 and |mu|^2 = `mean_norm2`, g standard normal.

        The label is fitted as it is: target v = |mu|^2 / s^2 on the spike s = 1 + |mu|^2, and the
        variance 1/s of the label that is not linear in x counts as noise.
        """
        energy = at_least("mean_norm2", mean_norm2, 0.0)
        spike = 1.0 + energy
        dim = integer("dim", dim, low=2)
        return cls(
            dim,
            np.array([1.0, spike]),
            np.array([dim - 1.0, 1.0]),
            np.array([0.0, energy / spike**2]),
            np.array([False, True]),
            noise=1.0 / spike,
        )

    @classmethod
    def from_data(cls, X: ArrayLike, signal: float = 1.0) -> Population:
        """The population behind data X (p, N), columns the samples, with more samples than dimensions.

        The eigenvalues of the sample covariance spread wider than those of the population. They are
        moved back until the law that the chain predicts for N samples has them at its quantiles (the
        aim of El Karoui, 2008, and of Ledoit and Wolf, 2015). The data stay attached, so that an
        experiment can draw random subsets of them.

        Raises
        ------
        ValueError : X not a finite matrix, constant, or N <= p.
        """
        data = finite("X", X)
        if data.ndim != 2 or data.shape[1] <= data.shape[0] or data.shape[0] == 0:
            raise ValueError(
                "The 'X' parameter must be a matrix (dimensions, samples) with more samples than dimensions. "
                f"Got shape {data.shape} instead."
            )
        data = data - data.mean(axis=1, keepdims=True)
        sample = eigvalsh(data @ data.T / data.shape[1])
        if not sample[-1] > 0:
            raise ValueError("The 'X' parameter must vary from sample to sample. Got constant columns instead.")
        seen = sample > 1e-12 * sample[-1]
        values = np.zeros(sample.size)
        values[seen] = _unspread(sample[seen], data.shape[1] - 1.0)
        found = cls._spread(values, np.ones(values.size), signal)
        return replace(found, data=data)

    @classmethod
    def _spread(
        cls, values: Array, counts: Array, signal: float, isolated: NDArray[np.bool_] | None = None
    ) -> Population:
        """Target of variance `signal` with the same squared component in every direction."""
        counts = np.asarray(counts, float)
        order = np.argsort(values, kind="stable")
        values, counts = values[order], counts[order]
        trace = float(values @ counts)
        if trace <= 0:
            raise ValueError("A population needs at least one eigenvalue > 0.")
        target = at_least("signal", signal, 0.0) * counts / trace
        flags = np.zeros(values.size, bool) if isolated is None else isolated
        keep = counts > 0
        return cls(int(counts.sum()), values[keep], counts[keep], target[keep], flags[keep])


def _unspread(sample: Array, n: float) -> Array:
    """Population eigenvalues whose predicted sample quantiles, for n samples, are those of `sample`.

    The inversion is ill-posed: where it does not settle, the fixed number of steps is its regularisation.
    """
    counts, none = np.ones(sample.size), np.zeros(0)
    values = sample.copy()
    for _ in range(100):
        chain = Chain(values, counts, none, none, none, n)
        law = sample_law(chain, find_support(chain), 400)
        mass = np.concatenate([[0.0], np.cumsum(law.weights)])
        moment = np.concatenate([[0.0], np.cumsum(law.weights * law.grid)])
        cuts = np.linspace(0.0, mass[-1], sample.size + 1)
        predicted = np.diff(np.interp(cuts, mass, moment)) * sample.size / mass[-1]
        values = np.sort(values * sample / predicted)
        if np.max(np.abs(predicted / sample - 1.0)) < 1e-3:
            break
    return values * (sample.sum() / values.sum())


def _whole(shares: Array, total: int) -> Array:
    """Whole numbers nearest to `shares` that sum to `total` (largest remainder)."""
    counts = np.floor(shares)
    missing = total - int(counts.sum())
    counts[np.argsort(counts - shares, kind="stable")[:missing]] += 1
    return counts
