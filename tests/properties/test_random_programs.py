"""Random programs and random elimination orders: every one gives the Jacobian of jax.jacfwd."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from tests.properties.programs import programs

SEEDS = st.integers(0, 2**16)


def everything(program):
    return tuple(range(len(program.input_shapes)))


def compare(program, args, *methods, eps=None):
    """All methods and jax.jacfwd, in one compiled function."""
    argnums = everything(program)

    def both(*args):
        ours = [elimax.jacobian(program, argnums, **method)(*args) for method in methods]
        return jax.jacfwd(program, argnums)(*args), ours

    expected, ours = jax.jit(both)(*args)
    for method, actual in zip(methods, ours, strict=True):
        hypothesis.note(f"method {method}")
        assert_close_to_scale(actual, expected, eps)


def assert_close_to_scale(actual, expected, eps):
    """Like ``assert_trees_close``, with tolerance relative to the largest entry of all blocks.

    A block that is zero by cancellation has rounding errors of the size of what cancels.
    """
    largest = max([1.0, *(float(np.max(np.abs(b), initial=0)) for b in jax.tree.leaves(expected))])
    flat, tree = jax.tree.flatten(actual)
    want, want_tree = jax.tree.flatten(expected)
    assert tree == want_tree
    for a, b in zip(flat, want, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        unit = float(jnp.finfo(b.dtype).eps) if eps is None else eps
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=0, atol=512 * unit * largest)


@hypothesis.given(programs(), SEEDS)
def test_named_orders(program, seed):
    args = program.arguments(seed)
    compare(program, args, {"order": "forward"}, {"order": "reverse"}, {"order": "markowitz"}, {})


@hypothesis.given(programs(max_steps=14), SEEDS, st.data())
def test_random_orders(program, seed, data):
    args = program.arguments(seed)
    plan = elimax.plan(program, *args, argnums=everything(program), order="forward")
    order = data.draw(st.permutations(list(plan.order)))
    compare(program, args, {"order": tuple(order)})


@hypothesis.given(programs(max_steps=16, scalar=True), SEEDS, st.data())
def test_scalar_programs_in_random_orders(program, seed, data):
    args = program.arguments(seed)
    plan = elimax.plan(program, *args, argnums=everything(program), order="reverse")
    orders = [tuple(data.draw(st.permutations(list(plan.order)))) for _ in range(2)]
    compare(program, args, *({"order": order} for order in orders))


@pytest.mark.slow
@hypothesis.given(programs(), SEEDS)
def test_plans_can_be_passed_back(program, seed):
    args = program.arguments(seed)
    plan = elimax.plan(program, *args, argnums=everything(program), order="markowitz")
    compare(program, args, {"order": plan})


@hypothesis.given(programs(max_steps=6), SEEDS)
@hypothesis.settings(max_examples=15)
def test_sparse_blocks(program, seed):
    args = program.arguments(seed)
    argnums = everything(program)
    sparse = jax.jit(elimax.jacobian(program, argnums, output="bcoo"))(*args)
    dense = jax.tree.map(lambda b: b.todense(), sparse, is_leaf=lambda b: hasattr(b, "todense"))
    assert_close_to_scale(dense, jax.jit(jax.jacfwd(program, argnums))(*args), None)


@hypothesis.given(programs(max_steps=6), SEEDS)
@hypothesis.settings(max_examples=15)
def test_single_precision(program, seed):
    compare(program, program.arguments(seed, np.float32), {}, {"order": "reverse"})


@hypothesis.given(programs(max_steps=5), SEEDS)
@hypothesis.settings(max_examples=10)
def test_second_order(program, seed):
    args = program.arguments(seed)
    ours = jax.jit(elimax.jacobian(elimax.jacobian(program)))(*args)
    assert_close_to_scale(ours, jax.jit(jax.jacfwd(jax.jacfwd(program)))(*args), None)


@hypothesis.given(programs(max_steps=6), SEEDS)
@hypothesis.settings(max_examples=10)
def test_programs_inside_a_nested_jit(program, seed):
    args = program.arguments(seed)

    def nested(*args):
        return [y * y for y in jax.jit(lambda *a: program(*a))(*args)]

    ours = jax.jit(elimax.jacobian(nested, everything(program)))(*args)
    assert_close_to_scale(ours, jax.jit(jax.jacfwd(nested, everything(program)))(*args), None)


@hypothesis.given(programs(max_steps=8), SEEDS)
@hypothesis.settings(max_examples=10)
def test_value_comes_with_the_jacobian(program, seed):
    args = program.arguments(seed)
    value, jac = jax.jit(elimax.value_and_jacobian(program, everything(program)))(*args)
    assert_close_to_scale(value, jax.jit(program)(*args), None)
    assert_close_to_scale(jac, jax.jit(jax.jacfwd(program, everything(program)))(*args), None)


@pytest.mark.slow
@hypothesis.given(programs(max_steps=30), SEEDS, st.data())
@hypothesis.settings(max_examples=200)
def test_longer_programs(program, seed, data):
    args = program.arguments(seed)
    plan = elimax.plan(program, *args, argnums=everything(program), order="forward")
    order = tuple(data.draw(st.permutations(list(plan.order))))
    compare(program, args, {"order": order}, {"order": "markowitz"})


def test_the_generator_reaches_every_operation():
    """The strategy must not degenerate: every kind of step occurs among a few hundred programs."""
    seen = set()

    @hypothesis.settings(max_examples=400, database=None, derandomize=True)
    @hypothesis.given(programs(max_steps=12))
    def collect(program):
        seen.update(step.name for step in program.steps)
        seen.add("repeated output" if len(set(program.outputs)) < len(program.outputs) else "")
        seen.add("constant output" if -1 in program.outputs else "")
        seen.add("input as output" if any(0 <= o < len(program.input_shapes) for o in program.outputs) else "")

    collect()
    wanted = "sum cumsum slice matmul outer concatenate gather update pad where broadcast transpose reshape".split()
    wanted += "scan cond sort prod".split()
    wanted += ["einsum diagonal", "constant matmul", "dynamic slice"]
    wanted += ["repeated output", "constant output", "input as output"]
    assert set(wanted) <= seen, set(wanted) - seen
