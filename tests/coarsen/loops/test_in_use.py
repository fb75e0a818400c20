"""Loops that close within Jacobians, plans and coarsened functions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import elimax


def growth(rate, deposit, years):
    return lax.fori_loop(0, years, lambda k, held: held * (1.0 + rate) + deposit, 100.0)


def test_plans_tell():
    plan = elimax.plan(growth, jnp.asarray(0.03), jnp.asarray(5.0), 300, argnums=(0, 1))
    assert plan.closed_loops == ("scan of 300 turns: geometric sum",)
    assert "closed loops: scan of 300 turns: geometric sum" in str(plan)
    left = elimax.plan(lambda x: lax.fori_loop(0, 9, lambda k, c: jnp.sin(c), x), jnp.asarray(0.3))
    assert left.closed_loops == ()
    assert "closed loops" not in str(left)


def test_plans_are_saved(tmp_path):
    plan = elimax.plan(growth, jnp.asarray(0.03), jnp.asarray(5.0), 300)
    plan.save(tmp_path / "plan.json")
    assert elimax.Plan.load(tmp_path / "plan.json").closed_loops == plan.closed_loops


def test_jacobians_and_hessians():
    args = jnp.asarray(0.03), jnp.asarray(5.0)
    fun = lambda r, d: growth(r, d, 100)  # noqa: E731
    value, ours = elimax.value_and_jacobian(fun, argnums=(0, 1))(*args)
    np.testing.assert_allclose(value, fun(*args))
    np.testing.assert_allclose(ours, jax.jit(jax.jacfwd(fun, (0, 1)))(*args))
    np.testing.assert_allclose(elimax.hessian(fun)(*args), jax.jit(jax.hessian(fun))(*args))
    rates = jnp.asarray([0.0, 0.01, -0.5])
    ours = jax.jit(jax.vmap(elimax.jacobian(fun), in_axes=(0, None)))(rates, args[1])
    np.testing.assert_allclose(ours, jax.jit(jax.vmap(jax.jacfwd(fun), in_axes=(0, None)))(rates, args[1]))


def test_reverse_mode_of_a_loop_without_one():
    coarse = elimax.coarsen(growth)
    args = jnp.asarray(0.03), jnp.asarray(5.0), jnp.asarray(100)
    np.testing.assert_allclose(jax.jit(jax.grad(coarse))(*args), jax.jit(jax.jacfwd(growth))(*args))
    assert coarse(*args) == growth(*args)


def test_element_loops_in_a_while_loop():
    x = jnp.linspace(-1.0, 1.0, 50)

    def error(w):
        return lax.scan(lambda s, v: (s + (w * v - 2.0 * v) ** 2, None), jnp.zeros(()), x)[0] / x.size

    def descend(rate):
        def turn(state):
            k, w, _ = state
            return k + 1, w - rate * jax.grad(error)(w), error(w)

        return lax.while_loop(lambda s: (s[0] < 30) & (s[2] > 1e-6), turn, (0, jnp.zeros(()), jnp.asarray(1.0)))[1]

    rate = jnp.asarray(0.4)
    assert len(elimax.plan(descend, rate).closed_loops) >= 3
    np.testing.assert_allclose(elimax.jacobian(descend)(rate), jax.jit(jax.jacfwd(descend))(rate), rtol=1e-9)


def test_temporaries_do_not_grow_with_the_turns():
    z = jnp.ones((300, 300))

    def total(x, ys):
        return jnp.mean(lax.scan(lambda c, y: (c + jnp.sin(x * (y + z)), None), jnp.zeros_like(z), ys)[0])

    def temporaries(f, turns):
        compiled = jax.jit(f).lower(jnp.asarray(1.0), jnp.ones(turns)).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    for fun in (elimax.jacobian(total), jax.grad(elimax.coarsen(total))):
        assert temporaries(fun, 80) < 1.1 * temporaries(fun, 40)
    assert temporaries(jax.grad(total), 80) > 1.5 * temporaries(jax.grad(total), 40)


@pytest.mark.parametrize("bound", [0.5, 6.0, 1e9])
def test_a_break_written_as_a_branch(bound):
    def fun(p):
        turn = lambda s: (s[0] * p + 1, s[0] > bound)  # noqa: E731
        return lax.fori_loop(0, 50, lambda _, s: lax.cond(s[1], lambda s: s, turn, s), (jnp.ones(()), False))[0]

    p = jnp.asarray(1.1)
    assert "geometric sum" in str(elimax.plan(fun, p).closed_loops)
    np.testing.assert_allclose(elimax.value_and_jacobian(fun)(p), (fun(p), jax.jit(jax.jacfwd(fun))(p)), rtol=1e-12)
