"""Greedy elimination of the vertex that is cheapest now.

Markowitz (1957) for sparse matrices, Griewank & Reese (1991) for computational graphs; relative Markowitz after
Naumann (1999).
"""

from __future__ import annotations

import heapq
import random

import numpy as np

from elimax.elimination.evaluate import is_small
from elimax.elimination.problem import Problem
from elimax.elimination.reference import Elimination
from elimax.errors import OrderError
from elimax.order.limits import Limits
from elimax.order.result import Order

TIES = ("lowest", "highest", "random")


def markowitz(
    problem: Problem,
    limits: Limits,
    seed: int,
    *,
    ties: str = "lowest",
    relative: bool = False,
    lookahead: int = 0,
) -> Order:
    """Eliminate the cheapest vertex, again and again.

    Args:
      problem: the graph and the cost rule; the rule decides what is cheapest.
      limits: not used; the search makes one pass.
      seed: of random ties.
      ties: which of equally cheap vertices goes first: the "lowest" or "highest" number, or a "random" one.
      relative: whether to count the cost of a vertex less the number of pairs of an input and an output that it
        joins, which is what the vertex costs at the very end at most.
      lookahead: number of cheapest vertices that are compared by their cost plus what their elimination adds to the
        cost of their neighbours; 0 and 1 do not look ahead.

    Returns:
      The order.

    Raises:
      OrderError: if ``ties`` is none of the above or ``lookahead`` is negative.
    """
    if ties not in TIES:
        raise OrderError(f"ties should be one of {', '.join(map(repr, TIES))}, got {ties!r}")
    if isinstance(lookahead, bool) or not isinstance(lookahead, int) or lookahead < 0:
        raise OrderError(f"lookahead should be an integer, zero or more, got {lookahead!r}")
    found = greedy_order(problem, seed, ties, relative, lookahead)
    assert found is not None  # without a ceiling it goes on to the end
    return found


def greedy_order(
    problem: Problem,
    seed: int = 0,
    ties: str = "lowest",
    relative: bool = False,
    lookahead: int = 0,
    ceiling: int | None = None,
) -> Order | None:
    """The same, for callers that have checked their arguments.

    Args:
      problem: as for `markowitz`.
      seed: as for `markowitz`.
      ties: as for `markowitz`.
      relative: as for `markowitz`.
      lookahead: as for `markowitz`.
      ceiling: give up when the cost passes it.

    Returns:
      The order, or None if it was given up.
    """
    rank = _ranks(problem, ties, seed)
    bias = reachable_pairs(problem) if relative else np.zeros(problem.num_vertices, np.int64)
    if lookahead > 1:
        found = _look_ahead(problem, rank.tolist(), bias.tolist(), lookahead, ceiling)
    elif is_small(problem):
        found = _greedy(problem, rank.tolist(), bias.tolist(), ceiling)
    else:
        from elimax.elimination.greedy import greedy

        found = greedy(problem, rank, bias, ceiling)
    return None if found is None else Order(*found, "markowitz", evaluations=1)


def _ranks(problem: Problem, ties: str, seed: int) -> np.ndarray:
    """Rank of each vertex among equally cheap ones, int64 [V]."""
    ranks = np.arange(problem.num_vertices, dtype=np.int64)
    if ties == "highest":
        return ranks[::-1].copy()
    if ties == "random":
        shuffled = ranks.tolist()
        random.Random(seed).shuffle(shuffled)
        return np.array(shuffled, np.int64)
    return ranks


def reachable_pairs(problem: Problem) -> np.ndarray:
    """Number of inputs that reach a vertex times the number of outputs that it reaches, int64 [V]."""
    from_inputs, to_outputs = [0] * problem.num_vertices, [0] * problem.num_vertices
    for position, v in enumerate(problem.inputs):
        from_inputs[v] |= 1 << position
    for position, v in enumerate(problem.outputs):
        to_outputs[v] |= 1 << position
    edges = list(zip(problem.sources.tolist(), problem.targets.tolist(), strict=True))
    for source, target in edges:  # sorted by target, so a source is complete when it is read
        from_inputs[target] |= from_inputs[source]
    for source, target in sorted(edges, reverse=True):
        to_outputs[source] |= to_outputs[target]
    return np.array([a.bit_count() * b.bit_count() for a, b in zip(from_inputs, to_outputs, strict=True)], np.int64)


def _greedy(
    problem: Problem, rank: list[int], bias: list[int], ceiling: int | None
) -> tuple[tuple[int, ...], int] | None:
    """The specification of the search, with a heap in which outdated entries stay until they surface."""
    state = Elimination(problem)
    waiting = set(problem.eliminable)
    price = {v: state.price(v) - bias[v] for v in problem.eliminable}
    heap = [(price[v], rank[v], v) for v in problem.eliminable]
    heapq.heapify(heap)
    order: list[int] = []
    while waiting:
        key, _, v = heapq.heappop(heap)
        if v not in waiting or key != price[v]:
            continue
        neighbours = [*state.ins[v], *state.outs[v]]
        state.eliminate(v)
        if ceiling is not None and state.cost > ceiling:
            return None
        waiting.remove(v)
        order.append(v)
        for u in neighbours:
            if u in waiting:
                new = state.price(u) - bias[u]
                if new != price[u]:
                    price[u] = new
                    heapq.heappush(heap, (new, rank[u], u))
    return tuple(order), state.cost


def _look_ahead(
    problem: Problem, rank: list[int], bias: list[int], width: int, ceiling: int | None
) -> tuple[tuple[int, ...], int] | None:
    """Among the ``width`` cheapest vertices take the one that leaves its neighbours cheapest."""
    state = Elimination(problem)
    price = {v: state.price(v) - bias[v] for v in problem.eliminable}
    added: dict[int, int] = {}  # as long as nothing has changed around a vertex
    order: list[int] = []
    while price:
        candidates = heapq.nsmallest(width, price, key=lambda v: (price[v], rank[v]))
        for v in candidates:
            if v not in added:
                added[v] = _added(state, v, price, bias)
        best = min(candidates, key=lambda v: (price[v] + added[v], price[v], rank[v]))
        neighbours = [*state.ins[best], *state.outs[best]]
        state.eliminate(best)
        if ceiling is not None and state.cost > ceiling:
            return None
        for u in neighbours:
            for v in (u, *state.ins[u], *state.outs[u]):
                added.pop(v, None)
        order.append(best)
        del price[best]
        for u in neighbours:
            if u in price:
                price[u] = state.price(u) - bias[u]
    return tuple(order), state.cost


def _added(state: Elimination, v: int, price: dict[int, int], bias: list[int]) -> int:
    """What eliminating ``v`` would add to the prices of its neighbours."""
    neighbours = [*state.ins[v], *state.outs[v]]
    kept = [(u, dict(state.ins[u]), dict(state.outs[u])) for u in (v, *neighbours)]
    cost = state.cost
    state.eliminate(v)
    added = sum(state.price(u) - bias[u] - price[u] for u in neighbours if u in price)
    for u, ins, outs in kept:
        state.ins[u], state.outs[u] = ins, outs
    state.cost = cost
    return added
