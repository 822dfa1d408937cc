"""The guided tours that come with us, for the browser."""

from __future__ import annotations

from tornado.web import RequestHandler

from app.files import assets
from app.tours import shipped_json


class ShippedTours(RequestHandler):
    """GET /tours.json: the guided tours by name."""

    def get(self) -> None:
        """Answer; a browser that has them already gets 304."""
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        self.write(shipped_json(assets() / "tours"))
