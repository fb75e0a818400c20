"""A closed chain of masses and springs that is stretched: positions after some steps by initial positions.

Each vertex is joined with its two neighbours by springs with Hooke's law and friction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from benchmarks.coarsening.cases import Case

import elimax

VERTICES = (10, 20, 40)
STEPS, TIME, STIFFNESS, REST, FRICTION = 100, 0.01, 50.0, 0.1, 0.5


def step(x: Any, v: Any) -> tuple[Any, Any]:
    """One step, positions and velocities [V, 2], all springs at once."""
    apart = jnp.concatenate([x[1:], x[:1]]) - x
    length = jnp.sqrt(jnp.sum(apart**2, axis=1, keepdims=True))
    pull = STIFFNESS * (length - REST) / length * apart
    force = pull - jnp.concatenate([pull[-1:], pull[:-1]]) - FRICTION * v
    v = v + TIME * force
    return x + TIME * v, v


def step_by_vertex(x: Any, v: Any) -> tuple[Any, Any]:
    """The same, one spring after another."""
    count = x.shape[0]

    def turn(k: Any, force: Any) -> Any:
        other = (k + 1) % count
        apart = x[other] - x[k]
        length = jnp.sqrt(jnp.sum(apart**2))
        pull = STIFFNESS * (length - REST) / length * apart
        return force.at[k].add(pull).at[other].add(-pull)

    force = jax.lax.fori_loop(0, count, turn, -FRICTION * v)
    v = v + TIME * force
    return x + TIME * v, v


def gradient(step: Callable[..., Any]) -> Callable[..., Any]:
    """Gradient of the stretching at the end by initial positions."""

    def loss(x: Any) -> Any:
        turn = lambda state, _: (step(*state), None)  # noqa: E731
        x, v = jax.lax.scan(turn, (x, jnp.zeros_like(x)), None, length=STEPS)[0]
        return jnp.sum((x - jnp.mean(x, axis=0)) ** 2) + jnp.sum(v**2)

    return jax.grad(loss)


def cases() -> Iterator[Case]:
    """One case for each number of vertices."""
    coarse = elimax.coarsen(step)
    for count in VERTICES:
        angle = jnp.linspace(0.0, 2 * jnp.pi, count, endpoint=False)
        start = jnp.stack([jnp.cos(angle), 0.7 * jnp.sin(angle)], axis=1)
        yield Case(
            "springs",
            f"{count} vertices",
            gradient(coarse),
            {"vectors": gradient(step), "vectors, checkpoint": gradient(jax.checkpoint(step))},
            gradient(step_by_vertex),
            (start,),
            "vectors",
            elimax.plan(coarse, start, start, argnums=(0, 1)).coarsening,
            more={"vectors, checkpoint": gradient(jax.checkpoint(coarse))},
        )
