import asyncio
import operator
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from multiprocessing import active_children, resource_tracker
from pathlib import Path

import psutil
import pytest
import worker_tasks as toy

from app.costs import Costs
from app.worker import Worker, prepare
from app.workers import Busy, Progress, Status, TookTooLong, WorkerLost, Workers


@pytest.fixture
def start():
    made = []

    def make(count=2, **options):
        workers = Workers(count, **options)
        made.append(workers)
        workers.start()
        return workers

    yield make
    for workers in made:
        workers.stop(0.0)


@pytest.fixture(autouse=True)
def quiet_loop(caplog):
    yield
    assert not [record for record in caplog.get_records("call") if record.name in ("asyncio", "concurrent.futures")]


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path)


def log(folder):
    path = Path(folder, "log")
    return path.read_text().split() if path.exists() else []


def go(folder):
    Path(folder, "go").touch()


async def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.005)


async def ask(workers, owner, key, function, *args, **options):
    answer = asyncio.get_running_loop().create_future()
    workers.submit(owner, key, function, *args, deliver=answer.set_result, **options)
    return await asyncio.wait_for(answer, 20)


async def ready(workers, count):
    """All workers are there, at rest and warm."""
    await until(lambda: len(active_children()) == count and workers._fleet.ready == count == len(workers._fleet._idle))


# ---- newest wins, turns, sharing


def test_of_a_burst_only_the_first_and_the_last_are_computed(start, folder):
    async def scenario():
        workers, got = start(), []
        for i in range(60):
            workers.submit("me", i, toy.mark, folder, f"{i}", 0.02, deliver=got.append)
        await until(lambda: got)
        await until(lambda: not workers.status().running)
        assert got == ["59"]
        assert log(folder) == ["0", "59"]
        status = workers.status()
        assert (status.computed, status.dropped, status.waiting) == (2, 59, 0)

    asyncio.run(scenario())


def test_a_superseded_result_is_not_delivered_but_cached(start, folder):
    async def scenario():
        workers, old, new = start(), [], []
        workers.submit("me", "old", toy.hold, folder, "old", deliver=old.append)
        await until(lambda: log(folder) == ["old"])
        workers.submit("me", "new", toy.mark, folder, "new", deliver=new.append)
        go(folder)
        await until(lambda: new)
        assert (old, new) == ([], ["new"])
        assert await ask(workers, "me", "old", toy.hold, folder, "again") == "old"
        assert log(folder) == ["old", "new"]
        assert workers.status().hits == 1

    asyncio.run(scenario())


def test_going_back_to_a_running_task_joins_it(start, folder):
    async def scenario():
        workers, got = start(1), []
        workers.submit("me", "a", toy.hold, folder, "a", deliver=lambda _: got.append("first"))
        workers.submit("me", "b", toy.hold, folder, "b", deliver=lambda _: got.append("second"))
        workers.submit("me", "a", toy.hold, folder, "a", deliver=lambda _: got.append("third"))
        assert workers.status().waiting == 0
        go(folder)
        await until(lambda: got)
        assert got == ["third"]
        assert log(folder) == ["a"]

    asyncio.run(scenario())


def test_equal_keys_in_flight_are_computed_once(start, folder):
    async def scenario():
        workers, got = start(), []
        workers.submit(0, "key", toy.hold, folder, "once", deliver=got.append)
        await until(lambda: log(folder))
        for owner in range(1, 30):
            workers.submit(owner, "key", toy.hold, folder, "once", deliver=got.append)
        go(folder)
        await until(lambda: len(got) == 30)
        assert set(got) == set(log(folder)) == {"once"}
        assert len(log(folder)) == workers.status().computed == 1

    asyncio.run(scenario())


def test_what_one_owner_drops_is_computed_for_another_who_wants_it(start, folder):
    async def scenario():
        workers, mine, yours = start(1), [], []
        workers.submit("blocker", "b", toy.hold, folder, "b", deliver=lambda _: None)
        for owner in ("me", "you"):
            workers.submit(owner, "shared", toy.mark, folder, "shared", deliver=yours.append)
        workers.submit("me", "mine", toy.mark, folder, "mine", deliver=mine.append)
        assert workers.status().waiting == 2
        go(folder)
        await until(lambda: mine and yours)
        assert (mine, yours) == (["mine"], ["shared"])

    asyncio.run(scenario())


