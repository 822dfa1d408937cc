"""A table of numbers out of text, as spreadsheets and programs write it.

Encodings: UTF-8, UTF-16 and UTF-32 by their mark, and Latin-1 where it is none of these. Separators: comma,
semicolon (with decimal points or commas), tab, bar, blanks. One line of column names may come first.
Whatever does not fit is named with its place; lines and columns are counted from 1.
"""

from __future__ import annotations

import codecs
import csv
import io
from array import array
from collections.abc import Callable, Iterator
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

_MARKS = (  # the longer ones first: UTF-32 starts like UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_MISSING = {"", "na", "n/a", "nan", "null", "none", "-", "?", "."}
_LOOKED_AT = 20  # first lines, which decide about the separator
_LONGEST = 1_000_000  # characters of a line: one long line would become millions of strings

Number = Callable[[str], float]
Table = tuple[NDArray[np.float64], tuple[str, ...], tuple[str, ...]]


def read_csv(data: bytes, entries: int) -> Table:
    """The numbers of a text (rows, columns), the names of the columns (may be empty), and notes in words.

    The numbers may still be infinite or NaN. `entries` is the most that are read.

    Raises
    ------
    ValueError : not text; ragged; a cell missing or no number, named with its place; fewer than 2 x 2 numbers
        or more than `entries`.
    """
    encoding = _encoding(data)
    separator, decimal = _dialect(data, encoding)
    rows = _rows(data, encoding, separator)
    line, first = next(rows)
    number = _converter(decimal, b"_" in data)
    columns = _header(first, number)
    body = rows if columns else chain([(line, first)], rows)
    values = _numbers(body, columns, len(first), number, entries)
    matrix = np.frombuffer(values, float).reshape(-1, len(first))
    notes = []
    if columns and not columns[0]:  # what pandas writes: the index has no name
        matrix, columns = matrix[:, 1:], columns[1:]
        notes.append("The first column has no name: it was taken for the numbers of the rows and left out.")
    if min(matrix.shape) < 2:
        raise ValueError(
            f"The table has {matrix.shape[0]} rows of numbers and {matrix.shape[1]} columns; at least 2 x 2 are needed."
        )
    if encoding == "latin-1":
        notes.append("The text is not UTF-8; it was read as Latin-1.")
    if decimal == ",":
        notes.append("Commas are read as decimal commas.")
    return matrix.copy(), columns, tuple(notes)


def _encoding(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    if b"\0" in data:
        raise ValueError("The file is not text: it holds zero bytes. Save it as CSV in UTF-8.")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _lines(data: bytes, encoding: str) -> Iterator[str]:
    """The text line by line, without a copy of the whole; lines end as on any system."""
    stream = io.TextIOWrapper(io.BytesIO(data), encoding=encoding, newline=None)
    try:
        while text := stream.readline(_LONGEST + 1):
            if len(text) > _LONGEST:
                raise ValueError(f"The file has a line of more than {_LONGEST:,} characters.")
            yield text
    except UnicodeError:
        raise ValueError(f"The text starts as {encoding.upper()} but does not go on so.") from None


def _dialect(data: bytes, encoding: str) -> tuple[str, str]:
    """Separator of cells and decimal sign, from the first lines."""
    seen = list(islice((text for text in _lines(data, encoding) if _says_something(text)), _LOOKED_AT))
    if not seen:
        raise ValueError("The file holds no rows.")
    sample = "".join(seen[1:] or seen)  # names of columns may hold any sign
    separator = next((sign for text in (sample, seen[0]) for sign in ";\t|," if sign in text), " ")
    return separator, "," if separator != "," and "," in sample and "." not in sample else "."


def _says_something(text: str) -> bool:
    """Neither blank nor a remark."""
    return bool(text.strip()) and not text.lstrip().startswith("#")


def _rows(data: bytes, encoding: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Every row that says something, with the number of its line."""
    if separator == " ":
        for line, text in enumerate(_lines(data, encoding), start=1):
            if _says_something(text):
                yield line, text.split()
        return
    reader = csv.reader(_lines(data, encoding), delimiter=separator, skipinitialspace=True)
    try:
        for cells in reader:
            if cells and not cells[0].startswith("#") and (cells[0].strip() or any(map(str.strip, cells))):
                yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(f"Line {reader.line_num} cannot be split into cells: {error}.") from None


def _converter(decimal: str, underscores: bool) -> Number:
    """float, with decimal commas where they are, and without what only Python writes (1_000)."""
    if decimal == "." and not underscores:
        return float

    def number(cell: str) -> float:
        if "_" in cell:
            raise ValueError(cell)
        return float(cell.replace(",", ".") if decimal == "," else cell)

    return number


def _is_number(cell: str, number: Number) -> bool:
    try:
        number(cell)
    except ValueError:
        return False
    return True


def _header(first: list[str], number: Number) -> tuple[str, ...]:
    """The names of the columns where the first row holds some, else nothing."""
    cells = [cell.strip() for cell in first]
    named = [cell for cell in cells if cell.lower() not in _MISSING and not _is_number(cell, number)]
    numbered = len(cells) > 1 and not cells[0] and all(_is_number(cell, number) for cell in cells[1:])
    return tuple(cells) if named or numbered else ()


def _numbers(
    rows: Iterator[tuple[int, list[str]]], columns: tuple[str, ...], width: int, number: Number, entries: int
) -> array[float]:
    """All numbers, row after row."""
    values = array("d")
    for line, cells in rows:
        if len(cells) != width:
            raise ValueError(f"Line {line} has {len(cells)} cells, but the first row has {width}.")
        if len(values) + width > entries:
            raise ValueError(f"The table has more than {entries:,} entries.")
        try:
            values.extend(map(number, cells))
        except ValueError:
            raise ValueError(_complaint(line, cells, columns, number)) from None
    return values


def _complaint(line: int, cells: list[str], columns: tuple[str, ...], number: Number) -> str:
    """Which cells of a row are no numbers, and which are missing."""
    wrong, missing = [], []
    for index, cell in enumerate(cells):
        where = f"column {index + 1}" + (f" ('{columns[index][:40]}')" if columns and columns[index] else "")
        if cell.strip().lower() in _MISSING:
            missing.append(where)
        elif not _is_number(cell, number):
            wrong.append(f"{where}: '{cell.strip()[:40]}'")
    if wrong:
        more = f", and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        return f"Line {line} has cells that are no numbers: {', '.join(wrong[:5])}{more}."
    more = f", and {len(missing) - 5} more" if len(missing) > 5 else ""
    return f"Line {line} has missing values: {', '.join(missing[:5])}{more}."
