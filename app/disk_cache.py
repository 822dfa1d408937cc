"""Finished results on disk, shared by servers and restarts; opened by no thread but one, and never trusted.

What is read must carry a signature made with the secret of this cache, over key and content. What does not
(damaged, or written by someone else) counts as absent and is removed. Results are pickles, so nothing may be
opened that was not written here; diskcache itself would unpickle what its database calls a pickle, so only
plain bytes are let through.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import logging
import os
import pickle
import secrets
import sqlite3
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar

import diskcache
from diskcache.core import MODE_BINARY, MODE_RAW

_log = logging.getLogger(__name__)
_SIGNATURE = hashlib.sha256().digest_size
_PATIENCE = 2.0  # seconds for another process that is writing
_TROUBLE = (OSError, sqlite3.Error, diskcache.Timeout, ValueError)
T = TypeVar("T")


class _PlainBytes(diskcache.Disk):
    """Reads bytes as they are, and nothing that would have to be unpickled."""

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        """The bytes of an entry."""
        if mode not in (MODE_RAW, MODE_BINARY) or read:
            raise ValueError("the entry is not made of plain bytes")
        if filename is not None and not Path(self._directory, filename).resolve().is_relative_to(self._directory):
            raise ValueError("the entry lies outside of the cache")
        return super().fetch(mode, filename, value, read)


class DiskCache:
    """Signed results in a folder, at most about `limit` bytes, the oldest go first.

    Nothing here raises: a disk that is full, gone or damaged is told in the log once, and the server works on
    without. The secret is the server's, or made and kept (0600) in the folder where there is none.
    """

    def __init__(self, folder: str | Path, limit: int = 2**30, secret: str = "") -> None:
        self._folder, self._limit, self._told = Path(folder).resolve(), limit, False
        self._cache: diskcache.Cache | None = None
        self._secret = b""
        self._attempt(lambda: self._open(secret))

    def _open(self, secret: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._secret = hashlib.sha256(secret.encode() if secret else _kept_secret(self._folder / "secret")).digest()
        self._cache = diskcache.Cache(
            str(self._folder / "results"),
            timeout=_PATIENCE,
            disk=_PlainBytes,
            size_limit=self._limit,
            eviction_policy="least-recently-stored",  # reading then writes nothing, not even on a full disk,
        )

    def name(self, key: Hashable) -> str:
        """What an entry is called: equal names mean equal keys of the same program."""
        return hashlib.sha256(_program() + pickle.dumps(key)).hexdigest()

    def get(self, name: str) -> bytes | None:
        """What is kept under the name; None if there is nothing, or nothing that can be trusted."""
        return self._attempt(lambda: self._read(name))

    def put(self, name: str, packed: bytes) -> None:
        """Keep it, if it can be done."""
        if (cache := self._cache) is not None:
            self._attempt(lambda: cache.set(name, self._sign(name, packed) + packed))

    def close(self) -> None:
        """Let go of the files."""
        if self._cache is not None:
            self._attempt(self._cache.close)

    def _read(self, name: str) -> bytes | None:
        if self._cache is None:
            return None
        try:
            found = self._cache.get(name)
        except ValueError:
            found = b""
        if found is None:
            return None
        if isinstance(found, bytes):
            signature, packed = found[:_SIGNATURE], found[_SIGNATURE:]
            if hmac.compare_digest(signature, self._sign(name, packed)):
                return packed
        _log.warning("an entry of the cache on disk is damaged: removed")
        self._cache.delete(name)
        return None

    def _sign(self, name: str, packed: bytes) -> bytes:
        return hmac.digest(self._secret, name.encode() + packed, "sha256")

    def _attempt(self, action: Callable[[], T]) -> T | None:
        try:
            return action()
        except _TROUBLE as error:
            if not self._told:
                self._told = True
                _log.warning("the cache on disk in %s cannot be used (%s): going on without", self._folder, error)
            return None


def _kept_secret(path: Path) -> bytes:
    """The secret of this folder, made by whoever comes first."""
    fresh = path.with_name(f"secret-{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(32))
    try:
        os.link(fresh, path)  # whole or not at all, and only where there is none
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    found = path.read_bytes()
    if len(found) != 32:
        raise ValueError("the secret of the cache is damaged")
    return found


@functools.cache
def _program() -> bytes:
    """A digest of the code: another version computes anew."""
    import rmtcore

    digest = hashlib.sha256()
    for folder in (Path(__file__).parent, Path(rmtcore.__file__).parent):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.digest()
