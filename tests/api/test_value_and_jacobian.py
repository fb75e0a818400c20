"""Value and Jacobian from one call."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from tests.agreement import assert_trees_close

X = jnp.array([0.3, -1.2, 2.0])


def fun(x):
    y = jnp.sin(x) * x[0]
    return {"y": y, "i": jnp.argmax(x), "b": x > 0, "c": np.arange(2), "f": 2.5, "n": None, "x": x}


def test_value_and_jacobian():
    value, jac = elimax.value_and_jacobian(fun)(X)
    assert_trees_close(value, jax.tree.map(jnp.asarray, fun(X)))
    assert_trees_close(jac["y"], jax.jit(jax.jacfwd(lambda x: fun(x)["y"]))(X))
    assert jac["i"].shape == (3,)
    assert not jac["i"].any()
    assert jac["n"] is None


def test_value_is_that_of_the_function_under_jit():
    value, jac = jax.jit(elimax.value_and_jacobian(lambda x: (jnp.cumsum(x), x[1])))(X)
    assert_trees_close(value, (jnp.cumsum(X), X[1]))
    assert_trees_close(jac, jax.jit(jax.jacfwd(lambda x: (jnp.cumsum(x), x[1])))(X))


def test_has_aux():
    def with_aux(x):
        return x * x, {"twice": 2 * x, "name": "a"}

    (value, aux), jac = elimax.value_and_jacobian(with_aux, has_aux=True)(X)
    assert_trees_close(value, X * X)
    assert_trees_close(aux["twice"], 2 * X)
    assert aux["name"] == "a"
    assert_trees_close(jac, jnp.diag(2 * X))


def test_same_as_value_and_grad_for_scalar_functions():
    def loss(x, y):
        return jnp.sum(jnp.tanh(x) * y)

    args = (X, X + 1)
    expected = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(*args)
    assert_trees_close(elimax.value_and_jacobian(loss, argnums=(0, 1))(*args), expected)


def test_integers_alone():
    value, jac = elimax.value_and_jacobian(lambda i: i.astype(float) * 2.0, allow_int=True)(jnp.arange(3))
    assert_trees_close(value, jnp.arange(3.0) * 2.0)
    assert jac.dtype == jnp.arange(3).dtype
    assert jac.shape == (3, 3)


@pytest.mark.parametrize("integer", [True, False])
def test_integer_outputs_alone(integer):
    value, jac = elimax.value_and_jacobian(lambda x: jnp.argmax(x) if integer else 7)(X)
    assert value == (2 if integer else 7)
    assert jac.shape == (3,)


def test_complex_input():
    def energy(z):
        return jnp.sum(jnp.abs(z) ** 2 * jnp.arange(1.0, 3.0))

    z = jnp.array([1 + 2j, 0.5 - 1j])
    value, jac = elimax.value_and_jacobian(energy)(z)
    assert_trees_close(value, energy(z))
    assert_trees_close(jac, jax.jit(jax.grad(energy))(z))
