"""Each family of rules finds the structure that its operations have, and the values that JAX computes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import elimax
from elimax import execute
from elimax.plan.explain import describe

X = jnp.array([0.3, 1.2, 2.5, -0.7])
M = jnp.arange(12.0).reshape(3, 4) / 7 + 0.1
IMAGE = jnp.arange(32.0).reshape(1, 2, 4, 4) / 9
KERNEL = jnp.arange(12.0).reshape(3, 2, 2, 1) / 5


@jax.custom_jvp
def trebled(x):
    return x


trebled.defjvp(lambda p, t: (p[0], 3.0 * t[0]))

CASES = {
    "elementwise": (jnp.sin, X, "diagonal"),
    "scalar operand": (lambda s: s * X, jnp.asarray(2.0), "broadcast"),
    "relu expands its rule": (jax.nn.relu, X, "diagonal"),
    "custom rule": (trebled, X, "diagonal"),
    "element": (lambda x: x[1], X, "single entry"),
    "strided slice": (lambda x: x[::2], X, "shifted diagonal"),
    "reverse": (lambda x: x[::-1], X, "shifted diagonal"),
    "roll": (lambda x: jnp.roll(x, 1), X, None),
    "gather": (lambda x: x[jnp.array([2, 0, 0, 1])], X, "static sparse"),
    "gather rows": (lambda x: x[jnp.array([2, 0, 0])], M, "static sparse"),
    "scatter-add": (lambda x: jnp.zeros(3).at[jnp.array([0, 2, 2, 1])].add(x), X, "static sparse"),
    "sum": (jnp.sum, X, "sum over axes"),
    "sum of rows": (lambda m: m.sum(0), M, "block diagonal"),
    "max of rows": (lambda m: m.max(1), M, "block diagonal"),
    "matrix by vector": (lambda x: M @ x, X, "dense"),
    "matrix in product": (lambda m: m @ X, M, "block diagonal"),
    "batched product": (
        lambda m: lax.dot_general(m[:, None], jnp.ones((3, 4, 2)), (((2,), (1,)), ((0,), (0,)))),
        M,
        "block diagonal",
    ),
    "cumulative": (lambda m: jnp.cumprod(m, 1), M, "block diagonal"),
    "sort": (lambda m: jnp.sort(m, 0), M, "block diagonal"),
    "transpose": (lambda m: m.T, M, "diagonal"),
    "tile": (lambda x: jnp.tile(x, 2), X, None),
    "stack": (lambda x: jnp.stack([x, 2 * x]), X, None),
    "outer product": (lambda x: jnp.outer(x, jnp.sin(x)), X, None),
    "axes of length 1": (lambda x: (x[:, None] - x[None]) / (1 + x[:, None] ** 2), X, None),
    "broadcast factor": (lambda m: m * X[None] * jnp.ones((3, 1)), M, "diagonal"),
    "mean filter": (lambda x: lax.reduce_window(x, 0.0, lax.add, (3,), (1,), "SAME"), X, None),
    "convolution": (lambda i: lax.conv_general_dilated(i, KERNEL, (2, 1), [(1, 0), (0, 1)], (1, 2)), IMAGE, None),
    "convolution kernel": (
        lambda k: lax.conv_general_dilated(IMAGE, k, (1, 1), "SAME", rhs_dilation=(2, 1)),
        KERNEL,
        None,
    ),
    "padding": (lambda x: lax.pad(x, 0.0, [(-1, 3, 2)]), X, "shifted diagonal"),
    "padding value": (lambda x: lax.pad(X, x[0] * x[1], [(-1, 3, 2)]), X, None),
    "ragged reshape": (lambda m: m.reshape(2, 6), M, None),
    "fft": (lambda x: jnp.abs(jnp.fft.fft(x)), X, None),
    "solve": (lambda x: jnp.linalg.solve(jnp.outer(x, x) + 3 * jnp.eye(4), x), X, None),
    "while": (lambda x: lax.while_loop(lambda c: c[1] < 3, lambda c: (jnp.sin(c[0]), c[1] + 1), (x, 0))[0], X, None),
    "scan": (lambda x: lax.scan(lambda c, a: (c * a, jnp.sin(c)), x[0], x), X, None),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("order", ["forward", "reverse"])
def test_structure_and_values(case, order):
    fun, x, expected = CASES[case]

    def flat(a):
        return jax.tree.leaves(fun(a)), []

    lin = execute.linearisation_for(flat, [x])
    if expected is not None:
        # The product of all local partials, as one reads it off the function.
        kinds = {describe(edge.structure) for edge in lin.graph.edges}
        assert expected in kinds
    got = execute.evaluate(flat, [x], order=order)
    reference = jax.jit(jax.jacfwd(lambda a: jax.tree.leaves(fun(a))))(x)
    for (block,), wanted in zip(got.blocks, reference, strict=True):
        assert block.shape == wanted.shape
        assert block.dtype == wanted.dtype
        np.testing.assert_allclose(block, wanted, rtol=1e-10, atol=1e-12)


def test_no_element_of_an_elementwise_chain_is_stored_twice():
    lin = execute.linearisation_for(lambda x: ([jnp.sin(jnp.exp(x) * x)], []), [X])
    assert {describe(e.structure) for e in lin.graph.edges} == {"diagonal"}


def test_dead_and_constant_parts_are_pruned():
    def fun(x):
        unused = jnp.exp(x) * 3
        constant = jnp.cos(jnp.ones(4))
        return [x * constant], [unused]

    lin = execute.linearisation_for(fun, [X])
    assert lin.graph.num_vertices == 2
    assert len(lin.graph.edges) == 1


def test_a_stopped_gradient_carries_no_edge():
    lin = execute.linearisation_for(lambda x: ([lax.stop_gradient(jnp.exp(x)) * x], []), [X])
    assert lin.graph.num_vertices == 2


@pytest.mark.parametrize("order", ["forward", "reverse", "markowitz"])
def test_an_untaken_branch_cannot_poison_the_result(order):
    def fun(x):
        safe = jnp.where(x > 0, jnp.sqrt(x), 0.0)
        ratio = jnp.where(x != 0, jnp.log(jnp.abs(x)) / x, 1.0)
        return [jnp.sin(3 * safe) + 2 * ratio, jnp.where(x > 0, x**0.5, -x)], []

    x = jnp.array([0.0, 2.0, -1.0])
    got = execute.evaluate(fun, [x], order=order)
    reference = jax.jit(jax.jacfwd(lambda a: fun(a)[0]))(x)
    for (block,), wanted in zip(got.blocks, reference, strict=True):
        assert np.isfinite(block).all()
        np.testing.assert_allclose(block, wanted, rtol=1e-12)


def test_opaque_operations_are_named():
    lin = execute.linearisation_for(lambda x: ([jnp.linalg.eigh(jnp.outer(x, x))[0]], []), [jnp.arange(20.0)])
    assert lin.opaque_operations == ["eigh"]


@pytest.mark.parametrize(
    ("places", "is_slice"),
    [
        (np.arange(4) * 3 + 1, True),
        (np.arange(3) - 3, True),
        (np.array([5]), True),
        (np.arange(6).reshape(2, 3) * 2, None),
        (np.array([0, 1, 3]), False),
        (np.array([2, 2]), False),
        (np.arange(4)[::-1], False),
        (np.array([10, 13]), False),
    ],
)
def test_reads_the_same_distance_apart_are_slices(places, is_slice):
    x = jnp.arange(12.0) / 5 + 0.1

    def fun(x):
        return jnp.sin(x.at[places].get(mode="fill", fill_value=0.3)).ravel() * x[0]

    np.testing.assert_allclose(jax.jit(elimax.jacobian(fun))(x), jax.jit(jax.jacfwd(fun))(x), rtol=1e-12, atol=1e-12)
    plain = jax.jit(elimax.jacobian(fun, form="plain"))
    if is_slice is not None:  # else there may be a gather where entries are put together
        assert ("gather" in str(jax.make_jaxpr(plain)(x))) is not is_slice
    batch = jnp.stack([x, 2 * x])
    np.testing.assert_allclose(
        jax.jit(jax.vmap(plain))(batch), jax.jit(jax.vmap(jax.jacfwd(fun)))(batch), rtol=1e-12, atol=1e-12
    )
