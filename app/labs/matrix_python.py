"""Your matrix lab: the lines that read the matrix and take it apart."""

from __future__ import annotations

from typing import Any

from app.parts.matrix_reading import SMALLEST, Found
from app.parts.script import Script, literal
from app.settings import Values


def python(values: Values, name: str, is_file: bool, found: Any) -> str:
    """The diagnosis; what hangs on it (spikes, tail) only once it is known."""
    path = name if is_file else "assets/examples/weights.npz"
    lines = Script(f"data = Path({literal(path)}).read_bytes()")
    if is_file:
        lines.add(
            "def large(shape):",
            f"    return not shape or min(shape[0], int(np.prod(shape[1:]))) >= {SMALLEST}",
            "",
            f"names = [one.name for one in contents(data, {literal(name)}) if one.usable and large(one.shape)]",
            f"matrix = load(data, {literal(name)}, names[min({values['array']}, len(names) - 1)]).matrix",
        )
    else:
        lines.add(f'matrix = load(data, "weights.npz", {literal(name)}).matrix')
    if values["reading"] == "columns":
        lines.add("matrix = matrix.T")
    if values["reading"] == "weights" and values["centre"]:
        lines.add(
            "mirror = np.full(len(matrix), 1 / np.sqrt(len(matrix)))  # a reflection takes the mean into the first row",
            "mirror[0] += 1",
            "matrix = (matrix - np.outer(mirror, 2 / (mirror @ mirror) * (mirror @ matrix)))[1:]",
        )
    kind = "weights" if values["reading"] == "weights" else "data"
    lines.add(f"report = diagnose(matrix, {literal(kind)}, {literal(values['level'])}, {literal(values['seed'])})")
    lines.add("print(report.verdict, *report.evidence, sep='\\n')")
    lines.table("Eigenvalues", {"λ": "report.eigenvalues", "λ in random order": "report.permuted"})
    _laws(lines, values)
    if isinstance(found, Found):
        _details(lines, found)
    return lines.text()


def _laws(lines: Script, values: Values) -> None:
    lines.add(
        "count, rows, columns = report.eigenvalues.size, report.rows, report.shape[1]",
        f"fit = report.{'effective' if values['fit'] == 'both' else 'white'}  # Marchenko and Pastur",
        "ratio, unit = min(fit.ratio, 1 / fit.ratio), fit.variance * max(rows, columns) / rows",
        "angle = np.linspace(0, np.pi, 402)[1:-1]",
        "x = 1 + ratio - 2 * np.sqrt(ratio) * np.cos(angle)",
        f"above = count_spikes(report.eigenvalues, rows, columns, {literal(values['level'])})",
        "density = (1 - above / count) * np.sin(angle) / (np.pi * np.sqrt(ratio) * x * unit)",
        "law, dim = report.generalised.law, report.generalised.network.population.dim",
        "share = (count - columns + dim) / count * dim / min(rows, dim)",
    )
    lines.table("Marchenko–Pastur, fitted", {"λ": "unit * x", "density": "density"})
    lines.table("Generalised law", {"λ": "law.grid", "density": "share * law.density"})
    lines.table("Population behind it", {"value": "report.generalised.atoms", "share": "report.generalised.weights"})


def _details(lines: Script, found: Found) -> None:
    diagnosis = found.diagnosis
    lines.add("bulks = " + ("np.array([report.white.edges])" if diagnosis.model == "white" else "law.bulks"))
    lines.table("Edges of the bulk", {"left": "bulks[:, 0]", "right": "bulks[:, 1]"})
    if diagnosis.spikes:
        names = {"λ": "eigenvalue", "p": "p_value", "stands for": "strength", "shrunk": "shrunk", "overlap": "overlap"}
        lines.table("Spikes", {name: f"[one.{part} for one in report.spikes]" for name, part in names.items()})
    keep = "report.eigenvalues > 0"
    lines.add(f"positive = {keep}")
    lines.table(
        "Share of eigenvalues ≥ λ",
        {"λ": "report.eigenvalues[positive]", "share": "(1 - np.arange(count) / count)[positive]"},
    )
    if diagnosis.tail is not None:
        lines.table("Power law fitted to the tail", {name: f"[report.tail.{name}]" for name in diagnosis.tail._fields})
