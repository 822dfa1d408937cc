"""Warming a process: what the first experiment would otherwise have to wait for."""

from __future__ import annotations

from rmtcore import Layer, Network, Population, observe


def warm_worker() -> None:
    """Compile the kernels and load the libraries of an experiment."""
    observe(Network(Population.spiked([4.0], 30), [Layer(20, "tanh")], samples=40), seed=0, count=1)
