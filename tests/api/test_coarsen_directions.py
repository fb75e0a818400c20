"""Coarsened functions compute no more than what is asked for: unused values, single directions."""

from __future__ import annotations

import functools
import re

import jax
import jax.numpy as jnp
import pytest

import elimax
from tests.agreement import assert_trees_close

X = jnp.array([0.2, 0.3])
T = jnp.array([1.0, -2.0])


def error_functions(x):
    """Three of them, the last one in the value alone: the derivative of erf is an exponential."""
    for _ in range(3):
        x = jnp.stack([x[1] * x[0], jax.scipy.special.erf(x[0]) + x[1]])
    return x


def chain(x, rounds=4):
    """Long, with more arguments than one direction has."""
    for _ in range(rounds):
        x = x + 0.1 * jnp.stack(
            [jnp.sin(x[1]) * x[2], x[0] * x[3], jnp.tanh(x[2] * x[5]), x[4] * x[5], jnp.cos(x[0]), x[1] * x[2]]
        )
    return x


POINT = jnp.linspace(0.1, 0.7, 6)
DIRECTION = jnp.arange(6.0) + 1


@pytest.mark.parametrize("form", ["plain", "loop", "kernel"])
@pytest.mark.parametrize("mapped", [False, True])
def test_values_that_nobody_reads_are_not_computed(form, mapped):
    coarse = elimax.coarsen(error_functions, when="always", form=form)

    def gradient(x):
        return jax.vjp(coarse, x)[1](T)

    def both(x):
        value, pull = jax.vjp(coarse, x)
        return value, pull(T)

    calls = []
    for fun in (gradient, both):
        fun, x = (jax.vmap(fun), jnp.stack([X] * 5)) if mapped else (fun, X)
        text = jax.jit(fun).lower(x).as_text(dialect="hlo")
        calls.append(len(re.findall(r"\berf\(", text)))
    assert calls == [2, 3]


def flops(fun, *args):
    return jax.jit(fun).lower(*args).compile().cost_analysis()["flops"]


LOOPS = {
    "alone": lambda f: f,
    "loop": lambda f: lambda x: jax.lax.scan(lambda c, _: (f(c), None), x, None, length=3)[0],
    "rematerialised loop": lambda f: (
        lambda x: jax.lax.scan(lambda c, _: (jax.checkpoint(f)(c), None), x, None, length=3)[0]
    ),
}


def gradient_analysis(fun):
    return jax.jit(jax.grad(lambda x: jnp.sum(fun(x)))).lower(X).compile().cost_analysis()


@pytest.mark.parametrize("name", LOOPS)
def test_compiled_gradients_compute_no_value_twice(name):
    coarse = elimax.coarsen(error_functions, when="always", form="plain")  # other forms count selects as well
    ours, theirs = (gradient_analysis(LOOPS[name](f)) for f in (coarse, error_functions))
    assert ours["transcendentals"] == theirs["transcendentals"]
    assert ours["flops"] < theirs["flops"]


def test_one_direction_is_that_of_jax():
    def along(fun):
        return lambda x, t: jax.jvp(fun, (x,), (t,))

    coarse = elimax.coarsen(chain, when="always")
    assert "one direction of forward mode is left to JAX" in elimax.plan(coarse, POINT).coarsening
    assert flops(along(coarse), POINT, DIRECTION) == flops(along(chain), POINT, DIRECTION)
    assert "elimax_product" in str(jax.make_jaxpr(jax.jacfwd(coarse))(POINT))
    assert "elimax_product" not in str(jax.make_jaxpr(along(coarse))(POINT, DIRECTION))

    def looped(fun):
        return lambda x: jax.lax.scan(lambda c, _: (fun(c), None), x, None, length=3)[0]

    assert flops(along(looped(coarse)), POINT, DIRECTION) == flops(along(looped(chain)), POINT, DIRECTION)


def test_functions_of_one_number_use_their_jacobian_along_the_only_direction():
    @elimax.coarsen
    def curve(t):
        for _ in range(6):
            t = jnp.sin(t) * t
        return t

    plan = elimax.plan(curve, 0.5)
    assert_trees_close(jax.jvp(curve, (0.5,), (2.0,))[1], 2 * jax.jit(jax.grad(curve))(0.5))
    assert plan.coarsening


TRANSFORMS = {
    "one direction": lambda f: lambda x: jax.jvp(f, (x,), (DIRECTION,)),
    "mapped over points": lambda f: lambda x: jax.vmap(lambda y: jax.jvp(f, (y,), (DIRECTION,)))(jnp.stack([x, 2 * x])),
    "mapped over directions": lambda f: lambda x: jax.vmap(lambda t: jax.jvp(f, (x,), (t,)))(jnp.eye(6)[:2]),
    "mapped over both": lambda f: lambda x: jax.vmap(jax.jacfwd(f))(jnp.stack([x, 2 * x])),
    "backward through a map": lambda f: jax.grad(lambda x: jnp.sum(jax.vmap(f)(jnp.stack([x, 2 * x])) ** 2)),
    "forward over forward": lambda f: lambda x: jax.jvp(lambda y: jax.jvp(f, (y,), (DIRECTION,))[1], (x,), (x,)),
    "forward over reverse": lambda f: lambda x: jax.jvp(jax.grad(lambda y: jnp.sum(f(y))), (x,), (DIRECTION,)),
    "reverse over forward": lambda f: jax.grad(lambda x: jnp.sum(jax.jvp(f, (x,), (DIRECTION,))[1])),
    "linearised": lambda f: lambda x: jax.linearize(f, x)[1](DIRECTION),
    "rematerialised": lambda f: jax.grad(lambda x: jnp.sum(jax.checkpoint(f)(x) ** 2)),
    "rematerialised in a loop": lambda f: jax.grad(
        lambda x: jnp.sum(jax.lax.scan(lambda c, _: (jax.checkpoint(f)(c), None), x, None, length=2)[0])
    ),
    "eliminated": lambda f: elimax.jacobian(lambda x: jax.jvp(f, (x,), (DIRECTION,))),
    "coarsened again": lambda f: jax.grad(lambda x: jnp.sum(elimax.coarsen(lambda y: f(y) * y)(x))),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_either_way_has_the_derivatives_of_jax(name, monkeypatch):
    monkeypatch.setattr("elimax.execute.coarse.DIRECTION", 0.0)  # short functions compile faster
    short = functools.partial(chain, rounds=1)
    coarse = elimax.coarsen(short, when="always")
    assert "left to JAX" in elimax.plan(coarse, POINT).coarsening
    assert_trees_close(jax.jit(TRANSFORMS[name](coarse))(POINT), jax.jit(TRANSFORMS[name](short))(POINT))
