"""Arrays put together along the last axis, a few entries at a time.

XLA concatenates along the last axis by copying pieces of a few bytes, and gives every piece a kernel of its own when
there are more than about eight. Far cheaper is one loop over a short last axis that the compiler unrolls: each lane
selects its own piece by the number of the lane, and after unrolling no select is left. A chain of n selects takes n^2
steps where it is not unrolled, so wide axes are cut into groups of lanes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax.structure.dense_staged import staged

NUM_STACKED = 8
"""Up to this many columns may be stacked and transposed: one kernel too, and no arithmetic at all."""

NUM_LANES = 16
"""Columns of one group."""

SELECTS_AT_ONCE = 512
"""Selects that XLA runs in the thread of its caller; more groups have fewer of them."""


def rows_of(pieces: Sequence[Any], shape: tuple[int, ...], dtype: Any, turn: Any = None) -> Any:
    """`lanes` for sorted coordinates: rows that are far more than columns, without zeros among them.

    Selects pay as long as all columns are one group. The compiler does not unroll more than about eight of them, and
    then computes the columns, with the sines in them, for more lanes than their own.

    Args:
      pieces: as for `lanes`.
      shape: as for `lanes`.
      dtype: as for `lanes`.
      turn: as for `lanes`.
    """
    width = sum(piece.shape[-1] for piece in pieces)
    return lanes(pieces, shape, dtype, NUM_STACKED, stacked=width > NUM_STACKED, turn=turn)


def lanes(
    pieces: Sequence[Any],
    shape: tuple[int, ...],
    dtype: Any,
    at_once: int = NUM_LANES,
    stacked: bool = False,
    turn: Any = None,
) -> Any:
    """Concatenate along the last axis.

    Args:
      pieces: arrays that agree with ``shape`` but for the last axis; an int stands for that many columns of zeros.
      shape: of the result.
      dtype: of the result.
      at_once: columns of one group.
      stacked: whether groups are stacked and transposed wherever they are.
      turn: in the body of a loop, an integer that differs from turn to turn; see `_selected`.
    """
    parts: list[Any] = []
    columns: list[Any] = []

    def flush() -> None:
        count = -(-len(columns) // at_once)
        for k in range(count):
            group = columns[k * len(columns) // count : (k + 1) * len(columns) // count]
            parts.append(_group(group, shape[:-1], dtype, stacked, turn))
        columns.clear()

    for piece in pieces:
        width = piece if isinstance(piece, int) else piece.shape[-1]
        if isinstance(piece, int) and width < NUM_STACKED:
            columns.extend([None] * width)
        elif isinstance(piece, int):
            flush()
            parts.append(jnp.zeros((*shape[:-1], width), dtype))
        elif width == 1:
            columns.append(lax.reshape(piece, shape[:-1]))
        else:
            flush()
            parts.append(piece)
    flush()
    return lax.concatenate(parts, len(shape) - 1) if len(parts) > 1 else parts[0]


def _group(columns: Sequence[Any], shape: tuple[int, ...], dtype: Any, stacked: bool, turn: Any) -> Any:
    """Columns [*shape], None for zeros, side by side: [*shape, columns]."""
    count = len(columns)
    there = [k for k, column in enumerate(columns) if column is not None]
    if not there:
        return jnp.zeros((*shape, count), dtype)

    def by_selects(arrays: Sequence[Any], _: Any) -> Any:
        return _selected(dict(zip(there, arrays, strict=True)), count, shape, dtype)

    def by_stacking(arrays: Sequence[Any], _: Any) -> Any:
        return _stacked(dict(zip(there, arrays, strict=True)), count, shape, dtype)

    given = [columns[k] for k in there]
    if stacked:
        return by_stacking(given, dtype)
    if turn is not None and shape:
        return _selected(dict(zip(there, given, strict=True)), count, shape, dtype, turn)
    if not shape:
        return by_stacking(given, dtype) if count <= NUM_STACKED else by_selects(given, dtype)
    size = count * math.prod(shape)
    if count <= NUM_STACKED and size <= SELECTS_AT_ONCE < count * size:
        return staged(by_stacking, by_selects, lambda batch: batch > 1, given, dtype)
    return by_selects(given, dtype)


def _stacked(columns: Mapping[int, Any], count: int, shape: tuple[int, ...], dtype: Any) -> Any:
    """Columns by number, side by side, by concatenation."""
    rank = len(shape)
    full = [columns[k] if k in columns else jnp.zeros(shape, dtype) for k in range(count)]
    if not rank:
        return jnp.stack(full)
    stacked = lax.concatenate([lax.expand_dims(column, [rank - 1]) for column in full], rank - 1)
    return lax.transpose(stacked, [*range(rank - 1), rank, rank - 1])


def _selected(columns: Mapping[int, Any], count: int, shape: tuple[int, ...], dtype: Any, turn: Any = None) -> Any:
    """Columns by number, side by side, by the number of the lane.

    A column is broadcast over the lanes: that keeps XLA from computing what is expensive in it again for each lane.
    What is the same in all turns of a loop, XLA computes before the loop: then the selects read from arrays whose lane
    it is, and none falls away. So the lanes are counted from ``turn`` on.
    """
    lane = max(0, len(shape) - 1)
    full = (*shape[:lane], count, *shape[lane:])
    number = lax.broadcasted_iota(np.int32, full, lane)
    first: Any = np.int32(0)
    if turn is not None:
        first = lax.convert_element_type(turn, np.int32)
        number = number + first

    def spread(column: Any) -> Any:
        return lax.broadcast_in_dim(column, full, [k for k in range(len(full)) if k != lane])

    numbers = sorted(columns)
    last = columns[numbers.pop()] if len(columns) == count else None
    result = jnp.zeros(full, dtype) if last is None else spread(last)
    for k in numbers:
        result = lax.select(lax.eq(number, first + np.int32(k)), spread(columns[k]), result)
    return lax.transpose(result, [*range(lane), *range(lane + 1, len(full)), lane]) if shape else result
