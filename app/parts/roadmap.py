"""The experiment behind the map of the home page: trained networks for every picture, one repetition a call.

It stands apart from the lab because worker processes import it, and need none of the drawing.
"""

from __future__ import annotations

from dataclasses import dataclass

from rmtcore import Network, Repeated, repeat


@dataclass(frozen=True)
class Trials:
    """What one picture asks for: networks at their own ridge, or one network at many `times`."""

    networks: tuple[Network, ...]
    times: tuple[float, ...] = ()


def rehearse(asked: dict[str, Trials], seed: int, index: int) -> dict[str, Repeated]:
    """Repetition number `index` of every picture."""
    return {
        name: repeat(list(one.networks), seed, None, list(one.times) or None, "actual", index)
        for name, one in asked.items()
    }
