"""What answers a request: pages, their websockets, health, metrics, and friendly words where there is no page.

Panel's and Bokeh's own handlers do the work; these decide beforehand who gets there and what may be said.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from bokeh.protocol.exceptions import MessageError, ProtocolError, ValidationError
from bokeh.server.session import ServerSession
from panel.io.server import DocHandler, WSHandler
from tornado.web import RequestHandler

from app.gate import Gate
from app.limits import Bucket
from app.logs import name_request, request_id
from app.metrics import KINDS

_log = logging.getLogger(__name__)
RETRY = 10  # seconds
# Parts of messages, of which each message has three or more: a drag sends at most one message a frame.
_PARTS_A_SECOND, _PARTS_AT_ONCE, _PATIENCE = 200.0, 1000.0, 20.0
GONE, TOO_MUCH, BAD = 4404, 1008, 1002  # codes with which we close a websocket
_FORWARDED = ("X-Forwarded-For", "X-Real-Ip", "Forwarded", "Via")
_WORDS = {
    403: ("This is not yours", "The server does not give this to anyone who asks from there."),
    404: ("There is nothing here", "No page has this address. The labs are one click away."),
    405: ("That cannot be done here", "Pages can be read here, nothing else."),
    500: ("Something went wrong", "The server noticed and wrote it down. Trying again often helps."),
}
_STARTING = ("Starting", "The server has just been started. This page opens by itself in a few seconds.")
_FULL = (
    "All seats are taken",
    "As many visitors are here as the server can serve well. This page tries again by itself; "
    "your link, with all its settings, stays valid.",
)


@cache
def _frame() -> str:
    return (Path(__file__).parent / "words.html").read_text(encoding="utf-8")


def words(title: str, text: str, prefix: str, again: int = 0, reference: str = "") -> str:
    """A small page that only says something; after `again` seconds it asks anew."""
    refresh = f'<meta http-equiv="refresh" content="{again}">' if again else ""
    said = f" (Reference {escape(reference)})" if reference else ""
    return (
        _frame()
        .replace("{refresh}", refresh)
        .replace("{prefix}", escape(prefix))
        .replace("{title}", escape(title))
        .replace("{text}", escape(text) + said)
    )


class Polite(RequestHandler):
    """Errors in words, with a number that is in the log too; no traceback."""

    def write_error(self, status_code: int, **_: Any) -> None:
        """Called by Tornado in place of its own pages."""
        title, text = _WORDS.get(status_code, _WORDS[500 if status_code >= 500 else 403])
        reference = name_request(self.request) if status_code >= 500 else ""
        self.say(status_code, title, text, reference=reference)

    def say(self, status: int, title: str, text: str, again: int = 0, reference: str = "") -> None:
        """Answer with a small page."""
        self.set_status(status)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        if again:
            self.set_header("Retry-After", str(again))
        self.finish(words(title, text, self.application.prefix, again, reference))  # type: ignore[attr-defined]

    @property
    def gate(self) -> Gate:
        """The one of this server."""
        found: Gate = self.settings["gate"]
        return found


class Missing(Polite):
    """404 for whatever we do not serve."""

    async def prepare(self) -> None:
        """Whatever the method."""
        self.send_error(404)

    def check_xsrf_cookie(self) -> None:
        """There is nothing to protect."""


class Health(Polite):
    """Says that the process answers; with `warm`, 503 until it is warm."""

    def initialize(self, warm: bool) -> None:
        """Called by Tornado for every request."""
        self._warm = warm

    def get(self) -> None:
        """Answer."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        if self._warm and not self.gate.ready:
            self.set_status(503)
            self.set_header("Retry-After", "2")
            self.finish("not ready\n")
        else:
            self.finish("ok\n")


class Figures(Polite):
    """/metrics: for this machine only, unless the option says otherwise."""

    def initialize(self, public: bool) -> None:
        """Called by Tornado for every request."""
        self._public = public

    def get(self) -> None:
        """Answer, or deny that there is such a page."""
        if not (self._public or self._is_local()):
            self.send_error(404)
            return
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.finish(self.gate.metrics.text())

    def _is_local(self) -> bool:
        """Asked from this machine, and not by a proxy on it for somebody else."""
        if any(name in self.request.headers for name in _FORWARDED):
            return False
        try:
            return ipaddress.ip_address(self.request.remote_ip or "").is_loopback
        except ValueError:
            return False


def mark_failed(document: Any) -> None:
    """Note that the page of this document could not be built, for the request that asked for it."""
    context = document.session_context
    if context is not None and context.request is not None:
        context.request._request.failed = True


class PageHandler(Polite, DocHandler):
    """A lab's page, where there is room for one more visitor."""

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """The page, or a friendly word."""
        request_id.set(name_request(self.request))
        gate = self.gate
        if not gate.ready:
            gate.refuse("starting")
            self.say(503, *_STARTING, again=2)
        elif self._chooses():
            gate.refuse("chosen session")
            self.send_error(403)
        else:
            async with gate.turn:  # seats are counted in it, or all who wait would take the same one
                await self._enter(*args, **kwargs)
                await asyncio.sleep(0)

    async def _enter(self, *args: Any, **kwargs: Any) -> None:
        gate, lab = self.gate, self.application_context.url.strip("/")
        if not await gate.has_room():
            gate.refuse("full")
            self.say(503, *_FULL, again=RETRY)
            return
        gate.metrics.opens.labels(lab).inc()
        with gate.metrics.opening.labels(lab).time():
            await super().get(*args, **kwargs)  # type: ignore[misc]
        if getattr(self.request, "failed", False):
            self.send_error(500)

    def _chooses(self) -> bool:
        """Whether the link or the request wants a session of its own choice; nobody needs that here."""
        asked = self.request.arguments
        return "bokeh-token" in asked or "bokeh-session-id" in asked or "Bokeh-Session-Id" in self.request.headers


