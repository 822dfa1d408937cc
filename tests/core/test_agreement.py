"""Agreement: both distances by hand and against SciPy's, atoms included; z-scores; observations of several draws."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rmtcore import (
    Layer,
    Network,
    Population,
    Spectrum,
    draw,
    draws,
    kolmogorov_smirnov,
    observe,
    spectrum,
    wasserstein1,
    z_score,
)
from rmtcore.agreement import cdf
from rmtcore.spectrum import Health


def uniform_law(atom):
    """Mass `atom` at zero, the rest spread evenly over [1, 2]."""
    grid, rest = np.linspace(1, 2, 11), 1 - atom
    return Spectrum(
        "covariance",
        grid,
        np.full(11, rest),
        rest / 10 * np.array([0.5, *[1.0] * 9, 0.5]),
        atom + rest * (grid - 1),
        np.array([[1.0, 2.0]]),
        atom,
        (),
        Health(0.0, 0.0, 0.0, True),
    )


HALF, NONE = uniform_law(0.5), uniform_law(0.0)


@cache
def laws():
    """Laws with and without an atom, with a hard edge, with a gap, behind layers; of both sides."""
    two = Population.atoms([1, 20], [0.5, 0.5], 100)
    deep = [Layer(150, "tanh"), Layer(80, "relu")]
    return {
        "soft": spectrum(Network(Population.identity(100), samples=300)),
        "hard": spectrum(Network(Population.identity(100), samples=100)),
        "atom": spectrum(Network(Population.identity(300), samples=100)),
        "gram atom": spectrum(Network(Population.identity(100), samples=300), matrix="gram"),
        "gap": spectrum(Network(two, samples=800)),
        "gap and atom": spectrum(Network(two, samples=800), matrix="gram"),
        "deep": spectrum(Network(two, deep, samples=200)),
        "deep with atom": spectrum(Network(two, deep, samples=60)),
        "uniform": NONE,
        "uniform and atom": HALF,
    }


NAMES = list(laws())
CONTINUOUS = ["soft", "hard", "gap", "deep", "uniform"]
WITH_ATOM = [name for name in NAMES if name not in CONTINUOUS]


def quantiles(law, count):
    """The law's own quantiles at levels (i - 1/2)/count; zero as often as its atom says."""
    levels = (np.arange(count) + 0.5) / count
    return np.where(levels <= law.atom, 0.0, np.interp(levels, law.cdf, law.grid))


def test_the_names_are_right_about_the_atoms():
    assert all((laws()[name].atom > 0) == (name in WITH_ATOM) for name in NAMES)
    assert [laws()[name].atom for name in ("atom", "gram atom")] == pytest.approx([2 / 3, 2 / 3])
    assert laws()["hard"].bulks[0, 0] == 0


# --- The distribution function --------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_distribution_function_rises_from_zero_to_one(name):
    law = laws()[name]
    top = law.bulks[-1, 1]
    x = np.sort(np.concatenate([np.linspace(-top, 2 * top, 5001), [0.0, -1e-300, 1e-300], law.grid]))
    values = cdf(law, x)
    assert values.shape == x.shape
    assert np.all(np.diff(values) >= 0)
    np.testing.assert_array_equal(values[x < 0], 0)
    np.testing.assert_array_equal(values[x > top], 1)
    np.testing.assert_allclose(values[x == 0], law.atom, atol=1e-15)
    low = law.bulks[0, 0]
    if low > 0:
        np.testing.assert_allclose(values[(x >= 0) & (x < low)], law.atom, atol=1e-15)
    np.testing.assert_array_equal(cdf(law, law.grid), law.cdf)


def test_the_distribution_function_takes_any_shape():
    assert cdf(HALF, 1.5) == pytest.approx(0.75)
    assert cdf(HALF, 1.5).shape == ()
    assert cdf(HALF, []).shape == (0,)
    np.testing.assert_allclose(cdf(HALF, [[-1, 0, 0.5], [1, 1.2, 9]]), [[0, 0.5, 0.5], [0.5, 0.6, 1]])


