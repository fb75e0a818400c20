"""Sparse blocks."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import sparse

import elimax
from tests.agreement import assert_same_jacobian

X = jnp.linspace(0.1, 1.0, 8)
Z = jax.lax.complex(X, jnp.ones_like(X))

CASES = {
    "diagonal": (lambda x: jnp.sin(x), X),
    "identity": (lambda x: x, X),
    "shift": (lambda x: x[1:] * x[:-1], X),
    "tridiagonal": (lambda x: x[2:] - 2 * x[1:-1] ** 2 + x[:-2], X),
    "dense": (lambda x: jnp.outer(x, x) @ x, X),
    "scalar to scalar": (lambda x: x * x, jnp.array(2.0)),
    "scalar to vector": (lambda x: x * X, jnp.array(2.0)),
    "vector to scalar": (lambda x: jnp.sum(x**2), X),
    "constant": (lambda x: jnp.ones(3), X),
    "zero partial": (lambda x: jnp.round(x), X),
    "gather": (lambda x: x[jnp.array([0, 0, 5])] ** 2, X),
    "matrix": (lambda x: jnp.sin(x.reshape(2, 4)).T, X),
    "several": (lambda x: {"a": x[:2] * 3, "b": (jnp.cumsum(x), x[0])}, X),
    "tree": (lambda t: t["a"] * t["b"][:3], {"a": X[:3], "b": X}),
    "integer output": (lambda x: jnp.argmax(x), X),
    "half": (lambda x: x * x, X.astype(jnp.float16)),
    "complex input": (lambda z: jnp.abs(z) ** 2 + jnp.real(z), Z),
    "empty": (lambda x: x * 2, jnp.zeros(0)),
}


@pytest.mark.parametrize("name", CASES)
def test_same_as_dense(name):
    fun, x = CASES[name]
    jac = assert_same_jacobian(fun, x, method={"output": "bcoo"})
    for block in jax.tree.leaves(jac, is_leaf=lambda leaf: isinstance(leaf, sparse.BCOO)):
        assert isinstance(block, sparse.BCOO)
        assert block.n_batch == 0
        assert block.n_dense == 0
        assert block.indices.shape[1] == block.ndim


@pytest.mark.parametrize("name", ["tridiagonal", "several", "complex input"])
def test_under_jit(name):
    fun, x = CASES[name]
    assert_same_jacobian(fun, x, jit=True, method={"output": "bcoo"})


@pytest.mark.parametrize(
    ("name", "most"),
    [("diagonal", 8), ("identity", 8), ("shift", 14), ("tridiagonal", 18), ("gather", 3), ("constant", 0)],
)
def test_stores_the_pattern_alone(name, most):
    fun, x = CASES[name]
    assert jax.jit(elimax.jacobian(fun, output="bcoo"))(x).nse <= most


def test_is_usable_in_products():
    fun, x = CASES["tridiagonal"]
    block = jax.jit(elimax.jacobian(fun, output="bcoo"))(x)
    np.testing.assert_allclose(block @ X, jax.jit(jax.jacfwd(fun))(x) @ X, rtol=1e-12)
    np.testing.assert_allclose(block.T @ jnp.ones(6), jax.jit(jax.jacfwd(fun))(x).T @ jnp.ones(6), rtol=1e-12)


def test_integers_and_keys():
    jac = jax.jit(elimax.jacobian(lambda t: t[0] * t[1].astype(float), allow_int=True, output="bcoo"))(
        (X, jnp.arange(8))
    )
    assert jac[1].nse == 0
    assert jac[1].shape == (8, 8)


MATRIX = sparse.BCOO.fromdense(
    jnp.where(jnp.arange(30).reshape(6, 5) % 3 == 0, jnp.arange(30.0).reshape(6, 5), 0.0), nse=13
)


@pytest.mark.parametrize(
    ("fun", "x", "most"),
    [
        (lambda x: MATRIX @ x**2, X[:5], 10),
        (lambda x: MATRIX.T @ jnp.sin(x), X[:6], 10),
        (lambda x: MATRIX @ x.reshape(5, 2), jnp.arange(10.0), 20),
        (lambda d: sparse.BCOO((d**2, MATRIX.indices), shape=MATRIX.shape) @ X[:5], MATRIX.data, 10),
        (
            lambda x: sparse.bcoo_dot_general(MATRIX, x, dimension_numbers=(([0, 1], [0, 1]), ([], []))),
            jnp.ones((6, 5)),
            10,
        ),
    ],
    ids=["vector", "transposed", "matrix", "by entries", "scalar"],
)
def test_products_with_sparse_matrices_keep_their_entries(fun, x, most):
    """Indices beyond the matrix, which fill up a BCOO, count for nothing."""
    jac = assert_same_jacobian(fun, x, method={"output": "bcoo"})
    assert jac.nse <= most
    assert "bcoo_dot_general" not in elimax.plan(fun, x).opaque


def test_sparse_matrices_with_unknown_indices():
    """Indices that are arguments of a compiled function are not known where it is planned."""
    fun = lambda x, matrix: matrix @ x**2  # noqa: E731
    jac = jax.jit(elimax.jacobian(fun, output="bcoo"))(X[:5], MATRIX)
    np.testing.assert_allclose(jac.todense(), jax.jit(jax.jacfwd(fun))(X[:5], MATRIX), rtol=1e-12)


@pytest.mark.standard_promotion
@pytest.mark.filterwarnings("ignore::elimax.ElimaxWarning")
def test_values_needed_at_trace_time_under_jit():
    """JAX's own mode takes over, and its block is stored whole."""
    fun = lambda x, k: x * (2.0 if k > 0 else 3.0)  # noqa: E731
    jac = jax.jit(elimax.jacobian(fun, output="bcoo"), static_argnums=1)(X, 1)
    np.testing.assert_allclose(jac.todense(), 2 * np.eye(8))


