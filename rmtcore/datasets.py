"""Real data as populations."""

from __future__ import annotations

from functools import cache

import numpy as np
from sklearn.datasets import load_digits

from rmtcore.population import Population


@cache
def digits() -> Population:
    """The 1797 handwritten digits (8 x 8 pixels) that scikit-learn ships, as a population.

    Pixels that never change are left out, which leaves 61; the rest is scaled to mean variance 1. The
    spectrum is estimated from all images, which stay attached (61, 1797).

    Source: Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Repository.
    """
    pixels = load_digits().data.T
    pixels = pixels[pixels.std(axis=1) > 0]
    return Population.from_data(pixels / np.sqrt(pixels.var(axis=1).mean()))