def test_owners_take_turns(start, folder):
    async def scenario():
        workers, got = start(1), []

        def submit(owner, name):
            workers.submit(owner, name, toy.hold, folder, name, deliver=got.append)

        submit("greedy", "g0")
        submit("patient", "p")
        for i in range(1, 20):
            submit("greedy", f"g{i}")
        submit("late", "l")
        submit("greedy", "g20")  # keeps the place it has in the line
        go(folder)
        await until(lambda: len(got) == 3)
        assert log(folder) == ["g0", "p", "g20", "l"]

    asyncio.run(scenario())


def test_an_endless_burst_starves_nobody(start, folder):
    async def scenario():
        workers, got, bursts = start(2), [], 0
        deadline = time.monotonic() + 20
        while not got and time.monotonic() < deadline:
            workers.submit("greedy", bursts, toy.mark, folder, f"g{bursts}", 0.05, deliver=lambda _: None)
            bursts += 1
            if bursts == 20:
                workers.submit("patient", "p", toy.mark, folder, "p", deliver=got.append)
            await asyncio.sleep(0.002)
        assert got == ["p"]

    asyncio.run(scenario())


def test_one_owner_does_not_hold_two_workers(start, folder):
    async def scenario():
        workers, got = start(2), []
        workers.submit("greedy", 0, toy.hold, folder, "g0", deliver=got.append)
        workers.submit("greedy", 1, toy.hold, folder, "g1", deliver=got.append)
        assert (workers.status().running, workers.status().waiting) == (1, 1)
        assert await ask(workers, "other", 2, operator.add, 1, 1) == 2
        assert not got
        go(folder)
        await until(lambda: got)
        assert got == ["g1"]

    asyncio.run(scenario())


def test_forget_drops_the_request_of_one_owner(start, folder):
    async def scenario():
        workers, got = start(1), []
        for owner in ("running", "waiting", "staying"):
            workers.submit(owner, owner, toy.hold, folder, owner, deliver=got.append)
        for owner in ("running", "waiting", "unknown"):
            workers.forget(owner)
        go(folder)
        await until(lambda: got)
        assert got == ["staying"]
        assert log(folder) == ["running", "staying"]
        await until(lambda: workers.status().cached == 2)
        workers.submit("running", "running", toy.hold, folder, "running", deliver=got.append)
        workers.forget("running")  # a cached result is already on its way
        assert await ask(workers, "staying", "end", operator.neg, 1) == -1
        assert got == ["staying"]

    asyncio.run(scenario())


# ---- delivery


def test_delivery_is_in_the_thread_of_the_loop_and_never_inside_submit(start):
    async def scenario():
        workers, threads = start(1), []
        for _ in range(2):  # computed, then cached
            before = len(threads)
            workers.submit("me", "k", operator.add, 1, 1, deliver=lambda _: threads.append(threading.get_ident()))
            assert len(threads) == before
            await until(lambda n=before: len(threads) > n)
        assert set(threads) == {threading.get_ident()}
        assert workers.status().hits == 1

    asyncio.run(scenario())


def test_a_loop_of_ones_own(start):
    calls, got = queue.Queue(), []
    workers = start(1, call_soon=calls.put)
    for _ in range(2):
        workers.submit("me", "k", operator.add, 1, 1, deliver=got.append)
        calls.get(timeout=20)()
    assert got == [2, 2]


def test_a_result_too_late_for_its_loop_is_dropped_quietly(start, folder):
    async def scenario(workers):
        workers.submit("me", "k", toy.hold, folder, "k", deliver=pytest.fail)
        await until(lambda: log(folder))

    workers = start(1)
    asyncio.run(scenario(workers))
    go(folder)
    workers.stop(20)


def test_a_receiver_may_fail_forget_and_submit(start, folder, caplog):
    async def scenario():
        workers, got = start(1), []

        def receive(value):
            workers.forget("second")
            workers.submit("first", "next", operator.add, 1, 1, deliver=got.append)
            raise RuntimeError("receiver broke")

        workers.submit("first", "k", toy.hold, folder, "k", deliver=receive)
        workers.submit("second", "k", toy.hold, folder, "k", deliver=got.append)
        workers.submit("third", "k", toy.hold, folder, "k", deliver=got.append)
        go(folder)
        await until(lambda: len(got) == 2)
        assert got == ["k", 2]
        assert "receiver broke" in caplog.text

    asyncio.run(scenario())


def test_every_receiver_gets_its_own_copy(start):
    async def scenario():
        workers = start(1)
        first = await ask(workers, "me", "k", list, (1, 2))
        first.clear()
        assert await ask(workers, "me", "k", list, (1, 2)) == [1, 2]

    asyncio.run(scenario())


