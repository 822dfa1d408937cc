"""Deep networks lab: the lines that make the curves of each view, and draw its networks where rmtcore can."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.labs.learning_settings import number
from app.parts.script import Script, literal, means
from app.settings import Values
from rmtcore import Coefficients


def kernel(values: Values, theory: Any, k: int, drawn: bool) -> str:
    """Coefficients by layer, both kernels, their eigenvalues and an eigenvector."""
    mixture, depth, activation = theory.mixture, theory.depth, literal(values["activation"])
    deepest = len(theory.rows) - 1
    found = Script(f"rows = coefficients(InfiniteNetwork([{activation}] * {deepest}, normalise=True))")
    found.table(
        "Coefficients",
        {"layer": f"np.arange({deepest + 1})"}
        | {name: f"[row.{name} for row in rows]" for name in Coefficients._fields},
    )
    if not drawn:
        return found.text()
    p, n, shape = mixture.dim, mixture.samples, number(values, "shape")
    gap = min(number(values, "gap") / float(np.sqrt(p)), 0.9)
    actual, linear = (
        ("tangent_kernel", "ntk_equivalent") if values["which"] == "ntk" else ("conjugate_kernel", "ck_equivalent")
    )
    found.add(
        f"network = InfiniteNetwork([{activation}] * {depth}, normalise=True)",
        f"means = np.zeros((2, {p}))",
        f"means[:, 0] = np.sqrt({literal(values['mean_norm2'])}) * np.array([1, -1])",
        f"side, shape, gap = np.resize([1.0, -1.0], {p}), {literal(shape)}, {literal(gap)}",
        *(["side[-1] = 0  # one direction too many"] if p % 2 else []),
        "sizes = [(1 + shape * side) * (1 - gap), (1 - shape * side) * (1 + gap)]",
        f"mixture = Mixture(means, sizes, [{n - n // 2}, {n // 2}])",
        f"X = mixture.draw({literal(values['seed'])})",
        f"actual, linear = {actual}(network, X), {linear}(network, mixture, X)",
        f"tops = [top_eigenvectors(one, mixture.labels, {min(4, n - 1)}) for one in (actual, linear)]",
    )
    found.table("Eigenvalues", {"actual": "np.linalg.eigvalsh(actual)", "linear": "np.linalg.eigvalsh(linear)"})
    found.table(
        f"Eigenvector {k + 1}",
        {"class": "mixture.labels + 1"}
        | {name: f"tops[{i}].vectors[{k}]" for i, name in enumerate(("actual", "linear"))},
    )
    return found.text()


def spectrum(values: Values, theory: Any) -> str:
    """Laws of every layer's kernel, and of the tangent kernel; the drawn spectra."""
    here, depth = theory.network, len(theory.levels)
    n, d, p = here.samples, here.feature_dim, here.population.dim
    found = Script(
        f"population = Population.mixture({literal(values['mean_norm2'])}, {p})",
        f"layer = Layer({d}, {literal(values['activation'])}, normalise=True)",
        f"networks = [Network(population, [layer] * (depth + 1), samples={n}) for depth in range({depth})]",
        f'laws, scale = [spectrum(one, 240, "gram") for one in networks], {n / d!r}',
    )
    tangent = theory.tangent is not None
    if tangent:
        found.add("tangent, (weights, floor) = tangent_spectrum(networks[-1]), tangent_weights(networks[-1])")
        found.table("Tangent kernel, limit", {"λ": "tangent.grid", "density": "tangent.density"})
        found.table("Its weights", {"layer": "np.arange(weights.size)", "q": "weights"})
    for top in range(depth):
        found.table(
            f"Conjugate kernel, layer {top + 1}, limit",
            {"λ": f"scale * laws[{top}].grid", "density": f"laws[{top}].density / scale"},
        )
    key = f"({literal(values['seed'])}, index)"
    found.add(
        f"keys = [{key} for index in range({values['draws']})]",
        'levels = [[draw(one, key).all_eigenvalues("gram") * scale for key in keys] for one in networks]',
    )
    columns = {f"layer {top + 1}": f"np.sort(np.ravel(levels[{top}]))" for top in range(depth)}
    if tangent:
        found.add(
            'linear = [draw_tangent(networks[-1], key, "linear") for key in keys]',
            "drawn = [draw_tangent(networks[-1], key) for key in keys]",
        )
        columns["tangent"] = "np.sort(np.ravel(drawn))"
    else:
        found.add('linear = [draw(networks[-1], key, "linear").all_eigenvalues("gram") * scale for key in keys]')
    found.table("Eigenvalues, actual", columns | {"linear equivalent": "np.sort(np.ravel(linear))"})
    return found.text()


