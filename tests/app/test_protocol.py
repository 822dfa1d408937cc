"""Bokeh's protocol in bad hands: a session may die, the server does not, and others hardly wait."""

import asyncio
import json
import random
import time

import pytest
from wire import Wire, closed, dial, get, leave, refusals, served


def patch(*events):
    return ("PATCH-DOC", {"events": list(events)})


def crafted(bridge):
    """Messages that our page never sends."""
    model = {"id": bridge}
    deep = []
    for _ in range(500):
        deep = [deep]
    change = {"kind": "ModelChanged", "model": model, "attr": "width", "new": 7}
    return [
        ("PUSH-DOC", {"doc": {"roots": [], "title": "mine", "version": "3.9.2"}}),
        ("SERVER-INFO-REQ", {}), ("ACK", {}), ("OK", {}), ("ERROR", {"text": "x"}), ("NOTHING", {}), ("", {}),
        ("PULL-DOC-REPLY", {"doc": {}}), ("PATCH-DOC", {}), ("PATCH-DOC", []), ("PATCH-DOC", 5), ("PATCH-DOC", "x"),
        ("PATCH-DOC", {"events": {}}), patch(), patch(None), patch(change),
        patch({**change, "attr": "_esm", "new": "x"}),
        patch({**change, "attr": "css_classes", "new": deep}), patch({"kind": "RootRemoved", "model": model}),
        patch({"kind": "ColumnsStreamed", "model": model, "attr": "x", "data": {}, "rollover": 1}),
        patch({"kind": "ColumnDataChanged", "model": model, "attr": "x", "data": {}, "cols": None}),
        patch({"kind": "MessageSent", "msg_type": "other", "msg_data": {}}),
        patch({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": None}),
        patch({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": {"name": "button_click"}}),
        patch({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": {
            "type": "event", "name": "data_event", "values": deep}}),
        patch({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": {"name": "data_event", "values": {
            "type": "map", "entries": [["model", {"id": "p0"}], ["data", 1]]}}}),
        patch({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": {"name": "data_event", "values": {
            "type": "object", "name": "Figure", "id": "x", "attributes": {"width": 1}}}}),
        patch({"kind": "TitleSent"}), patch(*[change] * 100), patch({"kind": 5}), patch({"kind": ["MessageSent"]}),
    ]  # fmt: skip


def test_crafted_messages_end_at_most_the_session_of_their_sender(caplog):
    async def scenario(server):
        other = await Wire().open(server.port)
        await other.say(type="hello", id=1)
        count = 0
        for kind, content in crafted("p1"):
            page = await Wire().open(server.port, "/spectrum?size=40")
            kinds = json.loads(json.dumps(content).replace('"p1"', f'"{page.bridge}"'))
            await page.send(kind, kinds)
            try:
                assert await closed(page.socket) in (1002, 1006)
            except TimeoutError:
                pytest.fail(f"Not refused: {kind} {str(content)[:200]}")
            count += 1
            said = await other.say(type="set", values={"type": "map", "entries": [["bins", 40 + count]]}, id=count)
            assert said["id"] == count
        assert count >= 30
        (context,) = {server._tornado.applications["/spectrum"]}
        documents = [session.document for session in context.sessions]
        assert len(documents) == count + 1
        assert len({(one.title, len(one.roots)) for one in documents}) == 1
        assert (await refusals(server.port))["protocol"] == count
        await leave(server, [other])

    served()(scenario)
    assert [record.name for record in caplog.records if record.name in ("tornado.application", "asyncio")] == []


def mutated(text, dice):
    """The text with a few bytes changed, left out, put in or repeated."""
    raw = bytearray(text.encode())
    for _ in range(dice.randint(1, 4)):
        way, place = dice.randrange(4), dice.randrange(len(raw))
        if way == 0:
            raw[place] = dice.randrange(256)
        elif way == 1:
            del raw[place : place + dice.randint(1, 20)]
        elif way == 2:
            raw[place:place] = bytes(dice.randrange(32, 127) for _ in range(dice.randint(1, 20)))
        else:
            raw[place:place] = raw[: dice.randint(1, 200)]
        raw = raw or bytearray(b"{")
    return bytes(raw)


def test_5000_mutated_frames_end_at_most_the_session_of_their_sender(caplog):
    dice = random.Random(1)

    async def scenario(server):
        other, page, frames, waits = await Wire().open(server.port), None, 0, []
        await other.say(type="hello", id=1)
        while frames < 5000:
            if page is None or page.socket.close_code is not None:
                page = page or await Wire().open(server.port)
                page.socket.close()
                page.socket = await dial(server.port, page.token)
                await page.receive("ACK")
            values = {"type": "map", "entries": [["model", {"id": page.bridge}], ["data", "hello"]]}
            event = {"type": "event", "name": "data_event", "values": values}
            parts = [{"msgid": "1", "msgtype": "PATCH-DOC"}, {}]
            parts.append({"events": [{"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}]})
            for part in parts:
                text = json.dumps(part)
                raw = mutated(text, dice) if dice.random() < 0.7 else text.encode()
                try:
                    await page.socket.write_message(raw, binary=dice.random() < 0.3 or not _is_text(raw))
                except Exception:  # closed meanwhile: a new connection in the next round
                    break
                frames += 1
            if frames % 100 < 3:
                start = time.perf_counter()
                assert (await other.say(type="table", open=False, id=frames))["id"] == frames
                waits.append(time.perf_counter() - start)
            await asyncio.sleep(0)
        print(f"{frames} frames; the other visitor waited at most {1e3 * max(waits):.0f} ms")
        assert (await get(server.port, "/spectrum")).code == 200
        page.socket.close()
        await leave(server, [other])

    served()(scenario)
    assert [record.name for record in caplog.records if record.name in ("tornado.application", "asyncio")] == []


def _is_text(raw):
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_a_flood_is_slowed_down_and_then_cut(monkeypatch):
    monkeypatch.setattr("app.handlers._PARTS_A_SECOND", 50.0)
    monkeypatch.setattr("app.handlers._PARTS_AT_ONCE", 20.0)
    monkeypatch.setattr("app.handlers._PATIENCE", 0.5)

    async def scenario(server):
        page, other = await Wire().open(server.port), await Wire().open(server.port)
        for _ in range(2000):
            page.socket.write_message("{")
        assert await closed(page.socket) in (1008, 1002, 1006)
        assert (await other.say(type="hello", id=1))["type"] == "state"
        await leave(server, [page, other])

    served()(scenario)
