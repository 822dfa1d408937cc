"""The Your matrix lab: what is painted is what the library finds; bad files get a sentence, and harm nobody."""

import contextlib
import io
import time
import zipfile
from functools import cache

import numpy as np
import pytest
from visitor import Visitor

from app.labs.base import Upload
from app.labs.matrix import MatrixLab
from app.labs.matrix_scenes import white_curve
from app.labs.matrix_settings import DISPLAY, SCHEMA
from app.labs.matrix_words import LABELS
from app.parts import matrix_reading
from app.parts.matrix_reading import Found, How, Refusal, contrasts, read_example, read_file
from rmtcore import Network, Population, diagnose, spectrum

LAB = MatrixLab()
RNG = np.random.default_rng(0)
NOISE = RNG.standard_normal((120, 60))
SPIKED = NOISE + 2.5 * np.outer(RNG.standard_normal(120), RNG.standard_normal(60)) / np.sqrt(60)


def npy(matrix):
    file = io.BytesIO()
    np.save(file, matrix)
    return file.getvalue()


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def visitor(query="", file=None):
    one = Visitor(query, lab=LAB)
    if file is not None:
        drop(one, *file)
    else:
        one.answer()
    return one


def drop(one, name, data):
    one.session.attach(Upload(name, data))
    one.turn()
    one.answer()


@cache
def at_rest(query=""):
    """To look at only."""
    return visitor(query)


def columns(one, label, figure="main"):
    return one.session.figures[figure].columns(label)


def readouts(one):
    return {readout["label"]: readout for readout in one.told[-1]["readouts"]}


def text(one):
    return " ".join(one.told[-1]["explain"])


def values(query=""):
    return SCHEMA.resolved(SCHEMA.from_query(query)[0]) | {"file": None}


# ---- the example ----
def test_before_training_noise_and_after_it_spikes():
    before, after = at_rest("example=before"), at_rest()
    assert readouts(before)["Verdict"]["value"] == "bulk"
    assert not columns(before, "outliers found")["x"].size
    assert readouts(after)["Verdict"]["value"] == "bulk + spikes"
    spikes = columns(after, "outliers found")["x"]
    assert spikes.size == int(readouts(after)["Spikes"]["value"]) >= 5
    assert spikes.min() > columns(after, "edges")["x"].max()
    for one in (before, after):
        assert readouts(one)["Marchenko–Pastur, KS"]["good"] is True
        assert readouts(one)["Generalised, KS"]["good"] is True


def test_the_example_is_what_ships():
    found = read_example("layer1_after", How())
    assert (found.array.name, found.diagnosis.shape) == ("layer1_after", (64, 256))


# ---- what is drawn ----
def test_what_is_drawn_is_what_the_library_finds():
    one = visitor("bins=30", ("mine.npy", npy(SPIKED)))
    d = diagnose(SPIKED, "weights", 0.01, 1)
    bars, y = columns(one, "actual"), d.eigenvalues
    counts, _ = np.histogram(y, np.append(bars["left"], bars["right"][-1]))
    np.testing.assert_allclose(bars["top"], counts / (y.size * np.diff(bars["left"])[0]), rtol=1e-9)
    assert [len(d.spikes), d.verdict] == [1, "bulk + spikes"]
    np.testing.assert_allclose(columns(one, "outliers found")["x"], [d.spikes[0].eigenvalue])
    np.testing.assert_allclose(columns(one, "outliers")["x"], [d.spikes[0].shrunk])
    line = columns(one, "shrinkage")
    assert (line["x0"][0], line["x1"][0]) == (d.spikes[0].eigenvalue, d.spikes[0].shrunk)
    np.testing.assert_allclose(10 ** columns(one, "actual eigenvalues", "tail")["x"], y)
    np.testing.assert_allclose(10 ** columns(one, "actual eigenvalues", "tail")["y"], np.arange(60, 0, -1) / 60)
    tail = columns(one, "power law", "tail")
    slope = np.diff(tail["y"])[0] / np.diff(tail["x"])[0]
    assert slope == pytest.approx(1.0 - d.tail.alpha)
    shown = readouts(one)
    assert shown["Marchenko–Pastur, KS"]["value"] == f"{d.distances.white:.3f}"
    assert shown["Largest spike"]["value"] == f"λ = {d.spikes[0].eigenvalue:.4g}"
    assert f"{d.spikes[0].strength:.3g}" in shown["Largest spike"]["detail"]
    assert shown["Stable rank"]["value"] == f"{np.sum(SPIKED**2) / np.linalg.norm(SPIKED, 2) ** 2:.1f}"
    assert shown["Power-law tail"]["value"] == f"α = {d.tail.alpha:.2f} ± {d.tail.error:.2f}"


