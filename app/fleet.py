"""The worker processes together: so many, each replaced when it dies, is killed, or has grown too large."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from app.jobs import timer
from app.worker import Worker, prepare
from app.worker_process import Answer, Progress

_log = logging.getLogger(__name__)
_AGAIN = 1.0  # seconds until a worker that could not be started is tried again


class Fleet:
    """Workers that are idle, at work, or being started.

    `tell` has something called in the loop, from whichever thread; all else here is called in the loop. `free` is
    called when a new worker is ready, `heard` when one at work says how far it is.
    """

    def __init__(
        self,
        count: int,
        warm: bytes,
        worker_bytes: int,
        tell: Callable[[Callable[[], None]], Any],
        free: Callable[[], None],
        heard: Callable[[Worker, Progress], None],
    ) -> None:
        self.count, self._warm, self._worker_bytes = count, warm, worker_bytes
        self._tell, self._free, self._heard = tell, free, heard
        self._idle: list[Worker] = []
        self._opening: set[Worker] = set()
        self._working: set[Worker] = set()
        self._open = False
        self.restarts = self.recycled = 0
        self.notice = ""

    @property
    def ready(self) -> int:
        """How many could take a task now or as soon as they are warm."""
        return len(self._idle) + len(self._opening)

    @property
    def idle(self) -> bool:
        """Whether one can take a task now."""
        return bool(self._idle)

    def start(self, preload: tuple[str, ...], timeout: float) -> None:
        """Start all and block until each is warm; a failure is raised, after which there is much to stop."""
        deadline = time.monotonic() + timeout
        self._open = True
        prepare(preload)
        first = [self._new() for _ in range(self.count)]
        with ThreadPoolExecutor(self.count) as threads:
            try:
                for future in [threads.submit(worker.open) for worker in first]:
                    future.result(max(0.0, deadline - time.monotonic()))
            except BaseException:
                for worker in first:
                    worker.kill()  # so that the threads come to their end
                raise
        self._opening.clear()
        self._idle = first

    def stop(self, timeout: float) -> None:
        """Let running tasks end within the timeout, then kill. Blocks; may be repeated."""
        self._open = False
        workers = [*self._idle, *self._working, *self._opening]
        for state in (self._idle, self._working, self._opening):
            state.clear()
        for worker in workers:
            worker.close()
        deadline = time.monotonic() + timeout
        for worker in workers:
            worker.wait(deadline - time.monotonic())
        for worker in workers:
            worker.kill()  # nothing happens to one that has ended
            worker.wait(5.0)

    def run(self, task: bytes) -> tuple[Worker, Future[Answer]] | None:
        """Give a task to an idle worker, if there is one."""
        while self._idle:
            worker = self._idle.pop()
            self._working.add(worker)
            try:
                return worker, worker.run(task)
            except BrokenExecutor:  # it died while idle, and that has not been heard of yet
                self.lose(worker)
        return None

    def take_back(self, worker: Worker, memory: int) -> None:
        """Its task has ended, well or not; it holds so many bytes."""
        if worker.doomed:  # the task ended just before its worker was told to
            self.lose(worker, died=False)
        elif memory > self._worker_bytes:
            self.recycled += 1
            self._replace(worker)
        else:
            self._working.discard(worker)
            self._idle.append(worker)

    def lose(self, worker: Worker, died: bool = True) -> None:
        """It has ended: have another one in its place."""
        if died:
            self.restarts += 1
            _log.warning("a worker process died: starting another one")
        self._replace(worker)

    def _replace(self, worker: Worker) -> None:
        worker.close()
        self._working.discard(worker)
        self._open_one()

    def _new(self) -> Worker:
        def gone(worker: Worker) -> None:
            self._tell(partial(self._miss, worker))

        def hear(worker: Worker, progress: Progress) -> None:
            self._tell(partial(self._heard, worker, progress))

        worker = Worker(self._warm, hear, gone)
        self._opening.add(worker)
        return worker

    def _open_one(self) -> None:
        """Start a worker in a thread, as it takes a while."""
        if not self._open:
            return
        worker = self._new()

        def open_it() -> None:
            error: Exception | None = None
            try:
                worker.open()
            except Exception as trouble:
                error = trouble
            self._tell(partial(self._opened, worker, error))

        threading.Thread(target=open_it, daemon=True).start()

    def _opened(self, worker: Worker, error: Exception | None) -> None:
        if worker not in self._opening:  # stopped meanwhile
            worker.kill()
            return
        self._opening.discard(worker)
        if error is None:
            self._idle.append(worker)
            self._free()
            return
        _log.error("a worker process could not be started; trying again", exc_info=error)
        worker.kill()
        worker.close()
        timer(_AGAIN, lambda: self._tell(self._open_one))

    def _miss(self, worker: Worker) -> None:
        """A worker has ended; one at work breaks its future, too."""
        if worker in self._idle:
            self._idle.remove(worker)
            self.lose(worker)
