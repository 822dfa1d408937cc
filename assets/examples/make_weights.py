"""Trains the small network whose weights ship as weights.npz, and writes them.

    python assets/examples/make_weights.py

A network of two tanh layers (64 -> 256 -> 128 -> 10) learns scikit-learn's digits by stochastic gradient descent
with momentum on the softmax loss, in plain NumPy. The file holds its three weight matrices (inputs, outputs) before
and after, in single precision.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

WIDTHS = (64, 256, 128, 10)
Weights = list[NDArray[np.float64]]


def train(epochs: int = 30, rate: float = 0.05, batch: int = 16, seed: int = 0) -> tuple[Weights, Weights, float]:
    """Weights before and after, and the share of the held-out images that the trained network gets right."""
    rng = np.random.default_rng(seed)
    pixels, digits = load_digits(return_X_y=True)
    pixels = (pixels - pixels.mean()) / pixels.std()
    order = rng.permutation(digits.size)
    held_out, kept = order[:360], order[360:]
    weights = [rng.standard_normal((a, b)) / np.sqrt(a) for a, b in pairwise(WIDTHS)]
    before = [matrix.copy() for matrix in weights]
    speed = [np.zeros_like(matrix) for matrix in weights]
    for _ in range(epochs):
        for some in np.array_split(rng.permutation(kept), kept.size // batch):
            for matrix, momentum, slope in zip(
                weights, speed, _slopes(weights, pixels[some], digits[some]), strict=True
            ):
                momentum *= 0.9
                momentum -= rate * slope
                matrix += momentum
    right = float(np.mean(_layers(weights, pixels[held_out])[-1].argmax(axis=1) == digits[held_out]))
    return before, weights, right


def _layers(weights: Weights, inputs: NDArray[np.float64]) -> Weights:
    """Inputs, the features of every layer, and the scores."""
    values = [inputs]
    for matrix in weights[:-1]:
        values.append(np.tanh(values[-1] @ matrix))
    return [*values, values[-1] @ weights[-1]]


def _slopes(weights: Weights, inputs: NDArray[np.float64], digits: NDArray[np.int64]) -> Weights:
    """Gradient of the mean softmax loss in every weight matrix."""
    *values, scores = _layers(weights, inputs)
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    error = scores / scores.sum(axis=1, keepdims=True)
    error[np.arange(digits.size), digits] -= 1.0
    error /= digits.size
    slopes = []
    for matrix, value in zip(weights[::-1], values[::-1], strict=True):
        slopes.append(value.T @ error)
        error = (error @ matrix.T) * (1.0 - value**2)
    return slopes[::-1]


def main() -> None:
    """Train, say how well, and write weights.npz beside this file."""
    before, after, right = train()
    arrays = {
        f"layer{index}_{when}": matrix.astype(np.float32)
        for when, weights in (("before", before), ("after", after))
        for index, matrix in enumerate(weights, start=1)
    }
    np.savez_compressed(Path(__file__).with_name("weights.npz"), **arrays)
    print(f"{right:.1%} of the held-out digits are right")


if __name__ == "__main__":
    main()
