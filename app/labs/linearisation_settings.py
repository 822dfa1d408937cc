"""Settings of the Linearisation lab."""

from __future__ import annotations

import math

from app.labs.learning_settings import CHANCE, VIEW
from app.settings import Schema, Setting
from rmtcore import ACTIVATIONS

DIMS = tuple(2**k for k in range(13))  # where errors are computed and drawn
DEGREES = 7  # of the expansions that are shown

_ARGUMENT, _FUNCTION = "Argument", "Function and equivalents"
_LLN, _CLT = {"regime": ("lln",)}, {"regime": ("clt",)}
_NAMES = tuple((activation.name, f"{activation.label}: {activation.formula}") for activation in ACTIVATIONS.values())

SCHEMA = Schema(
    [
        Setting("regime", "Scaling", "choice", "lln", symbol="t", group=_ARGUMENT,
                choices=(("lln", "x′y/n: it concentrates"), ("clt", "x′y/√n: it stays Gaussian")),
                help="The law of large numbers takes x′y/n to its mean 0; by the central limit theorem x′y/√n stays N(0, 1)."),
        Setting("n", "Dimension", "integer", 32, symbol="n", low=1, high=DIMS[-1], step=12 / math.log10(DIMS[-1]), log=True,
                group=_ARGUMENT, player=True, help="Of the vectors x and y. n = 1 is a product of two numbers; click in the right plot, or play it."),
        Setting("vectors", "Vectors", "choice", "gaussian", symbol="x, y", group=_ARGUMENT,
                choices=(("gaussian", "Gaussian, N(0, I)"), ("sphere", "uniform on the sphere |x|² = n")),
                help="Independent of each other; on the sphere only the angle between them is random."),
        Setting("at", "Point", "number", 0.0, symbol="a", low=-3.0, high=3.0, step=0.05, when=_LLN, group=_ARGUMENT,
                help="The function is taken at a + x′y/n, and expanded at a; click in the left plot."),
        Setting("activation", "Function", "choice", "tanh", symbol="φ", choices=_NAMES, group=_FUNCTION,
                help="The nonlinearity that is to be replaced."),
        Setting("degree", "Taylor degree", "integer", 1, symbol="k", low=0, high=6, step=1, when=_LLN, group=_FUNCTION,
                help="The Taylor polynomial of this degree keeps the value and the first k derivatives at a."),
        Setting("bend", "Another member: bend", "number", 0.25, symbol="β", low=-1.0, high=1.0, step=0.05, when=_LLN, group=_FUNCTION,
                help="The polynomial plus β (t − a) to the power k + 1: the same derivatives up to k, so as good to that order."),
        Setting("carrier", "Another member: degree", "integer", 2, symbol="m", low=2, high=DEGREES, step=1, when=_CLT, group=_FUNCTION,
                help="All energy beyond the line on the one Hermite polynomial of this degree, instead of on noise."),
        Setting("draws", "Repetitions", "integer", 10, symbol="R", unit="× 1000", low=1, high=20, step=1, group=CHANCE,
                help="Each draws 1000 fresh pairs of vectors for every n; dots are means, bars their standard errors."),
        Setting("seed", "Seed", "integer", 1, low=0, high=999_999, step=0, group=CHANCE, help="Same seed, same draw."),
        Setting("zoom", "Zoom in with the argument", "flag", False, group=VIEW, when=_LLN,
                help="The frame shrinks as 1/√n with the argument: any smooth function becomes its tangent."),
        Setting("family", "More of the family", "flag", True, group=VIEW, help="Thin lines: other functions that serve as well."),
        Setting("other", "The other regime's equivalent", "flag", True, group=VIEW,
                help="What is right for the other scaling, used here: its error does not vanish."),
        Setting("actual", "Experiment", "flag", True, group="legend", help="Histogram and dots: vectors drawn in the workers."),
        Setting("equivalent", "Theory", "flag", True, group="legend", help="Lines and bars: exact densities, errors and energies."),
    ]
)  # fmt: skip

# What the theory of errors does not hang on.
WITHOUT = {"n", "zoom", "family", "other", "actual", "equivalent", "seed", "draws"}
