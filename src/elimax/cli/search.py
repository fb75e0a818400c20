"""``elimax search``: look for an elimination order of a graph file."""

from __future__ import annotations

import time
from pathlib import Path

import click

from elimax.cli.options import parse_executor, parse_order, search_options
from elimax.cli.progress import progress_for, watched
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
    executor: str,
    seed: int,
    as_json: bool,
    save: Path | None,
) -> None:
    """Look for an elimination order of the graph file GRAPH."""
    from elimax.graph import json
    from elimax.plan import make_plan

    loaded = json.load(graph)
    wanted = parse_order(order)
    progress = progress_for(wanted)
    start = time.perf_counter()
    with watched(progress):
        made = make_plan(
            loaded,
            order=wanted,
            cost=cost,
            budget=budget,
            max_evaluations=max_evaluations,
            executor=parse_executor(executor),
            seed=seed,
            progress=progress,
        )
    finish(made, loaded.name or graph.stem, time.perf_counter() - start, as_json, save)
