"""Star colouring: which columns of a symmetric matrix can share one product with it.

An entry (i, j) of a symmetric matrix need not be read from row i: it stands in row j as well. Columns may then share a
product although they have a row in common, as long as one of the two readings is undisturbed. That is so for every
entry if the colouring of the columns is a star colouring of the graph of the pattern (Coleman & More 1984); a matrix
with one dense row, one dense column and a diagonal takes two products, however large it is. The smallest star colouring
is NP-hard to find; greedy sequences are tried and the fewest colours kept (Gebremedhin, Tarafdar, Manne & Pothen 2007).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from elimax.structure.colouring import Pattern, sequence_of

SEQUENCES = ("natural", "largest-first", "smallest-last")
"""Sequences of columns in which greedy colouring is tried."""

MOST_WORK = 400_000_000
"""A colouring that looks at more colours around columns than this is given up: about a second."""


@dataclasses.dataclass(frozen=True, eq=False)
class StarColouring:
    """Which seeds to multiply a symmetric matrix with, and where to read its entries.

    Attributes:
      columns: int32 [n] colour of each column, -1 where it has no entry.
      mirrored: bool [K] whether an entry of the pattern is read where its mirror image stands: in the row of its
        number of column, at the colour of its number of row.
      num_colours: number of products.
    """

    columns: np.ndarray
    mirrored: np.ndarray
    num_colours: int


def colour_star(pattern: Pattern, most_colours: int | None = None, sequence: str | None = None) -> StarColouring | None:
    """Colours of columns such that every entry can be read from a product, or its mirror image can.

    Args:
      pattern: of a square symmetric matrix. It may hold an entry without its mirror image, if values are symmetric.
      most_colours: None is returned if more are needed.
      sequence: one of `SEQUENCES`; None for the best of them.

    Returns:
      The colouring, or None if it takes too many colours or too much work.
    """
    from elimax.structure import star_kernels as kernels  # numba takes a third of a second to import

    size = pattern.shape[0]
    if pattern.shape[1] != size:
        raise ValueError(f"star colouring needs a square pattern, got one of {pattern.shape}")
    limit = size if most_colours is None else most_colours
    if not pattern.num_entries:
        return StarColouring(np.full(size, -1, np.int32), np.zeros(0, bool), 0)
    start, neighbour = _graph(pattern)
    best = None
    for name in SEQUENCES if sequence is None else (sequence,):
        lines = sequence_of(name, start, neighbour)
        found = kernels.star(start, neighbour, lines, limit if best is None else best[1] - 1, MOST_WORK)
        if found[1] >= 0:
            best = found
    if best is None:
        return None
    colours, total, *lists = best
    seen = np.zeros(size, bool)
    seen[pattern.rows] = seen[pattern.columns] = True
    mirrored = kernels.shared(pattern.rows, pattern.columns, colours, start, *lists)
    return StarColouring(np.where(seen, colours, np.int32(-1)), mirrored, int(total))


def _graph(pattern: Pattern) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours of each column: where they start, and which they are."""
    apart = pattern.rows != pattern.columns
    rows, columns = pattern.rows[apart], pattern.columns[apart]
    both = Pattern.of(pattern.shape, np.concatenate([rows, columns]), np.concatenate([columns, rows]))
    return both.row_start, both.columns
