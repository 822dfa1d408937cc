"""Who may come in: whether the server is ready, how many sessions there are, which connection is one of ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from bokeh.util.token import check_token_signature, get_session_id, get_token_payload

from app.metrics import Metrics

_LONGEST_TOKEN = 16_384
# When there is no room: pages that nobody has been connected to for so long make some. Their visitors, should
# they come back, find the settings in their address.
_ABANDONED = 20_000  # ms


class Gate:
    """Shared by the handlers of one server."""

    def __init__(self, workers: Any, most_sessions: int, secret: str) -> None:
        self.ready = False
        # Pages and messages are handled one in each turn of the loop, first come first served: between two of them
        # it answers everything else, so that what is short stays fast however many are in line.
        self.turn = asyncio.Lock()
        self.most_sessions = most_sessions
        self.contexts: Iterable[Any] = ()  # Bokeh's, one a lab
        self.metrics = Metrics(self.sessions, lambda: workers.status())
        self._secret = secret.encode()

    def sessions(self) -> int:
        """How many sessions live."""
        return sum(len(context._sessions) for context in self.contexts)

    async def has_room(self) -> bool:
        """Whether one more session may be opened."""
        if self.sessions() >= self.most_sessions:
            for context in self.contexts:
                await context._cleanup_sessions(_ABANDONED)
        return self.sessions() < self.most_sessions

    def refuse(self, reason: str) -> None:
        """Count a refusal."""
        self.metrics.refusals.labels(reason).inc()

    def genuine(self, token: str) -> bool:
        """Whether we have signed this token. Nothing of a stranger's is unpacked before that is known."""
        if len(token) > _LONGEST_TOKEN:
            return False
        try:
            return bool(check_token_signature(token, secret_key=self._secret, signed=True))
        except (ValueError, KeyError, TypeError, AttributeError, AssertionError, RecursionError):
            return False  # not even a token

    def alive(self, token: str, context: Any) -> bool:
        """Whether the session of a genuine token still lives, and the token has not expired."""
        expiry = get_token_payload(token).get("session_expiry", 0)
        return time.time() < expiry and get_session_id(token) in context._sessions
