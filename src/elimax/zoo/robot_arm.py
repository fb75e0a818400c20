"""Forward kinematics of a six-axis arm with a spherical wrist."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy.typing as npt

from elimax.zoo.problem import Problem, scalars

# Lengths in metres of the PUMA 560, named as in Craig's table of link parameters.
A2, A3, D3, D4 = 0.4318, 0.0203, 0.1491, 0.4331


def pose(
    t1: jax.Array, t2: jax.Array, t3: jax.Array, t4: jax.Array, t5: jax.Array, t6: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]:
    """Position of the wrist and orientation of the hand for the six joint angles.

    The rotation of the hand is ``Rz(yaw) @ Ry(pitch) @ Rx(roll)`` (Tait-Bryan angles).

    Args:
      t1: angle [] of the first joint, in radians.
      t2: of the second joint.
      t3: of the third joint.
      t4: of the fourth joint.
      t5: of the fifth joint.
      t6: of the sixth joint.

    Returns:
      x, y, z in metres, then yaw, pitch, roll in radians, each [].
    """
    s1, c1 = jnp.sin(t1), jnp.cos(t1)
    s2, c2 = jnp.sin(t2), jnp.cos(t2)
    s23, c23 = jnp.sin(t2 + t3), jnp.cos(t2 + t3)
    s4, c4 = jnp.sin(t4), jnp.cos(t4)
    s5, c5 = jnp.sin(t5), jnp.cos(t5)
    s6, c6 = jnp.sin(t6), jnp.cos(t6)

    # Columns of the wrist's rotation, seen from the fourth joint; the first one is the approach for joint six at zero.
    along = c4 * c5 * c6 - s4 * s6
    aside = s4 * c5 * c6 + c4 * s6
    across = -(c4 * c5 * s6) - s4 * c6

    lifted = c23 * along - s23 * s5 * c6
    r11 = c1 * lifted + s1 * aside
    r21 = s1 * lifted - c1 * aside
    r31 = -(s23 * along) - c23 * s5 * c6
    r32 = c23 * s5 * s6 - s23 * across
    r33 = s23 * c4 * s5 - c23 * c5

    reach = A2 * c2 + A3 * c23 - D4 * s23
    x = c1 * reach - D3 * s1
    y = s1 * reach + D3 * c1
    z = -(A3 * s23) - A2 * s2 - D4 * c23

    yaw = jnp.arctan2(r21, r11)
    pitch = jnp.arctan2(-r31, jnp.sqrt(r11 * r11 + r21 * r21))
    roll = jnp.arctan2(r32, r33)
    return x, y, z, yaw, pitch, roll


def build(*, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``robot_arm_6dof``."""
    return Problem(
        name="robot_arm_6dof",
        fun=pose,
        args=scalars((0.4, -0.7, 1.1, 0.3, 0.9, -0.5), dtype),
        argnums=(0, 1, 2, 3, 4, 5),
        reference="J. J. Craig, Introduction to Robotics, 3rd ed. (2005), section 3.7",
        description="six joint angles to the position (3 scalars) and the Tait-Bryan angles (3 scalars) of the hand",
    )
