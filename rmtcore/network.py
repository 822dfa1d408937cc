"""The description of a network and its training set. It validates, and does nothing else.

>>> from rmtcore import Layer, Network, Population
>>> Network(Population.identity(200), [Layer(300, "tanh")], samples=400).feature_dim
300
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rmtcore.activation import Activation, Moments, get_activation
from rmtcore.chain import Chain
from rmtcore.checks import at_least, integer
from rmtcore.population import Population

_LOWEST, _HIGHEST = 1e-50, 1e50  # variances that leave room for the digits of a law


@dataclass(frozen=True)
class Layer:
    """Features phi(W h / sqrt(d_below)) with W of independent standard normal entries, then centred.

    Attributes
    ----------
    width : number d of neurons, >= 1.
    activation : a name (see `rmtcore.ACTIVATIONS`) or an `Activation`.
    normalise : divide the features by their standard deviation, so that any depth keeps its scale.
    """

    width: int
    activation: Activation
    normalise: bool = False

    def __init__(self, width: int, activation: str | Activation, normalise: bool = False) -> None:
        object.__setattr__(self, "width", integer("width", width, low=1))
        object.__setattr__(self, "activation", get_activation(activation))
        object.__setattr__(self, "normalise", bool(normalise))

    def moments(self, variance: float) -> Moments:
        """Gaussian moments of the layer's features for inputs of this variance."""
        raw = self.activation.moments(variance)
        if not self.normalise:
            return raw
        scale = self.scale(variance)
        return Moments(raw.mean / scale, raw.mu1 / scale, 1.0, raw.mu_star2 / raw.variance)

    def scale(self, variance: float) -> float:
        """What the layer divides its features by: 1, or their standard deviation when normalised."""
        return float(np.sqrt(self.activation.moments(variance).variance)) if self.normalise else 1.0


@dataclass(frozen=True, eq=False)
class Network:
    """A population, random layers on it, and a training set fitted by ridge regression.

    Attributes
    ----------
    population : what the data is.
    layers : the random layers, from the data up; none is the linear model.
    samples : number n of training samples, >= 1.
    noise : label-noise variance, >= 0 (a mixture's own label noise comes on top).
    ridge : lambda >= 0 in (1/n)|y - F'theta|^2 + lambda |theta|^2.

    Raises
    ------
    ValueError : an argument out of range, or a variance that overflows on its way up the layers.
    """

    population: Population
    layers: tuple[Layer, ...]
    samples: int
    noise: float
    ridge: float

    def __init__(
        self,
        population: Population,
        layers: Sequence[Layer] = (),
        *,
        samples: int,
        noise: float = 0.0,
        ridge: float = 0.0,
    ) -> None:
        object.__setattr__(self, "population", population)
        object.__setattr__(self, "layers", tuple(layers))
        object.__setattr__(self, "samples", integer("samples", samples, low=1))
        object.__setattr__(self, "noise", at_least("noise", noise, 0.0))
        object.__setattr__(self, "ridge", at_least("ridge", ridge, 0.0))
        self.moments()

    @property
    def feature_dim(self) -> int:
        """Rows d_L of the last feature matrix; the data dimension where there are no layers."""
        return self.layers[-1].width if self.layers else self.population.dim

    def moments(self) -> tuple[Moments, ...]:
        """Moments of every layer, with the variance passed from each to the next."""
        return self._moments

    @cached_property
    def _moments(self) -> tuple[Moments, ...]:
        variance, found = self.population.variance, []
        for depth, layer in enumerate(self.layers, start=1):
            where = f"layer {depth} ({layer.activation.name})"
            try:
                raw = layer.activation.moments(variance)
            except ValueError as error:
                raise ValueError(f"The variance leaves {where}: {error} normalise=True keeps it at 1.") from None
            if not _LOWEST < raw.variance < _HIGHEST:
                raise ValueError(
                    f"The variance that {where} puts out must stay between {_LOWEST:g} and {_HIGHEST:g}. "
                    f"Got {raw.variance:g} instead; normalise=True in the layers keeps it at 1."
                )
            moments = layer.moments(variance)
            found.append(moments)
            variance = moments.variance
        return tuple(found)

    def input_variance(self, index: int) -> float:
        """Variance of a coordinate of what layer `index` (from 0) takes in."""
        return self.moments()[index - 1].variance if index > 0 else self.population.variance

    def chain(self) -> Chain:
        """The map's numbers for the limiting law (spikes carry no mass).

        A layer without linear part (mu1 = 0, any even activation; or below 1e-9 of its variance) forgets
        what is below it: from there the features are independent noise, and the chain starts anew as a
        multiple of the identity.
        """
        return self._chain(*self.population.bulk())

    def learning_chain(self) -> tuple[Chain, NDArray[np.float64]]:
        """The map's numbers with every spike, and the squared target components v on its eigenvalues.

        Behind a blind layer no target is left: v = 0.
        """
        population = self.population
        chain = self._chain(population.eigenvalues, population.counts)
        keep = population.eigenvalues > 0
        return chain, np.zeros(1) if self.blind() else population.target[keep]

    def _chain(self, s: NDArray[np.float64], m: NDArray[np.float64]) -> Chain:
        keep = s > 0
        s, m = s[keep], m[keep]
        a: list[float] = []
        nu: list[float] = []
        d: list[float] = []
        below = float(self.population.dim)
        for layer, moments in zip(self.layers, self.moments(), strict=True):
            if _is_blind(moments):
                s, m = np.array([moments.mu_star2]), np.array([float(layer.width)])
                a, nu, d = [], [], []
            else:
                a.append(moments.mu1**2 * layer.width / below)
                nu.append(moments.mu_star2)
                d.append(float(layer.width))
            below = float(layer.width)
        return Chain(s, m, np.array(a), np.array(nu), np.array(d), float(self.samples))

    def blind(self) -> bool:
        """Whether some layer passes on no linear signal (mu1 = 0): what is below it is lost."""
        return any(_is_blind(moments) for moments in self.moments())


def _is_blind(moments: Moments) -> bool:
    return moments.variance - moments.mu_star2 <= 1e-9 * moments.variance
