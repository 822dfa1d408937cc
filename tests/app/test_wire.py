"""What goes over the wire, over a real websocket to a server in this process."""

import asyncio

from tornado.websocket import WebSocketHandler
from wire import Wire, serving

from app.workers import Workers


async def ask(page, count):
    """Ask so many times at once; wait for the answers, and for the draw of the last."""
    for number in range(count):
        values = {"type": "map", "entries": [["seed", number]]}
        await page.utter(type="set", values=values, id=number)
    answers, busy = [], True
    while len(answers) < count or busy:
        told = await page.heard()
        if told["type"] == "state":
            busy = told["busy"]
            answers += [told["id"]] if told["id"] is not None else []
    return answers


def test_answers_come_in_order_and_none_is_left_behind(monkeypatch):
    """On a slow line, a message is still being written when the next one is told."""
    write = WebSocketHandler.write_message

    def write_slowly(handler, message, binary=False):
        async def drain(written):
            await written
            await asyncio.sleep(0.002)

        return asyncio.ensure_future(drain(write(handler, message, binary)))

    async def scenario(workers):
        async with serving(workers) as server:
            page = await Wire().open(server.port)
            await page.say(type="hello")
            for count in [1, 2, 3, 5, 8, 13] * 4:
                assert await ask(page, count) == list(range(count))
            page.socket.close()
            await asyncio.sleep(0.05)  # until both ends have seen it

    monkeypatch.setattr(WebSocketHandler, "write_message", write_slowly)
    workers = Workers(1)
    workers.start()
    try:
        asyncio.run(scenario(workers))
    finally:
        workers.stop(0.0)
