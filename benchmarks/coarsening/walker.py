"""A body of three masses on springs that is driven over rough ground, with small loops in each step.

Loops over masses, over limbs, and some sweeps that pull limbs back to their length. The gradient is that of the way
that is covered by the drive of each step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from benchmarks.coarsening.cases import NAIVE, Case

import elimax

STEPS = (50, 200)
MASSES, LIMBS, SWEEPS = 3, ((0, 1), (1, 2), (2, 0)), 3
TIME, GRAVITY, GROUND, LENGTH = 0.01, 9.81, 200.0, 1.0


def step_in_loops(x: Any, v: Any, drive: Any) -> tuple[Any, Any]:
    """One step; positions and velocities [3, 2], drive [2]. Loops stay loops."""
    ends = jnp.asarray(LIMBS)

    def weigh(k: Any, force: Any) -> Any:
        depth = 0.1 * jnp.sin(3.0 * x[k, 0]) - x[k, 1]
        push = GROUND * jnp.logaddexp(0.0, 20.0 * depth) / 20.0
        grip = -push * jnp.tanh(v[k, 0])
        return force.at[k].add(jnp.stack([grip, push - GRAVITY]))

    def pull(k: Any, force: Any) -> Any:
        a, b = ends[k, 0], ends[k, 1]
        apart = x[b] - x[a]
        length = jnp.sqrt(jnp.sum(apart**2))
        wanted = LENGTH * (1.0 + 0.2 * jnp.tanh(jnp.where(k < 2, drive[k % 2], 0.0)))
        strength = 80.0 * (length - wanted) / length
        return force.at[a].add(strength * apart).at[b].add(-strength * apart)

    force = jax.lax.fori_loop(0, MASSES, weigh, jnp.zeros_like(x))
    force = jax.lax.fori_loop(0, len(LIMBS), pull, force)
    v = 0.999 * (v + TIME * force)

    def relax(k: Any, x: Any) -> Any:
        a, b = ends[k % 3, 0], ends[k % 3, 1]
        apart = x[b] - x[a]
        length = jnp.sqrt(jnp.sum(apart**2))
        shift = 0.05 * (1.0 - LENGTH / length) * apart
        return x.at[a].add(shift).at[b].add(-shift)

    return jax.lax.fori_loop(0, SWEEPS * len(LIMBS), relax, x + TIME * v), v


def step_written_out(x: Any, v: Any, drive: Any) -> tuple[Any, Any]:
    """The same, loops over masses and limbs as vectors, the sweeps written out."""
    first, second = jnp.asarray([a for a, _ in LIMBS]), jnp.asarray([b for _, b in LIMBS])
    depth = 0.1 * jnp.sin(3.0 * x[:, 0]) - x[:, 1]
    push = GROUND * jnp.logaddexp(0.0, 20.0 * depth) / 20.0
    force = jnp.stack([-push * jnp.tanh(v[:, 0]), push - GRAVITY], axis=1)
    apart = x[second] - x[first]
    length = jnp.sqrt(jnp.sum(apart**2, axis=1, keepdims=True))
    wanted = LENGTH * (1.0 + 0.2 * jnp.tanh(jnp.concatenate([drive, jnp.zeros(1)])))[:, None]
    pull = 80.0 * (length - wanted) / length * apart
    force = force + pull - jnp.roll(pull, 1, axis=0)
    v = 0.999 * (v + TIME * force)
    x = x + TIME * v
    rows = list(x)
    for a, b in LIMBS * SWEEPS:
        between = rows[b] - rows[a]
        shift = 0.05 * (1.0 - LENGTH / jnp.sqrt(jnp.sum(between**2))) * between
        rows[a], rows[b] = rows[a] + shift, rows[b] - shift
    return jnp.stack(rows), v


def gradient(step: Callable[..., Any]) -> Callable[..., Any]:
    """Gradient of the way by all drives [steps, 2]."""

    def loss(drives: Any, x: Any) -> Any:
        turn = lambda state, drive: (step(*state, drive), None)  # noqa: E731
        x, _ = jax.lax.scan(turn, (x, jnp.zeros_like(x)), drives)[0]
        return jnp.mean(x[:, 0])

    return jax.grad(loss)


def cases() -> Iterator[Case]:
    """One case for each number of steps."""
    coarse = elimax.coarsen(step_written_out)
    start = jnp.asarray([[0.0, 0.2], [1.0, 0.3], [0.5, 1.1]])
    decision = elimax.plan(coarse, start, start, jnp.zeros(2), argnums=(0, 1, 2)).coarsening
    for steps in STEPS:
        drives = jnp.sin(jnp.arange(2.0 * steps)).reshape(steps, 2)
        yield Case(
            "walker",
            f"{steps} steps",
            gradient(coarse),
            {
                "written out": gradient(step_written_out),
                "written out, checkpoint": gradient(jax.checkpoint(step_written_out)),
            },
            gradient(step_in_loops),
            (drives, start),
            "written out",
            decision,
            more={
                "written out, checkpoint": gradient(jax.checkpoint(coarse)),
                NAIVE: gradient(elimax.coarsen(step_in_loops)),
            },
        )
