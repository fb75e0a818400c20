"""The cheapest order by trying everything: the specification of exact search."""

from __future__ import annotations

import copy

from elimax.elimination.problem import Problem
from elimax.elimination.reference import Elimination


def optimum(problem: Problem) -> int:
    """Least cost over all orders; every graph that can arise is met once."""
    known: dict[object, int] = {}

    def rest(state: Elimination, left: frozenset[int]) -> int:
        key = (left, frozenset((u, v, kind) for v, ins in enumerate(state.ins) for u, kind in ins.items()))
        if key not in known:
            costs = []
            for v in left:
                after = copy.deepcopy(state, {id(state.problem): state.problem})
                costs.append(after.eliminate(v) + rest(after, left - {v}))
            known[key] = min(costs, default=0)
        return known[key]

    return rest(Elimination(problem), frozenset(problem.eliminable))
