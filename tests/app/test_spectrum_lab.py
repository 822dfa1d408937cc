"""The Spectrum lab: what its settings mean, what stands in its figure, what it says."""

from functools import cache

import numpy as np
import pytest
from scipy.linalg import eigvalsh, toeplitz
from visitor import at_rest

from app.labs.spectrum import SpectrumLab
from app.labs.spectrum_settings import LAYERS, SCHEMA
from rmtcore import ACTIVATIONS, draws, kolmogorov_smirnov, spectrum, wasserstein1
from rmtcore.datasets import digits
from rmtcore.experiment import largest_matrix

DATA = [key for key, _ in SCHEMA.by_name["data"].choices]
AXES = [key for key, _ in SCHEMA.by_name["axes"].choices]

# Data, depth, atoms on either side, outliers, several draws, several bulks.
SCENES = [
    "", "ratio=3", "ratio=3&side=gram", "ratio=0.3&side=gram", "ratio=1", "data=atoms2&s2=40&ratio=0.1", "data=spiked",
    "data=spiked&spike=0.05&ratio=0.2", "data=power_law", "data=toeplitz&rho=-0.9", "data=digits",
    "data=digits&ratio=5", "data=mixture", "depth=1", "depth=2&ratio=3&activation=relu",
    "depth=3&width=0.5&activation2=sign&draws=3", "depth=10&width=4", "depth=2&activation2=cos",
    "entries=student&dof=2.1", "draws=5&bins=200", "size=20&ratio=20",
]  # fmt: skip


def theory(query=""):
    values, notices = SCHEMA.from_query(query)
    assert notices == []
    return SpectrumLab().equivalent(SCHEMA.resolved(values))


def network(query=""):
    return theory(query).network


def fresh(query):
    """A visitor at rest at these settings, small."""
    return at_rest(query if "size" in query else f"size=60&{query}")


@cache
def scene(query):
    """The same, to look at only."""
    return fresh(query)


def readouts(one):
    return {readout["label"]: readout for readout in one.session.state()["readouts"]}


# ---- from settings to a network ----
def test_every_kind_of_data_is_tested_here():
    assert set(DATA) == {"identity", "atoms2", "atoms3", "toeplitz", "power_law", "spiked", "mixture", "digits"}


def test_white_data():
    population = network("size=50").population
    assert population.dim == 50
    assert population.spectrum.tolist() == [1.0] * 50


def test_two_atoms():
    population = network("data=atoms2&s2=7&w2=0.3&size=50").population
    assert (population.spectrum == 7.0).sum() == 15
    assert (population.spectrum == 1.0).sum() == 35


def test_three_atoms():
    population = network("data=atoms3&s2=7&w2=0.25&s3=20&w3=0.2&size=100").population
    counts = [(population.spectrum == value).sum() for value in (1.0, 7.0, 20.0)]
    assert counts == [60, 20, 20]


@pytest.mark.parametrize("rho", [-0.95, 0.0, 0.5])
def test_toeplitz(rho):
    found = network(f"data=toeplitz&rho={rho}&size=50").population.spectrum
    np.testing.assert_allclose(found, eigvalsh(toeplitz(rho ** np.arange(50.0))), atol=1e-10)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 3.0])
def test_power_law(alpha):
    population = network(f"data=power_law&alpha={alpha}&size=50").population
    falling = population.spectrum[::-1]
    np.testing.assert_allclose(falling / falling[0], np.arange(1.0, 51.0) ** -alpha)
    assert population.variance == pytest.approx(1.0)


def test_spikes():
    population = network("data=spiked&spike=5&spike2=0.2&size=50").population
    assert population.spikes.tolist() == [0.2, 5.0]
    assert (population.spectrum == 1.0).sum() == 48


def test_spikes_at_one_are_none():
    assert network("data=spiked&size=50").population.spikes.tolist() == [4.0]
    assert network("data=spiked&spike=1&size=50").population.spikes.tolist() == []


def test_mixture():
    population = network("data=mixture&mean_norm2=3&size=50").population
    assert population.spikes.tolist() == [4.0]
    assert population.is_mixture


