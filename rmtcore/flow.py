"""Learning dynamics: test and training error in time, at any depth, the last layer being trained.

    >>> import numpy as np
    >>> from rmtcore import Network, Population, flow
    >>> curve = flow(Network(Population.identity(100), samples=200, noise=0.5), np.logspace(-2, 3, 6))
    >>> curve.test.round(3)
    array([1.495, 1.444, 1.077, 0.875, 0.992, 1.   ])

Gradient flow on the square loss filters the data as (1 - e^{-tx})/x, a contour integral of ridge fits at
lambda = -z. On the parabola of Weideman and Trefethen (2007) it takes the same few nodes at every time, and
two fits on the same data have the joint error E = (B + sigma2) / (1 - df2/n) with divided differences

    1 - df2/n = (lambda_1 - lambda_2) / (kappa_1 - kappa_2),   B = V - (kappa_1 T_2 - kappa_2 T_1) / (kappa_1 - kappa_2)

(Liao and Mahoney, arXiv:2506.13139, Remarks 11 and 13; Liao and Couillet, 2018, for the linear network).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from rmtcore.chain import companion, transfer
from rmtcore.checks import at_least, in_range, whole_numbers
from rmtcore.network import Network
from rmtcore.ridge import classified, ridge_errors
from rmtcore.spectrum import spectrum
from rmtcore.support import find_support

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

_NODES = 16  # half of them: the others are their conjugates
_SETTLED = 40.0  # e^-40 is nothing
_ASIDE = 1.3  # the second contour, so that kappa_1 never meets kappa_2
_FEW = 4 * _NODES  # steps; from here on they are a flow to the parabola
_SWUNG = 1e-16  # what is left in the largest direction when it no longer counts


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Errors in time.

    Attributes
    ----------
    times : (t,) as asked for.
    test, train : (t,) mean squared errors, label noise included.
    accuracy : (t,) for a mixture, share of test points classified rightly; nan otherwise.
    cut : whether the errors are approximate, as steps this large leave no room for a contour around a spike's band.
    """

    times: Array
    test: Array
    train: Array
    accuracy: Array
    cut: bool = False


@dataclass(frozen=True, eq=False)
class _Contour:
    """Nodes w (t, k) below the axis and weights dw/(2 pi i), counter-clockwise; the other half is conjugate.

    `left` is the share of an eigen-direction w that is not yet learned, e^{-tw} or (1 - step w)^k.
    """

    nodes: Complex
    weights: Complex
    left: Complex


@dataclass(frozen=True, eq=False)
class _Contours:
    """Two that never meet, for two fits at once; one for what decays twice as fast, and one for the initial weights."""

    near: _Contour
    far: _Contour
    double: _Contour
    initial: _Contour


def flow(network: Network, times: ArrayLike, start: float = 0.0) -> Trajectory:
    """Gradient flow d theta/dt = -grad of (1/2n)|y - F'theta|^2 + (ridge/2)|theta|^2.

    Parameters
    ----------
    times : (t,) positive times.
    start : variance s2 of the initial weights, theta_0 of independent N(0, s2/d) entries; 0 starts at zero.

    Raises
    ------
    ValueError : times not positive and finite, or start < 0.
    """
    t = np.atleast_1d(in_range("times", times, low=0.0, high=np.inf, strict=True)).astype(float)
    start = at_least("start", start, 0.0)
    # Once the slowest direction is learned nothing moves; later contours would only lose digits.
    active, fading = (np.minimum(t, _SETTLED / rate) for rate in (_slowest(network), _fading(network)))

    def contour(scale: float, clock: Array) -> _Contour:
        nodes, weights = _parabola(scale / clock)
        return _Contour(nodes, weights, np.exp(-nodes * clock[:, None]))

    found = _Contours(contour(1.0, active), contour(_ASIDE, active), contour(0.5, active), contour(0.5, fading))
    return _trajectory(network, t, found, start)


