"""The Brusselator with diffusion in one dimension."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from elimax.zoo.problem import Problem, float_dtype

# Feed A and B of the reaction; the concentrations at both ends are their equilibrium (A, B).
FEED, RATIO = 1.0, 3.0


def residual(concentrations: jax.Array, *, diffusion: float = 0.02) -> jax.Array:
    """Rates of change at the inner points of a uniform grid on [0, 1]; zero at a steady state.

    u' = A + u^2 v - (B + 1) u + diffusion u_xx,  v' = B u - u^2 v + diffusion v_xx,  with u = A, v = B at the ends.

    Args:
      concentrations: u and v, [2, N].
      diffusion: of both species.

    Returns:
      The rates, [2, N].
    """
    u, v = concentrations
    strength = diffusion * (u.size + 1) ** 2
    reaction = u * u * v
    return jnp.stack(
        [
            FEED + reaction - (RATIO + 1.0) * u + strength * _second_difference(u, FEED),
            RATIO * u - reaction + strength * _second_difference(v, RATIO),
        ]
    )


def _second_difference(values: jax.Array, end: float) -> jax.Array:
    framed = jnp.pad(values, 1, constant_values=end)
    return framed[:-2] - 2.0 * values + framed[2:]


def build(*, points: int = 16, diffusion: float = 0.02, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``brusselator_1d``.

    Args:
      points: number of inner grid points.
      diffusion: of both species.
      dtype: of the example argument; JAX's default floating dtype when None.
    """
    x = np.arange(1, points + 1) / (points + 1)
    start = np.stack([FEED + np.sin(2.0 * np.pi * x), RATIO + 0.0 * x])
    return Problem(
        name="brusselator_1d",
        fun=functools.partial(residual, diffusion=diffusion),
        args=(start.astype(float_dtype(dtype)),),
        argnums=0,
        reference="E. Hairer and G. Wanner, Solving Ordinary Differential Equations II, 2nd ed. (1996), section IV.1",
        description="concentrations of two species on a grid [2, points] to their rates of change [2, points]",
    )
