"""Random Fourier features: the coupled deltas by plain iteration, actual networks around 2d = n, and the limits."""

import numpy as np
import pytest
from naive_given import deltas, fit, several_kinds
from test_given_data import assert_near, digits_3_8, synthetic

from rmtcore import GivenData, fourier_errors, layer_kernel, standard_error, train_fourier
from rmtcore.experiment import spawn_streams

KINDS = ("cos", "sin")


def repeated(data, widths, ridges, draws):
    trials = [train_fourier(data, widths, ridges, (5, index)) for index in range(draws)]
    values = [np.array([getattr(one, side) for one in trials]) for side in ("train", "test")]
    return [(one.mean(axis=0), standard_error(one)) for one in values]


def kernels(data, *pairs):
    return [[layer_kernel(kind, *pair).values for kind in KINDS] for pair in pairs]


# --- The formulas ---------------------------------------------------------------------------------


@pytest.mark.parametrize("g", [1e-3, 0.1, 3.0])
def test_they_solve_the_two_coupled_equations(g):
    data = synthetic(30, p=12)
    Ks, Kxs, Kxxs = kernels(data, (data.X,), (data.X, data.X_test), (data.X_test,))
    for d in (4, 15, 50):
        train, test, delta = several_kinds(Ks, Kxs, Kxxs, data.y, data.y_test, d, g)
        found = fourier_errors(data, d, g)
        assert [found.delta_cos, found.delta_sin] == pytest.approx(delta, rel=1e-9)
        assert found.rho == pytest.approx((1 + delta[1]) / (1 + delta[0]), rel=1e-9)
        assert found.df1 == pytest.approx(np.sum(d * delta / (1 + delta)), rel=1e-9)
        assert found.train == pytest.approx(train, rel=1e-7)
        assert found.test == pytest.approx(test, rel=1e-7)


def test_the_deltas_are_those_of_the_resolvent():
    """(1/n) tr of the kernels with the resolvent of actual features: within 2 % at n = 120."""
    data, d, g = synthetic(120), 90, 0.01
    (Ks,) = kernels(data, (data.X,))
    rng, traces = np.random.default_rng(0), []
    for _ in range(40):
        inner = rng.standard_normal((d, 60)) @ data.X
        features = np.concatenate([np.cos(inner), np.sin(inner)])
        resolvent = np.linalg.inv(features.T @ features / 120 + g * np.eye(120))
        traces.append([np.sum(one * resolvent) / 120 for one in Ks])
    found = fourier_errors(data, d, g)
    assert_near((np.mean(traces, axis=0), standard_error(np.array(traces))),
                np.array([found.delta_cos, found.delta_sin]), 0.02)  # fmt: skip
    np.testing.assert_allclose(deltas(Ks, d, g, 120)[0], [found.delta_cos, found.delta_sin], rtol=1e-9)


# --- Actual networks ------------------------------------------------------------------------------


def test_actual_networks_on_synthetic_points():
    """Finite size: 10/n of the value; at 2d = n with ridge 1e-5 few eigenvalues decide: there 30 %."""
    n, ridges = 100, np.array([1e-5, 1e-2, 10.0])
    data, widths = synthetic(n), np.array([[25], [50], [100]])
    expected = fourier_errors(data, widths, ridges)
    train, test = repeated(data, widths, ridges, 60)
    slack = np.full((3, 3), 10 / n)
    slack[1, 0] = 0.3
    assert_near(test, expected.test, slack)
    slack[1:, 0] = 0.6
    assert_near(train, expected.train, slack)


