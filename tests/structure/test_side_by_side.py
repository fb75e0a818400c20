"""Jacobians whose entries or columns are written side by side agree with JAX in every batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax


def entrywise(num: int) -> Callable[[Any], Any]:
    """A function whose results are stacked one by one, so that its Jacobian has many single entries."""

    def fun(x: Any) -> Any:
        rows = [x[k % 3] * jnp.sin(x[(k + 1) % 3] * (k + 1.5)) + 0.5 * x[3] for k in range(num)]
        return jnp.stack(rows)

    return fun


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch", [1, 256])
@pytest.mark.parametrize("num", [2, 3, 24])
def test_single_entries_and_columns_match_jax(num, batch, dtype):
    # 24 rows have more entries than a block keeps apart: they are consolidated.
    fun = entrywise(num)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(batch, 4)), dtype)
    tolerance = {"float64": 1e-13, "float32": 1e-5}[dtype]
    expected = jax.jit(jax.vmap(jax.jacfwd(fun)))(x)
    found = jax.jit(jax.vmap(elimax.jacobian(fun, form="plain")))(x)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("rows", [2, 40])
@pytest.mark.parametrize("width", [2, 8, 11])
def test_columns_side_by_side_in_any_batch(width, rows, batch):
    def fun(x: Any) -> Any:
        times = jnp.linspace(0.0, 1.0, rows)
        return sum(jnp.exp(-x[k] * times * (k + 1)) for k in range(width))

    x = jnp.asarray(np.random.default_rng(1).uniform(0.5, 1.5, (batch, width)))
    found = jax.jit(jax.vmap(elimax.jacobian(fun, form="plain")))(x)
    np.testing.assert_allclose(found, jax.jit(jax.vmap(jax.jacfwd(fun)))(x), rtol=1e-13, atol=1e-14)
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(elimax.jacobian(fun)(x) ** 2)))(x[0])
    np.testing.assert_allclose(
        gradient, jax.jit(jax.grad(lambda x: jnp.sum(jax.jacfwd(fun)(x) ** 2)))(x[0]), rtol=1e-11
    )
