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
from rmtcore.expansion import Hermite, hermite, taylor
from rmtcore.experiment import Draw, draw, draws
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
from rmtcore.tangent import draw_tangent, tangent_spectrum, tangent_stieltjes, tangent_weights
from rmtcore.training import Errors, Repeated, Trial, repeat, standard_error, train
from rmtcore.wide import Kernels, random_features, random_kernels, train_gradient

__all__ = [
    "ACTIVATIONS",
    "DISTANCE_KERNELS",
    "Activation",
    "Coefficients",
    "Compressed",
    "Decomposition",
    "DistanceKernel",
    "Draw",
    "Equivalent",
    "Errors",
    "Expectations",
    "FixedPoint",
    "FourierErrors",
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
    "Measured",
    "Memory",
    "Mixture",
    "Moments",
    "Network",
    "Observation",
    "Population",
    "Projections",
    "Repeated",
    "RidgeErrors",
    "Spectrum",
    "Top",
    "Trajectory",
    "Trial",
    "ZScore",
    "accuracy",
    "ck_equivalent",
    "coefficients",
    "compress",
    "conjugate_kernel",
    "correlation_map",
    "critical_weight_variance",
    "decompose",
    "derivative_energy",
    "descent",
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
    "fixed_correlation",
    "fixed_point",
    "flow",
    "fourier_errors",
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
    "matched_ternary",
    "matching",
    "mean_square_error",
    "measure_error",
    "memory_bits",
    "ntk_equivalent",
    "observe",
    "operator_norm",
    "optimal_ridge",
    "pair",
    "projections",
    "propagate",
    "random_features",
    "random_kernels",
    "relative_error",
    "repeat",
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
    "train",
    "train_fourier",
    "train_given",
    "train_gradient",
    "training_error",
    "variance_map",
    "wasserstein1",
    "z_score",
]
