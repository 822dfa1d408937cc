"""A plain simulator: draw the actual network, train its last layer, measure what it does on fresh points.

It follows the words of rmtcore.network and rmtcore.experiment and knows no equivalent:
x = C^(1/2) z, target b'x (for a mixture x = y mu + g and the label y), features phi(W h / sqrt(d_below))
less their mean, divided by their standard deviation where the layer is normalised. One singular value
decomposition of the features serves every ridge, time and number of steps.

Less scatter, same expectation: a test error is the squared distance from the noise-free target plus the label
noise, and every draw of data and weights learns several targets, whose components differ in sign only.
"""

from dataclasses import dataclass

import numpy as np

PHI = {
    "identity": lambda t: t,
    "tanh": np.tanh,
    "relu": lambda t: np.maximum(t, 0),
    "sign": np.sign,
    "abs": np.abs,
    "cos": np.cos,
}


def directions(network, rng, count):
    """`count` target directions b (p, count), of random signs; a mixture has none: its labels are what they are."""
    population = network.population
    b = np.sqrt(np.repeat(population.target / population.counts, population.counts.astype(int)))
    return b[:, None] * rng.choice([-1.0, 1.0], (population.dim, count))


def points(network, rng, count, b):
    """`count` inputs (p, count) and their targets without label noise (count, targets)."""
    population = network.population
    z = rng.standard_normal((population.dim, count))
    if population.is_mixture:
        labels = rng.choice([-1.0, 1.0], count)
        z[-1] += np.sqrt(population.eigenvalues[-1] - 1) * labels
        return z, labels[:, None]
    x = np.sqrt(population.spectrum)[:, None] * z
    return x, x.T @ b


def draw_weights(network, rng):
    below = [network.population.dim, *(layer.width for layer in network.layers)]
    return [rng.standard_normal((layer.width, d)) for layer, d in zip(network.layers, below, strict=False)]


def features(network, weights, x):
    h, q = x, network.population.variance
    for layer, w in zip(network.layers, weights, strict=True):
        h = PHI[layer.activation.name](w @ h / np.sqrt(h.shape[0]))
        raw = layer.activation.moments(q)
        h, q = h - raw.mean, raw.variance
        if layer.normalise:
            h, q = h / np.sqrt(q), 1.0
    return h


@dataclass
class Filter:
    """What training makes of an eigenvalue x of FF'/n: theta = fit(FF'/n) Fy/n + left(FF'/n) theta_0."""

    fit: object
    left: object


def ridge(lam):
    if lam == 0:
        return Filter(lambda x: np.divide(1, x, out=np.zeros_like(x), where=x > 1e-10 * x.max()), np.zeros_like)
    return Filter(lambda x: 1 / (x + lam), np.zeros_like)


def flow(time, lam=0.0):
    """Gradient flow; the filter is time where x + lam is zero."""

    def fit(x):
        x = x + lam
        return np.divide(-np.expm1(-time * x), x, out=np.full_like(x, time), where=x > 1e-12 * x.max())

    return Filter(fit, lambda x: np.exp(-time * (x + lam)))


def descent(step, count, lam=0.0):
    """`count` steps of gradient descent."""

    def fit(x):
        x = x + lam
        gone = 1 - (1 - step * x) ** count
        return np.divide(gone, x, out=np.full_like(x, step * count), where=x > 1e-12 * x.max())

    return Filter(fit, lambda x: (1 - step * (x + lam)) ** count)


class Fit:
    """One training set, one draw of the weights, its last layer trained in every way that `filters` lists.

    `train` and `scores` hold the training errors (filters, targets) and the fits at the fresh points
    (filters, fresh points, targets); `largest` is the largest eigenvalue of FF'/n.
    """

    def __init__(self, network, weights, data, labels, filters, fresh, start=0.0, rng=None):
        n, d = network.samples, network.feature_dim
        h = features(network, weights, data)
        u, s, vt = np.linalg.svd(h / np.sqrt(n), full_matrices=False)
        x = s**2
        self.largest = x[0]
        inside = (s[:, None] * (vt @ labels) / np.sqrt(n))[None]
        theta = np.array([one.fit(x) for one in filters])[:, :, None] * inside  # in the basis u
        shown = u.T @ features(network, weights, fresh)
        outside = 0.0
        if start > 0:
            first = rng.standard_normal((d, labels.shape[1])) * np.sqrt(start / d)
            theta += np.array([one.left(x) for one in filters])[:, :, None] * (u.T @ first)
            # where the training set has no say only weight decay acts
            rest = features(network, weights, fresh).T @ (first - u @ (u.T @ first))
            outside = np.array([one.left(np.zeros(1)) for one in filters])[:, :, None] * rest
        self.train = np.mean((labels - np.sqrt(n) * (vt.T * s) @ theta) ** 2, axis=1)
        self.scores = shown.T @ theta + outside