def test_what_is_not_to_be_kept_is_not_cached(start):
    async def scenario():
        workers, got = start(1), []
        for count in (1, 2):
            workers.submit("owner", "key", operator.add, 1, 1, deliver=got.append, keep=False)
            await until(lambda expected=count: len(got) == expected)
        assert got == [2, 2]
        status = workers.status()
        assert (status.computed, status.cached, status.hits) == (2, 0, 0)

    asyncio.run(scenario())


def test_exceptions_are_delivered_not_raised_and_not_cached(start):
    async def scenario():
        workers = start(1)
        for _ in range(2):
            error = await ask(workers, "me", "k", toy.fail, "too cold")
            assert isinstance(error, ValueError)
            assert str(error) == "too cold"
            assert "in fail" in error.__notes__[0]
        error = await ask(workers, "me", "k", toy.fail_awkwardly)
        assert str(error) == "Awkward: this and that"
        assert isinstance(await ask(workers, "me", "k", toy.unpicklable), Exception)
        assert str(await ask(workers, "me", "k", toy.Closed)) == "closed for good"
        status = workers.status()
        assert (status.computed, status.cached, status.hits, status.restarts) == (5, 0, 0, 0)

    asyncio.run(scenario())


def test_a_task_that_cannot_travel_is_refused_and_changes_nothing(start, folder):
    async def scenario():
        workers, got = start(1), []
        workers.submit("me", "good", toy.hold, folder, "good", deliver=got.append)
        with pytest.raises((AttributeError, TypeError, ValueError), match="lambda"):
            workers.submit("me", "bad", lambda: 1, deliver=got.append)
        go(folder)
        await until(lambda: got)
        assert got == ["good"]

    asyncio.run(scenario())


# ---- cache


def test_the_cache_is_bounded_by_bytes_and_forgets_the_least_recently_used(start):
    async def scenario():
        workers = start(1, cache_bytes=2500)

        async def hit(key, size=1000):
            before = workers.status().hits
            assert await ask(workers, "me", key, operator.mul, b"x", size) == b"x" * size
            assert workers.status().cached_bytes <= 2500
            return workers.status().hits > before

        assert [await hit("a"), await hit("b"), await hit("a")] == [False, False, True]
        assert not await hit("c")  # pushes out b, not a
        assert [await hit("a"), await hit("c"), await hit("b")] == [True, True, False]
        assert workers.status().cached == 2
        assert [await hit("huge", 3000), await hit("huge", 3000)] == [False, False]
        assert [await hit("c"), await hit("b")] == [True, True]

    asyncio.run(scenario())


def test_a_cache_of_nothing(start):
    async def scenario():
        workers = start(1, cache_bytes=0)
        for _ in range(2):
            assert await ask(workers, "me", "k", operator.add, 1, 1) == 2
        assert workers.status() == Status(0, 0, 0, 0, hits=0, computed=2, dropped=0, restarts=0)

    asyncio.run(scenario())


# ---- dying workers


def test_a_killed_task_is_retried_and_its_neighbours_do_not_notice(start, folder):
    async def scenario():
        workers, got = start(2), []
        workers.submit("neighbour", "n", toy.hold, folder, "n", deliver=got.append)
        await until(lambda: log(folder) == ["n"])
        assert await ask(workers, "me", "k", toy.die, folder, 1) == "survived"
        assert await ask(workers, "waiting", "w", operator.add, 1, 1) == 2
        assert not got
        go(folder)
        await until(lambda: got)
        assert log(folder) == ["n", "die", "die"]  # the neighbour was not computed twice
        assert workers.status().restarts == 1

    asyncio.run(scenario())


def test_a_deadly_task_is_lost_alone(start, folder):
    async def scenario():
        workers, got = start(2), []
        workers.submit("neighbour", "n", toy.hold, folder, "n", deliver=got.append)
        await until(lambda: log(folder) == ["n"])
        error = await ask(workers, "me", "k", toy.die, folder, 99)
        assert isinstance(error, WorkerLost)
        assert "died" in str(error)
        go(folder)
        await until(lambda: got)
        assert got == ["n"]
        assert log(folder).count("die") == workers.status().restarts == 2
        assert await ask(workers, "me", "next", operator.add, 1, 1) == 2

    asyncio.run(scenario())


