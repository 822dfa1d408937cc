"""Downloads of data sets through the page: how far they are, stopping, time-outs; nothing half is taken for whole."""

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import openml
import pytest
from bokeh.document import Document

from app.labs import LABS
from app.parts.real_data import Measured, Missing
from app.session import Session
from app.workers import Workers
from rmtcore import downloads
from rmtcore.datasets import fetch

LAB = LABS["real-data"]
QUERY = "data=mnist&samples=40&draws=1"


@pytest.fixture
def site():
    with openml.serving() as server:
        yield server


@pytest.fixture(scope="module")
def workers():
    one = Workers(1, cache_bytes=0, grace=0.2)
    one.start()
    yield one
    one.stop(0.0)


class Guest:
    """A session whose downloads come from the stand-in."""

    def __init__(self, workers, site, folder, monkeypatch, patience=20.0, limit=60.0):
        real = type(LAB).experiment

        def experiment(values):
            task = real(LAB, values)
            args = site.url, str(folder), patience, *task.args
            return replace(task, function=openml.measure_from, args=args, limit=limit)

        monkeypatch.setattr(LAB, "experiment", experiment)
        self.document, self.told = Document(), []
        self.session = Session(LAB, workers, QUERY, self.document)
        self.session.bridge.tell = self.told.append
        self.session.receive({"type": "hello"})

    @property
    def doing(self):
        return [told["doing"] for told in self.told if told["type"] == "progress"]

    async def until(self, condition, seconds=60.0):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain; {self.told[-3:]}"
            for waiting in list(self.document.session_callbacks):
                waiting.callback()
            await asyncio.sleep(0.005)


def whole_files(folder):
    """Data files that scikit-learn would take for complete."""
    return [path for path in Path(folder).rglob("*.arff.gz") if not path.parent.name.startswith("tmp")]


def test_bytes_are_seen_to_rise_and_the_set_is_read_once(workers, site, tmp_path, monkeypatch):
    async def scenario():
        site.state = "slow"
        one = Guest(workers, site, tmp_path, monkeypatch)
        site.let.release()
        await one.until(lambda: any(text.startswith("downloading") for text in one.doing))
        for _ in range(openml.PARTS - 1):
            site.let.release()
            seen, pause = len(one.doing), time.monotonic() + 0.4  # reports come four times a second at most
            await one.until(lambda n=seen, end=pause: len(one.doing) > n or time.monotonic() > end)
        await one.until(lambda: not one.session._busy)
        assert isinstance(one.session._observed, Measured)
        texts = [text for text in one.doing if text.startswith("downloading MNIST")]
        sizes = [float(text.split(": ")[1].split()[0]) for text in texts]
        assert len(set(sizes)) >= 3
        assert sizes == sorted(sizes)
        assert all(text.endswith(" MB") and " of " in text for text in texts)
        assert one.told[-1]["doing"] == ""
        asked = len(site.asked)
        again = Guest(workers, site, tmp_path, monkeypatch)
        await again.until(lambda: not again.session._busy)
        assert isinstance(again.session._observed, Measured)
        assert len(site.asked) == asked

    asyncio.run(scenario())


def test_stop_ends_a_download_and_leaves_nothing_that_looks_whole(workers, site, tmp_path, monkeypatch):
    async def scenario():
        site.state = "slow"
        one = Guest(workers, site, tmp_path, monkeypatch)
        site.let.release()
        await one.until(lambda: any(text.startswith("downloading") for text in one.doing))
        before = workers.status()
        one.session.receive({"type": "stop"})
        assert (one.told[-1]["busy"], one.told[-1]["doing"]) == (False, "")
        await one.until(lambda: workers.status().cancelled == before.cancelled + 1)
        assert not whole_files(tmp_path)
        site.state = "well"
        one.session.receive({"type": "draw"})
        await one.until(lambda: not one.session._busy)
        assert isinstance(one.session._observed, Measured)
        assert whole_files(tmp_path)

    asyncio.run(scenario())


