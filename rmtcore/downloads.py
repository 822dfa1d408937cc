"""Downloads that say how far they are, do not wait for ever, and are not taken for complete when they are not."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

Hear = Callable[[int, int], None]  # bytes received, and of how many (0: unknown)

_ABANDONED = 3600.0  # seconds after which half a download belongs to nobody
_SITE = "www.openml.org"


class _Watch(urllib.request.BaseHandler):
    """Sees every request and response of urllib while it is installed."""

    handler_order = 100  # before those that send
    site = os.environ.get("RMT_OPENML", "").rstrip("/")  # a mirror of OpenML: scheme and host

    def __init__(self, hear: Hear, patience: float) -> None:
        self._hear, self._patience = hear, patience

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        """Give it a time-out, which scikit-learn does not, and send it to the mirror where there is one."""
        request.timeout = self._patience
        parts = urlsplit(request.full_url)
        if self.site and parts.hostname == _SITE:
            request.full_url = self.site + parts.path + (f"?{parts.query}" if parts.query else "")
        return request

    def http_response(self, _request: urllib.request.Request, response: HTTPResponse) -> HTTPResponse:
        """Count what is read of it."""
        length = response.headers.get("Content-Length") or ""
        total, received, read = int(length) if length.isdecimal() else 0, 0, response.read

        def counted(amount: int | None = -1) -> bytes:
            nonlocal received
            if total and received == total:
                return b""
            try:  # what has arrived, not waiting for the rest of it: a slow line is seen to move
                part = read() if amount is None or amount < 0 else response.read1(amount)
            except (OSError, HTTPException) as error:
                raise URLError(error) from error
            received += len(part)
            if received < total and (not part or amount is None or amount < 0):
                raise URLError(f"the connection ended after {received} of {total} bytes")
            self._hear(received, total)
            return part

        response.read = counted  # type: ignore[method-assign, assignment]
        return response

    https_request, https_response = http_request, http_response


@contextmanager
def watched(hear: Hear, patience: float = 20.0) -> Iterator[None]:
    """Within, `hear` is told of all that urllib receives, and a server that is silent for `patience` is given up."""
    before = urllib.request._opener  # type: ignore[attr-defined]  # there is a function to set it, and none to get it
    urllib.request.install_opener(urllib.request.build_opener(_Watch(hear, patience)))
    try:
        yield
    finally:
        urllib.request.install_opener(before)


@contextmanager
def alone(folder: Path, name: str, hear: Hear) -> Iterator[None]:
    """One process at a time downloads `name` into the folder; half downloads of those that were killed are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                hear(0, 0)
                time.sleep(0.2)
        for half in (folder / "openml").rglob("tmp*"):
            if half.is_dir() and time.time() - half.stat().st_mtime > _ABANDONED:
                shutil.rmtree(half, ignore_errors=True)
        yield
