"""A crowd of visitors: what they wait for, what they lose, what they cost.

    python tests/load/crowd.py              # 100 visitors, about four minutes, a table
    python tests/load/crowd.py --visitors 20 --short

Real pages and real websockets, from this process, to a server that it starts on loopback; never to any other. Goals
on two cores stand beside the figures. The short form is a test of CI (test_crowd.py): it gates on errors, losses and
CPU, not on what a clock says on a busy machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

ROOT = Path(__file__).parent.parent.parent
MOST_VISITORS = 400
AsyncHTTPClient.configure(None, max_clients=MOST_VISITORS)


@dataclass
class Visitor:
    """One page: its HTML, then Bokeh's protocol over its websocket."""

    port: int
    path: str = "/spectrum?size=200"
    state: dict[str, Any] = field(default_factory=dict)
    number: int = 0

    async def open(self) -> float:
        """Open the page; seconds until the server has answered its greeting."""
        begun = time.perf_counter()
        page = (await AsyncHTTPClient().fetch(f"http://localhost:{self.port}{self.path}", request_timeout=60)).body
        token = re.search(r'"token":"([^"]+)"', page.decode())
        assert token is not None
        request = HTTPRequest(
            f"ws://localhost:{self.port}{self.path.split('?')[0]}/ws",
            headers={"Origin": f"http://localhost:{self.port}"},
        )
        self.socket = await websocket_connect(request, subprotocols=["bokeh", token.group(1)])
        self.socket.protocol.stream.set_nodelay(True)  # as browsers do
        await self._receive("ACK")
        await self._send("PULL-DOC-REQ", {})
        roots = (await self._receive("PULL-DOC-REPLY"))["doc"]["roots"]
        (self.bridge,) = [root["id"] for root in roots if root["attributes"]["name"] == "bridge"]
        await self._event("document_ready", [])
        await self.say(type="hello")
        return time.perf_counter() - begun

    async def say(self, **message: Any) -> float:
        """Send a message as assets/app.js does; seconds until its own answer, after which `state` is new."""
        self.number += 1
        begun = time.perf_counter()
        entries = [[name, _plain(value)] for name, value in {**message, "id": self.number}.items()]
        data = {"type": "map", "entries": entries}
        await self._event("data_event", [["model", {"id": self.bridge}], ["data", data]])
        while (await self.hear()).get("id") != self.number:
            pass
        return time.perf_counter() - begun

    async def set(self, final: bool = True, **values: Any) -> float:
        """Move sliders."""
        return await self.say(type="set", values=values, final=final)

    async def hear(self) -> dict[str, Any]:
        """The next message of the session."""
        while True:
            for event in (await self._receive("PATCH-DOC"))["events"]:
                if event["kind"] == "MessageSent":
                    told: dict[str, Any] = json.loads(dict(event["msg_data"]["values"]["entries"])["data"])
                    self.state = {**self.state, **told}
                    return told

    async def drawn(self) -> None:
        """Until the experiment of the present settings is there, or refused."""
        while self.state.get("busy"):
            await self.hear()

    def close(self) -> None:
        """Leave."""
        self.socket.close()

    async def _event(self, name: str, entries: list[list[Any]]) -> None:
        event = {"type": "event", "name": name, "values": {"type": "map", "entries": entries}}
        change = {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}
        await self._send("PATCH-DOC", {"events": [change]})

    async def _send(self, kind: str, content: dict[str, Any]) -> None:
        for part in ({"msgid": str(self.number), "msgtype": kind}, {}, content):
            await self.socket.write_message(json.dumps(part))

    async def _receive(self, kind: str) -> dict[str, Any]:
        while True:
            header, _, content = [json.loads(await self._part()) for _ in range(3)]
            if header["msgtype"] == kind:
                return content  # type: ignore[no-any-return]

    async def _part(self) -> str:
        part = await asyncio.wait_for(self.socket.read_message(), 150)
        if part is None:
            raise ConnectionError("The server has closed the connection.")
        return str(part)


def _plain(value: Any) -> Any:
    """A message as Bokeh's own script writes it."""
    if isinstance(value, dict):
        return {"type": "map", "entries": [[name, _plain(one)] for name, one in value.items()]}
    return value


