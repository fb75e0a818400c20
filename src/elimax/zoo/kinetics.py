"""Two stiff reaction kinetics: Robertson's autocatalysis and the high irradiance response of plants."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from elimax.zoo.problem import Problem, float_dtype


def robertson(concentrations: jax.Array, rates: jax.Array) -> jax.Array:
    """Rates of change of three species.

    Args:
      concentrations: [3].
      rates: constants of the reactions A -> B, B + B -> C + B, B + C -> A + C, [3].

    Returns:
      Time derivatives of the concentrations, [3].
    """
    a, b, c = concentrations
    slow, fast, back = rates[0] * a, rates[1] * b * b, rates[2] * b * c
    return jnp.stack([back - slow, slow - back - fast, fast])


def hires(concentrations: jax.Array) -> jax.Array:
    """Rates of change of eight species of phytochrome.

    Args:
      concentrations: [8].

    Returns:
      Time derivatives of the concentrations, [8].
    """
    return jnp.stack(hires_components(*concentrations))


def hires_components(
    y1: jax.Array,
    y2: jax.Array,
    y3: jax.Array,
    y4: jax.Array,
    y5: jax.Array,
    y6: jax.Array,
    y7: jax.Array,
    y8: jax.Array,
) -> list[jax.Array]:
    """The same with every concentration and rate a scalar []."""
    bound = 280.0 * y6 * y8 - 1.81 * y7
    return [
        -1.71 * y1 + 0.43 * y2 + 8.32 * y3 + 0.0007,
        1.71 * y1 - 8.75 * y2,
        -10.03 * y3 + 0.43 * y4 + 0.035 * y5,
        8.32 * y2 + 1.71 * y3 - 1.12 * y4,
        -1.745 * y5 + 0.43 * y6 + 0.43 * y7,
        -280.0 * y6 * y8 + 0.69 * y4 + 1.71 * y5 - 0.43 * y6 + 0.69 * y7,
        bound,
        -bound,
    ]


def build_robertson(*, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``robertson``."""
    kind = float_dtype(dtype)
    return Problem(
        name="robertson",
        fun=robertson,
        args=(np.asarray((0.9, 2e-5, 0.1), kind), np.asarray((0.04, 3e7, 1e4), kind)),
        argnums=0,
        reference="H. H. Robertson, in Numerical Analysis: An Introduction, ed. J. Walsh (1966) 178-182",
        description="concentrations [3] (and rate constants [3]) to their rates of change [3]",
    )


def build_hires(*, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``hires``."""
    start = np.asarray((0.1, 0.02, 0.01, 0.2, 0.3, 0.4, 0.005, 0.0007), float_dtype(dtype))
    return Problem(
        name="hires",
        fun=hires,
        args=(start,),
        argnums=0,
        reference=(
            "E. Schaefer, J. Math. Biol. 2 (1975) 41-56; "
            "E. Hairer and G. Wanner, Solving Ordinary Differential Equations II, 2nd ed. (1996), section IV.10"
        ),
        description="concentrations of eight species [8] to their rates of change [8]",
    )
