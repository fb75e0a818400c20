"""Random loops: bodies of linear and other operations on carries, slices and constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def random_loop(seed: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A function with a loop, and arguments: a vector of parameters [4] and slices [n]."""
    random = np.random.default_rng(seed)
    turns = int(random.choice([0, 1, 2, 3, 5, 9]))
    width = int(random.choice([1, 3]))
    carries = int(random.integers(1, 4))
    kinds = [str(random.choice(KINDS)) for _ in range(carries)]
    plans = [_steps(random, kind, carries, k) for k, kind in enumerate(kinds)]
    stacked, reverse, wanted = bool(random.integers(2)), bool(random.integers(2)), int(random.integers(carries))
    weights = jnp.asarray(random.uniform(-1.0, 1.0, (carries, width)))
    starts = random.choice([0.0, 1.0, -0.5, 0.7], carries)

    def fun(theta: Any, xs: Any) -> Any:
        init = [
            jnp.asarray(starts[k]) * jnp.ones(width) + theta[k % 2] * weights[k] * float(starts[k] != 0)
            for k in range(carries)
        ]

        def turn(state: Any, x: Any) -> Any:
            counter, values = state
            following = [plan(theta, x, counter, values, weights) for plan in plans]
            return (counter + 1, following), values[wanted] if stacked else None

        (_, final), seen = jax.lax.scan(turn, (jnp.asarray(0), init), xs, reverse=reverse)
        return final, seen

    theta = jnp.asarray(random.choice([0.5, -0.8, 1.0, 1.2, 0.0, 0.3], 4) + random.choice([0.0, 1e-3], 4))
    return fun, (theta, jnp.asarray(random.uniform(-1.0, 1.0, turns)))


KINDS = (
    "sum", "sum of slices", "sum of counters", "affine", "negative", "varying", "power", "last", "shift", "masked",
    "coupled", "nonlinear", "sum of another", "times another", "quotient", "both sides", "matrix", "reset",
)  # fmt: skip


def _steps(random: np.random.Generator, kind: str, carries: int, k: int) -> Callable[..., Any]:
    other = int(random.integers(carries))
    i, j = (int(random.integers(4)) for _ in range(2))
    fixed = jnp.asarray(random.uniform(-0.6, 0.6, (3, 3)))

    def step(theta: Any, x: Any, counter: Any, values: Any, weights: Any) -> Any:
        c, o, w, a, b = values[k], values[other], weights[k], theta[i], theta[j]
        time = counter.astype(c.dtype)
        linear = {
            "sum": lambda: c + jnp.sin(a) * w,
            "sum of slices": lambda: w * jnp.cos(a * x) + c - b,
            "sum of counters": lambda: c - jnp.exp(-a * time) * w,
            "affine": lambda: a * c + b * w,
            "negative": lambda: b - a * c * 0.9,
            "varying": lambda: (c * x + w * a) * 1.1,
            "power": lambda: a * c,
            "last": lambda: jnp.tanh(a * x + w),
            "shift": lambda: o + 0.0 * c if other == k else o,
            "masked": lambda: jnp.where(x > 0.0, c + a * w * x, c),
            "coupled": lambda: c + 0.1 * a * o - b * 0.2,
            "sum of another": lambda: c + o * o * x,
            "times another": lambda: c * 0.5 + jnp.sin(o) * a,
            "quotient": lambda: (c - b) / (2.0 + a * a),
            "both sides": lambda: (c + a) * 0.3 - 0.2 * c + (b - c) * x,
        }
        rest = {
            "nonlinear": lambda: jnp.sin(a * c) + b * 0.1,
            "matrix": lambda: fixed[: c.size, : c.size] @ c + a * w,
            "reset": lambda: jnp.where(x > 0.0, c * 0.5 + b, a * w),
        }
        return (linear | rest)[kind]()

    return step
