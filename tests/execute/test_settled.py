"""Entries that do not depend on the arguments are computed once for a batch, and agree with JAX."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax

TIMES = np.arange(300) * 0.01


def model(x):
    times = jnp.asarray(TIMES, x.dtype) + jnp.arange(300, dtype=x.dtype)
    return {"linear": jnp.cos(times) * x[0] + jnp.sin(times) * x[1], "square": jnp.exp(-times) * x[0] ** 2}


def close(got, expected, dtype):
    tolerance = 1e-13 if dtype == "float64" else 1e-6
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance), got, expected)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_agrees_with_jax(dtype):
    x = jnp.asarray([[0.3, -1.2], [2.0, 0.7], [1.1, 0.2]], dtype)
    close(jax.jit(elimax.jacobian(model))(x[0]), jax.jit(jax.jacfwd(model))(x[0]), dtype)
    close(jax.jit(jax.vmap(elimax.jacobian(model)))(x), jax.jit(jax.vmap(jax.jacfwd(model)))(x), dtype)

    def loss(jacobian):
        return lambda x: sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(jacobian(model)(x)))

    found, expected = (jax.jit(jax.vmap(jax.grad(loss(j))))(x) for j in (elimax.jacobian, jax.jacfwd))
    close(found, expected, "float32")


def test_sines_are_in_a_kernel_without_the_batch():
    jacobian = jax.jit(jax.vmap(lambda x: elimax.jacobian(model)(x)["linear"]))
    text = jacobian.lower(jnp.ones((50, 2))).compile().as_text()
    computations = re.split(r"\n\n", text)
    sines = [c for c in computations if re.search(r"= f64\S* (sine|cosine)\(", c)]
    assert "[50," in text
    assert all("[50," not in c for c in sines)


def test_effects_happen_once_with_the_values_of_the_caller(capsys):
    def fun(x):
        jax.debug.print("x is {}", x[0])
        return model(x)

    jax.block_until_ready(jax.jit(elimax.jacobian(fun))(jnp.array([2.0, 3.0])))
    jax.effects_barrier()
    assert capsys.readouterr().out == "x is 2.0\n"
