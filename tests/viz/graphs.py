"""Graphs for the tests of pictures."""

from __future__ import annotations

import numpy as np

from elimax.graph.types import Edge, Graph, Vertex
from elimax.structure.term import Kind, scalar


def lighthouse() -> Graph:
    """Two inputs, three intermediates, two outputs of which one is used again, every kind of edge."""
    edges = [(0, 2, 2), (1, 2, 2), (2, 3, 1), (2, 4, 2), (3, 5, 0), (4, 5, 2), (1, 6, 0), (5, 6, 0)]
    return Graph(
        vertices=tuple(Vertex(name=name) for name in ("nu", "t", "mul", "tan", "sub", "y1", "y2")),
        inputs=(0, 1),
        outputs=(5, 6),
        edges=tuple(Edge(a, b, scalar(Kind(k))) for a, b, k in edges),
        name="light<house>",
    )


def random_graph(seed: int, num_vertices: int) -> Graph:
    rng = np.random.default_rng(seed)
    edges = []
    for target in range(3, num_vertices):
        for source in sorted(set(rng.integers(0, target, size=int(rng.integers(1, 4))).tolist())):
            edges.append(Edge(source, target, scalar(Kind(int(rng.integers(0, 3))))))
    used = {edge.source for edge in edges}
    outputs = tuple(v for v in range(3, num_vertices) if v not in used)
    return Graph((Vertex(),) * num_vertices, (0, 1, 2), outputs, tuple(edges))
