"""Compiled vertex elimination; it agrees with `elimax.elimination.reference`.

A compiled function cannot call the algebra. When it meets a product or a sum that the tables lack, or runs out of
room, it stops before changing anything and says what it needs; `resume` fills that in and lets it go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np

from elimax.elimination.algebra import ZERO
from elimax.elimination.problem import Problem
from elimax.elimination.sparse import (
    COST,
    FREE,
    NEXT_IN,
    NEXT_OUT,
    NUM_EDGES,
    PREV_IN,
    PREV_OUT,
    SOURCE,
    STAMP,
    STRUCTURE,
    TARGET,
    Sparse,
    from_problem,
    grow_edges,
    grow_scratch,
)
from elimax.elimination.stale import forget_stale
from elimax.elimination.tables import BITS, EMPTY, MIX, TableArrays

DONE, NEEDS_PRODUCT, NEEDS_SUM, NEEDS_EDGES, NEEDS_SCRATCH = 0, 1, 2, 3, 4
"""Why a compiled function stopped; the two numbers after it say what is needed."""

_MIX = np.uint64(MIX)
_SHIFT = np.uint64(32)

forget_stale()


def _compiler(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """The decorator of numba, with code kept on disk where there is a folder that can be written."""

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:  # no such folder
            return numba.njit(nogil=True, **options)(function)

    return decorate


jit = _compiler()
inner = _compiler(no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For functions that only compiled code calls: they compile faster without an entry from Python."""


@jit
def find(keys, left, right):
    """Slot of a pair in a hash table, or -1."""
    key = np.int64(left) << BITS | np.int64(right)
    mask = keys.size - 1
    slot = np.int64((np.uint64(key) * _MIX) >> _SHIFT) & mask
    while keys[slot] != key:
        if keys[slot] == EMPTY:
            return np.int64(-1)
        slot = (slot + 1) & mask
    return slot


@jit
def price(graph, tables, v, request):
    """Cost of eliminating ``v`` now, or -1 if a product is missing, which ``request`` [2] then names."""
    cost = np.int64(0)
    right = graph.first_in[v]
    while right >= 0:
        left = graph.first_out[v]
        while left >= 0:
            slot = find(tables.product_keys, graph.edges[left, STRUCTURE], graph.edges[right, STRUCTURE])
            if slot < 0:
                request[0], request[1] = graph.edges[left, STRUCTURE], graph.edges[right, STRUCTURE]
                return np.int64(-1)
            cost += tables.product_costs[slot]
            left = graph.edges[left, NEXT_OUT]
        right = graph.edges[right, NEXT_IN]
    return cost


@inner
def _unlink_out(graph, e):
    before, after, v = graph.edges[e, PREV_OUT], graph.edges[e, NEXT_OUT], graph.edges[e, SOURCE]
    if before >= 0:
        graph.edges[before, NEXT_OUT] = after
    else:
        graph.first_out[v] = after
    if after >= 0:
        graph.edges[after, PREV_OUT] = before
    graph.num_out[v] -= 1
    if graph.kinds_out.size:
        graph.kinds_out[v, graph.edges[e, STRUCTURE]] -= 1


@inner
def _unlink_in(graph, e):
    before, after, v = graph.edges[e, PREV_IN], graph.edges[e, NEXT_IN], graph.edges[e, TARGET]
    if before >= 0:
        graph.edges[before, NEXT_IN] = after
    else:
        graph.first_in[v] = after
    if after >= 0:
        graph.edges[after, PREV_IN] = before
    graph.num_in[v] -= 1
    if graph.kinds_in.size:
        graph.kinds_in[v, graph.edges[e, STRUCTURE]] -= 1


@inner
def _add_edge(graph, source, target, structure):
    e = graph.counters[FREE]
    graph.counters[FREE] = graph.edges[e, NEXT_OUT]
    graph.counters[NUM_EDGES] += 1
    graph.edges[e, SOURCE], graph.edges[e, TARGET], graph.edges[e, STRUCTURE] = source, target, structure
    head = graph.first_out[source]
    graph.edges[e, NEXT_OUT], graph.edges[e, PREV_OUT], graph.first_out[source] = head, -1, e
    if head >= 0:
        graph.edges[head, PREV_OUT] = e
    head = graph.first_in[target]
    graph.edges[e, NEXT_IN], graph.edges[e, PREV_IN], graph.first_in[target] = head, -1, e
    if head >= 0:
        graph.edges[head, PREV_IN] = e
    graph.num_out[source] += 1
    graph.num_in[target] += 1
    if graph.kinds_in.size:
        graph.kinds_out[source, structure] += 1
        graph.kinds_in[target, structure] += 1


