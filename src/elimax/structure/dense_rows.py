"""Boxes written row by row: few entries a row, each selected by its column.

A box is a matrix, out axes by in axes. Entries are dealt into slots such that a slot has at most one entry in a row:
then a slot is a vector of values and a vector of columns, one for each row, and the matrix is

    matrix[r, c] = value[slot, r] if c == column[slot, r] for some slot, else 0

which is one select for each slot in a single loop whose inner index is c: fast, because all that changes there is the
comparison. The vectors of values are gathered from the terms in a kernel of their own. Inside that loop the pieces they
are made of would be looked up again for every entry.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax.structure.arrays import as_array_over_labels
from elimax.structure.dense_scatter import flat_positions
from elimax.structure.term import Term

_MAX_SLOTS = 16
_MAX_LAYERS = 4
_MAX_RUNS = 6
_MAX_ENTRIES = 1 << 16
"""Blocks with more entries or rows are not laid out by rows: their tables would weigh on the compiler."""


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Where the entries of a box go.

    Attributes:
      columns: int32 [slots, R], column of each slot in each row; -1 for none.
      sources: int64 [layers, slots, R], numbers among the entries of all terms of those that add up to the value of
        each slot in each row; -1 for none.
    """

    columns: np.ndarray
    sources: np.ndarray

    @property
    def num_selects(self) -> int:
        """Selects for each entry of the box."""
        return self.columns.shape[0]


@functools.lru_cache(maxsize=512)
def plan_rows(terms: tuple[Term, ...], ranges: tuple[tuple[int, int], ...], num_out: int) -> Rows | None:
    """Deal the entries of terms into slots; None if that takes too many."""
    num_rows = math.prod(stop - start for start, stop in ranges[:num_out])
    num_columns = math.prod(stop - start for start, stop in ranges[num_out:])
    entries = sum(term.num_entries for term in terms)
    if num_rows < 2 or num_columns < 2 or max(num_rows, entries) > _MAX_ENTRIES:
        return None
    pieces = []
    first = 0
    for term in terms:
        row, column = np.divmod(flat_positions(term, ranges), num_columns)
        rank = _rank_in_row(row)
        if rank.max() >= _MAX_SLOTS:
            return None
        for k in range(int(rank.max()) + 1):
            (own,) = np.nonzero(rank == k)
            pieces.append((row[own], column[own], first + own))
        first += term.num_entries
    pieces.sort(key=lambda piece: -piece[0].size)  # small ones fit into what large ones leave free
    columns: list[np.ndarray] = []
    sources = np.full((_MAX_LAYERS, _MAX_SLOTS, num_rows), -1, np.int64)
    for row, column, source in pieces:
        slot = np.full(row.size, -1)
        for s, known in enumerate(columns):
            slot[known[row] == column] = s
        new = slot < 0
        if new.any():
            free = next((s for s, known in enumerate(columns) if (known[row[new]] < 0).all()), len(columns))
            if free == _MAX_SLOTS:
                return None
            if free == len(columns):
                columns.append(np.full(num_rows, -1, np.int32))
            columns[free][row[new]] = column[new]
            slot[new] = free
        layer = (sources[:, slot, row] >= 0).sum(axis=0)
        if layer.max() >= _MAX_LAYERS:
            return None
        sources[layer, slot, row] = source
    used = max(layer + 1 for layer in range(_MAX_LAYERS) if (sources[layer] >= 0).any())
    return Rows(np.stack(columns), sources[:used, : len(columns)].copy())


def _rank_in_row(rows: np.ndarray) -> np.ndarray:
    """How many earlier entries are in the same row, for each entry."""
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    starts = np.searchsorted(ordered, ordered, side="left")
    rank = np.empty(rows.size, np.int64)
    rank[order] = np.arange(rows.size) - starts
    return rank


def in_runs(rows: Rows, sizes: Sequence[int]) -> bool:
    """Whether the values of the slots are put together from a few runs of entries; else they are gathered.

    Args:
      rows: where the entries go.
      sizes: numbers of entries of the terms.
    """
    bounds = np.cumsum([0, *sizes])
    count = sum(len(_runs(row, bounds)) for layer in rows.sources for row in layer)
    return count <= _MAX_RUNS * rows.sources.shape[1]


