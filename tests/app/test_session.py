"""The messages of the page and what they do, without a browser."""

import copy
import gc
import logging
import re
import weakref
from types import SimpleNamespace
from urllib.parse import parse_qsl

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from visitor import SMALL, Visitor, at_rest

from app.labs import LABS
from app.labs.base import Task
from app.labs.spectrum import SpectrumLab
from app.workers import WorkerLost
from rmtcore import observe


@pytest.fixture
def visitor():
    return Visitor()


# ---- messages ----
def test_the_first_state_says_that_a_draw_is_on_its_way():
    one = Visitor(greet=False)
    state = one.session.state()
    assert state["busy"] is True
    assert state["values"] == one.lab.schema.defaults() | {"size": 40}
    assert state["query"] == "size=40"
    assert state["notices"] == []
    assert len(one.workers.requests) == 1
    assert one.columns("equivalent")["x"].size > 100  # the theory does not wait


def test_hello_is_answered_with_everything_the_page_shows(visitor):
    reply = visitor.say(type="hello", id=7)
    assert reply["type"] == "state"
    assert reply["id"] == 7
    assert reply["busy"] is True
    for name in ("values", "resolved", "query", "notices", "readouts", "lamps", "explain", "final"):
        assert name in reply
    assert "tables" not in reply


def test_a_set_changes_theory_at_once_and_experiment_later(visitor):
    visitor.answer()
    before = visitor.drawn()
    reply = visitor.set(ratio=2.0)
    assert reply["values"]["ratio"] == 2.0
    assert reply["query"] == "ratio=2&size=40"
    assert reply["busy"] is True
    assert visitor.drawn()["equivalent"] != before["equivalent"]
    assert visitor.drawn()["rug"]["x"] == before["rug"]["x"]  # the old draw, pale, until the new one is there
    visitor.answer()
    assert visitor.told[-1]["busy"] is False
    assert visitor.told[-1]["id"] is None
    assert visitor.drawn()["rug"]["x"] != before["rug"]["x"]


@pytest.mark.parametrize(("said", "final"), [(True, True), (False, False), (None, True), ("no", True)])
def test_final_is_echoed_so_that_the_page_can_keep_its_history(visitor, said, final):
    assert visitor.say(type="set", values={"bins": 60}, final=said)["final"] is final


def test_the_answer_to_a_set_carries_the_notices_once(visitor):
    reply = visitor.set(ratio=1e9, size="text", bins=60)
    assert reply["values"]["ratio"] == 20.0
    assert reply["values"]["size"] == 40
    assert reply["values"]["bins"] == 60
    assert [notice.split()[0] for notice in reply["notices"]] == ["Aspect", "Dimension:"]
    assert visitor.set(bins=70)["notices"] == []


@pytest.mark.parametrize("raw", [1e9, -3, float("nan"), float("inf"), -float("inf"), 1e308, 10**400, "x", None, [], {}])
def test_crafted_numbers_never_pass(visitor, raw):
    for name, setting in visitor.lab.schema.by_name.items():
        if setting.kind in ("number", "integer"):
            reply = visitor.set(**{name: raw})
            assert reply["type"] == "state"
            value = reply["values"][name]
            assert value is None if setting.follows and raw is None else True
            assert value is None or setting.low <= value <= setting.high
            assert reply["notices"] or (setting.follows and raw is None)
            visitor.say(type="reset")


def test_new_draw_takes_the_next_seed_and_nothing_else(visitor):
    visitor.set(ratio=2.0)
    before = visitor.values
    reply = visitor.say(type="draw")
    assert reply["values"] == before | {"seed": before["seed"] + 1}
    assert reply["busy"] is True


def test_after_the_last_seed_comes_the_first(visitor):
    visitor.set(seed=999_999)
    assert visitor.say(type="draw")["values"]["seed"] == 0
    assert visitor.say(type="draw")["values"]["seed"] == 1


def test_reset_gives_the_defaults(visitor):
    visitor.set(data="spiked", depth=2, width1=3.0, seed=5, actual=False)
    reply = visitor.say(type="reset")
    assert reply["values"] == visitor.lab.schema.defaults()
    assert reply["query"] == ""


