"""Each rule: what it recognises, and that values and derivatives of the closed form are those of the loop."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from tests.coarsen.loops.comparison import check, closed_form

SHIFT = np.asarray([0.4, -0.2, 0.1])
MATRIX = np.asarray([[0.5, -0.3, 0.1], [0.2, 0.4, -0.6], [0.0, 0.3, 0.9]])


def repeat(step):
    """``step`` applied n times, as a function of a start, a factor and a shift."""
    return lambda n: lambda p, a, b: lax.fori_loop(0, n, lambda i, c: step(i, c, a, b), p)


LOOPS = {
    "accumulation of a constant": repeat(lambda i, c, a, b: c + jnp.sin(a) * b),
    "accumulation": repeat(lambda i, c, a, b: c + jnp.cos(a * i) - b),
    "geometric sum": repeat(lambda i, c, a, b: (c * a + b) - 0.5 * b),
    "power": repeat(lambda i, c, a, b: -(c / 2.0) * a),
    "varying factors composed": repeat(lambda i, c, a, b: c * jnp.cos(a * i) + b),
    "power recurrence": repeat(lambda i, c, a, b: a * c**2 * 0.3),
    "power of a matrix": lambda n: lambda p, a, b: lax.fori_loop(0, n, lambda i, c: MATRIX @ c * a + b, p * SHIFT),
    "last value": repeat(lambda i, c, a, b: a * i + b),
}


def pairs(n):
    turn = lambda a, b: lambda i, s: {"x": s["x"] + a * s["v"], "v": s["v"] - a * s["x"] + b}  # noqa: E731
    return lambda p, a, b: lax.fori_loop(0, n, turn(a, b), {"x": p, "v": 2.0 * p})


@pytest.mark.parametrize("rule", LOOPS)
@pytest.mark.parametrize("n", [1, 5])
def test_rules(rule, n):
    fun = LOOPS[rule](n)
    args = tuple(jnp.asarray(x) for x in (0.7, 0.9, -0.3))
    assert [f.rules for f in closed_form(fun, *args)[1]] == [(rule,)]
    assert check(fun, args)


@pytest.mark.parametrize("rule", LOOPS)
def test_no_turns(rule):
    args = tuple(jnp.asarray(x) for x in (0.7, 0.9, -0.3))
    other, _ = closed_form(LOOPS[rule](0), *args)
    for a, b in zip(other(*args), jax.tree.leaves(LOOPS[rule](0)(*args)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert jax.jit(jax.grad(lambda p: jnp.sum(other(p, *args[1:])[0])))(args[0]) == pytest.approx(
        jax.jit(jax.grad(lambda p: jnp.sum(LOOPS[rule](0)(p, *args[1:]))))(args[0])
    )


@pytest.mark.parametrize("rule", ["accumulation", "geometric sum", "varying factors composed", "power recurrence"])
def test_single_precision(rule):
    args = tuple(jnp.asarray(x, jnp.float32) for x in (0.7, 0.9, -0.3))
    step = {"accumulation": lambda i, c, a, b: c + jnp.sin(a * b * i.astype(c.dtype))}
    fun = repeat(step[rule])(9) if rule in step else LOOPS[rule](9)
    if rule == "varying factors composed":
        fun = repeat(lambda i, c, a, b: c * jnp.cos(a * i.astype(c.dtype)) + b)(9)
    assert check(fun, args, 2e-5)


def test_several_carries_that_are_linear_in_each_other():
    assert check(pairs(11), tuple(jnp.asarray(x) for x in (0.7, 0.1, -0.3)))


@pytest.mark.parametrize("a", [1.0, -1.0, 0.0, 1 + 1e-9, 1 - 1e-4, 1.3, -1.2])
def test_factors_near_one_and_at_zero(a):
    args = (jnp.asarray([0.0, 0.7, 100.0]), jnp.full(3, a), jnp.asarray([0.3, 0.0, -1.0]))
    assert check(repeat(lambda i, c, a, b: a * c + b)(40), args, 1e-10)


@pytest.mark.parametrize("n", [0, 37])
def test_turns_known_at_run_time_alone(n):
    def fun(p, a, b, turns):
        return lax.fori_loop(0, turns, lambda i, s: (s[0] * a + b, s[1] + a * b, s[2] * a), (p, p, p))

    args = tuple(jnp.asarray(x) for x in (0.7, 1.1, -0.3))
    turns = jnp.asarray(n)
    other, found = closed_form(lambda *xs: fun(*xs, turns=xs[0].astype(int) * 0 + turns), *args)
    assert found[0].turns is None
    assert check(lambda *xs: fun(*xs, turns=xs[0].astype(int) * 0 + turns), args, 1e-10, reverse=False)
    mapped = jax.vmap(lambda turns: closed_form(lambda *xs: fun(*xs, turns), *args)[0](*args))
    for k, row in enumerate(zip(*mapped(jnp.arange(5)), strict=True)):
        np.testing.assert_allclose(row, fun(*args, k), rtol=1e-12)


def test_a_body_that_must_not_run():
    fun = lambda x, turns: lax.fori_loop(0, turns, lambda i, c: c + jnp.sqrt(x) / x, x)  # noqa: E731
    other, found = closed_form(fun, jnp.asarray(0.0), jnp.asarray(0))
    assert found
    assert other(jnp.asarray(0.0), jnp.asarray(0))[0] == 0.0
    assert jax.jit(jax.grad(lambda x: other(x, jnp.asarray(0))[0]))(jnp.asarray(0.0)) == 1.0


def test_ends_of_while_loops():
    def fun(x, start, bound, step, compare):
        return lax.while_loop(lambda s: compare(s[0], bound), lambda s: (s[0] + step, s[1] + x), (start, x))

    compares = {1: (lambda k, n: k < n, lambda k, n: k <= n), -1: (lambda k, n: n < k, lambda k, n: k >= n)}
    bounds = (-3, 0, 2, 5, np.iinfo(np.int32).min + 8, np.iinfo(np.int32).max - 8)
    for sign, both in compares.items():
        for compare in both:
            for step in (1, 3):
                for bound in bounds[:4]:
                    other, found = closed_form(lambda x: fun(x, 2, bound, sign * step, compare), jnp.asarray(0.5))  # noqa: B023
                    assert found
                    np.testing.assert_allclose(other(0.5)[1], fun(0.5, 2, bound, sign * step, compare)[1])
            call = lambda x, n, compare=compare, sign=sign: fun(x, jnp.asarray(2, n.dtype), n, sign, compare)  # noqa: E731
            other, found = closed_form(call, jnp.asarray(0.5), jnp.asarray(0, jnp.int32))
            assert found
            for bound in (*bounds[:4], bounds[4 if sign > 0 else 5]):
                ours, theirs = (f(jnp.asarray(0.5), jnp.asarray(bound, jnp.int32)) for f in (other, call))
                np.testing.assert_allclose(ours[1], theirs[1])
                np.testing.assert_array_equal(ours[0], theirs[0])


def test_integers_wrap_as_they_do():
    fun = lambda k, xs: lax.scan(lambda c, x: ((c[0] + x, c[1] + 2**30), c[0]), (k, k), xs)  # noqa: E731
    args = (jnp.asarray(2**30, jnp.int32), jnp.asarray([2**30, 2**30, 5, -7], jnp.int32))
    other, found = closed_form(fun, *args)
    assert found
    for a, b in zip(other(*args), jax.tree.leaves(fun(*args)), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_a_value_that_stays_and_one_that_fades():
    fun = repeat(lambda i, c, a, b: a * c + b)(2000)
    other, found = closed_form(fun, *(jnp.asarray(1.0),) * 3)
    assert found
    assert other(jnp.asarray(1.0), jnp.asarray(2.0), jnp.asarray(-1.0))[0] == 1.0
    assert other(jnp.asarray(0.0), jnp.asarray(10.0), jnp.asarray(0.0))[0] == 0.0
    np.testing.assert_allclose(other(jnp.asarray(1e12), jnp.asarray(0.5), jnp.asarray(0.5))[0], 1.0, rtol=1e-15)
    assert np.isnan(other(jnp.asarray(jnp.nan), jnp.asarray(0.5), jnp.asarray(0.5))[0])
    assert np.isinf(other(jnp.asarray(jnp.inf), jnp.asarray(0.5), jnp.asarray(0.5))[0])


def test_loops_in_loops_and_in_branches():
    def inner(x, k):
        return lax.fori_loop(0, 5, lambda i, c: c + jnp.sin(x * i) * k, x)

    def open_outside(x, y):
        return lax.fori_loop(0, 3, lambda i, c: jnp.sin(c) * inner(c, y), x)

    def closed_outside(x, y):
        return lax.fori_loop(0, 3, lambda i, c: c + inner(x, y) * i, x)

    def branch(x, y):
        return lax.cond(x > 0.5, lambda: inner(x, y), lambda: y)

    args = jnp.asarray(0.7), jnp.asarray(0.2)
    for fun, count in ((open_outside, 1), (closed_outside, 2), (branch, 1), (jax.checkpoint(inner), 1)):
        assert len(closed_form(fun, *args)[1]) == count
        assert check(fun, args)
    assert check(jax.vmap(inner), tuple(jnp.stack([x, 2.0 * x]) for x in args))


@pytest.mark.parametrize("reverse", [False, True])
def test_stacked_results(reverse):
    def fun(p, a, xs):
        def turn(state, x):
            c, d, k, e = state
            return (c + a * x, d * a + x, k + 1, e * a), (c, d, k, e, jnp.sin(c) * x + k)

        return lax.scan(turn, (p, p, 3, p), xs, reverse=reverse)

    for n in (1, 5):
        assert check(fun, (jnp.asarray(0.3), jnp.asarray(0.8), jnp.linspace(0.1, 1.0, n)))


def test_left_open():
    x = jnp.asarray(0.3)
    for step in (
        lambda c: jnp.sin(c),
        lambda c: c * c + x,
        lambda c: jnp.where(c > 0.1, c * 0.5, c + 1.0),
        lambda c: jnp.maximum(c, 0.2) + x,
        lambda c: jnp.round(c) + x,
        lambda c: c.astype(jnp.float32).astype(c.dtype) * 0.9,
        lambda c: lax.stop_gradient(c) + x,
    ):
        assert not closed_form(lambda x, step=step: lax.fori_loop(0, 3, lambda i, c: step(c), x), x)[1]
    half = lambda x: lax.fori_loop(0, 300, lambda i, c: c + jnp.ones((), c.dtype), x)  # noqa: E731
    assert not closed_form(half, jnp.asarray(0.0, jnp.bfloat16))[1]
    assert not closed_form(lambda x: lax.while_loop(lambda c: c < 5.0, lambda c: c + jnp.exp(-c), x), x)[1]
    assert not closed_form(lambda k: lax.fori_loop(0, 9, lambda i, c: c * 3 + 1, k), jnp.asarray(4))[1]


def test_rules_of_users_hold():
    @jax.custom_jvp
    def odd(x):
        return x

    odd.defjvp(lambda p, t: (odd(p[0]), 7.0 * t[0]))
    fun = lambda x: lax.fori_loop(0, 4, lambda i, c: c + odd(x) * i, x)  # noqa: E731
    assert check(fun, (jnp.asarray(0.3),))


def broken(theta):
    def turn(state):
        k, done, x = state
        x = x * theta[0] + theta[1]
        return k + 1, jnp.sum(x) > theta[2], x

    return lax.while_loop(lambda s: (s[0] < 40) & ~s[1], turn, (0, False, theta * 0.1))[2]


def frozen(theta):
    def turn(state, _):
        k, done, x = state
        after = jnp.where(done, x, x * theta[0] + theta[1])
        return (k + 2, done | (jnp.sum(after) > theta[2]), after), None

    return lax.scan(turn, (5, theta[2] < -5, theta * 0.1), None, length=30)[0][::2]


def until(theta):
    goes = lambda s: s[0] < theta[2]  # noqa: E731
    return lax.while_loop(goes, lambda s: (s[0] * theta[0] + theta[1], s[1] + theta[0]), (theta[1], theta[0]))


@pytest.mark.parametrize("fun", [broken, frozen, until])
def test_ends_that_are_computed(fun):
    for theta in ([0.95, 0.4, 3.0], [1.3, 0.2, 20.0], [1.0, 0.5, -1.0], [1.1, 0.5, -9.0]):
        assert check(fun, (jnp.asarray(theta),), reverse=fun is frozen)


def test_what_goes_on_after_a_flag_is_up_stays_a_loop():
    def fun(theta):
        def turn(state, _):
            done, x, y = state
            after = jnp.where(done, x, x * theta[0] + theta[1])
            return (done | (jnp.sum(after) > theta[2]), after, y + theta[1]), None

        return lax.scan(turn, (False, theta, jnp.zeros(())), None, length=9)[0][1:]

    assert not closed_form(fun, jnp.asarray([0.9, 0.4, 3.0]))[1]


def apart(step, start=0.5):
    """Points that turn on their own: ``step`` applied n times to each, for a different n."""
    turn = lambda x: lambda k, c: step(c, x)  # noqa: E731
    return lambda x, n: jax.vmap(lambda x, n: lax.fori_loop(0, n, turn(x), jnp.asarray(start)))(x, n)


def until_large(x, limit):
    turn = lambda x: lambda s: (s[0] * (1.1 + x * x) + 0.1, s[1] * x + 0.3)  # noqa: E731
    one = lambda x, n: lax.while_loop(lambda s: s[0] < n, turn(x), (1.0, x))[1]  # noqa: E731
    return jax.vmap(one)(x, limit.astype(x.dtype))


powers = apart(lambda c, x: MATRIX @ c * x + 1.0, SHIFT)
POINTS = {
    "geometric sum": apart(lambda c, x: c * x + 1.0),
    "accumulation of a constant": apart(lambda c, x: c + jnp.sin(x) * jnp.arange(1.0, 4.0), np.ones(3)),
    "power of a matrix, twice": lambda x, n: jax.vmap(powers, (None, 0))(x, jnp.stack([n, n + 1])),
    "geometric sum, ended by another": until_large,
}


@pytest.mark.parametrize("name", POINTS)
def test_points_that_turn_on_their_own(name):
    x, turns = jnp.asarray([0.5, 1.0, 1.2, -0.7]), jnp.asarray([0, 3, 40, 1])
    fun = lambda x: POINTS[name](x, turns + x.astype(int) * 0)  # noqa: E731
    assert closed_form(fun, x)[1][0].rules == (name.split(",")[0],)
    assert check(fun, (x,), reverse=False)


def test_powers_of_a_matrix_whose_turns_are_known_at_run_time_alone():
    def fun(a, n):
        return jnp.sum(lax.fori_loop(0, n, lambda k, c: MATRIX @ c * a[0] + a[1], SHIFT * a[2]) ** 2)

    def all_of(f, gradient):
        return jax.vmap(lambda n: (f(a, n), gradient(f)(a, n), jax.jacfwd(gradient(f))(a, n)))

    a, turns = jnp.asarray([0.9, -0.3, 0.7]), jnp.asarray([0, 1, 2, 300])
    closed, found = closed_form(fun, a, turns[0])
    assert found[0].turns is None
    other = jax.jit(all_of(lambda a, n: closed(a, n)[0], jax.grad))
    expected = jax.jit(all_of(fun, jax.jacfwd))
    for ours, theirs in zip(other(turns), expected(turns), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11)


def test_points_of_a_linear_system():
    """Rows that do not read each other are points; those that do are none, and too many for one system."""
    x, mixed = jnp.asarray(0.3), jnp.asarray(np.random.default_rng(0).normal(size=(5, 5))) / 9
    repeat = lambda step, *shape: lambda x: lax.fori_loop(0, 9, lambda k, c: step(c, x), jnp.ones(shape))  # noqa: E731
    assert check(repeat(lambda c, x: (c * x) @ mixed, 20, 5), (x,))
    for step, shape in (
        (lambda c, x: mixed @ c * x, (5, 20)),
        (lambda c, x: (c * x).T, (20, 20)),
        (lambda c, x: c @ mixed + jnp.flip(c, 0) * x, (20, 5)),
        (lambda c, x: c @ mixed + jnp.sum(c, 0) * x, (20, 5)),
    ):
        assert not closed_form(repeat(step, *shape), x)[1]
