"""What stands in line or runs: one computation, who waits for it, how it can end; and the count of all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from app.worker_process import Progress

Deliver = Callable[[Any], None]
Hear = Callable[[Progress], None]


@dataclass(frozen=True)
class Status:
    """What the workers are doing, and totals since the beginning."""

    running: int  # tasks
    waiting: int  # tasks
    cached: int  # entries
    cached_bytes: int
    hits: int  # requests answered from the cache in memory
    computed: int  # tasks that ended, in a result or an exception
    dropped: int  # requests superseded or forgotten before they were answered
    restarts: int  # workers replaced because they died
    timeouts: int = 0  # tasks ended because of their time
    cancelled: int = 0  # running tasks ended because nobody waited for them
    refused: int = 0  # requests refused because of the line
    recycled: int = 0  # workers replaced because of their memory
    disk_hits: int = 0  # tasks found in the cache on disk
    wait: float = 0.0  # seconds that a newcomer would stand in line


class WorkerLost(RuntimeError):
    """The process of a task died, and died again when the task was retried."""


class TookTooLong(RuntimeError):
    """The task was ended after its time, in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Busy(RuntimeError):
    """The task was refused: too many are in line, for about so many `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(eq=False)
class Waiting:
    """One who waits for a job, and the seconds of waiting that were told."""

    deliver: Deliver
    hear: Hear | None
    told: int = 0


@dataclass(eq=False)
class Job:
    """One computation and who waits for it."""

    key: Hashable
    task: bytes
    name: str  # of the function
    work: float
    limit: float
    keep: bool  # the result, for whoever asks for the same
    wanted: dict[Hashable, Waiting] = field(default_factory=dict)
    owner: Hashable = None  # in whose turn it was started
    suspect: bool = False  # a worker died while it ran
    looking: bool = False  # for it in the cache on disk
    started: float = 0.0
    ended: str = ""  # why its worker was killed: "cancelled", "timeout"
    timers: list[threading.Timer] = field(default_factory=list)

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call it in a while, in a thread of its own, unless the job's timers are stopped first."""
        self.timers.append(timer(seconds, call))

    def stop_timers(self) -> None:
        """It has ended."""
        for one in self.timers:
            one.cancel()
        self.timers.clear()


def timer(seconds: float, call: Callable[[], None]) -> threading.Timer:
    """Call it in a while, in a thread of its own."""
    one = threading.Timer(seconds, call)
    one.daemon = True
    one.start()
    return one
