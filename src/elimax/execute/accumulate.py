"""Vertex elimination on the values of edges, inside the caller's trace."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from elimax.elimination.steps import EdgeStep, Step
from elimax.structure.algebra import add, product
from elimax.structure.term import Structure
from elimax.structure.values import Values, multiply, sum_values

Edges = dict[tuple[int, int], tuple[Structure, Values]]
"""Structure and values of each edge by ``(source, target)``."""


class Accumulation:
    """A linearised graph whose edges carry values, while its vertices are eliminated.

    Args:
      edges: structure and values of every edge by ``(source, target)``.
      outputs: vertices that keep their in-edges when they are eliminated.
      dtypes: dtype of each vertex.
    """

    def __init__(self, edges: Edges, outputs: Iterable[int], dtypes: Any):
        self.edges = dict(edges)
        self._outputs = frozenset(outputs)
        self._dtypes = dtypes
        self._into: dict[int, dict[int, None]] = {}
        self._out_of: dict[int, dict[int, None]] = {}
        for source, target in self.edges:
            self._link(source, target)

    def _link(self, source: int, target: int) -> None:
        self._into.setdefault(target, {})[source] = None
        self._out_of.setdefault(source, {})[target] = None

    def eliminate(self, vertex: int) -> None:
        """Join every in-edge of a vertex with every out-edge, then drop its edges."""
        sources, targets = list(self._into.get(vertex, ())), list(self._out_of.get(vertex, ()))
        for target in targets:
            left_structure, left = self.edges[(vertex, target)]
            for source in sources:
                right_structure, right = self.edges[(source, vertex)]
                self._join(source, target, left_structure, left, right_structure, right, vertex)
        for target in targets:
            del self.edges[(vertex, target)], self._into[target][vertex]
        self._out_of.pop(vertex, None)
        if vertex not in self._outputs:
            for source in sources:
                del self.edges[(source, vertex)], self._out_of[source][vertex]
            self._into.pop(vertex, None)

    def apply(self, step: Step) -> None:
        """Eliminate a vertex or an edge."""
        if isinstance(step, EdgeStep):
            self.eliminate_edge(step)
        else:
            self.eliminate(step)

    def eliminate_edge(self, step: EdgeStep) -> None:
        """Extend an edge by the out-edges of its target or the in-edges of its source, then drop it."""
        own = self.edges.pop((step.source, step.target))
        del self._into[step.target][step.source], self._out_of[step.source][step.target]
        if step.kind == "front":
            for far in list(self._out_of.get(step.target, ())):
                self._join(step.source, far, *self.edges[(step.target, far)], *own, step.target)
        else:
            for far in list(self._into.get(step.source, ())):
                self._join(far, step.target, *own, *self.edges[(far, step.source)], step.source)

    def _join(
        self,
        source: int,
        target: int,
        left_structure: Structure,
        left: Values,
        right_structure: Structure,
        right: Values,
        vertex: int,
    ) -> None:
        dtype = self._dtypes[target]
        recipe = product(left_structure, right_structure)
        if not recipe.structure:
            return
        structure: Structure = recipe.structure
        values: Values = multiply(recipe, left, right, left_structure, right_structure, dtype, self._dtypes[vertex])
        if (source, target) in self.edges:
            old_structure, old = self.edges[(source, target)]
            total = add(old_structure, structure)
            values = sum_values(total, old, values, old_structure, structure, dtype)
            structure = total.structure
        else:
            self._link(source, target)
        self.edges[(source, target)] = (structure, values)
