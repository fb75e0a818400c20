"""Blocks as coordinates, and boxes written by scattering them."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elimax.structure.arranged import arranged
from elimax.structure.arrays import Value, as_array_over_labels
from elimax.structure.placed import layers, put
from elimax.structure.positions import positions
from elimax.structure.term import Term

REMEMBERED = 2**16
"""Entries of boxes whose places are remembered; `READ` bounds how many elements such a box can have."""


def coordinates(values: Sequence[Value], terms: Sequence[Term], dtype: Any, rank: int) -> tuple[np.ndarray, Any]:
    """A block as coordinates.

    Returns:
      Indices [entries, rank], sorted and unique, known at trace time, and the values [entries].
    """
    if not terms:
        return np.zeros((0, rank), np.int32), jnp.zeros((0,), dtype)
    flats = [jnp.ravel(as_array_over_labels(v, t, dtype)) for v, t in zip(values, terms, strict=True)]
    if not rank:
        return np.zeros((1, 0), np.int32), jnp.concatenate(flats).sum(keepdims=True)
    columns = np.concatenate([positions(term) for term in terms], axis=1)
    unique, inverse = _sorted(columns)
    if unique.shape[1] == columns.shape[1]:
        places = np.split(inverse, np.cumsum([flat.size for flat in flats])[:-1])
        data = arranged(flats, places, [term.sizes[0] if term.sizes else 1 for term in terms])
    else:
        data = jax.ops.segment_sum(jnp.concatenate(flats), inverse, unique.shape[1])
    return np.ascontiguousarray(unique.T).astype(np.int32), data


def _sorted(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct columns of an int array in lexicographic order, and for each column its number among them."""
    sizes = columns.max(axis=1, initial=0) + 1
    if math.prod(map(int, sizes)) >= 2**63:
        unique, inverse = np.unique(columns, axis=1, return_inverse=True)
        return unique, inverse.ravel()
    keys = np.ravel_multi_index(tuple(columns), tuple(sizes))
    unique, inverse = np.unique(keys, return_inverse=True)
    return np.stack(np.unravel_index(unique, tuple(sizes))), inverse.ravel()


def scatter(arrays: Sequence[Any], terms: Sequence[Term], dtype: Any, ranges: Sequence[tuple[int, int]]) -> Any:
    """A box of zeros into which every entry is scattered, or read by its place where the box is full enough.

    Args:
      arrays: value array of each term, in ``dtype``.
      terms: the terms.
      dtype: of the box.
      ranges: half-open index range per axis.
    """
    shape = tuple(stop - start for start, stop in ranges)
    size = math.prod(shape)
    flat, found = _places(terms, ranges)
    data = jnp.concatenate([jnp.ravel(as_array_over_labels(a, t, dtype)) for a, t in zip(arrays, terms, strict=True)])
    return put(data, flat, size, found).reshape(shape)


def readable(terms: Sequence[Term], ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether `scatter` has each element of a box read its entries."""
    return _places(terms, ranges)[1] is not None


def _places(terms: Sequence[Term], ranges: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray | None]:
    """Places of all entries in a box, and its `layers`; remembered for a while, since layers of a network are alike."""
    few = sum(term.num_entries for term in terms) <= REMEMBERED
    return (_remembered if few else _found)(tuple(terms), tuple(ranges))


def _found(terms: tuple[Term, ...], ranges: tuple[tuple[int, int], ...]) -> tuple[np.ndarray, np.ndarray | None]:
    flat = np.concatenate([flat_positions(term, ranges) for term in terms])
    return flat, layers(flat, math.prod(stop - start for start, stop in ranges))


_remembered = functools.lru_cache(maxsize=8)(_found)


def flat_positions(term: Term, ranges: Sequence[tuple[int, int]]) -> np.ndarray:
    """Row-major positions [entries] of a term in a box, in row-major order of its labels."""
    shape = tuple(stop - start for start, stop in ranges)
    starts = np.array([start for start, _ in ranges], dtype=np.int64)[:, None]
    if not shape:
        return np.zeros(term.num_entries, np.int64)
    return np.asarray(np.ravel_multi_index(tuple(positions(term) - starts), shape))
