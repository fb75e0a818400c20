"""Timing the few best ways to a Jacobian on the device, and keeping the fastest."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elimax.execute.evaluate import evaluate
from elimax.execute.symmetric import Symmetry
from elimax.execute.traced import FlatFunction
from elimax.order import search
from elimax.plan import Plan
from elimax.plan.types import BASELINES, COMPRESSED, ELIMINATION, JAX_MODES

ROUNDS = 5
"""Least number of turns in which every candidate is called; the fastest call of each counts."""

SECONDS = 0.2
"""Time for the turns of one candidate, compilation apart."""


def measured_plan(
    fun: FlatFunction,
    inputs: Sequence[Any],
    plan: Plan,
    batch: int = 1,
    segments: Plan | None = None,
    symmetry: Symmetry | None = None,
) -> Plan:
    """The fastest of a plan, the simple orders, segments as vertices, and JAX's modes, by the clock.

    Args:
      fun: the function; every argument is an independent variable.
      inputs: its arguments, or their shapes and dtypes; random numbers are drawn for them.
      plan: what the search found.
      batch: number of points at once; 1 is measured without a batch axis.
      segments: a plan with segments as vertices; None where there are none.
      symmetry: of the Jacobian, if it is a Hessian.

    Returns:
      The plan that was fastest, with what was measured; its mode is one of JAX's if that was faster.

    Raises:
      ValueError: ``batch`` is no positive integer.
    """
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise ValueError(f"batch must be a positive integer, the number of points at once; got {batch!r}")
    arrays = _random(inputs, batch)
    plans = candidates(plan)
    if segments is not None:
        plans["segments"] = dataclasses.replace(segments, mode=ELIMINATION)
    calls = {}
    for name, candidate in plans.items():
        try:
            calls[name] = _compiled(fun, arrays, candidate, batch, symmetry)
        except (TypeError, ValueError, NotImplementedError):
            if candidate.mode == ELIMINATION:  # JAX's modes refuse some loops and rules; elimination does not
                raise
    times = _least(calls)
    fastest = min(times, key=times.__getitem__)
    measured = tuple(sorted(times.items(), key=lambda item: item[1]))
    return dataclasses.replace(plans[fastest], measured=measured, measured_batch=batch)


def candidates(plan: Plan) -> dict[str, Plan]:
    """What is timed, by name: the plan's order, simple orders that differ from it, and JAX's modes."""
    plans = {plan.method: dataclasses.replace(plan, mode=ELIMINATION)}
    for name in BASELINES:
        found = search(plan.graph, name, cost=plan.cost)
        if any(found.vertices == other.order for other in plans.values()):
            continue
        changed = {"order": found.vertices, "method": name, "multiplications": found.multiplications, "optimal": False}
        plans[f"{name} order"] = dataclasses.replace(plan, mode=ELIMINATION, **changed)
    for mode in JAX_MODES:
        plans[f"JAX {mode}"] = dataclasses.replace(plan, mode=mode)
    for mode in COMPRESSED:
        if mode in dict(plan.modes):
            plans[mode] = dataclasses.replace(plan, mode=mode)
    return plans


def _random(inputs: Sequence[Any], batch: int) -> list[Any]:
    """Arguments drawn between 0.5 and 1.5, where most functions are smooth."""
    rng = np.random.default_rng(0)
    leading = () if batch == 1 else (batch,)
    return [jnp.asarray(0.5 + rng.random((*leading, *x.shape)), x.dtype) for x in inputs]


def _compiled(
    fun: FlatFunction, arrays: Sequence[Any], plan: Plan, batch: int, symmetry: Symmetry | None
) -> Callable[[], Any]:
    def blocks(*xs: Any) -> Any:
        return evaluate(fun, xs, order=plan, values=False, symmetry=symmetry).blocks

    compiled = jax.jit(blocks if batch == 1 else jax.vmap(blocks)).lower(*arrays).compile()
    return lambda: jax.block_until_ready(compiled(*arrays))


def _least(calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Seconds of the fastest call of each candidate; they take turns, in an order that is reversed each time."""
    names = list(calls)
    for call in calls.values():
        call()
    least = dict.fromkeys(names, float("inf"))
    end = time.perf_counter() + SECONDS * len(names)
    rounds = 0
    while rounds < ROUNDS or time.perf_counter() < end:
        rounds += 1
        names.reverse()
        for name in names:
            start = time.perf_counter()
            calls[name]()
            least[name] = min(least[name], time.perf_counter() - start)
    return least
