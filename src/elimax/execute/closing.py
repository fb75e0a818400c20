"""Loops of a traced function that are closed before its graph is built, where that is predicted to be faster."""

from __future__ import annotations

import math
import warnings
from typing import Any

from elimax._jax import inline
from elimax.coarsen.loops.rewrite import Closed, close_loops
from elimax.emit.estimate import estimate
from elimax.errors import ElimaxWarning

TURN = 200.0
"""Nanoseconds that a turn of a loop takes besides what it computes."""

LARGE = 1 << 20
"""Arrays over all turns with more elements than this are not made where a turn has smaller ones."""


def closed_loops(closed: Any) -> tuple[Any, tuple[Closed, ...]]:
    """A traced function without the loops that have a closed form, and what was closed.

    Args:
      closed: its closed jaxpr.
    """
    try:
        return close_loops(closed, _better)
    except Exception as error:  # a defect of elimax is no reason to fail where JAX does not
        warnings.warn(
            f"loops are left as they are ({type(error).__name__}: {error}). This is a defect of elimax; please report "
            "it.",
            ElimaxWarning,
            stacklevel=2,
        )
        return closed, ()


def _better(before: Any, after: Any, turns: int | None) -> bool:
    """Whether a closed form is to take the place of a loop."""
    if turns is None:  # a number of operations that grows with its logarithm at most
        return True
    if largest(after) > max(LARGE, largest(before)):
        return False
    return estimate(after) <= estimate(before) + TURN * turns


def largest(closed: Any) -> int:
    """Elements of the largest array of a program."""
    program = inline(closed, [False] * len(closed.in_avals))
    return max((math.prod(value.shape) for value in program.values), default=0)
