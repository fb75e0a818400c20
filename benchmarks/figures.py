"""Writes the figures of README.md and docs/figures.md from a run of the demo.

    python -m benchmarks.figures                     # runs `elimax demo --json`
    python -m benchmarks.figures demo.json           # takes the output of an earlier run

The table stands between ``<!-- demo -->`` and ``<!-- /demo -->`` in both files and is replaced there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import documents

from elimax.viz.tables import seconds, table, to_markdown

ROOT = Path(__file__).parents[1]
FILES = (ROOT / "README.md", ROOT / "docs" / "figures.md")
MODES = ("elimax", "jacfwd", "jacrev")


def figures(report: dict[str, Any]) -> str:
    """The tables of counts and of times, and the machine they were measured on."""
    orders = ("forward", "reverse", "markowitz")
    counts = [
        (
            problem["name"],
            *(problem["baselines"][order] for order in orders),
            problem["multiplications"],
            problem["lower_bound"],
            f"{problem['max_relative_error']:.1e}",
        )
        for problem in report["problems"]
    ]
    times = [
        (
            problem["name"],
            case["batch"],
            *(seconds(case["seconds"][mode]) for mode in MODES),
            f"{case['ratio']['jacfwd']:.2f}",
            f"{case['ratio']['jacrev']:.2f}",
            case["rounds"],
        )
        for problem in report["problems"]
        for case in problem["times"]
    ]
    columns = ("<problem", "batch", *MODES, "elimax / jacfwd", "elimax / jacrev", "rounds")
    parts = [
        "Multiplications (executed rule) by order, and the largest relative difference from `jax.jacfwd`:",
        to_markdown(table(("<problem", *orders, "elimax", "lower bound", "difference"), counts)),
        "Median time of one call (jit, vmap, float64), variants taking turns; a ratio below 1 means elimax is faster:",
        to_markdown(table(columns, times)),
        f"{report['machine']}. Printed by `elimax demo`.",
    ]
    return "\n\n".join(parts)


def main() -> None:
    """Runs the demo or reads its output, and writes both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path, nargs="?", help="what `elimax demo --json` printed")
    parser.add_argument("--seconds", default="60", help="time for the demo")
    options = parser.parse_args()
    if options.report is not None:
        text = options.report.read_text(encoding="utf-8")
    else:
        command = [sys.executable, "-m", "elimax", "demo", "--json", "--seconds", options.seconds]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    content = figures(json.loads(text))
    for path in FILES:
        documents.write(path, {"demo": content})


if __name__ == "__main__":
    main()
