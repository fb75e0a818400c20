"""What distributing an operation over the cases of a choice costs: f(where(p, a, b)) against where(p, f(a), f(b)).

``python -m benchmarks.loops.choices`` prints a table; with ``--write`` it goes into docs/loops.md. Each row is the
gradient of a sum over 4,096 points, float64.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks import documents

import elimax
from elimax.cli.timing import compare

Pair = tuple[Callable[[Any], Any], Callable[[Any], Any]]

PROGRAMS: dict[str, Pair] = {
    "exp of a number in each case": (
        lambda x: jnp.exp(jnp.where(x > 0, 0.5, 2.0)) * x**2,
        lambda x: jnp.where(x > 0, jnp.exp(0.5), jnp.exp(2.0)) * x**2,
    ),
    "log of exp or a number": (
        lambda x: jnp.log(jnp.where(x > 0, jnp.exp(jnp.sin(x)), 2.0)),
        lambda x: jnp.where(x > 0, jnp.sin(x), jnp.log(2.0)),
    ),
    "exp of what each case computes": (
        lambda x: jnp.exp(jnp.where(x > 0, x * 0.5, x**2)),
        lambda x: jnp.where(x > 0, jnp.exp(x * 0.5), jnp.exp(x**2)),
    ),
}
"""Programs as written, and distributed."""

COLUMNS = (
    '| program | written, `jax.grad` | distributed, `jax.grad` | written, elimax | written, elimax `order="coarse"` |\n'
    "|---|---:|---:|---:|---:|"
)


def row(name: str, pair: Pair, seconds: float) -> str:
    """Median times of the gradients of a program."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=4096))
    written, distributed = pair
    variants = {
        "written": jax.vmap(jax.grad(written)),
        "distributed": jax.vmap(jax.grad(distributed)),
        "elimax": jax.vmap(elimax.jacobian(written)),
        "coarse": jax.vmap(elimax.jacobian(written, order="coarse")),
    }
    calls = {key: jax.jit(fun).lower(x).compile() for key, fun in variants.items()}
    reference = np.asarray(calls["written"](x))
    for call in calls.values():
        np.testing.assert_allclose(np.asarray(call(x)), reference, rtol=1e-12)
    times = compare({k: lambda call=call: call(x) for k, call in calls.items()}, seconds, clock=time.process_time)
    cells = [f"{1e6 * times.median(key):.1f} us" for key in variants]
    return f"| {' | '.join([name, *cells])} |"


def main() -> None:
    """Print the table."""
    jax.config.update("jax_enable_x64", True)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each row")
    parser.add_argument("--write", action="store_true", help="into the document")
    given = parser.parse_args()
    lines = [COLUMNS, *(row(name, pair, given.seconds) for name, pair in PROGRAMS.items())]
    print("\n".join(lines))
    if given.write:
        documents.write(documents.DOCS / "loops.md", {"choices": "\n".join(lines)})


if __name__ == "__main__":
    main()
