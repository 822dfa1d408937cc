"""A visitor's file, opened safely: a matrix out of .npy, .npz, .csv or .safetensors.

    >>> import io, numpy
    >>> from rmtcore import contents, load
    >>> file = io.BytesIO()
    >>> numpy.savez(file, before=numpy.eye(3), bias=numpy.ones(3))
    >>> [(one.name, one.shape, one.usable) for one in contents(file.getvalue(), "net.npz")]
    [('before', (3, 3), True), ('bias', (3,), False)]
    >>> load(file.getvalue(), "net.npz").matrix.shape
    (3, 3)

Nothing in a file is executed (no pickles), nothing is written to disk, and what a header announces is held
against the limits before anything of that size is allocated. Every refusal is a ValueError whose sentence
is meant for the visitor. Formats: NumPy's NEP 1, zip archives as `numpy.savez` writes them, the safetensors
library, and text as spreadsheets write it (`rmtcore.csv_files`).
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from rmtcore.csv_files import read_csv
from rmtcore.npy_files import Header, Limits, archive_array, archive_headers, read_array, read_header

FORMATS = (".npy", ".npz", ".csv", ".safetensors")

_TENSORS_HEADER = 1 << 20  # bytes


class ArrayInfo(NamedTuple):
    """One array of a file, as its header describes it.

    Attributes
    ----------
    name : its name in the file; that of the file where it holds only one.
    shape, dtype : of the stored array; for text, the columns are counted only when it is loaded: shape ().
    problem : why it cannot be taken as a matrix, in words; empty where it can.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    problem: str = ""

    @property
    def usable(self) -> bool:
        """Whether it can be taken as a matrix, as far as the header tells."""
        return not self.problem


@dataclass(frozen=True, eq=False)
class Loaded:
    """A matrix from a file.

    Attributes
    ----------
    matrix : (rows, columns) float64, finite, at least 2 x 2.
    array : name of the array in the file.
    dtype : number type it was stored with.
    columns : names of the columns where the file has some, else empty.
    notes : what was done to it on the way, in words.
    """

    matrix: NDArray[np.float64]
    array: str
    dtype: str
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


_DEFAULT = Limits()


def contents(data: bytes, name: str, limits: Limits = _DEFAULT) -> tuple[ArrayInfo, ...]:
    """The arrays of a file, from the headers alone, in the order of the file (a .safetensors: by name).

    Parameters
    ----------
    data : the bytes of the file.
    name : its name; the ending says how it is read (one of `FORMATS`).

    Raises
    ------
    ValueError : too large, of another kind than its name says, damaged, or with too many arrays.
    """
    kind = _kind(data, name, limits)
    if kind == ".npz":
        return tuple(_info(*one, limits) for one in archive_headers(data, limits))
    if kind == ".safetensors":
        return tuple(info for info, _ in _tensors(data, limits))
    if kind == ".npy":
        return (_info(name, read_header(io.BytesIO(data)), limits),)
    return (ArrayInfo(name, (), "text"),)


def load(data: bytes, name: str, array: str | None = None, limits: Limits = _DEFAULT) -> Loaded:
    """One array of a file as a matrix of float64.

    An array of more than two dimensions (a convolution) is unfolded: its first dimension against all others.

    Parameters
    ----------
    data, name : as in `contents`.
    array : its name in a file of several; without one, the first that can be taken as a matrix.

    Raises
    ------
    ValueError : as `contents`; no such array; not a matrix of at least 2 x 2 finite real numbers.
    """
    kind = _kind(data, name, limits)
    if kind == ".csv":
        matrix, columns, notes = read_csv(data, limits.entries)
        return Loaded(_finite(matrix, columns), name, "text", columns, notes)
    table = contents(data, name, limits)
    chosen = _choose(table, name if kind == ".npy" else array)
    if chosen.problem:
        raise ValueError(f"The array '{chosen.name}' {chosen.problem}.")
    if kind == ".npy":
        stored = read_array(data)
    elif kind == ".npz":
        stored = archive_array(data, chosen.name)
    else:
        stored = next(make() for info, make in _tensors(data, limits) if info.name == chosen.name)
    return _as_matrix(stored, chosen)


