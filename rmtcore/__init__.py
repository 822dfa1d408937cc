"""Random matrix theory of deep learning: the deterministic equivalents, and the experiments they predict.

>>> from rmtcore import Layer, Network, Population, spectrum
>>> law = spectrum(Network(Population.identity(200), [Layer(300, "tanh")], samples=400))
>>> law.atom
0.0
"""

from rmtcore.activation import ACTIVATIONS, Activation, Moments, get_activation, ternary
from rmtcore.agreement import Observation, ZScore, kolmogorov_smirnov, observe, wasserstein1, z_score
from rmtcore.conjugate import ConjugateKernel, conjugate_diagonal, conjugate_kernel
from rmtcore.experiment import Draw, draw, draws
from rmtcore.flow import Trajectory, descent, early_stopping, flow, stability_edge
from rmtcore.fourier import FourierErrors, fourier_errors, train_fourier
from rmtcore.given_data import (
    Decomposition,
    GivenData,
    GivenErrors,
    GivenTrial,
    decompose,
    gaussian_twin,
    given_errors,
    train_given,
)
from rmtcore.network import Layer, Network
from rmtcore.population import Population
from rmtcore.ridge import RidgeErrors, accuracy, directions, optimal_ridge, ridge_errors
from rmtcore.spectrum import Spectrum, spectrum, stieltjes
from rmtcore.training import Errors, Repeated, Trial, repeat, standard_error, train

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "ConjugateKernel",
    "Decomposition",
    "Draw",
    "Errors",
    "FourierErrors",
    "GivenData",
    "GivenErrors",
    "GivenTrial",
    "Layer",
    "Moments",
    "Network",
    "Observation",
    "Population",
    "Repeated",
    "RidgeErrors",
    "Spectrum",
    "Trajectory",
    "Trial",
    "ZScore",
    "accuracy",
    "conjugate_diagonal",
    "conjugate_kernel",
    "decompose",
    "descent",
    "directions",
    "draw",
    "draws",
    "early_stopping",
    "flow",
    "fourier_errors",
    "gaussian_twin",
    "get_activation",
    "given_errors",
    "kolmogorov_smirnov",
    "observe",
    "optimal_ridge",
    "repeat",
    "ridge_errors",
    "spectrum",
    "stability_edge",
    "standard_error",
    "stieltjes",
    "ternary",
    "train",
    "train_fourier",
    "train_given",
    "wasserstein1",
    "z_score",
]
