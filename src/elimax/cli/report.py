"""What a command prints about a plan."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

import click

from elimax.viz.tables import Table, to_rich, to_text


def facts(plan: Any, name: str, seconds: float) -> dict[str, Any]:
    """The plan as a JSON object.

    Args:
      plan: a Plan.
      name: what was planned.
      seconds: how long it took.

    Returns:
      ``name, method, order, multiplications, lower_bound, optimal, baselines, seconds`` and a few more.
    """
    return {
        "name": name,
        "method": plan.method,
        "order": plain(plan.order),
        "multiplications": plain(plan.multiplications),
        "lower_bound": plain(plan.lower_bound),
        "optimal": plain(plan.optimal),
        "baselines": plain(plan.baselines),
        "seconds": round(seconds, 6),
        "vertices": plan.graph.num_vertices,
        "edges": len(plan.graph.edges),
    }


def plain(value: Any) -> Any:
    """A value in the types of JSON: NumPy scalars, tuples and mappings become numbers, lists and dicts."""
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (str, bool, int, float)) or value is None:
        return value
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Iterable):
        return [plain(part) for part in value]
    return str(value)


def emit(value: Any) -> None:
    """Print one JSON object on one line."""
    click.echo(json.dumps(plain(value)))


def show_table(content: Table) -> None:
    """Print a table, drawn on a terminal and as plain lines elsewhere."""
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print(to_rich(content))
    else:
        click.echo(to_text(content))
