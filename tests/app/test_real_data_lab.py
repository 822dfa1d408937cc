"""The Real data lab: what is painted is what the library computes, and nothing that moves a ridge redraws."""

from functools import cache

import numpy as np
import pytest
from visitor import Visitor

from app.labs.base import Upload
from app.labs.real_data import RealDataLab
from app.labs.real_data_settings import SCHEMA, source_of
from app.labs.real_data_words import explain, jumps, power
from app.parts import real_data
from app.parts.real_data import HIGH, LOW, RIDGES, Measured, Missing
from rmtcore import (
    ACTIVATIONS,
    GivenData,
    fourier_errors,
    gaussian_twin,
    given_data,
    given_errors,
    ridge_errors,
    standard_error,
    train_fourier,
    train_given,
)
from rmtcore.datasets import Labelled, breast_cancer, digits_pair

SMALL = "samples=80&draws=4"
LAB = RealDataLab()
DATA = GivenData.split(*digits_pair(3, 8), samples=80, seed=1)


def visitor(query="", rounds=4):
    one = Visitor(f"{SMALL}&{query}", lab=LAB)
    for _ in range(rounds):
        one.answer()
    return one


@cache
def at_rest(query=""):
    """A visitor who has seen all four rounds; to look at only."""
    return visitor(query)


def columns(one, label, figure="main"):
    return one.session.figures[figure].columns(label)


def line(one, label, figure="main", log=False):
    found = columns(one, label, figure)
    return (10.0 ** found["x"], 10.0 ** found["y"]) if log else (found["x"], found["y"])


def readouts(one):
    return {readout["label"]: readout for readout in one.told[-1]["readouts"]}


def values(query=""):
    return SCHEMA.resolved(SCHEMA.from_query(f"{SMALL}&{query}")[0])


# ---- what is drawn ----
def test_the_lines_are_those_of_the_library():
    one = at_rest()
    for label, ridge in (("low", LOW), ("high", HIGH), ("own", 1e-3)):
        x, test = line(one, label)
        expected = given_errors(DATA, "relu", np.round(80 * x), ridge)
        np.testing.assert_allclose(test, np.minimum(expected.test, test.max()), rtol=1e-9)
        x, train = line(one, label, "train", log=True)
        inside = x <= 1.0
        np.testing.assert_allclose(train[inside], expected.train[inside], rtol=1e-9)
    assert x.size > 100
    assert (x[0], x[-1]) == pytest.approx((1 / 80, 2.5))


def test_the_dots_are_networks_on_these_data():
    one = at_rest()
    widths = np.round(80 * columns(one, "actual own")["x"])
    assert {80.0, 200.0} <= set(widths)
    trials = [train_given(DATA, "relu", widths[:, None], RIDGES, (1, 1 + index)) for index in range(4)]
    for label, ridge in (("low", LOW), ("high", HIGH), ("own", 1e-3)):
        k = RIDGES.index(ridge)
        test, train = (np.array([getattr(trial, name)[:, k] for trial in trials]) for name in ("test", "train"))
        np.testing.assert_allclose(line(one, f"actual {label}")[1], test.mean(axis=0))
        bars, error = columns(one, f"bars {label}"), standard_error(test)
        np.testing.assert_allclose(bars["y1"] - bars["y0"], 2 * error, atol=1e-12)
        x, shown = line(one, f"actual {label}", "train", log=True)
        np.testing.assert_allclose(shown[x <= 1.0], train.mean(axis=0)[x <= 1.0], rtol=1e-9)


def test_the_twin_is_the_gaussian_chain():
    one = at_rest("ridge=0.1&twin=1")
    x, test = line(one, "twin high")
    for k in (5, 60, x.size - 1):
        width = round(80 * x[k])
        assert test[k] == pytest.approx(ridge_errors(gaussian_twin(DATA, "relu", width, HIGH)).test, rel=1e-6)
    assert not columns(one, "twin own")["x"].size  # the slider stands on a ridge that has its curve


