"""Sums of blocks: terms at equal positions are added, and too many different ones consolidated."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

from elimax.structure.numbering import numbered
from elimax.structure.positions import dense_term, hull, positions
from elimax.structure.recipes import Collect, Consolidation
from elimax.structure.term import IndexTable, Kind, Table, Term

MAX_TERMS = 48
"""Blocks with more terms than this are consolidated into a dense or a tabulated term."""


@functools.lru_cache(maxsize=65536)
def collect(terms: tuple[Term, ...]) -> Collect:
    """Group summands at equal positions, and consolidate when too many different ones remain."""
    if len(terms) == 1:
        return Collect(terms, ((0,),))
    places = [term.place for term in terms]
    groups: list[list[int]] = []
    last = None
    for position in sorted(range(len(terms)), key=places.__getitem__):
        if places[position] == last:
            groups[-1].append(position)
        else:
            groups.append([position])
            last = places[position]
    result = tuple(terms[own[0]] if len(own) == 1 else _together([terms[m] for m in own]) for own in groups)
    consolidated = consolidate(result) if len(result) > MAX_TERMS else None
    return Collect(result, tuple(map(tuple, groups)), consolidated)


def _together(terms: list[Term]) -> Term:
    """The sum of terms at the same positions."""
    kind = max(Kind.CONSTANT, *(term.kind for term in terms))
    labels = tuple(sorted({label for term in terms for label in term.value_labels}))
    return dataclasses.replace(terms[0], kind=kind, value_labels=labels)


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
    unique, places = numbered(flat)
    kind = Kind.VARIABLE if any(term.kind == Kind.VARIABLE for term in terms) else Kind.CONSTANT
    if 4 * unique.size >= total:
        term = dataclasses.replace(dense_term(outs, ins), kind=kind)
        return Consolidation(term, tuple(IndexTable(index) for index in flat))
    where = np.stack(np.unravel_index(unique, box)) + starts[:, None] if box else np.zeros((0, unique.size))
    maps = [Table(0, IndexTable(row)) for row in where]
    num_out = len(outs)
    term = Term((unique.size,), tuple(maps[:num_out]), tuple(maps[num_out:]), (0,), kind)
    return Consolidation(term, tuple(IndexTable(own) for own in places))
