"""What vectorisable elementary functions gain: Jacobians in the loop form, with and without them, and JAX's modes.

    python -m benchmarks.elementary --batch 1000 --batch 100000 --json elementary.json

For each case the median times, taken in turns, of jacfwd, jacrev, ``elementary="exact"`` and ``"vector"`` under
``jit(vmap(...))``, and seconds to compile. One thread does all, so that cores do not count.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import jax
import jax.numpy as jnp
import numpy as np

import elimax
from elimax import zoo
from elimax.cli.timing import compare

PROBLEMS = ("robot_arm_6dof", "black_scholes_jacobian", "human_heart_dipole", "lighthouse", "hole")


def measure(name: str, dtype: str, batch: int, layout: str, share: float) -> dict[str, object]:
    """One case: seconds a call and seconds to compile by variant."""
    problem = zoo.get(name, dtype=dtype)
    rng = np.random.default_rng(0)
    args = jax.tree.map(
        lambda x: jnp.asarray(np.asarray(x) * (1 + 0.01 * rng.standard_normal((batch, *np.shape(x)))), x.dtype),
        problem.args,
    )
    own = {"form": "loop", "layout": layout}
    funs = {
        "jacfwd": jax.jacfwd(problem.fun, problem.argnums),
        "jacrev": jax.jacrev(problem.fun, problem.argnums),
        "exact": elimax.jacobian(problem.fun, problem.argnums, **own),
        "vector": elimax.jacobian(problem.fun, problem.argnums, elementary="vector", **own),
    }
    out_axes = 0 if layout == "batch-first" else -1
    variants, compiling = {}, {}
    for variant, fun in funs.items():
        lowered = jax.jit(jax.vmap(fun, out_axes=out_axes)).lower(*args)
        start = time.perf_counter()
        compiled = lowered.compile()
        compiling[variant] = time.perf_counter() - start
        variants[variant] = lambda compiled=compiled: compiled(*args)
    times = compare(variants, seconds=share)
    return {
        "problem": name,
        "dtype": dtype,
        "batch": batch,
        "layout": layout,
        "seconds": {variant: times.median(variant) for variant in variants},
        "compile": compiling,
    }


def main() -> None:
    """Prints a line a case and geometric means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", action="append", choices=zoo.names())
    parser.add_argument("--batch", action="append", type=int, help="default: 1000 and 100000")
    parser.add_argument("--dtype", action="append", choices=["float32", "float64"])
    parser.add_argument("--layout", action="append", choices=["batch-first", "batch-last"])
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rows = []
    print("problem                  dtype     batch layout        us: vector    exact  jacfwd  jacrev  compile s")
    for name in options.problem or PROBLEMS:
        for dtype in options.dtype or ["float32", "float64"]:
            for batch in options.batch or [1000, 100_000]:
                for layout in options.layout or ["batch-first"]:
                    row = measure(name, dtype, batch, layout, options.seconds)
                    jax.clear_caches()
                    rows.append(row)
                    seconds, compiling = row["seconds"], row["compile"]
                    order = ("vector", "exact", "jacfwd", "jacrev")
                    print(
                        f"{name:24} {dtype} {batch:6} {layout:11}",
                        *(f"{1e6 * seconds[v]:9.1f}" for v in order),
                        *(f"{compiling[v]:5.2f}" for v in order),
                        f"exact/vector {seconds['exact'] / seconds['vector']:.2f}",
                        f"JAX/vector {min(seconds['jacfwd'], seconds['jacrev']) / seconds['vector']:.2f}",
                        flush=True,
                    )
                    if options.json:
                        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    gains = [row["seconds"]["exact"] / row["seconds"]["vector"] for row in rows]
    print(f"exact/vector: geometric mean {statistics.geometric_mean(gains):.2f}, least {min(gains):.2f}")
    jax_gains = [min(row["seconds"]["jacfwd"], row["seconds"]["jacrev"]) / row["seconds"]["vector"] for row in rows]
    print(
        f"better JAX mode/vector: geometric mean {statistics.geometric_mean(jax_gains):.2f}, least {min(jax_gains):.2f}"
    )
    compiling = [row["compile"]["vector"] / min(row["compile"]["jacfwd"], row["compile"]["jacrev"]) for row in rows]
    print(f"compile time, vector/better JAX mode: geometric mean {statistics.geometric_mean(compiling):.2f}")


if __name__ == "__main__":
    main()