def test_fourier_features_peak_where_twice_the_rows_meet_the_points():
    one = at_rest("features=fourier")
    for label, ridge in (("low", LOW), ("high", HIGH), ("own", 1e-3)):
        x, test = line(one, label)
        expected = fourier_errors(DATA, np.round(80 * x), ridge)
        np.testing.assert_allclose(test, np.minimum(expected.test, test.max()), rtol=1e-7)
        trials = [train_fourier(DATA, np.round(80 * x), ridge, (1, 1 + index)).test for index in range(4)]
        np.testing.assert_allclose(line(one, f"actual {label}")[1], np.mean(trials, axis=0))
    x, test = line(one, "low")
    assert x[np.argmax(test)] == 0.5
    assert columns(one, "threshold")["x"] == pytest.approx([0.5])
    assert not columns(one, "twin low").get("x", np.zeros(0)).size


@pytest.mark.parametrize("query", ["", "features=fourier", "data=cancer&activation=tanh", "other=all&activation=sign"])
def test_theory_and_networks_agree(query):
    shown = readouts(at_rest(query))
    for name in ("Agreement, test", "Agreement, training"):
        assert shown[name]["good"] is True
        assert float(shown[name]["value"].split()[-1].rstrip("%")) < 15


def test_a_wrong_theory_would_be_seen():
    one = visitor("activation=tanh")
    found = one.session._observed
    wrong = {
        ridge: real_data.Curve(curve.widths, 2 * curve.train, 2 * curve.test) for ridge, curve in found.curves.items()
    }
    lied = Measured(found.facts, wrong, {}, found.widths, found.ridges, found.train, found.test)
    report = LAB.report(one.values, LAB.equivalent(one.values), lied)
    assert [readout.good for readout in report.readouts if "Agreement" in readout.label] == [False, False]


def test_everything_written_is_finite():
    for query in ("", "features=fourier", "data=cancer&activation=tanh", "scale=log"):
        one = at_rest(query)
        for figure in one.session.figures.values():
            for label in figure.blueprint.labels:
                for column in figure.columns(label).values():
                    assert np.isfinite(column).all(), (query, label)


# ---- what moves the draw and what does not ----
def test_the_slider_stops_where_networks_are_fitted():
    setting = SCHEMA.by_name["ridge"]
    stops = round(np.log10(setting.high / setting.low) * setting.step)
    raw = setting.low * (setting.high / setting.low) ** (np.arange(stops + 1) / stops)
    assert tuple(setting.read(float(f"{one:.4g}"), None)[0] for one in raw) == RIDGES
    assert {LOW, HIGH, setting.default} <= set(RIDGES)


def test_moving_the_ridge_moves_the_curve_and_keeps_the_networks():
    one = visitor()
    key, asked = one.session._task.key, len(one.workers.requests)
    for ridge in (1e-6, RIDGES[9], 1.0, 10.0):
        one.set(ridge=ridge)
        x, test = line(one, "own")
        expected = given_errors(DATA, "relu", np.round(80 * x), ridge).test
        np.testing.assert_allclose(test, np.minimum(expected, test.max()), rtol=1e-9)
        assert columns(one, "actual own")["x"].size > 20
        assert readouts(one)["Test error here"]["value"] != "…"
    assert (one.session._task.key, len(one.workers.requests)) == (key, asked)


def test_a_ridge_between_the_stops_has_its_own_networks():
    one = visitor("ridge=0.0023")
    found = one.session._observed
    assert 0.0023 in found.ridges
    k = found.ridges.index(0.0023)
    np.testing.assert_allclose(line(one, "actual own")[1], found.test[:, :, k].mean(axis=0))
    np.testing.assert_allclose(found.test[:, :, found.ridges.index(LOW)], at_rest().session._observed.test[:, :, 8])


@pytest.mark.parametrize("query", ["", "features=fourier"])
def test_view_and_place_keep_the_draw(query):
    before = values(query)
    key = LAB.experiment(before).key
    for name, value in {"width": 0.3, "scale": "log", "twin": False, "actual": False, "equivalent": False}.items():
        assert LAB.experiment(before | {name: value}).key == key, name
    for name, value in {"samples": 90, "seed": 2, "draws": 5, "one": "4", "other": "all", "data": "cancer"}.items():
        assert LAB.experiment(before | {name: value}).key != key, name


