"""The Kernels lab: what is painted is what the library computes, and agreement is told from disagreement."""

import pickle
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from threadpoolctl import threadpool_limits
from visitor import Visitor

from app.labs.kernels import KernelsLab
from app.labs.kernels_readouts import allowance, gap
from app.labs.kernels_settings import SCHEMA, case_of
from app.parts.kernel_rounds import Case, drawn, on, quadratic_distance_kernel, same
from rmtcore import (
    ACTIVATIONS,
    DISTANCE_KERNELS,
    distance_kernel_spectrum,
    draw_distance_kernel,
    draw_kernel,
    get_activation,
    hermite,
    kernel_spectrum,
    kolmogorov_smirnov,
    matching,
    wasserstein1,
)
from rmtcore.kernels import derivatives

LAB = KernelsLab()


@pytest.fixture(scope="module", autouse=True)
def _one_blas_thread():
    """As in the workers; small matrices gain nothing from more."""
    with threadpool_limits(1):
        yield


SMALL = "size=120&draws=2"
DISTANCE = "kind=distance"
SCENES = [
    "", "ratio=0.1&axes=logy", "ratio=20", "mean_norm2=0", "mean_norm2=20", "activation=relu&ratio=0.2",
    "activation=cos", "activation=identity&ratio=0.5", "entries=rademacher", "entries=student&dof=4.1",
    "beside=linear", "beside=nothing", "activation=he3&bins=200", DISTANCE,
    f"{DISTANCE}&ratio=0.5&function=laplacian", f"{DISTANCE}&ratio=3&axes=logy", f"{DISTANCE}&beside=linear",
    f"{DISTANCE}&function=polynomial&entries=rademacher",
]  # fmt: skip


def visitor(query=""):
    return Visitor(f"{SMALL}&{query}", lab=LAB)


@cache
def at_rest(query=""):
    """A visitor who has seen both rounds; to look at only."""
    one = visitor(query)
    one.answer()
    one.answer()
    return one


@cache
def walker():
    """One visitor who goes from state to state and waits for no draw."""
    return visitor()


def walk(query=""):
    assert walker().say(type="query", search=f"{SMALL}&{query}")["type"] == "state"
    return walker()


def columns(one, label, figure="main"):
    return {name: np.asarray(column) for name, column in one.session.figures[figure].columns(label).items()}


def readouts(one):
    return {readout["label"]: readout for readout in one.session.state()["readouts"]}


def values_of(query=""):
    return SCHEMA.resolved(SCHEMA.from_query(f"{SMALL}&{query}")[0])


def case(query=""):
    return case_of(values_of(query), LAB.most_entries)[0]


def words(one):
    return " ".join(one.session.state()["explain"])


# ---- from settings to a kernel ----
def test_the_kernel_of_the_settings():
    found = case("activation=relu&ratio=0.5&mean_norm2=4&entries=student&dof=7")
    assert found == Case(False, "relu", 60, 120, 4.0, "student", 7.0)
    assert case(f"{DISTANCE}&function=rational&ratio=2") == Case(True, "rational", 240, 120, 3.0, dof=6.0)


@pytest.mark.parametrize(("ratio", "n"), [(0.05, 300), (1.0, 300), (4.0, 150), (20.0, 67)])
def test_matrices_beyond_the_limit_are_made_smaller_with_a_notice(ratio, n):
    found, notices = case_of(values_of("") | {"size": 1500, "ratio": ratio}, 90_000)
    assert found.samples == n
    assert max(found.dim, found.samples) * found.samples <= 90_000
    assert found.dim == round(ratio * n)
    assert notices == (f"n = 1500 would need a matrix of more than 90,000 entries; n = {n} is drawn.",)


def test_display_settings_keep_the_draw_and_all_others_change_it():
    values = values_of()
    key = LAB.experiment(values).key
    for name, value in {"bins": 100, "axes": "logy", "actual": False, "equivalent": False}.items():
        assert LAB.experiment(values | {name: value}).key == key, name
    for name, value in {
        "kind": "distance", "activation": "relu", "beside": "linear", "ratio": 0.5, "size": 100, "mean_norm2": 0.0,
        "entries": "uniform", "draws": 3, "seed": 2,
    }.items():  # fmt: skip
        assert LAB.experiment(values | {name: value}).key != key, name
    for hidden in ({"function": "rational"}, {"dof": 9.0}):
        assert LAB.experiment(values | hidden).key == key
    assert pickle.loads(pickle.dumps(LAB.experiment(values).args)) == LAB.experiment(values).args


