"""Slow, obvious twins of the kernels, written from the definitions; they share no code with rmtcore.

Conventions: z lies in the upper half plane; every transform is that of the Gram matrix F'F/n (the companion).
"""

from fractions import Fraction
from functools import reduce
from itertools import pairwise

import numpy as np
from numpy.polynomial import Polynomial
from scipy.integrate import quad


def chain_numbers(network):
    """(s, m, layers, n) of a network from the definition of the chain; layers lists (a, nu, d).

    Without a linear part (even activations, He_3 at variance 1) the features are independent noise of
    variance mu*^2, whatever is below, so the description starts anew there.
    """
    population = network.population
    bulk = ~population.isolated & (population.eigenvalues > 0)
    s, m = population.eigenvalues[bulk], population.counts[bulk]
    m = m * (population.dim / population.counts[~population.isolated].sum())
    layers, below, variance = [], population.dim, population.variance
    for layer in network.layers:
        inputs, raw = variance, layer.activation.moments(variance)
        size = raw.variance if layer.normalise else 1.0
        variance = raw.variance / size
        if raw.mu1**2 * inputs <= 1e-14 * raw.variance:
            s, m, layers = np.array([raw.mu_star2 / size]), np.array([float(layer.width)]), []
        else:
            layers.append((raw.mu1**2 / size * layer.width / below, raw.mu_star2 / size, layer.width))
        below = layer.width
    return s, m, layers, network.samples


def forward_map(kappa, s, m, layers, n):
    """lambda from kappa_0, and every kappa, in the words of its definition.

    In extended precision: the words subtract numbers that may nearly agree.
    """
    kappa, s, m = np.clongdouble(kappa), np.asarray(s, np.longdouble), np.asarray(m, np.longdouble)
    kappas, df = [kappa], np.sum(m * s / (s + kappa))
    for a, nu, d in np.array(layers, np.longdouble).reshape(-1, 3):
        kappa = a * kappa * (1 - df / d) - nu
        df = d - kappa / (nu + kappa) * (d - df)
        kappas.append(kappa)
    return kappa * (1 - df / n), kappas


def gram_polynomial(z, s, m, n):
    """Companion transform of a sample covariance from the roots of its polynomial equation.

    z = -1/t + (1/n) sum_k m_k s_k / (1 + s_k t), cleared of denominators: degree K + 1 in t. For Im z > 0
    exactly one root has Im t > 0; on the bulks exactly one pair is complex. A few Newton steps on the
    equation itself restore the digits that the coefficients lose.
    """
    s, m = np.asarray(s, float), np.asarray(m, float)
    product = Polynomial([1.0])
    for value in s:
        product = product * Polynomial([1.0, value])
    total = Polynomial([0.0])
    for k, (value, count) in enumerate(zip(s, m, strict=True)):
        others = Polynomial([1.0])
        for j, other in enumerate(s):
            if j != k:
                others = others * Polynomial([1.0, other])
        total = total + others * (count * value / n)
    t = Polynomial([0.0, 1.0])
    root = max((z * t * product + product - t * total).roots(), key=lambda value: value.imag)
    for _ in range(3):
        poles = 1 / (1 + s * root)
        error = -1 / root + np.sum(m * s * poles) / n - z
        root -= error / (1 / root**2 - np.sum(m * s**2 * poles**2) / n)
    return root


def gram_moments(s, m, layers, n):
    """First three moments (1/n) tr (F'F/n)^k, exactly: free cumulants of a Gram matrix are the (1/n) tr S^k.

    A layer is nu + a G, whose moments follow from those of G; they are the next S.
    """
    s, m = np.asarray(s, float), np.asarray(m, float)
    traces = [m @ s**k for k in (1, 2, 3)]
    for a, nu, d in [*layers, (1.0, 0.0, n)]:
        t1, t2, t3 = (trace / d for trace in traces)
        g1, g2, g3 = t1, t2 + t1**2, t3 + 3 * t1 * t2 + t1**3
        traces = [
            d * (nu + a * g1),
            d * (nu**2 + 2 * nu * a * g1 + a**2 * g2),
            d * (nu**3 + 3 * nu**2 * a * g1 + 3 * nu * a**2 * g2 + a**3 * g3),
        ]
    return np.array(traces) / n