def test_what_does_not_count_does_not_redraw():
    cancer, fourier = values("data=cancer"), values("features=fourier")
    assert LAB.experiment(cancer | {"one": "5", "garment": "2"}).key == LAB.experiment(cancer).key
    assert LAB.experiment(fourier | {"activation": "tanh"}).key == LAB.experiment(fourier).key
    assert LAB.experiment(fourier | {"ridge": 0.01}).key != LAB.experiment(fourier).key  # its theory is slow


def test_a_class_against_itself_is_one_against_all():
    assert source_of(values("one=8&other=8")) == source_of(values("one=8&other=all"))
    assert source_of(values("data=fashion&garment=2&garments=7"))[:3] == ("fashion", 2, 7)
    assert source_of(values("data=cancer"))[:3] == ("cancer", 0, None)


def test_what_is_left_behind_turns_pale():
    one = visitor()
    one.set(activation="tanh")
    figure = one.session.figures["main"]
    assert {figure.look("style", label)["line_alpha"] for label in ("low", "own", "twin low")} == {0.3}
    assert readouts(one)["Test error here"]["value"] == "…"
    one.answer()
    assert figure.look("style", "low")["line_alpha"] == 1.0


@pytest.mark.parametrize(("figure", "x"), [("main", 0.5), ("train", np.log10(0.5))])
def test_a_click_is_a_width(figure, x):
    one = visitor(rounds=1)
    one.say(type="pick", figure=figure, x=x, y=0.5)
    assert one.values["width"] == pytest.approx(0.5)
    assert columns(one, "now")["x"] == pytest.approx([0.5])


# ---- words ----
def test_the_words_have_the_numbers():
    one = visitor("width=1")
    test = given_errors(DATA, "relu", 80, [1e-3, LOW, HIGH]).test
    told = one.told[-1]
    assert readouts(one)["Test error here"]["value"] == f"{test[0]:.3g}"
    text = " ".join(told["explain"])
    assert text.startswith(f"80 points train (digits, 3 against 8), {DATA.y_test.size} others test.")
    said = f"{test[0]:.3g} with λ = 10⁻³, {test[1]:.3g} with λ = 10⁻⁵ and {test[2]:.3g} with λ = 0.1"
    assert f"At d = 80 (d/n = 1.00) the test error is {said}." in text
    twin = ridge_errors(gaussian_twin(DATA, "relu", 80, 1e-3)).test
    assert f"{twin:.3g} here, {twin / test[0]:.2g} times the error on the data" in text
    assert readouts(one)["At the threshold"]["value"] == f"{test[1]:.3g}"
    assert 3 <= len(told["explain"]) <= 5


@pytest.mark.parametrize(("share", "words"), [(0.5, "hurts here"), (1.1, "might as well be"), (3.0, "helps")])
def test_how_gaussian_the_data_are(share, words):
    facts = at_rest().session._observed.facts
    text = " ".join(explain("", facts, (80.0, 1e-3), {"own": 0.2}, 0.2 * share))
    assert words in text
    assert f"{0.2 * share:.3g} here" in text


@pytest.mark.parametrize(
    ("query", "route"), [("", "closed form"), ("activation=tanh", "quadrature"), ("features=fourier", "closed form")]
)
def test_the_route_of_the_kernel_is_shown(query, route):
    assert readouts(at_rest(query))["Kernel"]["value"] == route


def test_a_kernel_of_low_rank_has_its_threshold_there():
    one = visitor("data=cancer&activation=identity", rounds=1)
    assert columns(one, "threshold")["x"] == pytest.approx([30 / 80])
    assert "rank 30 only" in " ".join(one.told[-1]["explain"])


