"""What a command prints about a plan."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from elimax.elimination.steps import to_data
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
        "order": [to_data(step) for step in plan.order],
        "multiplications": plain(plan.multiplications),
        "lower_bound": plain(plan.lower_bound),
        "optimal": plain(plan.optimal),
        "baselines": plain(plan.baselines),
        "seconds": round(seconds, 6),
        "cost": plan.cost,
        "vertices": plan.graph.num_vertices,
        "edges": len(plan.graph.edges),
        "mode": plan.mode,
        "chunk": plan.chunk,
        "memory": dict(plan.memory),
    }


def finish(plan: Any, name: str, seconds: float, as_json: bool, save: Path | None) -> None:
    """Save a new plan if asked to, and print it.

    Args:
      plan: a Plan.
      name: what was planned.
      seconds: how long it took.
      as_json: print one JSON object instead of a table.
      save: file to write the plan to, or None.
    """
    if save is not None:
        plan.save(save)
    if as_json:
        emit(facts(plan, name, seconds))
        return
    click.echo(str(plan))
    if save is not None:
        click.echo(f"saved to {save}")


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