def test_nobody_waits_for_the_retry_of_an_owner_who_left(start, folder):
    async def scenario():
        workers = start(2)
        workers.submit("me", "k", toy.die, folder, 99, deliver=lambda _: None)
        workers.forget("me")
        assert await ask(workers, "other", "o", operator.add, 1, 1) == 2
        await until(lambda: workers.status().running == 0)
        assert log(folder) == ["die"]

    asyncio.run(scenario())


def test_a_worker_killed_while_idle_is_replaced_at_once(start):
    async def scenario():
        workers = start(2)
        assert await ask(workers, "me", "first", operator.add, 1, 1) == 2
        old = {child.pid for child in active_children()}
        os.kill(min(old), signal.SIGKILL)
        await until(lambda: workers.status().restarts)
        await ready(workers, 2)
        assert min(old) not in {child.pid for child in active_children()}

    asyncio.run(scenario())


def test_all_workers_killed_are_replaced_and_nothing_is_lost(start, folder):
    async def scenario():
        workers, got = start(2), []
        for owner in range(4):
            workers.submit(owner, owner, toy.hold, folder, f"{owner}", deliver=got.append)
        await until(lambda: len(log(folder)) == 2)
        for child in active_children():
            os.kill(child.pid, signal.SIGKILL)
        go(folder)
        await until(lambda: len(got) == 4)
        assert sorted(got) == ["0", "1", "2", "3"]
        assert workers.status().restarts == 2

    asyncio.run(scenario())


def test_the_process_that_forks_workers_may_die_too(start):
    async def scenario():
        workers = start(1)
        worker = await ask(workers, "me", 0, os.getpid)
        os.kill(psutil.Process(worker).ppid(), signal.SIGKILL)
        os.kill(worker, signal.SIGKILL)
        assert await ask(workers, "me", 1, toy.numba_threads) == 1

    asyncio.run(scenario())


def test_a_worker_that_cannot_be_started_now_is_started_later(start, folder, monkeypatch, caplog):
    async def scenario():
        workers, open_it, refused = start(1), Worker.open, []

        def refuse_once(worker):
            if not refused:
                refused.append(worker)
                raise OSError("too many processes")
            open_it(worker)

        monkeypatch.setattr(Worker, "open", refuse_once)
        assert await ask(workers, "me", "k", toy.die, folder, 1) == "survived"
        assert refused
        assert "could not be started" in caplog.text

    asyncio.run(scenario())


# ---- nothing endless


def test_a_runaway_task_is_ended_after_its_time(start, folder):
    async def scenario():
        workers, got = start(1, task_seconds=0.3), []
        workers.submit("me", "k", toy.spin, deliver=got.append)  # it hears no signal
        assert await ask(workers, "other", "o", operator.add, 1, 1) == 2
        assert isinstance(got[0], TookTooLong)
        assert got[0].seconds == 0.3
        assert await ask(workers, "me", "long", toy.mark, folder, "long", 0.6, limit=20) == "long"
        status = workers.status()
        assert (status.timeouts, status.restarts, status.cached) == (1, 0, 2)

    asyncio.run(scenario())


def test_a_running_task_that_nobody_wants_is_ended_after_its_grace(start):
    async def scenario():
        workers, got = start(1, grace=0.2), []
        workers.submit("me", "k", toy.spin, deliver=got.append)
        assert await ask(workers, "me", "next", operator.add, 1, 1) == 2
        workers.submit("me", "k", toy.spin, deliver=got.append)
        await until(lambda: workers.status().running)
        await until(lambda: time.monotonic() - next(iter(workers._running.values())).started > 0.2)
        workers.forget("me")  # its grace is over
        await until(lambda: workers.status().running == 0)
        status = workers.status()
        assert (status.cancelled, status.restarts, status.timeouts, got) == (2, 0, 0, [])

    asyncio.run(scenario())


def test_a_drag_of_short_tasks_kills_nothing(start, folder):
    async def scenario():
        workers, got = start(1), []
        before = {child.pid for child in active_children()}
        for i in range(30):
            workers.submit("me", i, toy.mark, folder, f"{i}", 0.03, deliver=got.append)
            await asyncio.sleep(0.01)
        await until(lambda: got and got[-1] == "29")
        assert workers.status().cancelled == 0
        assert {child.pid for child in active_children()} == before

    asyncio.run(scenario())


