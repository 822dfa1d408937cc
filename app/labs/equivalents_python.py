"""Equivalents lab: the lines that draw its matrices, observe them, and predict what is observed."""

from __future__ import annotations

from typing import Any

from app.parts.script import Script, call, literal
from app.settings import Values
from rmtcore import Ensemble


def python(values: Values, theory: Any, label: str) -> str:
    """The observable at every size: predicted and drawn."""
    matrices, observable = theory.matrices, theory.observable
    linear = values["matrix"] != "covariance"
    sizes = [(one.network.samples, one.network.population.dim, one.network.feature_dim) for one in matrices.rungs]
    found = Script(*_ensembles(values, matrices.rungs[-1], observable is None), f"sizes = {literal(sizes)}")
    seed, count = literal(values["seed"]), int(values["draws"])
    if observable is None:
        found.add(
            "rungs = [network(n, p, d) for n, p, d in sizes]",
            "predicted = np.array([ridge_errors(one).test for one in rungs])",
            f"drawn = np.concatenate([risks(rungs, {seed}, index) for index in range({count})], axis=1)",
            "actual = list(drawn[0].T)",
        )
        if linear:
            found.add("linear = list(drawn[1].T)")
    else:
        named = {}
        if observable.name == "statistic":
            named = {"shape": literal(observable.shape)}
        if observable.name.startswith("enclosed"):
            named = {"shape": literal(observable.shape), "left": repr(observable.left), "right": repr(observable.right)}
        found.add(
            "rungs = [ensemble(n, p, d) for n, p, d in sizes]",
            f"observable = {call('Observable', literal(observable.name), literal(observable.ridge), **named)}",
            "predicted = np.array([predict(one, observable) for one in rungs])",
            f"rounds = [collect(rungs, {literal(matrices.counts)}, {seed}, index) for index in range({count})]",
            "drawn = reduce(join, rounds)",
        )
        for reading in ["actual", *(["linear"] if linear else [])]:
            found.add(f"{reading} = [measure(one, part.{reading}, observable) for one, part in zip(rungs, drawn)]")
    _tables(found, values, [one[0] for one in sizes], label, observable is None)
    return found.text()


def _ensembles(values: Values, one: Ensemble, is_risk: bool) -> list[str]:
    kind, data = str(values["matrix"]), values["data"]
    if kind == "kernel" or data == "mixture":
        norm = values["separation" if kind == "kernel" else "mean_norm2"]
        population = f"Population.mixture({literal(norm)}, p)"
    else:
        population = {
            "atoms2": f"Population.atoms([1, {literal(values['s2'])}], [0.5, 0.5], p)",
            "toeplitz": f"Population.toeplitz({literal(values['rho'])}, p)",
        }.get(str(data), "Population.identity(p)")
    layers = f"[Layer(d, {literal(values['activation'])}, normalise=True)]" if one.network.layers else "[]"
    fit = f", noise={literal(values['noise'])}, ridge={literal(values['ridge'])}" if is_risk else ""
    lines = ["def network(n, p, d):", f"    return Network({population}, {layers}, samples=n{fit})", ""]
    if is_risk:
        return lines
    phi = f", get_activation({literal(values['activation'])})" if kind == "kernel" else ""
    return [*lines, "def ensemble(n, p, d):", f"    return Ensemble({literal(kind)}, network(n, p, d){phi})", ""]


def _tables(found: Script, values: Values, samples: list[int], label: str, is_risk: bool) -> None:
    columns = {"n": "[n for n, _, _ in sizes]", "predicted": "predicted"}
    readings = ["actual", *(["linear"] if values["matrix"] != "covariance" else [])]
    for reading in readings:
        found.add(
            f"{reading}_errors = np.array([root_mean_square(part, value) for part, value in zip({reading}, predicted)])"
        )
        columns |= {
            f"mean, {reading}": f"[part.mean() for part in {reading}]",
            f"relative error, {reading}": f"{reading}_errors[:, 0] / relative_to(predicted[-1])",
            f"its ±, {reading}": f"{reading}_errors[:, 1] / relative_to(predicted[-1])",
        }
    if not is_risk:
        norms = {"|M − M̃|/|M|": "off_linear"} if len(readings) > 1 else {}
        for name, part in (norms | {"|M − E M|/|M|": "off_mean"}).items():
            columns |= {
                name: f"[one.{part}.mean() for one in drawn]",
                f"{name} ±": f"[one.{part}.std() / np.sqrt(one.{part}.size) for one in drawn]",
            }
    found.table(f"By size: {label}", columns)
    for reading in readings:
        found.table(f"Realisations, {reading}: {label}", {f"n = {n}": f"{reading}[{k}]" for k, n in enumerate(samples)})
    if values["view"] == "contour":
        found.table("Contour", {"crosses the axis": "[observable.left, observable.right]"})
        found.table(
            "Eigenvalues of one draw", {"λ": "drawn[-1].actual.eigenvalues[0]", "(u′v)²": "drawn[-1].actual.weights[0]"}
        )