@dataclass
class Tally:
    """What happened to a crowd."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    lost: int = 0
    wrong: int = 0
    refused: int = 0

    def at(self, share: float) -> float:
        """A quantile, in milliseconds."""
        return 1e3 * float(np.quantile(self.seconds, share)) if self.seconds else float("nan")

    async def note(self, work: Coroutine[Any, Any, float]) -> bool:
        """Do it and note its time, or what went wrong."""
        try:
            self.seconds.append(await work)
        except (OSError, TimeoutError, AssertionError, HTTPClientError) as error:
            self.errors.append(f"{type(error).__name__}: {error}")
            return False
        return True


class Hall:
    """A server of our own, and who is in it."""

    def __init__(self, port: int, process: psutil.Process) -> None:
        self.port, self.process = port, process
        self.inside: list[Visitor] = []

    def cpu(self) -> float:
        """CPU seconds of the server's own process."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> float:
        """MiB of the server's own process."""
        return float(self.process.memory_info().rss) / 2**20

    async def enter(self, count: int, seconds: float, path: Callable[[int], str]) -> Tally:
        """So many visitors, evenly in so many seconds."""
        tally = Tally()

        async def one(index: int) -> None:
            await asyncio.sleep(index * seconds / count)
            visitor = Visitor(self.port, path(index))
            if await tally.note(visitor.open()):
                self.inside.append(visitor)

        await asyncio.gather(*(one(index) for index in range(count)))
        return tally

    async def leave(self) -> None:
        """Everyone."""
        for visitor in self.inside:
            visitor.close()
        self.inside.clear()
        await asyncio.sleep(0.2)

    async def move(self, rounds: int, every: float) -> Tally:
        """Everyone moves a slider that only the theory depends on, every so many seconds."""
        tally = Tally()

        async def one(index: int, visitor: Visitor) -> None:
            await asyncio.sleep(index * every / len(self.inside))
            for turn in range(rounds):
                begun = time.perf_counter()
                bins = 10 + (index + 7 * turn) % 60
                if await tally.note(visitor.set(bins=bins)):
                    tally.lost += visitor.state["type"] != "state"
                    tally.wrong += visitor.state["values"]["bins"] != bins
                else:
                    tally.lost += rounds - turn
                    return
                await asyncio.sleep(max(0.0, every - (time.perf_counter() - begun)))

        await asyncio.gather(*(one(index, visitor) for index, visitor in enumerate(self.inside)))
        return tally

    async def drag(self, visitors: list[Visitor], seconds: float, size: int) -> Tally:
        """Everyone drags a slider that the draw depends on, with a seed of their own; from the last move to its draw.

        The last move is a value at which nobody has been before, so that no cache has its draw.
        """
        tally = Tally()

        async def one(index: int, visitor: Visitor) -> float:
            await visitor.set(seed=1000 + index)
            end, turn = time.perf_counter() + seconds, 0
            while time.perf_counter() < end:
                turn += 1
                await visitor.set(final=False, size=size + turn % 20)
                await asyncio.sleep(1 / 30)
            begun, value = time.perf_counter(), size + 20
            await visitor.set(size=value)
            await visitor.drawn()
            refused = visitor.state["type"] == "error"
            tally.refused += refused
            tally.wrong += not refused and not _shows(visitor.state, value)
            return time.perf_counter() - begun

        await asyncio.gather(*(tally.note(one(index, visitor)) for index, visitor in enumerate(visitors)))
        return tally


def _shows(state: dict[str, Any], size: int) -> bool:
    """Whether the page shows a finished draw of this size."""
    drawn = any(one["label"] == "Draw time" and one["value"] != "…" for one in state["readouts"])
    return drawn and state["values"]["size"] == size and f"dimension p = {size}" in " ".join(state["explain"])


async def health(port: int, until: asyncio.Event) -> Tally:
    """Ask /healthz ten times a second until told to stop."""
    tally = Tally()

    async def ask() -> float:
        begun = time.perf_counter()
        await AsyncHTTPClient().fetch(f"http://localhost:{port}/healthz", request_timeout=20)
        return time.perf_counter() - begun

    while not until.is_set():
        await tally.note(ask())
        await asyncio.sleep(0.1)
    return tally


