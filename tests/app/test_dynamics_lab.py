"""The Learning dynamics lab: what stands in its figures, what it asks of the workers, what it says."""

from functools import cache

import numpy as np
import pytest
from visitor import Visitor

from app.labs.dynamics import SCHEMA, DynamicsLab
from app.labs.dynamics_theory import LONGEST, SHORTEST, solve
from rmtcore import (
    Layer,
    Network,
    Population,
    Steps,
    descent,
    early_stopping,
    flow,
    repeat,
    ridge_errors,
    stability_edge,
)

SMALL = "size=30&draws=2"
LAB = DynamicsLab()


def resolved(query=""):
    values, notices = SCHEMA.from_query(query)
    assert notices == []
    return SCHEMA.resolved(values)


def solved(query=""):
    return LAB.equivalent(resolved(query)).solved


@cache
def network(query="", **changes):
    """The network that a query means, built by hand."""
    layers = [] if "linear" in query else [Layer(90, "relu", normalise=True)]
    population = Population.mixture(4.0, 30) if "mixture" in query else Population.identity(30)
    return Network(population, layers, samples=60, noise=0.1, ridge=1e-6)


@cache
def visitor(query=""):
    """A visitor, to look at only, whose experiment has arrived, round by round."""
    one = Visitor(f"{SMALL}&{query}", lab=DynamicsLab())
    for _ in range(int(one.values["draws"])):
        one.answer()
    return one


def columns(one, figure, label):
    return {name: np.asarray(part) for name, part in one.session.figures[figure].columns(label).items()}


def readouts(one):
    return {readout["label"]: readout for readout in one.session.state()["readouts"]}


# ---- the curves ----
@pytest.mark.parametrize("query", ["", "family=linear"])
def test_the_lines_are_gradient_flow(query):
    one = visitor(query)
    test, train = columns(one, "main", "test"), columns(one, "main", "train")
    assert test["x"][0] == pytest.approx(-2)
    assert test["x"][-1] == pytest.approx(6)
    expected = flow(network(query), 10.0 ** test["x"])
    np.testing.assert_allclose(test["y"], expected.test, rtol=1e-6)
    np.testing.assert_allclose(train["y"], expected.train, rtol=1e-6, atol=1e-9)


def test_the_slider_stands_on_the_times_of_the_curve():
    setting = SCHEMA.by_name["time"]
    positions = round(np.log10(setting.high / setting.low) * setting.step)
    times = setting.low * (setting.high / setting.low) ** (np.arange(positions + 1) / positions)
    np.testing.assert_allclose(solved(SMALL).times, times)
    assert setting.player


def test_the_read_out_is_the_error_at_the_present_time():
    one = visitor("time=0.03&family=shallow")
    expected = flow(network(""), [0.03])
    assert float(readouts(one)["Test error now"]["value"]) == pytest.approx(expected.test[0], rel=3e-3)


def test_the_accuracy_has_a_figure_of_its_own_for_classes_only():
    assert LAB.visible(resolved()) == ["main", "filter"]
    one = visitor("data=mixture")
    assert one.session.state()["figures"] == ["main", "filter", "accuracy"]
    line = columns(one, "accuracy", "accuracy")
    np.testing.assert_allclose(line["y"], flow(network("data=mixture"), 10.0 ** line["x"]).accuracy, rtol=1e-6)
    assert columns(one, "accuracy", "actual accuracy")["x"].size == 25
    assert "accuracy" in readouts(one)["Test error now"]["detail"]


def test_depths_compared_are_the_other_families():
    one = visitor("compare=1")
    for label in ("linear", "deep"):
        line = columns(one, "main", f"test {label}")
        np.testing.assert_allclose(line["y"], solved(f"{SMALL}&family={label}").curve.test, rtol=1e-9)
    assert columns(one, "main", "test shallow")["x"].size == 0
    assert any("depth slows learning" in text for text in one.session.state()["explain"])
    assert columns(visitor(), "main", "train deep")["x"].size == 0


def test_learning_slows_with_depth():
    """The time that halves the training error grows with every layer, at equal width."""
    found = [solved(f"family={family}") for family in ("shallow", "deep&depth=2", "deep&depth=5", "deep&depth=10")]
    assert np.all(np.diff([one.falls_to(one.curve.train, 0.5 * one.start) for one in found]) > 0)


