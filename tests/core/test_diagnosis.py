"""A matrix taken apart: every fit, test and verdict against matrices of which it is known what they are."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from naive import marchenko_pastur_cdf, power_law_scan, sample_spectrum
from scipy.integrate import quad
from scipy.special import airy
from sklearn.datasets import load_digits

from rmtcore import (
    Network,
    Population,
    contents,
    diagnose,
    fit_atoms,
    fit_marchenko_pastur,
    fit_power_law,
    load,
    spectrum,
    tracy_widom_cdf,
    tracy_widom_quantile,
    tracy_widom_sf,
)
from rmtcore.diagnosis import allowed_distance
from rmtcore.fitting import distance, quantiles
from rmtcore.lanczos import estimate_eigenvalues, estimate_error
from rmtcore.spikes import chain_edge, count_spikes, describe_spikes, noise_variance, white_edge

EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"
SHAPES = [(200, 100), (100, 100), (100, 200)]


def noise(seed, n, p):
    return np.random.default_rng(seed).standard_normal((n, p))


def two_atoms(p):
    return np.where(np.arange(p) < p // 2, 1.0, 5.0)


# --- Tracy and Widom ------------------------------------------------------------------------------


def test_tracy_widom_moments():
    """Mean and variance as Bornemann (2010) gives them, from Gauss-Legendre quadrature of the distribution function."""
    nodes, weights = np.polynomial.legendre.leggauss(120)
    s, w = 1.0 + 11.0 * nodes, 11.0 * weights  # (-10, 12)
    cdf = tracy_widom_cdf(s)
    mean = 12.0 - w @ cdf
    variance = 144.0 - 2.0 * w @ (s * cdf) - mean**2
    assert mean == pytest.approx(-1.2065335745820, abs=1e-12)
    assert variance == pytest.approx(1.607781034581, abs=1e-11)


def test_tracy_widom_quantiles_and_tails():
    assert tracy_widom_quantile(0.05) == pytest.approx(0.9793, abs=5e-5)
    assert tracy_widom_quantile(0.01) == pytest.approx(2.0234, abs=5.1e-5)
    for level in (1e-10, 1e-3, 0.5, 0.999):
        assert tracy_widom_sf(tracy_widom_quantile(level)) == pytest.approx(level, rel=1e-9)
    s = np.linspace(-9, 9, 37)
    np.testing.assert_allclose(tracy_widom_cdf(s) + tracy_widom_sf(s), 1, atol=1e-14)
    assert np.all(np.diff(tracy_widom_cdf(s)) > 0)
    for far in (8.0, 15.0, 40.0):  # the trace of the kernel is all that is left
        trace = 0.5 * quad(lambda x: airy(x)[0], far, far + 12, epsabs=0)[0]
        assert tracy_widom_sf(far) == pytest.approx(trace, rel=1e-6)
    assert tracy_widom_cdf(-50.0) == 0
    assert tracy_widom_sf(-50.0) == 1
    assert 0 < tracy_widom_sf(1e6) < 1e-290
    assert tracy_widom_cdf(np.zeros((2, 3))).shape == (2, 3)


def test_tracy_widom_arguments():
    with pytest.raises(ValueError, match="'s' parameter must be finite"):
        tracy_widom_cdf(np.nan)
    with pytest.raises(ValueError, match="'level' parameter must be in the range"):
        tracy_widom_quantile(1.0)


@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_the_edge_of_the_chain_is_that_of_white_noise(n, p):
    """Up to the centring by halves: 1/N relative, so the difference shrinks tenfold with the size."""
    gaps = []
    for factor in (1, 10):
        one = white_edge(factor * n, factor * p, 2.5)
        other = chain_edge(Network(Population.atoms([2.5], [1], factor * p), samples=factor * n).chain())
        gaps.append([other.position / one.position - 1, other.scale / one.scale - 1])
    assert np.all(np.abs(gaps[1]) < 0.11 * np.abs(gaps[0]))
    assert np.max(np.abs(gaps[0])) < 0.01


@pytest.mark.parametrize("n", [200, 60])
def test_the_largest_eigenvalue_of_a_generalised_bulk_is_tracy_widom(n):
    """Two atoms: mean and spread in units of the edge, over 300 draws (finite size: order N^(-1/3) of the unit)."""
    p, draws = 100, 300
    edge = chain_edge(Network(Population.atoms([1, 5], [0.5, 0.5], p), samples=n).chain())
    scaled = [
        (sample_spectrum(noise((n, i), n, p) * np.sqrt(two_atoms(p)))[-1] - edge.position) / edge.scale
        for i in range(draws)
    ]
    error = np.sqrt(1.6078 / draws)
    assert np.mean(scaled) == pytest.approx(-1.2065, abs=4 * error + 0.5 * p ** (-1 / 3))
    assert np.var(scaled) == pytest.approx(1.6078, rel=4 * np.sqrt(2 / draws))


# --- Marchenko and Pastur -------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.01, 0.3, 1.0])
def test_quantiles_against_quadrature(ratio):
    found = quantiles(ratio, 40)
    expected = (np.arange(40) + 0.5) / 40
    np.testing.assert_allclose([marchenko_pastur_cdf(x, ratio) for x in found], expected, atol=2e-5)
    assert distance(found, 1.0, ratio) == pytest.approx(0.5 / 40, abs=2e-5)
    assert distance(3.0 * found, 3.0, ratio) == pytest.approx(0.5 / 40, abs=2e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_variance_and_ratio_of_noise_are_found(shape):
    """Mean over draws, at two sizes: the error is Monte-Carlo noise plus a bias of order 1/N that halves."""
    errors = []
    for factor, draws in ((1, 16), (3, 8)):
        n, p = factor * np.array(shape)
        fits = [fit_marchenko_pastur(sample_spectrum(1.5 * noise((i, n), n, p)), n, p) for i in range(draws)]
        found = np.array([[fit.variance / 2.25 - 1, fit.ratio * n / p - 1] for fit in fits])
        spread = found.std(axis=0, ddof=1) / np.sqrt(draws)
        assert np.all(np.abs(found.mean(axis=0)) < 4 * spread + 3 / min(n, p))
        assert all(fit.ks < allowed_distance(min(n, p)) for fit in fits)
        errors.append(np.abs(found).max())
    assert errors[1] < errors[0]


def test_correlated_samples_are_fewer_than_they_seem():
    """Every sample three times: the effective ratio is that of a third of them."""
    n, p = 900, 150
    repeated = np.repeat(noise(0, n // 3, p), 3, axis=0)
    fit = fit_marchenko_pastur(sample_spectrum(repeated), n, p)
    assert fit.ratio == pytest.approx(p / (n // 3), rel=0.03)
    assert fit.variance == pytest.approx(1, rel=0.03)


# --- A few atoms ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "p"), [(400, 200), (200, 200), (150, 300)])
def test_atoms_are_found_exactly_in_their_own_law(n, p):
    """Quantiles of the exact law in, the population out."""
    network = Network(Population.atoms([1, 5], [0.5, 0.5], p), samples=n)
    law = spectrum(network, points=2000)
    inner = law.cdf > law.atom
    places = law.atom + (1 - law.atom) * (np.arange(min(n, p)) + 0.5) / min(n, p)
    fit = fit_atoms(np.interp(places, law.cdf[inner], law.grid[inner]), n, p, enough=1.5 / min(n, p))
    np.testing.assert_allclose(fit.atoms, [1, 5], rtol=0.02)
    np.testing.assert_allclose(fit.weights, 0.5, atol=0.01)


@pytest.mark.parametrize(("n", "p"), [(400, 200), (200, 200), (150, 300)])
def test_atoms_are_found_in_samples(n, p):
    """The law of the fit is as near to the spectrum as the true law, at every ratio; the atoms to a few per cent."""
    for seed in range(3):
        y = sample_spectrum(noise((seed, n), n, p) * np.sqrt(two_atoms(p)))
        fit = fit_atoms(y, n, p, enough=allowed_distance(min(n, p)))
        assert fit.ks <= allowed_distance(min(n, p))
        np.testing.assert_allclose(fit.atoms, [1, 5], rtol=0.12)
        np.testing.assert_allclose(fit.weights, 0.5, atol=0.06)


def test_three_atoms_and_a_deficient_rank():
    n, p = 600, 300
    y = sample_spectrum(noise(2, n, p) * np.sqrt(np.repeat([0.0, 1.0, 10.0], 100)))
    y[:100] = 0
    fit = fit_atoms(y, n, p, enough=allowed_distance(p))
    assert fit.atoms[0] == 0
    np.testing.assert_allclose(fit.atoms[1:], [1, 10], rtol=0.05)
    np.testing.assert_allclose(fit.weights, 1 / 3, atol=0.02)
    assert fit.law.atom == pytest.approx(1 / 3)


@pytest.mark.parametrize("fit", [fit_marchenko_pastur, fit_atoms])
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((np.ones(9), 10, 20), "'y' parameter must hold 10 eigenvalues, ascending. Got shape .9"),
        ((np.arange(10.0)[::-1], 10, 20), "'y' parameter must hold 10 eigenvalues, ascending"),
        ((np.arange(10.0) - 1, 10, 20), "'y' parameter must be in the range"),
        ((np.arange(10.0), 10.5, 10), "'n' parameter must be an integer >= 2"),
        ((np.arange(10.0), 10, 20, 9), r"'outliers' parameter must be in the range \[0, 8\]. Got 9"),
    ],
)
def test_arguments_of_the_fits(fit, arguments, reason):
    with pytest.raises(ValueError, match=reason):
        fit(*arguments)


def test_more_arguments_of_the_fits():
    with pytest.raises(ValueError, match="'ratio' parameter must be in the range"):
        fit_marchenko_pastur(np.arange(10.0), 10, 20, ratio=0.0)
    with pytest.raises(ValueError, match="'y' parameter must have an eigenvalue > 0 under the outliers"):
        fit_atoms(np.append(np.zeros(9), 1.0), 10, 20, outliers=1)


# --- Spikes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_false_positives_keep_the_level(n, p):
    """Share of white matrices with a significant eigenvalue, over 250 draws, the noise variance being estimated."""
    level, draws = 0.05, 250
    hits = np.mean([count_spikes(sample_spectrum(3.0 * noise((i, p), n, p)), n, p, level) > 0 for i in range(draws)])
    assert abs(hits - level) < 3.5 * np.sqrt(level * (1 - level) / draws) + 0.01  # finite size: order N^(-2/3)


def test_below_the_threshold_nothing_is_seen_and_above_everything():
    """BBP at 1 + sqrt(p/n) = 1.707: spikes of 1.35 are noise, spikes of 3 stand out."""
    n, p, draws = 400, 200, 60
    hits = []
    for spike in (1.35, 3.0):
        scale = np.append(np.ones(p - 1), np.sqrt(spike))
        counts = [count_spikes(sample_spectrum(noise((i, n), n, p) * scale), n, p, 0.01) for i in range(draws)]
        hits.append(np.mean(np.array(counts) == 1))
    assert hits[0] < 0.1
    assert hits[1] > 0.95


@pytest.mark.parametrize("shape", [(400, 200), (200, 200), (200, 400)])
def test_a_direction_is_measured(shape):
    """Data: population eigenvalue, squared cosine and noise variance, mean over draws against what is true of them."""
    (n, p), spike, found, raw = shape, 8.0, [], []
    for seed in range(30):
        matrix = noise((seed, p), n, p) * np.append(np.ones(p - 1), np.sqrt(spike))
        y = sample_spectrum(matrix)
        variance = noise_variance(y, n, p, 1)
        chain = Network(Population.atoms([variance], [1], p - 1), samples=n).chain()
        (one,) = describe_spikes(y, 1, chain, white_edge(n, p - 1, variance), "data", variance)
        vector = np.linalg.svd(matrix)[2][0]
        truth = spike * vector[-1] ** 2 + 1 - vector[-1] ** 2  # best multiple of the sample's own projector
        found.append([one.strength / spike - 1, one.overlap - vector[-1] ** 2, variance - 1, one.shrunk / truth - 1])
        assert one.p_value < 1e-6
        raw.append(one.eigenvalue / truth - 1)
    found = np.array(found)
    bound = 4 * found.std(axis=0, ddof=1) / np.sqrt(30) + 2 / min(n, p)
    assert np.all(np.abs(found.mean(axis=0)) < bound)
    assert np.mean(np.square(found[:, 3])) < np.mean(np.square(raw))


@pytest.mark.parametrize("shape", [(400, 200), (200, 200), (200, 400)])
@pytest.mark.parametrize("correlated", [False, True])
def test_a_signal_is_measured(shape, correlated):
    """Weights: signal, squared cosine and the best singular value to put in place, under white and other noise."""
    (n, p), signal, found = shape, 16.0, []
    scale = np.sqrt(two_atoms(p) / 2) if correlated else np.ones(p)
    for seed in range(30):
        rng = np.random.default_rng((seed, p))
        left, right = rng.standard_normal(n), rng.standard_normal(p)
        left, right = left / np.linalg.norm(left), right / np.linalg.norm(right)
        matrix = noise((seed, n, p), n, p) * scale + np.sqrt(signal * n) * np.outer(left, right)
        u, s, v = np.linalg.svd(matrix, full_matrices=False)
        y = np.sort(s**2) / n
        chain = Network(Population.atoms([1.0], [1], p - 1), samples=n).chain()
        (one,) = describe_spikes(y, 1, chain, white_edge(n, p - 1, 1.0), "weights", 1.0)
        best = signal * (u[:, 0] @ left) ** 2 * (v[0] @ right) ** 2
        found.append([one.strength / signal - 1, one.overlap - (v[0] @ right) ** 2, one.shrunk / best - 1])
    found = np.array(found)
    bound = 4 * found.std(axis=0, ddof=1) / np.sqrt(30) + 2 / min(n, p)
    assert np.all(np.abs(found.mean(axis=0)) < bound)


# --- Tails ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_the_scan_against_its_twin(seed):
    values = np.exp(np.random.default_rng(seed).standard_normal(60))
    first, alpha, ks = power_law_scan(values, range(51))
    fit = fit_power_law(values, bootstrap=0)
    assert fit.start == np.sort(values)[first]
    assert fit.size == 60 - first
    assert fit.alpha == pytest.approx(alpha, rel=1e-10)
    assert fit.ks == pytest.approx(ks, rel=1e-10)
    assert np.isnan(fit.p_value)


@pytest.mark.parametrize("alpha", [1.8, 3.0])
def test_a_planted_power_law_is_found(alpha):
    """A uniform body under a Pareto tail from 1: exponent in its errors, start near, p-values keep their level."""
    fits = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        values = np.concatenate([rng.uniform(0.5, 1, 300), (1 - rng.random(300)) ** (-1 / (alpha - 1))])
        fits.append(fit_power_law(values, bootstrap=60, seed=seed))
    errors = [(fit.alpha - alpha) / fit.error for fit in fits]
    assert abs(np.mean(errors)) < 4 / np.sqrt(40) + 0.3  # the chosen start is a little biased
    assert np.median([fit.start for fit in fits]) == pytest.approx(1, rel=0.2)
    assert np.mean([fit.p_value < 0.1 for fit in fits]) < 0.1 + 3 * np.sqrt(0.09 / 40)
    assert np.mean([fit.against_exponential > 0 and fit.against_p < 0.1 for fit in fits]) > 0.9


def test_what_is_no_power_law_is_told_from_one():
    fits = [fit_power_law(1 + np.random.default_rng(i).exponential(1, 400), bootstrap=60) for i in range(10)]
    assert not any(fit.p_value >= 0.1 and fit.against_exponential > 0 and fit.against_p < 0.1 for fit in fits)


def test_a_tail_does_not_see_the_unit():
    values = np.random.default_rng(0).pareto(1.5, 200) + 1
    one, other = fit_power_law(values, seed=3), fit_power_law(1e-20 * values[::-1], seed=3)
    assert other.alpha == pytest.approx(one.alpha, rel=1e-9)
    assert other.start == pytest.approx(1e-20 * one.start, rel=1e-12)
    assert other.p_value == pytest.approx(one.p_value, abs=0.02)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.ones(19), "at least 20 values. Got 19"),
        (np.ones(30), "must vary"),
        (np.append(np.ones(30), 0.0), "must be in the range"),
        (np.append(np.ones(30), np.nan), "must be finite"),
    ],
)
def test_tail_arguments(values, reason):
    with pytest.raises(ValueError, match=f"'values' parameter .*{reason}"):
        fit_power_law(values)


# --- Large matrices -------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(600, 300), (300, 600)])
def test_the_estimated_spectrum(shape):
    matrix = noise(1, *shape) * np.linspace(0.5, 2, shape[1])
    exact = shape[0] * sample_spectrum(matrix)
    found = estimate_eigenvalues(matrix, np.random.default_rng(0))
    assert found.size == 300
    assert np.all(np.diff(found) >= 0)
    np.testing.assert_allclose(found[-20:], exact[-20:], rtol=1e-8)
    at = np.searchsorted(exact, found, side="right") / 300
    assert np.max(np.abs(at - (np.arange(300) + 0.5) / 300)) < estimate_error(300) + 1 / 300


def test_the_estimate_of_a_low_rank():
    matrix = noise(1, 300, 25) @ noise(2, 25, 200)
    found = estimate_eigenvalues(matrix, np.random.default_rng(0))
    exact = 300 * sample_spectrum(matrix)
    np.testing.assert_allclose(found[-20:], exact[-20:], rtol=1e-8)
    assert np.max(found[:150]) < 1e-6 * exact[-1]


# --- The whole ------------------------------------------------------------------------------------


def planted(name, rng, n=400, p=200):
    z = rng.standard_normal((n, p))
    if name == "white" or name == "student":
        return z if name == "white" else rng.standard_t(5, (n, p))
    if name == "spikes":
        return z * np.append(np.ones(p - 2), [2.0, 3.0])
    if name == "two atoms":
        return z * np.sqrt(two_atoms(p))
    if name == "two atoms and a spike":
        return z * np.append(np.sqrt(two_atoms(p - 1)), 8.0)
    if name == "power law":
        return z * np.arange(1, p + 1) ** -0.5
    if name == "cauchy":
        return rng.standard_cauchy((n, p))
    return z * np.linspace(0.05, 1, p) ** 2  # nothing of all that


@pytest.mark.parametrize(
    ("name", "verdict", "model", "spikes"),
    [
        ("white", "bulk", "white", 0),
        ("student", "bulk", "white", 0),
        ("spikes", "bulk + spikes", "white", 2),
        ("two atoms", "bulk", "generalised", 0),
        ("two atoms and a spike", "bulk + spikes", "generalised", 1),
        ("power law", "heavy tail", "generalised", None),
        ("cauchy", "heavy tail", "generalised", None),
    ],
)
def test_verdicts(name, verdict, model, spikes):
    """Four draws of each; at most one may be judged otherwise (at level 0.01 chance alone does it sometimes)."""
    found = [diagnose(planted(name, np.random.default_rng(seed)), level=0.01) for seed in range(4)]
    right = [
        one.verdict == verdict and one.model == model and (spikes is None or len(one.spikes) == spikes) for one in found
    ]
    assert sum(right) >= 3, [(one.verdict, one.model, len(one.spikes)) for one in found]
    for one in found:
        assert one.distances.permuted < 1
        assert any("distance" in line for line in one.evidence)


@pytest.mark.parametrize("mu", [1.0, 1.5])
def test_the_exponent_of_heavy_entries(mu):
    """Entries with tail index mu give eigenvalues of density x^-(1 + mu/2) (Ben Arous and Guionnet, 2008)."""
    alphas = [diagnose(np.random.default_rng(i).standard_t(mu, (300, 150))).tail.alpha for i in range(5)]
    assert np.mean(alphas) == pytest.approx(1 + mu / 2, abs=4 * np.std(alphas, ddof=1) / np.sqrt(5) + 0.05)


def test_the_same_entries_in_random_order_are_noise():
    one = diagnose(planted("power law", np.random.default_rng(0)))
    assert one.distances.permuted > 0.2
    n, p = one.rows, 200
    assert fit_marchenko_pastur(one.permuted, n, p, ratio=p / n).ks < 0.06
    other = diagnose(noise(0, 400, 200))
    assert other.distances.permuted < 2 * allowed_distance(200)


def test_ranks_spectrum_and_units_exactly():
    matrix = noise(3, 60, 40) + 5.0
    one = diagnose(matrix)
    centred = matrix - matrix.mean(axis=0)
    exact = np.sort(np.linalg.svd(centred, compute_uv=False) ** 2) / 59
    np.testing.assert_allclose(one.eigenvalues, exact, rtol=1e-10)
    assert one.rows == 59
    assert one.stable_rank == pytest.approx(exact.sum() / exact[-1])
    share = exact / exact.sum()
    assert one.effective_rank == pytest.approx(np.exp(-np.sum(share * np.log(share))))
    flat = diagnose(np.linalg.qr(noise(1, 60, 40))[0], kind="weights")
    assert flat.stable_rank == pytest.approx(40)
    assert flat.effective_rank == pytest.approx(40)
    raw = diagnose(matrix, kind="weights")
    np.testing.assert_allclose(raw.eigenvalues, sample_spectrum(matrix), rtol=1e-10)
    turned = diagnose(matrix.T, kind="weights")
    np.testing.assert_allclose(40 * turned.eigenvalues, 60 * raw.eigenvalues, rtol=1e-10)


@pytest.mark.parametrize("unit", [1e-20, 1e20])
def test_a_diagnosis_scales_with_its_matrix(unit):
    matrix = planted("two atoms and a spike", np.random.default_rng(1))
    one, other = diagnose(matrix), diagnose(unit * matrix)
    np.testing.assert_allclose(other.eigenvalues, unit**2 * one.eigenvalues, rtol=1e-9)
    assert other.verdict == one.verdict
    assert len(other.spikes) == len(one.spikes) == 1
    assert other.spikes[0].strength == pytest.approx(unit**2 * one.spikes[0].strength, rel=1e-4)
    assert other.spikes[0].overlap == pytest.approx(one.spikes[0].overlap, rel=1e-4)
    assert other.distances.generalised == pytest.approx(one.distances.generalised, abs=1e-4)


def test_wide_data_lose_one_eigenvalue_to_the_mean():
    one = diagnose(noise(0, 80, 200))
    assert one.eigenvalues.size == 79
    assert one.eigenvalues[0] > 0
    assert one.verdict == "bulk"
    assert one.white.edges[1] == pytest.approx((1 + np.sqrt(200 / 79)) ** 2, rel=0.05)


@pytest.mark.parametrize("kind", ["data", "weights"])
@pytest.mark.parametrize("rank", [1, 2, 5])
def test_a_matrix_that_is_nothing_but_spikes(rank, kind):
    rng = np.random.default_rng(rank)
    found = diagnose(rng.standard_normal((60, rank)) @ rng.standard_normal((rank, 40)), kind)
    assert np.sum(found.eigenvalues > 0) == rank
    assert found.tail is None
    assert len(found.spikes) < rank


def test_a_rotation_has_no_tail():
    rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((80, 40)))
    found = diagnose(rotation, "weights")
    np.testing.assert_allclose(found.eigenvalues, 1 / 80)
    assert found.tail is None
    assert found.spikes == ()
    assert found.stable_rank == pytest.approx(40.0)


def test_low_rank_and_constant_columns():
    one = diagnose(noise(0, 300, 30) @ noise(1, 30, 100))
    assert np.sum(one.eigenvalues > 0) == 30
    assert one.generalised.weights[0] == pytest.approx(0.7)
    for rank in (1, 2, 5, 12):
        for kind in ("data", "weights"):
            thin = diagnose(noise(0, 300, rank) @ noise(1, rank, 100), kind)
            assert np.sum(thin.eigenvalues > 0) == rank
            assert thin.tail is None
            assert thin.model == "generalised"
            assert np.all(np.isfinite([thin.stable_rank, thin.effective_rank, *thin.distances]))
    digits = diagnose(load_digits().data)
    assert np.sum(digits.eigenvalues == 0) == 3  # pixels that never change
    assert digits.verdict != "bulk"


def test_estimates_are_labelled_and_agree():
    matrix = planted("spikes", np.random.default_rng(0))
    one, other = diagnose(matrix), diagnose(matrix, dense=100)
    assert not one.estimated
    assert other.estimated
    assert other.verdict == one.verdict == "bulk + spikes"
    for here, there in zip(one.spikes, other.spikes, strict=True):
        assert there.eigenvalue == pytest.approx(here.eigenvalue, rel=1e-8)
    assert other.white.variance == pytest.approx(one.white.variance, rel=0.002)


def test_an_estimate_has_no_spikes_of_its_own():
    """The sum of the eigenvalues is exact, so that the noise variance is: 24 white matrices at level 0.01."""
    n, p, hits = 200, 100, []
    for seed in range(24):
        y = estimate_eigenvalues(noise((seed, n), n, p), np.random.default_rng(seed)) / n
        hits.append(count_spikes(y, n, p, 0.01) > 0)
    assert np.mean(hits) < 0.01 + 3.5 * np.sqrt(0.01 * 0.99 / 24)


@pytest.mark.parametrize("shape", [(21, 21), (21, 400), (400, 21)])
def test_the_smallest_matrices(shape):
    one = diagnose(noise(5, *shape))
    assert one.verdict == "bulk"
    assert one.eigenvalues.size == min(shape[0] - 1, shape[1])
    assert np.all(np.isfinite([*one.distances, *one.white.edges, *one.edge]))


def test_the_seed_decides():
    matrix = noise(0, 60, 40)
    np.testing.assert_array_equal(diagnose(matrix, seed=4).permuted, diagnose(matrix, seed=4).permuted)
    assert not np.array_equal(diagnose(matrix, seed=4).permuted, diagnose(matrix, seed=5).permuted)


@pytest.mark.parametrize(
    ("matrix", "options", "reason"),
    [
        (np.ones(50), {}, "'matrix' parameter must have two sides of at least 21. Got shape"),
        (np.ones((20, 50)), {}, "'matrix' parameter must have two sides of at least 21"),
        (np.full((30, 30), np.nan), {}, "'matrix' parameter must be finite"),
        (np.zeros((30, 30)), {"kind": "weights"}, "'matrix' parameter must hold more than zeros"),
        (np.ones((30, 30)), {}, "'matrix' parameter must vary from row to row"),
        (1e-30 * noise(0, 30, 30), {}, "'matrix' parameter must have entries of a size between"),
        (noise(0, 30, 30), {"kind": "graph"}, "'kind' parameter must be 'data' or 'weights'. Got 'graph'"),
        (noise(0, 30, 30), {"level": 0.0}, "'level' parameter must be in the range"),
        (noise(0, 30, 30), {"seed": -1}, "'seed' parameter must be an integer >= 0"),
        (noise(0, 30, 30), {"dense": 99}, "'dense' parameter must be an integer >= 100"),
    ],
)
def test_arguments(matrix, options, reason):
    with pytest.raises(ValueError, match=reason):
        diagnose(matrix, **options)


# --- The bundled example --------------------------------------------------------------------------


def test_training_is_seen_in_the_bundled_weights():
    data = (EXAMPLES / "weights.npz").read_bytes()
    assert len(data) < 500_000
    table = contents(data, "weights.npz")
    assert [one.name for one in table if one.usable][:2] == ["layer1_before", "layer2_before"]
    for layer, shape in (("layer1", (64, 256)), ("layer2", (256, 128))):
        before, after = (
            diagnose(load(data, "weights.npz", f"{layer}_{when}").matrix, kind="weights")
            for when in ("before", "after")
        )
        assert before.shape == after.shape == shape
        assert (before.verdict, after.verdict) == ("bulk", "bulk + spikes")
        assert after.stable_rank < 0.7 * before.stable_rank


def test_the_script_makes_what_is_shipped():
    """Its weights before training are the shipped ones, and one epoch of it already reads most digits."""
    description = importlib.util.spec_from_file_location("make_weights", EXAMPLES / "make_weights.py")
    script = importlib.util.module_from_spec(description)
    description.loader.exec_module(script)
    before, after, right = script.train(epochs=1)
    data = (EXAMPLES / "weights.npz").read_bytes()
    for index, matrix in enumerate(before, start=1):
        np.testing.assert_array_equal(
            load(data, "weights.npz", f"layer{index}_before").matrix, matrix.astype(np.float32)
        )
    assert not np.array_equal(before[0], after[0])
    assert right > 0.7
