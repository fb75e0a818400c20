"""Integrators that are loops: Dormand-Prince with a step of its own choice, and Runge-Kutta with a fixed one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Field = Callable[[Any, Any], Any]
"""Maps state and parameters to the slope of the state."""


def dormand_prince(field: Field, y: Any, p: Any, end: float, tolerance: float = 1e-6) -> Any:
    """State at a time; a `while_loop` of as many steps as the error asks for, rejected ones included."""

    def step(state: Any) -> Any:
        t, y, h = state
        h = jnp.minimum(h, end - t)
        a = field(y, p)
        b = field(y + h * (a / 5), p)
        c = field(y + h * (3 / 40 * a + 9 / 40 * b), p)
        d = field(y + h * (44 / 45 * a - 56 / 15 * b + 32 / 9 * c), p)
        e = field(y + h * (19372 / 6561 * a - 25360 / 2187 * b + 64448 / 6561 * c - 212 / 729 * d), p)
        f = field(y + h * (9017 / 3168 * a - 355 / 33 * b + 46732 / 5247 * c + 49 / 176 * d - 5103 / 18656 * e), p)
        new = y + h * (35 / 384 * a + 500 / 1113 * c + 125 / 192 * d - 2187 / 6784 * e + 11 / 84 * f)
        g = field(new, p)
        gap = 71 / 57600 * a - 71 / 16695 * c + 71 / 1920 * d - 17253 / 339200 * e + 22 / 525 * f - 1 / 40 * g
        error = jnp.sqrt(jnp.mean((h * gap / (tolerance + tolerance * jnp.abs(y))) ** 2))
        good = error <= 1
        after = h * jnp.clip(0.9 * (error + 1e-10) ** -0.2, 0.2, 5.0)
        return jnp.where(good, t + h, t), jnp.where(good, new, y), after

    return jax.lax.while_loop(lambda s: s[0] < end, step, (jnp.zeros(()), y, jnp.asarray(1e-3)))[1]


def runge_kutta_step(field: Field, y: Any, p: Any, h: float) -> Any:
    """One classical step."""
    a = field(y, p)
    b = field(y + h / 2 * a, p)
    c = field(y + h / 2 * b, p)
    return y + h / 6 * (a + 2 * b + 2 * c + field(y + h * c, p))


def runge_kutta(field: Field, y: Any, p: Any, steps: int, h: float) -> Any:
    """State after a number of steps; a `scan`."""
    return jax.lax.scan(lambda y, _: (runge_kutta_step(field, y, p, h), None), y, None, length=steps)[0]


def runge_kutta_checkpointed(field: Field, y: Any, p: Any, steps: int, h: float, chunk: int) -> Any:
    """The same with one state kept for each chunk of steps, the best that reverse mode does in little memory."""

    @jax.checkpoint
    def many(y: Any, _: None) -> tuple[Any, None]:
        return runge_kutta(field, y, p, chunk, h), None

    return jax.lax.scan(many, y, None, length=steps // chunk)[0]


def lotka_volterra(y: Any, p: Any) -> Any:
    """Prey and predators; state [2], parameters [4]."""
    return jnp.stack([p[0] * y[0] - p[1] * y[0] * y[1], p[2] * y[0] * y[1] - p[3] * y[1]])


def robertson(y: Any, p: Any) -> Any:
    """Three reactions of very different speed; state [3], parameters [3]."""
    slow, back, fast = p[0] * y[0], p[1] * y[1] * y[2], p[2] * y[1] * y[1]
    return jnp.stack([back - slow, slow - back - fast, fast])


def chain(y: Any, p: Any) -> Any:
    """Reactions in a ring with one that saturates; state [6], parameters [8]."""
    flows = p[:6] * y / (1 + p[6] * y * y)
    return jnp.roll(flows, 1) - flows + p[7] * (1 - y)