def test_the_finite_size_term_vanishes():
    off, errors = [], []
    for n, draws in ((20, 1000), (120, 100)):
        data, widths = synthetic(n, seed=3), np.array([n // 4, n // 2, n])
        expected = fourier_errors(data, widths, 0.03)
        sides = repeated(data, widths, 0.03, draws)
        off.append(
            [
                np.abs(mean / getattr(expected, name) - 1)
                for (mean, _), name in zip(sides, ("train", "test"), strict=True)
            ]
        )
        errors.append([error / mean for mean, error in sides])
    off, errors = np.array(off), np.array(errors)
    assert np.all(off[1] < 4 / 120 + 3 * errors[1])
    assert off[1].sum() < 0.4 * off[0].sum()
    assert off[0].sum() > 3 * errors[0].sum()


def test_actual_networks_on_digits_peak_where_twice_the_width_is_n():
    data, widths, ridges = digits_3_8(120), np.array([15, 30, 54, 60, 66, 90, 120])[:, None], np.array([1e-5, 0.1])
    expected = fourier_errors(data, widths, ridges)
    _, test = repeated(data, widths, ridges, 40)
    slack = np.full((7, 2), 0.1)
    slack[2:5, 0] = 0.25
    assert_near(test, expected.test, slack)
    assert np.argmax(expected.test[:, 0]) == np.argmax(test[0][:, 0]) == 3
    assert np.all(np.diff(expected.test[:, 1]) < 0)


# --- Limits ---------------------------------------------------------------------------------------


def test_ridge_zero_is_the_limit_on_both_sides():
    data, widths = synthetic(40), np.array([5, 19, 21, 60])
    limit, near = (fourier_errors(data, widths, g) for g in (0.0, 1e-11))
    np.testing.assert_allclose(limit.test, near.test, rtol=1e-4)
    np.testing.assert_allclose(limit.train[:2], near.train[:2], rtol=1e-4)
    np.testing.assert_allclose(limit.rho, near.rho, rtol=1e-4)
    assert np.all(limit.train[2:] < 1e-20)
    np.testing.assert_allclose(limit.df1, [10, 38, 40, 40], rtol=1e-8)
    assert np.all(np.isinf([limit.delta_cos[:2], limit.delta_sin[:2]]))
    np.testing.assert_allclose(limit.delta_sin[2:], near.delta_sin[2:], rtol=1e-4)


def test_the_threshold_is_infinite_without_ridge():
    data = synthetic(40)
    found = fourier_errors(data, [19, 20, 21], 0.0)
    assert np.all(np.isinf(found.test) == [False, True, False])
    assert found.train[1] == 0
    near = fourier_errors(data, 20, [1e-6, 1e-8, 1e-10]).test
    np.testing.assert_allclose(near[1:] / near[:-1], 10, rtol=0.1)


def test_infinitely_wide_is_the_gaussian_kernel():
    data = synthetic(30)
    d, c = 10**8, 0.05
    K = np.exp(-np.sum((data.X[:, :, None] - data.X[:, None, :]) ** 2, axis=0) / 2)
    Kx = np.exp(-np.sum((data.X_test[:, :, None] - data.X[:, None, :]) ** 2, axis=0) / 2)
    theta = np.linalg.solve(K + c * np.eye(30), data.y)
    found = fourier_errors(data, d, c * d / 30)
    assert found.rho == pytest.approx(1, abs=1e-6)
    assert found.test == pytest.approx(np.mean((data.y_test - Kx @ theta) ** 2), rel=1e-5)
    assert found.train == pytest.approx(np.mean((data.y - K @ theta) ** 2), rel=1e-5)


def test_an_enormous_ridge_learns_nothing():
    data = synthetic(20)
    found = fourier_errors(data, 7, 1e12)
    assert found.test == pytest.approx(np.mean(data.y_test**2), rel=1e-6)
    assert found.train == pytest.approx(np.mean(data.y**2), rel=1e-6)


def test_no_target_no_error():
    data = synthetic(20)
    none = GivenData(data.X, 0 * data.y, data.X_test, 0 * data.y_test)
    found = fourier_errors(none, [5, 10, 20], [[0.0], [0.1]])
    assert np.all(found.train == 0)
    assert np.all(found.test == 0)


def test_order_of_the_points_does_not_matter():
    data, widths = synthetic(24), np.array([3, 12, 50])
    forth, back = fourier_errors(data, widths, 1e-4), fourier_errors(data, widths[::-1], 1e-4)
    np.testing.assert_allclose(forth.test, back.test[::-1], rtol=1e-8)
    assert fourier_errors(data, [[3], [12]], [1e-4, 1.0]).test.shape == (2, 2)


# --- The experiment -------------------------------------------------------------------------------


def test_a_trial_is_the_plain_fit_of_the_same_rows():
    data = synthetic(25, p=8)
    widths, ridges = np.array([[6], [25]]), np.array([1e-3, 0.3])
    found = train_fourier(data, widths, ridges, seed=4)
    for i, width in enumerate(widths[:, 0]):
        weights = spawn_streams((4, int(width)), 1)[0].standard_normal((width, 8))
        features, fresh = (np.vstack([np.cos(weights @ x), np.sin(weights @ x)]) for x in (data.X, data.X_test))
        for j, g in enumerate(ridges):
            train, test = fit(features, fresh, data.y, data.y_test, g)
            assert found.train[i, j] == pytest.approx(train, rel=1e-7)
            assert found.test[i, j] == pytest.approx(test, rel=1e-7)


def test_what_is_refused():
    with pytest.raises(ValueError, match="'widths' parameter must be in the range"):
        fourier_errors(synthetic(9), 0, 1)
    with pytest.raises(ValueError, match="'ridges' parameter must be in the range"):
        train_fourier(synthetic(9), 2, -1, 0)
