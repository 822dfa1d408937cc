"""Experiments on a Dask cluster: a worker killed, the scheduler gone, the page told where they run."""

import os
import signal
import time
from types import SimpleNamespace

import pytest
from visitor import Visitor
from worker_tasks import square

from app.cluster import Tls
from app.cluster_fleet import GONE
from app.workers import Workers

distributed = pytest.importorskip("distributed")
# Dask leaves the closing of some sockets to the collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


class Loop:
    """The event loop: calls come from threads, and are made when the test waits."""

    def __init__(self):
        self.calls = []

    def soon(self, call):
        self.calls.append(call)

    def until(self, true, seconds=60):
        deadline = time.monotonic() + seconds
        while not true():
            while self.calls:
                self.calls.pop(0)()
            assert time.monotonic() < deadline
            time.sleep(0.005)


@pytest.fixture
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as one:
        yield one


@pytest.fixture
def made():
    """Workers at an address, with a loop; stopped in the end."""
    found = []

    def make(address, count=1):
        loop = Loop()
        workers = Workers(count, call_soon=loop.soon, cluster=(address, Tls()))
        found.append(workers)
        workers.start()
        return workers, loop

    yield make
    for workers in found:
        workers.stop()


def submit(workers, found, number, seconds=0.0):
    workers.submit(
        number, (number, seconds), square, number, seconds, deliver=lambda one: found.setdefault(number, one)
    )


def test_tasks_run_there_and_one_worker_killed_loses_none(cluster, made):
    workers, loop = made(cluster.scheduler_address)
    assert workers.notice == ""
    found = {}
    for number in range(12):
        submit(workers, found, number, 0.2)
    loop.until(lambda: len(found) >= 2)
    os.kill(next(iter(cluster.workers.values())).process.pid, signal.SIGKILL)
    loop.until(lambda: len(found) == 12)
    assert found == {number: number**2 for number in range(12)}
    assert workers.notice == ""


def test_a_task_that_is_given_up_frees_its_place(cluster, made):
    workers, loop = made(cluster.scheduler_address)
    found = {}
    for number in (1, 2):
        workers.submit(
            number, number, square, number, 30.0, deliver=lambda one: found.setdefault("late", one), limit=0.5
        )
    loop.until(lambda: workers.status().timeouts == 2)
    assert type(found["late"]).__name__ == "TookTooLong"


def test_without_a_scheduler_they_run_here_from_the_start(made, monkeypatch):
    monkeypatch.setattr("app.cluster._CONNECT_SECONDS", 0.5)
    workers, loop = made("tcp://127.0.0.1:9")
    assert workers.notice == GONE
    found = {}
    submit(workers, found, 7)
    loop.until(lambda: found)
    assert found == {7: 49}


def test_when_the_scheduler_goes_they_run_here_and_nothing_is_lost(cluster, made):
    workers, loop = made(cluster.scheduler_address)
    found = {}
    for number in range(6):
        submit(workers, found, number, 0.3)
    loop.until(lambda: len(found) >= 1)
    cluster.close()
    loop.until(lambda: len(found) == 6, 120)
    assert found == {number: number**2 for number in range(6)}
    assert workers.notice == GONE


def test_the_page_is_told_once_where_experiments_run():
    one = Visitor()
    one.workers.notice = GONE
    assert GONE in one.say(type="draw")["notices"]
    assert GONE not in one.say(type="draw")["notices"]


def test_settings_of_the_connection_are_passed_through(monkeypatch):
    asked = SimpleNamespace()

    class Client:
        def __init__(self, address, **options):
            asked.address, asked.options = address, options

    monkeypatch.setattr(distributed, "Client", Client)
    from app.cluster import connect

    connect("tls://host:8786", Tls("ca.pem", "cert.pem", "key.pem"))
    security = asked.options["security"]
    assert asked.address == "tls://host:8786"
    assert (security.tls_ca_file, security.tls_client_cert, security.tls_client_key) == (
        "ca.pem",
        "cert.pem",
        "key.pem",
    )
    assert security.require_encryption
