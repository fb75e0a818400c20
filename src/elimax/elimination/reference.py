"""The specification of vertex elimination, in plain Python.

It is also the fast path for small graphs, which are done before a compiler would have been imported.
"""

from __future__ import annotations

from collections.abc import Iterable

from elimax.elimination.problem import Problem


class Elimination:
    """A graph in the course of elimination.

    Args:
      problem: the graph at the beginning.

    Attributes:
      ins: per vertex, its in-edges as ``{source: structure number}``.
      outs: per vertex, its out-edges as ``{target: structure number}``.
      cost: cost so far.
    """

    def __init__(self, problem: Problem):
        self.problem = problem
        self.ins: list[dict[int, int]] = [{} for _ in range(problem.num_vertices)]
        self.outs: list[dict[int, int]] = [{} for _ in range(problem.num_vertices)]
        self.cost = 0
        self._outputs = frozenset(problem.outputs)
        edges = zip(problem.sources.tolist(), problem.targets.tolist(), problem.structures.tolist(), strict=True)
        for source, target, structure in edges:
            self.ins[target][source] = structure
            self.outs[source][target] = structure

    def price(self, v: int) -> int:
        """What eliminating vertex ``v`` would cost now."""
        algebra, rights = self.problem.algebra, self.ins[v].values()
        known, cost = algebra.products, 0
        for left in self.outs[v].values():
            for right in rights:
                found = known.get((left, right)) or algebra.product(left, right)
                cost += found[1]
        return cost

    def eliminate(self, v: int) -> int:
        """Eliminate a vertex.

        Args:
          v: an intermediate, or an output, which keeps its in-edges.

        Returns:
          The cost: the sum over pairs of an in- and an out-edge of the cost of their product.
        """
        algebra = self.problem.algebra
        known, outs, cost = algebra.products, self.outs[v], 0
        for source, right in self.ins[v].items():
            fan = self.outs[source]
            for target, left in outs.items():
                new, multiplications = known.get((left, right)) or algebra.product(left, right)
                cost += multiplications
                if new < 0:
                    continue
                old = fan.get(target)
                if old is not None:
                    new = algebra.sum(old, new)
                fan[target] = self.ins[target][source] = new
        for target in outs:
            del self.ins[target][v]
        self.outs[v] = {}
        if v not in self._outputs:
            for source in self.ins[v]:
                del self.outs[source][v]
            self.ins[v] = {}
        self.cost += cost
        return cost


def total(problem: Problem, order: Iterable[int]) -> int:
    """Cost of eliminating vertices in the given order.

    Args:
      problem: the graph and the cost rule.
      order: vertices, each at most once; not checked.

    Returns:
      The sum of the costs of the single eliminations.
    """
    state = Elimination(problem)
    for v in order:
        state.eliminate(v)
    return state.cost
