"""Bits and sums without error, the means of all elementary functions here.

Compilers may contract a product and a sum into one instruction, and XLA folds constants of nested sums. So products
that must be exact are those of numbers with few bits, which contraction does not change, and no constant is added and
taken off again.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax.emit.elementary.coefficients import COEFFICIENTS


def constants(x: Any, name: str) -> list[Any]:
    """The coefficients of a name in the dtype of ``x``."""
    return [np.dtype(x.dtype).type(c) for c in COEFFICIENTS[np.dtype(x.dtype).name][name]]


def constant(x: Any, value: float) -> Any:
    """A number in the dtype of ``x``."""
    return jnp.full_like(x, value)


def polynomial(x: Any, name: str) -> Any:
    """The polynomial of a name at ``x``, by Horner's rule."""
    *rest, last = constants(x, name)
    result = jnp.full_like(x, last)
    for c in reversed(rest):
        result = result * x + c
    return result


def integer(x: Any) -> np.dtype:
    """The integer dtype as wide as that of ``x``."""
    return np.dtype(f"int{8 * np.dtype(x.dtype).itemsize}")


def mantissa(x: Any) -> int:
    """Number of bits of the fraction: 23 or 52."""
    return int(jnp.finfo(x.dtype).nmant)


def to_bits(x: Any) -> Any:
    """The bits of a number as an integer."""
    return lax.bitcast_convert_type(x, integer(x))


def from_bits(bits: Any, dtype: Any) -> Any:
    """The number with these bits."""
    return lax.bitcast_convert_type(bits, dtype)


def sign_bit(x: Any) -> Any:
    """The bits of ``x`` but for those of its size."""
    return to_bits(x) & np.iinfo(integer(x)).min


def with_sign(x: Any, sign: Any) -> Any:
    """``x``, negated where the integer ``sign`` has its highest bit set."""
    return from_bits(to_bits(x) ^ sign, x.dtype)


def head(x: Any, bits: int | None = None) -> Any:
    """``x`` with its fraction cut to a number of bits; by default such that the square of it is exact."""
    kept = (mantissa(x) + 1) // 2 if bits is None else bits
    return from_bits(to_bits(x) & (-1 << (mantissa(x) + 1 - kept)), x.dtype)


def low_bits(x: Any) -> Any:
    """An integer whose lower bits are those of the whole number ``x``, in two's complement."""
    return to_bits(x + 1.5 * 2.0 ** mantissa(x))


def power_of_two(n: Any) -> Any:
    """2 to the power of the whole number ``n``, which must be the exponent of a normal number."""
    bias = int(jnp.finfo(n.dtype).maxexp) - 1
    return from_bits((low_bits(n) + bias) << mantissa(n), n.dtype)


def is_zero(x: Any) -> Any:
    """Whether a number is zero and not subnormal.

    Compilers turn a comparison of all bits with zero into one of numbers, which takes subnormal ones for zero.
    """
    bits, smallest = to_bits(x), 1 << mantissa(x)
    return ((bits & np.iinfo(bits.dtype).max) < smallest) & ((bits & (smallest - 1)) < 1)


def nearest(x: Any) -> Any:
    """The nearest whole number."""
    return lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)


def two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """The rounded sum and its error."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def fast_two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """The same for ``a`` no smaller than ``b``, or zero."""
    total = a + b
    return total, b - (total - a)
