"""Thousands of random expressions: values and partials against SymPy and mpmath, and against `jax.jvp`.

Errors are measured against numbers of 40 digits. An expression may be ill-conditioned; then JAX has errors too, and
simplification must not have much larger ones.
"""

from __future__ import annotations

import random

import jax
import mpmath
import numpy as np
import pytest
import sympy

from elimax.coarsen import NONE, STRICT, Arena, Rules, derive, emit
from tests.coarsen.expressions import NAMES, grow, points

BATCHES = 10
EXPRESSIONS = 200
POINTS = 3


def jax_partials(sink, xs):
    """Value and partials of an expression by `jax.jvp`, of shape ``[1 + variables, points]``."""

    def fun(*args):
        return emit([sink], dict(enumerate(args)), args[0].shape)[0]

    rows = []
    for k in range(len(xs)):

        def of_one(x, k=k):
            return fun(*xs[:k], x, *xs[k + 1 :])

        value, tangent = jax.jvp(of_one, (xs[k],), (np.ones_like(xs[k]),))
        rows.append(tangent)
    return np.array([value, *rows])


def our_partials(derived, xs):
    zero = np.zeros(xs.shape[1])
    found = iter(np.asarray(v) for v in emit(derived.sinks, dict(enumerate(xs)), zero.shape))
    return np.array([next(found), *(zero if p is None else next(found) for p in derived.partials[0])])


def true_partials(expression, xs):
    """The same in 40 digits; NaN where the expression is no real number."""
    symbols = sympy.symbols(NAMES)
    wanted = [expression, *(sympy.diff(expression, s) for s in symbols)]
    found = np.full((len(wanted), xs.shape[1]), np.nan)
    with mpmath.workdps(40):
        fun = sympy.lambdify(symbols, wanted, "mpmath", cse=True)
        for k, point in enumerate(xs.T):
            try:
                results = fun(*(mpmath.mpf(float(x)) for x in point))
            except (ZeroDivisionError, ValueError, OverflowError):
                continue
            for row, number in enumerate(map(mpmath.mpmathify, results)):
                if number.imag == 0 and mpmath.isfinite(number):
                    found[row, k] = float(number.real)
    return found


@pytest.mark.parametrize(
    "batch", [*range(0, BATCHES, 2), *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, BATCHES, 2))]
)
def test_values_and_partials(batch):
    compared = 0
    for seed in range(batch * EXPRESSIONS, (batch + 1) * EXPRESSIONS):
        size = 2 + seed % 7
        plain, arena = Arena(NONE), Arena(Rules() if seed % 2 else STRICT)
        written, expression = grow(random.Random(seed), plain, size)
        sink, _ = grow(random.Random(seed), arena, size)
        xs = points(seed, POINTS)
        derived = derive(arena, [sink], [arena.variable(k, "float64") for k in range(len(NAMES))])
        ours, theirs = our_partials(derived, xs), jax_partials(written, xs)
        if expression.has(sympy.zoo, sympy.nan, sympy.oo, sympy.I):
            continue
        truth = true_partials(expression, xs)
        good = np.isfinite(truth) & np.isfinite(theirs)
        assert np.isfinite(ours[good]).all(), expression
        error, their_error = abs(ours[good] - truth[good]), abs(theirs[good] - truth[good])
        scale = abs(truth)[good]
        # what the arguments' own rounding does to the value is not held against anybody
        noise = 1e-13 * (scale + (abs(truth[1:]) * abs(xs)).sum(0).max(initial=0, where=np.isfinite(truth[1:]).all(0)))
        assert (error <= 30 * their_error + noise + 1e-14).all(), (seed, expression, sink, error, their_error, truth)
        compared += good.sum()
    assert compared > EXPRESSIONS


@pytest.mark.parametrize("rules", [STRICT, Rules(stable=False)], ids=["strict", "identities"])
def test_simplification_costs_nothing(rules):
    saved = 0
    for seed in range(400):
        plain, arena = Arena(NONE), Arena(rules)
        written, _ = grow(random.Random(seed), plain, 10)
        sink, _ = grow(random.Random(seed), arena, 10)
        before = derive(plain, [written], [plain.variable(k, "float64") for k in range(len(NAMES))]).cost
        after = derive(arena, [sink], [arena.variable(k, "float64") for k in range(len(NAMES))]).cost
        assert after.time <= before.time, (seed, written, sink)
        saved += before.operations - after.operations
    assert saved > 400
