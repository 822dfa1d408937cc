"""The settings of the Your matrix lab."""

from __future__ import annotations

from app.parts.matrix_reading import How
from app.settings import Schema, Setting, Values

_EXAMPLE, _FILE, _READING, _OVERLAYS, _VIEW = "Example", "Your file", "Reading", "Compare with", "View"

SCHEMA = Schema(
    [
        Setting("example", "Example", "choice", "after", group=_EXAMPLE,
                choices=(("before", "before training"), ("after", "after training")),
                help="A network of two tanh layers, 64 → 256 → 128 → 10, that has learnt to read digits. Shown while there is no file of yours."),
        Setting("layer", "Layer", "choice", "2", symbol="W", group=_EXAMPLE,
                choices=(("1", "first, 64 × 256"), ("2", "second, 256 × 128")),
                help="Which of its weight matrices, (inputs, outputs)."),
        Setting("array", "Matrix of the file", "integer", 0, low=0, high=999, step=1, group=_FILE,
                help="Which one, where the file holds several: its number in the table under “Data of the plot”, from 0."),
        Setting("reading", "Read it as", "choice", "weights", symbol="W", group=_READING,
                choices=(("weights", "weights, as stored"), ("rows", "data, rows are samples"),
                         ("columns", "data, columns are samples")),
                help="Of weights a spike is a signal of low rank in noise; of data, a direction of large variance. Every variable of data is centred."),
        Setting("centre", "Centre the columns", "flag", False, when={"reading": ("weights",)}, group=_READING,
                help="Subtract each column's mean: a common mean is a spike of its own."),
        Setting("level", "Significance", "number", 0.01, symbol="ε", low=1e-6, high=0.2, step=4, log=True, group=_READING,
                help="Chance that white noise alone would show a first spike, by the Tracy–Widom law."),
        Setting("seed", "Seed", "integer", 1, low=0, high=999_999, step=0, group=_READING,
                help="Of the random order of the entries, and of the bootstrap behind the tail's p-value."),
        Setting("white", "Marchenko–Pastur", "flag", True, group=_OVERLAYS, help="The law of noise of one strength, fitted."),
        Setting("generalised", "Generalised law", "flag", True, group=_OVERLAYS,
                help="The law of noise whose variance takes up to four values, fitted to the whole spectrum."),
        Setting("permuted", "Entries in random order", "flag", True, group=_OVERLAYS,
                help="The same entries in random order: what the spectrum would be if their places meant nothing."),
        Setting("population", "Population estimate", "flag", False, group=_OVERLAYS,
                help="The estimated population spectrum behind the generalised law: a stem for every value, as high as its share."),
        Setting("fit", "Fit of Marchenko–Pastur", "choice", "both", group=_VIEW,
                choices=(("both", "variance and ratio"), ("variance", "variance alone")),
                help="Correlated rows act like fewer of them: the fitted ratio c is then not p/n. The verdict goes by the ratio p/n."),
        Setting("axes", "Axes", "choice", "auto", group=_VIEW,
                choices=(("auto", "as the spectrum asks"), ("linear", "linear"), ("log", "logarithmic λ"), ("loglog", "both logarithmic")),
                help="By itself λ is logarithmic where the largest eigenvalue is far beyond the bulk. There the density is per unit of ln λ."),
        Setting("bins", "Bins", "integer", 45, low=10, high=200, step=5, group=_VIEW, help="Bars of the histogram."),
    ]
)  # fmt: skip

DISPLAY = {"fit", "axes", "bins", "white", "generalised", "permuted", "population"}  # leave the diagnosis as it is


def how_of(values: Values, most_entries: int) -> How:
    """How the matrix is to be taken."""
    return How(
        str(values["reading"]), bool(values["centre"]), float(values["level"]), int(values["seed"]), most_entries
    )
