"""Power recurrences d = a d^e with a whole exponent e > 1 (C9)."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from elimax.coarsen.loops.carries import Open
from elimax.coarsen.loops.geometric import power

MOST = np.iinfo(np.int32).max
"""Exponents beyond this are not written as powers."""


def exponent(e: int, n: int) -> int:
    """(e^n - 1) / (e - 1), the exponent of the factor after n turns.

    Raises:
      Open: if it is too large.
    """
    total = 0
    for _ in range(n):
        total = 1 + e * total
        if total > MOST:
            raise Open(f"{n} powers of {e} have too large an exponent")
    return total


def last(p: Any, a: Any, e: int, n: int) -> Any:
    """The value after n turns: p (a p^(e-1))^m with m = (e^n - 1) / (e - 1), which is a^m p^(e^n).

    Written so, a value that stays where it is does so where a^m alone is not representable.

    Args:
      p: start [...].
      a: factor, of the same shape, or a scalar.
      e: exponent, more than 1.
      n: number of turns, at least 1.
    """
    return p * power(jnp.broadcast_to(a * p ** (e - 1), jnp.shape(p)), exponent(e, n))


def every(p: Any, a: Any, e: int, n: int) -> Any:
    """The values at the beginning of every turn [n, ...]."""
    exponents = np.asarray([exponent(e, k) for k in range(n)], np.int32)
    base = jnp.broadcast_to(a * p ** (e - 1), (n, *jnp.shape(p)))
    return p * power(base, exponents.reshape(n, *[1] * jnp.ndim(p)))
