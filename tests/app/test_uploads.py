"""Visitors' files: over real HTTP, to the session of the page and to no other."""

import asyncio

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from visitor import Visitor

from app.labs.base import Task, Upload
from app.labs.spectrum import SpectrumLab
from app.uploads import UploadHandler, Uploads

MOST = 100_000


class Taker:
    """A session that keeps what it gets."""

    def __init__(self):
        self.files = []

    def attach(self, file):
        self.files.append(file)


def exchange(requests):
    """Send requests, functions of the address of a page's uploads; the answers and what the two pages have got."""

    async def scenario():
        uploads, first, second = Uploads(MOST), Taker(), Taker()
        keys = uploads.open(first), uploads.open(second)
        assert keys[0] != keys[1]
        socket, port = bind_unused_port()
        server = HTTPServer(Application([("/upload/([^/]+)", UploadHandler, {"uploads": uploads})]))
        server.add_socket(socket)
        answers = []
        for request in requests:
            asked = request(f"http://127.0.0.1:{port}/upload/", keys[0])
            answers.append(await AsyncHTTPClient(force_instance=True).fetch(asked, raise_error=False))
        server.stop()
        return answers, first.files, second.files

    return asyncio.run(scenario())


def post(body, path="{key}?name=a.npy", **more):
    return lambda url, key: HTTPRequest(url + path.format(key=key), method="POST", body=body, **more)


def test_a_file_goes_to_its_own_page_only():
    data = bytes(range(256)) * 300
    (answer,), mine, others = exchange([post(data, "{key}?name=weights%20of%20mine.npz")])
    assert answer.code == 204
    assert [(file.name, file.data) for file in mine] == [("weights of mine.npz", data)]
    assert others == []


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        (post(b"x", "guess?name=a"), 404, "no longer open"),
        (post(b"x" * (MOST + 1)), 413, "at most 0.0954 MiB"),
        (lambda url, key: HTTPRequest(url + key), 405, "Method Not Allowed"),
    ],
)
def test_what_is_refused_is_refused_in_words_and_leaves_nothing(request_, code, words):
    (answer,), mine, others = exchange([request_])
    assert answer.code == code
    assert words in answer.body.decode()
    assert "Traceback" not in answer.body.decode()
    assert mine == others == []


def test_without_a_length_nothing_is_read():
    async def endless(write):
        for _ in range(3):
            await write(b"x" * 50_000)

    (answer,), mine, _ = exchange([lambda url, key: HTTPRequest(f"{url}{key}", method="POST", body_producer=endless)])
    assert answer.code in (413, 599)
    assert mine == []


class Reading(SpectrumLab):
    """The Spectrum lab, drawing by the length of the visitor's file."""

    files = (".npy",)

    def experiment(self, values):
        task = super().experiment(values)
        file = values["file"]
        return task if file is None else Task((task.key, file.key), task.function, task.args, keep=False)


def test_a_file_starts_an_experiment_of_its_own_that_is_not_kept():
    one = Visitor(lab=Reading())
    one.answer()
    assert one.workers.requests[-1].keep is True
    one.session.attach(Upload("mine.npy", b"1234"))
    one.turn()
    assert one.told[-1]["file"] == "mine.npy"
    assert one.told[-1]["busy"] is True
    assert one.workers.requests[-1].keep is False
    one.say(type="file", file="of somebody else")  # a page can only let go of its file
    assert one.told[-1]["file"] is None
    assert one.workers.requests[-1].keep is True


def test_equal_files_of_two_visitors_are_two_tasks():
    assert Upload("a", b"1").key != Upload("a", b"1").key
