"""Every loop and branch agrees with forward mode of JAX: both precisions, under vmap, whatever the order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from elimax.execute.control.entry import linearised
from elimax.execute.traced import trace_flat
from tests.agreement import assert_trees_close
from tests.execute.control.cases import CASES

X, Y = jnp.array([0.3, -1.7, 2.5]), jnp.array([1.1, 0.4, -0.7])

OPAQUE = {"scan of slices"}
"""Each turn has a column of its own, which is not carried through the others."""

STRAIGHT = {"no turn", "scan of no turn", "selection"}
"""Nothing is left of these but operations."""


def jacobians(fun, order, x, y):
    found = jax.jit(elimax.jacobian(fun, (0, 1), order=order, allow_int=True))(x, y)
    return found, jax.jit(jax.jacfwd(fun, (0, 1)))(x, y)


@pytest.mark.parametrize("name", CASES)
def test_agrees(name):
    assert_trees_close(*jacobians(CASES[name], "reverse", X, Y))


@pytest.mark.parametrize("name", list(CASES)[::3])
def test_agrees_in_single_precision_and_another_order(name):
    found, expected = jacobians(CASES[name], "markowitz", X.astype(np.float32), Y.astype(np.float32))
    assert_trees_close(found, expected)


@pytest.mark.parametrize("name", list(CASES)[1::2])
def test_agrees_under_vmap(name):
    fun, many = CASES[name], (jnp.stack([X, -X, 0.5 * Y]), jnp.stack([Y, X, Y]))
    found = jax.jit(jax.vmap(elimax.jacobian(fun, (0, 1), order="reverse", allow_int=True)))(*many)
    assert_trees_close(found, jax.jit(jax.vmap(jax.jacfwd(fun, (0, 1))))(*many))


@pytest.mark.parametrize("name", CASES)
def test_loops_and_branches_carry_their_partials(name):
    def flat(x, y):
        return jax.tree.leaves(CASES[name](x, y)), []

    traced = trace_flat(flat, (X, Y))
    lin = linearised(traced.closed, [True, True], "", traced.num_outputs)
    assert bool(lin.opaque_operations) == (name in OPAQUE)
    if name not in STRAIGHT | OPAQUE:
        assert set(lin.coarse_operations) <= {"while", "scan", "cond"}


def test_a_loop_over_elements_stays_diagonal():
    """One number for each element is carried along, where forward mode has a column for each."""
    x = jnp.linspace(0.5, 2.0, 1000)
    jaxpr = str(jax.make_jaxpr(elimax.jacobian(CASES["many turns"], order="reverse"))(x, 1 / x))
    (line,) = [part for part in jaxpr.splitlines() if "elimax_loop[" in part]
    assert "1000,1000" not in line
    assert line.count("f64[1000]") == 2


def test_emitted_operations_do_not_grow_with_the_number_of_turns():
    def looped(n):
        fun = lambda x: jax.lax.fori_loop(0, n, lambda i, s: jnp.sin(s) * x, x)  # noqa: E731
        return str(jax.make_jaxpr(elimax.jacobian(fun, order="reverse"))(X)).count("\n")

    assert looped(10_000) == looped(10)