def _edge_equation(s, m, n, one):
    """Coefficients, ascending, of dz/dt = 0 cleared of denominators, in the arithmetic of `one`."""

    def times(left, right):
        product = [0 * one] * (len(left) + len(right) - 1)
        for i, x in enumerate(left):
            for j, y in enumerate(right):
                product[i + j] += x * y
        return product

    squares = [[one, 2 * one * value, one * value * value] for value in s]
    equation = reduce(times, squares)
    for k, (value, count) in enumerate(zip(s, m, strict=True)):
        others = reduce(times, squares[:k] + squares[k + 1 :], [one])
        for power, coefficient in enumerate(others, start=2):
            equation[power] -= one * count * value * value / n * coefficient
    return equation


def edges_polynomial(s, m, n):
    """Support edges of a sample covariance: z at the real roots of dz/dt = 0 (all of them).

    Newton steps on that equation itself restore the digits that the coefficients lose.
    """
    equation = _edge_equation(s, m, n, 1.0)
    if np.sum(m) == n:  # the hard edge is a root at infinity
        equation.pop()
    roots = Polynomial(equation).roots()
    t = roots[np.abs(roots.imag) < 1e-9 * np.abs(roots)].real
    s, m = np.asarray(s, float)[:, None], np.asarray(m, float)
    for _ in range(5):
        poles = 1 / (1 + s * t)
        growth = 1 - m @ (s * t * poles) ** 2 / n
        t = t + growth / (2 * m @ (s**2 * t * poles**3) / n)
    return np.sort(-1 / t + m @ (s / (1 + s * t)) / n)


def count_edges(s, m, n):
    """How many support edges there are, exactly, by Sturm's theorem (s, m, n rational)."""
    chain = [_edge_equation(s, m, n, Fraction(1))]
    while chain[0][-1] == 0:
        chain[0].pop()
    chain.append([power * value for power, value in enumerate(chain[0])][1:])
    while len(chain[-1]) > 1:
        rest = list(chain[-2])
        while len(rest) >= len(chain[-1]):
            factor, shift = rest[-1] / chain[-1][-1], len(rest) - len(chain[-1])
            for power, value in enumerate(chain[-1]):
                rest[power + shift] -= factor * value
            while rest and rest[-1] == 0:
                rest.pop()
        if not rest:
            break
        chain.append([-value for value in rest])

    def changes(side):
        signs = [(p[-1] > 0) != (side < 0 and len(p) % 2 == 0) for p in chain]
        return sum(x != y for x, y in pairwise(signs))

    return changes(-1) - changes(1)


