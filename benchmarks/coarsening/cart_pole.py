"""A pole on a cart under a linear controller, whose gains are learnt.

After every 6, 8 or 10 steps of the simulator the gains are updated; the gradient is that of the cost of these steps by
the gains, for a batch of starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.coarsening.cases import Case

import elimax

GRAVITY, CART, POLE, HALF, TIME = 9.8, 1.0, 0.1, 0.5, 0.02
STEPS = (6, 8, 10)
STARTS = 64


def simulate(state: Any, force: Any) -> Any:
    """One explicit step; state [4] is position and velocity of the cart, angle and angular velocity of the pole."""
    x, v, angle, spin = state
    s, c = jnp.sin(angle), jnp.cos(angle)
    pushed = (force + POLE * HALF * spin**2 * s) / (CART + POLE)
    turning = (GRAVITY * s - c * pushed) / (HALF * (4.0 / 3.0 - POLE * c**2 / (CART + POLE)))
    moving = pushed - POLE * HALF * turning * c / (CART + POLE)
    return jnp.stack([x + TIME * v, v + TIME * moving, angle + TIME * spin, spin + TIME * turning])


def cost(simulate: Callable[..., Any], steps: int, gains: Any, start: Any) -> Any:
    """Cost of an episode; gains [5]."""

    def turn(state: Any, _: None) -> tuple[Any, Any]:
        force = 10.0 * jnp.tanh(jnp.dot(gains[:4], state) + gains[4])
        state = simulate(state, force)
        return state, state[2] ** 2 + 0.1 * state[0] ** 2 + 0.001 * force**2

    return jnp.sum(jax.lax.scan(turn, start, None, length=steps)[1])


def gradient(simulate: Callable[..., Any], steps: int, rows: bool = False) -> Callable[..., Any]:
    """Gradient of the mean cost by the gains; the starts one after another, or all at once."""

    def loss(gains: Any, starts: Any) -> Any:
        one = lambda start: cost(simulate, steps, gains, start)  # noqa: E731
        return jnp.mean(jax.lax.map(one, starts) if rows else jax.vmap(one)(starts))

    return jax.grad(loss)


def cases() -> Iterator[Case]:
    """One case for each number of steps."""
    coarse = elimax.coarsen(simulate)
    starts = jnp.asarray(np.random.default_rng(0).uniform(-0.1, 0.1, (STARTS, 4)))
    gains = jnp.asarray([0.1, 0.2, 1.0, 0.3, 0.0])
    decision = elimax.plan(coarse, starts[0], gains[0], argnums=(0, 1)).coarsening
    for steps in STEPS:
        yield Case(
            "cart and pole",
            f"{steps} steps",
            gradient(coarse, steps),
            {
                "batch": gradient(simulate, steps),
                "batch, checkpoint": gradient(jax.checkpoint(simulate), steps),
            },
            gradient(simulate, steps, rows=True),
            (gains, starts),
            "batch",
            decision,
            more={"batch, checkpoint": gradient(jax.checkpoint(coarse), steps)},
        )
