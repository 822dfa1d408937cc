"""Signal propagation: exact maps, the edge of chaos, and actual wide random layers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmtcore import (
    ACTIVATIONS,
    correlation_map,
    critical_weight_variance,
    derivative_energy,
    fixed_correlation,
    fixed_point,
    propagate,
    variance_map,
    z_score,
)


def test_relu_variance_is_halved():
    q = np.array([[0.1, 1.0], [4.0, 1e6]])
    np.testing.assert_allclose(variance_map("relu", q, 3.0, 0.2), 1.5 * q + 0.2, rtol=1e-13)
    assert fixed_point("relu", 1.5, 0.1).variance == pytest.approx(0.4, rel=1e-12)
    assert fixed_point("relu", 2.0, 0.0, start=7.0).variance == 7.0
    assert fixed_point("relu", 2.5, 0.0).variance == math.inf
    assert fixed_point("relu", 1.5, 0.0).variance == 0.0


def test_relu_correlations_are_the_arc_cosine_kernel():
    c = np.linspace(-1, 1, 21)
    expected = (np.sqrt(1 - c * c) + c * np.arccos(-c)) / math.pi
    np.testing.assert_allclose(correlation_map("relu", c, 1.0, 2.0), expected, atol=1e-12)


def test_linear_layers_keep_angles():
    c = np.linspace(-1, 1, 9)
    np.testing.assert_allclose(correlation_map("identity", c, 3.0, 0.7), c, atol=1e-15)
    point = fixed_point("identity", 0.5, 1.0)
    assert point.variance == pytest.approx(2, rel=1e-12)
    assert point.chi1 == point.growth == 0.5
    assert point.depth == pytest.approx(1 / math.log(2))


@pytest.mark.parametrize("name", ["tanh", "relu", "erf", "gelu", "sin"])
def test_chi1_is_the_slope_of_the_correlation_map_at_one(name):
    """dc'/dc at c = 1 equals sigma_w^2 E phi'^2 q/q' (with equal q: chi1)."""
    q, weight = 1.3, 1.7
    above = float(variance_map(name, q, weight, 0.1))
    h = 1e-6 if name != "relu" else 1e-9
    slope = (1 - float(correlation_map(name, 1 - h, q, weight, 0.1))) / h
    assert slope == pytest.approx(weight * derivative_energy(name, q) * q / above, rel=1e-3)


@pytest.mark.parametrize(("weight", "bias"), [(1.5, 0.05), (2.5, 0.1), (4.0, 0.5), (0.8, 0.3)])
@pytest.mark.parametrize("name", ["tanh", "erf", "sin", "sigmoid", "sign"])
def test_fixed_points_are_fixed_and_attract(name, weight, bias):
    point = fixed_point(name, weight, bias)
    assert float(variance_map(name, point.variance, weight, bias)) == pytest.approx(point.variance, rel=1e-11)
    q, _ = propagate(name, 400, weight, bias)
    assert q[-1] == pytest.approx(point.variance, rel=1e-9)
    step = 1e-4 * point.variance
    ends = [float(variance_map(name, point.variance + side * step, weight, bias)) for side in (1, -1)]
    assert point.growth == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-6)


def test_depth_scales_are_the_measured_decays():
    weight, bias = 1.2, 0.2  # ordered
    point = fixed_point("tanh", weight, bias)
    assert point.chi1 < 1
    _, c = propagate("tanh", 60, weight, bias, variance=point.variance, correlation=0.5)
    assert 1 / math.log((1 - c[30]) / (1 - c[31])) == pytest.approx(point.depth, rel=1e-3)
    q, _ = propagate("tanh", 20, weight, bias, variance=1.05 * point.variance)
    gaps = q - point.variance
    assert 1 / math.log(gaps[10] / gaps[11]) == pytest.approx(point.variance_depth, rel=1e-3)


