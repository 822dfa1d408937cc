"""What the Your matrix lab says: read-outs, the verdict with its evidence, and what the tests rest on."""

from __future__ import annotations

from app.labs.base import Lamp, Readout
from app.labs.matrix_settings import SCHEMA
from app.parts.matrix_reading import Found, sides
from app.settings import Values
from rmtcore import ArrayInfo, Diagnosis

LABELS = (
    "Verdict", "Matrix", "Marchenko–Pastur, KS", "Generalised, KS", "Spikes", "Largest spike", "Power-law tail",
    "Stable rank", "Effective rank", "Permuted, KS",
)  # fmt: skip
_MANY = 12  # arrays that are listed in words
_SMALL = 50  # side below which a limit is far

_GLOSS = {
    "bulk": "the eigenvalues are those of noise",
    "bulk + spikes": "noise, and above it a few directions that chance does not explain",
    "bulk bleeding out": "no law of few strengths fits, and no power law either: the bulk bleeds out",
    "heavy tail": "noise does not fit, and the largest eigenvalues follow a power law",
}


def readouts(name: str, found: Found) -> list[Readout]:
    """Verdict, fits, spikes, tail, ranks."""
    d = found.diagnosis
    values = [
        (d.verdict, "held against " + ("white noise" if d.model == "white" else "the generalised law"), None),
        (f"{d.shape[0]} × {d.shape[1]}", f"{_named(name, found)}; {'estimated' if d.estimated else 'exact'}, "
         f"{found.seconds:.2g} s", None),
        _white(d),
        _generalised(d),
        (str(len(d.spikes)), f"of {d.eigenvalues.size}; edge {d.edge.position:.4g} ± {d.edge.scale:.2g}", None),
        _largest(d),
        _tail(d),
        (f"{d.stable_rank:.1f}", "|W|²_F / |W|², of at most " + str(d.eigenvalues.size), None),
        (f"{d.effective_rank:.1f}", "exp of the entropy of the eigenvalues", None),
        _permuted(found),
    ]  # fmt: skip
    return [Readout(label, *value) for label, value in zip(LABELS, values, strict=True)]


def no_readouts(value: str) -> list[Readout]:
    """The same ones while there is nothing to say."""
    return [Readout(label, value) for label in LABELS]


_Value = tuple[str, str, bool | None]


def _white(d: Diagnosis) -> _Value:
    allowed = d.distances.allowed
    detail = (
        f"up to {allowed:.3f} is chance; σ² = {d.white.variance:.3g}; with fitted c = {d.effective.ratio:.3g} "
        f"(p/n = {d.shape[1] / d.rows:.3g}) {d.distances.effective:.3f}"
    )
    return f"{d.distances.white:.3f}", detail, bool(d.distances.white <= allowed)


def _generalised(d: Diagnosis) -> _Value:
    atoms = zip(d.generalised.atoms, d.generalised.weights, strict=True)
    detail = "population " + ", ".join(f"{weight:.0%} at {atom:.3g}" for atom, weight in atoms)
    return f"{d.distances.generalised:.3f}", detail, bool(d.distances.generalised <= d.distances.allowed)


def _largest(d: Diagnosis) -> _Value:
    if not d.spikes:
        chance = d.edge.p_value(float(d.eigenvalues[-1]))
        return "none", f"largest eigenvalue {d.eigenvalues[-1]:.4g}: p = {chance:.2g} (Tracy–Widom)", None
    top = d.spikes[0]
    what = "signal" if d.kind == "weights" else "population"
    detail = (
        f"{chance_words(top.p_value)}; {what} {top.strength:.3g}, shrunk {top.shrunk:.3g}, overlap {top.overlap:.2f}"
    )
    return f"λ = {top.eigenvalue:.4g}", detail, None


def chance_words(p_value: float) -> str:
    """A p-value of the Tracy-Widom law; beyond what it is computed to, a bound."""
    return f"p = {p_value:.2g}" if p_value > 1e-290 else "p < 1e-290"


