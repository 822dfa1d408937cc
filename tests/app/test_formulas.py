"""Formulas: every lab says its own, with its place in the paper and the numbers of the library; texts too."""

import re
from functools import cache

import numpy as np
import pytest

from app.files import assets
from app.labs import LABS as ALL
from app.parts.figure import blueprint
from app.parts.formula import Formula, Formulas, Symbol, say
from app.texts import glossary_page, text
from rmtcore import Network, Population, coefficients, fixed_point, ridge_errors
from rmtcore.infinite import InfiniteNetwork

NUMBERED = re.compile(r"(Theorem|Remark|Definition)s? \d+")
# The home page shows curves of three labs, whose formulas stand there.
LABS = {name: lab for name, lab in ALL.items() if not lab.front}
QUERIES = [(name, query) for name, lab in LABS.items() for query in ("", *(query for _, query in lab.presets))]
DEEP_VIEWS = [("deep", f"view={view}") for view in ("kernel", "spectrum", "propagation", "dynamics", "compression")]
ALL = QUERIES + DEEP_VIEWS


@cache
def seen(name, query):
    """Values, theory, and the numbers of the formulas that show."""
    lab = LABS[name]
    values = lab.schema.resolved(lab.schema.from_query(query)[0]) | ({"file": None} if lab.files else {})
    theory = lab.equivalent(values)
    return values, theory, lab.formulas.numbers(values, theory, None)


@cache
def explained():
    """The symbols of the glossary."""
    cells = re.findall(r"^\| (.+?) \| .+ \|$", (assets() / "texts" / "glossary.md").read_text("utf-8"), re.M)
    return {cell.replace("\\|", "|") for cell in cells}


# ---- the numbers of a line, read back ----
def read(text):
    return float(text.replace("−", "-").replace("∞", "inf"))


@pytest.mark.parametrize(("name", "query"), ALL)
def test_a_formula_shows_with_all_its_numbers(name, query):
    shown = seen(name, query)[2]
    book = {one.name: one for one in LABS[name].formulas.catalogue}
    assert shown
    for formula, numbers in shown.items():
        assert set(book[formula].blanks) <= set(numbers)
        assert all(isinstance(value, str) for value in numbers.values())
        assert "nan" not in "".join(numbers.values())


@pytest.mark.parametrize("name", LABS)
def test_formulas_say_where_they_stand(name):
    catalogue = LABS[name].formulas.catalogue
    assert any(NUMBERED.search(one.source) for one in catalogue)
    assert all(one.source and one.meaning.endswith(".") for one in catalogue)
    assert len({one.name for one in catalogue}) == len(catalogue)


@pytest.mark.parametrize(("name", "query"), ALL)
def test_one_of_those_that_show_stands_in_the_paper(name, query):
    book = {one.name: one for one in LABS[name].formulas.catalogue}
    assert any(NUMBERED.search(book[formula].source) for formula in seen(name, query)[2])


@pytest.mark.parametrize("name", LABS)
def test_every_formula_can_be_seen(name):
    assert {one.name for one in LABS[name].formulas.catalogue} == set().union(*(seen(*one)[2] for one in more(name)))


def more(name):
    """Settings between which every formula shows."""
    asked = {
        "spectrum": ["side=gram", "data=mixture&ratio=0.5", "data=spiked"],
        "double-descent": ["family=linear", "family=deep", "split=1"],
        "dynamics": ["family=deep&ridgeless=1", "ridgeless=1"],
        "scaling": ["activation=relu&axis=width", "family=linear", "family=deep&axis=ratio"],
        "deep": ["view=kernel&which=ntk", "view=spectrum&which=ntk&activation=tanh"],
    }.get(name, [])
    return [one for one in ALL if one[0] == name] + [(name, query) for query in asked]


@pytest.mark.parametrize("name", LABS)
def test_formulas_are_cut_between_braces(name):
    for formula in LABS[name].formulas.catalogue:
        for part in formula.parts:
            assert part
            assert part.count("{") == part.count("}"), part
            assert len(re.findall(r"\\left\b", part)) == len(re.findall(r"\\right\b", part)), part


