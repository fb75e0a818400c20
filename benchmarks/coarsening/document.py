"""Rows as a table, and the table in docs/coarsening.md."""

from __future__ import annotations

from typing import Any

from benchmarks import documents
from benchmarks.coarsening.cases import NAIVE
from benchmarks.coarsening.measure import OURS, STEPWISE

COLUMNS = (
    "| program | setting | kept | coarsened | same program | coarsened at its best | JAX at its best | ratio "
    "| naive, jitted | operation by operation | temporaries | same program | fewest, coarsened | fewest, JAX |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def line(row: dict[str, Any]) -> str:
    """One row of the table; ratios above 1 say that coarsened is faster, or has fewer temporaries."""
    seconds, temporaries = row["seconds"], row["temporaries"]
    own, best = seconds[OURS], seconds[row["own fastest"]]
    cells = [
        row["program"],
        row["setting"],
        "local Jacobian" if row["decision"].startswith("local") else "JAX's tape",
        _time(own),
        f"{seconds[row['same']] / own:.2f}",
        f"{_time(best)}{_way(row['own fastest'])}",
        f"{_time(seconds[row['fastest']])} ({row['fastest']})",
        f"{seconds[row['fastest']] / best:.2f}",
        f"{seconds[NAIVE] / best:.1f}",
        f"{seconds[STEPWISE] / best:,.0f}" if STEPWISE in seconds else "",
        _size(temporaries[OURS]),
        f"{temporaries[row['same']] / max(temporaries[OURS], 1):.2f}",
        f"{_size(temporaries[row['own smallest']])}{_way(row['own smallest'])}",
        f"{_size(temporaries[row['smallest']])} ({row['smallest']})",
    ]
    return f"| {' | '.join(cells)} |"


def _way(name: str) -> str:
    return "" if name == OURS else f" ({name.removeprefix(OURS + ', ')})"


def write(rows: list[dict[str, Any]]) -> None:
    """Replace the table of a document."""
    lines = [COLUMNS, *map(line, rows)]
    if not any(STEPWISE in row["seconds"] for row in rows):
        lines = [
            _without(cells, COLUMNS.split("|").index(" operation by operation "))
            for cells in "\n".join(lines).split("\n")
        ]
    documents.write(documents.DOCS / "coarsening.md", {"programs": "\n".join(lines)})


def _without(cells: str, column: int) -> str:
    """A row of a table without one of its columns."""
    parts = cells.split("|")
    return "|".join(parts[:column] + parts[column + 1 :])


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.3g} us" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms"


def _size(count: int) -> str:
    return f"{count:,} B" if count < 10_000 else f"{count / 1e3:,.0f} kB"
