"""Segments: convex, complete, bounded; programs with coarse vertices have the same values and Jacobians."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from elimax._jax import inline, trace
from elimax.coarsen.dynamic import cuts, dynamic
from elimax.coarsen.greedy import greedy
from elimax.coarsen.join import coarsened
from elimax.coarsen.regions import regions
from elimax.coarsen.segments import Uses, segment
from elimax.execute.layout import write_block
from elimax.execute.run import run
from elimax.partials.build import linearise
from elimax.zoo import get


def scalars(x, y, z):
    a = jnp.sin(x * y) + z
    b = a * a - jnp.exp(a) * y
    c = jnp.tanh(b) / (1 + x**2)
    return [b * c, c + a, jnp.maximum(c, a) * y]


def arrays(x, w):
    h = jnp.tanh(w @ x)
    h = jax.nn.softplus(h) * jnp.cos(h)
    g = jnp.sum(h) + jax.nn.relu(x) ** 2 * jnp.sin(x)
    return [h, g, jnp.where(x > 0, x * h, jnp.exp(x))]


def stops(x, y):
    return [jax.lax.stop_gradient(jnp.sin(x)) * y + jnp.sin(x), jnp.floor(x * y) + x * y]


@jax.custom_jvp
def ruled(x):
    return jnp.sin(x) * 2


@ruled.defjvp
def _rule(primals, tangents):
    return ruled(*primals), 10.0 * jnp.cos(primals[0]) * tangents[0]


def rules(x, y):
    return [ruled(x * y) * x, ruled(ruled(x)) + jnp.sin(x * y)]


def unread(x, y):
    """The second result of the inner function is read by nobody, as in the gradient of a function."""
    return [jnp.sin(x) * y, jax.grad(lambda a: jnp.exp(a) * jnp.sin(y) + jnp.tanh(a * y))(x)]


def weak(x, y):
    return [jnp.sin(x) * 2.0 * y, x.astype(jnp.float32) * jnp.float32(2) + y.astype(jnp.float32)]


def known_indices(x, y):
    k = (jnp.arange(3) * 2) % 3
    return [x[k] * jnp.sin(y), jnp.sin(x)[k] + y * jnp.cos(x)]


V = np.array([0.3, -0.7, 1.2])
CASES = {
    "scalars": (scalars, (0.3, 1.1, -0.4)),
    "arrays": (arrays, (V, np.outer(V, V) + np.eye(3))),
    "stops": (stops, (0.4, 2.2)),
    "rules": (rules, (0.4, 2.2)),
    "unread": (unread, (0.4, 2.2)),
    "weak": (weak, (0.4, 2.2)),
    "known indices": (known_indices, (V, V[::-1].copy())),
    "robot arm": (lambda *a: jax.tree.leaves(get("robot_arm_6dof").fun(*a)), get("robot_arm_6dof").args),
    "black scholes": (lambda *a: jax.tree.leaves(get("black_scholes").fun(*a)), get("black_scholes").args),
}


def program_of(name):
    fun, args = CASES[name]
    args = [jnp.asarray(a) for a in args]
    closed = trace(fun, args)
    return fun, args, closed, inline(closed, [True] * len(args))


def partition(program, method, limit):
    uses = Uses(program)
    for region in regions(program):
        yield region, greedy(program, region, limit) if method == "greedy" else dynamic(uses, region, limit)


@pytest.mark.parametrize("method", ["greedy", "dynamic"])
@pytest.mark.parametrize("limit", [3, 8, 400])
@pytest.mark.parametrize("name", CASES)
def test_partitions_are_complete_ordered_and_bounded(name, method, limit):
    _, _, _, program = program_of(name)
    for region, parts in partition(program, method, limit):
        assert sorted(k for part in parts for k in part) == list(region)
        maker = {r.value: k for k in region for r in program.equations[k].outputs}
        where = {k: p for p, part in enumerate(parts) for k in part}
        for k in region:
            for ref in program.equations[k].inputs:
                if ref.value in maker:
                    assert where[maker[ref.value]] <= where[k]
        if method == "greedy":
            assert max(map(len, parts)) <= limit


def jacobian(closed, args, rewrite):
    lin = linearise(closed, [True] * len(args), "", None, rewrite)
    results, edges = run(lin, lin.graph.eliminable, args)
    blocks = []
    for result, vertex in zip(results, lin.outputs, strict=True):
        for argument, source in zip(args, lin.inputs, strict=True):
            shape = (*result.shape, *argument.shape)
            found = edges.get((source, vertex))
            if found is None:
                blocks.append(np.zeros(shape))
            else:
                blocks.append(np.asarray(write_block(*found, result.shape, argument.shape, result.dtype, "dense")))
    return results, blocks


@pytest.mark.parametrize("method", ["greedy", "dynamic"])
@pytest.mark.parametrize("limit", [3, 8, 400])
@pytest.mark.parametrize("name", CASES)
def test_coarse_programs_have_the_same_jacobian(name, method, limit):
    fun, args, closed, _ = program_of(name)
    found = []

    def rewrite(program):
        found.append(coarsened(program, method, limit))
        return found[0].program

    results, blocks = jacobian(closed, args, rewrite)
    expected = jax.jit(jax.jacfwd(lambda *a: fun(*a), argnums=tuple(range(len(args)))))(*args)
    for ours, theirs in zip(results, fun(*args), strict=True):
        assert ours.dtype == theirs.dtype
        assert limit < 400 or ours.weak_type == theirs.weak_type
        np.testing.assert_allclose(ours, theirs, rtol=1e-12 if ours.dtype == np.float64 else 1e-6)
    for ours, theirs in zip(blocks, jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-13)
    if limit == 400 and name not in ("arrays", "stops", "rules"):
        assert found[0].segments


def test_tangents_that_nobody_reads_are_no_arguments_of_segments():
    """The derivative of the first logaddexp is dead, and parts of it are made in the middle of a region."""

    def fun(x, y):
        jnp.logaddexp(x, y)
        z = jax.nn.softplus(y)
        return [z * z - x]

    args = [jnp.asarray(0.3), jnp.asarray(0.5)]
    for limit in (4, 6):
        _, blocks = jacobian(trace(fun, args), args, lambda p, limit=limit: coarsened(p, "dynamic", limit).program)
        expected = jax.jit(jax.jacfwd(fun, argnums=(0, 1)))(*args)
        for ours, theirs in zip(blocks, jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_segments_say_what_they_save():
    _, _, _, program = program_of("robot arm")
    (whole,) = coarsened(program).measured(program)
    assert len(whole.equations) == len(program.equations)
    assert whole.after.operations < whole.before.operations
    assert whole.applied["factor one"] > 0


def test_segments_are_deterministic():
    _, _, _, program = program_of("robot arm")
    for method in ("greedy", "dynamic"):
        first, second = (coarsened(program, method, 20).segments for _ in range(2))
        assert [s.equations for s in first] == [s.equations for s in second]
        assert [repr(s.derived.sinks) for s in first] == [repr(s.derived.sinks) for s in second]


def test_cuts_are_where_few_values_cross():
    def chain(x):
        for _ in range(6):
            x = jnp.sin(x) * jnp.cos(x) + x
        return [x]

    closed = trace(chain, [jnp.ones(())])
    program = inline(closed, [True])
    (region,) = regions(program)
    uses = Uses(program)
    narrow = [k for k in cuts(uses, region, 400)[1:-1] if k % 4 == 0]
    assert len(narrow) >= 5
    part = segment(uses, region[4:8])
    assert len(part.inputs) == len(part.outputs) == 1


def test_one_equation_is_no_region():
    closed = trace(lambda x: [jnp.sin(jnp.sort(x))], [jnp.ones(3)])
    assert regions(inline(closed, [True])) == []
