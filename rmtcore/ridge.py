"""What a network learns: training and test error of ridge regression on its features, at any depth.

    >>> from rmtcore import Layer, Network, Population, ridge_errors
    >>> network = Network(Population.identity(100), [Layer(150, "relu")], samples=300, noise=0.1, ridge=1e-2)
    >>> round(ridge_errors(network).test, 3)
    0.36

Everything is read off the chain at one real root kappa_0 (Liao and Mahoney, arXiv:2506.13139, Theorems 1
to 3 and Remarks 6 to 12). With kappa = kappa_L: 1 - df2/n = dlambda/dkappa and 1 - df/n = lambda/kappa, so

    test = (B + sigma2) / (dlambda/dkappa),   train = (lambda/kappa)^2 test,   B = V - T + kappa dT/dkappa.

Test errors include the label noise, as measured ones do. At the interpolation threshold (ridge 0, as many
features as samples) the test error is infinite: that limit is returned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import ndtr

from rmtcore.chain import Chain, evaluate, learn
from rmtcore.network import Network

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RidgeErrors:
    """Deterministic equivalents of the errors and of where they come from.

    Attributes
    ----------
    test, train : mean squared errors, label noise included.
    noise : irreducible label-noise variance sigma2, a mixture's own included.
    label_variance, data_variance : what the noise and the sampling of the training set add to the test error.
    misfit : B, what remains: test = noise + label_variance + data_variance + misfit.
    bias : squared bias of the mean predictor (over data and weights).
    variance : all that is neither noise nor bias, test = noise + bias + variance.
    ensemble : test error of the average over infinitely many draws of the weights, on the same data.
    weight_variance : test - ensemble, what such an average removes.
    kappa, kappa_base : kappa_L and kappa_0.
    df1, df2 : effective degrees of freedom tr C(C + kappa)^-1 and tr C^2 (C + kappa)^-2 of the features.
    samples : n, to compare df1 and df2 with.
    """

    test: float
    train: float
    noise: float
    label_variance: float
    data_variance: float
    misfit: float
    bias: float
    variance: float
    ensemble: float
    weight_variance: float
    kappa: float
    kappa_base: float
    df1: float
    df2: float
    samples: int

    @property
    def gcv(self) -> float:
        """Generalised cross-validation, train / (1 - df1/n)^2: the limit of the estimator is the test error."""
        left = 1.0 - self.df1 / self.samples
        return self.train / left**2 if left > 1e-9 else self.test


def ridge_errors(network: Network) -> RidgeErrors:
    """Errors of the network at its ridge, noise and number of samples; ridge 0 is the exact limit.

    In one case ridge 0 is least squares and not the limit of small ridges: a linear layer exactly as wide as the
    rank it sees, and as many samples. That system is invertible, and noiseless data are fitted without error.

    Returns
    -------
    RidgeErrors, with test = inf at the interpolation threshold without ridge.
    """
    chain, v = network.learning_chain()
    signal, noise = network.population.signal, network.noise + network.population.noise
    if network.ridge == 0:
        chain = _collapsed(chain)
    base, top, apart, left, free = _root(chain, network.ridge)
    share = chain.s / (chain.s + base)
    bias, extra = _misfit(chain, v, signal, share, apart)
    misfit = bias + extra
    if free > 0:
        test = (misfit + noise) / free
        train = left**2 * test
        label, data = noise * (1.0 - free) / free, misfit * (1.0 - free) / free
    else:
        # At the threshold: what is exactly nothing does not diverge.
        label, data = (float("inf") if part > 1e-12 * signal else 0.0 for part in (noise, misfit))
        test, train = label + data, 0.0
    ensemble = test
    if chain.nu.size > 0 and not network.blind():  # the weights matter
        ensemble = min((bias + noise) / (1.0 - float(chain.m @ share**2) / chain.n), test)
    return RidgeErrors(
        test, train, noise, label, data, misfit, bias, label + data + extra,
        ensemble, test - ensemble if ensemble < test else 0.0,
        top, base, chain.n * (1.0 - left), chain.n * (1.0 - free), network.samples,
    )  # fmt: skip


def _root(chain: Chain, ridge: float) -> tuple[float, float, float, float, float]:
    """kappa_0, kappa_L, kappa_0 - kappa_L/kappa_L', 1 - df1/n and 1 - df2/n at a ridge.

    The third is what the random weights set apart, 0 without layers; the last two are 0 at the threshold.
    """
    base = learn(ridge, *chain)
    _, growth, top, rise, left = (float(part.real) for part in evaluate(complex(base, 0.0), *chain))
    if rise <= 0:  # a hard edge
        return base, top, 0.0, left, 0.0
    apart = max(base - top / rise, 0.0)
    if ridge == 0 and chain.n == chain.rank:
        return base, top, apart, 0.0, 0.0
    return base, top, apart, left, max(growth / rise, 0.0)


def _misfit(chain: Chain, v: Array, signal: float, share: Array, apart: float) -> tuple[float, float]:
    """Squared bias, and what the weights add to it in B.

    Sums of positive terms: V - T + kappa dT/dkappa itself would cancel where the errors are small.
    """
    bias = max(signal - float(v @ chain.s), 0.0) + float(v @ (chain.s * (1.0 - share) ** 2))
    return bias, float(v @ share**2) * apart


def _collapsed(chain: Chain) -> Chain:
    """For least squares without ridge, linear layers on top count as one of their smallest width.

    Where that is not below the rank they see, they lose nothing, and count as none. With fewer samples than
    either, the least norm is another one in every layer, and all of them count.
    """
    depth = chain.nu.size
    first = depth
    while first > 0 and chain.nu[first - 1] == 0:
        first -= 1
    if first == depth:
        return chain
    width = chain.d[first:].min()
    if chain.n < min(width, chain.ranks[first]):
        return chain
    bare = chain._replace(a=chain.a[:first], nu=chain.nu[:first], d=chain.d[:first])
    if width >= chain.ranks[first]:
        return bare
    slope = chain.a[first] * width / chain.d[first]
    return bare._replace(a=np.append(bare.a, slope), nu=chain.nu[: first + 1], d=np.append(bare.d, width))


def _target(v: Array, s: Array, kappa: float) -> tuple[float, float]:
    """T = sum v s^2/(s + kappa), and dT/dkappa."""
    share = s / (s + kappa)
    return float(v @ (s * share)), -float(v @ share**2)


def directions(network: Network) -> tuple[Array, Array, Array]:
    """What every eigen-direction of the population contributes at the network's ridge.

    Returns
    -------
    eigenvalues (k,), the share s/(s + kappa_0) that is learned (k,), and the part of `misfit` that it
    leaves (k,): summed over k it is the misfit.
    """
    if network.blind():
        population = network.population
        return population.eigenvalues, np.zeros(population.eigenvalues.size), population.target * population.eigenvalues
    chain, v = network.learning_chain()
    base, _, apart, _, _ = _root(chain, network.ridge)
    share = chain.s / (chain.s + base)
    return chain.s, share, v * (chain.s * (1.0 - share) ** 2 + apart * share**2)


def optimal_ridge(network: Network) -> float:
    """The ridge that minimises the test error; inf where learning nothing is best, 0 where any ridge hurts.

    By scalar minimisation over the logarithm, but for linear networks on white data, where it is
    sigma2 p / (n |b|^2) (Dobriban and Wager, 2018).
    """
    population = network.population
    noise = network.noise + population.noise
    if population.signal == 0 or network.blind():
        return float("inf")
    if not network.layers and population.eigenvalues.size == 1:
        norm2 = population.signal / population.variance
        return noise * population.dim / network.samples / norm2
    chain, v = network.learning_chain()
    scale = float(chain.s[-1]) * float(np.prod(chain.a)) * max(1.0, chain.rank / chain.n)

    def loss(exponent: float) -> float:
        base, _, apart, _, free = _root(chain, scale * 10.0**exponent)
        return (sum(_misfit(chain, v, population.signal, chain.s / (chain.s + base), apart)) + noise) / free

    grid = np.linspace(-12.0, 9.0, 43)
    best = int(np.argmin([loss(exponent) for exponent in grid]))
    if best == grid.size - 1:
        return float("inf")
    bounds = (grid[max(best - 1, 0)], grid[best + 1])
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-9})
    bare = Network(population, network.layers, samples=network.samples, noise=network.noise)
    if best == 0 or ridge_errors(bare).test <= float(found.fun) * (1.0 + 1e-9):
        return 0.0
    return scale * 10.0 ** float(found.x)


def accuracy(network: Network) -> float:
    """Share of test points that the sign of the fit classifies rightly, for `Population.mixture`.

    The score has mean T y and second moment M = test - (V + sigma2) + 2 T: accuracy Phi(T / sqrt(M - T^2)).

    Raises
    ------
    ValueError : the population is not a mixture.
    """
    population = network.population
    if not population.is_mixture:
        raise ValueError("The 'network' parameter must stand on a Population.mixture.")
    errors = ridge_errors(network)
    chain, v = network.learning_chain()
    learned, _ = _target(v, chain.s, errors.kappa_base)
    return classified(learned, errors.test - population.signal - errors.noise + 2.0 * learned)


def classified(mean: float, second: float) -> float:
    """Phi(mean / sqrt(second - mean^2)): share of Gaussian scores on the right side of zero."""
    spread = second - mean**2
    if not np.isfinite(spread):
        return 0.5
    return float(ndtr(mean / np.sqrt(spread))) if spread > 0 else float(0.5 * (1.0 + np.sign(mean)))
