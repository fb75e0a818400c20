"""The entries of a block in sorted order, as a few boxes of rows that are alike.

Rows of a block are numbered by the indices along its out axes. A banded block, a stencil or a batch of small blocks has
very many rows, but few kinds of them: within a box of rows, such as the inner points of a grid, every row has the same
terms with their columns in the same order. Sorted coordinates are then these boxes, one after another, nested axis by
axis; and an index is linear in the position within the box. So neither the indices nor the way of the values to their
places need a table with an item for each entry.

An out axis that several labels drive, as that of a flattened grid, is counted in digits: index = sum(place * digit).
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np

from elimax.structure.term import Affine, Table, Term

MOST_BOXES = 256
"""Blocks with more boxes are not taken apart: each costs a few operations."""

MOST_COLUMNS = 1 << 21
"""Entries of the rows that stand for their boxes, all together."""

_MOST_CORNERS = 64


@dataclasses.dataclass(frozen=True)
class Part:
    """A label of a term, or one digit of it.

    Attributes:
      label: of the term.
      place: what one step counts in steps of the label.
      digit: number of the digit of the rows that it drives; None if it runs within a row.
      start: value of that digit at the first step.
      size: number of steps.
    """

    label: int
    place: int
    digit: int | None
    start: int
    size: int


@dataclasses.dataclass(frozen=True)
class Member:
    """A term and its parts, in row-major order of the labels."""

    number: int
    parts: tuple[Part, ...]

    @property
    def width(self) -> int:
        """Entries of the term in each of its rows."""
        return math.prod(part.size for part in self.parts if part.digit is None)


@dataclasses.dataclass(frozen=True, eq=False)
class Box:
    """Rows that are alike.

    Attributes:
      starts: [D] first value of each digit.
      sizes: [D] number of values of each digit.
      members: the terms that are there.
      order: int [entries] numbers of the entries of a row, those of the members one after another, by column.
      group: int [entries] number of the place in the row that each of them is added to; ascending.
      inner: sizes of further axes behind those of the digits, over which indices are linear.
      base: int64 [places, axes] indices in the first row, of the first step of the inner axes.
      slope: int64 [places, axes, D + inner] what one step of each digit, and of each inner axis, adds to them.
    """

    starts: tuple[int, ...]
    sizes: tuple[int, ...]
    members: tuple[Member, ...]
    order: np.ndarray
    group: np.ndarray
    inner: tuple[int, ...]
    base: np.ndarray
    slope: np.ndarray

    @property
    def width(self) -> int:
        """Places in a row."""
        return self.base.shape[0] * math.prod(self.inner)


Tree = Box | tuple["Tree", ...]
"""Boxes, nested by digit: those of a tuple follow each other within every value of the digits before."""


@dataclasses.dataclass(frozen=True, eq=False)
class Rowwise:
    """Sorted coordinates of a block.

    Attributes:
      tree: its boxes; their depth in the tree is the number of digits.
      num_axes: of the block.
      num_entries: number of coordinates.
    """

    tree: Tree
    num_axes: int
    num_entries: int


class _Irregular(Exception):
    """The block has no such form."""


@functools.lru_cache(maxsize=256)
def rowwise(terms: tuple[Term, ...]) -> Rowwise | None:
    """Take the sorted coordinates of a block apart; None where they are not regular enough."""
    try:
        digits = [_places(terms, axis) for axis in range(len(terms[0].out_axes))]
        first = np.cumsum([0, *(len(places) for places in digits)])
        members = [_member(k, term, digits, first) for k, term in enumerate(terms)]
        boxes: list[Box] = []
        tree = _tree(terms, members, int(first[-1]), (), boxes)
    except _Irregular:
        return None
    num_axes = len(terms[0].out_axes) + len(terms[0].in_axes)
    return Rowwise(tree, num_axes, sum(math.prod(box.sizes) * box.width for box in boxes))


def _places(terms: Sequence[Term], axis: int) -> list[int]:
    """What each digit of an out axis counts, the largest first."""
    strides = {1}
    for term in terms:
        index = term.out_axes[axis]
        if isinstance(index, Table) or any(stride < 0 for _, stride in index.parts):
            raise _Irregular
        strides.update(stride for _, stride in index.parts)
    places = sorted(strides, reverse=True)
    if any(a % b for a, b in itertools.pairwise(places)):
        raise _Irregular
    return places


def _member(number: int, term: Term, digits: Sequence[Sequence[int]], first: np.ndarray) -> Member:
    """The labels of a term by the digits that they drive."""
    parts: dict[int, list[Part]] = {}
    starts: dict[int, int] = {}
    for axis, index in enumerate(term.out_axes):
        assert isinstance(index, Affine)
        rest, own = index.offset, list[int]()
        for place in digits[axis]:
            own.append(rest // place)
            rest %= place
        starts.update({int(first[axis]) + k: value for k, value in enumerate(own)})
        taken: set[int] = set()
        for label, stride in index.parts:
            if label in parts:  # drives two axes: the rows are no box
                raise _Irregular
            k, size, step, found = digits[axis].index(stride), term.sizes[label], 1, list[Part]()
            while True:
                radix = digits[axis][k - 1] // digits[axis][k] if k else size + own[k]
                fits = own[k] + size <= radix
                if k in taken or (not fits and (own[k] or size % radix)):
                    raise _Irregular
                taken.add(k)
                now = size if fits else radix
                found.insert(0, Part(label, step, int(first[axis]) + k, own[k], now))
                if fits:
                    break
                size, step, k = size // radix, step * radix, k - 1
            parts[label] = found
    for label, size in enumerate(term.sizes):
        parts.setdefault(label, [Part(label, 1, None, 0, size)])
    ordered = [part for label in range(len(term.sizes)) for part in parts[label]]
    fixed = [Part(-1, 0, d, value, 1) for d, value in starts.items() if all(p.digit != d for p in ordered)]
    return Member(number, (*ordered, *fixed))


def _span(member: Member, digit: int) -> tuple[int, int]:
    (part,) = (part for part in member.parts if part.digit == digit)
    return part.start, part.start + part.size


def _tree(
    terms: Sequence[Term], members: Sequence[Member], depth: int, ranges: tuple[tuple[int, int], ...], boxes: list[Box]
) -> Tree:
    digit = len(ranges)
    if digit == depth:
        box = _box(terms, members, ranges)
        boxes.append(box)
        if len(boxes) > MOST_BOXES or sum(box.base.shape[0] for box in boxes) > MOST_COLUMNS:
            raise _Irregular
        return box
    spans = [_span(member, digit) for member in members]
    found = []
    for low, high in itertools.pairwise(sorted({bound for span in spans for bound in span})):
        here = [m for m, (start, stop) in zip(members, spans, strict=True) if start <= low and high <= stop]
        if here:
            found.append(_tree(terms, here, depth, (*ranges, (low, high)), boxes))
    return tuple(found)


def _box(terms: Sequence[Term], members: Sequence[Member], ranges: tuple[tuple[int, int], ...]) -> Box:
    """The order of the entries in each row of a box; it has to be the same everywhere."""
    if sum(member.width for member in members) > MOST_COLUMNS:
        raise _Irregular
    starts, sizes = tuple(low for low, _ in ranges), tuple(high - low for low, high in ranges)
    if len(members) == 1:
        whole = _linear(terms[members[0].number], members[0], starts, sizes)
        if whole is not None:
            return whole
    pieces = [_columns(terms[member.number], member, starts, len(sizes)) for member in members]
    base = np.concatenate([b for b, _ in pieces])
    slope = np.concatenate([np.broadcast_to(s, (b.shape[0], *s.shape)) for b, s in pieces])
    num_out = len(terms[0].out_axes)
    order, group = _ordered(base[:, num_out:], [s[num_out:] for _, s in pieces], slope[:, num_out:], sizes)
    first = np.flatnonzero(np.diff(group, prepend=-1))
    return Box(starts, sizes, tuple(members), order, group, (), base[order][first], slope[order][first])


def _linear(term: Term, member: Member, starts: tuple[int, ...], sizes: tuple[int, ...]) -> Box | None:
    """A box of one term whose entries are sorted as they are; None if they are not."""
    inner = [part for part in member.parts if part.digit is None]
    num_out = len(term.out_axes)
    base, slope = np.zeros((1, num_out + len(term.in_axes)), np.int64), None
    slope = np.zeros((1, base.shape[1], len(sizes) + len(inner)), np.int64)
    driver: list[int] = []
    for a, index in enumerate((*term.out_axes, *term.in_axes)):
        if isinstance(index, Table):
            return None
        own = [part for part in inner for label, stride in index.parts if label == part.label and stride > 0]
        if len(own) != sum(label in {part.label for part in inner} for label, _ in index.parts) or len(own) > 1:
            return None
        driver.extend(inner.index(part) for part in own)
        base[0, a], slope[0, a, : len(sizes)] = _affine(index, member, starts, len(sizes))
        for part in own:
            slope[0, a, len(sizes) + inner.index(part)] = dict(index.parts)[part.label]
    # Lexicographic order is that of the labels if each drives one axis first, in their order.
    leads = list(dict.fromkeys(driver))
    if leads != list(range(len(inner))):
        return None
    none = np.zeros(1, np.int64)
    return Box(starts, sizes, (member,), none, none, tuple(part.size for part in inner), base, slope)


def _affine(index: Affine, member: Member, starts: Sequence[int], num_digits: int) -> tuple[int, np.ndarray]:
    """An index in the first row of a box, of the first entry within it, and what a step of each digit adds."""
    strides = dict(index.parts)
    base, slope = index.offset, np.zeros(num_digits, np.int64)
    for part in member.parts:
        step = strides.get(part.label, 0) * part.place
        if step and part.digit is not None:
            base += step * (starts[part.digit] - part.start)
            slope[part.digit] += step
    return base, slope


def _columns(term: Term, member: Member, starts: Sequence[int], num_digits: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices [width, axes] of the entries of a term in the first row of a box, and their slopes [axes, digits]."""
    inner = [part for part in member.parts if part.digit is None]
    shape = [part.size for part in inner]
    axes = (*term.out_axes, *term.in_axes)
    base = np.zeros((len(axes), *shape), np.int64)
    slope = np.zeros((len(axes), num_digits), np.int64)
    steps = {part.label: np.arange(part.size).reshape([-1 if p is part else 1 for p in inner]) for part in inner}
    for a, index in enumerate(axes):
        if isinstance(index, Table):
            if index.label not in steps:
                raise _Irregular
            base[a] = index.table.indices[steps[index.label]]
            continue
        offset, slope[a] = _affine(index, member, starts, num_digits)
        base[a] = offset
        for label, stride in index.parts:
            if label in steps:
                base[a] += stride * steps[label]
    return base.reshape(len(axes), -1).T, slope


