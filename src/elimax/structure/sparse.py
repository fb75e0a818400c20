"""Blocks as sorted, unique coordinates.

Where rows are regular (`rowwise`), values are put side by side row by row and indices are counted, both without a
table; elsewhere entries are gathered through one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax.structure.arranged import arranged
from elimax.structure.arrays import Masked, Value, as_array, as_array_over_labels, cast
from elimax.structure.dense import dense
from elimax.structure.dense_lanes import rows_of
from elimax.structure.dense_staged import staged
from elimax.structure.positions import dense_term, hull, positions, term_ranges
from elimax.structure.rowwise import Box, Member, Rowwise, Tree, rowwise
from elimax.structure.term import Affine, Table, Term
from elimax.structure.windows import Offset, needs_windows, nested, windowed

_MOST_WRITTEN, _MOST_WRITTEN_APART = 1 << 18, 1 << 23
"""Up to so many indices are a constant, which is copied in less time than it takes to count; the larger number where
boxes are put together, which takes several passes."""

_MOST_RUNS = 64
"""Up to this many pieces of a row are put side by side; more are gathered by their number within the row."""


def coordinates(values: Sequence[Value], terms: Sequence[Term], dtype: Any, rank: int) -> tuple[Any, Any]:
    """A block as coordinates.

    Args:
      values: value of each term.
      terms: the terms.
      dtype: of the values.
      rank: number of axes of the block.

    Returns:
      Indices, int32 [entries, rank], sorted and unique, which do not depend on values, and the values [entries].
    """
    found, box = _regular(tuple(terms)) if terms and rank else (None, None)
    if found is None:
        return _by_table(values, terms, dtype, rank)
    apart = nested(found.tree)
    small = found.num_entries * rank <= (_MOST_WRITTEN_APART if apart else _MOST_WRITTEN)
    index = _known(known_indices(found)) if small else indices(found)
    if box is not None:
        return index, dense(values, terms, dtype, box).reshape(found.num_entries)
    return index, data_of(found, values, terms, dtype)


def static_indices(terms: Sequence[Term], rank: int) -> np.ndarray:
    """The indices of `coordinates` as a NumPy array int32 [entries, rank]."""
    if not terms or not rank:
        return np.zeros((1 if terms else 0, rank), np.int32)
    found, _ = _regular(tuple(terms))
    if found is None:
        return np.ascontiguousarray(_sorted(tuple(terms))[0].T)
    return known_indices(found)


def num_coordinates(terms: Sequence[Term], rank: int) -> int:
    """The number of entries of `coordinates`."""
    if not terms or not rank:
        return int(bool(terms))
    found, _ = _regular(tuple(terms))
    return _sorted(tuple(terms))[0].shape[1] if found is None else found.num_entries


@functools.lru_cache(maxsize=256)
def _regular(terms: tuple[Term, ...]) -> tuple[Rowwise | None, list[tuple[int, int]] | None]:
    """The sorted coordinates of a block where they are regular, and the box that they fill where it is written as such.

    A block that has a dense term beside others is a box, whatever the others are.
    """
    found = rowwise(terms)
    if found is not None:
        return found, None
    outs, ins = hull(terms, "out"), hull(terms, "in")
    box = [*outs, *ins]
    if not any(_fills(term, box) for term in terms):
        return None, None
    return rowwise((dense_term(outs, ins),)), box


def _fills(term: Term, box: Sequence[tuple[int, int]]) -> bool:
    """Whether a term has an entry at every position of a box."""
    axes = (*term.out_axes, *term.in_axes)
    if term_ranges(term) != tuple(box) or any(isinstance(axis, Table) for axis in axes):
        return False
    parts = [sorted((abs(stride), label) for label, stride in axis.parts) for axis in axes if isinstance(axis, Affine)]
    labels = [label for own in parts for _, label in own]
    if len(set(labels)) < len(labels):
        return False
    for own in parts:
        reach = 1
        for stride, label in own:
            if stride > reach:
                return False
            reach = stride * term.sizes[label]
    return True


@functools.partial(jax.jit, static_argnums=0)
def indices(found: Rowwise) -> Any:
    """Indices int32 [entries, axes] of sorted coordinates."""
    if found.num_entries == 0:
        return jnp.zeros((0, found.num_axes), np.int32)
    return _joined(found.tree, _box_indices).reshape(found.num_entries, found.num_axes)


def known_indices(found: Rowwise) -> np.ndarray:
    """The same as a NumPy array, without a program that has to be compiled."""
    if found.num_entries == 0:
        return np.zeros((0, found.num_axes), np.int32)
    whole = _joined(found.tree, _known_box_indices, concatenate=np.concatenate)
    return whole.reshape(found.num_entries, found.num_axes)


def data_of(found: Rowwise, values: Sequence[Value], terms: Sequence[Term], dtype: Any) -> Any:
    """Values [entries] of sorted coordinates."""
    arrays = [_traced(value, term, dtype) for value, term in zip(values, terms, strict=True)]

    def part(tree: Tree, arrays: Sequence[Any], offset: Offset) -> Any:
        def of_box(box: Box) -> Any:
            return _box_values(box, arrays, terms, dtype, offset)

        def side_by_side(boxes: Sequence[Box]) -> Any:
            sizes = boxes[0].sizes[:-1]
            pieces = [piece for box in boxes for piece in _box_pieces(box, arrays, terms, dtype, offset)]
            flat = [piece.reshape(*sizes, piece.shape[-1]) for piece in pieces]
            return rows_of(flat, (*sizes, sum(piece.shape[-1] for piece in flat)), dtype, _turn(offset))

        return _joined(tree, of_box, side_by_side)

    def at_once(arrays: Sequence[Any], _: Any) -> Any:
        return part(found.tree, arrays, None).reshape(found.num_entries)

    def in_windows(arrays: Sequence[Any], _: Any) -> Any:
        return windowed(found.tree, lambda tree, offset: part(tree, arrays, offset), dtype)

    if not needs_windows(found.tree):
        return at_once(arrays, dtype)
    return staged(at_once, in_windows, lambda batch: batch == 1, arrays, dtype, platform="cpu")


def _joined(
    tree: Tree,
    of_box: Callable[[Box], Any],
    side_by_side: Callable[[Sequence[Box]], Any] | None = None,
    concatenate: Callable[[Sequence[Any], int], Any] = lax.concatenate,
) -> Any:
    """The boxes of a tree, each an array [digits..., width], put together; each level takes one digit away.

    Single rows that follow each other are put together by ``side_by_side``, if there is such a way.
    """
    if isinstance(tree, Box):
        return of_box(tree)
    rows = [child for child in tree if isinstance(child, Box) and child.sizes[-1] == 1]
    if side_by_side is not None and 1 < len(rows) == len(tree) and sum(row.width for row in rows) <= _MOST_RUNS:
        return side_by_side(rows)
    parts = [_joined(child, of_box, side_by_side, concatenate) for child in tree]
    parts = [part.reshape(*part.shape[:-2], part.shape[-2] * part.shape[-1]) for part in parts]
    return parts[0] if len(parts) == 1 else concatenate(parts, parts[0].ndim - 1)


def _known_box_indices(box: Box) -> np.ndarray:
    """`_box_indices` in NumPy."""
    places, axes, _ = box.slope.shape
    digits = (*box.sizes, *box.inner)
    result = np.empty((*digits, places, axes), np.int32)
    result[...] = box.base
    for d, size in enumerate(digits):
        step = box.slope[:, :, d].astype(np.int32)
        if size > 1 and step.any():
            count = np.arange(size, dtype=np.int32)[:, None, None] * step
            result += count.reshape(size, *[1] * (len(digits) - 1 - d), places, axes)
    return result.reshape(*box.sizes, -1)


def _box_indices(box: Box) -> Any:
    """Indices of a box, flat within a row: [digits..., width * axes]."""
    places, axes, _ = box.slope.shape
    shape = (*box.sizes, *box.inner, places)

    def spread(numbers: np.ndarray) -> Any:
        numbers = numbers.astype(np.int32)
        if (numbers == numbers[0]).all():  # a number in the code of the loop instead of an array that it reads
            return lax.full(shape, numbers[0])
        return lax.broadcast_in_dim(jnp.asarray(numbers), shape, (len(shape) - 1,))

    columns = []
    for a in range(axes):
        total = spread(box.base[:, a])
        for d, size in enumerate((*box.sizes, *box.inner)):
            step = box.slope[:, a, d]
            if size > 1 and step.any():
                count = lax.broadcasted_iota(np.int32, shape, d)
                total = total + (count if (step == 1).all() else spread(step) * count)
        columns.append(lax.expand_dims(total, [len(shape)]))
    joined = lax.concatenate(columns, len(shape)) if axes > 1 else columns[0]
    return jnp.reshape(joined, (*box.sizes, math.prod(box.inner) * places * axes))


def _traced(value: Value, term: Term, dtype: Any) -> Any:
    """A value as an array over the labels it depends on; a scalar where all of its entries are one number."""
    if isinstance(value, Masked):
        return as_array(value, term.value_shape, dtype)
    if isinstance(value, int):
        return np.asarray(value, dtype)
    value = cast(value, dtype)
    if isinstance(value, np.ndarray) and value.size and (value == value.flat[0]).all():
        return np.asarray(value.flat[0], dtype)
    return value


def _box_values(box: Box, arrays: Sequence[Any], terms: Sequence[Term], dtype: Any, offset: Offset) -> Any:
    """Values of a box: [digits..., width]; ``offset`` moves it along a digit."""
    pieces = _box_pieces(box, arrays, terms, dtype, offset)
    return pieces[0] if len(pieces) == 1 else rows_of(pieces, (*box.sizes, box.width), dtype, _turn(offset))


def _turn(offset: Offset) -> Any:
    """What differs from one window to the next; None outside of windows."""
    return None if offset is None else offset[1]


def _box_pieces(box: Box, arrays: Sequence[Any], terms: Sequence[Term], dtype: Any, offset: Offset) -> list[Any]:
    """The same in pieces along the last axis."""
    pieces = [
        _member_values(box, member, arrays[member.number], terms[member.number], offset) for member in box.members
    ]
    if box.inner or (len(pieces) == 1 and np.array_equal(box.order, np.arange(box.order.size)) and not _adds(box)):
        return pieces
    bounds = np.cumsum([0, *(member.width for member in box.members)])
    runs = _runs(box.order, bounds)
    if _adds(box):
        return [_summed(box, pieces, bounds, dtype, _turn(offset))]
    if len(runs) > _MOST_RUNS:
        return [jnp.take(lax.concatenate(pieces, len(box.sizes)), box.order, axis=-1, mode="clip")]
    return [lax.slice_in_dim(pieces[m], start, stop, axis=-1) for m, start, stop in runs]


def _adds(box: Box) -> bool:
    return int(box.group[-1]) + 1 < box.group.size


def _summed(box: Box, pieces: Sequence[Any], bounds: np.ndarray, dtype: Any, turn: Any) -> Any:
    """The same where several entries of a row fall on one place."""
    count = int(box.group[-1]) + 1
    if box.order.size > _MOST_RUNS:
        rows = jnp.moveaxis(lax.concatenate(pieces, len(box.sizes)), -1, 0)
        places = np.empty(box.order.size, np.int64)
        places[box.order] = box.group
        return jnp.moveaxis(jax.ops.segment_sum(rows, places, count), 0, -1)
    columns: list[Any] = [None] * count
    for number, place in zip(box.order, box.group, strict=True):
        m = int(np.searchsorted(bounds, number, side="right")) - 1
        own = lax.slice_in_dim(pieces[m], int(number - bounds[m]), int(number - bounds[m]) + 1, axis=-1)
        columns[place] = own if columns[place] is None else columns[place] + own
    return rows_of(columns, (*box.sizes, count), dtype, turn)


def _runs(order: np.ndarray, bounds: np.ndarray) -> list[tuple[int, int, int]]:
    """Cut an order of entries into runs ``(member, start, stop)`` of consecutive entries of one member."""
    member = np.searchsorted(bounds, order, side="right") - 1
    cuts = np.flatnonzero((np.diff(order) != 1) | (np.diff(member) != 0)) + 1
    firsts, lasts = [0, *cuts], [*cuts, order.size]
    return [
        (int(member[a]), int(order[a] - bounds[member[a]]), int(order[b - 1] - bounds[member[a]]) + 1)
        for a, b in zip(firsts, lasts, strict=True)
    ]


def _member_values(box: Box, member: Member, array: Any, term: Term, offset: Offset) -> Any:
    """Values of a term in a box: [digits..., width]; ``offset`` moves it along a digit."""
    inner = [part for part in member.parts if part.digit is None]
    shape = (*box.sizes, *(part.size for part in inner))
    flat = (*box.sizes, member.width)
    if array.ndim == 0:
        return lax.full(flat, array) if not isinstance(array, jax.Array) else jnp.broadcast_to(array, flat)
    own = [part for part in member.parts if part.label in term.value_labels]
    array = array.reshape([part.size for part in own])
    starts, stops, targets = [], [], []
    for part in own:
        low = 0 if part.digit is None else box.starts[part.digit] - part.start
        size = part.size if part.digit is None else box.sizes[part.digit]
        starts.append(low)
        stops.append(low + size)
        targets.append(len(box.sizes) + inner.index(part) if part.digit is None else part.digit)
    if offset is None:
        array = lax.slice(jnp.asarray(array), starts, stops)
    else:
        sizes = [stop - start for start, stop in zip(starts, stops, strict=True)]
        digit, by = offset
        moved = [start + by if part.digit == digit else start for start, part in zip(starts, own, strict=True)]
        array = lax.dynamic_slice(jnp.asarray(array), moved, sizes)
    turn = [int(k) for k in np.argsort(targets)]
    if turn != list(range(len(turn))):
        array = lax.transpose(array, turn)
    return lax.broadcast_in_dim(array, shape, sorted(targets)).reshape(flat)


def _by_table(values: Sequence[Value], terms: Sequence[Term], dtype: Any, rank: int) -> tuple[Any, Any]:
    """The same by a table of all entries."""
    if not terms:
        return jnp.zeros((0, rank), np.int32), jnp.zeros((0,), dtype)
    flats = [jnp.ravel(as_array_over_labels(v, t, dtype)) for v, t in zip(values, terms, strict=True)]
    if not rank:
        return jnp.zeros((1, 0), np.int32), jnp.concatenate(flats).sum(keepdims=True)
    unique, inverse = _sorted(tuple(terms))
    if unique.shape[1] == inverse.size:
        places = np.split(inverse, np.cumsum([flat.size for flat in flats])[:-1])
        data = arranged(flats, places, [term.sizes[0] if term.sizes else 1 for term in terms])
    else:
        data = jax.ops.segment_sum(jnp.concatenate(flats), inverse, unique.shape[1])
    return _known(unique.T), data


def _known(index: np.ndarray) -> Any:
    """Indices as an array whose values can be read while other things are traced."""
    if index.size > _MOST_WRITTEN:
        return jnp.asarray(index)
    with jax.ensure_compile_time_eval():
        return jnp.asarray(index)


@functools.lru_cache(maxsize=32)
def _sorted(terms: tuple[Term, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Distinct positions int32 [axes, places] in lexicographic order, and for each entry the number of its place."""
    columns = np.concatenate([positions(term) for term in terms], axis=1)
    sizes = columns.max(axis=1, initial=0) + 1
    if math.prod(map(int, sizes)) >= 2**63:
        unique, inverse = np.unique(columns, axis=1, return_inverse=True)
    else:
        keys, inverse = np.unique(np.ravel_multi_index(tuple(columns), tuple(sizes)), return_inverse=True)
        unique = np.stack(np.unravel_index(keys, tuple(sizes)))
    return unique.astype(np.int32), inverse.ravel()
