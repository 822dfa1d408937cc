"""Experiments off the event loop: a pool of processes, newest request wins, equal requests computed once.

Call every method from the thread of the event loop. The pool's own threads only hand a finished future over
with ``call_soon``; hence no locks. Results travel and are cached as pickles, opened afresh for each receiver:
one visitor's figure cannot change the arrays of another.
"""

import asyncio
import contextlib
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from typing import Any

Task = Callable[..., Any]
Deliver = Callable[[Any], None]
Soon = Callable[[Callable[[], None]], Any]

_log = logging.getLogger(__name__)
_spawn = multiprocessing.get_context("spawn")  # a fork would copy the locks of the server's threads
_one_thread = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
_gate: Any = None  # in a worker: the barrier where the workers of one pool meet


class WorkerLost(RuntimeError):
    """The process of a task died, and died again when the task was retried alone."""


@dataclass(frozen=True)
class Status:
    """What the workers are doing, and totals since the beginning."""

    running: int  # tasks
    waiting: int  # tasks
    cached: int  # entries
    cached_bytes: int
    hits: int  # requests answered from the cache
    computed: int  # tasks that ended, in a result or an exception
    dropped: int  # requests superseded or forgotten before they were answered
    restarts: int  # times the pool was rebuilt because a worker died


def _begin(gate: Any) -> None:
    """Prepare a new worker process."""
    global _gate
    _gate = gate
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Exit when the parent is gone; the task queue would not tell, as every worker holds both its ends."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def _warm_up(warm: bytes) -> None:
    """Warm this worker. None gets past the gate before all have met, so each takes exactly one of these."""
    _gate.wait()
    if (function := pickle.loads(warm)) is not None:
        function()


def _run(task: bytes) -> tuple[bool, bytes]:
    """Compute a task in a worker: whether it succeeded, and its result or exception."""
    try:  # pickled and unpickled here, since the standard pool dies of what cannot be unpickled on its way
        function, args = pickle.loads(task)
        packed = pickle.dumps(function(*args), pickle.HIGHEST_PROTOCOL)
        pickle.loads(packed)  # not all that can be pickled can be unpickled
        return True, packed
    except Exception as error:
        error.add_note(f"in a worker process:\n{traceback.format_exc()}")
        try:
            packed = pickle.dumps(error)
            pickle.loads(packed)
        except Exception:
            packed = pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
        return False, packed


@dataclass(eq=False)
class _Job:
    """One computation and who waits for it."""

    key: Hashable
    task: bytes
    call_soon: Soon
    wanted: dict[Hashable, Deliver] = field(default_factory=dict)
    owner: Hashable = None  # in whose turn it was started
    keep: bool = True  # the result, for whoever asks for the same
    suspect: bool = False  # a worker died while it ran


