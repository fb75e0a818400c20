"""Times and memory of one residual."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from benchmarks.sparse.problems import residual

import elimax

TURNS = 100
"""Evaluations in one call for small problems, where calling alone takes longer than computing."""


def measure(name: str, repetitions: int, baseline: bool) -> dict[str, Any]:
    """One row: seconds to plan, to compile and to run, and the peak of memory, of elimax and of asdex.

    Args:
      name: of the row.
      repetitions: calls of each; the median counts.
      baseline: whether to measure asdex as well.
    """
    fun, x = residual(name)
    row: dict[str, Any] = {"name": name, "size": x.size, "resident_at_start": _resident()}
    start = time.perf_counter()
    ours = elimax.jacobian(fun, output="bcoo")
    lowered = jax.jit(lambda x: _parts(ours(x))).lower(x)
    row["elimax_plan_seconds"] = time.perf_counter() - start
    start = time.perf_counter()
    calls: dict[str, Callable[[Any], Any]] = {"elimax": lowered.compile()}
    row["elimax_compile_seconds"] = time.perf_counter() - start
    found = calls["elimax"](x)
    row["entries"] = int(found[0].size)
    row["elimax_peak_bytes"] = _resident()
    functions = {"elimax": lambda x: ours(x).data}
    if baseline:
        import asdex

        start = time.perf_counter()
        colouring = asdex.jacobian_coloring(fun, x)
        row["asdex_plan_seconds"] = time.perf_counter() - start
        theirs = asdex.jacobian_from_coloring(fun, colouring)
        start = time.perf_counter()
        calls["asdex"] = jax.jit(lambda x: _parts(theirs(x))).lower(x).compile()
        row["asdex_compile_seconds"] = time.perf_counter() - start
        functions["asdex"] = lambda x: theirs(x).data
        for a, b in zip(found, calls["asdex"](x), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-9)
        row["asdex_peak_bytes"] = _resident()
    del found
    row |= {f"{who}_seconds": seconds for who, seconds in _interleaved(calls, x, repetitions).items()}
    if x.size < 10_000:
        loops = {who: jax.jit(_loop(own)) for who, own in functions.items()}
        seconds = _interleaved(loops, x, repetitions)
        row |= {f"{who}_seconds_in_a_loop": own / TURNS for who, own in seconds.items()}
    return row


def _parts(jacobian: Any) -> tuple[Any, Any]:
    return jacobian.data, jacobian.indices


def _loop(values: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Many evaluations of the values, each at a point that depends on all values of the last."""

    def run(x: Any) -> Any:
        def step(x: Any, _: None) -> tuple[Any, None]:
            return x + 1e-300 * values(x).sum(), None

        return jax.lax.scan(step, x, None, length=TURNS)[0]

    return run


def _interleaved(calls: dict[str, Callable[[Any], Any]], x: Any, repetitions: int) -> dict[str, float]:
    times: dict[str, list[float]] = {who: [] for who in calls}
    for who in calls:
        jax.block_until_ready(calls[who](x))
    for _ in range(repetitions):
        for who, call in calls.items():
            start = time.perf_counter()
            jax.block_until_ready(call(x))
            times[who].append(time.perf_counter() - start)
    return {who: statistics.median(own) for who, own in times.items()}


def _resident() -> int:
    """Largest number of bytes that the process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