@dataclass
class Measured:
    """Means over the draws and their standard errors, (filters,) each."""

    mean: np.ndarray
    error: np.ndarray

    def meets(self, expected, slack):
        """Assert agreement within 3 standard errors plus `slack`, the finite-size term that the caller states."""
        expected, slack = np.asarray(expected), np.broadcast_to(slack, np.shape(expected))
        far = np.abs(self.mean - expected) > 3 * self.error + slack
        rows = zip(*(np.atleast_1d(x) for x in (far, self.mean, self.error, expected, slack)), strict=True)
        told = [f"{b:.5g} +- {c:.2g} against {d:.5g} +- {e:.2g}" for a, b, c, d, e in rows if a]
        assert not np.any(far), "; ".join(told)


def measured(values):
    values = np.asarray(values)
    return Measured(values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values)))


def finite_size(network):
    """Units and size N of the finite-size term units/N that the comparisons with the equivalent allow for.

    4 units, and 2 more per relu layer: its features' mean differs between neurons, an outlying direction that
    the equivalent forgets. N is the number of samples, or with layers the effective dimension (tr C)^2/tr C^2
    of the data if that is smaller: the variance of what a neuron sees differs by its root from point to point.
    """
    units = 4 + 2 * sum(layer.activation.name == "relu" for layer in network.layers)
    s = network.population.spectrum
    return units, min(network.samples, s.sum() ** 2 / np.sum(s**2)) if network.layers else network.samples


def train(network, filters, draws, seed, fresh=1500, start=0.0, targets=8):
    """Test error, training error, accuracy (of +-1 targets) and the largest eigenvalue over `draws` draws."""
    found = {"test": [], "train": [], "accuracy": [], "largest": []}
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        b = directions(network, rng, targets)
        data, labels = points(network, rng, network.samples, b)
        labels = labels + np.sqrt(network.noise) * rng.standard_normal(labels.shape)
        new, goal = points(network, rng, fresh, b)
        one = Fit(network, draw_weights(network, rng), data, labels, filters, new, start, rng)
        found["test"].append(np.mean((goal - one.scores) ** 2, axis=(1, 2)) + network.noise)
        found["train"].append(np.mean(one.train, axis=1))
        found["accuracy"].append(np.mean(one.scores * goal > 0, axis=(1, 2)))
        found["largest"].append(one.largest)
    return {name: measured(values) for name, values in found.items()}


def split(network, draws, seed, fresh=1500, targets=8):
    """Where the error comes from, by products of the errors of two fits that share only what is named.

    Two training sets times two draws of the weights; independent label noise goes with the training set.
    """
    one = [ridge(network.ridge)]
    found = {name: [] for name in ("test", "ensemble", "same_weights", "bias", "label_variance")}
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        b = directions(network, rng, targets)
        new, goal = points(network, rng, fresh, b)
        weights = [draw_weights(network, rng) for _ in range(2)]
        left, noise_only = {}, []
        for side in range(2):
            data, labels = points(network, rng, network.samples, b)
            eps = np.sqrt(network.noise) * rng.standard_normal(labels.shape)
            both = np.concatenate([labels + eps, eps], axis=1)
            for other in range(2):
                scores = Fit(network, weights[other], data, both, one, new).scores[0]
                left[side, other] = goal - scores[:, : goal.shape[1]]
                noise_only.append(np.mean(scores[:, goal.shape[1] :] ** 2))

        def product(*pairs, left=left):
            return np.mean([np.mean(left[a] * left[b]) for a, b in pairs])

        cells = [(0, 0), (0, 1), (1, 0), (1, 1)]
        found["test"].append(product(*((cell, cell) for cell in cells)) + network.noise)
        found["ensemble"].append(product(((0, 0), (0, 1)), ((1, 0), (1, 1))) + network.noise)
        found["same_weights"].append(product(((0, 0), (1, 0)), ((0, 1), (1, 1))))
        found["bias"].append(product(((0, 0), (1, 1)), ((0, 1), (1, 0))))
        found["label_variance"].append(np.mean(noise_only))
    return {name: measured(values) for name, values in found.items()}
