"""The Panel server: routes, limits, start and stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import panel as pn
from bokeh.server.server import Server
from bokeh.server.urls import per_app_patterns
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.web import RedirectHandler

from app import headers, logs
from app.bundle import Bundle
from app.cluster import Tls
from app.disk_cache import DiskCache
from app.files import assets
from app.gate import Gate
from app.handlers import Figures, Health, Missing, PageHandler, WireHandler, mark_failed
from app.labs import LABS
from app.labs.base import Lab
from app.metrics import LAG_EVERY
from app.page import open_page
from app.share import QRCode
from app.texts import Glossary
from app.tour_files import ShippedTours
from app.uploads import UploadHandler, Uploads
from app.warm import WarmUp
from app.warm_worker import warm_worker
from app.workers import Workers

_log = logging.getLogger(__name__)
_GOING_AWAY = 1012  # "service restart", to the websockets
# A page and its websocket. Bokeh's other two, /metadata and /autoload.js, are for pages elsewhere.
per_app_patterns[:] = [(r"/ws", WireHandler), (r"/?", PageHandler)]


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    port: int
    address: str
    origins: tuple[str, ...]
    workers: int
    cache_mib: int
    file_mib: int
    prefix: str
    secret: str
    sessions: int = 400
    unused_seconds: int = 300
    frames: tuple[str, ...] = ("'self'",)
    metrics_public: bool = False
    task_seconds: float = 60.0
    worker_mib: int = 1024
    cache_dir: str = ""
    scheduler: str = ""  # of a Dask cluster
    tls: Tls = field(default_factory=Tls)
    lasting_secret: str = ""  # the secret, where it was given and not made up for this run


def make_server(options: Options, workers: Workers, uploads: Uploads, loop: IOLoop) -> Server:
    """The server, bound to its port; its gate is still shut."""

    def page(lab: Lab) -> Callable[[], Any]:
        return lambda: _opened(lab, workers, uploads, options.prefix)

    pages = {f"/{name}": page(lab) for name, lab in LABS.items()}
    gate = Gate(workers, options.sessions, options.secret)
    server = pn.io.server.get_server(
        pages,
        port=options.port,
        address=options.address or None,
        websocket_origin=list(options.origins) or None,
        prefix=options.prefix,
        static_dirs={"assets": str(assets())},
        extra_patterns=[
            (r"/upload/([^/]+)", UploadHandler, {"uploads": uploads}),
            (r"/bundle/page\.(js|css)", Bundle),
            (r"/glossary", Glossary, {"prefix": options.prefix}),
            (r"/tours.json", ShippedTours),
            (r"/qr/([a-z-]+)", QRCode, {"prefix": options.prefix}),
        ],
        loop=loop,
        location=False,
        start=False,
        show=False,
        admin=False,
        # A link must not choose a session: two visitors would share it.
        sign_sessions=True,
        secret_key=options.secret.encode(),
        # What a session's token holds travels with every page: nothing about the visitor is needed there.
        include_headers=[],
        include_cookies=[],
        websocket_max_message_size=2**20,
        keep_alive_milliseconds=20_000,
        check_unused_sessions_milliseconds=15_000,
        unused_session_lifetime_milliseconds=options.unused_seconds * 1000,
        session_token_expiration=43_200,
        xsrf_cookies=True,
        http_server_kwargs={
            "max_header_size": 2**15,
            "max_body_size": options.file_mib * 2**20,
            "idle_connection_timeout": 120,
        },
        default_handler_class=Missing,
        log_function=logs.access,
        gate=gate,
    )
    application = server._tornado
    gate.contexts = list(application.applications.values())
    application.add_transform(headers.transform(options.frames))
    application.add_handlers(".*", _routes(options))  # before Bokeh's own
    return server


def _opened(lab: Lab, workers: Workers, uploads: Uploads, prefix: str) -> Any:
    """The page of a lab. Panel would show a visitor the traceback of what goes wrong here."""
    try:
        return open_page(lab, workers, uploads, prefix)
    except Exception:
        _log.exception("A page of %s could not be built.", lab.name)
        mark_failed(pn.state.curdoc)
        return pn.Spacer()


def _routes(options: Options) -> list[tuple[Any, ...]]:
    """What goes before Bokeh's own routes: ours, and a "no" to those of Panel and Bokeh that nobody needs."""
    prefix = options.prefix

    def to(name: str) -> dict[str, Any]:
        return {"url": f"{prefix}/{name}", "permanent": False}

    names = "|".join(LABS)
    return [
        (r".*%00.*", Missing),  # no file has such a name, and asking the system for it is an error
        (f"{prefix}/", RedirectHandler, to(next(iter(LABS)))),
        # Under /spectrum/ a page would ask for its scripts at the wrong place.
        *[(f"{prefix}/{name}/", RedirectHandler, to(name)) for name in LABS],
        (f"{prefix}/healthz", Health, {"warm": False}),
        (f"{prefix}/readyz", Health, {"warm": True}),
        (f"{prefix}/metrics", Figures, {"public": options.metrics_public}),
        (f"{prefix}/components/.*", Missing),  # imports modules by the names that it is asked for
        (f"{prefix}/(?:{names})/static/.*", Missing),
        (r"/favicon\.ico", RedirectHandler, {"url": f"{prefix}/assets/logo.svg", "permanent": False}),
    ]


