"""Products and sums of block structures, and the recipes by which their values are computed.

Everything here is decided at trace time from structure alone. `product` and `add` return the structure of the
result together with a frozen recipe; `elimax.execute.values` carries recipes out on arrays, and the searches read only
structure and cost. Both see the same algebra, so a plan costs exactly what was predicted.
"""

from __future__ import annotations

import builtins
import dataclasses
import functools
import math

import numpy as np

from elimax.structure.relation import Relation, join, labels_of, replace_labels
from elimax.structure.term import Affine, AxisMap, IndexTable, Kind, Operator, Structure, Table, Term

MAX_TERMS = 48
"""Blocks with more terms than this are consolidated into a dense or a tabulated term."""

MAX_PAIRS = 1024
"""Products of more pairs of terms than this consolidate their factors first."""


@dataclasses.dataclass(frozen=True, slots=True)
class TermProduct:
    """How the values of a product of two terms are computed.

    Attributes:
      term: the result.
      sizes: sizes of the labels: those of the result first, then the contracted ones.
      num_labels: number of labels of the result.
      left: an index map per value axis of the left factor, over those labels.
      right: likewise for the right factor.
      factor: number of times that each product occurs (labels that no value and no result axis reads).
      merge: label and segment number of each of its entries, where entries with equal positions are added up.
      multiplications: number of scalar multiplications under the executed rule.
      published: the same under the published rule.
    """

    term: Term
    sizes: tuple[int, ...]
    num_labels: int
    left: tuple[AxisMap, ...]
    right: tuple[AxisMap, ...]
    factor: int
    merge: tuple[int, IndexTable] | None
    multiplications: int
    published: int


@dataclasses.dataclass(frozen=True, slots=True)
class Collect:
    """How terms are added up: ``groups[k]`` lists the positions of the summands of term ``k`` of the result.

    Attributes:
      terms: the result where ``consolidated`` is None, otherwise the terms that are consolidated.
      groups: positions in the list of all summands.
      consolidated: the single term that replaces ``terms`` if they are too many.
    """

    terms: tuple[Term, ...]
    groups: tuple[tuple[int, ...], ...]
    consolidated: Consolidation | None = None

    @property
    def structure(self) -> tuple[Term, ...]:
        """Structure of the sum."""
        return self.terms if self.consolidated is None else (self.consolidated.term,)