def gram_fixed_point(z, s, m, layers, n, tolerance=1e-13, limit=20_000):
    """Companion transform through any depth by damped fixed point; nan where it has not converged.

    `layers` lists (a, nu, d). One layer on a population S of companion transform t(zeta) is nu + a G, with G
    the Gram matrix of d vectors drawn from S; with h(t) = (1/d) tr S (1 + t S)^-1 that is

        t_l = -1/(z_l - h_l),   z_l = (-1/t_(l+1) - nu)/a,   z_L = z,
        h_0 = (1/d_1) sum m s/(1 + t_0 s),   h_l = (d_l/d_(l+1)) / (1/(nu + a h_(l-1)) + t_l),   d_(L+1) = n.

    This maps {all h_l in the lower half plane} into itself, so by Earle and Hamilton (1970) the iteration has
    one fixed point there and finds it: unlike an iteration on df it cannot settle on a wrong branch.
    """
    z = np.asarray(z, complex)
    flat = z.ravel()
    s, m = np.asarray(s, float)[:, None], np.asarray(m, float)
    close = [d for _, _, d in layers] + [n]
    h = np.full((len(close), flat.size), -1j * (m @ s[:, 0]) / close[0])
    t = np.empty_like(h)
    for _ in range(limit):
        t[-1] = -1 / (flat - h[-1])
        for level in range(len(layers) - 1, -1, -1):
            a, nu, _ = layers[level]
            t[level] = -1 / ((-1 / t[level + 1] - nu) / a - h[level])
        new = np.empty_like(h)
        new[0] = m @ (s / (1 + s * t[0])) / close[0]
        for level, (a, nu, d) in enumerate(layers, start=1):
            new[level] = d / close[level] / (1 / (nu + a * new[level - 1]) + t[level])
        change = np.max(np.abs(new / h - 1), axis=0)
        h = 0.5 * (h + new)
        if np.all(change < tolerance):
            break
    result = -1 / (flat - h[-1])
    result[change >= tolerance] = np.nan
    return result.reshape(z.shape)


def kernel_root(z, a, b, c):
    """Stieltjes transform of an inner product kernel from its cubic -1/m = z + a^2 m/(c + a m) + b m/c.

    Cleared of denominators; for real z on the support exactly one root is in the upper half plane.
    """
    roots = np.roots(np.trim_zeros([a * b / c, z * a + a * a + b, z * c + a, c], "f"))
    return max(roots, key=lambda root: root.imag)


def kernel_edges(a, b, c):
    """Edges of that law: z at the real roots of dz/dm = 1/m^2 - a^2 c/(c + a m)^2 - b/c, cleared of denominators."""
    m, one = Polynomial([0.0, 1.0]), Polynomial([c, a])
    roots = (c * one**2 - a * a * c * c * m**2 - b * m**2 * one**2).roots()
    m = roots[np.abs(roots.imag) < 1e-9 * np.abs(roots)].real
    return np.sort(-1 / m - a * a * m / (c + a * m) - b * m / c)


def pair_quadrature(function, breaks, q1, q2, r):
    """E phi(u) phi(v) of a Gaussian pair: Gauss-Legendre over u, and for every u over v given u, piece by piece."""
    nodes, lengths = np.polynomial.legendre.leggauss(24)

    def rule(cuts):
        edges = np.unique(np.concatenate([np.linspace(-9.0, 9.0, 19), cuts[np.abs(cuts) < 9.0]]))
        half = np.diff(edges)[:, None] / 2
        xi = (edges[:-1, None] + half * (1 + nodes)).ravel()
        return xi, (half * lengths).ravel() * np.exp(-0.5 * xi**2) / np.sqrt(2 * np.pi)

    breaks, rest = np.asarray(breaks, float), np.sqrt(1 - r * r)
    # near a break of v the average over v turns within `rest`
    steps = rest * np.array([-8, -4, -2, -1, 0, 1, 2, 4, 8])
    turns = np.array([b / np.sqrt(q2) / r + step / r for b in breaks for step in steps])
    total = 0.0
    for x, weight in zip(*rule(np.concatenate([breaks / np.sqrt(q1), turns])), strict=True):
        xi, weights = rule((breaks / np.sqrt(q2) - r * x) / rest)
        total += weight * function(np.sqrt(q1) * x) * (weights @ function(np.sqrt(q2) * (r * x + rest * xi)))
    return float(total)


def marchenko_pastur_nodes(c, count=400):
    """Nodes and weights of the law of X'X, X p x n with entries of variance 1/p and c = n/p, atom included."""
    theta = np.pi * (np.arange(count) + 0.5) / count
    x = 1 + c - 2 * np.sqrt(c) * np.cos(theta)
    weights = 4 * c * np.sin(theta) ** 2 / (2 * np.pi * c * x) * (np.pi / count)
    return np.append(x, 0.0), np.append(weights, max(1 - 1 / c, 0.0))


