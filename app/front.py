"""The front page's own parts: what stands where other pages have their figures. The same for every visitor."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.files import assets
from app.labs import LABS
from app.labs.base import Lab
from app.labs.home_theory import COLUMNS, FAMILIES
from app.tours import shipped

_MAPPED = (*COLUMNS, "home")
_TOOLS = ("real-data", "matrix")
_PLACES = ("hero", "map", "cards")


@cache
def front(lab: Lab, prefix: str) -> dict[str, str]:
    """HTML by its place in the page; nothing for labs that have figures."""
    if not lab.front:
        return {}
    loader = FileSystemLoader(Path(__file__).parent)
    template = Environment(autoescape=True, loader=loader, undefined=StrictUndefined).get_template(lab.front)
    others = [one for one in LABS.values() if one.name not in _MAPPED]
    groups = {
        "The framework": [one for one in others if one.name not in _TOOLS],
        "With your own eyes": [one for one in others if one.name in _TOOLS],
    }
    context = template.new_context(
        {"prefix": prefix, "families": FAMILIES, "columns": COLUMNS, "groups": groups, "tour": _first_tour()}
    )
    return {place: "".join(template.blocks[place](context)) for place in _PLACES}


def _first_tour() -> str:
    """Address of the first step of the first tour that comes with us."""
    name, tour = next(iter(shipped(assets() / "tours").items()))
    step = tour["steps"][0]
    return f"{step['lab']}?{step['query']}{'&' if step['query'] else ''}tour={name}.1"
