"""Faults of visitors and of the place: malformed addresses, a visitor who vanishes while rounds stream in, SIGTERM."""

import asyncio
import random
import signal
import socket
from urllib.request import urlopen

from crowd import Visitor

URLS = 1000
_PIECES = (
    "%", "%00", "%ff", "%2e%2e/", "../", "//", "\\", "?", "&", "=", ";", "#", "<script>", "'\"", "size=", "nan",
    "1e999", "-inf", "spectrum", "deep", "ws", "assets/", "tours.json", "qr/", "bundle/page.js", "upload/", "metrics",
    "{{7*7}}",
    "seed=99999999999999999999", "depth=-1", "bokeh-session-id=x", "file:///etc/passwd", "é", "\u2028", "a" * 300,
)  # fmt: skip


def raw_get(port, target):
    """The status line of the answer to a request that no client would send; "" where the server hangs up."""
    with socket.create_connection(("localhost", port), timeout=30) as connection:
        connection.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        told = b""
        while part := connection.recv(65536):
            told += part
    return told


def test_1000_malformed_addresses_are_no_trouble(server):
    dice = random.Random(7)
    for number in range(URLS):
        text = "/" + "".join(dice.choice(_PIECES) for _ in range(dice.randint(1, 6)))
        target = text.replace(" ", "").encode()
        told = raw_get(server.port, target)
        status = told.split(b" ")[1] if told else b"400"
        assert status[:1] in b"234", (number, target, told[:200])
        assert b"Traceback" not in told, (number, target)
    with urlopen(f"{server.url}/healthz", timeout=20) as reply:
        assert reply.status == 200
    assert "Traceback" not in server.words()
    assert " ERROR " not in server.words()


def test_visitors_who_vanish_while_rounds_stream_in_leave_the_server_well(server):
    """Five pull the plug after the first round; the sixth is served as ever, and the log has no error."""

    async def scenario():
        for index in range(5):
            page = Visitor(server.port, f"/equivalents?seed={50 + index}")
            await page.open()
            while not page.state["progress"][0]:
                await page.hear()
            assert page.state["busy"]  # more rounds are to come
            page.socket.protocol.stream.close()  # without a word
            page.close()
        last = Visitor(server.port, "/spectrum?size=60&seed=4")
        await last.open()
        await last.drawn()
        assert last.state["type"] == "state"
        last.close()

    asyncio.run(scenario())
    assert "Traceback" not in server.words()
    assert " ERROR " not in server.words()


def test_sigterm_under_load_ends_it_in_time_and_leaves_nothing_behind(launch):
    """Ten visitors wait for large draws, and drag. The clock is the goal's five seconds, twice on a busy machine."""
    one = launch("--workers", "2")

    async def scenario():
        visitors = [Visitor(one.port, f"/spectrum?size=900&depth=3&seed={index}") for index in range(10)]
        for visitor in visitors:
            await visitor.open()
            await visitor.set(final=False, size=901)
        assert all(visitor.state["busy"] for visitor in visitors)
        ended = await asyncio.to_thread(one.stop, signal.SIGTERM)
        for visitor in visitors:
            visitor.close()
        return ended

    code, seconds, alive = asyncio.run(scenario())
    print(f"ended after {seconds:.1f} s")
    assert code == 0, one.words()
    assert seconds < one.soon
    assert alive == []
    assert "Traceback" not in one.words()
    assert "leaked" not in one.words()