def test_digits():
    found = network("data=digits&ratio=0.5&size=300")
    assert found.population is digits()
    assert found.population.dim == 61
    assert found.samples == 122


@pytest.mark.parametrize("ratio", [SCHEMA.by_name["ratio"].low, SCHEMA.by_name["ratio"].high])
def test_digits_never_ask_for_more_samples_than_there_are(ratio):
    found = theory(f"data=digits&ratio={ratio}")
    assert 1 <= found.network.samples <= digits().data.shape[1]
    assert found.network.samples == max(1, round(61 / ratio)) or "digits" in found.notices[0]


@pytest.mark.parametrize(("ratio", "samples"), [(0.05, 1000), (0.5, 100), (1.0, 50), (20.0, 2)])
def test_ratio_is_dimension_by_samples(ratio, samples):
    assert network(f"size=50&ratio={ratio}").samples == samples


def test_without_depth_there_are_no_layers():
    assert network("width=3&activation=relu&width1=2").layers == ()


def test_width_and_activation_of_all_layers():
    layers = network("size=50&depth=3&width=0.5&activation=relu").layers
    assert [layer.width for layer in layers] == [50, 50, 50]
    assert {layer.activation.name for layer in layers} == {"relu"}
    assert all(layer.normalise for layer in layers)


def test_width_and_activation_of_single_layers():
    layers = network("size=50&depth=3&width=0.5&activation=relu&width2=2&activation3=sin&width9=5").layers
    assert [layer.width for layer in layers] == [50, 200, 50]
    assert [layer.activation.name for layer in layers] == ["relu", "relu", "sin"]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_offered_and_has_a_law(name):
    found = theory(f"size=40&depth=1&activation={name}")
    assert found.network.layers[0].activation.name == name
    assert found.law.health.certified


def test_ten_layers_of_their_own():
    query = "&".join(f"width{layer}={layer / 5}" for layer in range(1, LAYERS + 1))
    layers = network(f"size=50&depth={LAYERS}&{query}").layers
    assert [layer.width for layer in layers] == [20 * layer for layer in range(1, LAYERS + 1)]


# ---- limits ----
@pytest.mark.parametrize(
    "query", ["size=2000&ratio=0.05&data=toeplitz", "size=2000&depth=2&width=5", "size=1000&depth=5&width4=20"]
)
def test_matrices_beyond_the_limit_are_made_smaller_with_a_notice(query):
    found = theory(query)
    wanted = SCHEMA.from_query(query)[0]["size"]
    assert largest_matrix(found.network) <= SpectrumLab.most_entries
    assert 20 <= found.network.population.dim < wanted
    assert len(found.notices) == 1
    assert f"p = {wanted} " in found.notices[0]
    assert f"p = {found.network.population.dim} is drawn" in found.notices[0]


def test_the_limit_wastes_little():
    assert largest_matrix(theory("size=2000&ratio=0.05&data=toeplitz").network) > 0.8 * SpectrumLab.most_entries


def test_white_data_need_no_matrix_and_have_no_limit():
    found = theory("size=2000&ratio=0.05")
    assert found.network.population.dim == 2000
    assert found.notices == ()


def test_the_limit_can_be_moved():
    lab = SpectrumLab()
    lab.most_entries = 10_000
    values = lab.schema.defaults() | {"data": "toeplitz"}
    found = lab.equivalent(lab.schema.resolved(values))
    assert largest_matrix(found.network) <= 10_000
    assert lab.experiment(lab.schema.resolved(values)).args[0] is found.network


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize(
    "ratio",
    [
        20.0,
        0.05,
    ],
)
def test_nothing_that_can_be_set_passes_the_limit(data, ratio):
    for size in (20, 2000):
        for width in (0.05, 20.0):
            found = theory(f"data={data}&ratio={ratio}&size={size}&depth=10&width={width}")
            assert largest_matrix(found.network) <= SpectrumLab.most_entries, (size, width)


# ---- the figure ----
def height_of(one):
    return one.session.figures["main"].look("range", "y")[1]


def shift_of(one):
    return one.session.figures["main"].look("axis", "y")["shift"]


