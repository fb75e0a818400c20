"""A graph as an SVG picture."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from elimax.errors import ElimaxError
from elimax.graph.types import Graph
from elimax.viz import style
from elimax.viz.layout import Layout, layered

MAX_VERTICES = 2000
"""Beyond this nobody can read the picture, and laying it out takes minutes."""

_LAYER, _ROW, _RADIUS, _MARGIN, _LEGEND = 84.0, 40.0, 13.0, 34.0, 34.0
_LEGEND_WIDTH = 4 * 96.0 + 4 * 66.0 + 2 * _MARGIN
_TEXT, _NOTE = "#1f2933", "#52606d"


def to_svg(graph: Graph, order: Sequence[object] | None = None, title: str | None = None) -> str:
    """Draw a graph, inputs at the left and outputs at the right.

    Edges have the colour of what is known of their partial, eliminated vertices are shaded from first (light) to last
    (dark) and carry their place in the order. Hovering over a vertex or an edge shows what it is.

    Args:
      graph: the graph, at most ``MAX_VERTICES`` vertices.
      order: vertices in the order of elimination.
      title: a heading; the name of the graph by default.

    Returns:
      The text of an SVG file.

    Raises:
      ElimaxError: if the graph is too large to be read as a picture.
    """
    if graph.num_vertices > MAX_VERTICES:
        raise ElimaxError(
            f"a picture of at most {MAX_VERTICES} vertices was expected, the graph has {graph.num_vertices}; "
            "write DOT text instead, or draw a part of it"
        )
    layout = layered(graph)
    title = graph.name if title is None else title
    width = max(layout.width * _LAYER + 2 * _MARGIN + 2 * _RADIUS, _LEGEND_WIDTH)
    top = _MARGIN + (24 if title else 0)
    height = layout.height * _ROW + top + _MARGIN + 2 * _RADIUS + _LEGEND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="Helvetica, Arial, sans-serif">',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
    ]
    if title:
        parts.append(_text(_MARGIN, 28, title, 16, _TEXT, "start"))

    def at(point: tuple[float, float]) -> tuple[float, float]:
        return _MARGIN + _RADIUS + point[0] * _LAYER, top + _RADIUS + point[1] * _ROW

    parts += _edges(graph, layout, at)
    parts += _vertices(graph, layout, at, order)
    parts.append(_legend(height - _LEGEND / 2, order is not None))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _edges(graph: Graph, layout: Layout, at) -> list[str]:
    kinds = [style.kind_of(edge.structure) for edge in graph.edges]
    drawn = []
    for start, end, numbers in layout.segments:
        (x0, y0), (x1, y1) = at(start), at(end)
        colours = {style.EDGE_COLOURS[kinds[n]] for n in numbers}
        colour = colours.pop() if len(colours) == 1 else style.MIXED_COLOUR
        about = "\n".join(style.describe_edge(graph.edges[n]) for n in numbers)
        bend = (x1 - x0) / 2
        drawn.append(
            f'<path d="M{x0:.1f} {y0:.1f}C{x0 + bend:.1f} {y0:.1f} {x1 - bend:.1f} {y1:.1f} {x1:.1f} {y1:.1f}" '
            f'fill="none" stroke="{colour}" stroke-width="1.4"><title>{escape(about)}</title></path>'
        )
    return drawn


def _vertices(graph: Graph, layout: Layout, at, order: Sequence[object] | None) -> list[str]:
    places = style.positions(graph, order)
    last = max(len(order or ()), 1)
    inputs, outputs = set(graph.inputs), set(graph.outputs)
    drawn = []
    for v in range(graph.num_vertices):
        x, y = at(layout.place[v])
        fill, text = style.PLAIN_FILL, _TEXT
        about = style.describe_vertex(graph, v)
        if v in places:
            fill, text = style.progress_colour((places[v] - 1) / max(last - 1, 1))
            about += f"\nstep {places[v]} of {last}"
        elif v in inputs:
            fill = style.INPUT_FILL
        elif v in outputs:
            fill = style.OUTPUT_FILL
        parts = [f"<title>{escape(about)}</title>"]
        if v in outputs:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS + 3:.0f}" fill="#ffffff" stroke="{_NOTE}"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS:.0f}" fill="{fill}" stroke="{_NOTE}"/>')
        parts.append(_text(x, y + 3.5, str(v), 10 if v < 1000 else 8, text))
        name = graph.vertices[v].name
        if name:
            parts.append(
                _text(
                    x,
                    y + _RADIUS + (12 if v in outputs else 10),
                    name if len(name) <= 13 else name[:12] + "…",
                    8,
                    _NOTE,
                )
            )
        if v in places:
            parts.append(_text(x + _RADIUS - 1, y - _RADIUS + 1, str(places[v]), 8, "#21518c", "start"))
        drawn.append(f"<g>{''.join(parts)}</g>")
    return drawn


def _text(x: float, y: float, words: str, size: int, colour: str, anchor: str = "middle") -> str:
    attributes = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}"'
    return f"<text {attributes}>{escape(words)}</text>"


def _legend(y: float, with_order: bool) -> str:
    parts, x = [], _MARGIN
    for kind in ("unit", "constant", "variable", "operator"):
        parts.append(
            f'<line x1="{x:.0f}" y1="{y:.0f}" x2="{x + 22:.0f}" y2="{y:.0f}" stroke="{style.EDGE_COLOURS[kind]}" '
            f'stroke-width="2.5"/>' + _text(x + 28, y + 4, kind, 11, _TEXT, "start")
        )
        x += 96
    marks = [(style.INPUT_FILL, "input"), (style.OUTPUT_FILL, "output")]
    if with_order:
        marks += [(style.progress_colour(0.0)[0], "first"), (style.progress_colour(1.0)[0], "last")]
    for fill, word in marks:
        parts.append(
            f'<circle cx="{x + 6:.0f}" cy="{y:.0f}" r="6" fill="{fill}" stroke="{_NOTE}"/>'
            + _text(x + 17, y + 4, word, 11, _TEXT, "start")
        )
        x += 66
    return f"<g>{''.join(parts)}</g>"
