"""A graph as linked lists of edges in arrays, for compiled elimination of large graphs.

Every edge is a slot; the out-edges of a vertex and the in-edges of a vertex are doubly linked through the slots, so an
edge comes and goes in constant time and a graph of 20,000 vertices fits the cache.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from elimax.elimination.problem import Problem

FREE, NUM_EDGES, COST, STAMP = 0, 1, 2, 3
"""Positions in ``Sparse.counters``."""

SOURCE, TARGET, STRUCTURE, NEXT_OUT, PREV_OUT, NEXT_IN, PREV_IN = range(7)
"""Columns of ``Sparse.edges``; a row fits a cache line."""


class Sparse(NamedTuple):
    """Edges in slots.

    Attributes:
      edges: int32 [M, 8] ends, structure and links of each slot; -1 ends a list, free slots are linked by `NEXT_OUT`.
      first_out, first_in: int32 [V] first slot of a vertex.
      num_out, num_in: int32 [V] lengths of the lists.
      kinds_out, kinds_in: int32 [V, 3] number of edges of each kind in scalar graphs, else [0, 3].
      is_output: bool [V].
      mark: int64 [V] stamps of a scan, and ``slot`` int32 [V] the slot that the scan found.
      new_slot, new_structure: int32 [K] results of one elimination, K at least in-degree times out-degree.
      counters: int64 [4] first free slot, edges alive, cost so far, last stamp.
    """

    edges: np.ndarray
    first_out: np.ndarray
    first_in: np.ndarray
    num_out: np.ndarray
    num_in: np.ndarray
    kinds_out: np.ndarray
    kinds_in: np.ndarray
    is_output: np.ndarray
    mark: np.ndarray
    slot: np.ndarray
    new_slot: np.ndarray
    new_structure: np.ndarray
    counters: np.ndarray


def from_problem(problem: Problem) -> Sparse:
    """The graph at the beginning, with room to grow."""
    count, size = problem.sources.size, problem.num_vertices
    room = max(64, 2 * count)
    edges = np.full((room, 8), -1, np.int32)
    edges[:count, SOURCE], edges[:count, TARGET] = problem.sources, problem.targets
    edges[:count, STRUCTURE] = problem.structures
    edges[count : room - 1, NEXT_OUT] = np.arange(count + 1, room, dtype=np.int32)
    first_out, num_out = _link(problem.sources, size, edges[:count, NEXT_OUT], edges[:count, PREV_OUT])
    first_in, num_in = _link(problem.targets, size, edges[:count, NEXT_IN], edges[:count, PREV_IN])
    kinds = np.zeros((2, size if problem.is_scalar else 0, 3), np.int32)
    if problem.is_scalar:
        np.add.at(kinds[0], (problem.sources, problem.structures), 1)
        np.add.at(kinds[1], (problem.targets, problem.structures), 1)
    vertices = [first_out, first_in, num_out, num_in, kinds[0], kinds[1], problem.is_output]
    marks = [np.zeros(size, np.int64), np.zeros(size, np.int32)]
    scratch = [np.zeros(64, np.int32), np.zeros(64, np.int32)]
    return Sparse._make([edges, *vertices, *marks, *scratch, np.array([count, count, 0, 0], np.int64)])


def _link(ends: np.ndarray, size: int, following: np.ndarray, previous: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Link the slots with equal ends; returns the first slot and the number of slots of each vertex [V]."""
    order = np.argsort(ends, kind="stable").astype(np.int32)
    joined = ends[order[1:]] == ends[order[:-1]]
    following[order[:-1][joined]] = order[1:][joined]
    previous[order[1:][joined]] = order[:-1][joined]
    first = np.full(size, -1, np.int32)
    first[ends[order[::-1]]] = order[::-1]
    return first, np.bincount(ends, minlength=size).astype(np.int32)


def grow_edges(graph: Sparse, extra: int) -> Sparse:
    """The same graph with room for at least ``extra`` more edges."""
    old = graph.edges.shape[0]
    room = max(2 * old, old + extra)
    edges = np.full((room, 8), -1, np.int32)
    edges[:old] = graph.edges
    edges[old:room, NEXT_OUT] = np.arange(old + 1, room + 1, dtype=np.int32)
    edges[room - 1, NEXT_OUT] = graph.counters[FREE]
    graph.counters[FREE] = old
    return graph._replace(edges=edges)


def grow_scratch(graph: Sparse, need: int) -> Sparse:
    """The same graph with scratch space for one elimination with ``need`` products."""
    return graph._replace(new_slot=np.zeros(2 * need, np.int32), new_structure=np.zeros(2 * need, np.int32))