@pytest.mark.parametrize("name", LABS)
def test_every_symbol_is_explained(name):
    lab = LABS[name]
    known = lab.formulas.describe(lab.schema)["symbols"]
    for formula in lab.formulas.catalogue:
        assert formula.symbols, formula.name
        for symbol in formula.symbols:
            assert symbol in known, (formula.name, symbol)
            assert known[symbol]["meaning"]
            assert known[symbol]["text"] or known[symbol].get("setting")


@pytest.mark.parametrize("name", LABS)
def test_the_glossary_has_every_symbol(name):
    lab = LABS[name]
    texts = {one.symbol for one in lab.schema.settings if one.symbol}
    texts |= {one.text for one in lab.formulas.symbols.values()}
    of_layer = re.compile("[dφ][₀-₉]+(/n)?")  # explained as "d₁/n … d₁₀/n"
    assert {one for one in texts if not of_layer.fullmatch(one)} - explained() == set()


def test_the_glossary_has_the_layers():
    assert {"d₁/n … d₁₀/n", "φ₁ … φ₁₀"} <= explained()


@pytest.mark.parametrize("name", LABS)
def test_marks_are_there(name):
    lab = LABS[name]
    keys, figures = set(), {figure: declare_labels(declare) for figure, declare in lab.figures.items()}
    for one in more(name):
        values, theory, _ = seen(*one)
        keys |= {key.label for key in lab.report(values, theory, None).keys}
    marks = [mark for one in lab.formulas.symbols.values() for mark in one.marks]
    marks += [mark for places in lab.formulas.marks.values() for mark in places]
    assert set(lab.formulas.marks) <= set(lab.schema.by_name)
    for mark in marks:
        where, what = mark.split(":", 1)
        if where == "set":
            assert what in lab.schema.by_name, mark
        elif where == "key":
            assert what in keys, mark
        else:
            assert what in figures[where] | {"x", "y"}, mark


def declare_labels(declare):
    return set(blueprint(declare).labels)


@pytest.mark.parametrize(("name", "query"), ALL)
def test_every_assumption_names_its_theorem(name, query):
    lab = LABS[name]
    values, theory, _ = seen(name, query)
    for lamp in lab.report(values, theory, None).lamps:
        assert lab.formulas.assumes[lamp.label], lamp.label


# ---- numbers ----
def test_the_errors_are_those_of_the_library():
    _, theory, shown = seen("double-descent", "ridge=0.01&noise=0.2&width=1.2")
    errors, numbers = ridge_errors(theory.network), shown["test-shallow"]
    assert read(numbers["test"]) == pytest.approx(errors.test, rel=5e-3)
    composed = (read(numbers["misfit"]) + read(numbers["noise"])) / (1 - read(numbers["df2"]) / read(numbers["n"]))
    assert composed == pytest.approx(errors.test, rel=0.05)
    hidden = shown["train-shallow"]
    assert read(hidden["train"]) == pytest.approx(read(hidden["left"]) ** 2 * read(hidden["test"]), rel=0.02)
    assert read(hidden["kappa"]) * read(hidden["left"]) == pytest.approx(0.01, rel=0.02)


def test_at_the_threshold_the_numbers_are_finite_or_infinite():
    shown = seen("double-descent", "width=1&ridgeless=1")[2]
    assert shown["test-shallow"]["test"] == "∞"
    assert "…" not in shown["test-shallow"].values()


@pytest.mark.parametrize("ratio", [0.3, 2.0])
def test_the_edges_are_those_of_marchenko_and_pastur(ratio):
    numbers = seen("spectrum", f"ratio={ratio}")[2]["mp"]
    c = read(numbers["ratio"])
    assert [read(numbers[end]) for end in ("left", "right")] == pytest.approx(
        [(1 - np.sqrt(c)) ** 2, (1 + np.sqrt(c)) ** 2], rel=0.02
    )
    assert read(numbers["atom"]) == pytest.approx(max(0.0, 1.0 - 1.0 / c), abs=0.01)


