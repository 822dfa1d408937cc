"""The one place that knows how Numba compiles the kernels of this package."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

# nnan and ninf are left out on purpose: poles and empty bulks must stay visible as inf and nan.
_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}


def cache_folder() -> Path | None:
    """Where compiled code is kept: NUMBA_CACHE_DIR or the user's cache; None where neither can be written.

    The folder is named after the text of the whole package: Numba itself notices only changes in the
    file of the kernel, not in the kernels that it calls.
    """
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or os.path.join(home, "rmtcore")) / digest.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None


_FOLDER = cache_folder()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` without the GIL; kept on disk where that is possible.

    Never parallel: Numba's work queue aborts the process when several server threads enter it.
    """
    before = numba.config.CACHE_DIR
    if _FOLDER is not None:
        numba.config.CACHE_DIR = str(_FOLDER)
    try:
        return numba.njit(nogil=True, fastmath=_FASTMATH, cache=_FOLDER is not None, error_model="numpy")(function)
    finally:
        numba.config.CACHE_DIR = before
