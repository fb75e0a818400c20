"""Roe's approximate Riemann solver for the one-dimensional Euler equations."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy.typing as npt

from elimax.zoo.problem import Problem, scalars

HEAT_RATIO = 1.4


def flux(
    density_l: jax.Array,
    momentum_l: jax.Array,
    energy_l: jax.Array,
    density_r: jax.Array,
    momentum_r: jax.Array,
    energy_r: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The numerical flux between a left and a right state of an ideal gas.

    Args:
      density_l: density [] of the left state.
      momentum_l: momentum per volume [].
      energy_l: total energy per volume [].
      density_r: the same of the right state.
      momentum_r: the same of the right state.
      energy_r: the same of the right state.

    Returns:
      The fluxes of mass, momentum and energy, each [].
    """
    velocity_l, pressure_l, enthalpy_l = _primitive(density_l, momentum_l, energy_l)
    velocity_r, pressure_r, enthalpy_r = _primitive(density_r, momentum_r, energy_r)

    # Roe averages.
    root_l, root_r = jnp.sqrt(density_l), jnp.sqrt(density_r)
    weight = root_l + root_r
    density = root_l * root_r
    velocity = (root_l * velocity_l + root_r * velocity_r) / weight
    enthalpy = (root_l * enthalpy_l + root_r * enthalpy_r) / weight
    kinetic = 0.5 * velocity * velocity
    sound_squared = (HEAT_RATIO - 1.0) * (enthalpy - kinetic)
    sound = jnp.sqrt(sound_squared)

    # Strengths of the two acoustic waves and of the contact, times the speed at which each is carried.
    pressure_jump = pressure_r - pressure_l
    impulse_jump = density * sound * (velocity_r - velocity_l)
    slow = jnp.abs(velocity - sound) * (pressure_jump - impulse_jump) / (2.0 * sound_squared)
    fast = jnp.abs(velocity + sound) * (pressure_jump + impulse_jump) / (2.0 * sound_squared)
    contact = jnp.abs(velocity) * (density_r - density_l - pressure_jump / sound_squared)

    mass = momentum_l + momentum_r - (slow + contact + fast)
    momentum = (
        momentum_l * velocity_l
        + pressure_l
        + momentum_r * velocity_r
        + pressure_r
        - (slow * (velocity - sound) + contact * velocity + fast * (velocity + sound))
    )
    carried = velocity * sound
    energy = (
        momentum_l * enthalpy_l
        + momentum_r * enthalpy_r
        - (slow * (enthalpy - carried) + contact * kinetic + fast * (enthalpy + carried))
    )
    return 0.5 * mass, 0.5 * momentum, 0.5 * energy


def _primitive(density: jax.Array, momentum: jax.Array, energy: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Velocity, pressure and enthalpy of an ideal gas."""
    velocity = momentum / density
    pressure = (HEAT_RATIO - 1.0) * (energy - 0.5 * momentum * velocity)
    return velocity, pressure, (energy + pressure) / density


def build(*, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``roe_flux_1d``."""
    return Problem(
        name="roe_flux_1d",
        fun=flux,
        args=scalars((1.0, 0.3, 2.6, 0.6, 0.1, 1.7), dtype),
        argnums=(0, 1, 2, 3, 4, 5),
        reference="P. L. Roe, J. Comput. Phys. 43 (1981) 357-372",
        description="conserved variables left and right of a face (6 scalars) to the Roe flux through it (3 scalars)",
    )
