"""Equivalents: one random matrix in three readings, and for which observations they are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from app.labs import equivalents_python
from app.labs import equivalents_scenes as scenes
from app.labs.base import Lab, Report, Table, Task
from app.labs.equivalents_formulas import FORMULAS
from app.labs.equivalents_scenes import observed_of
from app.labs.equivalents_settings import DISPLAY, SCHEMA, is_risk
from app.labs.equivalents_theory import Theory, matrices_of, picked_ends, risk_networks, theory_of
from app.labs.equivalents_words import explain, lamps
from app.labs.learning_settings import number
from app.parts import contour, matrices
from app.parts.curves import paint
from app.parts.figure import Declare, Figure
from app.parts.realisations import Gathered, gather
from app.settings import Values
from rmtcore.observations import risks


class EquivalentsLab(Lab):
    """Images of the readings, an observation at growing sizes, a contour around eigenvalues."""

    name = "equivalents"
    title = "Equivalents"
    summary = "High-dimensional, linear, deterministic: when may one matrix stand for another?"
    schema = SCHEMA
    formulas = FORMULAS
    presets = (
        ("Traces agree, operator norms do not", "observation=trace&draws=20"),
        ("A quadratic form fluctuates more", "observation=form&view=observation"),
        ("The resolvent itself, three times", "images=resolvent&matrix=covariance"),
        ("The top eigenvector of two classes", "observation=overlap&view=observation"),
        ("A contour around the outlier", "view=contour&enclose=outlier"),
        ("A contour around everything: a trace", "view=contour&enclose=all&functional=trace&inside=log"),
        ("A kernel matrix is not linear, and is", "matrix=kernel&activation=tanh"),
        ("Classical: p stays, n grows, all concentrates", "matrix=covariance&growth=classical&ratio=0.1&data=toeplitz"),
    )

    @property
    def figures(self) -> Mapping[str, Declare]:
        """Images, plane, realisations, errors."""
        return {
            "matrices": matrices.declare, "plane": contour.declare,
            "scatter": scenes.SCATTER, "errors": scenes.ERRORS,
        }  # fmt: skip

    def visible(self, values: Values) -> list[str]:
        """Two of each view."""
        return {
            "matrices": ["matrices", "errors"], "observation": ["scatter", "errors"], "contour": ["plane", "scatter"],
        }[str(values["view"])]  # fmt: skip

    def equivalent(self, values: Values) -> Theory:
        """Predictions at every size."""
        return theory_of(values, self.most_entries)

    def experiment(self, values: Values) -> Task:
        """Realisations of every size, in rounds; a test error has an experiment of its own."""
        found, seed, rounds = self._matrices(values), int(number(values, "seed")), int(number(values, "draws"))
        key = (self.name, self.most_entries, SCHEMA.counting(values, DISPLAY))
        if is_risk(values):
            changes = number(values, "ridge"), number(values, "noise")
            return Task((*key, "risk", *changes), risks, (risk_networks(values, found), seed), rounds)
        return Task(key, gather, (found.shown, list(found.rungs), found.counts, seed), rounds)

    def _matrices(self, values: Values) -> Any:
        return matrices_of(values, self.most_entries)

    def merge(self, before: Any, new: Any) -> Any:
        """All realisations so far."""
        if isinstance(before, Gathered):
            return before.join(new)
        return np.concatenate([before, new], axis=1)

    def pick(self, values: Values, figure: str, x: float, y: float) -> Values:
        """A click or drag in the plane moves the nearer end of the contour."""
        return picked_ends(self.equivalent(values), x) if figure == "plane" else {}

    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Theory, observed: Any, stale: bool) -> None:
        """Patch the figures of the view."""
        seen = observed_of(values, theory, observed)
        shown = self.visible(values)
        if "matrices" in shown:
            matrices.paint(figures["matrices"], *scenes.panels(values, theory, seen), stale)
        if "plane" in shown:
            contour.paint(figures["plane"], scenes.plane(theory, seen, stale))
        if "scatter" in shown:
            paint(figures["scatter"], scenes.SCATTER, scenes.scatter(values, theory, seen, stale))
        if "errors" in shown:
            paint(figures["errors"], scenes.ERRORS, scenes.errors(values, theory, seen, stale))

    def report(self, values: Values, theory: Theory, observed: Any) -> Report:
        """Value, agreement, rates, operator norms."""
        seen = observed_of(values, theory, observed)
        return Report(
            scenes.readouts(values, theory, seen),
            explain(values, theory, seen),
            lamps(values, theory),
            list(theory.matrices.notices),
            scenes.keys(values, theory, seen),
        )

    def table(self, values: Values, theory: Theory, observed: Any) -> list[Table]:
        """Errors and predictions by size, realisations, eigenvalues, the images."""
        return scenes.tables(values, theory, observed_of(values, theory, observed))

    def python(self, values: Values, theory: Theory, observed: Any) -> str:
        """The same with rmtcore alone."""
        return equivalents_python.python(values, theory, scenes.label_of(values, theory))
