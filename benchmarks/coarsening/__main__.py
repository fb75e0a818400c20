"""Gradients of programs with and without `elimax.coarsen`: a row for each program and setting.

    python -m benchmarks.coarsening [--json] [--only TEXT] [--seconds S] [--synchronous] [--write]

With ``--write`` the table goes into docs/coarsening.md; with ``--rows FILE`` rows of earlier runs with ``--json`` are
taken from a file, where all of them together would disturb a machine for too long.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import jax
from benchmarks.coarsening import (
    brachistochrone,
    cart_pole,
    descent,
    logistic,
    rigid_body,
    springs,
    walker,
)
from benchmarks.coarsening.document import COLUMNS, line, write
from benchmarks.coarsening.measure import measure

PROGRAMS = (rigid_body, brachistochrone, springs, logistic, cart_pole, walker, descent)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each row.")
@click.option("--only", default="", help="Rows whose name contains this.")
@click.option("--seconds", default=4.0, help="Time for each row.")
@click.option("--stepwise/--no-stepwise", default=False, help="Whether to run JAX operation by operation too.")
@click.option("--synchronous", is_flag=True, help="Run every call in the thread that makes it.")
@click.option("--rows", "file", type=click.Path(exists=True, path_type=Path), help="Rows that were measured before.")
@click.option("--write", "into_document", is_flag=True, help="Write the table into the document.")
def main(
    as_json: bool,
    only: str,
    seconds: float,
    stepwise: bool,
    synchronous: bool,
    file: Path | None,
    into_document: bool,
) -> None:
    """Measure gradients with and without elimax.coarsen."""
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", not synchronous)
    rows: list[dict[str, Any]] = []
    if not as_json:
        print(COLUMNS)
    if file is not None:
        rows = [json.loads(row) for row in file.read_text().splitlines()]
    for program in PROGRAMS if file is None else ():
        for number, case in enumerate(program.cases()):
            if only not in case.name:
                continue
            rows.append(measure(case, seconds, stepwise and number == 0))
            print(json.dumps(rows[-1]) if as_json else line(rows[-1]), flush=True)
    if into_document:
        write(rows)


main()
