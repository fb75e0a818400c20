"""Which positions a term touches, and the boxes around them."""

from __future__ import annotations

import functools

import numpy as np

from elimax.structure.term import Affine, AxisMap, Kind, Table, Term


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
    """Smallest half-open index range per axis that holds a term, out axes first."""
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


def dense_term(outs: list[tuple[int, int]], ins: list[tuple[int, int]]) -> Term:
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
