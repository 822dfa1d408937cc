"""Sessions end without a trace: over real websockets, in a server in this process."""

import asyncio
import gc
import socket
import weakref
from collections.abc import Sized
from itertools import pairwise

import panel as pn
import psutil
import pytest
from tornado.httpclient import AsyncHTTPClient
from visitor import LateWorkers
from wire import Wire, leave, serving

import app.page
from app.parts.figure import Figure
from app.session import Bridge, Session

SESSIONS = 20


def held():
    """What Panel keeps for the whole process, and how much of it."""
    gc.collect()
    sizes = {f"state.{name}": len(one) for name, one in vars(pn.state).items() if isinstance(one, Sized)}
    for name, parameterised in (("state", pn.state), ("config", pn.config)):
        watchers = parameterised.param.watchers.values()
        sizes[f"watchers of {name}"] = sum(len(some) for kinds in watchers for some in kinds.values())
    sizes["objects of ours"] = sum(isinstance(one, (Session, Bridge, Figure)) for one in gc.get_objects())
    return sizes


@pytest.fixture
def sessions(monkeypatch):
    """Weak references to all sessions from here on."""
    made = []

    class Watched(Session):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(weakref.ref(self))

    monkeypatch.setattr(app.page, "Session", Watched)
    return made


def test_sessions_leave_nothing_behind(sessions):
    workers = LateWorkers()

    async def visits(server, count):
        pages = [await Wire().open(server.port) for _ in range(count)]
        for number, page in enumerate(pages):
            assert (await page.say(type="hello", id=1))["busy"] is True
            if number % 2:  # some leave while they wait
                request = workers.requests[number]
                request.deliver(request.task())
                assert (await page.heard())["busy"] is False
            assert (await page.say(type="set", values={"type": "map", "entries": [["bins", 60]]}, id=2))["id"] == 2
        await leave(server, pages)
        assert len(workers.forgotten) == count
        for some in (workers.requests, workers.forgotten, pages):
            some.clear()

    async def scenario():
        async with serving(workers) as server:
            await visits(server, 3)  # what happens once
            before = held()
            await visits(server, SESSIONS)
            assert held() == before

    asyncio.run(scenario())
    gc.collect()
    assert len(sessions) == 3 + SESSIONS
    assert [gone() for gone in sessions if gone() is not None] == []


def test_300_sessions_cost_no_memory_in_the_end():
    """In ten cycles: the last ones grow by at most 1 MB each."""
    workers = LateWorkers()
    process = psutil.Process()
    grown = []

    async def cycle(server):
        pages = [await Wire().open(server.port) for _ in range(30)]
        for page in pages:
            assert (await page.say(type="hello", id=1))["busy"] is True
        await leave(server, pages)
        for some in (workers.requests, workers.forgotten, pages):
            some.clear()
        gc.collect()
        return process.memory_info().rss

    async def scenario():
        async with serving(workers) as server:
            sizes = [await cycle(server) for _ in range(10)]
            grown.extend(after - before for before, after in pairwise(sizes))

    asyncio.run(scenario())
    assert sum(grown[-3:]) / 3 <= 2**20, grown


def test_a_page_that_never_connects_leaves_nothing_behind(sessions):
    workers = LateWorkers()

    async def scenario():
        async with serving(workers) as server:
            for _ in range(3):
                await AsyncHTTPClient().fetch(f"http://localhost:{server.port}/spectrum?size=40")
            await leave(server, [])

    asyncio.run(scenario())
    assert len(workers.forgotten) == len(sessions) == 3
    workers.requests.clear()
    workers.forgotten.clear()
    gc.collect()
    assert [gone() for gone in sessions if gone() is not None] == []


def test_each_websocket_has_a_session_of_its_own(sessions):
    async def scenario():
        async with serving(LateWorkers()) as server:
            first, second = await Wire().open(server.port), await Wire().open(server.port)
            await first.say(type="hello", id=1)
            await second.say(type="hello", id=1)
            said = await first.say(type="draw", id=2)
            assert said["values"]["seed"] == 2
            said = await second.say(type="reset", id=2)
            assert said["values"]["seed"] == 1
            await leave(server, [first, second])

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "data", ["text", 5, None, {"type": "number", "value": "nan"}, [1, 2], {"type": "map", "entries": []}]
)
def test_what_is_not_a_message_is_answered_over_the_wire_too(data, caplog):
    async def scenario():
        async with serving(LateWorkers()) as server:
            page = await Wire().open(server.port)
            values = {"type": "map", "entries": [["model", {"id": page.bridge}], ["data", data]]}
            event = {"type": "event", "name": "data_event", "values": values}
            await page.send(
                "PATCH-DOC", {"events": [{"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}]}
            )
            said = await page.heard()
            assert said["type"] == "error"
            assert (await page.say(type="hello", id=1))["type"] == "state"
            nan = {"type": "number", "value": "nan"}
            huge = {
                "type": "map",
                "entries": [["ratio", 1e308], ["size", nan], ["width", {"type": "number", "value": "+inf"}]],
            }
            said = await page.say(type="set", values=huge, id=2)
            assert len(said["notices"]) == 3
            await leave(server, [page])

    asyncio.run(scenario())


def test_messages_do_not_wait_for_an_acknowledgement():
    """A message is three frames: with Nagle's algorithm the second waits 40 ms for the browser's system."""

    async def drive():
        async with serving(LateWorkers()) as server:
            page = await Wire().open(server.port)
            (connection,) = server._tornado._clients
            raw = connection._socket.ws_connection.stream.socket
            assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            await leave(server, [page])

    asyncio.run(drive())
