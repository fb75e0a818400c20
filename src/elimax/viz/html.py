"""A report on a plan as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from elimax.graph.types import Graph
from elimax.viz.svg import MAX_VERTICES, to_svg
from elimax.viz.tables import Table, cell

_STYLE = """
body { font: 15px/1.5 Helvetica, Arial, sans-serif; color: #1f2933; }
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { padding: 0.2rem 0.9rem 0.2rem 0; text-align: right; }
th { border-bottom: 1px solid #9aa5b1; } td.left, th.left { text-align: left; }
.picture { overflow: auto; border: 1px solid #d9dee3; max-height: 80vh; }
.order { font-family: monospace; overflow-wrap: anywhere; } pre { background: #f3f4f6; padding: 1rem; overflow: auto; }
"""


def to_html(
    graph: Graph,
    order: Sequence[object] | None,
    title: str,
    facts: Mapping[str, object],
    tables: Sequence[Table] = (),
    explanation: str = "",
) -> str:
    """Write a report: facts, tables, the picture of the graph, the order, an explanation in words.

    Args:
      graph: the graph; a large one is reported without a picture.
      order: its order of elimination.
      title: the heading.
      facts: names and values for the list at the top.
      tables: further tables.
      explanation: plain text, shown as it is.

    Returns:
      The text of an HTML file.
    """
    rows = "".join(
        f'<tr><td class="left">{escape(name)}</td><td class="left">{escape(cell(value))}</td></tr>'
        for name, value in facts.items()
    )
    parts = [f"<h1>{escape(title)}</h1>", f"<table>{rows}</table>", *map(_table, tables)]
    if graph.num_vertices <= MAX_VERTICES:
        parts.append(f'<h2>Graph</h2><div class="picture">{to_svg(graph, order, title="")}</div>')
    else:
        parts.append(f"<p>{graph.num_vertices:,} vertices: too many for a picture.</p>")
    if order is not None:
        steps = ", ".join(map(str, order)) or "nothing to eliminate"
        parts.append(f'<h2>Order</h2><p class="order">{escape(steps)}</p>')
    if explanation:
        parts.append(f"<h2>Explanation</h2><pre>{escape(explanation)}</pre>")
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    body = "\n".join(parts)
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def _table(content: Table) -> str:
    sides = [' class="left"' if name.startswith("<") else "" for name in content.columns]
    heads = [name.removeprefix("<") for name in content.columns]

    def line(tag: str, words: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}{s}>{escape(w)}</{tag}>" for s, w in zip(sides, words, strict=True)) + "</tr>"

    rows = [line("th", heads), *(line("td", row) for row in content.rows)]
    note = f"<p>{escape(content.note)}</p>" if content.note else ""
    return f"<h2>{escape(content.title)}</h2><table>{''.join(rows)}</table>{note}"