def write_rows(
    rows: Rows, arrays: Sequence[Any], terms: Sequence[Term], dtype: Any, ranges: Sequence[tuple[int, int]]
) -> Any:
    """The box that `plan_rows` laid out.

    Args:
      rows: where the entries go.
      arrays: value array of each term, in ``dtype``.
      terms: the terms.
      dtype: of the box.
      ranges: half-open index range per axis.
    """
    shape = tuple(stop - start for start, stop in ranges)
    num_rows = rows.columns.shape[1]
    matrix = (num_rows, math.prod(shape) // num_rows)
    flats = [jnp.ravel(as_array_over_labels(a, t, dtype)) for a, t in zip(arrays, terms, strict=True)]
    vectors = _slot_values(rows.sources, flats, dtype)
    number = lax.broadcasted_iota(np.int32, matrix, 1)
    result = jnp.zeros(matrix, dtype)
    for slot in range(rows.num_selects):
        column = lax.broadcast_in_dim(jnp.asarray(rows.columns[slot]), matrix, [0])
        value = lax.broadcast_in_dim(lax.index_in_dim(vectors, slot, keepdims=False), matrix, [0])
        result = lax.select(lax.eq(number, column), value, result)
    return lax.reshape(result, shape)


def _slot_values(sources: np.ndarray, flats: Sequence[Any], dtype: Any) -> Any:
    """The values of the slots, [slots, R], computed in a kernel of their own.

    `lax.optimization_barrier` does not keep them apart from the loop that reads them, as it is gone before operations
    are fused on a CPU; a reduction does. There is one anyway where several entries add up, else a layer of zeros is
    added.
    """
    bounds = np.cumsum([0, *(flat.shape[0] for flat in flats)])
    runs = [[_runs(row, bounds) for row in layer] for layer in sources]
    if sum(len(row) for layer in runs for row in layer) > _MAX_RUNS * sources.shape[1]:  # see `in_runs`
        whole = jnp.concatenate([*flats, jnp.zeros((1,), dtype)])
        index = np.where(sources < 0, bounds[-1], sources).astype(np.int32)
        layers = [whole.at[index].get(mode="promise_in_bounds")]
    else:
        # Row by row: of a concatenation of many pieces XLA makes a kernel for each of them.
        rows = [[_join([_slice(flats, *run, dtype) for run in row]) for row in layer] for layer in runs]
        layers = [_join([lax.expand_dims(row, [0, 1]) for row in layer], 1) for layer in rows]
    if sources.shape[:2] == (1, 1):
        return lax.index_in_dim(layers[0], 0, keepdims=False)
    if sources.shape[0] == 1:
        layers.append(jnp.zeros((1, *sources.shape[1:]), dtype))
    return lax.reduce_sum(_join(layers), axes=(0,))


def _join(parts: Sequence[Any], axis: int = 0) -> Any:
    return lax.concatenate(parts, axis) if len(parts) > 1 else parts[0]


def _runs(sources: np.ndarray, bounds: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Cut a row of sources into runs ``(term, start, step, length)`` within one term; term -1 is empty."""
    owner = np.where(sources < 0, -1, np.searchsorted(bounds, sources, side="right") - 1)
    runs = []
    position = 0
    while position < sources.size:
        term = int(owner[position])
        stop = position + 1
        step = 1
        if stop < sources.size and owner[stop] == term and term >= 0 and sources[stop] > sources[position]:
            step = int(sources[stop] - sources[position])
        while stop < sources.size and owner[stop] == term and (term < 0 or sources[stop] == sources[stop - 1] + step):
            stop += 1
        start = int(sources[position] - bounds[term]) if term >= 0 else 0
        runs.append((term, start, step, stop - position))
        position = stop
    return runs


def _slice(flats: Sequence[Any], term: int, start: int, step: int, length: int, dtype: Any) -> Any:
    if term < 0:
        return jnp.zeros((length,), dtype)
    return lax.slice(flats[term], [start], [start + step * (length - 1) + 1], [step])