def _ordered(
    base: np.ndarray, slopes: Sequence[np.ndarray], slope: np.ndarray, sizes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Order of entries by columns, and for each the number of its place, if both are the same in all rows of a box.

    Differences of columns are linear over the box, so that their signs at its corners tell.
    """
    wide = [d for d, size in enumerate(sizes) if size > 1]
    if all(np.array_equal(s, slopes[0]) for s in slopes):
        wide = []
    if 1 << len(wide) > _MOST_CORNERS or base.shape[0] << len(wide) > 4 * MOST_COLUMNS:
        raise _Irregular
    corners = []
    for ends in itertools.product((0, 1), repeat=len(wide)):
        corner = np.zeros(len(sizes), np.int64)
        for d, end in zip(wide, ends, strict=True):
            corner[d] = end * (sizes[d] - 1)
        corners.append(base + slope @ corner)
    columns = np.stack(corners)
    order = np.lexsort(columns[0].T[::-1]) if base.shape[1] else np.arange(base.shape[0])
    steps = np.diff(columns[:, order], axis=1)
    decided = np.zeros(max(base.shape[0] - 1, 0), bool)
    for a in range(base.shape[1]):
        ahead, equal = (steps[..., a] > 0).all(0), (steps[..., a] == 0).all(0)
        if not (decided | ahead | equal).all():
            raise _Irregular
        decided |= ahead
    return order, np.cumsum([0, *decided])
