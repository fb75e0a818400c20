"""The agent and annealing at equal time, on graphs of three sizes."""

from __future__ import annotations

from pathlib import Path

from benchmarks.zoo_counts import zoo_graph

from elimax.order import search

SIZES = (50, 500, 5000)
"""Vertices to eliminate, about."""

OPERATIONS = {50: 65, 500: 650, 5000: 8000}
"""Operations of the random program that has so many: what is not used by a result is left out."""

SECONDS = (0.01, 0.1, 1.0, 10.0)
METHODS = ("agent", "annealing")


def measure(size: int, rule: str, seconds: tuple[float, ...] = SECONDS) -> list[dict]:
    """Counts of each method within each time; a method that needs longer for its first order says how long it took."""
    operations = OPERATIONS[size]
    graph = zoo_graph("random_program", seed=1, size=operations, arrays=False, num_outputs=max(5, operations // 20))
    rows = []

    def note(method: str, allowed: float | None, found) -> None:
        rows.append({"vertices": len(graph.eliminable), "rule": rule, "allowed": allowed, "method": method})
        rows[-1] |= {"count": found.multiplications, "seconds": round(found.seconds, 3)}

    for method in METHODS:  # what is compiled or read from disk is there
        search(zoo_graph("random_program", size=20, arrays=False), method, rule, max_evaluations=100)
    for method in METHODS:
        found = None
        for budget in seconds:
            if found is None or found.seconds < budget:
                found = search(graph, method, rule, budget=budget)
            note(method, budget, found)
    for name in ("forward", "reverse", "markowitz"):
        note(name, None, search(graph, name, rule))
    return rows


def draw(rows: list[dict], path: Path) -> None:
    """One panel a size: count over time allowed."""
    from matplotlib.figure import Figure

    sizes = sorted({row["vertices"] for row in rows})
    figure = Figure(figsize=(4.0 * len(sizes), 3.4), layout="constrained")
    panels = figure.subplots(1, len(sizes), squeeze=False)[0]
    for axes, size in zip(panels, sizes, strict=True):
        here = [row for row in rows if row["vertices"] == size]
        for method in METHODS:
            points = [row for row in here if row["method"] == method]
            axes.plot(
                [max(p["allowed"], p["seconds"]) for p in points], [p["count"] for p in points], "o-", label=method
            )
        best = min(row["count"] for row in here if row["allowed"] is None)
        axes.axhline(best, color="0.6", linestyle=":", label="best simple order")
        axes.set_xscale("log")
        axes.set_xlabel("seconds")
        axes.set_title(f"{size:,} vertices")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("multiplications")
    panels[0].legend(frameon=False)
    figure.savefig(path)