@pytest.mark.parametrize("axes", ["linear", "log", "loglog"])
@pytest.mark.parametrize("query", SCENES)
def test_the_area_of_every_bar_is_its_share_of_all_eigenvalues(query, axes):
    one = scene(f"{query}&axes={axes}")
    left, right, top = (one.columns("actual")[name] for name in ("left", "right", "top"))
    assert len(top) == one.values["bins"]
    assert (top >= 0).all()
    np.testing.assert_array_equal(left[1:], right[:-1])
    if axes == "linear":
        areas = (right - left) * top
    elif axes == "log":
        areas = (right - left) * np.log(10.0) * top
    else:
        areas = np.where(top > 0, (10.0**right - 10.0**left) * 10.0 ** (top + shift_of(one)), 0.0)
    actual = one.session._observed["actual"]
    size = actual.shape[1 if "gram" in query else 0] * actual.ks.size
    positive = actual.eigenvalues[actual.eigenvalues > 1e-10 * actual.eigenvalues[-1]]
    counts, _ = np.histogram(positive if axes == "linear" else np.log10(positive), np.append(left, right[-1]))
    shown = top > 0 if axes == "loglog" else np.full(top.size, True)  # log-log ends four decades down
    np.testing.assert_allclose(areas[shown], counts[shown] / size, atol=1e-9)


@pytest.mark.parametrize("query", SCENES)
def test_histogram_and_bar_at_zero_hold_all_eigenvalues(query):
    one = scene(f"{query}&axes=linear")
    bars, bar = one.columns("actual"), one.columns("atom found")
    area = ((bars["right"] - bars["left"]) * bars["top"]).sum()
    atom = bar["top"][0] / height_of(one) if len(bar["top"]) else 0.0
    actual = one.session._observed["actual"]
    outside = (actual.eigenvalues > bars["right"][-1]).sum()
    size = actual.shape[1 if "gram" in query else 0] * actual.ks.size
    assert area + atom + outside / size == pytest.approx(1.0)
    assert outside <= 1 + 0.005 * actual.eigenvalues.size  # a stray one of a heavy tail, not a crowd


@pytest.mark.parametrize("query", ["", "entries=student&dof=2.1"])
def test_logarithmic_axes_hide_no_eigenvalue_below_the_edge(query):
    linear, log = scene(f"{query}&axes=linear"), scene(f"{query}&axes=log")
    assert len(log.columns("rug")["x"]) == len(linear.columns("rug")["x"])


def test_logarithmic_axes_show_an_outlier_below_the_bulk_where_it_is():
    one = scene("data=spiked&spike=0.05&ratio=0.2&axes=log")
    position = one.session._theory.law.outliers[0].position
    assert one.columns("outliers")["x"].tolist() == pytest.approx([np.log10(position)])


@pytest.mark.parametrize("axes", ["linear", "log"])
@pytest.mark.parametrize("query", SCENES)
def test_curve_and_atom_hold_all_mass(query, axes):
    one = scene(f"{query}&axes={axes}")
    curve, bar = one.columns("equivalent"), one.columns("atom")
    unit = 1.0 if axes == "linear" else np.log(10.0)
    atom = bar["top"][0] / height_of(one) if len(bar["top"]) else 0.0
    law = one.session._theory.law
    assert atom == pytest.approx(law.atom)
    # The grid crowds at the edges, where the density may be infinite: the trapezoidal rule is not exact there.
    assert unit * np.trapezoid(curve["y"], curve["x"]) + atom == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("query", SCENES)
def test_the_curve_is_that_of_the_library(query):
    one = scene(f"{query}&axes=linear")
    found = one.session._theory.network
    law = spectrum(found, matrix=one.values["side"])
    curve = one.columns("equivalent")
    np.testing.assert_array_equal(curve["x"], law.grid)
    np.testing.assert_array_equal(curve["y"], law.density)


