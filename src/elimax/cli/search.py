"""``elimax search``: look for an elimination order of a graph file."""

from __future__ import annotations

import contextlib
import inspect
import time
from pathlib import Path
from typing import Any

import click

from elimax.cli.options import parse_order, search_options
from elimax.cli.progress import watched
from elimax.cli.report import finish

# A file holds no shapes and no operations to predict a time from.
COSTS = ("multiplications", "published")


@click.command()
@click.argument("graph", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@search_options(COSTS)
def search(
    graph: Path,
    order: str,
    cost: str,
    budget: float | None,
    max_evaluations: int | None,
    seed: int,
    as_json: bool,
    save: Path | None,
) -> None:
    """Look for an elimination order of the graph file GRAPH."""
    from elimax.graph import json
    from elimax.order.progress import Progress
    from elimax.plan import make_plan

    loaded = json.load(graph)
    wanted = parse_order(order)
    progress = Progress() if takes_progress(wanted) else None
    start = time.perf_counter()
    with contextlib.nullcontext() if progress is None else watched(progress):
        made = make_plan(
            loaded,
            order=wanted,
            cost=cost,
            budget=budget,
            max_evaluations=max_evaluations,
            seed=seed,
            progress=progress,
        )
    finish(made, loaded.name or graph.stem, time.perf_counter() - start, as_json, save)


def takes_progress(order: Any) -> bool:
    """Whether an order is a search that reports how far it is.

    Raises:
      OrderError: if it is the name of no search.
    """
    from elimax.order.registry import find

    return isinstance(order, str) and "progress" in inspect.signature(find(order)).parameters