def _kind(data: bytes, name: str, limits: Limits) -> str:
    """Ending of the name, once the first bytes agree with it."""
    if len(data) > limits.size:
        raise ValueError(f"The file has {_bytes(len(data))}; at most {_bytes(limits.size)} are taken.")
    if not data:
        raise ValueError("The file is empty.")
    kind = next((ending for ending in FORMATS if name.lower().endswith(ending)), "")
    if not kind:
        raise ValueError(f"Files of the kinds {', '.join(FORMATS)} are read. Got '{name}' instead.")
    found = _looks_like(data)
    expected = {".npy": "a NumPy array", ".npz": "a zip archive"}.get(kind, "")
    if kind == ".npz" and found == "an empty zip archive":
        raise ValueError("The archive holds no arrays.")
    if found != expected and (found or expected):
        raise ValueError(f"The name ends in {kind}, but the file is {found or 'something else'}.")
    return kind


def _looks_like(data: bytes) -> str:
    """What the first bytes say, for the kinds that people mix up."""
    starts = {
        b"\x93NUMPY": "a NumPy array",
        b"PK\x03\x04": "a zip archive",
        b"PK\x05\x06": "an empty zip archive",
        b"\x1f\x8b": "compressed with gzip",
        b"\x89HDF": "an HDF5 file",
        b"MATLAB": "a MATLAB file",
        b"\x89PNG": "a picture",
        b"%PDF": "a PDF",
        b"\x80\x02": "a pickle, which can run programs and is not opened",
        b"\x80\x03": "a pickle, which can run programs and is not opened",
        b"\x80\x04": "a pickle, which can run programs and is not opened",
        b"\x80\x05": "a pickle, which can run programs and is not opened",
    }
    # A safetensors file starts with the length of its header, which may look like any of these.
    if data[8:9] == b"{":
        return ""
    return next((words for start, words in starts.items() if data.startswith(start)), "")


# --- One array ------------------------------------------------------------------------------------


def _info(name: str, header: Header | str, limits: Limits) -> ArrayInfo:
    if isinstance(header, str):
        return ArrayInfo(name, (), "", header)
    return ArrayInfo(name, header.shape, header.dtype.str, _problem(header.shape, header.dtype, limits))


def _problem(shape: tuple[int, ...], dtype: np.dtype[Any], limits: Limits) -> str:
    """Why an array of this header is no matrix, in words; empty where it is one."""
    if dtype.names:
        return f"is a table of named fields ({', '.join(dtype.names[:5])}), not a matrix of numbers"
    if dtype.kind not in "biufc":
        what = {"O": "Python objects (a pickle), which can run programs and are not opened", "M": "dates"}
        what |= {"S": "text", "U": "text", "m": "time spans"}
        return f"holds {what.get(dtype.kind, 'no numbers')}"
    if len(shape) < 2:
        words = ("a single number", "one-dimensional")[len(shape)]
        return f"is {words}; a matrix has rows and columns"
    if min(shape[0], math.prod(shape[1:])) < 2:
        return f"has the shape {shape}; a matrix of at least 2 x 2 is needed"
    if math.prod(shape) > limits.entries:
        return f"has {math.prod(shape):,} entries; at most {limits.entries:,} are taken"
    if math.prod(shape) * dtype.itemsize > limits.size:
        return f"has {_bytes(math.prod(shape) * dtype.itemsize)}; at most {_bytes(limits.size)} are taken"
    return ""


def _choose(table: tuple[ArrayInfo, ...], array: str | None) -> ArrayInfo:
    if array is not None:
        for info in table:
            if info.name == array:
                return info
        names = ", ".join(f"'{info.name}'" for info in table[:10])
        raise ValueError(f"The file has no array '{array}', but {names}{' ...' if len(table) > 10 else ''}.")
    usable = [info for info in table if info.usable]
    if not usable:
        first = table[0]
        raise ValueError(f"No array of the file can be taken as a matrix: '{first.name}' {first.problem}.")
    return usable[0]


