"""Sparse Jacobians against colouring (asdex) and the modes of JAX: time, memory, planning.

    python -m benchmarks.sparse [--json FILE] [--only TEXT] [--repetitions N] [--no-baseline] [--write]

Each row is measured in a process of its own, on one core, so that peaks of memory do not mix. asdex has to be
installed for the comparison with colouring. ``--json`` keeps the rows, one a line; rows that are in the file already
are not measured again, so that a run can be interrupted and continued. ``--write`` fills docs/sparse.md.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import jax
from benchmarks import documents
from benchmarks.sparse import report
from benchmarks.sparse.measure import compare, keep_memory, measure, on_one_core
from benchmarks.sparse.others import OTHERS
from benchmarks.sparse.problems import PROBLEMS

ROOT = Path(__file__).resolve().parents[2]


@click.command()
@click.option("--json", "path", type=click.Path(path_type=Path), help="File of the rows, which is continued.")
@click.option("--only", default="", help="Rows whose name contains this.")
@click.option("--repetitions", default=15, help="Calls of each variant.")
@click.option("--baseline/--no-baseline", default=True, help="Whether to measure asdex.")
@click.option("--write", is_flag=True, help="Fill docs/sparse.md.")
@click.option("--row", default=None, hidden=True)
def main(path: Path | None, only: str, repetitions: int, baseline: bool, write: bool, row: str | None) -> None:
    """Measure sparse Jacobians."""
    if row is not None:
        on_one_core()
        keep_memory()
        jax.config.update("jax_enable_x64", True)
        print(json.dumps(measure(row, repetitions, baseline) if row in PROBLEMS else compare(row, repetitions)))
        return
    lines = path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else []
    known: dict[str, Any] = {found["name"]: found for found in map(json.loads, lines)}
    rows = []
    for name in (*PROBLEMS, *OTHERS):
        if only not in name:
            continue
        if name not in known:
            known[name] = _measured(name, ["--repetitions", str(repetitions), *([] if baseline else ["--no-baseline"])])
            if path is not None:
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(known[name]) + "\n")
        rows.append(known[name])
        print(report.line(known[name]), flush=True)
    if write:
        machine = (
            f"Processor time on one core of {platform.machine()}, float64, medians of calls in turns, "
            f"JAX {jax.__version__}, asdex {importlib.metadata.version('asdex')}, Python {platform.python_version()}"
        )
        documents.write(ROOT / "docs" / "sparse.md", report.tables(rows), f"{machine}.")


def _measured(name: str, flags: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.sparse", "--row", name, *flags]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ)
    return json.loads(done.stdout.strip().splitlines()[-1])


main()
