"""What a visitor takes away: settings in words, Python lines, and the QR code of a link."""

from __future__ import annotations

import io
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import segno
from bokeh.server.util import check_allowlist
from tornado.ioloop import IOLoop
from tornado.web import HTTPError, RequestHandler

from app.labs import LABS
from app.labs.base import Lab
from app.settings import Values

LONGEST_LINK = 600  # letters; a code of more is too fine for a camera in the last row
_MODULE = 10  # of the picture, in its own units: it has no size of its own


@cache
def release() -> str:
    """Name and version of this program."""
    return f"RMT Playground {version('rmt-playground')}"


def sheet(lab: Lab, values: Values, python: str) -> dict[str, Any]:
    """What goes with every picture, file and report: who made it, from which settings, and how to make it again."""
    schema = lab.schema
    resolved = schema.resolved(values)
    settings = [
        {
            "name": one.name,
            "label": one.label,
            "symbol": one.symbol,
            "unit": one.unit,
            "value": resolved[one.name],
            "text": one.show(resolved[one.name]) if one.kind != "flag" else "on" if resolved[one.name] else "off",
            "shown": one.group != "legend",
        }
        for one in schema.settings
        if schema.shown(one.name, resolved)
    ]
    return {"lab": lab.name, "title": lab.title, "release": release(), "settings": settings, "python": python}


@lru_cache(maxsize=256)
def qr_svg(link: str) -> bytes:
    """The QR code of a link: dark on white in any theme, for cameras ask for that."""
    code = segno.make(link, error="l", boost_error=True, micro=False)
    out = io.BytesIO()
    code.save(out, kind="svg", scale=_MODULE, border=4, dark="#000000", light="#ffffff", omitsize=True, xmldecl=True)
    return out.getvalue()


class QRCode(RequestHandler):
    """The QR code of one of our own pages, as the browser sees its address."""

    def initialize(self, prefix: str) -> None:
        """Under which path the pages are."""
        self._prefix = prefix

    async def get(self, name: str) -> None:
        """A link to the lab `name` at the address `origin` with the query `query`; nothing else is encoded."""
        link = self.link(name, self._argument("origin"), self._argument("query"))
        svg = await IOLoop.current().run_in_executor(None, qr_svg, link)
        self.set_header("Content-Type", "image/svg+xml")
        self.set_header("Content-Security-Policy", "default-src 'none'")
        self.set_header("Cache-Control", "private, max-age=3600")
        self.finish(svg)

    def _argument(self, name: str) -> str:
        return self.get_query_argument(name, "", strip=False)

    def link(self, name: str, origin: str, query: str) -> str:
        """The link; an HTTPError where it is none of ours, or too long."""
        if name not in LABS:
            raise HTTPError(404)
        try:
            parts = urlsplit(origin)
            host = parts.netloc
        except ValueError as error:
            raise HTTPError(400, "bad origin") from error
        ours = parts.scheme in ("http", "https") and origin == f"{parts.scheme}://{host}" and self._is_ours(host)
        if not ours or not query.isascii() or any(letter <= " " or letter == "#" for letter in query):
            raise HTTPError(400, "not one of our links")
        link = f"{origin}{self._prefix}/{name}" + (f"?{query}" if query else "")
        if len(link) > LONGEST_LINK:
            raise HTTPError(414, "link too long")
        return link

    def _is_ours(self, host: str) -> bool:
        """Whether a page at this host would be served: what it was asked at, or one of the allowed origins."""
        allowed: set[str] = self.application.websocket_origins  # type: ignore[attr-defined]  # of Bokeh's Tornado
        return host == self.request.host or check_allowlist(host.lower(), list(allowed))
