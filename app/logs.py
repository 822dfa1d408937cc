"""The log: one line an event, with the number of its request, and nothing about who asked.

No addresses and no queries are written: what other libraries put into their messages is cut out here.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

from tornado.httputil import HTTPServerRequest
from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler
from tornado.websocket import WebSocketClosedError

request_id: ContextVar[str] = ContextVar("request_id", default="-")

_access = logging.getLogger("app.access")
_ADDRESS = re.compile(r"\(?\b(?:\d{1,3}\.){3}\d{1,3}\b\)?|\((?:[0-9a-fA-F]*:){2,}[0-9a-fA-F.]*\)|'::[0-9a-f:.]*'")
_REQUEST = re.compile(r"HTTPServerRequest\(.*?\)", re.DOTALL)
_QUERY = re.compile(r"\?[^\s'\"]+")
_KEY = re.compile(r"/upload/[^\s?'\"]+")
_LONGEST = 2000
_GIVEN_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


def clean(text: str) -> str:
    """A message without addresses, queries or keys, and not too long."""
    text = _REQUEST.sub("(request)", text)
    text = _KEY.sub("/upload/…", _QUERY.sub("?…", _ADDRESS.sub("(address)", text)))
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


class _Line(logging.Formatter):
    """For people."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(" ", "milliseconds")
        line = f"{time} {record.levelname} {record.name} [{request_id.get()}] {clean(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Json(logging.Formatter):
    """For machines: one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "request": request_id.get(),
            "message": clean(record.getMessage()),
        }
        said |= getattr(record, "fields", {})
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


def start(level: str, kind: str) -> None:
    """Log to the standard error, as lines for people ("human") or for machines ("json")."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if kind == "json" else _Line())
    logging.basicConfig(level=level, handlers=[handler])
    # A stranger's forged session or crafted message is no error of ours; /metrics counts them.
    for name in ("bokeh.server.views.session_handler", "bokeh.server.views.ws", "bokeh.protocol"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").addFilter(_is_no_farewell)


def _is_no_farewell(record: logging.LogRecord) -> bool:
    """Whether it is more than a page that was left while something was being written to it."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, (WebSocketClosedError, StreamClosedError))


def name_request(request: HTTPServerRequest) -> str:
    """The number of a request: the one a proxy gave it, or a new one."""
    found = getattr(request, "identity", None)
    if found is None:
        given = request.headers.get("X-Request-Id", "")
        found = given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
        request.identity = found  # type: ignore[attr-defined]
    return str(found)


def access(handler: RequestHandler) -> None:
    """Log a finished request: what was asked for and how it went, not by whom nor with what settings."""
    status, took = handler.get_status(), 1e3 * handler.request.request_time()
    # A path that we do not serve was made up by a stranger: it may hold anything.
    path = clean(handler.request.path.split("?")[0]) if status not in (404, 405) else "(unknown)"
    fields = {"method": handler.request.method, "path": path, "status": status, "ms": round(took, 1)}
    token = request_id.set(name_request(handler.request))
    level = logging.WARNING if status >= 500 and status != 503 else logging.INFO
    _access.log(level, "%s %s %d %.1f ms", *fields.values(), extra={"fields": fields})
    request_id.reset(token)
