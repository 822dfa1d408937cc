"""The page's scripts and styles, each in one file: a page asks for two instead of twenty-five."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from typing import NamedTuple

from tornado.web import RequestHandler

from app.files import assets

# In this order: those after app.js build on what it offers as `window.playground`.
SCRIPTS = (
    "figures.js",
    "math.js",
    "controls.js",
    "upload.js",
    "app.js",
    "connection.js",
    "formulas.js",
    "home.js",
    "access.js",
    "embed.js",
    "picture.js",
    "report.js",
    "share.js",
    "shortcuts.js",
    "presenter.js",
    "predict.js",
    "tour.js",
    "tour_editor.js",
)
STYLES = (
    "style.css",
    "formulas.css",
    "home.css",
    "access.css",
    "embed.css",
    "share.css",
    "tour.css",
    "presenter.css",
)
_TYPES = {"js": "text/javascript", "css": "text/css"}


class Bundled(NamedTuple):
    """A file as it is sent, and what makes a browser's cache notice a new one."""

    plain: bytes
    packed: bytes
    version: str


@cache
def bundle(kind: str) -> Bundled:
    """The scripts ("js") or the styles ("css")."""
    names = SCRIPTS if kind == "js" else STYLES
    plain = b"\n".join((assets() / name).read_bytes() for name in names)
    return Bundled(plain, gzip.compress(plain, mtime=0), hashlib.sha256(plain).hexdigest()[:10])


class Bundle(RequestHandler):
    """GET /bundle/page.js and /bundle/page.css; their version is in the query, so that they can be kept for good."""

    def get(self, kind: str) -> None:
        """Answer."""
        found = bundle(kind)
        self.set_header("Content-Type", f"{_TYPES[kind]}; charset=utf-8")
        known = self.get_query_argument("v", "") == found.version
        self.set_header("Cache-Control", "public, max-age=31536000, immutable" if known else "no-cache")
        self.set_header("Vary", "Accept-Encoding")
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.write(found.packed)
        else:
            self.write(found.plain)
