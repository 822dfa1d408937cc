"""Finished results in memory, as pickles: bounded by bytes, the least recently used goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable


class MemoryCache:
    """At most `limit` bytes of results."""

    def __init__(self, limit: int) -> None:
        self._limit, self.size = limit, 0
        self._entries: OrderedDict[Hashable, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> bytes | None:
        """What is kept under the key."""
        packed = self._entries.get(key)
        if packed is not None:
            self._entries.move_to_end(key)
        return packed

    def put(self, key: Hashable, packed: bytes) -> None:
        """Keep it, unless it alone is too large."""
        if len(packed) > self._limit:
            return
        self.size += len(packed) - len(self._entries.pop(key, b""))
        self._entries[key] = packed
        while self.size > self._limit:
            self.size -= len(self._entries.popitem(last=False)[1])
