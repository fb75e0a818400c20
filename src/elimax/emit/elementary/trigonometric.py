"""Sine, cosine and tangent for arguments up to `LIMIT`.

The argument less the nearest multiple of pi/2 is formed from pi/2 in parts of so few bits that their products with the
multiple are exact (Cody and Waite, Software Manual for the Elementary Functions, 1980), with the errors of the sums
kept. Infinities and NaN give NaN; larger arguments are the caller's business.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from elimax.emit.elementary.arithmetic import (
    constants,
    fast_two_sum,
    low_bits,
    nearest,
    polynomial,
    sign_bit,
    two_sum,
    with_sign,
)

LIMIT = {np.dtype(np.float32): 1e4, np.dtype(np.float64): 1e6}
"""Largest argument by dtype."""

_TINY = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-9}
"""Below this, sine and tangent equal their argument; arithmetic would flush subnormal ones."""


def _reduced(size: Any) -> tuple[Any, Any, Any]:
    """Remainder in two parts of a non-negative number by pi/2, and the bits of the multiple."""
    (scale,) = constants(size, "TWO_OVER_PI")
    *parts, last = constants(size, "HALF_PI")
    count = nearest(size * scale)
    high, low = size - count * parts[0], jnp.zeros_like(size)  # exact: two numbers within a factor of two
    for part in parts[1:]:
        high, error = two_sum(high, -(count * part))
        low = low + error
    high, low = fast_two_sum(high, low - count * last)
    return high, low, low_bits(count)


def _both(high: Any, low: Any) -> tuple[Any, Any]:
    """Sine and cosine on [-pi/4, pi/4]."""
    z = high * high
    half = 0.5 * z
    sine = high + (high * z * polynomial(z, "SINE") + low * (1 - half))
    near = 1 - half
    cosine = near + ((1 - near - half) + (z * z * polynomial(z, "COSINE") - high * low))
    return sine, cosine


def _top(bits: Any, place: int) -> Any:
    """An integer whose highest bit is the bit of ``bits`` at a place."""
    width = np.iinfo(bits.dtype).bits
    return (bits << (width - 1 - place)) & np.iinfo(bits.dtype).min


def sin(x: Any) -> Any:
    """Sine of an array, for ``abs(x) <= LIMIT``."""
    high, low, bits = _reduced(jnp.abs(x))
    sine, cosine = _both(high, low)
    result = with_sign(jnp.where(bits & 1 != 0, cosine, sine), _top(bits, 1) ^ sign_bit(x))
    return jnp.where(jnp.abs(x) < _TINY[np.dtype(x.dtype)], x, result)


def cos(x: Any) -> Any:
    """Cosine of an array, for ``abs(x) <= LIMIT``."""
    high, low, bits = _reduced(jnp.abs(x))
    sine, cosine = _both(high, low)
    return with_sign(jnp.where(bits & 1 != 0, sine, cosine), _top(bits, 1) ^ _top(bits, 0))


def tan(x: Any) -> Any:
    """Tangent of an array, for ``abs(x) <= LIMIT``."""
    high, low, bits = _reduced(jnp.abs(x))
    sine, cosine = _both(high, low)
    odd = bits & 1 != 0
    result = jnp.where(odd, cosine, sine) / jnp.where(odd, sine, cosine)
    result = with_sign(result, _top(bits, 0) ^ sign_bit(x))
    return jnp.where(jnp.abs(x) < _TINY[np.dtype(x.dtype)], x, result)
