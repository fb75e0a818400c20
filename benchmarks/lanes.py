"""Functions of a whole batch: their Jacobian against the mapped Jacobian of one row, and against jacfwd.

    python -m benchmarks.lanes --batch 16 --batch 100000 --seconds 1
    python -m benchmarks.lanes --write

A function of arrays [B, n] is written over columns, ``x[..., 0]`` and so on, or as ``jax.vmap`` of the function of one
row; its Jacobian is diagonal in the batch. Timed in turns: the entries (``output="bcoo"``, data alone), plainly emitted
as well; ``jit(vmap(jacobian(row)))``; and where [B, m, B, n] fits, the array with its zeros and that of ``jax.jacfwd``.
Ratios are medians over rounds; above 1 elimax is faster. `--write` puts the table into docs/emission.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks import documents

import elimax
from elimax import zoo
from elimax.cli.timing import compare
from elimax.zoo.kinetics import hires_components

BATCHES = (16, 256, 1000, 10_000, 100_000)
DENSE = 100
"""Longest batch whose Jacobian is made with its zeros."""

COLUMNS: dict[str, Callable[..., Any]] = {
    "roe_flux_1d": zoo.get("roe_flux_1d").fun,
    "robot_arm_6dof": zoo.get("robot_arm_6dof").fun,
    "hires": hires_components,
}
"""Functions of columns: of n arrays of one shape to m arrays of that shape."""


def over_columns(name: str) -> Callable[[Any], Any]:
    """The function of arrays [..., n] to arrays [..., m]."""
    fun = COLUMNS[name]
    return lambda x: jnp.stack(list(fun(*(x[..., k] for k in range(x.shape[-1])))), -1)


def start(name: str, dtype: str, batch: int) -> jax.Array:
    """Rows [batch, n] near the example input of a problem."""
    row = np.concatenate([np.ravel(x) for x in zoo.get(name).args])
    factors = 1 + 0.01 * np.random.default_rng(0).standard_normal((batch, row.size))
    return jnp.asarray(row * factors, dtype)


def measure(name: str, dtype: str, batch: int, seconds: float) -> dict[str, float]:
    """Times of the others over those of elimax, and microseconds of the entries."""
    x = start(name, dtype, batch)
    row = over_columns(name)
    functions: dict[str, Callable[[Any], Any]] = {
        "rows": jax.vmap(elimax.jacobian(row)),
        "columns": lambda x: elimax.jacobian(row, output="bcoo")(x).data,
        "inner vmap": lambda x: elimax.jacobian(jax.vmap(row), output="bcoo")(x).data,
        "plain": lambda x: elimax.jacobian(row, output="bcoo", form="plain")(x).data,
    }
    if batch <= DENSE:
        functions |= {"dense": elimax.jacobian(row), "jacfwd": jax.jacfwd(row)}
    compiled = {k: jax.jit(fun).lower(x).compile() for k, fun in functions.items()}
    times = compare({k: lambda run=run: run(x) for k, run in compiled.items()}, seconds)
    result = {"us": 1e6 * times.median("columns")}
    result["vmap"] = times.ratio("rows", "columns")
    result["inner"] = times.ratio("rows", "inner vmap")
    result["plain"] = times.ratio("plain", "columns")
    if batch <= DENSE:
        result["jacfwd"] = times.ratio("jacfwd", "dense")
    return result


def main() -> None:
    """Prints a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", action="append", choices=list(COLUMNS))
    parser.add_argument("--batch", action="append", type=int)
    parser.add_argument("--dtype", action="append", choices=["float32", "float64"])
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--write", action="store_true", help="write the table into docs/emission.md")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    lines = [
        "| problem | dtype | batch | vmap / columns | vmap / inner vmap | plain / columns | jacfwd / dense |",
        "|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    for name in options.problem or COLUMNS:
        for dtype in options.dtype or ["float64", "float32"]:
            for batch in options.batch or BATCHES:
                found = measure(name, dtype, batch, options.seconds)
                cells = [f"{found[k]:.2f}" if k in found else "" for k in ("vmap", "inner", "plain", "jacfwd")]
                lines.append(f"| {name} | {dtype} | {batch:,} | {' | '.join(cells)} |")
                print(lines[-1], f"{found['us']:.1f} us", flush=True)
                jax.clear_caches()
    if options.write:
        documents.write(documents.DOCS / "emission.md", {"lanes": "\n".join(lines)})


if __name__ == "__main__":
    main()
