"""How long a task will take, learned from those that ended."""

from __future__ import annotations

_WEIGHT = 0.3  # of the newest of the durations


class Costs:
    """Expected seconds of a task: proportional to the work that its lab states, by function.

    `typical` seconds are expected of a function that has not run yet, until others have.
    """

    def __init__(self, typical: float = 0.5) -> None:
        self._typical = typical
        self._rates: dict[str, float] = {}  # seconds for a work of 1

    def expected(self, name: str, work: float) -> float:
        """Seconds."""
        rate = self._rates.get(name)
        return self._typical if rate is None else rate * work

    def learn(self, name: str, work: float, seconds: float) -> None:
        """Take note of a task that ended."""
        rate = seconds / work
        self._rates[name] = _mix(self._rates.get(name, rate), rate)
        self._typical = _mix(self._typical, seconds)


def _mix(before: float, new: float) -> float:
    return (1.0 - _WEIGHT) * before + _WEIGHT * new
