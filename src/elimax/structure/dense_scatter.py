"""Blocks as coordinates, and boxes written by scattering them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elimax.structure.arrays import Value, as_array_over_labels
from elimax.structure.positions import positions
from elimax.structure.term import Term


def coordinates(values: Sequence[Value], terms: Sequence[Term], dtype: Any, rank: int) -> tuple[np.ndarray, Any]:
    """A block as coordinates.

    Returns:
      Indices [entries, rank], sorted and unique, known at trace time, and the values [entries].
    """
    if not terms:
        return np.zeros((0, rank), np.int32), jnp.zeros((0,), dtype)
    columns = np.concatenate([positions(term) for term in terms], axis=1)
    flats = [jnp.ravel(as_array_over_labels(v, t, dtype)) for v, t in zip(values, terms, strict=True)]
    data = jnp.concatenate(flats) if len(flats) > 1 else jnp.asarray(flats[0])
    if not rank:
        return np.zeros((1, 0), np.int32), data.sum(keepdims=True)
    unique, first, inverse = np.unique(columns, axis=1, return_index=True, return_inverse=True)
    inverse = inverse.ravel()
    if unique.shape[1] == columns.shape[1]:
        data = data if np.array_equal(first, np.arange(first.size)) else jnp.take(data, first, mode="clip")
    else:
        data = jax.ops.segment_sum(data, inverse, unique.shape[1])
    return np.ascontiguousarray(unique.T).astype(np.int32), data


def scatter(arrays: Sequence[Any], terms: Sequence[Term], dtype: Any, ranges: Sequence[tuple[int, int]]) -> Any:
    """A box of zeros into which every entry is scattered.

    Args:
      arrays: value array of each term, in ``dtype``.
      terms: the terms.
      dtype: of the box.
      ranges: half-open index range per axis.
    """
    shape = tuple(stop - start for start, stop in ranges)
    size = math.prod(shape)
    flat = np.concatenate([flat_positions(term, ranges) for term in terms])
    data = jnp.concatenate([jnp.ravel(as_array_over_labels(a, t, dtype)) for a, t in zip(arrays, terms, strict=True)])
    index_dtype = np.int32 if size < 2**31 else np.int64
    unique = np.unique(flat).size == flat.size
    result = jnp.zeros((size,), dtype).at[flat.astype(index_dtype)]
    updated = (
        result.set(data, unique_indices=True, mode="promise_in_bounds")
        if unique
        else result.add(data, mode="promise_in_bounds")
    )
    return updated.reshape(shape)


def flat_positions(term: Term, ranges: Sequence[tuple[int, int]]) -> np.ndarray:
    """Row-major positions [entries] of a term in a box, in row-major order of its labels."""
    shape = tuple(stop - start for start, stop in ranges)
    starts = np.array([start for start, _ in ranges], dtype=np.int64)[:, None]
    if not shape:
        return np.zeros(term.num_entries, np.int64)
    return np.asarray(np.ravel_multi_index(tuple(positions(term) - starts), shape))
