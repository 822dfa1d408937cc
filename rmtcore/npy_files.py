"""Arrays as NumPy stores them, alone (.npy, NEP 1) or in a zip archive (.npz): headers first, never a pickle."""

from __future__ import annotations

import io
import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections import Counter
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

_HEADER = 10_000  # characters, NumPy's own bound
_CENTRAL = b"PK\x01\x02"  # one for each member of a zip archive
_DAMAGED = (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, zlib.error, RuntimeError, UnicodeError)


class Limits(NamedTuple):
    """What a file may be at most.

    Attributes
    ----------
    size : bytes of the file, and of one array unpacked.
    entries : numbers in one array.
    arrays : arrays in one file.
    expansion : how many times its compressed size a member of an archive may unpack to.
    """

    size: int = 32 << 20
    entries: int = 4_000_000
    arrays: int = 1000
    expansion: float = 200.0


class Header(NamedTuple):
    """What the header of an array announces."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]


def read_header(stream: IO[bytes]) -> Header:
    """The header of a .npy, with the stream left at the first number."""
    try:
        version = npy.read_magic(stream)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # written by Python 2
            header = Header(*read(stream, max_header_size=_HEADER))
    except KeyError:
        raise ValueError("The array's header has a version that plain numbers do not need.") from None
    except (
        ValueError,
        TypeError,
        SyntaxError,
        RecursionError,
        MemoryError,
        OverflowError,
        tokenize.TokenError,
        struct.error,
    ):
        raise ValueError("The array's header is damaged.") from None
    if any(isinstance(side, bool) or side < 0 for side in header.shape):
        raise ValueError(f"The array's header announces the shape {header.shape}.")
    return header


def read_array(raw: bytes) -> NDArray[Any]:
    """The array of a whole .npy, without a copy."""
    stream = io.BytesIO(raw)
    header = read_header(stream)
    count, start = math.prod(header.shape), stream.tell()
    needed, there = count * header.dtype.itemsize, len(raw) - start
    if there != needed:
        raise ValueError(f"The array's header announces {needed} bytes of numbers, but there are {there}.")
    return np.frombuffer(raw, header.dtype, count, start).reshape(header.shape, order="F" if header.fortran else "C")


def _open(data: bytes, limits: Limits) -> zipfile.ZipFile:
    if data.count(_CENTRAL) > limits.arrays + 1:  # each costs memory as soon as the archive is opened
        raise ValueError(f"The archive has more than {limits.arrays} members.")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (*_DAMAGED, struct.error, ValueError):
        raise ValueError("The archive is damaged.") from None
    members = archive.infolist()
    if not members:
        raise ValueError("The archive holds no arrays.")
    twice = [name for name, times in Counter(member.filename for member in members).items() if times > 1]
    if twice:
        raise ValueError(f"The archive has several members of the name '{twice[0]}'.")
    return archive


def archive_headers(data: bytes, limits: Limits) -> list[tuple[str, Header | str]]:
    """Names of the arrays of an archive with their headers, or what is wrong in words.

    Raises
    ------
    ValueError : damaged, empty, too many members, or two of the same name.
    """
    with _open(data, limits) as archive:
        return [_member(archive, member, limits) for member in archive.infolist()]


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limits: Limits) -> tuple[str, Header | str]:
    """What is wrong with one does not spoil the others."""
    name = member.filename.removesuffix(".npy")
    if not member.filename.endswith(".npy"):
        return name, "is no .npy array"
    if member.flag_bits & 1:
        return name, "is encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return name, "is compressed by a method that numpy.savez does not use"
    if member.file_size > limits.size + _HEADER:
        return name, f"unpacks to {member.file_size:,} bytes; at most {limits.size:,} are taken"
    if member.file_size > limits.expansion * max(member.compress_size, 1):
        return name, f"unpacks to more than {limits.expansion:g} times its size: a trap, or hardly any data"
    try:
        with archive.open(member) as stream:
            return name, read_header(io.BytesIO(stream.read(_HEADER + 16)))  # NumPy would read any length first
    except _DAMAGED:
        return name, "is damaged"
    except ValueError as error:
        return name, f"cannot be read: {error}".rstrip(".")


def archive_array(data: bytes, name: str) -> NDArray[Any]:
    """The numbers of one array of an archive whose header was accepted; ValueError where it is damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(f"{name}.npy") as stream:
            return read_array(stream.read())
    except _DAMAGED:
        raise ValueError(f"The array '{name}' is damaged.") from None
