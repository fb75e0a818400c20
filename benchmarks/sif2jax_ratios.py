"""Times Jacobians of the CUTEst collection (sif2jax): elimax against jacfwd and jacrev, in float64, on one core.
Times are those of the processor, so that other work on the core does not count.

Problems with constraints or equations in at most 100 unknowns, at batch 1 and 256. One JSON line a problem; problems
that are in the file already are skipped, so a run can be interrupted and continued.

    python -m benchmarks.sif2jax_ratios --output ratios.jsonl
    python -m benchmarks.sif2jax_ratios --output ratios.jsonl --limit 0        # the summary alone
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks import documents
from benchmarks.jacobians.rows import writing_zeros
from benchmarks.rows import read, walk

BATCHES = (1, 256)
MOST_UNKNOWNS = 100
MOST_EQUATIONS = 2_000
"""Programs with more equations are left out: JAX's modes take minutes to compile."""
MOST_BYTES = 500_000_000
SLOW = 0.95
HOPELESS = 4.0
"""A mode of JAX that takes this many times as long as the other one is not timed any more."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One problem.

    Attributes:
      name: of the problem.
      inputs: number of unknowns.
      outputs: number of constraints or equations.
      equations: number of equations of the jaxpr.
      seconds: by batch, the median seconds of a call by mode.
      gain: by batch, median over rounds of the time of the better of JAX's modes over that of elimax.
      room: by batch, the same over the time of a program that writes zeros: about what can be reached.
      error: largest difference from jacfwd relative to the largest entry of the same row.
      note: why there are no figures.
    """

    name: str
    inputs: int = 0
    outputs: int = 0
    equations: int = 0
    seconds: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    gain: dict[str, float] = dataclasses.field(default_factory=dict)
    room: dict[str, float] = dataclasses.field(default_factory=dict)
    error: float = 0.0
    note: str = ""


def load_problems() -> dict[str, Any]:
    """All problems with constraints or equations, by name."""
    from benchmarks.sif2jax_walk import load_problems as load_equations

    found = load_equations()
    import sif2jax

    return found | {q.name: q for q in sif2jax.problems if hasattr(q, "constraint") and q.name not in found}


def constraints(problem: Any) -> Callable[..., Any]:
    """All constraints of a problem as a function of the unknowns to a list of arrays."""
    return lambda y: [jnp.asarray(leaf) for leaf in jax.tree.leaves(problem.constraint(y))]


def size(tree: Any) -> int:
    """Number of elements of a tree."""
    return sum(int(np.prod(np.shape(leaf))) for leaf in jax.tree.leaves(tree))


def measure(problem: Any, share: float) -> Row:
    """One problem; its name, sizes and a note if it is left out."""
    from benchmarks.sif2jax_walk import row_error

    import elimax
    from elimax.cli.timing import compare

    fun, point = constraints(problem), jax.tree.map(jnp.asarray, problem.y0)
    outputs = size(jax.eval_shape(fun, point))
    inputs = size(point)
    equations = len(jax.make_jaxpr(fun)(point).eqns)
    head = (problem.name, inputs, outputs, equations)
    if not outputs or equations > MOST_EQUATIONS or max(BATCHES) * inputs * outputs * 8 > MOST_BYTES:
        return Row(*head, note="left out")
    rng = np.random.default_rng(0)
    seconds: dict[str, dict[str, float]] = {}
    gain: dict[str, float] = {}
    room: dict[str, float] = {}
    error = 0.0
    makers = {"elimax": elimax.jacobian, "jacfwd": jax.jacfwd, "jacrev": jax.jacrev}
    for batch in BATCHES:
        scale = () if batch == 1 else (batch,)
        args = jax.tree.map(lambda x, scale=scale: x * (1 + 1e-3 * rng.uniform(-1, 1, (*scale, *x.shape))), point)
        variants: dict[str, Callable[[], Any]] = {}
        results = {}
        for mode, maker in makers.items():
            compiled = jax.jit(maker(fun) if batch == 1 else jax.vmap(maker(fun)))
            try:
                results[mode] = jax.block_until_ready(compiled(args))
            except ValueError:  # a loop of unknown length in reverse
                if mode != "jacrev":
                    raise
                continue
            variants[mode] = lambda compiled=compiled, args=args: compiled(args)
        for e, a in zip(jax.tree.leaves(results["jacfwd"]), jax.tree.leaves(results["elimax"]), strict=True):
            width = max(1, e.shape[-1] if e.ndim else 1)
            error = max(error, row_error(np.reshape(e, (-1, width)), np.reshape(a, (-1, width))))
        variants = without_slow(variants)
        modes = [mode for mode in variants if mode != "elimax"]
        variants["zeros"] = writing_zeros(results["jacfwd"], (args,))
        times = compare(variants, seconds=share, clock=time.process_time)
        seconds[str(batch)] = {mode: times.median(mode) for mode in variants}
        gain[str(batch)] = min(times.ratio(mode, "elimax") for mode in modes)
        room[str(batch)] = min(times.ratio(mode, "zeros") for mode in modes)
    return Row(*head, seconds, gain, room, error)


