"""The experiment of the Equivalents lab: realisations of random matrices at several sizes, and one to look at.

It stands apart from the labs because worker processes import it, and need none of the drawing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rmtcore import Ensemble, collect, realise
from rmtcore.observations import Drawn, join

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Gathered:
    """What has been drawn so far.

    Attributes
    ----------
    shown : the matrix to look at and its linear equivalent, (N, N) each.
    rungs : realisations of every size, ascending.
    """

    shown: tuple[Array, Array]
    rungs: list[Drawn]

    def join(self, other: Gathered) -> Gathered:
        """One more round; the first matrix stays on show."""
        return replace(self, rungs=join(self.rungs, other.rungs))


def gather(shown: Ensemble, rungs: list[Ensemble], counts: list[int], seed: int, index: int) -> Gathered:
    """Round number `index` of realisations; the matrix on show is the one of the first round."""
    nothing = np.zeros((0, 0))
    pair = (nothing, nothing)
    if index == 0:
        actual = realise(shown, (seed, 0)).matrix
        pair = (actual, actual if shown.kind == "covariance" else realise(shown, (seed, 0), "linear").matrix)
    return Gathered(pair, collect(rungs, counts, seed, index))