def test_a_query_is_a_whole_new_start(visitor):
    visitor.set(depth=3, bins=80)
    reply = visitor.say(type="query", search="?ratio=2&nothing=1&theme=dark")
    assert reply["values"] == visitor.lab.schema.defaults() | {"ratio": 2.0}
    assert reply["notices"] == []


@pytest.mark.parametrize(
    "search", ["?ratio=99", "?ratio=nan", "?ratio=2&size=x", "?data=%3Cscript%3E", "?" + "x" * 5000]
)
def test_a_bad_query_is_mended_with_a_notice(visitor, search):
    reply = visitor.say(type="query", search=search)
    assert reply["type"] == "state"
    assert len(reply["notices"]) == 1


@pytest.mark.parametrize("search", [None, 3, [], {}, "?%zz", b"ratio=2"])
def test_a_query_that_is_none_gives_the_defaults(visitor, search):
    assert visitor.say(type="query", search=search)["values"] == visitor.lab.schema.defaults()


def test_the_table_is_sent_while_it_is_open():
    one = at_rest("size=40&data=spiked")
    assert "tables" not in one.set(bins=60)
    tables = one.say(type="table", open=True)["tables"]
    assert {table["caption"] for table in tables} == {
        "Deterministic equivalent", "Bulks", "Outliers, predicted", "Non-zero eigenvalues, actual",
    }  # fmt: skip
    assert len(tables[-1]["columns"]["λ"]) == 40
    assert "tables" in one.set(bins=70)
    assert "tables" not in one.say(type="set", values={"bins": 80}, final=False)  # not during a drag
    assert "tables" not in one.say(type="table", open=False)
    assert "tables" not in one.set(bins=90)


def test_the_table_paints_nothing(visitor):
    visitor.answer()
    before = visitor.drawn()
    visitor.say(type="table", open=True)
    assert visitor.drawn() == before
    assert len(visitor.workers.requests) == 1


BAD = [
    None, 3, "set", [], [1, 2], {}, {"type": None}, {"type": 5}, {"type": ["set"]}, {"type": "x" * 10_000},
    {"type": "set"}, {"type": "set", "values": None}, {"type": "set", "values": [1]}, {"type": "set", "values": "a=1"},
    {"type": "__init__"}, {"type": "SET", "values": {}},
]  # fmt: skip


@pytest.mark.parametrize("message", BAD, ids=[repr(one)[:30] for one in BAD])
def test_a_bad_message_is_answered_calmly_and_changes_nothing(visitor, caplog, message):
    before = visitor.values
    reply = visitor.say_it(message)
    assert reply["type"] == "error"
    assert reply["values"] == before
    assert visitor.values == before
    assert visitor.set(bins=60)["type"] == "state"
    caplog.clear()


@pytest.mark.parametrize("number", [None, 0, 12, "12", 1.5, [], {}])
def test_an_answer_carries_the_number_of_its_message(visitor, number):
    for message in ({"type": "set", "values": {}, "id": number}, {"type": "nonsense", "id": number}):
        assert visitor.say_it(message)["id"] == (number if isinstance(number, int) else None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=6), one, max_size=3),
    max_leaves=6,
)


@settings(max_examples=30)
@given(data=st.data())
def test_whatever_the_page_says_there_is_one_answer_and_the_session_lives(data):
    one = Visitor()
    for _ in range(data.draw(st.integers(1, 8))):
        kind = data.draw(st.sampled_from(["set", "query", "draw", "reset", "table", "hello"]) | st.text(max_size=5))
        names = st.sampled_from(list(one.lab.schema.by_name)) | st.text(max_size=5)
        message = data.draw(
            st.fixed_dictionaries(
                {"type": st.just(kind)},
                optional={
                    "values": st.dictionaries(names, JSON, max_size=4) | JSON,
                    "search": st.text(max_size=30) | JSON,
                    "open": JSON,
                    "final": JSON,
                    "id": JSON,
                },
            )
        )
        assert one.say_it(message)["type"] in ("state", "error")
        for setting in one.lab.schema.settings:
            _, notice = setting.read(one.values[setting.name], None)
            assert notice == ""
    one.say(type="query", search=SMALL)
    one.answer()
    assert one.told[-1]["busy"] is False


