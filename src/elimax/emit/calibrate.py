"""Timing small random programs in the forms plain, loop and points here, to fit the time model to the device."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elimax._jax import trace
from elimax.emit import points
from elimax.emit.counting import count
from elimax.emit.fit import Counted, Row
from elimax.emit.samples import Case, cases
from elimax.emit.scalarise import scalarise

TURNS = 200
"""Turns of the loop around a program."""

SHARE = 0.03
"""Seconds to time one case, compilation apart."""

Jacobian = Callable[..., Callable[..., Any]]
"""Takes a function and ``form=``, and returns the function of its Jacobian."""


def measurements(jacobian: Jacobian, seconds: float, seed: int = 0) -> Iterator[Row]:
    """Time cases until the time is over; at least one.

    Args:
      jacobian: `elimax.jacobian`, which is above this room.
      seconds: to spend, compilation included.
      seed: of the choice of programs.
    """
    dtypes = ("float32", "float64") if jax.config.read("jax_enable_x64") else ("float32",)
    end = time.perf_counter() + seconds
    for case in cases(seed, dtypes):
        row = measure(jacobian, case)
        if row is not None:
            yield row
        if time.perf_counter() >= end:
            return


def measure(jacobian: Jacobian, case: Case) -> Row | None:
    """Time the forms of one case; None if there is nothing to compute."""
    example = jnp.full((case.sample.inputs,), 0.5, case.dtype)
    program = scalarise(trace(lambda x: [jacobian(case.sample, form="plain")(x)], [example]))
    if program is None or not program.computed:
        return None
    spread = 0.3 + 0.4 * np.random.default_rng(0).random((case.batch, case.sample.inputs))
    x = jnp.asarray(spread, case.dtype)
    counts: dict[str, Counted] = {**count(program)}
    if not case.looped and points.fits(program, case.batch):
        counts["points"] = points.count(program)
    calls = {}
    for form in counts:
        fun = jax.vmap(jacobian(case.sample, form=form))
        compiled = jax.jit(_looped(fun, case) if case.looped else fun).lower(x).compile()
        calls[form] = lambda compiled=compiled: jax.block_until_ready(compiled(x))
    turns = TURNS if case.looped else 1
    measured = {form: 1e9 * least / turns for form, least in _turns(calls).items()}
    extra = case.batch * case.sample.inputs**2 * case.sample.outputs
    return Row(counts, case.batch, case.looped, measured, extra)


def _looped(fun: Callable[..., Any], case: Case) -> Callable[..., Any]:
    """The function in a scan whose carry depends on all its results, as in an implicit step."""
    inputs, entries = case.sample.inputs, case.sample.inputs * case.sample.outputs
    weights = jnp.asarray(np.sin(np.arange(entries * inputs)).reshape(entries, inputs), case.dtype)

    def step(x: Any, _: None) -> tuple[Any, None]:
        return x + 1e-6 * jnp.tanh(fun(x).reshape(case.batch, entries) @ weights), None

    return lambda x: jax.lax.scan(step, x, None, length=TURNS)[0]


def _turns(calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Seconds of one call of each variant; they take turns, and the lower quartile counts."""
    names = list(calls)
    repeats = {}
    for name in names:
        calls[name]()
        start = time.perf_counter()
        calls[name]()
        repeats[name] = max(1, min(50, round(1e-4 / max(time.perf_counter() - start, 1e-7))))
    samples: dict[str, list[float]] = {name: [] for name in names}
    end = time.perf_counter() + SHARE
    while time.perf_counter() < end or len(samples[names[0]]) < 5:
        names.reverse()
        for name in names:
            start = time.perf_counter()
            for _ in range(repeats[name]):
                calls[name]()
            samples[name].append((time.perf_counter() - start) / repeats[name])
    return {name: float(np.quantile(samples[name], 0.25)) for name in calls}