def test_coming_back_to_a_task_just_cancelled_starts_it_again(start, folder):
    async def scenario():
        workers, got = start(1, grace=0.0), []
        workers.submit("me", "k", toy.hold, folder, "k", deliver=got.append)
        await until(lambda: log(folder))
        workers.forget("me")  # killed now
        workers.submit("you", "k", toy.hold, folder, "k", deliver=got.append)
        go(folder)
        await until(lambda: got)
        assert (got, log(folder)) == (["k"], ["k", "k"])

    asyncio.run(scenario())


def test_a_worker_that_has_grown_is_replaced(start):
    async def scenario():
        workers = start(1, worker_bytes=2**20)  # every process is larger than that
        old = await ask(workers, "me", 0, os.getpid)
        assert await ask(workers, "me", 1, toy.pid) != old
        assert workers.status().recycled == 2
        assert workers.status().restarts == 0

    asyncio.run(scenario())


# ---- waiting


def test_who_waits_is_told_for_how_long_and_that_it_is_over(start, folder):
    async def scenario():
        workers, got, heard = start(1), [], []
        await ask(workers, "me", "known", toy.mark, folder, "known", 0.2)
        for owner in range(12):
            hear = heard.append if owner == 11 else None
            work = 10.0 if owner < 11 else 1.0  # as far as one knows: 2 s each
            task = toy.mark, folder, f"{owner}"
            workers.submit(owner, owner, *task, deliver=got.append, hear=hear, work=work)
        assert workers.wait > 20
        assert workers.pressed
        await until(lambda: len(got) == 12)
        texts = [one.text for one in heard]
        assert texts[0] in ("busy: about 30 seconds", "busy: about 45 seconds")
        assert texts[-1] == ""
        numbers = [int(text.split()[2]) for text in texts[:-1]]
        assert numbers == sorted(numbers, reverse=True)
        assert not workers.pressed
        assert workers.wait == 0

    asyncio.run(scenario())


def test_who_would_wait_too_long_is_refused_and_may_come_again(start, folder):
    async def scenario():
        workers, got, refused = start(1, longest_wait=5.0), [], []
        await ask(workers, "me", "known", toy.mark, folder, "known", 0.1)
        workers.submit(0, 0, toy.hold, folder, "0", deliver=got.append)
        workers.submit(1, 1, toy.mark, folder, "1", deliver=got.append, work=100.0)  # 10 s
        workers.submit(2, 2, toy.mark, folder, "2", deliver=refused.append)
        assert not refused
        await until(lambda: refused)
        assert isinstance(refused[0], Busy)
        assert refused[0].seconds > 5
        workers.submit(3, 1, toy.mark, folder, "1", deliver=got.append)  # who joins what is there, does not wait more
        go(folder)
        await until(lambda: len(got) == 3)
        assert await ask(workers, 2, 2, toy.mark, folder, "2") == "2"
        assert workers.status().refused == 1

    asyncio.run(scenario())


def test_the_line_is_bounded(start, folder):
    async def scenario():
        workers, got = start(1, most_waiting=3), []
        for owner in range(6):
            workers.submit(owner, owner, toy.hold, folder, f"{owner}", deliver=got.append)
        await until(lambda: len(got) == 2)
        assert [type(one) for one in got] == [Busy, Busy]
        go(folder)
        await until(lambda: len(got) == 6)
        assert sorted(got[2:]) == ["0", "1", "2", "3"]

    asyncio.run(scenario())


def test_costs_are_learned_by_function_and_scale_with_the_work():
    costs = Costs(typical=0.5)
    assert costs.expected("a", 7.0) == 0.5
    costs.learn("a", 2.0, 4.0)
    assert costs.expected("a", 3.0) == 6.0
    for _ in range(30):
        costs.learn("a", 1.0, 1.0)
    assert costs.expected("a", 3.0) == pytest.approx(3.0, rel=0.01)
    assert costs.expected("b", 3.0) == pytest.approx(1.0, rel=0.01)


# ---- progress


def test_progress_reaches_everyone_who_waits_and_nobody_else(start, folder):
    async def scenario():
        workers, got, heard = start(2), [], {"me": [], "you": [], "other": []}
        workers.submit("other", "o", toy.hold, folder, "o", deliver=got.append, hear=heard["other"].append)
        for owner in ("me", "you"):
            workers.submit(owner, "k", toy.advance, 5, deliver=got.append, hear=heard[owner].append)
        await until(lambda: "arrived" in got)
        go(folder)
        await until(lambda: len(got) == 3)
        assert heard["me"] == heard["you"]
        assert heard["me"][-1] == Progress(5, 5, "step 5")
        assert heard["other"] == []
        done = [one.done for one in heard["me"]]
        assert len(done) >= 2
        assert done == sorted(done)

    asyncio.run(scenario())