@pytest.mark.parametrize("name", NAMES)
def test_the_distribution_function_is_flat_in_gaps(name):
    law = laws()[name]
    for left, right in zip(law.bulks[:-1, 1], law.bulks[1:, 0], strict=True):
        inside = cdf(law, np.linspace(left, right, 7))
        np.testing.assert_allclose(inside, inside[0], atol=1e-4)
    if name.startswith("gap"):
        assert len(law.bulks) == 2
        assert inside[0] == pytest.approx(law.atom + 0.5 * (1 - law.atom), abs=1e-4)


# --- Kolmogorov and Smirnov -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "law", "expected"),
    [
        ([0, 1.5], HALF, 0.25),  # the atom exactly; then 1/2 and 1 against 3/4
        ([0, 0, 1.25, 1.75], HALF, 0.125),
        ([1.5, 1.5], HALF, 0.75),  # no zero: nothing against 3/4 just below 1.5
        ([1.0, 1.0], HALF, 0.5),  # nothing against the atom on [0, 1), 1 against 1/2 at 1
        ([0, 0], HALF, 0.5),  # only zeros
        ([0, 0, 0, 1.5], HALF, 0.25),  # 3/4 against 1/2 on [0, 1], 3/4 just below 1.5
        ([0, 1.2, 1.4, 1.6], HALF, 0.35),  # 1/4 against 3/5 just below 1.2
        ([1e-12, 1.5], HALF, 0.5),  # not quite zero is not zero: 0 against 1/2 at 0
        ([-1, 1.5], HALF, 0.5),  # 1/2 against 0 on [-1, 0)
        ([-2, -1], HALF, 1.0),  # 1 against 0 on [-1, 0)
        ([3.0], HALF, 1.0),  # 0 against 1 on [2, 3)
        ([-1, 0, 0, 3], HALF, 0.25),
        ([0, 1.5], NONE, 0.5),
        ([1.5], NONE, 0.5),
        ([1.25, 1.75], NONE, 0.25),
        ([1.25, 1.25, 1.25, 1.75], NONE, 0.5),  # 3/4 against 1/4
        ([1.1, 1.2, 1.3, 1.9], NONE, 0.45),  # 3/4 against 3/10 at 1.3
        ([0.0], NONE, 1.0),
    ],
)
def test_kolmogorov_smirnov_by_hand(values, law, expected):
    assert kolmogorov_smirnov(values, law) == pytest.approx(expected, abs=1e-9)
    assert kolmogorov_smirnov(values[::-1], law) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("count", [1, 2, 50, 1000])
def test_kolmogorov_smirnov_is_scipys_where_there_is_no_atom(name, count):
    law = laws()[name]
    rng = np.random.default_rng(count)
    for values in (quantiles(law, 997)[rng.integers(0, 997, count)], law.bulks[-1, 1] * rng.uniform(-0.1, 1.2, count)):
        expected = stats.kstest(values, lambda x: cdf(law, x)).statistic
        assert kolmogorov_smirnov(values, law) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [7, 200, 3000])
def test_kolmogorov_smirnov_is_the_largest_distance_on_a_fine_grid(name, count):
    law = laws()[name]
    rng = np.random.default_rng(count)
    values = quantiles(law, 2003)[rng.integers(0, 2003, count)]
    values[rng.random(count) < 0.1] = 0.0
    values[rng.random(count) < 0.1] *= 1.3
    around = np.concatenate(
        [values, values * (1 - 1e-13), [-1e-300], law.grid, np.linspace(-0.1, 1.4, 4001) * values.max()]
    )
    empirical = np.searchsorted(np.sort(values), around, side="right") / count
    expected = np.max(np.abs(empirical - cdf(law, around)))
    assert kolmogorov_smirnov(values, law) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [10, 99, 1000])
