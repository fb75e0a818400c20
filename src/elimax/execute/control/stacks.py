"""Blocks of values along whose first axis a loop runs: what one turn has of them, and all turns together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from elimax.execute.control.blocks import Full
from elimax.structure.relation import labels_of
from elimax.structure.term import Affine, AxisMap, Table, Term


@dataclasses.dataclass(frozen=True)
class Slices:
    """A block of a value that a loop takes slices of.

    Attributes:
      whole: the block, in full form.
      own: the block of one slice.
      ok: whether all slices have the same block; otherwise ``own`` means nothing.
      length: number of slices.
    """

    whole: Full
    own: Full
    ok: bool
    length: int

    def split(self, arrays: Sequence[Any]) -> list[Any]:
        """Values [length, ...] of the slices from values of the whole."""
        return [x.reshape((self.length, *term.sizes)) for x, term in zip(arrays, self.own, strict=True)]


def sliced(whole: Full, length: int) -> Slices:
    """The block of one slice along the first axis of the dependent value."""
    parts = [_slice(term, length) for term in whole]
    own = tuple(term for term in parts if term is not None)
    return Slices(whole, own, len(own) == len(whole), length)


def _slice(term: Term, length: int) -> Term | None:
    first = term.out_axes[0]
    others = (*term.out_axes[1:], *term.in_axes)
    if length == 1 and isinstance(first, Affine) and not first.parts:
        return dataclasses.replace(term, out_axes=term.out_axes[1:])
    if first != Affine(0, ((0, 1),)) or term.sizes[0] != length or any(0 in labels_of(axis) for axis in others):
        return None
    return _renumbered(term, -1, term.sizes[1:], term.out_axes[1:])


def stacked(own: Full, length: int) -> Full:
    """The block of all slices together, one after another along a new first axis."""
    return tuple(_stack(term, length) for term in own)


def _stack(term: Term, length: int) -> Term:
    if length == 1:
        return dataclasses.replace(term, out_axes=(Affine(0), *term.out_axes))
    moved = _renumbered(term, 1, (length, *term.sizes), term.out_axes)
    return dataclasses.replace(moved, out_axes=(Affine(0, ((0, 1),)), *moved.out_axes))


def _renumbered(term: Term, by: int, sizes: tuple[int, ...], out_axes: tuple[AxisMap, ...]) -> Term:
    def moved(axis: AxisMap) -> AxisMap:
        if isinstance(axis, Table):
            return dataclasses.replace(axis, label=axis.label + by)
        return Affine(axis.offset, tuple((label + by, stride) for label, stride in axis.parts))

    return Term(
        sizes,
        tuple(map(moved, out_axes)),
        tuple(map(moved, term.in_axes)),
        tuple(range(len(sizes))),
        term.kind,
    )
