"""Colours and words shared by the pictures."""

from __future__ import annotations

from collections.abc import Sequence

from elimax.graph.types import Edge, Graph
from elimax.structure.term import Kind, Operator, Structure

EDGE_COLOURS = {
    "unit": "#9aa5b1",
    "constant": "#2b7bba",
    "variable": "#d1495b",
    "operator": "#7d4cc2",
    "zero": "#e3e7eb",
}
"""Colour of an edge by what is known of its partial, from the strongest knowledge to the weakest."""

MIXED_COLOUR = "#c4b5ad"
INPUT_FILL, OUTPUT_FILL, PLAIN_FILL = "#cfe8d5", "#fbe3b5", "#f3f4f6"
_FIRST, _LAST = (222, 235, 247), (33, 81, 140)


def kind_of(structure: Structure) -> str:
    """What is known of a partial: ``unit``, ``constant``, ``variable``, ``operator`` or ``zero``.

    A sum of terms is as weak as its weakest term.
    """
    if isinstance(structure, Operator):
        return "operator"
    if not structure:
        return "zero"
    return Kind(max(term.kind for term in structure)).name.lower()


def describe_vertex(graph: Graph, vertex: int) -> str:
    """One line about a vertex: number, name, dtype and shape."""
    value = graph.vertices[vertex]
    words = [str(vertex), value.name]
    if value.dtype or value.shape:
        words.append(f"{value.dtype}[{','.join(map(str, value.shape))}]")
    return " ".join(word for word in words if word)


def describe_edge(edge: Edge) -> str:
    """One line about an edge: ends, kind and, for blocks, the number of entries it touches."""
    line = f"{edge.source} -> {edge.target}: {kind_of(edge.structure)}"
    if not isinstance(edge.structure, Operator):
        entries = sum(term.num_entries for term in edge.structure)
        if entries > 1:
            line += f", {entries} entries"
    return line


def progress_colour(fraction: float) -> tuple[str, str]:
    """``(fill, text)`` colours of a vertex eliminated after this fraction of the order, early light, late dark."""
    red, green, blue = (round(a + (b - a) * fraction) for a, b in zip(_FIRST, _LAST, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}", "#1f2933" if fraction < 0.55 else "#ffffff"


def positions(graph: Graph, order: Sequence[object] | None) -> dict[int, int]:
    """Place of each vertex in an order, counted from 1; a vertex that comes several times keeps its last place.

    Steps that are not vertices (edge eliminations) take a place and colour nothing.
    """
    return {step: place for place, step in enumerate(order or (), start=1) if isinstance(step, int)}