# ---- early stopping ----
def test_early_stopping_is_marked_and_said():
    one = visitor()
    time, test, ridge = early_stopping(network(""), SHORTEST, LONGEST)
    assert columns(one, "main", "threshold")["x"] == pytest.approx([np.log10(time)])
    said = readouts(one)["Early stopping"]
    assert float(said["value"].removeprefix("t = ")) == pytest.approx(time, rel=5e-3)
    assert f"{test:.3g}" in said["detail"]
    assert f"{ridge:.3g}" in said["detail"]
    assert float(readouts(one)["End of training"]["value"]) == pytest.approx(ridge_errors(network("")).test, rel=5e-3)


def test_where_stopping_early_gains_nothing_there_is_no_mark():
    one = visitor("family=linear&noise=0&ridge=1e-8&samples=10")
    assert columns(one, "main", "threshold")["x"].size == 0
    assert readouts(one)["Early stopping"]["value"] == "no gain"


def test_an_even_activation_had_better_not_train():
    said = visitor("activation=abs").session.state()["explain"]
    assert any("best is not to train" in text for text in said)
    assert any("even activation" in text for text in said)


def test_the_diverging_end_of_training_is_said():
    one = visitor("ridgeless=1&width=1")
    assert readouts(one)["End of training"]["value"] == "∞"
    assert any("diverges" in text for text in one.session.state()["explain"])


# ---- the filter ----
@pytest.mark.parametrize("time", [0.02, 1.0, 3e4])
def test_the_filter_of_gradient_flow(time):
    line = columns(visitor(f"time={time}&ridgeless=1"), "filter", "filter")
    np.testing.assert_allclose(line["y"], 1.0 - np.exp(-time * 10.0 ** line["x"]), rtol=1e-9, atol=1e-12)


def test_the_filter_with_ridge_ends_at_the_ridge_fit():
    line = columns(visitor("time=1e6&ridge=0.5"), "filter", "filter")
    x = 10.0 ** line["x"]
    np.testing.assert_allclose(line["y"], x / (x + 0.5), rtol=1e-9)


def test_the_filter_of_descent_after_whole_steps():
    query = "method=descent&step=0.9&time=2&ridgeless=1"
    one, theory = visitor(query), solved(f"{SMALL}&{query}")
    count = round(2.0 / theory.step)
    line = columns(one, "filter", "filter")
    np.testing.assert_allclose(line["y"], 1.0 - (1.0 - theory.step * 10.0 ** line["x"]) ** count, atol=1e-9)
    assert columns(one, "main", "now")["x"] == pytest.approx([np.log10(count * theory.step)])


def test_single_eigenvalues_stand_on_the_filter():
    found = columns(visitor("data=spiked&family=linear&spike=20"), "filter", "linear filter")
    assert found["x"].size == 1
    assert found["y"] == pytest.approx(1.0 - np.exp(-(10.0 ** found["x"])), rel=1e-4)


def test_directions_learned_run_from_none_to_all_that_can_be():
    early, late = (readouts(visitor(f"time={time}"))["Directions learned"] for time in (0.01, 1e6))
    assert float(early["value"].split()[0]) < 5
    assert late["value"] == "60.0 of 60"
    assert late["detail"].startswith("30 more")


# ---- gradient descent ----
@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_descent_shows_whole_steps_only(share):
    theory = solved(f"{SMALL}&method=descent&step={share}")
    assert theory.edge == pytest.approx(stability_edge(network("")))
    assert theory.step == pytest.approx(share * theory.edge)
    assert np.array_equal(theory.counts, np.round(theory.counts))
    assert theory.counts[0] == 1
    assert theory.times[-1] == pytest.approx(LONGEST, rel=1e-3)
    few = theory.counts[::9]
    np.testing.assert_allclose(theory.curve.test[::9], descent(network(""), theory.step, few).test, rtol=1e-9)
    assert theory.stop.test == theory.curve.test.min()


def test_a_draw_beyond_the_edge_diverges_and_is_said():
    """The largest of few eigenvalues often lies above its limit."""
    one = solved("size=20&method=descent&step=0.99")
    found = repeat([one.network], 1, None, Steps(one.step, one.counts.tolist()), "actual", 0)
    assert found.train.max() > 1e6
    assert np.all(np.isfinite(found.test))
    lamps = visitor("method=descent&step=0.99").session.state()["lamps"]
    assert next(lamp for lamp in lamps if "edge" in lamp["label"])["on"]


