"""Loops that are differentiated backwards, and loops that the user bounds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import elimax
from elimax._jax import trace
from elimax._jax.program import as_function
from elimax.errors import TripLimitError
from elimax.execute.control import backwards, chaining
from tests.agreement import assert_trees_close

X, P = jnp.array([0.3, 0.2]), jnp.array([1.1, 0.4, 0.7])


def until(x, p, end=50):
    """A while loop with an integer besides its state."""
    turn = lambda s: (s[0] + 1, s[1] * p[0] + jnp.sin(s[1]) * p[1] + 0.1 * x)  # noqa: E731
    return lax.while_loop(lambda s: jnp.sum(s[1] ** 2) < end, turn, (0, x))[1]


def apart(x, p):
    """Points that turn on their own, some of them not at all."""
    return jax.vmap(until, (0, None, 0))(jnp.stack([x, 2 * x, -x]), p, jnp.array([50.0, 9.0, -1.0]))


def along(x, p):
    """A scan with slices and stacked results, from the last to the first; one more turn than a square."""

    def turn(s, slope):
        after = jnp.sin(s * p[0]) + slope * p[1]
        return after, (after * p[2], jnp.argmax(after))

    return lax.scan(turn, x, jnp.outer(jnp.arange(1.0, 18.0), x), reverse=True)


def nested(x, p):
    """A while loop in a scan, some of whose turns have none of their own."""
    inner = lambda s, k: lax.while_loop(lambda t: jnp.sum(t) < k, lambda t: t * 1.5 + p[0] * x, s)  # noqa: E731
    return lax.scan(lambda s, k: (inner(s * 0.3 * p[1], k), None), x, jnp.array([-9.0, 3.0, *[1.0] * 15]))[0]


def changed(fun):
    """The function with loops that are differentiated backwards."""

    def other(*args):
        trees = []

        def flat(*xs):
            leaves, tree = jax.tree.flatten(fun(*xs))
            trees.append(tree)
            return leaves

        closed = trace(flat, args)
        found = chaining.chained(closed, scans=True)
        assert found is not closed
        return jax.tree.unflatten(trees[-1], as_function(found)(*args))

    return other


def loss(fun):
    return lambda x, p: sum(jnp.sum(jnp.sin(y)) for y in jax.tree.leaves(fun(x, p)) if y.dtype == x.dtype)


def second(fun, inner, outer):
    return jax.jit(outer(inner(loss(fun), (0, 1)), (0, 1)))(X, P)


@pytest.mark.parametrize("fun", [apart, along, nested])
def test_both_directions(fun):
    other, both = changed(fun), (0, 1)
    floats = lambda f: lambda x, p: [y for y in jax.tree.leaves(f(x, p)) if y.dtype == x.dtype]  # noqa: E731
    expected = jax.jit(jax.jacfwd(floats(fun), both))(X, P)
    assert_trees_close(other(X, P), fun(X, P))
    assert_trees_close(jax.jit(jax.jacfwd(floats(other), both))(X, P), expected)
    assert_trees_close(jax.jit(jax.jacrev(floats(other), both))(X, P), expected)
    many = jnp.stack([X, 3 * X, 7 * X]), jnp.stack([P, 1.2 * P, 1.1 * P])
    expected = jax.jit(jax.vmap(jax.jacfwd(loss(fun), both)))(*many)
    assert_trees_close(jax.jit(jax.vmap(jax.grad(loss(other), both)))(*many), expected)
    whole = lambda f: lambda x, p: jnp.sum(jnp.cos(jax.vmap(loss(f), (0, None))(x, p)))  # noqa: E731
    expected = jax.jit(jax.jacfwd(whole(fun), both))(many[0], P)
    assert_trees_close(jax.jit(jax.grad(jax.checkpoint(whole(other)), both))(many[0], P), expected)


@pytest.mark.parametrize("fun", [until, along])
@pytest.mark.parametrize("outer", [jax.jacfwd, jax.jacrev])
def test_second_derivatives(fun, outer):
    assert_trees_close(second(changed(fun), jax.grad, outer), second(fun, jax.jacfwd, jax.jacfwd))


def test_more_turns_than_states_are_kept(monkeypatch):
    """Levels of few states each, the last of which recomputes from the nearest one that is kept."""
    monkeypatch.setattr(backwards, "SLOTS", (2, 2))

    def fun(x, turns):
        step = lambda s: (s[0] + 1, jnp.sin(s[1]) * 1.01 + 0.1 * x)  # noqa: E731
        return lax.while_loop(lambda s: s[0] < turns, step, (0, x))[1]

    for turns in (0, 1, 2, 9, 23):
        one = lambda x, turns=turns: jnp.sum(fun(x, turns))  # noqa: E731
        other = lambda x, turns=turns: jnp.sum(changed(fun)(x, jnp.asarray(turns)))  # noqa: E731
        assert_trees_close(jax.jit(jax.grad(other))(X), jax.jit(jax.jacfwd(one))(X))


def test_points_that_have_stopped_leave_no_trace():
    """The square root has no slope where a point has stopped, or never moved."""
    fun = lambda x: lax.while_loop(lambda s: s > 0.1, lambda s: jnp.sqrt(s) - 0.3 * s - 0.5 * x, x)  # noqa: E731
    points = jnp.array([0.0, 0.9, 3.0, -1.0])
    expected = jax.jit(jax.vmap(jax.jacfwd(fun)))(points)
    assert np.isfinite(expected).all()
    assert_trees_close(jax.jit(jax.vmap(jax.grad(changed(fun))))(points), expected)


@pytest.mark.slow
def test_many_states_are_not_carried():
    weights = jnp.asarray(np.random.default_rng(0).normal(size=(150, 150)) / 15)

    def fun(x, p):
        step = lambda s: (s[0] + 1, jnp.tanh(weights @ s[1] * p[0] + p[1] * x))  # noqa: E731
        return lax.while_loop(lambda s: (s[0] < 30) & (jnp.sum(s[1] ** 2) > 1e-3), step, (0, x))[1]

    x, p = jnp.linspace(0.0, 1.0, 150), jnp.array([0.9, 0.1])
    coarse = elimax.coarsen(fun)
    assert "run backwards" in elimax.plan(coarse, x, p, argnums=(0, 1)).coarsening
    gradient = jax.jit(jax.grad(loss(coarse), (0, 1)))
    assert_trees_close(gradient(x, p), jax.jit(jax.jacfwd(loss(fun), (0, 1)))(x, p))
    assert gradient.lower(x, p).compile().memory_analysis().temp_size_in_bytes < 3 * 8 * backwards.ROOM
    assert_trees_close(jax.jit(elimax.jacobian(loss(fun)))(x, p), jax.jit(jax.jacfwd(loss(fun)))(x, p))
    mode = elimax.plan(loss(fun), x, p).with_mode("checkpointed reverse")
    assert_trees_close(jax.jit(elimax.jacobian(loss(fun), order=mode))(x, p), jax.jit(jax.jacfwd(loss(fun)))(x, p))


def test_gradients_of_gradients_of_coarsened_loops():
    coarse = elimax.coarsen(until)
    assert_trees_close(second(coarse, jax.grad, jax.jacrev), second(until, jax.jacfwd, jax.jacfwd))


def endless(x):
    return lax.while_loop(lambda s: s[0] < x[1], lambda s: (s[0] + x[0], s[1] + jnp.sin(s[0])), (x[0], 0.0))[1]


def counted(x):
    return lax.while_loop(lambda s: s[1] < x[1], lambda s: (s[0] + 1, s[1] + x[0]), (0, x[0]))[0] * x[0] ** 2


def inside(x):
    turn = lambda c, _: (lax.cond(c < 9, lambda c: c + endless(x), lambda c: c, c), None)  # noqa: E731
    return lax.scan(turn, jnp.zeros(()), None, length=2)[0]


@pytest.mark.parametrize("fun", [endless, counted, inside])
@pytest.mark.parametrize(
    "made",
    [
        elimax.jacobian,
        elimax.value_and_jacobian,
        elimax.hessian,
        elimax.coarsen,
        lambda fun, max_trips: jax.grad(elimax.coarsen(fun, max_trips=max_trips)),
        lambda fun, max_trips: elimax.jacobian(elimax.coarsen(fun, max_trips=max_trips)),
        pytest.param(
            lambda fun, max_trips: elimax.hessian(elimax.coarsen(fun, max_trips=max_trips)), marks=pytest.mark.slow
        ),
    ],
)
def test_endless_loops_are_ended(fun, made):
    fun = fun if fun is not counted else lambda x: counted(x).astype(x.dtype)
    good, bad = jnp.array([0.5, 4.0]), jnp.array([-0.5, 9.0])
    limited = made(fun, max_trips=20)
    if made is not elimax.coarsen:
        assert_trees_close(limited(good), made(fun, max_trips=100)(good))
    with pytest.raises(TripLimitError, match="max_trips=20 turns"):
        limited(bad)
    first = jax.tree.leaves(jax.jit(limited)(bad))[-1]
    assert not np.isfinite(first).all()


@pytest.mark.parametrize("limit", [0, -3, 2.5, True, "9"])
def test_limits_that_are_none(limit):
    with pytest.raises(ValueError, match="max_trips must be a number of turns"):
        elimax.jacobian(endless, max_trips=limit)
