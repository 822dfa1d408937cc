"""Matrices in three readings: every equivalent against drawn matrices, limits against closed forms."""

from functools import cache

import numpy as np
import pytest
from naive import enclosed_sum, stieltjes_of_kernel
from scipy.linalg import eigvalsh

from rmtcore import (
    Ensemble,
    Layer,
    Network,
    Observable,
    Population,
    collect,
    expected_rate,
    fit_rate,
    functional,
    get_activation,
    mean_matrix,
    measure,
    predict,
    realise,
    resolvent,
    resolvent_matrix,
    ridge_errors,
)
from rmtcore.equivalents import contour, distance, enclosed
from rmtcore.observations import join, risks, root_mean_square, top_outlier

KINDS = ("covariance", "gram", "kernel")
RATIOS = (0.5, 1.0, 2.0)


@cache
def ensemble(kind, n=120, ratio=0.5, separation=3.0, activation="tanh", width=1.5, data="mixture"):
    p = round(ratio * n)
    population = {
        "mixture": lambda: Population.mixture(separation, p), "identity": lambda: Population.identity(p),
        "atoms": lambda: Population.atoms([1.0, 5.0], [0.5, 0.5], p), "toeplitz": lambda: Population.toeplitz(0.6, p),
    }[data]()  # fmt: skip
    layers = [Layer(round(width * n), activation, normalise=True)] if kind == "gram" else []
    phi = get_activation(activation) if kind == "kernel" else None
    return Ensemble(kind, Network(population, layers, samples=n), phi)


@cache
def drawn(one, count, seed=1):
    """The realisations of one ensemble."""
    return collect([one], [count], seed, 0)[0]


def means(one, drawn_spectra, observable):
    values = measure(one, drawn_spectra, observable)
    return values.mean(), values.std(ddof=1) / np.sqrt(values.size)


# ---- the deterministic values against drawn matrices ----
@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reading", ["actual", "linear"])
def test_trace_form_and_statistic_are_those_of_drawn_matrices(kind, ratio, reading):
    one = ensemble(kind, ratio=ratio)
    found = getattr(drawn(one, 40), reading)
    # All are right to order 1/n, beside a Monte-Carlo error of order 1/n or 1/sqrt(n).
    for name, shape in (
        ("trace", "inverse"), ("form", "inverse"), ("training", "one"), ("statistic", "log"), ("statistic", "square"),
        ("statistic", "inverse"),
    ):  # fmt: skip
        observable = Observable(name, 0.7, shape)
        mean, error = means(one, found, observable)
        size = np.max(np.abs(observable.function(observable.place(one))(np.array(one.ends))))
        assert abs(mean - predict(one, observable)) < 4.0 * error + 2.0 * size / one.size, (name, shape)


@pytest.mark.parametrize("kind", KINDS)
def test_what_finite_size_adds_vanishes(kind):
    gaps = []
    for n, count in ((48, 120), (192, 30)):
        one = ensemble(kind, n=n, separation=2.0)
        mean, error = means(one, drawn(one, count).actual, Observable("trace", 0.7))
        predicted = predict(one, Observable("trace", 0.7))
        gaps.append((abs(mean / predicted - 1.0), error / predicted))
    (coarse, _), (fine, spread) = gaps
    assert fine < 0.5 * coarse + 3.0 * spread
    assert fine < 0.01


@pytest.mark.parametrize("data", ["identity", "atoms", "toeplitz"])
def test_other_data_of_a_covariance(data):
    one = ensemble("covariance", n=200, data=data)
    found = drawn(one, 20).actual
    for name in ("trace", "form", "statistic"):
        mean, error = means(one, found, Observable(name, 0.3, "log"))
        predicted = predict(one, Observable(name, 0.3, "log"))
        assert abs(mean - predicted) < 4.0 * error + 0.01 * abs(predicted), name
    if data == "atoms":  # u lies in the eigenspace of 5: its resolvent is not that of an average direction
        assert predict(one, Observable("form", 0.3)) < 0.5 * predict(one, Observable("trace", 0.3))