@pytest.mark.parametrize("shape", [(120, 60), (60, 150), (60, 60)])
def test_the_curves_have_the_area_of_the_bulk(shape):
    """Both laws against the histogram of a spiked matrix: the same share of eigenvalues below every place."""
    rng = np.random.default_rng(1)
    strong = 4.0 * np.outer(rng.standard_normal(shape[0]), rng.standard_normal(shape[1])) / np.sqrt(min(shape))
    one = visitor("", ("a.npy", npy(rng.standard_normal(shape) + strong)))
    y = one.session._observed.diagnosis.eigenvalues
    law = one.session._observed.diagnosis.generalised.law
    for label in ("equivalent", "white"):
        curve = columns(one, label)
        inside = np.trapezoid(curve["y"], curve["x"])
        assert inside == pytest.approx(1.0 - 1.0 / y.size, abs=0.035), label  # square-root edges, few points at zero
    assert law.grid.size == columns(one, "equivalent")["x"].size


@pytest.mark.parametrize(("n", "p"), [(200, 100), (100, 200)])
def test_the_curve_of_marchenko_and_pastur_is_the_chains(n, p):
    found = read_file(npy(np.random.default_rng(2).standard_normal((n, p))), "a.npy", 0, How())
    assert found.white_spikes == 0
    x, density = white_curve(found, "variance")
    white = Population.atoms([found.diagnosis.white.variance], [1.0], p)
    law = spectrum(Network(white, samples=n))
    expected = np.interp(x[5:-5], law.grid, law.density) * p / min(n, p)
    np.testing.assert_allclose(density[5:-5], expected, rtol=0.02, atol=0.005 * density.max())


def test_flags_hide_and_the_population_shows_its_atoms():
    one = visitor("population=1&white=0&generalised=0&permuted=0")
    d, figure = one.session._observed.diagnosis, one.session.figures["main"]
    hidden = {label for label in figure.blueprint.labels if figure.look("show", label) is False}
    assert hidden == {"white", "equivalent", "atom", "linear"}
    assert not columns(one, "permuted", "tail")["x"].size
    np.testing.assert_allclose(columns(one, "population")["x0"], d.generalised.atoms)
    heights = columns(one, "population tops")["y"]
    np.testing.assert_allclose(heights / heights.sum(), d.generalised.weights)


def test_far_spikes_make_the_axis_logarithmic():
    far = visitor("", ("a.npy", npy(NOISE + 3 * (SPIKED - NOISE))))
    assert far.session.figures["main"].look("axis", "x")["log"] is True
    far.set(axes="linear")
    assert far.session.figures["main"].look("axis", "x")["log"] is False
    assert at_rest().session.figures["main"].look("axis", "x")["log"] is False


def test_centring_is_exact():
    moved = NOISE + 3.0
    plain = visitor("", ("a.npy", npy(moved)))
    centred = visitor("centre=1", ("a.npy", npy(moved)))
    assert readouts(plain)["Spikes"]["value"] == "1"
    assert readouts(centred)["Spikes"]["value"] == "0"
    inner = contrasts(moved)
    less = moved - moved.mean(axis=0)
    np.testing.assert_allclose(inner.T @ inner, less.T @ less, atol=1e-10)
    assert "one degree of freedom" in text(centred)


def test_the_level_decides_how_many_spikes_count():
    counts = [int(readouts(at_rest(f"level={level:g}"))["Spikes"]["value"]) for level in (1e-6, 0.01)]
    d = at_rest().session._observed.diagnosis
    expected = [sum(spike.p_value <= level for spike in d.spikes) for level in (1e-6, 0.01)]
    assert counts == expected
    assert counts[0] < counts[1]


def test_columns_that_are_samples_are_the_transpose():
    one = visitor("reading=columns", ("a.npy", npy(SPIKED.T)))
    expected = diagnose(SPIKED, "data", 0.01, 1)
    np.testing.assert_allclose(one.session._observed.diagnosis.eigenvalues, expected.eigenvalues)


