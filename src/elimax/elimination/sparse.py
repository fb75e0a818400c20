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


class Sparse(NamedTuple):
    """Edges in slots.

    Attributes:
      source, target, structure: int32 [M] of each slot.
      next_out, prev_out, next_in, prev_in: int32 [M] links; -1 ends a list; free slots are linked by ``next_out``.
      first_out, first_in: int32 [V] first slot of a vertex.
      num_out, num_in: int32 [V] lengths of the lists.
      is_output: bool [V].
      mark: int64 [V] stamps of a scan, and ``slot`` int32 [V] the slot that the scan found.
      new_slot, new_structure: int32 [K] results of one elimination, K at least in-degree times out-degree.
      counters: int64 [4] first free slot, edges alive, cost so far, last stamp.
    """

    source: np.ndarray
    target: np.ndarray
    structure: np.ndarray
    next_out: np.ndarray
    prev_out: np.ndarray
    next_in: np.ndarray
    prev_in: np.ndarray
    first_out: np.ndarray
    first_in: np.ndarray
    num_out: np.ndarray
    num_in: np.ndarray
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
    slots = [np.full(room, -1, np.int32) for _ in range(7)]
    slots[0][:count], slots[1][:count], slots[2][:count] = problem.sources, problem.targets, problem.structures
    slots[3][count : room - 1] = np.arange(count + 1, room, dtype=np.int32)
    first_out, num_out = _link(problem.sources, size, slots[3], slots[4])
    first_in, num_in = _link(problem.targets, size, slots[5], slots[6])
    vertices = [
        first_out,
        first_in,
        num_out,
        num_in,
        problem.is_output,
        np.zeros(size, np.int64),
        np.zeros(size, np.int32),
    ]
    scratch = [np.zeros(64, np.int32), np.zeros(64, np.int32)]
    return Sparse._make([*slots, *vertices, *scratch, np.array([count, count, 0, 0], np.int64)])


def _link(ends: np.ndarray, size: int, following: np.ndarray, previous: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Link the slots with equal ends; returns the first slot and the number of slots of each vertex [V]."""
    order = np.argsort(ends, kind="stable").astype(np.int32)
    joined = ends[order[1:]] == ends[order[:-1]]
    following[: ends.size] = -1
    following[order[:-1][joined]] = order[1:][joined]
    previous[order[1:][joined]] = order[:-1][joined]
    first = np.full(size, -1, np.int32)
    first[ends[order[::-1]]] = order[::-1]
    return first, np.bincount(ends, minlength=size).astype(np.int32)


def grow_edges(graph: Sparse, extra: int) -> Sparse:
    """The same graph with room for at least ``extra`` more edges."""
    old = graph.source.size
    room = max(2 * old, old + extra)
    slots = []
    for array in graph[:7]:
        larger = np.full(room, -1, np.int32)
        larger[:old] = array
        slots.append(larger)
    slots[3][old:room] = np.arange(old + 1, room + 1, dtype=np.int32)
    slots[3][room - 1] = graph.counters[FREE]
    graph.counters[FREE] = old
    return Sparse._make([*slots, *graph[7:]])


def grow_scratch(graph: Sparse, need: int) -> Sparse:
    """The same graph with scratch space for one elimination with ``need`` products."""
    return graph._replace(new_slot=np.zeros(2 * need, np.int32), new_structure=np.zeros(2 * need, np.int32))