def test_the_distance_of_the_laws_own_quantiles_is_half_a_step(name, count):
    """1/(2N) without an atom; with one at most that, as zeros and atom differ by less than half a step."""
    law = laws()[name]
    found = kolmogorov_smirnov(quantiles(law, count), law)
    # next to zero the law's mass is known to 1e-4 only, where it has a hard edge
    expected = pytest.approx(0.5 / count, abs=1e-4 if law.bulks[0, 0] == 0 else 1e-9)
    assert found == expected or (law.atom > 0 and found < 0.5 / count + 1e-9)


@pytest.mark.parametrize("name", WITH_ATOM)
def test_zeros_that_are_missing_are_seen(name):
    law = laws()[name]
    values = quantiles(law, 1001)
    positive = values[values > 0]
    assert kolmogorov_smirnov(positive, law) == pytest.approx(law.atom, abs=2e-3)
    assert kolmogorov_smirnov(np.where(values == 0, 1e-14, values), law) == pytest.approx(law.atom, abs=2e-3)


# --- Wasserstein ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "law", "expected"),
    [
        ([0, 1.5], HALF, 0.125),  # half the mass moves 1/4 on average
        ([1.5, 1.5], HALF, 0.875),  # and the other half 1.5
        ([0, 0], HALF, 0.75),
        ([-1, -1], HALF, 1.75),
        ([-1, 1.5], HALF, 0.625),
        ([3.0], HALF, 2.25),
        ([0, 3.0], HALF, 0.75),
        ([1.5], NONE, 0.25),
        ([1.25, 1.75], NONE, 0.125),
        ([1.0], NONE, 0.5),
        ([0.0], NONE, 1.5),
        ([5.0], NONE, 3.5),
        ([0, 3.0], NONE, 1.25),  # half from 5/4 on average to 0, half from 7/4 to 3
    ],
)
def test_wasserstein_by_hand(values, law, expected):
    assert wasserstein1(values, law) == pytest.approx(expected, rel=1e-12)
    assert wasserstein1(values[::-1] * 3, law) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 30, 1000])
def test_wasserstein_is_scipys_on_a_fine_discretisation(name, count):
    law, many = laws()[name], 200_000
    rng = np.random.default_rng(count)
    top = law.bulks[-1, 1]
    fine = quantiles(law, many)
    for values in (fine[rng.integers(0, many, count)], top * rng.uniform(-0.3, 1.2, count), np.zeros(count)):
        expected = stats.wasserstein_distance(values, fine)
        assert wasserstein1(values, law) == pytest.approx(expected, rel=1e-4, abs=1e-4 * top)


@pytest.mark.parametrize("name", NAMES)
def test_wasserstein_of_the_laws_own_quantiles_falls_to_zero(name):
    """A quarter of a step for each bulk, and what a gap or an atom adds: at most a step across it."""
    law = laws()[name]
    width = np.sum(law.bulks[:, 1] - law.bulks[:, 0])
    for count in (30, 300, 3000):
        found = wasserstein1(quantiles(law, count), law)
        assert found > 0
        assert found < (0.26 * width + law.bulks[-1, 1] * (law.atom > 0 or len(law.bulks) > 1)) / count + 1e-4 * width


@pytest.mark.parametrize("name", NAMES)
def test_wasserstein_moves_with_the_sample(name):
    """Beyond the law the distance is that of the means; a shift by h changes any distance by h at most."""
    law = laws()[name]
    mean = law.grid @ law.weights
    top = law.bulks[-1, 1]
    assert wasserstein1([3 * top, 5 * top], law) == pytest.approx(4 * top - mean, rel=1e-3)
    values = quantiles(law, 101) + 0.1 * top
    for shift in (1e-3, 0.1, 2.0):
        change = wasserstein1(values + shift, law) - wasserstein1(values, law)
        assert abs(change) <= shift * (1 + 1e-6)


