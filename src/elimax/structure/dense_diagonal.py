"""Boxes that are diagonal along a pair of axes, as the Jacobian of a function of a batch is.

Where the out axis and the in axis of a batch have one and the same label in every term, the box is made for the
entries with equal indices alone, and these are put on the diagonal of a box of zeros at once.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from elimax.structure.term import Affine, Term

Ranges = Sequence[tuple[int, int]]

_LEAST_LENGTH = 4
"""A diagonal is at least this long."""

_LEAST_SIZE = 512
"""A box has at least this many entries; smaller ones are a few selects."""


def diagonal_axes(terms: Sequence[Term], ranges: Ranges) -> tuple[int, int] | None:
    """An out axis and an in axis of one label in all terms, counted from the first out axis, the longest ones.

    Both axes are of the length of their label, and nothing else of a term depends on that label. None if there are no
    such axes, or writing entries one by one is as good.
    """
    sizes = [stop - start for start, stop in ranges]
    if math.prod(sizes) < _LEAST_SIZE:
        return None
    rank = len(terms[0].out_axes)
    entries = sum(term.num_entries for term in terms)
    best: tuple[int, int, int] | None = None
    for p in range(rank):
        for q in range(rank, len(sizes)):
            length = sizes[p]
            if length < _LEAST_LENGTH or ranges[p] != (0, length) or ranges[q] != (0, length):
                continue
            if (best is None or length > best[0]) and all(_runs_along(term, p, q, length) for term in terms):
                best = length, p, q
    if best is None or entries <= best[0]:
        return None
    return best[1:]


def _runs_along(term: Term, p: int, q: int, length: int) -> bool:
    axes = (*term.out_axes, *term.in_axes)
    axis = axes[p]
    if not isinstance(axis, Affine) or axis != axes[q] or axis.offset or len(axis.parts) != 1:
        return False
    ((label, stride),) = axis.parts
    others = [own for k, own in enumerate(axes) if k not in (p, q)]
    return stride == 1 and term.sizes[label] == length and not any(label in _labels(own) for own in others)


def _labels(axis: Any) -> set[int]:
    return {label for label, _ in axis.parts} if isinstance(axis, Affine) else {axis.label}


def without(term: Term, q: int) -> Term:
    """A term without an in axis whose label an out axis has too; the axis is counted from the first out axis."""
    k = q - len(term.out_axes)
    return dataclasses.replace(term, in_axes=(*term.in_axes[:k], *term.in_axes[k + 1 :]))


def spread_out(values: Any, p: int, q: int) -> Any:
    """A box of zeros with given values on the diagonal of a pair of axes.

    Args:
      values: array with axis ``p``, and without axis ``q``.
      p: the out axis.
      q: the in axis, as counted in the result.

    Returns:
      Array whose entries with equal indices in axes ``p`` and ``q`` are the values.
    """
    length = values.shape[p]
    shape = (*values.shape[:q], length, *values.shape[q:])
    index: list[Any] = [slice(None)] * len(shape)
    index[p] = index[q] = np.arange(length)
    moved = jnp.moveaxis(values, p, 0)
    if q == p + 1:
        moved = values
    box = jnp.zeros(shape, values.dtype)
    return box.at[tuple(index)].set(moved, unique_indices=True, indices_are_sorted=True, mode="promise_in_bounds")
