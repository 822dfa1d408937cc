"""Settings that the learning labs share: the data and their target, the family of the network, the fit."""

from __future__ import annotations

from typing import Any, Literal, cast

import numpy as np

from app.settings import Setting, Values
from rmtcore import ACTIVATIONS, Layer, Network, Population

DATA, NETWORK, FIT, CHANCE, VIEW = "Data", "Network", "Fit", "Experiment", "View"

_NONLINEAR = {"family": ("shallow", "deep")}


def data_settings(default: str = "identity") -> list[Setting]:
    """What x and y are."""
    return [
        Setting("data", "Data", "choice", default, symbol="C", group=DATA,
                choices=(("identity", "white, C = I"), ("atoms2", "two atoms"), ("toeplitz", "Toeplitz"),
                         ("power_law", "power law"), ("spiked", "spiked"), ("mixture", "two-class mixture")),
                help="Population covariance C of the inputs; the target is linear in them, plus noise."),
        Setting("s2", "Second eigenvalue", "number", 5.0, symbol="s₂", low=0.05, high=50.0, step=40, log=True,
                when={"data": ("atoms2",)}, group=DATA, help="Half of the directions have eigenvalue 1, half this one."),
        Setting("rho", "Correlation", "number", 0.5, symbol="ρ", low=-0.95, high=0.95, step=0.01,
                when={"data": ("toeplitz",)}, group=DATA, help="C has entries ρ^|i−j|."),
        Setting("alpha", "Capacity", "number", 1.2, symbol="α", low=0.0, high=3.0, step=0.02,
                when={"data": ("power_law",)}, group=DATA, help="Eigenvalues of C fall as k to the power −α."),
        Setting("source", "Source", "number", 0.7, symbol="r", low=0.0, high=3.0, step=0.02,
                when={"data": ("power_law",)}, group=DATA,
                help="Smoothness of the target: its energy falls as k to the power −(2αr + 1)."),
        Setting("spike", "Spike", "number", 10.0, symbol="s", low=0.05, high=50.0, step=40, log=True,
                when={"data": ("spiked",)}, group=DATA, help="One eigenvalue of C; the others are 1."),
        Setting("mean_norm2", "Class separation", "number", 4.0, symbol="|μ|²", low=0.1, high=20.0, step=0.1,
                when={"data": ("mixture",)}, group=DATA,
                help="Two classes x = ±μ + noise with labels ±1, fitted by least squares."),
        Setting("size", "Dimension", "integer", 100, symbol="p", low=20, high=400, step=30, log=True, group=DATA,
                help="Data dimension of the experiment."),
        Setting("samples", "Samples per dimension", "number", 2.0, symbol="n/p", low=0.1, high=10.0, step=40, log=True,
                group=DATA, help="Number n of training samples divided by the dimension p."),
        Setting("noise", "Label noise", "number", 0.1, symbol="σ²", low=0.0, high=2.0, step=0.01, group=DATA,
                help="Variance of the noise on the labels; the target itself has variance 1."),
    ]  # fmt: skip


def network_settings(family: str = "shallow") -> list[Setting]:
    """Which of the paper's three families, and its layers."""
    names = tuple((activation.name, activation.label) for activation in ACTIVATIONS.values())
    return [
        Setting("family", "Family", "choice", family, group=NETWORK,
                choices=(("linear", "linear model"), ("shallow", "shallow network"), ("deep", "deep network")),
                help="The paper's three families: no layer, one random layer, several."),
        Setting("depth", "Depth", "integer", 3, symbol="L", low=2, high=10, step=1, when={"family": ("deep",)},
                group=NETWORK, help="Number of random layers; the last weights are trained."),
        Setting("width", "Width", "number", 1.5, symbol="d/n", low=0.1, high=10.0, step=40, log=True,
                when=_NONLINEAR, group=NETWORK, help="Neurons of every layer per sample; 1 is the interpolation threshold."),
        Setting("activation", "Activation", "choice", "relu", symbol="φ", choices=names, when=_NONLINEAR,
                group=NETWORK, help="Nonlinearity of every layer, scaled to unit variance so that depth keeps its scale."),
    ]  # fmt: skip


