"""Equilibrium of propane burning in air, full formulation."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy.typing as npt

from elimax.zoo.problem import Problem, scalars

PRESSURE = 40.0
AIR_RATIO = 10.0
# Equilibrium constants of the reactions of equations 5 to 10.
K5, K6, K7, K8, K9, K10 = 0.193, 2.597e-3, 3.448e-3, 1.799e-5, 2.155e-4, 3.846e-5


def residual(
    co2: jax.Array,
    h2o: jax.Array,
    n2: jax.Array,
    co: jax.Array,
    h2: jax.Array,
    h: jax.Array,
    oh: jax.Array,
    o: jax.Array,
    no: jax.Array,
    o2: jax.Array,
    total: jax.Array,
) -> tuple[jax.Array, ...]:
    """Residuals of four balances of atoms, six equilibria and the sum of all products.

    Args:
      co2: moles [] of carbon dioxide for each mole of propane.
      h2o: of water.
      n2: of nitrogen.
      co: of carbon monoxide.
      h2: of hydrogen.
      h: of atomic hydrogen.
      oh: of hydroxyl.
      o: of atomic oxygen.
      no: of nitric oxide.
      o2: of oxygen.
      total: of all products together.

    Returns:
      Eleven residuals, each [].
    """
    pressure = PRESSURE / total
    root_pressure = jnp.sqrt(pressure)
    return (
        co2 + co - 3.0,
        2.0 * co2 + h2o + co + oh + o + no + 2.0 * o2 - AIR_RATIO,
        2.0 * h2o + 2.0 * h2 + h + oh - 8.0,
        2.0 * n2 + no - 4.0 * AIR_RATIO,
        K5 * h2o * co - co2 * h2,
        K6 * jnp.sqrt(h2o * co) - jnp.sqrt(co2) * h * root_pressure,
        K7 * jnp.sqrt(co2 * h2o) - jnp.sqrt(co) * oh * root_pressure,
        K8 * co2 - co * o * pressure,
        K9 * co2 * jnp.sqrt(n2) - co * no * root_pressure,
        K10 * (co2 * co2) - (co * co) * o2 * pressure,
        total - (co2 + h2o + n2 + co + h2 + h + oh + o + no + o2),
    )


def build(*, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``propane_combustion``."""
    return Problem(
        name="propane_combustion",
        fun=residual,
        args=scalars((2.0, 3.0, 18.0, 1.0, 0.3, 0.02, 0.05, 0.01, 0.1, 0.2, 25.0), dtype),
        argnums=tuple(range(11)),
        reference=(
            "K. Meintjes and A. P. Morgan, ACM Trans. Math. Softw. 16 (1990) 143-151; "
            "B. M. Averick et al., The MINPACK-2 Test Problem Collection (1992), combustion of propane"
        ),
        description="amounts of ten products and their total (11 scalars) to the residuals of 11 equations",
    )
