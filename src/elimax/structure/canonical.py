"""Canonical form: equal sets of positions get equal index maps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from elimax.structure.relation import labels_of
from elimax.structure.term import Affine, AxisMap, IndexTable, Kind, Table, Term


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
      out_axes: index maps of the dependent value.
      in_axes: index maps of the independent value.
      others: index maps of value axes, which do not decide the numbering.

    Returns:
      Sizes by new label (result labels first), and the three lists of maps renumbered.
    """
    axes = [*out_axes, *in_axes, *others]
    mapping: Mapping[int, AxisMap] = {}
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
    return (
        [sizes[label] for label in order],
        renumbered[: len(out_axes)],
        renumbered[len(out_axes) : split],
        renumbered[split:],
    )


def _renumber(axis: AxisMap, mapping: Mapping[int, AxisMap]) -> AxisMap:
    if isinstance(axis, Table):
        target = mapping[axis.label]
        if isinstance(target, Table) or not target.parts:
            return Affine(int(axis.table.indices[0]))
        ((label, stride),) = target.parts
        return Table(label, axis.table if stride > 0 else IndexTable(axis.table.indices[::-1]))
    offset, strides = axis.offset, dict[int, int]()
    for label, stride in axis.parts:
        target = mapping[label]
        if isinstance(target, Affine) and target.parts:  # otherwise a label of one value, which is zero
            ((new, sign),) = target.parts
            offset += stride * target.offset
            strides[new] = strides.get(new, 0) + stride * sign
    parts = [part for part in strides.items() if part[1]]
    if len(parts) > 1:
        parts.sort(key=lambda part: (-abs(part[1]), part[0]))
    return Affine(offset, tuple(parts))


def sort_key(term: Term) -> tuple:
    """A key that orders terms in the same way in every process."""
    return (*term.place, term.value_labels, term.kind)


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
    if not sizes:
        return Term((), tuple(out_axes), tuple(in_axes), (), kind), ()
    others: list[AxisMap] = [Affine(0, ((label, 1),)) for label in value_labels]
    new_sizes, outs, ins, values = canonical(sizes, out_axes, in_axes, others)
    num_labels = len({label for axis in (*outs, *ins) for label in labels_of(axis)})
    used = sorted({label for axis in values for label in labels_of(axis)})
    if any(label >= num_labels for label in used):
        raise AssertionError("every value label of a term is read by one of its axes")
    return Term(tuple(new_sizes), tuple(outs), tuple(ins), tuple(used), kind), tuple(values)
