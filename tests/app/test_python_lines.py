"""“Copy as Python”: the lines of every lab are run, and what they make is what the lab's own tables hold."""

import ast
import contextlib
import importlib
import io
from pathlib import Path

import numpy as np
import pytest
from drawn_small import SMALL
from hypothesis import given
from hypothesis import settings as how_often
from hypothesis import strategies as st

from app.labs import LABS
from app.labs.base import Upload
from app.parts.real_data import FETCHED
from app.parts.script import HOME, literal
from rmtcore.datasets import Labelled

ROOT = Path(__file__).parent.parent.parent

# What hangs on the page's own drawing, or on an experiment that rmtcore does not offer.
LEFT_OUT = ("Image: ", "Edge of chaos", "Matrices to choose from")
# Lab, when, and beginnings of captions or endings of columns.
PAGE_ONLY = [
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


# What is only drawn differently, or is one of many names that the lines merely quote.
_LOOKS = {"axes", "scale", "activation", "nonlinearity", "top", "picture", "images", "across"}


def _reached(schema, name):
    """Settings that bring a control to light."""
    found = {}
    for other, allowed in schema.by_name[name].when.items():
        found |= _reached(schema, other) | {other: allowed[0]}
    return found


def choices():
    """Every option of every choice of every lab, each once, the rest at the defaults."""
    for name, lab in LABS.items():
        for setting in lab.schema.settings:
            if setting.kind != "choice" or setting.name in _LOOKS or setting.follows:
                continue
            for option, _ in setting.choices:
                if name == "real-data" and (
                    setting.name in ("one", "other", "garment", "garments") or option in FETCHED
                ):
                    continue  # digits merely quoted; fetched sets have a test of their own
                query = _reached(lab.schema, setting.name) | {setting.name: option}
                text = "&".join(f"{key}={lab.schema.by_name[key].write(value)}" for key, value in query.items())
                yield pytest.param(name, f"{SMALL[name]}&{text}", id=f"{name}-{setting.name}-{option}")


@pytest.mark.parametrize(("name", "query"), list(choices())[::6])
def test_the_lines_of_a_sixth_of_all_choices_make_its_tables(name, query):
    agree(name, query)


EVEN_SO = {
    "spectrum": ["size=50&depth=3&activation2=relu&width3=0.4&draws=2&side=gram", "data=mixture&mean_norm2=0&size=40"],
    "double-descent": [
        "size=24&draws=2&axis=ridge&linear=1&family=deep&depth=2",
        "size=24&draws=1&axis=aspect&ridgeless=1",
        "size=24&draws=2&axis=samples&data=power_law&linear=1",
    ],
    "dynamics": [
        "size=24&draws=2&compare=1&method=descent&step=0.3",
        "size=24&ridgeless=1&data=mixture&linear=1&draws=2",
    ],
    "scaling": [
        "size=100&draws=2&family=linear&axis=gap&noise=0.2",
        "size=100&draws=2&view=frontier&timed=1",
        "size=100&draws=2&family=deep&axis=ratio&linear=1",
    ],
    "equivalents": [
        "top=256&draws=1&observation=risk&matrix=covariance&data=toeplitz",
        "top=256&draws=2&view=contour&enclose=hand",
        "top=256&draws=2&matrix=kernel&observation=risk",
        "top=256&draws=2&observation=risk&activation=tanh",
        "top=256&draws=2&matrix=covariance&growth=classical&observation=statistic&shape=log",
    ],
    "linearisation": [
        "draws=2&regime=clt&vectors=sphere&n=7",
        "draws=2&vectors=sphere&n=1",
        "draws=2&degree=6&bend=0&at=-1.5&n=100",
        "draws=2&activation=relu&other=0",
    ],
    "kernels": [
        "size=60&draws=2&kind=distance&beside=linear&entries=student&dof=8",
        "size=60&activation=sign&beside=linear",
    ],
    "deep": [
        "size=45&samples=0.7&gap=1&shape=0.3&eigenvector=3&depth=2",
        "view=kernel&which=ntk&activation=sign&size=60",
        "view=propagation&nonlinearity=relu&weight=3",
        "view=propagation&nonlinearity=sign&weight=1&bias=0.1",
        "view=compression&activation=cos&dim=40&draws=1",
        "view=spectrum&which=ntk&activation=tanh&size=40&draws=2&depth=3",
    ],
    "real-data": ["samples=50&draws=4&other=all&twin=0", "samples=40&draws=4&features=fourier&ridge=0.01"],
    "matrix": ["centre=1&layer=1&seed=3", "reading=columns&fit=variance", "reading=rows&level=0.1&example=before"],
}


@pytest.mark.parametrize(("name", "query"), [(name, query) for name, many in EVEN_SO.items() for query in many])
def test_the_lines_of_what_is_special_make_its_tables(name, query):
    agree(name, query)


@st.composite
def anything(draw, schema):
    """Any values of the settings that are numbers or flags."""
    changes = {}
    for setting in schema.settings:
        if setting.kind == "number":
            share = draw(st.floats(0.1, 0.9))
            ends = np.log([setting.low, setting.high]) if setting.log else (setting.low, setting.high)
            value = ends[0] + share * (ends[1] - ends[0])
            changes[setting.name] = float(np.exp(value)) if setting.log else float(value)
        elif setting.kind == "flag":
            changes[setting.name] = draw(st.booleans())
    return changes


@pytest.mark.parametrize("name", ["spectrum", "double-descent", "dynamics", "kernels"])
@how_often(max_examples=3)
@given(data=st.data())
def test_the_lines_of_any_numbers_make_its_tables(name, data):
    lab = LABS[name]
    small, _ = lab.schema.from_query(SMALL[name])
    values, notices = lab.schema.update(small, data.draw(anything(lab.schema)))
    assert notices == []
    agree(name, lab.schema.to_query(values))


def test_without_a_tangent_kernel_the_lines_say_so():
    lab, values, theory, observed = of("deep", "view=dynamics&activation=sign")
    text = lab.python(values, theory, observed)
    assert "it has no tangent kernel" in text
    assert run(text)["Theory"]["t"].size == lab.table(values, theory, observed)[0].columns["t"].size == 0


# ---- a visitor's file, whose name may be anything, and sets that are fetched ----
HOSTILE = "it's \"x\" \\ \n'''; raise SystemExit #.npy"


def test_a_file_is_named_but_never_run(tmp_path):
    content = io.BytesIO()
    np.save(content, np.random.default_rng(3).standard_normal((60, 40)))
    (tmp_path / HOSTILE).write_bytes(content.getvalue())
    text = agree("matrix", "array=5", Upload(HOSTILE, content.getvalue()), tmp_path)
    assert literal(HOSTILE) in text
    assert "\n'''" not in text


def test_points_of_a_file(tmp_path):
    rng = np.random.default_rng(4)
    X = rng.standard_normal((90, 6))
    table = np.column_stack([X, X[:, 0] > 0])
    content = io.BytesIO()
    np.save(content, table)
    (tmp_path / "points.npy").write_bytes(content.getvalue())
    agree("real-data", "samples=40&draws=4&twin=0", Upload("points.npy", content.getvalue()), tmp_path)


def test_sets_that_are_fetched(monkeypatch):
    rng = np.random.default_rng(5)
    labels = np.repeat([0.0, 3.0, 6.0, 8.0], 350)
    images = rng.random((784, labels.size)) + labels / 10

    def fetched(name, first=None, hear=None):
        assert name in FETCHED.values()
        return Labelled(images, labels)

    monkeypatch.setattr("app.parts.real_data.fetch", fetched)
    monkeypatch.setattr("rmtcore.datasets.fetch", fetched)
    for query in ("data=mnist", "data=fashion"):
        agree("real-data", f"samples=40&draws=4&twin=0&{query}")


# ---- what the lines are made of ----
def test_a_wrong_number_in_the_lines_would_be_noticed(monkeypatch):
    lab, values, theory, observed = of("spectrum", SMALL["spectrum"])
    text = lab.python(values, theory, observed)
    assert "samples=120" in text
    monkeypatch.setattr(type(lab), "python", lambda *_: text.replace("samples=120", "samples=121"))
    with pytest.raises(AssertionError, match="Deterministic equivalent"):
        agree("spectrum", SMALL["spectrum"])


def test_every_name_is_where_the_lines_import_it_from():
    for name, home in HOME.items():
        assert hasattr(importlib.import_module(home), name)


@how_often(max_examples=50)
@given(st.one_of(st.text(), st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.booleans(), st.none()))
def test_a_literal_is_read_back_as_what_it_was(value):
    assert ast.literal_eval(literal(value)) == value
    assert "\n" not in literal(value)
