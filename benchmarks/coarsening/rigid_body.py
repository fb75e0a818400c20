"""A tumbling rigid body: Euler's equations and the rates of three angles, by a Runge-Kutta method.

The state has six components; the gradient is that of the energy of rotation and the attitude at the end by the initial
state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from benchmarks.coarsening.cases import Case

import elimax

INERTIA = (1.0, 2.0, 3.0)
STEP = 0.01
STEPS = (100, 1000)
START = (0.3, 0.2, 0.1, 0.5, 0.4, 0.3)


def rate(state: Any) -> Any:
    """Time derivative of angular velocity (in the frame of the body) and of yaw, pitch and roll, state [6]."""
    i1, i2, i3 = INERTIA
    p, q, r, roll, pitch, _ = state
    turn = jnp.sin(roll) * q + jnp.cos(roll) * r
    return jnp.stack(
        [
            (i2 - i3) / i1 * q * r,
            (i3 - i1) / i2 * r * p,
            (i1 - i2) / i3 * p * q,
            p + turn * jnp.tan(pitch),
            jnp.cos(roll) * q - jnp.sin(roll) * r,
            turn / jnp.cos(pitch),
        ]
    )


def rate_in_vectors(state: Any) -> Any:
    """The same with operations on vectors of three."""
    inertia = jnp.asarray(INERTIA)
    w, angles = state[:3], state[3:]
    s, c = jnp.sin(angles), jnp.cos(angles)
    turn = s[0] * w[1] + c[0] * w[2]
    spin = (jnp.roll(inertia, -1) - jnp.roll(inertia, 1)) / inertia * jnp.roll(w, -1) * jnp.roll(w, 1)
    return jnp.concatenate([spin, jnp.stack([w[0] + turn * s[1] / c[1], c[0] * w[1] - s[0] * w[2], turn / c[1]])])


def runge_kutta(rate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """One step of order four."""

    def step(x: Any) -> Any:
        k1 = rate(x)
        k2 = rate(x + STEP / 2 * k1)
        k3 = rate(x + STEP / 2 * k2)
        k4 = rate(x + STEP * k3)
        return x + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    return step


def gradient(step: Callable[[Any], Any], steps: int, unroll: int = 1) -> Callable[[Any], Any]:
    """Gradient by the initial state."""

    def loss(x: Any) -> Any:
        x = jax.lax.scan(lambda x, _: (step(x), None), x, None, length=steps, unroll=unroll)[0]
        return jnp.sum(jnp.asarray(INERTIA) * x[:3] ** 2) + jnp.sum(jnp.sin(x[3:]))

    return jax.grad(loss)


def cases() -> Iterator[Case]:
    """One case for each number of steps."""
    plain, vectors, start = runge_kutta(rate), runge_kutta(rate_in_vectors), jnp.asarray(START)
    coarse = elimax.coarsen(plain)
    for steps in STEPS:
        yield Case(
            "rigid body",
            f"{steps:,} steps",
            gradient(coarse, steps),
            {
                "vectors": gradient(vectors, steps),
                "vectors, checkpoint": gradient(jax.checkpoint(vectors), steps),
                "scalars, checkpoint": gradient(jax.checkpoint(plain), steps),
                "vectors, unrolled by 4": gradient(vectors, steps, 4),
            },
            gradient(plain, steps),
            (start,),
            "naive",
            elimax.plan(coarse, start).coarsening,
            more={"scalars, checkpoint": gradient(jax.checkpoint(coarse), steps)},
        )
