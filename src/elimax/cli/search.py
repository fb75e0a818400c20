"""``elimax search``: look for an elimination order of a graph file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from elimax.cli.options import parse_order, search_options
from elimax.cli.report import emit, plain, show_table
from elimax.viz.tables import cell, seconds, table

COSTS = ("published", "multiplications")
BASELINES = ("forward", "reverse", "markowitz")


@click.command()
@click.argument("graph", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@search_options(costs=COSTS, default_cost="multiplications")
def search(
    graph: Path, order: str, cost: str, budget: float | None, seed: int, as_json: bool, save: Path | None
) -> None:
    """Look for an elimination order of the graph file GRAPH."""
    from elimax.graph import json
    from elimax.order import search as search_order

    loaded = json.load(graph)
    wanted = parse_order(order)
    start = time.perf_counter()
    found = search_order(loaded, wanted, cost=cost, budget=budget, seed=seed)
    took = time.perf_counter() - start
    baselines = {name: search_order(loaded, name, cost=cost).multiplications for name in BASELINES}
    result = {
        "name": loaded.name or graph.stem,
        "method": found.method,
        "order": plain(found.vertices),
        "multiplications": plain(found.multiplications),
        "lower_bound": plain(found.lower_bound),
        "optimal": plain(found.optimal),
        "baselines": plain(baselines),
        "seconds": round(took, 6),
        "cost": cost,
        "evaluations": plain(found.evaluations),
        "vertices": loaded.num_vertices,
        "edges": len(loaded.edges),
    }
    if as_json:
        emit(result)
        return
    _show(result)


def _show(result: dict[str, Any]) -> None:
    rows = [*result["baselines"].items(), (result["method"], result["multiplications"])]
    rule = "published rule" if result["cost"] == "published" else "executed rule"
    show_table(
        table(
            ("<order", "multiplications"),
            rows,
            title=f"{result['name']}: {result['vertices']} vertices, {result['edges']} edges, {rule}",
        )
    )
    bound = "proved optimal" if result["optimal"] else f"at least {cell(result['lower_bound'])} for any order"
    click.echo(f"{bound}; {cell(result['evaluations'])} evaluations in {seconds(result['seconds'])}")