@pytest.mark.parametrize("query", ["", "depth=2", "data=atoms2&ratio=3"])
def test_the_curve_in_logarithms(query):
    linear, log, both = (scene(f"{query}&axes={axes}") for axes in ("linear", "log", "loglog"))
    grid, density = linear.columns("equivalent")["x"], linear.columns("equivalent")["y"]
    np.testing.assert_allclose(log.columns("equivalent")["x"], np.log10(grid))
    np.testing.assert_allclose(log.columns("equivalent")["y"], grid * density)
    height = both.columns("equivalent")["y"]
    shown = height > 0
    np.testing.assert_allclose(10.0 ** (height + shift_of(both))[shown], density[shown])
    assert height.min() >= 0


@pytest.mark.parametrize(
    ("query", "axes"), [("", "linear"), ("data=power_law", "log"), ("data=digits", "log"), ("depth=1", "log")]
)
def test_automatic_axes(query, axes):
    assert scene(query).drawn() == scene(f"{query}&axes={axes}").drawn()


@pytest.mark.parametrize("axes", ["linear", "log", "loglog"])
@pytest.mark.parametrize("query", SCENES)
def test_all_that_is_drawn_is_finite_and_the_curve_is_in_sight(query, axes):
    one = scene(f"{query}&axes={axes}")
    (left, right), (low, high) = (one.session.figures["main"].look("range", axis) for axis in "xy")
    for label, columns in one.drawn().items():
        sizes = {len(column) for column in columns.values()}
        assert len(sizes) == 1, label
        for name, column in columns.items():
            if name != "text":
                assert np.isfinite(column).all(), (label, name)
    curve = one.columns("equivalent")["x"]
    assert left <= curve.min() < curve.max() <= right
    assert low < 0 < high
    marks = [*one.columns("edges")["x"], *one.columns("outliers")["x"], *one.columns("outliers found")["x"]]
    assert all(left <= mark <= right for mark in marks)


def test_the_rug_is_the_eigenvalues():
    one = scene("ratio=3")
    found = one.session._theory.network
    (drawn,) = draws(found, seed=1, count=1)
    assert one.columns("rug")["x"].tolist() == drawn.eigenvalues.tolist()
    assert len(drawn.eigenvalues) == 20


def test_bins_leave_the_rug_alone():
    one = fresh("")
    before = one.drawn()
    one.set(bins=100)
    after = one.drawn()
    assert after["rug"]["x"] == before["rug"]["x"]
    assert after["equivalent"] == before["equivalent"]
    assert len(after["actual"]["top"]) == 100


def test_edges_and_outliers_are_marked():
    one = scene("data=spiked&spike=10&ratio=0.25")
    law = one.session._theory.law
    assert one.columns("edges")["x"].tolist() == pytest.approx([0.25, 2.25])
    assert one.columns("outliers")["x"].tolist() == [law.outliers[0].position]
    assert one.columns("outliers found")["x"].size == 1
    assert one.columns("outliers found")["x"][0] == pytest.approx(law.outliers[0].position, rel=0.3)


def test_a_spike_below_the_transition_is_no_outlier():
    one = scene("data=spiked&spike=1.2&ratio=1")
    assert one.columns("outliers")["x"].size == 0
    assert readouts(one)["Spike s = 1.2"]["value"] == "no outlier"


@pytest.mark.parametrize(
    ("query", "atom"),
    [("ratio=0.5", 0.0), ("ratio=4", 0.75), ("ratio=0.25&side=gram", 0.75), ("ratio=4&side=gram", 0.0)],
)
def test_the_bar_at_zero(query, atom):
    one = scene(query)
    for label in ("atom", "atom found"):
        top = one.columns(label)["top"]
        assert len(top) == (atom > 0)
        if atom:
            assert top[0] == pytest.approx(atom * height_of(one))
    assert one.columns("notes")["text"] == ([f" mass {atom:.3g} at 0"] if atom else [])


@pytest.mark.parametrize("name", ["actual", "linear", "equivalent"])
def test_the_legend_shows_and_hides(name):
    one = fresh("depth=1&ratio=3")
    figure = one.session.figures["main"]
    one.set(**{name: False})
    if name == "equivalent":
        assert not any(figure.look("show", label) for label in ("equivalent", "edges", "outliers", "atom"))
        assert one.columns("actual")["top"].size
    else:
        assert len(one.columns(name)["top" if name == "actual" else "y"]) == 0
        assert figure.look("show", "equivalent")
    one.set(**{name: True})
    assert figure.look("show", "equivalent")
    assert len(one.columns("actual")["top"])
    assert len(one.columns("linear")["y"])


