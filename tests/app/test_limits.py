"""Buckets, processors, the log, kept blueprints: what the server's limits are made of."""

import json
import logging

import pytest

from app import logs
from app.labs import LABS
from app.limits import Bucket
from app.machine import cpus
from app.parts import blueprints, figure


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_bucket_lets_a_burst_through_and_then_its_rate():
    clock = Clock()
    bucket = Bucket(10, 5, clock)
    assert [bucket.take() for _ in range(5)] == [0] * 5
    assert bucket.take() == pytest.approx(0.1)
    assert bucket.take() == pytest.approx(0.2)
    assert bucket.held == pytest.approx(0.3)
    clock.now = 100.0
    assert bucket.take() == 0
    assert bucket.held == 0


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "100000 100000"}, 1),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "nonsense"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_workers_follow_the_quota_of_the_container(tmp_path, monkeypatch, files, expected):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cpus(tmp_path) == (expected or 8)


@pytest.mark.parametrize(
    ("text", "private"),
    [
        ("Uncaught exception GET /spectrum?size=40 (203.0.113.7)", ["size=40", "203.0.113.7"]),
        ("403 GET /x?token=abc (2001:db8::1) 1.2ms", ["abc", "2001:db8"]),
        ("HTTPServerRequest(protocol='http', host='h', uri='/a?b=c', remote_ip='10.1.1.1')", ["b=c", "10.1.1.1"]),
        ("POST /upload/SECRETKEY?name=thesis.csv 204", ["SECRETKEY", "thesis"]),
        ("x" * 100_000, ["x" * 3000]),
    ],
)
def test_the_log_holds_nothing_about_visitors(text, private):
    cleaned = logs.clean(text)
    for word in private:
        assert word not in cleaned


def test_a_log_of_json_is_one_object_a_line_and_keeps_the_traceback():
    record = logging.LogRecord("app", logging.ERROR, __file__, 1, "line one\nline two %s", ("x",), None)
    try:
        raise ValueError("why")
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    token = logs.request_id.set("abc")
    line = logs._Json().format(record)
    logs.request_id.reset(token)
    assert "\n" not in line
    said = json.loads(line)
    assert (said["level"], said["request"], said["message"]) == ("ERROR", "abc", "line one\nline two x")
    assert "ValueError: why" in said["traceback"]


def test_blueprints_are_read_again_as_they_were_written(tmp_path, monkeypatch):
    monkeypatch.setattr(blueprints, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(figure, "_known", {})
    labs = {"matrix": LABS["matrix"]}
    declares = list(labs["matrix"].figures.values())
    blueprints.compose(labs)
    composed = [figure.blueprint(one) for one in declares]
    monkeypatch.setattr(figure, "_known", {})
    monkeypatch.setattr(figure, "_composed", lambda _: pytest.fail("composed again"))
    blueprints.compose(labs)
    assert [figure.blueprint(one) for one in declares] == composed


@pytest.mark.parametrize("text", ["", "{", "[]", '{"matrix": {}}', '{"matrix": {"main": 5}}'])
def test_a_damaged_file_of_blueprints_is_composed_anew(tmp_path, monkeypatch, caplog, text):
    monkeypatch.setattr(blueprints, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(figure, "_composed", lambda _: figure.Blueprint({}, "figure1", frozenset("a")))
    monkeypatch.setattr(figure, "_known", {})
    labs = {"matrix": LABS["matrix"]}
    blueprints._file().write_text(text)
    blueprints.compose(labs)
    assert "composed anew" in caplog.text
    assert set(json.loads(blueprints._file().read_text())["matrix"]) == set(labs["matrix"].figures)
