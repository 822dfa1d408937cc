"""Visitors' files: over HTTP into the memory of their own session, and nowhere else."""

from __future__ import annotations

import secrets
from typing import Any

from tornado.web import HTTPError, RequestHandler, stream_request_body

from app.labs.base import Upload
from app.session import Session

_LONGEST_NAME = 200


class Uploads:
    """Which session a file goes to: each that takes one has a key that nobody can guess."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._takers: dict[str, Session] = {}

    def open(self, session: Session) -> str:
        """A key for a session; it must be closed when the session ends."""
        key = secrets.token_urlsafe(24)
        self._takers[key] = session
        return key

    def close(self, key: str) -> None:
        """Forget a session."""
        self._takers.pop(key, None)

    def taker(self, key: str) -> Session:
        """The session of a key; 404 for any other."""
        try:
            return self._takers[key]
        except KeyError:
            raise HTTPError(404, reason="This page is no longer open") from None


@stream_request_body
class UploadHandler(RequestHandler):
    """POST /upload/KEY?name=FILE with the file as body: 204, 404 (no such page) or 413 (too large)."""

    def initialize(self, uploads: Uploads) -> None:
        """Called by Tornado for every request."""
        self._uploads = uploads
        self._parts: list[bytes] = []

    def check_xsrf_cookie(self) -> None:
        """The key in the address does what Tornado's cookie would: no other site can know it."""

    def prepare(self) -> None:
        """Refuse before anything is read."""
        self._session = self._uploads.taker(self.path_args[0])
        size = self.request.headers.get("Content-Length", "")
        if self.request.method == "POST" and not (size.isdigit() and int(size) <= self._uploads.most_bytes):
            raise HTTPError(413, reason=f"A file may have at most {self._uploads.most_bytes / 2**20:.3g} MiB")

    def data_received(self, chunk: bytes) -> None:
        """Collect; Tornado holds the body to its declared length."""
        self._parts.append(chunk)

    def post(self, _key: str) -> None:
        """Hand the file over."""
        name = self.get_query_argument("name", "file")[:_LONGEST_NAME]
        self._session.attach(Upload(name, b"".join(self._parts)))
        self.set_status(204)

    def write_error(self, status_code: int, **_: Any) -> None:
        """The reason in words, and nothing else."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{self._reason}.\n")