def test_leaving_ends_a_download(workers, site, tmp_path, monkeypatch):
    async def scenario():
        site.state = "slow"
        one = Guest(workers, site, tmp_path, monkeypatch)
        site.let.release()
        await one.until(lambda: one.doing)
        before = workers.status().cancelled
        one.session.close()
        await one.until(lambda: workers.status().cancelled == before + 1)
        await one.until(lambda: workers._fleet.idle)  # the next test has a loop of its own, and needs a worker

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("state", "reason"), [("silent", "timed out"), ("cut", "the connection ended after"), ("gone", "refused")]
)
def test_a_download_that_fails_says_why(workers, site, tmp_path, monkeypatch, state, reason):
    async def scenario():
        if state == "gone":
            site.url = "http://127.0.0.1:9"  # nobody listens there
        site.state = state
        patience = 2.0 if state == "silent" else 20.0
        one = Guest(workers, site, tmp_path, monkeypatch, patience)
        await one.until(lambda: not one.session._busy)
        assert isinstance(one.session._observed, Missing)
        words = " ".join(one.told[-1]["explain"])
        assert "MNIST is not on this machine" in words
        assert reason in words
        assert not whole_files(tmp_path)

    asyncio.run(scenario())


def test_a_download_has_a_time_limit(workers, site, tmp_path, monkeypatch):
    async def scenario():
        site.state = "slow"
        one = Guest(workers, site, tmp_path, monkeypatch, limit=1.0)
        await one.until(lambda: not one.session._busy)
        assert "longer than 1 s" in one.told[-1]["text"]
        assert not whole_files(tmp_path)
        await one.until(lambda: workers._fleet.idle)

    asyncio.run(scenario())


def test_the_lab_gives_downloads_more_time_than_experiments():
    values = LAB.schema.defaults() | {"file": None}
    assert LAB.experiment(values).limit is None
    assert LAB.experiment(values | {"data": "mnist"}).limit > 300


# ---- the core alone
@pytest.fixture
def here(site, tmp_path, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    monkeypatch.setattr(downloads._Watch, "site", site.url)
    return site


def test_the_first_images_are_kept_and_come_without_the_rest(here, tmp_path):
    heard = []
    X, labels = fetch("mnist_784", 50, lambda done, total: heard.append((done, total)))
    assert X.shape == (784, 50)
    assert heard[-1][0] == heard[-1][1] > 10_000
    for path in whole_files(tmp_path):
        path.unlink()
    asked = len(here.asked)
    again, classes = fetch("mnist_784", 50)
    assert len(here.asked) == asked
    np.testing.assert_array_equal(again, X)
    np.testing.assert_array_equal(classes, labels)
    (kept,) = tmp_path.glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:1000])  # damaged: as if it were not there
    np.testing.assert_array_equal(fetch("mnist_784", 50).X, X)
    assert len(here.asked) > asked


def test_one_at_a_time_and_old_halves_are_removed(tmp_path):
    old, new = (tmp_path / "openml" / "openml.org" / name for name in ("tmpold", "tmpnew"))
    for half in (old, new):
        half.mkdir(parents=True)
        (half / "part").write_bytes(b"half")
    os.utime(old, (0, 0))
    heard = []

    class Enough(Exception):
        pass

    def hear(*told):
        heard.append(told)
        raise Enough

    with downloads.alone(tmp_path, "set", hear):
        assert (old.exists(), new.exists()) == (False, True)
        with pytest.raises(Enough), downloads.alone(tmp_path, "set", hear):
            pytest.fail("two at a time")
    assert heard == [(0, 0)]
    with downloads.alone(tmp_path, "set", hear):
        assert heard == [(0, 0)]


def test_the_opener_that_was_there_is_back_afterwards():
    import urllib.request

    def fail():
        assert urllib.request._opener is not before
        raise RuntimeError("trouble")

    before = urllib.request._opener
    with pytest.raises(RuntimeError, match="trouble"), downloads.watched(lambda *_: None):
        fail()
    assert urllib.request._opener is before
