"""Settings of the Deep networks lab: five views, of which each shows what counts in it."""

from __future__ import annotations

from app.labs.learning_settings import CHANCE, DATA, NETWORK, VIEW, number
from app.settings import Schema, Setting, Value, Values
from rmtcore import ACTIVATIONS, get_activation

_NAMES = tuple((activation.name, activation.label) for activation in ACTIVATIONS.values())
_KERNELS = ("kernel", "spectrum", "dynamics", "compression")
_SHORT = 4  # layers of what is trained or compressed


def _in(*views: Value) -> dict[str, tuple[Value, ...]]:
    return {"view": views}


SCHEMA = Schema(
    [
        Setting("view", "View", "choice", "kernel", group=VIEW,
                choices=(("kernel", "infinite width: kernel and equivalent"), ("spectrum", "widths like n: spectra by layer"),
                         ("propagation", "signal propagation"), ("dynamics", "training in the kernel regime"),
                         ("compression", "compression without loss")),
                help="Five looks at a deep network: its kernel at infinite width, its spectra at widths in proportion to the "
                     "samples, how signals travel up, how it trains, and how few bits it needs."),
        Setting("which", "Kernel", "choice", "ck", symbol="K", group=VIEW, when=_in("kernel", "spectrum"),
                choices=(("ck", "conjugate kernel (CK)"), ("ntk", "neural tangent kernel (NTK)")),
                help="CK: inner products of the last features, all that training the last layer sees. "
                     "NTK: inner products of the gradients of all weights, what training every layer sees."),
        Setting("picture", "Shown as", "choice", "matrix", group=VIEW, when=_in("kernel"),
                choices=(("matrix", "matrix"), ("spectrum", "spectrum")),
                help="The kernel as a matrix, actual below the diagonal and equivalent above it, or the eigenvalues of both."),
        Setting("eigenvector", "Eigenvector", "integer", 1, symbol="k", low=1, high=4, step=1, group=VIEW,
                when=_in("kernel"), help="Which of the leading eigenvectors is shown over the samples, sorted by class."),
        Setting("activation", "Activation", "choice", "swish", symbol="φ", choices=_NAMES, group=NETWORK,
                when=_in(*_KERNELS), help="Nonlinearity of every layer; layers are centred, and scaled to unit variance "
                                          "except when they are compressed."),
        Setting("nonlinearity", "Activation", "choice", "tanh", symbol="φ", choices=_NAMES, group=NETWORK,
                when=_in("propagation"), help="Nonlinearity of every layer, used as it is: neither centred nor scaled."),
        Setting("depth", "Depth", "integer", 3, symbol="L", low=1, high=8, step=1, group=NETWORK, player=True,
                when=_in("kernel", "spectrum"), help="Number of hidden layers."),
        Setting("layers", "Depth", "integer", 2, symbol="L", low=1, high=_SHORT, step=1, group=NETWORK,
                when=_in("dynamics", "compression"), help="Number of hidden layers."),
        Setting("width", "Width", "number", 2.0, symbol="d/n", low=0.1, high=8.0, step=40, log=True, group=NETWORK,
                when=_in("spectrum"), help="Neurons of every layer per sample."),
        Setting("units", "Width", "integer", 500, symbol="d", low=50, high=1000, step=30, log=True, group=NETWORK,
                when=_in("propagation", "dynamics"), help="Neurons of every layer of the networks that are drawn."),
        Setting("weight", "Weight variance", "number", 4.0, symbol="σ_w²", low=0.1, high=6.0, step=0.02, group=NETWORK,
                when=_in("propagation"), player=True, help="Weights have variance σ_w²/d; click in the plane or drag the point."),
        Setting("bias", "Bias variance", "number", 0.05, symbol="σ_b²", low=0.0, high=1.0, step=0.005, group=NETWORK,
                when=_in("propagation"), help="Variance of the biases."),
        Setting("steps", "Layers passed", "integer", 12, symbol="ℓ", low=1, high=40, step=1, group=NETWORK,
                when=_in("propagation"), help="How many layers the staircases climb."),
        Setting("start", "First variance", "number", 0.4, symbol="q₀", low=0.05, high=6.0, step=40, log=True, group=DATA,
                when=_in("propagation"), help="Variance of the signal that enters; click in the variance map."),
        Setting("alike", "First correlation", "number", 0.9, symbol="c₀", low=0.0, high=0.999, step=0.001, group=DATA,
                when=_in("propagation"), help="Correlation of two signals that enter; click in the correlation map."),
        Setting("mean_norm2", "Class separation", "number", 8.0, symbol="|μ|²", low=0.1, high=20.0, step=0.1, group=DATA,
                when=_in(*_KERNELS), help="Two classes √p x ~ N(±μ, C): the squared norm of μ."),
        Setting("gap", "Difference in size", "number", 2.0, symbol="δ", low=0.0, high=5.0, step=0.05, group=DATA,
                when=_in("kernel"), help="Covariances (1 ± δ/√p) of the two classes: their samples differ in norm."),
        Setting("shape", "Difference in shape", "number", 0.0, symbol="s", low=0.0, high=0.9, step=0.01, group=DATA,
                when=_in("kernel"), help="One class varies as 1 + s along half of the directions and 1 − s along the rest; "
                                         "the other class the other way round."),
        Setting("size", "Dimension", "integer", 400, symbol="p", low=40, high=500, step=30, log=True, group=DATA,
                when=_in("kernel", "spectrum"), help="Dimension of the data."),
        Setting("samples", "Samples per dimension", "number", 0.5, symbol="n/p", low=0.2, high=4.0, step=40, log=True,
                group=DATA, when=_in("kernel", "spectrum", "dynamics", "compression"),
                help="Number n of samples divided by the dimension p."),
        Setting("dim", "Dimension", "integer", 160, symbol="p", low=40, high=300, step=30, log=True, group=DATA,
                when=_in("dynamics", "compression"), help="Dimension of the data."),
        Setting("sparsity", "Zero weights", "number", 0.9, symbol="ε", low=0.0, high=0.98, step=0.01, group="Compression",
                when=_in("compression"), help="Share of the weights that are zero; the others are +1 or −1, times one scale."),
        Setting("ridge", "Ridge", "number", 0.1, symbol="γ", low=0.01, high=10.0, step=20, log=True, group="Compression",
                when=_in("compression"), help="Ridge on the kernel, (K + γI)⁻¹ y; the network whose kernel carries less of the "
                                              "identity gets the difference added, so that both fit alike."),
        Setting("draws", "Repetitions", "integer", 8, symbol="R", low=1, high=50, step=1, group=CHANCE,
                when=_in("spectrum", "propagation", "dynamics", "compression"),
                help="Independent networks and data: dots are their mean, bars its standard error, histograms their sum."),
        Setting("seed", "Seed", "integer", 1, low=0, high=999_999, step=0, group=CHANCE, help="Same seed, same draw."),
        Setting("actual", "Actual network", "flag", True, group="legend",
                help="Drawn or trained in the workers, or the kernel itself."),
        Setting("linear", "Linear equivalent", "flag", True, group="legend", when=_in("kernel", "spectrum", "dynamics"),
                help="The same data through the linear equivalent."),
        Setting("equivalent", "Theory", "flag", True, group="legend", help="Limits, without randomness."),
    ]
)  # fmt: skip

LOOKS = {"view", "picture", "eigenvector", "actual", "linear", "equivalent"}  # what no draw depends on, but the view
CHANCE_ONLY = {"seed", "draws"}


def counting(values: Values, without: set[str]) -> tuple[tuple[str, Value], ...]:
    """The settings that count in this view, hashable, the view first."""
    return (("view", values["view"]), *SCHEMA.counting(values, without | {"view"}))


def sizes(values: Values, dimension: str, most_entries: int) -> tuple[int, int, tuple[str, ...]]:
    """p and an even n, both made smaller where an n x n matrix would pass the limit; and a notice then."""
    p, ratio = int(number(values, dimension)), number(values, "samples")
    side = int(most_entries**0.5)
    wanted, share = max(4, 2 * round(0.5 * ratio * p)), 1.0
    if wanted > side:
        share = side / wanted
    p, n = max(4, int(p * share)), max(4, 2 * int(0.5 * wanted * share))
    told = f"n = {wanted} would need a matrix of more than {most_entries:,} entries; n = {n}, p = {p} is drawn."
    return p, n, (told,) if share < 1.0 else ()


def jumps(values: Values) -> bool:
    """Whether the activation jumps, so that there is no tangent kernel."""
    return get_activation(str(values["activation"])).derivative is None
