"""Slow, obvious twins of the kernels, written from the definitions; they share no code with rmtcore.

Conventions: z = x + i eta in the upper half plane; every function returns the Gram (companion) transform.
"""

import numpy as np
from numpy.polynomial import Polynomial


def gram_polynomial(z, s, m, n):
    """Companion transform of a sample covariance from the roots of its polynomial equation.

    z = -1/t + (1/n) sum_k m_k s_k / (1 + s_k t), cleared of denominators: degree K + 1 in t. For Im z > 0
    exactly one root has Im t > 0.
    """
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
    roots = (z * t * product + product - t * total).roots()
    return roots[np.argmax(roots.imag)]


def edges_polynomial(s, m, n):
    """Support edges of a sample covariance: real roots of dz/dt = 0 with z real (all of them)."""
    squares = Polynomial([1.0])
    for value in s:
        squares = squares * Polynomial([1.0, value]) ** 2
    total = Polynomial([0.0])
    for k, (value, count) in enumerate(zip(s, m, strict=True)):
        others = Polynomial([1.0])
        for j, other in enumerate(s):
            if j != k:
                others = others * Polynomial([1.0, other]) ** 2
        total = total + others * (count * value**2 / n)
    roots = (squares - Polynomial([0.0, 0.0, 1.0]) * total).roots()
    t = roots[np.abs(roots.imag) < 1e-9 * np.abs(roots)].real
    return np.sort([-1 / v + sum(c * e / (1 + e * v) for e, c in zip(s, m, strict=True)) / n for v in t])


def gram_fixed_point(z, s, m, layers, n, tolerance=1e-13, limit=200_000):
    """Companion transform through any depth by damped fixed point, all levels at once.

    `layers` lists (a, nu, d). The unknowns are df at every level; each sweep goes down from lambda = -z
    (kappa = lambda / (1 - df/n) at the top) and up again with df written from its definition.
    """
    lam = -complex(z)
    s, m = np.asarray(s, float), np.asarray(m, float)
    df = np.zeros(len(layers) + 1, complex)
    for _ in range(limit):
        kappa = np.empty(len(layers) + 1, complex)
        kappa[-1] = lam / (1 - df[-1] / n)
        for level in range(len(layers) - 1, -1, -1):
            a, nu, d = layers[level]
            kappa[level] = (kappa[level + 1] + nu) / a / (1 - df[level] / d)
        new = np.empty_like(df)
        new[0] = np.sum(m * s / (s + kappa[0]))
        for level, (_, nu, d) in enumerate(layers):
            top = kappa[level + 1]
            new[level + 1] = d - top / (nu + top) * (d - new[level])
        change = np.max(np.abs(new - df) / (1 + np.abs(new)))
        df = 0.5 * df + 0.5 * new
        if change < tolerance:
            return (1 - df[-1] / n) / lam
    raise ArithmeticError("The damped fixed point did not converge.")
