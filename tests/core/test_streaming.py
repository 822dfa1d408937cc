"""Chunks add up to the experiment, and the experiment agrees with the equivalent below, at and above the threshold."""

import numpy as np
import pytest

from rmtcore import Layer, Network, Population, ridge_errors
from rmtcore.agreement import z_score
from rmtcore.streaming import Chunk, Sums, gather, solve

RIDGES = [1e-2, 1.0]


def network(width=120, n=150, population=None, activation="tanh", **fit):
    layers = [Layer(width, activation, normalise=True)]
    return Network(population or Population.toeplitz(0.5, 100), layers, **{"samples": n, "noise": 0.1, **fit})


def whole(one, seed, chunk=40):
    """Sums over all of a network's samples, and over fresh ones."""
    sizes = [min(chunk, one.samples - start) for start in range(0, one.samples, chunk)]
    seen = [gather(one, seed, index, size) for index, size in enumerate(sizes)]
    total = seen[0]
    for part in seen[1:]:
        total = total + part
    return total, gather(one, seed, 0, 1000, fresh=True)


def test_sums_are_those_of_their_points():
    """A linear model on white data shows its points: with one sample the Gram matrix is of rank one."""
    one = Network(Population.identity(30), samples=1, noise=0.0)
    sums = gather(one, 3, 0, 1)
    values, vectors = np.linalg.eigh(sums.gram)
    x = vectors[:, -1] * np.sqrt(values[-1])
    assert np.allclose(values[:-1], 0, atol=1e-10 * values[-1])
    assert np.allclose(np.outer(sums.cross, sums.cross), sums.energy * np.outer(x, x))


def test_the_network_and_its_target_are_shared_by_all_chunks():
    """Without noise the target is linear: every chunk is fitted without error by the same weights."""
    one = Network(Population.toeplitz(0.3, 20), samples=100, noise=0.0)
    first, second = (gather(one, 5, index, 50) for index in range(2))
    weights = [np.linalg.solve(sums.gram, sums.cross) for sums in (first, second)]
    assert np.allclose(*weights)
    assert not np.allclose(first.gram, second.gram)


def test_a_chunk_is_the_same_again_and_differs_by_its_number_seed_and_kind():
    one = network()
    first = gather(one, (1, 2), 0, 30)
    again = Chunk(one, (1, 2), 0, 30, False).run()
    assert np.array_equal(first.gram, again.gram)
    for other in (gather(one, (1, 2), 1, 30), gather(one, (1, 3), 0, 30), gather(one, (1, 2), 0, 30, fresh=True)):
        assert not np.allclose(first.gram, other.gram)


def test_solving_is_ridge_regression():
    """Against the least squares problem with the ridge as further rows, on points with the same sums."""
    seen, fresh = whole(network(width=40), 1)
    errors = solve(network(width=40, noise=0.2), seen, fresh, RIDGES)
    root = np.linalg.cholesky(seen.gram)  # points whose Gram matrix this is
    points, y = root.T, np.linalg.solve(root, seen.cross)
    for index, ridge in enumerate(RIDGES):
        rows = np.vstack([points, np.sqrt(seen.samples * ridge) * np.eye(40)])
        weights = np.linalg.lstsq(rows, np.concatenate([y, np.zeros(40)]), rcond=None)[0]
        rest = seen.energy - y @ y  # what no weights reach
        assert errors.train[index] == pytest.approx((np.sum((y - points @ weights) ** 2) + rest) / seen.samples)
        missed = fresh.energy - 2 * fresh.cross @ weights + weights @ fresh.gram @ weights
        assert errors.test[index] == pytest.approx(missed / fresh.samples + 0.2)
    assert np.isnan(errors.accuracy).all()


@pytest.mark.parametrize(
    "population", [Population.toeplitz(0.5, 100), Population.mixture(3.0, 100)], ids=["toeplitz", "mixture"]
)
@pytest.mark.parametrize("width", [60, 150, 400])
def test_the_equivalent_predicts_what_the_chunks_find(width, population):
    one = network(width=width, n=150, population=population)
    found = [solve(one, *whole(one, (7, index)), RIDGES) for index in range(16)]
    for index, ridge in enumerate(RIDGES):
        law = ridge_errors(Network(one.population, one.layers, samples=150, noise=0.1, ridge=ridge))
        for measured, predicted in (
            ([e.test[index] for e in found], law.test),
            ([e.train[index] for e in found], law.train),
        ):
            score = z_score(np.array(measured), predicted)
            # Five standard errors, and 4 % for what is of order 1/n at n = 150.
            assert abs(np.mean(measured) - predicted) < 5 * score.standard_error + 0.04 * predicted


def test_sums_add():
    one, two = (Sums(index, np.full((1, 1), index), np.full(1, index), index) for index in (1, 2))
    total = one + two
    assert (total.samples, total.gram[0, 0], total.cross[0], total.energy) == (3, 3, 3, 3)


@pytest.mark.parametrize(("ridges", "said"), [([0.0], "ridges"), ([-1.0], "ridges"), ([np.nan], "finite")])
def test_a_ridge_must_be_positive(ridges, said):
    one = network()
    with pytest.raises(ValueError, match=said):
        solve(one, *whole(one, 1), ridges)


def test_real_data_have_no_target():
    data = np.random.default_rng(0).standard_normal((10, 30))
    with pytest.raises(ValueError, match="target"):
        gather(Network(Population.from_data(data), samples=5), 1, 0, 5)
