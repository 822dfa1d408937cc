"""Settings of the Scaling laws lab, and what they say about the view."""

from __future__ import annotations

from dataclasses import replace

from app.labs.learning_settings import (
    VIEW,
    chance_settings,
    data_settings,
    legend_settings,
    network_settings,
    number,
    ridge_settings,
)
from app.labs.scaling_theory import Frozen, axis_of
from app.settings import Schema, Setting, Value, Values

_VIEW_ONLY = {"view", "axis", "limited", "fitted", "timed", "actual", "linear", "equivalent"}
_ERRORS = {"view": ("errors",)}


def _own(setting: Setting) -> Setting:
    """The shared settings, at the sizes that power laws need."""
    if setting.name == "size":
        return replace(setting, default=800, low=100, high=1000)
    if setting.name == "samples":
        return replace(setting, default=0.6, low=0.02, high=4.0)
    if setting.name == "width":
        return replace(setting, default=2.0, low=0.02, high=10.0)
    own: dict[str, Value] = {"noise": 0.0, "activation": "identity"}
    return replace(setting, default=own.get(setting.name, setting.default))


SCHEMA = Schema(
    [
        *map(_own, data_settings("power_law")),
        *map(_own, network_settings()),
        *ridge_settings(1e-5),
        *chance_settings(),
        Setting("view", "View", "choice", "errors", group=VIEW,
                choices=(("errors", "errors along an axis"), ("frontier", "compute-optimal frontier")),
                help="Errors against one resource, or the best use of a budget of two: a linear model has no width to trade."),
        Setting("axis", "Across", "choice", "width", group=VIEW, when=_ERRORS,
                choices=(("samples", "n, samples"), ("width", "d, width"), ("ratio", "d/n, width per sample"),
                         ("gap", "1 − d/n, gap to the threshold")),
                help="What runs along the horizontal axis; a linear model has d = p, and its n runs instead."),
        Setting("fitted", "Fitted lines", "flag", True, group=VIEW,
                help="The straight lines whose slopes the read-outs give, drawn over their window."),
        Setting("limited", "Distance to the limit", "flag", False, group=VIEW, when=_ERRORS,
                help="Test error less its limit for infinite samples, or width: the variance-limited part."),
        Setting("timed", "Early stopping", "flag", False, group=VIEW, when={"view": ("frontier",), "family": ("shallow", "deep")},
                help="Compute is samples × width × training steps, and training may stop early."),
        *legend_settings(),
    ]
)  # fmt: skip


def is_frontier(values: Values) -> bool:
    """Whether the frontier is shown; a linear model has none."""
    return values["view"] == "frontier" and values["family"] != "linear"


def counting(values: Values) -> Frozen:
    """The settings that the curves hang on: not where the sliders stand on what is varied."""
    keep: Frozen = ()
    if is_frontier(values):
        varied = {"samples", "width"}
    elif values["family"] == "linear":
        varied = {"samples"}
    elif axis_of(values) == "samples":
        varied, keep = {"samples", "width"}, (("neurons", int(here(values)[1])),)
    else:
        varied = {"width"}
    return SCHEMA.counting(values, _VIEW_ONLY | {"seed", "draws"} | varied) + keep


def here(values: Values) -> tuple[float, float]:
    """n and d where the sliders stand."""
    p = number(values, "size")
    n = float(max(2, round(number(values, "samples") * p)))
    return n, p if values["family"] == "linear" else float(max(2, round(number(values, "width") * n)))


def position(values: Values) -> float:
    """Where they stand on the axis."""
    n, d = here(values)
    return {"samples": n, "width": d, "ratio": d / n, "gap": 1.0 - d / n}[axis_of(values)]
