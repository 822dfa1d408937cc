"""Deep networks, first view: what theory says of kernels of infinite width through depth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.labs.deep_settings import SCHEMA, sizes
from app.labs.deep_view import scaled
from app.labs.learning_settings import number
from app.settings import Values
from rmtcore import (
    Coefficients,
    InfiniteNetwork,
    Mixture,
    Network,
    Population,
    Spectrum,
    coefficients,
    spectrum,
)

Array = NDArray[np.float64]

DEEPEST = int(SCHEMA.by_name["depth"].high)
BLIND = 1e-9  # a coefficient below is none


@dataclass(frozen=True, eq=False)
class Theory:
    """Coefficients up to the greatest depth, and the law of the kernel's bulk where one is known."""

    mixture: Mixture
    network: InfiniteNetwork
    rows: tuple[Coefficients, ...]
    depth: int
    law: Spectrum | None
    notices: tuple[str, ...]


def mixture_of(values: Values, p: int, n: int) -> Mixture:
    """Two classes that differ in mean, size and shape; the mean covariance is I."""
    mu = np.zeros((2, p))
    mu[:, 0] = np.sqrt(number(values, "mean_norm2")) * np.array([1.0, -1.0])
    side = np.where(np.arange(p) % 2 == 0, 1.0, -1.0)
    side[p - p % 2 :] = 0.0  # one direction too many
    shape, gap = number(values, "shape"), number(values, "gap") / np.sqrt(p)
    # A class of negative variance is none: in few dimensions the difference in size is smaller.
    gap = min(gap, 0.9)
    return Mixture(mu, [(1.0 + shape * side) * (1.0 - gap), (1.0 - shape * side) * (1.0 + gap)], [n - n // 2, n // 2])


@lru_cache(maxsize=256)
def network_of(activation: str, depth: int) -> InfiniteNetwork:
    """Normalised layers on data of variance 1."""
    return InfiniteNetwork([activation] * depth, 1.0, normalise=True)


@lru_cache(maxsize=64)
def rows_of(activation: str) -> tuple[Coefficients, ...]:
    """At every depth up to the greatest."""
    return coefficients(network_of(activation, DEEPEST))


@lru_cache(maxsize=64)
def _white(p: int, n: int) -> Spectrum:
    """Marchenko and Pastur's law of X'X, columns of X of norm about 1."""
    return scaled(spectrum(Network(Population.identity(p), samples=n), matrix="gram"), n / p)


def weights(row: Coefficients, which: str) -> tuple[float, float]:
    """Weight of X'X, and the diagonal."""
    return (row.a1, row.tau**2) if which == "ck" else (row.b1, row.kappa**2)


@lru_cache(maxsize=256)
def solve(settings: tuple[tuple[str, Any], ...], most_entries: int) -> Theory:
    """The theory at the settings that count."""
    values = dict(settings)
    p, n, notices = sizes(values, "size", most_entries)
    activation, depth = str(values["activation"]), int(values["depth"])
    rows = rows_of(activation)
    weight, size = weights(rows[depth], str(values["which"]))
    # Classes of other shapes have another bulk, and a kernel that keeps nothing of X'X has none.
    known = values["shape"] == 0.0 and weight > BLIND and np.isfinite(size)
    law = scaled(_white(p, n), weight, size - weight) if known else None
    return Theory(mixture_of(values, p, n), network_of(activation, depth), rows, depth, law, notices)
