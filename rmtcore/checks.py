"""Argument checks with one wording: the parameter, what it must be, what it was."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def finite(name: str, value: Any) -> NDArray[np.float64]:
    """`value` as a float array; ValueError where it is not numeric or not finite."""
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"The '{name}' parameter must be numeric. Got {value!r} instead.") from None
    if not np.all(np.isfinite(array)):
        raise ValueError(f"The '{name}' parameter must be finite. Got {value!r} instead.")
    return array


def in_range(
    name: str, value: Any, low: float = -np.inf, high: float = np.inf, strict: bool = False
) -> NDArray[np.float64]:
    """`value` as a float array inside [low, high], or (low, high) when `strict`."""
    array = finite(name, value)
    inside = (array > low) & (array < high) if strict else (array >= low) & (array <= high)
    if not np.all(inside):
        left, right = ("(", ")") if strict else ("[", "]")
        raise ValueError(
            f"The '{name}' parameter must be in the range {left}{low:g}, {high:g}{right}. Got {value!r} instead."
        )
    return array


def at_least(name: str, value: Any, low: float) -> float:
    """A scalar >= low."""
    return float(in_range(name, value, low=low))


def whole_numbers(name: str, value: Any, low: float) -> NDArray[np.float64]:
    """`value` as a float array of whole numbers >= low."""
    array = in_range(name, value, low=low)
    if np.any(array != np.round(array)):
        raise ValueError(f"The '{name}' parameter must hold whole numbers. Got {value!r} instead.")
    return array


def integer(name: str, value: Any, low: int) -> int:
    """A whole number >= low (a float such as 3.0 counts)."""
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    whole = int(value) if number and float(value).is_integer() else None
    if whole is None or whole < low:
        raise ValueError(f"The '{name}' parameter must be an integer >= {low}. Got {value!r} instead.")
    return whole
