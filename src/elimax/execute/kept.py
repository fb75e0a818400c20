"""Blocks of a local Jacobian that are kept between forward and backward pass, and their products with tangents.

What is known at trace time is not stored. A block is stored as its terms where these are few and small; as a dense
array where it is full, or small; as its entries side by side otherwise. Small arrays are stored together, because in
the body of a loop each array is one more to be written and read at each turn.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax.structure.algebra import as_terms
from elimax.structure.arrays import PRECISION, Masked, Value, as_array, as_array_over_labels, reindex, spread
from elimax.structure.dense import dense
from elimax.structure.positions import dense_term, positions
from elimax.structure.relation import labels_of
from elimax.structure.sparse import coordinates, num_coordinates, static_indices
from elimax.structure.term import Affine, AxisMap, IndexTable, Kind, Structure, Table, Term
from elimax.structure.values import OperatorValue, Values, dense_operator

FEW_TERMS, LONG = (4, 16), 8
"""Up to so many terms of a block are stored as such; the larger number where they have `LONG` elements on average."""

FULL = 0.25
"""A block of many terms with at least this share of entries is stored with its zeros."""

SMALL = 64
"""A block of many terms with up to this many elements is stored with its zeros."""

TOGETHER = 4096
"""Arrays with up to this many elements are stored together."""

SUMMED = 256
"""Larger contractions are products of matrices; smaller ones fuse with what surrounds them."""


@dataclasses.dataclass(frozen=True, eq=False)
class Kept:
    """A block ``output_D_input`` that is kept.

    Attributes:
      output: number of the result.
      input: number of the argument.
      terms: its terms.
      known: for each term its value if it is known at trace time; None if it is stored.
    """

    output: int
    input: int
    terms: tuple[Term, ...]
    known: tuple[Value | None, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """How all blocks of a local Jacobian are stored.

    Attributes:
      blocks: the blocks.
      places: for each stored value, in the order of blocks and terms, the array that holds it and the place where it
        starts there; the place is None for an array that holds nothing else.
      outputs: shape and dtype of each result.
    """

    blocks: tuple[Kept, ...]
    places: tuple[tuple[int, int | None], ...]
    outputs: tuple[jax.ShapeDtypeStruct, ...]


def keep_block(
    output: int, argument: int, structure: Structure, values: Values, shapes: tuple[tuple[int, ...], ...], dtype: Any
) -> tuple[Kept, list[Any]] | None:
    """Choose how a block is stored.

    Args:
      output: number of the result.
      argument: number of the argument.
      structure: of the block.
      values: of the block.
      shapes: shape of the result and of the argument.
      dtype: of the result.

    Returns:
      The block and its stored values, or None where it is zero.
    """
    terms = as_terms(structure)
    if isinstance(values, OperatorValue):
        values = dense_operator(values, structure)  # type: ignore[arg-type]
    if not terms or 0 in (*shapes[0], *shapes[1]):
        return None
    values = tuple(
        as_array(v, t.value_shape, dtype) if isinstance(v, Masked) else v for v, t in zip(values, terms, strict=True)
    )
    stored = [t for v, t in zip(values, terms, strict=True) if not is_known(v)]
    elements = sum(math.prod(t.value_shape) for t in stored)
    few = FEW_TERMS[elements >= LONG * len(stored)]
    if len(stored) > few or elements > math.prod((*shapes[0], *shapes[1])):
        terms, values = _rewritten(terms, values, shapes, dtype)
    known = tuple(v if is_known(v) else None for v in values)
    return Kept(output, argument, terms, known), [v for v in values if not is_known(v)]


def is_known(value: Any) -> bool:
    """Whether a value is a unit or an array known at trace time."""
    return isinstance(value, int | np.ndarray | np.generic)


def _rewritten(
    terms: tuple[Term, ...], values: Sequence[Value], shapes: tuple[tuple[int, ...], ...], dtype: Any
) -> tuple[tuple[Term, ...], tuple[Value, ...]]:
    """A block of many terms as one: dense, or with a table of its places."""
    axes = [*shapes[0], *shapes[1]]
    rank, size = len(axes), math.prod(axes)
    entries = num_coordinates(terms, rank)
    ranges = [(0, n) for n in axes]
    if size <= SMALL or entries >= FULL * size:
        term = dense_term(ranges[: len(shapes[0])], ranges[len(shapes[0]) :])
        return (term,), (jnp.asarray(dense(values, terms, dtype, ranges)).reshape(term.value_shape),)
    _, data = coordinates(values, terms, dtype, rank)
    index = static_indices(terms, rank)
    maps: list[AxisMap] = []
    for column in index.T:
        maps.append(Affine(int(column[0])) if (column == column[0]).all() else Table(0, IndexTable(column)))
    return (Term((entries,), tuple(maps[: len(shapes[0])]), tuple(maps[len(shapes[0]) :]), (0,), Kind.VARIABLE),), (
        data,
    )


def pack(stored: Sequence[Any]) -> tuple[list[Any], tuple[tuple[int, int | None], ...]]:
    """Put small arrays of one dtype into one.

    Returns:
      The arrays, and the place of each given one, see `Layout`.
    """
    small: dict[Any, list[int]] = {}
    for k, x in enumerate(stored):
        if x.size <= TOGETHER:
            small.setdefault(x.dtype, []).append(k)
    arrays: list[Any] = []
    places: list[tuple[int, int | None]] = [(0, None)] * len(stored)
    for members in small.values():
        if len(members) == 1:
            continue
        start = 0
        for k in members:
            places[k] = (len(arrays), start)
            start += stored[k].size
        arrays.append(jnp.concatenate([jnp.ravel(stored[k]) for k in members]))
    together = {k for members in small.values() if len(members) > 1 for k in members}
    for k, x in enumerate(stored):
        if k not in together:
            places[k] = (len(arrays), None)
            arrays.append(x)
    return arrays, tuple(places)


def push(layout: Layout, arrays: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    """Tangents of the results, linear in those of the arguments.

    Args:
      layout: of the blocks.
      arrays: what is stored of them.
      tangents: of the arguments by number; None for zero.

    Returns:
      The tangent of each result; None where it is zero.
    """
    places = iter(layout.places)
    totals: list[Any] = [None] * len(layout.outputs)
    for block in layout.blocks:
        out = layout.outputs[block.output]
        for term, value in zip(block.terms, block.known, strict=True):
            if value is None:
                number, start = next(places)
                value = arrays[number]
                if start is not None:
                    value = lax.slice(value, [start], [start + math.prod(term.value_shape)])
                value = value.reshape(term.value_shape)
            if tangents[block.input] is None:
                continue
            tangent = lax.convert_element_type(tangents[block.input], out.dtype)
            part = push_term(term, value, tangent, out.shape)
            old = totals[block.output]
            totals[block.output] = part if old is None else lax.add(old, part)
    return totals


def push_term(term: Term, value: Value, tangent: Any, out_shape: tuple[int, ...]) -> Any:
    """The product of a term with a tangent, an array of the shape of the result."""
    if not _writes_plainly(term):
        return _push_table(term, value, tangent, out_shape)
    rows = {label for axis in term.out_axes for label in labels_of(axis)}
    seen, seen_labels = reindex(tangent, term.in_axes, term.sizes)
    own_labels = () if isinstance(value, int) else term.value_labels
    union = tuple(sorted({*seen_labels, *own_labels}))
    result = tuple(label for label in union if label in rows)
    summed = [label for label in union if label not in rows]
    if isinstance(value, int):
        product = seen if value == 1 else lax.neg(seen)
        product = lax.reduce_sum(product, [union.index(k) for k in summed]) if summed else product
    elif summed and math.prod(term.sizes[k] for k in union) > SUMMED and set(summed) <= {*seen_labels} & {*own_labels}:
        product = _contract(jnp.asarray(value, tangent.dtype), own_labels, seen, seen_labels, result)
    else:
        value = jnp.asarray(value, tangent.dtype)
        product = spread(value, own_labels, union) * spread(seen, seen_labels, union)
        product = lax.reduce_sum(product, [union.index(k) for k in summed]) if summed else product
    return _placed(product, result, term, out_shape)


def _push_table(term: Term, value: Value, tangent: Any, out_shape: tuple[int, ...]) -> Any:
    """The same entry by entry."""
    places = positions(term)
    rows, columns = places[: len(out_shape)], places[len(out_shape) :]
    product = _take(jnp.ravel(tangent), _flat(columns, tangent.shape))
    if not isinstance(value, int):
        product = product * jnp.ravel(as_array_over_labels(value, term, tangent.dtype))
    elif value < 0:
        product = lax.neg(product)
    return _add_up(product, _flat(rows, out_shape), math.prod(out_shape)).reshape(out_shape)


def _flat(places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Places in an array, int [axes, entries], as places in the flat array."""
    if not shape:
        return np.zeros(places.shape[1:], np.int32)
    return np.asarray(np.ravel_multi_index(tuple(places), shape), np.int32)


