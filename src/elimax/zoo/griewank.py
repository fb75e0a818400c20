"""Two small examples for vertex elimination: the lighthouse and the hole."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy.typing as npt

from elimax.zoo.problem import Problem, scalars

_BOOK = "A. Griewank and A. Walther, Evaluating Derivatives, 2nd ed. (2008)"


def lighthouse(distance: jax.Array, slope: jax.Array, speed: jax.Array, time: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Where the beam of a turning lighthouse meets a quay that runs slantwise.

    Args:
      distance: from the lighthouse to the quay along the first axis, [].
      slope: of the quay, [].
      speed: angular speed of the beam, [].
      time: [].

    Returns:
      The coordinates of the spot of light, each [].
    """
    beam = jnp.tan(speed * time)
    along = distance * beam / (slope - beam)
    return along, slope * along


def hole(
    first: jax.Array, second: jax.Array, third: jax.Array, fourth: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Two branches that share a product, part, and meet again in every result.

    The graph has 4 inputs, 5 intermediates and 3 outputs: a hole between the branches, closed by a complete
    bipartite layer.

    Args:
      first: enters the left branch alone, [].
      second: a factor of what the branches share, [].
      third: the other factor, [].
      fourth: enters the right branch alone, [].

    Returns:
      Three combinations of both branches, each [].
    """
    shared = second * third
    left, right = jnp.sin(first * shared), jnp.cos(shared * fourth)
    return left * right, left / right, left + right


def build_lighthouse(*, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``lighthouse``."""
    return Problem(
        name="lighthouse",
        fun=lighthouse,
        args=scalars((1.5, 2.0, 0.5, 0.8), dtype),
        argnums=(0, 1, 2, 3),
        reference=f"{_BOOK}, chapter 2",
        description="distance, slope, angular speed and time (4 scalars) to a point on the quay (2 scalars)",
    )


def build_hole(*, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``hole``."""
    return Problem(
        name="hole",
        fun=hole,
        args=scalars((0.7, 0.9, 0.6, 1.2), dtype),
        argnums=(0, 1, 2, 3),
        reference=f"{_BOOK}, chapters 9 and 10",
        description="4 scalars through two branches of 5 intermediates that meet again in 3 scalars",
    )
