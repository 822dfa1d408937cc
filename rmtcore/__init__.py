"""Random matrix theory of deep learning: the deterministic equivalents, and the experiments they predict.

>>> from rmtcore import Layer, Network, Population, spectrum
>>> law = spectrum(Network(Population.identity(200), [Layer(300, "tanh")], samples=400))
>>> law.atom
0.0
"""

from rmtcore.activation import ACTIVATIONS, Activation, Moments, get_activation, ternary
from rmtcore.agreement import Observation, ZScore, kolmogorov_smirnov, observe, wasserstein1, z_score
from rmtcore.compression import Compressed, Memory, compress, matched_ternary, memory_bits, sparse_ternary_weights
from rmtcore.conjugate import LayerKernel, layer_diagonal, layer_kernel
from rmtcore.diagnosis import Diagnosis, diagnose
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
from rmtcore.files import ArrayInfo, Limits, Loaded, contents, load
from rmtcore.fitting import Generalised, MarchenkoPastur, fit_atoms, fit_marchenko_pastur
from rmtcore.flow import Trajectory, descent, early_stopping, flow, stability_edge
from rmtcore.fourier import FourierErrors, fourier_errors, train_fourier
from rmtcore.gaussian import Expectations, derivative_energy, expectations, pair
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
from rmtcore.infinite import (
    Coefficients,
    InfiniteNetwork,
    Top,
    ck_equivalent,
    coefficients,
    conjugate_kernel,
    ntk_equivalent,
    operator_norm,
    relative_error,
    tangent_kernel,
    top_eigenvectors,
)
from rmtcore.kernel_draws import KernelDraw, draw_distance_kernel, draw_kernel
from rmtcore.kernels import (
    DISTANCE_KERNELS,
    DistanceKernel,
    KernelOutlier,
    distance_kernel_spectrum,
    kernel_spectrum,
    matching,
)
from rmtcore.lazy import LabelLaws, kernel_training_error, label_laws, training_error
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
from rmtcore.mixture import Mixture
from rmtcore.network import Layer, Network
from rmtcore.observations import Observable, Rate, collect, expected_rate, fit_rate, measure, predict
from rmtcore.population import Population
from rmtcore.propagation import (
    FixedPoint,
    correlation_map,
    critical_weight_variance,
    fixed_correlation,
    fixed_point,
    propagate,
    variance_map,
)
from rmtcore.ridge import RidgeErrors, accuracy, directions, optimal_ridge, ridge_errors
from rmtcore.spectrum import Spectrum, spectrum, stieltjes
from rmtcore.spikes import Spike
from rmtcore.tails import PowerLaw, fit_power_law
from rmtcore.tangent import draw_tangent, tangent_spectrum, tangent_stieltjes, tangent_weights
from rmtcore.tracy_widom import tracy_widom_cdf, tracy_widom_quantile, tracy_widom_sf
from rmtcore.training import Errors, Repeated, Steps, Trial, repeat, standard_error, train
from rmtcore.wide import Kernels, random_features, random_kernels, train_gradient

__all__ = [
    "ACTIVATIONS",
    "DISTANCE_KERNELS",
    "Activation",
    "ArrayInfo",
    "Coefficients",
    "Compressed",
    "Decomposition",
    "Diagnosis",
    "DistanceKernel",
    "Draw",
    "Ensemble",
    "Equivalent",
    "Errors",
    "Expectations",
    "FixedPoint",
    "FourierErrors",
    "Functional",
    "Generalised",
    "GivenData",
    "GivenErrors",
    "GivenTrial",
    "Hermite",
    "InfiniteNetwork",
    "KernelDraw",
    "KernelOutlier",
    "Kernels",
    "LabelLaws",
    "Layer",
    "LayerKernel",
    "Limits",
    "Loaded",
    "MarchenkoPastur",
    "Measured",
    "Memory",
    "Mixture",
    "Moments",
    "Network",
    "Observable",
    "Observation",
    "Population",
    "PowerLaw",
    "Projections",
    "Rate",
    "Realisation",
    "Repeated",
    "Resolvent",
    "RidgeErrors",
    "Spectrum",
    "Spike",
    "Steps",
    "Top",
    "Trajectory",
    "Trial",
    "ZScore",
    "accuracy",
    "ck_equivalent",
    "coefficients",
    "collect",
    "compress",
    "conjugate_kernel",
    "contents",
    "correlation_map",
    "critical_weight_variance",
    "decompose",
    "derivative_energy",
    "descent",
    "diagnose",
    "directions",
    "distance_kernel_spectrum",
    "draw",
    "draw_distance_kernel",
    "draw_inner_products",
    "draw_kernel",
    "draw_tangent",
    "draws",
    "early_stopping",
    "expectations",
    "expected_rate",
    "fit_atoms",
    "fit_marchenko_pastur",
    "fit_power_law",
    "fit_rate",
    "fixed_correlation",
    "fixed_point",
    "flow",
    "fourier_errors",
    "functional",
    "gaussian_twin",
    "get_activation",
    "given_errors",
    "hermite",
    "hermite_equivalent",
    "inner_product_density",
    "kernel_spectrum",
    "kernel_training_error",
    "kolmogorov_smirnov",
    "label_laws",
    "layer_diagonal",
    "layer_kernel",
    "load",
    "matched_ternary",
    "matching",
    "mean_matrix",
    "mean_square_error",
    "measure",
    "measure_error",
    "memory_bits",
    "ntk_equivalent",
    "observe",
    "operator_norm",
    "optimal_ridge",
    "pair",
    "predict",
    "projections",
    "propagate",
    "random_features",
    "random_kernels",
    "realise",
    "relative_error",
    "repeat",
    "resolvent",
    "resolvent_matrix",
    "ridge_errors",
    "sparse_ternary_weights",
    "spectrum",
    "stability_edge",
    "standard_error",
    "stieltjes",
    "tangent_kernel",
    "tangent_spectrum",
    "tangent_stieltjes",
    "tangent_weights",
    "taylor",
    "taylor_equivalent",
    "ternary",
    "top_eigenvectors",
    "tracy_widom_cdf",
    "tracy_widom_quantile",
    "tracy_widom_sf",
    "train",
    "train_fourier",
    "train_given",
    "train_gradient",
    "training_error",
    "variance_map",
    "wasserstein1",
    "z_score",
]