# ---- the draw: frozen, superseded, late ----
DISPLAY = {"side": "gram", "bins": 60, "axes": "log", "actual": False, "linear": False, "equivalent": False}


@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.parametrize("name", DISPLAY)
def test_what_is_shown_leaves_the_draw_as_it_is(name, depth):
    one = at_rest(f"size=40&depth={depth}")
    reply = one.set(**{name: DISPLAY[name]})
    assert reply["busy"] is False
    assert len(one.workers.requests) == 1


DRAWS = {
    "seed": 9, "ratio": 0.7, "size": 50, "data": "toeplitz", "depth": 1, "entries": "uniform", "draws": 2,
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWS)
def test_what_the_draw_hangs_on_asks_for_another(name):
    one = at_rest()
    assert one.set(**{name: DRAWS[name]})["busy"] is True
    assert len({request.key for request in one.workers.requests}) == 2


@pytest.mark.parametrize(
    ("present", "hidden"),
    [
        ("", {"s2": 9.0, "w2": 0.3, "s3": 3.0, "w3": 0.5, "rho": 0.1, "alpha": 2.0, "spike": 9.0, "spike2": 3.0}),
        ("", {"mean_norm2": 9.0, "dof": 3.0, "width": 5.0, "activation": "relu", "width1": 3.0, "activation1": "sin"}),
        ("data=atoms2", {"s3": 3.0, "w3": 0.5, "rho": 0.1}),
        ("data=digits", {"size": 50, "entries": "uniform"}),
        ("depth=2", {"width3": 9.0, "activation3": "relu", "activation10": "sin"}),
    ],
)
def test_a_hidden_setting_changes_neither_theory_nor_draw(present, hidden):
    one = at_rest(f"{present}&size=40")
    before = one.drawn()
    for name, value in hidden.items():
        assert one.set(**{name: value})["busy"] is False
    assert len(one.workers.requests) == 1
    assert one.drawn() == before


def test_a_setting_hidden_behind_a_hidden_one_does_not_count_either():
    one = at_rest("data=digits&entries=student&ratio=1")
    assert one.set(dof=3.0)["busy"] is False


def test_seed_alone_leaves_the_theory_as_it_is():
    one = at_rest()
    before = one.drawn()["equivalent"]["x"], one.drawn()["equivalent"]["y"]
    one.say(type="draw")
    one.answer()
    assert (one.drawn()["equivalent"]["x"], one.drawn()["equivalent"]["y"]) == before


def test_there_and_back_is_the_same_draw():
    one = at_rest()
    before = one.drawn()
    one.set(ratio=3.0)
    one.answer()
    one.set(ratio=0.5)
    assert one.workers.requests[-1].key == one.workers.requests[0].key
    one.answer()
    assert one.drawn() == before


def test_a_result_for_settings_left_behind_is_dropped():
    one = Visitor()
    one.set(ratio=2.0)
    one.set(ratio=3.0)
    told = len(one.told)
    one.answer(0)
    one.answer(1)
    assert len(one.told) == told
    assert len(one.columns("rug")["x"]) == 0
    one.answer(2)
    assert len(one.told) == told + 1
    # p/n = 3: 13 of the 40 eigenvalues are not zero
    assert len(one.columns("rug")["x"]) == 13


def test_a_late_result_does_not_replace_the_right_one():
    one = Visitor()
    one.set(ratio=3.0)
    one.answer(1)
    right, told = one.drawn(), len(one.told)
    one.answer(0)
    assert one.drawn() == right
    assert len(one.told) == told


def test_a_failure_of_settings_left_behind_is_not_told():
    one = Visitor()
    one.set(ratio=3.0)
    told = len(one.told)
    one.answer(0, ValueError("too late"))
    assert len(one.told) == told


def test_nothing_is_said_before_hello():
    one = Visitor(greet=False)
    one.session.boot()
    one.answer()
    assert one.told == []
    reply = one.say(type="hello")
    assert reply["busy"] is False
    assert len(one.columns("rug")["x"]) == 40
    assert {"actual", "rug"} <= set(reply["news"]["main"]["data"])
    assert "equivalent" not in reply["news"]["main"]["data"]  # the page has had it from the start
    assert len(one.workers.requests) == 1