DATA_DEPENDENT = {
    "gather": (lambda x: x[jnp.argsort(x)] * x, X, "gather"),
    "scatter": (lambda x: jnp.zeros(8).at[jnp.argsort(x)].add(x**2), X, "scatter-add"),
    "slice": (lambda x: jax.lax.dynamic_slice(x, (jnp.argmax(x),), (3,)) ** 2, X, "dynamic_slice"),
    "segments": (lambda x: jax.ops.segment_sum(x, jnp.asarray(x > 0.5, int), 2), X, "scatter-add"),
}


@pytest.mark.parametrize("name", DATA_DEPENDENT)
@pytest.mark.parametrize("jit", [False, True])
def test_indices_that_depend_on_data(name, jit):
    """The operation is named in the plan, and its block is dense, for all that is known."""
    fun, x, operation = DATA_DEPENDENT[name]
    assert any(operation.replace("-", "_") in found.replace("-", "_") for found in elimax.plan(fun, x).opaque)
    assert_same_jacobian(fun, x, jit=jit, method={"output": "bcoo"})


@pytest.mark.parametrize(
    ("fun", "rows"),
    [
        (lambda x: x[jnp.array([2, 2, 2])] ** 2, [0, 1, 2]),
        (lambda x: jnp.zeros(6).at[jnp.array([4, 4, 1])].add(x[:3] ** 2), [1, 4, 4]),
        (lambda x: jnp.zeros(4).at[jnp.array([1, 9])].set(x[:2], mode="drop"), [1]),
        (lambda x: jnp.zeros(5) * 2.0, []),
    ],
    ids=["repeated reads", "repeated writes", "writes beyond the end", "no entry"],
)
def test_repeated_and_missing_entries(fun, rows):
    jac = assert_same_jacobian(fun, X, jit=True, method={"output": "bcoo"})
    np.testing.assert_array_equal(jac.indices[:, 0], rows)
    flat = np.ravel_multi_index(np.asarray(jac.indices).T, jac.shape)
    assert np.all(np.diff(flat) > 0)


@pytest.mark.parametrize("fun", [lambda z: jnp.abs(z) ** 2, lambda z: jnp.real(z[1:]) ** 2 + jnp.imag(z[:-1])])
def test_complex_entries_are_sorted_and_unique(fun):
    for run in (elimax.jacobian(fun, output="bcoo"), jax.jit(elimax.jacobian(fun, output="bcoo"))):
        block = run(Z)
        places = np.ravel_multi_index(tuple(np.asarray(block.indices).T), block.shape)
        assert block.indices_sorted
        assert block.unique_indices
        assert (np.diff(places) > 0).all()
        np.testing.assert_allclose(block.todense(), jax.jit(elimax.jacobian(fun))(Z), rtol=1e-12)
