"""The curve of fastest descent: heights at points of a grid, and the time along the straight pieces between them.

The gradient is that of the time by all heights but the first and the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from benchmarks.coarsening.cases import NAIVE, Case

import elimax

POINTS = (200, 400, 1000)
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


def cases() -> Iterator[Case]:
    """One case for each number of points."""
    coarse = elimax.coarsen(time_of)
    for points in POINTS:
        start = jnp.linspace(0.0, DEPTH, points)[1:-1] ** 0.8
        yield Case(
            "brachistochrone",
            f"{points:,} points",
            jax.grad(coarse),
            {"vectors": jax.grad(time_of), "vectors, checkpoint": jax.grad(jax.checkpoint(time_of))},
            jax.grad(time_of_pieces),
            (start,),
            "vectors",
            elimax.plan(coarse, start).coarsening,
            more={NAIVE: jax.grad(elimax.coarsen(time_of_pieces))},
        )