# --- Both -----------------------------------------------------------------------------------------


EIGENVALUES = st.lists(st.sampled_from([0.0, 0.0, 1.0, 1.5, 2.0]) | st.floats(-3, 6), min_size=1, max_size=30)


@given(values=EIGENVALUES, name=st.sampled_from(NAMES), times=st.integers(2, 4), seed=st.integers(0, 99))
def test_order_and_repetition_do_not_matter_and_bounds_hold(values, name, times, seed):
    law = laws()[name]
    ks, w1 = kolmogorov_smirnov(values, law), wasserstein1(values, law)
    assert 0 < ks <= 1
    shuffled = np.random.default_rng(seed).permutation(np.repeat(values, times)).reshape(times, -1)
    assert kolmogorov_smirnov(shuffled, law) == pytest.approx(ks, abs=1e-12)
    assert wasserstein1(shuffled, law) == pytest.approx(w1, abs=1e-12)
    # the area is at most the largest height times the width, and at least the distance of the means
    ends = [0.0, *law.bulks.ravel(), *values]
    assert w1 <= ks * (max(ends) - min(ends)) + 1e-12
    assert w1 >= abs(np.mean(values) - law.grid @ law.weights) - 1e-3 * law.bulks[-1, 1]


@pytest.mark.parametrize("distance", [kolmogorov_smirnov, wasserstein1])
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "must hold at least 1 value. Got none"),
        (np.zeros((0, 4)), "must hold at least 1 value. Got none"),
        ([1.0, np.nan], "must be finite"),
        ([1.0, np.inf], "must be finite"),
        ([-np.inf], "must be finite"),
        (["one"], "must be numeric"),
        (None, "must be finite"),
    ],
)
def test_the_distances_name_what_is_wrong(distance, values, words):
    with pytest.raises(ValueError, match=f"The 'eigenvalues' parameter {words}"):
        distance(values, HALF)


def test_the_sample_is_left_as_it_was():
    values = np.array([3.0, 1.0, 2.0])
    kolmogorov_smirnov(values, HALF)
    wasserstein1(values, HALF)
    np.testing.assert_array_equal(values, [3, 1, 2])


# --- z-scores -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "predicted", "expected"),
    [
        ([1, 2, 3], 1.0, (2, 1 / np.sqrt(3), 1, np.sqrt(3))),
        ([1, 2, 3], 2.0, (2, 1 / np.sqrt(3), 2, 0)),
        ([1, 2, 3], 4.0, (2, 1 / np.sqrt(3), 4, -2 * np.sqrt(3))),
        ([0, 4], 1.0, (2, 2, 1, 0.5)),
        ([[1, 1], [3, 3]], 0.0, (2, 1 / np.sqrt(3), 0, 2 * np.sqrt(3))),
        ([2, 2, 2], 2.0, (2, 0, 2, 0)),  # no error: exactly right, or infinitely wrong
        ([2, 2, 2], 1.0, (2, 0, 1, np.inf)),
        ([2, 2], 3, (2, 0, 3, -np.inf)),
    ],
)
def test_z_scores_by_hand(samples, predicted, expected):
    found = z_score(samples, predicted)
    assert (found.mean, found.standard_error, found.predicted, found.z) == pytest.approx(expected)
    assert all(type(value) is float for value in found)


def test_z_scores_of_a_true_prediction_have_students_law():
    rng = np.random.default_rng(1)
    scores = [z_score(rng.normal(3.0, 5.0, 6), 3.0).z for _ in range(1000)]
    assert stats.kstest(scores, stats.t(5).cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ([], "must hold at least 2 values. Got 0"),
        ([1.0], "must hold at least 2 values. Got 1"),
        (1.0, "must hold at least 2 values. Got 1"),
        ([1.0, np.nan], "must be finite"),
        ([np.inf, 1.0], "must be finite"),
        (["a", "b"], "must be numeric"),
    ],
)
def test_z_scores_name_what_is_wrong(samples, words):
    with pytest.raises(ValueError, match=f"The 'samples' parameter {words}"):
        z_score(samples, 1.0)


