"""A visitor's file: each of many hostile and odd ones gives a clear sentence or the right matrix, and no harm."""

import io
import json
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from rmtcore import Limits, contents, load

NUMBERS = np.arange(12.0).reshape(3, 4) - 5.5


class Bomb:
    """Unpickling it writes a file."""

    mark = Path("executed-by-a-pickle")

    def __reduce__(self):
        return Path.touch, (self.mark,)


def npy(array, pickled=False):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=pickled)
    return file.getvalue()


def header(text, version=1, length=None):
    """A .npy header of any text, with any length announced."""
    raw = text.encode("latin-1")
    size = len(raw) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", size) + raw


def announce(shape, descr="'<f8'", order="False"):
    return header(f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n")


def npz(compressed=False, pickled=False, **arrays):
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, allow_pickle=pickled, **arrays)
    return file.getvalue()


def archive(members, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as target:
        for name, data in members:
            target.writestr(name, data)
    return file.getvalue()


def twice():
    """Two members of one name: NumPy takes the last, others the first."""
    data = archive([("a.npy", npy(NUMBERS)), ("b.npy", npy(NUMBERS))])
    return data.replace(b"b.npy", b"a.npy")


def encrypted():
    data = bytearray(npz(a=NUMBERS))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    return bytes(data)


def flipped(data, at):
    changed = bytearray(data)
    changed[at] ^= 0xFF
    return bytes(changed)


def tensors(described, body=b"", length=None):
    raw = described if isinstance(described, bytes) else json.dumps(described).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + body


def tensor(dtype, shape, offsets):
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def bfloat16(array):
    upper = (array.astype("<f4").view("<u4") >> 16).astype("<u2")
    return tensors(tensor("BF16", list(array.shape), [0, upper.nbytes]), upper.tobytes())


def text(array, **how):
    file = io.StringIO()
    np.savetxt(file, array, **how)
    return file.getvalue().encode()


def complaint(ask, data, name):
    """The sentence of the refusal, empty without one; anything but a ValueError passes through."""
    try:
        ask(data, name)
    except ValueError as error:
        return str(error)
    return ""


REFUSED = {
    # --- pickles and other things that are not what their name says
    "pickle as npy": (pickle.dumps(Bomb()), "a.npy", "a pickle, which can run programs"),
    "pickle as csv": (pickle.dumps(Bomb()), "a.csv", "a pickle, which can run programs"),
    "pickle of protocol 0 as npy": (pickle.dumps(Bomb(), 0), "a.npy", "but the file is something else"),
    "pickle as safetensors": (pickle.dumps(Bomb()), "a.safetensors", "a pickle|longer than the file"),
    "pickle by its name": (pickle.dumps(Bomb()), "a.pkl", "Files of the kinds .npy, .npz, .csv, .safetensors"),
    "pytorch by its name": (archive([("archive/data.pkl", pickle.dumps(Bomb()))]), "model.pt", "Files of the kinds"),
    "pytorch as npz": (archive([("archive/data.pkl", pickle.dumps(Bomb()))]), "model.npz", "is no .npy array"),
    "no ending": (npy(NUMBERS), "matrix", "Files of the kinds"),
    "ending in the middle": (npy(NUMBERS), "a.npy.exe", "Files of the kinds"),
    "objects": (npy(np.array([[Bomb(), 1], [2, 3]], object), True), "a.npy", "Python objects"),
    "objects in an archive": (npz(pickled=True, a=np.array([[Bomb(), 1]], object)), "a.npz", "Python objects"),
    "object lie": (announce((2, 2), "'|O'") + pickle.dumps([Bomb()] * 4), "a.npy", "Python objects"),
    "objects in a field": (announce((2, 2), "[('x', '|O')]") + bytes(32), "a.npy", "named fields"),
    "npz as npy": (npz(a=NUMBERS), "a.npy", "ends in .npy, but the file is a zip archive"),
    "npy as npz": (npy(NUMBERS), "a.npz", "ends in .npz, but the file is a NumPy array"),
    "spreadsheet as csv": (archive([("xl/workbook.xml", "<a/>")]), "a.csv", "is a zip archive"),
    "gzip as csv": (b"\x1f\x8b\x08" + bytes(20), "a.csv", "compressed with gzip"),
    "hdf5 as npy": (b"\x89HDF\r\n\x1a\n" + bytes(50), "a.npy", "an HDF5 file"),
    "picture as csv": (b"\x89PNG\r\n\x1a\n" + bytes(50), "a.csv", "a picture"),
    "safetensors as csv": (save({"a": NUMBERS}), "a.csv", "not text"),
    # --- headers that lie
    "empty npy": (b"", "a.npy", "The file is empty"),
    "magic only": (b"\x93NUMPY", "a.npy", "header is damaged"),
    "wrong magic": (b"\x93NUMPX\x01\x00" + bytes(100), "a.npy", "something else"),
    "version 9": (b"\x93NUMPY\x09\x00" + bytes(100), "a.npy", "header"),
    "version 3": (b"\x93NUMPY\x03\x00" + npy(NUMBERS)[8:], "a.npy", "version"),
    "header cut off": (npy(NUMBERS)[:40], "a.npy", "header is damaged"),
    "header of 4 GiB": (header("{}", 2, 2**32 - 1), "a.npy", "header is damaged"),
    "header of 60 kB": (header(" " * 60_000 + "{}"), "a.npy", "header is damaged"),
    "header with code": (header("__import__('pathlib').Path('executed-by-a-pickle').touch()\n"), "a.npy", "damaged"),
    "header of nested brackets": (header("(" * 9000 + "\n"), "a.npy", "damaged"),
    "header of nested minus": (header("-" * 9000 + "1\n"), "a.npy", "damaged"),
    "header without shape": (header("{'descr': '<f8', 'fortran_order': False}\n"), "a.npy", "damaged"),
    "header of a list": (header("[1, 2]\n"), "a.npy", "damaged"),
    "negative shape": (announce((-2, -3)) + bytes(48), "a.npy", r"announces the shape \(-2, -3\)"),
    "shape of truths": (announce("(True, 4)") + bytes(32), "a.npy", "announces the shape"),
    "shape of floats": (announce("(2.0, 3.0)") + bytes(48), "a.npy", "damaged"),
    "shape that is none": (announce("5") + bytes(48), "a.npy", "damaged"),
    "huge shape": (announce((10**6, 10**6)) + bytes(64), "a.npy", "1,000,000,000,000 entries; at most 4,000,000"),
    "shape that overflows": (announce((2**40, 2**40)) + bytes(64), "a.npy", "entries; at most 4,000,000 are taken"),
    "many dimensions": (announce((2,) * 60) + bytes(64), "a.npy", "entries; at most"),
    "unknown type": (announce((2, 3), "'<q99'") + bytes(48), "a.npy", "damaged"),
    "types within types": (announce((2, 3), "'(1000,1000)<f8'") + bytes(48), "a.npy", "holds no numbers"),
    "truncated": (npy(NUMBERS)[:-1], "a.npy", "announces 96 bytes of numbers, but there are 95"),
    "too long": (npy(NUMBERS) + b"\0", "a.npy", "announces 96 bytes of numbers, but there are 97"),
    "two arrays in one": (npy(NUMBERS) * 2, "a.npy", "announces 96 bytes"),
    # --- arrays that are no matrices of real numbers
    "one number": (npy(np.float64(3)), "a.npy", "a single number"),
    "one entry": (npy(np.ones((1, 1))), "a.npy", "at least 2 x 2"),
    "one dimension": (npy(np.ones(9)), "a.npy", "one-dimensional; a matrix has rows and columns"),
    "one row": (npy(np.ones((1, 9))), "a.npy", "at least 2 x 2"),
    "no rows": (npy(np.ones((0, 9))), "a.npy", "at least 2 x 2"),
    "no columns": (npy(np.ones((9, 0))), "a.npy", "at least 2 x 2"),
    "text": (npy(np.array([["a", "b"], ["c", "d"]])), "a.npy", "holds text"),
    "bytes": (npy(np.array([[b"a", b"b"], [b"c", b"d"]])), "a.npy", "holds text"),
    "dates": (npy(np.zeros((2, 2), "M8[s]")), "a.npy", "holds dates"),
    "time spans": (npy(np.zeros((2, 2), "m8[s]")), "a.npy", "holds time spans"),
    "named fields": (npy(np.zeros((2, 2), [("age", "f8"), ("name", "U9")])), "a.npy", "named fields .age, name."),
    "complex": (npy(NUMBERS * (1 + 2j)), "a.npy", "imaginary part at row 1, column 1"),
    "nan": (npy(np.where(NUMBERS == 0.5, np.nan, NUMBERS)), "a.npy", r"row 2, column 3 is NaN \(no number\)\.$"),
    "many nan": (npy(np.full((3, 3), np.nan)), "a.npy", "row 1, column 1 is NaN .* 9 entries"),
    "infinity": (npy(np.where(NUMBERS == 0.5, -np.inf, NUMBERS)), "a.npy", "row 2, column 3 is infinite"),
    "beyond float64": (npy(np.full((2, 2), np.longdouble("1e4000"))), "a.npy", "row 1, column 1 is infinite"),
    # --- archives
    "empty archive": (archive([]), "a.npz", "holds no arrays"),
    "truncated archive": (npz(a=NUMBERS)[:-30], "a.npz", "archive is damaged"),
    "archive of one signature": (b"PK\x03\x04", "a.npz", "archive is damaged"),
    "wrong checksum": (flipped(npz(a=NUMBERS), 200), "a.npz", "is damaged"),
    "broken stream": (flipped(npz(True, a=np.arange(4e3).reshape(2, -1)), 80), "a.npz", "damaged|cannot be read"),
    "zeros, a zip bomb": (npz(True, a=np.zeros((1000, 1000))), "a.npz", "more than 200 times its size"),
    "more than the limit": (
        archive([("a.npy", announce((2000, 1000)) + bytes(40 << 20))], zipfile.ZIP_DEFLATED),
        "a.npz",
        "unpacks to .* bytes; at most 33,554,432",
    ),
    "archive in an archive": (archive([("a.npz", npz(a=NUMBERS))]), "a.npz", "is no .npy array"),
    "bzip2": (archive([("a.npy", npy(NUMBERS))], zipfile.ZIP_BZIP2), "a.npz", "by a method that numpy.savez"),
    "lzma": (archive([("a.npy", npy(NUMBERS))], zipfile.ZIP_LZMA), "a.npz", "by a method that numpy.savez"),
    "encrypted": (encrypted(), "a.npz", "is encrypted"),
    "same name twice": (twice(), "a.npz", "several members of the name 'a.npy'"),
    "too many members": (archive([(f"{i}.npy", b"") for i in range(1500)]), "a.npz", "more than 1000 members"),
    "member with a lying header": (archive([("a.npy", announce((9, 9)))]), "a.npz", "announces 648 bytes"),
    "member without header": (archive([("a.npy", b"nothing")]), "a.npz", "header is damaged"),
    "only vectors": (npz(a=np.ones(3), b=np.ones(4)), "a.npz", "No array of the file .* 'a' is one-dimensional"),
    # --- safetensors
    "header longer than the file": (tensors({}, length=10**6), "a.safetensors", "longer than the file"),
    "header of 2^63": (tensors({}, length=2**63), "a.safetensors", "longer than the file"),
    "header of 2 MiB": (tensors(b"{" + b" " * (2 << 20) + b"}"), "a.safetensors", "or than 1 MiB"),
    "seven bytes": (b"\x02\0\0\0\0\0\0", "a.safetensors", "longer than the file|damaged"),
    "no json": (tensors(b"{hello}"), "a.safetensors", "is damaged"),
    "nested json": (tensors(b'{"a":' * 20_000), "a.safetensors", "is damaged"),
    "no tensors": (tensors({}), "a.safetensors", "holds no arrays"),
    "offsets beyond the end": (tensors(tensor("F64", [2, 2], [0, 32]), bytes(8)), "a.safetensors", "is damaged"),
    "offsets backwards": (tensors(tensor("F64", [2, 2], [32, 0]), bytes(32)), "a.safetensors", "is damaged"),
    "shape against offsets": (tensors(tensor("F64", [9, 9], [0, 32]), bytes(32)), "a.safetensors", "is damaged"),
    "shape overflow": (tensors(tensor("F64", [2**63, 2**63], [0, 32]), bytes(32)), "a.safetensors", "is damaged"),
    "negative length": (tensors(tensor("F64", [-2, -2], [0, 32]), bytes(32)), "a.safetensors", "is damaged"),
    "unknown kind": (tensors(tensor("F65", [2, 2], [0, 32]), bytes(32)), "a.safetensors", "is damaged"),
    "bytes left over": (tensors(tensor("F64", [2, 2], [0, 32]), bytes(40)), "a.safetensors", "is damaged"),
    "float8": (tensors(tensor("F8_E4M3", [2, 2], [0, 4]), bytes(4)), "a.safetensors", "of the kind F8_E4M3"),
    "tensor of one dimension": (save({"a": np.ones(4)}), "a.safetensors", "one-dimensional"),
    "tensor with nan": (save({"a": np.full((2, 2), np.nan)}), "a.safetensors", "is NaN"),
    # --- text
    "only blanks": (b" \n\n \t\n", "a.csv", "holds no rows"),
    "only remarks": (b"# nothing\n# here\n", "a.csv", "holds no rows"),
    "only names": (b"a,b\n", "a.csv", "0 rows of numbers and 2 columns"),
    "one column": (b"1\n2\n3\n", "a.csv", "3 rows of numbers and 1 columns"),
    "one line": (b"1,2,3\n", "a.csv", "1 rows of numbers and 3 columns"),
    "binary": (b"1,2\n3,\0\n", "a.csv", "zero bytes"),
    "utf-16 without mark": ("1,2\n3,4\n".encode("utf-16-le"), "a.csv", "zero bytes"),
    "utf-16 cut off": (b"\xff\xfe" + "1,2\n3,4".encode("utf-16-le")[:-1], "a.csv", "does not go on so"),
    "words": (b"x,name\n1,Bob\n2,Al\n", "a.csv", r"Line 2 .* no numbers: column 2 \('name'\): 'Bob'"),
    "words later": (b"x,y\n1,2\n2,three\n", "a.csv", r"Line 3 .* column 2 \('y'\): 'three'"),
    "missing": (b"x,y\n1,2\n3,\n", "a.csv", r"Line 3 has missing values: column 2 \('y'\)"),
    "missing by name": (b"1,2\nNA,4\n", "a.csv", "Line 2 has missing values: column 1"),
    "nan in text": (b"1,2\nnan,4\n", "a.csv", "row 2, column 1 is NaN"),
    "nan in a named column": (b"x,y\n1,2\n3,nan\n", "a.csv", r"row 2, column 2 \('y'\) is NaN"),
    "infinity in text": (b"1,2\ninf,4\n", "a.csv", "row 2, column 1 is infinite"),
    "overflow in text": (b"1,2\n1e999,4\n", "a.csv", "row 2, column 1 is infinite"),
    "complex in text": (b"1,2\n1+2j,4\n", "a.csv", "Line 2 .* no numbers"),
    "what only Python writes": (b"1,2\n1_000,4\n", "a.csv", "Line 2 .* no numbers"),
    "a formula": (b'1,2\n"=cmd|calc",4\n', "a.csv", "Line 2"),
    "ragged": (b"1,2,3\n4,5,6\n7,8\n", "a.csv", "Line 3 has 2 cells, but the first row has 3"),
    "open quote": (b'1,2\n"3,4\n' + b"5,6\n" * 40_000, "a.csv", "cannot be split into cells|cells, but"),
    "one long line": (b"1," * (5 << 20), "a.csv", "a line of more than 1,000,000 characters"),
    "too many entries": ((b"1," * 999 + b"1\n") * 4001, "a.csv", "more than 4,000,000 entries"),
    "too large": (b"1,2\n" * ((8 << 20) + 1), "a.csv", "has 32.0 MiB; at most 32.0 MiB"),
}

KINDS = ["?", "i1", "u1", ">i2", "<u4", ">i8", "u8", "<f2", ">f4", "<f8", ">f8", "<c8", ">c16", "g"]
WHOLE = np.array([[1.0, 0, 1, 1], [0, 0, 1, 0], [1, 1, 0, 0]])
TAKEN = {
    "plain": (npy(NUMBERS), "a.npy", NUMBERS),
    "upper case name": (npy(NUMBERS), "A.NPY", NUMBERS),
    "columns first": (npy(np.asfortranarray(NUMBERS)), "a.npy", NUMBERS),
    "a view": (npy(NUMBERS[::-1, ::2]), "a.npy", NUMBERS[::-1, ::2]),
    "version 2": (header(npy(NUMBERS)[10:128].decode(), 2) + NUMBERS.tobytes(), "a.npy", NUMBERS),
    "by Python 2": (announce("(3L, 4L)") + NUMBERS.tobytes(), "a.npy", NUMBERS),
    "convolution": (npy(np.arange(24.0).reshape(2, 3, 2, 2)), "a.npy", np.arange(24.0).reshape(2, 12)),
    "tiny numbers": (npy(NUMBERS * 1e-310), "a.npy", NUMBERS * 1e-310),
    "archive": (npz(a=NUMBERS), "a.npz", NUMBERS),
    "compressed archive": (npz(True, a=NUMBERS), "a.npz", NUMBERS),
    "first that is a matrix": (npz(bias=np.ones(3), w=NUMBERS), "a.npz", NUMBERS),
    "archive with a path": (archive([("net/../w.npy", npy(NUMBERS))]), "a.npz", NUMBERS),
    "archive after other bytes": (b"PK\x03\x04" + b"x" * 50 + npz(a=NUMBERS), "a.npz", NUMBERS),
    "a damaged neighbour": (archive([("b.npy", b"x"), ("c.txt", b""), ("a.npy", npy(NUMBERS))]), "a.npz", NUMBERS),
    "safetensors": (save({"a": NUMBERS}), "a.safetensors", NUMBERS),
    "bfloat16": (bfloat16(NUMBERS), "a.safetensors", NUMBERS),
    "safetensors float16": (save({"a": NUMBERS.astype("f2")}), "a.safetensors", NUMBERS),
    "safetensors truths": (save({"a": WHOLE.astype(bool)}), "a.safetensors", WHOLE),
    "safetensors integers": (save({"a": WHOLE.astype("i4")}), "a.safetensors", WHOLE),
    "safetensors with remarks": (save({"a": NUMBERS}, {"format": "pt"}), "a.safetensors", NUMBERS),
    "csv": (text(NUMBERS, delimiter=","), "a.csv", NUMBERS),
    "semicolons": (text(NUMBERS, delimiter=";"), "a.csv", NUMBERS),
    "decimal commas": (text(NUMBERS, delimiter=";").replace(b".", b","), "a.csv", NUMBERS),
    "tabs": (text(NUMBERS, delimiter="\t"), "a.csv", NUMBERS),
    "bars": (text(NUMBERS, delimiter="|"), "a.csv", NUMBERS),
    "blanks": (text(NUMBERS, fmt="%12.4f"), "a.csv", NUMBERS),
    "remarks": (text(NUMBERS, delimiter=",", header="one, two\nthree"), "a.csv", NUMBERS),
    "names": (b"a;b,c,d,e\n" + text(NUMBERS, delimiter=","), "a.csv", NUMBERS),
    "names in quotes": (b'"a, b",c,d,e\n' + text(NUMBERS, delimiter=","), "a.csv", NUMBERS),
    "pandas with index": (b",0,1\n0,1.5,2\n1,3,4\n", "a.csv", [[1.5, 2], [3, 4]]),
    "numbers in quotes": (b'"1","2"\n"3","4"\n', "a.csv", [[1, 2], [3, 4]]),
    "blank lines": (b"\n1,2\n\n3,4\n\n", "a.csv", [[1, 2], [3, 4]]),
    "blanks around": (b" 1 , 2\n 3 , 4 \n", "a.csv", [[1, 2], [3, 4]]),
    "exponents": (b"1e2,-2E-3\n+3,.5\n", "a.csv", [[100, -0.002], [3, 0.5]]),
    "dos lines": (b"1,2\r\n3,4\r\n", "a.csv", [[1, 2], [3, 4]]),
    "old mac lines": (b"1,2\r3,4", "a.csv", [[1, 2], [3, 4]]),
    "utf-8 with mark": (b"\xef\xbb\xbf1,2\n3,4\n", "a.csv", [[1, 2], [3, 4]]),
    "utf-16": ("x,y\n1,2\n3,4\n".encode("utf-16"), "a.csv", [[1, 2], [3, 4]]),
    "utf-16 big": (b"\xfe\xff" + "1;2\n3;4\n".encode("utf-16-be"), "a.csv", [[1, 2], [3, 4]]),
    "utf-32": ("1,2\n3,4\n".encode("utf-32"), "a.csv", [[1, 2], [3, 4]]),
    "latin-1": ("größe,y\n1,2\n3,4\n".encode("latin-1"), "a.csv", [[1, 2], [3, 4]]),
}
TAKEN |= {f"type {kind}": (npy(WHOLE.astype(kind)), "a.npy", WHOLE) for kind in KINDS}


def test_the_corpus_is_large():
    assert len(REFUSED) >= 60
    assert len(TAKEN) >= 50


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_reason(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data, name, reason = REFUSED[case]
    with pytest.raises(ValueError, match=reason) as caught:
        load(data, name)
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) < 400
    assert not list(tmp_path.iterdir()), "nothing is executed, nothing is written"


@pytest.mark.parametrize("case", REFUSED)
def test_the_table_of_contents_refuses_or_names_the_problem_without_harm(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data, name, _ = REFUSED[case]
    problem = complaint(contents, data, name)
    assert problem == "" or problem.endswith(".")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("case", TAKEN)
def test_taken_as_it_is(case):
    data, name, expected = TAKEN[case]
    found = load(data, name)
    np.testing.assert_array_equal(found.matrix, expected)
    assert found.matrix.dtype == np.float64
    assert found.matrix.dtype.isnative
    assert found.matrix.flags.c_contiguous
    assert found.matrix.flags.writeable
    assert any(one.usable for one in contents(data, name))


def test_the_table_of_contents():
    data = npz(bias=np.ones(3), layer1=np.ones((4, 5), ">f4"), layer2=np.ones((6, 4), "f2"))
    table = contents(data, "net.npz")
    assert [(one.name, one.shape, one.dtype, one.usable) for one in table] == [
        ("bias", (3,), "<f8", False),
        ("layer1", (4, 5), ">f4", True),
        ("layer2", (6, 4), "<f2", True),
    ]
    assert load(data, "net.npz", "layer2").matrix.shape == (6, 4)
    assert load(data, "net.npz", "layer2").array == "layer2"
    with pytest.raises(ValueError, match="has no array 'layer3', but 'bias', 'layer1', 'layer2'"):
        load(data, "net.npz", "layer3")
    with pytest.raises(ValueError, match="'bias' is one-dimensional"):
        load(data, "net.npz", "bias")
    data = save({"z": np.ones((2, 2)), "a.weight": np.ones((3, 2), "f2")})
    assert [(one.name, one.shape, one.dtype) for one in contents(data, "net.safetensors")] == [
        ("a.weight", (3, 2), "F16"),
        ("z", (2, 2), "F64"),
    ]
    assert load(data, "net.safetensors", "z").matrix.shape == (2, 2)


def test_what_was_done_is_said():
    assert "Unfolded from 2 x 3 x 2 x 2 to 2 x 12." in load(*TAKEN["convolution"][:2]).notes
    assert "imaginary parts are all zero" in load(*TAKEN["type <c8"][:2]).notes[0]
    assert "1 and 0" in load(*TAKEN["type ?"][:2]).notes[0]
    assert "left out" in load(*TAKEN["pandas with index"][:2]).notes[0]
    assert "decimal commas" in load(*TAKEN["decimal commas"][:2]).notes[0]
    assert "Latin-1" in load(*TAKEN["latin-1"][:2]).notes[0]
    assert load(*TAKEN["latin-1"][:2]).columns == ("größe", "y")
    assert load(*TAKEN["names in quotes"][:2]).columns == ("a, b", "c", "d", "e")
    assert load(*TAKEN["plain"][:2]).notes == ()


@pytest.mark.parametrize(
    ("limits", "data", "name", "reason"),
    [
        (Limits(size=100), npy(NUMBERS), "a.npy", "The file has 224 bytes; at most 100 bytes"),
        (Limits(entries=11), npy(NUMBERS), "a.npy", "12 entries; at most 11"),
        (Limits(entries=11), npz(a=NUMBERS), "a.npz", "12 entries; at most 11"),
        (Limits(entries=11), save({"a": NUMBERS}), "a.safetensors", "12 entries; at most 11"),
        (Limits(entries=11), text(NUMBERS, delimiter=","), "a.csv", "more than 11 entries"),
        (Limits(arrays=1), save({"a": NUMBERS, "b": NUMBERS}), "a.safetensors", "2 arrays; at most 1"),
        (Limits(arrays=1), npz(a=NUMBERS, b=NUMBERS, c=NUMBERS), "a.npz", "more than 1 members"),
        (Limits(expansion=1.5), npz(True, a=np.ones((50, 50))), "a.npz", "more than 1.5 times"),
        (Limits(size=20_000), npz(True, a=np.ones((60, 60))), "a.npz", "28.1|28,8|28,9"),
    ],
)
def test_every_limit_is_a_parameter(limits, data, name, reason):
    load(data, name)
    with pytest.raises(ValueError, match=reason):
        load(data, name, limits=limits)


def test_at_the_limits():
    assert load(npy(NUMBERS), "a.npy", limits=Limits(size=224, entries=12)).matrix.size == 12
    assert load(text(NUMBERS, delimiter=","), "a.csv", limits=Limits(entries=12)).matrix.size == 12
    assert load(npz(a=NUMBERS), "a.npz", limits=Limits(arrays=1)).matrix.size == 12


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.csv", "a.safetensors"])
@given(data=st.binary(max_size=300), seed=st.integers(0, 2**32 - 1), cut=st.floats(0, 1))
def test_any_bytes_are_refused_or_read(name, data, seed, cut):
    """Noise, noise after the right first bytes, and good files with a part of them replaced."""
    good = {"a.npy": npy(NUMBERS), "a.npz": npz(True, a=NUMBERS), "a.csv": text(NUMBERS, delimiter=",")}
    good["a.safetensors"] = save({"a": NUMBERS})
    at = int(cut * len(good[name]))
    rng = np.random.default_rng(seed)
    for attempt in (data, good[name][:at] + data, flipped(good[name], int(rng.integers(len(good[name]))))):
        if not complaint(load, attempt, name):
            found = load(attempt, name).matrix
            assert found.ndim == 2
            assert np.all(np.isfinite(found))


WORST = """
import ctypes, gc, io, json, struct, sys, zipfile
from rmtcore import contents, load
from test_files import announce, archive, header, npz, tensor, tensors
MIB = 1 << 20
def deep():  # a header of 30 MiB, compressed
    return archive([("a.npy", header(" " * (30 * MIB), 2))], zipfile.ZIP_DEFLATED), "a.npz"
def bomb():  # 64 MiB that compress to almost nothing
    return archive([("a.npy", announce((2000, 2000)) + bytes(64 * MIB))], zipfile.ZIP_DEFLATED), "a.npz"
def fields():
    return header("{'descr': [" + "('x', '<f8')," * 700 + "], 'fortran_order': False, 'shape': (2, 2)}"), "a.npy"
def many():
    one = {"dtype": "U8", "shape": []}
    described = {str(i): one | {"data_offsets": [i, i + 1]} for i in range(15000)}
    return tensors(json.dumps(described).encode(), bytes(15000)), "a.safetensors"
def wide():
    return tensors(tensor("U8", [2, 15 * MIB], [0, 30 * MIB]), bytes(30 * MIB)), "a.safetensors"
def half():
    return tensors(tensor("F16", [2000, 2000], [0, 8_000_000]), bytes(8_000_000)), "a.safetensors"
def members():
    return b"PK\\x03\\x04" + b"PK\\x01\\x02" * (7 * MIB) + npz(a=[[1.0]])[-22:], "a.npz"
def cells():
    return (b"11," * 330_000 + b"11\\n") * 30, "a.csv"
def line():
    return b"1," * (15 * MIB), "a.csv"
def quote():
    return b'"' + b"x" * (30 * MIB), "a.csv"
def signs():  # 32 bits a character as soon as one of them needs it
    return "\\U0001f600".encode() * (7 * MIB), "a.csv"
def status(key):
    return next(int(row.split()[1]) / 1024 for row in open("/proc/self/status") if row.startswith(key))
for make in (deep, bomb, fields, many, wide, half, members, cells, line, quote, signs):
    data, name = make()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    open("/proc/self/clear_refs", "w").write("5")  # the high-water mark starts anew
    before = status("VmRSS")
    for ask in (contents, load):
        try:
            ask(data, name)
        except ValueError as error:
            print("#", make.__name__, error)
    print(make.__name__, status("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads the high-water mark of memory from Linux")
def test_memory_stays_bounded():
    """The worst that fits into 32 MiB, one after another: at most 150 MiB more than the file itself.

    4 million float64 are 31 MiB; the most costly is a line of text whose cells become strings (500,000 of them).
    """
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", WORST],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(root), "HOME": str(Path.home())},
    )
    assert done.returncode == 0, done.stderr
    used = dict(line.split() for line in done.stdout.splitlines() if not line.startswith("#"))
    assert len(used) == 11
    assert max(map(float, used.values())) < 150, done.stdout
