"""Small blocks whose values are there, as NumPy arrays.

Outside of `jax.jit` every operation of JAX takes tens of microseconds, and is compiled once for each shape. A function
written out in thousands of scalars has thousands of products of single numbers, which NumPy does in a microsecond each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from elimax.structure.values import Values

LONG = 1000
"""Programs with fewer operations than this are left to JAX."""

SMALL = 64
"""Elements of the largest blocks that are taken."""


def runs_on_host(num_operations: int, args: Sequence[Any]) -> bool:
    """Whether the blocks of a program may be NumPy arrays: its arguments are there, on the processor itself.

    Args:
      num_operations: of the program.
      args: its arguments.
    """
    config: Any = jax.config  # its attributes are made while JAX is imported
    if num_operations < LONG or config.jax_debug_nans or config.jax_debug_infs:
        return False
    if any(isinstance(x, Tracer) for x in args):
        return False
    here = jnp.zeros(()).devices()
    return all(d.platform == "cpu" for d in here) and all(x.devices() == here for x in args if isinstance(x, jax.Array))


def on_host(values: Values) -> Values:
    """The values of a block, those of its terms as NumPy arrays that are small, real and known."""
    if not isinstance(values, tuple):
        return values
    return tuple(np.asarray(value) if _small(value) else value for value in values)


def _small(value: Any) -> bool:
    return (
        isinstance(value, jax.Array)
        and not isinstance(value, Tracer)
        and value.size <= SMALL
        and value.dtype in (np.float64, np.float32)
    )
