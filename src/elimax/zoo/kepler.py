"""Kepler's equation solved by Newton's method, in a while loop."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy.typing as npt

from elimax.zoo.problem import Problem, scalars

_MAX_STEPS = 50


def eccentric_anomaly(mean_anomaly: jax.Array, eccentricity: jax.Array) -> jax.Array:
    """Solves ``E - e sin E = M`` for E.

    The number of steps depends on the data, so reverse mode of JAX refuses this function.

    Args:
      mean_anomaly: M, [], in radians.
      eccentricity: e, [], at least 0 and below 1.

    Returns:
      E, [], in radians.
    """
    mean_anomaly = jnp.asarray(mean_anomaly)
    tolerance = 4.0 * float(jnp.finfo(mean_anomaly.dtype).eps)

    def unfinished(carry: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        anomaly, correction, count = carry
        return (jnp.abs(correction) > tolerance * (1.0 + jnp.abs(anomaly))) & (count < _MAX_STEPS)

    def improve(carry: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        anomaly, _, count = carry
        excess = anomaly - eccentricity * jnp.sin(anomaly) - mean_anomaly
        correction = excess / (1.0 - eccentricity * jnp.cos(anomaly))
        return anomaly - correction, correction, count + 1

    start = mean_anomaly + eccentricity * jnp.sin(mean_anomaly)
    return jax.lax.while_loop(unfinished, improve, (start, jnp.ones_like(start), jnp.zeros((), jnp.int32)))[0]


def build(*, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``kepler``."""
    return Problem(
        name="kepler",
        fun=eccentric_anomaly,
        args=scalars((1.0, 0.6), dtype),
        argnums=(0, 1),
        reference="J. Kepler, Astronomia nova (1609); J. M. A. Danby, Fundamentals of Celestial Mechanics (1988)",
        description="mean anomaly and eccentricity (2 scalars) to the eccentric anomaly (1 scalar)",
    )
