"""Kernels lab: the lines that make its law, its functions and its kernel matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.parts.kernel_rounds import Case
from app.parts.script import Script, literal
from app.settings import Values

_NAMES = {"actual": "the kernel", "twin": "its twin", "linear": "its linear equivalent"}


def python(values: Values, case: Case, laws: Mapping[Any, Any]) -> str:
    """Law, functions and draws of the kernel and of what stands beside it."""
    beside = str(values["beside"])
    found = Script(*_functions(case, beside))
    settings = f"mean_norm2={literal(case.mean_norm2)}"
    if case.entries != "gaussian":
        settings += f", entries={literal(case.entries)}, dof={literal(case.dof)}"
    solve = "distance_kernel_spectrum" if case.distance else "kernel_spectrum"
    found.add(f"law = {solve}(function, {case.dim}, {case.samples}, {settings})")
    found.table("Deterministic equivalent", {"λ": "law.grid", "density": "law.density"})
    found.table("Bulks", {"left edge": "law.bulks[:, 0]", "right edge": "law.bulks[:, 1]"})
    _curves(found, case, beside)
    if laws["actual"].atom > 0:
        found.table("Atom", {"λ": "[law.atom_at]", "mass": "[law.atom]"})
    if beside == "twin":
        found.add(f"twin_law = {solve}(twin, {case.dim}, {case.samples}, 32, {settings})")
    for reading, law in laws.items():
        name = "twin_law" if reading == "twin" else "law"
        if any(one.separated for one in law.outliers):
            columns = {
                part: f"[one.{part} for one in {name}.outliers if one.separated]" for part in ("position", "overlap")
            }
            found.table(f"Outliers predicted, {_NAMES[reading]}", columns)
    _draws(found, values, case, laws, settings)
    return found.text()


def _functions(case: Case, beside: str) -> list[str]:
    if not case.distance:
        lines = [f"function = get_activation({literal(case.name)})"]
        return lines + (
            ["twin = matching(function.moments(1).mu1, function.moments(1).variance)"] if beside == "twin" else []
        )
    lines = [
        f"function = DISTANCE_KERNELS[{literal(case.name)}]",
        "start, value, first = function.value(0.0), function.value(2.0), function.first(2.0)",
    ]
    if beside == "twin":
        lines += [
            "line = value - start - first",
            "square = (first - line) / 4",
            'twin = DistanceKernel("twin", lambda t: start + t * (line + square * t),',
            "                      lambda t: line + 2 * square * t, lambda t: 2 * square + 0 * t)",
        ]
    return lines


def _curves(found: Script, case: Case, beside: str) -> None:
    if case.distance:
        found.add("t = np.linspace(0, 4, 301)")
        curves = {
            "t": "t",
            "function": "function.value(t)",
            "twin": "twin.value(t)",
            "linear": "value + first * (t - 2)",
        }
    else:
        found.add("t = np.linspace(-2.5, 2.5, 301)")
        curves = {"t": "t", "linear": "function.moments(1).mu1 * t"} | {
            name: f"{name}.function(t) - {name}.moments(1).mean" for name in ("function", "twin")
        }
    columns = {"t": "t", "function": curves["function"]}
    found.table("Functions", columns | ({_NAMES[beside]: curves[beside]} if beside in _NAMES else {}))


def _draws(found: Script, values: Values, case: Case, laws: Mapping[Any, Any], settings: str) -> None:
    make = "draw_distance_kernel" if case.distance else "draw_kernel"
    for reading, law in laws.items():
        function = "twin" if reading == "twin" else "function"
        how = '"linear"' if reading == "linear" else '"actual"'
        key = f"({literal(values['seed'])}, index)"
        found.add(
            f"{reading}_draws = [{make}({function}, {case.dim}, {case.samples}, {key}, {how}, {settings})"
            f" for index in range({values['draws']})]"
        )
        name = _NAMES[reading]
        found.table(
            f"Eigenvalues without outliers, {name}",
            {"λ": f"np.sort(np.concatenate([one.bulk for one in {reading}_draws]))"},
        )
        for k, outlier in enumerate(law.outliers):
            if outlier.separated:
                columns = {"λ": "outliers", "overlap": "overlap"}
                found.table(
                    f"Outlier {k + 1} found, {name}",
                    {column: f"[one.{part}[{k}] for one in {reading}_draws]" for column, part in columns.items()},
                )
