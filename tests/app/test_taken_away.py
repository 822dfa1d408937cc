"""What is taken away: the sheet that goes with it, and QR codes of our own links alone."""

import urllib.error
import urllib.request
from importlib.metadata import version
from types import SimpleNamespace
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application, HTTPError
from visitor import SMALL, Visitor, at_rest

from app.labs import LABS
from app.share import LONGEST_LINK, QRCode, qr_svg, sheet


def ask(url):
    """Status, type and text of an answer."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers["Content-Type"], refused.read()


def code(server, name="spectrum", query="", origin=None):
    return ask(f"{server.url}/qr/{name}?{urlencode({'origin': origin or server.url, 'query': query})}")


# ---- the session ----
def test_the_sheet_comes_while_the_dialog_is_open_and_not_before():
    one = at_rest()
    assert "share" not in one.set(bins=60)
    state = one.say(type="share", open=True)
    assert state["share"]["release"] == f"RMT Playground {version('rmt-playground')}"
    assert state["tables"][0]["caption"] == "Deterministic equivalent"
    assert "samples=80" in state["share"]["python"]
    assert "samples=40" in one.set(ratio=1)["share"]["python"]
    one.answer()
    assert "Non-zero eigenvalues, actual" in [table["caption"] for table in one.told[-1]["tables"]]
    state = one.say(type="share", open=False)
    assert "share" not in state
    assert "tables" not in state


def test_closing_the_dialog_leaves_the_table_open():
    one = at_rest()
    one.say(type="table", open=True)
    one.say(type="share", open=True)
    assert "tables" in one.say(type="share", open=False)


@pytest.mark.parametrize("open_", [None, 1, "yes", {}])
def test_only_true_opens(open_):
    one = at_rest()
    assert "share" not in one.say(type="share", open=open_)


def test_a_drag_is_not_held_up_by_it():
    one = at_rest()
    one.say(type="share", open=True)
    state = one.say(type="set", values={"bins": 70}, final=False)
    assert "share" not in state
    assert "tables" not in state


def test_lines_that_cannot_be_written_cost_nothing_else(monkeypatch):
    one = at_rest()
    with monkeypatch.context() as patch:
        patch.setattr(type(one.lab), "python", lambda *_: 1 / 0)
        assert one.say(type="share", open=True)["type"] == "error"
    assert "share" not in one.set(bins=60)
    assert "python" in one.say(type="share", open=True)["share"]


# ---- the sheet ----
def test_the_sheet_says_what_counts_in_words():
    lab = LABS["spectrum"]
    values, _ = lab.schema.from_query("data=atoms2&s2=12.5&depth=2&activation2=relu&seed=7&actual=0")
    said = {one["name"]: one for one in sheet(lab, values, "")["settings"]}
    assert said["data"]["text"] == "two atoms"
    assert (said["s2"]["symbol"], said["s2"]["value"], said["s2"]["text"]) == ("s₂", 12.5, "12.5")
    assert said["activation2"]["text"] == "ReLU"
    assert said["activation1"]["text"] == "tanh"  # as all layers
    assert said["seed"]["value"] == 7
    assert (said["actual"]["text"], said["actual"]["shown"]) == ("off", False)
    assert "rho" not in said  # its control is hidden
    assert "width3" not in said


@pytest.mark.parametrize("name", LABS)
def test_every_lab_has_a_sheet_before_anything_is_drawn(name):
    one = Visitor("", lab=LABS[name])
    state = one.say(type="share", open=True)
    assert state["type"] == "state"
    compile(state["share"]["python"], "lines", "exec")
    assert any(setting["name"] == "seed" for setting in state["share"]["settings"])


# ---- the QR code ----
def test_a_code_is_a_drawing_of_squares():
    root = ElementTree.fromstring(qr_svg("http://localhost:5006/spectrum"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert {one.tag.split("}")[1] for one in root.iter()} == {"svg", "g", "path"}
    assert qr_svg("http://localhost:5006/spectrum") != qr_svg("http://localhost:5006/deep")


def test_the_code_is_of_the_address_as_the_browser_sees_it(server):
    status, kind, body = code(server, query=SMALL)
    assert (status, kind) == (200, "image/svg+xml")
    assert body == qr_svg(f"{server.url}/spectrum?{SMALL}")
    assert code(server, "your-matrix")[0] == 404
    assert code(server, "matrix")[2] == qr_svg(f"{server.url}/matrix")


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example", "javascript:alert(1)", "http://localhost", "", "http://user@{host}", "http://{host}/x",
        "http://{host}#x", "ftp://{host}", "http://[::1", "http://{host}@evil.example", "data:text/html,x",
    ],
)  # fmt: skip
def test_nobody_elses_address_is_encoded(server, origin):
    host = server.url.removeprefix("http://")
    assert code(server, origin=origin.format(host=host) or "x")[0] == 400


@pytest.mark.parametrize("query", ["a b", "a\nb", "ä", "a#b", "\0"])
def test_a_query_is_what_stands_in_an_address(server, query):
    assert code(server, query=query)[0] == 400


def test_a_link_too_long_for_a_camera_is_refused(server):
    room = LONGEST_LINK - len(f"{server.url}/spectrum?")
    assert code(server, query="x" * room)[0] == 200
    assert code(server, query="x" * (room + 1))[0] == 414


def test_behind_a_proxy_the_allowed_origins_count():
    application = Application([], websocket_origins={"lecture.example:80", "*.other.example:8080"})
    application.websocket_origins = application.settings["websocket_origins"]
    request = HTTPServerRequest(
        start_line=RequestStartLine("GET", "/rmt/qr/deep", "HTTP/1.1"),
        headers=HTTPHeaders({"Host": "inside:5006"}),
        connection=SimpleNamespace(set_close_callback=lambda _: None),
    )
    handler = QRCode(application, request, prefix="/rmt")
    assert handler.link("deep", "https://lecture.example", "seed=2") == "https://lecture.example/rmt/deep?seed=2"
    assert handler.link("deep", "http://a.other.example:8080", "") == "http://a.other.example:8080/rmt/deep"
    assert handler.link("deep", "http://inside:5006", "") == "http://inside:5006/rmt/deep"
    for origin in ("http://third.example", "http://other.example:8080", "http://lecture.example:81"):
        with pytest.raises(HTTPError):
            handler.link("deep", origin, "")