# ---- what moves the diagnosis and what does not ----
def test_display_keeps_the_diagnosis():
    before = values()
    key = LAB.experiment(before).key
    changes = {name: (not before[name] if isinstance(before[name], bool) else "log") for name in DISPLAY - {"bins"}}
    for name, value in (changes | {"bins": 20, "array": 3}).items():
        assert LAB.experiment(before | {name: value}).key == key, name
    for name, value in {
        "example": "before",
        "layer": "1",
        "reading": "rows",
        "centre": True,
        "seed": 4,
        "level": 1e-3,
    }.items():
        assert LAB.experiment(before | {name: value}).key != key, name
    file = before | {"file": Upload("a.npy", b"")}
    assert LAB.experiment(file | {"layer": "1"}).key == LAB.experiment(file).key
    assert LAB.experiment(file | {"array": 1}).key != LAB.experiment(file).key
    assert LAB.experiment(file).keep is False


# ---- files ----
def test_of_many_arrays_one_is_chosen_and_the_others_are_named():
    data = npz(bias=np.ones(50), first=NOISE, small=np.eye(5), second=SPIKED)
    one = visitor("", ("net.npz", data))
    assert "0 first (120 × 60), 1 second (120 × 60)" in text(one)
    assert "2 other arrays cannot be taken (“bias” is one-dimensional" in text(one)
    assert "first of net.npz" in readouts(one)["Matrix"]["detail"]
    one.set(array=1)
    one.answer()
    assert "second of net.npz" in readouts(one)["Matrix"]["detail"]
    assert one.told[-1]["notices"] == []
    one.set(array=7)
    one.answer()
    assert one.told[-1]["notices"] == ["The file holds 2 matrices, 0 to 1: 1 is shown instead of 7."]
    table = one.say(type="table", open=True)["tables"][0]
    assert "1 second (120 × 60)" in table["caption"]
    assert table["columns"]["rows"] == [120, 120]


