"""Whether a search gains by beginning with the policy's order: annealing from it and from the best simple order.

Both have the same time in all; the pass of the policy is part of it.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.agent import heldout
from benchmarks.agent.equal_time import FAMILIES

from elimax.elimination.problem import Problem
from elimax.graph.types import Graph
from elimax.order import search

UNSEEN, LARGER = "unseen, at most 300 vertices", "200 to 640 vertices"
SECONDS = {UNSEEN: (0.05, 0.2), LARGER: (0.2, 1.0)}


def graphs(folder: Path) -> Iterator[tuple[str, str, Graph]]:
    """Unseen graphs of scalars with up to 300 vertices, and some larger ones."""
    for source, name, graph in heldout.graphs(folder, ("published", "zoo")):
        if Problem.from_graph(graph).is_scalar:
            yield UNSEEN, f"{source}: {name}", graph
    for family, make in FAMILIES.items():
        for size in (200, 500):
            yield LARGER, family, make(size)


def measure(
    folder: Path,
    rule: str = "published",
    alone: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
) -> list[dict[str, Any]]:
    """Counts for each graph and time.

    Args:
      folder: of the published graphs.
      rule: cost rule.
      alone: a context in which time is measured, for machines that are shared.
    """
    rows = []
    for kind, name, graph in graphs(folder):
        problem = Problem.from_graph(graph, rule)
        search(problem, "annealing", budget=0.01)
        search(problem, "agent", max_evaluations=1, simple=False)
        with alone():
            policy = search(problem, "agent", max_evaluations=1, simple=False)
            for allowed in SECONDS[kind]:
                plain = search(problem, "annealing", budget=allowed).multiplications
                left = allowed - policy.seconds
                begun = None
                if left > 0:
                    found = search(problem, "annealing", budget=left, start=policy.vertices)
                    begun = min(policy.multiplications, found.multiplications)
                rows.append({"kind": kind, "name": name, "rule": rule, "allowed": allowed})
                rows[-1] |= {"plain": plain, "begun": begun, "policy": policy.multiplications}
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """How often which is cheaper, and the geometric mean of the ratio, by kind of graph and time."""
    lines = ["| graphs | s in all | number | with the policy's order: better, equal, worse | geometric mean |"]
    lines.append("| --- | ---: | ---: | ---: | ---: |")
    for kind, times in SECONDS.items():
        for allowed in times:
            some = [r for r in rows if (r["kind"], r["allowed"]) == (kind, allowed) and r["begun"] is not None]
            if not some:
                continue
            ratios = [r["begun"] / r["plain"] for r in some]
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            counts = [sum(r < 1 for r in ratios), sum(r == 1 for r in ratios), sum(r > 1 for r in ratios)]
            lines.append(f"| {kind} | {allowed} | {len(some)} | {', '.join(map(str, counts))} | {mean:.3f} |")
    return "\n".join(lines)
