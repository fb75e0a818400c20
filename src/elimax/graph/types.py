"""The linearised computational graph: vertices are values, edges are local partials."""

from __future__ import annotations

import dataclasses
import functools

from elimax.structure.term import Structure


@dataclasses.dataclass(frozen=True, slots=True)
class Vertex:
    """A value of the program.

    Attributes:
      shape: its shape; () in scalar graphs.
      dtype: name of its dtype, "" in graphs that come from a file.
      name: what made it (a primitive's name, an argument's path), for people.
    """

    shape: tuple[int, ...] = ()
    dtype: str = ""
    name: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Edge:
    """The local partial of vertex ``target`` with respect to vertex ``source``."""

    source: int
    target: int
    structure: Structure


@dataclasses.dataclass(frozen=True)
class Graph:
    """A linearised computational graph.

    Vertices are numbered topologically: every edge runs from a lower to a higher number. At most one edge joins two
    vertices; repeated operands have been summed.

    Attributes:
      vertices: [V] the values.
      inputs: vertices of the independent variables; they have no in-edges.
      outputs: vertices of the dependent variables, without repetition; they may have out-edges, and may be inputs.
      edges: sorted by (target, source).
      name: for people.
    """

    vertices: tuple[Vertex, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    edges: tuple[Edge, ...]
    name: str = ""

    @property
    def num_vertices(self) -> int:
        """Number of vertices, inputs and outputs included."""
        return len(self.vertices)

    @functools.cached_property
    def eliminable(self) -> tuple[int, ...]:
        """Vertices an order has to name, ascending: intermediates, and outputs that have out-edges."""
        sources = {edge.source for edge in self.edges}
        inputs, outputs = set(self.inputs), set(self.outputs)
        return tuple(v for v in range(self.num_vertices) if v not in inputs and (v not in outputs or v in sources))

    @property
    def is_scalar(self) -> bool:
        """Whether every vertex is a scalar, so that structure is the kind of each partial alone."""
        return all(not v.shape for v in self.vertices)
