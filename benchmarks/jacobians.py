"""Times elimax against jacfwd and jacrev on the zoo, at several batch sizes and dtypes, in turns in one process.

Compiled (jit) and batched (vmap) calls; all variants return the same trees in the same layout. Ratios are medians over
rounds in which the variants ran side by side: below 1, elimax is faster than the better of JAX's two modes.

    python benchmarks/jacobians.py --batch 1 --batch 4096 --json jacobians.json
    python benchmarks/jacobians.py --problem roe_flux_1d --seconds 3
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np

from elimax import zoo
from elimax.cli.jacobians import batched
from elimax.cli.timing import compare
from elimax.viz.tables import seconds, table, to_text

MODES = ("elimax", "jacfwd", "jacrev")
MAX_BYTES = 500_000_000
"""Cases whose dense Jacobian is larger are left out."""


@dataclasses.dataclass(frozen=True)
class Row:
    """Times of one case.

    Attributes:
      problem, batch, dtype: the case.
      compile: seconds of the first call of each mode.
      median: median seconds of a call of each mode; modes that JAX refuses are missing.
      rival: the faster of JAX's modes.
      ratio: time of elimax over that of the rival.
      error: largest difference from jacfwd, relative to the largest entry.
    """

    problem: str
    batch: int
    dtype: str
    compile: dict[str, float]
    median: dict[str, float]
    rival: str
    ratio: float
    error: float


def measure(name: str, batch: int, dtype: str, share: float) -> Row | None:
    """One case; None where the Jacobian is too large."""
    problem = zoo.get(name, dtype=dtype)
    if num_bytes(problem, batch) > MAX_BYTES:
        return None
    variants, first, results = {}, {}, {}
    for mode, variant in batched(problem, batch).items():
        start = time.perf_counter()
        try:
            results[mode] = jax.block_until_ready(variant())
        except ValueError:  # reverse mode of a loop with an unknown number of steps
            continue
        variants[mode], first[mode] = variant, time.perf_counter() - start
    times = compare(variants, seconds=share)
    medians = {mode: times.median(mode) for mode in variants}
    rival = min((mode for mode in variants if mode != "elimax"), key=medians.__getitem__)
    ratio = times.ratio("elimax", rival)
    return Row(name, batch, dtype, first, medians, rival, ratio, difference(results["elimax"], results["jacfwd"]))


def num_bytes(problem: zoo.Problem, batch: int) -> int:
    """Size of the dense Jacobian of a batch."""
    jacobian = jax.eval_shape(jax.jacfwd(problem.fun, problem.argnums), *problem.args)
    return batch * sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(jacobian))


def difference(actual: object, expected: object) -> float:
    """Largest difference of two trees, relative to the largest entry."""
    pairs = [(np.asarray(a), np.asarray(e)) for a, e in zip(*map(jax.tree.leaves, (actual, expected)), strict=True)]
    scale = max(float(np.max(np.abs(e))) for _, e in pairs)
    return max(float(np.max(np.abs(a - e))) for a, e in pairs) / scale


def cases(options: argparse.Namespace) -> Iterator[tuple[str, int, str]]:
    """Problems, batches and dtypes, in the order in which they are measured."""
    for name in options.problem or zoo.names():
        for dtype in options.dtype or ["float64", "float32"]:
            for batch in options.batch or [1, 64, 4096]:
                yield name, batch, dtype


def main() -> None:
    """Prints a line a case, then the table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", action="append", choices=zoo.names(), help="may be repeated; default: all")
    parser.add_argument("--batch", action="append", type=int, help="may be repeated; default: 1, 64, 4096")
    parser.add_argument("--dtype", action="append", choices=["float32", "float64"], help="default: both")
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each case, compilation excluded")
    parser.add_argument("--json", type=Path, help="file for the rows")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rows = []
    for case in cases(options):
        row = measure(*case, options.seconds)
        if row is None:
            print(f"{case}: left out, the Jacobian is too large", flush=True)
            continue
        rows.append(row)
        print(f"{case}: {row.ratio:.2f} of {row.rival}, error {row.error:.1e}", flush=True)
        jax.clear_caches()
    if options.json:
        machine = {"platform": platform.platform(), "cores": os.cpu_count(), "jax": jax.__version__}
        content = {"machine": machine, "rows": [dataclasses.asdict(row) for row in rows]}
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    columns = ("<problem", "batch", "<dtype", *MODES, "elimax / better", "compile e", "compile j", "error")
    cells = [
        (
            row.problem,
            row.batch,
            row.dtype,
            *(seconds(row.median.get(mode)) for mode in MODES),
            f"{row.ratio:.2f}",
            seconds(row.compile["elimax"]),
            seconds(row.compile[row.rival]),
            f"{row.error:.0e}",
        )
        for row in rows
    ]
    print(to_text(table(columns, cells, title="Median time of one call (jit, vmap)", note="-: JAX refuses that mode")))
    if rows:
        print(f"geometric mean of the ratios: {statistics.geometric_mean([row.ratio for row in rows]):.2f}")


if __name__ == "__main__":
    main()
