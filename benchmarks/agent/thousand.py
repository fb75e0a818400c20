"""One pass of the policy on graphs of about a thousand vertices: what it costs in time and in multiplications."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.orders.large_graphs import bodies, kinetics
from benchmarks.zoo_counts import zoo_graph

from elimax.elimination.problem import Problem
from elimax.graph.types import Graph
from elimax.order import search


def cases() -> Iterator[tuple[str, Callable[[], Graph]]]:
    """Three kinds of graphs, two of each."""
    for seed, size in ((1, 1000), (2, 1500)):
        yield (
            "random program",
            lambda seed=seed, size=size: zoo_graph(
                "random_program", seed=seed, size=size, arrays=False, num_outputs=size // 20
            ),
        )
    for number in (4, 6):
        yield f"{number} bodies", lambda number=number: bodies(1000, number)
    for species in (8, 16):
        yield f"kinetics of {species} species", lambda species=species: kinetics(1000, species)


def measure(rule: str = "published", repeats: int = 3) -> list[dict[str, Any]]:
    """Median seconds of a pass, and its multiplications beside those of the simple orders."""
    rows = []
    for name, make in cases():
        problem, seconds, found = Problem.from_graph(make(), rule), [], None
        for _ in range(repeats):
            start = time.perf_counter()
            found = search(problem, "agent", max_evaluations=1, simple=False)
            seconds.append(time.perf_counter() - start)
        assert found is not None
        simple = min(search(problem, order).multiplications for order in ("forward", "reverse", "markowitz"))
        row = {"name": name, "rule": rule, "vertices": len(problem.eliminable), "edges": problem.sources.size}
        row |= {"seconds": round(statistics.median(seconds), 2), "agent": found.multiplications, "simple": simple}
        rows.append(row)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """One line a graph."""
    lines = ["| graph | rule | vertices | edges | s of one pass | multiplications | best simple order |"]
    lines.append("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        lines.append(
            f"| {row['name']} | {row['rule']} | {row['vertices']:,} | {row['edges']:,} | {row['seconds']:.2f} "
            f"| {row['agent']:,} | {row['simple']:,} |"
        )
    return "\n".join(lines)
