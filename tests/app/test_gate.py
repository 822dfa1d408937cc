"""Who gets in and what may be said: forged tokens, full houses, cuts, settings out of bounds, headers."""

import json
import math
import re
import time
import zlib

import pytest
from bokeh.util.token import _base64_encode, _signature, generate_jwt_token, generate_session_id
from wire import Wire, closed, dial, get, leave, refusals, refused, served

from app.labs import LABS

SECRET = b"a secret"


def signed(payload):
    """A token as Bokeh writes it, with any payload."""
    token = _base64_encode(json.dumps(payload))
    return f"{token}.{_signature(token, SECRET)}"


# ---- tokens ----
def inflated():
    rest = _base64_encode(zlib.compress(json.dumps({"arguments": "x" * 10_000_000}).encode(), 9))
    return {"session_id": "anything", "session_expiry": int(time.time()) + 300, "__bk__zlib_": rest}


@pytest.mark.parametrize(
    "token",
    [
        "x", "", "a.b", "é", "." * 50, "e30.e30", "x" * 20_000,
        _base64_encode(json.dumps(inflated())) + ".bad",
        generate_jwt_token(generate_session_id(b"another", True), b"another", True),
        _base64_encode(b"[" * 5000),
    ],
    ids=["letter", "empty", "dots", "not ascii", "many dots", "no object", "long", "inflated", "other key", "deep"],
)  # fmt: skip
def test_a_forged_token_is_refused_at_once(token):
    async def scenario(server):
        start = time.process_time()
        if token.isascii() and token:
            assert await refused(server.port, token) == 403
            assert (await refusals(server.port))["forged"] == 1
        assert server._tornado.settings["gate"].genuine(token) is False
        assert time.process_time() - start < 0.5
        assert server._tornado.settings["gate"].sessions() == 0

    served()(scenario)


@pytest.mark.parametrize("expiry", [300, -1], ids=["unknown session", "expired"])
def test_a_genuine_token_without_a_living_session_opens_none(expiry):
    token = generate_jwt_token(generate_session_id(SECRET, True), SECRET, True, expiration=expiry)

    async def scenario(server):
        assert await closed(await dial(server.port, token)) == 4404
        assert server._tornado.settings["gate"].sessions() == 0

    served()(scenario)


def test_another_origin_gets_no_websocket(caplog):
    async def scenario(server):
        page = await Wire().open(server.port)
        assert await refused(server.port, page.token, origin="http://elsewhere.example") == 403
        await leave(server, [page])

    served()(scenario)


@pytest.mark.parametrize("query", ["bokeh-token=x", "bokeh-session-id=x", "bokeh-token=" + signed({"session_id": "x"})])
def test_a_link_cannot_bring_a_session(query):
    async def scenario(server):
        assert (await get(server.port, f"/spectrum?{query}")).code == 403
        assert server._tornado.settings["gate"].sessions() == 0

    served()(scenario)


# ---- how many ----
def test_a_full_house_says_so_and_lets_the_next_one_in_when_somebody_has_left():
    async def scenario(server):
        pages = [await Wire().open(server.port) for _ in range(3)]
        answer = await get(server.port, "/spectrum")
        assert answer.code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert b"All seats are taken" in answer.body
        assert (await get(server.port, "/healthz")).code == 200
        assert (await refusals(server.port))["full"] == 1
        assert (await pages[0].say(type="hello", id=1))["type"] == "state"  # those inside notice nothing
        await leave(server, pages)
        assert (await get(server.port, "/spectrum")).code == 200

    served(sessions=3)(scenario)


def test_pages_that_nobody_looked_at_for_long_make_room(monkeypatch):
    monkeypatch.setattr("app.gate._ABANDONED", -1)

    async def scenario(server):
        kept = await Wire().open(server.port)
        for _ in range(4):
            assert (await get(server.port, "/spectrum")).code == 200
        assert (await kept.say(type="hello", id=1))["type"] == "state"
        await leave(server, [kept])

    served(sessions=2)(scenario)


def test_before_it_is_warm_the_server_lives_but_opens_nothing():
    async def scenario(server):
        server._tornado.settings["gate"].ready = False
        assert (await get(server.port, "/healthz")).code == 200
        assert (await get(server.port, "/readyz")).code == 503
        answer = await get(server.port, "/spectrum?size=40")
        assert answer.code == 503
        assert b"Starting" in answer.body
        assert b'http-equiv="refresh"' in answer.body
        server._tornado.settings["gate"].ready = True
        assert (await get(server.port, "/readyz")).code == 200

    served()(scenario)


# ---- cuts ----
def test_50_cuts_keep_the_state_and_what_was_missed_is_said_again():
    async def scenario(server):
        page = await Wire().open(server.port)
        await page.say(type="hello", id=1)
        changed = {"type": "map", "entries": [["bins", 45]]}
        first = await page.say(type="set", values=changed, id=2)
        for number in range(50):
            page.socket.close()
            await page.connect()
            said = await page.say(type="hello", id=10 + number)
            assert said["values"] == first["values"]
            assert said["news"]["main"]["data"]["equivalent"]  # all of the figure, not only what is new
        assert server._tornado.settings["gate"].sessions() == 1
        await leave(server, [page])

    served()(scenario)


# ---- settings ----
STRANGE = ("nan", "+inf", "-inf", "text")


def outside():
    """(lab, setting, value) for every number setting of every lab: just outside, not a number, infinite, text."""
    for lab in LABS.values():
        for setting in lab.schema.settings:
            if setting.kind in ("number", "integer"):
                low, high = setting.low, setting.high
                for value in (low - 1e-3 * (1 + abs(low)), high + 1e-3 * (1 + abs(high)), *STRANGE):
                    yield lab.name, setting.name, low, high, value