def _tail(d: Diagnosis) -> _Value:
    if d.tail is None:
        return "none", "fewer than 20 eigenvalues are not zero, or all are equal", None
    detail = (
        f"{d.tail.size} eigenvalues, {d.tail.start:.3g} to {d.tail.end:.3g}; goodness of fit p = {d.tail.p_value:.2f}"
    )
    return f"α = {d.tail.alpha:.2f} ± {d.tail.error:.2f}", detail, bool(d.tail.p_value >= 0.1)


def _permuted(found: Found) -> _Value:
    d = found.diagnosis
    return f"{d.distances.permuted:.3f}", f"random order, largest eigenvalue {d.permuted[-1]:.4g}", None


def explain(name: str, found: Found, from_file: bool) -> list[str]:
    """The verdict and its evidence."""
    d = found.diagnosis
    what = "as weights" if d.kind == "weights" else "as data"
    gloss = _GLOSS[d.verdict] + (" of several strengths" if d.verdict == "bulk" and d.model != "white" else "")
    words = [
        f"{_named(name, found)} ({d.shape[0]} × {d.shape[1]}), read {what}: {d.verdict}. That is, {gloss}. "
        f"{d.evidence[0]}"
    ]
    words.extend(line.replace("+-", "±") for line in d.evidence[1:])
    told = list(found.notes)
    if d.estimated:
        told.append("The matrix is too large for all eigenvalues: they are stochastic (Lanczos) estimates.")
    if from_file and (len(found.arrays) > 1 or found.others):
        told.append(_listed(found))
    return [*words[:-1], " ".join([words[-1], *told])]


def _named(name: str, found: Found) -> str:
    array = found.array.name
    return array if array == name or not name else f"{array} of {name}"


def _listed(found: Found) -> str:
    """The arrays of the file."""
    shown = [f"{index} {words(info)}" for index, info in enumerate(found.arrays[:_MANY])]
    more = f" and {len(found.arrays) - _MANY} more" if len(found.arrays) > _MANY else ""
    text = f"Matrices of the file: {', '.join(shown)}{more}."
    if found.others:
        first = found.others[0]
        why = first.problem or "is too small"
        text += f" {len(found.others)} other arrays cannot be taken (“{first.name}” {why})."
    return text


def words(info: ArrayInfo) -> str:
    """An array and its shape."""
    rows, columns = sides(info)
    return f"{info.name} ({rows} × {columns})" if rows else info.name


def waiting(name: str, values: Values) -> list[str]:
    """What the page says while the workers read."""
    reading = SCHEMA.by_name["reading"].show(values["reading"])
    return [
        f"Reading {name} as {reading}.",
        "Its spectrum is held against Marchenko–Pastur, against a generalised law of a few strengths, "
        "and against the same entries in random order.",
        "What stands above the bulk is tested with the Tracy–Widom law, and the tail for a power law.",
    ]


def refused(name: str, reason: str) -> list[str]:
    """Why there is nothing to see."""
    return [
        f"“{name}” cannot be shown. {reason}",
        "Nothing in a file is executed, and nothing of it is kept: another one can be dropped right away.",
        "“Remove” brings back the example.",
    ]


def lamps(found: Found) -> list[Lamp]:
    """What the tests rest on, and whether this matrix leaves it."""
    d = found.diagnosis
    on = (d.model != "white", found.strays > 0, min(d.shape) < _SMALL, d.estimated)
    texts = list(_RESTS.values())
    if found.strays:
        texts[1] = (
            f"Even in random order {found.strays} eigenvalues stand above white noise: a few large entries, or a "
            "common mean, make spikes without any structure."
        )
    return [Lamp(label, bool(state), text) for label, state, text in zip(_RESTS, on, texts, strict=True)]


_RESTS = {
    "one noise strength": "White noise does not fit here: spikes are held against the generalised law instead.",
    "light entries": "In random order nothing stands above white noise.",
    "large dimensions": f"The laws are limits; below {_SMALL} rows or columns they are rough.",
    "all eigenvalues": "Beyond 2500 on the smaller side the spectrum is a stochastic estimate.",
}
