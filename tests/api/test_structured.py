"""Functions whose Jacobians have structure keep it: entries are those of the pattern, and the plan names the kinds."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import elimax

X = jnp.linspace(0.5, 1.5, 12)
EDGES = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [3, 7], [7, 11], [5, 6]]).T
KERNEL = jnp.array([1.0, -2.0, 1.0])
TOKENS = jnp.sin(jnp.arange(24.0)).reshape(2, 3, 4)  # [batch, tokens, features]


def rolled(x):
    return x * (jnp.roll(x, 1) - jnp.roll(x, -1))


def padded(x):
    framed = jnp.pad(x, 1)
    return framed[2:] - 2 * x**2 + framed[:-2]


def concatenated(x):
    inner = x[2:] - 2 * x[1:-1] ** 2 + x[:-2]
    return jnp.concatenate([x[:1] ** 2, inner, jnp.sin(x[-1:])])


def convolved(x):
    return jnp.convolve(x, KERNEL, mode="same") + x**3


def convolved_image(x):
    image = x.reshape(1, 1, 3, 4)
    stencil = jnp.array([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]).reshape(1, 1, 3, 3)
    return (lax.conv_general_dilated(image, stencil, (1, 1), "SAME") + image**2).ravel()


def batch(x):
    rows = x.reshape(4, 3)
    return jnp.stack([rows[:, 0] * rows[:, 1], jnp.sin(rows[:, 2]) * rows[:, 0], rows.sum(1)], axis=1)


def batch_of_products(x):
    return jnp.tanh(x.reshape(4, 3) @ jnp.cos(jnp.arange(9.0)).reshape(3, 3))


def arrowhead(x):
    return jnp.concatenate([jnp.sum(x**2, keepdims=True), x[1:] * x[0] + jnp.sin(x[1:])])


def laplacian(x):
    """Gathered along the edges of a graph and summed up at their ends."""
    flow = jnp.sin(x[EDGES[0]] - x[EDGES[1]])
    return jax.ops.segment_sum(flow, EDGES[0], 12) - jax.ops.segment_sum(flow, EDGES[1], 12)


def attention(tokens):
    scores = jnp.einsum("bqf,bkf->bqk", tokens, tokens)
    return jax.nn.softmax(scores, axis=-1) @ tokens


CASES = {
    rolled: (X, 36, {"diagonal", "shifted diagonal"}),
    padded: (X, 34, {"diagonal", "shifted diagonal"}),
    concatenated: (X, 32, {"diagonal", "shifted diagonal"}),
    convolved: (X, 34, {"diagonal"}),
    # Zeros in the corners of the kernel are values like others: the pattern is that of a window of 3 by 3.
    convolved_image: (X, 70, {"sum of shifted diagonal"}),
    batch: (X, 4 * (2 + 2 + 3), {"shifted diagonal", "block shifted diagonal"}),
    batch_of_products: (X, 4 * 9, {"block shifted diagonal"}),
    arrowhead: (X, 12 + 2 * 11, {"broadcast", "sum over axes", "shifted diagonal"}),
    laplacian: (X, None, {"static sparse"}),
    attention: (TOKENS, 2 * 12 * 12, {"block diagonal"}),
}


@pytest.mark.parametrize("fun", CASES, ids=lambda fun: fun.__name__)
def test_structure_is_kept_and_shown(fun):
    x, entries, kinds = CASES[fun]
    dense = np.asarray(jax.jit(jax.jacfwd(fun))(x))
    if entries is None:
        entries = len({(a, b) for i, j in EDGES.T for a in (i, j) for b in (i, j)})
    jac = jax.jit(elimax.jacobian(fun, output="bcoo"))(x)
    np.testing.assert_allclose(jac.todense(), dense, rtol=1e-10, atol=1e-12)
    assert jac.nse == elimax.sparsity(fun, x).nnz == entries
    plan = elimax.plan(fun, x)
    shown = next(line for line in str(plan).splitlines() if line.startswith("blocks: "))
    listed = {part.split(maxsplit=1)[1] for part in shown.removeprefix("blocks: ").split(", ")}
    assert kinds <= listed, shown
    assert not listed & {"dense", "operator"}, shown
    assert not plan.opaque
    np.testing.assert_allclose(jax.jit(elimax.jacobian(fun))(x), dense, rtol=1e-10, atol=1e-12)


def chain(x):
    return jnp.sum((x[1:] - x[:-1] ** 2) ** 2 + jnp.cos(x[:-1]))


def graph_energy(x):
    return jnp.sum(jnp.cos(x[EDGES[0]] - x[EDGES[1]]))


@pytest.mark.parametrize(("fun", "entries"), [(chain, 34), (graph_energy, 8 + 2 * 7)])
def test_hessians_are_sorted_unique_and_symmetric(fun, entries):
    hess = jax.jit(elimax.hessian(fun, output="bcoo"))(X)
    dense = hess.todense()
    np.testing.assert_allclose(dense, jax.jit(jax.hessian(fun))(X), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(dense, dense.T, rtol=1e-10, atol=1e-12)
    assert hess.indices_sorted
    assert hess.unique_indices
    assert np.all(np.diff(np.ravel_multi_index(np.asarray(hess.indices).T, hess.shape)) > 0)
    assert hess.nse == entries
