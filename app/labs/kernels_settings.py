"""The settings of the Kernels lab, and the kernel that they mean."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from app.parts.kernel_rounds import Case
from app.settings import Schema, Setting, Values
from rmtcore import ACTIVATIONS, DISTANCE_KERNELS

_KERNEL, _DATA, _CHANCE, _VIEW = "Kernel", "Data", "Experiment", "View"
_INNER, _DISTANCE = {"kind": ("inner",)}, {"kind": ("distance",)}

SCHEMA = Schema(
    [
        Setting("kind", "Kernel of", "choice", "inner", symbol="K", group=_KERNEL,
                choices=(("inner", "inner products"), ("distance", "squared distances")),
                help="Entries φ(x′y/√p)/√p or f(|x − y|²/p). Inner products over √p stay random, about N(0, 1): φ is felt as a whole (CLT scaling). Squared distances over p concentrate at 2: f is felt only near 2 (LLN scaling)."),
        Setting("activation", "Function", "choice", "sign", symbol="φ", when=_INNER, group=_KERNEL,
                choices=tuple((one.name, one.label) for one in ACTIVATIONS.values()),
                help="Applied to every inner product off the diagonal, less its Gaussian mean."),
        Setting("function", "Function", "choice", "gaussian", symbol="f", when=_DISTANCE, group=_KERNEL,
                choices=tuple((one.name, f"{one.label}, {one.formula}") for one in DISTANCE_KERNELS.values()),
                help="Applied to every squared distance t = |x − y|²/p."),
        Setting("beside", "Compare with", "choice", "twin", group=_KERNEL,
                choices=(("twin", "its quadratic twin"), ("linear", "its linear equivalent"),
                         ("nothing", "nothing")),
                help="A second kernel matrix on the same data. The twin is another function with the same a₁ and ν (for distances: the same f(0), f(2), f′(2)); the linear equivalent is a₁X′X/p plus independent noise (for distances: the Taylor expansion at 2)."),
        Setting("ratio", "Aspect ratio", "number", 0.8, symbol="p/n", low=0.05, high=20.0, step=40, log=True, group=_DATA,
                help="Dimension p of the data divided by the number n of points."),
        Setting("size", "Points", "integer", 800, symbol="n", low=40, high=1500, step=30, log=True, group=_DATA,
                help="Number of data points: the kernel matrix is n × n. Theory holds as n and p grow together."),
        Setting("mean_norm2", "Class separation", "number", 3.0, symbol="|μ|²", low=0.0, high=20.0, step=0.1, group=_DATA,
                help="Two classes x = ±μ + z of equal size: the squared norm of μ. 0 is one class."),
        Setting("entries", "Entries", "choice", "gaussian", symbol="z", group=_DATA,
                choices=(("gaussian", "Gaussian"), ("rademacher", "±1 (Rademacher)"), ("uniform", "uniform"),
                         ("student", "Student t")),
                help="Law of the standardised entries of the data. The bulk is the same for all; the outliers of the norms depend on E z⁴, and with ±1 there are none."),
        Setting("dof", "Degrees of freedom", "number", 6.0, low=4.1, high=20.0, step=0.1,
                when={"entries": ("student",)}, group=_DATA,
                help="Of the Student t: moments exist below this order; the norms need four."),
        Setting("draws", "Draws", "integer", 4, symbol="R", low=1, high=20, step=1, group=_CHANCE,
                help="Independent data sets pooled into the histogram, one after the other."),
        Setting("seed", "Seed", "integer", 1, low=0, high=999_999, step=0, group=_CHANCE, help="Same seed, same draw."),
        Setting("bins", "Bins", "integer", 60, low=10, high=200, step=5, group=_VIEW, help="Bars of the histogram."),
        Setting("axes", "Density axis", "choice", "linear", group=_VIEW,
                choices=(("linear", "linear"), ("logy", "logarithmic")),
                help="On a logarithmic axis one sees a wide, thin bulk beside a narrow, high one (p much smaller than n)."),
        Setting("actual", "Experiment", "flag", True, group="legend", help="Histogram of the kernel matrix."),
        Setting("equivalent", "Deterministic equivalent", "flag", True, group="legend", help="The predicted density."),
    ]
)  # fmt: skip

DISPLAY = {"bins", "axes", "actual", "equivalent"}  # what changes neither the law nor the draw
_SMALLEST = 20


def case_of(values: Values, most_entries: int) -> tuple[Case, tuple[str, ...]]:
    """The kernel and its data, smaller where its matrices would pass the limit; and notices of that."""
    return _case(SCHEMA.counting(values, DISPLAY | {"beside", "draws", "seed"}), most_entries)


@lru_cache(maxsize=512)
def _case(settings: tuple[tuple[str, Any], ...], most_entries: int) -> tuple[Case, tuple[str, ...]]:
    values = dict(settings)
    wanted, ratio = int(values["size"]), float(values["ratio"])
    # The kernel matrix has n^2 entries, the data have p n.
    n = max(_SMALLEST, min(wanted, int(np.sqrt(most_entries / max(1.0, ratio)))))
    notices: tuple[str, ...] = ()
    if n < wanted:
        notices = (f"n = {wanted} would need a matrix of more than {most_entries:,} entries; n = {n} is drawn.",)
    distance = values["kind"] == "distance"
    case = Case(
        distance,
        values["function" if distance else "activation"],
        max(1, round(ratio * n)),
        n,
        float(values["mean_norm2"]),
        values["entries"],
        float(values.get("dof", 6.0)),
    )
    return case, notices
