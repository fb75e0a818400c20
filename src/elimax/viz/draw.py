"""A plan as a picture in a file."""

from __future__ import annotations

import os
from pathlib import Path

from elimax.errors import ElimaxError
from elimax.plan import Plan
from elimax.viz.dot import to_dot
from elimax.viz.html import to_html
from elimax.viz.svg import to_svg
from elimax.viz.tables import table

SUFFIXES = (".svg", ".html", ".dot")
"""Formats that can be written."""


def draw(plan: Plan, path: str | os.PathLike[str]) -> None:
    """Draw the graph and the order of a plan into a file.

    Args:
      plan: the plan.
      path: the file to write; its suffix, one of ``SUFFIXES``, names the format.

    Raises:
      ElimaxError: if the suffix is another one, or the graph is too large for a picture.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ElimaxError(f"a file name that ends in {', '.join(SUFFIXES)} was expected, got {path.name!r}")
    path.write_text(picture(plan, path.suffix), encoding="utf-8")


def picture(plan: Plan, suffix: str) -> str:
    """The text of a picture: DOT, SVG or, for ``.html``, a whole report."""
    if suffix == ".dot":
        return to_dot(plan.graph, plan.order)
    if suffix == ".svg":
        return to_svg(plan.graph, plan.order)
    facts = {
        "method": plan.method,
        "cost rule": plan.cost,
        "multiplications": plan.multiplications,
        "lower bound": plan.lower_bound,
        "proved optimal": plan.optimal,
        "vertices": plan.graph.num_vertices,
        "edges": len(plan.graph.edges),
    }
    counts = [*plan.baselines.items(), (f"plan ({plan.method})", plan.multiplications)]
    compared = table(("<order", "multiplications"), counts, title="Orders compared")
    return to_html(plan.graph, plan.order, f"Plan of {plan.name or 'a function'}", facts, [compared], plan.explain())
