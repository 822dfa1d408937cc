"""What every test needs: an environment of our own, hypothesis without surprises, servers that are stopped."""

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psutil
import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent

# Before anything imports NumPy: small matrices gain nothing from more threads, and lose much on a busy machine.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
# Before anything imports Bokeh or Panel, which read theirs once.
for _name in [name for name in os.environ if name.startswith(("BOKEH_", "PANEL_", "RMT_"))]:
    del os.environ[_name]

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items):
    """Browser tests come last: Playwright keeps an asyncio loop running in this thread from its start on."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@dataclass
class Server:
    """A dashboard in a process (and a process group) of its own."""

    process: subprocess.Popen
    log: Path
    url: str = ""
    seconds: float = 0.0  # from start to address
    # Stopping takes under two seconds on a quiet machine. A busy one makes the workers slow to leave, and those
    # that have not left after five are killed.
    soon: ClassVar = 10.0

    @property
    def port(self):
        return int(re.search(r":(\d+)", self.url).group(1))

    def words(self):
        return self.log.read_text()

    def family(self):
        """The process and all that descend from it."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def stop(self, number=signal.SIGTERM, group=False, within=60.0):
        """Send a signal, to the whole group as Ctrl-C does if asked; exit code, seconds, who outlived it."""
        family = self.family()
        start = time.monotonic()
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        code = self.process.wait(within)
        seconds = time.monotonic() - start
        deadline = time.monotonic() + 5.0
        while (alive := [one for one in family if _runs(one)]) and time.monotonic() < deadline:
            time.sleep(0.02)
        return code, seconds, alive


def _runs(process):
    """Whether a process is alive; a zombie is not, it only waits for an init that does not care."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _launch(log, *options, environment=None):
    """Start a server; it is up when this returns."""
    command = [sys.executable, "-m", "app", "--port", "0", *options]
    start = time.monotonic()
    with log.open("w") as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    server = Server(process, log)
    lines = queue.Queue()
    threading.Thread(target=lambda: [*map(lines.put, process.stdout), lines.put("")], daemon=True).start()
    try:
        line = lines.get(timeout=200)
    except queue.Empty:
        line = "nothing in 200 s"
    found = re.search(r"http://\S+", line)
    if found is None:
        _end(server)
        pytest.fail(f"The server said {line!r} instead of its address. Its log:\n{server.words()}")
    server.url, server.seconds = found.group().rstrip("/"), time.monotonic() - start
    return server


def _end(server):
    """Leave nothing of a server behind, whatever happened to it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait()
    server.process.stdout.close()


@pytest.fixture
def launch(tmp_path):
    """Start servers for one test."""
    made = []

    def start(*options, environment=None):
        made.append(_launch(tmp_path / f"server-{len(made)}.log", *options, environment=environment))
        return made[-1]

    yield start
    for server in made:
        _end(server)


@contextlib.contextmanager
def _serving(log, *options):
    """A server that ends well and without an error in its log."""
    one = _launch(log, *options)
    try:
        yield one
        code, seconds, alive = one.stop(signal.SIGTERM)
        assert code == 0, one.words()
        assert seconds < one.soon
        assert not alive
        assert "Traceback" not in one.words()
        assert " ERROR " not in one.words()
    finally:
        _end(one)


@pytest.fixture(scope="session")
def serving():
    """Start a server for one module, as a context."""
    return _serving


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """One server for all who only visit it."""
    with _serving(tmp_path_factory.mktemp("server") / "log", "--workers", "2") as one:
        yield one
