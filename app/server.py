"""The Panel server: routes, limits, warm-up, start and stop."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import panel as pn
from bokeh.document import Document
from bokeh.server.server import Server
from panel.io.state import set_curdoc
from tornado.ioloop import IOLoop
from tornado.web import RedirectHandler, RequestHandler

from app.labs import LABS
from app.labs.base import Lab
from app.page import assets, open_page
from app.tours import shipped_json
from app.uploads import UploadHandler, Uploads
from app.workers import Workers
from rmtcore import Layer, Network, Population, observe

_log = logging.getLogger(__name__)


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


class Health(RequestHandler):
    """Says that the server answers; it does so only once it is warm."""

    def get(self) -> None:
        """Answer."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write("ok\n")


class ToursHandler(RequestHandler):
    """GET /tours.json: the guided tours by name."""

    def get(self) -> None:
        """Answer; a browser that has them already gets 304."""
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        self.write(shipped_json(assets() / "tours"))


def warm_worker() -> None:
    """Compile the kernels and load the libraries of an experiment: once in every worker."""
    observe(Network(Population.spiked([4.0], 30), [Layer(20, "tanh")], samples=40), seed=0, count=1)


def warm_page(lab: Lab, workers: Workers, uploads: Uploads) -> None:
    """Open a page that nobody sees, so that the first visitor does not pay for what happens once."""
    document = Document()
    with set_curdoc(document):
        open_page(lab, workers, uploads).server_doc(document, title=lab.title)
    for query in ("", *(query for _, query in lab.presets)):  # between them they call every kernel
        values, _ = lab.schema.from_query(query)
        lab.equivalent(lab.schema.resolved(values) | ({"file": None} if lab.files else {}))


def make_server(options: Options, workers: Workers, uploads: Uploads, loop: IOLoop) -> Server:
    """The server, not yet listening to anyone but bound to its port."""

    def page(lab: Lab) -> Callable[[], pn.Template]:
        return lambda: open_page(lab, workers, uploads, options.prefix)

    pages = {f"/{name}": page(lab) for name, lab in LABS.items()}

    def to(name: str) -> dict[str, Any]:
        return {"url": f"{options.prefix}/{name}", "permanent": False}

    first = next(iter(LABS))
    # Under /spectrum/ a page would ask for its scripts at the wrong place.
    slashes = [(f"{options.prefix}/{name}/", RedirectHandler, to(name)) for name in LABS]
    server = pn.io.server.get_server(
        pages,
        port=options.port,
        address=options.address or None,
        websocket_origin=list(options.origins) or None,
        prefix=options.prefix,
        static_dirs={"assets": str(assets())},
        extra_patterns=[
            (f"{options.prefix}/", RedirectHandler, to(first)),
            (f"{options.prefix}/healthz", Health),
            (f"{options.prefix}/tours.json", ToursHandler),
            (f"{options.prefix}/upload/([^/]+)", UploadHandler, {"uploads": uploads}),
        ],
        loop=loop,
        location=False,
        start=False,
        show=False,
        admin=False,
        # A link must not choose a session: two visitors would share it.
        sign_sessions=True,
        secret_key=options.secret.encode(),
        websocket_max_message_size=2**20,
        keep_alive_milliseconds=20_000,
        check_unused_sessions_milliseconds=15_000,
        unused_session_lifetime_milliseconds=300_000,
        session_token_expiration=43_200,
    )
    server._tornado.add_handlers(".*", slashes)  # before Bokeh's own routes, which take them for pages
    return server


def serve(options: Options) -> int:
    """Warm up, answer until Ctrl-C or SIGTERM, leave nothing behind; the exit code."""
    start = time.perf_counter()
    # A stranger's forged session id is no error of ours; the access log has its 403.
    logging.getLogger("bokeh.server.views.session_handler").setLevel(logging.CRITICAL)
    loop = IOLoop()
    workers = Workers(options.workers, options.cache_mib * 2**20, warm_worker, loop.add_callback)
    uploads = Uploads(options.file_mib * 2**20)
    stopping = False
    server: Server | None = None

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        if server is not None:
            loop.add_callback_from_signal(loop.stop)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        warm_worker()  # here first: the workers then find the kernels compiled
        workers.start()
        server = make_server(options, workers, uploads, loop)
        for lab in LABS.values():
            warm_page(lab, workers, uploads)
        shipped_json(assets() / "tours")
        if not stopping:
            server.start()
            shown = options.address if options.address not in ("", "0.0.0.0", "::") else "localhost"
            print(f"RMT Playground: http://{shown}:{server.port}{options.prefix}/", flush=True)
            _log.info("Ready after %.1f s with %d workers.", time.perf_counter() - start, options.workers)
            loop.start()
        server.stop()
    finally:
        workers.stop()
    return 0
