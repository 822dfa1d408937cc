"""One worker: a standard pool of a single process, so that whatever ends the process touches nobody else.

A pool of several breaks as a whole when one of its processes dies, and shares locks and pipes with the dead one.
Nothing of a worker is used again after its death: its successor is a new object with a new process.
"""

from __future__ import annotations

import copy
import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import connection, forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from app import worker_process
from app.worker_process import Answer, Progress

# A fork of the server would copy the locks of its threads. The fork server has a single thread and is loaded.
_context: Any = multiprocessing.get_context("forkserver")


def prepare(preload: tuple[str, ...]) -> None:
    """Start the process from which workers are forked, with these modules loaded; once per server."""
    multiprocessing.set_forkserver_preload(["app.one_thread", *preload])
    forkserver.ensure_running()


class Worker:
    """One process. `hear` gets its progress and `gone` is called when it has ended, both in a thread of their own."""

    def __init__(self, warm: bytes, hear: Callable[[Worker, Progress], None], gone: Callable[[Worker], None]) -> None:
        self._warm, self._hear, self._gone = warm, hear, gone
        self._pool: ProcessPoolExecutor | None = None
        self._process: BaseProcess | None = None
        self.doomed = False  # told to end at once

    def open(self) -> None:
        """Start the process and block until it is warm; a failing warm-up is raised."""
        made: list[BaseProcess] = []

        def make(*args: Any, **options: Any) -> BaseProcess:
            made.append(_context.Process(*args, **options))
            return made[0]

        context = copy.copy(_context)
        context.Process = make  # the pool does not tell which process is its own
        reader, writer = _context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(1, context, worker_process.begin, (writer,))
        try:
            warm = self._pool.submit(worker_process.warm_up, self._warm)
        finally:
            writer.close()  # the process alone holds the other end, so its end is the end of the pipe
            self._process = made[0] if made and made[0].pid is not None else None
            threading.Thread(target=self._listen, args=(reader,), daemon=True).start()
        if self.doomed:
            self.kill()
        warm.result()

    def run(self, task: bytes) -> Future[Answer]:
        """Hand it a task; raises BrokenExecutor where it has ended."""
        assert self._pool is not None
        return self._pool.submit(worker_process.run, task)

    def kill(self) -> None:
        """End it at once, whatever it does."""
        self.doomed = True
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Let it end after its task."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def wait(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        return self._process is None or bool(connection.wait([self._process.sentinel], max(0.0, seconds)))

    def _listen(self, reader: Connection) -> None:
        with reader:
            try:
                while True:
                    self._hear(self, Progress(*reader.recv()))
            except (EOFError, OSError):
                self._gone(self)
