"""Where the files stand that the browser gets, and which version of them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from bokeh.settings import settings

_HERE = Path(__file__).parent


@cache
def assets() -> Path:
    """The folder of style, script and pictures: inside the installed package, or beside it in a checkout."""
    inside = _HERE / "assets"
    return inside if inside.is_dir() else _HERE.parent / "assets"


@cache
def version(name: str) -> str:
    """Makes a browser's cache notice a new file."""
    return _short_hash(assets() / name)


@cache
def mathjax() -> str:
    """Address of Bokeh's own MathJax, below the prefix: some megabytes that the page asks for once it is painted."""
    name = "js/bokeh-mathjax.min.js"
    return f"static/{name}?v={_short_hash(Path(settings.bokehjs_path()) / name)}"


def _short_hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:10]
