"""Linearisation lab: the lines that make the equivalents, their errors and the histogram of the argument."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.labs.linearisation_settings import DEGREES
from app.parts.arguments import PAIRS
from app.parts.script import Script, literal
from app.settings import Values


def python(values: Values, solved: Any, called: dict[str, str], visible: list[str], centre: float) -> str:
    """Errors against n, functions, energies, and the drawn arguments at the present n."""
    gaussian = solved.regime == "clt"
    vectors, n = literal(solved.vectors), int(values["n"])
    found = Script(f"phi = get_activation({literal(solved.activation.name)})", f"n, dims = {n}, {list(solved.dims)}")
    for who in solved.members:
        found.add(f"{who} = {_equivalent(values, solved, who)}")
    columns = {"n": "dims"}
    for who in visible:
        error = f'mean_square_error(phi, {who}, dims, "{solved.regime}", {literal(solved.at)}, {vectors})'
        if gaussian:
            gap = f"np.array(projections(phi, dims, {vectors})) - np.array(projections({who}, dims, {vectors}))"
            columns |= {
                f"gap, {called[who]}": f"np.max(np.abs({gap}), axis=0)",
                f"point by point, {called[who]}": error,
            }
        else:
            columns |= {f"error, {called[who]}": error}
    found.table("Errors", columns)
    if not solved.broken:
        _energies(found, solved, called, n, float(values["bend"]))
    found.add("t = np.linspace(-4, 4, 161)")
    found.table(
        "Functions", {"t": "t", "φ": "phi.function(t)"} | {called[who]: f"{who}.function(t)" for who in visible}
    )
    _argument(found, values, solved, n, vectors, centre)
    return found.text()


def _equivalent(values: Values, solved: Any, who: str) -> str:
    carrier = literal(values["carrier"])
    if solved.regime == "clt":
        return {
            "main": "hermite_equivalent(phi)",
            "member": f"hermite_equivalent(phi, {carrier})",
            "other": "taylor_equivalent(phi, 0, 1)",
        }[who]
    taylor = f"taylor_equivalent(phi, {literal(solved.at)}, {solved.degree}"
    return {
        "main": f"{taylor})",
        "member": f"{taylor}, {literal(values['bend'])})",
        "other": "hermite_equivalent(phi)",
    }[who]


def _energies(found: Script, solved: Any, called: dict[str, str], n: int, bend: float) -> None:
    if solved.regime == "clt":
        found.add(
            "",
            "def energies(one):  # by Hermite degree; the last is the noise's",
            "    series = np.polynomial.hermite_e.poly2herme(one.function.coef)",
            f"    series = np.pad(series, (0, {DEGREES + 2} - series.size))",
            f"    return np.append(series**2 * [factorial(k) for k in range({DEGREES + 2})], one.noise)",
            "",
        )
        columns = {"degree": f"[*range({DEGREES + 2}), inf]", "φ": f"np.append(hermite(phi, {DEGREES}).energies, 0)"}
        columns |= {called[who]: f"energies({who})" for who in ("main", "member")}
        found.table(f"Energy by Hermite degree ({DEGREES + 1}: and beyond; inf: noise)", columns)
        return
    degree, size = solved.degree, DEGREES + 1
    powers = "odd / np.cumprod(steps)" if solved.vectors == "sphere" else f"odd * np.cumprod(steps / {n}**2)"
    found.add(
        f"k, steps = np.arange({size}), {n} + 2.0 * np.arange({DEGREES})",
        f"odd = np.cumprod(2.0 * np.arange({DEGREES}) + 1)",
        f"moments = np.append(1, {powers})  # of x'y/n, even ones",
        f"series = taylor(phi, {literal(solved.at)}, {DEGREES})",
        f"kept = np.where(k <= {degree}, series, 0)",
        f"bent = np.where(k == {degree + 1}, {literal(bend)}, kept)",
    )
    parts = {"φ": "series", called["main"]: "kept", called["member"]: "bent"}
    found.table(
        f"Mean square by Taylor order, n = {n}",
        {"order": "k"} | {name: f"{part}**2 * moments" for name, part in parts.items()},
    )


def _argument(found: Script, values: Values, solved: Any, n: int, vectors: str, centre: float) -> None:
    """Exact density where there is one, and the drawn arguments."""
    sigma = "1" if solved.regime == "clt" else f"np.sqrt(1 / {n})"
    sphere = solved.vectors == "sphere"
    found.add(f"sigma = {sigma}")
    if not (n == 1 and sphere):
        end = min(5.0, float(np.sqrt(n))) if sphere else 5.0
        side = "np.sin(np.linspace(0, np.pi / 2, 201))" if sphere else "np.linspace(0, 1, 201) ** 2"
        found.add(
            f"side = {literal(end)} * {side}",
            "xi = np.concatenate([-side[:0:-1], side])",
            f'density = np.minimum(inner_product_density(xi, {n}, "clt", {vectors}), 1000) / sigma',
        )
        found.table(f"Density of the argument, n = {n}", {"t": f"{literal(centre)} + sigma * xi", "density": "density"})
    count = int(values["draws"])
    key = f"({literal(values['seed'])}, index, {n})"
    found.add(
        f'drawn = [draw_inner_products({n}, {PAIRS}, {key}, "clt", {vectors}) for index in range({count})]',
        "edges = (np.arange(52) - 25.5) / 5",
        "heights = np.histogram(drawn, edges)[0] / (np.size(drawn) * np.diff(edges) * sigma)",
    )
    place = f"{literal(centre)} + sigma * edges"
    found.table(
        f"Argument drawn, {count * PAIRS} pairs",
        {"from": f"({place})[:-1]", "to": f"({place})[1:]", "density": "heights"},
    )
