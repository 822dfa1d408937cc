"""What a visitor is told while the workers are busy, slow or refuse, and what they are asked for."""

import pytest
from visitor import SMALL, LateWorkers, Visitor, at_rest

from app.labs import LABS
from app.workers import Busy, Progress, TookTooLong


def hear(one, text, index=-1):
    one.workers.requests[index].hear(Progress(text=text))
    one.turn()


def test_progress_reaches_the_page_and_ends_with_the_result():
    one = Visitor()
    hear(one, "busy: about 7 seconds")
    assert one.told[-1] == {"type": "progress", "doing": "busy: about 7 seconds"}
    assert one.set(bins=40)["doing"] == "busy: about 7 seconds"  # the same draw: it still waits
    one.answer()
    assert (one.told[-1]["busy"], one.told[-1]["doing"]) == (False, "")


def test_progress_of_an_older_request_or_a_stopped_one_is_not_told():
    one = Visitor()
    assert one.set(ratio=2.0)["doing"] == ""
    count = len(one.told)
    hear(one, "busy: about 7 seconds", index=0)
    assert len(one.told) == count
    hear(one, "busy: about 5 seconds")
    assert one.say(type="stop")["doing"] == ""
    count = len(one.told)
    hear(one, "busy: about 3 seconds")
    assert len(one.told) == count


def test_before_its_page_is_there_a_session_keeps_progress_for_the_first_state():
    one = Visitor(greet=False)
    hear(one, "busy: about 7 seconds")
    assert one.told == []
    assert one.say(type="hello")["doing"] == "busy: about 7 seconds"


@pytest.mark.parametrize(
    ("error", "words"), [(Busy(42.4), "about 42 s"), (TookTooLong(60.0), "longer than 60 s"), (Busy(42.4), "Busy")]
)
def test_a_refusal_is_said_calmly_and_the_same_may_be_asked_again(error, words, caplog):
    one = Visitor()
    one.answer(result=error)
    told = one.told[-1]
    assert (told["type"], told["busy"], told["doing"]) == ("error", False, "not drawn")
    assert words in told["text"]
    assert "Reference" not in told["text"]
    assert "Traceback" not in caplog.text
    asked = len(one.workers.requests)
    assert one.set(bins=40)["busy"] is True
    assert len(one.workers.requests) == asked + 1
    one.answer()
    assert (one.told[-1]["busy"], one.told[-1]["doing"]) == (False, "")


def test_before_its_page_is_there_a_refusal_waits_for_the_first_state():
    one = Visitor(greet=False)
    one.answer(result=Busy(42.4))
    assert one.told == []
    first = one.say(type="hello")
    assert (first["type"], first["busy"], first["doing"]) == ("state", False, "not drawn")
    assert any("about 42 s" in notice for notice in first["notices"])


def test_what_is_typed_is_moved_to_the_grid_so_that_equal_requests_are_equal():
    one, other = Visitor(f"{SMALL}&ratio=0.70004"), Visitor(f"{SMALL}&ratio=0.7")
    assert one.workers.requests[-1].key == other.workers.requests[-1].key
    one.answer()
    one.set(ratio="0.7000123")
    assert len(one.workers.requests) == 1


# ---- smaller under pressure
def open_under_pressure(lab, query, monkeypatch, pressed=True):
    monkeypatch.setattr(LateWorkers, "pressed", pressed)
    return Visitor(query, greet=False, lab=LABS[lab]).session.state()


@pytest.mark.parametrize("lab", ["spectrum", "kernels"])
def test_under_pressure_a_page_begins_smaller_and_says_so(lab, monkeypatch):
    state = open_under_pressure(lab, "", monkeypatch)
    setting = LABS[lab].schema.by_name["size"]
    assert state["values"] == LABS[lab].schema.defaults() | {"size": setting.default // 2}
    assert setting.low <= state["values"]["size"] < setting.default
    assert any(str(setting.default // 2) in notice and "Many visitors" in notice for notice in state["notices"])
    assert LABS[lab].work(state["values"]) < LABS[lab].work(LABS[lab].schema.defaults())


@pytest.mark.parametrize("lab", LABS.values(), ids=LABS)
def test_what_is_smaller_is_within_bounds(lab):
    for name, value in lab.smaller(set()).items():
        setting = lab.schema.by_name[name]
        assert setting.read(value, None) == (value, "")
        assert value < setting.default
    assert lab.smaller(set(lab.schema.by_name)) == {}


def test_what_a_link_states_is_kept(monkeypatch):
    for query in ("size=400&ratio=2", "size=2000"):
        state = open_under_pressure("spectrum", query, monkeypatch)
        assert state["values"]["size"] == int(query.split("=")[1].split("&")[0])
        assert not state["notices"]


def test_without_pressure_nothing_is_smaller(monkeypatch):
    state = open_under_pressure("spectrum", "", monkeypatch, pressed=False)
    assert state["values"] == LABS["spectrum"].schema.defaults()
    assert not state["notices"]


def test_a_page_that_is_there_is_left_alone_by_later_pressure(monkeypatch):
    one = at_rest("")
    monkeypatch.setattr(LateWorkers, "pressed", True)
    assert one.set(ratio=2.0)["values"]["size"] == 400


def test_work_grows_with_the_cube_of_the_size():
    lab = LABS["spectrum"]
    small, large = (lab.work(lab.schema.defaults() | {"size": size}) for size in (400, 800))
    assert (small, large) == (2.0, 9.0)
    one = Visitor("size=800", lab=lab)
    assert one.workers.requests[-1].work == 9.0
    assert LABS["linearisation"].work(LABS["linearisation"].schema.defaults()) == 1.0
