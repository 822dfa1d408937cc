"""The settings of the Spectrum lab."""

from __future__ import annotations

from app.settings import Schema, Setting
from rmtcore import ACTIVATIONS

LAYERS = 10

_ACTIVATIONS = tuple((activation.name, activation.label) for activation in ACTIVATIONS.values())
_DATA, _NETWORK, _CHANCE, _VIEW = "Data", "Network", "Experiment", "View"
_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def _per_layer(layer: int) -> list[Setting]:
    present = {"depth": tuple(range(layer, LAYERS + 1))}
    mark = str(layer).translate(_SUBSCRIPT)
    group = "Layers one by one"
    return [
        Setting(f"width{layer}", f"Width, layer {layer}", "number", None, symbol=f"d{mark}/n", low=0.05, high=20.0,
                step=40, log=True, when=present, follows="width", group=group,
                help=f"Neurons of layer {layer} per sample; as all layers until you move it."),
        Setting(f"activation{layer}", f"Activation, layer {layer}", "choice", None, symbol=f"φ{mark}",
                choices=_ACTIVATIONS, when=present, follows="activation", group=group,
                help=f"Nonlinearity of layer {layer}; as all layers until you choose one."),
    ]  # fmt: skip


SCHEMA = Schema(
    [
        Setting(
            "data", "Data", "choice", "identity", symbol="C", group=_DATA,
            choices=(
                ("identity", "white, C = I"), ("atoms2", "two atoms"), ("atoms3", "three atoms"),
                ("toeplitz", "Toeplitz"), ("power_law", "power law"), ("spiked", "spiked"),
                ("mixture", "two-class mixture"), ("digits", "digits (real)"),
            ),
            help="What the inputs are: their population covariance C, or real handwritten digits.",
        ),
        Setting("s2", "Second eigenvalue", "number", 5.0, symbol="s₂", low=0.05, high=50.0, step=40, log=True,
                when={"data": ("atoms2", "atoms3")}, group=_DATA,
                help="Second eigenvalue of C; the first one is 1."),
        Setting("w2", "Its weight", "number", 0.5, symbol="w₂", low=0.02, high=0.98, step=0.01,
                when={"data": ("atoms2", "atoms3")}, group=_DATA,
                help="Share of directions with the second eigenvalue (of those that do not have the third)."),
        Setting("s3", "Third eigenvalue", "number", 20.0, symbol="s₃", low=0.05, high=50.0, step=40, log=True,
                when={"data": ("atoms3",)}, group=_DATA, help="Third eigenvalue of C."),
        Setting("w3", "Its weight", "number", 0.2, symbol="w₃", low=0.02, high=0.98, step=0.01,
                when={"data": ("atoms3",)}, group=_DATA, help="Share of directions with the third eigenvalue."),
        Setting("rho", "Correlation", "number", 0.5, symbol="ρ", low=-0.95, high=0.95, step=0.01,
                when={"data": ("toeplitz",)}, group=_DATA, help="C has entries ρ^|i−j|."),
        Setting("alpha", "Capacity", "number", 1.0, symbol="α", low=0.0, high=3.0, step=0.02,
                when={"data": ("power_law",)}, group=_DATA,
                help="Eigenvalues of C fall as k to the power −α, scaled to mean 1."),
        Setting("spike", "Spike", "number", 4.0, symbol="s", low=0.05, high=50.0, step=40, log=True,
                when={"data": ("spiked",)}, group=_DATA,
                help="One eigenvalue of C; the others are 1. Far enough from 1 it leaves the bulk."),
        Setting("spike2", "Second spike", "number", 1.0, symbol="s′", low=0.05, high=50.0, step=40, log=True,
                when={"data": ("spiked",)}, group=_DATA, help="Another eigenvalue of C; 1 is none."),
        Setting("mean_norm2", "Class separation", "number", 4.0, symbol="|μ|²", low=0.0, high=20.0, step=0.1,
                when={"data": ("mixture",)}, group=_DATA,
                help="Two classes x = ±μ + noise: the squared norm of μ; it is a spike 1 + |μ|²."),
        Setting("ratio", "Aspect ratio", "number", 0.5, symbol="p/n", low=0.05, high=20.0, step=40, log=True,
                group=_DATA, help="Data dimension p divided by the number n of samples. Classical statistics is p/n → 0."),
        Setting("size", "Dimension", "integer", 400, symbol="p", low=20, high=2000, step=30, log=True,
                when={"data": ("identity", "atoms2", "atoms3", "toeplitz", "power_law", "spiked", "mixture")},
                group=_DATA, help="Data dimension of the experiment. Theory holds as it grows."),
        Setting("depth", "Depth", "integer", 0, symbol="L", low=0, high=LAYERS, step=1, group=_NETWORK,
                help="Number of random layers; 0 is the linear model."),
        Setting("width", "Width", "number", 1.5, symbol="d/n", low=0.05, high=20.0, step=40, log=True,
                when={"depth": tuple(range(1, LAYERS + 1))}, group=_NETWORK,
                help="Neurons of every layer per sample; 1 is the interpolation threshold."),
        Setting("activation", "Activation", "choice", "tanh", symbol="φ", choices=_ACTIVATIONS,
                when={"depth": tuple(range(1, LAYERS + 1))}, group=_NETWORK,
                help="Nonlinearity of every layer, scaled to unit variance so that depth keeps its scale."),
        *(setting for layer in range(1, LAYERS + 1) for setting in _per_layer(layer)),
        Setting("entries", "Entries", "choice", "gaussian", symbol="z", group=_CHANCE,
                choices=(("gaussian", "Gaussian"), ("rademacher", "±1 (Rademacher)"), ("uniform", "uniform"),
                         ("student", "Student t")),
                when={"data": ("identity", "atoms2", "atoms3", "toeplitz", "power_law", "spiked", "mixture")},
                help="Law of the standardised entries of the data. The limit is the same for all with four moments."),
        Setting("dof", "Degrees of freedom", "number", 5.0, symbol="ν", low=2.1, high=20.0, step=0.1,
                when={"entries": ("student",)}, group=_CHANCE,
                help="Of the Student t: moments exist below this order, and four are assumed."),
        Setting("draws", "Draws", "integer", 1, symbol="R", low=1, high=20, step=1, group=_CHANCE,
                help="Independent draws pooled into the histogram; from 2 on there is a Monte-Carlo error."),
        Setting("seed", "Seed", "integer", 1, low=0, high=999_999, step=0, group=_CHANCE,
                help="Same seed, same draw."),
        Setting("side", "Matrix", "choice", "covariance", group=_VIEW,
                choices=(("covariance", "covariance FF′/n"), ("gram", "Gram F′F/n")),
                help="Both have the same non-zero eigenvalues, and another atom at zero."),
        Setting("bins", "Bins", "integer", 50, low=10, high=200, step=5, group=_VIEW, help="Bars of the histogram."),
        Setting("axes", "Axes", "choice", "auto", group=_VIEW,
                choices=(("auto", "automatic"), ("linear", "linear"), ("log", "log λ"), ("loglog", "log–log")),
                help="On the log λ axis the density is per unit of ln λ, so that equal areas are equal masses; automatic takes it for layers and for data that span decades."),
        Setting("actual", "Experiment", "flag", True, group="legend", help="Histogram of the actual network."),
        Setting("linear", "Linear equivalent", "flag", True, group="legend", when={"depth": tuple(range(1, LAYERS + 1))},
                help="Outline of its draw."),
        Setting("equivalent", "Deterministic equivalent", "flag", True, group="legend", help="The predicted density."),
    ]
)  # fmt: skip
