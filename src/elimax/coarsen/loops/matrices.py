"""Powers of matrices by repeated squaring: linear steps whose factor is a matrix that stays the same (C6)."""

from __future__ import annotations

import functools
from typing import Any

import jax.numpy as jnp

_product = functools.partial(jnp.matmul, precision="highest")
"""Squared matrices amplify what reduced precision loses."""


def affine(p: Any, a: Any, b: Any, n: int) -> Any:
    """The value after n turns of d = A d + b from p.

    Args:
      p: vector [m].
      a: matrix [m, m].
      b: vector [m].
      n: number of turns, at least 1.

    Returns:
      [m].
    """
    step = _product(a, p) + b - p
    power, sums = a, jnp.stack([b, step], axis=1)
    start = sums
    for bit in bin(n)[3:]:  # from k turns to 2 k, and to one more where the bit is set
        sums = sums + _product(power, sums)
        power = _product(power, power)
        if bit == "1":
            sums = start + _product(a, sums)
            power = _product(a, power)
    inner = _product(power, p) + sums[:, 0]
    # A state that stays where it is does so however large the power is; one that fades forgets where it was.
    return jnp.where(jnp.max(jnp.abs(power), initial=0.0) <= 1, inner, p + sums[:, 1])
