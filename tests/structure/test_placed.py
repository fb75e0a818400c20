"""Entries at known places: read or scattered, the sums are the same."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from elimax.structure.placed import layers, placed


@pytest.mark.parametrize(
    ("entries", "size", "read"), [(12, 12, True), (12, 40, True), (3, 40, False), (40, 20, False), (1, 1, True)]
)
def test_sums_are_those_of_a_scatter(entries, size, read):
    rng = np.random.default_rng(entries)
    places = rng.permutation(size)[:entries] if entries <= size else np.zeros(entries, np.int64)
    data = jnp.asarray(rng.normal(size=(5, entries)))
    expected = np.zeros((5, size))
    np.add.at(expected, (slice(None), places), np.asarray(data))
    fun = jax.jit(jax.vmap(lambda own: placed(own, places, size)))
    np.testing.assert_allclose(fun(data), expected, rtol=1e-14)
    assert (layers(places, size) is not None) == read
    assert ("scatter" in fun.lower(data).as_text()) != read


def test_several_entries_of_one_element_are_added():
    places = np.array([2, 0, 2, 1, 2, 0])
    found = placed(jnp.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0]), places, 4)
    np.testing.assert_array_equal(found, [34.0, 8.0, 21.0, 0.0])
    assert layers(places, 4) is not None


def test_entries_in_order_are_not_moved():
    assert "gather" not in jax.jit(lambda x: placed(x, np.arange(6), 6)).lower(jnp.ones(6)).as_text()