def descent(network: Network, step: float, counts: ArrayLike, start: float = 0.0) -> Trajectory:
    """Gradient descent with a fixed step size, after `counts` steps each; `times` of the result are step counts.

    The filter is (1 - (1 - step x)^k)/x. Few steps: one ellipse around the spectrum. Many: the parabola in
    -log(1 - step w)/step, where the steps are a flow again; at 1/step nothing is left by then. What still swings
    beyond it, x near 2/step, has the same parabola mirrored, since 1 - step w only changes its sign there.

    Parameters
    ----------
    step : step size in (0, 2/largest eigenvalue), see `stability_edge`.
    counts : (t,) numbers of steps, >= 1.

    Raises
    ------
    ValueError : step out of that range (the descent diverges), or counts < 1.
    """
    edge = stability_edge(network)
    step = float(in_range("step", step, low=0.0, high=edge, strict=True))
    asked = np.atleast_1d(whole_numbers("counts", counts, low=1.0))
    start = at_least("start", start, 0.0)
    # As in `flow`: once the slowest direction is learned, and the largest has stopped swinging, nothing moves.
    slowest = _fading(network) if start > 0 else _slowest(network)
    largest, cut = _enclosed(network, step, 2.0 / edge)
    slow, rate = 1.0 - min(step * slowest, 0.5), abs(1.0 - step * largest)
    k = np.minimum(asked, np.ceil(-_SETTLED / np.log(min(max(slow, rate), 1.0 - 1e-15))))
    swinging = step * largest > 1.0
    few = k <= max(_FEW, np.log(1e-9) / np.log(rate) if swinging and cut else 0.0)
    swings = ~few & (rate**k > _SWUNG) if swinging and not cut else np.zeros(k.size, bool)
    # A contour that cuts a band holds more or less of it, as it comes nearer: each number of steps keeps its own.
    groups = [k == count for count in np.unique(k[few])] if cut else [few]
    parts = np.empty((3, k.size))
    for some in groups:
        if some.any():
            parts[:, some] = _steps(network, step, k[some], start, largest, False)
    for some, both in ((swings, True), (~few & ~swings, False)):
        if some.any():
            parts[:, some] = _steps(network, step, k[some], start, None, both)
    return Trajectory(asked, parts[0], parts[1], parts[2], cut)


def _enclosed(network: Network, step: float, largest: float) -> tuple[float, bool]:
    """End of what a contour encloses, and whether it cuts the spectrum there.

    In the learning chain a spike is a narrow band around its eigenvalue `largest`. A step that would diverge on the
    upper part of that band, where no eigenvalue is, leaves that part out.
    """
    top = float(find_support(network.learning_chain()[0]).bulks[-1, 1]) + network.ridge
    if top <= (1.0 + 1e-9) * largest:
        return largest, False
    return (top, False) if step * top < 1.98 else (largest, True)


def _steps(network: Network, step: float, k: Array, start: float, largest: float | None, both: bool) -> Array:
    """Errors (3, t) after k steps, on ellipses around [0, largest], or on parabolas at zero or at both ends."""

    def contour(nodes: Complex, weights: Complex) -> _Contour:
        left = (1.0 - step * nodes).astype(complex)
        return _Contour(nodes, weights, np.exp(k[:, None] * np.log(left)))

    if largest is None:
        curves = [_bent(*_parabola(scale / (k * step)), step, both) for scale in (1.0, _ASIDE, 0.5)]
        near, far, double = (contour(*curve) for curve in curves)
    else:
        # The nearest ellipse that the largest number of steps asks for does for all: one set of fits.
        near, far = (contour(*_ellipse(float(k.max()), step, largest, width)) for width in (1.0, 1.6))
        double = near
    found = _trajectory(network, k, _Contours(near, far, double, double), start)
    return np.stack([found.test, found.train, found.accuracy])


