"""Where the files stand that the browser gets, and which version of them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


@cache
def assets() -> Path:
    """The folder of style, script and pictures: inside the installed package, or beside it in a checkout."""
    inside = _HERE / "assets"
    return inside if inside.is_dir() else _HERE.parent / "assets"


@cache
def version(name: str) -> str:
    """Makes a browser's cache notice a new file."""
    return short_hash(assets() / name)


def short_hash(file: Path) -> str:
    """The beginning of a hash of what is in a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:10]
