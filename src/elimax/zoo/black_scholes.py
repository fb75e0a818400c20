"""Price of a European call in the model of Black and Scholes, and its first-order Greeks."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy.typing as npt

from elimax.zoo.problem import Problem, scalars

_REFERENCE = "F. Black and M. Scholes, J. Polit. Econ. 81 (1973) 637-654"
_EXAMPLE = (1.1, 1.0, 0.05, 0.25, 0.75)


def price(spot: jax.Array, strike: jax.Array, rate: jax.Array, volatility: jax.Array, maturity: jax.Array) -> jax.Array:
    """Price of a European call on a stock without dividends.

    Args:
      spot: price [] of the stock now.
      strike: price at which the option buys.
      rate: continuously compounded interest, per year.
      volatility: of the stock, per square root of a year.
      maturity: time to expiry, in years.

    Returns:
      The price, [].
    """
    spread = volatility * jnp.sqrt(maturity)
    d1 = (jnp.log(spot / strike) + (rate + 0.5 * volatility * volatility) * maturity) / spread
    d2 = d1 - spread
    return spot * _normal_cdf(d1) - strike * jnp.exp(-rate * maturity) * _normal_cdf(d2)


def greeks(
    spot: jax.Array, strike: jax.Array, rate: jax.Array, volatility: jax.Array, maturity: jax.Array
) -> tuple[jax.Array, ...]:
    """The five first-order sensitivities of ``price``, each []; their Jacobian holds the second-order Greeks."""
    return jax.grad(price, argnums=(0, 1, 2, 3, 4))(spot, strike, rate, volatility, maturity)


def _normal_cdf(x: jax.Array) -> jax.Array:
    return 0.5 * (1.0 + jax.lax.erf(x * 0.5**0.5))


def build_price(*, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``black_scholes``."""
    return Problem(
        name="black_scholes",
        fun=price,
        args=scalars(_EXAMPLE, dtype),
        argnums=(0, 1, 2, 3, 4),
        reference=_REFERENCE,
        description="spot, strike, rate, volatility and maturity (5 scalars) to the price of a call (1 scalar)",
    )


def build_jacobian(*, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``black_scholes_jacobian``."""
    return Problem(
        name="black_scholes_jacobian",
        fun=greeks,
        args=scalars(_EXAMPLE, dtype),
        argnums=(0, 1, 2, 3, 4),
        reference=_REFERENCE,
        description="spot, strike, rate, volatility and maturity (5 scalars) to the first-order Greeks (5 scalars)",
    )