# ---- processes


def test_workers_have_one_thread_and_the_parent_keeps_its_environment(start, monkeypatch):
    async def scenario():
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
        before = dict(os.environ)
        workers = start(1)
        assert dict(os.environ) == before
        libraries = await ask(workers, "me", "blas", toy.blas_threads)
        assert "blas" in [kind for kind, _ in libraries]
        assert {threads for _, threads in libraries} == {1}
        assert await ask(workers, "me", "numba", toy.numba_threads) == 1

    asyncio.run(scenario())


def test_every_worker_gets_warm_also_one_that_comes_later(start, folder):
    def warmed():
        return {int(path.name) for path in Path(folder).iterdir()}

    async def scenario():
        workers = start(3, warm=partial(toy.warm_folder, folder))
        old = {child.pid for child in active_children()}
        assert warmed() == old
        assert len(old) == 3
        assert await ask(workers, "me", "first", operator.add, 1, 1) == 2
        os.kill(min(old), signal.SIGKILL)
        await until(lambda: workers.status().restarts)
        await ready(workers, 3)
        assert warmed() == old | {child.pid for child in active_children()}

    asyncio.run(scenario())


def test_a_failing_warm_up_is_raised_and_leaves_nothing():
    workers = Workers(2, warm=toy.warm_badly)
    with pytest.raises(ValueError, match="cannot get warm"):
        workers.start()
    asyncio.run(until(lambda: not active_children()))


def test_stop_leaves_no_process_and_may_be_repeated(folder):
    resource_tracker.ensure_running()  # helpers of multiprocessing that stay with us to the end
    prepare(())

    def children():
        return {child.pid for child in psutil.Process().children(recursive=True)}

    async def scenario():
        before, got = children(), []
        workers = Workers(2)
        workers.stop()
        workers.start()
        with pytest.raises(RuntimeError, match="already"):
            workers.start()
        assert len(children() - before) == 2
        for owner in range(4):
            workers.submit(owner, owner, toy.hold, folder, f"{owner}", deliver=got.append)
        await until(lambda: len(log(folder)) == 2)
        began = time.monotonic()
        workers.stop(0.1)
        assert time.monotonic() - began < 3
        workers.stop()
        assert children() == before
        status = workers.status()
        assert (status.running, status.waiting, status.dropped) == (0, 0, 4)
        with pytest.raises(RuntimeError, match="not started"):
            workers.submit("me", "k", operator.add, 1, 1, deliver=got.append)
        workers.start()  # a fresh start is possible, and nothing of the old life comes back
        assert await ask(workers, "me", "k", operator.add, 1, 1) == 2
        workers.stop()
        assert children() == before
        assert got == []

    asyncio.run(scenario())


def test_stop_lets_a_running_task_end(folder):
    async def scenario():
        workers = Workers(1)
        workers.start()
        workers.submit("me", "k", toy.mark, folder, "k", 0.2, deliver=lambda _: None)
        await until(lambda: log(folder))
        processes = active_children()
        workers.stop(20)
        await until(lambda: [process.exitcode for process in processes] == [0])  # the pool's thread may reap it

    asyncio.run(scenario())


def test_workers_ignore_ctrl_c(start, folder):
    async def scenario():
        workers = start(2)
        answer = asyncio.create_task(ask(workers, "me", "k", toy.hold, folder, "k"))
        await until(lambda: log(folder))
        for child in active_children():
            os.kill(child.pid, signal.SIGINT)
        go(folder)
        assert await answer == "k"
        assert await ask(workers, "me", "next", operator.add, 1, 1) == 2
        assert workers.status().restarts == 0

    asyncio.run(scenario())


def test_workers_end_with_their_parent():
    script = (
        "import multiprocessing, sys; from app.workers import Workers; keep = Workers(2); keep.start(); "
        "print(*(child.pid for child in multiprocessing.active_children()), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        workers = [psutil.Process(pid) for pid in pids]
        parent.kill()
        _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive


@pytest.mark.parametrize(
    ("options", "name"),
    [({"count": 0}, "count"), ({"count": 1.5}, "count"), ({"count": 1, "cache_bytes": -1}, "cache_bytes")],
)
def test_bad_arguments_are_named(options, name):
    with pytest.raises(ValueError, match=f"{name} must be an integer of at least"):
        Workers(**options)
