"""Writing a block out: as a dense array over a box of indices, or as coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax.structure.arrays import Value, as_array, as_array_over_labels, broadcast, plus, spread
from elimax.structure.positions import positions, term_ranges
from elimax.structure.relation import labels_of
from elimax.structure.term import Affine, Table, Term

Ranges = Sequence[tuple[int, int]]

_SCATTER_COST = 15
"""Time of one scattered entry in units of one streamed entry."""


def dense(values: Sequence[Value], terms: Sequence[Term], dtype: Any, ranges: Ranges) -> Any:
    """A block as an array.

    Args:
      values: value of each term.
      terms: the terms.
      dtype: dtype of the result.
      ranges: half-open index range per axis, out axes first; it must hold every term.

    Returns:
      Array of shape [stop - start for each range].
    """
    shape = tuple(stop - start for start, stop in ranges)
    if not terms or 0 in shape:
        return jnp.zeros(shape, dtype)
    if all(not term.sizes for term in terms) and math.prod(shape) <= max(64, 4 * len(terms)):
        return _cells(values, terms, dtype, ranges)
    pieces = _split(terms, ranges)
    if pieces is not None:
        axis, intervals = pieces
        arrays = []
        for start, stop, members in intervals:
            inner = [*ranges[:axis], (start, stop), *ranges[axis + 1 :]]
            arrays.append(dense([values[m] for m in members], [terms[m] for m in members], dtype, inner))
        return lax.concatenate(arrays, axis) if len(arrays) > 1 else arrays[0]
    placeable = [_defining_axes(term) for term in terms]
    size = math.prod(shape)
    entries = sum(term.num_entries for term in terms)
    if any(p is None for p in placeable) or (len(terms) > 1 and len(terms) * size > size + _SCATTER_COST * entries):
        return _scatter(values, terms, dtype, ranges)
    total = None
    for value, term, defining in zip(values, terms, placeable, strict=True):
        assert defining is not None
        array = _place(value, term, defining, dtype, ranges)
        total = array if total is None else plus(total, array)
    return jnp.asarray(total)


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


def _cells(values: Sequence[Value], terms: Sequence[Term], dtype: Any, ranges: Ranges) -> Any:
    """A small box of single entries: one stack."""
    shape = tuple(stop - start for start, stop in ranges)
    flat: list[Any] = [None] * math.prod(shape)
    for value, term in zip(values, terms, strict=True):
        index = tuple(
            axis.offset - start
            for axis, (start, _) in zip((*term.out_axes, *term.in_axes), ranges, strict=True)
            if isinstance(axis, Affine)
        )
        place = int(np.ravel_multi_index(index, shape)) if shape else 0
        entry = as_array(value, (), dtype)
        flat[place] = entry if flat[place] is None else plus(flat[place], entry)
    if all(entry is None or isinstance(entry, np.ndarray | np.generic) for entry in flat):
        return jnp.asarray(np.array([0 if entry is None else entry for entry in flat], dtype).reshape(shape))
    zero = np.zeros((), dtype)
    filled = [zero if entry is None else entry for entry in flat]
    if len(filled) == 1:
        return jnp.asarray(filled[0]).reshape(shape)
    return jnp.stack(filled).reshape(shape)


def _split(terms: Sequence[Term], ranges: Ranges) -> tuple[int, list[tuple[int, int, list[int]]]] | None:
    """Find an axis along which the terms fall into separate intervals.

    Returns:
      The axis, and ``(start, stop, members)`` for consecutive intervals that fill the box, or None.
    """
    best = None
    for axis, (start, stop) in enumerate(ranges):
        spans = sorted((*term_ranges(term)[axis], k) for k, term in enumerate(terms))
        intervals: list[tuple[int, int, list[int]]] = []
        for low, high, member in spans:
            if intervals and low < intervals[-1][1]:
                first, last, members = intervals[-1]
                intervals[-1] = (first, max(last, high), [*members, member])
            else:
                intervals.append((low, high, [member]))
        if len(intervals) < 2:
            continue
        filled: list[tuple[int, int, list[int]]] = []
        position = start
        for low, high, members in intervals:
            if low > position:
                filled.append((position, low, []))
            filled.append((low, high, members))
            position = high
        if position < stop:
            filled.append((position, stop, []))
        if best is None or len(filled) < len(best[1]):
            best = (axis, filled)
    return best


def _defining_axes(term: Term) -> dict[int, int] | None:
    """For each label an axis that determines it; None if the term has to be scattered."""
    axes = (*term.out_axes, *term.in_axes)
    defining: dict[int, int] = {}
    for position, axis in enumerate(axes):
        if isinstance(axis, Table):
            return None
        if len(axis.parts) == 1 and axis.parts[0][0] not in defining:
            defining[axis.parts[0][0]] = position
    return defining if len(defining) == len(term.sizes) else None


def _place(value: Value, term: Term, defining: dict[int, int], dtype: Any, ranges: Ranges) -> Any:
    """One term over the box: pad along the axes that define its labels, select along the others."""
    axes = (*term.out_axes, *term.in_axes)
    shape = tuple(stop - start for start, stop in ranges)
    # First over all labels, arranged by the axes that define them.
    order = sorted(range(len(term.sizes)), key=lambda label: defining[label])
    array = as_array(value, term.value_shape, dtype)
    array = broadcast(spread(array, term.value_labels, range(len(term.sizes))), term.sizes)
    array = np.transpose(array, order) if isinstance(array, np.ndarray) else lax.transpose(array, order)
    rank_shape, padding, flips = [], [], []
    masks = []
    for position, axis in enumerate(axes):
        assert isinstance(axis, Affine)
        start, stop = ranges[position]
        owner = [label for label in labels_of(axis) if defining[label] == position]
        if owner:
            ((label, stride),) = axis.parts
            size = term.sizes[label]
            first = min(axis.offset, axis.offset + stride * (size - 1)) - start
            if stride < 0:
                flips.append(position)
            rank_shape.append(size)
            padding.append((first, stop - start - first - (abs(stride) * (size - 1) + 1), abs(stride) - 1))
        elif not axis.parts:
            rank_shape.append(1)
            padding.append((axis.offset - start, stop - axis.offset - 1, 0))
        else:
            rank_shape.append(1)
            padding.append((0, 0, 0))
            masks.append(position)
    array = jnp.asarray(array.reshape(rank_shape))
    if flips:
        array = lax.rev(array, flips)
    if any(p != (0, 0, 0) for p in padding):
        array = lax.pad(array, np.zeros((), dtype), padding)
    array = jnp.broadcast_to(array, shape)
    if not masks:
        return array
    wanted: Any = None
    for position in masks:
        axis = axes[position]
        assert isinstance(axis, Affine)
        # scale * index == sum over the labels, each expressed by the index of its defining axis.
        scale = math.lcm(*(abs(axes[defining[label]].parts[0][1]) for label, _ in axis.parts))  # type: ignore[union-attr]
        right: Any = None
        shift = scale * (axis.offset - ranges[position][0])
        for label, stride in axis.parts:
            other = axes[defining[label]]
            assert isinstance(other, Affine)
            factor = scale * stride // other.parts[0][1]
            index = lax.broadcasted_iota(np.int32, shape, defining[label])
            scaled = index if factor == 1 else lax.mul(index, np.int32(factor))
            right = scaled if right is None else lax.add(right, scaled)
            shift += factor * (ranges[defining[label]][0] - other.offset)
        left = lax.broadcasted_iota(np.int32, shape, position)
        left = left if scale == 1 else lax.mul(left, np.int32(scale))
        equal = lax.eq(left, lax.add(right, np.int32(shift)) if shift else right)
        wanted = equal if wanted is None else lax.bitwise_and(wanted, equal)
    return lax.select(wanted, array, jnp.zeros(shape, dtype))


def _scatter(values: Sequence[Value], terms: Sequence[Term], dtype: Any, ranges: Ranges) -> Any:
    shape = tuple(stop - start for start, stop in ranges)
    size = math.prod(shape)
    starts = np.array([start for start, _ in ranges], dtype=np.int64)[:, None]
    columns = np.concatenate([positions(term) for term in terms], axis=1) - starts
    flat = np.ravel_multi_index(tuple(columns), shape)
    data = jnp.concatenate([jnp.ravel(as_array_over_labels(v, t, dtype)) for v, t in zip(values, terms, strict=True)])
    index_dtype = np.int32 if size < 2**31 else np.int64
    unique = np.unique(flat).size == flat.size
    result = jnp.zeros((size,), dtype).at[flat.astype(index_dtype)]
    updated = (
        result.set(data, unique_indices=True, mode="promise_in_bounds")
        if unique
        else result.add(data, mode="promise_in_bounds")
    )
    return updated.reshape(shape)
