"""Finished results: in memory, and on disk where there is a folder for them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

from app.disk_cache import DiskCache
from app.memory_cache import MemoryCache


class Results:
    """A memory of at most `limit` bytes, and a disk that one thread reads and writes, never the loop."""

    def __init__(self, limit: int, disk: DiskCache | None) -> None:
        self.memory, self._disk = MemoryCache(limit), disk
        self._thread: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Be ready for the disk."""
        if self._disk is not None:
            self._thread = ThreadPoolExecutor(1, "disk")

    def stop(self) -> None:
        """Write what is still to be written."""
        if self._thread is not None and self._disk is not None:
            self._thread.submit(self._disk.close)
            self._thread.shutdown()
            self._thread = None

    def look(self, key: Hashable, found: Callable[[bytes | None], None]) -> bool:
        """Look on disk: whether there is one. `found` is then called in its thread."""
        if self._thread is None or self._disk is None:
            return False
        disk, name = self._disk, self._disk.name(key)
        self._thread.submit(lambda: found(disk.get(name)))
        return True

    def put(self, key: Hashable, packed: bytes) -> None:
        """Keep a result."""
        self.memory.put(key, packed)
        if self._thread is not None and self._disk is not None:
            self._thread.submit(self._disk.put, self._disk.name(key), packed)
