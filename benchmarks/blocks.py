"""One loop over the whole batch against the same loop over blocks of it.

    python -m benchmarks.blocks --size 12 --batch 20000 --seconds 1
    python -m benchmarks.blocks --write

Columns of the loop form that do not stay in the caches until they are put together might gain if the batch were cut
into blocks, each put together before the next one begins. Here that is done by hand: a `lax.fori_loop` over blocks
writes into one array; the last block overlaps the one before. Functions of n arguments with n results whose Jacobian
is full, and one of the zoo. Ratios are medians over rounds of the time over that of the loop form: above 1 the loop
form is faster. `--write` puts the table into docs/emission.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks import documents
from jax import lax

import elimax
from elimax import zoo
from elimax.cli.timing import compare

SIZES, BATCHES, BLOCKS = (6, 12, 16), (2000, 20_000, 100_000), (272, 520, 1032)
MOST = 16_000_000
"""Cases with more numbers in the result are left out."""


def coupled(x: Any) -> Any:
    """As many results as arguments, each of which depends on all arguments."""
    total = jnp.sum(x)
    n = x.shape[0]
    return jnp.stack(
        [(x[i] + x[(i + 1) % n] * x[(i + 2) % n]) * total / (1 + x[i] * x[i]) + (i + 1) * total**2 for i in range(n)]
    )


def over_blocks(fun: Callable[[Any], Any], block: int) -> Callable[[Any], Any]:
    """``jax.vmap(fun)`` block by block; there have to be at least as many points as a block has."""
    mapped = jax.vmap(fun)

    def run(x: Any) -> Any:
        batch = x.shape[0]
        result = jax.eval_shape(fun, x[0])

        def body(k: Any, out: Any) -> Any:
            start = jnp.minimum(k * block, batch - block)
            return lax.dynamic_update_slice_in_dim(out, mapped(lax.dynamic_slice_in_dim(x, start, block)), start, 0)

        return lax.fori_loop(0, -(-batch // block), body, jnp.zeros((batch, *result.shape), result.dtype))

    return run


def measure(fun: Callable[[Any], Any], x: Any, seconds: float) -> tuple[float, dict[str, float]]:
    """Microseconds of the loop form, and times of the others over it."""
    loop = elimax.jacobian(fun, form="loop")
    functions = {
        "loop": jax.vmap(loop),
        "plain": jax.vmap(elimax.jacobian(fun, form="plain")),
        **{f"blocks of {block}": over_blocks(loop, block) for block in BLOCKS},
    }
    calls = {name: jax.jit(function) for name, function in functions.items()}
    results = [call(x) for call in calls.values()]
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], rtol=1e-3 if x.dtype == np.float32 else 1e-9)
    del results
    times = compare({name: lambda call=call: call(x) for name, call in calls.items()}, seconds)
    return 1e6 * times.median("loop"), {name: times.ratio(name, "loop") for name in calls if name != "loop"}


def main() -> None:
    """Prints a line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", action="append", type=int, help=f"default: {', '.join(map(str, SIZES))}")
    parser.add_argument("--batch", action="append", type=int, help=f"default: {', '.join(map(str, BATCHES))}")
    parser.add_argument("--dtype", action="append", choices=["float32", "float64"])
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--write", action="store_true", help="write the table into docs/emission.md")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    heads = ["function", "dtype", "batch", "loop, us", "plain / loop", *(f"blocks of {b} / loop" for b in BLOCKS)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    print(*lines, sep="\n", flush=True)
    hires = zoo.get("hires")
    functions = [(f"full {n} x {n}", coupled, 1 + np.arange(n) / n) for n in options.size or SIZES]
    functions += [] if options.size else [("hires", hires.fun, np.asarray(hires.args[0]))]
    for name, fun, row in functions:
        for dtype in options.dtype or ["float32", "float64"]:
            for batch in options.batch or BATCHES:
                if batch * row.size**2 > MOST or batch < max(BLOCKS):
                    continue
                factors = 1 + 0.01 * np.random.default_rng(0).standard_normal((batch, row.size))
                base, ratios = measure(fun, jnp.asarray(row * factors, dtype), options.seconds)
                cells = [name, dtype, f"{batch:,}", f"{base:,.0f}", *(f"{r:.2f}" for r in ratios.values())]
                lines.append(f"| {' | '.join(cells)} |")
                print(lines[-1], flush=True)
                jax.clear_caches()
    if options.write:
        documents.write(documents.DOCS / "emission.md", {"blocks": "\n".join(lines)})


if __name__ == "__main__":
    main()
