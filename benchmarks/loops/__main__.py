"""Derivatives of loops against those of JAX: a row for each loop and setting.

    python -m benchmarks.loops [--json] [--only TEXT] [--seconds S] [--write]

With ``--write`` the table goes into docs/loops.md.
"""

from __future__ import annotations

import json
from typing import Any

import click
import jax
from benchmarks import documents
from benchmarks.coarsening.measure import NAIVE, OURS, measure
from benchmarks.loops.cases import cases

DOCUMENT = documents.DOCS / "loops.md"
COLUMNS = (
    "| loop | setting | by | elimax | JAX, ratio of its time to that of elimax | largest difference | temporaries "
    "| of JAX |\n|---|---|---|---|---|---|---|---|"
)


def line(row: dict[str, Any]) -> str:
    """One row of the table; ratios above 1 say that elimax is faster."""
    seconds, temporaries = row["seconds"], row["temporaries"]
    others = [name for name in seconds if name not in (OURS, NAIVE)]
    cells = [
        row["program"],
        row["setting"],
        row["decision"].split(";")[0],
        _time(seconds[OURS]),
        ", ".join(f"{name} {seconds[name] / seconds[OURS]:.3g}" for name in others),
        f"{row['difference']:.0e}",
        f"{temporaries[OURS] / 1e3:,.1f} kB",
        ", ".join(f"{name} {temporaries[name] / 1e3:,.1f} kB" for name in others),
    ]
    return f"| {' | '.join(cells)} |"


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.3g} us" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms"


def write(rows: list[dict[str, Any]]) -> None:
    """Replace the table of the document, or the rows of it that were measured."""
    old_lines = documents.section(DOCUMENT, "loops").splitlines()
    kept = {tuple(old.split(" | ")[:2]): old for old in old_lines if old.startswith("| ")}
    kept.pop(tuple(COLUMNS.split(" | ")[:2]), None)
    kept.update({tuple(new.split(" | ")[:2]): new for new in map(line, rows)})
    documents.write(DOCUMENT, {"loops": "\n".join([COLUMNS, *kept.values()])})


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each row.")
@click.option("--only", default="", help="Rows whose name contains this.")
@click.option("--seconds", default=3.0, help="Time for each row.")
@click.option("--write", "into_document", is_flag=True, help="Write the rows into the document.")
def main(as_json: bool, only: str, seconds: float, into_document: bool) -> None:
    """Measure derivatives of loops."""
    jax.config.update("jax_enable_x64", True)
    rows: list[dict[str, Any]] = []
    if not as_json:
        print(COLUMNS)
    for name, make in cases():
        if only in name:
            rows.append(measure(make(), seconds, stepwise=False))
            print(json.dumps(rows[-1]) if as_json else line(rows[-1]), flush=True)
    if into_document:
        write(rows)


main()
