"""Boxes written term by term: each is padded along the axes that define its labels and selected along the others."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax.structure.arrays import broadcast, plus, spread
from elimax.structure.relation import labels_of
from elimax.structure.term import Affine, Table, Term

Ranges = Sequence[tuple[int, int]]


def place(arrays: Sequence[Any], terms: Sequence[Term], dtype: Any, ranges: Ranges) -> Any:
    """The sum of terms over a box.

    Args:
      arrays: value array of each term, in ``dtype``.
      terms: the terms; all of them have to be `placeable`.
      dtype: of the box.
      ranges: half-open index range per axis.
    """
    total = None
    for array, term in zip(arrays, terms, strict=True):
        placed = _place(array, term, dtype, ranges)
        total = placed if total is None else plus(total, placed)
    return jnp.asarray(total)


def placeable(term: Term) -> bool:
    """Whether every label of a term is defined by the index along some axis."""
    return _defining_axes(term) is not None


def needs_mask(term: Term) -> bool:
    """Whether a `placeable` term is zero somewhere between the indices along its axes, as a diagonal is."""
    defining = _defining_axes(term)
    assert defining is not None
    axes = (*term.out_axes, *term.in_axes)
    return any(labels_of(axis) and position not in defining.values() for position, axis in enumerate(axes))


@functools.lru_cache(maxsize=65536)
def _defining_axes(term: Term) -> dict[int, int] | None:
    """For each label an axis that determines it; None if there is none."""
    axes = (*term.out_axes, *term.in_axes)
    defining: dict[int, int] = {}
    for position, axis in enumerate(axes):
        if isinstance(axis, Table):
            return None
        if len(axis.parts) == 1 and axis.parts[0][0] not in defining:
            defining[axis.parts[0][0]] = position
    return defining if len(defining) == len(term.sizes) else None


def _place(array: Any, term: Term, dtype: Any, ranges: Ranges) -> Any:
    """One term over the box."""
    defining = _defining_axes(term)
    assert defining is not None
    axes = (*term.out_axes, *term.in_axes)
    shape = tuple(stop - start for start, stop in ranges)
    # First over all labels, arranged by the axes that define them.
    order = sorted(range(len(term.sizes)), key=lambda label: defining[label])
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
