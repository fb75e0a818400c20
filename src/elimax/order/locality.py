"""The same eliminations in an order in which neighbours stand close together.

Two vertices that are not neighbours when they are eliminated one after the other may change places: neither sees the
other's edges. So an order is a partial order (a vertex comes before those that are its neighbours when it is
eliminated), every linear order that respects it costs the same, and one that finishes a part of the graph before it
goes on to the next lets windows of the order hold vertices that have to do with each other. A greedy order is far from
that: it takes cheap vertices all over the graph first.
"""

from __future__ import annotations

from collections.abc import Sequence

from elimax.elimination.problem import Problem
from elimax.elimination.reference import Elimination


def localised(problem: Problem, order: Sequence[int]) -> list[int]:
    """An order of the same cost that goes through the graph part by part, depth first.

    Args:
      problem: the graph.
      order: every vertex to eliminate once.

    Returns:
      The same vertices; only vertices that have nothing to do with each other have changed places.
    """
    state, position = Elimination(problem), {v: k for k, v in enumerate(order)}
    before: list[list[int]] = [[] for _ in order]
    is_root = [True] * len(order)
    for k, v in enumerate(order):
        for u in (*state.ins[v], *state.outs[v]):
            later = position.get(u, -1)
            if later > k:
                before[later].append(k)
                is_root[k] = False
        state.eliminate(v)
    done, found = [False] * len(order), list[int]()
    for root in range(len(order)):
        stack = [root] if is_root[root] else []
        while stack:
            k = stack[-1]
            while before[k] and done[before[k][-1]]:
                before[k].pop()
            if before[k]:
                stack.append(before[k].pop())
            else:
                stack.pop()
                if not done[k]:
                    done[k] = True
                    found.append(order[k])
    return found
