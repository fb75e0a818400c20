"""Steady state of a solid fuel that heats itself (the Bratu problem), on a grid."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from elimax.zoo.problem import Problem, float_dtype


def residual(temperature: jax.Array, *, reactivity: float = 5.0) -> jax.Array:
    """Stationarity of the energy ``integral of |grad v|^2 / 2 - reactivity exp(v)`` over the unit square.

    Piecewise linear elements on a uniform triangulation, with the exponential integrated by its values at the
    corners, give the five-point scheme; v = 0 on the border.

    Args:
      temperature: v at the inner points, [rows, columns].
      reactivity: the Frank-Kamenetskii parameter.

    Returns:
      The partial derivatives of the energy, [rows, columns].
    """
    rows, columns = temperature.shape
    height, width = 1.0 / (rows + 1), 1.0 / (columns + 1)
    framed = jnp.pad(temperature, 1)
    middle = 2.0 * temperature
    across = (middle - framed[1:-1, :-2] - framed[1:-1, 2:]) * (height / width)
    along = (middle - framed[:-2, 1:-1] - framed[2:, 1:-1]) * (width / height)
    return across + along - (reactivity * height * width) * jnp.exp(temperature)


def build(*, rows: int = 8, columns: int = 8, reactivity: float = 5.0, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``steady_state_combustion``.

    Args:
      rows: number of inner grid points along the first axis.
      columns: number of inner grid points along the second axis.
      reactivity: the Frank-Kamenetskii parameter; there is no steady state above about 6.808.
      dtype: of the example argument; JAX's default floating dtype when None.
    """
    y, x = np.meshgrid(np.arange(1, rows + 1) / (rows + 1), np.arange(1, columns + 1) / (columns + 1), indexing="ij")
    start = reactivity / (reactivity + 1.0) * np.sqrt(np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)))
    return Problem(
        name="steady_state_combustion",
        fun=functools.partial(residual, reactivity=reactivity),
        args=(start.astype(float_dtype(dtype)),),
        argnums=0,
        reference=(
            "B. M. Averick et al., The MINPACK-2 Test Problem Collection (1992), steady state combustion; "
            "R. Aris, The Mathematical Theory of Diffusion and Reaction in Permeable Catalysts (1975)"
        ),
        description="temperatures on a grid [rows, columns] to the residuals of the five-point scheme [rows, columns]",
    )