def test_the_lamps():
    assert [name for name in ACTIVATIONS if jumps(name)] == ["sign", "step", "ternary"]

    def on(query):
        return {lamp["label"] for lamp in at_rest(query).told[-1]["lamps"] if lamp["on"]}

    assert on("") == on("features=fourier") == set()
    assert on("other=all&activation=sign") == {"Lipschitz activation"}
    assert on("data=cancer&activation=tanh") == {"points of comparable norm"}
    one = visitor("samples=40", rounds=0)
    one.set(samples=40)
    one.answer()
    assert [lamp["label"] for lamp in one.told[-1]["lamps"] if lamp["on"]] == ["many training points"]
    data = GivenData.split(*breast_cancer(), samples=80, seed=1)
    norms2 = np.sum(np.concatenate([data.X, data.X_test], axis=1) ** 2, axis=0)
    assert f"{norms2.std() / norms2.mean():.0%}" in str(at_rest("data=cancer&activation=tanh").told[-1]["lamps"])


def test_a_ridge_as_one_writes_it():
    assert [power(one) for one in (1e-5, 0.1, 1.778e-4, 10.0, 0.05623)] == ["10⁻⁵", "0.1", "1.78·10⁻⁴", "10", "0.0562"]


def test_the_tables_hold_what_is_plotted():
    one = visitor()
    tables = {table["caption"]: table["columns"] for table in one.say(type="table", open=True)["tables"]}
    assert len(tables) == 6
    theory, found = tables["Theory, λ = 1e-05"], tables["Experiment, λ = 0.1, 4 networks a width"]
    x, test = line(one, "low")
    np.testing.assert_allclose(theory["d/n"], x)
    np.testing.assert_allclose(np.minimum(theory["test"], test.max()), test)
    assert len(theory["Gaussian twin, test"]) == x.size
    np.testing.assert_allclose(found["test"], line(one, "actual high")[1])
    assert visitor(rounds=0).say(type="table", open=True)["tables"] == []


def test_nothing_jumps_when_the_numbers_come():
    one = visitor(rounds=0)
    before = [readout["label"] for readout in one.told[-1]["readouts"]]
    assert {readout["value"] for readout in one.told[-1]["readouts"]} == {"…"}
    one.answer()
    assert [readout["label"] for readout in one.told[-1]["readouts"]] == before


# ---- data that must be fetched ----
@pytest.fixture
def openml(monkeypatch):
    """OpenML, as the test wants it: None cannot be reached, an array is the images."""
    asked, state = [], {"images": None}

    def fetch(name, first, hear):
        asked.append(name)
        if state["images"] is None:
            raise ConnectionError("no way out") from OSError("name or service not known")
        return state["images"]

    def forget():
        for one in (real_data._images, real_data._labelled, real_data._data):
            one.cache_clear()
        real_data._refused.clear()

    forget()
    monkeypatch.setattr(real_data, "fetch", fetch)
    yield asked, state
    forget()


def test_without_a_network_the_lab_says_so_and_works_on(openml):
    one = visitor("data=mnist")
    assert openml[0] == ["mnist_784"]  # one question for all rounds
    told = one.told[-1]
    assert (told["type"], told["busy"]) == ("state", False)
    assert isinstance(one.session._observed, Missing)
    assert "MNIST is not on this machine" in told["explain"][0]
    assert "name or service not known" in told["explain"][-1]
    assert {readout["value"] for readout in told["readouts"]} == {"no data"}
    assert not columns(one, "low")["x"].size
    one.set(data="digits")
    one.answer()
    assert columns(one, "low")["x"].size > 100
    assert one.told[-1]["explain"][0].startswith("80 points")


def test_later_the_network_is_asked_again(openml, monkeypatch):
    asked, state = openml
    one = visitor("data=fashion", rounds=1)
    rng = np.random.default_rng(0)
    labels = np.arange(600.0) % 10
    state["images"] = Labelled(
        rng.standard_normal((20, 600)) + 0.4 * rng.standard_normal((20, 10))[:, labels.astype(int)], labels
    )
    monkeypatch.setattr(real_data, "_PATIENCE", 0.0)
    one.say(type="draw")
    for _ in range(4):
        one.answer()
    assert asked == ["Fashion-MNIST"] * 2
    assert columns(one, "twin low")["x"].size > 100
    assert "(garments, shirt against T-shirt), 40 others test" in one.told[-1]["explain"][0]


def test_data_that_came_once_are_not_lost_by_a_later_failure():
    found = at_rest().session._observed
    assert LAB.merge(found, Missing("gone")) is found
    assert LAB.merge(Missing("not yet"), found) is found


