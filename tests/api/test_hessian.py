"""Hessians: the call, trees, dtypes and errors of jax.hessian."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

import elimax
from tests.agreement import assert_trees_close, rounding_of

X = jnp.array([0.3, -1.2, 2.0])
Z = jax.lax.complex(X, jnp.ones_like(X))
Y = jnp.array([1.5, 0.7])

CASES = {
    "Python float": (lambda x: x**3, (2.0,), {}),
    "scalar function": (lambda x: jnp.prod(jnp.sin(x)), (X,), {}),
    "vector function": (lambda x: jnp.sin(x) * x[0], (X,), {}),
    "dict": (lambda d: {"c": jnp.power(d["a"], d["b"])}, ({"a": X**2, "b": X},), {}),
    "two arguments": (lambda x, y: jnp.sum(jnp.outer(x, y) ** 2), (X, Y), {"argnums": (0, 1)}),
    "list of argnums": (lambda x, y: jnp.sum(x) * y[0] ** 2, (X, Y), {"argnums": [1, 0]}),
    "second argument": (lambda x, y: x[0] * jnp.exp(y), (X, Y), {"argnums": -1}),
    "aux": (lambda x: (jnp.sum(x**3), {"x": x}), (X,), {"has_aux": True}),
    "holomorphic": (lambda z: jnp.sum(z**3), (Z,), {"holomorphic": True}),
    "linear": (lambda x: x * 2, (X,), {}),
    "identity": (lambda x: x, (X,), {}),
    "constant": (lambda x: jnp.ones(2), (X,), {}),
    "single precision": (lambda x: jnp.sum(x**4), (X.astype(jnp.float32),), {}),
    "input of lower precision": (lambda x: jnp.sum(x.astype(jnp.float32) ** 2), (X.astype(jnp.bfloat16),), {}),
    "input of higher precision": (lambda x: jnp.sum(x**2).astype(jnp.float32), (X,), {}),
    "empty": (lambda x: jnp.sum(x**2), (jnp.zeros(0),), {}),
}


@pytest.mark.standard_promotion
@pytest.mark.parametrize("name", CASES)
def test_same_as_jax(name):
    fun, args, options = CASES[name]
    expected = jax.jit(jax.hessian(fun, **options))(*args)
    eps = max(rounding_of(args), rounding_of(expected), rounding_of(jax.eval_shape(fun, *args)))
    assert_trees_close(jax.jit(elimax.hessian(fun, **options))(*args), expected, eps=eps)


def test_under_jit():
    fun, args, options = CASES["two arguments"]
    assert_trees_close(jax.jit(elimax.hessian(fun, **options))(*args), jax.jit(jax.hessian(fun, **options))(*args))


def test_keyword_arguments():
    def fun(x, *, power):
        return jnp.sum(x**power)

    assert_trees_close(jax.jit(elimax.hessian(fun))(X, power=3), jax.jit(jax.hessian(fun))(X, power=3))


def test_sparse():
    block = jax.jit(elimax.hessian(lambda x: jnp.sum(x**3), output="bcoo"))(X)
    assert_trees_close(block, jnp.diag(6 * X))


@pytest.mark.parametrize(
    ("fun", "args", "options"),
    [
        (lambda x: x**3, (3,), {}),
        (lambda z: jnp.sum(jnp.abs(z) ** 3), (Z,), {}),
        (lambda x: jnp.sum(x) * 1j, (X,), {}),
        (lambda x: jnp.argmax(x), (X,), {}),
        (lambda x: x, (X,), {"argnums": 3}),
        (lambda x: x, (None,), {}),
        (lambda x: x, ("a",), {}),
    ],
    ids=["integer", "complex input", "complex output", "integer output", "argnums", "None", "string"],
)
def test_same_error_type_as_jax(fun, args, options):
    with pytest.raises(Exception) as caught:
        jax.hessian(fun, **options)(*args)
    with pytest.raises(caught.type):
        elimax.hessian(fun, **options)(*args)