def ridge_settings(default: float = 1e-3) -> list[Setting]:
    """The regularisation."""
    return [
        Setting("ridge", "Ridge", "number", default, symbol="λ", low=1e-8, high=100.0, step=10, log=True,
                when={"ridgeless": (False,)}, group=FIT, help="Penalty λ|θ|² on the trained weights."),
        Setting("ridgeless", "Without ridge (λ → 0)", "flag", False, group=FIT,
                help="The least-norm interpolator where there is one; infinite at the threshold."),
    ]  # fmt: skip


def chance_settings(rounds: int = 10) -> list[Setting]:
    """The experiment's chance."""
    return [
        Setting("draws", "Repetitions", "integer", rounds, symbol="R", low=1, high=50, step=1, group=CHANCE,
                help="Independent networks with independent data; dots are their mean, bars its standard error."),
        Setting("seed", "Seed", "integer", 1, low=0, high=999_999, step=0, group=CHANCE, help="Same seed, same draw."),
    ]  # fmt: skip


def legend_settings() -> list[Setting]:
    """Which of the three readings are drawn."""
    return [
        Setting("actual", "Experiment", "flag", True, group="legend", swatch="dots", help="Dots: networks trained in the workers."),
        Setting("linear", "Linear equivalent", "flag", False, group="legend", when=_NONLINEAR, swatch="squares",
                help="Squares: the same data, weights and labels, every nonlinearity replaced by a line plus noise."),
        Setting("equivalent", "Theory", "flag", True, group="legend", swatch="line", help="Lines: deterministic equivalents."),
    ]  # fmt: skip


def readings_of(values: Values) -> Literal["actual", "both"]:
    """What an experiment draws."""
    return "both" if values["linear"] and values["family"] != "linear" else "actual"


def number(values: Values, name: str) -> float:
    """A numeric setting."""
    return float(cast("float", values[name]))


def ridge_of(values: Values) -> float:
    """The ridge, 0 where there is none."""
    return 0.0 if values["ridgeless"] else number(values, "ridge")


def population_of(values: Values, size: int) -> Population:
    """The population of the shared data settings."""
    kind = values["data"]
    if kind == "atoms2":
        return Population.atoms([1.0, number(values, "s2")], [0.5, 0.5], size)
    if kind == "toeplitz":
        return Population.toeplitz(number(values, "rho"), size)
    if kind == "power_law":
        return Population.power_law(number(values, "alpha"), size, number(values, "source"))
    if kind == "spiked":
        return Population.spiked([number(values, "spike")], size)
    if kind == "mixture":
        return Population.mixture(number(values, "mean_norm2"), size)
    return Population.identity(size)


def depth_of(values: Values) -> int:
    """Number of random layers of the family."""
    return {"linear": 0, "shallow": 1}.get(str(values["family"]), int(number(values, "depth")))


def network_of(values: Values, population: Population, **changes: Any) -> Network:
    """The network at these settings, or with other `samples`, `width` (neurons) or `ridge`."""
    samples = int(changes.get("samples", max(2, round(number(values, "samples") * population.dim))))
    width = int(changes.get("width", max(2, round(number(values, "width") * samples))))
    layers = [Layer(width, str(values["activation"]), normalise=True)] * depth_of(values)
    ridge = float(changes.get("ridge", ridge_of(values)))
    return Network(population, layers, samples=samples, noise=number(values, "noise"), ridge=ridge)


def effective_dimension(population: Population) -> float:
    """(tr C)^2 / tr C^2: how many directions carry the variance."""
    return float(np.sum(population.counts * population.eigenvalues) ** 2
                 / np.sum(population.counts * population.eigenvalues**2))  # fmt: skip
