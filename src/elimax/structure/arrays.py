"""Values of single terms, and their products.

The value of a term is one of

* an ``int``, +1 or -1, for a unit term,
* a NumPy array for a constant term, folded at trace time,
* a JAX array for a variable term,
* a `Masked` array: zero wherever its mask is False, whatever the other entries are.

A mask survives products, so the derivative of an untaken branch is selected away and never multiplied by zero: an
infinite or undefined partial on the untaken side cannot reach the result.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax.structure.recipes import TermProduct
from elimax.structure.relation import labels_of
from elimax.structure.term import AxisMap, Table, Term

PRECISION = lax.Precision.HIGHEST


@dataclasses.dataclass(frozen=True, slots=True)
class Masked:
    """Values that count only where ``mask`` is True; elsewhere the entry is zero.

    Attributes:
      mask: bool array of the term's value shape.
      value: +1, -1, or an array of the term's value shape.
    """

    mask: jax.Array
    value: Any


Value = Any


# -- single values ----------------------------------------------------------------------------------------------------


def as_array(value: Value, shape: tuple[int, ...], dtype: Any) -> Any:
    """A value as an array of the given shape and dtype; masks are resolved by selection."""
    if isinstance(value, Masked):
        inner = as_array(value.value, shape, dtype)
        return lax.select(jnp.broadcast_to(value.mask, shape), jnp.asarray(inner), jnp.zeros(shape, dtype))
    if isinstance(value, int):
        return np.full(shape, value, dtype)
    return broadcast(cast(value, dtype), shape)


def cast(value: Value, dtype: Any) -> Value:
    """A value in another dtype; units have none."""
    if isinstance(value, int):
        return value
    if isinstance(value, Masked):
        return Masked(value.mask, cast(value.value, dtype))
    if value.dtype == dtype:
        return value
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value).astype(dtype)
    return lax.convert_element_type(value, dtype)


def broadcast(value: Any, shape: tuple[int, ...]) -> Any:
    """Broadcast an array, as cheaply as its kind allows."""
    if tuple(value.shape) == tuple(shape):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return np.broadcast_to(value, shape)
    return jnp.broadcast_to(value, shape)


def plus(a: Any, b: Any) -> Any:
    """Sum of two arrays of equal rank whose axes of length 1 broadcast, folded if both are known."""
    return np.add(a, b) if _known(a) and _known(b) else lax.add(a, b)


def _known(value: Any) -> bool:
    """Whether a value is known at trace time."""
    return isinstance(value, np.ndarray | np.generic)


def negate(value: Value) -> Value:
    """Minus a value."""
    if isinstance(value, Masked):
        return Masked(value.mask, negate(value.value))
    if isinstance(value, int):
        return -value
    return np.negative(value) if isinstance(value, np.ndarray | np.generic) else lax.neg(value)


def reindex(value: Value, maps: Sequence[AxisMap], sizes: Sequence[int]) -> tuple[Value, tuple[int, ...]]:
    """Re-express a value array over new labels.

    Args:
      value: array with an axis per entry of ``maps``, or a unit.
      maps: index of each axis as a map over the new labels.
      sizes: sizes of the new labels.

    Returns:
      The array over the labels that occur, ascending, and those labels.
    """
    labels = tuple(sorted({label for axis in maps for label in labels_of(axis)}))
    if isinstance(value, int):
        return value, labels
    if isinstance(value, Masked):
        mask, _ = reindex(value.mask, maps, sizes)
        inner, _ = reindex(value.value, maps, sizes)
        return Masked(mask, inner), labels
    if not maps:
        return value, labels
    occurrences = [label for axis in maps for label in labels_of(axis)]
    if len(occurrences) != len(set(occurrences)):
        return _gather(value, maps, sizes, labels), labels
    box: list[tuple[int, int, int]] = []
    flips: list[int] = []
    shape: list[int] = []
    current: list[int] = []
    takes: list[tuple[int, np.ndarray]] = []
    for axis, index in enumerate(maps):
        length = value.shape[axis]
        if isinstance(index, Table):
            box.append((0, length, 1))
            takes.append((len(current), index.table.indices))
            shape.append(length)
            current.append(index.label)
            continue
        if not index.parts:
            box.append((index.offset, index.offset + 1, 1))
            continue
        if len(index.parts) == 1:
            ((label, stride),) = index.parts
            last = index.offset + stride * (sizes[label] - 1)
            box.append((min(index.offset, last), max(index.offset, last) + 1, abs(stride)))
            if stride < 0:
                flips.append(len(current))
            shape.append(sizes[label])
            current.append(label)
            continue
        digits = sorted(index.parts, key=lambda part: -part[1])
        box.append((0, length, 1))
        for label, stride in digits:
            if stride < 0:
                return _gather(value, maps, sizes, labels), labels
            shape.append(sizes[label])
            current.append(label)
        if (
            index.offset
            or int(np.prod([sizes[label] for label, _ in digits])) != length
            or not _full_digits(digits, sizes)
        ):
            return _gather(value, maps, sizes, labels), labels
    if isinstance(value, np.ndarray):
        result = value[tuple(slice(a, b, c) for a, b, c in box)].reshape(shape)
        for axis in flips:
            result = np.flip(result, axis)
        for axis, indices in takes:
            result = np.take(result, indices, axis)
        return np.transpose(result, np.argsort(current)), labels
    result = value
    if any((a, b, c) != (0, length, 1) for (a, b, c), length in zip(box, value.shape, strict=True)):
        result = lax.slice(result, *zip(*box, strict=True))
    if tuple(result.shape) != tuple(shape):
        result = lax.reshape(result, shape)
    if flips:
        result = lax.rev(result, flips)
    for axis, indices in takes:
        result = jnp.take(result, indices, axis=axis, mode="clip")
    order = [int(k) for k in np.argsort(current)]
    if order != list(range(len(order))):
        result = lax.transpose(result, order)
    return result, labels


def _full_digits(digits: list[tuple[int, int]], sizes: Sequence[int]) -> bool:
    place = 1
    for label, stride in reversed(digits):
        if stride != place:
            return False
        place *= sizes[label]
    return True


def _gather(value: Any, maps: Sequence[AxisMap], sizes: Sequence[int], labels: tuple[int, ...]) -> Any:
    index = []
    for axis in maps:
        grid = np.zeros((1,) * len(labels), dtype=np.int64)

        def along(label: int, values: np.ndarray) -> np.ndarray:
            return values.reshape([-1 if other == label else 1 for other in labels])

        if isinstance(axis, Table):
            grid = grid + along(axis.label, axis.table.indices)
        else:
            grid = grid + axis.offset
            for label, stride in axis.parts:
                grid = grid + along(label, stride * np.arange(sizes[label]))
        index.append(grid)
    shape = tuple(sizes[label] for label in labels)
    if isinstance(value, np.ndarray):
        return value[tuple(np.broadcast_to(grid, shape) for grid in index)]
    strides = np.cumprod([1, *value.shape[:0:-1]])[::-1]
    flat = np.broadcast_to(sum(int(s) * grid for s, grid in zip(strides, index, strict=True)), shape)
    return jnp.take(lax.reshape(value, (value.size,)), flat, mode="clip")


def spread(value: Any, labels: Sequence[int], target: Sequence[int]) -> Any:
    """Insert axes of length 1 so that a value over ``labels`` broadcasts against one over ``target``."""
    if tuple(labels) == tuple(target) or not target:
        return value
    shape = []
    axis = 0
    for label in target:
        if label in labels:
            shape.append(value.shape[axis])
            axis += 1
        else:
            shape.append(1)
    return value.reshape(shape) if isinstance(value, np.ndarray) else lax.reshape(value, shape)


def times(recipe: TermProduct, left: Value, right: Value, dtype: Any) -> Value:
    """Values of a product of two terms.

    Args:
      recipe: what to do.
      left: value of the term ``out <- mid``, in the dtype of ``out``.
      right: value of the term ``mid <- in``, in the dtype of ``mid``.
      dtype: dtype of ``out``.
    """
    right = cast(right, dtype)
    a, a_labels = reindex(left, recipe.left, recipe.sizes)
    b, b_labels = reindex(right, recipe.right, recipe.sizes)
    used = {*a_labels, *b_labels}
    result_labels = tuple(sorted(label for label in used if label < recipe.num_labels))
    contracted = [label for label in used if label >= recipe.num_labels]
    value = _multiply(a, a_labels, b, b_labels, result_labels, bool(contracted), recipe.sizes, dtype)
    if recipe.factor != 1:
        value = _scale(value, recipe.factor, dtype)
    if recipe.merge is not None:
        label, table = recipe.merge
        value = _merge(value, result_labels, label, table.indices, recipe.sizes, dtype)
    shape = recipe.term.value_shape
    if not isinstance(value, int | Masked) and tuple(value.shape) != shape:
        value = value.reshape(shape)
    return value


def _multiply(
    a: Value,
    a_labels: tuple[int, ...],
    b: Value,
    b_labels: tuple[int, ...],
    result: tuple[int, ...],
    contracts: bool,
    sizes: Sequence[int],
    dtype: Any,
) -> Value:
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    if isinstance(a, Masked) or isinstance(b, Masked):
        return _multiply_masked(a, a_labels, b, b_labels, result, contracts, sizes, dtype)
    if isinstance(a, int) or isinstance(b, int):
        sign, value, labels = (a, b, b_labels) if isinstance(a, int) else (b, a, a_labels)
        value = _sum_out(value, labels, result)
        return value if sign == 1 else negate(value)
    if not contracts:
        a, b = spread(a, a_labels, result), spread(b, b_labels, result)
        return np.multiply(a, b) if _known(a) and _known(b) else lax.mul(a, b)
    keep = set(result)
    a, a_labels = _sum_out(a, a_labels, keep | set(b_labels)), tuple(k for k in a_labels if k in keep or k in b_labels)
    b, b_labels = _sum_out(b, b_labels, keep | set(a_labels)), tuple(k for k in b_labels if k in keep or k in a_labels)
    if all(k in keep for k in (*a_labels, *b_labels)):
        return _multiply(a, a_labels, b, b_labels, result, False, sizes, dtype)
    shared = [k for k in a_labels if k in b_labels]
    batch = [k for k in shared if k in keep]
    summed = [k for k in shared if k not in keep]
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return np.einsum(a, list(a_labels), b, list(b_labels), list(result)).astype(dtype)
    dims = (
        ([a_labels.index(k) for k in summed], [b_labels.index(k) for k in summed]),
        ([a_labels.index(k) for k in batch], [b_labels.index(k) for k in batch]),
    )
    value = lax.dot_general(jnp.asarray(a), jnp.asarray(b), dims, precision=PRECISION)
    labels = [*batch, *(k for k in a_labels if k not in shared), *(k for k in b_labels if k not in shared)]
    order = [labels.index(k) for k in result]
    return value if order == list(range(len(order))) else lax.transpose(value, order)


def _multiply_masked(a, a_labels, b, b_labels, result, contracts, sizes, dtype):
    """A mask stays a mask where nothing is summed; otherwise entries are selected before the sum."""

    def split(value: Value, labels: tuple[int, ...]) -> tuple[Any, Value]:
        return (value.mask, value.value) if isinstance(value, Masked) else (None, value)

    (mask_a, value_a), (mask_b, value_b) = split(a, a_labels), split(b, b_labels)
    union = tuple(sorted({*a_labels, *b_labels}))
    shape = tuple(sizes[k] for k in union)
    inner = _multiply(value_a, a_labels, value_b, b_labels, union, False, sizes, dtype)
    masks = [spread(m, k, union) for m, k in ((mask_a, a_labels), (mask_b, b_labels)) if m is not None]
    mask = jnp.broadcast_to(functools.reduce(lax.bitwise_and, masks), shape)
    if not isinstance(inner, int):
        if isinstance(value_a, int) or isinstance(value_b, int):  # the other one alone, over its own labels
            inner = spread(inner, b_labels if isinstance(value_a, int) else a_labels, union)
        inner = broadcast(inner, shape)
    masked = Masked(mask, inner)
    if not contracts:
        return masked
    return _sum_out(as_array(masked, shape, dtype), union, result)


def _sum_out(value: Any, labels: Sequence[int], keep: Any) -> Any:
    axes = tuple(axis for axis, label in enumerate(labels) if label not in keep)
    if not axes:
        return value
    if isinstance(value, np.ndarray):
        return value.sum(axis=axes, dtype=value.dtype)
    return lax.reduce_sum(value, axes)


def _scale(value: Value, factor: int, dtype: Any) -> Value:
    if isinstance(value, int):
        return np.asarray(value * factor, dtype)
    if isinstance(value, Masked):
        return Masked(value.mask, _scale(value.value, factor, dtype))
    return value * np.asarray(factor, dtype)


def _merge(value: Value, labels: tuple[int, ...], label: int, segments: np.ndarray, sizes: Sequence[int], dtype: Any):
    """Add up the entries of each segment along one label."""
    full = tuple(sorted({*labels, label}))
    shape = tuple(sizes[k] for k in full)
    if not isinstance(value, int | Masked):
        value = spread(value, labels, full)
    elif isinstance(value, Masked):
        inner = value.value if isinstance(value.value, int) else spread(value.value, labels, full)
        value = Masked(spread(value.mask, labels, full), inner)
    value = as_array(value, shape, dtype)
    axis = full.index(label)
    count = int(segments.max()) + 1
    if isinstance(value, np.ndarray):
        result = np.zeros((count, *np.delete(shape, axis)), dtype)
        np.add.at(result, segments, np.moveaxis(value, axis, 0))
        return np.moveaxis(result, 0, axis)
    rows = jnp.moveaxis(value, axis, 0)
    ascending = bool(np.all(np.diff(segments) >= 0))
    result = jax.ops.segment_sum(rows, segments, count, indices_are_sorted=ascending)
    return jnp.moveaxis(result, 0, axis)


def as_array_over_labels(value: Value, term: Term, dtype: Any) -> Any:
    """A term's values as an array over all its labels, in row-major order of the labels."""
    value = as_array(value, term.value_shape, dtype)
    return broadcast(spread(value, term.value_labels, range(len(term.sizes))), term.sizes)
