"""What a vertex costs after a set of others, for graphs of any size over any algebra.

As in `elimax.elimination.bits` the price is read off the original graph by following edges through the set, here along
lists of edges. Structures of paths multiply and add up edge by edge, towards the vertex that is priced.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from elimax.elimination.kernel import NEEDS_PRODUCT, NEEDS_SUM, find, inner
from elimax.elimination.problem import Problem
from elimax.structure.term import Kind

NONE = np.int64(-1)


class ListGraph(NamedTuple):
    """In- and out-edges of each vertex, one after the other.

    Attributes:
      in_start, in_vertex, in_structure: int64 [V + 1], [E], [E].
      out_start, out_vertex, out_structure: int64 [V + 1], [E], [E].
      is_output: bool [V]; an eliminated output still is the target of its in-edges.
      costs: int64 [3, 3] cost by kind of the left and the right factor in scalar graphs, else [0, 0].
    """

    in_start: np.ndarray
    in_vertex: np.ndarray
    in_structure: np.ndarray
    out_start: np.ndarray
    out_vertex: np.ndarray
    out_structure: np.ndarray
    is_output: np.ndarray
    costs: np.ndarray


class Scratch(NamedTuple):
    """Working space of `price`.

    Attributes:
      stamp: int64 [V] when a vertex was last reached, and ``stamps``: int64 [1] the last stamp.
      structure: int64 [V] structure of the paths to a vertex.
      heap: int64 [V + 1] vertices of the set that wait to be passed.
      ends_in, ends_out: int64 [V] vertices that would be joined.
      request: int64 [2] what the tables lack.
    """

    stamp: np.ndarray
    stamps: np.ndarray
    structure: np.ndarray
    heap: np.ndarray
    ends_in: np.ndarray
    ends_out: np.ndarray
    request: np.ndarray


def from_problem(problem: Problem) -> ListGraph:
    """Lists of edges of a problem."""
    kinds = list(Kind) if problem.is_scalar else []
    costs = np.array([[problem.algebra.product(left, right)[1] for right in kinds] for left in kinds], np.int64)
    return ListGraph._make(
        [
            *_lists(problem.num_vertices, problem.targets, problem.sources, problem.structures),
            *_lists(problem.num_vertices, problem.sources, problem.targets, problem.structures),
            problem.is_output,
            costs.reshape(len(kinds), len(kinds)),
        ]
    )


def new_scratch(problem: Problem) -> Scratch:
    """Working space for a problem."""
    size = problem.num_vertices
    stamp, structure, heap, ends_in, ends_out = (np.zeros(size + 1, np.int64) for _ in range(5))
    return Scratch(stamp, np.zeros(1, np.int64), structure, heap, ends_in, ends_out, np.zeros(2, np.int64))


def _lists(size: int, here: np.ndarray, there: np.ndarray, structures: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(here, kind="stable")
    start = np.zeros(size + 1, np.int64)
    start[1:] = np.cumsum(np.bincount(here, minlength=size))
    return [start, there[order].astype(np.int64), structures[order].astype(np.int64)]


@inner
def push(heap, size, key):
    """Put a key on a binary heap; returns its new size."""
    place = size
    while place > 0:
        parent = (place - 1) >> 1
        if heap[parent] <= key:
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = key
    return size + 1


@inner
def pop(heap, size):
    """Take the smallest key off a binary heap; returns it, the new size is one less."""
    top, last = heap[0], size - 1
    key, place = heap[last], 0
    while True:
        child = 2 * place + 1
        if child >= last:
            break
        if child + 1 < last and heap[child + 1] < heap[child]:
            child += 1
        if key <= heap[child]:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = key
    return top


@inner
def _reach(graph, tables, scratch, forward, v, label, limit, other, other_in):
    """Follow edges from ``v`` through the set; returns the number of ends, or minus a status.

    The set holds the vertices with a label below ``limit``, where ``other_in`` decides on the vertex ``other``.
    Vertices of the set are passed in topological order, so that the structure of the paths to them is complete.
    """
    scratch.stamps[0] += 1
    stamp = scratch.stamps[0]
    ends = scratch.ends_out if forward else scratch.ends_in
    size, number, p = np.int64(0), np.int64(0), np.int64(v)
    while True:
        first = graph.out_start[p] if forward else graph.in_start[p]
        last = graph.out_start[p + 1] if forward else graph.in_start[p + 1]
        for e in range(first, last):
            q = graph.out_vertex[e] if forward else graph.in_vertex[e]
            new = graph.out_structure[e] if forward else graph.in_structure[e]
            if p != v:
                left, right = (new, scratch.structure[p]) if forward else (scratch.structure[p], new)
                slot = find(tables.product_keys, left, right)
                if slot < 0:
                    scratch.request[0], scratch.request[1] = left, right
                    return np.int64(-NEEDS_PRODUCT)
                new = tables.product_ids[slot]
                if new < 0:
                    continue
            if scratch.stamp[q] == stamp:
                slot = find(tables.sum_keys, scratch.structure[q], new)
                if slot < 0:
                    scratch.request[0], scratch.request[1] = scratch.structure[q], new
                    return np.int64(-NEEDS_SUM)
                scratch.structure[q] = tables.sum_ids[slot]
                continue
            scratch.stamp[q] = stamp
            scratch.structure[q] = new
            passed = other_in if q == other else label[q] < limit
            if passed:
                size = push(scratch.heap, size, q if forward else -q)
            if not passed or (forward and graph.is_output[q]):
                ends[number] = q
                number += 1
        if size == 0:
            return number
        p = pop(scratch.heap, size)
        size -= 1
        if not forward:
            p = -p


@inner
def _price_pairs(tables, scratch, lefts, rights):
    """Cost of all pairs of structures that `price` has left in the scratch space, or minus a status."""
    cost = np.int64(0)
    for i in range(lefts):
        left = scratch.ends_out[i]
        for j in range(rights):
            right = scratch.ends_in[j]
            slot = find(tables.product_keys, left, right)
            if slot < 0:
                scratch.request[0], scratch.request[1] = left, right
                return np.int64(-NEEDS_PRODUCT)
            cost += tables.product_costs[slot]
    return cost


@inner
def price(graph, tables, scratch, v, label, limit, other, other_in):
    """Cost of eliminating ``v`` after a set.

    Args:
      graph: `ListGraph`.
      tables: `TableArrays`.
      scratch: `Scratch`.
      v: a vertex outside the set.
      label: int64 [V].
      limit: the set holds the vertices with a label below it,
      other: except for this one, or `NONE`,
      other_in: of which this tells whether the set holds it.

    Returns:
      The cost, or minus a status if ``scratch.request`` is missing in the tables.
    """
    rights = _reach(graph, tables, scratch, False, v, label, limit, other, other_in)
    if rights < 0:
        return rights
    for i in range(rights):
        scratch.ends_in[i] = scratch.structure[scratch.ends_in[i]]
    lefts = _reach(graph, tables, scratch, True, v, label, limit, other, other_in)
    if lefts < 0:
        return lefts
    for i in range(lefts):
        scratch.ends_out[i] = scratch.structure[scratch.ends_out[i]]
    if graph.costs.size == 0:
        return _price_pairs(tables, scratch, lefts, rights)
    cost = np.int64(0)
    for left in range(3):
        lefts_of, rights_of = np.int64(0), np.int64(0)
        for i in range(lefts):
            lefts_of += scratch.ends_out[i] == left
        for j in range(rights):
            rights_of += graph.costs[left, scratch.ends_in[j]]
        cost += lefts_of * rights_of
    return cost
