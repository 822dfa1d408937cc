"""The experiment of linearisation: arguments x'y/sqrt(n) of fresh vectors, for several dimensions n.

It stands apart from the labs because worker processes import it, and need none of the drawing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmtcore import draw_inner_products
from rmtcore.experiment import spawn_streams
from rmtcore.linearisation import Vectors

PAIRS = 1000  # of vectors a round, for every dimension


@dataclass(frozen=True, eq=False)
class Arguments:
    """Arguments t = x'y/sqrt(n) (dims, pairs), and as much standard normal noise for equivalents that carry some.

    In single precision: its rounding is nothing beside chance, and a visitor holds half as much.
    """

    dims: tuple[int, ...]
    values: NDArray[np.float32]
    noise: NDArray[np.float32]

    def join(self, other: Arguments) -> Arguments:
        """The pairs of both."""
        joined = (np.concatenate(parts, axis=1) for parts in ((self.values, other.values), (self.noise, other.noise)))
        return Arguments(self.dims, *joined)


def draw_arguments(dims: tuple[int, ...], vectors: Vectors, seed: int, index: int) -> Arguments:
    """Round `index` of `PAIRS` pairs x, y for every n in `dims`; a dimension draws the same whatever the others."""
    seeds = [(seed, index, n) for n in dims]
    values = [draw_inner_products(n, PAIRS, one, "clt", vectors) for n, one in zip(dims, seeds, strict=True)]
    noise = [spawn_streams(one, 2)[1].standard_normal(PAIRS) for one in seeds]  # the first stream drew the vectors
    return Arguments(dims, np.array(values, np.float32), np.array(noise, np.float32))