def test_a_spike_stands_where_its_formula_says():
    numbers = seen("spectrum", "data=spiked&spike=4&ratio=0.5&size=800")[2]["spike"]
    assert read(numbers["outlier"]) == pytest.approx(4 * (1 + 0.5 / 3), rel=5e-3)
    assert read(numbers["overlap"]) == pytest.approx((1 - 0.5 / 9) / (1 + 0.5 / 3), rel=5e-3)
    assert seen("spectrum", "data=spiked&spike=1.5&ratio=0.5&size=800")[2]["spike"]["outlier"] == "in the bulk"


def test_the_step_up_is_that_of_the_chain():
    """One layer by hand: lambda = kappa (1 - df/n) must be the present ridge."""
    _, theory, _ = seen("double-descent", "ridge=0.01&activation=tanh")
    network, errors = theory.network, ridge_errors(theory.network)
    moments, d, p = network.moments()[0], network.feature_dim, network.population.dim
    below = p / (1 + errors.kappa_base)  # C = I
    up = moments.mu1**2 * d / p * errors.kappa_base * (1 - below / d) - moments.mu_star2
    assert up == pytest.approx(errors.kappa, rel=1e-9)
    shown = seen("double-descent", "ridge=0.01&activation=tanh")[2]["up"]
    assert read(shown["slope"]) == pytest.approx(moments.mu1**2, rel=5e-3)
    assert read(shown["mustar"]) == pytest.approx(moments.mu_star2, rel=5e-3)


def test_the_filter_is_that_of_gradient_flow():
    numbers = seen("dynamics", "time=0.3&ridgeless=1")[2]["flow"]
    share = 1 - np.exp(-read(numbers["time"]) * read(numbers["x"]))
    assert read(numbers["learned"]) == pytest.approx(share, rel=0.02)
    assert np.exp(-read(numbers["half"]) * read(numbers["x"])) == pytest.approx(0.5, rel=0.02)


def test_the_cubic_has_the_edges_of_the_law():
    """At an edge two roots of the cubic meet: its discriminant in m vanishes."""
    _, theory, shown = seen("kernels", "activation=tanh&mean_norm2=0&ratio=0.5")
    moments, law = theory.case.function.moments(1.0), theory.laws["actual"]
    a, nu, c = moments.mu1, moments.variance, theory.case.dim / theory.case.samples
    for edge in law.bulks.ravel():
        # 1 + z m + a^2 m^2/(c + a m) + (nu - a^2) m^2/c = 0, times c (c + a m)
        cubic = np.poly1d([a * (nu - a**2), a * c * edge + a**2 * c + c * (nu - a**2), a * c + c**2 * edge, c**2])
        roots = cubic.roots
        gaps = [abs(one - other) for i, one in enumerate(roots) for other in roots[:i]]
        assert min(gaps) < 1e-3 * max(abs(roots))
    assert read(shown["cubic"]["left"]) == pytest.approx(law.bulks[0, 0], rel=5e-3)


def test_the_distance_kernel_is_a_covariance_in_disguise():
    numbers = seen("kernels", "kind=distance&ratio=0.4&mean_norm2=0")[2]["distance"]
    slope, ends = read(numbers["slope"]), [(1 - np.sqrt(1 / 0.4)) ** 2, (1 + np.sqrt(1 / 0.4)) ** 2]
    shift = read(numbers["zero"]) - read(numbers["value"]) + 2 * slope
    assert [read(numbers[end]) for end in ("left", "right")] == pytest.approx(
        [-2 * slope * end + shift for end in ends], rel=0.02
    )


def test_the_deep_kernel_has_the_coefficients_of_the_library():
    numbers = seen("deep", "view=kernel&depth=3&activation=swish")[2]["ck"]
    row = coefficients(InfiniteNetwork(["swish"] * 3, 1.0, normalise=True))[-1]
    assert [read(numbers[name]) for name in ("c1", "c2", "c3")] == pytest.approx([row.a1, row.a2, row.a3], rel=5e-3)


