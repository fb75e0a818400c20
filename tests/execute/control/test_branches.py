"""Branches: partials select with the predicate, and what was not taken leaves no trace."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import elimax

POINTS = jnp.array([0.0, 2.0, -1.0])


def norm(x):
    return jnp.linalg.norm(jnp.stack([x, 2 * x]))


TRAPS = {
    "root": lambda x: lax.cond(x > 0, jnp.sqrt, lambda x: 2 * x, x),
    "logarithm": lambda x: lax.cond(x > 0, jnp.log, lambda x: x * x, x),
    "division": lambda x: lax.cond(x != 0, lambda x: jnp.sin(x) / x, lambda x: 1 - x, x),
    "norm": lambda x: lax.cond(x != 0, norm, lambda x: x, x),
    "selected root": lambda x: jnp.where(x > 0, jnp.sqrt(x), 2 * x),
    "selected division": lambda x: jnp.where(x != 0, jnp.sin(x) / x, 1 - x),
    "selected norm": lambda x: jnp.where(x != 0, norm(x), x),
    "selected logarithm, used on": lambda x: jnp.exp(jnp.where(x > 0, jnp.log(x) * x, x)) * x,
}


@pytest.mark.parametrize("name", TRAPS)
@pytest.mark.parametrize("order", ["reverse", "markowitz"])
def test_what_was_not_taken_cannot_poison(name, order):
    fun = TRAPS[name]
    expected = jnp.stack([jax.jit(jax.jacfwd(fun))(x) for x in POINTS])
    assert np.isfinite(expected).all()
    jac = elimax.jacobian(fun, order=order)
    np.testing.assert_allclose(jax.jit(jax.vmap(jac))(POINTS), expected, rtol=1e-14)
    np.testing.assert_allclose(jnp.stack([jac(x) for x in POINTS]), expected, rtol=1e-14)


@pytest.mark.parametrize("name", TRAPS)
def test_nor_gradients_of_coarsened_functions_and_second_derivatives(name):
    fun = TRAPS[name]
    gradient = jax.grad(elimax.coarsen(fun, when="always"))
    np.testing.assert_allclose(
        jax.jit(jax.vmap(gradient))(POINTS), jax.jit(jax.vmap(jax.jacfwd(fun)))(POINTS), rtol=1e-14
    )
    second = jnp.stack([jax.jit(jax.jacfwd(jax.jacfwd(fun)))(x) for x in POINTS])
    np.testing.assert_allclose(jax.jit(jax.vmap(elimax.hessian(fun)))(POINTS), second, rtol=1e-13)


def test_one_branch_runs():
    """The predicate is one number, and the blocks are made in the branches."""
    fun = lambda x: lax.cond(x[0] > 0, jnp.sin, jnp.exp, x)  # noqa: E731
    text = str(jax.make_jaxpr(elimax.jacobian(fun, order="reverse"))(jnp.ones(3)))
    head, _, _ = text.partition("branches=")
    assert "cos" in text
    assert "cos" not in head


def test_blocks_that_are_equal_in_all_branches_are_not_selected():
    def fun(x, y):
        return lax.cond(x[0] > 0, lambda a, b: a + jnp.sin(b), lambda a, b: a - b * b, x, y)

    plan = elimax.plan(fun, jnp.ones(3), jnp.ones(3), argnums=(0, 1), order="reverse")
    kinds = sorted(term.kind.name for edge in plan.graph.edges for term in edge.structure)
    assert kinds == ["UNIT", "VARIABLE"]


def test_partials_that_are_zero_everywhere_are_no_edges():
    fun = lambda x, y: lax.cond(x[0] > 0, jnp.multiply, lambda a, b: b, jnp.floor(x), y)  # noqa: E731
    plan = elimax.plan(fun, jnp.ones(3), jnp.ones(3), argnums=(0, 1), order="reverse")
    assert len(plan.graph.edges) == 1