def propagation(values: Values, theory: Any) -> str:
    """Both maps, and a signal and a pair of signals on their way up."""
    phi, weight, bias = literal(theory.activation), literal(values["weight"]), literal(values["bias"])
    layers, settles = int(values["steps"]), theory.settles
    q, c = theory.variance_curve[0], theory.correlation_curve[0]
    found = Script(
        f"phi, weight, bias = {phi}, {weight}, {bias}",
        f"variances = [{literal(values['start'])}]",
        f"for layer in range({layers}):",
        "    q = variances[-1]",
        "    variances.append(float(variance_map(phi, q, weight, bias)) if 1e-12 < q < 1e12 else q)",
    )
    columns = {"layer": f"np.arange({layers + 1})", "q": "variances"}
    if settles:
        found.add(
            f"settled = fixed_point(phi, weight, bias, {literal(values['start'])}).variance",
            f"correlations = [{literal(values['alike'])}]",
            f"for layer in range({layers}):",
            "    correlations.append(float(correlation_map(phi, correlations[-1], settled, weight, bias)))",
        )
        columns["c"] = "correlations"
    found.table("Layer by layer", columns)
    found.add(f"q = np.linspace(0, {literal(float(q[-1]))}, {q.size + 1})[1:]", f"c = np.linspace(0, 1, {c.size})")
    found.table("Variance map", {"q": "q", "next q": "variance_map(phi, q, weight, bias)"})
    at = "settled" if settles else literal(values["start"])
    if not np.array_equal(*theory.correlation_curve):  # else there is no signal whose angle could change
        found.table("Correlation map", {"c": "c", "next c": f"correlation_map(phi, c, {at}, weight, bias)"})
    return found.text()


def dynamics(values: Values, theory: Any, depths: tuple[int, ...], units: int) -> str:
    """The training error in time with its two parts, at other depths, and networks that were trained."""
    if not theory.counts:
        found = Script("# This activation jumps: it has no tangent kernel, and nothing is drawn.")
        found.table("Theory", {"t": "np.zeros(0)"})
        return found.text()
    activation, depth, rho = literal(values["activation"]), int(values["layers"]), literal(values["mean_norm2"])
    p, n = theory.dim, theory.samples
    found = Script(
        f"network = InfiniteNetwork([{activation}] * {depth}, normalise=True)",
        f"rate, rho, ratio = {theory.rate!r}, {rho}, {n / p!r}",
        f"t = np.geomspace(rate, {theory.times[-1] / theory.rate:.0f} * rate, {theory.times.size})",
        "error = training_error(network, rho, ratio, t)",
        "row, laws = coefficients(network)[-1], label_laws(rho, ratio)",
        "decay = np.exp(-2 * t[:, None] * (row.kappa**2 - row.b1 + row.b1 * laws.x))",
        "labels = decay @ (laws.trace + rho * laws.signal) / (1 + rho) / 2",
        f"depths = {{depth: InfiniteNetwork([{activation}] * depth, normalise=True) for depth in {depths}}}",
    )
    columns = {"t": "t", "error": "error", "of the labels": "labels", "of the start": "error - labels"}
    columns |= {f"depth {one}": f"training_error(depths[{one}], rho, ratio, t)" for one in depths}
    found.table("Theory", columns)
    found.add(
        f"mixture, steps = Mixture.labelled(rho, {p}, {n}), np.array({list(theory.counts)})",
        "y, trained, linear = 1.0 - 2.0 * mixture.labels, [], []",
        f"for index in range({values['draws']}):",
        f"    key = ({literal(values['seed'])}, index)",
        "    X = mixture.draw(key)",
        f"    path = train_gradient(network, [{units}] * {depth}, X, y, key, rate, {max(theory.counts)})",
        "    trained.append(np.minimum(np.nan_to_num(path, nan=1e30), 1e30)[steps])  # what diverges stays finite",
        "    kernels = ck_equivalent(network, mixture, X), ntk_equivalent(network, mixture, X)",
        "    linear.append(kernel_training_error(*kernels, y, rate * steps))",
        "trained, linear = np.array(trained), np.array(linear)",
    )
    found.table(
        f"Experiment, {values['draws']} repetitions",
        {"t": "rate * steps", "steps": "steps"}
        | means(["actual", "linear"], {"actual": "trained", "linear": "linear"}),
    )
    return found.text()


def compression(values: Values, theory: Any) -> str:
    """Test error and memory of the given network and of its ternary match, across the width."""
    activation, depth = literal(values["activation"]), int(values["layers"])
    p, n = theory.dim, theory.samples
    low, high = theory.widths[0], theory.widths[-1]
    found = Script(
        f"network = InfiniteNetwork([{activation}] * {depth})",
        f"population = Population.mixture({literal(values['mean_norm2'])}, {p})",
        f"d = np.unique(np.geomspace({low / n!r} * {n}, {high / n!r} * {n}, 41).round())",
        "",
        "def tests(activations, ridge):",
        f"    one = Network(population, [Layer({n}, phi) for phi in activations], samples={n})",
        f"    return sweep(one, widths=d, ridge=ridge * d / {n}).test",
        "",
        "def shapes(width):",
        f"    return zip([int(width)] * {depth}, [{p}] + [int(width)] * {depth - 1})",
        "",
        "dense_bits = [sum(memory_bits(one, one[0] * one[1]).dense for one in shapes(width)) for width in d]",
    )
    columns = {
        "d": "d",
        "bits, dense": "dense_bits",
        "test, dense": f"tests([{activation}] * {depth}, {literal(theory.ridges[0])})",
    }
    if theory.small is not None:
        share = literal(1.0 - number(values, "sparsity"))
        found.add(
            "small = compress(network)",
            "",
            "def light(shape):",
            f"    memory = memory_bits(shape, round({share} * shape[0] * shape[1]))",
            "    return min(memory.masked, memory.listed)",
            "",
        )
        columns |= {
            "bits, ternary": "[sum(light(one) for one in shapes(width)) for width in d]",
            "test, ternary": f"tests(small.network.activations, {literal(theory.ridges[1])})",
        }
    found.table("Theory", columns)
    return found.text()