def test_the_edge_of_chaos_is_that_of_the_library():
    numbers = seen("deep", "view=propagation&weight=1.7&bias=0.05&nonlinearity=tanh")[2]["chi"]
    point = fixed_point("tanh", 1.7, 0.05, 0.4)
    assert read(numbers["chi"]) == pytest.approx(point.chi1, rel=5e-3)
    assert read(numbers["reach"]) == pytest.approx(1 / abs(np.log(point.chi1)), rel=5e-3)


def test_hermite_numbers_are_those_of_the_activation():
    numbers = seen("linearisation", "regime=clt&activation=relu")[2]["hermite"]
    assert read(numbers["a0"]) == pytest.approx(1 / np.sqrt(2 * np.pi), rel=5e-3)
    assert read(numbers["a1"]) == pytest.approx(0.5, rel=5e-3)
    assert read(numbers["nu"]) == pytest.approx(0.5, rel=5e-3)


def test_the_exponents_are_the_predicted_ones():
    numbers = seen("scaling", "family=linear&axis=samples&alpha=1.5&source=0.8")[2]["samples"]
    assert read(numbers["predicted"]) == pytest.approx(-2 * 1.5 * 0.8)
    numbers = seen("scaling", "axis=width&alpha=1.5&source=0.4")[2]["width"]
    assert read(numbers["predicted"]) == pytest.approx(-1.5 * 0.8)


def test_the_covariance_of_the_equivalents_lab_is_its_resolvent():
    """(kappa/lambda) tr (C + kappa)^-1 / p at z = -lambda is the predicted trace."""
    _, theory, shown = seen("equivalents", "matrix=covariance&data=identity&observation=trace&ridge=0.5&ratio=0.5")
    last = theory.matrices.rungs[-1].network
    c = last.population.dim / last.samples
    kappa = ridge_errors(Network(Population.identity(last.population.dim), samples=last.samples, ridge=0.5)).kappa
    assert pytest.approx(kappa * (1 - c / (1 + kappa)), rel=1e-9) == 0.5
    assert read(shown["deterministic"]["predicted"]) == pytest.approx(kappa / 0.5 / (1 + kappa), rel=5e-3)


# ---- the small parts ----
def test_numbers_keep_their_length():
    assert [say(value) for value in (0.5, 12.0, 123.4, 0.0, -2.0, 1e-7, np.inf, np.nan)] == [
        "0.500", "12.0", "123", "0", "−2.00", "1.00e−7", "∞", "…",
    ]  # fmt: skip


def test_marks_become_classes():
    one = Formula(
        "a", r"@kappa{\kappa} = @ridge{\lambda}, \qquad x\quad\text{if}", "Theorem 1", "Words.", "κ = {kappa}"
    )
    assert one.parts == [r"\class{mark mark-kappa}{\kappa} = \class{mark mark-ridge}{\lambda}", "x", r"\text{if}"]
    assert (one.symbols, one.blanks) == (["kappa", "ridge"], ["kappa"])
    assert Formulas(symbols={"kappa": Symbol("κ", "ridge")}).describe(LABS["dynamics"].schema)["symbols"]["ridge"][
        "setting"
    ]


# ---- texts ----
@pytest.mark.parametrize("name", LABS)
def test_every_lab_has_a_text(name):
    found = text(name)
    for heading in ("What is shown.", "What to try.", "What is assumed.", "In the paper."):
        assert f"<strong>{heading}</strong>" in found
    assert NUMBERED.search(found)
    assert "Liao" in found or "Definition" in found or "Remark" in found or "Theorem" in found


def test_texts_are_no_html(tmp_path, monkeypatch):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "odd.md").write_text("<script>1</script> *x*")
    monkeypatch.setattr("app.texts.assets", lambda: tmp_path)
    assert text("odd") == "<p>&lt;script&gt;1&lt;/script&gt; <em>x</em></p>\n"
    assert text("there is none") == ""


def test_the_glossary_is_a_page_below_the_prefix():
    page = glossary_page("/lab")
    assert '<a href="/lab/">' in page
    assert page.count("<table>") >= 5
    assert "<td>σ_w²</td>" in page
