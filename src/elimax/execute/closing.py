"""Loops of a traced function that are closed before its graph is built, where that is predicted to be faster."""

from __future__ import annotations

import math
import warnings
from typing import Any

from elimax._jax import inline
from elimax._jax.program import has_symbolic_shapes
from elimax.coarsen.loops.records import COMPRESSED
from elimax.coarsen.loops.rewrite import Choice, Closed, close_loops
from elimax.coarsen.loops.solve import MATRIX, VARYING
from elimax.emit.estimate import TURNS, estimate
from elimax.errors import ElimaxWarning

TURN = 20.0
"""Nanoseconds that a turn of a loop takes besides what it computes."""

DECOMPOSITION = 2e4
"""Nanoseconds that a QR decomposition takes besides what it multiplies."""

LARGE = 1 << 20
"""Arrays over all turns with more elements than this are not made where a turn has smaller ones."""


def closed_loops(closed: Any, record: bool = True) -> tuple[Any, tuple[Closed, ...]]:
    """A traced function without the loops that have a closed form, and what was closed.

    Args:
      closed: its closed jaxpr.
      record: whether a number of turns that no counter decides may be found by running a loop.
    """
    if has_symbolic_shapes(closed):
        return closed, ()
    try:
        return close_loops(closed, _choice, record)
    except Exception as error:  # a defect of elimax is no reason to fail where JAX does not
        warnings.warn(
            f"loops are left as they are ({type(error).__name__}: {error}). This is a defect of elimax; please report "
            "it.",
            ElimaxWarning,
            stacklevel=2,
        )
        return closed, ()


def _choice(before: Any, after: Any, found: Closed) -> Choice:
    """What becomes of a loop.

    Compositions in a tree and sums or powers of which every value is wanted have been slower than the loop, by factors
    of two to twenty on a CPU, and long to plan: elimination sees many small arrays where the loop had one.
    """
    if found.cumulative or VARYING in found.rules:
        return Choice.LEAVE
    if COMPRESSED in found.rules:
        return Choice.CLOSE if estimate(after) + DECOMPOSITION < estimate(before) else Choice.LEAVE
    if found.turns is None and MATRIX not in found.rules:  # operations grow with its logarithm at most
        return Choice.CLOSE
    turns = TURNS if found.turns is None else found.turns
    if largest(after) > max(LARGE, largest(before)):
        return Choice.RECOMPUTE
    return Choice.CLOSE if estimate(after) <= estimate(before) + TURN * turns else Choice.LEAVE


def largest(closed: Any) -> int:
    """Elements of the largest array of a program."""
    program = inline(closed, [False] * len(closed.in_avals))
    return max((math.prod(value.shape) for value in program.values), default=0)
