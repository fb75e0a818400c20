"""The measurements as Markdown."""

from __future__ import annotations

import dataclasses
import os
import platform
from typing import Any

from benchmarks.orders.measure import Found
from benchmarks.orders.tasks import ARRAYS, RULES, Task

from elimax.viz.tables import table, to_markdown


@dataclasses.dataclass
class Results:
    """Everything that was measured.

    Attributes:
      searches: by rule, a task, the best count known elsewhere (None if there is none), and what was found.
      edges: by rule and graph, the search over eliminations of single edges, beside the one over vertices.
      arrays: by graph, what was found under the published rule.
      large: by rule and graph, the search of a large graph.
    """

    searches: dict[str, list[tuple[Task, int | None, Found]]] = dataclasses.field(default_factory=dict)
    edges: list[tuple[str, str, Found, Found]] = dataclasses.field(default_factory=list)
    arrays: list[tuple[str, Found]] = dataclasses.field(default_factory=list)
    large: list[tuple[str, str, float, Found]] = dataclasses.field(default_factory=list)


_RULES = {
    "published": "Published rule: every product of two partials counts.",
    "executed": "Executed rule: a factor of ±1 and a product of two constants cost nothing.",
}


def searches(rule: str, rows: list[tuple[Task, int | None, Found]]) -> str:
    """Count, bound and time of each graph under one rule."""
    columns = ["<graph", "vertices", "forward", "reverse", "markowitz", "best known", "elimax", "lower bound", "gap"]
    columns += ["s to reach", "s in all", "s allowed", "<found by"]
    cells = [
        (
            task.name,
            found.vertices,
            *(found.simple[name] for name in ("forward", "reverse", "markowitz")),
            known,
            found.count,
            found.bound,
            "optimal" if found.optimal else f"{100 * found.gap:.1f} %",
            None if found.reached is None else f"{found.reached:.2f}",
            f"{found.seconds:.2f}",
            f"{task.seconds:g}",
            found.method,
        )
        for task, known, found in rows
    ]
    return f"{_RULES[rule]}\n\n{to_markdown(table(columns, cells))}"


def edges(rows: list[tuple[str, str, Found, Found]]) -> str:
    """What eliminations of single edges gain."""
    cells = [
        (name, rule, vertex.count, edge.count, vertex.count - edge.count, f"{edge.seconds:.1f}")
        for name, rule, vertex, edge in rows
    ]
    return to_markdown(table(["<graph", "<rule", "vertices only", "with edges", "gain", "s in all"], cells))


def arrays(rows: list[tuple[str, Found]]) -> str:
    """Counts of array programs beside the published ones."""
    columns = ["<program", "<graph", "vertices", "forward", "reverse", "markowitz", "learned", "best", "s in all"]
    cells: list[tuple[Any, ...]] = []
    for name, found in rows:
        there = ARRAYS[name]
        simple = (there.forward, there.reverse, there.markowitz)
        cells.append((name, "published", there.vertices, *simple, there.learned, there.best_known, None))
        here = (found.simple[order] for order in ("forward", "reverse", "markowitz"))
        cells.append((name, "elimax", found.vertices, *here, None, found.count, f"{found.seconds:.1f}"))
    return to_markdown(table(columns, cells))


def large(rows: list[tuple[str, str, float, Found]]) -> str:
    """Large graphs."""
    columns = ["<graph", "<rule", "vertices", "forward", "reverse", "markowitz", "elimax", "of the best of these"]
    columns += ["s to reach", "s in all", "s allowed", "memory"]
    cells = [
        (
            name,
            rule,
            found.vertices,
            *(found.simple[order] for order in ("forward", "reverse", "markowitz")),
            found.count,
            f"{found.count / min(found.simple.values()):.3f}",
            None if found.reached is None else f"{found.reached:.1f}",
            f"{found.seconds:.1f}",
            f"{budget:g}",
            f"{found.memory / 1e6:.0f} MB",
        )
        for name, rule, budget, found in rows
    ]
    return to_markdown(table(columns, cells))


def machine(cores: int) -> str:
    """What the figures were measured on."""
    import jax
    import numba

    used = "one core" if cores == 1 else f"{cores} cores"
    return (
        f"{platform.machine()}, {used} of {os.cpu_count()}, Python {platform.python_version()}, "
        f"JAX {jax.__version__}, numba {numba.__version__}"
    )


def missed(results: Results) -> list[str]:
    """Aims that were not reached."""
    lines = []
    for rule, rows in results.searches.items():
        for task, _, found in rows:
            aim = task.aims[rule]
            if aim is not None and found.count > aim:
                lines.append(f"{task.name}, {rule} rule: {found.count}, aim {aim}")
    for name, rule, _, found in results.large:
        if found.count >= found.simple["markowitz"] or found.count > min(found.simple.values()):
            lines.append(f"{name}, {rule} rule: {found.count}, simple orders {found.simple}")
    return lines


def sections(results: Results) -> dict[str, str]:
    """Markdown by section: the rules, ``edges``, ``arrays`` and ``large``; only what was measured."""
    made = {rule: searches(rule, results.searches[rule]) for rule in RULES if results.searches.get(rule)}
    for name, write in (("edges", edges), ("arrays", arrays), ("large", large)):
        rows = getattr(results, name)
        if rows:
            made[name] = write(rows)
    return made