def test_workers_need_none_of_the_drawing():
    code = "import sys, app.parts.kernel_rounds; print(sorted({'panel', 'holoviews', 'bokeh'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# ---- twins ----
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_twin_of_an_activation_has_its_two_numbers_and_its_bulk(name):
    one = Case(False, name, 100, 150)
    moments, twin = get_activation(name).moments(1.0), hermite(one.twin, 4)
    assert twin.coefficients[1] == pytest.approx(moments.mu1, abs=1e-12)
    assert twin.energies.sum() == pytest.approx(moments.variance)
    assert twin.coefficients[[0, 3, 4]] == pytest.approx(0.0, abs=1e-12)
    law, other = one.law(), one.law(twin=True)
    np.testing.assert_allclose(other.bulks, law.bulks, rtol=1e-9, atol=1e-12)
    assert other.atom == law.atom
    assert same(one.function, one.twin) == (name in ("identity", "he2"))


@pytest.mark.parametrize("name", DISTANCE_KERNELS)
def test_the_twin_of_a_distance_kernel_has_its_three_numbers_and_its_bulk(name):
    function = DISTANCE_KERNELS[name]
    twin = quadratic_distance_kernel(function)
    assert derivatives(twin)[:3] == pytest.approx(derivatives(function)[:3])
    t, step = np.linspace(0.5, 4.0, 8), 1e-5
    np.testing.assert_allclose(twin.first(t), (twin.value(t + step) - twin.value(t - step)) / 2 / step, atol=1e-8)
    np.testing.assert_allclose(twin.second(t), (twin.first(t + step) - twin.first(t - step)) / 2 / step, atol=1e-8)
    one = Case(True, name, 100, 150)
    np.testing.assert_allclose(one.law(twin=True).bulks, one.law().bulks, rtol=1e-9)
    assert same(function, twin) == (name == "polynomial")


