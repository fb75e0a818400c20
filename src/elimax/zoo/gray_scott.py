"""A reaction and diffusion of two species in two dimensions."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from elimax.zoo.problem import Problem, float_dtype


def residual(
    concentrations: jax.Array,
    *,
    feed: float = 0.035,
    removal: float = 0.06,
    diffusion: tuple[float, float] = (2.0, 1.0),
) -> jax.Array:
    """Rates of change on a square grid of spacing 1 without flux through its edges; zero at a steady state.

    u' = diffusion[0] lap u - u v^2 + feed (1 - u),  v' = diffusion[1] lap v + u v^2 - (feed + removal) v.

    Args:
      concentrations: u and v, [2, N, N].
      feed: rate at which u flows in and both flow out.
      removal: rate at which v decays.
      diffusion: of either species.

    Returns:
      The rates, [2, N, N].
    """
    u, v = concentrations
    reaction = u * v * v
    return jnp.stack(
        [
            diffusion[0] * _laplacian(u) - reaction + feed * (1.0 - u),
            diffusion[1] * _laplacian(v) + reaction - (feed + removal) * v,
        ]
    )


def _laplacian(values: jax.Array) -> jax.Array:
    framed = jnp.pad(values, 1, mode="edge")
    return framed[:-2, 1:-1] + framed[2:, 1:-1] + framed[1:-1, :-2] + framed[1:-1, 2:] - 4.0 * values


def build(
    *, points: int = 8, feed: float = 0.035, removal: float = 0.06, dtype: npt.DTypeLike | None = None
) -> Problem:
    """The problem ``gray_scott_2d``.

    Args:
      points: number of grid points along each side.
      feed: rate of inflow.
      removal: rate of decay.
      dtype: of the example argument; JAX's default floating dtype when None.
    """
    x = (np.arange(points) + 0.5) / points
    spot = np.exp(-20.0 * ((x[:, None] - 0.5) ** 2 + (x - 0.5) ** 2))
    start = np.stack([1.0 - 0.5 * spot, 0.25 * spot])
    return Problem(
        name="gray_scott_2d",
        fun=functools.partial(residual, feed=feed, removal=removal),
        args=(start.astype(float_dtype(dtype)),),
        argnums=0,
        reference="J. E. Pearson, Science 261 (1993) 189-192; P. Gray and S. K. Scott, Chem. Eng. Sci. 39 (1984) 1087",
        description="concentrations of two species on a grid [2, points, points] to their rates of change",
    )
