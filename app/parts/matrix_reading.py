"""A visitor's file in a worker: its arrays, one of them as a matrix, and what is found in it.

It stands apart from the lab because worker processes import it, and need none of the drawing. A file that cannot
be read is no error: the answer is a `Refusal` with a sentence for the visitor.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from types import FrameType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.files import assets
from rmtcore import ArrayInfo, Diagnosis, Loaded, contents, diagnose, load
from rmtcore.npy_files import Limits
from rmtcore.spikes import count_spikes

Array = NDArray[np.float64]

SMALLEST = 21  # smaller side of a matrix that can be diagnosed
OPENING = 20.0  # seconds that opening a file may take


class How(NamedTuple):
    """How a matrix is taken.

    Attributes
    ----------
    reading : "weights" as stored, "rows" or "columns" of data, which are the samples.
    centre : whether the columns of weights lose their means; those of data always do.
    level : chance that white noise shows a first spike.
    seed : of permutation and bootstrap.
    entries : that a matrix may have.
    """

    reading: str = "weights"
    centre: bool = False
    level: float = 0.01
    seed: int = 1
    entries: int = Limits().entries


@dataclass(frozen=True)
class Refusal:
    """Why there is nothing to see, in a sentence."""

    reason: str


@dataclass(frozen=True, eq=False)
class Found:
    """What a file holds, and what its matrix looks like.

    Attributes
    ----------
    arrays : those that can be chosen, in the order of the file.  others : those that cannot.
    index : of the array that was taken.
    notes : what was done to it on the way, in words.
    diagnosis : of the matrix, data as (samples, variables).
    white_spikes : eigenvalues left out of the fits of Marchenko-Pastur.
    strays : eigenvalues of the permuted matrix that still stand above white noise.
    seconds : that it took.
    """

    arrays: tuple[ArrayInfo, ...]
    others: tuple[ArrayInfo, ...]
    index: int
    notes: tuple[str, ...]
    diagnosis: Diagnosis
    white_spikes: int
    strays: int
    seconds: float

    @property
    def array(self) -> ArrayInfo:
        """The array that was taken."""
        return self.arrays[self.index]


def read_example(array: str, how: How) -> Found | Refusal:
    """One array of the bundled example."""
    start = time.perf_counter()
    data = _example()
    table = contents(data, "weights.npz")
    index = [info.name for info in table].index(array)
    return _examine(load(data, "weights.npz", array), table, (), index, how, start)


def read_file(data: bytes, name: str, index: int, how: How, patience: float = OPENING) -> Found | Refusal:
    """Matrix number `index` of a file (the last where there are fewer), or why there is none.

    Parameters
    ----------
    data, name : the bytes of the file and its name.
    patience : seconds after which opening it is given up.
    """
    start = time.perf_counter()
    limits = Limits(entries=how.entries)
    try:
        with deadline(patience):
            table = contents(data, name, limits)
            arrays = tuple(info for info in table if info.usable and _is_large(info))
            if not arrays:
                return Refusal(_nothing(table))
            index = min(index, len(arrays) - 1)
            loaded = load(data, name, arrays[index].name, limits)
    except ValueError as refused:  # every sentence of the loader is meant for the visitor
        return Refusal(str(refused))
    except TooLong:
        return Refusal(f"Opening the file took more than {patience:g} seconds and was given up.")
    others = tuple(info for info in table if info not in arrays)
    return _examine(loaded, arrays, others, index, how, start)


def sides(info: ArrayInfo) -> tuple[int, int]:
    """Rows and columns once it is unfolded; (0, 0) of a text, whose size is known only when it is loaded."""
    return (info.shape[0], math.prod(info.shape[1:])) if info.shape else (0, 0)


def _is_large(info: ArrayInfo) -> bool:
    return not info.shape or min(sides(info)) >= SMALLEST


def _nothing(table: tuple[ArrayInfo, ...]) -> str:
    """Why none of the arrays can be diagnosed."""
    first = next((info for info in table if info.usable), table[0])
    why = first.problem or f"is {sides(first)[0]} × {sides(first)[1]}: both sides must be at least {SMALLEST}"
    more = f"; the {len(table) - 1} others are no better" if len(table) > 1 else ""
    return f"There is no matrix to look at. The array “{first.name}” {why}{more}."


def _examine(
    loaded: Loaded, arrays: tuple[ArrayInfo, ...], others: tuple[ArrayInfo, ...], index: int, how: How, start: float
) -> Found | Refusal:
    matrix, notes = loaded.matrix, loaded.notes
    if how.reading == "columns":
        matrix = matrix.T
    centre = how.reading == "weights" and how.centre
    rows, columns = matrix.shape
    if min(rows - centre, columns) < SMALLEST:
        least = SMALLEST + centre
        return Refusal(f"The matrix is {rows} × {columns}: it needs at least {least} rows and {SMALLEST} columns.")
    if centre:
        matrix = contrasts(matrix)
        notes = (*notes, "The columns have lost their means, and the matrix one degree of freedom.")
    try:
        found = diagnose(matrix, "weights" if how.reading == "weights" else "data", how.level, how.seed)
    except ValueError as refused:  # all zero, or too large or small for squares: it says so
        return Refusal(str(refused).replace("The 'matrix' parameter", "The matrix"))
    y, n, p = found.eigenvalues, found.rows, found.shape[1]
    white = count_spikes(y, n, p, how.level)
    strays = count_spikes(found.permuted, n, p, how.level)
    return Found(arrays, others, index, notes, found, white, strays, time.perf_counter() - start)


def contrasts(matrix: Array) -> Array:
    """(n - 1, p) rows orthogonal to the mean: the same Gram matrix W'W as that of (n, p) centred columns.

    A Householder reflection takes the mean into the first row, which is left out.
    """
    n = matrix.shape[0]
    mirror = np.full(n, 1.0 / np.sqrt(n))
    mirror[0] += 1.0
    return (matrix - np.outer(mirror, (2.0 / (mirror @ mirror)) * (mirror @ matrix)))[1:]


@lru_cache(maxsize=1)
def _example() -> bytes:
    """The bundled weights."""
    return (assets() / "examples" / "weights.npz").read_bytes()


class TooLong(BaseException):
    """No Exception, so that nothing on the way takes it for a damaged file."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raises `TooLong` once the time is up; for the main thread of a process, as workers run their tasks in it."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
