"""Colouring of sparse patterns: which columns, and which rows, can share one product with the Jacobian.

Columns without a common row can be summed up in one JVP and told apart afterwards; so can rows in one VJP (Curtis,
Powell & Reid 1974). In *mixed* compression some entries are read from JVPs and the others from VJPs, which serves
patterns with both dense rows and dense columns (Hossain & Steihaug 1998; Coleman & Verma 1998). All problems are
NP-hard; greedy sequences are tried and the fewest colours kept (Gebremedhin, Manne & Pothen 2005). An entry is *needed*
of columns if it is read from a JVP; a column that reads nothing has no colour and is not seeded.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

SEQUENCES = ("natural", "largest-first", "smallest-last", "incidence-degree")
"""Sequences of lines in which greedy colouring is tried."""

MOST_CONFLICTS = 20_000_000
"""Sequences that need the conflict graph are not tried where it may have more edges."""

MOST_WORK = 2_000_000_000
"""Patterns whose lines meet more often than this are not coloured."""

PREFIXES = 3
"""Divisions of the entries between rows and columns that are coloured, of those that look best, to each side."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pattern:
    """Positions of the entries of a matrix that may differ from zero.

    Attributes:
      shape: rows and columns, (m, n).
      rows: int32 [K], ascending.
      columns: int32 [K], ascending within a row; no position occurs twice.
    """

    shape: tuple[int, int]
    rows: np.ndarray
    columns: np.ndarray

    @classmethod
    def of(cls, shape: tuple[int, int], rows: np.ndarray, columns: np.ndarray) -> Pattern:
        """The pattern of positions in any order, repetitions allowed."""
        flat = np.sort(np.asarray(rows, np.int64) * shape[1] + np.asarray(columns, np.int64))
        flat = flat[np.diff(flat, prepend=-1) > 0]
        width = max(1, shape[1])
        return cls(shape, (flat // width).astype(np.int32), (flat % width).astype(np.int32))

    @property
    def num_entries(self) -> int:
        """Number of entries."""
        return self.rows.size

    @functools.cached_property
    def row_start(self) -> np.ndarray:
        """int64 [m + 1]: where the entries of each row start."""
        return _starts(self.rows, self.shape[0])

    @functools.cached_property
    def by_column(self) -> np.ndarray:
        """int64 [K]: the entries sorted by column, then by row."""
        return np.argsort(self.columns, kind="stable")

    @functools.cached_property
    def column_start(self) -> np.ndarray:
        """int64 [n + 1]: where the entries of each column start in `by_column`."""
        return _starts(self.columns, self.shape[1])


@dataclasses.dataclass(frozen=True, eq=False)
class Colouring:
    """Which seeds to send through a function, and where to read each entry of its Jacobian.

    Attributes:
      columns: int32 [n] colour of each column, -1 where it is not seeded.
      rows: int32 [m] colour of each row, -1 where it is not seeded.
      by_row: bool [K] whether an entry is read from the VJP of its row's colour, else from the JVP of its column's.
      num_forward: number of colours of columns: JVPs.
      num_reverse: number of colours of rows: VJPs.
    """

    columns: np.ndarray
    rows: np.ndarray
    by_row: np.ndarray
    num_forward: int
    num_reverse: int


def colour_columns(pattern: Pattern, sequence: str | None = None) -> Colouring | None:
    """Colours of columns such that every entry can be read from a JVP; None if the pattern is too dense to try.

    Args:
      pattern: the pattern.
      sequence: one of `SEQUENCES`; None for the best of them.
    """
    return divided(pattern, np.zeros(pattern.num_entries, bool), sequence)


def colour_rows(pattern: Pattern, sequence: str | None = None) -> Colouring | None:
    """Colours of rows such that every entry can be read from a VJP; None if the pattern is too dense to try."""
    return divided(pattern, np.ones(pattern.num_entries, bool), sequence)


def colour_both(pattern: Pattern, reverse_weight: float = 1.0, rival: float = np.inf) -> Colouring | None:
    """Colours of rows and columns such that every entry can be read from a JVP or a VJP.

    Rows and columns are taken off the pattern, always the one with the most entries left. After any number of steps,
    the entries that a row took can be read from it, those that a column took from that, and the rest from columns alone
    or rows alone; the numbers of steps that promise the fewest colours are tried.

    Args:
      pattern: the pattern.
      reverse_weight: what a VJP counts, in JVPs.
      rival: what a division has to promise to stay below, in JVPs, to be tried.

    Returns:
      The colouring, or None if nothing promises enough, or the pattern is too dense to try.
    """
    from elimax.structure.colouring_kernels import peel

    m, n = pattern.shape
    rows_of_columns = pattern.rows[pattern.by_column]
    step, left, read, count = peel(pattern.row_start, pattern.columns, pattern.column_start, rows_of_columns)
    left, read = left[:, : count + 1], read[:, : count + 1]
    to_columns = left[0] + read[0] + reverse_weight * read[1]
    to_rows = read[0] + reverse_weight * (left[1] + read[1])
    best: tuple[float, Colouring] | None = None
    row_step, column_step = step[:m][pattern.rows], step[m:][pattern.columns]
    for rest_by_row, promise in ((False, to_columns), (True, to_rows)):
        for k in dict.fromkeys([0, *np.argsort(promise, kind="stable")[:PREFIXES]]):
            if promise[k] >= rival or (k and best is not None and promise[k] >= best[0]):
                continue
            by_row = row_step < np.minimum(column_step, k)
            if rest_by_row:
                by_row |= np.minimum(row_step, column_step) >= k
            found = divided(pattern, by_row)
            if found is None:
                continue
            cost = found.num_forward + reverse_weight * found.num_reverse
            if best is None or cost < best[0]:
                best = cost, found
    return None if best is None else best[1]


def divided(pattern: Pattern, by_row: np.ndarray, sequence: str | None = None) -> Colouring | None:
    """The colouring for entries that are divided between rows and columns, or None if the pattern is too dense.

    Args:
      pattern: the pattern.
      by_row: bool [K] whether an entry is to be read from a VJP.
      sequence: one of `SEQUENCES`; None for the best of them.
    """
    order = pattern.by_column
    rows, columns = pattern.rows, pattern.columns
    forward = _coloured(
        pattern.column_start, rows[order], ~by_row[order], pattern.row_start, columns, ~by_row, sequence
    )
    if forward is None:
        return None
    reverse = _coloured(pattern.row_start, columns, by_row, pattern.column_start, rows[order], by_row[order], sequence)
    if reverse is None:
        return None
    return Colouring(forward[0], reverse[0], by_row, forward[1], reverse[1])


def _coloured(
    line_start: np.ndarray,
    line_cross: np.ndarray,
    line_need: np.ndarray,
    cross_start: np.ndarray,
    cross_line: np.ndarray,
    cross_need: np.ndarray,
    sequence: str | None,
) -> tuple[np.ndarray, int] | None:
    """Colours of the lines of one side and their number, or None if they meet too often."""
    num_lines = line_start.size - 1
    if not line_need.any():
        return np.full(num_lines, -1, np.int32), 0
    from elimax.structure import colouring_kernels as kernels  # numba takes a third of a second to import

    owner = np.repeat(np.arange(cross_start.size - 1), np.diff(cross_start))
    needed = np.bincount(owner[cross_need], minlength=cross_start.size - 1)
    lengths = np.diff(cross_start)
    meetings = int((lengths.astype(np.float64) * needed).sum())
    if meetings > MOST_WORK:
        return None
    needed_first = cross_line[np.lexsort((~cross_need, owner))]
    has_need = np.zeros(num_lines, bool)
    has_need[np.repeat(np.arange(num_lines), np.diff(line_start))[line_need]] = True
    arrays = line_start, line_cross, line_need, cross_start, needed_first, needed.astype(np.int64)
    bound = int(needed.max())
    best = None
    adjacency = None
    for name in SEQUENCES if sequence is None else (sequence,):
        if name != "natural" and adjacency is None:
            if 2 * meetings > MOST_CONFLICTS and sequence is None:
                break
            adjacency = kernels.conflicts(*arrays, has_need)
        lines = np.arange(num_lines) if adjacency is None else sequence_of(name, *adjacency)
        found = kernels.greedy(*arrays, lines)
        if best is None or found[1] < best[1]:
            best = found[0], int(found[1])
        if best[1] <= bound:
            break
    return best


def sequence_of(name: str, start: np.ndarray, neighbour: np.ndarray) -> np.ndarray:
    """int64 [V]: the vertices of a graph in one of `SEQUENCES`.

    Args:
      name: of the sequence.
      start: int64 [V + 1] where the neighbours of each vertex start.
      neighbour: int32 [2 E] the neighbours.
    """
    from elimax.structure.colouring_kernels import incidence_degree, smallest_last

    if name == "natural":
        return np.arange(start.size - 1)
    if name == "largest-first":
        return np.argsort(-np.diff(start), kind="stable")
    if name == "smallest-last":
        return smallest_last(start, neighbour)
    if name == "incidence-degree":
        return incidence_degree(start, neighbour)
    raise ValueError(f"unknown sequence {name!r}; expected one of {', '.join(map(repr, SEQUENCES))}")


def _starts(sorted_or_not: np.ndarray, size: int) -> np.ndarray:
    start = np.zeros(size + 1, np.int64)
    start[1:] = np.cumsum(np.bincount(sorted_or_not, minlength=size))
    return start