def test_a_stale_histogram_is_pale():
    one = fresh("depth=1")
    figure = one.session.figures["main"]
    full = figure.look("style", "actual")["fill_alpha"]
    one.set(ratio=2.0)
    assert figure.look("style", "actual")["fill_alpha"] < full
    one.answer()
    assert figure.look("style", "actual")["fill_alpha"] == full


def test_the_frame_trembles_little_while_bins_move():
    one = fresh("size=400")
    ends = {round(height_of(one), 12)}
    for bins in range(40, 60):
        one.set(bins=bins)
        ends.add(round(height_of(one), 12))
    assert len(ends) <= 6


# ---- what it says ----
@pytest.mark.parametrize("side", ["covariance", "gram"])
@pytest.mark.parametrize("query", ["ratio=0.5", "ratio=3", "depth=2&ratio=3", "data=digits&ratio=2"])
def test_distances_are_those_of_the_side_that_is_shown(query, side):
    one = scene(f"{query}&side={side}")
    found = one.session._theory.network
    law = spectrum(found, matrix=side)
    for reading in ("actual", "linear") if found.layers else ("actual",):
        (drawn,) = draws(found, seed=1, count=1, reading=reading)
        every = drawn.all_eigenvalues(side)
        said = readouts(one)
        assert float(said[f"KS distance, {reading}"]["value"]) == pytest.approx(
            kolmogorov_smirnov(every, law), abs=6e-5
        )
        assert float(said[f"W1 distance, {reading}"]["value"]) == pytest.approx(wasserstein1(every, law), rel=6e-3)


def test_every_readout_the_issue_asks_for():
    one = scene("data=spiked&spike=10&ratio=0.25")
    said = readouts(one)
    assert set(said) == {
        "KS distance, actual", "W1 distance, actual", "Bulk", "Atom at 0", "Largest eigenvalue", "Spike s = 10",
        "Solver", "Draw time",
    }  # fmt: skip
    assert said["Bulk"]["value"] == "[0.25, 2.25]"
    assert said["Atom at 0"]["value"] == "0"
    assert float(said["Largest eigenvalue"]["value"]) == pytest.approx(one.columns("rug")["x"][-1], rel=1e-3)
    assert "outlier predicted at" in said["Largest eigenvalue"]["detail"]
    assert "found" in said["Spike s = 10"]["value"]
    assert said["Spike s = 10"]["detail"].count("found") == 1
    assert said["Solver"]["value"] == "certified"
    assert said["Solver"]["good"] is True
    assert "residual" in said["Solver"]["detail"]
    assert said["Draw time"]["value"].endswith(" ms")


def test_while_drawing_the_readouts_of_the_draw_wait():
    one = fresh("depth=1")
    one.set(ratio=2.0)
    said = readouts(one)
    assert said["KS distance, actual"]["value"] == said["KS distance, linear"]["value"] == "…"
    assert said["Draw time"]["value"] == "…"
    assert said["Largest eigenvalue"]["value"] == "…"
    assert said["W1 distance, actual"]["value"] == "…"


def test_several_draws_have_an_error():
    said = readouts(scene("draws=4"))
    assert "±" in said["KS distance, actual"]["detail"]
    assert abs(float(said["Mean eigenvalue, z-score"]["value"])) < 6


def test_a_mean_without_spread_has_no_infinite_score():
    """The trace of sign features does not fluctuate: its distance to theory is rounding, and no reason to worry."""
    said = readouts(scene("depth=1&activation=sign&draws=4"))
    score = said.get("Mean eigenvalue, z-score")
    assert score is None or ("inf" not in score["value"] and score["good"] is not False)


def test_no_readout_is_not_a_number():
    for query in [*SCENES, "data=spiked&ratio=20&size=20", "data=mixture&ratio=20&size=20&draws=2"]:
        for readout in scene(query).session.state()["readouts"]:
            assert "nan" not in readout["value"] + readout["detail"], query


