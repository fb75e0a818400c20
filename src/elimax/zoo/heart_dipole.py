"""The human heart dipole problem."""

from __future__ import annotations

import jax
import numpy.typing as npt

from elimax.zoo.problem import Problem, scalars

# Measured moments: sum of the x and y dipoles, then A .. F, for the first of the published data sets.
SUM_X, SUM_Y = 0.485, -0.0019
MOMENTS = (-0.0581, 0.015, 0.105, 0.0406, 0.167, -0.399)


def residual(
    x1: jax.Array,
    x2: jax.Array,
    x3: jax.Array,
    x4: jax.Array,
    x5: jax.Array,
    x6: jax.Array,
    x7: jax.Array,
    x8: jax.Array,
) -> tuple[jax.Array, ...]:
    """Residuals of the eight moment equations of two dipoles.

    With the complex strengths ``p = (x1 + i x3, x2 + i x4)`` and places ``q = (x5 + i x7, x6 + i x8)`` the equations
    say that ``sum_k p_k q_k^n`` has given values for n = 0, 1, 2, 3.

    Args:
      x1: first component [] of the first dipole's strength.
      x2: first component of the second dipole's strength.
      x3: second component of the first dipole's strength.
      x4: second component of the second dipole's strength.
      x5: first coordinate of the first dipole.
      x6: first coordinate of the second dipole.
      x7: second coordinate of the first dipole.
      x8: second coordinate of the second dipole.

    Returns:
      Eight residuals, each [].
    """
    a, b, c, d, e, f = MOMENTS
    # Squares and cubes are written as products, as in the published code.
    square_1, square_2 = x5 * x5 - x7 * x7, x6 * x6 - x8 * x8
    cross_1, cross_2 = 2.0 * x5 * x7, 2.0 * x6 * x8
    cube_1, cube_2 = x5 * (x5 * x5 - 3.0 * (x7 * x7)), x6 * (x6 * x6 - 3.0 * (x8 * x8))
    twist_1, twist_2 = x7 * (x7 * x7 - 3.0 * (x5 * x5)), x8 * (x8 * x8 - 3.0 * (x6 * x6))
    return (
        x1 + x2 - SUM_X,
        x3 + x4 - SUM_Y,
        x5 * x1 + x6 * x2 - x7 * x3 - x8 * x4 - a,
        x7 * x1 + x8 * x2 + x5 * x3 + x6 * x4 - b,
        x1 * square_1 - x3 * cross_1 + x2 * square_2 - x4 * cross_2 - c,
        x3 * square_1 + x1 * cross_1 + x4 * square_2 + x2 * cross_2 - d,
        x1 * cube_1 + x3 * twist_1 + x2 * cube_2 + x4 * twist_2 - e,
        x3 * cube_1 - x1 * twist_1 + x4 * cube_2 - x2 * twist_2 - f,
    )


def build(*, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``human_heart_dipole``."""
    return Problem(
        name="human_heart_dipole",
        fun=residual,
        args=scalars((0.299, 0.186, -0.0273, 0.0254, -0.474, 0.474, -0.0892, 0.0892), dtype),
        argnums=tuple(range(8)),
        reference="B. M. Averick et al., The MINPACK-2 Test Problem Collection (1992), human heart dipole",
        description="strengths and places of two dipoles (8 scalars) to the residuals of 8 moment equations",
    )