@inner
def _change_structure(graph, e, structure):
    old = graph.edges[e, STRUCTURE]
    graph.edges[e, STRUCTURE] = structure
    if graph.kinds_in.size:
        graph.kinds_out[graph.edges[e, SOURCE], old] -= 1
        graph.kinds_out[graph.edges[e, SOURCE], structure] += 1
        graph.kinds_in[graph.edges[e, TARGET], old] -= 1
        graph.kinds_in[graph.edges[e, TARGET], structure] += 1


@inner
def _free_edge(graph, e):
    graph.edges[e, NEXT_OUT] = graph.counters[FREE]
    graph.counters[FREE] = e
    graph.counters[NUM_EDGES] -= 1


@inner
def _scan_sources(graph, v):
    """Whether it is less work to scan the out-edges of the sources than the in-edges of the targets."""
    by_source, e = 0, graph.first_in[v]
    while e >= 0:
        by_source += graph.num_out[graph.edges[e, SOURCE]]
        e = graph.edges[e, NEXT_IN]
    by_target, e = 0, graph.first_out[v]
    while e >= 0:
        by_target += graph.num_in[graph.edges[e, TARGET]]
        e = graph.edges[e, NEXT_OUT]
    return by_source <= by_target


@inner
def _join(graph, tables, right, left, there, position, request):
    """Work out one new edge into the scratch space; returns the cost, or minus the status if something is missing."""
    product = find(tables.product_keys, graph.edges[left, STRUCTURE], graph.edges[right, STRUCTURE])
    if product < 0:
        request[0], request[1] = graph.edges[left, STRUCTURE], graph.edges[right, STRUCTURE]
        return np.int64(-NEEDS_PRODUCT)
    number = tables.product_ids[product]
    if number >= 0 and there >= 0:
        total = find(tables.sum_keys, graph.edges[there, STRUCTURE], number)
        if total < 0:
            request[0], request[1] = graph.edges[there, STRUCTURE], number
            return np.int64(-NEEDS_SUM)
        number = tables.sum_ids[total]
        if number == graph.edges[there, STRUCTURE]:
            number = np.int64(ZERO)  # nothing to do, and the edge need not be looked at again
    graph.new_slot[position], graph.new_structure[position] = there, number
    return tables.product_costs[product]


@jit
def eliminate(graph, tables, v, request):
    """Eliminate one vertex, or change nothing and return why not.

    Args:
      graph: `Sparse`, changed in place.
      tables: `TableArrays`.
      v: the vertex.
      request: int64 [2] receives what is needed.

    Returns:
      A status; the cost is added to the graph's counter.
    """
    pairs = np.int64(graph.num_in[v]) * graph.num_out[v]
    if graph.edges.shape[0] - graph.counters[NUM_EDGES] <= pairs:
        request[0] = pairs
        return NEEDS_EDGES
    if graph.new_slot.size < pairs:
        request[0] = pairs
        return NEEDS_SCRATCH

    # First everything is looked up, so that a miss leaves the graph as it was.
    cost, position = np.int64(0), 0
    by_source = _scan_sources(graph, v)
    outer = graph.first_in[v] if by_source else graph.first_out[v]
    while outer >= 0:
        graph.counters[STAMP] += 1
        stamp = graph.counters[STAMP]
        e = graph.first_out[graph.edges[outer, SOURCE]] if by_source else graph.first_in[graph.edges[outer, TARGET]]
        while e >= 0:
            end = graph.edges[e, TARGET] if by_source else graph.edges[e, SOURCE]
            graph.mark[end], graph.slot[end] = stamp, e
            e = graph.edges[e, NEXT_OUT] if by_source else graph.edges[e, NEXT_IN]
        inner = graph.first_out[v] if by_source else graph.first_in[v]
        while inner >= 0:
            end = graph.edges[inner, TARGET] if by_source else graph.edges[inner, SOURCE]
            there = graph.slot[end] if graph.mark[end] == stamp else np.int32(-1)
            right, left = (outer, inner) if by_source else (inner, outer)
            multiplications = _join(graph, tables, right, left, there, position, request)
            if multiplications < 0:
                return -multiplications
            cost += multiplications
            position += 1
            inner = graph.edges[inner, NEXT_OUT] if by_source else graph.edges[inner, NEXT_IN]
        outer = graph.edges[outer, NEXT_IN] if by_source else graph.edges[outer, NEXT_OUT]

    position = 0
    outer = graph.first_in[v] if by_source else graph.first_out[v]
    while outer >= 0:
        inner = graph.first_out[v] if by_source else graph.first_in[v]
        while inner >= 0:
            there, number = graph.new_slot[position], graph.new_structure[position]
            right, left = (outer, inner) if by_source else (inner, outer)
            if there >= 0:
                if number >= 0:
                    _change_structure(graph, there, number)
            elif number >= 0:
                _add_edge(graph, graph.edges[right, SOURCE], graph.edges[left, TARGET], number)
            position += 1
            inner = graph.edges[inner, NEXT_OUT] if by_source else graph.edges[inner, NEXT_IN]
        outer = graph.edges[outer, NEXT_IN] if by_source else graph.edges[outer, NEXT_OUT]

    _remove_edges(graph, v)
    graph.counters[COST] += cost
    return DONE


