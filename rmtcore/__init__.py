"""Random matrix theory of deep learning: the deterministic equivalents, and the experiments they predict.

>>> from rmtcore import Layer, Network, Population, spectrum
>>> law = spectrum(Network(Population.identity(200), [Layer(300, "tanh")], samples=400))
>>> law.atom
0.0
"""

from rmtcore.activation import ACTIVATIONS, Activation, Moments, get_activation, ternary
from rmtcore.agreement import Observation, ZScore, kolmogorov_smirnov, observe, wasserstein1, z_score
from rmtcore.diagnosis import Diagnosis, diagnose
from rmtcore.experiment import Draw, draw, draws
from rmtcore.files import ArrayInfo, Limits, Loaded, contents, load
from rmtcore.fitting import Generalised, MarchenkoPastur, fit_atoms, fit_marchenko_pastur
from rmtcore.flow import Trajectory, descent, early_stopping, flow, stability_edge
from rmtcore.network import Layer, Network
from rmtcore.population import Population
from rmtcore.ridge import RidgeErrors, accuracy, directions, optimal_ridge, ridge_errors
from rmtcore.spectrum import Spectrum, spectrum, stieltjes
from rmtcore.spikes import Spike
from rmtcore.tails import PowerLaw, fit_power_law
from rmtcore.tracy_widom import tracy_widom_cdf, tracy_widom_quantile, tracy_widom_sf
from rmtcore.training import Errors, Repeated, Trial, repeat, standard_error, train

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "ArrayInfo",
    "Diagnosis",
    "Draw",
    "Errors",
    "Generalised",
    "Layer",
    "Limits",
    "Loaded",
    "MarchenkoPastur",
    "Moments",
    "Network",
    "Observation",
    "Population",
    "PowerLaw",
    "Repeated",
    "RidgeErrors",
    "Spectrum",
    "Spike",
    "Trajectory",
    "Trial",
    "ZScore",
    "accuracy",
    "contents",
    "descent",
    "diagnose",
    "directions",
    "draw",
    "draws",
    "early_stopping",
    "fit_atoms",
    "fit_marchenko_pastur",
    "fit_power_law",
    "flow",
    "get_activation",
    "kolmogorov_smirnov",
    "load",
    "observe",
    "optimal_ridge",
    "repeat",
    "ridge_errors",
    "spectrum",
    "stability_edge",
    "standard_error",
    "stieltjes",
    "ternary",
    "tracy_widom_cdf",
    "tracy_widom_quantile",
    "tracy_widom_sf",
    "train",
    "wasserstein1",
    "z_score",
]
