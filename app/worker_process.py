"""What runs inside a worker process: it begins, gets warm, computes, and says how far it has come.

The process is forked from a server that has everything loaded (`app.preloaded`), so a new one costs little.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple

import psutil

_SOON = 0.25  # seconds between two reports
_LONGEST_TEXT = 200  # letters: a short message goes through the pipe whole or not at all
_pipe: Connection | None = None  # to the server; in a worker only
_last = 0.0


@dataclass(frozen=True)
class Progress:
    """How far a task has come: done of total (0: unknown), and in words."""

    done: float = 0.0
    total: float = 0.0
    text: str = ""


class Answer(NamedTuple):
    """What comes back: whether the task succeeded, its pickled result or exception, bytes that the worker holds."""

    good: bool
    packed: bytes
    memory: int


def begin(pipe: Connection) -> None:
    """Prepare a new worker process."""
    global _pipe
    _pipe = pipe
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Exit when the parent is gone; the task queue would not tell, as the worker holds both its ends."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def warm_up(warm: bytes) -> None:
    """Run what warms this worker."""
    if (function := pickle.loads(warm)) is not None:
        function()


def report(done: float, total: float, text: str) -> None:
    """Tell whoever waits for the running task how far it is; not more than four times a second."""
    global _last
    now = time.monotonic()
    if _pipe is None or (now - _last < _SOON and done != total):
        return
    _last = now
    with contextlib.suppress(OSError):  # the server is gone, and this process follows it
        _pipe.send((float(done), float(total), text[:_LONGEST_TEXT]))


def run(task: bytes) -> Answer:
    """Compute a task."""
    global _last
    _last = 0.0
    good, packed = _compute(task)
    return Answer(good, packed, psutil.Process().memory_info().rss)


def _compute(task: bytes) -> tuple[bool, bytes]:
    try:  # pickled and unpickled here, since the standard pool dies of what cannot be unpickled on its way
        function, args = pickle.loads(task)
        packed = pickle.dumps(function(*args), pickle.HIGHEST_PROTOCOL)
        pickle.loads(packed)  # not all that can be pickled can be unpickled
        return True, packed
    except Exception as error:
        error.add_note(f"in a worker process:\n{traceback.format_exc()}")
        try:
            packed = pickle.dumps(error)
            pickle.loads(packed)
        except Exception:
            packed = pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
        return False, packed