def test_a_result_is_written_in_the_turn_of_the_document_only():
    one = Visitor()
    before, told = one.drawn(), len(one.told)
    request = one.workers.requests[-1]
    request.deliver(request.task())
    assert (one.drawn(), len(one.told)) == (before, told)
    one.turn()
    assert one.told[-1]["busy"] is False


def test_the_page_of_a_visitor_who_left_is_forgotten():
    one = Visitor()
    one.session.close()
    assert one.workers.forgotten == [one.session]


def test_a_session_that_nobody_holds_is_gone():
    one = at_rest()
    gone = weakref.ref(one.session)
    one.session.close()
    del one
    gc.collect()
    assert gone() is None


def test_two_visitors_share_nothing():
    lab = SpectrumLab()
    first, second = Visitor(lab=lab), Visitor(lab=lab)
    before = second.drawn()
    first.set(ratio=3.0, depth=2, axes="log")
    first.answer()
    assert second.values == lab.schema.defaults() | {"size": 40}
    assert second.drawn() == before


# ---- experiments of several rounds ----
def observe_round(*args):
    """One round: a draw with a seed of its own."""
    *same, number = args
    return observe(same[0], same[1] + number, *same[2:])


class Rounds(SpectrumLab):
    """The Spectrum lab, three draws one after the other."""

    def experiment(self, values):
        task = super().experiment(values)
        return Task(task.key, observe_round, task.args, rounds=3)

    def merge(self, before, new):
        return new


def test_rounds_arrive_one_after_the_other():
    one = Visitor(lab=Rounds())
    rugs = []
    for done in (1, 2, 3):
        one.answer()
        assert one.told[-1]["progress"] == [done, 3]
        assert one.told[-1]["busy"] is (done < 3)
        assert len(one.workers.requests) == min(done + 1, 3)
        rugs.append(tuple(one.columns("rug")["x"]))
    assert len({request.key for request in one.workers.requests}) == 3
    assert len(set(rugs)) == 3


def test_a_round_for_settings_left_behind_is_dropped():
    one = Visitor(lab=Rounds())
    one.answer()
    one.set(ratio=3.0)
    one.answer(1)
    assert one.told[-1]["progress"] == [0, 3]
    one.answer(2)
    assert one.told[-1]["progress"] == [1, 3]
    assert len(one.columns("rug")["x"]) == 13


def test_a_page_that_was_left_asks_for_no_more_rounds_until_it_is_back():
    one = Visitor(lab=Rounds())
    server = SimpleNamespace(session=SimpleNamespace(connection_count=0))
    one.document._session_context = lambda: server
    one.answer()
    assert one.told[-1]["progress"] == [1, 3]
    assert len(one.workers.requests) == 1
    server.session.connection_count = 1
    assert one.say(type="hello")["busy"] is True
    assert len(one.workers.requests) == 2
    one.answer()
    one.answer()
    assert one.told[-1]["progress"] == [3, 3]
    assert one.told[-1]["busy"] is False


def test_stop_keeps_what_has_arrived():
    one = Visitor(lab=Rounds())
    one.answer()
    before = one.drawn()
    reply = one.say(type="stop")
    assert reply["busy"] is False
    assert reply["progress"] == [1, 3]
    assert one.workers.forgotten == [one.session]
    assert one.drawn() == before
    assert one.set(bins=60)["busy"] is False
    one.set(ratio=3.0)  # another experiment starts again
    one.answer()
    assert one.told[-1]["progress"] == [1, 3]
    assert one.told[-1]["busy"] is True


def test_stop_before_the_first_round_ends_the_wait():
    one = Visitor(lab=Rounds())
    assert one.say(type="stop")["busy"] is False


def test_a_round_that_fails_may_be_tried_again(caplog):
    one = Visitor(lab=Rounds())
    one.answer()
    one.answer(result=ValueError("trouble in a worker"))
    assert_apology(one.told[-1], caplog)
    one.set(bins=60)
    assert one.workers.requests[-1].key == one.workers.requests[0].key


