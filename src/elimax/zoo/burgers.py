"""One implicit step of the viscous Burgers equation."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from elimax.zoo.problem import Problem, float_dtype


def residual(new: jax.Array, old: jax.Array, *, viscosity: float = 0.02, step: float = 0.01) -> jax.Array:
    """Residual of a backward Euler step on a periodic grid of length 1, in conservation form.

    (new - old) / step + d/dx (new^2 / 2 - viscosity d new/dx), with central fluxes at the cell faces.

    Args:
      new: velocities at the end of the step, [N].
      old: velocities at its start, [N].
      viscosity: kinematic viscosity.
      step: length of the step in time.

    Returns:
      The residual, [N].
    """
    following = jnp.roll(new, -1)
    flux = 0.25 * (new * new + following * following) - (viscosity * new.size) * (following - new)
    return (new - old) / step + new.size * (flux - jnp.roll(flux, 1))


def build(
    *, points: int = 16, viscosity: float = 0.02, step: float = 0.01, dtype: npt.DTypeLike | None = None
) -> Problem:
    """The problem ``burgers_1d``.

    Args:
      points: number of cells.
      viscosity: kinematic viscosity.
      step: length of the step in time.
      dtype: of the example arguments; JAX's default floating dtype when None.
    """
    x = (np.arange(points) + 0.5) / points
    old = 1.0 + 0.5 * np.sin(2.0 * np.pi * x)
    new = 1.0 + 0.5 * np.sin(2.0 * np.pi * (x - step))
    kind = float_dtype(dtype)
    return Problem(
        name="burgers_1d",
        fun=functools.partial(residual, viscosity=viscosity, step=step),
        args=(new.astype(kind), old.astype(kind)),
        argnums=0,
        reference="J. M. Burgers, Adv. Appl. Mech. 1 (1948) 171-199",
        description="velocities after and before a step on a periodic grid [points] to the step's residual [points]",
    )
