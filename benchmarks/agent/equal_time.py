"""The agent and annealing at equal time, on graphs of several sizes of two families."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.orders.large_graphs import bodies
from benchmarks.zoo_counts import zoo_graph

from elimax.graph.types import Graph
from elimax.order import search
from elimax.order.result import Order

SIZES = (50, 200, 500, 5000)
"""Vertices to eliminate, about."""

OPERATIONS = {50: 30, 200: 200, 500: 450, 5000: 4800}
"""Operations of the random program that has so many: what is not used by a result is left out."""

BODIES = {50: (60, 3), 200: (210, 6), 500: (600, 6), 5000: (5000, 6)}
"""Vertices asked for, of whole steps, and number of bodies."""

SECONDS = (0.01, 0.1, 1.0, 10.0)
METHODS = ("agent", "annealing")


def random_program(size: int) -> Graph:
    """A random program of scalars from the zoo."""
    operations = OPERATIONS[size]
    return zoo_graph("random_program", seed=1, size=operations, arrays=False, num_outputs=max(5, operations // 20))


def attracting_bodies(size: int) -> Graph:
    """Steps of several bodies that attract each other."""
    return bodies(*BODIES[size])


FAMILIES = {"random program": random_program, "bodies": attracting_bodies}


def measure(
    family: str,
    size: int,
    rule: str,
    seconds: tuple[float, ...] = SECONDS,
    alone: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
) -> list[dict[str, Any]]:
    """Counts of each method within each time, and within the time of simple orders and one pass of the policy.

    Args:
      family: of graphs.
      size: number of vertices, about.
      rule: cost rule.
      seconds: the times.
      alone: a context in which time is measured, for machines that are shared.
    """
    graph = FAMILIES[family](size)
    head = {"family": family, "vertices": len(graph.eliminable), "rule": rule}
    rows = []

    def note(method: str, allowed: float | None, found: Order, one_pass: bool = False) -> None:
        rows.append(head | {"allowed": allowed, "one_pass": one_pass, "method": method})
        rows[-1] |= {"count": found.multiplications, "seconds": round(found.seconds, 3), "passes": found.evaluations}

    def run(method: str, **limits: Any) -> Order:
        with alone():
            return search(graph, method, rule, **limits)

    search(zoo_graph("random_program", size=20, arrays=False), "agent", rule)
    search(graph, "annealing", rule, budget=seconds[0])  # large graphs have compiled code of their own
    one = run("agent", max_evaluations=1)
    budgets = sorted({*seconds, one.seconds})
    for budget in budgets:
        is_one = budget == one.seconds
        note("agent", round(budget, 3), one if is_one else run("agent", budget=budget), is_one)
    found = None
    for budget in budgets:
        if found is None or found.seconds < budget:
            found = run("annealing", budget=budget)
        note("annealing", round(budget, 3), found, budget == one.seconds)
    for name in ("forward", "reverse", "markowitz"):
        note(name, None, search(graph, name, rule))
    return rows


def pairs(rows: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any], int]]:
    """The agent's row, that of annealing with the same time, and the count of the best simple order."""
    found = []
    for row in rows:
        if row["method"] == "agent":
            same = [other for other in rows if all(other[k] == row[k] for k in ("family", "vertices", "rule"))]
            other = next(o for o in same if o["method"] == "annealing" and o["allowed"] == row["allowed"])
            found.append((row, other, min(o["count"] for o in same if o["allowed"] is None)))
    return found


def table(rows: list[dict[str, Any]]) -> str:
    """Counts within each time, and how often which of the two is cheaper."""
    lines = ["| graph | vertices | rule | s allowed | agent | passes | s | annealing | s | best simple order |"]
    lines.append("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row, other, simple in pairs(rows):
        allowed = f"one pass: {row['allowed']}" if row["one_pass"] else f"{row['allowed']}"
        agent = f"{row['count']:,} | {row['passes']} | {row['seconds']}"
        lines.append(
            f"| {row['family']} | {row['vertices']:,} | {row['rule']} | {allowed} | {agent} "
            f"| {other['count']:,} | {other['seconds']} | {simple:,} |"
        )
    there = [(row["count"], other["count"]) for row, other, _ in pairs(rows)]
    signs = [sum(a < b for a, b in there), sum(a == b for a, b in there), sum(a > b for a, b in there)]
    lines += ["", f"Of the {len(there)} rows the agent is cheaper in {signs[0]}, "]
    lines[-1] += f"as cheap in {signs[1]}, dearer in {signs[2]}."
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """One panel a graph, one line of panels a family: count over time."""
    from matplotlib.figure import Figure

    families = list(dict.fromkeys(row["family"] for row in rows))
    sizes = {family: sorted({row["vertices"] for row in rows if row["family"] == family}) for family in families}
    columns = max(map(len, sizes.values()))
    figure = Figure(figsize=(3.3 * columns, 2.9 * len(families)), layout="constrained")
    panels = figure.subplots(len(families), columns, squeeze=False)
    for line, family in zip(panels, families, strict=True):
        for axes in line[len(sizes[family]) :]:
            axes.set_visible(False)
        for axes, size in zip(line, sizes[family], strict=False):
            here = [row for row in rows if (row["family"], row["vertices"]) == (family, size)]
            for method in METHODS:
                points = [row for row in here if row["method"] == method]
                points.sort(key=lambda row: row["seconds"])
                seconds, counts = [p["seconds"] for p in points], [p["count"] for p in points]
                axes.plot(seconds, counts, "o-", label=method, drawstyle="steps-post")
            best = min(row["count"] for row in here if row["allowed"] is None)
            axes.axhline(best, color="0.6", linestyle=":", label="best simple order")
            axes.set_xscale("log")
            axes.set_title(f"{family}, {size:,} vertices", fontsize="medium")
            axes.spines[["top", "right"]].set_visible(False)
        line[0].set_ylabel("multiplications")
    for axes in panels[-1]:
        axes.set_xlabel("seconds spent")
    panels[0][0].legend(frameon=False, fontsize="small")
    figure.savefig(path)
