"""Prints the size of every zoo problem's graph and its multiplications in the three simple orders, under both rules.

With ``--graphs FOLDER`` (graph files of published tasks) the counts of the file of the same name stand below: the
published formulas were traced to other graphs, so the numbers are near each other and seldom equal.

    python -m benchmarks.zoo_counts --graphs path/to/graphs --json counts.json
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from elimax import zoo
from elimax.execute import linearisation_for
from elimax.graph import json as graph_files
from elimax.graph.types import Graph
from elimax.order import search
from elimax.viz.tables import table, to_text

ORDERS = ("forward", "reverse", "markowitz")
RULES = ("published", "executed")
EXTRA = {"roe_flux_3d vectors": ("roe_flux_3d", {"vectors": True})}
"""Further forms of problems: title, name and options."""


@dataclasses.dataclass(frozen=True)
class Counts:
    """One row: a graph and its multiplications, ``counts[rule][order]``."""

    name: str
    source: str
    inputs: int
    outputs: int
    eliminated: int
    edges: int
    counts: dict[str, dict[str, int]]


def counted(name: str, source: str, graph: Graph) -> Counts:
    """Counts of a graph."""
    counts = {rule: {order: search(graph, order, cost=rule).multiplications for order in ORDERS} for rule in RULES}
    return Counts(name, source, len(graph.inputs), len(graph.outputs), len(graph.eliminable), len(graph.edges), counts)


def zoo_graph(name: str, **options: Any) -> Graph:
    """The graph of a problem with respect to the arguments that it differentiates."""
    problem = zoo.get(name, **options)
    chosen = (problem.argnums,) if isinstance(problem.argnums, int) else problem.argnums

    def flat(*active: Any) -> tuple[list[Any], list[Any]]:
        args = list(problem.args)
        for position, value in zip(chosen, active, strict=True):
            args[position] = value
        return jax.tree.leaves(problem.fun(*args)), []

    return linearisation_for(flat, [problem.args[position] for position in chosen], name).graph


def rows(folder: Path | None) -> Iterator[Counts]:
    """Counts of the zoo, each followed by those of the published graph where there is one."""
    for name in zoo.names():
        yield counted(name, "zoo", zoo_graph(name))
        for title, (base, options) in EXTRA.items():
            if base == name:
                yield counted(title, "zoo", zoo_graph(base, **options))
        for suffix in ("", "_scalar"):
            path = None if folder is None else folder / f"{name}{suffix}.json"
            if path is not None and path.exists():
                yield counted(name, "published", graph_files.load(path))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=Path, help="folder of graph files to set the zoo beside")
    parser.add_argument("--json", type=Path, help="file for the rows")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    found = list(rows(options.graphs))
    if options.json:
        options.json.write_text(json.dumps([dataclasses.asdict(row) for row in found], indent=1) + "\n")
    columns = ["<problem", "<graph", "in", "out", "eliminated", "edges"]
    columns += [f"{rule[0]} {order}" for rule in RULES for order in ORDERS]
    cells = [
        (row.name, row.source, row.inputs, row.outputs, row.eliminated, row.edges)
        + tuple(row.counts[rule][order] for rule in RULES for order in ORDERS)
        for row in found
    ]
    print(to_text(table(columns, cells, title="Multiplications (p: published rule, e: executed rule)")))


if __name__ == "__main__":
    main()
