"""How long it takes to trace, plan and compile a Jacobian, against the faster of JAX's modes."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from benchmarks.jacobians.rows import MODES, OURS, Row
from benchmarks.jacobians.scalar import TASKS, points

import elimax
from elimax import zoo

__all__ = ["TASKS", "measure"]

ROUNDS = 5


def measure(name: str, dtype: str, batch: int) -> Row:
    """Seconds from a function to compiled code; every round starts without what earlier ones compiled or planned.

    The row also has the seconds of planning alone, under ``"plan"``. The modes of which a compiled call is the faster
    are told apart by the caller, from the rows on time; here gains are those of compile time.
    """
    with nothing_kept():
        return _measure(name, dtype, batch)


@contextlib.contextmanager
def nothing_kept() -> Iterator[None]:
    """Orders found earlier are not read from disk."""
    before = os.environ.get("ELIMAX_CACHE")
    os.environ["ELIMAX_CACHE"] = "off"
    try:
        yield
    finally:
        if before is None:
            del os.environ["ELIMAX_CACHE"]
        else:
            os.environ["ELIMAX_CACHE"] = before


def _measure(name: str, dtype: str, batch: int) -> Row:
    problem = zoo.get(name, dtype=dtype)
    args = points(problem, batch)
    shapes = [jax.ShapeDtypeStruct(np.shape(x), x.dtype) for x in problem.args]
    makers = {OURS: elimax.jacobian, "jacfwd": jax.jacfwd, "jacrev": jax.jacrev}
    samples: dict[str, list[float]] = {name: [] for name in (*makers, "plan")}
    elimax.plan(problem.fun, *shapes, argnums=problem.argnums)  # loads code
    for number in range(ROUNDS):
        for mode in sorted(makers, key=lambda m: hash((m, number))):
            jax.clear_caches()
            jacobian = jax.vmap(makers[mode](_fresh(problem.fun), problem.argnums))
            start = time.perf_counter()
            jax.jit(jacobian).lower(*args).compile()
            samples[mode].append(time.perf_counter() - start)
        jax.clear_caches()
        start = time.perf_counter()
        elimax.plan(_fresh(problem.fun), *shapes, argnums=problem.argnums)
        samples["plan"].append(time.perf_counter() - start)
    seconds = {name: statistics.median(times) for name, times in samples.items()}
    gain = {mode: seconds[mode] / seconds[OURS] for mode in MODES}
    return Row("compile", name, dtype, batch, seconds, gain, None)


def _fresh(fun: Callable[..., Any]) -> Callable[..., Any]:
    """The same function as a new object, which nothing remembers."""
    return lambda *args: fun(*args)
