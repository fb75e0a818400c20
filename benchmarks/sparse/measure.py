"""Times and memory of one row, on one core.

Times are those of the processor, not of the clock, so that other work on the machine counts little.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.sparse.others import variants
from benchmarks.sparse.problems import residual

import elimax

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of mallopt in the C library of GNU."""

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
    start = time.process_time()
    ours = elimax.jacobian(fun, output="bcoo")
    lowered = jax.jit(lambda x: _parts(ours(x))).lower(x)
    row["elimax_plan_seconds"] = time.process_time() - start
    start = time.process_time()
    calls: dict[str, Callable[[Any], Any]] = {"elimax": lowered.compile()}
    row["elimax_compile_seconds"] = time.process_time() - start
    found = calls["elimax"](x)
    row["entries"] = int(found[0].size)
    row["elimax_peak_bytes"] = _resident()
    functions = {"elimax": lambda x: ours(x).data}
    if baseline:
        import asdex

        start = time.process_time()
        colouring = asdex.jacobian_coloring(fun, x)
        row["asdex_plan_seconds"] = time.process_time() - start
        theirs = asdex.jacobian_from_coloring(fun, colouring)
        start = time.process_time()
        calls["asdex"] = jax.jit(lambda x: _parts(theirs(x))).lower(x).compile()
        row["asdex_compile_seconds"] = time.process_time() - start
        functions["asdex"] = lambda x: theirs(x).data
        for a, b in zip(found, calls["asdex"](x), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-9)
        row["asdex_peak_bytes"] = _resident()
    calls["floor"] = jax.jit(functools.partial(_filled, jax.tree.map(jax.typeof, found))).lower(x).compile()
    del found
    row |= {f"{who}_seconds": seconds for who, seconds in _interleaved(calls, x, repetitions).items()}
    if x.size < 10_000:
        loops = {who: jax.jit(_loop(own)) for who, own in functions.items()}
        seconds = _interleaved(loops, x, repetitions)
        row |= {f"{who}_seconds_in_a_loop": own / TURNS for who, own in seconds.items()}
    return row


def compare(name: str, repetitions: int) -> dict[str, Any]:
    """A row of `benchmarks.sparse.others`: seconds of each variant, whose sums are compared."""
    functions, x = variants(name)
    # Large results are given back to the system in the background; pauses keep that out of the next variant's time.
    calls = {who: jax.jit(function).lower(x).compile() for who, function in functions.items()}
    shapes = jax.eval_shape(functions["elimax"], x)
    for other in list(calls)[1:]:
        own, theirs = jax.tree.leaves(calls["elimax"](x))[0], jax.tree.leaves(calls[other](x))[0]
        np.testing.assert_allclose(np.sum(own), np.sum(theirs), rtol=1e-10)
        del own, theirs
    calls["floor"] = jax.jit(functools.partial(_filled, shapes)).lower(x).compile()
    return {"name": name, "seconds": _interleaved(calls, x, repetitions, pause=0.3)}


def on_one_core() -> None:
    """Keep this process, and the threads that it will start, on the first core that it may use."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def keep_memory() -> None:
    """Have the C library keep what is freed, where it can be told to.

    Otherwise whether a call gets its tens of megabytes as fresh pages, which cost more than filling them, is a matter
    of chance: of what else lies on the heap.
    """
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_MMAP_THRESHOLD, 2**30)
        mallopt(_ARENA_MAX, 1)  # threads would fetch memory of their own


def _parts(jacobian: Any) -> tuple[Any, Any]:
    return jacobian.data, jacobian.indices


def _filled(shapes: Any, x: Any) -> Any:
    """Arrays of these shapes and dtypes, filled with one number that depends on x: what calling and writing take."""
    return jax.tree.map(lambda a: jnp.full(a.shape, x.ravel()[0].astype(a.dtype)), shapes)


def _loop(values: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Many evaluations of the values, each at a point that depends on all values of the last."""

    def run(x: Any) -> Any:
        def step(x: Any, _: None) -> tuple[Any, None]:
            return x + 1e-300 * values(x).sum(), None

        return jax.lax.scan(step, x, None, length=TURNS)[0]

    return run


def _interleaved(
    calls: dict[str, Callable[[Any], Any]], x: Any, repetitions: int, pause: float = 0.0
) -> dict[str, float]:
    times: dict[str, list[float]] = {who: [] for who in calls}
    for who in calls:
        jax.block_until_ready(calls[who](x))
    for _ in range(repetitions):
        for who, call in calls.items():
            time.sleep(pause)
            start = time.process_time()
            jax.block_until_ready(call(x))
            times[who].append(time.process_time() - start)
    return {who: statistics.median(own) for who, own in times.items()}


def _resident() -> int:
    """Largest number of bytes that the process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