@dataclasses.dataclass(frozen=True, slots=True)
class Consolidation:
    """Many terms rewritten as one.

    Attributes:
      term: the result, dense over the smallest box of indices, or a table of positions.
      positions: per term, the position [entries of the term] of each of its entries in the flat value of the result.
    """

    term: Term
    positions: tuple[IndexTable, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class BlockProduct:
    """Product of two blocks made of terms.

    Attributes:
      pairs: ``(left term, right term, recipe)`` for each pair whose product is not structurally zero.
      collect: how the products are added up.
      left, right: consolidations applied to the factors first, if any.
    """

    pairs: tuple[tuple[int, int, TermProduct], ...]
    collect: Collect
    left: Collect | None = None
    right: Collect | None = None

    @property
    def structure(self) -> tuple[Term, ...]:
        """Structure of the product."""
        return self.collect.structure

    def multiplications(self, rule: str) -> int:
        """Number of scalar multiplications under the ``"executed"`` or the ``"published"`` rule."""
        if rule == "published":
            return builtins.sum(recipe.published for _, _, recipe in self.pairs)
        return builtins.sum(recipe.multiplications for _, _, recipe in self.pairs)


@dataclasses.dataclass(frozen=True, slots=True)
class OperatorProduct:
    """Product in which at least one factor is an operator; the result is one dense term.

    Attributes:
      structure: the result.
      how: "jvp" applies the left operator to the columns of the right block, "vjp" the right operator to the rows of
        the left block, "left" and "right" make that factor dense first and go on with ``inner``.
      cost: scalar multiplications, estimated from the operator's weight.
      dense: the term that the dense factor becomes.
      inner: the product of what is then dense.
    """

    structure: tuple[Term, ...]
    how: str
    cost: int
    dense: Term | None = None
    inner: BlockProduct | OperatorProduct | None = None

    def multiplications(self, rule: str) -> int:
        """Number of scalar multiplications; both rules charge operators alike."""
        return self.cost + (self.inner.multiplications(rule) if self.inner is not None else 0)


Product = BlockProduct | OperatorProduct


# -- canonical form ---------------------------------------------------------------------------------------------------


def canonical(
    sizes: dict[int, int],
    out_axes: list[AxisMap],
    in_axes: list[AxisMap],
    others: list[AxisMap],
) -> tuple[list[int], list[AxisMap], list[AxisMap], list[AxisMap]]:
    """Renumber labels by first appearance, with size-1 labels gone and leading strides positive.

    Equal sets of positions then get equal maps, except for tables in another order.

    Args:
      sizes: number of values of each label.
      out_axes, in_axes, others: index maps; those of ``others`` (value axes) do not decide the numbering.

    Returns:
      Sizes by new label (result labels first), and the three lists of maps renumbered.
    """
    axes = [*out_axes, *in_axes, *others]
    mapping: dict[int, AxisMap] = {}
    order: list[int] = []
    for axis in axes:
        parts = [(axis.label, 1)] if isinstance(axis, Table) else sorted(axis.parts, key=lambda part: -abs(part[1]))
        for label, stride in parts:
            if label in mapping:
                continue
            size = sizes[label]
            if size == 1:
                mapping[label] = Table(label, IndexTable(np.zeros(1))) if isinstance(axis, Table) else Affine(0)
                continue
            new = len(order)
            order.append(label)
            mapping[label] = Affine(size - 1, ((new, -1),)) if stride < 0 else Affine(0, ((new, 1),))
    renumbered = [_renumber(axis, mapping) for axis in axes]
    split = len(out_axes) + len(in_axes)
    return [sizes[label] for label in order], renumbered[: len(out_axes)], renumbered[len(out_axes) : split], renumbered[split:]


def _renumber(axis: AxisMap, mapping: dict[int, AxisMap]) -> AxisMap:
    if isinstance(axis, Table):
        target = mapping[axis.label]
        if isinstance(target, Table) or not target.parts:
            return Affine(int(axis.table.indices[0]))
        ((label, stride),) = target.parts
        return Table(label, axis.table if stride > 0 else IndexTable(axis.table.indices[::-1]))
    clean = {k: Affine(0) if isinstance(v, Table) else v for k, v in mapping.items()}
    result = replace_labels(axis, clean)
    assert isinstance(result, Affine)
    return Affine(result.offset, tuple(sorted(result.parts, key=lambda part: (-abs(part[1]), part[0]))))


def sort_key(term: Term) -> tuple:
    """A key that orders terms in the same way in every process."""
    maps = tuple(
        ("t", axis.label, axis.table.digest) if isinstance(axis, Table) else ("a", axis.offset, axis.parts)
        for axis in (*term.out_axes, *term.in_axes)
    )
    return (len(term.sizes), term.sizes, maps, term.value_labels, term.kind)


def make_term(
    sizes: dict[int, int],
    out_axes: list[AxisMap],
    in_axes: list[AxisMap],
    value_labels: list[int],
    kind: Kind,
) -> tuple[Term, tuple[AxisMap, ...]]:
    """A term in canonical form, and the index map of each axis of the given value array over the new labels.

    Args:
      sizes: number of values of each label, in any numbering.
      out_axes: index maps of the dependent value.
      in_axes: index maps of the independent value.
      value_labels: label of each axis of the value array, in its order.
      kind: what is known of the values.
    """
    others: list[AxisMap] = [Affine(0, ((label, 1),)) for label in value_labels]
    new_sizes, outs, ins, values = canonical(sizes, out_axes, in_axes, others)
    num_labels = len({label for axis in (*outs, *ins) for label in labels_of(axis)})
    used = sorted({label for axis in values for label in labels_of(axis)})
    if any(label >= num_labels for label in used):
        raise AssertionError("every value label of a term is read by one of its axes")
    return Term(tuple(new_sizes), tuple(outs), tuple(ins), tuple(used), kind), tuple(values)


# -- products ---------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=65536)
def term_product(left: Term, right: Term) -> TermProduct | None:
    """Product of a term ``out <- mid`` and a term ``mid <- in``, or None where it is structurally zero."""
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
    merge, tables = _merge_duplicates(new_sizes[:num_labels], outs, ins)
    if merge is not None:
        label, segments, outs, ins = tables
        merge = (label, segments)
        value_labels.add(label)
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


def _merge_duplicates(sizes: list[int], outs: list[AxisMap], ins: list[AxisMap]):
    """Find table labels whose entries name a position more than once."""
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
        segments, picked = rank[segments.ravel()], first[order]

        def narrow(axis: AxisMap, label: int = label, picked: np.ndarray = picked) -> AxisMap:
            if isinstance(axis, Table) and axis.label == label:
                return Table(label, IndexTable(axis.table.indices[picked]))
            return axis

        return True, (label, IndexTable(segments), [narrow(a) for a in outs], [narrow(a) for a in ins])
    return None, None


def product(left: Structure, right: Structure) -> Product:
    """Product of the edges ``out <- mid`` (left) and ``mid <- in`` (right)."""
    if isinstance(left, Operator) or isinstance(right, Operator):
        return _operator_product(left, right)
    return _block_product(left, right)


@functools.lru_cache(maxsize=65536)
def _block_product(left: tuple[Term, ...], right: tuple[Term, ...]) -> BlockProduct:
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


@functools.lru_cache(maxsize=4096)
def _operator_product(left: Structure, right: Structure) -> OperatorProduct:
    if isinstance(left, Operator) and isinstance(right, Operator):
        left_first = left.out_size * (left.weight + right.weight)
        right_first = right.in_size * (left.weight + right.weight)
        use_left = left.reverse and right.reverse and (left_first < right_first or not (left.forward and right.forward))
        if use_left:
            dense = operator_dense(left)
            inner = _operator_product((dense,), right)
            return OperatorProduct(inner.structure, "left", left.out_size * left.weight, dense, inner)
        dense = operator_dense(right)
        inner = _operator_product(left, (dense,))
        return OperatorProduct(inner.structure, "right", materialise_cost(right), dense, inner)
    if isinstance(left, Operator):
        assert not isinstance(right, Operator)
        if not right:
            return OperatorProduct((), "jvp", 0)
        if not left.forward:
            dense = operator_dense(left)
            inner = _block_product((dense,), right)
            return OperatorProduct(inner.structure, "left", materialise_cost(left), dense, inner)
        columns = hull(right, "in")
        term = _dense_term([(0, left.out_size)], columns)
        return OperatorProduct((term,), "jvp", left.weight * math.prod(stop - start for start, stop in columns), term)
    assert isinstance(right, Operator)
    if not left:
        return OperatorProduct((), "vjp", 0)
    if not right.reverse:
        dense = operator_dense(right)
        inner = _block_product(left, (dense,))
        return OperatorProduct(inner.structure, "right", materialise_cost(right), dense, inner)
    rows = hull(left, "out")
    term = _dense_term(rows, [(0, right.in_size)])
    return OperatorProduct((term,), "vjp", right.weight * math.prod(stop - start for start, stop in rows), term)


def materialise_cost(operator: Operator) -> int:
    """Multiplications that making an operator dense takes."""
    return operator.weight * (operator.in_size if materialise_forward(operator) else operator.out_size)


def materialise_forward(operator: Operator) -> bool:
    """Whether an operator is made dense column by column (JVP) or row by row (VJP)."""
    return operator.forward and (not operator.reverse or operator.in_size <= operator.out_size)


def operator_dense(operator: Operator) -> Term:
    """The dense term that an operator becomes."""
    return _dense_term([(0, operator.out_size)], [(0, operator.in_size)])


def _dense_term(outs: list[tuple[int, int]], ins: list[tuple[int, int]]) -> Term:
    """A dense term over the box of half-open index ranges; ranges of one index get no label."""
    sizes: list[int] = []
    maps: list[AxisMap] = []
    for start, stop in (*outs, *ins):
        if stop - start == 1:
            maps.append(Affine(start))
        else:
            maps.append(Affine(start, ((len(sizes), 1),)))
            sizes.append(stop - start)
    num_out = len(outs)
    return Term(tuple(sizes), tuple(maps[:num_out]), tuple(maps[num_out:]), tuple(range(len(sizes))), Kind.VARIABLE)


# -- sums -------------------------------------------------------------------------------------------------------------


def add(left: Structure, right: Structure) -> Collect:
    """Sum of two blocks; the summands are the terms of ``left`` followed by those of ``right``.

    An operator counts as the dense term that it becomes.
    """
    return collect((*as_terms(left), *as_terms(right)))


def sum(left: Structure, right: Structure) -> Structure:
    """Structure of the sum of two blocks."""
    return add(left, right).structure


def as_terms(structure: Structure) -> tuple[Term, ...]:
    """The terms of a block; an operator counts as dense."""
    return (operator_dense(structure),) if isinstance(structure, Operator) else structure


@functools.lru_cache(maxsize=65536)
def collect(terms: tuple[Term, ...]) -> Collect:
    """Group summands at equal positions, and consolidate when too many different ones remain."""
    groups: dict[tuple, list[int]] = {}
    for position, term in enumerate(terms):
        groups.setdefault((term.sizes, term.out_axes, term.in_axes), []).append(position)
    merged = []
    for members in groups.values():
        first = terms[members[0]]
        if len(members) > 1:
            kind = max(Kind.CONSTANT, *(terms[m].kind for m in members))
            labels = tuple(sorted({label for m in members for label in terms[m].value_labels}))
            first = dataclasses.replace(first, kind=kind, value_labels=labels)
        merged.append((sort_key(first), first, tuple(members)))
    merged.sort(key=lambda item: item[0])
    result = tuple(term for _, term, _ in merged)
    consolidated = consolidate(result) if len(result) > MAX_TERMS else None
    return Collect(result, tuple(members for _, _, members in merged), consolidated)


def consolidate(terms: tuple[Term, ...]) -> Consolidation:
    """Rewrite terms as one: dense over their bounding box if at least a quarter full, else a table of positions."""
    outs, ins = hull(terms, "out"), hull(terms, "in")
    box = [stop - start for start, stop in (*outs, *ins)]
    entries = [positions(term) for term in terms]
    starts = np.array([start for start, _ in (*outs, *ins)], dtype=np.int64)
    total = math.prod(box)
    flat = []
    for columns in entries:
        index = np.zeros(columns.shape[1], dtype=np.int64)
        for axis, size in enumerate(box):
            index = index * size + (columns[axis] - starts[axis])
        flat.append(index)
    unique, inverse = np.unique(np.concatenate(flat), return_inverse=True)
    kind = Kind.VARIABLE if any(term.kind == Kind.VARIABLE for term in terms) else Kind.CONSTANT
    if 4 * unique.size >= total:
        term = dataclasses.replace(_dense_term(outs, ins), kind=kind)
        return Consolidation(term, tuple(IndexTable(index) for index in flat))
    where = np.stack(np.unravel_index(unique, box)) + starts[:, None] if box else np.zeros((0, unique.size))
    maps = [Table(0, IndexTable(row)) for row in where]
    num_out = len(outs)
    term = Term((unique.size,), tuple(maps[:num_out]), tuple(maps[num_out:]), (0,), kind)
    bounds = np.cumsum([index.size for index in flat])[:-1]
    return Consolidation(term, tuple(IndexTable(part) for part in np.split(inverse.ravel(), bounds)))


# -- positions --------------------------------------------------------------------------------------------------------


def positions(term: Term) -> np.ndarray:
    """All index pairs of a term: an array [out axes + in axes, entries], entries in row-major order of the labels."""
    axes = (*term.out_axes, *term.in_axes)
    result = np.zeros((len(axes), *term.sizes), dtype=np.int64)
    for row, axis in enumerate(axes):
        result[row] = axis_values(axis, term.sizes)
    return result.reshape(len(axes), term.num_entries)


def axis_values(axis: AxisMap, sizes: tuple[int, ...]) -> np.ndarray:
    """The indices of one axis, broadcastable to ``sizes``."""
    rank = len(sizes)

    def along(label: int, values: np.ndarray) -> np.ndarray:
        return values.reshape([-1 if k == label else 1 for k in range(rank)])

    if isinstance(axis, Table):
        return along(axis.label, axis.table.indices)
    result = np.full((1,) * rank, axis.offset, dtype=np.int64)
    for label, stride in axis.parts:
        result = result + along(label, stride * np.arange(sizes[label]))
    return result


@functools.lru_cache(maxsize=65536)
def term_ranges(term: Term) -> tuple[tuple[int, int], ...]:
    ranges = []
    for axis in (*term.out_axes, *term.in_axes):
        if isinstance(axis, Table):
            low, high = int(axis.table.indices.min()), int(axis.table.indices.max())
        else:
            spans = [stride * (term.sizes[label] - 1) for label, stride in axis.parts]
            low = axis.offset + int(np.sum([min(span, 0) for span in spans]))
            high = axis.offset + int(np.sum([max(span, 0) for span in spans]))
        ranges.append((low, high + 1))
    return tuple(ranges)


def hull(terms: tuple[Term, ...], side: str) -> list[tuple[int, int]]:
    """Smallest half-open index range per axis of one side ("out" or "in") that holds all terms."""
    num_out = len(terms[0].out_axes)
    pick = slice(None, num_out) if side == "out" else slice(num_out, None)
    ranges = [term_ranges(term)[pick] for term in terms]
    return [(min(r[k][0] for r in ranges), max(r[k][1] for r in ranges)) for k in range(len(ranges[0]))]


__all__ = [
    "BlockProduct",
    "Collect",
    "Consolidation",
    "OperatorProduct",
    "Product",
    "TermProduct",
    "add",
    "as_terms",
    "canonical",
    "collect",
    "consolidate",
    "hull",
    "join",
    "make_term",
    "operator_dense",
    "positions",
    "product",
    "sum",
    "term_product",
]
