"""An elimination problem: a graph reduced to what the searches need."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

from elimax.elimination.algebra import Algebra, BlockAlgebra, ScalarAlgebra
from elimax.graph.types import Graph
from elimax.structure.term import Kind, scalar


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """Edges by number, and the algebra that gives the numbers a meaning.

    Eliminating a vertex joins each of its in-edges with each of its out-edges. An intermediate then loses all its
    edges; an output loses its out-edges and keeps its in-edges, which are entries of the Jacobian.

    Attributes:
      num_vertices: V, inputs and outputs included; every edge runs from a lower to a higher number.
      inputs: vertices of the independent variables.
      outputs: vertices of the dependent variables.
      sources: int32 [E].
      targets: int32 [E].
      structures: int32 [E] structure numbers of the edges, sorted by (target, source).
      eliminable: vertices that an order has to name, ascending.
      algebra: products and sums of structure numbers and their cost under one rule.
      elements: int64 [V] size of each value, or None where every value is a scalar or nobody asks.
    """

    num_vertices: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    sources: np.ndarray
    targets: np.ndarray
    structures: np.ndarray
    eliminable: tuple[int, ...]
    algebra: Algebra
    elements: np.ndarray | None = None

    @classmethod
    def from_graph(cls, graph: Graph, rule: str = "executed") -> Problem:
        """The problem of a graph under a cost rule.

        Args:
          graph: any graph.
          rule: "published" or "executed".

        Returns:
          The problem; its algebra is scalar if every partial is.
        """
        kinds = {scalar(kind): int(kind) for kind in Kind}
        scalars = all(edge.structure in kinds for edge in graph.edges)
        if scalars:
            algebra: Algebra = ScalarAlgebra(rule)
            numbers = [kinds[edge.structure] for edge in graph.edges]  # pyright: ignore[reportArgumentType]
            kept = list(range(len(numbers)))
        else:
            algebra = block = BlockAlgebra(rule)
            numbers = [block.number(edge.structure) for edge in graph.edges]
            kept = [position for position, number in enumerate(numbers) if number >= 0]
        return cls(
            num_vertices=graph.num_vertices,
            inputs=graph.inputs,
            outputs=graph.outputs,
            sources=np.array([graph.edges[k].source for k in kept], np.int32),
            targets=np.array([graph.edges[k].target for k in kept], np.int32),
            structures=np.array([numbers[k] for k in kept], np.int32),
            eliminable=graph.eliminable,
            algebra=algebra,
            elements=None if scalars else np.array([math.prod(vertex.shape) for vertex in graph.vertices], np.int64),
        )

    @property
    def rule(self) -> str:
        """The cost rule."""
        return self.algebra.rule

    @property
    def is_scalar(self) -> bool:
        """Whether structures are scalar kinds."""
        return isinstance(self.algebra, ScalarAlgebra)

    @functools.cached_property
    def is_output(self) -> np.ndarray:
        """Bool [V]: whether a vertex is an output."""
        mask = np.zeros(self.num_vertices, np.bool_)
        mask[list(self.outputs)] = True
        return mask
