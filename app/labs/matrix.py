"""Your matrix: the spectrum of a visitor's own matrix, taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from app.labs import matrix_python
from app.labs import matrix_scenes as scenes
from app.labs.base import Key, Lab, Report, Table, Task, Upload
from app.labs.matrix_formulas import FORMULAS
from app.labs.matrix_settings import DISPLAY, SCHEMA, how_of
from app.labs.matrix_words import explain, lamps, no_readouts, readouts, refused, waiting, words
from app.parts.figure import ACTUAL, EQUIVALENT, LINEAR, MARK, Declare, Figure
from app.parts.matrix_reading import Found, Refusal, read_example, read_file, sides
from app.settings import Values
from rmtcore.files import FORMATS

_EXAMPLE = {"example", "layer"}  # count only while there is no file


class Asked(NamedTuple):
    """The file of the settings, None for the example, and the name of the file or of the example's array."""

    file: Upload | None
    name: str


class MatrixLab(Lab):
    """Spectrum, fitted laws, spikes, tail and verdict of one matrix: the visitor's, or one of the example."""

    name = "matrix"
    title = "Your matrix"
    summary = "Bulk, spikes or heavy tail: your own data or weights against the laws of noise."
    schema = SCHEMA
    formulas = FORMULAS
    files = FORMATS
    presets = (
        ("Before training: nothing but noise", "example=before"),
        ("After training: spikes leave the bulk of the first layer", "layer=1"),
        ("After training: the bulk on a logarithmic axis", "axes=log&bins=30"),
        ("The weights as data: centred columns", "reading=rows"),
        ("What the population would be", "population=1&permuted=0&white=0"),
    )

    @property
    def figures(self) -> Mapping[str, Declare]:
        """Spectrum and tail."""
        return {"main": scenes.declare_spectrum, "tail": scenes.TAIL}

    def equivalent(self, values: Values) -> Asked:
        """Which matrix; every law is fitted to it, so that there is none before it is read."""
        file = values.get("file")
        return Asked(file, file.name if file is not None else f"layer{values['layer']}_{values['example']}")

    def experiment(self, values: Values) -> Task:
        """Read and diagnose; what a file holds is nobody else's, and not kept."""
        asked, how = self.equivalent(values), how_of(values, self.most_entries)
        if asked.file is None:
            counting = SCHEMA.counting(values, DISPLAY | {"array"})
            return Task((self.name, self.most_entries, counting), read_example, (asked.name, how))
        key = (self.name, self.most_entries, asked.file.key, SCHEMA.counting(values, DISPLAY | _EXAMPLE))
        return Task(key, read_file, (asked.file.data, asked.name, int(values["array"]), how), keep=False)

    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Asked, observed: Any, stale: bool) -> None:
        """Patch both figures."""
        if not isinstance(observed, Found):
            scenes.paint_nothing(figures)
            return
        scenes.paint_spectrum(figures["main"], values, observed, stale)
        scenes.paint_tail(figures["tail"], values, observed, stale)

    def report(self, values: Values, theory: Asked, observed: Any) -> Report:
        """The verdict and its numbers, or why there are none."""
        if isinstance(observed, Refusal):
            return Report(no_readouts("no matrix"), refused(theory.name, observed.reason), [], [], _KEYS)
        if not isinstance(observed, Found):
            return Report(no_readouts("…"), waiting(theory.name, values), [], [], _KEYS)
        name = theory.name if theory.file is not None else ""
        notices = []
        if theory.file is not None and observed.index != values["array"]:
            count = len(observed.arrays)
            which = f"holds {count} matrices, 0 to {count - 1}" if count > 1 else "holds one matrix"
            notices = [f"The file {which}: {observed.index} is shown instead of {values['array']}."]
        said = explain(name, observed, theory.file is not None)
        return Report(readouts(name, observed), said, lamps(observed), notices, _KEYS)

    def table(self, values: Values, theory: Asked, observed: Any) -> list[Table]:
        """Arrays of the file, eigenvalues, spikes, laws, tail."""
        if not isinstance(observed, Found):
            return []
        d = observed.diagnosis
        law, (x, density) = d.generalised.law, scenes.white_curve(observed, str(values["fit"]))
        named = "; ".join(f"{index} {words(info)}" for index, info in enumerate(observed.arrays[:100]))
        size = np.array([sides(info) for info in observed.arrays])
        tables = [
            Table(
                f"Matrices to choose from: {named}",
                {"number": np.arange(len(size)), "rows": size[:, 0], "columns": size[:, 1]},
            ),
            Table("Eigenvalues", {"λ": d.eigenvalues, "λ in random order": d.permuted}),
            Table("Marchenko–Pastur, fitted", {"λ": x, "density": density}),
            Table("Generalised law", {"λ": law.grid, "density": scenes.bulk_share(d) * law.density}),
            Table("Population behind it", {"value": d.generalised.atoms, "share": d.generalised.weights}),
            Table("Edges of the bulk", dict(zip(("left", "right"), scenes.bulks(d).T, strict=True))),
        ]
        if d.spikes:
            columns = {"λ": "eigenvalue", "p": "p_value", "stands for": "strength", "shrunk": "shrunk"}
            columns["overlap"] = "overlap"
            found = {label: [getattr(spike, name) for spike in d.spikes] for label, name in columns.items()}
            tables.append(Table("Spikes", found))
        x, share = scenes.survival(d.eigenvalues)
        tables.append(Table("Share of eigenvalues ≥ λ", {"λ": x, "share": share}))
        if d.tail is not None:
            columns_of_tail = {name: [float(value)] for name, value in d.tail._asdict().items()}
            tables.append(Table("Power law fitted to the tail", columns_of_tail))
        return tables

    def python(self, values: Values, theory: Asked, observed: Any) -> str:
        """The same with rmtcore alone."""
        return matrix_python.python(values, theory.name, theory.file is not None, observed)


_KEYS = [
    Key("eigenvalues", ACTUAL, "area"),
    Key("Marchenko–Pastur, fitted", scenes.WHITE, "dashed"),
    Key("generalised; power law of the tail", EQUIVALENT),
    Key("same entries, random order", LINEAR, "dashed"),
    Key("spikes (◇ shrunk to)", MARK, "dot"),
]