class Workers:
    """A pool of processes shared by all visitors (owners).

    Each owner has one request, its newest. An older one still in line is dropped; one already running runs on
    into the cache, unseen, and the newest waits for its end. Owners take turns in order of arrival. Owners of
    equal keys share one computation. ``cache_bytes`` (64 MiB) of pickled results are kept, exceptions not.

    A worker that dies takes the pool and all its tasks along. The pool is rebuilt once and the lost tasks are
    tried again, each with nothing else running: only a task that kills its own worker ends in WorkerLost.

    ``warm`` runs once in every new worker. ``call_soon`` (thread-safe, e.g. ``IOLoop.add_callback``) brings
    results to the loop; by default it is that of the asyncio loop in which submit is called.
    """

    def __init__(
        self, count: int, cache_bytes: int = 2**26, warm: Task | None = None, call_soon: Soon | None = None
    ) -> None:
        for name, value, least in (("count", count, 1), ("cache_bytes", cache_bytes, 0)):
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be an integer of at least {least}, not {value!r}")
        self._count, self._cache_limit = count, cache_bytes
        self._warm, self._call_soon = pickle.dumps(warm), call_soon
        self._pool: ProcessPoolExecutor | None = None
        self._processes: list[multiprocessing.process.BaseProcess] = []
        self._cache: OrderedDict[Hashable, bytes] = OrderedDict()
        self._jobs: dict[Hashable, _Job] = {}  # by key, in line or running
        self._running: set[_Job] = set()
        self._newest: dict[Hashable, _Job] = {}  # by owner
        self._line: dict[Hashable, None] = {}  # owners whose job has not started, first come first
        self._cached_bytes = self._hits = self._computed = self._dropped = self._restarts = 0

    def start(self, timeout: float = 120.0) -> None:
        """Start the workers and block until each one is warm; on any failure, stop them and raise it."""
        if self._pool is not None:
            raise RuntimeError("the workers are already started")
        try:
            for future in as_completed(self._open(), timeout):
                future.result()
        except BaseException:
            self.stop(0.0)
            raise

    def submit(
        self, owner: Hashable, key: Hashable, function: Task, *args: Any, deliver: Deliver, keep: bool = True
    ) -> None:
        """Ask for ``function(*args)`` in place of whatever this owner asked for before.

        Equal keys must mean equal results: function, frozen settings, seed. ``deliver`` is called once in the
        loop, with the result or an exception object, unless the owner submits again or is forgotten first;
        never inside submit: what is cached comes by ``call_soon``, too. Without ``keep`` it is not cached.
        """
        if self._pool is None:
            raise RuntimeError("the workers are not started")
        call_soon = self._call_soon or asyncio.get_running_loop().call_soon_threadsafe
        job = self._jobs.get(key) or _Job(key, pickle.dumps((function, args)), call_soon, keep=keep)
        self._release(owner)
        self._newest[owner] = job
        job.wanted[owner] = deliver
        if key in self._cache:
            self._hits += 1
            self._cache.move_to_end(key)
            call_soon(partial(self._deliver, job, self._cache[key]))
        else:
            self._jobs[key] = job
        if key in self._cache or job in self._running:
            self._line.pop(owner, None)
        else:
            self._line.setdefault(owner)  # whoever stands in line already keeps the place
        self._fill()

    def forget(self, owner: Hashable) -> None:
        """Drop the request of an owner who left."""
        self._release(owner)
        self._line.pop(owner, None)

    def status(self) -> Status:
        """Count."""
        running, cached = len(self._running), (len(self._cache), self._cached_bytes)
        totals = self._hits, self._computed, self._dropped, self._restarts
        return Status(running, len(self._jobs) - running, *cached, *totals)

    def stop(self, timeout: float = 5.0) -> None:
        """Drop all requests, let running tasks end within the timeout, then kill. Blocks; may be repeated."""
        pool, self._pool = self._pool, None
        for owner in list(self._newest):
            self._release(owner)
        for state in (self._jobs, self._running, self._line):
            state.clear()
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + timeout
        for process in self._processes:
            process.join(max(0.0, deadline - time.monotonic()))
        for process in self._processes:
            process.kill()  # nothing happens to one that has ended
            process.join()
        self._processes = []

    def _open(self) -> list[Future[None]]:
        """Make a pool and submit a warm-up per worker; what is submitted later comes after them."""
        others = set(multiprocessing.active_children()).difference(self._processes)
        pool = ProcessPoolExecutor(self._count, _spawn, _begin, (_spawn.Barrier(self._count),))
        before = {name: os.environ[name] for name in _one_thread if name in os.environ}
        os.environ.update(_one_thread)  # inherited now: libraries read it once, when a worker imports them
        try:
            # A submit spawns a process if none is idle, and before the gate none is.
            futures = [pool.submit(_warm_up, self._warm) for _ in range(self._count)]
            self._pool = pool
            return futures
        finally:
            for name in _one_thread:
                del os.environ[name]
            os.environ.update(before)
            self._processes = [child for child in multiprocessing.active_children() if child not in others]

    def _release(self, owner: Hashable) -> None:
        """Detach an owner from its request; what nobody wants is not started."""
        if (job := self._newest.pop(owner, None)) is not None:
            self._dropped += 1
            del job.wanted[owner]
            if not job.wanted and job not in self._running and self._jobs.get(job.key) is job:
                del self._jobs[job.key]

    def _fill(self) -> None:
        """Hand the pool work, never more than it has workers: what it has been handed cannot be dropped."""
        while self._pool and len(self._running) < self._count and (job := self._next()):
            self._running.add(job)
            for owner in job.wanted:
                self._line.pop(owner, None)
            self._launch(job, self._pool)

    def _next(self) -> _Job | None:
        """Choose by the first owner in line who has nothing running; a suspect runs alone."""
        busy = {job.owner for job in self._running}
        for owner in self._line:
            if owner not in busy:
                job = self._newest[owner]
                job.owner = owner
                alone = any(one.suspect for one in (job, *self._running))
                return None if alone and self._running else job
        return None

    def _launch(self, job: _Job, pool: ProcessPoolExecutor) -> None:
        try:
            future = pool.submit(_run, job.task)
        except BrokenExecutor as error:  # a worker died while idle: as if it had died at work
            future = Future()
            future.set_exception(error)

        def hand_over(done: Future[tuple[bool, bytes]]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                job.call_soon(partial(self._finish, job, pool, done))

        future.add_done_callback(hand_over)

    def _finish(self, job: _Job, pool: ProcessPoolExecutor, future: Future[tuple[bool, bytes]]) -> None:
        if job not in self._running:
            return  # stopped meanwhile
        self._running.discard(job)
        error = future.exception()
        if isinstance(error, BrokenExecutor):
            if pool is self._pool:  # only the first of its tasks to come back finds it still in place
                self._rebuild()
            if job.wanted and not job.suspect:
                job.suspect = True
                self._line = {**dict.fromkeys(job.wanted), **self._line}
                self._fill()
                return
            error = WorkerLost("the process computing this died, and again on a second try (out of memory?)")
        self._computed += 1
        good, packed = future.result() if error is None else (False, pickle.dumps(error))
        del self._jobs[job.key]
        if good and job.keep and len(packed) <= self._cache_limit:
            self._cache[job.key] = packed
            self._cached_bytes += len(packed)
            while self._cached_bytes > self._cache_limit:
                self._cached_bytes -= len(self._cache.popitem(last=False)[1])
        self._fill()
        self._deliver(job, packed)

    def _rebuild(self) -> None:
        self._restarts += 1
        _log.warning("a worker process died: rebuilding the pool")
        try:
            self._open()
        except OSError:  # no process to be had just now; the broken pool stays and the next task tries again
            _log.exception("the pool could not be rebuilt")
            for process in self._processes:
                process.kill()

    def _deliver(self, job: _Job, packed: bytes) -> None:
        while job.wanted:  # a receiver may make others leave
            owner, deliver = next(iter(job.wanted.items()))
            del job.wanted[owner], self._newest[owner]
            try:
                deliver(pickle.loads(packed))
            except Exception:  # one visitor's trouble is not that of the others
                _log.exception("a receiver failed")
