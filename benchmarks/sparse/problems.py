"""The residuals, as functions of one vector, which is what a library of colourings takes at any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from elimax import zoo

PROBLEMS: dict[str, tuple[str, int]] = {
    "burgers_1d, n = 1e3": ("burgers_1d", 1000),
    "brusselator_1d, n = 1e3": ("brusselator_1d", 500),
    "gray_scott_2d, 32 x 32": ("gray_scott_2d", 32),
    "burgers_1d, n = 1e6": ("burgers_1d", 1_000_000),
    "brusselator_1d, n = 1e6": ("brusselator_1d", 500_000),
    "gray_scott_2d, 512 x 512": ("gray_scott_2d", 512),
}
"""Name of each row, problem of the zoo, and its number of points."""

DENSE = ("burgers_1d, n = 1e3", "brusselator_1d, n = 1e3")
"""Rows whose dense Jacobian is compared with JAX's modes, too."""


def residual(name: str) -> tuple[Callable[..., Any], Any]:
    """A residual as a function of a vector, and the vector."""
    problem = zoo.get(*PROBLEMS[name][:1], points=PROBLEMS[name][1], dtype="float64")
    start, *others = map(jnp.asarray, problem.args)

    def flat(x: Any) -> Any:
        return problem.fun(x.reshape(start.shape), *others).ravel()

    return flat, start.ravel()