def stability_edge(network: Network) -> float:
    """Step size 2/(largest eigenvalue + ridge) above which gradient descent diverges; outliers count."""
    law = spectrum(network, points=32)
    largest = max([float(law.bulks[-1, 1]), *(outlier.position for outlier in law.outliers)])
    return 2.0 / (largest + network.ridge)


def early_stopping(network: Network, shortest: float = 1e-3, longest: float = 1e8) -> tuple[float, float, float]:
    """The best time to stop gradient flow.

    Returns
    -------
    time, test error there, and the ridge whose fit has that test error on the way from none to best
    (nan where no ridge has it).
    """
    times = np.geomspace(shortest, longest, 56)
    test = flow(network, times).test
    for _ in range(6):  # each narrows the bracket fivefold
        best = int(np.argmin(test))
        low, high = times[max(best - 1, 0)], times[min(best + 1, times.size - 1)]
        times = np.geomspace(low, high, 11)
        test = flow(network, times).test
    best = int(np.argmin(test))
    return float(times[best]), float(test[best]), _equivalent_ridge(network, float(times[best]))


def _equivalent_ridge(network: Network, time: float) -> float:
    """The ridge with the same effective degrees of freedom left: lambda with the training error of that time."""
    goal = float(flow(network, [time]).train[0])

    def gap(exponent: float) -> float:
        other = Network(
            network.population, network.layers, samples=network.samples, noise=network.noise, ridge=10.0**exponent
        )
        return ridge_errors(other).train - goal

    middle = -np.log10(time)
    low, high = middle - 3.0, middle + 3.0
    return 10.0 ** float(brentq(gap, low, high)) if gap(low) < 0 < gap(high) else float("nan")


def _slowest(network: Network) -> float:
    """Smallest rate at which the data move anything: smallest non-zero eigenvalue plus ridge."""
    support = find_support(network.learning_chain()[0])
    return max(float(support.bulks[0, 0]), 1e-300) + network.ridge


def _fading(network: Network) -> float:
    """Smallest rate at which initial weights move: where the data are not, the ridge alone moves them."""
    return network.ridge if network.ridge > 0 else _slowest(network)


def _parabola(rates: Array) -> tuple[Complex, Complex]:
    """w(u) = -mu (iu + 1)^2 with mu = pi N/12 times a rate 1/t: around the whole positive axis, for e^{-tw}."""
    width = 3.0 / _NODES
    inner = 1.0 + 1j * ((np.arange(_NODES) + 0.5) * width)[None, :]
    mu = (np.pi * _NODES / 12.0 * rates)[:, None]
    return np.asarray(-mu * inner**2), np.asarray(-(width / np.pi) * mu * inner)


def _bent(nodes: Complex, weights: Complex, step: float, both: bool) -> tuple[Complex, Complex]:
    """The contour where -log(1 - step w)/step runs along the given one; with `both`, its mirror image, too."""
    bent, slopes = (-np.expm1(-step * nodes) / step).astype(complex), weights * np.exp(-step * nodes)
    if not both:
        return bent, slopes
    # The conjugate of the mirrored half lies below the axis again, and runs from left to right as the other one does.
    return np.concatenate([bent, 2.0 / step - bent.conj()], axis=1), np.concatenate([slopes, -slopes.conj()], axis=1)


def _ellipse(count: float, step: float, largest: float, width: float) -> tuple[Complex, Complex]:
    """An ellipse around [0, largest], so close to it that (1 - step w)^count stays of order one on it."""
    middle = 0.5 * largest
    half = middle + width * min(0.5 / (step * count), 0.5 * middle)
    thick = np.sqrt(half**2 - middle**2)
    number = int(30 + 12.0 * half / thick)
    angle = np.pi * (np.arange(number) + 0.5) / number
    nodes = middle - half * np.cos(angle) - 1j * thick * np.sin(angle)
    slope = half * np.sin(angle) - 1j * thick * np.cos(angle)
    weights = slope / (2j * number)
    return nodes[None, :].astype(complex), weights[None, :].astype(complex)