def on_the_wire(value):
    return {"type": "number", "value": value} if value in ("nan", "+inf", "-inf") else value


@pytest.mark.parametrize("lab", ["home", "spectrum", "deep", "real-data"])  # test_settings has every schema
def test_every_setting_is_held_to_its_bounds_over_the_wire(lab):
    cases = [case[1:] for case in outside() if case[0] == lab]
    assert cases

    async def scenario(server):
        page = await Wire().open(server.port, f"/{lab}")
        await page.say(type="hello", id=1)
        for number, (name, low, high, value) in enumerate(cases):
            sent = {"type": "map", "entries": [[name, on_the_wire(value)]]}
            said = await page.say(type="set", values=sent, id=10 + number, final=False)
            assert said["type"] == "state", (name, value)
            kept = said["values"][name]
            assert kept is None or (math.isfinite(kept) and low <= kept <= high), (name, value, kept)
        page.socket.close()

    served()(scenario)


# ---- what every response says ----
@pytest.mark.parametrize(
    "path", ["/spectrum", "/healthz", "/assets/app.js", "/nothing", "/", "/static/js/bokeh.min.js"]
)
def test_every_response_has_the_security_headers(path):
    async def scenario(server):
        headers = (await get(server.port, path)).headers
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["frame-ancestors"] == "'self' https://school.example"
        assert "unsafe" not in policy["script-src"]
        assert "http" not in headers["Content-Security-Policy"].replace("https://school.example", "")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]
        assert re.fullmatch("[0-9a-f]{16}", headers["X-Request-Id"])
        assert "Server" not in headers

    served(frames=("'self'", "https://school.example"))(scenario)


def test_each_page_has_its_own_nonce_and_every_inline_script_carries_it():
    async def scenario(server):
        nonces = set()
        for _ in range(2):
            answer = await get(server.port, "/spectrum")
            (nonce,) = re.findall(r"'nonce-([^']+)'", answer.headers["Content-Security-Policy"])
            for script in re.findall(r"<script[^>]*>", answer.body.decode()):
                assert "src=" in script or "application/json" in script or f'nonce="{nonce}"' in script
            nonces.add(nonce)
        assert len(nonces) == 2

    served()(scenario)


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/admin", "/liveness", "/rest/session_info", "/spectrum/autoload.js?bokeh-autoload-element=1",
     "/spectrum/metadata", "/spectrum/static/js/bokeh.min.js", "/components/antigravity/x/_css/y", "/spectrum/nothing"],
)  # fmt: skip
def test_what_nobody_needs_is_not_there_and_that_is_said_in_words(path):
    async def scenario(server):
        for method, body in (("GET", None), ("POST", "x")):
            answer = await get(server.port, path, method=method, body=body)
            assert answer.code == 404, method
            assert b"There is nothing here" in answer.body
            assert b"Traceback" not in answer.body
        assert server._tornado.settings["gate"].sessions() == 0

    served()(scenario)


def test_an_error_while_a_page_is_built_is_said_in_words_with_its_number(monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("inside")

    monkeypatch.setattr("app.server.open_page", fail)

    async def scenario(server):
        answer = await get(server.port, "/spectrum")
        assert answer.code == 500
        assert b"inside" not in answer.body
        assert b"Traceback" not in answer.body
        assert answer.headers["X-Request-Id"].encode() in answer.body

    served()(scenario)


def test_posting_without_a_key_is_refused_and_with_a_stranger_s_key_too():
    async def scenario(server):
        assert (await get(server.port, "/upload/guess?name=x.csv", method="POST", body="1,2")).code == 404
        assert (await get(server.port, "/spectrum", method="POST", body="x")).code in (403, 405)

    served()(scenario)


# ---- metrics ----
def test_metrics_count_and_name_no_visitor():
    async def scenario(server):
        page = await Wire().open(server.port, "/spectrum?size=41")
        await page.say(type="hello", id=1)
        await page.say(type="made up", id=2)
        text = (await get(server.port, "/metrics")).body.decode()
        assert 'rmt_opens_total{lab="spectrum"} 1.0' in text
        assert 'rmt_message_seconds_count{kind="hello",lab="spectrum"} 1.0' in text
        assert 'rmt_message_seconds_count{kind="other",lab="spectrum"} 1.0' in text
        assert "rmt_sessions 1.0" in text
        for private in ("127.0.0.1", "size=41", "made up", page.token):
            assert private not in text
        await leave(server, [page])

    served()(scenario)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"])
def test_metrics_are_not_for_those_behind_a_proxy_on_this_machine(header):
    async def scenario(server):
        assert (await get(server.port, "/metrics", headers={header: "127.0.0.1"})).code == 404

    served()(scenario)


def test_metrics_are_for_everyone_where_the_option_says_so():
    async def scenario(server):
        assert (await get(server.port, "/metrics", headers={"X-Forwarded-For": "10.0.0.1"})).code == 200

    served(metrics_public=True)(scenario)


# ---- under a path ----
def test_under_a_path_everything_is_there_once():
    async def scenario(server):
        assert (await get(server.port, "/rmt/healthz")).code == 200
        assert (await get(server.port, "/rmt/readyz")).code == 200
        assert (await get(server.port, "/rmt/")).headers["Location"] == "/rmt/home"
        assert (await get(server.port, "/rmt/spectrum")).code == 200
        assert (await get(server.port, "/rmt/upload/guess", method="POST", body="x")).body.startswith(b"This page")
        assert (await get(server.port, "/healthz")).code == 404

    served(prefix="/rmt")(scenario)
