"""Faults of workers, met by real sessions: each change of a visitor is answered right, or visibly refused."""

import asyncio
import multiprocessing
import os
import random
import signal
import time
from dataclasses import is_dataclass, replace
from multiprocessing import active_children, forkserver

import numpy as np
import pytest
from bokeh.document import Document

from app.labs.spectrum import SpectrumLab
from app.session import Session
from app.warm_worker import warm_worker
from app.workers import Workers

LAB = SpectrumLab()


class Guest:
    """A session on real workers, driven by hand, and what its page was told."""

    def __init__(self, workers, query):
        self.document, self.told = Document(), []
        self.session = Session(LAB, workers, query, self.document)
        self.session.bridge.tell = self.told.append
        self.say(type="hello")

    def say(self, **message):
        self.session.receive(message)

    def turn(self):
        for waiting in list(self.document.session_callbacks):
            waiting.callback()

    @property
    def refused(self):
        return self.told[-1]["type"] == "error"

    @property
    def at_rest(self):
        return not self.session._busy

    def right(self):
        """Whether what is shown is what the present settings draw."""
        task = LAB.experiment(self.session._resolved)
        return same(self.session._observed, task.function(*task.args))


def same(one, other):
    """Equal but for rounding, arrays and all that holds them."""
    if is_dataclass(one):
        return type(one) is type(other) and same(vars(one), vars(other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one if key != "seconds")
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (np.ndarray, float)):
        return np.allclose(one, other, rtol=1e-9, atol=1e-12, equal_nan=True)
    return one == other


@pytest.fixture(scope="module")
def loaded():
    """The process that forks workers has everything loaded, as in the server; other tests start a bare one."""
    forkserver._forkserver._stop()
    yield
    forkserver._forkserver._stop()
    multiprocessing.set_forkserver_preload([])


@pytest.fixture
def workers(loaded):
    one = Workers(2, cache_bytes=0, warm=warm_worker, preload=("app.preloaded",), task_seconds=30.0)
    one.start(200.0)
    yield one
    one.stop(0.0)


async def until(guests, condition, seconds=90.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        for guest in guests:
            guest.turn()
        await asyncio.sleep(0.002)


def test_twenty_kills_under_load_lose_no_change(workers):
    chance = random.Random(7)

    async def scenario():
        guests = [Guest(workers, f"size=300&seed={100 * i}") for i in range(5)]
        right = refused = kills = 0
        while kills < 20 or right + refused < 60:
            if kills < 20 and (children := active_children()):
                os.kill(chance.choice(children).pid, signal.SIGKILL)
                kills += 1
            await until(guests, lambda: any(guest.at_rest for guest in guests))
            for guest in guests:
                if guest.at_rest:
                    if guest.refused:
                        assert "died twice" in guest.told[-1]["text"]
                        refused += 1
                    else:
                        assert guest.right()
                        right += 1
                    guest.say(type="draw")
        await until(guests, lambda: all(guest.at_rest for guest in guests))
        assert all(guest.refused or guest.right() for guest in guests)
        assert kills == 20
        assert right > refused  # two kills may meet one task; more is not likely
        assert 0 < workers.status().restarts <= 20

    asyncio.run(scenario())


def test_all_workers_killed_at_once(workers):
    async def scenario():
        guests = [Guest(workers, f"size=600&seed={i}") for i in range(4)]
        await until(guests, lambda: workers.status().running == 2)
        for child in active_children():
            os.kill(child.pid, signal.SIGKILL)
        await until(guests, lambda: all(guest.at_rest for guest in guests))
        assert all(guest.right() for guest in guests)
        assert not any(guest.refused for guest in guests)
        assert workers.status().restarts == 2

    asyncio.run(scenario())


def runaway(*_):
    """Compute without end, and hear no polite signal."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        np.linalg.svd(np.ones((50, 50)))


def test_a_runaway_job_is_ended_and_said(workers, monkeypatch):
    workers._task_seconds = 1.0

    async def scenario():
        tasks = LAB.experiment
        other = Guest(workers, "size=40&seed=1")
        await until([other], lambda: other.at_rest)
        with monkeypatch.context() as patched:
            patched.setattr(LAB, "experiment", lambda values: replace(tasks(values), key="runaway", function=runaway))
            guest = Guest(workers, "size=40&seed=2")
        guests = [guest, other]
        await until(guests, lambda: workers.status().running)
        other.say(type="draw")
        await until(guests, lambda: other.at_rest)
        assert other.right()
        await until(guests, lambda: guest.at_rest)
        assert guest.refused
        assert "took longer than 1 s" in guest.told[-1]["text"]
        guest.say(type="draw")
        await until(guests, lambda: guest.at_rest)
        assert guest.right()
        assert workers.status().timeouts == 1

    asyncio.run(scenario())
