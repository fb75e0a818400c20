"""Powers and cube roots."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax.emit.elementary.arithmetic import (
    constants,
    fast_two_sum,
    from_bits,
    head,
    integer,
    is_zero,
    mantissa,
    nearest,
    polynomial,
    power_of_two,
    sign_bit,
    to_bits,
    with_sign,
)


def _logarithm(x: Any) -> tuple[Any, Any]:
    """Binary logarithm of a positive finite number, in two parts.

    With m the number scaled to [sqrt(1/2), sqrt(2)) and s = (m - 1) / (m + 1), log(m) = 2 s (1 + s^2/3 + s^4 R(s^2)).
    """
    width = mantissa(x)
    bits = to_bits(x)
    smallest = 1 << width
    # Arithmetic takes subnormal numbers for zero; their bits are a whole number of the smallest one.
    subnormal = bits < smallest
    bits = jnp.where(subnormal, to_bits(lax.convert_element_type(bits, x.dtype)), bits)
    start = np.asarray(0.5**0.5, x.dtype).view(integer(x))
    exponent = (bits - start) >> width
    m = from_bits(bits - (exponent << width), x.dtype)
    unit = int(jnp.finfo(x.dtype).minexp) - width
    k = lax.convert_element_type(lax.convert_element_type(exponent, np.int32), x.dtype)
    k = k + jnp.where(subnormal, float(unit), jnp.zeros_like(k))
    f = m - 1
    d = m + 1
    s_head = head(f / d)
    m_head = head(m)
    s_tail = (((f - s_head) - s_head * m_head) - s_head * (m - m_head)) / d
    z_head = s_head * s_head
    z_tail = s_tail * (s_head + (s_head + s_tail))
    z = z_head + z_tail
    third, _ = constants(x, "THIRD")
    w_head = head(z_head * third)
    w_tail = ((z_head - 3 * w_head) + z_tail) * third + z * z * polynomial(z, "LOGARITHM")
    v, error = fast_two_sum(s_head, s_head * w_head)
    tail = error + (s_tail + (s_head * w_tail + s_tail * (w_head + w_tail)))
    v_head = head(v)
    v_tail = (v - v_head) + tail
    short, rest = constants(x, "TWO_OVER_LN2")
    high, error = fast_two_sum(k, short * v_head)
    return high, error + (short * v_tail + rest * (v_head + v_tail))


def pow(x: Any, y: Any) -> Any:
    """``x`` to the power of ``y``; special cases are those of C."""
    size = jnp.abs(x)
    log, log_tail = _logarithm(size)
    y_head, log_head = head(y), head(log)
    product = y_head * log_head
    rest = y_head * ((log - log_head) + log_tail) + (y - y_head) * (log_head + ((log - log_head) + log_tail))
    bound = 1.25 * float(jnp.finfo(x.dtype).maxexp)
    outside = ~(jnp.abs(product) < bound)
    product = jnp.clip(product, -bound, bound)
    rest = jnp.where(outside, 0.0, rest)
    n = nearest(product + rest)
    (ln2,) = constants(x, "LN2")
    u = ((product - n) + rest) * ln2
    power = 1 + (u + u * u * polynomial(u, "EXPONENTIAL"))
    half = nearest(0.5 * n)
    result = power * power_of_two(half) * power_of_two(n - half)

    infinite = size == jnp.inf
    zero = is_zero(x)
    positive = to_bits(y) >= 0
    result = jnp.where(zero, jnp.where(positive, 0.0, jnp.full_like(x, jnp.inf)), result)
    result = jnp.where(infinite, jnp.where(positive, jnp.inf, jnp.zeros_like(x)), result)
    whole = (lax.floor(y) == y) & (jnp.abs(y) >= 1)  # comparisons take subnormal numbers for zero
    odd = whole & (lax.floor(0.5 * y) != 0.5 * y)
    negative = to_bits(x) < 0
    result = with_sign(result, jnp.where(odd & negative, sign_bit(x), 0))
    result = jnp.where(negative & ~whole & ~infinite & ~zero, jnp.nan, result)
    result = jnp.where((size == 1) & (jnp.abs(y) == jnp.inf), 1.0, result)
    result = jnp.where((x != x) | (y != y), jnp.nan, result)
    return jnp.where((x == 1) | is_zero(y), 1.0, result)


def cbrt(x: Any) -> Any:
    """Cube root of an array."""
    width = mantissa(x)
    size = jnp.abs(x)
    bits = to_bits(size)
    subnormal = bits < (1 << width)
    unit = int(jnp.finfo(x.dtype).minexp) - width
    up = unit % 3  # subnormal numbers are multiples of 2**unit, whose root is to be a power of two
    scaled = jnp.where(subnormal, lax.convert_element_type(bits, x.dtype) * 2.0**up, size)
    guess = head(lax.exp(lax.log(scaled) * (1 / 3)), (width + 1) // 2 - 3 if width > 23 else 11)
    quotient = scaled / (guess * guess)
    root = guess + guess * ((quotient - guess) / (2 * guess + quotient))
    root = jnp.where(subnormal, root * 2.0 ** ((unit - up) // 3), root)
    return jnp.where(is_zero(x) | ~(size < jnp.inf), x, with_sign(root, sign_bit(x)))