def test_the_twin_of_a_distance_kernel_nears_its_law():
    ratios = []
    for samples in (60, 480):
        one = Case(True, "rational", samples // 2, samples)
        found = drawn(one, 5, ("twin",), 0)["twin"]
        ratios.append(found.w1[0])
    assert ratios[1] < 0.5 * ratios[0]  # 1/2.8 if it falls as 1/sqrt(p)


# ---- rounds ----
@pytest.mark.parametrize("query", ["activation=relu&ratio=0.2", f"{DISTANCE}&ratio=0.5", f"{DISTANCE}&ratio=3"])
def test_rounds_are_draws_of_the_library_on_the_same_data(query):
    seen, one = at_rest(query).session._observed, case(query)
    make = draw_distance_kernel if one.distance else draw_kernel
    arguments = (one.dim, one.samples)
    law = one.law()
    for reading, function in (("actual", one.function), ("twin", one.twin)):
        found = [make(function, *arguments, (1, index), mean_norm2=3.0) for index in (0, 1)]
        part = seen[reading]
        np.testing.assert_allclose(np.sort(part.kept), np.sort(np.concatenate([draw.bulk for draw in found])))
        np.testing.assert_allclose(part.outliers, [draw.outliers for draw in found])
        np.testing.assert_allclose(part.overlap, [draw.overlap for draw in found])
        np.testing.assert_allclose(part.ks, [kolmogorov_smirnov(draw.bulk, law) for draw in found])
        np.testing.assert_allclose(part.w1, [wasserstein1(draw.bulk, law) for draw in found])
        assert part.rounds == 2


def test_the_linear_equivalent_is_that_of_the_library():
    part, one = at_rest("beside=linear").session._observed["linear"], case()
    found = [draw_kernel("sign", one.dim, 120, (1, index), "linear", 3.0).bulk for index in (0, 1)]
    np.testing.assert_allclose(np.sort(part.kept), np.sort(np.concatenate(found)))


def test_eigenvalues_of_the_atom_are_those_on_its_side():
    query = f"{DISTANCE}&ratio=0.2&size=600"
    one, law = at_rest(query), case(query).law()
    part = one.session._observed["actual"]
    middle = 0.5 * (law.atom_at + law.bulks[0, 0])
    assert part.atomic.max() < middle < part.bulk.min()
    share = part.atomic.size / 1200
    assert share == pytest.approx(0.8, abs=0.02)  # of order 1/sqrt(p) of them are spread too far
    assert f"mass 0.8, found {share:.4g}" == readouts(one)["Atom at 0.2642"]["value"]
    assert at_rest().session._observed["actual"].atomic.size == 0


# ---- the figures ----
@pytest.mark.parametrize("query", SCENES)
def test_the_curve_is_the_law(query):
    seen, one = walk(query), case(query)
    solve = distance_kernel_spectrum if one.distance else kernel_spectrum
    law = solve(one.name, one.dim, one.samples, 400, one.mean_norm2, one.entries, one.dof)
    curve = columns(seen, "equivalent")
    np.testing.assert_allclose(curve["x"], law.grid)
    height = curve["y"]
    if "logy" in query:
        shift = seen.session.figures["main"].look("axis", "y")["shift"]
        visible = law.density > 10.0**shift
        np.testing.assert_allclose(height[visible], np.log10(law.density[visible]) - shift)
        assert not height[~visible].any()
    else:
        np.testing.assert_allclose(height, law.density)
    np.testing.assert_allclose(columns(seen, "edges")["x"], law.bulks.ravel())


@pytest.mark.parametrize("query", [query for query in SCENES if "logy" not in query])
def test_areas_are_shares_of_all_eigenvalues(query):
    one = at_rest(query)
    bars = columns(one, "actual")
    part = one.session._observed["actual"]
    areas = (bars["right"] - bars["left"]) * bars["top"]
    counts, _ = np.histogram(part.kept, np.append(bars["left"], bars["right"][-1]))
    np.testing.assert_allclose(areas, counts / 240, atol=1e-12)
    outside = part.kept.size - counts.sum()
    assert outside <= 0.01 * part.kept.size
    apart = np.isfinite(part.outliers).sum()
    assert areas.sum() == pytest.approx(1.0 - (outside + apart) / 240)
    for reading, other in one.session._observed.items():
        if reading != "actual":
            steps = columns(one, "linear")
            found, _ = np.histogram(other.kept, np.append(bars["left"], bars["right"][-1]))
            np.testing.assert_allclose(steps["y"][::2] * (bars["right"] - bars["left"]), found / 240, atol=1e-12)


@pytest.mark.parametrize("query", [f"{DISTANCE}&ratio=0.5", "activation=identity&ratio=0.5&bins=10"])
def test_an_atom_is_a_bar_of_the_histogram(query):
    one, law = at_rest(query), case(query).law()
    bar, bars = columns(one, "atom"), columns(one, "actual")
    left, right, top = (bar[name][0] for name in ("left", "right", "top"))
    assert left <= law.atom_at <= right
    assert left in bars["left"]
    assert right in bars["right"]
    assert (right - left) * top == pytest.approx(0.5)
    assert columns(one, "notes")["text"][0] == f" mass 0.5 at {law.atom_at:.3g}".replace("-", "−")
    assert not columns(one, "atom found")["top"].size
    assert not columns(at_rest(), "atom")["top"].size


def test_outliers_of_both_functions():
    query = "activation=abs&ratio=0.4&size=300"
    one = at_rest(query)
    laws = [case(query).law(), case(query).law(twin=True)]
    predicted = [outlier.position for law in laws for outlier in law.outliers if outlier.separated]
    assert len(predicted) == 4
    np.testing.assert_allclose(columns(one, "outliers")["x"], np.sort(predicted))
    for label, reading in (("outliers found", "actual"), ("outliers linear", "twin")):
        np.testing.assert_allclose(columns(one, label)["x"], one.session._observed[reading].outliers.ravel())
    low, high = one.session.figures["main"].look("range", "x")
    assert low < min(predicted) < max(predicted) < high


def test_outliers_out_of_reach_are_named_at_the_side():
    one = at_rest(DISTANCE)
    means = [outlier for outlier in case(DISTANCE).law().outliers if outlier.source == "mean"]
    text = columns(one, "notes right")["text"][0]
    assert f"outlier at {means[0].position:.3g}" in text
    assert one.session.figures["main"].look("range", "x")[1] < 5.0
    assert not columns(at_rest(), "notes right")["x"].size
    far = walk("activation=abs&entries=student&dof=4.1&ratio=0.05")
    texts = [columns(far, label)["text"] for label in ("notes", "notes right")]
    assert texts[0][0].startswith(" ◂ outlier at −")
    assert texts[1][0].endswith("▸ ")


@pytest.mark.parametrize("query", ["", "activation=softplus", DISTANCE, "beside=linear", f"{DISTANCE}&beside=linear"])
def test_the_functions_are_those_that_enter_the_kernel(query):
    seen, one = walk(query), case(query)
    line, other = columns(seen, "function", "function"), columns(seen, "beside", "function")
    np.testing.assert_allclose(line["y"], on(one.function, line["x"]))
    t = other["x"]
    if "linear" not in query:
        expected = on(one.twin, t)
    elif one.distance:
        expected = np.exp(-1.0) * (1.0 - 0.5 * (t - 2.0))
    else:
        expected = get_activation("sign").moments(1.0).mu1 * t
    np.testing.assert_allclose(other["y"], expected, atol=1e-12)
    if query == "activation=softplus":
        weights = np.exp(-0.5 * line["x"] ** 2)
        assert abs(weights @ line["y"] / weights.sum()) < 0.02  # centred, up to the tails beyond the frame


def test_the_companion_can_be_left_out():
    one = at_rest("beside=nothing")
    assert list(one.session._observed) == ["actual"]
    assert not columns(one, "linear")["x"].size
    assert not columns(one, "beside", "function")["x"].size
    assert "twin" not in words(one)


def test_parts_can_be_hidden():
    one = at_rest("actual=0&equivalent=0")
    assert not columns(one, "actual")["top"].size
    assert not columns(one, "linear")["x"].size
    assert one.session.figures["main"].look("show", "equivalent") is False


@pytest.mark.parametrize("query", SCENES)
def test_all_that_is_drawn_is_finite(query):
    one = at_rest(query)
    for figure in one.session.figures.values():
        for label in figure.blueprint.labels:
            for name, column in figure.columns(label).items():
                assert name == "text" or np.isfinite(np.asarray(column, float)).all(), (label, name)
        assert np.isfinite([figure.look("range", axis) for axis in "xy"]).all()


# ---- agreement ----
@pytest.mark.parametrize("query", ["", "activation=tanh", "activation=relu&ratio=3", "activation=cos&mean_norm2=0",
                                   "activation=identity&ratio=0.5", "activation=he3&ratio=4", "entries=rademacher",
                                   DISTANCE, f"{DISTANCE}&ratio=0.3&function=laplacian",
                                   f"{DISTANCE}&ratio=3"])  # fmt: skip
def test_theory_and_experiment_agree(query):
    said = readouts(at_rest(query))
    assert not [label for label, one in said.items() if one["good"] is False]
    distances = [one for label, one in said.items() if " distance, " in label]
    assert [one["good"] for one in distances] == [True, True]


def test_the_numbers_are_those_of_the_library():
    one = at_rest()
    said, part = readouts(one), one.session._observed
    assert said["KS distance, φ"]["value"] == f"{part['actual'].ks.mean():.4f}"
    assert said["KS distance, its twin"]["value"] == f"{part['twin'].ks.mean():.4f}"
    assert said["What the bulk knows of φ"]["value"] == "a₁ = 0.7979, ν = 1"
    assert said["Hermite energies"]["value"] == "63.7 · 0.0 · 10.6 · 25.7 %"
    law = case().law()
    label = next(outlier for outlier in law.outliers if outlier.source == "labels")
    index = law.outliers.index(label)
    shown = said["Outlier of the labels"]
    assert f"λ = {label.position:.4g}, found {part['actual'].outliers[:, index].mean():.4g}" == shown["value"]
    assert f"overlap {label.overlap:.3f}, found {part['actual'].overlap[:, index].mean():.3f}" in shown["detail"]
    distance = gap(law, part["actual"], part["twin"])
    assert said["The two histograms: KS"]["value"] == f"{distance:.4f}"
    assert f"{distance:.2%}" in words(one)


def test_beside_an_atom_the_distance_is_w1():
    query = f"{DISTANCE}&ratio=0.3"
    one, law = at_rest(query), case(query).law()
    said, part = readouts(one), one.session._observed["actual"]
    assert said["W1 distance, f"]["value"] == f"{part.w1.mean() / np.ptp(law.bulks):.4f}"
    assert "KS distance, f" not in said
    assert part.ks.mean() > 0.25  # the jump of the atom: no measure of agreement
    assert next(lamp for lamp in one.session.state()["lamps"] if lamp["label"] == "continuous law")["on"]


@pytest.mark.parametrize(
    ("query", "other"),
    [
        ("", "activation=relu"),
        ("", "ratio=2"),
        ("activation=tanh", "ratio=0.8"),
        (DISTANCE, f"{DISTANCE}&function=rational"),
    ],
)
def test_another_law_is_told_apart(query, other):
    one, law = case_of(values_of(query) | {"size": 800}, LAB.most_entries)[0], case(query).law()
    for reading in ("actual", "twin"):
        values = at_rest(f"{other}&mean_norm2=0").session._observed[reading].kept
        distance = wasserstein1(values, law) / np.ptp(law.bulks) if law.atom > 0 else kolmogorov_smirnov(values, law)
        assert distance > 1.2 * allowance(one, reading)


def test_a_draw_of_another_law_is_bad():
    values = values_of() | {"size": 400, "mean_norm2": 0.0}
    theory = LAB.equivalent(values)
    one, other = theory.case, case_of(values | {"activation": "tanh"}, LAB.most_entries)[0]
    mine, foreign = drawn(one, 1, ("actual", "twin"), 0), drawn(other, 1, ("actual",), 0)["actual"]
    ks = np.array([kolmogorov_smirnov(foreign.kept, theory.laws["actual"])])
    swapped = mine | {"actual": type(foreign)(400, foreign.bulk, foreign.atomic, *[np.zeros((1, 0))] * 3, ks, ks)}
    for seen, good in ((mine, True), (swapped, False)):
        said = {readout.label: readout for readout in LAB.report(values, theory, seen).readouts}
        assert said["KS distance, φ"].good is good


def test_read_outs_stand_there_while_drawing():
    for query in ("", DISTANCE, "activation=relu&ratio=0.2", "mean_norm2=0"):
        one = walk(query)
        if not one.session._stale:
            one.say(type="draw")
        waiting = readouts(one)
        assert list(waiting) == list(readouts(at_rest(query)))
        assert "…" in next(value["value"] for label, value in waiting.items() if " distance, " in label)


def test_an_old_draw_of_another_companion_stays_pale_and_does_no_harm():
    one = visitor()
    one.answer()
    for change in ({"beside": "linear"}, {"kind": "distance"}, {"beside": "nothing"}, {"mean_norm2": 0.0}):
        reply = one.set(**change)
        assert reply["type"] == "state"
        assert one.session.figures["main"].look("style", "actual")["fill_alpha"] == pytest.approx(0.12)
    assert one.say(type="table", open=True)["type"] == "state"
    one.answer()
    assert list(one.session._observed) == ["actual"]


# ---- words ----
def test_words_hold_the_numbers():
    said = words(at_rest())
    law = case().law()
    for part in ("n = 120", "p = 96", "sign(t)", "a₁ = 0.7979", "ν = 1", "64%", case().twin.formula):
        assert part in said
    label = next(outlier for outlier in law.outliers if outlier.source == "labels")
    assert f"{label.position:.4g}" in said
    assert f"{label.overlap:.3f}" in said


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("activation=cos", "semicircle of radius 2√(ν/(p/n)) ="),
        ("activation=cos", "φ does not see them"),
        ("activation=identity", "φ is linear"),
        ("activation=he2", "it is its own twin"),
        ("mean_norm2=0", "There is one class"),
        ("mean_norm2=0.1", "lost in the bulk"),
        ("activation=relu&ratio=0.2", "a₂ = 0.282"),
        ("activation=tanh&ratio=0.2", "give it its own, at −1.4"),
        ("beside=linear", "plus independent Gaussian noise"),
        (DISTANCE, "stretched by −2f′(2) = 0.3679 and lifted by f(0) − f(2) + 2f′(2) = 0.2642"),
        (DISTANCE, "a share 0.2 of it sits at one point"),
        (f"{DISTANCE}&beside=linear", "the Taylor expansion of f at 2"),
        (f"{DISTANCE}&function=laplacian&ratio=0.2", "f″(2) shows it at 0.7"),
    ],
)
def test_what_is_said_where(query, text):
    one = walk(query)
    assert text in words(one)
    assert 3 <= len(one.session.state()["explain"]) <= 6


