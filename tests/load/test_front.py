"""The documented nginx example in front of two servers: gzip, a path, stickiness, limits, one server killed."""

import asyncio
import base64
import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from app.files import assets

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@pytest.fixture
def front(launch, tmp_path):
    """Two servers and nginx before them: the address of the page, the servers by port, and how to change nginx."""
    if not os.path.exists(NGINX):
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("There is no nginx.")
    port, *behind = free_ports(3)
    options = ("--workers", "1", "--prefix", "/rmt", "--secret", "shared", "--origins", f"127.0.0.1:{port}")
    servers = {one: launch(*options, "--port", str(one)) for one in behind}
    text = (assets() / "hosting" / "nginx.conf").read_text()
    for documented, here in (
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        (":5006", f":{behind[0]}"),
        (":5007", f":{behind[1]}"),
    ):
        assert documented in text
        text = text.replace(documented, here)
    own = f"pid {tmp_path}/pid; error_log {tmp_path}/error.log; daemon off;\n"
    places = "".join(
        f"  {kind}_temp_path {tmp_path}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = tmp_path / "nginx.conf"
    text = own + text.replace("http {\n", "http {\n" + places, 1)
    config.write_text(text)

    def change(documented="", here=""):
        assert documented in text
        config.write_text(text.replace(documented, here) if documented else text)
        process.send_signal(signal.SIGHUP)

    process = subprocess.Popen([NGINX, "-c", str(config)], stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                continue
        assert process.poll() is None, process.stderr.read()
        yield f"http://127.0.0.1:{port}/rmt", servers, change
    finally:
        process.send_signal(signal.SIGQUIT if process.poll() is None else 0)
        process.wait(20)
        process.stderr.close()


def ask(url, cookie=None, **headers):
    """Status, headers, body."""
    request = urllib.request.Request(url, headers={**headers, **({"Cookie": cookie} if cookie else {})})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers, refused.read()


def sessions(port):
    """How many a server counts."""
    text = ask(f"http://localhost:{port}/rmt/metrics")[2].decode()
    return float(re.search(r"^rmt_sessions (\S+)$", text, re.MULTILINE).group(1))


class Visitor:
    """Has nginx's cookie; opens a page and its websocket, and comes back like assets/connection.js."""

    def __init__(self, url, query):
        self.url, self.query, self.cookie = url, query, None

    def open(self):
        """The settings with which the page starts."""
        status, headers, body = ask(f"{self.url}/spectrum?{self.query}", self.cookie)
        assert status == 200, body
        self.cookie = self.cookie or headers["Set-Cookie"].split(";")[0]
        page = body.decode()
        (self.token,) = set(re.findall(r'"token":"([^"]+)"', page))
        (boot,) = re.findall(r'id="boot">(.*?)</script>', page, re.DOTALL)
        return json.loads(boot)["state"]["values"]

    async def connect(self, **headers):
        """Whether the server knows the page."""
        address = self.url.replace("http", "ws") + "/spectrum/ws"
        headers |= {"Origin": self.url.removesuffix("/rmt"), "Cookie": self.cookie}
        request = HTTPRequest(address, headers=headers)
        wire = await websocket_connect(request, subprotocols=["bokeh", self.token])
        first = await asyncio.wait_for(wire.read_message(), 30)
        known = first is not None and json.loads(first)["msgtype"] == "ACK"
        wire.close()
        while known and await asyncio.wait_for(wire.read_message(), 30) is not None:
            pass  # what was on its way, until the server has closed too
        await asyncio.sleep(0)
        return known


def wait_for(url, status):
    """Until nginx has taken its new configuration."""
    until = time.monotonic() + 20
    while ask(f"{url}/assets/logo.svg")[0] != status:
        assert time.monotonic() < until
        time.sleep(0.05)


def closed_to_strangers(url, change, people, visitor):
    """With the lines for a closed group: pages and websockets ask who is there."""
    people.write(b"ada:{PLAIN}kappa\n")
    people.flush()
    os.chmod(people.name, 0o644)  # nginx reads it as nobody
    lines = 'auth_basic "RMT Playground"; auth_basic_user_file '
    change("# " + lines + "/etc/nginx/rmt.htpasswd", lines + people.name)
    wait_for(url, 401)
    known = {"Authorization": "Basic " + base64.b64encode(b"ada:kappa").decode()}
    assert ask(f"{url}/spectrum")[0] == 401
    assert ask(f"{url}/spectrum", Authorization="Basic " + base64.b64encode(b"ada:lambda").decode())[0] == 401
    assert ask(f"{url}/spectrum", **known)[0] == 200
    with pytest.raises(HTTPClientError, match="401"):
        asyncio.run(visitor.connect())
    assert asyncio.run(visitor.connect(**known))
    change()
    wait_for(url, 200)


def test_the_documented_front(front):
    url, servers, change = front
    status, headers, body = ask(f"{url}/spectrum", **{"Accept-Encoding": "gzip"})
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert b"<title>Spectrum" in gzip.decompress(body)
    assert ask(f"{url}/metrics")[0] == 404
    assert ask(f"{url}/healthz")[0] == 200
    assert ask(f"{url}/spectrum", **{"X-Large": "x" * 40_000})[0] in (400, 431, 494)

    # A lecture hall: 100 pages from one address at once; nobody is turned away, and both servers have visitors.
    start = time.monotonic()
    visitors = [Visitor(url, f"size=40&bins={20 + number % 50}") for number in range(100)]
    opened = [one.open() for one in visitors]
    print(f"100 opens from one address: {time.monotonic() - start:.1f} s")
    assert [values["bins"] for values in opened] == [20 + number % 50 for number in range(100)]
    counts = [sessions(port) for port in servers]
    assert min(counts) >= 20, counts
    for one in visitors[:20]:
        assert asyncio.run(one.connect())  # by its cookie to the server that has its session

    with tempfile.NamedTemporaryFile() as people:
        closed_to_strangers(url, change, people, visitors[-1])

    # One server dies: all are back with their settings.
    (gone, dead), _ = servers.items()
    os.killpg(dead.process.pid, signal.SIGKILL)
    dead.process.wait()
    start, moved = time.monotonic(), 0
    for number, one in enumerate(visitors[:20]):
        if not asyncio.run(one.connect()):
            assert one.open() == opened[number]
            assert asyncio.run(one.connect())
            moved += 1
    assert moved > 0
    assert time.monotonic() - start < 10, f"{moved} visitors of {gone}"

    # Beyond the burst one address has to wait.
    assert 429 in {ask(f"{url}/healthz")[0] for _ in range(200)}