@pytest.mark.parametrize(
    ("query", "on"),
    [
        ("size=100", set()),
        ("size=100&entries=student&dof=3.9", {"four moments"}),
        ("size=100&entries=student&dof=4.1", set()),
        ("size=100&entries=uniform&dof=3", set()),
        ("data=digits&ratio=0.5", {"independent entries"}),
        ("data=digits&ratio=0.5&entries=student&dof=3", {"independent entries"}),
        ("size=40", {"large dimensions"}),
        ("size=100&ratio=5", {"large dimensions"}),
        ("size=100&depth=1&width=0.1", {"large dimensions"}),
        ("size=100&data=spiked&spike=50", {"finite spikes"}),
    ],
)
def test_lamps(query, on):
    lamps = at_rest(query).session.state()["lamps"]
    assert {lamp["label"] for lamp in lamps if lamp["on"]} == on
    assert len(lamps) == 4
    assert all(lamp["text"] for lamp in lamps)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("size=100", "n = 200 samples of dimension p = 100: p/n = 0.5"),
        ("size=100&depth=2&width=0.5", "through 2 layers of width 100, 100"),
        ("size=100&ratio=4", "A share 0.75 of the eigenvalues is exactly zero: the matrix has size 100 and rank at"),
        ("size=100&ratio=0.25&side=gram", "the matrix has size 400 and rank at most 100."),
        ("size=100&ratio=1", "hard edge"),
        ("size=400&data=atoms2&s2=40&ratio=0.05", "form 2 bulks"),
        ("size=100&data=spiked&spike=10", "The spike s = 10 is seen as an outlier"),
        ("size=100&data=spiked&spike=1.1", "is lost"),
        ("size=100&depth=1&activation=cos", "μ₁ = 0"),
        ("size=100", "Experiment and theory agree"),
        ("size=400&entries=student&dof=2.1", "differ"),
    ],
)  # fmt: skip
def test_words(query, said):
    explain = at_rest(query).session.state()["explain"]
    assert any(said in sentence for sentence in explain), explain
    assert all(sentence.endswith(".") for sentence in explain)


@pytest.mark.parametrize("query", SCENES)
def test_words_have_current_numbers_and_no_broken_ones(query):
    one = scene(query)
    state = one.session.state()
    words = " ".join(state["explain"])
    assert f"n = {one.session._theory.network.samples} samples" in words
    for broken in ("nan", "inf]", "None", "array("):
        assert broken not in words


@pytest.mark.parametrize("query", SCENES)
def test_the_table_holds_what_is_plotted(query):
    one = scene(f"{query}&axes=linear")
    found = one.lab.table(one.lab.schema.resolved(one.values), one.session._theory, one.session._observed)
    tables = {table.caption: table.plain()["columns"] for table in found}
    curve = one.columns("equivalent")
    assert tables["Deterministic equivalent"]["λ"] == curve["x"].tolist()
    assert tables["Deterministic equivalent"]["density"] == curve["y"].tolist()
    bulks = one.session._theory.law.bulks
    assert tables["Bulks"]["left edge"] == bulks[:, 0].tolist()
    actual = one.session._observed["actual"].eigenvalues
    assert tables["Non-zero eigenvalues, actual"]["λ"] == actual.tolist()


def test_the_table_of_non_zero_eigenvalues_has_no_zeros():
    one = fresh("ratio=4&data=toeplitz&depth=1&activation=identity")  # rank 15 of 22
    tables = {table["caption"]: table["columns"] for table in one.say(type="table", open=True)["tables"]}
    assert min(tables["Non-zero eigenvalues, actual"]["λ"]) > 1e-12


def test_features_that_are_all_dead_are_drawn_as_an_atom():
    """Found by chance: a chain of thresholds in which no neuron of the draw fires."""
    one = at_rest(
        "data=power_law&alpha=3&ratio=20&size=50&depth=10&activation=ternary&width1=20&activation1=identity"
        "&activation3=leaky_relu&width5=0.05&activation5=softplus&width6=0.05&width7=20&activation7=leaky_relu"
        "&width8=0.476&width9=20&activation9=sign&seed=999999&side=gram&bins=61"
    )
    assert one.told[-1]["type"] == "state"
