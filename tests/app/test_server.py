"""The server as a process: options, routes, an end without leftovers."""

import base64
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from app.__main__ import main, parser

KINDS = {
    "/spectrum": "text/html",
    "/bundle/page.css": "text/css",
    "/bundle/page.js": "javascript",
    "/assets/logo.svg": "image/svg",
}


def get(server, path):
    """Status, headers and body; redirects are not followed."""
    connection = http.client.HTTPConnection("localhost", server.port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


# ---- options ----
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "abc"], "--port"),
        (["--port", "70000"], "--port must be 0 to 65535, not 70000"),
        (["--port", "-1"], "--port must be 0 to 65535, not -1"),
        (["--workers", "0"], "--workers must be at least 1, not 0"),
        (["--workers", "two"], "--workers"),
        (["--max-entries", "0"], "--max-entries must be at least 1"),
        (["--cache-mib", "-5"], "--cache-mib must be at least 1"),
        (["--nonsense"], "--nonsense"),
        (["spectrum"], "spectrum"),
    ],
)
def test_a_bad_option_is_named_and_ends_with_code_2(capsys, options, said):
    with pytest.raises(SystemExit) as end:
        main(options)
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_a_bad_log_level_is_named_and_ends_with_code_2():
    # In a process of its own: in this one pytest has configured the logging already.
    command = [sys.executable, "-m", "app", "--log-level", "LOUD", "--port", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert "--log-level" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 2


def test_a_bad_environment_variable_is_named_and_ends_with_code_2(capsys, monkeypatch):
    monkeypatch.setenv("RMT_PORT", "abc")
    with pytest.raises(SystemExit) as end:
        parser().parse_args([])
    assert end.value.code == 2
    assert "port" in capsys.readouterr().err.lower()


def test_help_names_every_option_with_its_default(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    for option in ("port", "address", "origins", "workers", "max-entries", "cache-mib", "prefix", "log-level"):
        assert f"--{option}" in said
    assert "default: 5006" in said


def test_options_come_from_the_environment_and_the_command_line_wins(monkeypatch):
    monkeypatch.setenv("RMT_PORT", "1234")
    monkeypatch.setenv("RMT_CACHE_MIB", "7")
    assert parser().parse_args([]).port == 1234
    assert parser().parse_args([]).cache_mib == 7
    assert parser().parse_args(["--port", "99"]).port == 99


def test_a_port_that_is_taken_is_said_and_the_code_is_not_zero():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "app", "--port", str(port), "--workers", "1"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode not in (0, None)
    assert "in use" in ended.stderr
    assert ended.stdout == ""


# ---- routes ----
def test_the_root_leads_to_the_first_lab(server):
    status, headers, _ = get(server, "/")
    assert (status, headers["Location"]) == (302, "/home")


@pytest.mark.parametrize("path", KINDS)
def test_what_the_page_needs_is_served(server, path):
    status, headers, body = get(server, path)
    assert status == 200
    assert KINDS[path] in headers["Content-Type"]
    assert body


def test_the_page_has_title_icon_and_language_and_is_not_cached(server):
    _, headers, body = get(server, "/spectrum")
    page = body.decode()
    assert "<title>Spectrum · RMT Playground</title>" in page
    assert 'lang="en"' in page
    assert headers["Cache-Control"] == "no-store"
    (icon,) = re.findall(r'<link rel="icon" href="([^"]*)"', page)
    assert get(server, icon)[0] == 200


def test_the_page_names_no_other_host(server):
    _, _, body = get(server, "/spectrum")
    assert re.findall(rb"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", body) == []
    for asset in ("/bundle/page.css", "/bundle/page.js"):
        # The name of the SVG language looks like an address, and is none.
        named = re.findall(rb"https?://[^\"'\s]+", get(server, asset)[2])
        assert [one for one in named if not one.startswith(b"http://www.w3.org/")] == []


def test_everything_the_page_refers_to_is_there(server):
    _, _, body = get(server, "/spectrum")
    references = re.findall(r'(?:src|href)="([^"#]+)"', body.decode())
    assert len(references) >= 8
    for reference in references:
        path = reference if reference.startswith("/") else "/" + reference
        assert get(server, path)[0] in (200, 302), reference


def test_a_trailing_slash_is_no_other_page(server):
    status, headers, _ = get(server, "/spectrum/")
    assert status == 404 or (status in (301, 302) and headers["Location"] == "/spectrum")


def test_health(server):
    status, _, body = get(server, "/healthz")
    assert (status, body.strip()) == (200, b"ok")


@pytest.mark.parametrize("path", ["/nothing", "/admin", "/spectrum/nothing", "/assets/nothing.css"])
def test_what_is_not_there_is_404(server, path):
    assert get(server, path)[0] == 404


@pytest.mark.parametrize("path", ["/assets/../pyproject.toml", "/assets/%2e%2e/pyproject.toml", "/assets//etc/passwd"])
def test_no_file_outside_the_assets_is_served(server, path):
    assert get(server, path)[0] in (403, 404)


@pytest.mark.parametrize(
    "query",
    [
        "%", "%ff=%ff", "ratio=%00", "x" * 5000, "ratio=1&ratio=2", "ratio=1e9", "data=%F0%9F%98%80",
        "data=</script><script>alert(1)</script>", "ratio=%3Cscript%3Ealert(1)%3C/script%3E", "=&=&;",
    ],
)  # fmt: skip
def test_a_bad_query_still_gets_a_page(server, query):
    status, _, body = get(server, f"/spectrum?{query}")
    assert status == 200
    assert b"<title>Spectrum" in body
    assert b"</script><script>a" not in body
    assert b"alert(1)" not in body.split(b'id="boot"')[0]


def test_a_link_cannot_choose_a_session(server):
    status, _, body = get(server, "/spectrum?bokeh-session-id=shared")
    if status == 200:
        head = re.search(rb'"token":"([^".]+)', body).group(1)
        token = json.loads(base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4)))
        assert token["session_id"] != "shared"


# ---- the end ----
# The server that all tests share ends by SIGTERM while idle: see tests/conftest.py. Here it is at work.
def test_ctrl_c_while_drawing_ends_it_in_time_and_leaves_nothing_behind(launch):
    one = launch("--workers", "1")
    (worker,) = (child for child in one.family()[1:] if child.ppid() != one.process.pid)  # forked by a helper
    before = sum(worker.cpu_times()[:2])
    assert get(one, "/spectrum?data=toeplitz&size=1500&ratio=0.8&depth=10&width=1&draws=20")[0] == 200
    deadline = time.monotonic() + 60
    while sum(worker.cpu_times()[:2]) < before + 0.2:  # until it is at work
        assert time.monotonic() < deadline
        time.sleep(0.02)
    code, seconds, alive = one.stop(signal.SIGINT, group=True)
    assert code == 0, one.words()
    assert seconds < one.soon
    assert alive == []
    assert "Traceback" not in one.words()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("localhost", one.port), timeout=5)
