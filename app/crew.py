"""What the workers are made of, wherever they run: processes of our own (`app.fleet`), or a cluster's."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Protocol

from app.worker_process import Answer


class Hand(Protocol):
    """One that does a task at a time."""

    def kill(self) -> None:
        """End its task at once, as far as that is possible; its future breaks."""


class Crew(Protocol):
    """Hands that are idle, at work, or not ready yet. All but start and stop is called in the loop."""

    notice: str  # what visitors should know about where experiments run; empty when all is well

    @property
    def count(self) -> int:
        """Tasks that run at once."""

    @property
    def ready(self) -> int:
        """How many could take a task now or soon."""

    @property
    def idle(self) -> bool:
        """Whether one can take a task now."""

    @property
    def restarts(self) -> int:
        """How many were replaced because they died."""

    @property
    def recycled(self) -> int:
        """How many were replaced because of their memory."""

    def start(self, preload: tuple[str, ...], timeout: float) -> None:
        """Block until all is ready; a failure is raised, after which there is much to stop."""

    def stop(self, timeout: float) -> None:
        """Let running tasks end within the timeout. Blocks; may be repeated."""

    def run(self, task: bytes) -> tuple[Any, Future[Answer]] | None:
        """Give a task to an idle hand, if there is one; a future that breaks with BrokenExecutor has no answer."""

    def take_back(self, worker: Any, memory: int) -> None:
        """Its task has ended, well or not; it holds so many bytes."""

    def lose(self, worker: Any, died: bool = True) -> None:
        """Its task has no answer: have another one in its place."""
