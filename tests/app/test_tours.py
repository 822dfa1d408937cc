"""Tours: ours are right, a visitor's is refused in words, a written one reads as it was."""

import json
import re
import time
import tomllib
from urllib.parse import parse_qsl

import pytest
from visitor import Visitor

from app.files import assets
from app.labs import LABS
from app.tours import MOST_BYTES, MOST_STEPS, TourError, answer, describe, parse, read, shipped, shipped_json, write

OURS = assets() / "tours"
GOOD = """
title = "One"
[[steps]]
title = "First"
text = "Words, \\\\(c = p/n\\\\), “quotes” and\\nlines."
lab = "spectrum"
settings = { ratio = 2, data = "spiked", spike = 3.5 }
reveal = ["equivalent"]
predict = { element = "outliers", along = "x", question = "Where?" }
[[steps]]
title = "Second"
text = "More words."
lab = "double-descent"
settings = "split=1&ridge=1e-6"
"""


def broken(old, new):
    assert old in GOOD
    return GOOD.replace(old, new, 1)


# ---- ours ----
def test_the_shipped_tours_are_read_and_there_are_enough_of_them():
    tours = shipped(OURS)
    assert len(tours) == len(list(OURS.glob("*.toml"))) >= 9
    assert {step["lab"] for tour in tours.values() for step in tour["steps"]} >= {
        "spectrum", "double-descent", "dynamics", "scaling", "linearisation", "deep", "real-data",
    }  # fmt: skip
    for tour in tours.values():
        assert 4 <= len(tour["steps"]) <= 6
        assert tour["summary"]
        assert any(step["predict"] for step in tour["steps"])
    assert json.loads(shipped_json(OURS)) == json.loads(json.dumps(tours))


def on_the_page(step):
    """All numbers of a step's page without its experiment, its settings, and the threshold 1 + √c of a spike."""
    lab = LABS[step.lab]
    values = lab.schema.resolved(lab.schema.defaults() | step.settings | step.flags)
    values |= {"file": None} if lab.files else {}
    report = lab.report(values, lab.equivalent(values), None)
    words = " ".join([f"{one.value} {one.detail}" for one in report.readouts] + report.explain)
    said = re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", words.replace("−", "-").replace(",", ""))
    settings = [value for value in values.values() if isinstance(value, (int, float))]
    return [float(one) for one in [*said, *settings]] + [1 + values[name] ** 0.5 for name in {"ratio"} & set(values)]