@inner
def _forget(first, number, kinds, v):
    first[v], number[v] = -1, 0
    if kinds.size:
        kinds[v, 0] = kinds[v, 1] = kinds[v, 2] = 0


@inner
def _remove_edges(graph, v):
    """Remove the out-edges of a vertex, and its in-edges unless it is an output."""
    e = graph.first_out[v]
    while e >= 0:
        after = graph.edges[e, NEXT_OUT]
        _unlink_in(graph, e)
        _free_edge(graph, e)
        e = after
    _forget(graph.first_out, graph.num_out, graph.kinds_out, v)
    if not graph.is_output[v]:
        e = graph.first_in[v]
        while e >= 0:
            after = graph.edges[e, NEXT_IN]
            _unlink_out(graph, e)
            _free_edge(graph, e)
            e = after
        _forget(graph.first_in, graph.num_in, graph.kinds_in, v)


@jit
def eliminate_all(graph, tables, order, start, request):
    """Eliminate ``order[start:]``; returns a status and the position reached."""
    for position in range(start, order.size):
        status = eliminate(graph, tables, order[position], request)
        if status != DONE:
            return status, position
    return DONE, order.size


def resume_tables(problem: Problem, status: int, request: np.ndarray) -> TableArrays:
    """Work out the product or sum that a compiled function asked for.

    Args:
      problem: the problem.
      status: `NEEDS_PRODUCT` or `NEEDS_SUM`.
      request: int64 [2] the two structure numbers.

    Returns:
      The current tables.
    """
    work_out = problem.algebra.product if status == NEEDS_PRODUCT else problem.algebra.sum
    work_out(int(request[0]), int(request[1]))
    return problem.algebra.tables.arrays()


def resume(problem: Problem, graph: Sparse, status: int, request: np.ndarray) -> tuple[Sparse, TableArrays]:
    """Provide what a compiled function asked for.

    Args:
      problem: the problem that the graph came from.
      graph: the graph in the course of elimination.
      status: why the function stopped.
      request: int64 [2] what it needs.

    Returns:
      The graph, perhaps with more room, and the current tables.
    """
    if status == NEEDS_EDGES:
        graph = grow_edges(graph, 2 * int(request[0]) + 64)
    elif status == NEEDS_SCRATCH:
        graph = grow_scratch(graph, int(request[0]))
    else:
        return graph, resume_tables(problem, status, request)
    return graph, problem.algebra.tables.arrays()


def total(problem: Problem, order: Sequence[int] | np.ndarray) -> int:
    """Cost of eliminating vertices in the given order, as `elimax.elimination.reference.total`."""
    graph, tables = from_problem(problem), problem.algebra.tables.arrays()
    vertices, request = np.asarray(order, np.int64), np.zeros(2, np.int64)
    status, position = eliminate_all(graph, tables, vertices, 0, request)
    while status != DONE:
        graph, tables = resume(problem, graph, int(status), request)
        status, position = eliminate_all(graph, tables, vertices, position, request)
    return int(graph.counters[COST])
