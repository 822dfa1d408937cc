"""One random matrix, three readings: drawn as it is, as its linear equivalent, and its deterministic equivalent.

    >>> from rmtcore import Ensemble, Layer, Network, Population, resolvent
    >>> network = Network(Population.mixture(8.0, dim=100), [Layer(300, "relu", normalise=True)], samples=200)
    >>> one = Ensemble("gram", network)
    >>> tuple(float(part.round(4)) for part in resolvent(one, -0.5))
    (0.9479, 0.174)

The matrices, N x N and symmetric: the covariance XX'/n of the data (N = p), the Gram matrix F'F/n of random
features (N = n), the kernel phi(X'X/sqrt(p))/sqrt(p) off the diagonal (N = n). Liao and Mahoney, arXiv:2506.13139,
Definitions 1 (high-dimensional equivalent), 2 (deterministic), 4 (eigenspectral functional) and 8 (linear).

Qbar is a deterministic equivalent of the resolvent Q(z) = (M - z)^-1 where (1/N) tr A(Q - Qbar) and a'(Q - Qbar)b
vanish for A, a, b of bounded norm; |Q - Qbar| in operator norm does not. With kappa_0 and kappa_L the roots of the
chain at z:

    covariance      Qbar = -(kappa_0/z) (C + kappa_0)^-1
    Gram, kernel    Qbar = g (I - h uu'), u = y/sqrt(n) the labels of two classes x = y mu + noise
                    g = 1/kappa_L,  h = l/(1 + l + kappa_0),       l = |mu|^2     (Gram)
                    g = m,          h = (l/(1 + l)) t m/(1 + t m), t = a_1 (1 + l) n/p     (kernel)

and m from the cubic of `rmtcore.convolution`. Without classes, or without a linear part, l counts as 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh, eigvalsh

from rmtcore.activation import Activation
from rmtcore.chain import companion, evaluate
from rmtcore.experiment import Reading, draw_data, draw_features, spawn_streams
from rmtcore.kernel_draws import inner_kernel
from rmtcore.kernels import KernelOutlier, kernel_spectrum
from rmtcore.network import Network
from rmtcore.spectrum import Outlier, Spectrum, spectrum

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Kind = Literal["covariance", "gram", "kernel"]
Function = Callable[[Any], Any]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)  # of the upper half of a contour
_NOTHING = 1e-12  # of the largest eigenvalue: what rounding leaves of a zero


@dataclass(frozen=True, eq=False)
class Ensemble:
    """A random symmetric matrix, and a fixed unit vector u to look at it along.

    Attributes
    ----------
    kind : "covariance" XX'/n, "gram" F'F/n, or "kernel" phi(X'X/sqrt(p))/sqrt(p) with zero diagonal, phi centred.
    network : data and layers; its ridge and noise play no part. Of a mixture the first half of the samples has the
        label +1, the other half -1.
    activation : phi of a kernel; None for the others.

    Raises
    ------
    ValueError : an unknown kind; a covariance or kernel with layers; a kernel without activation, or on data other
        than C = I or a mixture; an activation for another kind; real data.
    """

    kind: Kind
    network: Network
    activation: Activation | None = None

    def __post_init__(self) -> None:
        population = self.network.population
        if self.kind not in get_args(Kind):
            raise ValueError(f"The 'kind' parameter must be one of {', '.join(get_args(Kind))}. Got {self.kind!r}.")
        if self.kind != "gram" and self.network.layers:
            raise ValueError(f"The 'network' of a {self.kind} must have no layers. Got {len(self.network.layers)}.")
        if (self.activation is None) is (self.kind == "kernel"):
            raise ValueError(f"The 'activation' belongs to a kernel, and to no other. Got {self.activation!r} instead.")
        plain = population.is_mixture or bool(np.all(population.eigenvalues == 1.0))
        if self.kind == "kernel" and not plain:
            raise ValueError("The 'network' of a kernel must stand on C = I or a mixture.")
        if population.data is not None:
            raise ValueError("The 'network' must stand on a population that can be drawn. Got real data instead.")

    @property
    def size(self) -> int:
        """N."""
        return self.network.population.dim if self.kind == "covariance" else self.network.samples

    @property
    def separation(self) -> float:
        """|mu|^2 of the classes; 0 where there are none."""
        population = self.network.population
        return float(population.spikes[-1] - 1.0) if population.is_mixture and population.spikes.size else 0.0

    @property
    def labels(self) -> Array:
        """The classes (n,) of the samples: +1, then -1."""
        n = self.network.samples
        return np.where(np.arange(n) < (n + 1) // 2, 1.0, -1.0)

    @property
    def direction(self) -> Array:
        """u (N,), of norm 1, in the eigenbasis of C for a covariance (eigenvalues ascending).

        The labels of a Gram or kernel matrix; of a covariance the spike, or else all directions of the upper half.
        """
        if self.kind != "covariance":
            return self.labels / np.sqrt(self.size)
        spectrum, spikes = self.network.population.spectrum, self.network.population.spikes
        chosen = np.arange(self.size) >= self.size // 2 if spikes.size == 0 else spectrum == spikes[-1]
        if spikes.size and spikes[-1] == 1.0:  # classes that coincide are no direction
            chosen = np.arange(self.size) == self.size - 1
        return chosen / np.sqrt(chosen.sum())

    @cached_property
    def law(self) -> Spectrum:
        """The limiting spectrum, with its outliers."""
        network = self.network
        if self.activation is None:
            return spectrum(network, 200, "covariance" if self.kind == "covariance" else "gram")
        shape = network.population.dim, network.samples
        return kernel_spectrum(self.activation, *shape, 200, self.separation)

    @property
    def outliers(self) -> tuple[Outlier, ...]:
        """Those that leave the bulk."""
        return tuple(one for one in self.law.outliers if one.separated)

    @property
    def ends(self) -> tuple[float, float]:
        """Leftmost and rightmost point of the spectrum, outliers and an atom included."""
        law = self.law
        points = [*law.bulks.ravel(), *(one.position for one in self.outliers)]
        points += [law.atom_at] if law.atom > 0 else []
        return float(min(points)), float(max(points))


class Resolvent(NamedTuple):
    """(1/N) tr Qbar(z) and u'Qbar(z)u, of the shape of z."""

    trace: Any
    form: Any


def resolvent(ensemble: Ensemble, z: ArrayLike) -> Resolvent:
    """Deterministic equivalent of the resolvent (M - z)^-1, in its trace and along u.

    Parameters
    ----------
    z : array of any shape, complex, or real and left of the spectrum.

    Raises
    ------
    ValueError : z real and not left of the spectrum.
    ArithmeticError : a root could not be certified (never seen).
    """
    points = np.asarray(z, complex)
    real = points.imag == 0.0
    if np.any(real):
        left = ensemble.ends[0] if ensemble.kind == "kernel" or np.any(points.real[real] >= 0.0) else 0.0
        room = left - points.real[real]
        if np.any(room <= 0.0):
            raise ValueError(f"The 'z' parameter must be complex, or below {left:.6g}. Got {z!r} instead.")
        points = points.copy()
        # The real part at this height differs by its square only.
        points[real] += 1e-8j * room
    found = (_kernel if ensemble.kind == "kernel" else _chain)(ensemble, points.ravel())
    trace, form = (part.reshape(points.shape) for part in found)
    if np.all(real):
        return Resolvent(trace.real, form.real)
    return Resolvent(np.where(real, trace.real, trace), np.where(real, form.real, form))


def _roots(ensemble: Ensemble, z: Complex) -> tuple[Complex, Complex, Complex]:
    """kappa_0, kappa_L and dkappa_0/dz at complex z, of the limiting law: a spike has no mass."""
    chain = ensemble.network.chain()
    base, top, _, sure = companion(z.real, np.abs(z.imag), *chain)
    if not sure.all():
        raise ArithmeticError("A root of the chain could not be certified.")
    slope = np.array([-1.0 / evaluate(one, *chain)[1] for one in base])
    base, top, slope = (np.where(z.imag > 0, part.conj(), part) for part in (base, top, slope))
    return base, top, slope


def _chain(ensemble: Ensemble, z: Complex) -> tuple[Complex, Complex]:
    """Trace and form from the roots of the chain; the trace counts every spike with its weight 1/N.

    log det (M - z) is stationary in every kappa, so a spike adds to it only what it adds to sum log(s + kappa_0).
    """
    network, population = ensemble.network, ensemble.network.population
    base, top, slope = _roots(ensemble, z)
    s, counts = population.bulk()
    trace = 1.0 / top if ensemble.kind == "gram" else counts @ (-base / z / (s[:, None] + base)) / population.dim
    if not network.blind():
        usual = counts @ (1.0 / (s[:, None] + base)) / population.dim
        for spike in population.spikes:
            trace = trace - slope * (1.0 / (spike + base) - usual) / ensemble.size
    if ensemble.kind == "gram":
        lost = 0.0 if network.blind() else ensemble.separation / (1.0 + ensemble.separation + base)
        return trace, (1.0 - lost) / top
    # How much of u lies in every eigenspace.
    spaces = np.repeat(np.arange(population.counts.size), population.counts.astype(int))
    share = np.bincount(spaces, ensemble.direction**2)
    return trace, share @ (-base / z / (population.eigenvalues[:, None] + base))


def _kernel(ensemble: Ensemble, z: Complex) -> tuple[Complex, Complex]:
    """Trace and form from the cubic, with every planted rank one at its weight 1/n."""
    assert ensemble.activation is not None
    moments = ensemble.activation.moments(1.0)
    a, noise = moments.mu1, moments.mu_star2
    c = ensemble.network.population.dim / ensemble.network.samples
    # In w = 1/m it is c^2 w^3 + (c^2 z + a c) w^2 + (a c z + a^2 c + noise c) w + a noise = 0.
    matrices = np.zeros((z.size, 3, 3), complex)
    matrices[:, 0, 0] = -(z + a / c)
    matrices[:, 0, 1] = -(a * z + a**2 + noise) / c
    matrices[:, 0, 2] = -a * noise / c**2
    matrices[:, 1, 0] = matrices[:, 2, 1] = 1.0
    roots = np.linalg.eigvals(matrices)
    # Im m and Im z have one sign, and so for one root only.
    w = roots[np.arange(z.size), np.argmin(roots.imag * np.sign(z.imag)[:, None], axis=1)]
    m = 1.0 / w
    slope = -(m**2) / (-1.0 + a**2 * c / (c * w + a) ** 2 + noise / (c * w**2))
    trace, form = m, m
    for one in ensemble.law.outliers:
        assert isinstance(one, KernelOutlier)
        trace = trace - _planted(one.spike, m, slope) / ensemble.size
        if one.source == "labels":
            # It replaces a direction of the bulk.
            trace = trace + _planted(a / c, m, slope) / ensemble.size
            share = ensemble.separation / (1.0 + ensemble.separation)
            form = form * (1.0 - share * one.spike * m / (1.0 + one.spike * m))
    return trace, form


def _planted(strength: float, m: Complex, slope: Complex) -> Complex:
    """What a rank one of this strength takes from tr Q; its mean is taken off the diagonal, which stays zero."""
    return np.asarray(strength * slope / (1.0 + strength * m) - strength * slope)


def mean_matrix(ensemble: Ensemble) -> Array:
    """E M (N, N), the deterministic equivalent of M itself, where terms of M that do not add up are left out.

    A covariance has C (in its eigenbasis); a Gram matrix a multiple of the identity and, like a kernel, the rank one
    of its classes.
    """
    network = ensemble.network
    if ensemble.kind == "covariance":
        return np.diag(network.population.spectrum)
    if ensemble.activation is not None:
        total = 0.0
        along = ensemble.activation.moments(1.0).mu1 * ensemble.separation * network.samples / network.population.dim
    else:
        moments = network.moments()
        total = moments[-1].variance if moments else network.population.variance
        total *= network.feature_dim / network.samples
        chain, _ = network.learning_chain()
        along = 0.0 if network.blind() else float(np.prod(chain.a)) * ensemble.separation
    matrix = along * np.outer(ensemble.direction, ensemble.direction)
    np.fill_diagonal(matrix, total)
    return matrix


def resolvent_matrix(ensemble: Ensemble, z: float) -> Array:
    """Qbar(z) (N, N) at a real z left of the spectrum. Errors as in `resolvent`."""
    at = resolvent(ensemble, z)
    if ensemble.kind != "covariance":
        u = ensemble.direction
        return float(at.trace) * np.eye(ensemble.size) + float(at.form - at.trace) * np.outer(u, u)
    base = _roots(ensemble, np.array([z + 1e-8j * abs(z)]))[0].real[0]
    return np.diag(-base / z / (ensemble.network.population.spectrum + base))


class Functional(NamedTuple):
    """Eigenspectral functional of what a contour encloses: (1/N) sum f(x_i), and sum f(x_i) (u'v_i)^2."""

    trace: float
    form: float


def contour(left: float, right: float, height: float | None = None) -> tuple[Complex, Complex]:
    """Upper half of an ellipse from `right` to `left`: 96 nodes z and weights dz. A circle without `height`.

    Raises
    ------
    ValueError : left >= right.
    """
    if not left < right:
        raise ValueError(f"The 'left' parameter must be below 'right' = {right!r}. Got {left!r} instead.")
    angle, middle, half = 0.5 * np.pi * (_NODES + 1.0), 0.5 * (left + right), 0.5 * (right - left)
    up = half if height is None else height
    z = middle + half * np.cos(angle) + 1j * up * np.sin(angle)
    return z, 0.5 * np.pi * _WEIGHTS * (-half * np.sin(angle) + 1j * up * np.cos(angle))


def functional(
    ensemble: Ensemble, function: Function, left: float, right: float, height: float | None = None
) -> Functional:
    """-(1/2 pi i) times the integral of f(z) (1/N) tr Qbar(z) and of f(z) u'Qbar(z)u around [left, right].

    Parameters
    ----------
    function : f, vectorised, analytic inside the contour and real on the axis.
    left, right : where the contour crosses the axis: in a gap of the spectrum, or inside a bulk, where the integral
        counts up to there. Not at an atom.
    height : of the ellipse; a circle by default. What is enclosed does not depend on it.

    Raises
    ------
    ValueError : left >= right.
    """
    z, steps = contour(left, right, height)
    at = resolvent(ensemble, z)
    # The lower half is the complex conjugate: together 2i times the imaginary part of the upper one.
    steps = steps * function(z)
    return Functional(float(-(steps @ at.trace).imag / np.pi), float(-(steps @ at.form).imag / np.pi))


@dataclass(frozen=True, eq=False)
class Realisation:
    """One drawn matrix.

    Attributes
    ----------
    matrix : (N, N).  eigenvalues : (N,) ascending, exact zeros where the rank leaves some.
    weights : (N,) squared components (u'v_i)^2 on the eigenvectors; they sum to 1.
    """

    matrix: Array
    eigenvalues: Array
    weights: Array


def realise(ensemble: Ensemble, seed: int | tuple[int, ...], reading: Reading = "actual") -> Realisation:
    """Draw the matrix, or its linear equivalent on the same data and weights; u as in `Ensemble.direction`.

    A covariance is linear in the data already: both readings are the same.

    Raises
    ------
    ValueError : an unknown reading, or a bad seed.
    """
    if reading not in get_args(Reading):
        raise ValueError(f"The 'reading' parameter must be 'actual' or 'linear'. Got {reading!r} instead.")
    network = ensemble.network
    streams = spawn_streams(seed, 2 + 2 * len(network.layers))
    data, labels = draw_data(network.population, network.samples, streams[0])
    if network.population.is_mixture:
        data[-1] *= labels * ensemble.labels  # the law of each sample given the label wanted of it
    if ensemble.activation is not None:
        matrix = inner_kernel(ensemble.activation, data, streams[1] if reading == "linear" else None)
    else:
        features = draw_features(network, data, streams[2:], reading)
        rows = features if ensemble.kind == "covariance" else features.T
        matrix = rows @ rows.T / network.samples
    values, vectors = eigh(matrix, driver="evd", check_finite=False)
    if ensemble.kind != "kernel":
        values = np.where(values > _NOTHING * values[-1], values, 0.0)
    return Realisation(matrix, values, (ensemble.direction @ vectors) ** 2)


def enclosed(eigenvalues: Array, weights: Array, function: Function, left: float, right: float) -> tuple[Array, Array]:
    """The functionals of drawn matrices: (1/N) sum f(x_i) and sum f(x_i) (u'v_i)^2 over left < x_i < right.

    Parameters
    ----------
    eigenvalues, weights : (..., N).

    Returns
    -------
    trace form and quadratic form, (...) each.
    """
    inside = (eigenvalues > left) & (eigenvalues < right)
    values = np.where(inside, function(np.where(inside, eigenvalues, 0.5 * (left + right))), 0.0)
    return values.mean(axis=-1), np.sum(values * weights, axis=-1)


def distance(one: Array, other: Array) -> float:
    """Operator norm |one - other| of symmetric matrices: the largest |x| of an eigenvalue x of the difference."""
    return float(np.max(np.abs(eigvalsh(one - other, overwrite_a=True, check_finite=False))))