def bomb():
    """An archive whose one member unpacks to a thousand times its size."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", npy(np.zeros((1500, 1500))))
    return raw.getvalue()


HOSTILE = {
    "a pickle": ("a.npy", npy(np.array([{}, {}], object)), "Python objects"),
    "a pickle under another name": ("a.csv", b"\x80\x04K\x01.", "a pickle"),
    "a zip bomb": ("a.npz", bomb(), ""),
    "half a file": ("a.npy", npy(NOISE)[:-1000], ""),
    "half an archive": ("a.npz", npz(a=NOISE)[:-1000], ""),
    "nothing": ("a.csv", b"", "empty"),
    "another kind": ("a.exe", b"MZ", "are read"),
    "a constant": ("a.npy", npy(np.zeros((50, 50))), "more than zeros"),
    "a small matrix": ("a.npy", npy(np.eye(9)), "is 9 × 9: both sides must be at least 21"),
    "a small table": ("a.csv", b"1,2\n3,4\n5,6\n", "The matrix is 3 × 2"),
    "no number": ("a.npy", npy(np.full((40, 40), np.nan)), "NaN"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bad_file_gets_a_calm_sentence_and_the_next_one_works(name):
    file, data, words = HOSTILE[name]
    one = visitor()
    drop(one, file, data)
    told = one.told[-1]
    assert (told["type"], told["busy"]) == ("state", False)
    assert told["explain"][0].startswith(f"“{file}” cannot be shown. ")
    assert words in told["explain"][0]
    assert "Traceback" not in text(one)
    assert {readout["value"] for readout in told["readouts"]} == {"no matrix"}
    assert told["lamps"] == []
    assert not columns(one, "actual")["top"].size
    drop(one, "good.npy", npy(NOISE))
    assert readouts(one)["Verdict"]["value"] == "bulk"
    one.say(type="file")
    one.answer()
    assert "layer2_after" in text(one)


def test_a_file_that_takes_too_long_is_given_up(monkeypatch):
    def endless(*_):
        while True:
            with contextlib.suppress(Exception):  # as a decoder might
                time.sleep(0.01)

    monkeypatch.setattr(matrix_reading, "contents", endless)
    start = time.perf_counter()
    refusal = read_file(b"x", "a.npy", 0, How(), patience=0.2)
    assert refusal == Refusal("Opening the file took more than 0.2 seconds and was given up.")
    assert time.perf_counter() - start < 2.0
    monkeypatch.undo()
    assert isinstance(read_file(npy(NOISE), "a.npy", 0, How(), patience=0.5), Found)
    time.sleep(0.6)  # the alarm is off


def test_two_visitors_never_see_each_others_file():
    one, other = visitor(), visitor()
    before = readouts(other)
    drop(one, "mine.npy", npy(SPIKED))
    assert readouts(one)["Matrix"]["value"] == "120 × 60"
    assert readouts(other) == before
    drop(other, "mine.npy", npy(SPIKED))
    assert one.workers.requests[-1].key != other.workers.requests[-1].key
    assert one.workers.requests[-1].keep is other.workers.requests[-1].keep is False


# ---- words ----
def test_the_words_hold_the_verdict_and_its_numbers():
    for query in ("", "example=before", "layer=1", "reading=rows"):
        one = at_rest(query)
        d, told = one.session._observed.diagnosis, one.told[-1]
        assert 3 <= len(told["explain"]) <= 5
        assert f": {d.verdict}." in told["explain"][0]
        for number in (f"{d.distances.white:.3f}", f"{d.tail.alpha:.2f} ± {d.tail.error:.2f}"):
            assert number in text(one)
        assert f"distance {d.distances.permuted:.3f}" in text(one)


def test_heavy_entries_light_their_lamp_and_so_does_a_bulk_that_is_not_white():
    def on(matrix):
        lamps = visitor("", ("a.npy", npy(matrix))).told[-1]["lamps"]
        return {lamp["label"] for lamp in lamps if lamp["on"]}

    rng = np.random.default_rng(3)
    assert on(NOISE) == set()
    assert "light entries" in on(rng.standard_t(1.5, (120, 60)))
    uneven = rng.standard_normal((200, 100)) * np.repeat([1.0, 4.0], 50)
    assert on(uneven) == {"one noise strength"}
    assert "large dimensions" in on(rng.standard_normal((200, 30)))


def test_nothing_jumps_when_the_numbers_come():
    one = Visitor("", lab=LAB)
    assert [readout["label"] for readout in one.told[-1]["readouts"]] == list(LABELS)
    assert {readout["value"] for readout in one.told[-1]["readouts"]} == {"…"}
    one.answer()
    assert [readout["label"] for readout in one.told[-1]["readouts"]] == list(LABELS)


def test_what_is_left_behind_turns_pale():
    one = visitor()
    one.set(layer="1")
    assert one.session.figures["main"].look("style", "white")["line_alpha"] == 0.3
    assert readouts(one)["Verdict"]["value"] == "…"
    one.answer()
    assert one.session.figures["main"].look("style", "white")["line_alpha"] == 1.0


def test_the_tables_hold_what_is_plotted():
    one = visitor()
    tables = {table["caption"]: table["columns"] for table in one.say(type="table", open=True)["tables"]}
    np.testing.assert_allclose(tables["Spikes"]["λ"], columns(one, "outliers found")["x"])
    np.testing.assert_allclose(tables["Marchenko–Pastur, fitted"]["density"], columns(one, "white")["y"])
    np.testing.assert_allclose(tables["Generalised law"]["density"], columns(one, "equivalent")["y"])
    assert len(tables["Eigenvalues"]["λ in random order"]) == 128


# ---- every choice ----
@pytest.mark.parametrize(
    "matrix",
    [NOISE, SPIKED, np.diag(np.arange(1.0, 41.0)), np.random.default_rng(4).standard_t(1.0, (60, 60)),
     np.outer(np.arange(1.0, 31.0), np.arange(1.0, 41.0)), np.r_[NOISE[:, :30], np.zeros((20, 30))],
     np.linalg.qr(NOISE)[0]],
    ids=["noise", "spiked", "diagonal", "Cauchy", "rank one", "rows of zeros", "rotation"],
)  # fmt: skip
def test_every_choice_paints_finite_numbers(matrix):
    one = visitor("", ("a.npy", npy(matrix)))
    one.say(type="table", open=True)
    for setting in SCHEMA.settings:
        if setting.name in ("array", "seed"):
            continue
        options = [key for key, _ in setting.choices] or [True, False]
        for option in [10, 200] if setting.kind == "integer" else options:
            assert one.set(**{setting.name: option})["type"] == "state", (setting.name, option)
            if one.session._stale:
                one.answer()
            assert one.told[-1]["type"] == "state", (setting.name, option)
            assert one.told[-1]["tables"], (setting.name, option)
            for figure in one.session.figures.values():
                assert np.all(np.diff([figure.look("range", axis) for axis in "xy"]) > 0)
                for label in figure.blueprint.labels:
                    for name, column in figure.columns(label).items():
                        assert name == "text" or np.isfinite(column).all(), (setting.name, option, label)
        one.set(**{setting.name: setting.default})
        if one.session._stale:
            one.answer()