@pytest.mark.parametrize(
    ("query", "lamp"),
    [
        ("size=40", "large dimensions"),
        ("mean_norm2=10", "class separation small beside √p"),
        ("entries=student&dof=5", "light tails"),
        ("activation=relu", "no outliers of the norms"),
        ("activation=identity&ratio=0.5", "continuous law"),
    ],
)
def test_lamps(query, lamp):
    seen = {one["label"]: one["on"] for one in walk(query).session.state()["lamps"]}
    assert seen[lamp] is True
    calm = "size=800&mean_norm2=0&ratio=2"
    assert not any(one["on"] for one in walk(calm).session.state()["lamps"])


def test_tables_hold_all_that_is_plotted():
    one = at_rest()
    law, part = case().law(), one.session._observed["twin"]
    tables = {
        table.caption: table for table in LAB.table(values_of(), LAB.equivalent(values_of()), one.session._observed)
    }
    np.testing.assert_array_equal(tables["Deterministic equivalent"].columns["density"], law.density)
    np.testing.assert_array_equal(tables["Functions"].columns["its twin"], columns(one, "beside", "function")["y"])
    np.testing.assert_array_equal(tables["Eigenvalues without outliers, its twin"].columns["λ"], np.sort(part.kept))
    assert tables["Outliers predicted, the kernel"].columns["position"] == [law.outliers[0].position]
    found = next(table for caption, table in tables.items() if caption.endswith("found, the kernel"))
    np.testing.assert_array_equal(found.columns["λ"], one.session._observed["actual"].outliers[:, 0])
    atom = walk(f"{DISTANCE}&ratio=0.5").say(type="table", open=True)["tables"]
    assert next(table for table in atom if table["caption"] == "Atom")["columns"]["mass"] == [0.5]
    walker().say(type="table", open=False)