def test_a_swinging_single_eigenvalue_is_said():
    label = "no step that swings in a single eigenvalue"
    for share, on in ((0.7, False), (0.95, True)):
        found = visitor(f"data=mixture&method=descent&step={share}").session.state()["lamps"]
        assert next(lamp for lamp in found if lamp["label"] == label)["on"] == on


def test_descent_names_its_edge():
    one = visitor("method=descent&step=0.9")
    assert readouts(one)["Largest stable step"]["value"] == f"{stability_edge(network('')):.3g}"
    assert any("overshoots" in text for text in one.session.state()["explain"])


@pytest.mark.parametrize("query", ["", "linear", "mixture"])
def test_small_steps_follow_the_flow_of_the_same_draw(query):
    """Both experiments draw the same network, and tiny steps are gradient flow."""
    counts = np.array([1e3, 1e4, 1e6])
    stepped = repeat([network(query)], 1, None, Steps(1e-4, counts), "both", 0)
    flowed = repeat([network(query)], 1, None, (1e-4 * counts).tolist(), "both", 0)
    for steps, time in ((stepped, flowed), (stepped.linear, flowed.linear)):
        np.testing.assert_allclose(steps.test, time.test, rtol=1e-3)
        np.testing.assert_allclose(steps.train, time.train, rtol=5e-3, atol=1e-6)
        np.testing.assert_allclose(steps.accuracy, time.accuracy, atol=2e-3)


def test_half_a_step_is_refused():
    with pytest.raises(ValueError, match="'counts' parameter must hold whole numbers"):
        repeat([network("")], 1, None, Steps(0.1, [1.0, 2.5]), "actual", 0)


def test_descent_ends_at_the_ridge_fit():
    one = Network(Population.identity(10), [], samples=30, noise=0.2, ridge=0.05)
    found = repeat([one], 3, None, Steps(0.3, [1, 2, 7]), "actual", 4)
    again = repeat([one], 3, [0.05], None, "actual", 4)
    assert repeat([one], 3, None, Steps(0.3, [100000]), "actual", 4).test[0, 0] == pytest.approx(
        again.test[0, 0], rel=1e-9
    )
    assert found.train[0, 0] > found.train[0, 1] > found.train[0, 2] > again.train[0, 0]


# ---- the experiment ----
def test_time_and_view_leave_the_draw_as_it_is():
    one = Visitor(SMALL, lab=DynamicsLab())
    asked = len(one.workers.requests)
    for change in ({"time": 30.0}, {"scale": "log"}, {"compare": True}, {"actual": False}, {"equivalent": False}):
        one.set(**change)
    assert len(one.workers.requests) == asked
    before = LAB.experiment(resolved(SMALL)).key
    for query in ("noise=0.2", "seed=2", "method=descent", "family=linear", "draws=3"):
        assert LAB.experiment(resolved(f"size=30&draws=2&{query}" if "draws" not in query else query)).key != before


def test_time_alone_solves_nothing_anew():
    one = Visitor(SMALL, lab=DynamicsLab())
    misses = solve.cache_info().misses
    for time in np.geomspace(0.01, 1e6, 40):
        one.set(time=float(time))
    assert solve.cache_info().misses == misses


def test_the_dots_are_means_of_trained_networks():
    one = visitor()
    dots = columns(one, "main", "actual test")
    found = [repeat([network("")], 1, None, (10.0 ** dots["x"]).tolist(), "actual", index).test[0] for index in (0, 1)]
    np.testing.assert_allclose(dots["y"], np.mean(found, axis=0), rtol=1e-9)
    bars = columns(one, "main", "bars test")
    np.testing.assert_allclose(bars["y1"] - bars["y0"], np.abs(found[0] - found[1]), rtol=1e-6, atol=1e-12)


def test_one_repetition_is_enough_for_dots():
    one = visitor("draws=1")
    assert columns(one, "main", "actual test")["x"].size == 25
    assert readouts(one)["Agreement in time"]["value"] == "…"