def tangent_nested(z, w, g, nu, mu2, nodes, tolerance=1e-12):
    """t_l(z, w) of Fan and Wang (2020), word by word; returns an array over the last axis of z.

    z, w : (l + 2, P), for the identity, X_0'X_0, .., X_l'X_l. Every evaluation iterates on its own s, and every
    step of that on all those below: the cost is exponential in the depth.
    """
    level = len(z) - 2
    if level == 0:
        x, weights = nodes
        return np.sum(weights * (w[0][:, None] + w[1][:, None] * x) / (z[0][:, None] + z[1][:, None] * x), axis=1)
    s, none = 1 / z[-1] + 1j, np.zeros_like(z[0])
    ratio = w[-1] / z[-1]
    inner = np.array([none + nu[level - 1], *[none] * (level - 1), none + mu2[level - 1]])
    for _ in range(500):
        below = z[:-1].copy()
        below[0] = below[0] + nu[level - 1] / s
        below[-1] = below[-1] + mu2[level - 1] / s
        new = 1 / z[-1] + g[level - 1] * tangent_nested(below, inner, g, nu, mu2, nodes, tolerance)
        change = np.max(np.abs(new / s - 1))
        s = new
        if change < tolerance:
            break
    below = z[:-1].copy()
    below[0] = below[0] + nu[level - 1] / s
    below[-1] = below[-1] + mu2[level - 1] / s
    return ratio + tangent_nested(below, w[:-1] - ratio * z[:-1], g, nu, mu2, nodes, tolerance)


def marchenko_pastur_cdf(x, ratio):
    """Distribution function of the Marchenko-Pastur law (ratio <= 1, variance 1), by adaptive quadrature in sqrt(x)."""
    low, high = (1 - np.sqrt(ratio)) ** 2, (1 + np.sqrt(ratio)) ** 2

    def density(root):
        return np.sqrt(max((high - root**2) * (root**2 - low), 0)) / (np.pi * ratio * max(root, 1e-300))

    return quad(density, np.sqrt(low), np.sqrt(min(max(x, low), high)), epsabs=1e-11, limit=200)[0]


def power_law_scan(values, starts):
    """Start index, exponent and distance of the power law that fits best, from the definitions."""
    x, found = np.sort(values), []
    for first in starts:
        tail = x[first:]
        mean = np.mean(np.log(tail / tail[0]))
        if mean > 0:
            law = 1 - (tail / tail[0]) ** (-1 / mean)
            steps = np.arange(tail.size + 1) / tail.size
            found.append((max(np.max(np.abs(law - steps[1:])), np.max(np.abs(law - steps[:-1]))), first, 1 + 1 / mean))
    ks, first, alpha = min(found)
    return first, alpha, ks


def sample_spectrum(matrix):
    """The eigenvalues that W'W/rows and WW'/rows share, from singular values."""
    return np.sort(np.linalg.svd(matrix, compute_uv=False) ** 2) / matrix.shape[0]


def enclosed_sum(matrix, u, function, left, right):
    """Trace form and quadratic form of the eigenvalues of one matrix between two points, one by one."""
    trace = form = 0.0
    values, vectors = np.linalg.eigh(matrix)
    for value, vector in zip(values, vectors.T, strict=True):
        if left < value < right:
            trace += function(value) / len(matrix)
            form += function(value) * (u @ vector) ** 2
    return trace, form


def stieltjes_of_kernel(moments, ratio, z, steps=20000):
    """m(z) of a kernel matrix by damped fixed-point iteration of -1/m = z + a^2 m/(c + a m) + b m/c."""
    a, b = moments.mu1, moments.mu_star2
    m = -1.0 / complex(z)
    for _ in range(steps):
        m = 0.5 * (m - 1.0 / (z + a**2 * m / (ratio + a * m) + b * m / ratio))
    return m