def _take(flat: Any, places: np.ndarray) -> Any:
    """Elements of a vector by one operation, so that nothing computed from places is kept."""
    numbers = lax.GatherDimensionNumbers(offset_dims=(), collapsed_slice_dims=(0,), start_index_map=(0,))
    return lax.gather(flat, places[:, None], numbers, (1,), mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS)


def _add_up(product: Any, places: np.ndarray, size: int) -> Any:
    """A vector of sums of what falls on each place.

    The zeros to add to are made from what is added, which keeps reverse mode from storing them.
    """
    zeros = lax.pad(lax.slice(product, [0], [0]), np.zeros((), product.dtype), [(size, 0, 0)])
    numbers = lax.ScatterDimensionNumbers(
        update_window_dims=(), inserted_window_dims=(0,), scatter_dims_to_operand_dims=(0,)
    )
    return lax.scatter_add(
        zeros,
        places[:, None],
        product,
        numbers,
        indices_are_sorted=bool((np.diff(places) >= 0).all()),
        unique_indices=np.unique(places).size == places.size,
        mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS,
    )


def _contract(a: Any, a_labels: Sequence[int], b: Any, b_labels: Sequence[int], result: Sequence[int]) -> Any:
    shared = [k for k in a_labels if k in b_labels]
    batch, summed = [k for k in shared if k in result], [k for k in shared if k not in result]
    dims = (
        ([a_labels.index(k) for k in summed], [b_labels.index(k) for k in summed]),
        ([a_labels.index(k) for k in batch], [b_labels.index(k) for k in batch]),
    )
    product = lax.dot_general(a, b, dims, precision=PRECISION)
    labels = [*batch, *(k for k in a_labels if k not in shared), *(k for k in b_labels if k not in shared)]
    return lax.transpose(product, [labels.index(k) for k in result])


