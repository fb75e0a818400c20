"""`order="auto"` with segments and without them, where it takes them although nobody asks.

No function of the zoo gets segments in that way. So programs are drawn that have what rules remove: powers written as
such, logarithms of exponentials, roots that are squared, among operations that stay. Those that get segments are
measured in float32 and float64: one call, batches of 16 and 1,000, and one point at each turn of a loop. Both variants
take turns in one process, in random order; what counts is the median.

    python -m benchmarks.segments_unasked [--first N] [--programs N]     measure, one JSON object a line
    python -m benchmarks.segments_unasked --write FILE                   rows of a file into docs/coarsening.md
"""

from __future__ import annotations

import json
import math
import random
import statistics
import time
from pathlib import Path
from unittest import mock

import click
import jax
import jax.numpy as jnp
import numpy as np
from benchmarks import documents
from benchmarks.segments import looped

import elimax
from elimax import zoo
from elimax.execute import segmented

DTYPES = ("float32", "float64")
BATCHES = (1, 16, 1000)
TURNS, ROUNDS, SECONDS = 200, 200, 0.35
PLACES = (*(f"batch {n:,}" for n in BATCHES), "loop")
WITH, WITHOUT = "segments", "single operations"
START = (0.3, 0.5, 0.7)


def program(seed):
    """A function of three numbers with two results, whose operations are drawn."""
    draw = np.random.default_rng(seed)
    size = int(draw.integers(8, 40))
    picks = [(*map(int, draw.integers(0, 1000, 3)), round(float(draw.normal()), 2)) for _ in range(size)]

    def fun(*xs):
        values = list(xs)
        for i, j, which, c in picks:
            near = values[-8:]
            a, b = near[i % len(near)], near[j % len(near)]
            kinds = [
                lambda a, b, c: a + b, lambda a, b, c: a * b, lambda a, b, c: a - b, lambda a, b, c: c * a,
                lambda a, b, c: a * a, lambda a, b, c: a / (1 + b * b), lambda a, b, c: jnp.tanh(a),
                lambda a, b, c: jnp.exp(-a * a), lambda a, b, c: jnp.sin(a), lambda a, b, c: (1 + a * a) ** 2.0,
                lambda a, b, c: (2 + b * b) ** 0.5, lambda a, b, c: jnp.sqrt(1 + a * a) ** 2,
                lambda a, b, c: jnp.exp(jnp.log(1 + a * a)), lambda a, b, c: jnp.log(jnp.exp(jnp.sin(a))),
            ]  # fmt: skip
            values.append(kinds[which % len(kinds)](a, b, c))
        return values[-1], values[-2]

    return fun


def taken(fun, args, argnums):
    """The plan with segments, and the one without; None where there are no segments."""
    plan = elimax.plan(fun, *args, argnums=argnums)
    if plan.coarse is None:
        return None
    with mock.patch.object(segmented, "LEAST", math.inf):
        segmented.forget()
        fine = elimax.plan(fun, *args, argnums=argnums)
    segmented.forget()
    return {WITH: plan, WITHOUT: fine}


def prepared(seed, dtype):
    """Compiled calls by place and variant, with their arguments; None where no segments are taken."""
    fun, args = program(seed), tuple(jnp.asarray(x, dtype) for x in START)
    plans = taken(fun, args, (0, 1, 2))
    if plans is None:
        return None
    draw = np.random.default_rng(0)
    points = {n: tuple(jnp.asarray(x * (1 + 0.1 * draw.random(n)), dtype) for x in START) for n in BATCHES}
    calls = {place: {} for place in PLACES}
    for name, plan in plans.items():
        jacobian = elimax.jacobian(fun, argnums=(0, 1, 2), order=plan)
        for n, place in zip(BATCHES, PLACES, strict=False):
            if n == 1:
                calls[place][name] = jax.jit(jacobian).lower(*args).compile(), args
            else:
                calls[place][name] = jax.jit(jax.vmap(jacobian)).lower(*points[n]).compile(), points[n]
        calls["loop"][name] = jax.jit(looped(jacobian, TURNS)).lower(args).compile(), (args,)
    return calls, plans[WITH].coarse.operations


def timed(variants):
    """Median seconds of each variant."""
    repeats = {}
    for name, (call, args) in variants.items():
        jax.block_until_ready(call(*args))
        start = time.perf_counter()
        jax.block_until_ready(call(*args))
        repeats[name] = max(1, int(2e-4 / (time.perf_counter() - start)))
    times, shuffle, start = {name: [] for name in variants}, random.Random(0), time.perf_counter()
    while len(times[WITH]) < ROUNDS and time.perf_counter() - start < SECONDS:
        for name in shuffle.sample(list(variants), len(variants)):
            call, args = variants[name]
            began = time.perf_counter()
            for _ in range(repeats[name]):
                jax.block_until_ready(call(*args))
            times[name].append((time.perf_counter() - began) / repeats[name])
    return {name: statistics.median(own) for name, own in times.items()}


def measured(seed, dtype, found):
    calls, operations = found
    row = {"seed": seed, "dtype": dtype, "operations": operations}
    return row | {"seconds": {place: timed(variants) for place, variants in calls.items()}}


def unasked(dtype):
    """Functions of the zoo for which segments are taken."""
    names = []
    for name in zoo.names():
        problem = zoo.get(name)
        args = jax.tree.map(lambda x: jnp.asarray(x, dtype) if np.asarray(x).dtype.kind == "f" else x, problem.args)
        if elimax.plan(problem.fun, *args, argnums=problem.argnums).coarse is not None:
            names.append(name)
    return names


def write(rows):
    lines = ["| dtype | programs | place | geometric mean | least | most |\n|---|---|---|---|---|---|"]
    for dtype in DTYPES:
        own = [row["seconds"] for row in rows if row["dtype"] == dtype]
        for place in PLACES:
            ratios = [seconds[place][WITHOUT] / seconds[place][WITH] for seconds in own]
            mean = math.exp(statistics.fmean(map(math.log, ratios)))
            lines.append(f"| {dtype} | {len(own)} | {place} | {mean:.2f} | {min(ratios):.2f} | {max(ratios):.2f} |")
    documents.write(documents.DOCS / "coarsening.md", {"unasked": "\n".join(lines)})


@click.command()
@click.option("--first", default=0, help="Seed of the first program.")
@click.option("--programs", default=12, help="How many seeds are looked at.")
@click.option("--write", "written", type=click.Path(exists=True, path_type=Path), help="Write the rows of a file.")
def main(first, programs, written):
    """Measure, or write what was measured."""
    if written is not None:
        rows = map(json.loads, written.read_text().splitlines())
        write([row for row in rows if "seed" in row])
        return
    jax.config.update("jax_enable_x64", True)
    for dtype in DTYPES:
        print(json.dumps({"zoo": unasked(dtype), "dtype": dtype}), flush=True)
        for seed in range(first, first + programs):
            found = prepared(seed, dtype)
            if found is not None:
                print(json.dumps(measured(seed, dtype, found)), flush=True)


if __name__ == "__main__":
    main()
