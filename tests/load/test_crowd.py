"""Twenty visitors, gated on errors, losses and CPU; `python tests/load/crowd.py` has the whole crowd and the clock."""

import asyncio

import psutil
import pytest
from crowd import Hall, measure


@pytest.fixture(scope="module")
def figures(server):
    hall = Hall(server.port, psutil.Process(server.process.pid))
    rows, gates = asyncio.run(measure(hall, 20, short=True))
    for label, said, goal in rows:
        if label:
            print(f"{label:78s} {said:48s} {goal}")
    return gates


def test_nobody_meets_an_error_and_no_move_is_lost_or_wrong(figures):
    assert (figures["errors"], figures["lost"], figures["wrong"]) == (0, 0, 0)


def test_a_page_and_a_move_cost_little(figures):
    """Milliseconds of CPU of the server's process, which others on the machine stretch a little, too."""
    assert figures["open_cpu"] < 250
    assert figures["move_cpu"] < 20


def test_a_move_costs_the_same_with_others_in_the_room(figures):
    """The goal, on a quiet machine, is 1.3 times. If a session cost others 5 % of a move, twenty would make it 2."""
    assert figures["crowd_ratio"] < 2.0


def test_a_session_takes_little_memory(figures):
    assert figures["session_mib"] < 1.5
