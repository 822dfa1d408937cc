"""The limiting law of a chain, sampled bulk by bulk: a grid, the density on it, quadrature weights.

All of it is about the Gram matrix F'F/n; the feature covariance differs by a factor (see `spectrum`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rmtcore.chain import Array, Chain, evaluate, march
from rmtcore.support import Support

_LOG_SPAN = 30.0  # bulks wider than this ratio are sampled evenly in log x
_MASS_TOLERANCE = 2e-5
_MOST_POINTS = 6400


class Law(NamedTuple):
    """The continuous part of the law; grid (P,) ascending, touching every edge with density 0.

    The integral of f is sum f(grid) weights. residual: largest relative one; steps: Newton steps in all;
    certified: every point proven to lie on the right branch.
    """

    grid: Array
    density: Array
    weights: Array
    residual: float
    steps: int
    certified: bool


def sample_law(chain: Chain, support: Support, points: int) -> Law:
    """The law on about `points` points shared between the bulks: each at least 24, more where needed."""
    width = np.sqrt(support.bulks[:, 1] - support.bulks[:, 0])
    share = np.maximum(24, points * width / width.sum()).astype(int)
    parts = [_bulk(chain, support, index, int(count)) for index, count in enumerate(share)]
    return Law(
        np.concatenate([part.grid for part in parts]),
        np.concatenate([part.density for part in parts]),
        np.concatenate([part.weights for part in parts]),
        max(part.residual for part in parts),
        sum(part.steps for part in parts),
        all(part.certified for part in parts),
    )


def _bulk(chain: Chain, support: Support, index: int, count: int) -> Law:
    """One bulk, with as many points as its mass needs."""
    allowed = _MASS_TOLERANCE * support.counts.sum() / support.counts.size
    while True:
        if support.bulks[index, 0] == 0:
            part = _hard_bulk(chain, support, count)
        else:
            part = _soft_bulk(chain, support, index, count)
        # The rule converges fast once it resolves the bulk, whose mass is known exactly.
        if abs(part.weights.sum() * chain.n - support.counts[index]) < allowed or count >= _MOST_POINTS:
            return part
        count *= 2


def _soft_bulk(chain: Chain, support: Support, index: int, count: int) -> Law:
    """A bulk with two square-root edges: cosine nodes in x, or in log x where it is wide."""
    left, right = support.bulks[index]
    theta = np.pi * np.arange(1, count) / count
    if right > _LOG_SPAN * left:
        span = np.log(right / left)
        x = right * np.exp(-0.5 * span * (1.0 - np.cos(theta)))
        jacobian = 0.5 * span * np.sin(theta) * x
    else:
        x = right - 0.5 * (right - left) * (1.0 - np.cos(theta))
        jacobian = 0.5 * (right - left) * np.sin(theta)
    top, residual, steps, sure = _march(chain, support, index, x)
    density = np.abs((1.0 / top).imag) / np.pi
    weights = density * jacobian * (np.pi / count)
    grid = np.concatenate([[right], x, [left]])[::-1]
    inner = [np.concatenate([[0.0], values, [0.0]])[::-1] for values in (density, weights)]
    return Law(grid, inner[0], inner[1], float(residual.max()), int(steps.sum()), bool(sure.all()))


def _hard_bulk(chain: Chain, support: Support, count: int) -> Law:
    """The bulk that reaches zero, as x^-b: even in log x, down to where little mass is left."""
    right = support.bulks[0, 1]
    expected = support.counts[0] / chain.n
    angle = 0.5 * np.pi * np.arange(1, count + 1) / count
    span = 12.0
    while True:
        depth = span * (1.0 - np.cos(angle))
        x = right * np.exp(-depth)
        top, residual, steps, sure = _march(chain, support, 0, x)
        density = np.abs((1.0 / top).imag) / np.pi
        weights = density * x * span * np.sin(angle) * (0.5 * np.pi / count)
        # Below the last point the mass is a power of x: its exponent from the last two points.
        last = density[-2:] * x[-2:]
        exponent = np.log(last[0] / last[1]) / np.log(x[-2] / x[-1])
        rest = last[1] / exponent
        # The density may be thin for a stretch and thick again below it: the whole mass must be there.
        missing = abs(weights.sum() + rest - expected)
        if (rest < 1e-5 and missing < 1e-2 * expected) or span >= 300.0:
            break
        span *= 1.3
    weights[-1] = 0.5 * weights[-1] + rest
    grid = np.concatenate([[right], x])[::-1]
    inner = [np.concatenate([[0.0], values])[::-1] for values in (density, weights)]
    return Law(grid, inner[0], inner[1], float(residual.max()), int(steps.sum()), bool(sure.all()))


def _march(
    chain: Chain, support: Support, index: int, x: Array
) -> tuple[NDArray[np.complex128], Array, NDArray[np.int64], NDArray[np.bool_]]:
    """Roots along descending x, started from the square-root expansion at the right edge."""
    edge = support.kappa[index, 1]
    nudge = 1e-5 * abs(edge)
    slopes = [evaluate(complex(edge + side * nudge, 0.0), *chain)[1].real for side in (-1.0, 1.0)]
    curvature = (slopes[1] - slopes[0]) / (2.0 * nudge)
    rise = np.sqrt(2.0 * (support.bulks[index, 1] - x[0]) / max(-curvature, 1e-300))
    return march(x, complex(edge, rise), *chain)
