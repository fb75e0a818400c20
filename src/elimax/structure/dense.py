"""Writing a block out: as a dense array over a box of indices, or as coordinates.

A small box of single entries is one row of lanes (`dense_lanes`). Rows that take turns are folded (`dense_folded`).
A box that is diagonal along a pair of axes is made for its diagonal alone (`dense_diagonal`). A box that falls apart
along an axis is put together from its parts. What is left is written in one of three ways: term by term, padded or
selected into place (`dense_place`); row by row, a select for each entry of a row (`dense_rows`); or scattered
(`dense_scatter`). Their cost is compared below; where the best way depends on the batch, both are staged, and the
choice falls where the batch is known.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from elimax.structure.arrays import Value, as_array
from elimax.structure.dense_cells import cells
from elimax.structure.dense_diagonal import diagonal_axes, spread_out, without
from elimax.structure.dense_folded import fold
from elimax.structure.dense_lanes import lanes
from elimax.structure.dense_place import needs_mask, place, placeable
from elimax.structure.dense_rows import in_runs, plan_rows, write_rows
from elimax.structure.dense_scatter import coordinates, readable, scatter
from elimax.structure.dense_staged import Way, staged
from elimax.structure.positions import term_ranges
from elimax.structure.term import Term

__all__ = ["coordinates", "dense"]

Ranges = Sequence[tuple[int, int]]

_SCATTER_COST = 15
"""Time of one scattered entry in units of one streamed entry, where nothing is batched."""

_BATCHED_SCATTER_COST = 64
"""Time of one scattered entry in units of one select, in a batch."""

_STREAMED, _STREAMED_SCATTER_COST = 8192, 128
"""Entries of a box whose batch leaves the caches, and that time there, where memory takes longer than selects."""

_BATCH, _BATCHED = 16, 16384
"""Size of a batch, and entries of all its boxes, from which time is spent on entries and no longer on kernels."""

_SELECTS_AT_ONCE = 256
"""Selects that are cheap at any batch: XLA runs so small a program in the thread of its caller, and counts no scatter
among the operations that make it larger."""


_LARGE = 1 << 18
"""Elements of a box whose parts cost more to put together than what else is saved by writing them apart."""

_DISPATCH = 20000
"""Time of handing a program to another thread, in units of one streamed entry."""


def dense(values: Sequence[Value], terms: Sequence[Term], dtype: Any, ranges: Ranges, inner: bool = False) -> Any:
    """A block as an array.

    Args:
      values: value of each term.
      terms: the terms.
      dtype: dtype of the result.
      ranges: half-open index range per axis, out axes first; it must hold every term.
      inner: whether the array is a part of a larger block.

    Returns:
      Array of shape [stop - start for each range].
    """
    shape = tuple(stop - start for start, stop in ranges)
    if not terms or 0 in shape:
        return jnp.zeros(shape, dtype)
    if all(not term.sizes for term in terms) and math.prod(shape) <= max(64, 4 * len(terms)):
        return cells(values, terms, dtype, ranges, inner)
    folded = fold(terms, ranges)
    if folded is not None:
        return dense(values, folded[0], dtype, folded[1], inner).reshape(shape)
    axes = diagonal_axes(terms, ranges)
    if axes is not None:
        p, q = axes
        own = [without(term, q) for term in terms]
        return spread_out(dense(values, own, dtype, [*ranges[:q], *ranges[q + 1 :]], inner=True), p, q)
    pieces = _split(terms, ranges)
    if pieces is not None and _is_empty(terms, shape):
        arrays = [as_array(value, term.value_shape, dtype) for value, term in zip(values, terms, strict=True)]
        return scatter(arrays, terms, dtype, ranges)
    if pieces is not None:
        axis, intervals = pieces
        arrays = []
        for start, stop, members in intervals:
            box = [*ranges[:axis], (start, stop), *ranges[axis + 1 :]]
            own = [values[m] for m in members], [terms[m] for m in members]
            arrays.append(dense(*own, dtype, box, inner=True) if members or axis < len(shape) - 1 else stop - start)
        return lanes(arrays, shape, dtype) if axis == len(shape) - 1 else lax.concatenate(arrays, axis)
    small, wide = _ways(tuple(terms), tuple(ranges))
    arrays = [as_array(value, term.value_shape, dtype) for value, term in zip(values, terms, strict=True)]
    if small is wide:
        return small(arrays, dtype)

    def is_wide(batch: int) -> bool:
        return batch >= _BATCH and batch * math.prod(shape) >= _BATCHED

    return staged(small, wide, is_wide, arrays, dtype)


def _is_empty(terms: Sequence[Term], shape: Sequence[int]) -> bool:
    """Whether a box is so large and so empty that filling it with zeros is most of the work, and is to be done once."""
    return math.prod(shape) >= max(_LARGE, _BATCHED_SCATTER_COST * sum(term.num_entries for term in terms))


@functools.lru_cache(maxsize=512)
def _ways(terms: tuple[Term, ...], ranges: tuple[tuple[int, int], ...]) -> tuple[Way, Way]:
    """The ways to write a box: one for a single box, one for a large batch of them."""
    size = math.prod(stop - start for start, stop in ranges)
    entries = sum(term.num_entries for term in terms)
    count = len(terms)

    def by_place(arrays: Sequence[Any], dtype: Any) -> Any:
        return place(arrays, terms, dtype, ranges)

    def by_scatter(arrays: Sequence[Any], dtype: Any) -> Any:
        return scatter(arrays, terms, dtype, ranges)

    can_place = all(placeable(term) for term in terms)
    if can_place and not any(needs_mask(term) for term in terms) and count * size <= size + _SCATTER_COST * entries:
        return by_place, by_place
    if can_place and count * size <= _SELECTS_AT_ONCE:
        return by_place, by_place
    small: Way = by_scatter
    if can_place and count * size + _DISPATCH <= size + _SCATTER_COST * entries:
        small = by_place
    bound = (_BATCHED_SCATTER_COST if size < _STREAMED else _STREAMED_SCATTER_COST) * entries
    if size > bound:
        return small, small
    rows = plan_rows(terms, ranges, len(terms[0].out_axes))
    gathered = rows is None or not in_runs(rows, [term.num_entries for term in terms])
    if gathered and small is by_scatter and readable(terms, ranges):
        return small, small
    if rows is not None and rows.num_selects < (count if can_place else math.inf):

        def by_rows(arrays: Sequence[Any], dtype: Any) -> Any:
            return write_rows(rows, arrays, terms, dtype, ranges)

        return small, by_rows if rows.num_selects * size <= bound else small
    return small, by_place if can_place and count * size <= bound else small


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
