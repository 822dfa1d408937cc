"""Where tasks run: processes here, or a Dask cluster by its address. Both speak concurrent futures.

A task is an object with `run()`. Whoever waits for it sees the same result wherever it ran, once or again: what
is random in it depends on its seeds alone.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
from abc import ABC, abstractmethod
from concurrent.futures import BrokenExecutor, CancelledError, Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Protocol

RETRIES = 3  # of a task whose worker died
_CONNECT_SECONDS = 10


class Runs(Protocol):
    """Something to compute."""

    def run(self) -> Any:
        """Compute it."""


class SchedulerGone(RuntimeError):
    """The cluster cannot be reached, or no longer."""


@dataclass(frozen=True)
class Tls:
    """Files of certificates, passed through to Dask; empty where the cluster has none."""

    ca: str = ""
    cert: str = ""
    key: str = ""


def connect(address: str, tls: Tls) -> Any:
    """A client of the scheduler at this address.

    Raises
    ------
    SchedulerGone : nobody answers there.
    ValueError : the library is not installed.
    """
    if importlib.util.find_spec("distributed") is None:
        raise ValueError("A scheduler needs Dask: pip install 'rmt-playground[study]'.")
    from distributed import Client
    from distributed.security import Security

    options: dict[str, Any] = {}
    if tls.ca:
        files = {"tls_ca_file": tls.ca, "tls_client_cert": tls.cert or None, "tls_client_key": tls.key or None}
        options["security"] = Security(require_encryption=True, **files)
    try:
        return Client(address, timeout=_CONNECT_SECONDS, set_as_default=False, **options)
    except (OSError, TimeoutError) as error:
        raise SchedulerGone(f"No scheduler answers at {address}.") from error


class Farm(ABC):
    """Where tasks run."""

    most: int  # tasks to have under way at once

    @abstractmethod
    def submit(self, task: Runs) -> Future[Any]:
        """Start a task."""

    @abstractmethod
    def result(self, future: Future[Any]) -> Any:
        """What a finished task found; one that lost its worker is run again."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the workers; what is under way is dropped."""


class LocalFarm(Farm):
    """Processes on this machine, each with one thread for linear algebra."""

    def __init__(self, workers: int) -> None:
        self._workers, self.most = workers, workers + 1
        self._tasks: dict[Future[Any], Runs] = {}
        self._pool = self._open()

    def _open(self) -> ProcessPoolExecutor:
        importlib.import_module("app.one_thread")  # the workers inherit what it sets
        return ProcessPoolExecutor(self._workers, get_context("spawn"))

    def submit(self, task: Runs) -> Future[Any]:
        """Start a task."""
        try:
            future = self._pool.submit(task.run)
        except BrokenExecutor:
            self._pool = self._open()
            future = self._pool.submit(task.run)
        self._tasks[future] = task
        return future

    def result(self, future: Future[Any]) -> Any:
        """What it found; a killed worker takes the whole pool along, and each lost task is run again."""
        task = self._tasks.pop(future)
        for attempt in range(RETRIES + 1):
            try:
                return future.result()
            except BrokenExecutor:
                if attempt == RETRIES:
                    raise
                future = self.submit(task)
                self._tasks.pop(future)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class Cluster(Farm):
    """A Dask cluster. It runs a task again by itself when a worker dies.

    Raises
    ------
    SchedulerGone : nobody answers at the address.
    ValueError : the library is not installed.
    """

    def __init__(self, address: str, tls: Tls) -> None:
        self._client = connect(address, tls)
        self._address = address
        self._executor = self._client.get_executor(retries=RETRIES, pure=False)
        self.most = 2 * max(1, sum(self._client.nthreads().values()))

    def submit(self, task: Runs) -> Future[Any]:
        """Start a task."""
        if self._client.status != "running":
            raise SchedulerGone(f"The scheduler at {self._address} is gone.")
        future: Future[Any] = self._executor.submit(task.run)
        return future

    def result(self, future: Future[Any]) -> Any:
        """What it found."""
        try:
            return future.result()
        except (CancelledError, OSError) as error:
            raise SchedulerGone(f"The scheduler at {self._address} is gone.") from error

    def close(self) -> None:
        """Leave the cluster to others."""
        self._client.close(timeout=2)


def add_options(options: argparse.ArgumentParser) -> None:
    """The options of a command that can use a cluster; each has an environment variable."""
    texts = {
        "scheduler": "address of a Dask scheduler, such as tcp://host:8786",
        "tls-ca": "certificate authority of the cluster",
        "tls-cert": "certificate to show it",
        "tls-key": "key of that certificate",
    }
    for name, text in texts.items():
        default = os.environ.get("RMT_" + name.upper().replace("-", "_"), "")
        options.add_argument(f"--{name}", default=default, help=text)
