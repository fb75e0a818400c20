"""`python -m benchmarks.sparse [--json] [--only TEXT] [--repetitions N] [--no-baseline]`: a row for each residual.

Each residual is measured in a process of its own, so that peaks of memory do not mix. asdex has to be installed for
the comparison.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import click
import jax
from benchmarks.sparse.measure import measure
from benchmarks.sparse.problems import PROBLEMS


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each row.")
@click.option("--only", default="", help="Rows whose name contains this.")
@click.option("--repetitions", default=15, help="Calls of each variant.")
@click.option("--baseline/--no-baseline", default=True, help="Whether to measure asdex.")
@click.option("--row", default=None, hidden=True)
def main(as_json: bool, only: str, repetitions: int, baseline: bool, row: str | None) -> None:
    """Measure sparse Jacobians."""
    if row is not None:
        jax.config.update("jax_enable_x64", True)
        print(json.dumps(measure(row, repetitions, baseline)))
        return
    flags = ["--repetitions", str(repetitions), "--baseline" if baseline else "--no-baseline"]
    if not as_json:
        print("| residual | entries | elimax | asdex | ratio | in a loop | planning, s | peak above start, GB |")
        print("|---|---|---|---|---|---|---|---|")
    for name in PROBLEMS:
        if only in name:
            command = [sys.executable, "-m", "benchmarks.sparse", "--row", name, *flags]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ)
            line = done.stdout.strip().splitlines()[-1]
            print(line if as_json else _line(json.loads(line)), flush=True)


def _line(row: dict[str, Any]) -> str:
    def ratio(what: str) -> str:
        pair = row.get(f"asdex_{what}"), row.get(f"elimax_{what}")
        return "" if None in pair else f"{pair[0] / pair[1]:.1f}"

    def both(what: str, scale: float, base: float = 0.0) -> str:
        found = [row.get(f"{who}_{what}") for who in ("elimax", "asdex")]
        return " / ".join(f"{(own - base) * scale:.3g}" for own in found if own is not None)

    cells = [
        row["name"],
        f"{row['entries']:,}",
        f"{row['elimax_seconds'] * 1e3:.3g} ms",
        f"{row['asdex_seconds'] * 1e3:.3g} ms" if "asdex_seconds" in row else "",
        ratio("seconds"),
        ratio("seconds_in_a_loop"),
        both("plan_seconds", 1.0),
        both("peak_bytes", 1e-9, row["resident_at_start"]),
    ]
    return f"| {' | '.join(cells)} |"


main()
