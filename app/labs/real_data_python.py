"""Real data lab: the lines that load the points, predict the errors on them and train the networks."""

from __future__ import annotations

from collections.abc import Mapping

from app.parts.real_data import FETCHED, FOURIER, Source
from app.parts.script import Script, literal
from app.settings import Values


def python(values: Values, source: Source, features: str, ridges: Mapping[str, float], file: str | None) -> str:
    """Errors across the width for every ridge shown, the Gaussian twin's, and the networks."""
    found = Script(*_points(source, file))
    seed = literal(source.seed)
    samples = str(source.samples) if file is None else f"min({source.samples}, y.size * 3 // 4)"
    found.add(f"n = {samples}", f"data = GivenData.split(X, y, n, {seed}, tests=min(1600, y.size - n))")
    fourier = features == FOURIER
    near = [0.75, 0.85, 0.92, 1.0, 1.08, 1.15, 1.3]
    found.add(
        f"near = {'0.5 * ' if fourier else ''}np.array({literal(near)})",
        "shares = [np.geomspace(1 / n, 0.7, 9), near, np.linspace(0.25, 2.5, 10)]",
        "widths = np.unique(np.maximum(1, np.round(n * np.concatenate(shares))))",
    )
    if not fourier:
        found.add(
            "shares = [np.geomspace(1 / n, 2.5, 50), np.linspace(0, 2.5, 126), np.linspace(0.9, 1.1, 21)]",
            "d = np.union1d(np.maximum(1, np.round(n * np.concatenate(shares))), widths)",
        )
    found.add(f"ridges = np.array({literal(list(ridges.values()))})")
    _theory(found, values, features, list(ridges.values()), file)
    count = int(values["draws"])
    train = "train_fourier(data," if fourier else f"train_given(data, {literal(features)},"
    found.add(
        f"trials = [{train} widths[:, None], ridges, ({seed}, 1 + index)) for index in range({count})]",
        "test = np.array([one.test for one in trials])",
        "train = np.array([one.train for one in trials])",
    )
    for k, ridge in enumerate(ridges.values()):
        columns = {"d": "widths", "d/n": "widths / n"}
        for name in ("test", "train"):
            part = f"{name}[:, :, {k}]"
            columns |= {name: f"{part}.mean(axis=0)", f"{name} ±": f"standard_error({part})"}
        found.table(f"Experiment, λ = {ridge:g}, {count} networks a width", columns)
    return found.text()


def _points(source: Source, file: str | None) -> list[str]:
    if file is not None:
        return [
            f"content = Path({literal(file)}).read_bytes()",
            f"name = next((one.name for one in contents(content, {literal(file)}) if one.usable), None)",
            f"table = load(content, {literal(file)}, name).matrix",
            "X, y = two_classes(table[:, :-1].T, table[:, -1], *np.unique(table[:, -1])[::-1])",
        ]
    classes = f"{source.one}, {source.other}"
    if source.name in FETCHED:
        return [
            f"X, labels = fetch({literal(FETCHED[source.name])})",
            f"X, y = two_classes(X[:, :10000].copy(), labels[:10000].copy(), {classes})",
        ]
    return ["X, y = breast_cancer()" if source.name == "cancer" else f"X, y = digits_pair({classes})"]


def _theory(found: Script, values: Values, features: str, ridges: list[float], file: str | None) -> None:
    if features == FOURIER:
        found.add("errors = [fourier_errors(data, widths, ridge) for ridge in ridges]")
        for k, ridge in enumerate(ridges):
            columns = {"d": "widths", "d/n": "widths / n", "test": f"errors[{k}].test", "train": f"errors[{k}].train"}
            found.table(f"Theory, λ = {ridge:g}", columns)
        return
    found.add(f"errors = given_errors(data, {literal(features)}, d[:, None], ridges)")
    twin = bool(values["twin"]) and file is None  # a small file has no covariance to speak of
    if twin:
        found.add(
            f"twin = gaussian_twin(data, {literal(features)}, n, {literal(min(ridges))})",
            "expected = sweep(twin, widths=d[:, None], ridge=ridges)",
        )
    for k, ridge in enumerate(ridges):
        columns = {"d": "d", "d/n": "d / n", "test": f"errors.test[:, {k}]", "train": f"errors.train[:, {k}]"}
        found.table(
            f"Theory, λ = {ridge:g}", columns | ({"Gaussian twin, test": f"expected.test[:, {k}]"} if twin else {})
        )