def test_a_snapshot_without_ghosts_changes_nothing():
    one = at_rest()
    before = one.drawn()
    for keep in (True, False, None, "x"):
        assert one.say(type="snapshot", keep=keep)["type"] == "state"
    assert one.drawn() == before


# ---- what goes wrong ----
def failing(monkeypatch, lab, name):
    """Make a method of the lab raise; undo by monkeypatch.undo()."""

    def fail(*_args):
        raise RuntimeError(f"trouble in {name}")

    monkeypatch.setattr(lab, name, fail)


def assert_apology(reply, caplog):
    assert reply["type"] == "error"
    reference = re.search(r"\(Reference ([0-9a-f]{8})\)$", reply["text"])
    assert reference
    assert "trouble" not in reply["text"]  # the visitor is not shown the inside
    record = next(one for one in caplog.records if reference.group(1) in one.getMessage())
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert "trouble" in str(record.exc_info[1])
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("name", ["equivalent", "experiment", "paint", "report"])
def test_an_exception_in_a_lab_is_an_apology_and_the_next_message_works(monkeypatch, caplog, name):
    one = at_rest()
    before = copy.copy(one.values)
    failing(monkeypatch, one.lab, name)
    reply = one.say(type="set", values={"ratio": 2.0}, id=3)
    assert_apology(reply, caplog)
    assert reply["id"] == 3
    assert reply["values"] == before
    assert one.values == before
    monkeypatch.undo()
    reply = one.set(ratio=3.0)
    assert reply["type"] == "state"
    assert reply["values"]["ratio"] == 3.0
    one.answer()
    assert one.told[-1]["busy"] is False
    assert len(one.columns("rug")["x"]) == 13


@pytest.mark.parametrize(
    "name",
    [
        "equivalent",
        *(name for name in ("experiment", "paint", "report")),
    ],
)
def test_after_an_exception_the_plot_goes_with_the_restored_settings(monkeypatch, name):
    one = at_rest()
    before = one.drawn()
    failing(monkeypatch, one.lab, name)
    one.set(ratio=2.0)
    monkeypatch.undo()
    for request in range(1, len(one.workers.requests)):  # what the failed settings asked for may still come
        one.answer(request)
    reply = one.say(type="table", open=True)
    assert reply["values"]["ratio"] == 0.5
    assert "p/n = 0.5." in reply["explain"][0]
    assert reply["busy"] is False
    assert one.drawn() == before


def test_an_exception_in_the_table_is_an_apology(monkeypatch, caplog):
    one = at_rest()
    failing(monkeypatch, one.lab, "table")
    assert_apology(one.say(type="table", open=True), caplog)
    monkeypatch.undo()
    assert one.set(bins=60)["type"] == "state"


def test_an_exception_while_a_result_is_painted_is_an_apology(monkeypatch, caplog):
    one = Visitor()
    failing(monkeypatch, one.lab, "paint")
    one.answer()
    assert_apology(one.told[-1], caplog)
    monkeypatch.undo()
    assert one.set(bins=60)["busy"] is False
    assert len(one.columns("rug")["x"]) == 40


def test_an_exception_in_a_worker_is_an_apology_and_may_be_tried_again(caplog):
    one = Visitor()
    one.answer(result=ValueError("trouble in a worker"))
    reply = one.told[-1]
    assert_apology(reply, caplog)
    assert reply["id"] is None
    assert reply["busy"] is False
    one.set(bins=60)
    assert one.workers.requests[-1].key == one.workers.requests[0].key
    one.answer()
    assert one.told[-1]["busy"] is False
    assert len(one.columns("rug")["x"]) == 40


def test_a_lost_worker_is_said_in_other_words(caplog):
    one = Visitor()
    one.answer(result=WorkerLost("trouble: died twice"))
    assert_apology(one.told[-1], caplog)
    assert "New draw" in one.told[-1]["text"]


