"""The cache on disk: shared, bounded, and never trusted."""

import asyncio
import logging
import operator
import os
import pickle
import sqlite3
import subprocess
import sys
from pathlib import Path

import diskcache
import pytest

from app.disk_cache import DiskCache
from app.workers import Workers


class Evil:
    """Leaves a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def opened(tmp_path):
    made = []

    def make(**options):
        made.append(DiskCache(tmp_path / "cache", **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def kept(opened, size=100, key="key", **options):
    """A cache with one entry, and the entry's name and content."""
    one = opened(**options)
    name, packed = one.name(key), pickle.dumps(os.urandom(size))
    one.put(name, packed)
    assert one.get(name) == packed
    return one, name, packed


def test_another_process_or_a_later_one_finds_what_was_kept(opened):
    one, _, packed = kept(opened)
    one.close()
    assert opened().get(opened().name("key")) == packed
    assert opened().get(opened().name("other key")) is None


def test_names_differ_by_key_and_are_the_same_elsewhere(opened, tmp_path):
    key = ("lab", 0.25, ("tanh", 3), None)
    names = {opened().name(key), opened().name(("lab", 0.25, ("tanh", 4), None))}
    assert len(names) == 2
    script = f"from app.disk_cache import DiskCache; print(DiskCache({str(tmp_path / 'c')!r}).name({key!r}))"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() in names


@pytest.mark.parametrize("size", [100, 200_000])  # in the database, and in a file of its own
def test_a_damaged_entry_is_absent_and_removed(opened, caplog, size):
    one, name, packed = kept(opened, size)
    raw = one._cache.get(name)
    one._cache.set(name, raw[:-1] + bytes([raw[-1] ^ 1]))
    assert one.get(name) is None
    assert name not in one._cache
    assert "damaged" in caplog.text
    one.put(name, packed)
    assert one.get(name) == packed


def test_a_lost_or_cut_file_is_absent(opened, tmp_path):
    one, name, _ = kept(opened, 200_000)
    (file,) = (tmp_path / "cache" / "results").rglob("*.val")
    file.write_bytes(file.read_bytes()[:1000])
    assert one.get(name) is None
    one, name, _ = kept(opened, 200_000)
    (file,) = (tmp_path / "cache" / "results").rglob("*.val")
    file.unlink()
    assert one.get(name) is None


def test_what_others_wrote_is_not_opened(opened, tmp_path):
    one, name, _ = kept(opened, secret="ours")
    mark = tmp_path / "mark"
    other = opened(secret="theirs")
    other.put(name, pickle.dumps(Evil(mark)))
    assert other.get(name) is not None
    assert one.get(name) is None  # signed with another secret
    with diskcache.Cache(str(tmp_path / "cache" / "results")) as raw:
        raw.set(name, Evil(mark))  # diskcache itself would unpickle this one
    assert one.get(name) is None
    assert not mark.exists()


def test_an_entry_under_another_name_is_not_taken_for_it(opened):
    one, name, _ = kept(opened)
    one._cache.set(one.name("other"), one._cache.get(name))
    assert one.get(one.name("other")) is None


def test_a_file_outside_of_the_cache_is_not_read(opened, tmp_path):
    one, name, _ = kept(opened, 200_000)
    (file,) = (tmp_path / "cache" / "results").rglob("*.val")
    outside = tmp_path / "outside"
    outside.write_bytes(file.read_bytes())
    with sqlite3.connect(tmp_path / "cache" / "results" / "cache.db") as base:
        base.execute("UPDATE Cache SET filename = ?", (str(outside),))
    base.close()
    assert one.get(name) is None


def test_the_secret_of_the_folder_is_ours_alone(opened, tmp_path):
    opened()
    assert (tmp_path / "cache" / "secret").stat().st_mode & 0o777 == 0o600
    (tmp_path / "cache" / "secret").write_bytes(b"")
    assert opened().get("name") is None  # damaged: goes on without


def test_a_broken_database_is_told_once_and_the_workers_work(opened, tmp_path, caplog):
    kept(opened)[0].close()
    for path in (tmp_path / "cache" / "results").glob("cache.db*"):
        path.write_bytes(b"this is no database" * 1000)
    broken = opened()

    async def scenario():
        workers, got = Workers(1, cache_bytes=0, disk=broken), []
        workers.start()
        try:
            for i in range(3):
                workers.submit("me", "k", operator.add, i, 1, deliver=got.append)
                while len(got) <= i:
                    await asyncio.sleep(0.005)
        finally:
            workers.stop()
        assert got == [1, 2, 3]

    asyncio.run(scenario())
    assert sum("going on without" in record.message for record in caplog.records) == 1


def test_a_folder_that_cannot_be_made_is_told(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    one = DiskCache(tmp_path / "file" / "cache")
    one.put("name", b"x")
    assert one.get("name") is None
    assert "going on without" in caplog.text


FULL = """
import logging, os, resource, sys
from app.disk_cache import DiskCache
logging.basicConfig(format="%(message)s")
one = DiskCache(sys.argv[1])
small = one.name("small")
one.put(small, b"kept")
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # no file may grow any more: a full disk, to whoever writes
for i in range(5):
    one.put(one.name(i), os.urandom(200_000))
    assert one.get(one.name(i)) is None
    one.put(one.name(f"small {i}"), os.urandom(1000))
assert one.get(small) == b"kept"
print("alive")
"""


def test_a_full_disk_is_told_once_and_what_is_there_is_read(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "c")], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "alive", done.stderr
    assert done.stderr.count("going on without") == 1
    assert "Traceback" not in done.stderr


def test_the_cache_is_bounded(opened, tmp_path):
    one = opened(limit=1_000_000)
    for i in range(100):
        one.put(one.name(i), os.urandom(40_000))
    assert one._cache.volume() < 1_300_000
    assert one.get(one.name(0)) is None
    assert one.get(one.name(99)) is not None


def test_workers_find_results_of_earlier_workers(opened):
    async def ask(workers, key, *task, keep=True):
        answer = asyncio.get_running_loop().create_future()
        workers.submit("me", key, *task, deliver=answer.set_result, keep=keep)
        return await asyncio.wait_for(answer, 20)

    async def scenario():
        first = Workers(1, disk=opened())
        first.start()
        assert await ask(first, "k", operator.add, 1, 1) == 2
        assert await ask(first, "private", operator.add, 1, 1, keep=False) == 2
        first.stop()
        later = Workers(1, disk=opened())
        later.start()
        try:
            assert await ask(later, "k", operator.add, 5, 5) == 2  # not computed
            assert await ask(later, "k", operator.add, 5, 5) == 2  # from memory now
            assert await ask(later, "private", operator.add, 5, 5) == 10
            status = later.status()
            assert (status.disk_hits, status.hits, status.computed) == (1, 1, 1)
            got = []
            for owner in range(3):  # shared while it is looked for, too
                later.submit(owner, "new", os.getpid, deliver=got.append)
            later.forget(0)
            while len(got) < 2:
                await asyncio.sleep(0.005)
            assert len(set(got)) == 1
        finally:
            later.stop()

    logging.getLogger("asyncio").setLevel(logging.WARNING)
    asyncio.run(scenario())
