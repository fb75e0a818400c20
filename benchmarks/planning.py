"""Reports how long planning takes: import, a small function, a large graph. Nothing is asserted.

Every figure is the median of several runs; those of the import come from fresh processes.

    python -m benchmarks.planning --json planning.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

AIMS = {
    "import elimax beyond import jax": 0.3,
    "trace and plan 100 scalar operations": 0.05,
    "segments of 300 operations as vertices": 2.0,
    "segments of 1,000 operations as vertices": 2.0,
    "segments of 5,000 operations as vertices": 10.0,
    "local Jacobian of 1,000 operations or not": 2.0,
    "trace and build 20,000 scalar vertices": 5.0,
    "markowitz order of 20,000 vertices, published rule": 5.0,
    "markowitz order of 20,000 vertices, executed rule": 5.0,
    "forward order of 20,000 vertices": 1.0,
    "reverse order of 20,000 vertices": 1.0,
}
"""Seconds to stay below."""

_IMPORT = """
import time
import jax
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
"""

_FIRST = """
import time
import jax, elimax
from elimax import zoo
problem = zoo.get("random_program", seed=5, size=100, arrays=False)
start = time.perf_counter()
elimax.plan(problem.fun, *problem.args, argnums=problem.argnums)
print(time.perf_counter() - start)
"""


def fresh(program: str, repeats: int = 5) -> float:
    """Median of what a program prints, each time in a new process."""
    times = []
    for _ in range(repeats):
        done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
        times.append(float(done.stdout.split()[-1]))
    return statistics.median(times)


def median(fun: Callable[[], Any], repeats: int) -> float:
    """Median seconds of a call, after one that is not counted."""
    fun()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        fun()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(vertices: int, repeats: int) -> dict[str, float]:
    """All figures, in seconds."""
    import jax

    from elimax import zoo
    from elimax.execute import linearisation_for
    from elimax.order import search

    figures = {
        "import elimax beyond import jax": fresh(_IMPORT.format(module="elimax")),
        "first plan of 100 operations after import": fresh(_FIRST, 3),
    }
    small = zoo.get("random_program", seed=5, size=100, arrays=False)

    def plan_small() -> Any:
        import elimax

        # A new function object, so that no trace is remembered.
        return elimax.plan(lambda *args: small.fun(*args), *small.args, argnums=small.argnums)

    figures["trace and plan 100 scalar operations"] = median(plan_small, 5 * repeats)

    long = zoo.get("random_program", seed=5, size=540, arrays=False)  # some thousand operations of JAX

    longer = zoo.get("random_program", seed=5, size=2700, arrays=False)  # in proportion
    middle = zoo.get(
        "random_program", seed=5, size=160, arrays=False
    )  # about the largest that is emitted for comparison

    def join(problem: Any) -> Any:
        import elimax
        from elimax.execute.segmented import forget
        from elimax.plan.make import forget as forget_orders

        forget()
        forget_orders()
        return elimax.plan(lambda *args: problem.fun(*args), *problem.args, argnums=problem.argnums, order="coarse")

    def decide() -> Any:
        import elimax

        coarse = elimax.coarsen(lambda *args: long.fun(*args))
        return jax.eval_shape(lambda *args: jax.vjp(coarse, *args)[1], *long.args)

    figures["segments of 300 operations as vertices"] = median(lambda: join(middle), repeats)
    figures["segments of 1,000 operations as vertices"] = median(lambda: join(long), repeats)
    figures["segments of 5,000 operations as vertices"] = median(lambda: join(longer), repeats)
    figures["local Jacobian of 1,000 operations or not"] = median(decide, repeats)

    large = chain_of_kinetics(vertices)
    start = [jax.numpy.float32(0.1 * k) for k in range(1, 9)]
    graph = linearisation_for(lambda *args: (large(*args), []), start).graph
    figures["trace and build 20,000 scalar vertices"] = median(
        lambda: linearisation_for(lambda *args: (large(*args), []), start), repeats
    )
    for rule in ("published", "executed"):
        name = f"markowitz order of 20,000 vertices, {rule} rule"
        figures[name] = median(lambda rule=rule: search(graph, "markowitz", cost=rule), repeats)
    for order in ("forward", "reverse"):
        figures[f"{order} order of 20,000 vertices"] = median(lambda order=order: search(graph, order), repeats)
    figures["vertices"] = float(graph.num_vertices)
    figures["edges"] = float(len(graph.edges))
    return figures


def chain_of_kinetics(vertices: int) -> Callable[..., list[Any]]:
    """A scalar program of about so many operations: explicit Euler steps of the HIRES kinetics, unrolled."""
    from elimax.zoo.kinetics import hires_components

    operations_per_step = 55  # vertices of the graph

    def fun(*state: Any) -> list[Any]:
        current = list(state)
        for _ in range(vertices // operations_per_step):
            current = [y + 1e-3 * rate for y, rate in zip(current, hires_components(*current), strict=True)]
        return current

    return fun


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vertices", type=int, default=20_000, help="size of the large graph")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each figure")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    figures = measure(options.vertices, options.repeats)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    for name, value in figures.items():
        aim = AIMS.get(name)
        unit = f"{value:10.4f} s" if name not in ("vertices", "edges") else f"{value:10.0f}  "
        print(f"{name:<52} {unit}" + (f"   (aim {aim:g} s)" if aim else ""))


if __name__ == "__main__":
    main()
