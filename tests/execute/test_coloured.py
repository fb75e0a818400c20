"""Compressed modes give JAX's Jacobian, are taken where structure is lost to elimination, and can be asked for."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import elimax
from elimax.errors import ModeError, PlanFormatError
from elimax.execute.dependence import blocks
from elimax.execute.traced import trace_flat
from elimax.order import search
from elimax.partials.build import linearise
from elimax.plan.types import COLOURED, ELIMINATION
from tests.agreement import assert_trees_close, dense


def heat(u):
    return lax.fori_loop(0, 3, lambda _, v: v + 0.1 * (jnp.roll(v, 1) - v) * jnp.sin(v), u)


def roots(u):
    """Newton's method for each element, in a loop that JAX refuses to reverse."""
    return lax.while_loop(lambda s: s[0] < 4, lambda s: (s[0] + 1, s[1] - (s[1] ** 2 - u) / (2 * s[1])), (0, u + 1))[1]


def arrow(u):
    return lax.map(jnp.sin, u).at[0].set(jnp.sum(u**2)) + u[0]


def scanned(u):
    return lax.scan(lambda c, a: (c * a, (c + a, jnp.sin(a))), u[0], u)


def backwards(u):
    return lax.scan(lambda c, a: (c * a + u[:2], c), u[2:4], u.reshape(-1, 2), reverse=True)


def branch(u):
    return lax.cond(u[0] > 0, jnp.sin, lambda v: v * v[::-1], u)


def solves(u):
    matrices = jnp.eye(2) + u.reshape(-1, 2, 2) ** 2
    return jnp.linalg.solve(matrices, jnp.ones((matrices.shape[0], 2, 1)))


def conjugate(u):
    return jax.scipy.sparse.linalg.cg(lambda v: (1 + u**2) * v, u)[0]


@jax.custom_vjp
def ruled(u):
    return jnp.sin(u)


ruled.defvjp(lambda u: (jnp.sin(u), u), lambda u, ct: (ct[::-1] * u,))


def own_rule(u):
    """The rule of the user is not the derivative of the program, and has another pattern."""
    return lax.map(jnp.cos, u) + ruled(u)


def tree(p):
    return {"a": lax.map(jnp.sin, p["x"]) * p["y"], "s": p["x"].sum() * p["y"]}


U = jnp.linspace(0.1, 1.1, 12)
CASES = {f.__name__: (f, U) for f in (heat, roots, arrow, scanned, backwards, branch, solves, conjugate)}
CASES["tree"] = (tree, {"x": U.reshape(3, 4), "y": jnp.array(2.0)})
ALL_MODES = ("heat", "roots", "arrow", "scanned", "tree")
CASES["scalar"] = (lambda x: lax.fori_loop(0, 3, lambda _, y: jnp.sin(y) * x, x), jnp.array(0.5))


def as_dense(found):
    return jax.tree.map(dense, found, is_leaf=lambda b: hasattr(b, "todense"))


@pytest.mark.parametrize(("name", "mode"), [(n, m) for n in CASES for m in (COLOURED if n in ALL_MODES else ["mixed"])])
def test_every_mode_agrees(name, mode):
    fun, x = CASES[name]
    plan = elimax.plan(fun, x).with_mode(mode)
    if name == "roots" and mode == "coloured reverse":
        with pytest.raises(ModeError, match="cannot be had for roots: Reverse-mode"):
            elimax.jacobian(fun, order=plan)(x)
        return
    expected = jax.jit(jax.jacfwd(fun))(x)
    output = "bcoo" if mode == "mixed" else "dense"
    assert_trees_close(as_dense(jax.jit(elimax.jacobian(fun, order=plan, output=output))(x)), expected)


def test_in_single_precision_under_vmap_and_grad():
    x = U.astype(jnp.float32)
    plan = elimax.plan(arrow, x).with_mode("mixed")
    jac = elimax.jacobian(arrow, order=plan)
    xs = jnp.stack([x, 2 * x])
    assert_trees_close(jax.jit(jax.vmap(jac))(xs), jax.jit(jax.vmap(jax.jacfwd(arrow)))(xs))
    assert_trees_close(
        jax.jit(jax.grad(lambda x: (jac(x) ** 3).sum()))(x),
        jax.jit(jax.grad(lambda x: (jax.jacfwd(arrow)(x) ** 3).sum()))(x),
    )
    value, again = jax.jit(elimax.value_and_jacobian(arrow, order=plan))(x)
    assert_trees_close((value, again), (arrow(x), jax.jit(jax.jacfwd(arrow))(x)))


