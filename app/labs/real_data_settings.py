"""Settings of the Real data lab, and what they ask for."""

from __future__ import annotations

from dataclasses import replace

from app.labs.learning_settings import DATA, FIT, NETWORK, VIEW, chance_settings, network_settings, number
from app.parts.real_data import FETCHED, FOURIER, HIGH, LOW, RIDGES, WIDEST, Source
from app.settings import Schema, Setting, Values

GARMENTS = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")

_DIGITS = tuple((str(k), str(k)) for k in range(10))
_CLOTHES = tuple((str(k), name) for k, name in enumerate(GARMENTS))
_OTHERS = (("all", "all others"),)
_WRITTEN, _WORN = {"data": ("digits", "mnist")}, {"data": ("fashion",)}
_NEURONS = {"features": ("neurons",)}


def _activation() -> Setting:
    shared = next(setting for setting in network_settings() if setting.name == "activation")
    words = "Nonlinearity of the hidden layer, as it is. The read-out “Kernel” says how its kernel is found."
    return replace(shared, when=_NEURONS, help=words)


def _chance(setting: Setting) -> Setting:
    if setting.name != "draws":
        return replace(setting, help="Same seed, same training set and same networks.")
    words = "Independent draws of the neurons on the same data; dots are their mean, bars its standard error."
    return replace(setting, low=4, help=words)


SCHEMA = Schema(
    [
        Setting("data", "Data", "choice", "digits", group=DATA,
                choices=(("digits", "digits, 8 × 8"), ("cancer", "breast cancer, 30 features"),
                         ("mnist", "MNIST, 28 × 28 (fetched)"), ("fashion", "Fashion-MNIST (fetched)")),
                help="Digits and breast cancer come with the program; the fetched ones are downloaded from OpenML once, where there is a network."),
        Setting("one", "Class +1", "choice", "3", group=DATA, when=_WRITTEN, choices=_DIGITS,
                help="The digit with label y = +1."),
        Setting("other", "Class −1", "choice", "8", group=DATA, when=_WRITTEN, choices=_OTHERS + _DIGITS,
                help="The digit with label y = −1, or all others; the same digit twice counts as all others."),
        Setting("garment", "Class +1", "choice", "6", group=DATA, when=_WORN, choices=_CLOTHES,
                help="The garment with label y = +1."),
        Setting("garments", "Class −1", "choice", "0", group=DATA, when=_WORN, choices=_OTHERS + _CLOTHES,
                help="The garment with label y = −1, or all others; the same garment twice counts as all others."),
        Setting("samples", "Training points", "integer", 180, symbol="n", low=40, high=300, step=30, log=True, group=DATA,
                help="Drawn at random; the points left over, at most 1600, are the test set."),
        Setting("features", "Features", "choice", "neurons", group=NETWORK,
                choices=(("neurons", "one hidden layer, φ(Wx)"), (FOURIER, "random Fourier, cos and sin")),
                help="What the d random rows of W make of a point x: a neuron each, or a cosine and a sine each, 2d in all."),
        _activation(),
        Setting("width", "Width", "number", 1.5, symbol="d/n", low=0.01, high=WIDEST, step=40, log=True, group=NETWORK,
                help="Rows of W per training point: where the read-outs and the pink mark stand."),
        Setting("ridge", "Ridge", "number", 1e-3, symbol="λ", low=RIDGES[0], high=RIDGES[-1], step=4, log=True, group=FIT,
                help=f"Penalty λ|θ|² of the green curve; the two others keep the paper's {LOW:g} and {HIGH:g}. The networks stay the same."),
        *map(_chance, chance_settings(12)),
        Setting("scale", "Test error", "choice", "linear", group=VIEW,
                choices=(("linear", "linear"), ("log", "logarithmic")), help="Scale of the test error's axis."),
        Setting("twin", "Gaussian twin", "flag", True, group=VIEW, when=_NEURONS,
                help="Dashed: the equivalent on Gaussian data with the covariance, and the linear target, of these."),
        Setting("actual", "Experiment", "flag", True, group="legend", swatch="dots", help="Dots: networks trained on these data in the workers."),
        Setting("equivalent", "Theory", "flag", True, group="legend", swatch="line", help="Lines: deterministic equivalents on these data."),
    ]
)  # fmt: skip


def source_of(values: Values) -> Source:
    """The points that these settings ask for."""
    name = str(values["data"])
    file = values.get("file")
    samples, seed = int(number(values, "samples")), int(number(values, "seed"))
    if file is not None:
        return Source(f"file {file.name}", 0, None, samples, seed)
    if name == "cancer":
        return Source(name, 0, None, samples, seed)
    one, other = (values[key] for key in (("garment", "garments") if name == "fashion" else ("one", "other")))
    return Source(name, int(str(one)), None if other in ("all", one) else int(str(other)), samples, seed)


def features_of(values: Values) -> str:
    """The activation, or "fourier"."""
    return FOURIER if values["features"] == FOURIER else str(values["activation"])


def shown_ridges(values: Values) -> dict[str, float]:
    """The curves by name: the paper's two, and the slider's where it is another one."""
    ridges, own = {"low": LOW, "high": HIGH}, number(values, "ridge")
    return ridges if own in (LOW, HIGH) else ridges | {"own": own}


def drawn_ridges(values: Values) -> tuple[float, ...]:
    """Those at which the networks are fitted: all where the slider can stop, so that moving it draws nothing.

    Random Fourier features, whose theory is slow, have those that are shown.
    """
    shown = set(shown_ridges(values).values())
    return tuple(sorted(shown if features_of(values) == FOURIER else shown | set(RIDGES)))


def is_fetched(values: Values) -> bool:
    """Whether the data may have to be downloaded."""
    return values["data"] in FETCHED and values.get("file") is None


def task_words(source: Source) -> str:
    """The two classes, as one says it."""
    if source.name.startswith("file "):
        return f"“{source.name.removeprefix('file ')}”, one class against the other"
    if source.name == "cancer":
        return "benign against malignant tumours"
    names = GARMENTS if source.name == "fashion" else tuple(str(k) for k in range(10))
    against = "all others" if source.other is None else names[source.other]
    kind = "garments, " if source.name == "fashion" else "digits, "
    return f"{kind}{names[source.one]} against {against}"
