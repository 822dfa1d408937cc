"""Settings of the Equivalents lab."""

from __future__ import annotations

from app.settings import Schema, Setting, Values
from rmtcore import ACTIVATIONS

_MATRIX, _CHANCE, _VIEW = "Matrix", "Experiment", "View"
_NAMES = tuple((activation.name, activation.label) for activation in ACTIVATIONS.values())
_SEEN = {"view": ("matrices", "observation")}
_LAYERED = {"matrix": ("gram", "covariance")}
_SHAPES = (("identity", "x"), ("square", "x²"), ("log", "log(x − z)"), ("inverse", "1/(x − z)"))

# What changes neither the draw nor the ensembles.
DISPLAY = {
    "view", "observation", "images", "shape", "inside", "enclose", "left", "right", "functional", "actual", "linear",
    "equivalent", "ridge", "noise",
}  # fmt: skip
CHANCE = {"seed", "draws"}

SCHEMA = Schema(
    [
        Setting("view", "View", "choice", "matrices", group=_VIEW,
                choices=(("matrices", "the matrices themselves"), ("observation", "what is observed of them"),
                         ("contour", "a contour around eigenvalues")),
                help="Images of the three readings; an observation over many realisations; the functional of what a contour encloses."),
        Setting("images", "Images of", "choice", "matrix", group=_VIEW, when={"view": ("matrices",)},
                choices=(("matrix", "the matrix M"), ("resolvent", "its resolvent Q(z)")),
                help="M, or Q(z) = (M − z)⁻¹, which knows all eigenvalues and eigenvectors."),
        Setting("observation", "Observation", "choice", "trace", symbol="f", group=_VIEW, when=_SEEN,
                choices=(("trace", "trace of the resolvent"), ("form", "quadratic form u′Qu"),
                         ("statistic", "linear spectral statistic"), ("largest", "largest eigenvalue"),
                         ("overlap", "eigenvector overlap"), ("risk", "ridge risk")),
                help="The number that is looked at. Whether two matrices are equivalent depends on it, and u is a fixed direction: the class labels; of a covariance the direction of the class means, or half of all directions. Risk: test error; of a kernel the training error."),
        Setting("shape", "Function", "choice", "square", symbol="f(x)", group=_VIEW,
                when={"view": ("matrices", "observation"), "observation": ("statistic",)}, choices=_SHAPES,
                help="The statistic is the mean of f over all eigenvalues."),
        Setting("inside", "Function", "choice", "one", symbol="f(x)", group=_VIEW, when={"view": ("contour",)},
                choices=(("one", "1"), *_SHAPES),
                help="Summed over the enclosed eigenvalues; 1 gives their number, or the squared cosine with u."),
        Setting("functional", "Weighted by", "choice", "form", group=_VIEW, when={"view": ("contour",)},
                choices=(("form", "eigenvectors: Σ f(λᵢ)(u′vᵢ)²"), ("trace", "nothing: (1/N) Σ f(λᵢ)")),
                help="The quadratic form looks at eigenvectors too, the trace at eigenvalues alone."),
        Setting("enclose", "Contour around", "choice", "outlier", symbol="Γ", group=_VIEW, when={"view": ("contour",)},
                choices=(("outlier", "the largest outlier"), ("bulk", "the bulk"), ("all", "everything"), ("hand", "as you draw it")),
                help="Drag an end of the contour in the plot to move it by hand."),
        Setting("left", "Left end", "number", 0.4, symbol="x₋", unit="of the axis", low=0.0, high=1.0, step=0.005, group=_VIEW,
                when={"view": ("contour",), "enclose": ("hand",)}, help="Where the contour crosses the axis, as a share of its length."),
        Setting("right", "Right end", "number", 0.8, symbol="x₊", unit="of the axis", low=0.0, high=1.0, step=0.005, group=_VIEW,
                when={"view": ("contour",), "enclose": ("hand",)}, help="Where the contour crosses the axis, as a share of its length."),
        Setting("matrix", "Matrix", "choice", "gram", symbol="M", group=_MATRIX,
                choices=(("gram", "random-feature Gram F′F/n"), ("covariance", "sample covariance XX′/n"),
                         ("kernel", "kernel φ(X′X/√p)/√p")),
                help="F = φ(WX/√p). The covariance is linear in the data already."),
        Setting("data", "Data", "choice", "mixture", symbol="C", group=_MATRIX, when=_LAYERED,
                choices=(("mixture", "two classes"), ("identity", "white, C = I"), ("atoms2", "two atoms"),
                         ("toeplitz", "Toeplitz")),
                help="Population of the data, first all samples of one class, then of the other."),
        Setting("mean_norm2", "Class separation", "number", 4.0, symbol="|μ|²", low=0.0, high=20.0, step=0.1,
                group=_MATRIX, when={"data": ("mixture",)}, help="Two classes x = ±μ + noise."),
        Setting("separation", "Class separation", "number", 4.0, symbol="|μ|²", low=0.0, high=20.0, step=0.1,
                group=_MATRIX, when={"matrix": ("kernel",)}, help="Two classes x = ±μ + noise."),
        Setting("s2", "Second eigenvalue", "number", 5.0, symbol="s₂", low=0.05, high=50.0, step=40, log=True,
                when={"data": ("atoms2",)}, group=_MATRIX, help="Half of the directions have eigenvalue 1, half this one."),
        Setting("rho", "Correlation", "number", 0.6, symbol="ρ", low=-0.95, high=0.95, step=0.01,
                when={"data": ("toeplitz",)}, group=_MATRIX, help="C has entries ρ^|i−j|."),
        Setting("ratio", "Aspect ratio", "number", 0.5, symbol="p/n", low=0.02, high=2.0, step=40, log=True, group=_MATRIX,
                help="Dimension p of the data per sample. Classical statistics is p/n → 0."),
        Setting("growth", "As n grows", "choice", "proportional", group=_MATRIX, when={"matrix": ("covariance",)},
                choices=(("proportional", "p grows with it"), ("classical", "p stays: p/n → 0")),
                help="Proportional: p/n is fixed. Classical: p is what the ratio says at the smallest n, and stays."),
        Setting("width", "Width", "number", 1.5, symbol="d/n", low=0.1, high=4.0, step=40, log=True,
                when={"matrix": ("gram",)}, group=_MATRIX, help="Random features per sample."),
        Setting("activation", "Nonlinearity", "choice", "relu", symbol="φ", choices=_NAMES,
                when={"matrix": ("gram", "kernel")}, group=_MATRIX, help="Features are scaled to unit variance; kernels are not."),
        Setting("ridge", "Distance of z", "number", 0.5, symbol="λ", low=0.03, high=30.0, step=20, log=True, group=_MATRIX,
                help="z = −λ, the ridge of a regression; of a kernel, λ below the left end of its spectrum."),
        Setting("noise", "Label noise", "number", 0.1, symbol="σ²", low=0.0, high=2.0, step=0.01, group=_MATRIX,
                when={"observation": ("risk",), "matrix": ("gram", "covariance")},
                help="Variance of the noise on the labels of the regression."),
        Setting("top", "Largest n", "choice", "512", symbol="n", group=_CHANCE,
                choices=(("256", "256"), ("512", "512"), ("1024", "1024 (slow)")),
                help="Sizes double from 64 up to here; of a covariance with p > n these are the p."),
        Setting("draws", "Rounds", "integer", 16, symbol="R", low=1, high=40, step=1, group=_CHANCE,
                help="Each draws the largest matrix once, and smaller ones up to eight times."),
        Setting("seed", "Seed", "integer", 1, low=0, high=999_999, step=0, group=_CHANCE, help="Same seed, same draw."),
        Setting("actual", "Actual", "flag", True, group="legend", help="The random matrix as it is."),
        Setting("linear", "Linear equivalent", "flag", True, group="legend", when={"matrix": ("gram", "kernel")},
                help="Its linear equivalent, on the same data and weights."),
        Setting("equivalent", "Deterministic equivalent", "flag", True, group="legend", help="Without any randomness."),
    ]
)  # fmt: skip


def is_risk(values: Values) -> bool:
    """Whether the test error is observed, which has an experiment of its own."""
    return values["view"] != "contour" and values["observation"] == "risk" and values["matrix"] != "kernel"


def is_classical(values: Values) -> bool:
    """Whether p stays while n grows."""
    return values["matrix"] == "covariance" and values["growth"] == "classical"
