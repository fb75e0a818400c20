"""Compiled greedy elimination for large graphs; it agrees with the plain Python of `elimax.order.markowitz`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from elimax.elimination.kernel import DONE, NEEDS_PRODUCT, eliminate, inner, jit, price, resume
from elimax.elimination.problem import Problem
from elimax.elimination.sparse import COST, NEXT_IN, NEXT_OUT, SOURCE, TARGET, from_problem
from elimax.structure.term import Kind

SIZE, PENDING, CURSOR, COUNT = 0, 1, 2, 3
"""Positions in ``Queue.counters``."""


class Queue(NamedTuple):
    """A binary heap in which keys can change, and the vertices that have to be priced again.

    Attributes:
      heap: int32 [V] vertices, the one with the smallest key first.
      place: int32 [V] position of a vertex in the heap, or -1.
      key: int64 [V] price times V plus rank.
      rank: int64 [V] rank among equally cheap vertices.
      bias: int64 [V] subtracted from the price.
      pending: int32 [V] vertices to price again.
      order: int32 [V] vertices eliminated so far.
      counters: int64 [4] size of the heap, number pending, number of those done, number eliminated.
    """

    heap: np.ndarray
    place: np.ndarray
    key: np.ndarray
    rank: np.ndarray
    bias: np.ndarray
    pending: np.ndarray
    order: np.ndarray
    counters: np.ndarray


@inner
def _sift_up(queue, position):
    v = queue.heap[position]
    while position > 0:
        parent = (position - 1) >> 1
        u = queue.heap[parent]
        if queue.key[u] <= queue.key[v]:
            break
        queue.heap[position], queue.place[u] = u, position
        position = parent
    queue.heap[position], queue.place[v] = v, position


@inner
def _sift_down(queue, position):
    size, v = queue.counters[SIZE], queue.heap[position]
    while True:
        child = 2 * position + 1
        if child >= size:
            break
        if child + 1 < size and queue.key[queue.heap[child + 1]] < queue.key[queue.heap[child]]:
            child += 1
        u = queue.heap[child]
        if queue.key[v] <= queue.key[u]:
            break
        queue.heap[position], queue.place[u] = u, position
        position = child
    queue.heap[position], queue.place[v] = v, position


@inner
def _pop(queue):
    v = queue.heap[0]
    queue.counters[SIZE] -= 1
    last = queue.heap[queue.counters[SIZE]]
    queue.place[v] = -1
    if last != v:
        queue.heap[0], queue.place[last] = last, 0
        _sift_down(queue, 0)
    return v


@inner
def _scalar_price(graph, costs, v):
    """Price of a vertex whose structures are kinds, from the numbers of its edges of each kind."""
    cost = np.int64(0)
    for left in range(3):
        for right in range(3):
            cost += costs[left, right] * graph.kinds_out[v, left] * graph.kinds_in[v, right]
    return cost


@jit
def _run(graph, tables, queue, costs, ceiling, request):
    """Go on until all vertices are eliminated, the ceiling is passed or something is missing; returns a status."""
    size = queue.heap.size
    while True:
        if graph.counters[COST] > ceiling:
            return DONE
        while queue.counters[CURSOR] < queue.counters[PENDING]:
            v = queue.pending[queue.counters[CURSOR]]
            now = _scalar_price(graph, costs, v) if costs.size else price(graph, tables, v, request)
            if now < 0:
                return NEEDS_PRODUCT
            queue.key[v] = (now - queue.bias[v]) * size + queue.rank[v]
            _sift_up(queue, queue.place[v])
            _sift_down(queue, queue.place[v])
            queue.counters[CURSOR] += 1
        if queue.counters[SIZE] == 0:
            return DONE
        v, pending = queue.heap[0], 0
        e = graph.first_in[v]
        while e >= 0:
            if queue.place[graph.edges[e, SOURCE]] >= 0:
                queue.pending[pending] = graph.edges[e, SOURCE]
                pending += 1
            e = graph.edges[e, NEXT_IN]
        e = graph.first_out[v]
        while e >= 0:
            if queue.place[graph.edges[e, TARGET]] >= 0:
                queue.pending[pending] = graph.edges[e, TARGET]
                pending += 1
            e = graph.edges[e, NEXT_OUT]
        status = eliminate(graph, tables, v, request)
        if status != DONE:
            return status
        _pop(queue)
        queue.order[queue.counters[COUNT]] = v
        queue.counters[COUNT] += 1
        queue.counters[PENDING], queue.counters[CURSOR] = pending, 0


MOST_ASKED = 50_000
"""So many products and sums of blocks are worked out in about ten seconds."""


def greedy(
    problem: Problem, rank: np.ndarray, bias: np.ndarray, ceiling: int | None = None
) -> tuple[tuple[int, ...], int] | None:
    """Eliminate the vertex with the least price less bias, ties to the least rank, until none is left.

    Args:
      problem: the graph and the cost rule.
      rank: int64 [V] a permutation.
      bias: int64 [V].
      ceiling: give up when the cost passes it, or when the products and sums of blocks that are not known yet are more
        than `MOST_ASKED`.

    Returns:
      The order and its cost, or None if it was given up.
    """
    size, waiting = problem.num_vertices, np.array(problem.eliminable, np.int32)
    heap, pending, place = (np.full(size, -1, np.int32) for _ in range(3))
    heap[: waiting.size] = pending[: waiting.size] = waiting
    place[waiting] = np.arange(waiting.size, dtype=np.int32)
    key = np.full(size, np.iinfo(np.int64).max, np.int64)
    counters = np.array([waiting.size, waiting.size, 0, 0], np.int64)
    queue = Queue(heap, place, key, rank, bias, pending, np.zeros(size, np.int32), counters)
    kinds = list(Kind) if problem.is_scalar else []
    costs = np.array([[problem.algebra.product(left, right)[1] for right in kinds] for left in kinds], np.int64)
    costs = costs.reshape(len(kinds), len(kinds))
    graph, tables, request = from_problem(problem), problem.algebra.tables.arrays(), np.zeros(2, np.int64)
    highest = np.iinfo(np.int64).max if ceiling is None else ceiling
    status = _run(graph, tables, queue, costs, highest, request)
    asked = 0
    while status != DONE:
        asked += 1
        if ceiling is not None and asked > MOST_ASKED:
            return None
        graph, tables = resume(problem, graph, int(status), request)
        status = _run(graph, tables, queue, costs, highest, request)
    if graph.counters[COST] > highest:
        return None
    return tuple(queue.order[: waiting.size].tolist()), int(graph.counters[COST])
