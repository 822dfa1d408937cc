"""Training a network of infinite width: its residual decays as the tangent kernel says, from a random start.

With f_0 Gaussian of covariance K_CK, gradient flow on (1/2)|y - f|^2 gives E_t = (1/2n) E|y - f_t|^2 =
(1/2n) tr(e^(-2 eta t K_NTK) K_CK) + (1/2n) y' e^(-2 eta t K_NTK) y. For two classes sqrt(p) x ~ N(y mu, I) both terms
are integrals against two explicit laws of X'X: HiLD workshop 2023; of the kind of arXiv:2506.13139, Remark 13.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh

from rmtcore.checks import at_least, finite, in_range
from rmtcore.infinite import InfiniteNetwork, coefficients

Array = NDArray[np.float64]

_NODES = 400


class LabelLaws(NamedTuple):
    """Laws of X'X for two classes, on common nodes.

    Attributes
    ----------
    x : (N,) nodes, atoms included.
    trace : (N,) weights of its eigenvalue law (Marchenko and Pastur).
    signal : (N,) weights of nu: with it, (1/n) y'f(X'X)y -> trace/(1 + rho) + signal rho/(1 + rho).
    """

    x: Array
    trace: Array
    signal: Array


def label_laws(mean_norm2: float, ratio: float) -> LabelLaws:
    """The two laws for sqrt(p) x ~ N(y mu, I), y = +-1.

    Parameters
    ----------
    mean_norm2 : rho = |mu|^2 > 0.
    ratio : r = n/p > 0.

    Raises
    ------
    ValueError : an argument out of range.
    """
    rho = float(in_range("mean_norm2", mean_norm2, 0.0, np.inf, strict=True))
    r = float(in_range("ratio", ratio, 0.0, np.inf, strict=True))
    theta = np.pi * (np.arange(_NODES) + 0.5) / _NODES
    x = 1.0 + r - 2.0 * np.sqrt(r) * np.cos(theta)
    # both densities are sqrt((x - l_-)(l_+ - x)) over a polynomial, and dx carries the same root
    root = 4.0 * r * np.sin(theta) ** 2 / (2.0 * np.pi) * (np.pi / _NODES)
    outlier = 1.0 + r + r * rho + 1.0 / rho
    zero = max(1.0 - 1.0 / r, 0.0)
    mass = max(rho**2 - 1.0 / r, 0.0) / rho**2
    return LabelLaws(
        np.concatenate([[0.0], x, [outlier]]),
        np.concatenate([[zero], root / (r * x), [0.0]]),
        np.concatenate([[0.0], root / (r * rho * (outlier - x)), [mass]]),
    )


def training_error(network: InfiniteNetwork, mean_norm2: float, ratio: float, times: ArrayLike) -> Array:
    """E_t in the limit n, p -> inf, n/p = r, of two classes sqrt(p) x ~ N(y mu, I) with labels y = +-1.

    Parameters
    ----------
    network : of variance 1.
    mean_norm2, ratio : rho = |mu|^2 > 0 and r = n/p > 0.
    times : (t,) learning rate times time, eta t >= 0.

    Returns
    -------
    (t,) expected errors (1/2n) E|y - f_t|^2.

    Raises
    ------
    ValueError : an argument out of range, a network of another variance, or without tangent kernel.
    """
    if abs(network.variance - 1.0) > 1e-9:
        raise ValueError(f"The 'network' parameter must have variance 1. Got {network.variance:g} instead.")
    t = in_range("times", np.atleast_1d(np.asarray(times)), low=0.0)
    c = coefficients(network)[-1]
    if not np.isfinite(c.kappa):
        raise ValueError("The 'network' parameter must have a tangent kernel: one of its activations jumps.")
    laws = label_laws(mean_norm2, ratio)
    share = 1.0 / (1.0 + mean_norm2)
    start = (c.tau**2 - c.a1 + c.a1 * laws.x + share) * laws.trace + (1.0 - share) * laws.signal
    decay = np.exp(-2.0 * t[:, None] * (c.kappa**2 - c.b1 + c.b1 * laws.x))
    return np.asarray(0.5 * decay @ start)


def kernel_training_error(conjugate: ArrayLike, tangent: ArrayLike, y: ArrayLike, times: ArrayLike) -> Array:
    """E_t for given kernels, actual or linear: exact, by one eigendecomposition.

    Parameters
    ----------
    conjugate, tangent : (n, n) symmetric kernels; an all-zero conjugate kernel starts from f_0 = 0.
    y : (n,) targets.
    times : (t,) learning rate times time, >= 0.

    Raises
    ------
    ValueError : shapes that do not fit, or a time < 0.
    """
    ck, ntk, target = finite("conjugate", conjugate), finite("tangent", tangent), finite("y", y)
    if target.ndim != 1 or ck.shape != 2 * target.shape or ntk.shape != ck.shape:
        raise ValueError(
            "The 'conjugate', 'tangent' and 'y' parameters must have shapes (n, n), (n, n) and (n,). "
            f"Got {ck.shape}, {ntk.shape} and {target.shape} instead."
        )
    t = np.array([at_least("times", time, 0.0) for time in np.atleast_1d(np.asarray(times))])
    values, vectors = eigh(ntk)
    start = np.einsum("ij,ij->j", vectors, ck @ vectors) + (vectors.T @ target) ** 2
    return np.asarray(np.exp(-2.0 * np.outer(t, values)) @ start / (2.0 * target.size))