def test_theory_and_experiment_agree():
    one = Visitor("size=100&draws=10", lab=DynamicsLab())
    for _ in range(10):
        one.answer()
    said = readouts(one)["Agreement in time"]
    assert said["good"] is True
    assert float(said["value"].removeprefix("median gap ").rstrip("%")) < 10


def test_what_would_be_too_large_is_made_smaller_and_said():
    one = solved("size=400&samples=10&width=10")
    assert one.wanted == 400
    assert one.network.population.dim < 400
    state = Visitor("size=400&samples=10&width=10", lab=DynamicsLab()).session.state()
    assert any("p = 400" in text for text in state["explain"])


# ---- picking, table, every choice ----
def test_picking_moves_the_time():
    assert LAB.pick(resolved(), "main", 2.0, 0.5) == {"time": pytest.approx(100.0)}
    assert LAB.pick(resolved(), "filter", 2.0, 0.5) == {"time": pytest.approx(0.01)}
    assert LAB.pick(resolved(), "accuracy", 99.0, 0.5) == {"time": LONGEST}
    assert LAB.pick(resolved(), "main", -99.0, 0.5) == {"time": SHORTEST}


def test_the_table_has_theory_experiment_and_spectrum():
    one = visitor("data=mixture&compare=1&method=descent")  # nobody else looks at this one
    tables = one.say(type="table", open=True)["tables"]
    captions = [table["caption"] for table in tables]
    assert captions[:2] == ["Theory", "Experiment, 2 repetitions"]
    assert captions[-1].startswith("Spectrum")
    assert list(tables[0]["columns"]) == ["steps", "t", "test", "train", "accuracy"]
    assert {"test", "test ±", "train", "accuracy ±"} <= set(tables[1]["columns"])
    for table in tables:
        assert len({len(column) for column in table["columns"].values()}) == 1


@cache
def shared():
    return Visitor(SMALL, lab=DynamicsLab())


def everything(setting):
    """Every choice of a setting, or both of its bounds."""
    if setting.kind == "choice":
        return [key for key, _ in setting.choices]
    if setting.kind == "flag":
        return [False, True]
    return [] if setting.name in ("size", "draws", "seed") else [setting.low, setting.high]


@pytest.mark.parametrize("setting", SCHEMA.settings, ids=lambda setting: setting.name)
def test_every_choice_paints_and_reports(setting, caplog):
    one = shared()
    one.say(type="reset")
    needs = {name: allowed[0] for name, allowed in setting.when.items()}
    for value in everything(setting):
        one.set(size=20, draws=1, **needs, **{setting.name: value})
        one.answer()
        state = one.say(type="table", open=True)
        assert state["type"] == "state"
        assert not state["notices"]
        assert (len(state["readouts"]), bool(state["explain"]), bool(state["lamps"])) == (6, True, True)
        said = [*state["explain"], *(part["value"] + part["detail"] for part in state["readouts"])]
        assert "nan" not in " ".join(said)
        for figure in one.session.figures.values():
            for label in figure.blueprint.labels:
                for column in figure.columns(label).values():
                    assert np.all(np.isfinite(np.asarray(column, float))), label
    assert not caplog.records


def test_both_ends_of_everything_at_once(caplog):
    for query in ("family=deep&depth=10&width=0.1&samples=0.1&ridge=100&method=descent&step=0.99",
                  "data=power_law&alpha=3&source=3&samples=10&width=1&noise=0&ridgeless=1",
                  "data=mixture&mean_norm2=20&samples=0.1&method=descent&step=0.05"):  # fmt: skip
        one = Visitor(f"size=20&draws=1&{query}", lab=DynamicsLab())
        one.answer()
        assert one.say(type="table", open=True)["type"] == "state"
    assert not caplog.records


def test_a_few_steps_on_a_mixture_are_those_of_trained_networks():
    network = Network(Population.mixture(4.0, 200), [Layer(300, "tanh")], samples=400, ridge=1e-3)
    step, counts = 0.7 * stability_edge(network), [1, 2, 3]
    drawn = np.array([repeat([network], 5, None, Steps(step, counts), "actual", index).test[0] for index in range(40)])
    error = drawn.std(axis=0, ddof=1) / np.sqrt(40)
    assert np.all(np.abs(drawn.mean(axis=0) - descent(network, step, counts).test) < 4.0 * error)