def test_order_and_chaos():
    """Below the edge all angles close; above it they open to c* < 1, from both sides."""
    bias = 0.05
    edge = critical_weight_variance("tanh", bias)
    assert fixed_correlation("tanh", 0.9 * edge, bias) == 1
    chaotic = fixed_correlation("tanh", 2 * edge, bias)
    assert 0 < chaotic < 0.9
    q = fixed_point("tanh", 2 * edge, bias).variance
    for start in (0.01, 0.999):
        assert propagate("tanh", 300, 2 * edge, bias, q, start)[1][-1] == pytest.approx(chaotic, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("tanh", 1), ("sin", 1), ("identity", 1), ("relu", 2), ("abs", 1), ("leaky_relu", 2 / 1.01), ("erf", math.pi / 4)],
)
def test_edge_of_chaos_without_bias(name, expected):
    """1/phi'(0)^2, or for a homogeneous function He initialisation."""
    assert critical_weight_variance(name) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("bias", [0.01, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("name", ["tanh", "erf", "sin", "sigmoid", "cos"])
def test_on_the_edge_chi1_is_one(name, bias):
    point = fixed_point(name, critical_weight_variance(name, bias), bias)
    assert point.chi1 == pytest.approx(1, abs=1e-9)
    assert abs(point.growth) < 1


@given(
    name=st.sampled_from(list(ACTIVATIONS)),
    weight=st.floats(0.01, 5),
    bias=st.floats(0, 2),
    exponent=st.floats(-2, 2),
    c=st.floats(-1, 1),
)
def test_correlations_stay_correlations(name, weight, bias, exponent, c):
    """Within [-1, 1] and growing with c > 0: every coefficient of the series is positive."""
    value, more = correlation_map(name, [c, 0.5 * (abs(c) + 1)], 10**exponent, weight, bias)
    assert -1 <= value <= more <= 1


@pytest.mark.parametrize(
    ("name", "weight", "bias"), [("tanh", 2.0, 0.1), ("relu", 2.0, 0.0), ("gelu", 2.5, 0.2), ("ternary", 1.5, 0.1)]
)
def test_actual_layers(name, weight, bias):
    """Five layers of random networks at two widths: the averages within 4.5 standard errors plus O(1/width)."""
    q0, c0, depth = 1.5, 0.4, 5
    q, c = propagate(name, depth, weight, bias, q0, c0)
    function = ACTIVATIONS[name].function
    for width, count in ((100, 60), (500, 15)):
        found = np.empty((count, depth, 2))
        for index in range(count):
            rng = np.random.default_rng((1, width, index))
            g = rng.standard_normal((2, width))
            h = np.sqrt(q0) * np.array([g[0], c0 * g[0] + math.sqrt(1 - c0**2) * g[1]])
            for layer in range(depth):
                matrix = rng.standard_normal((width, width)) * math.sqrt(weight / width)
                h = function(h) @ matrix.T + math.sqrt(bias) * rng.standard_normal(width)
                gram = h @ h.T / width
                found[index, layer] = gram[0, 0], gram[0, 1]
        for layer in range(depth):
            for column, value in enumerate((q[layer + 1], q[layer + 1] * c[layer + 1])):
                score = z_score(found[:, layer, column], value)
                assert abs(score.mean - value) < 4.5 * score.standard_error + 10 / width * q[layer + 1]


def test_trouble_is_named():
    with pytest.raises(ValueError, match="'weight_variance' parameter must be in the range"):
        variance_map("relu", 1.0, -1.0)
    with pytest.raises(ValueError, match="'bias_variance' parameter must be in the range"):
        fixed_point("relu", 1.0, -0.1)
    with pytest.raises(ValueError, match=r"'correlation' parameter must be in the range \[-1, 1\]"):
        correlation_map("relu", 1.5, 1.0, 1.0)
    with pytest.raises(ValueError, match="variance > 0"):
        correlation_map("relu", 0.5, 1.0, 0.0)
    with pytest.raises(ValueError, match="critical and stable fixed point"):
        critical_weight_variance("relu", 0.1)
    with pytest.raises(ValueError, match="must declare a derivative"):
        critical_weight_variance("sign")
    with pytest.raises(ValueError, match=r"fixed point in \(0, inf\)"):
        fixed_correlation("relu", 3.0)
    assert fixed_point("sign", 2.0, 0.1).chi1 == math.inf
    q, c = propagate("relu", 80, 10.0)
    assert np.all(np.isfinite(q))
    assert np.all(np.isfinite(c))
