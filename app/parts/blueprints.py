"""Blueprints kept on disk: composing all figures takes HoloViews a quarter of a minute, reading them a moment.

The file lies beside Numba's compiled kernels and is named after everything that decides what is in it: our own
sources, and the versions of the libraries that compose.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from app.labs.base import Lab
from app.parts.figure import Blueprint, blueprint, remember
from rmtcore.compiled import cache_folder

_log = logging.getLogger(__name__)
_LIBRARIES = ("bokeh", "holoviews", "numpy", "panel")


def compose(labs: Mapping[str, Lab], stopping: Callable[[], bool] = lambda: False) -> None:
    """Have every figure's blueprint in memory: from the file, or composed now and then kept."""
    file = _file()
    if file is not None and _read(file, labs):
        return
    for lab in labs.values():
        for declare in lab.figures.values():
            if stopping():
                return
            blueprint(declare)
    if file is not None:
        _write(file, labs)


def _file() -> Path | None:
    folder = cache_folder()
    if folder is None:
        return None
    digest = hashlib.sha256("".join(version(name) for name in _LIBRARIES).encode())
    for source in sorted(Path(__file__).parent.parent.rglob("*.py")):
        digest.update(source.read_bytes())
    return folder / f"blueprints-{digest.hexdigest()[:16]}.json"


def _read(file: Path, labs: Mapping[str, Lab]) -> bool:
    """Whether the file had all figures of all labs."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        found = {
            declare: Blueprint(one["document"], one["root"], frozenset(one["labels"]))
            for lab in labs.values()
            for name, declare in lab.figures.items()
            for one in [kept[lab.name][name]]
        }
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("The kept figures cannot be read and are composed anew: %s", error)
        return False
    for declare, one in found.items():
        remember(declare, one)
    return True


def _write(file: Path, labs: Mapping[str, Lab]) -> None:
    kept = {
        lab.name: {
            name: {**blueprint(declare)._asdict(), "labels": sorted(blueprint(declare).labels)}
            for name, declare in lab.figures.items()
        }
        for lab in labs.values()
    }
    try:
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf-8") as new:
            json.dump(kept, new)
        os.replace(new.name, file)  # at once: another process may be reading
    except OSError as error:
        _log.warning("The composed figures cannot be kept: %s", error)
