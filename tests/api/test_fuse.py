"""Fused functions: the same values and derivatives, bodies of loops as staged programs, and what is left alone."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from elimax.emit.machines import current
from elimax.emit.parts import parts
from tests.agreement import assert_trees_close

X = np.array([0.7, 1.9])
STAGED = "elimax"


def residual(x):
    return jnp.stack([x[0] ** 2 + x[1] - 2.0, jnp.sin(x[0]) * jnp.exp(-x[1])])


def descent(x):
    """A loop around a Jacobian."""

    def turn(x, scale):
        r, jac = elimax.value_and_jacobian(residual)(x)
        return x - scale * (r @ jac), jnp.sum(r**2)

    return jax.lax.scan(turn, x, jnp.linspace(0.01, 0.1, 7).astype(x.dtype))


def newton(x):
    """Pieces around a decomposition, in a loop whose length depends on the data."""

    def turn(state):
        x, count = state
        r, jac = elimax.value_and_jacobian(residual)(x)
        return x - jnp.linalg.solve(jac, r), count + 1

    def goes(state):
        return (jnp.sum(residual(state[0]) ** 2) > 1e-6) & (state[1] < 30)

    return jax.lax.while_loop(goes, turn, (x, 0))


def nested(x):
    """A loop within the turn of a loop, a jitted function, and operations between."""

    @jax.jit
    def inner(k, y):
        return y * jnp.cos(y) + 0.1

    def turn(k, y):
        return jnp.tanh(jax.lax.fori_loop(0, 3, inner, y)) + y[::-1]

    return jnp.exp(jax.lax.fori_loop(0, 4, turn, jnp.sin(x)))


def lanes(x):
    """Many points inside of the function."""
    points = x[:, None] + jnp.arange(5, dtype=x.dtype)
    step = jax.vmap(lambda p: p - 0.1 * jnp.sum(elimax.jacobian(residual)(p), 0), 1, 1)
    return jax.lax.fori_loop(0, 3, lambda _, p: step(p), points)


def softly(x):
    """Functions with rules of their own."""
    return jax.lax.scan(lambda y, _: (jax.nn.softplus(y) * jax.nn.relu(y) - y, jax.nn.silu(y)), x, None, length=4)


FUNCTIONS = (descent, newton, nested, lanes, softly)


@pytest.mark.parametrize("fun", FUNCTIONS, ids=lambda f: f.__name__)
def test_values(fun, precision):
    x = jnp.asarray(X, jnp.float64 if precision == "x64" else jnp.float32)
    fused = elimax.fuse(fun)
    expected = fun(x)
    assert_trees_close(fused(x), expected)
    assert_trees_close(jax.jit(fused)(x), expected)
    some = jnp.stack([x, 1.1 * x, x + 0.3])
    assert_trees_close(jax.jit(jax.vmap(fused))(some), jax.jit(jax.vmap(fun))(some))
    assert_trees_close(jax.jit(jax.vmap(fused))(some), jax.jit(jax.vmap(fun))(some))


@pytest.mark.parametrize("form", ["plain", "loop", "kernel"])
@pytest.mark.parametrize("fun", [descent, newton], ids=lambda f: f.__name__)
def test_forms(fun, form):
    x = jnp.asarray(X)
    some = jnp.stack([x, 1.1 * x, x + 0.3])
    assert_trees_close(elimax.fuse(fun, form=form)(x), fun(x))
    assert_trees_close(jax.jit(jax.vmap(elimax.fuse(fun, form=form)))(some), jax.jit(jax.vmap(fun))(some))


@pytest.mark.parametrize("fun", [descent, nested, softly], ids=lambda f: f.__name__)
def test_derivatives(fun):
    x = jnp.asarray(X)
    for transform in (jax.jacrev, jax.jacfwd, elimax.jacobian):
        assert_trees_close(jax.jit(transform(elimax.fuse(fun)))(x), transform(fun)(x))
    along = jax.jvp(jax.jacfwd(elimax.fuse(fun)), (x,), (x,))
    assert_trees_close(along, jax.jvp(jax.jacfwd(fun), (x,), (x,)))


def test_a_step_in_a_loop_of_the_caller():
    step = elimax.fuse(lambda x: x - 0.1 * jnp.sum(elimax.jacobian(residual)(x), 0))
    fused = jax.lax.fori_loop(0, 5, lambda _, x: step(x), jnp.asarray(X))
    x = jnp.asarray(X)
    for _ in range(5):
        x = x - 0.1 * jnp.sum(jax.jit(jax.jacfwd(residual))(x), 0)
    assert_trees_close(fused, x)


def bodies(fun, *args):
    """Names of the operations in the bodies of the loops of a fused function, loop by loop."""
    found = []

    def look(jaxpr):
        for e in jaxpr.eqns:
            for key in ("jaxpr", "body_jaxpr", "call_jaxpr"):
                if key in e.params:
                    body = getattr(e.params[key], "jaxpr", e.params[key])
                    if e.primitive.name in ("scan", "while"):
                        found.append([own.primitive.name for own in body.eqns])
                    look(body)

    look(jax.make_jaxpr(elimax.fuse(fun))(*args).jaxpr)
    return found


def test_bodies_are_staged_programs():
    assert bodies(descent, jnp.asarray(X)) == [[STAGED]]
    (body,) = bodies(newton, jnp.asarray(X))
    assert body.count(STAGED) == 2  # before the decomposition and behind it
    assert "lu" in body
    found = [[name for name in body if name != "convert_element_type"] for body in bodies(nested, jnp.asarray(X))]
    outer, inner = sorted(found, key=len, reverse=True)
    assert inner == ["add", STAGED]  # the counter is nobody's business
    assert outer[-2:] == ["scan", STAGED]


def test_indices_that_move_divide_pieces():
    def fun(x, table):
        return jax.lax.fori_loop(0, 4, lambda k, y: jnp.sin(y) * table[k] + jnp.cos(y), x)

    x, table = jnp.asarray(X), jnp.arange(8.0).reshape(4, 2)
    assert_trees_close(elimax.fuse(fun)(x, table), fun(x, table))
    (body,) = bodies(fun, x, table)
    assert STAGED in body


def test_trees_keywords_and_static_arguments():
    def fun(p, count, *, scale):
        y = jax.lax.fori_loop(0, count, lambda _, y: y * jnp.cos(y), p["a"][0])
        return {"y": y * scale, "none": None, "n": p["n"] + count}

    args = {"a": (jnp.asarray(X), None), "n": jnp.int32(3)}, 4
    for static in (1, (1,), (-1,)):
        fused = elimax.fuse(fun, static_argnums=static)
        assert_trees_close(fused(*args, scale=jnp.asarray(2.0)), fun(*args, scale=jnp.asarray(2.0)))
    assert fused.__name__ == "fun"


@pytest.mark.standard_promotion
def test_weak_types_are_kept():
    def fun(x):
        return jax.lax.while_loop(lambda s: s[1] < 3, lambda s: (s[0] * s[0] + s[2], s[1] + 1, s[2]), (x, 0, 1.5))

    got, want = (jax.eval_shape(f, jnp.float32(0.5)) for f in (elimax.fuse(fun), fun))
    assert [(a.dtype, a.weak_type) for a in got] == [(a.dtype, a.weak_type) for a in want]
    assert_trees_close(elimax.fuse(fun)(jnp.float32(0.5)), jax.jit(fun)(jnp.float32(0.5)))


def test_what_is_closed_over_is_differentiated():
    def outer(a):
        return jnp.sum(elimax.fuse(lambda x: jax.lax.fori_loop(0, 3, lambda _, y: jnp.sin(y) * a, x))(jnp.asarray(X)))

    def plain(a):
        return jnp.sum(jax.lax.fori_loop(0, 3, lambda _, y: jnp.sin(y) * a, jnp.asarray(X)))

    assert_trees_close(jax.jit(jax.grad(outer))(0.7), jax.jit(jax.grad(plain))(0.7))


def test_rules_of_users_hold():
    @jax.custom_jvp
    def odd(x):
        return jnp.sin(x)

    odd.defjvp(lambda primals, tangents: (odd(*primals), 3.0 * tangents[0]))

    @jax.custom_vjp
    def even(x):
        return jnp.cos(x)

    even.defvjp(lambda x: (even(x), None), lambda _, g: (5.0 * g,))

    def fun(x):
        return jnp.sum(jax.lax.fori_loop(0, 2, lambda _, y: odd(y) * 2.0 + even(y), x))

    x = jnp.asarray(X)
    assert_trees_close(jax.jit(jax.grad(elimax.fuse(fun)))(x), jax.jit(jax.grad(fun))(x))
    assert_trees_close(elimax.fuse(fun)(x), fun(x))


def test_side_effects_happen_as_they_do(capfd):
    def fun(x):
        def turn(k, y):
            jax.debug.print("turn {k}", k=k)
            return jnp.sin(y)

        return jax.lax.fori_loop(0, 3, turn, x)

    x = jnp.asarray(X)
    assert_trees_close(elimax.fuse(fun)(x), fun(x))
    jax.effects_barrier()
    assert capfd.readouterr().out.count("turn 2") == 2


def test_checkpoints_and_large_arrays_are_left():
    @jax.checkpoint
    def heavy(y):
        return jnp.sin(jnp.cos(y))

    def forgetful(x):
        return jax.lax.scan(lambda y, _: (heavy(y), y), x, None, length=3)

    x = jnp.asarray(X)
    assert all(STAGED not in body for body in bodies(forgetful, x))
    assert_trees_close(jax.jit(jax.jacrev(elimax.fuse(forgetful)))(x), jax.jit(jax.jacrev(forgetful))(x))

    def large(a):
        return jax.lax.fori_loop(0, 2, lambda _, b: jnp.tanh(b @ b), a)

    a = jnp.full((200, 200), 0.01)
    (body,) = bodies(large, a)
    assert "dot_general" in body
    assert_trees_close(elimax.fuse(large)(a), large(a))


def test_empty_arrays_and_no_arrays():
    empty = jnp.zeros((0, 2))
    fun = elimax.fuse(lambda x: (jnp.sin(x), 3.0))
    assert fun(empty)[0].shape == (0, 2)
    assert elimax.fuse(lambda: jnp.ones(2))().shape == (2,)


def test_compiled_once_when_called_with_arrays():
    traced = []

    @elimax.fuse
    def fun(x):
        traced.append(x)
        return jnp.sin(x)

    fun(jnp.asarray(X))
    count = len(traced)
    fun(2.0 * jnp.asarray(X))
    assert len(traced) == count


def test_a_plain_turn_keeps_the_forms_of_what_is_in_it():
    def turn(x):
        r, jac = elimax.value_and_jacobian(residual)(x)
        return x - 0.1 * (r @ jac)

    closed = jax.make_jaxpr(turn)(jnp.asarray(X))
    found = parts(closed)
    assert found is not None
    assert len(found.inner) == 1
    assert 0 < found.at(current(), 1, True) < found.at(current(), 1000, True)
    assert found.are_plain(dataclasses.replace(current(), turn=1e9), 100, True)
    assert not found.are_plain(dataclasses.replace(current(), turn=0.0, bound=0.0, start=1e9), 1000, True)
    assert parts(jax.make_jaxpr(residual)(jnp.asarray(X))) is None


def test_bad_input():
    with pytest.raises(TypeError, match="Expected a function"):
        elimax.fuse(3)
    with pytest.raises(ValueError, match=r"form must be one of .*'loop'"):
        elimax.fuse(residual, form="fast")
    with pytest.raises(ValueError, match="elementary must be one of"):
        elimax.fuse(residual, elementary="wrong")
    with pytest.raises(ValueError, match="names positional argument 3"):
        elimax.fuse(residual, static_argnums=3)(jnp.asarray(X))
    with pytest.raises(TypeError, match="not an array"):
        jax.jit(lambda x: elimax.fuse(lambda a, b: a)(x, "b"))(jnp.asarray(X))
    with pytest.raises(TypeError, match="not an array"):
        elimax.fuse(lambda a: "text")(jnp.asarray(X))
