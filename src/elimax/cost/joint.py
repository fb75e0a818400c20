"""What a group of vertices costs together, at least.

Vertex by vertex the minimum cut bound lets every vertex choose what is eliminated before it; in truth ``u`` comes
before ``v`` or after. For a small group the best order of its members is found by dynamic programming over its
subsets, where a member's cost is its minimum cut bound given which members come before and after it. Sums over
disjoint groups bound every order, and larger groups bound better; a group of all vertices is exact.
"""

from __future__ import annotations

import numpy as np

from elimax.cost.flows import AFTER, BEFORE, FREE, from_problem, least_price
from elimax.elimination.kernel import inner, jit
from elimax.elimination.problem import Problem


@inner
def _gather(subset, mask):
    """The bits of ``subset`` at the places of ``mask``, moved together."""
    result, place = np.int64(0), np.int64(1)
    while mask:
        low = mask & -mask
        if subset & low:
            result |= place
        place <<= 1
        mask ^= low
    return result


@jit
def _fill_prices(flows, above, below, group, related, offset, prices):
    """Least price of each member for each subset of its related members before it."""
    for i in range(group.size):
        v, others = group[i], related[i]
        subset = np.int64(0)
        for position in range(offset[i + 1] - offset[i]):
            for j in range(group.size):
                bit = np.int64(1) << j
                if others & bit:
                    flows.mark[group[j]] = BEFORE if subset & bit else AFTER
            prices[offset[i] + position] = least_price(flows, above, below, v)
            subset = (subset - others) & others  # the next subset in ascending order
        for j in range(group.size):
            flows.mark[group[j]] = FREE


@jit
def _best_order(size, related, offset, prices, cost):
    """Dynamic programming over subsets: ``cost[s]`` is the least cost of eliminating the members in ``s`` first."""
    cost[0] = 0
    for subset in range(1, np.int64(1) << size):
        best = np.int64(1) << 60
        for i in range(size):
            bit = np.int64(1) << i
            if subset & bit:
                rest = subset ^ bit
                best = min(best, cost[rest] + prices[offset[i] + _gather(rest, related[i])])
        cost[subset] = best
    return cost[(np.int64(1) << size) - 1]


class JointBounds:
    """Lower bounds on the cost of groups of vertices; each group is worked out once.

    Args:
      problem: a problem with a `ScalarAlgebra`.
    """

    def __init__(self, problem: Problem):
        self._flows, self._above, self._below = from_problem(problem)
        self._ancestors = ancestors(problem)
        self._known: dict[tuple[int, ...], int] = {}
        self.evaluations = 0

    def related(self, v: int, w: int) -> bool:
        """Whether a path leads from one vertex to the other; only then can one change the price of the other."""
        return bool(self._ancestors[v] >> w & 1 or self._ancestors[w] >> v & 1)

    def work(self, group: tuple[int, ...]) -> int:
        """Number of prices that have to be worked out for a group."""
        return sum(1 << sum(self.related(v, w) for w in group if w != v) for v in group)

    def bound(self, group: tuple[int, ...]) -> int:
        """Least cost of the members of a group over all orders of the graph.

        Args:
          group: vertices to eliminate, ascending.

        Returns:
          A lower bound, attained by the order of the members if all other vertices could fit in as suits each.
        """
        found = self._known.get(group)
        if found is None:
            found = self._known[group] = self._solve(group)
        return found

    def _solve(self, group: tuple[int, ...]) -> int:
        size = len(group)
        masks = [sum(1 << j for j, w in enumerate(group) if w != v and self.related(v, w)) for v in group]
        related = np.array(masks, np.int64)
        offset = np.zeros(size + 1, np.int64)
        offset[1:] = np.cumsum([1 << mask.bit_count() for mask in masks])
        prices = np.zeros(offset[-1], np.int64)
        members = np.array(group, np.int64)
        _fill_prices(self._flows, self._above, self._below, members, related, offset, prices)
        self.evaluations += int(offset[-1])
        return int(_best_order(size, related, offset, prices, np.zeros(1 << size, np.int64)))


def ancestors(problem: Problem) -> list[int]:
    """Vertices from which a path leads to each vertex, as bits of an integer [V]."""
    found = [0] * problem.num_vertices
    for source, target in zip(problem.sources.tolist(), problem.targets.tolist(), strict=True):
        found[target] |= found[source] | 1 << source
    return found
