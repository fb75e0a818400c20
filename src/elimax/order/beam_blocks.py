"""One step of beam search for graphs of blocks, in plain Python."""

from __future__ import annotations

from collections.abc import Iterator

from elimax.elimination.problem import Problem
from elimax.elimination.reference import Elimination
from elimax.order.exact_blocks import Branch


class BlockBeam:
    """Beam search over the graphs that can arise; what is left of a graph depends on its edges and their structures.

    Args:
      problem: any problem.
    """

    def __init__(self, problem: Problem):
        self._problem = problem
        self.start()

    def start(self) -> None:
        """Begin anew with the whole graph."""
        self.level = [Branch(Elimination(self._problem), ())]
        self.complete = True

    @property
    def num_sets(self) -> int:
        """Number of graphs of the level."""
        return len(self.level)

    def advance(self, width: int, best: int, weight: float) -> Iterator[int]:
        """Go on to graphs with one vertex less.

        Args:
          width: number of graphs to keep at most.
          best: graphs that cost as much are dropped.
          weight: of what the vertices left would cost now, in the ranking.

        Yields:
          The number of graphs gone on from, after each piece of work; the level has advanced when it ends.
        """
        found: dict[object, tuple[float, int, Branch]] = {}
        for branch in self.level:
            gone = set(branch.order)
            for v in self._problem.eliminable:
                if v in gone or branch.state.cost + branch.state.price(v) >= best:
                    continue
                after = branch.after(v)
                key = after.key()
                if key not in found or after.state.cost < found[key][2].state.cost:
                    found[key] = self._rank(after, weight), len(found), after
            yield 1
        ranked = sorted(found.values(), key=lambda entry: entry[:2])
        self.complete &= len(ranked) <= width
        self.level = [branch for _, _, branch in ranked[:width]]

    def _rank(self, branch: Branch, weight: float) -> float:
        if weight == 0:
            return float(branch.state.cost)
        gone = set(branch.order)
        return branch.state.cost + weight * sum(
            branch.state.price(v) for v in self._problem.eliminable if v not in gone
        )

    def order(self) -> tuple[int, ...]:
        """The order that leads to the cheapest graph of the level."""
        return min(self.level, key=lambda branch: branch.state.cost).order
