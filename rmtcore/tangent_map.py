"""The equations of the proportional-width tangent kernel, all in one small system, and the roads to its root.

The kernel is floor I + sum_l q_l X_l'X_l (Fan and Wang, NeurIPS 2020, arXiv:2005.11879). Its resolvent at
z = floor + zeta is, layer by layer from the top, that of A_l I + sum_{k<l} q_k X_k'X_k + B_l X_l'X_l, with one
unknown s_l a layer:

    A_L = -zeta, B_L = q_L,     A_(l-1) = A_l + nu_l/s_l,   B_(l-1) = q_(l-1) + mu_l^2/s_l,
    s_l = 1/B_l + g_l phi_l,    phi_l = nu_l m + mu_l^2 tau_(l-1),   tau_l = phi_l/(1 + B_l g_l phi_l),

m the Stieltjes transform, tau_l = lim (1/n) tr Q X_l'X_l; at the data tau_0 = m h, 1/m = A_0 + B_0 h,
h = (1/p) sum_k c_k s_k/(1 + B_0 g_0 m s_k) for population eigenvalues s_k. Fan and Wang state this as a recursion of
functions, each evaluated through the next; here it is one Newton system in (m, s_1 .. s_L).

For zeta in the upper half plane the right root is the only one with m and every s_l in the upper half plane (each
equation maps that half plane into itself, given those below; from the bottom layer up), so a root is checked and not
assumed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rmtcore.compiled import kernel

Array = NDArray[np.float64]

_REAL = 1e-7  # Im m / |m| below which a root on the axis counts as real: outside the bulks
_FAINT = 1e-9  # the same inside a known bulk, where only a root of the wrong branch is real


class Tangent(NamedTuple):
    """The numbers of the system.

    Attributes
    ----------
    s, c : (k,) population eigenvalues > 0 and their counts over p.
    g : (L + 1,) n/p, n/d_1 .. n/d_L.
    nu, mu2 : (L,) mu*^2 and mu1^2 of every layer.
    q : (L + 1,) weight of every X_l'X_l.
    """

    s: Array
    c: Array
    g: Array
    nu: Array
    mu2: Array
    q: Array


@kernel
def _system(y, zeta, s, c, g, nu, mu2, q, equation, jacobian):
    """The equations and their Jacobian at y = (m, s_1 .. s_L); returns the largest relative residual."""
    depth = nu.size
    m = y[0]
    equation[:] = 0.0
    jacobian[:, :] = 0.0
    slope = np.zeros(depth + 1, np.complex128)  # d tau_l / d y, for the layer reached
    above = q[depth] + 0.0j
    a = -zeta
    for layer in range(depth, 0, -1):
        a += nu[layer - 1] / y[layer]
        jacobian[0, layer] = -nu[layer - 1] / (y[layer] * y[layer])
    b = above if depth == 0 else q[0] + mu2[0] / y[1]
    w = b * g[0] * m
    h = bend = 0.0j
    for k in range(s.size):
        share = s[k] / (1.0 + w * s[k])
        h += c[k] * share
        bend -= c[k] * share * share
    equation[0] = a + b * h - 1.0 / m
    residual = abs(equation[0]) * abs(m)
    jacobian[0, 0] = b * bend * b * g[0] + 1.0 / (m * m)
    tau = m * h
    slope[0] = h + m * bend * b * g[0]
    if depth > 0:
        db = -mu2[0] / (y[1] * y[1])
        jacobian[0, 1] += db * (h + b * bend * g[0] * m)
        slope[1] = m * bend * g[0] * m * db
    for layer in range(1, depth + 1):
        last = layer == depth
        b = above if last else q[layer] + mu2[layer] / y[layer + 1]
        phi = nu[layer - 1] * m + mu2[layer - 1] * tau
        for j in range(depth + 1):
            slope[j] *= mu2[layer - 1]
        slope[0] += nu[layer - 1]
        equation[layer] = 1.0 / b + g[layer] * phi - y[layer]
        residual = max(residual, abs(equation[layer]) / (abs(y[layer]) + abs(1.0 / b)))
        for j in range(depth + 1):
            jacobian[layer, j] = g[layer] * slope[j]
        jacobian[layer, layer] -= 1.0
        bottom = 1.0 + b * g[layer] * phi
        tau = phi / bottom
        for j in range(depth + 1):
            slope[j] /= bottom * bottom
        if not last:
            db = -mu2[layer] / (y[layer + 1] * y[layer + 1])
            jacobian[layer, layer + 1] -= db / (b * b)
            slope[layer + 1] -= g[layer] * tau * tau * db
    return residual


@kernel
def _eliminate(matrix, right):
    """Solve matrix x = right in place, with pivots; right becomes x."""
    size = right.size
    for column in range(size):
        pivot = column
        for row in range(column + 1, size):
            if abs(matrix[row, column]) > abs(matrix[pivot, column]):
                pivot = row
        if pivot != column:
            for j in range(size):
                matrix[column, j], matrix[pivot, j] = matrix[pivot, j], matrix[column, j]
            right[column], right[pivot] = right[pivot], right[column]
        for row in range(column + 1, size):
            factor = matrix[row, column] / matrix[column, column]
            for j in range(column + 1, size):
                matrix[row, j] -= factor * matrix[column, j]
            right[row] -= factor * right[column]
    for row in range(size - 1, -1, -1):
        for j in range(row + 1, size):
            right[row] -= matrix[row, j] * right[j]
        right[row] /= matrix[row, row]


@kernel
def polish(y, zeta, s, c, g, nu, mu2, q):
    """Newton from the guess y, which it overwrites; returns residual, steps and whether the root is certified."""
    size = y.size
    equation = np.empty(size, np.complex128)
    jacobian = np.empty((size, size), np.complex128)
    residual, steps = np.inf, 0
    for steps in range(1, 51):
        residual = _system(y, zeta, s, c, g, nu, mu2, q, equation, jacobian)
        if not np.isfinite(residual):
            return np.inf, steps, False
        if residual < 1e-15:
            break
        _eliminate(jacobian, equation)
        move = 0.0
        for j in range(size):
            move = max(move, abs(equation[j]) / abs(y[j]))
        if not np.isfinite(move):
            return np.inf, steps, False
        damp = min(1.0, 2.0 / move) if move > 0.0 else 1.0
        for j in range(size):
            value = y[j] - damp * equation[j]
            if value.imag <= 0.0:  # the root is above the axis, or on it
                value = complex(value.real, 0.1 * y[j].imag)
            y[j] = value
        # Newton squares the error: after this step only rounding is left.
        if move < 1e-9:
            residual = _system(y, zeta, s, c, g, nu, mu2, q, equation, jacobian)
            break
    sure = residual < 1e-10
    for j in range(size):
        sure = sure and y[j].imag > 0.0
    return residual, steps, sure


@kernel
def descend(y, x, eta, s, c, g, nu, mu2, q):
    """Root at zeta = x + i eta without a guess: from far above the axis, every step down certified.

    Fills y; returns residual, Newton steps, certified.
    """
    depth = nu.size
    scale, widest = q[depth] + abs(x), g[0]
    for layer in range(depth):
        scale += q[layer]
        widest = max(widest, g[layer + 1])
    lower = 1e3 * scale * (1.0 + s[-1]) * (1.0 + widest)
    y[0] = -1.0 / complex(x, lower)
    b = q[depth] + 0.0j
    for layer in range(depth, 0, -1):
        y[layer] = 1.0 / b + 1e-3j * abs(1.0 / b)
        b = q[layer - 1] + mu2[layer - 1] * b
    kept = y.copy()
    height, factor, steps = np.inf, 0.1, 0
    while True:
        residual, more, sure = polish(y, complex(x, lower), s, c, g, nu, mu2, q)
        steps += more
        if sure:
            if lower <= eta:
                return residual, steps, True
            kept[:] = y
            factor = max(0.5 * factor, 1e-3) if np.isfinite(height) else factor
            height = lower
        else:
            y[:] = kept
            if factor > 0.99 or not np.isfinite(height):
                return residual, steps, False
            factor = np.sqrt(factor)
        lower = max(height * factor, eta)
        if lower < 1e-13 * scale:
            lower = eta


@kernel
def _inside(y, sure, least):
    """Whether a root on the axis has mass: Im m of the size of m."""
    return sure and y[0].imag > least * abs(y[0])


@kernel
def march(x, s, c, g, nu, mu2, q):
    """Roots on the axis along x, descending inside one bulk: m, residuals, Newton steps, certified."""
    size = x.size
    m = np.empty(size, np.complex128)
    residual = np.empty(size)
    steps = np.zeros(size, np.int64)
    sure = np.zeros(size, np.bool_)
    y = np.empty(nu.size + 1, np.complex128)
    before = y.copy()
    for j in range(size):
        if j > 0:
            for i in range(y.size):
                ahead = y[i] if j == 1 else 2.0 * y[i] - before[i]
                before[i] = y[i]
                y[i] = ahead if ahead.imag > 0.0 else before[i]
            residual[j], steps[j], sure[j] = polish(y, complex(x[j], 0.0), s, c, g, nu, mu2, q)
            sure[j] = _inside(y, sure[j], _FAINT)  # in a bulk a real root is a wrong one
        if not sure[j]:
            residual[j], more, sure[j] = descend(y, x[j], 0.0, s, c, g, nu, mu2, q)
            sure[j] = _inside(y, sure[j], _FAINT)
            steps[j] += more
        m[j] = y[0]
    return m, residual, steps, sure


@kernel
def scan(x, s, c, g, nu, mu2, q):
    """Density on the axis at every x (any order), 0 off the bulks: each root is sought from above the axis."""
    density = np.zeros(x.size)
    y = np.empty(nu.size + 1, np.complex128)
    high = y.copy()
    known = False
    for j in range(x.size):
        eta = 0.03 * x[j]
        sure = False
        if known:
            y[:] = high
            _, _, sure = polish(y, complex(x[j], eta), s, c, g, nu, mu2, q)
        if not sure:
            _, _, sure = descend(y, x[j], eta, s, c, g, nu, mu2, q)
        known = sure
        high[:] = y
        for _ in range(3):
            eta *= 0.1
            if sure:
                _, _, sure = polish(y, complex(x[j], eta), s, c, g, nu, mu2, q)
        _, _, sure = polish(y, complex(x[j], 0.0), s, c, g, nu, mu2, q)
        if _inside(y, sure, _REAL):
            density[j] = y[0].imag / np.pi
    return density


@kernel
def edge(inner, outer, s, c, g, nu, mu2, q):
    """The edge between a point of a bulk and one off it: (Im m)^2 falls to zero there along a straight line."""
    y = np.empty(nu.size + 1, np.complex128)
    descend(y, inner, 0.0, s, c, g, nu, mu2, q)
    kept = y.copy()
    value = y[0].imag ** 2
    guess = 0.5 * (inner + outer)
    for _ in range(200):
        y[:] = kept
        _, _, sure = polish(y, complex(guess, 0.0), s, c, g, nu, mu2, q)
        if _inside(y, sure, _REAL):
            new = y[0].imag ** 2
            slope = (new - value) / (guess - inner)
            inner, value = guess, new
            kept[:] = y
            ahead = inner - value / slope if slope != 0.0 else outer
            if abs(ahead - inner) < 1e-11 * abs(inner):
                return ahead if min(inner, outer) <= ahead <= max(inner, outer) else inner
            # a straight line, unless it leads out of the bracket
            guess = ahead if (ahead - inner) * (outer - ahead) > 0.0 else 0.5 * (inner + outer)
        else:
            outer = guess
            guess = 0.5 * (inner + outer)
        if abs(outer - inner) < 1e-13 * abs(inner):
            break
    return inner


@kernel
def transform(x, eta, s, c, g, nu, mu2, q):
    """m and the certified flags at zeta = x + i eta, arrays, eta >= 0."""
    m = np.empty(x.size, np.complex128)
    sure = np.zeros(x.size, np.bool_)
    y = np.empty(nu.size + 1, np.complex128)
    for j in range(x.size):
        _, _, sure[j] = descend(y, x[j], eta[j], s, c, g, nu, mu2, q)
        m[j] = y[0]
    return m, sure
