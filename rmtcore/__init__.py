"""Random matrix theory of deep learning: the deterministic equivalents, and the experiments they predict.

>>> from rmtcore import Layer, Network, Population, spectrum
>>> law = spectrum(Network(Population.identity(200), [Layer(300, "tanh")], samples=400))
>>> law.atom
0.0
"""

from rmtcore.activation import ACTIVATIONS, Activation, Moments, get_activation, ternary
from rmtcore.network import Layer, Network
from rmtcore.population import Population
from rmtcore.spectrum import Spectrum, spectrum, stieltjes

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Layer",
    "Moments",
    "Network",
    "Population",
    "Spectrum",
    "get_activation",
    "spectrum",
    "stieltjes",
    "ternary",
]
