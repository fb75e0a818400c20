"""Times elimax against jacfwd, jacrev, symbolic derivatives and C: scalar tasks, loops, networks, planning.

    python -m benchmarks.jacobians                                # a quick subset, a few minutes
    python -m benchmarks.jacobians --full --json all.json --resume --write
    python -m benchmarks.jacobians --part newton --problem roe_flux_1d --seconds 3

Variants take turns in one process on one core; gains are medians over rounds of the time of a variant over that of
elimax: above 1, elimax is faster. ``--write`` fills docs/jacobians.md and draws docs/jacobians.svg.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:  # run as a folder, not as a module
    sys.path.insert(0, str(ROOT))

PARTS = ("scalar", "vector", "newton", "runge", "network", "planning", "compile")
QUICK_TASKS = ("roe_flux_1d", "human_heart_dipole", "hires")


def parser() -> argparse.ArgumentParser:
    """Options."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--part", action="append", choices=PARTS, help="may be repeated; default: all")
    made.add_argument("--problem", action="append", help="may be repeated; default: those of the part")
    made.add_argument("--batch", action="append", type=int, help="may be repeated; default: those of the part")
    made.add_argument("--dtype", action="append", choices=["float32", "float64"], help="default: both")
    made.add_argument("--rivals", default="layouts,c,sympy", help="beside JAX's modes, with commas: layouts, c, sympy")
    made.add_argument("--full", action="store_true", help="all cases")
    made.add_argument("--quick", action="store_true", help="a few cases of each part, the default")
    made.add_argument("--seconds", type=float, default=1.0, help="time for each case, compilation excluded")
    made.add_argument("--json", type=Path, help="file for the rows")
    made.add_argument("--resume", action="store_true", help="keep the rows of the file and skip their cases")
    made.add_argument("--write", action="store_true", help="fill docs/jacobians.md and draw docs/jacobians.svg")
    made.add_argument("--cores", type=int, default=1, help="cores to run on, 0 for all; default: 1")
    return made


def cases(options: argparse.Namespace) -> Iterator[tuple[str, str, str, int]]:
    """Part, problem, dtype and batch of everything that is asked for."""
    from benchmarks.jacobians import compiling, loops, networks, scalar

    from elimax import zoo

    known = {
        "scalar": (scalar.TASKS, scalar.BATCHES),
        "vector": (scalar.VECTOR_TASKS, scalar.BATCHES),
        "newton": (loops.NEWTON_TASKS, loops.NEWTON_BATCHES),
        "runge": (loops.RUNGE_TASKS, loops.RUNGE_BATCHES),
        "network": (networks.NETWORKS, (networks.BATCH,)),
        "planning": (networks.LARGE, (1,)),
        "compile": (compiling.TASKS, (1000,)),
    }
    quick = not options.full
    default = ("scalar",) if options.problem and not options.part else PARTS
    for part in options.part or default:
        tasks, batches = known[part]
        if quick and part in ("scalar", "vector", "newton", "compile"):
            tasks, batches = QUICK_TASKS, batches[:: max(1, len(batches) - 1)]
        # Scalar tasks can be any of the zoo; other parts know their own names alone.
        asked = [n for n in options.problem or tasks if n in known[part][0] or (part == "scalar" and n in zoo.names())]
        for name in asked:
            for dtype in options.dtype or (["float32"] if part in ("network", "planning") else ["float32", "float64"]):
                for batch in options.batch or batches:
                    yield part, name, dtype, batch


def measure(case: tuple[str, str, str, int], options: argparse.Namespace):
    """One case."""
    from benchmarks.jacobians import compiling, loops, networks, scalar

    part, name, dtype, batch = case
    if part in ("scalar", "vector"):
        rivals = tuple(word for word in options.rivals.split(",") if word)
        return scalar.measure(part, name, dtype, batch, options.seconds, rivals)
    if part in ("newton", "runge"):
        return loops.measure(part, name, dtype, batch, options.seconds)
    if part == "network":
        return networks.measure(name, dtype, batch, options.seconds)
    if part == "planning":
        return networks.planning(name, dtype)
    return compiling.measure(name, dtype, batch)


def main() -> None:
    """Prints a line a case, then the tables."""
    made = parser()
    options = made.parse_args()
    if options.cores and hasattr(os, "sched_setaffinity"):  # before JAX counts the cores
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    import jax
    from benchmarks.jacobians import report
    from benchmarks.jacobians.rows import load, save

    from elimax import zoo

    unknown = set(options.problem or ()) - {*zoo.names(), *report.names()}
    if unknown:
        made.error(f"no such problem: {', '.join(sorted(unknown))}")
    jax.config.update("jax_enable_x64", True)
    rows = load(options.json) if options.resume and options.json else []
    done = {row.key for row in rows}
    for case in cases(options):
        if case in done:
            continue
        row = measure(case, options)
        rows.append(row)
        print(row.line(), file=sys.stderr, flush=True)
        jax.clear_caches()
        if options.json:
            save(options.json, rows)
    print(report.text(rows))
    if options.write:
        report.write(ROOT / "docs", rows)


if __name__ == "__main__":
    main()
