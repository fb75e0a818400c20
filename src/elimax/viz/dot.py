"""A graph as DOT text, for Graphviz and the many tools that read it."""

from __future__ import annotations

from collections.abc import Sequence

from elimax.graph.types import Graph
from elimax.viz import style


def to_dot(graph: Graph, order: Sequence[object] | None = None) -> str:
    """Write a graph in the DOT language.

    Inputs share the first rank and outputs without out-edges the last; an edge has the colour of what is known of its
    partial. With an order, eliminated vertices are shaded from first (light) to last (dark) and show their place.

    Args:
      graph: the graph.
      order: vertices in the order of elimination.

    Returns:
      The text of a DOT file.
    """
    places = style.positions(graph, order)
    last = max(places.values(), default=1)
    inputs, outputs, eliminable = set(graph.inputs), set(graph.outputs), set(graph.eliminable)
    lines = [
        f"digraph {_quote(graph.name or 'graph')} {{",
        "  rankdir=LR;",
        '  node [shape=ellipse, style=filled, fontname="Helvetica", fontsize=10];',
        "  edge [arrowsize=0.6];",
    ]
    for v in range(graph.num_vertices):
        label, fill, text = style.describe_vertex(graph, v), style.PLAIN_FILL, "#1f2933"
        if v in places:
            label += f"\n#{places[v]}"
            fill, text = style.progress_colour((places[v] - 1) / max(last - 1, 1))
        elif v in inputs:
            fill = style.INPUT_FILL
        elif v in outputs:
            fill = style.OUTPUT_FILL
        border = ", peripheries=2" if v in outputs else ""
        lines.append(f'  {v} [label={_quote(label)}, fillcolor="{fill}", fontcolor="{text}"{border}];')
    for edge in graph.edges:
        colour = style.EDGE_COLOURS[style.kind_of(edge.structure)]
        lines.append(
            f'  {edge.source} -> {edge.target} [color="{colour}", tooltip={_quote(style.describe_edge(edge))}];'
        )
    lines.append(_rank("source", sorted(inputs)))
    lines.append(_rank("sink", sorted(outputs - eliminable - inputs)))
    return "\n".join(line for line in [*lines, "}"] if line) + "\n"


def _rank(name: str, vertices: Sequence[int]) -> str:
    return f"  {{ rank={name}; {'; '.join(map(str, vertices))}; }}" if vertices else ""


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
