"""What a group of vertices costs together, at least.

Vertex by vertex the minimum cut bound lets every vertex choose what is eliminated before it; in truth ``u`` comes
before ``v`` or after. For a small group the best order of its members is found by dynamic programming over its
subsets, where a member's cost is its minimum cut bound given which members come before and after it. Sums over
disjoint groups bound every order, and larger groups bound better; a group of all vertices is exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from elimax.cost.flows import AFTER, BEFORE, FREE, Flows, Side, cuts, from_problem, price_of_cuts
from elimax.elimination.kernel import inner, jit
from elimax.elimination.problem import Problem

MOST_MEMBERS = 16
"""Larger groups do not fit: there is a table of all subsets."""


class Tables(NamedTuple):
    """A group of k vertices and what its members see of each other, towards the inputs and towards the outputs.

    Attributes:
      members: int64 [k].
      sees: int64 [2, k] members that can be on the way from a member, as bits.
      offset: int64 [2, k] where the table of a member begins.
      cuts: int64 [...] `elimax.cost.flows.cuts` of a member for each subset of the members it sees before it.
      left: int32 [2 ** k] least cost of the members that are not in a subset once those in it are eliminated.
    """

    members: np.ndarray
    sees: np.ndarray
    offset: np.ndarray
    cuts: np.ndarray
    left: np.ndarray


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


@inner
def _fill_cuts(flows, side, members, sees, offset, table):
    """Cuts of each member on one side for each subset of the members that it sees before it."""
    for i in range(members.size):
        others, subset, position = sees[i], np.int64(0), offset[i]
        while True:
            for j in range(members.size):
                bit = np.int64(1) << j
                if others & bit:
                    flows.mark[members[j]] = BEFORE if subset & bit else AFTER
            table[position] = cuts(flows, side, members[i])
            position += 1
            subset = (subset - others) & others  # the next subset in ascending order, in the end none again
            if subset == 0:
                break
        for j in range(members.size):
            flows.mark[members[j]] = FREE


@jit
def _solve(flows, above, below, group):
    """Dynamic programming over subsets; fills the tables of the group and returns its least cost."""
    _fill_cuts(flows, above, group.members, group.sees[0], group.offset[0], group.cuts)
    _fill_cuts(flows, below, group.members, group.sees[1], group.offset[1], group.cuts)
    full = (np.int64(1) << group.members.size) - 1
    group.left[full] = 0
    for done in range(1, full + 1):
        subset = full - done
        best = np.int64(1) << 30
        for i in range(group.members.size):
            bit = np.int64(1) << i
            if not subset & bit:
                above_i = group.cuts[group.offset[0, i] + _gather(subset, group.sees[0, i])]
                below_i = group.cuts[group.offset[1, i] + _gather(subset, group.sees[1, i])]
                best = min(best, group.left[subset | bit] + price_of_cuts(above_i, below_i))
        group.left[subset] = best
    return np.int64(group.left[0])


class JointBounds:
    """Lower bounds on the cost of groups of vertices; each group is worked out once.

    Args:
      problem: a problem with a `ScalarAlgebra`.

    Attributes:
      flows: working space of cuts.
      above: the side towards the inputs.
      below: the side towards the outputs.
      evaluations: number of cuts worked out.
    """

    def __init__(self, problem: Problem):
        space = from_problem(problem)
        self.flows: Flows = space[0]
        self.above: Side = space[1]
        self.below: Side = space[2]
        self._ancestors = ancestors(problem)
        self._known: dict[tuple[int, ...], int] = {}
        self.evaluations = 0

    def related(self, v: int, w: int) -> bool:
        """Whether a path leads from one vertex to the other; only then can one change the price of the other."""
        return bool(self._ancestors[v] >> w & 1 or self._ancestors[w] >> v & 1)

    def work(self, group: tuple[int, ...]) -> int:
        """Number of cuts that have to be worked out for a group."""
        return sum(1 << mask.bit_count() for side in self.sees(group) for mask in side)

    def bound(self, group: tuple[int, ...]) -> int:
        """Least cost of the members of a group over all orders of the graph.

        Args:
          group: at most `MOST_MEMBERS` vertices to eliminate, ascending.

        Returns:
          A lower bound, attained by the order of the members if all other vertices could fit in as suits each.
        """
        found = self._known.get(group)
        if found is None:
            found = self._known[group] = int(self.left(group)[0])
        return found

    def left(self, group: tuple[int, ...]) -> np.ndarray:
        """Least cost of the members that are not in a subset once those in it are eliminated, int32 [2 ** k]."""
        sees = np.array(self.sees(group), np.int64).reshape(2, len(group))
        lengths = np.array([1 << int(mask).bit_count() for mask in sees.ravel()], np.int64)
        tables = Tables(
            members=np.array(group, np.int64),
            sees=sees,
            offset=(np.cumsum(lengths) - lengths).reshape(2, len(group)),
            cuts=np.zeros(lengths.sum(), np.int64),
            left=np.zeros(1 << len(group), np.int32),
        )
        self.evaluations += int(lengths.sum())
        _solve(self.flows, self.above, self.below, tables)
        return tables.left

    def sees(self, group: tuple[int, ...]) -> tuple[list[int], list[int]]:
        """Members that can be on the way from each member to the inputs, and to the outputs, as bits."""
        above = [sum(1 << j for j, w in enumerate(group) if self._ancestors[v] >> w & 1) for v in group]
        below = [sum(1 << j for j, w in enumerate(group) if self._ancestors[w] >> v & 1) for v in group]
        return above, below


def ancestors(problem: Problem) -> list[int]:
    """Vertices from which a path leads to each vertex, as bits of an integer [V]."""
    found = [0] * problem.num_vertices
    for source, target in zip(problem.sources.tolist(), problem.targets.tolist(), strict=True):
        found[target] |= found[source] | 1 << source
    return found
