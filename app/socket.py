"""The websocket between page and server."""

from __future__ import annotations

from typing import Any

from bokeh.server.urls import per_app_patterns
from panel.io.server import WSHandler


class Socket(WSHandler):
    """Panel's websocket, without Nagle's algorithm.

    Bokeh sends a message as three frames. Held back until the browser's system acknowledges the one before, which it
    does after 40 ms, the second frame made every second move of a drag late.
    """

    def open(self, *args: Any, **kwargs: Any) -> None:
        """Start without delay."""
        super().open(*args, **kwargs)
        if self.ws_connection is not None:  # None where the handshake was refused
            self.set_nodelay(True)


def install() -> None:
    """Make every page use it."""
    per_app_patterns[:] = [(path, Socket if handler is WSHandler else handler) for path, handler in per_app_patterns]
