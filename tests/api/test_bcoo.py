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
    assert elimax.jacobian(fun, output="bcoo")(x).nse <= most


def test_is_usable_in_products():
    fun, x = CASES["tridiagonal"]
    block = elimax.jacobian(fun, output="bcoo")(x)
    np.testing.assert_allclose(block @ X, jax.jacfwd(fun)(x) @ X, rtol=1e-12)
    np.testing.assert_allclose(block.T @ jnp.ones(6), jax.jacfwd(fun)(x).T @ jnp.ones(6), rtol=1e-12)


def test_integers_and_keys():
    jac = elimax.jacobian(lambda t: t[0] * t[1].astype(float), allow_int=True, output="bcoo")((X, jnp.arange(8)))
    assert jac[1].nse == 0
    assert jac[1].shape == (8, 8)