def _trajectory(network: Network, times: Array, contours: _Contours, start: float) -> Trajectory:
    """Errors of the filter (1 - left(x + ridge))/(x + ridge), by the contour integrals of ridge fits."""
    population, ridge, n = network.population, network.ridge, network.samples
    total = population.signal + network.noise + population.noise
    (w1, q1, e1), (w2, q2, e2), (w3, q3, e3) = (
        (one.nodes, one.weights, one.left) for one in (contours.near, contours.far, contours.double)
    )
    (k1, t1), (k2, t2) = (_fits(network, ridge - w) for w in (w1, w2))
    k3, t3 = (k1, t1) if contours.double is contours.near else _fits(network, ridge - w3)
    # test = V + sigma2 - 2 A + M, A and M the mean score against the target and the score's second moment.
    c1, c2 = q1 * e1 / w1, q2 * e2 / w2
    mean = 2.0 * np.sum(c1 * t1, axis=1).real
    w2, k2, t2, c2 = (np.concatenate([half, half.conj()], axis=1) for half in (w2, k2, t2, c2))
    pair = _joint((ridge - w1, k1, t1), (ridge - w2, k2, t2), total)
    second = 2.0 * np.sum((c1[:, None, :] @ pair)[:, 0, :] * c2, axis=1).real
    # train: the residual filter is (ridge + (w - ridge) left)/w, squared, less the part that closes at infinity.
    unfit = (total - t3) / k3
    # The cross term decays only half as fast: it belongs on the first contour.
    train = -2.0 * np.sum(q3 * ((w3 - ridge) * e3 / w3) ** 2 * unfit, axis=1).real
    if ridge > 0:
        cross = 2.0 * ridge * (w1 - ridge) * e1 / w1**2 * (total - t1) / k1
        train = train - 2.0 * np.sum(q1 * cross, axis=1).real
    if start > 0:
        spread, last = start * n / network.feature_dim, contours.initial
        lam4 = ridge - last.nodes
        k4 = k3 if last is contours.double else _fits(network, lam4)[0]
        weights = 2.0 * spread * last.weights * last.left**2
        second = second - np.sum(weights * (k4 / lam4 - 1.0), axis=1).real
        train = train - np.sum(weights * (1.0 - lam4 / k4), axis=1).real
    # Nothing learns less than the noise: below it there is only rounding.
    test = np.maximum(total - 2.0 * mean + second, total - population.signal)
    right = np.full(times.size, np.nan)
    if population.is_mixture:
        right = np.array([classified(a, m) for a, m in zip(mean, second, strict=True)])
    return Trajectory(times, test, np.maximum(train, 0.0), right)


def _fits(network: Network, lam: Complex) -> tuple[Complex, Complex]:
    """kappa_L and T of the ridge fits at complex lambda (t, k), neighbours started from each other."""
    chain, v = network.learning_chain()
    along = lam.T.ravel()  # a node moves little from one time to the next
    base, top, _, sure = companion(-along.real, along.imag, *chain)
    if not sure.all():
        raise ArithmeticError("A root of the chain could not be certified.")
    return top.reshape(lam.T.shape).T, transfer(base, chain.s, v).reshape(lam.T.shape).T


_Fits = tuple[Complex, Complex, Complex]  # lambda, kappa_L, T


def _joint(one: _Fits, other: _Fits, total: float) -> Complex:
    """Second moment of two fits' scores, E - (V + sigma2) + T_1 + T_2, for all pairs (t, i, j)."""
    lam1, k1, t1 = (part[:, :, None] for part in one)
    lam2, k2, t2 = (part[:, None, :] for part in other)
    apart = k1 - k2
    joint = (total - (k1 * t2 - k2 * t1) / apart) * apart / (lam1 - lam2)
    return np.asarray(joint - total + t1 + t2)
