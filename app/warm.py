"""Warming up: compile the kernels, compose the figures, start the workers, open every page once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from bokeh.document import Document
from panel.io.state import set_curdoc

from app.labs import LABS
from app.labs.base import Lab
from app.page import open_page
from app.parts import blueprints
from app.uploads import Uploads
from app.warm_worker import warm_worker
from app.workers import Workers

Soon = Callable[..., object]


def warm_page(lab: Lab, workers: Workers, uploads: Uploads) -> None:
    """Open a page that nobody sees, so that the first visitor does not pay for what happens once."""
    document = Document()
    with set_curdoc(document):
        open_page(lab, workers, uploads).server_doc(document, title=lab.title)


def call_kernels(lab: Lab) -> None:
    """Evaluate the theory of a lab, at its presets too: between them they call every kernel."""
    for query in ("", *(query for _, query in lab.presets)):
        values, _ = lab.schema.from_query(query)
        lab.equivalent(lab.schema.resolved(values) | ({"file": None} if lab.files else {}))


class WarmUp:
    """Runs in threads beside the event loop, which answers meanwhile that the server is not ready yet.

    `ready` is called in the loop once pages may be opened; `failed` with what went wrong, if anything does.
    """

    def __init__(
        self, workers: Workers, uploads: Uploads, soon: Soon, ready: Callable[[], None], failed: Callable[..., None]
    ) -> None:
        self._workers, self._uploads = workers, uploads
        self._soon, self._ready, self._failed = soon, ready, failed
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin; returns at once."""
        threading.Thread(target=self._run, name="warm-up", daemon=True).start()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stop.set()

    def _run(self) -> None:
        try:
            with ThreadPoolExecutor(1, "figures") as beside:
                figures = beside.submit(blueprints.compose, LABS, self._stop.is_set)
                warm_worker()  # here first: the workers then find the kernels compiled
                if not self._stop.is_set():
                    self._workers.start()
                for lab in LABS.values():
                    if not self._stop.is_set():
                        call_kernels(lab)
                figures.result()
        except BaseException as error:  # of any kind: without this thread there is no server
            if not self._stop.is_set():
                self._soon(self._failed, error)
            return
        self._soon(self._open, list(LABS.values()))

    def _open(self, labs: list[Lab]) -> None:
        """In the loop, one page a turn."""
        if self._stop.is_set():
            return
        if labs:
            warm_page(labs[0], self._workers, self._uploads)
            self._soon(self._open, labs[1:])
            return
        self._ready()


def fill_caches() -> None:
    """Compile and compose everything there is, and keep it on disk: when an image is built."""
    warm_worker()
    blueprints.compose(LABS)
    for lab in LABS.values():
        call_kernels(lab)
