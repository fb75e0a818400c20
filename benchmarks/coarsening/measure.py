"""Times and temporaries of one case."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from benchmarks.coarsening.cases import NAIVE, Case

OURS, STEPWISE = "coarsened", "operation by operation"

LONG = 3.0
"""Seconds after which one run operation by operation is enough."""


def measure(case: Case, seconds: float, stepwise: bool) -> dict[str, Any]:
    """One row.

    All variants take turns in one process; what counts is the median of the time of the CPU.

    Args:
      case: what is measured.
      seconds: for the turns of all variants together.
      stepwise: whether to run JAX operation by operation too.

    Returns:
      Seconds, bytes of temporaries and seconds to trace and compile by variant, the names of the fastest variants and
      of those with the fewest temporaries, with `elimax.coarsen` and without, and the largest relative difference
      between results.
    """
    more = {f"{OURS}, {name}": gradient for name, gradient in case.more.items()}
    variants = {OURS: case.coarsened, **more, **case.jax, NAIVE: case.naive}
    calls: dict[str, Callable[..., Any]] = {}
    row: dict[str, Any] = {"program": case.program, "setting": case.setting}
    row |= {"decision": case.decision, "same": case.same}
    row |= {"seconds": {}, "temporaries": {}, "compile_seconds": {}}
    for name, fun in variants.items():
        start = time.process_time()
        compiled = jax.jit(fun).lower(*case.args).compile()
        row["compile_seconds"][name] = time.process_time() - start
        row["temporaries"][name] = int(compiled.memory_analysis().temp_size_in_bytes)  # type: ignore[union-attr]
        calls[name] = compiled
    results = {name: _flat(call(*case.args)) for name, call in calls.items()}
    scale = max(float(np.max(np.abs(results[NAIVE]))), 1e-300)
    row["difference"] = max(float(np.max(np.abs(found - results[NAIVE]))) / scale for found in results.values())
    row["seconds"] = _interleaved(calls, case.args, seconds)
    own = [OURS, *more]
    others = [name for name in calls if name not in own]
    row["fastest"], row["own fastest"] = (min(names, key=row["seconds"].__getitem__) for names in (others, own))
    row["smallest"], row["own smallest"] = (min(names, key=row["temporaries"].__getitem__) for names in (others, own))
    if stepwise:
        fun = case.stepwise or next(iter(case.jax.values()))
        with jax.disable_jit():
            for _ in range(2):  # the first run compiles every operation
                start = time.process_time()
                jax.block_until_ready(fun(*case.args))
                row["seconds"][STEPWISE] = time.process_time() - start
                if row["seconds"][STEPWISE] > LONG:
                    break
    return row


def _flat(result: Any) -> np.ndarray:
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(result)])


def _interleaved(calls: dict[str, Callable[..., Any]], args: Any, seconds: float) -> dict[str, float]:
    repeats = {}
    for name, call in calls.items():
        jax.block_until_ready(call(*args))
        start = time.process_time()
        jax.block_until_ready(call(*args))
        repeats[name] = max(1, min(1000, int(2e-3 / max(time.process_time() - start, 1e-7))))
    times: dict[str, list[float]] = {name: [] for name in calls}
    start = time.perf_counter()
    rounds, order = 0, np.random.default_rng(0)
    while rounds < 7 or (time.perf_counter() - start < seconds and rounds < 400):
        for name in order.permutation(list(calls)):  # what ran before leaves its traces in the caches
            call = calls[name]
            jax.block_until_ready(call(*args))
            began = time.process_time()
            for _ in range(repeats[name]):
                jax.block_until_ready(call(*args))
            times[name].append((time.process_time() - began) / repeats[name])
        rounds += 1
    return {name: statistics.median(own) for name, own in times.items()}
