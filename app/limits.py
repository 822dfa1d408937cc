"""How much one visitor may ask, and how many there may be."""

from __future__ import annotations

import time
from collections.abc import Callable


class Bucket:
    """Lets through `rate` a second on average, and `burst` at once."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._left, self._seen = burst, clock()
        self.held = 0.0  # seconds of waiting since it last ran dry

    def take(self) -> float:
        """Take one; seconds to wait before it may be used."""
        now = self._clock()
        self._left = min(self._burst, self._left + self._rate * (now - self._seen))
        self._seen = now
        self._left -= 1
        wait = max(0.0, -self._left / self._rate)
        if self._left > self._burst / 2:
            self.held = 0.0
        self.held += wait
        return wait
