"""`order="coarse"` beside `order="auto"` on the zoo: operations, planning, compilation, and times of Jacobians.

Times are wall time of one call: for one point at each turn of a loop, and for a batch. Variants take turns in one
process, in random order; what counts is the median. Functions for which no segments are taken are listed by name.

    python -m benchmarks.segments [--rows FILE] [PROBLEM ...]     measure, one JSON object a line
    python -m benchmarks.segments --write FILE                    rows of a file into docs/coarsening.md
"""

from __future__ import annotations

import json
import random
import statistics
import time
from pathlib import Path

import click
import jax
import jax.numpy as jnp
import numpy as np
from benchmarks import documents

import elimax
from elimax import zoo
from elimax.execute.segmented import forget

ORDERS = ("auto", "coarse")
TURNS, BATCH, ROUNDS = 200, 1000, 60
COLUMNS = (
    "| problem | segments | emitted operations | multiplications of the elimination | planning | compilation "
    "| time in a loop | time of 1,000 points |\n|---|---|---|---|---|---|---|---|"
)


def looped(jacobian, length):
    """One Jacobian at each turn; arguments depend on the last one."""

    def run(args):
        def turn(args, _):
            total = sum(jnp.sum(x) for x in jax.tree.leaves(jacobian(*args)))
            return jax.tree.map(lambda x: x + 1e-25 * total.astype(x.dtype), args), None

        return jax.lax.scan(turn, args, None, length=length)[0]

    return run


def planned(problem, order):
    start = time.process_time()
    plan = elimax.plan(problem.fun, *problem.args, argnums=problem.argnums, order=order)
    return plan, time.process_time() - start


def interleaved(calls, args):
    for call in calls.values():
        jax.block_until_ready(call(args))
    times = {name: [] for name in calls}
    shuffle = random.Random(0)
    for _ in range(ROUNDS):
        names = list(calls)
        shuffle.shuffle(names)
        for name in names:
            start = time.perf_counter()
            jax.block_until_ready(calls[name](args))
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(own) for name, own in times.items()}


def measure(name):
    problem = zoo.get(name)
    args = jax.tree.map(jnp.asarray, tuple(problem.args))
    planned(problem, "coarse")
    forget()
    plans = {order: planned(problem, order) for order in ORDERS}
    coarse = plans["coarse"][0].coarse
    row = {"problem": name, "planning": {order: seconds for order, (_, seconds) in plans.items()}}
    row |= {"segments": len(coarse.segments), "operations": coarse.operations, "counted": coarse.counted}
    row["multiplications"] = [plan.multiplications for plan, _ in plans.values()]
    if not coarse.segments:
        return row
    rng = np.random.default_rng(0)
    batch = jax.tree.map(lambda x: x * jnp.asarray(1 + 0.01 * rng.random((BATCH, *x.shape)), x.dtype), args)
    calls, row["compilation"] = {"loop": {}, "batch": {}}, {}
    for order, (plan, _) in plans.items():
        jacobian = elimax.jacobian(problem.fun, argnums=problem.argnums, order=plan)
        start = time.process_time()
        calls["loop"][order] = jax.jit(looped(jacobian, TURNS)).lower(args).compile()
        row["compilation"][order] = time.process_time() - start
        calls["batch"][order] = jax.jit(lambda xs, f=jacobian: jax.vmap(f)(*xs)).lower(batch).compile()
    row["loop"] = {order: seconds / TURNS for order, seconds in interleaved(calls["loop"], args).items()}
    row["batch"] = interleaved(calls["batch"], batch)
    return row


def line(row):
    ratio = lambda times: f"{times['auto'] / times['coarse']:.2f}"  # noqa: E731
    more = lambda times: f"{times['coarse'] / times['auto']:.1f}"  # noqa: E731
    before, after = row["operations"]
    fine, joined = row["multiplications"]
    cells = [
        f"`{row['problem']}`",
        f"{row['segments']}",
        f"{before:,} -> {after:,}{' (counted)' if row['counted'] else ''}",
        f"{fine:,} -> {joined:,}",
        more(row["planning"]),
        more(row["compilation"]),
        ratio(row["loop"]),
        ratio(row["batch"]),
    ]
    return f"| {' | '.join(cells)} |"


def write(rows):
    without = ", ".join(f"`{row['problem']}`" for row in rows if not row["segments"])
    table = "\n".join([COLUMNS, *(line(row) for row in rows if row["segments"])])
    documents.write(documents.DOCS / "coarsening.md", {"segments": f"{table}\n\nNo segments: {without}."})


@click.command()
@click.argument("problems", nargs=-1)
@click.option("--write", "written", type=click.Path(exists=True, path_type=Path), help="Write the rows of a file.")
def main(problems, written):
    """Measure, or write what was measured."""
    if written is not None:
        write([json.loads(row) for row in written.read_text().splitlines()])
        return
    jax.config.update("jax_enable_x64", True)
    for name in problems or zoo.names():
        print(json.dumps(measure(name)), flush=True)


if __name__ == "__main__":
    main()