def test_mixed_types_and_auxiliary_values():
    def fun(x, y):
        z = lax.map(jnp.sin, x).astype(jnp.float64) * y
        return z, (z * 2, jnp.int32(3))

    args = U.astype(jnp.float32), U
    for mode in COLOURED:
        plan = elimax.plan(fun, *args, argnums=(0, 1), has_aux=True).with_mode(mode)
        own, aux = jax.jit(elimax.jacobian(fun, (0, 1), has_aux=True, order=plan))(*args)
        expected = [jax.jit(jax.jacfwd(fun, k, has_aux=True))(*args) for k in (0, 1)]  # JAX promotes no two dtypes here
        assert_trees_close((own, aux), (tuple(e[0] for e in expected), expected[0][1]), eps=1e-7)


def patterns(fun, *args):
    traced = trace_flat(lambda *xs: (jax.tree.leaves(fun(*xs)), []), args)
    lin = linearise(traced.closed, [True] * len(args), "", traced.num_outputs)
    return blocks(lin, search(lin.graph, "reverse").vertices)


@pytest.mark.parametrize("name", [n for n in CASES if n != "tree"])
def test_patterns_hold_every_entry(name):
    fun, x = CASES[name]
    for matrix, block in zip(patterns(fun, x), jax.tree.leaves(jax.jit(jax.jacfwd(fun))(x)), strict=True):
        pattern = matrix[0].toarray()
        assert pattern[np.asarray(block).reshape(pattern.shape) != 0].all()


@pytest.mark.parametrize(
    ("fun", "entries"),
    [
        (heat, [48]),
        (roots, [12]),
        (arrow, [12 + 11 + 11]),
        (scanned, [12, 12 + 12 * 11 // 2, 12]),
        (branch, [24]),
        (solves, [24]),
        (conjugate, [144]),
    ],
)
def test_loops_and_branches_keep_their_structure(fun, entries):
    """Each loop over elements stays diagonal, a stencil widens by one a turn, a running sum is triangular."""
    found = patterns(fun, U)
    assert [row[0].nnz for row in found][: len(entries)] == pytest.approx(entries, abs=1)


def test_the_rule_of_the_user_is_not_its_program():
    ((matrix,),) = patterns(own_rule, U)
    assert matrix.nnz == 144
    assert_trees_close(jax.jit(elimax.jacobian(own_rule))(U), jax.jit(jax.jacrev(own_rule))(U))


@pytest.mark.parametrize(("fun", "mode"), [(heat, "coloured forward")])
def test_a_compressed_mode_is_taken_where_structure_is_lost(fun, mode):
    x = jnp.linspace(0.1, 1.1, 300)
    plan = elimax.plan(fun, x)
    assert plan.mode == mode
    assert f"mode: {mode}" in str(plan)
    assert_trees_close(jax.jit(elimax.jacobian(fun))(x), jax.jit(jax.jacfwd(fun))(x))
    block = jax.jit(elimax.jacobian(fun, output="bcoo"))(x)
    assert block.nse < 6 * 300
    assert block.indices_sorted
    assert block.unique_indices
    assert_trees_close(block.todense(), jax.jit(jax.jacfwd(fun))(x))


def test_modes_are_saved(tmp_path):
    plan = elimax.plan(arrow, U).with_mode("mixed")
    plan.save(tmp_path / "plan.json")
    assert elimax.Plan.load(tmp_path / "plan.json") == plan
    text = (tmp_path / "plan.json").read_text()
    (tmp_path / "plan.json").write_text(text.replace('"mode": "mixed"', '"mode": "striped"'))
    with pytest.raises(PlanFormatError, match="striped"):
        elimax.Plan.load(tmp_path / "plan.json")


def test_unknown_modes_are_refused():
    with pytest.raises(ModeError, match="coloured forward"):
        elimax.plan(jnp.sin, 1.0).with_mode("striped")


def test_without_entries_there_is_nothing_to_colour():
    plan = elimax.plan(lambda x: lax.map(jnp.sin, x), jnp.ones(0))
    assert plan.mode == ELIMINATION
    with pytest.raises(ModeError, match="empty"):
        elimax.jacobian(lambda x: lax.map(jnp.sin, x), order=plan.with_mode("mixed"))(jnp.ones(0))


def test_complex_numbers():
    def fun(z):
        return lax.fori_loop(0, 2, lambda _, y: y * z + 1j, z)

    z = jnp.array([1 + 0.5j, 2 - 1j, 3j, 0.5])
    plan = elimax.plan(fun, z, holomorphic=True)
    for mode in (*COLOURED, "forward", "reverse"):
        own = jax.jit(elimax.jacobian(fun, holomorphic=True, order=plan.with_mode(mode)))(z)
        assert_trees_close(own, jax.jit(jax.jacfwd(fun, holomorphic=True))(z))
