"""Random matrix theory of deep learning: the deterministic equivalents, and the experiments they predict.

>>> from rmtcore import Layer, Network, Population, spectrum
>>> law = spectrum(Network(Population.identity(200), [Layer(300, "tanh")], samples=400))
>>> law.atom
0.0
"""

from rmtcore.activation import ACTIVATIONS, Activation, Moments, get_activation, ternary
from rmtcore.agreement import Observation, ZScore, kolmogorov_smirnov, observe, wasserstein1, z_score
from rmtcore.equivalents import (
    Ensemble,
    Functional,
    Realisation,
    Resolvent,
    functional,
    mean_matrix,
    realise,
    resolvent,
    resolvent_matrix,
)
from rmtcore.expansion import Hermite, hermite, taylor
from rmtcore.experiment import Draw, draw, draws
from rmtcore.flow import Trajectory, descent, early_stopping, flow, stability_edge
from rmtcore.kernel_draws import KernelDraw, draw_distance_kernel, draw_kernel
from rmtcore.kernels import (
    DISTANCE_KERNELS,
    DistanceKernel,
    KernelOutlier,
    distance_kernel_spectrum,
    kernel_spectrum,
    matching,
)
from rmtcore.linearisation import (
    Equivalent,
    Measured,
    Projections,
    draw_inner_products,
    hermite_equivalent,
    inner_product_density,
    mean_square_error,
    measure_error,
    projections,
    taylor_equivalent,
)
from rmtcore.network import Layer, Network
from rmtcore.observations import Observable, Rate, collect, expected_rate, fit_rate, measure, predict
from rmtcore.population import Population
from rmtcore.ridge import RidgeErrors, accuracy, directions, optimal_ridge, ridge_errors
from rmtcore.spectrum import Spectrum, spectrum, stieltjes
from rmtcore.training import Errors, Repeated, Trial, repeat, standard_error, train

__all__ = [
    "ACTIVATIONS",
    "DISTANCE_KERNELS",
    "Activation",
    "DistanceKernel",
    "Draw",
    "Ensemble",
    "Equivalent",
    "Errors",
    "Functional",
    "Hermite",
    "KernelDraw",
    "KernelOutlier",
    "Layer",
    "Measured",
    "Moments",
    "Network",
    "Observable",
    "Observation",
    "Population",
    "Projections",
    "Rate",
    "Realisation",
    "Repeated",
    "Resolvent",
    "RidgeErrors",
    "Spectrum",
    "Trajectory",
    "Trial",
    "ZScore",
    "accuracy",
    "collect",
    "descent",
    "directions",
    "distance_kernel_spectrum",
    "draw",
    "draw_distance_kernel",
    "draw_inner_products",
    "draw_kernel",
    "draws",
    "early_stopping",
    "expected_rate",
    "fit_rate",
    "flow",
    "functional",
    "get_activation",
    "hermite",
    "hermite_equivalent",
    "inner_product_density",
    "kernel_spectrum",
    "kolmogorov_smirnov",
    "matching",
    "mean_matrix",
    "mean_square_error",
    "measure",
    "measure_error",
    "observe",
    "optimal_ridge",
    "predict",
    "projections",
    "realise",
    "repeat",
    "resolvent",
    "resolvent_matrix",
    "ridge_errors",
    "spectrum",
    "stability_edge",
    "standard_error",
    "stieltjes",
    "taylor",
    "taylor_equivalent",
    "ternary",
    "train",
    "wasserstein1",
    "z_score",
]