# ---- every choice ----
def choices():
    for setting in SCHEMA.settings:
        if setting.kind == "choice":
            yield from (f"{setting.name}={value}" for value, _ in setting.choices)
        elif setting.kind == "flag":
            yield from (f"{setting.name}=0", f"{setting.name}=1")
        elif setting.name not in ("size", "draws", "seed"):
            yield from (f"{setting.name}={setting.low:g}", f"{setting.name}={setting.high:g}")


@pytest.mark.parametrize("base", ["kind=inner", "kind=inner&beside=linear", DISTANCE, f"{DISTANCE}&beside=linear"])
def test_every_choice_draws_and_reports(base):
    one = Visitor(f"size=40&draws=1&{base}", lab=LAB)
    one.say(type="table", open=True)
    for choice in choices():
        query = f"size=40&draws=1&{base}&{choice}"
        one.say(type="query", search=f"{query}&entries=student" if choice.startswith("dof") else query)
        if one.session._stale:
            one.answer()
        told = one.told[-1]
        assert told["type"] == "state", choice
        assert told["notices"] == [], choice
        assert told["busy"] is False, choice
        assert not any("nan" in f"{readout['value']} {readout['detail']}" for readout in told["readouts"]), choice
        assert "nan" not in " ".join(told["explain"]), choice


def test_matching_twins_survive_the_journey_to_a_worker():
    task = LAB.experiment(values_of())
    function, arguments = pickle.loads(pickle.dumps((task.function, task.args)))
    here, there = task.function(*task.args, 0), function(*arguments, 0)
    np.testing.assert_array_equal(here["twin"].kept, there["twin"].kept)
    moments = get_activation("sign").moments(1.0)
    assert case().twin.formula == matching(moments.mu1, moments.variance).formula
