"""Boxes whose rows take turns, as the results of `jnp.stack(..., axis=-1).reshape(-1)` do.

Where every term writes each g-th row and one column only, g neighbouring rows are folded into one: what was strided
becomes a lane of its own, and no element has to find out whose turn it is.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from elimax.structure.dense_lanes import NUM_LANES
from elimax.structure.term import Affine, AxisMap, Term

Ranges = Sequence[tuple[int, int]]

_LEAST_LENGTH = 16
"""Fewer rows are a few selects."""


def fold(terms: Sequence[Term], ranges: Ranges) -> tuple[list[Term], list[tuple[int, int]]] | None:
    """The terms over a box whose last axis holds g neighbouring rows and all that comes after them.

    Args:
      terms: at least one.
      ranges: half-open index range per axis, out axes first.

    Returns:
      Terms and ranges of a box with the same elements in the same order, or None: the last axis that is more than one
      index to a term must be Affine in all terms, with strides and a length that have a divisor g > 1 in common.
    """
    axes = [(*term.out_axes, *term.in_axes) for term in terms]
    fixed = [all(_is_fixed(own[p]) for own in axes) for p in range(len(ranges))]
    last = max((p for p, is_fixed in enumerate(fixed) if not is_fixed), default=-1)
    rows = [own[last] for own in axes] if last >= 0 else []
    strides = [stride for row in rows if isinstance(row, Affine) for _, stride in row.parts]
    if not strides or not all(isinstance(row, Affine) for row in rows):
        return None
    start, stop = ranges[last]
    behind = math.prod(high - low for low, high in ranges[last + 1 :])
    turns = math.gcd(stop - start, *strides)
    if turns < 2 or stop - start < _LEAST_LENGTH * turns or turns * behind > NUM_LANES:
        return None
    length = (stop - start) // turns
    folded = [_fold(term, own, last, turns, ranges) for term, own in zip(terms, axes, strict=True)]
    return folded, [*ranges[:last], (0, length), (0, turns * behind)]


def _is_fixed(axis: AxisMap) -> bool:
    return isinstance(axis, Affine) and not axis.parts


def _fold(term: Term, axes: Sequence, last: int, turns: int, ranges: Ranges) -> Term:
    row, lane = divmod(axes[last].offset - ranges[last][0], turns)
    for axis, (start, stop) in zip(axes[last + 1 :], ranges[last + 1 :], strict=True):
        lane = lane * (stop - start) + axis.offset - start
    folded = Affine(row, tuple((label, stride // turns) for label, stride in axes[last].parts))
    return dataclasses.replace(term, out_axes=(*axes[:last], folded), in_axes=(Affine(lane),))
