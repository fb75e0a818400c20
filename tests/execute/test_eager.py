"""Programs of many scalars outside of `jax.jit`: their blocks are NumPy arrays, and the collector rests meanwhile."""

from __future__ import annotations

import gc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from elimax.errors import ElimaxError
from elimax.execute import eager
from elimax.execute.collector import collector_paused
from elimax.execute.eager import LONG, on_host, runs_on_host


def unrolled(x):
    """Operations on single elements, some of which meet at the same entries."""
    a, b, c, d = x[0], x[1], x[2], x[3]
    return jnp.array([a / b, b * c, c / d, d * d, a * c * a, a + c, d / a, b * b * b])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_as_compiled_with_infinite_numbers(dtype, monkeypatch):
    monkeypatch.setattr(eager, "LONG", 10)
    with jax.enable_x64(dtype == np.float64):
        x = jnp.asarray([0.5, 0.0, 2.0, np.inf], dtype)
        found = elimax.jacobian(unrolled, output="bcoo")(x)
        expected = jax.jit(elimax.jacobian(unrolled, output="bcoo"))(x)
        assert isinstance(found.data, jax.Array)
        assert found.data.dtype == dtype
        assert found.indices_sorted
        assert found.unique_indices
        assert bool(jnp.isinf(found.data).any())
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_allclose(found.data, expected.data, rtol=1e-6)


def test_only_values_that_are_there_and_small():
    x = jnp.ones(3)
    assert runs_on_host(LONG, [x])
    assert not runs_on_host(LONG - 1, [x])
    one, large = on_host((x, jnp.ones(1000)))
    assert isinstance(one, np.ndarray)
    assert isinstance(large, jax.Array)

    def inner(y):
        assert not runs_on_host(LONG, [y])
        assert on_host((y,))[0] is y
        return y

    jax.make_jaxpr(inner)(x)


def test_the_collector_goes_on_afterwards():
    assert gc.isenabled()
    with collector_paused():
        with pytest.raises(ElimaxError), collector_paused():
            raise ElimaxError
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