_READING = {"PULL-DOC-REQ": ServerSession.pull, "PATCH-DOC": ServerSession.patch}


class WireHandler(WSHandler):
    """A page's websocket: only for sessions that live, and only for what our page says."""

    async def prepare(self) -> None:
        """Refuse what is forged before there is a websocket."""
        request_id.set(name_request(self.request))
        self._bucket = Bucket(_PARTS_A_SECOND, _PARTS_AT_ONCE)
        self._gate: Gate = self.settings["gate"]
        offered = [part.strip() for part in self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        if len(offered) != 2 or offered[0] != "bokeh" or not self._gate.genuine(offered[1]):
            self._gate.refuse("forged")
            self.set_status(403)
            self.finish()
            return
        await super().prepare()

    def write_error(self, status_code: int, **_: Any) -> None:
        """No words: a websocket's handshake has no reader."""
        self.finish()

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """Connect to the session, which must be there: a page is opened by its page, not by its websocket."""
        if not self._gate.alive(self._token, self.application_context):
            self._gate.refuse("session gone")
            self.close(GONE, "This page is no longer open here")
            return None
        # Bokeh sends a message as three frames. With Nagle's algorithm the second waits until the browser's system
        # acknowledges the first, which it does after 40 ms: half of the frames of a drag.
        self.set_nodelay(True)
        return super().open(*args, **kwargs)

    async def on_message(self, fragment: str | bytes) -> None:
        """Take one part of a message; handle the message once it is complete."""
        wait = self._bucket.take()
        if self._bucket.held > _PATIENCE:
            self._hang_up(TOO_MUCH, "Too many messages", "flood")
            return
        if wait:  # Tornado reads no more from this connection meanwhile
            await asyncio.sleep(wait)
        connection = self.connection  # it may go while this message waits for its turn
        if connection is None or self.receiver is None:
            self._hang_up(BAD, "Too early", "protocol")
            return
        request_id.set(name_request(self.request))
        try:
            message = await self.receiver.consume(fragment)
            if message is None:
                return
            kind = allowed(message)
            async with self._gate.turn:
                start = time.perf_counter()
                reply = await _READING[message.msgtype](message, connection)
                seconds = time.perf_counter() - start
                await asyncio.sleep(0)
            if kind:
                lab = self.application_context.url.strip("/")
                self._gate.metrics.messages.labels(lab, kind).observe(seconds)
            # What changed the document gets no reply from us: our page does not wait for one.
            if reply is not None:
                await self.send_message(reply)
        except (MessageError, ProtocolError, ValidationError):
            self._hang_up(BAD, "Not a message of this page", "protocol")
        except Exception as error:  # whatever a crafted message makes Bokeh trip over: that is the sender's end
            _log.info("A websocket sent what cannot be handled: %s", type(error).__name__)
            self._hang_up(BAD, "Not a message of this page", "protocol")

    def _hang_up(self, code: int, reason: str, counted: str) -> None:
        if self.close_code is None and self.ws_connection is not None and not self.ws_connection.is_closing():
            self._gate.refuse(counted)
        self.close(code, reason)


_EVENTS = ("data_event", "document_ready", "client_reconnected")
_ECHOES = ("RootAdded", "TitleChanged")


def allowed(message: Any) -> str:
    """The kind of a page's message ("" for Bokeh's own); a ProtocolError for all that our page never sends.

    The page reads its document and sends events to the bridge. It never changes a model.
    """
    if message.msgtype == "PULL-DOC-REQ":
        return ""
    if message.msgtype != "PATCH-DOC" or not isinstance(message.content, dict) or message.buffers:
        raise ProtocolError("not expected")
    events = message.content.get("events")
    if not isinstance(events, list) or not 1 <= len(events) <= 8:
        raise ProtocolError("not expected")
    kind = ""
    # After a cut Bokeh's script reads the document anew, and then tells us of the root and title it has just read.
    events[:] = [one for one in events if not (isinstance(one, dict) and one.get("kind") in _ECHOES)]
    for event in events:
        if not isinstance(event, dict) or (event.get("kind"), event.get("msg_type")) != ("MessageSent", "bokeh_event"):
            raise ProtocolError("not expected")
        said = event.get("msg_data")
        if not isinstance(said, dict) or said.get("type") != "event" or said.get("name") not in _EVENTS:
            raise ProtocolError("not expected")
        if not _plain(said.get("values"), 12):
            raise ProtocolError("not expected")
        kind = kind or _kind(said)
    return kind


def _plain(value: Any, depth: int) -> bool:
    """Whether this is data and no more: Bokeh would make any model that a message describes."""
    if depth == 0:
        return False
    if isinstance(value, list):
        return all(_plain(one, depth - 1) for one in value)
    if isinstance(value, dict):
        kind = value.get("type")
        if kind == "map":
            return value.keys() <= {"type", "entries"} and _plain(value.get("entries", []), depth)
        return value.keys() == {"id"} or value == {} or (kind == "number" and isinstance(value.get("value"), str))
    return True


def _kind(event: dict[str, Any]) -> str:
    """What the page wants, as a word of a short list; "" where it is no message of the page."""
    if event["name"] != "data_event":
        return ""
    try:
        data = dict(event["values"]["entries"])["data"]
        said = dict(data["entries"])["type"]
    except (KeyError, TypeError, ValueError):
        return "other"
    return said if said in KINDS else "other"
