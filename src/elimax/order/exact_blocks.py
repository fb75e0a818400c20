"""Cheapest order of a graph of blocks, by going on from every graph that can arise.

The structure of a block may depend on how its terms were added up, so the set of eliminated vertices does not decide
what is left, but the edges and their structures do. Graphs are met size by size: all that arise from k eliminations,
each once at its least cost, and those that cost as much as the best known order are dropped. No bound on the rest is
known for blocks, so this is for small graphs; it can be stopped at any time and has then proved what the cheapest
graph costs.
"""

from __future__ import annotations

import copy

from elimax.elimination.problem import Problem
from elimax.elimination.reference import Elimination
from elimax.order.limits import Limits
from elimax.order.progress import Progress
from elimax.order.result import Order

BYTES_PER_EDGE = 400
"""Memory that an edge of a graph takes, roughly."""

Key = frozenset[tuple[int, int, int]]


class Branch:
    """A graph in the course of elimination, and how it came about.

    Args:
      state: the graph.
      order: vertices eliminated so far.
    """

    __slots__ = ("order", "state")

    def __init__(self, state: Elimination, order: tuple[int, ...]):
        self.state = state
        self.order = order

    def after(self, v: int) -> Branch:
        """The graph after one more elimination."""
        state = copy.copy(self.state)
        state.ins = [dict(edges) for edges in self.state.ins]
        state.outs = [dict(edges) for edges in self.state.outs]
        state.eliminate(v)
        return Branch(state, (*self.order, v))

    def key(self) -> tuple[frozenset[int], Key]:
        """What decides all further costs: who is left, and the edges with their structures."""
        edges = ((u, v, kind) for v, ins in enumerate(self.state.ins) for u, kind in ins.items())
        return frozenset(self.order), frozenset(edges)


def exact_blocks(problem: Problem, limits: Limits, memory: int, progress: Progress) -> None:
    """Find the cheapest order of any problem.

    Args:
      problem: the graph and the cost rule.
      limits: time, or number of graphs priced.
      memory: bytes that the graphs of two sizes may take.
      progress: holds an order to beat; receives the result.
    """
    layer: dict[object, Branch] = {None: Branch(Elimination(problem), ())}
    room = max(1, memory // (BYTES_PER_EDGE * max(1, problem.sources.size)))
    made = 0
    for _ in problem.eliminable:
        following: dict[object, Branch] = {}
        for branch in layer.values():
            eliminated = set(branch.order)
            for v in problem.eliminable:
                if v in eliminated:
                    continue
                over = limits.evaluations is not None and made >= limits.evaluations
                if over or limits.left == 0 or progress.ended or len(layer) + len(following) > room:
                    progress.raise_bound(_least(layer, progress))
                    return
                made += 1
                progress.count(1)
                best = progress.best
                if best is not None and branch.state.cost + branch.state.price(v) >= best.multiplications:
                    continue
                found = branch.after(v)
                key = found.key()
                known = following.get(key)
                if known is None or found.state.cost < known.state.cost:
                    following[key] = found
        layer = following
        progress.raise_bound(_least(layer, progress))
    for branch in layer.values():
        progress.offer(Order(branch.order, branch.state.cost, "exact"))
    progress.raise_bound(progress.best.multiplications if progress.best is not None else 0)


def _least(layer: dict[object, Branch], progress: Progress) -> int:
    """Bound from the graphs of one size: every order passes through one of them or costs as much as the best."""
    costs = [branch.state.cost for branch in layer.values()]
    if progress.best is not None:
        costs.append(progress.best.multiplications)
    return min(costs, default=0)