def test_while_it_waits_it_says_what_for(openml):
    text = " ".join(visitor("data=mnist", rounds=0).told[-1]["explain"])
    assert "downloaded from OpenML" in text
    assert "OpenML" not in " ".join(visitor(rounds=0).told[-1]["explain"])


# ---- every choice ----
def choices():
    for setting in SCHEMA.settings:
        if setting.kind == "choice":
            yield from (f"{setting.name}={key}" for key, _ in setting.choices)
        elif setting.kind == "flag":
            yield from (f"{setting.name}=0", f"{setting.name}=1")
        elif setting.name not in ("draws", "seed"):
            yield from (f"{setting.name}={setting.low:g}", f"{setting.name}={setting.high:g}")


def test_every_choice_paints_and_reports(openml):
    one = visitor(rounds=0)
    one.say(type="table", open=True)
    for choice in choices():
        query = choice if choice.startswith("samples") else f"samples=40&{choice}"
        assert one.say(type="query", search=f"{query}&draws=4")["type"] == "state", choice
        if one.session._stale:
            one.answer()
        told = one.told[-1]
        assert (told["type"], told["notices"]) == ("state", []), choice
        fetched = choice in ("data=mnist", "data=fashion")
        assert bool(told["tables"]) != fetched, choice
        for figure in one.session.figures.values():
            ends = np.array([figure.look("range", axis) for axis in "xy"])
            assert np.all(np.isfinite(ends)), choice
            assert np.all(ends[:, 0] < ends[:, 1]), choice


# ---- a visitor's file ----
def table(rows, separation=2.0, seed=3):
    """Two classes in 12 dimensions as text, the label in the last column."""
    rng = np.random.default_rng(seed)
    label = rng.choice([1, 2], rows)
    points = rng.standard_normal((rows, 12)) + separation * (label[:, None] - 1.5) / np.sqrt(12)
    lines = [",".join([*(f"{x:.6f}" for x in row), str(k)]) for row, k in zip(points, label, strict=True)]
    return "\n".join(lines).encode()


def with_file(content, name="mine.csv", query="samples=100&draws=4"):
    one = Visitor(query, lab=LAB)
    one.session.attach(Upload(name, content))
    one.turn()
    assert one.workers.requests[-1].keep is False
    while one.session._busy:
        one.answer()
    return one


def test_a_visitors_file_is_a_data_set_like_the_others():
    one = with_file(table(400))
    found = one.session._observed
    assert isinstance(found, Measured)
    assert (found.facts.samples, found.facts.dims) == (100, 12)
    state = one.told[-1]
    assert "“mine.csv”" in " ".join(state["explain"])
    agreement = next(part for part in state["readouts"] if part["label"] == "Agreement, test")
    assert agreement["good"] is True
    one.say(type="file")
    while one.session._busy:
        one.answer()
    assert one.session._observed.facts.dims == 64  # digits again


def test_a_small_file_trains_on_three_quarters_of_it():
    assert with_file(table(60)).session._observed.facts.samples == 45


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (table(20), "few.csv", "at least 40 rows"),
        (b"\n".join(b"1,2,%d" % k for k in range(50)), "many.csv", "has 50"),
        (b"\n".join(b"1,2,%d" % (k % 2) for k in range(50)), "same.csv", "All rows are the same"),
        (b"\x80\x04\x95", "pickle.npy", ""),
        (b"", "empty.csv", ""),
    ],
)
def test_a_file_that_is_none_is_refused_in_words_and_digits_come_back(content, name, words):
    one = with_file(content, name)
    assert isinstance(one.session._observed, Missing)
    said = " ".join(one.told[-1]["explain"])
    assert f"“{name}” cannot be used" in said
    assert words in said
    assert {part["value"] for part in one.told[-1]["readouts"]} == {"no data"}
    one.say(type="file")
    one.answer()
    assert isinstance(one.session._observed, Measured)


def test_nothing_of_a_file_stays_in_the_worker():
    with_file(table(80, seed=11))
    assert given_data._decompose.cache_info().currsize == given_data._gaussian.cache_info().currsize == 0
    assert real_data._facts.cache_info().currsize == 0