class _Running:
    """A server that lives: from its first answer to its end."""

    def __init__(self, options: Options) -> None:
        self._options, self._begun = options, time.perf_counter()
        self._loop = IOLoop()
        self._workers = Workers(
            options.workers,
            options.cache_mib * 2**20,
            warm_worker,
            self._loop.add_callback,
            preload=("app.preloaded",),
            disk=DiskCache(options.cache_dir, secret=options.lasting_secret) if options.cache_dir else None,
            task_seconds=options.task_seconds,
            worker_bytes=options.worker_mib * 2**20,
            cluster=(options.scheduler, options.tls) if options.scheduler else None,
        )
        self._uploads = Uploads(options.file_mib * 2**20)
        self._error: BaseException | None = None
        self._stopping = False

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._signalled)
        warm = None
        try:
            self._server = make_server(self._options, self._workers, self._uploads, self._loop)
            # Panel has taken SIGINT for itself.
            signal.signal(signal.SIGINT, self._signalled)
            self._gate: Gate = self._server._tornado.settings["gate"]
            warm = WarmUp(self._workers, self._uploads, self._loop.add_callback, self._ready, self._failed)
            self._server.start()
            self._loop.add_callback(warm.start)
            PeriodicCallback(self._gate.metrics.feel, 1000 * LAG_EVERY).start()
            if not self._stopping:
                self._loop.start()
            self._gate.ready = False
            self._loop.run_sync(self._say_goodbye, timeout=1.0)
            self._server.stop()
        finally:
            if warm is not None:
                warm.stop()
            self._workers.stop(0.0)  # nobody waits for their tasks any more
        if self._error is not None:
            raise self._error

    def _ready(self) -> None:
        gc.collect()
        gc.freeze()  # what every session needs stays for good: no collection has to look at it again
        self._gate.ready = True
        self._gate.metrics.ready.set(1)
        address = self._options.address
        shown = address if address not in ("", "0.0.0.0", "::") else "localhost"
        print(f"RMT Playground: http://{shown}:{self._server.port}{self._options.prefix}/", flush=True)
        seconds = time.perf_counter() - self._begun
        _log.info("Ready after %.1f s with %d workers.", seconds, self._options.workers)

    def _failed(self, error: BaseException) -> None:
        self._error = error
        self._loop.stop()

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self._loop.add_callback_from_signal(self._loop.stop)

    async def _say_goodbye(self) -> None:
        """Nobody new; those who are here are told, so that their pages look for the next server."""
        self._server._http.stop()
        for connection in list(self._server._tornado._clients):
            connection._socket.close(_GOING_AWAY, "The server is being stopped")
        await asyncio.sleep(0.05)  # the loop turns, so that this leaves


def serve(options: Options) -> int:
    """Answer at once, warm up, serve until Ctrl-C or SIGTERM, leave nothing behind; the exit code."""
    _Running(options).run()
    return 0