def test_a_link_whose_settings_fail_opens_with_the_defaults_and_a_notice(monkeypatch, caplog):
    lab = SpectrumLab()
    real = lab.equivalent

    def fail_at_two(values):
        if values["ratio"] == 2.0:
            raise RuntimeError("trouble in equivalent")
        return real(values)

    monkeypatch.setattr(lab, "equivalent", fail_at_two)
    one = Visitor("ratio=2", greet=False, lab=lab)
    assert one.values == lab.schema.defaults()
    notices = one.session.state()["notices"]
    assert len(notices) == 1
    assert re.search(r"Reference [0-9a-f]{8}", notices[0])
    assert "Traceback" in caplog.text


def test_an_apology_while_drawing_does_not_say_that_the_draw_is_done(visitor):
    assert visitor.say(type="nonsense")["busy"] is True
    visitor.answer()
    assert visitor.say(type="nonsense")["busy"] is False


# ---- picking in a figure ----
def pick(one, name, final, x, y):
    """A click (final) or drag in a figure, as the page brings it."""
    return one.say(type="pick", figure=name, x=x, y=y, final=final)


def test_a_lab_without_picking_is_left_alone():
    one = at_rest()
    before = one.values
    for final in (True, False):
        pick(one, "main", final, 1.0, 0.5)
    assert one.session.boot()["picks"] is False  # so that the page does not even ask
    assert (one.values, len(one.told), len(one.workers.requests)) == (before, 4, 1)


class Picking(SpectrumLab):
    """The Spectrum lab, where a click at x sets the ratio."""

    def pick(self, values, figure, x, y):
        return {"ratio": x}


def test_a_click_is_a_move_and_a_drag_is_none_yet():
    one = Visitor(lab=Picking())
    pick(one, "main", False, 2.0, 0.5)
    assert (one.values["ratio"], one.told[-1]["final"]) == (2.0, False)
    edge = one.session.figures["main"].look("range", "x")[1]
    pick(one, "main", True, 1e9, 0.5)  # nobody points outside the frame
    assert (one.values["ratio"], one.told[-1]["final"]) == (pytest.approx(edge, rel=1e-3), True)


def test_an_exception_while_picking_is_an_apology(monkeypatch, caplog):
    one = at_rest()
    failing(monkeypatch, one.lab, "pick")
    pick(one, "main", True, 1.0, 0.5)
    assert_apology(one.told[-1], caplog)


@pytest.mark.parametrize("lab", LABS.values(), ids=LABS.keys())
def test_wherever_one_clicks_the_settings_stay_allowed(lab):
    one = Visitor("", lab=lab)
    places = [0.0, -1.0, 0.5, 1e308, -1e308, float("nan"), float("inf"), -float("inf"), None, "x", [1.0]]
    for name in one.session.figures:
        for place in places:
            for final in (True, False):
                pick(one, name, final, place, 0.5)
                pick(one, name, final, 0.5, place)
                assert all(setting.read(one.values[setting.name], None)[1] == "" for setting in lab.schema.settings)
    assert "error" not in {message["type"] for message in one.told}


@pytest.mark.parametrize("lab", LABS.values(), ids=LABS.keys())
def test_every_lab_lives_through_every_choice(lab):
    one = Visitor("", lab=lab)
    for setting in lab.schema.settings:
        options = [key for key, _ in setting.choices] if setting.kind == "choice" else [setting.low, setting.high]
        for option in [True, False] if setting.kind == "flag" else options:
            reply = one.set(**{setting.name: option})
            assert reply["type"] == "state", (setting.name, option)
            assert reply["notices"] == [] or "would need" in reply["notices"][0]
        one.say(type="reset")


@pytest.mark.parametrize("lab", LABS.values(), ids=LABS.keys())
def test_every_preset_is_a_view_of_its_own(lab):
    one, seen = Visitor("", lab=lab), []
    for name, query in lab.presets:
        reply = one.say(type="preset", search=query)
        assert (reply["type"], reply["notices"]) == ("state", []), name
        assert dict(parse_qsl(query)).keys() <= lab.schema.by_name.keys(), name
        seen.append(reply["query"])
    assert len(set(seen)) == len(seen) == len({name for name, _ in lab.presets})


def test_what_is_written_is_finite():
    one = at_rest("size=40&depth=2&data=spiked")
    for label in one.drawn():
        for name, column in one.columns(label).items():
            if name != "text":
                assert np.isfinite(column).all(), label
