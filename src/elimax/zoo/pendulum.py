"""A damped pendulum integrated by the classical Runge-Kutta method, in a scan."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from elimax.zoo.problem import Problem, float_dtype


def trajectory_end(state: jax.Array, parameters: jax.Array, *, steps: int = 10, step: float = 0.05) -> jax.Array:
    """State of the pendulum after some steps.

    Args:
      state: angle and angular velocity, [2].
      parameters: square of the natural frequency, and damping, [2].
      steps: number of steps.
      step: length of each in time.

    Returns:
      Angle and angular velocity, [2].
    """

    def advance(state: jax.Array, _: None) -> tuple[jax.Array, None]:
        k1 = velocity(state, parameters)
        k2 = velocity(state + 0.5 * step * k1, parameters)
        k3 = velocity(state + 0.5 * step * k2, parameters)
        k4 = velocity(state + step * k3, parameters)
        return state + (step / 6.0) * (k1 + 2.0 * k2 + 2.0 * k3 + k4), None

    return jax.lax.scan(advance, jnp.asarray(state), None, length=steps)[0]


def velocity(state: jax.Array, parameters: jax.Array) -> jax.Array:
    """Time derivative [2] of the state [2]."""
    return jnp.stack([state[1], -parameters[0] * jnp.sin(state[0]) - parameters[1] * state[1]])


def build(*, steps: int = 10, step: float = 0.05, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``rk4_pendulum``.

    Args:
      steps: number of steps.
      step: length of each in time.
      dtype: of the example arguments; JAX's default floating dtype when None.
    """
    kind = float_dtype(dtype)
    return Problem(
        name="rk4_pendulum",
        fun=functools.partial(trajectory_end, steps=steps, step=step),
        args=(np.asarray((1.2, 0.1), kind), np.asarray((9.81, 0.1), kind)),
        argnums=(0, 1),
        reference="W. Kutta, Z. Math. Phys. 46 (1901) 435-453",
        description="initial state [2] and parameters [2] of a pendulum to its state [2] after the given steps",
    )
