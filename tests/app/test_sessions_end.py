"""Sessions end without a trace: over real websockets, in a server in this process."""

import asyncio
import gc
import json
import re
import socket
import weakref
from collections.abc import Sized
from contextlib import asynccontextmanager

import panel as pn
import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.ioloop import IOLoop
from tornado.websocket import websocket_connect
from visitor import LateWorkers

import app.page
from app.parts.figure import Figure
from app.server import Options, make_server
from app.session import Bridge, Session
from app.uploads import Uploads

SESSIONS = 20


@asynccontextmanager
async def serving(workers, uploads=None):
    """A server in the running loop; its port and the contexts of its labs."""
    uploads = uploads or Uploads(2**20)
    server = make_server(Options(0, "localhost", (), 1, 64, 1, "", "a secret"), workers, uploads, IOLoop.current())
    server.start()
    try:
        yield server
    finally:
        server.stop()
        server._http.stop()
        await asyncio.sleep(0)


class Wire:
    """One page as Bokeh's own script has it: the HTML, then a websocket with the token that is in it."""

    async def open(self, port, path="/spectrum?size=40"):
        page = (await AsyncHTTPClient().fetch(f"http://localhost:{port}{path}")).body.decode()
        (token,) = set(re.findall(r'"token":"([^"]+)"', page))
        address = f"ws://localhost:{port}{path.split('?')[0]}/ws"
        request = HTTPRequest(address, headers={"Origin": f"http://localhost:{port}"})
        self.socket = await websocket_connect(request, subprotocols=["bokeh", token])
        assert (await self.receive())["msgtype"] == "ACK"
        await self.send("PULL-DOC-REQ", {})
        roots = (await self.receive("PULL-DOC-REPLY"))["content"]["doc"]["roots"]
        (self.bridge,) = [root["id"] for root in roots if root["attributes"]["name"] == "bridge"]
        return self

    async def send(self, kind, content):
        for part in ({"msgid": "1", "msgtype": kind}, {}, content):
            await self.socket.write_message(json.dumps(part))

    async def receive(self, kind=""):
        """The next message (of a kind); its buffers are left out."""
        while True:
            header, _, content = [json.loads(await self.part()) for _ in range(3)]
            for _ in range(2 * header.get("num_buffers", 0)):
                await self.part()
            if kind in ("", header["msgtype"]):
                return {**header, "content": content}

    async def part(self):
        return await asyncio.wait_for(self.socket.read_message(), 20)

    async def say(self, **message):
        """Speak to the session as assets/app.js does; its answer."""
        data = {"type": "map", "entries": [[name, value] for name, value in message.items()]}
        values = {"type": "map", "entries": [["model", {"id": self.bridge}], ["data", data]]}
        event = {"type": "event", "name": "data_event", "values": values}
        await self.send(
            "PATCH-DOC", {"events": [{"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}]}
        )
        return await self.heard()

    async def heard(self):
        while True:
            for event in (await self.receive("PATCH-DOC"))["content"]["events"]:
                if event["kind"] == "MessageSent":
                    entries = dict(event["msg_data"]["values"]["entries"])
                    return json.loads(entries["data"])


async def leave(server, pages):
    """Close the pages and let the server see that their sessions have expired."""
    for page in pages:
        page.socket.close()
    (context,) = {server._tornado.applications["/spectrum"]}
    deadline = asyncio.get_running_loop().time() + 20
    while any(session.connection_count for session in context.sessions):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.01)  # "unused for more than 0 ms"
    await context._cleanup_sessions(0)
    assert list(context.sessions) == []


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
