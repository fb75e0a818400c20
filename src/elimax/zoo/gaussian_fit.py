"""Fit of an exponential and three Gaussians to 65 measurements (Osborne's second problem)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from elimax.zoo.problem import Problem, float_dtype

# fmt: off
MEASUREMENTS = (
    1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608,
    0.655, 0.616, 0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661,
    0.612, 0.558, 0.533, 0.495, 0.500, 0.423, 0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428,
    0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559,
    0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054,
)
# fmt: on


def residual(parameters: jax.Array) -> jax.Array:
    """Measurements less the model at times 0, 0.1, .. 6.4.

    Args:
      parameters: [11] four amplitudes, one rate, three sharpnesses and three centres.

    Returns:
      The residuals, [65].
    """
    measured = jnp.asarray(MEASUREMENTS, parameters.dtype)
    time = jnp.arange(measured.size, dtype=parameters.dtype) / 10.0
    model = parameters[0] * jnp.exp(-parameters[4] * time)
    for k in range(1, 4):
        model = model + parameters[k] * jnp.exp(-parameters[4 + k] * (time - parameters[7 + k]) ** 2)
    return measured - model


def build(*, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``gaussian_data_fitting``."""
    start = np.asarray((1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5), float_dtype(dtype))
    return Problem(
        name="gaussian_data_fitting",
        fun=residual,
        args=(start,),
        argnums=0,
        reference=(
            "B. M. Averick et al., The MINPACK-2 Test Problem Collection (1992), Gaussian data fitting; "
            "M. R. Osborne, in Numerical Methods for Nonlinear Optimization (1972) 171-189"
        ),
        description="11 parameters of a sum of an exponential and three Gaussians to the residuals of 65 measurements",
    )
