"""One search in a process of its own, on one core, with a record of what was known when.

echo '{"graph": "graph.json", "order": "auto", "cost": "published", "budget": 2}' | python benchmarks/orders/measure.py
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class Found:
    """The result of a search.

    Attributes:
      count: multiplications of the order found.
      bound: no order needs fewer.
      optimal: whether the order is proved optimal.
      method: the search that found it.
      seconds: time in all.
      reached: when the order was found, None if the search does not tell.
      evaluations: number of orders or sets priced.
      memory: most memory of the process, in bytes.
      trace: ``[seconds, best count or None, bound]`` whenever one of them changed.
      simple: counts of the simple orders.
      vertices: number of vertices to eliminate.
      edges: number of edges.
    """

    count: int
    bound: int
    optimal: bool
    method: str
    seconds: float
    reached: float | None
    evaluations: int
    memory: int
    trace: list[tuple[float, int | None, int]]
    simple: dict[str, int]
    vertices: int
    edges: int

    @property
    def gap(self) -> float:
        """How far above the cheapest order the count is at most, as a fraction of the count."""
        return max(0.0, (self.count - self.bound) / self.count) if self.count else 0.0


def measure(
    graph: Path, cost: str, budget: float, order: str = "auto", seed: int = 0, simple: bool = True, cores: int = 1
) -> Found:
    """Search a graph file in a new process that may use so many cores."""
    request = {
        "graph": str(graph.resolve()),
        "order": order,
        "cost": cost,
        "budget": budget,
        "seed": seed,
        "simple": simple,
        "cores": cores,
    }
    done = subprocess.run([sys.executable, __file__], input=json.dumps(request), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the search of {graph} failed:\n{done.stderr}")
    return Found(**json.loads(done.stdout.splitlines()[-1]))


def _use_cores(number: int) -> None:
    if hasattr(os, "sched_setaffinity"):  # not on every system
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[-number:]))


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    from elimax.graph import json as graph_files
    from elimax.order import search
    from elimax.order.progress import Progress
    from elimax.order.registry import find

    class Recorded(Progress):
        """A progress that notes when it changed."""

        def __init__(self) -> None:
            super().__init__()
            self.trace: list[tuple[float, int | None, int]] = []

        def note(self) -> None:
            known = (None if self.best is None else self.best.multiplications, self.lower_bound)
            if not self.trace or self.trace[-1][1:] != known:
                self.trace.append((round(time.perf_counter() - start, 4), *known))

        def offer(self, order: Any) -> None:
            super().offer(order)
            self.note()

        def raise_bound(self, bound: int) -> None:
            super().raise_bound(bound)
            self.note()

    graph = graph_files.load(request["graph"])
    progress = Recorded()
    takes = "progress" in inspect.signature(find(request["order"])).parameters
    options = {"progress": progress} if takes else {}
    start = time.perf_counter()
    found = search(graph, request["order"], request["cost"], budget=request["budget"], seed=request["seed"], **options)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    reached = next((when for when, best, _ in progress.trace if best == found.multiplications), None)
    simple = {}
    if request["simple"]:
        simple = {
            name: search(graph, name, request["cost"]).multiplications for name in ("forward", "reverse", "markowitz")
        }
    answer = Found(
        found.multiplications,
        found.lower_bound,
        found.optimal,
        found.method,
        seconds,
        reached,
        found.evaluations,
        memory,
        progress.trace,
        simple,
        len(graph.eliminable),
        len(graph.edges),
    )
    return dataclasses.asdict(answer)


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    _use_cores(asked["cores"])
    print(json.dumps(_answer(asked)))
