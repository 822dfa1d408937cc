"""Toy tasks for test_workers: worker processes import them by name, so this file imports nothing heavy."""

import os
import signal
import time
from pathlib import Path

from app.worker_process import report


def mark(folder, name, seconds=0.0):
    """Note in a file of the folder that the task began, then take some time."""
    with open(Path(folder, "log"), "a") as log:
        log.write(f"{name}\n")
    time.sleep(seconds)
    return name


def hold(folder, name):
    """Take as long as the test wants: until the file ``go`` is there."""
    mark(folder, name)
    give_up = time.monotonic() + 20
    while not Path(folder, "go").exists() and time.monotonic() < give_up:
        time.sleep(0.005)
    return name


def die(folder, times):
    """Kill the own process the first so many times."""
    mark(folder, "die")
    if Path(folder, "log").read_text().count("die") <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def spin():
    """Never end, and hear no polite signal."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        pass


def pid():
    return os.getpid()


def advance(steps):
    """Say after each step how far it is."""
    for step in range(1, steps + 1):
        report(step, steps, f"step {step}")
        time.sleep(0.1)
    return "arrived"


class Awkward(Exception):
    """Can be pickled, not unpickled: that would kill a bare pool."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def fail(message):
    raise ValueError(message)


def fail_awkwardly():
    raise Awkward("this", "that")


def unpicklable():
    return lambda: None


class Closed:
    """Can be pickled, not unpickled."""

    def __reduce__(self):
        return fail, ("closed for good",)


def blas_threads():
    import numpy as np
    from threadpoolctl import threadpool_info

    np.linalg.svd(np.ones((300, 300)))
    return [(library["user_api"], library["num_threads"]) for library in threadpool_info()]


def numba_threads():
    import numba

    return numba.config.NUMBA_NUM_THREADS


def warm_folder(folder):
    """Warm up: leave a file named after the process in the folder."""
    Path(folder, str(os.getpid())).touch()


def warm_badly():
    raise ValueError("cannot get warm")


def square(number, seconds):
    """Take some time."""
    time.sleep(seconds)
    return number**2
