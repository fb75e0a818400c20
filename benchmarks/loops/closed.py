"""Loops that close: sums of large arrays and of records, long geometric sums, powers of a matrix.

``python -m benchmarks.loops.closed`` prints a table; with ``--write`` its rows go into docs/closed-loops.md. Variants
take turns in an order that changes from round to round; times are medians of the time of the CPU.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks import documents
from benchmarks.coarsening.descent import descend, descend_masked, error, error_by_record, forward

import elimax
from elimax.cli.timing import compare

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

    def later(p: Any, turns: Any) -> Any:
        return jax.lax.fori_loop(0, turns, lambda k, s: matrix @ s * p[0] + p[1], jnp.ones(8))

    def points(rates: Any, turns: Any) -> Any:
        one = lambda rate, turns: jax.lax.fori_loop(0, turns, lambda k, d: d * rate + 0.1, 1.0)  # noqa: E731
        return jnp.sum(jax.vmap(one)(rates, turns) ** 2)

    def along(rates: Any, turns: Any) -> Any:
        one = lambda rate, turns: jax.lax.fori_loop(0, turns, lambda k, d: d * rate + 0.1, 1.0)  # noqa: E731
        ends, slopes = jax.jvp(lambda r: jax.vmap(one)(r, turns), (rates,), (jnp.ones_like(rates),))
        return 2 * ends * slopes

    p = jnp.asarray([0.999, 0.1, 1.0])
    for turns in (64, 1000):
        variants = {
            "elimax": elimax.jacobian(later),
            "elimax.coarsen, jacrev": jax.jacrev(elimax.coarsen(later)),
            "jacfwd": jax.jacfwd(later),
        }
        yield f"linear system of 8, {turns:,} steps known at run time", variants, (p[:2], jnp.asarray(turns))
    for most in (30, 3000):
        counts = jnp.asarray(np.random.default_rng(0).integers(0, most, 256))
        variants = {
            "elimax": elimax.jacobian(points),
            "elimax.coarsen, grad": jax.grad(elimax.coarsen(points)),
            "one tangent for all points, by hand": along,
        }
        yield f"256 points, up to {most:,} steps each", variants, (jnp.linspace(0.5, 1.0, 256), counts)
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
    turns = {name: lambda call=call: call(*args) for name, call in calls.items()}
    times = compare(turns, seconds, clock=time.process_time)
    medians = {name: times.median(name) for name in calls}
    scale = np.max(np.abs(results["elimax"]))
    for name, call in calls.items():
        size = call.memory_analysis().temp_size_in_bytes
        off = np.max(np.abs(results[name] - results["elimax"])) / scale
        ratio = medians[name] / medians["elimax"]
        yield [name, f"{1e6 * medians[name]:,.1f} us", f"{ratio:.2f}", f"{size / 1e6:,.3f} MB", f"{off:.1e}"]


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
