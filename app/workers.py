"""Experiments off the event loop: processes, newest request wins, equal requests computed once, nothing endless.

Call every method from the thread of the event loop. The threads of the workers only hand over what has happened
with ``call_soon``; hence no locks. Results travel and are cached as pickles, opened afresh for each receiver:
one visitor's figure cannot change the arrays of another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pickle
import time
from collections.abc import Callable, Hashable
from concurrent.futures import BrokenExecutor, Future
from functools import partial
from typing import Any

from app.cluster import Tls
from app.cluster_fleet import ClusterFleet
from app.costs import Costs
from app.crew import Crew, Hand
from app.disk_cache import DiskCache
from app.fleet import Fleet
from app.jobs import Busy, Deliver, Hear, Job, Status, TookTooLong, Waiting, WorkerLost
from app.results import Results
from app.worker_process import Answer, Progress

__all__ = ["Busy", "Progress", "Status", "TookTooLong", "WorkerLost", "Workers"]

Task = Callable[..., Any]
Soon = Callable[[Callable[[], None]], Any]

_log = logging.getLogger(__name__)
_PRESSED = 5.0  # seconds of waiting from which visitors are asked for less
_WORTH_TELLING = 2.0  # seconds of waiting
_STEPS = (2, 3, 4, 5, 7, 10, 15, 20, 30, 45, 60)  # seconds, as one says them


class Workers:
    """Processes shared by all visitors (owners).

    Each owner has one request, its newest. An older one still in line is dropped. One that is running and that
    nobody waits for any more may run for ``grace`` seconds since its start, into the cache: a drag would otherwise
    only ever kill. Then its worker is killed. Owners take turns in order of arrival. Owners of equal keys share one
    computation. ``cache_bytes`` (64 MiB) of pickled results are kept, exceptions not; ``disk`` keeps them longer.

    A worker that dies is replaced, and its task is tried again once; the others do not notice. A task may take
    ``task_seconds``, or the limit it comes with. A worker that has grown beyond ``worker_bytes`` is replaced.

    Who has to stand in line is told for how long about; who would have to for more than ``longest_wait`` seconds,
    or behind ``most_waiting`` tasks, is refused: ``deliver`` gets Busy.

    ``cluster`` is the address of a Dask scheduler: then tasks run there, and here once it is gone; `notice` says so.

    ``preload`` names modules that every worker has loaded from the start, ``warm`` runs once in every new worker.
    ``call_soon`` (thread-safe, e.g. ``IOLoop.add_callback``) brings results to the loop; by default it is that of
    the asyncio loop in which submit is called.
    """

    def __init__(
        self,
        count: int,
        cache_bytes: int = 2**26,
        warm: Task | None = None,
        call_soon: Soon | None = None,
        *,
        preload: tuple[str, ...] = (),
        disk: DiskCache | None = None,
        task_seconds: float = 60.0,
        grace: float = 1.0,
        longest_wait: float = 60.0,
        most_waiting: int = 500,
        worker_bytes: int = 2**30,
        cluster: tuple[str, Tls] | None = None,
    ) -> None:
        for name, value, least in (("count", count, 1), ("cache_bytes", cache_bytes, 0)):
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be an integer of at least {least}, not {value!r}")
        self._call_soon = self._soon = call_soon
        self._preload, self._started = preload, False
        self._task_seconds, self._grace = task_seconds, grace
        self._longest_wait, self._most_waiting = longest_wait, most_waiting
        packed = pickle.dumps(warm)
        own = Fleet(count, packed, worker_bytes, self._tell, self._fill, self._pass_on)
        self._fleet: Crew = own if cluster is None else ClusterFleet(*cluster, own, packed, self._tell, self._fill)
        self._results, self._costs = Results(cache_bytes, disk), Costs()
        self._jobs: dict[Hashable, Job] = {}  # by key: looked for, in line or running
        self._running: dict[Hand, Job] = {}
        self._newest: dict[Hashable, Job] = {}  # by owner
        self._line: dict[Hashable, None] = {}  # owners whose job has not started, first come first
        self._totals = dict.fromkeys(
            ("hits", "computed", "dropped", "timeouts", "cancelled", "refused", "disk_hits"), 0
        )

    # ---- start and stop
    def start(self, timeout: float = 120.0) -> None:
        """Start the workers and block until each one is warm; on any failure, stop them and raise it."""
        if self._started:
            raise RuntimeError("the workers are already started")
        self._started = True
        try:
            self._fleet.start(self._preload, timeout)
            self._results.start()
        except BaseException:
            self.stop(0.0)
            raise

    def stop(self, timeout: float = 5.0) -> None:
        """Drop all requests, let running tasks end within the timeout, then kill. Blocks; may be repeated."""
        self._started = False
        for owner in list(self._newest):
            self._release(owner)
        for job in self._running.values():
            job.stop_timers()
        for state in (self._jobs, self._running, self._line):
            state.clear()
        self._fleet.stop(timeout)
        self._results.stop()

    # ---- what visitors ask
    def submit(
        self,
        owner: Hashable,
        key: Hashable,
        function: Task,
        *args: Any,
        deliver: Deliver,
        keep: bool = True,
        hear: Hear | None = None,
        work: float = 1.0,
        limit: float | None = None,
    ) -> None:
        """Ask for ``function(*args)`` in place of whatever this owner asked for before.

        Equal keys must mean equal results: function, frozen settings, seed. ``deliver`` is called once in the
        loop, with the result or an exception object, unless the owner submits again or is forgotten first;
        never inside submit: what is cached comes by ``call_soon``, too. Without ``keep`` it is not cached.
        ``hear`` is told of the task's progress and of waiting in line. ``work`` (any unit) is what the time of
        this function is proportional to; it may take ``limit`` seconds.
        """
        if not self._started:
            raise RuntimeError("the workers are not started")
        self._soon = self._call_soon or asyncio.get_running_loop().call_soon_threadsafe
        job = self._jobs.get(key)
        if job is None:
            name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function))}"
            packed = pickle.dumps((function, args))
            job = Job(key, packed, name, work, self._task_seconds if limit is None else limit, keep)
        self._release(owner)
        self._newest[owner] = job
        job.wanted[owner] = Waiting(deliver, hear)
        cached = self._results.memory.get(key) if key not in self._jobs else None
        if cached is not None:
            self._totals["hits"] += 1
            self._tell(partial(self._deliver, job, cached))
        elif key not in self._jobs:
            self._jobs[key] = job
            job.looking = keep and self._results.look(key, lambda found: self._tell(partial(self._looked, job, found)))
            if not job.looking:
                self._admit(job)
        if self._jobs.get(key) is job and job not in self._running.values():
            self._line.setdefault(owner)  # whoever stands in line already keeps the place
        else:
            self._line.pop(owner, None)
        self._fill()
        self._tell_waits()

    def forget(self, owner: Hashable) -> None:
        """Drop the request of an owner who left."""
        self._release(owner)
        self._line.pop(owner, None)

    @property
    def notice(self) -> str:
        """What visitors should know about where experiments run; empty when all is well."""
        return self._fleet.notice

    @property
    def wait(self) -> float:
        """About how many seconds a newcomer would stand in line."""
        return self._wait(self._waiting())

    @property
    def pressed(self) -> bool:
        """Whether visitors should be content with less."""
        return self.wait > _PRESSED

    def status(self) -> Status:
        """Count."""
        running, memory, fleet = len(self._running), self._results.memory, self._fleet
        counts = {"restarts": fleet.restarts, "recycled": fleet.recycled, **self._totals}
        return Status(running, len(self._jobs) - running, len(memory), memory.size, **counts, wait=self.wait)

    # ---- the line
    def _waiting(self) -> list[Job]:
        running = set(self._running.values())
        return [job for job in self._jobs.values() if job not in running and not job.looking]

    def _expected(self, job: Job) -> float:
        return min(self._costs.expected(job.name, job.work), job.limit)

    def _ahead(self) -> float:
        """Seconds of each worker until what runs now is done."""
        now = time.monotonic()
        left = sum(max(0.0, self._expected(job) - (now - job.started)) for job in self._running.values())
        return left / self._fleet.count

    def _wait(self, others: list[Job]) -> float:
        """Seconds until one who comes after these is served."""
        if len(others) < self._fleet.ready:
            return 0.0
        return self._ahead() + sum(map(self._expected, others)) / self._fleet.count

    def _admit(self, job: Job) -> None:
        """Let a job into the line, or refuse it."""
        others = [one for one in self._waiting() if one is not job]
        seconds = self._wait(others)
        if len(others) >= self._most_waiting or seconds > self._longest_wait:
            self._totals["refused"] += 1
            self._leave(job)
            self._tell(partial(self._deliver, job, pickle.dumps(Busy(seconds))))

    def _leave(self, job: Job) -> None:
        """It is not computed after all."""
        del self._jobs[job.key]
        for owner in job.wanted:
            self._line.pop(owner, None)

    def _release(self, owner: Hashable) -> None:
        """Detach an owner from its request; what nobody wants is not started, or ended in the end."""
        job = self._newest.pop(owner, None)
        if job is None:
            return
        self._totals["dropped"] += 1
        del job.wanted[owner]
        if job.wanted or self._jobs.get(job.key) is not job:
            return
        worker = next((one for one, its in self._running.items() if its is job), None)
        if worker is None:
            del self._jobs[job.key]
        else:
            left = self._grace - (time.monotonic() - job.started)
            if left > 0:
                job.later(left, partial(self._tell, partial(self._cancel, worker, job)))
            else:
                self._cancel(worker, job)

    def _cancel(self, worker: Hand, job: Job) -> None:
        if self._running.get(worker) is job and not job.wanted and not job.ended:
            job.ended = "cancelled"
            worker.kill()

    def _expire(self, worker: Hand, job: Job) -> None:
        if self._running.get(worker) is job and not job.ended:
            job.ended = "timeout"
            worker.kill()

    def _fill(self) -> None:
        """Give the idle workers what is next in line."""
        while self._started and self._fleet.idle and (job := self._next()):
            if (given := self._fleet.run(job.task)) is None:
                return
            worker, future = given
            self._running[worker] = job
            job.started, job.ended = time.monotonic(), ""
            for owner, waiting in job.wanted.items():
                self._line.pop(owner, None)
                self._say(waiting, 0)
            job.later(job.limit, partial(self._tell, partial(self._expire, worker, job)))
            future.add_done_callback(partial(self._hand_over, worker, job))

    def _next(self) -> Job | None:
        """Choose by the first owner in line who has nothing running."""
        busy = {job.owner for job in self._running.values()}
        for owner in self._line:
            job = self._newest[owner]
            if owner not in busy and not job.looking:
                job.owner = owner
                return job
        return None

    def _tell_waits(self) -> None:
        """Tell those in line how long it will take, if they have not been told."""
        if not self._line or self._fleet.idle:
            return
        ahead, seen = self._ahead(), set()
        for owner in self._line:
            job = self._newest[owner]
            if job.looking or job in seen:
                continue
            seen.add(job)
            for waiting in job.wanted.values():
                self._say(waiting, _said(ahead))
            ahead += self._expected(job) / self._fleet.count

    def _say(self, waiting: Waiting, seconds: int) -> None:
        if waiting.hear is not None and waiting.told != seconds:
            text = f"busy: about {seconds} seconds" if seconds else ""
            waiting.told = seconds
            self._tell(partial(waiting.hear, Progress(text=text)))

    def _looked(self, job: Job, packed: bytes | None) -> None:
        """The cache on disk has been asked."""
        if self._jobs.get(job.key) is not job:
            return  # nobody wants it any more
        job.looking = False
        if packed is None:
            self._admit(job)
        else:
            self._totals["disk_hits"] += 1
            self._leave(job)
            self._results.memory.put(job.key, packed)
        self._fill()
        if packed is not None:
            self._deliver(job, packed)
        self._tell_waits()

    # ---- what workers say; each of these is called in the loop
    def _hand_over(self, worker: Hand, job: Job, future: Future[Answer]) -> None:
        self._tell(partial(self._finish, worker, job, future))

    def _finish(self, worker: Hand, job: Job, future: Future[Answer]) -> None:
        if self._running.get(worker) is not job:
            return  # stopped meanwhile
        del self._running[worker]
        job.stop_timers()
        error = future.exception()
        seconds = time.monotonic() - job.started
        if error is None:
            self._costs.learn(job.name, job.work, seconds)
            answer = future.result()
            self._fleet.take_back(worker, answer.memory)
            self._close(job, answer.good, answer.packed)
            return
        if not isinstance(error, BrokenExecutor):  # the task tried to leave its process
            self._fleet.take_back(worker, 0)
            self._close(job, False, pickle.dumps(error))
            return
        self._fleet.lose(worker, died=not job.ended)
        if job.ended == "timeout":
            self._totals["timeouts"] += 1
            self._costs.learn(job.name, job.work, seconds)
            self._close(job, False, pickle.dumps(TookTooLong(job.limit)))
        elif not job.wanted:
            self._totals["cancelled" if job.ended else "computed"] += 1
            del self._jobs[job.key]
            self._fill()
        elif job.ended or not job.suspect:  # someone came after it was cancelled; or the worker died, once
            job.suspect = not job.ended
            self._line = {**dict.fromkeys(job.wanted), **self._line}
            self._fill()
        else:
            lost = WorkerLost("the process computing this died, and again on a second try (out of memory?)")
            self._close(job, False, pickle.dumps(lost))

    def _close(self, job: Job, good: bool, packed: bytes) -> None:
        """A job has come to its end."""
        self._totals["computed"] += 1
        del self._jobs[job.key]
        if good and job.keep:
            self._results.put(job.key, packed)
        self._fill()
        self._deliver(job, packed)
        self._tell_waits()

    def _pass_on(self, worker: Hand, progress: Progress) -> None:
        job = self._running.get(worker)
        for waiting in list(job.wanted.values()) if job else []:
            if waiting.hear is not None:
                waiting.hear(progress)

    def _deliver(self, job: Job, packed: bytes) -> None:
        while job.wanted:  # a receiver may make others leave
            owner, waiting = next(iter(job.wanted.items()))
            del job.wanted[owner], self._newest[owner]
            try:
                waiting.deliver(pickle.loads(packed))
            except Exception:  # one visitor's trouble is not that of the others
                _log.exception("a receiver failed")

    # ---- the loop
    def _tell(self, call: Callable[[], None]) -> None:
        """Have it called in the loop, from whichever thread."""
        if self._soon is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                self._soon(call)


def _said(seconds: float) -> int:
    """A duration of waiting as one says it; 0 where it is not worth a word."""
    if seconds < _WORTH_TELLING:
        return 0
    return next((step for step in _STEPS if step >= seconds), _STEPS[-1])
