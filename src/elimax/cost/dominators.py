"""Which single vertices separate the others of an acyclic graph from its ends: the tree of dominators.

Whatever path leads from a vertex to the ends runs through all vertices above it in the tree, and through no other one
in every case. So vertices with an ancestor in common can be separated by that one alone, and those with none cannot be
by any. One pass over the edges makes the tree (Cooper, Harvey and Kennedy, A simple, fast dominance algorithm, 2001;
without cycles there is nothing to repeat).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from elimax.cost.cuts import vertex_cut

ROOT = -1
"""Above every vertex that no single one separates from the ends."""


class Separators:
    """Minimum vertex cuts in one direction of a graph, from its tree of dominators where that is enough.

    Args:
      edges: [V] vertices that follow each vertex.
      ends: vertices to be separated from; they may be in a cut.
      order: all vertices, each after those that follow it.
    """

    def __init__(self, edges: Sequence[Collection[int]], ends: Collection[int], order: Iterable[int]) -> None:
        self._edges, self._ends = edges, ends
        self._above: dict[int, int] = {}
        self._depth = {ROOT: 0}
        for v in order:
            above = ROOT if v in ends else self._common(edges[v])
            if above is not None:
                self._above[v] = above
                self._depth[v] = self._depth[above] + 1

    def cut(self, first: Collection[int]) -> int:
        """Least number of vertices that separate a vertex from the ends; see `elimax.cost.cuts.vertex_cut`.

        Args:
          first: vertices that follow the one to separate.
        """
        reaching = [v for v in first if v in self._above]
        common = self._common(reaching)
        if common != ROOT:
            return 0 if common is None else 1
        return 2 if len(reaching) == 2 else vertex_cut(self._edges, reaching, self._ends, len(reaching))

    def _common(self, vertices: Iterable[int]) -> int | None:
        """The lowest vertex that each of some equals or is below, or the root; None if none of them reaches an end."""
        above, depth = self._above, self._depth
        common: int | None = None
        for v in vertices:
            if v not in above:
                continue
            if common is None:
                common = v
            while common != v:
                if depth[v] >= depth[common]:
                    v = above[v]
                else:
                    common = above[common]
        return common
