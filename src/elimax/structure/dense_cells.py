"""Single entries put together to a box, some rows at a time.

A loop over the cells of a group in which each cell selects its own entry: the compiler unrolls it, after which no
select is left, and computes what the entries share once. Groups are a kernel each when there are more than a few.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax.structure.arrays import Value, as_array, plus
from elimax.structure.dense_lanes import NUM_STACKED, SELECTS_AT_ONCE
from elimax.structure.dense_staged import staged
from elimax.structure.term import Affine, Term

_NUM_CELLS = 12
"""Cells of one group that are not known at trace time."""

_FEW_CELLS = 3
"""Rows with fewer cells are not kept together."""

_MOST_UNKNOWN = 15
"""Cells of one group of several rows that are not known at trace time."""

_UNROLLED = (4, 8, 16)
"""Cells of a group whose loop the compiler unrolls as a whole, for a moderate number of unknown ones."""

_LANES = 16
"""A box of a multiple of so many cells is vectorised without a rest."""

_FEW_UNKNOWN = 6
"""Unknown cells of such a box that are one group for several points."""

_SELECTS_OF_FEW = 200_000
"""Selects that cost less than to start more kernels than XLA runs one after the other."""

_INNER = 20
"""How many times as much they cost in a part of a larger array."""

_WIDTH = 64
"""Cells of one group."""

_WIDEST = 100
"""Cells of one group where that saves starting more kernels than XLA runs one after the other."""

_STACKED_AT_ONCE = 768
"""Cells that XLA stacks in the thread of its caller. Stacking is not counted as work; what is stacked may be."""


def cells(
    values: Sequence[Value], terms: Sequence[Term], dtype: Any, ranges: Sequence[tuple[int, int]], inner: bool = False
) -> Any:
    """A small box of single entries.

    Args:
      values: value of each term.
      terms: terms without labels.
      dtype: of the box.
      ranges: half-open index range per axis.
      inner: see `filled`.
    """
    shape = tuple(stop - start for start, stop in ranges)
    flat: list[Any] = [None] * math.prod(shape)
    for value, term in zip(values, terms, strict=True):
        index = tuple(
            axis.offset - start
            for axis, (start, _) in zip((*term.out_axes, *term.in_axes), ranges, strict=True)
            if isinstance(axis, Affine)
        )
        cell = int(np.ravel_multi_index(index, shape)) if shape else 0
        entry = as_array(value, (), dtype)
        flat[cell] = entry if flat[cell] is None else plus(flat[cell], entry)
    return filled(flat, dtype, shape[-1] if shape else 1, inner).reshape(shape)


def filled(flat: Sequence[Any], dtype: Any, width: int, inner: bool = False) -> Any:
    """A vector of single entries.

    Args:
      flat: the entries, scalars in ``dtype``; None for a zero.
      dtype: of the vector.
      width: number of neighbours that are likely to have much in common, as the entries of a row have.
      inner: whether the vector is a part of a larger array. Few groups are joined into one kernel with that array, in
        which nothing is computed ahead for a group as a whole, sines neither.
    """
    known = [entry is None or isinstance(entry, np.ndarray | np.generic) for entry in flat]
    base = np.array([entry if k and entry is not None else 0 for entry, k in zip(flat, known, strict=True)], dtype)
    if all(known):
        return jnp.asarray(base)
    if len(flat) == 1:
        return jnp.asarray(flat[0]).reshape((1,))
    unknown = [k for k, is_known in enumerate(known) if not is_known]
    given = [flat[k] for k in unknown]

    def by_selects(entries: Sequence[Any], _: Any) -> Any:
        return _selected_cells(dict(zip(unknown, entries, strict=True)), base, wide, width)

    def by_stacking(entries: Sequence[Any], _: Any) -> Any:
        found = dict(zip(unknown, entries, strict=True))
        return jnp.stack([jnp.asarray(found.get(k, base[k]), dtype) for k in range(base.size)])

    def is_tiny(batch: int) -> bool:
        return is_stacked(base.size, len(unknown), batch)

    wide = cuts(unknown, base.size, width, 1 if inner else _MOST_UNKNOWN)
    few = cuts(unknown, base.size, width, base.size)
    if len(few) <= NUM_STACKED < len(wide):
        selects = sum((stop - start) * sum(start <= k < stop for k in unknown) for start, stop in few)
        most = _SELECTS_OF_FEW // (_INNER if inner else 1)

        def by_few(entries: Sequence[Any], _: Any) -> Any:
            return _selected_cells(dict(zip(unknown, entries, strict=True)), base, few, width)

        return staged(by_few, by_selects, lambda batch: batch * selects > most, given, dtype)
    if len(wide) > 1 and base.size % _LANES == 0 and base.size <= _WIDTH and len(unknown) <= _FEW_UNKNOWN:

        def by_one(entries: Sequence[Any], _: Any) -> Any:
            return _selected_cells(dict(zip(unknown, entries, strict=True)), base, [(0, base.size)], width)

        return staged(by_selects, by_one, lambda batch: batch > 1, given, dtype)
    if base.size > _NUM_CELLS:
        return by_selects(given, dtype)
    return staged(by_selects, by_stacking, is_tiny, given, dtype)


def is_stacked(size: int, unknown: int, batch: int) -> bool:
    """Whether so many points of a vector of single entries are stacked, each entry by a kernel of its own.

    Args:
      size: of the vector.
      unknown: number of its entries that are not known at trace time.
      batch: number of points.
    """
    many = batch * size
    return size <= _NUM_CELLS and batch > 1 and many <= _STACKED_AT_ONCE and 2 * many * unknown > SELECTS_AT_ONCE


def _selected_cells(entries: Mapping[int, Any], base: np.ndarray, groups: Sequence[tuple[int, int]], width: int) -> Any:
    """Single entries by number in a vector that is known elsewhere, by the number of the cell, group by group.

    Groups of whole rows are joined as rows. As a vector that becomes rows afterwards, the place in the vector would be
    computed for each cell, and the group and the row from it.
    """
    parts = []
    for start, stop in groups:
        number = lax.iota(np.int32, stop - start)
        part = jnp.asarray(base[start:stop])
        for k, entry in entries.items():
            if start <= k < stop:
                part = lax.select(lax.eq(number, np.int32(k - start)), jnp.broadcast_to(entry, part.shape), part)
        parts.append(part)
    if len(parts) == 1:
        return parts[0]
    if all(start % width == 0 for start, _ in groups) and base.size % width == 0:
        parts = [part.reshape((-1, width)) for part in parts]
    return lax.concatenate(parts, 0).reshape(base.shape)


def cuts(unknown: Sequence[int], size: int, width: int, most: int = _MOST_UNKNOWN) -> list[tuple[int, int]]:
    """Consecutive groups of cells: some rows each where these are narrow, else with about as many unknown ones each.

    What the entries of a group share is computed once, all that is in it for each of its cells: XLA takes sines and
    cosines for cheap. A group has a kernel of its own; up to `NUM_STACKED` of them are run by the caller's thread.

    Args:
      unknown: numbers of the cells that are not known at trace time, ascending.
      size: number of cells.
      width: cells of a row.
      most: unknown cells of a group of several rows.
    """
    is_one = most < _FEW_CELLS or size in _UNROLLED
    if is_one and len(unknown) <= _NUM_CELLS and size <= _WIDTH:
        return [(0, size)]
    if _FEW_CELLS <= width <= _NUM_CELLS and size > width and size % width == 0:
        rows = size // width
        densest = max(Counter(k // width for k in unknown).values())
        together = min(-(-rows // NUM_STACKED), max(1, most // densest))
        return [(start, min(start + together * width, size)) for start in range(0, size, together * width)]
    count = max(-(-len(unknown) // _NUM_CELLS), -(-size // _WIDTH))
    at_once = -(-len(unknown) * size // SELECTS_AT_ONCE)
    count = max(count, at_once) if at_once <= NUM_STACKED else count
    if count > NUM_STACKED and len(unknown) <= NUM_STACKED * _NUM_CELLS and size <= NUM_STACKED * _WIDEST:
        count = NUM_STACKED
    starts = sorted({0, *(unknown[k * len(unknown) // count] for k in range(1, count))})
    return list(zip(starts, [*starts[1:], size], strict=True))