async def measure(hall: Hall, visitors: int, short: bool) -> tuple[list[tuple[str, str, str]], dict[str, float]]:
    """All scenes: rows of the table, and the figures that CI gates on."""
    rows: list[tuple[str, str, str]] = []
    gates = {"errors": 0.0, "lost": 0.0, "wrong": 0.0}

    def note(label: str, said: str, goal: str, tally: Tally | None = None) -> None:
        if tally is not None:
            gates["errors"] += len(tally.errors)
            gates["lost"] += tally.lost
            gates["wrong"] += tally.wrong
            if tally.errors:
                said += f"; {len(tally.errors)} errors, first: {tally.errors[0]}"
        rows.append((label, said, goal))

    first = Visitor(hall.port)
    await first.open()
    await first.drawn()
    alone = await cost_of_moves(hall, first)
    note("server CPU a move, alone", f"{alone:.1f} ms", "20 ms")

    def same(_index: int) -> str:
        return "/spectrum?size=200"

    before, memory = hall.cpu(), hall.memory()
    slow = await hall.enter(visitors, 10 if short else 60, same)
    cost = 1e3 * (hall.cpu() - before) / visitors
    note(f"{visitors} open in {10 if short else 60} s: p95", f"{slow.at(0.95):.0f} ms", "1500 ms", slow)
    note("server CPU to open a page", f"{cost:.0f} ms", "250 ms")
    note("memory of the server a session", f"{(hall.memory() - memory) / visitors:.2f} MiB", "1.5 MiB")
    gates["open_cpu"], gates["session_mib"] = cost, (hall.memory() - memory) / visitors

    moved = await hall.move(3 if short else 15, 2.0)
    said = f"{moved.at(0.5):.0f} / {moved.at(0.95):.0f} ms, {moved.lost} lost, {moved.wrong} wrong"
    note("each moves a slider every 2 s: p50 / p95", said, "100 / 400 ms, 0", moved)
    crowd = await cost_of_moves(hall, first)
    note(f"server CPU a move, {visitors} idle sessions", f"{crowd:.1f} ms ({crowd / alone:.2f} times)", "1.3 times")
    gates["move_cpu"], gates["crowd_ratio"] = alone, crowd / alone
    await hall.leave()

    if not short:
        fast = await hall.enter(visitors, 15, same)
        note(f"{visitors} open in 15 s: p95", f"{fast.at(0.95):.0f} ms", "5000 ms", fast)
        await hall.leave()
    await draws(hall, visitors, short, note)
    first.close()
    return rows, gates


async def draws(hall: Hall, visitors: int, short: bool, note: Callable[..., None]) -> None:
    """Scenes in which the workers have to draw."""
    begun = time.perf_counter()
    class_link = "/spectrum?size=400&data=toeplitz&depth=1&seed=77"
    entered = await hall.enter(visitors, 1.0 if short else 5.0, lambda _index: class_link)
    waits = Tally()

    async def wait(visitor: Visitor) -> float:
        await visitor.drawn()
        return time.perf_counter() - begun

    await asyncio.gather(*(waits.note(wait(visitor)) for visitor in hall.inside))
    window = 1.0 if short else 5.0
    label = f"first draw of {visitors} on one link, after the {window:.0f} s in which they came: the last"
    note(label, f"{max(0.0, waits.at(1.0) - 1e3 * window):.0f} ms", "5000 ms", entered)
    note("", "", "", waits)
    few = hall.inside[: 4 if short else 10]
    dragged = await hall.drag(few, 3.0, 190)  # a draw takes about 150 ms
    said = f"{dragged.at(0.95):.0f} ms, {dragged.wrong} wrong, {dragged.refused} refused"
    note(f"{len(few)} drag a draw: the final value, p95", said, "1500 ms, 0 wrong", dragged)
    over = asyncio.Event()
    asked = asyncio.create_task(health(hall.port, over))
    most = hall.inside[: 12 if short else 30]
    heavy = await hall.drag(most, 4.0, 400 if short else 700)  # 1 s; 5 s: more than the line takes
    over.set()
    found = await asked
    note(f"{len(most)} drag larger draws: /healthz p95", f"{found.at(0.95):.0f} ms", "100 ms", found)
    said = f"{heavy.at(0.95):.0f} ms, {heavy.wrong} wrong, {heavy.refused} visibly refused"
    note(f"{len(most)} drag larger draws: the final value, p95", said, "0 wrong", heavy)
    await hall.leave()


async def cost_of_moves(hall: Hall, visitor: Visitor) -> float:
    """Milliseconds of server CPU for one move that does not redraw: the least of some series.

    Others on the machine stretch CPU time, too, by half and more; they never shorten it.
    """
    series = []
    for _ in range(4):
        before = hall.cpu()
        for turn in range(120):  # the system counts CPU in hundredths of a second
            await visitor.set(bins=10 + (7 * turn) % 60)
        series.append(1e3 * (hall.cpu() - before) / 120)
    return min(series)


def main() -> None:
    """Start a server, send the crowd, print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--visitors", type=int, default=100)
    options.add_argument("--short", action="store_true")
    chosen = options.parse_args()
    if not 1 <= chosen.visitors <= MOST_VISITORS:
        options.error(f"--visitors must be 1 to {MOST_VISITORS}")
    command = [sys.executable, "-m", "app", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        line = process.stdout.readline() if process.stdout else ""
        url = re.search(r"http://\S+?:(\d+)", line)
        try:
            if url is None:
                raise RuntimeError(f"The server said {line!r}.")
            hall = Hall(int(url.group(1)), psutil.Process(process.pid))
            rows, _ = asyncio.run(measure(hall, chosen.visitors, chosen.short))
            for label, said, goal in rows:
                if label:
                    print(f"{label:78s} {said:48s} {goal}")
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
