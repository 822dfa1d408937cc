"""“Copy as Python”: the lines of every lab are run, and what they make is what the lab's own tables hold."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest

from app.labs import LABS

ROOT = Path(__file__).parent.parent.parent

# Drawn small, and in few rounds: the lines are the same.
SMALL = {
    "spectrum": "size=60&draws=2",
    "double-descent": "size=24&draws=2",
    "dynamics": "size=24&draws=2",
    "scaling": "size=100&draws=2",
    "equivalents": "top=256&draws=2",
    "linearisation": "draws=2",
    "kernels": "size=80&draws=2",
    "deep": "size=60&dim=40&units=60&draws=2&samples=1",
    "real-data": "samples=40&draws=4",
    "matrix": "",
}
# What hangs on the page's own drawing, or on an experiment that rmtcore does not offer.
LEFT_OUT = ("Image: ", "Edge of chaos", "Matrices to choose from")
# Lab, when, and beginnings of captions or endings of columns.
PAGE_ONLY = [
    ("dynamics", {"method": "descent"}, ("Experiment",)),
    ("linearisation", {}, (": drawn", ": ±", ": point drawn", ": point ±")),
    ("deep", {"view": "compression"}, ("Experiment", "Eigenvalues")),
    ("deep", {"view": "propagation"}, (" actual", " ±")),
]


def observe(lab, values):
    """All rounds of the experiment, as the session would have them."""
    task = lab.experiment(values)
    if task.rounds is None:
        return task.function(*task.args)
    found = task.function(*task.args, 0)
    for index in range(1, task.rounds):
        found = lab.merge(found, task.function(*task.args, index))
    return found


def run(text, folder=ROOT):
    """The tables that the lines make, run where a visitor would run them."""
    space = {}
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        exec(compile(text, "lines", "exec"), space)
    return space["tables"]


def of(name, query, file=None):
    """A lab, its settings, theory and experiment at a query."""
    lab = LABS[name]
    values, notices = lab.schema.from_query(query)
    assert notices == [], notices
    values = lab.schema.resolved(values) | ({"file": file} if lab.files else {})
    return lab, values, lab.equivalent(values), observe(lab, values)


def agree(name, query, file=None, folder=ROOT):
    """Run the lines of these settings and hold them against the lab's tables."""
    lab, values, theory, observed = of(name, query, file)
    text = lab.python(values, theory, observed)
    made = run(text, folder)
    compared = 0
    for table in lab.table(values, theory, observed):
        if table.caption.startswith(LEFT_OUT):
            continue
        for column, wanted in table.columns.items():
            if table.caption not in made or column not in made[table.caption]:
                assert _page_only(name, values, table.caption, column), f"{name}?{query}: no {table.caption} / {column}"
                continue
            found, wanted = np.asarray(made[table.caption][column], float), np.asarray(wanted, float)
            assert found.shape == wanted.shape, (table.caption, column)
            _close(found, wanted, f"{name}?{query}: {table.caption} / {column}")
            compared += wanted.size
    assert compared > 0
    return text


def _page_only(name, values, caption, column):
    return any(
        name == lab and when.items() <= values.items() and (caption.startswith(marks) or column.endswith(marks))
        for lab, when, marks in PAGE_ONLY
    )


def _close(found, wanted, what):
    """To rounding; a squared error near zero is a difference of numbers near one."""
    scale = np.max(np.abs(wanted[np.isfinite(wanted)]), initial=0.0)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9 * max(1.0, min(scale, 1e3)), err_msg=what)


def presets():
    return [
        pytest.param(name, "&".join(part for part in (query, SMALL[name]) if part), id=f"{name}-{index}")
        for name, lab in LABS.items()
        for index, query in enumerate(["", *(query for _, query in lab.presets)])
    ]


@pytest.mark.parametrize(("name", "query"), presets())
def test_the_lines_of_every_preset_make_its_tables(name, query):
    agree(name, query)