def _as_matrix(stored: NDArray[Any], info: ArrayInfo) -> Loaded:
    notes = []
    if stored.ndim > 2:
        stored = stored.reshape(stored.shape[0], -1)
        notes.append(f"Unfolded from {' x '.join(map(str, info.shape))} to {stored.shape[0]} x {stored.shape[1]}.")
    if stored.dtype.kind == "c":
        where = np.argwhere(stored.imag != 0)
        if where.size:
            raise ValueError(
                f"The array '{info.name}' is complex, with an imaginary part at {_place(where[0])}. "
                "Only real matrices are taken."
            )
        stored = stored.real
        notes.append("Stored as complex numbers whose imaginary parts are all zero.")
    elif stored.dtype.kind == "b":
        notes.append("True and false are taken as 1 and 0.")
    with np.errstate(over="ignore"):  # numbers beyond float64 become infinite, and are found below
        matrix = np.array(stored, np.float64, order="C")
    return Loaded(_finite(matrix), info.name, info.dtype, (), tuple(notes))


def _finite(matrix: NDArray[np.float64], columns: tuple[str, ...] = ()) -> NDArray[np.float64]:
    bad = ~np.isfinite(matrix)
    if bad.any():
        row, column = divmod(int(np.argmax(bad)), matrix.shape[1])
        value, count = matrix[row, column], int(bad.sum())
        named = f" ('{columns[column]}')" if columns else ""
        word = "NaN (no number)" if np.isnan(value) else "infinite"
        more = f" {count} entries are not finite in all." if count > 1 else ""
        raise ValueError(f"The entry at {_place((row, column))}{named} is {word}.{more}")
    return matrix


def _place(index: Any) -> str:
    return f"row {index[0] + 1}, column {index[1] + 1}"


def _bytes(count: int) -> str:
    return f"{count / (1 << 20):,.1f} MiB" if count >= 1 << 20 else f"{count:,} bytes"


# --- Safetensors -------------------------------------------------------------------------------------


def _tensors(data: bytes, limits: Limits) -> list[tuple[ArrayInfo, Callable[[], NDArray[Any]]]]:
    """Every tensor of a .safetensors, with a way to make its array; the library checks the whole layout."""
    if int.from_bytes(data[:8], "little") > min(_TENSORS_HEADER, len(data) - 8):
        raise ValueError("The header of the .safetensors file is longer than the file, or than 1 MiB.")
    try:
        stored = deserialize(data)
    except SafetensorError:
        raise ValueError("The .safetensors file is damaged: its header does not describe what follows.") from None
    if not stored:
        raise ValueError("The file holds no arrays.")
    if len(stored) > limits.arrays:
        raise ValueError(f"The file has {len(stored)} arrays; at most {limits.arrays} are taken.")
    return [_tensor(name, tensor, limits) for name, tensor in sorted(stored)]


def _tensor(name: str, tensor: dict[str, Any], limits: Limits) -> tuple[ArrayInfo, Callable[[], NDArray[Any]]]:
    code, shape = tensor["dtype"], tuple(tensor["shape"])
    known = {"BOOL": "?", "C64": "<c8", "BF16": "<u2"}
    known |= {f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)}
    known |= {f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)}
    if code not in known:
        return ArrayInfo(name, shape, code, f"holds numbers of the kind {code}, which are not read"), _never
    dtype = np.dtype(known[code])

    def make() -> NDArray[Any]:
        array = np.frombuffer(tensor["data"], dtype).reshape(shape)
        # bfloat16 is the upper half of a float32
        return (array.astype("<u4") << 16).view("<f4") if code == "BF16" else array

    return ArrayInfo(name, shape, code, _problem(shape, dtype, limits)), make


def _never() -> NDArray[Any]:
    raise AssertionError("an array with a problem is never made")
