"""A page without a browser: its HTML, then Bokeh's protocol over a real websocket, to a server in this process."""

import asyncio
import json
import re
import time
from contextlib import asynccontextmanager

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.ioloop import IOLoop
from tornado.websocket import WebSocketClientConnection, websocket_connect
from visitor import LateWorkers

from app.server import Options, make_server
from app.uploads import Uploads


@asynccontextmanager
async def serving(workers, uploads=None, prefix="", **options):
    """A server in the running loop, ready."""
    uploads = uploads or Uploads(2**20)
    chosen = Options(0, "localhost", (), 1, 64, 1, prefix, "a secret", **options)
    server = make_server(chosen, workers, uploads, IOLoop.current())
    server._tornado.settings["gate"].ready = True
    server.start()
    try:
        yield server
    finally:
        server.stop()
        server._http.stop()
        await asyncio.sleep(0)


def served(**options):
    """Run `await scenario(server)` against a server of its own."""

    def run(scenario):
        async def all_of_it():
            async with serving(LateWorkers(), **options) as server:
                return await scenario(server)

        return asyncio.run(all_of_it())

    return run


async def get(port, path, **options):
    """The response, whatever its status; redirects are not followed."""
    options.setdefault("follow_redirects", False)
    return await AsyncHTTPClient().fetch(f"http://localhost:{port}{path}", raise_error=False, **options)


async def closed(socket: WebSocketClientConnection):
    """The code with which the server closes."""
    deadline = time.monotonic() + 20
    while await asyncio.wait_for(socket.read_message(), 20) is not None:
        assert time.monotonic() < deadline
    socket.close()
    return socket.close_code


async def refusals(port):
    text = (await get(port, "/metrics")).body.decode()
    return {reason: float(n) for reason, n in re.findall(r'rmt_refusals_total\{reason="([^"]+)"\} (\S+)', text)}


async def dial(port, token, path="/spectrum", origin=None):
    """A websocket with a token, from a page of ours unless said otherwise."""
    headers = {"Origin": origin or f"http://localhost:{port}"}
    request = HTTPRequest(f"ws://localhost:{port}{path}/ws", headers=headers)
    return await websocket_connect(request, subprotocols=["bokeh", token])


async def refused(port, token, path="/spectrum", origin=None):
    """The status with which a handshake is refused."""
    headers = {
        "Origin": origin or f"http://localhost:{port}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": f"bokeh, {token}",
    }
    address = f"http://localhost:{port}{path}/ws"
    return (await AsyncHTTPClient().fetch(address, headers=headers, raise_error=False)).code


class Wire:
    """One page as Bokeh's own script has it: the HTML, then a websocket with the token that is in it."""

    async def open(self, port, path="/spectrum?size=40"):
        page = (await AsyncHTTPClient().fetch(f"http://localhost:{port}{path}")).body.decode()
        (self.token,) = set(re.findall(r'"token":"([^"]+)"', page))
        self.port, self.path = port, path.split("?")[0]
        return await self.connect()

    async def connect(self):
        """With the page's token: at first, and again after a cut."""
        self.socket = await dial(self.port, self.token, self.path)
        assert (await self.receive())["msgtype"] == "ACK"
        await self.send("PULL-DOC-REQ", {})
        roots = (await self.receive("PULL-DOC-REPLY"))["content"]["doc"]["roots"]
        (self.bridge,) = [root["id"] for root in roots if root["attributes"]["name"] == "bridge"]
        await self._event("document_ready", [])
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
        await self.utter(**message)
        return await self.heard()

    async def utter(self, **message):
        """Speak, and do not wait for an answer."""
        data = {"type": "map", "entries": [[name, value] for name, value in message.items()]}
        await self._event("data_event", [["model", {"id": self.bridge}], ["data", data]])

    async def _event(self, name, entries):
        event = {"type": "event", "name": name, "values": {"type": "map", "entries": entries}}
        change = {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}
        await self.send("PATCH-DOC", {"events": [change]})

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
