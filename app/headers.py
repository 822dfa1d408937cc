"""What the browser is told about our pages: on every response, of whichever handler."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

from app.logs import name_request

_FIXED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def nonce_of(request: HTTPServerRequest) -> str:
    """The word that lets the scripts written into this one page run."""
    found = getattr(request, "nonce", None)
    if found is None:
        found = secrets.token_urlsafe(16)
        request.nonce = found  # type: ignore[attr-defined]
    return str(found)


def policy(nonce: str, frames: Sequence[str]) -> str:
    """The content security policy.

    Nothing from elsewhere, no eval; inline scripts only with the nonce. Panel loads the bridge's few lines as a
    module from a blob, Bokeh writes style elements, and its canvases are saved through blobs.
    """
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}' blob:",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' blob:",
            "media-src 'self' blob:",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "object-src 'none'",
            f"frame-ancestors {' '.join(frames)}",
        ]
    )


def transform(frames: Sequence[str]) -> type[OutputTransform]:
    """What adds the headers to a response as it leaves."""

    class Headers(OutputTransform):
        def __init__(self, request: HTTPServerRequest) -> None:
            self._request = request

        def transform_first_chunk(
            self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
        ) -> tuple[int, HTTPHeaders, bytes]:
            for name, value in _FIXED.items():
                headers[name] = value
            headers["Content-Security-Policy"] = policy(nonce_of(self._request), frames)
            headers["X-Request-Id"] = name_request(self._request)
            headers.pop("Server", None)  # names a version
            return status_code, headers, chunk

    return Headers
