"""Batch gradient descent whose rate is tuned: the loss after descent, which ends when it hardly falls, by the rate.

The loop has no known number of turns, and JAX has no reverse mode for it: a good user takes forward mode. The naive
way is a loop of fixed length whose turns after the end change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.coarsening.cases import Case

import elimax

RECORDS = (200, 1000, 2000)
MOST, TOLERANCE = 200, 1e-7


def error(line: Any, x: Any, y: Any) -> Any:
    """Mean square error of a line, given by slope and offset [2]."""
    return jnp.mean((line[0] * x + line[1] - y) ** 2)


def error_by_record(line: Any, x: Any, y: Any) -> Any:
    """The same, one record after another."""
    turn = lambda total, record: (total + (line[0] * record[0] + line[1] - record[1]) ** 2, None)  # noqa: E731
    return jax.lax.scan(turn, jnp.zeros(()), (x, y))[0] / x.size


def descend(error: Callable[..., Any]) -> Callable[..., Any]:
    """The error after descent at a rate; ends where the error falls by less than a tolerance."""

    def run(rate: Any, x: Any, y: Any) -> Any:
        def goes_on(state: Any) -> Any:
            k, _, last, now = state
            return (k < MOST) & (jnp.abs(last - now) > TOLERANCE)

        def turn(state: Any) -> Any:
            k, line, _, now = state
            line = line - rate * jax.grad(error)(line, x, y)
            return k + 1, line, now, error(line, x, y)

        line = jnp.zeros(2)
        return jax.lax.while_loop(goes_on, turn, (0, line, jnp.asarray(np.inf), error(line, x, y)))[3]

    return run


def descend_masked(error: Callable[..., Any]) -> Callable[..., Any]:
    """The same with a fixed number of turns, for reverse mode."""

    def run(rate: Any, x: Any, y: Any) -> Any:
        def turn(state: Any, _: None) -> tuple[Any, None]:
            line, last, now = state
            goes_on = jnp.abs(last - now) > TOLERANCE
            moved = line - rate * jax.grad(error)(line, x, y)
            return (
                jnp.where(goes_on, moved, line),
                jnp.where(goes_on, now, last),
                jnp.where(goes_on, error(moved, x, y), now),
            ), None

        line = jnp.zeros(2)
        start = (line, error(line, x, y) + 1.0, error(line, x, y))
        return jax.lax.scan(turn, start, None, length=MOST)[0][2]

    return run


def forward(run: Callable[..., Any]) -> Callable[..., Any]:
    """Derivative by the rate in forward mode."""
    return lambda rate, x, y: jax.jvp(lambda rate: run(rate, x, y), (rate,), (jnp.ones_like(rate),))[1]


def cases() -> Iterator[Case]:
    """One case for each number of records."""
    for records in RECORDS:
        random = np.random.default_rng(0)
        x = jnp.asarray(random.uniform(-1.0, 1.0, records))
        y = 2.0 * x + 0.5 + 0.1 * jnp.asarray(random.normal(size=records))
        rate, vectors = jnp.asarray(0.1), descend(error)
        coarse = elimax.coarsen(vectors)
        yield Case(
            "descent",
            f"{records:,} records",
            jax.grad(coarse),
            {"forward, while": forward(vectors), "reverse, masked": jax.grad(descend_masked(error))},
            jax.grad(descend_masked(error_by_record)),
            (rate, x, y),
            "forward, while",
            elimax.plan(coarse, rate, x, y).coarsening,
            forward(vectors),
        )
