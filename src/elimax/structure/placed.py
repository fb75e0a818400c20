"""Entries at known places of an array, added up where they share one."""

from __future__ import annotations

import functools
import operator
from typing import Any

import jax.numpy as jnp
import numpy as np

READ = 8
"""Up to so many elements for each entry, each of them reads its entries or a zero, in a vectorised loop."""


def placed(data: Any, places: np.ndarray, size: int) -> Any:
    """An array of zeros to which entries are added.

    Arrays that are full enough read their entries, others have them scattered, one by one.

    Args:
      data: array [entries].
      places: int array [entries] of numbers below ``size``.
      size: of the result.
    """
    return put(data, places, size, layers(places, size))


def put(data: Any, places: np.ndarray, size: int, found: np.ndarray | None) -> Any:
    """The same with ``found`` from `layers`."""
    index_dtype = np.int32 if max(size, data.size) < 2**31 else np.int64
    if found is not None:
        empty = (found == places.size).any()
        source = jnp.concatenate([data, jnp.zeros((1,), data.dtype)]) if empty else data
        read = [
            source if not empty and np.array_equal(layer, np.arange(places.size)) else source[layer.astype(index_dtype)]
            for layer in found
        ]
        return functools.reduce(operator.add, read)
    result = jnp.zeros((size,), data.dtype).at[places.astype(index_dtype)]
    if np.unique(places).size == places.size:
        return result.set(data, unique_indices=True, mode="promise_in_bounds")
    return result.add(data, mode="promise_in_bounds")


def layers(places: np.ndarray, size: int) -> np.ndarray | None:
    """For each element of an array the entries that it is the sum of, in layers with one entry for each element.

    Args:
      places: element of each entry.
      size: number of elements.

    Returns:
      Int array [layers, size] of entries, where the number of all entries stands for none; None if the array is not
      full enough.
    """
    if size > READ * places.size:
        return None
    counts = np.bincount(places, minlength=size)
    if counts.max() * size > READ * places.size:
        return None
    by_place = np.argsort(places, kind="stable")
    depth = np.arange(places.size) - (np.cumsum(counts) - counts)[places[by_place]]
    found = np.full((counts.max(), size), places.size)
    found[depth, places[by_place]] = by_place
    return found
