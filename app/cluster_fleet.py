"""The workers of a Dask cluster in the place of processes of our own, and those again when the cluster is gone.

Dask cannot stop a task that runs: one that is killed here is answered here, and goes on there until its end. A worker
that dies there is Dask's affair: it runs the task again, and what is random in it depends on its seeds alone.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Future, InvalidStateError
from functools import partial
from typing import Any

from app import worker_process
from app.cluster import RETRIES, SchedulerGone, Tls, connect
from app.crew import Crew
from app.worker_process import Answer

_log = logging.getLogger(__name__)
_LOOK_EVERY = 0.5  # seconds between two looks at the scheduler
GONE = "The cluster cannot be reached: experiments run on this server and take longer."


class Place:
    """One of the cluster's threads, as far as we count them."""

    def __init__(self) -> None:
        self._there: Any = None  # Dask's future
        self._here: Future[Answer] = Future()

    def begin(self, executor: Any, task: bytes, gone: Callable[[], None]) -> Future[Answer]:
        """Send a task; `gone` is called, in a thread, when Dask gives it up because its scheduler is lost."""
        self._there = executor.submit(worker_process.run, task)
        self._there.add_done_callback(partial(self._come_back, gone))
        return self._here

    def kill(self) -> None:
        """Wait no more for its task."""
        self._break("the task was given up")
        if self._there is not None:
            self._there.cancel()

    def _come_back(self, gone: Callable[[], None], there: Any) -> None:
        if self._here.done():
            return
        if there.cancelled() or isinstance(there.exception(), CancelledError):
            gone()  # and whoever waits here is told when there are others to do it
        elif (error := there.exception()) is not None:
            self._break(f"{type(error).__name__}: {error}")
        else:
            with contextlib.suppress(InvalidStateError):  # given up in this moment
                self._here.set_result(there.result())

    def _break(self, words: str) -> None:
        with contextlib.suppress(InvalidStateError):  # an answer came in this moment
            self._here.set_exception(BrokenExecutor(words))


class ClusterFleet:
    """As many places as the cluster has threads. `notice` says in words when they are not to be had."""

    def __init__(
        self,
        address: str,
        tls: Tls,
        own: Crew,
        warm: bytes,
        tell: Callable[[Callable[[], None]], Any],
        free: Callable[[], None],
    ) -> None:
        self._address, self._tls, self._own, self._warm = address, tls, own, warm
        self._tell, self._free = tell, free
        self._preload: tuple[str, ...] = ()
        self._timeout = 120.0
        self._client: Any = None
        self._executor: Any = None
        self._places: list[Place] = []
        self._working: set[Place] = set()
        self._stopped = threading.Event()
        self._lost = False
        self.notice, self._died, self._all = "", 0, own.count

    # ---- what the workers ask
    @property
    def count(self) -> int:
        """Tasks that run at once."""
        return self._own.count if self._lost else self._all

    @property
    def ready(self) -> int:
        """How many could take a task now."""
        return self._own.ready if self._lost else len(self._places)

    @property
    def idle(self) -> bool:
        """Whether one can take a task now."""
        return self._own.idle if self._lost else bool(self._places)

    @property
    def restarts(self) -> int:
        """Tasks that came back without an answer, and our own workers that died."""
        return self._died + self._own.restarts

    @property
    def recycled(self) -> int:
        """Of our own workers."""
        return self._own.recycled

    def start(self, preload: tuple[str, ...], timeout: float) -> None:
        """Connect and warm the cluster, or start processes here. Blocks."""
        self._preload, self._timeout = preload, timeout
        try:
            self._client = connect(self._address, self._tls)
            self._client.run(worker_process.warm_up, self._warm)
            self._all = max(1, sum(self._client.nthreads().values()))
        except SchedulerGone as gone:
            _log.warning("%s Experiments run here.", gone)
            self.notice, self._lost = GONE, True
            self._own.start(preload, timeout)
            return
        self._executor = self._client.get_executor(retries=RETRIES, pure=False)
        self._places = [Place() for _ in range(self._all)]
        threading.Thread(target=self._look, name="look at the scheduler", daemon=True).start()

    def stop(self, timeout: float) -> None:
        """Leave the cluster to others."""
        self._stopped.set()
        for place in [*self._working]:
            place.kill()
        if self._client is not None:
            self._client.close(timeout=2)
        self._own.stop(timeout)

    def run(self, task: bytes) -> tuple[Any, Future[Answer]] | None:
        """Send a task to the cluster."""
        if self._lost:
            return self._own.run(task)
        if not self._places:
            return None
        place = self._places.pop()
        self._working.add(place)
        return place, place.begin(self._executor, task, partial(self._tell, self._leave))

    def take_back(self, worker: Any, memory: int) -> None:
        """Its task has ended."""
        if isinstance(worker, Place):
            self._again(worker)
        else:
            self._own.take_back(worker, memory)

    def lose(self, worker: Any, died: bool = True) -> None:
        """Its task has not come back, or was given up."""
        if isinstance(worker, Place):
            self._died += died
            self._again(worker)
        else:
            self._own.lose(worker, died)

    def _again(self, place: Place) -> None:
        self._working.discard(place)
        if not self._lost:
            self._places.append(Place())
            self._tell(self._free)

    # ---- the end of the cluster
    def _look(self) -> None:
        """In a thread: see whether the scheduler is there."""
        while not self._stopped.wait(_LOOK_EVERY):
            if self._client.status != "running":
                self._tell(self._leave)
                return

    def _leave(self) -> None:
        """In the loop: the cluster is gone. What was under way there is done again, here."""
        if self._lost or self._stopped.is_set():
            return
        _log.error("The scheduler at %s is gone: experiments run here.", self._address)
        self._lost, self.notice = True, GONE
        self._places.clear()
        threading.Thread(target=self._move_in, name="own workers", daemon=True).start()

    def _move_in(self) -> None:
        """In a thread, as it takes a while: start our own workers, then give up what the cluster had."""
        self._own.start(self._preload, self._timeout)
        for place in [*self._working]:
            place.kill()
        self._client.close(timeout=2)
        self._tell(self._free)
