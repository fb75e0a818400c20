"""The curve of fastest descent: heights at points of a grid, and the time along the straight pieces between them.

The gradient is that of the time by all heights but the first and the last: alone, and at each of a number of steps of
descent. XLA hands a single call with more than a thousand operations to another thread, which takes longer than the
gradient of a few hundred points, and counts the body of a loop once; steps in a loop have one call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from benchmarks.coarsening.cases import NAIVE, Case

import elimax

POINTS = (200, 400, 1000)
STEPS, RATE = 100, 1e-6
GRAVITY, WIDTH, DEPTH = 9.81, 1.0, 1.0


def piece(dx: Any, above: Any, below: Any) -> Any:
    """Time along one piece between two depths below the start."""
    return jnp.sqrt(dx**2 + (below - above) ** 2) / (0.5 * (speed(above) + speed(below)))


def speed(depth: Any) -> Any:
    return jnp.sqrt(2 * GRAVITY * depth + 1e-6)


def time_of(inner: Any) -> Any:
    """Time along the whole curve, all pieces at once."""
    depths = jnp.concatenate([jnp.zeros(1), inner, jnp.full(1, DEPTH)])
    dx = WIDTH / (depths.size - 1)
    speeds = speed(depths)
    return jnp.sum(jnp.sqrt(dx**2 + (depths[1:] - depths[:-1]) ** 2) / (0.5 * (speeds[1:] + speeds[:-1])))


def time_of_pieces(inner: Any) -> Any:
    """The same, one piece after another."""
    depths = jnp.concatenate([jnp.zeros(1), inner, jnp.full(1, DEPTH)])
    dx = WIDTH / (depths.size - 1)

    def turn(total: Any, k: Any) -> tuple[Any, None]:
        return total + piece(dx, depths[k], depths[k + 1]), None

    return jax.lax.scan(turn, jnp.zeros(()), jnp.arange(depths.size - 1))[0]


def descended(gradient: Any) -> Any:
    """Several steps against a gradient."""

    def run(inner: Any) -> Any:
        return jax.lax.scan(lambda x, _: (x - RATE * gradient(x), None), inner, None, length=STEPS)[0]

    return run


def cases() -> Iterator[Case]:
    """A gradient and steps of descent for each number of points."""
    coarse, pieces = elimax.coarsen(time_of), elimax.coarsen(time_of_pieces)
    for setting, around in (("", lambda gradient: gradient), (f", {STEPS} steps", descended)):
        for points in POINTS:
            start = jnp.linspace(0.0, DEPTH, points)[1:-1] ** 0.8
            checkpointed = jax.grad(jax.checkpoint(time_of))
            yield Case(
                "brachistochrone",
                f"{points:,} points{setting}",
                around(jax.grad(coarse)),
                {"vectors": around(jax.grad(time_of)), "vectors, checkpoint": around(checkpointed)},
                around(jax.grad(time_of_pieces)),
                (start,),
                "vectors",
                elimax.plan(coarse, start).coarsening,
                more={NAIVE: around(jax.grad(pieces))},
            )
