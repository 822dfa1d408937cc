"""Slow, obvious twins for given data, written from the definitions and the papers; they share no code with rmtcore."""

import numpy as np

_X, _W = np.polynomial.legendre.leggauss(16)


def gaussian_mean(function, breaks, variance, mean=0.0):
    """E function(t), t ~ N(mean, variance): Gauss-Legendre between the breaks, on panels of half a deviation."""
    sigma = np.sqrt(variance)
    if sigma == 0:
        return function(np.array([mean]))[0]
    cuts = np.unique(np.concatenate([np.linspace(-8, 8, 33), (np.asarray(breaks, float) - mean) / sigma]))
    cuts = cuts[(cuts >= -8) & (cuts <= 8)]
    half = np.diff(cuts)[:, None] / 2
    xi = (cuts[:-1, None] + half + half * _X).ravel()
    weights = (half * _W).ravel() * np.exp(-(xi**2) / 2) / np.sqrt(2 * np.pi)
    return weights @ function(mean + sigma * xi)


def pair_mean(function, breaks, a2, b2, c):
    """E phi(u) phi(v) of centred Gaussians with variances a2, b2 and covariance c: v given u, then u."""

    def given(u):
        inner = [gaussian_mean(function, breaks, max(b2 - c * c / a2, 0.0), c * one / a2) for one in u]
        return function(u) * np.array(inner)

    if a2 == 0 or b2 == 0:
        return gaussian_mean(function, breaks, a2) * gaussian_mean(function, breaks, b2)
    if abs(c * c - a2 * b2) < 1e-14 * a2 * b2:  # the conditional mean then jumps where it meets a break
        breaks = np.concatenate([breaks, np.asarray(breaks) * a2 / c])
    return gaussian_mean(given, breaks, a2)


def deltas(kernels, d, g, n):
    """delta_a = (1/n) tr K_a Qbar, Qbar = ((d/n) sum_a K_a/(1 + delta_a) + g)^-1, by plain iteration."""
    delta = np.ones(len(kernels))
    for _ in range(100_000):
        bar = d / n * sum(one / (1 + x) for one, x in zip(kernels, delta, strict=True))
        q = np.linalg.inv(bar + g * np.eye(n))
        new = np.array([np.trace(one @ q) / n for one in kernels])
        if np.max(np.abs(new / delta - 1)) < 1e-13:
            return new, bar, q
        delta = new
    raise AssertionError("no convergence")


def one_kind(K, Kx, Kxx, y, y_test, d, g):
    """Train and test error of Louart, Liao and Couillet (2018), Theorem 3 and Conjecture 1, as in their formulas."""
    n, m = Kx.shape
    (delta,), bar, q = deltas([K], d, g, n)
    bar_x, bar_xx = (d / n / (1 + delta) * part for part in (Kx, Kxx))
    down = 1 - np.trace(bar @ q @ bar @ q) / d
    inner = np.trace(q @ bar @ q) / d / down * bar + np.eye(n)
    train = g**2 / n * y @ q @ inner @ q @ y
    power = np.trace(bar_xx) / m - np.trace((np.eye(n) + g * q) @ (bar_x @ bar_x.T @ q)) / m
    test = np.mean((y_test - bar_x.T @ q @ y) ** 2) + (y @ q @ bar @ q @ y) / d / down * power
    return train, test, delta


def several_kinds(Ks, Kxs, Kxxs, y, y_test, d, g):
    """Train and test error of features of several uncorrelated kinds on the same W, from second-order equivalents.

    E[Q B Q] = Q (B + (d/n) sum_a t_a K_a/(1 + delta_a)^2) Q with t_a = (1/n) tr K_a E[Q B Q], for B = I on the
    training points, and for B at one test point added to the data with a ridge of its own that goes to infinity.
    """
    n, m = Kxs[0].shape
    delta, _, q = deltas(Ks, d, g, n)
    kinds = range(len(Ks))

    def second(first):
        system = [[np.trace(Ks[a] @ q @ Ks[b] @ q) * d / n**2 / (1 + delta[b]) ** 2 for b in kinds] for a in kinds]
        t = np.linalg.solve(np.eye(len(Ks)) - system, first)
        return d / n * sum(t[a] / (1 + delta[a]) ** 2 * (y @ q @ Ks[a] @ q @ y) for a in kinds)

    train = g**2 / n * (y @ q @ q @ y + second([np.trace(one @ q @ q) / n for one in Ks]))
    bar_x = d / n * sum(one / (1 + x) for one, x in zip(Kxs, delta, strict=True))
    residual = [np.trace(Kxxs[a] - 2 * Kxs[a].T @ q @ bar_x + bar_x.T @ q @ Ks[a] @ q @ bar_x) / m / n for a in kinds]
    return train, np.mean((y_test - bar_x.T @ q @ y) ** 2) + second(residual), delta


def fit(features, fresh, y, y_test, g):
    """Train and test error of ridge regression in the words of its definition; at g = 0 the least-norm fit."""
    d, n = features.shape
    if g == 0:
        theta = np.linalg.pinv(features.T) @ y
    else:
        theta = np.linalg.solve(features @ features.T / n + g * np.eye(d), features @ y / n)
    return np.mean((y - features.T @ theta) ** 2), np.mean((y_test - fresh.T @ theta) ** 2)