# --- Observations ---------------------------------------------------------------------------------


OBSERVED = {
    "white": Network(Population.identity(20), samples=40),
    "zeros": Network(Population.identity(40), samples=20),
    "spikes": Network(Population.spiked([0.1, 1.1, 9.0], 40), samples=160),
    "layers": Network(Population.spiked([20.0], 40), [Layer(70, "relu"), Layer(90, "tanh")], samples=60),
}


@pytest.mark.parametrize("name", OBSERVED)
def test_an_observation_is_its_draws_against_the_law(name):
    network, count = OBSERVED[name], 4
    law = spectrum(network)
    both = observe(network, 7, count, entries="student", dof=9.0)
    assert list(both) == ["actual", "linear"]
    for reading, seen in both.items():
        found = draws(network, 7, count, reading, "student", 9.0)
        spectra = [one.all_eigenvalues() for one in found]
        d, n = network.feature_dim, network.samples
        assert seen.shape == (d, n)
        assert seen.eigenvalues.shape == (count * min(d, n),)
        np.testing.assert_array_equal(seen.eigenvalues, np.sort(np.concatenate([one.eigenvalues for one in found])))
        for values in (seen.mean, seen.largest, seen.ks, seen.w1):
            assert values.shape == (count,)
        np.testing.assert_allclose(seen.mean, [one.eigenvalues.sum() / d for one in found], rtol=1e-12)
        np.testing.assert_array_equal(seen.largest, [one.eigenvalues[-1] for one in found])
        np.testing.assert_array_equal(seen.ks, [kolmogorov_smirnov(values, law) for values in spectra])
        np.testing.assert_array_equal(seen.w1, [wasserstein1(values, law) for values in spectra])
        for attribute in ("outliers", "overlap", "score_overlap"):
            assert getattr(seen, attribute).shape == (count, len(law.outliers))
            np.testing.assert_array_equal(getattr(seen, attribute), [getattr(one, attribute) for one in found])
        assert seen.seconds > 0


def test_an_observation_of_one_reading():
    network = OBSERVED["layers"]
    both = observe(network, 3, 2)
    (linear,) = observe(network, 3, 2, ("linear",)).values()
    np.testing.assert_array_equal(linear.eigenvalues, both["linear"].eigenvalues)
    assert not np.array_equal(linear.eigenvalues, both["actual"].eigenvalues)
    np.testing.assert_array_equal(both["actual"].largest[1], draw(network, (3, 1)).eigenvalues[-1])


def test_observations_agree_with_their_law():
    """Mean eigenvalue and distances, of a network with an atom and an outlier."""
    network = Network(Population.spiked([9.0], 200), [Layer(300, "tanh")], samples=240)
    law = spectrum(network)
    for seen in observe(network, 1, 8).values():
        assert np.all(seen.ks < 6 / 200)
        assert np.all(seen.w1 < 0.02 * law.bulks[-1, 1])
        assert abs(z_score(seen.mean, network.moments()[0].variance).z) < 4
        (outlier,) = law.outliers
        assert abs(z_score(seen.outliers, outlier.position).z) < 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"count": 0}, "'count' parameter must be an integer >= 1"),
        ({"count": 2.5}, "'count' parameter must be an integer >= 1"),
        ({"readings": ("real",)}, "'reading' parameter must be"),
        ({"entries": "cauchy"}, "'entries' parameter must be"),
        ({"dof": 2.0}, "'dof' parameter must be"),
    ],
)
def test_observations_name_what_is_wrong(arguments, words):
    with pytest.raises(ValueError, match=words):
        observe(OBSERVED["white"], 1, **{"count": 2, **arguments})
