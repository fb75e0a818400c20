"""Roe's approximate Riemann solver for the three-dimensional Euler equations, through a face normal to x."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from elimax.zoo.problem import Problem, float_dtype, scalars

HEAT_RATIO = 1.4
_LEFT, _RIGHT = (1.0, 0.3, -0.1, 0.2, 2.6), (0.6, 0.1, 0.2, -0.1, 1.7)

Vector = Any
"""Three scalars in a tuple, or one array [3]."""

State = tuple[jax.Array, Vector, jax.Array]
"""Density, momentum and energy."""


def scalar_flux(
    density_l: jax.Array,
    x_momentum_l: jax.Array,
    y_momentum_l: jax.Array,
    z_momentum_l: jax.Array,
    energy_l: jax.Array,
    density_r: jax.Array,
    x_momentum_r: jax.Array,
    y_momentum_r: jax.Array,
    z_momentum_r: jax.Array,
    energy_r: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]:
    """The numerical flux with every component a scalar: conserved variables left and right, all [], to 5 fluxes []."""
    left = (density_l, (x_momentum_l, y_momentum_l, z_momentum_l), energy_l)
    right = (density_r, (x_momentum_r, y_momentum_r, z_momentum_r), energy_r)
    mass, momentum, energy = _flux(left, right, _dot_components, _along_x_components)
    return (mass, *momentum, energy)


def vector_flux(
    density_l: jax.Array,
    momentum_l: jax.Array,
    energy_l: jax.Array,
    density_r: jax.Array,
    momentum_r: jax.Array,
    energy_r: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The same flux with the momenta and the momentum flux as arrays [3]."""
    left, right = (density_l, momentum_l, energy_l), (density_r, momentum_r, energy_r)
    return _flux(left, right, lambda a, b: jnp.sum(a * b), lambda vector, step: vector.at[0].add(step))


def _flux(left: State, right: State, dot: Callable, along_x: Callable) -> tuple[jax.Array, Vector, jax.Array]:
    """Half the sum of the physical fluxes, less the jumps that the five waves carry.

    Args:
      left: density [], momentum (a vector) and energy [] of the left state.
      right: the same of the right state.
      dot: the inner product of two vectors.
      along_x: adds a scalar to the first component of a vector.
    """
    velocity_l, pressure_l, enthalpy_l = _primitive(*left, dot)
    velocity_r, pressure_r, enthalpy_r = _primitive(*right, dot)

    root_l, root_r = jnp.sqrt(left[0]), jnp.sqrt(right[0])
    weight = root_l + root_r
    density = root_l * root_r
    velocity = _combine(lambda a, b: (root_l * a + root_r * b) / weight, velocity_l, velocity_r)
    enthalpy = (root_l * enthalpy_l + root_r * enthalpy_r) / weight
    kinetic = 0.5 * dot(velocity, velocity)
    sound_squared = (HEAT_RATIO - 1.0) * (enthalpy - kinetic)
    sound = jnp.sqrt(sound_squared)

    normal = velocity[0]
    pressure_jump = pressure_r - pressure_l
    velocity_jump = _combine(jnp.subtract, velocity_r, velocity_l)
    impulse_jump = density * sound * velocity_jump[0]
    slow = jnp.abs(normal - sound) * (pressure_jump - impulse_jump) / (2.0 * sound_squared)
    fast = jnp.abs(normal + sound) * (pressure_jump + impulse_jump) / (2.0 * sound_squared)
    entropy = jnp.abs(normal) * (right[0] - left[0] - pressure_jump / sound_squared)
    # Shear waves carry the tangential part of the velocity jump: what is left without its x component.
    carried_density = jnp.abs(normal) * density
    shear = along_x(_combine(lambda a: carried_density * a, velocity_jump), -carried_density * velocity_jump[0])

    total = slow + entropy + fast
    acoustic = (fast - slow) * sound
    mass = left[1][0] + right[1][0] - total
    momentum = _combine(
        lambda ml, mr, v, s: ml * velocity_l[0] + mr * velocity_r[0] - (total * v + s),
        left[1],
        right[1],
        velocity,
        shear,
    )
    momentum = along_x(momentum, pressure_l + pressure_r - acoustic)
    energy = (
        left[1][0] * enthalpy_l
        + right[1][0] * enthalpy_r
        - ((slow + fast) * enthalpy + acoustic * normal + entropy * kinetic + dot(velocity, shear))
    )
    return 0.5 * mass, _combine(lambda a: 0.5 * a, momentum), 0.5 * energy


def _primitive(
    density: jax.Array, momentum: Vector, energy: jax.Array, dot: Callable
) -> tuple[Vector, jax.Array, jax.Array]:
    velocity = _combine(lambda m: m / density, momentum)
    pressure = (HEAT_RATIO - 1.0) * (energy - 0.5 * dot(momentum, velocity))
    return velocity, pressure, (energy + pressure) / density


def _combine(fun: Callable, *vectors: Vector) -> Vector:
    """Applies a function to corresponding components, or to the arrays at once."""
    return jax.tree.map(fun, *vectors)


def _dot_components(a: Vector, b: Vector) -> jax.Array:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _along_x_components(vector: Vector, step: jax.Array) -> Vector:
    return (vector[0] + step, vector[1], vector[2])


def build(*, vectors: bool = False, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``roe_flux_3d``.

    Args:
      vectors: momenta as arrays [3] (6 arguments, 3 results) in place of scalars (10 arguments, 5 results).
      dtype: of the example arguments; JAX's default floating dtype when None.
    """
    if vectors:
        kind = float_dtype(dtype)
        states = [(state[0], state[1:4], state[4]) for state in (_LEFT, _RIGHT)]
        args = tuple(np.asarray(part, kind) for state in states for part in state)
    else:
        args = scalars(_LEFT + _RIGHT, dtype)
    return Problem(
        name="roe_flux_3d",
        fun=vector_flux if vectors else scalar_flux,
        args=args,
        argnums=tuple(range(len(args))),
        reference="P. L. Roe, J. Comput. Phys. 43 (1981) 357-372; E. F. Toro, Riemann Solvers (2009), section 11.2",
        description="conserved variables left and right of a face (10 numbers) to the Roe flux through it (5 numbers)",
    )