def without_slow(variants: dict[str, Callable[[], Any]]) -> dict[str, Callable[[], Any]]:
    """The variants without the mode of JAX that is far slower than the other one.

    What it leaves behind, gigabytes that are handed back to the system, would be paid by whoever comes next.
    """
    least = {name: float("inf") for name in variants if name != "elimax"}
    for name in [*least, *least]:
        start = time.process_time()
        jax.block_until_ready(variants[name]())
        least[name] = min(least[name], time.process_time() - start)
    bound = HOPELESS * min(least.values())
    return {name: call for name, call in variants.items() if least.get(name, 0.0) <= bound}


def summary(rows: list[Row]) -> str:
    """Markdown: geometric means by batch, exactness, and the problems that are slower than JAX."""
    timed = [row for row in rows if row.gain]
    lines = [
        "| points of a call | problems | geometric mean of the gains | of writing zeros | at least 1.5 | below 0.95 |",
        "|---|---|---|---|---|---|",
    ]
    words = []
    for batch in map(str, BATCHES):
        gains = sorted((row.gain[batch], row.name) for row in timed if batch in row.gain)
        if not gains:
            continue
        mean = statistics.geometric_mean([gain for gain, _ in gains])
        below = [f"{name} {gain:.2f}" for gain, name in gains if gain < SLOW]
        high = sum(gain >= 1.5 for gain, _ in gains)
        zeros = statistics.geometric_mean([row.room[batch] for row in timed if batch in row.room])
        lines.append(f"| {batch} | {len(gains)} | {mean:.2f} | {zeros:.2f} | {high} | {len(below)} |")
        words.append(f"Below {SLOW} with {batch} points: {', '.join(below) or 'none'}.")
    wrong = [f"{row.name} {row.error:.0e}" for row in timed if not row.error <= 1e-10]
    words.append(f"Differ from jacfwd by more than 1e-10 of their row: {', '.join(wrong) or 'none'}.")
    left = [row.name for row in rows if not row.gain]
    words.append(f"Not timed (no outputs, or too large): {', '.join(sorted(left)) or 'none'}.")
    return "\n".join([*lines, "", *words])


def main() -> None:
    """Runs the problems that are missing in the file, prints a line each and the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="file of JSON lines; problems in it are skipped")
    parser.add_argument("--only", action="append", default=[], help="name of a problem; may be repeated")
    parser.add_argument("--limit", type=int, help="stop after this many problems")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after this time")
    parser.add_argument("--seconds", type=float, default=0.4, help="time for each problem and batch")
    parser.add_argument("--json", type=Path, help="file for all rows as one JSON list")
    parser.add_argument("--write", action="store_true", help="write the summary into docs/emission.md")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # before JAX counts the cores
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    rows = read(options.output, Row)
    if options.limit != 0:
        run(options, rows)
    if options.json:
        options.json.write_text(json.dumps([dataclasses.asdict(row) for row in rows.values()], indent=1) + "\n")
    words = summary(list(rows.values()))
    print(words)
    if options.write:
        documents.write(documents.DOCS / "emission.md", {"cutest": words}, "One core, float64, processor time.")


def run(options: argparse.Namespace, rows: dict[str, Row]) -> None:
    """Adds rows of problems that are not among them, in an order of chance, so that a part is a sample."""
    problems = load_problems()
    with jax.enable_x64(True):
        names = sorted(n for n in options.only or problems if n not in rows and size(problems[n].y0) <= MOST_UNKNOWNS)
    random.Random(0).shuffle(names)
    end = time.monotonic() + 60 * options.minutes

    def row_of(name: str) -> Row:
        with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
            try:
                return measure(problems[name], options.seconds)
            except Exception as error:  # a defect is a result here
                return Row(name, note=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
            finally:
                jax.clear_caches()

    for row in walk(
        itertools.takewhile(lambda _: time.monotonic() <= end, names[: options.limit]), row_of, options.output
    ):
        rows[row.name] = row
        gains = "  ".join(f"batch {batch}: {gain:.2f}" for batch, gain in row.gain.items())
        print(f"{row.name:<12} {row.inputs:>4} -> {row.outputs:<5} {gains}  {row.error:.0e} {row.note}", flush=True)


if __name__ == "__main__":
    main()