@pytest.mark.parametrize("kind", KINDS)
def test_largest_eigenvalue_and_its_eigenvector(kind):
    one = ensemble(kind, n=300, separation=4.0)
    found = drawn(one, 12).actual
    assert top_outlier(one) is not None
    for name in ("largest", "overlap"):
        mean, error = means(one, found, Observable(name))
        predicted = predict(one, Observable(name))
        assert abs(mean - predicted) < 4.0 * error + 0.02 * predicted, name
    assert predict(one, Observable("overlap")) > 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_below_the_transition_the_eigenvector_knows_nothing(kind):
    one = ensemble(kind, n=200, separation=0.2)
    assert top_outlier(one) is None
    assert predict(one, Observable("overlap")) == 0.0
    assert measure(one, drawn(one, 12).actual, Observable("overlap")).mean() < 0.1
    assert predict(one, Observable("largest")) == pytest.approx(one.law.bulks[-1, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_the_mean_and_of_the_resolvent(kind):
    one, count = ensemble(kind, n=60), 150
    z = Observable("trace", 0.7).place(one)
    matrices = [realise(one, (5, k)).matrix for k in range(count)]
    inverses = [np.linalg.inv(matrix - z * np.eye(one.size)) for matrix in matrices]
    for found, expected in ((matrices, mean_matrix(one)), (inverses, resolvent_matrix(one, z))):
        mean, spread = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(count)
        # Entry by entry it is right to order 1/n: no entry is far, and the sum of all squares is small.
        assert np.max(np.abs(mean - expected) - 6.0 * spread) < 0.1 * np.max(np.abs(mean))
        assert np.linalg.norm(mean - expected) < 0.25 * np.linalg.norm(found[0] - expected)
    assert np.trace(resolvent_matrix(one, z)) / one.size == pytest.approx(float(resolvent(one, z).trace), rel=0.03)
    u = one.direction
    assert u @ u == pytest.approx(1.0)
    assert u @ resolvent_matrix(one, z) @ u == pytest.approx(float(resolvent(one, z).form), rel=1e-6)


def test_the_operator_norm_does_not_vanish_but_with_fixed_dimension():
    grow = [drawn(ensemble(kind, n=n), 4) for kind in ("gram", "kernel") for n in (60, 240)]
    assert min(one.off_linear.mean() for one in grow) > 0.1
    assert min(one.off_mean.mean() for one in grow) > 0.3
    classical = [drawn(ensemble("covariance", n=n, ratio=20 / n), 10).off_mean.mean() for n in (40, 160, 640)]
    assert classical[1] / classical[0] == pytest.approx(0.5, abs=0.15)
    assert classical[2] / classical[1] == pytest.approx(0.5, abs=0.15)


# ---- contours ----
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", ["one", "identity", "square", "log", "inverse"])
def test_a_contour_counts_what_it_encloses(kind, shape):
    one = ensemble(kind, n=200, separation=4.0)
    top, edge = top_outlier(one).position, one.law.bulks[-1, 1]
    middle, inside = 0.5 * (top + edge), float(one.law.bulks[0] @ [0.6, 0.4])
    found, counts = drawn(one, 15).actual, one.size
    for left, right in ((middle, 2.0 * top - middle), (inside, middle), (inside, edge - 0.2 * (edge - inside))):
        for name in ("enclosed trace", "enclosed form"):
            observable = Observable(name, 0.7, shape, left, right)
            mean, error = means(one, found, observable)
            predicted = predict(one, observable)
            # An eigenvalue or two may lie on the other side of an end in the bulk.
            size = max(abs(observable.function(observable.place(one))(np.array([left, right]))))
            assert abs(mean - predicted) < 4.0 * error + 3.0 * size / counts * (name == "enclosed trace") + 0.03 * size


def test_around_the_outlier_alone_there_is_one_eigenvalue_and_the_overlap():
    for kind in KINDS:
        one = ensemble(kind, n=200, separation=4.0)
        top, edge = top_outlier(one).position, one.law.bulks[-1, 1]
        left = 0.5 * (top + edge)
        found = functional(one, lambda x: 1.0 + 0.0 * x, left, 2.0 * top - left)
        assert found.trace * one.size == pytest.approx(1.0, abs=1e-6)
        assert found.form == pytest.approx(predict(one, Observable("overlap")), abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_around_everything_the_mass_is_one_whatever_the_height(kind):
    one = ensemble(kind)
    low, high = one.ends
    for height in (None, 0.3 * (high - low)):
        found = functional(one, lambda x: 1.0 + 0.0 * x, low - 1.0, high + 1.0, height)
        assert found.trace == pytest.approx(1.0, abs=1e-7)
        assert found.form == pytest.approx(1.0, abs=1e-7)


def test_the_contour_of_a_drawn_matrix_is_its_own_sum():
    one = realise(ensemble("gram", n=40), 3)
    k = int(np.argmax(np.diff(one.eigenvalues[:30])))
    left, right = 0.5 * (one.eigenvalues[k] + one.eigenvalues[k + 1]), one.eigenvalues[-1] + 1.0
    z, steps = contour(left, right)
    through = -(steps @ (np.log(z + 1.0) * np.mean(1.0 / (one.eigenvalues - z[:, None]), axis=1))).imag / np.pi
    trace, form = enclosed(one.eigenvalues, one.weights, lambda x: np.log(x + 1.0), left, right)
    assert through == pytest.approx(float(trace), rel=1e-5)
    slow = enclosed_sum(one.matrix, ensemble("gram", n=40).direction, lambda x: np.log(x + 1.0), left, right)
    assert (float(trace), float(form)) == pytest.approx(slow, rel=1e-9)


@pytest.mark.parametrize("data", ["identity", "toeplitz"])
def test_a_statistic_is_the_integral_against_the_law(data):
    one = ensemble("covariance", n=150, ratio=2.0, data=data)  # half of the eigenvalues are zero
    expected = one.law.integral(lambda x: np.log(x + 0.3))
    assert predict(one, Observable("statistic", 0.3, "log")) == pytest.approx(expected, rel=1e-4)


# ---- closed forms and limits ----
def test_white_data_have_the_transform_of_marchenko_and_pastur():
    for ratio in RATIOS:
        one = ensemble("covariance", ratio=ratio, data="identity")
        for z in (-0.3, 0.5 + 0.2j, 0.5 - 0.2j, 10.0 + 1.0j):
            m = complex(resolvent(one, z).trace)
            assert ratio * z * m**2 - (1.0 - ratio - z) * m + 1.0 == pytest.approx(0.0, abs=1e-9)
            assert complex(resolvent(one, z).form) == pytest.approx(m)


def test_a_kernel_has_the_transform_of_its_law():
    one = ensemble("kernel", separation=0.0, activation="erf")
    z = np.array([one.ends[0] - 0.5, 0.2 + 0.3j, 0.2 - 0.3j, 5.0 + 1.0j])
    expected = [stieltjes_of_kernel(get_activation("erf").moments(1.0), 0.5, value) for value in z]
    np.testing.assert_allclose(resolvent(one, z).form, expected, rtol=1e-8)


def test_with_many_samples_the_resolvent_is_that_of_the_mean():
    one = Ensemble("covariance", Network(Population.mixture(3.0, 10), samples=100_000))
    expected = np.diag(1.0 / (np.diag(mean_matrix(one)) + 0.5))
    np.testing.assert_allclose(resolvent_matrix(one, -0.5), expected, atol=1e-3)


@pytest.mark.parametrize("activation", ["cos", "abs", "he2"])
def test_features_without_a_linear_part_know_no_classes(activation):
    one = ensemble("gram", activation=activation)
    assert float(resolvent(one, -0.7).form) == pytest.approx(float(resolvent(one, -0.7).trace), rel=1e-12)
    assert mean_matrix(one)[0, 1] == 0.0
    found = drawn(ensemble("gram", n=200, activation=activation, separation=1.0), 10).actual
    assert abs(measure(one, found, Observable("form", 0.7)).mean() / float(resolvent(one, -0.7).trace) - 1.0) < 0.1


def test_classes_that_coincide_are_none():
    for kind in KINDS:
        with_classes, without = ensemble(kind, separation=0.0), ensemble(kind, data="identity")
        for name in ("trace", "form"):
            assert predict(with_classes, Observable(name)) == pytest.approx(
                predict(without, Observable(name)), rel=1e-9
            )


# ---- realisations ----
@pytest.mark.parametrize("kind", KINDS)
def test_a_realisation_is_what_it_says(kind):
    one = ensemble(kind, n=50, ratio=2.0, width=0.6)
    first, again, linear = realise(one, 7), realise(one, 7), realise(one, 7, "linear")
    np.testing.assert_array_equal(first.matrix, again.matrix)
    np.testing.assert_allclose(first.matrix, first.matrix.T)
    np.testing.assert_allclose(first.eigenvalues, eigvalsh(first.matrix), atol=1e-10)
    assert first.weights.sum() == pytest.approx(1.0)
    assert first.eigenvalues @ first.weights == pytest.approx(one.direction @ first.matrix @ one.direction)
    assert np.array_equal(first.matrix, linear.matrix) is (kind == "covariance")
    if kind != "kernel":
        rank = {"covariance": 50, "gram": 30}[kind]
        assert np.count_nonzero(first.eigenvalues) == rank
    else:
        np.testing.assert_array_equal(np.diag(first.matrix), 0.0)


def test_the_classes_stand_one_after_the_other():
    one = ensemble("gram", n=60, separation=15.0, ratio=1.0)
    matrix = np.mean([realise(one, (1, k)).matrix for k in range(20)], axis=0)
    assert matrix[:30, :30].mean() > 0.1 > -0.1 > matrix[:30, 30:].mean()
    assert list(one.labels) == [1.0] * 30 + [-1.0] * 30


def test_distance_is_the_operator_norm():
    rng = np.random.default_rng(1)
    one, other = (part + part.T for part in rng.standard_normal((2, 20, 20)))
    before = one.copy()
    assert distance(one, other) == pytest.approx(np.linalg.norm(one - other, 2))
    np.testing.assert_array_equal(one, before)


def test_rounds_are_joined_and_depend_on_their_number():
    ensembles = [ensemble("gram", n=20), ensemble("gram", n=30)]
    first, second = (collect(ensembles, [3, 1], 5, index) for index in (0, 1))
    both = join(first, second)
    assert [one.actual.eigenvalues.shape for one in both] == [(6, 20), (2, 30)]
    assert [one.off_mean.shape for one in both] == [(6,), (2,)]
    assert not np.allclose(first[0].actual.eigenvalues, second[0].actual.eigenvalues)
    np.testing.assert_array_equal(both[0].linear.weights[:3], first[0].linear.weights)


def test_risks_are_test_errors():
    network = Network(Population.mixture(3.0, 60), [Layer(90, "tanh", normalise=True)], samples=120, ridge=0.3)
    found = np.concatenate([risks([network], 1, index) for index in range(25)], axis=1)
    assert found.shape == (2, 25, 1)
    for part in found[..., 0]:
        error = part.std(ddof=1) / 5.0
        assert abs(part.mean() - ridge_errors(network).test) < 4.0 * error + 2.0 / 120


# ---- rates ----
@pytest.mark.parametrize(
    ("kind", "name", "separation"),
    [("covariance", "trace", 0.0), ("covariance", "form", 0.0), ("gram", "form", 1.0), ("kernel", "form", 1.0),
     ("covariance", "overlap", 0.0), ("covariance", "largest", 4.0)],
)  # fmt: skip
def test_errors_fall_at_the_expected_rate(kind, name, separation):
    sizes = (30, 60, 120, 240)
    rungs = [ensemble(kind, n=n, separation=separation) for n in sizes]
    found = collect(rungs, [80, 40, 40, 20], 3, 0)
    observable = Observable(name, 0.7)
    pairs = [
        root_mean_square(measure(one, part.actual, observable), predict(one, observable))
        for one, part in zip(rungs, found, strict=True)
    ]
    rate = fit_rate(sizes, *zip(*pairs, strict=True))
    assert abs(rate.slope - expected_rate(rungs[0], observable)) < 0.12 + 3.0 * rate.error
    assert rate.error < 0.25


@pytest.mark.parametrize(("name", "separation"), [("trace", 4.0), ("form", 0.0), ("largest", 4.0), ("overlap", 4.0)])
def test_errors_fall_at_the_expected_rate_with_fixed_dimension(name, separation):
    sizes = (200, 400, 800, 1600)
    rungs = [ensemble("covariance", n=n, ratio=20 / n, separation=separation) for n in sizes]
    found, observable = collect(rungs, [60] * 4, 3, 0), Observable(name, 0.7)
    pairs = [
        root_mean_square(measure(one, part.actual, observable), predict(one, observable))
        for one, part in zip(rungs, found, strict=True)
    ]
    rate = fit_rate(sizes, *zip(*pairs, strict=True))
    assert abs(rate.slope - expected_rate(rungs[0], observable, True)) < 0.1 + 3.0 * rate.error
    assert rate.error < 0.12


def test_expected_rates():
    apart, stuck = ensemble("covariance", separation=4.0), ensemble("covariance", separation=0.2)
    assert expected_rate(apart, Observable("trace")) == -1.0
    assert expected_rate(apart, Observable("statistic")) == -1.0
    assert expected_rate(apart, Observable("enclosed form")) == -0.5
    assert [expected_rate(one, Observable("largest")) for one in (apart, stuck)] == [-0.5, -2.0 / 3.0]
    assert [expected_rate(one, Observable("overlap")) for one in (apart, stuck)] == [-0.5, -1.0]
    assert [expected_rate(one, Observable("overlap"), True) for one in (apart, stuck)] == [-1.0, 0.0]
    assert expected_rate(apart, Observable("trace"), True) == -0.5


def test_a_power_law_is_fitted_exactly_and_weights_count():
    n = np.array([10.0, 20.0, 40.0, 80.0])
    rate = fit_rate(n, 3.0 * n**-0.7, 0.1 * n**-0.7)
    assert rate.slope == pytest.approx(-0.7)
    assert rate.prefactor == pytest.approx(3.0)
    bent = 3.0 * n**-0.7
    bent[-1] *= 2.0  # an outlier that hardly counts
    assert fit_rate(n, bent, np.array([1e-4, 1e-4, 1e-4, 1e3])).slope == pytest.approx(-0.7, abs=1e-3)
    assert fit_rate(n, [1.0, 0.0, 0.0, 0.5], np.full(4, 0.1)) is None
    assert fit_rate(n, bent, np.zeros(4)) is None


def test_root_mean_square():
    root, error = root_mean_square(np.array([1.0, 3.0]), 2.0)
    assert (root, error) == (1.0, 0.0)
    values = np.random.default_rng(2).standard_normal(4000)
    root, error = root_mean_square(values, 0.0)
    assert abs(root - 1.0) < 4.0 * error
    assert error == pytest.approx(1.0 / np.sqrt(2.0 * 4000), rel=0.1)
    assert root_mean_square(np.array([2.0]), 2.0) == (0.0, 0.0)


# ---- what is refused ----
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Ensemble("wigner", Network(Population.identity(5), samples=5)), "'kind'"),
        (lambda: Ensemble("covariance", Network(Population.identity(5), [Layer(5, "tanh")], samples=5)), "no layers"),
        (lambda: Ensemble("kernel", Network(Population.identity(5), samples=5)), "'activation'"),
        (lambda: Ensemble("gram", Network(Population.identity(5), samples=5), get_activation("tanh")), "'activation'"),
        (lambda: Ensemble("kernel", Network(Population.toeplitz(0.5, 5), samples=5), get_activation("tanh")), "C = I"),
        (lambda: resolvent(ensemble("gram"), 1.0), "'z'"),
        (lambda: resolvent(ensemble("kernel"), 0.0), "'z'"),
        (lambda: functional(ensemble("gram"), np.log, 2.0, 1.0), "'left'"),
        (lambda: realise(ensemble("gram"), 1, "nonlinear"), "'reading'"),
        (lambda: Observable("determinant"), "'name'"),
        (lambda: Observable("trace", 1.0, "cube"), "'shape'"),
        (lambda: Observable("trace", 0.0), "'ridge'"),
        (lambda: Observable("enclosed form", 1.0, "one", 2.0, 2.0), "'left'"),
        (lambda: collect([ensemble("gram")], [], 1, 0), "'counts'"),
        (lambda: collect([ensemble("gram")], [0], 1, 0), "'counts'"),
        (lambda: fit_rate([0.0, 1.0, 2.0], [1.0] * 3, [1.0] * 3), "'n'"),
        (lambda: fit_rate([1.0, 2.0, 3.0], [1.0, np.nan, 1.0], [1.0] * 3), "'errors'"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_real_data_cannot_be_drawn():
    data = np.random.default_rng(1).standard_normal((5, 40))
    with pytest.raises(ValueError, match="real data"):
        Ensemble("covariance", Network(Population.from_data(data), samples=10))
