"""Arc functions."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax.emit.elementary.arithmetic import constants, head, polynomial, sign_bit, to_bits, with_sign

_TINY = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-9}
_OCTANT = 2**0.5 - 1
"""Tangent of pi/8."""


def _arc(smaller: Any, larger: Any, swap: Any, back: Any) -> Any:
    """Angle of a vector from the sizes of its coordinates.

    Args:
      smaller: the smaller coordinate, not negative.
      larger: the larger one.
      swap: whether the smaller one is the cosine.
      back: whether the cosine is negative.
    """
    middle = smaller > larger * _OCTANT
    top = jnp.where(middle, smaller - larger, smaller)
    bottom = jnp.where(middle, smaller + larger, larger)
    t = top / bottom
    z = t * t
    angle = t + t * z * polynomial(z, "ARCTANGENT")
    # pi/4 * turns +- angle
    turns = jnp.where(middle, 1.0, jnp.zeros_like(t))
    turns = jnp.where(swap, 2 - turns, turns)
    turns = jnp.where(back, 4 - turns, turns)
    angle = jnp.where(swap != back, -angle, angle)
    high, low = constants(t, "QUARTER_PI")
    return turns * high + (turns * low + angle)


def atan(x: Any) -> Any:
    """Arc tangent of an array."""
    size, one = jnp.abs(x), jnp.ones_like(x)
    large = size > 1
    infinite = size == jnp.inf
    smaller = jnp.where(large, jnp.where(infinite, 0.0, one), size)
    larger = jnp.where(large & ~infinite, size, one)
    result = _arc(smaller, larger, large, jnp.zeros_like(large))
    return jnp.where(size < _TINY[np.dtype(x.dtype)], x, with_sign(result, sign_bit(x)))


def _scaled(up: Any, across: Any) -> tuple[Any, Any]:
    """Both multiplied by one power of two, so that their sum is finite and neither is subnormal but for naught."""
    info = jnp.finfo(up.dtype)
    half = int(info.maxexp) // 2
    small = jnp.maximum(up, across) < 2.0 ** (half - 4)
    scale = jnp.where(small, 2.0**half, jnp.full_like(up, 0.25))

    def one(x: Any) -> Any:
        # Arithmetic takes subnormal numbers for zero; their bits are a whole number of the smallest one.
        bits = to_bits(x)
        whole = lax.convert_element_type(bits, x.dtype) * 2.0 ** (int(info.minexp) - int(info.nmant) + half)
        return jnp.where(bits < (1 << int(info.nmant)), jnp.where(small, whole, 0.0), x * scale)

    return one(up), one(across)


def atan2(y: Any, x: Any) -> Any:
    """Angle of the vectors (x, y)."""
    up, across = _scaled(jnp.abs(y), jnp.abs(x))
    smaller, larger = jnp.minimum(up, across), jnp.maximum(up, across)
    infinite = larger == jnp.inf
    smaller = jnp.where(infinite, jnp.where(smaller == jnp.inf, 1.0, jnp.zeros_like(x)), smaller)
    larger = jnp.where(infinite | (larger == 0), 1.0, larger)
    back = to_bits(x) < 0
    result = with_sign(_arc(smaller, larger, up > across, back), sign_bit(y))
    return jnp.where((x != x) | (y != y), jnp.nan, result)


def _chord(size: Any) -> tuple[Any, Any, Any]:
    """Whether the size is above one half; the sine s of half the angle then; and arcsin(s) / s - 1."""
    large = size > 0.5
    z = jnp.where(large, 0.5 * (1 - size), size * size)
    return large, jnp.where(large, lax.sqrt(z), size), z * polynomial(z, "ARCSINE")


def asin(x: Any) -> Any:
    """Arc sine of an array; NaN outside [-1, 1]."""
    size = jnp.abs(x)
    large, s, rest = _chord(size)
    high, low = constants(x, "QUARTER_PI")
    # The square root is s + error; pi/4 + (pi/4 - 2 s) keeps what pi/2 would round off.
    short = head(s)
    error = jnp.where(large & (s > 0), (0.5 * (1 - size) - short * short) / (s + short), 0.0)
    folded = high - (2 * s * rest - (2 * low - 2 * jnp.where(large, error, 0.0)) - (high - 2 * short))
    result = jnp.where(large, folded, s + s * rest)
    result = with_sign(result, sign_bit(x))
    return jnp.where(size < _TINY[np.dtype(x.dtype)], x, result)


def acos(x: Any) -> Any:
    """Arc cosine of an array; NaN outside [-1, 1]."""
    size = jnp.abs(x)
    large, s, rest = _chord(size)
    high, low = constants(x, "QUARTER_PI")
    twice = 2 * (s + s * rest)
    folded = jnp.where(x < 0, 4 * high - (twice - 4 * low), twice)
    arc = with_sign(s + s * rest, sign_bit(x))
    return jnp.where(large, folded, 2 * high - (arc - 2 * low))
