"""Entries that are written a window of rows at a time are those that are written at once."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from elimax.structure import sparse, windows


def grid(x: Any) -> Any:
    """Two coupled fields on a grid, with rows that are narrower at its edges."""
    around = jnp.pad(x, ((0, 0), (1, 1), (1, 1)))
    lap = around[:, :-2, 1:-1] + around[:, 2:, 1:-1] + around[:, 1:-1, :-2] + around[:, 1:-1, 2:]
    product = x[0] * x[1] ** 2
    return lap * jnp.exp(x) - jnp.stack([product, -product])


def values(x: Any) -> Any:
    return elimax.jacobian(grid, output="bcoo")(x).data


@pytest.fixture
def small_windows(monkeypatch):
    monkeypatch.setattr(windows, "LARGE", 100)
    monkeypatch.setattr(windows, "_WINDOW", 128)


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", [(2, 13, 11), (2, 3, 90), (2, 40, 3), (2, 60, 2)])
def test_windows_match_jax(shape, dtype):
    x = jnp.asarray(np.random.default_rng(0).normal(size=shape), dtype)
    lowered = jax.jit(elimax.jacobian(grid, output="bcoo")).lower(x)
    assert "while" in lowered.as_text()  # windows are there
    found = lowered.compile()(x)
    tolerance = {"float64": 1e-13, "float32": 1e-5}[dtype]
    np.testing.assert_allclose(found.todense(), jax.jit(jax.jacfwd(grid))(x), rtol=tolerance, atol=tolerance)
    places = np.ravel_multi_index(tuple(np.asarray(found.indices).T), found.shape)
    assert (np.diff(places) > 0).all()


@pytest.mark.slow
@pytest.mark.usefixtures("small_windows")
def test_windows_in_batches_loops_and_derivatives():
    x = jnp.asarray(np.random.default_rng(1).normal(size=(3, 2, 9, 8)))
    found = jax.jit(jax.vmap(values))(x)
    for own, point in zip(found, x, strict=True):
        np.testing.assert_allclose(own, jax.jit(values)(point), rtol=1e-13)
    _, looped = jax.lax.scan(lambda carry, point: (carry, values(point)), 0, x)
    np.testing.assert_allclose(looped, found, rtol=1e-13)
    weights = jnp.asarray(np.random.default_rng(2).normal(size=found.shape[1:]))
    gradient = jax.jit(jax.grad(lambda point: jnp.sum(weights * values(point) ** 2)))(x[0])
    indices = jax.jit(elimax.jacobian(grid, output="bcoo"))(x[0]).indices

    def by_jax(point: Any) -> Any:
        return jnp.sum(weights * jax.jacfwd(grid)(point)[tuple(indices.T)] ** 2)

    np.testing.assert_allclose(gradient, jax.jit(jax.grad(by_jax))(x[0]), rtol=1e-11)


def test_where_windows_are_used():
    shapes = {(2, 4, 5): False, (2, 300, 300): True}
    for shape, expected in shapes.items():
        lowered = jax.jit(values).lower(jax.ShapeDtypeStruct(shape, "float64"))
        assert ("while" in lowered.as_text()) == expected


def test_indices_are_counted_alike(monkeypatch):
    seen = []

    def both(found):
        seen.append((known(found), np.asarray(sparse.indices(found))))
        return seen[-1][0]

    known = sparse.known_indices
    monkeypatch.setattr(sparse, "known_indices", both)
    weights = jnp.asarray(np.random.default_rng(3).normal(size=(3, 2)))
    cases = [(grid, (2, 7, 6)), (lambda x: x * (jnp.roll(x, 1) - x), (9,)), (lambda x: jnp.sin(x) @ weights, (4, 3))]
    for fun, shape in cases:
        elimax.jacobian(fun, output="bcoo")(jnp.ones(shape))
    assert len(seen) == len(cases)
    for own, counted in seen:
        assert own.dtype == counted.dtype
        np.testing.assert_array_equal(own, counted)
