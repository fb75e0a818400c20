"""Loops that close: sums of large arrays and of records, a long geometric sum, powers of a matrix.

``python -m benchmarks.loops.closed`` prints a table; with ``--write`` its rows go into docs/closed-loops.md. Variants
take turns of 2 ms at least in one process; times are medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks import documents
from benchmarks.coarsening.descent import descend, descend_masked, error, error_by_record, forward

import elimax

TURN = 2e-3
"""Seconds for the turn of a variant, at least."""

Case = tuple[str, dict[str, Callable[..., Any]], tuple[Any, ...]]
"""A name, variants with elimax first, and arguments."""


def sums() -> Iterator[Case]:
    """The gradient of a mean of sums over all steps, for arrays of 1000 x 1000."""
    z = jnp.ones((1000, 1000), jnp.float32)

    def mean(x: Any, ys: Any) -> Any:
        return jax.lax.scan(lambda c, y: (c + x * (y + z), None), jnp.zeros_like(z), ys)[0].mean()

    def waves(a: Any, ys: Any) -> Any:
        return jax.lax.scan(lambda c, y: (c + jnp.sin(a * y), None), jnp.zeros_like(z), ys)[0].mean()

    for steps in (20, 200):
        ys = jnp.linspace(0.0, 1.0, steps, dtype=jnp.float32)
        for name, fun, x in (("x (y + z)", mean, jnp.float32(1.0)), ("sin(A y)", waves, z)):
            variants = {
                "elimax": elimax.jacobian(fun),
                "grad": jax.grad(fun),
                "grad, checkpoint": jax.grad(_checkpointed(fun)),
            }
            yield f"sum of {name}, {steps} steps", variants, (x, ys)


def _checkpointed(fun: Callable[..., Any]) -> Callable[..., Any]:
    """The function with every body of a scan under `jax.checkpoint`."""
    scan = jax.lax.scan

    def run(*args: Any) -> Any:
        jax.lax.scan = lambda body, *rest, **kw: scan(jax.checkpoint(body, prevent_cse=False), *rest, **kw)
        try:
            return fun(*args)
        finally:
            jax.lax.scan = scan

    return run


def descents() -> Iterator[Case]:
    """The derivative of the error after descent by its rate, where errors are added up record by record."""
    for records in (1000, 2000):
        random = np.random.default_rng(0)
        x = jnp.asarray(random.uniform(-1.0, 1.0, records))
        y = 2.0 * x + 0.5 + 0.1 * jnp.asarray(random.normal(size=records))
        variants = {
            "elimax": elimax.jacobian(descend(error_by_record)),
            "elimax.coarsen, grad": jax.grad(elimax.coarsen(descend(error_by_record))),
            "grad of vectors": jax.grad(descend_masked(error)),
            "grad of element loops": jax.grad(descend_masked(error_by_record)),
            "jacfwd of element loops": forward(descend(error_by_record)),
            "jacfwd of vectors": forward(descend(error)),
        }
        yield f"descent, {records:,} records", variants, (jnp.asarray(0.1), x, y)


def small() -> Iterator[Case]:
    """Loops over few numbers."""

    def savings(p: Any) -> Any:
        return jax.lax.fori_loop(0, 10_000, lambda k, d: d * p[0] + p[1], p[2])

    matrix = jnp.asarray(np.random.default_rng(0).normal(size=(8, 8)) * 0.3)

    def states(p: Any) -> Any:
        return jax.lax.fori_loop(0, 1000, lambda k, s: matrix @ s * p[0] + p[1], jnp.ones(8))

    def decay(p: Any, xs: Any) -> Any:
        return jax.lax.scan(lambda c, x: (c * jnp.cos(p[0] * x) + p[1], c), p[2], xs)[1]

    p = jnp.asarray([0.999, 0.1, 1.0])
    for name, fun, args in (
        ("geometric sum, 10,000 steps", savings, (p,)),
        ("linear system of 8, 1,000 steps", states, (p,)),
        ("varying factors, all 1,000 values", decay, (p, jnp.linspace(0.0, 1.0, 1000))),
    ):
        yield name, {"elimax": elimax.jacobian(fun), "jacfwd": jax.jacfwd(fun), "jacrev": jax.jacrev(fun)}, args


def measure(variants: dict[str, Callable[..., Any]], args: tuple[Any, ...], seconds: float) -> Iterator[list[str]]:
    """Rows of words: variant, median time, ratio to elimax, temporaries, difference from elimax."""
    calls: dict[str, Any] = {name: jax.jit(fun).lower(*args).compile() for name, fun in variants.items()}
    results = {name: np.asarray(call(*args), np.float64) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    repeats = {name: max(1, min(1000, int(TURN / _timed(call, args, 1)))) for name, call in calls.items()}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["elimax"]) < 3:
        for name, call in calls.items():
            times[name].append(_timed(call, args, repeats[name]))
    medians = {name: statistics.median(found) for name, found in times.items()}
    scale = np.max(np.abs(results["elimax"]))
    for name, call in calls.items():
        size = call.memory_analysis().temp_size_in_bytes
        off = np.max(np.abs(results[name] - results["elimax"])) / scale
        ratio = medians[name] / medians["elimax"]
        yield [name, f"{1e6 * medians[name]:,.1f} us", f"{ratio:.2f}", f"{size / 1e6:,.3f} MB", f"{off:.1e}"]


def _timed(call: Callable[..., Any], args: tuple[Any, ...], repeats: int) -> float:
    """Seconds of a call, one of so many in a row."""
    start = time.perf_counter()
    for _ in range(repeats):
        jax.block_until_ready(call(*args))
    return (time.perf_counter() - start) / repeats


DOCUMENT = documents.DOCS / "closed-loops.md"
COLUMNS = "| program | variant | time | ratio to elimax | temporaries | difference |\n|---|---|---:|---:|---:|---:|"


def write(lines: list[str]) -> None:
    """Replace the rows of the document that were measured."""
    old = [line for line in documents.section(DOCUMENT, "closed").splitlines()[2:] if line]
    rows = {tuple(line.split(" | ")[:2]): line for line in (*old, *lines)}
    documents.write(DOCUMENT, {"closed": "\n".join([COLUMNS, *rows.values()])})


def main() -> None:
    """Print the table."""
    jax.config.update("jax_enable_x64", True)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="for the turns of one program")
    parser.add_argument("--only", default="", help="programs with this in their names")
    parser.add_argument("--write", action="store_true", help="into the document")
    given = parser.parse_args()
    print(COLUMNS)
    lines: list[str] = []
    for cases in (small, descents, sums):
        for name, variants, args in cases():
            if given.only in name:
                for row in measure(variants, args, given.seconds):
                    lines.append(f"| {' | '.join([name, *row])} |")
                    print(lines[-1], flush=True)
    if given.write:
        write(lines)


if __name__ == "__main__":
    main()
