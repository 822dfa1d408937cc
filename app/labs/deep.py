"""Deep networks: kernels of infinite width, spectra by layer, signal propagation, training, compression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.labs.base import Lab, Report, Table, Task
from app.labs.deep_compression import ERRORS, FUNCTIONS, CompressionView
from app.labs.deep_dynamics import COMPARED, TRAINING, DynamicsView
from app.labs.deep_formulas import FORMULAS
from app.labs.deep_kernel import ENTRIES, WEIGHTS, KernelView
from app.labs.deep_propagation import CORRELATIONS, VARIANCES, PropagationView
from app.labs.deep_settings import SCHEMA
from app.labs.deep_spectrum import LEVELS, SpectrumView
from app.labs.deep_view import View
from app.parts import kernel_image, phases, spectral
from app.parts.deep_trials import join
from app.parts.figure import Declare, Figure
from app.settings import Values

VIEWS: dict[str, View] = {
    "kernel": KernelView(),
    "spectrum": SpectrumView(),
    "propagation": PropagationView(),
    "dynamics": DynamicsView(),
    "compression": CompressionView(),
}


@dataclass(frozen=True, eq=False)
class Theory:
    """The theory of one view."""

    view: View
    found: Any


class DeepLab(Lab):
    """Five views; each shows two or three of the figures."""

    name = "deep"
    title = "Deep networks"
    summary = "What depth does: kernels of infinite width, spectra by layer, signals, training, compression."
    schema = SCHEMA
    formulas = FORMULAS
    presets = (
        ("Three layers see the data through three numbers", "view=kernel&depth=3"),
        ("One layer: a₃ = 2 a₂, whatever the activation", "view=kernel&depth=1"),
        ("An even activation does not see the means", "view=kernel&activation=cos&gap=4"),
        ("The tangent kernel and its equivalent", "view=kernel&which=ntk&picture=spectrum"),
        ("Down the depth: spectra of every layer", "view=spectrum&depth=6"),
        ("The tangent kernel at widths like n", "view=spectrum&which=ntk&activation=tanh&depth=2"),
        ("The edge of chaos", "view=propagation&weight=1.3&bias=0.05"),
        ("Training in the kernel regime", "view=dynamics&layers=3"),
        ("Compressed thirtyfold, the same kernel", "view=compression&activation=gelu"),
    )

    @property
    def figures(self) -> Mapping[str, Declare]:
        """All figures; the first of a view that shows three is the tall one."""
        return {
            "kernel": kernel_image.declare, "plane": phases.declare, "errors": ERRORS, "training": TRAINING,
            "spectrum": spectral.declare, "levels": LEVELS, "weights": WEIGHTS, "entries": ENTRIES,
            "variances": VARIANCES, "correlations": CORRELATIONS, "compared": COMPARED, "functions": FUNCTIONS,
        }  # fmt: skip

    def visible(self, values: Values) -> list[str]:
        """Those of the view."""
        return _view(values).visible(values)

    def pick(self, values: Values, figure: str, x: float, y: float) -> Values:
        """A click where the view has a meaning for it."""
        return _view(values).pick(values, figure, x, y)

    def equivalent(self, values: Values) -> Theory:
        """The theory of the view."""
        return Theory(_view(values), _view(values).theory(values, self.most_entries))

    def experiment(self, values: Values) -> Task:
        """The experiment of the view."""
        theory = self.equivalent(values)
        task = theory.view.task(values, theory.found, self.most_entries)
        return Task((self.name, task.key), task.function, task.args, task.rounds)

    def merge(self, before: Any, new: Any) -> Any:
        """All draws so far."""
        return join(before, new)

    def paint(self, figures: Mapping[str, Figure], values: Values, theory: Theory, observed: Any, stale: bool) -> None:
        """Patch the figures of the view."""
        theory.view.paint(figures, values, theory.found, theory.view.observed(theory.found, observed), stale)

    def report(self, values: Values, theory: Theory, observed: Any) -> Report:
        """What the view says."""
        return theory.view.report(values, theory.found, theory.view.observed(theory.found, observed))

    def table(self, values: Values, theory: Theory, observed: Any) -> list[Table]:
        """What the view shows, as numbers."""
        return theory.view.table(values, theory.found, theory.view.observed(theory.found, observed))

    def python(self, values: Values, theory: Theory, observed: Any) -> str:
        """The same with rmtcore alone."""
        return theory.view.python(values, theory.found, theory.view.observed(theory.found, observed))


def _view(values: Values) -> View:
    return VIEWS[str(values["view"])]