@pytest.mark.parametrize("path", sorted(OURS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_number_in_the_text_of_a_shipped_tour_is_one_of_its_pages(path):
    steps = read(path.read_text(encoding="utf-8")).steps
    found = [number for step in steps for number in on_the_page(step)]
    for step in steps:
        for number in re.findall(r"-?\d+\.\d+", step.text.replace("−", "-")):
            digits = len(number.split(".")[1])
            assert any(abs(round(one, digits) - float(number)) < 1e-9 for one in found), (step.title, number)


@pytest.mark.parametrize("path", sorted(OURS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_setting_of_a_shipped_tour_counts_and_its_link_brings_it(path):
    tour = read(path.read_text(encoding="utf-8"))
    for step, told in zip(tour.steps, describe(tour)["steps"], strict=True):
        schema = LABS[step.lab].schema
        values, notices = schema.from_query(told["query"])
        assert notices == []
        assert values == schema.defaults() | step.settings | step.flags
        for name in step.settings:
            assert schema.shown(name, values), (step.title, name)
        if step.predict:
            assert step.predict.figure in LABS[step.lab].visible(values)


def test_no_setting_has_the_name_of_a_key_that_is_the_pages_own():
    script = (assets() / "app.js").read_text(encoding="utf-8")
    kept = json.loads(script.split("const KEPT = ", 1)[1].split("]", 1)[0] + "]")
    assert "tour" in kept
    for lab in LABS.values():
        assert not set(kept) & set(lab.schema.by_name), lab.name


def test_a_bad_tour_among_ours_is_named(tmp_path):
    (tmp_path / "3_bad.toml").write_text(broken('"spectrum"', '"nowhere"'))
    with pytest.raises(TourError, match=r"3_bad\.toml: Step 1: there is no lab “nowhere”; there are home, spectrum"):
        shipped(tmp_path)


# ---- a visitor's ----
BAD = {
    "": "The tour has no steps",
    "title = ": r"This is not a TOML file: Invalid value \(at end of document\)",
    broken("ratio = 2", "ratio = 99"): r"Step 1: Aspect ratio must be 0\.05 to 20\.$",
    broken("ratio = 2", 'ratio = "wide"'): "Step 1: Aspect ratio: “wide” is not a number",
    broken("ratio = 2", "ratio = true"): "Step 1: Aspect ratio: “True” is not a number",
    broken("ratio = 2", "ratio = nan"): "Step 1: Aspect ratio: “nan” is not a number",
    broken("ratio = 2", "ratio = [2]"): "Step 1: the setting ratio needs one value",
    broken("ratio = 2", "ration = 2"): "Step 1: the lab spectrum has no setting “ration”; it has data, s2",
    broken("ratio = 2", "actual = false"): "Step 1: what is shown of actual, linear, equivalent is said by reveal",
    broken('data = "spiked"', 'data = "none"'): "Step 1: Data: “none” is not offered",
    broken("split=1", "splitt=1"): "Step 2: the lab double-descent has no setting “splitt”",
    broken('["equivalent"]', '["theory"]'): "Step 1: reveal must list some of actual, linear, equivalent",
    broken('["equivalent"]', '"equivalent"'): "Step 1: reveal must list some of",
    broken('"outliers"', '"nothing"'): "Step 1, predict: the figure main has no element “nothing”",
    broken('"outliers"', "[1]"): "Step 1, predict: the figure main has no element “",
    broken('along = "x"', 'along = "z"'): "Step 1, predict: along must be x or y",
    broken('along = "x"', 'figure = "side"'): "Step 1, predict: the lab spectrum has no figure “side”; it has main",
    broken(', question = "Where?"', ""): "Step 1, predict needs a question",
    broken('title = "Second"', 'title = "  "'): "Step 2 needs a title",
    broken('title = "Second"', "title = 2"): "Step 2: title must be a text",
    broken('title = "Second"', "colour = 2"): "Step 2: “colour” is not known here; there are title, text",
    broken('title = "One"', "steps = 1").split("[[")[0]: "The tour has no steps",
    broken("More words.", "x" * 2001): "Step 2: text has 2001 characters; 2000 are allowed",
    GOOD + '[[steps]]\ntitle = "T"\ntext = "t"\nlab = "spectrum"\n' * (MOST_STEPS - 1): "The tour has 61 steps; 60 are",
    "#" * (MOST_BYTES + 1): "A tour may have 64 kB; this one has 64",
    "a = " + "[" * 30_000: "nests tables deeper",
    "a = " + "9" * 60_000: "not a TOML file",
    ".".join(["a"] * 32_000) + " = 1": "A line of this file has more than 200 full stops",
    'a = "\ud800"': "characters that are none",
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), BAD.items(), ids=range(len(BAD)))
def test_a_bad_tour_is_refused_in_words(text, words):
    with pytest.raises(TourError, match=words):
        read(text)


@pytest.mark.parametrize(
    "data", [None, 1, "text", [], {"steps": [1]}, {"steps": {}}, {"title": "T", "steps": [{"lab": []}]}]
)
def test_plain_data_of_any_shape_are_refused_in_words(data):
    assert answer({"tour": data})["fault"]


def test_no_file_keeps_the_server_busy():
    hostile = "\n".join(".".join(["a"] * 190) + f".b{row} = 1" for row in range(160))
    assert len(hostile) < MOST_BYTES
    start = time.process_time()
    with pytest.raises(TourError):
        read(hostile)
    assert time.process_time() - start < 2.0


def test_a_tour_is_read_as_it_was_written():
    tour = read(GOOD)
    assert tour.steps[0].settings == {"ratio": 2.0, "data": "spiked", "spike": 3.5}
    assert tour.steps[1].settings == {"split": True, "ridge": 1e-6}
    assert read(write(tour)) == tour
    assert tomllib.loads(write(tour))["steps"][1]["settings"]["ridge"] == 1e-6
    for path in OURS.glob("*.toml"):
        one = read(path.read_text(encoding="utf-8"))
        assert read(write(one)) == one


def test_what_the_page_is_told_makes_the_same_tour_again():
    told = describe(read(GOOD))
    assert dict(parse_qsl(told["steps"][0]["query"])) == {
        "ratio": "2", "data": "spiked", "spike": "3.5", "actual": "0", "linear": "0",
    }  # fmt: skip
    assert "actual" not in told["steps"][0]["settings"]
    back = [{name: part for name, part in step.items() if name != "query" and part} for step in told["steps"]]
    assert parse(json.loads(json.dumps(told | {"steps": back}))) == read(GOOD)


def test_a_session_answers_about_a_tour_and_changes_nothing():
    visitor = Visitor()
    before, drawn = dict(visitor.values), visitor.drawn()
    reply = visitor.say(type="tour", id=3, text=GOOD)
    assert reply["type"] == "tour"
    assert reply["id"] == 3
    assert read(reply["toml"]) == read(GOOD)
    assert visitor.say(type="tour", text="x")["fault"].startswith("This is not a TOML file")
    assert visitor.say(type="tour")["fault"] == "The tour must be a table."
    assert visitor.values == before
    assert visitor.drawn() == drawn
