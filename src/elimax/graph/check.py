"""Is this a computational graph? Every defect is named with what to do about it."""

from __future__ import annotations

from elimax.errors import GraphFormatError
from elimax.graph.types import Graph


def check_graph(graph: Graph) -> None:
    """Check that a graph is one.

    Args:
      graph: vertices, inputs, outputs and edges, as read from a file.

    Raises:
      GraphFormatError: if an edge, input or output names an unknown vertex, two edges join the same vertices, inputs
        or outputs repeat or have in-edges they may not have, the graph has a cycle or is not numbered
        topologically, or a vertex is connected to nothing.
    """
    _check_ids(graph)
    _check_acyclic(graph)
    inputs = set(graph.inputs)
    for edge in graph.edges:
        if edge.target in inputs:
            raise GraphFormatError(
                f"input {edge.target} has the in-edge {edge.source} -> {edge.target}; inputs have none"
            )
    connected = {edge.source for edge in graph.edges} | {edge.target for edge in graph.edges}
    connected |= inputs | set(graph.outputs)
    loose = [v for v in range(graph.num_vertices) if v not in connected]
    if loose:
        raise GraphFormatError(
            f"{'vertices' if len(loose) > 1 else 'vertex'} {_listed(loose)} "
            "have no edge and are neither input nor output; leave them out"
        )


def _check_ids(graph: Graph) -> None:
    count = graph.num_vertices
    for what, listed in (("inputs", graph.inputs), ("outputs", graph.outputs)):
        unknown = [v for v in listed if not 0 <= v < count]
        if unknown:
            raise GraphFormatError(f"{what!r} names {_listed(unknown)}, but vertices are numbered 0 to {count - 1}")
        repeated = sorted({v for v in listed if listed.count(v) > 1}) if len(set(listed)) < len(listed) else []
        if repeated:
            raise GraphFormatError(f"{what!r} names {_listed(repeated)} more than once; name each vertex once")
    seen: set[tuple[int, int]] = set()
    for edge in graph.edges:
        ends = (edge.source, edge.target)
        if not (0 <= edge.source < count and 0 <= edge.target < count):
            raise GraphFormatError(f"edge {ends[0]} -> {ends[1]} names a vertex outside 0 to {count - 1}")
        if ends in seen:
            raise GraphFormatError(f"edge {ends[0]} -> {ends[1]} is listed twice; add the partials up to one edge")
        seen.add(ends)


def _check_acyclic(graph: Graph) -> None:
    """Topological numbering proves the graph acyclic; without it, tell a cycle from a mere misnumbering."""
    backward = [edge for edge in graph.edges if edge.source >= edge.target]
    if not backward:
        return
    missing = [0] * graph.num_vertices
    outs: list[list[int]] = [[] for _ in range(graph.num_vertices)]
    for edge in graph.edges:
        missing[edge.target] += 1
        outs[edge.source].append(edge.target)
    ready = [v for v in range(graph.num_vertices) if not missing[v]]
    for v in ready:
        for w in outs[v]:
            missing[w] -= 1
            if not missing[w]:
                ready.append(w)
    if len(ready) < graph.num_vertices:
        stuck = [v for v in range(graph.num_vertices) if missing[v]]
        raise GraphFormatError(f"the graph has a cycle among or before vertices {_listed(stuck)}; it must be acyclic")
    edge = backward[0]
    raise GraphFormatError(
        f"edge {edge.source} -> {edge.target} runs backwards; number vertices topologically, sources before targets"
    )


def _listed(vertices: list[int], most: int = 8) -> str:
    text = ", ".join(map(str, vertices[:most]))
    return text if len(vertices) <= most else f"{text} and {len(vertices) - most} more"
