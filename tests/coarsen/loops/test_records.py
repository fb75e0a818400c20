"""Loops over many records by way of a few numbers: compressed, against the loops as they are written."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import elimax
from elimax._jax import trace
from elimax._jax.program import as_function
from elimax.coarsen.loops.records import COMPRESSED
from elimax.coarsen.loops.rewrite import Choice, close_loops

RECORDS, INPUTS = 120, 3


def mean_square(w, x, y):
    return jnp.mean((x @ w - y) ** 2)


def by_columns(w, x, y):
    return jnp.sum((x[:, 0] * w[0] + y - w[1] * x[:, 1] + w[2]) ** 2) / (2 * RECORDS) + 0.1 * jnp.vdot(w, w)


def masked(w, x, y):
    left = jnp.where(x[:, 0] > 0, y - x @ w, 0.0)
    return jnp.vdot(left, left) / RECORDS


def length(w, x, y):
    return jnp.linalg.norm(y - x @ w) / RECORDS


def descended(loss):
    """Momentum descent with an end of its own, and the loss."""

    def fun(rate, x, y):
        def turn(state):
            k, w, v, _, now = state
            v = 0.5 * v - rate * jax.grad(loss)(w, x, y)
            return k + 1, w + v, v, now, loss(w + v, x, y)

        w = jnp.full(INPUTS, 0.1, y.dtype)
        start = 0, w, jnp.zeros_like(w), jnp.asarray(np.inf, y.dtype), loss(w, x, y)
        state = lax.while_loop(lambda s: (s[0] < 20) & (jnp.abs(s[3] - s[4]) > 1e-5), turn, start)
        return jnp.append(state[1], state[4])

    return fun


def carried(rate, x, y):
    """Records that are carried along, a rate that falls, and every loss."""

    def turn(state, k):
        w, x, y = state
        left = x @ w - y
        return (w - rate / (1 + k) * x.T @ left / RECORDS, x, y), jnp.sum(left * left)

    start = jnp.zeros(INPUTS, y.dtype), x, y
    return lax.scan(turn, start, jnp.arange(9.0).astype(y.dtype), reverse=True)[1]


def compressed(fun, args):
    """The function with loops compressed whatever that costs; fails if none was."""
    choose = lambda _, __, found: Choice.CLOSE if COMPRESSED in found.rules else Choice.LEAVE  # noqa: E731
    closed, found = close_loops(trace(lambda *xs: [fun(*xs)], args), choose)
    assert found, "nothing was compressed"
    loops = [e for e in closed.jaxpr.eqns if e.primitive.name in ("while", "scan")]
    sizes = [v.aval.size for e in loops for v in e.invars]
    assert fun is carried or max(sizes) < RECORDS, "records are left in the loop"
    return lambda *xs: as_function(closed)(*xs)[0]


def records(dtype, rank):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(RECORDS, INPUTS)), random.normal(size=RECORDS)
    x[:, rank:] = x[:, :1] * np.arange(INPUTS - rank)  # columns that depend on others, and one of zeros
    return jnp.asarray(0.1, dtype), jnp.asarray(x, dtype), jnp.asarray(y, dtype)


@pytest.mark.parametrize(
    ("fun", "rank"),
    [
        (descended(mean_square), 1),
        (descended(by_columns), 3),
        (descended(masked), 1),
        (descended(length), 3),
        (carried, 1),
    ],
)
def test_values_and_derivatives_are_those_of_the_loop(fun, rank):
    args = records(np.float64, rank)
    ways = np.random.default_rng(3).normal(size=(2, 1 + RECORDS * (INPUTS + 1)))
    first, second = ((w[0], w[1 : -len(args[2])].reshape(args[1].shape), w[-len(args[2]) :]) for w in ways)

    def derivatives(f):
        """Along directions of the rate and of all records, of which columns may depend on each other."""
        once = lambda *xs: jax.jvp(f, xs, first)  # noqa: E731
        return jax.jit(lambda: jax.jvp(once, args, second))()

    for a, b in zip(*map(jax.tree.leaves, (derivatives(compressed(fun, args)), derivatives(fun))), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("condition", [1.0, 1e4])
@pytest.mark.parametrize(("dtype", "digits"), [(np.float64, 1e-15), (np.float32, 1e-7)])
def test_no_digits_are_lost(condition, dtype, digits):
    """Records that fit exactly: the loss falls as far as that of the loop, and the end is as close to the answer."""
    random = np.random.default_rng(1)
    x, answer = random.normal(size=(RECORDS, INPUTS)) / [1.0, condition**0.5, condition], np.array([1.0, -2.0, 3.0])
    x = jnp.asarray(x, dtype)
    inverse = jnp.asarray(np.linalg.inv(np.asarray(x, float).T @ np.asarray(x, float)), dtype)

    def fun(rate):
        def turn(_, state):
            left = x @ state[0] - y
            return state[0] - rate * inverse @ (x.T @ left), jnp.sum(left**2)

        return jnp.append(*lax.fori_loop(0, 40, turn, (jnp.zeros(INPUTS, dtype), jnp.zeros((), dtype))))

    y = x @ jnp.asarray(answer, dtype)
    rate = jnp.asarray(0.8, dtype)
    ours, theirs = map(np.asarray, (compressed(fun, (rate,))(rate), fun(rate)))
    assert ours[-1] < 100 * max(theirs[-1], digits**2 * float(jnp.sum(y**2)))
    if condition * digits < 1e-4:
        error, other = (np.max(np.abs(z[:-1] - answer)) for z in (ours, theirs))
        assert error < 10 * max(other, condition * digits)


@pytest.mark.parametrize(
    "body",
    [
        lambda w, x, y: w - 0.1 * x.T @ jnp.tanh(x @ w - y),
        lambda w, x, y: w - 0.1 * jnp.max(jnp.abs(x @ w - y)),
        lambda w, x, y: w - 0.1 * jnp.sum(jnp.abs(y) * (x @ w - y) ** 2),
        lambda w, x, y: w - 0.1 * jnp.sum((x @ w - y) ** 3),
        lambda w, x, y: jnp.sum((x @ w).reshape(-1, INPUTS) ** 2, 0),
    ],
)
def test_what_is_no_sum_of_products_is_left(body):
    _, x, y = records(np.float64, INPUTS)
    fun = lambda w: lax.fori_loop(0, 5, lambda _, w: body(w, x, y), w)  # noqa: E731
    choose = lambda _, __, found: Choice.CLOSE if COMPRESSED in found.rules else Choice.LEAVE  # noqa: E731
    assert close_loops(trace(lambda w: [fun(w)], (jnp.zeros(INPUTS),)), choose)[1] == ()


def test_in_use():
    random = np.random.default_rng(2)
    x, y = jnp.asarray(random.normal(size=(5000, 3))), jnp.asarray(random.normal(size=5000))
    fun = lambda rate, x, y: descended(mean_square)(rate, x, y)[-1]  # noqa: E731
    rate = jnp.asarray(0.1)
    assert any(COMPRESSED in loop for loop in elimax.plan(fun, rate, x, y).closed_loops)
    np.testing.assert_allclose(elimax.jacobian(fun)(rate, x, y), jax.jit(jax.jacfwd(fun))(rate, x, y), rtol=1e-10)
    rates = jnp.asarray([0.0, 0.3])
    ours = jax.jit(jax.vmap(jax.grad(elimax.coarsen(fun), 1), (0, None, None)))(rates, x, y)
    along = jax.jit(jax.vmap(lambda r: jax.jvp(lambda x: fun(r, x, y), (x,), (x,))[1]))(rates)
    np.testing.assert_allclose(jnp.sum(ours * x, (1, 2)), along, rtol=1e-10)