def _placed(product: Any, labels: tuple[int, ...], term: Term, out_shape: tuple[int, ...]) -> Any:
    """An array over labels, written to where the out axes of a term say.

    Zeros are made by padding, with a literal: an array of zeros would be one more to keep.
    """
    order: list[int] = []
    padding = []
    for axis, size in zip(term.out_axes, out_shape, strict=True):
        assert isinstance(axis, Affine)
        count, stride = 1, 1
        for label, step in axis.parts:
            order.append(label)
            count, stride = term.sizes[label], step
        padding.append((axis.offset, size - 1 - axis.offset - stride * (count - 1), stride - 1))
    product = jnp.broadcast_to(spread(product, labels, sorted(order)), tuple(term.sizes[k] for k in sorted(order)))
    product = lax.transpose(product, [sorted(order).index(k) for k in order])
    counts = [1 + (n - 1 - low - high) // (step + 1) for n, (low, high, step) in zip(out_shape, padding, strict=True)]
    product = product.reshape(counts)
    if all(edges == (0, 0, 0) for edges in padding):
        return product
    return lax.pad(product, np.zeros((), product.dtype), padding)


def _writes_plainly(term: Term) -> bool:
    """Whether each out axis runs along at most one label, upwards, and no label twice."""
    labels = [label for axis in term.out_axes for label in labels_of(axis)]
    if len(set(labels)) < len(labels) or any(isinstance(axis, Table) for axis in (*term.out_axes, *term.in_axes)):
        return False
    return all(
        isinstance(axis, Affine) and len(axis.parts) < 2 and all(s > 0 for _, s in axis.parts) for axis in term.out_axes
    )
