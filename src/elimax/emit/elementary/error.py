"""The error function."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from elimax.emit.elementary.arithmetic import polynomial, sign_bit, with_sign


def erf(x: Any) -> Any:
    """Error function of an array: x (1 + P(x^2)) up to 1, then 1 - exp(-x^2) Q((x - 2) / (x + 2)) up to 6, then 1."""
    size = jnp.abs(x)
    z = size * size
    near = size + size * polynomial(z, "ERROR")
    near = jnp.where(size < 1e-150, size * (2 / math.sqrt(math.pi)), near)  # the small part may be subnormal
    bounded = jnp.minimum(size, 6.0)
    tail = polynomial((bounded - 2) / (bounded + 2), "ERROR_TAIL")
    far = 1 - lax.exp(-(bounded * bounded)) * tail
    return with_sign(jnp.where(size < 1, near, far), sign_bit(x))
