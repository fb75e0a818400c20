"""Reading the entries of a Jacobian from compressed products, and writing its blocks from them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from elimax.execute.layout import write_block
from elimax.structure.canonical import make_term
from elimax.structure.colouring import Colouring, Pattern
from elimax.structure.term import AxisMap, IndexTable, Kind, Table


@dataclasses.dataclass(frozen=True, eq=False)
class Compression:
    """How a Jacobian is read from compressed products.

    Attributes:
      pattern: of the whole Jacobian, all results above each other and all arguments side by side.
      colouring: of that.
      mirrored: bool [K] whether an entry is read from a JVP where its mirror image stands; None where no entry is.
    """

    pattern: Pattern
    colouring: Colouring
    mirrored: np.ndarray | None = None


def entries(
    compressed: Compression, outputs: Sequence[Any], inputs: Sequence[Any], forward: Any, reverse: Any
) -> list[list[tuple[np.ndarray, np.ndarray, Any]]]:
    """For each block, rows and columns of its entries, sorted, and their values.

    Args:
      compressed: where they are read.
      outputs: results of the function.
      inputs: its arguments.
      forward: for each result, [colours, *shape] of the JVPs; None if there are none.
      reverse: for each argument, [colours, *shape] of the VJPs; None if there are none.
    """
    pattern, colouring = compressed.pattern, compressed.colouring
    whole = None if compressed.mirrored is None else _side_by_side(forward)
    row_bounds = np.cumsum([0, *(y.size for y in outputs)])
    column_bounds = np.cumsum([0, *(x.size for x in inputs)])
    result = []
    for i, y in enumerate(outputs):
        first, last = pattern.row_start[row_bounds[i]], pattern.row_start[row_bounds[i + 1]]
        columns = pattern.columns[first:last]
        line = []
        for j, x in enumerate(inputs):
            inside = first + np.flatnonzero((columns >= column_bounds[j]) & (columns < column_bounds[j + 1]))
            r = pattern.rows[inside].astype(np.int64) - row_bounds[i]
            c = pattern.columns[inside].astype(np.int64) - column_bounds[j]
            if whole is not None:
                line.append((r, c, _picked([whole], _places(compressed, inside), y.dtype)))
                continue
            by_row = colouring.by_row[inside]
            ahead = colouring.columns[pattern.columns[inside]] * np.int64(y.size) + r
            back = colouring.rows[pattern.rows[inside]] * np.int64(x.size) + c
            parts = []
            if not by_row.all():
                parts.append(jnp.ravel(forward[i]).astype(y.dtype))
                back = back + colouring.num_forward * y.size
            if by_row.any():
                parts.append(jnp.ravel(reverse[j]).astype(y.dtype))
            line.append((r, c, _picked(parts, np.where(by_row, back, ahead), y.dtype)))
        result.append(line)
    return result


def _side_by_side(forward: Sequence[Any]) -> Any:
    """Products of all results as one vector, that of each colour with all results in turn."""
    if len(forward) == 1:
        return jnp.ravel(forward[0])
    return jnp.ravel(jnp.concatenate([found.reshape(found.shape[0], -1) for found in forward], axis=1))


def _places(compressed: Compression, inside: np.ndarray) -> np.ndarray:
    """Where entries of a symmetric matrix stand in its products: in their own row, or in that of their mirror image."""
    pattern, colours = compressed.pattern, compressed.colouring.columns.astype(np.int64)
    row, column = pattern.rows[inside], pattern.columns[inside]
    own, image = (colours[b] * pattern.shape[0] + a for a, b in ((row, column), (column, row)))
    return np.where(compressed.mirrored[inside], image, own)  # type: ignore[index]


def _picked(parts: list[Any], where: np.ndarray, dtype: Any) -> Any:
    """Elements of the parts, joined, at known places."""
    if not where.size:
        return jnp.zeros((0,), dtype)
    flat = parts[0] if len(parts) == 1 else jnp.concatenate(parts)
    if where.size == flat.size and np.array_equal(where, np.arange(flat.size)):
        return flat
    index = where.astype(np.int32 if flat.size < 2**31 else np.int64)
    return flat.at[index].get(mode="promise_in_bounds")


def block(
    rows: np.ndarray,
    columns: np.ndarray,
    data: Any,
    out_shape: tuple[int, ...],
    in_shape: tuple[int, ...],
    dtype: Any,
    output: str,
) -> Any:
    """One block from its entries, which are sorted by row and column."""
    shape = (*out_shape, *in_shape)
    if not rows.size:
        return write_block((), (), out_shape, in_shape, dtype, output)
    index = [*_unravelled(rows, out_shape), *_unravelled(columns, in_shape)]
    if output == "bcoo":
        from jax.experimental.sparse import BCOO  # half a second to import, and most callers never need it

        places = np.stack(index, axis=1) if index else np.zeros((1, 0))
        return BCOO((data, jnp.asarray(places, np.int32)), shape=shape, indices_sorted=True, unique_indices=True)
    if rows.size == math.prod(shape):
        return data.reshape(shape)
    maps: list[AxisMap] = [Table(0, IndexTable(axis)) for axis in index]
    term, _ = make_term({0: rows.size}, maps[: len(out_shape)], maps[len(out_shape) :], [0], Kind.VARIABLE)
    return write_block((term,), (data.reshape(term.value_shape),), out_shape, in_shape, dtype, output)


def _unravelled(flat: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    return np.unravel_index(flat, shape) if shape else ()
