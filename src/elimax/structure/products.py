"""Products of terms and of blocks made of terms."""

from __future__ import annotations

import functools
import math

import numpy as np

from elimax.structure.canonical import canonical, make_term
from elimax.structure.recipes import BlockProduct, Collect, TermProduct
from elimax.structure.relation import Relation, labels_of, replace_labels
from elimax.structure.sums import collect, consolidate
from elimax.structure.term import Affine, AxisMap, IndexTable, Kind, Table, Term

MAX_PAIRS = 1024
"""Products of more pairs of terms than this consolidate their factors first."""


@functools.lru_cache(maxsize=65536)
def term_product(left: Term, right: Term) -> TermProduct | None:
    """Product of a term ``out <- mid`` and a term ``mid <- in``, or None where it is structurally zero."""
    if not left.sizes and not right.sizes:
        return _entry_product(left, right)
    shift = len(left.sizes)
    sizes = dict(enumerate(left.sizes))
    sizes.update({shift + label: size for label, size in enumerate(right.sizes)})
    moved = {label: Affine(0, ((shift + label, 1),)) for label in range(len(right.sizes))}

    def move(axis: AxisMap) -> AxisMap:
        return Table(shift + axis.label, axis.table) if isinstance(axis, Table) else replace_labels(axis, moved)

    num_out, num_in = len(left.out_axes), len(right.in_axes)
    relation = Relation(
        sizes,
        [*left.out_axes, *(Affine(0, ((label, 1),)) for label in left.value_labels)],
        [*(move(axis) for axis in right.in_axes), *(Affine(0, ((shift + label, 1),)) for label in right.value_labels)],
        [(a, move(b)) for a, b in zip(left.in_axes, right.out_axes, strict=True)],
    )
    if not relation.solve():
        return None
    out_axes, left_value = relation.left[:num_out], relation.left[num_out:]
    in_axes, right_value = relation.right[:num_in], relation.right[num_in:]
    new_sizes, outs, ins, values = canonical(relation.sizes, out_axes, in_axes, [*left_value, *right_value])
    left_maps, right_maps = values[: len(left_value)], values[len(left_value) :]
    num_labels = len({label for axis in (*outs, *ins) for label in labels_of(axis)})
    kept = {label for axis in (*out_axes, *in_axes, *left_value, *right_value) for label in labels_of(axis)}
    factor = math.prod(size for label, size in relation.sizes.items() if label not in kept)
    value_labels = {label for axis in values for label in labels_of(axis)}

    kind = max(left.kind, right.kind)
    merge = _duplicates(new_sizes[:num_labels], outs, ins)
    if merge is not None:
        outs, ins = [_merged(axis, *merge) for axis in outs], [_merged(axis, *merge) for axis in ins]
        value_labels.add(merge[0])
    if kind == Kind.UNIT and (factor != 1 or merge is not None):
        kind = Kind.CONSTANT
    num_values = math.prod(new_sizes[label] for label in value_labels)
    free = left.kind == Kind.UNIT or right.kind == Kind.UNIT or kind == Kind.CONSTANT
    result_sizes = list(new_sizes[:num_labels])
    if merge is not None:
        result_sizes[merge[0]] = int(merge[1].indices.max()) + 1
    value_axes = sorted(label for label in value_labels if label < num_labels)
    term, _ = make_term(dict(enumerate(result_sizes)), outs, ins, value_axes, kind)
    return TermProduct(
        term=term,
        sizes=tuple(new_sizes),
        num_labels=num_labels,
        left=tuple(left_maps),
        right=tuple(right_maps),
        factor=factor,
        merge=merge,
        multiplications=0 if free else num_values,
        published=math.prod(new_sizes) * factor,
    )


def _entry_product(left: Term, right: Term) -> TermProduct | None:
    """Product of two single entries: by far the most frequent one in programs written out in scalars."""
    if left.in_axes != right.out_axes:
        return None
    kind = max(left.kind, right.kind)
    free = Kind.UNIT in (left.kind, right.kind) or kind == Kind.CONSTANT
    term = Term((), left.out_axes, right.in_axes, (), kind)
    return TermProduct(term, (), 0, (), (), 1, None, 0 if free else 1, 1)


def _duplicates(sizes: list[int], outs: list[AxisMap], ins: list[AxisMap]) -> tuple[int, IndexTable] | None:
    """A table label whose entries name a position more than once, and the segment of each entry."""
    for label in range(len(sizes)):
        tables = [axis.table.indices for axis in (*outs, *ins) if isinstance(axis, Table) and axis.label == label]
        if not tables or any(isinstance(axis, Affine) and label in labels_of(axis) for axis in (*outs, *ins)):
            continue
        _, first, segments = np.unique(np.stack(tables), axis=1, return_index=True, return_inverse=True)
        if first.size == sizes[label]:
            continue
        rank = np.empty(first.size, dtype=np.int64)
        order = np.argsort(first, kind="stable")
        rank[order] = np.arange(first.size)
        return label, IndexTable(rank[segments.ravel()])
    return None


def _merged(axis: AxisMap, label: int, segments: IndexTable) -> AxisMap:
    """An index map with one entry per segment."""
    if not isinstance(axis, Table) or axis.label != label:
        return axis
    _, first = np.unique(segments.indices, return_index=True)
    return Table(label, IndexTable(axis.table.indices[first]))


@functools.lru_cache(maxsize=65536)
def block_product(left: tuple[Term, ...], right: tuple[Term, ...]) -> BlockProduct:
    """Product of two blocks made of terms."""
    before_left = before_right = None
    if len(left) * len(right) > MAX_PAIRS:
        before_left, before_right = _consolidated(left), _consolidated(right)
        left = before_left.structure if before_left else left
        right = before_right.structure if before_right else right
    pairs = []
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            recipe = term_product(a, b)
            if recipe is not None:
                pairs.append((i, j, recipe))
    return BlockProduct(tuple(pairs), collect(tuple(recipe.term for _, _, recipe in pairs)), before_left, before_right)


def _consolidated(terms: tuple[Term, ...]) -> Collect | None:
    if len(terms) < 2:
        return None
    return Collect(terms, tuple((i,) for i in range(len(terms))), consolidate(terms))
