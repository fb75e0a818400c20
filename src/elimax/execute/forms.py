"""Which forms of emission a plan has, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from elimax.emit.lanes import lanes
from elimax.emit.scalarise import MAX_ELEMENTS, attempt
from elimax.execute.modes import MOST_PRODUCTS, Emit, traced
from elimax.partials.build import Linearisation

MANY_PRODUCTS = 400
"""Only programs with more products of blocks than this are looked at for being long."""


def is_long(lin: Linearisation, count: int, emit: Emit, inputs: Sequence[Any]) -> bool:
    """Whether an elimination of small blocks has too many operations for any but the plain form.

    Such a program becomes a kernel for every few operations, and JAX's modes, which work on rows of tangents, have
    fewer.

    Args:
      lin: the linearised function.
      count: number of products of blocks.
      emit: emits the elimination.
      inputs: the arguments.
    """
    if count <= MANY_PRODUCTS or sum(math.prod(value.shape) for value in lin.program.values) > MAX_ELEMENTS:
        return False
    return isinstance(attempt(traced(emit, inputs)), str)


def forms_of(lin: Linearisation, closed: Any) -> str:
    """What becomes of the operations that an elimination emits, and why.

    Args:
      lin: the linearised function.
      closed: the operations; None where they are too many, or the result too large, to look at.
    """
    elements = sum(math.prod(value.shape) for value in lin.program.values)
    if elements > MAX_ELEMENTS:
        why = f"values of the function have {elements:,} elements in all, more than {MAX_ELEMENTS:,}"
    elif closed is None:
        return f"plain; more than {MOST_PRODUCTS:,} products of blocks, or a result too large to look at"
    else:
        found = attempt(closed)
        if not isinstance(found, str):
            count = len(found.steps)
            if count == 0:
                return "plain; nothing is computed"
            return f"plain, loop, kernel or points, chosen where it runs; {count:,} operations on scalars"
        why = found
    if lanes(lin.program) is not None:
        return f"plain as a whole, {why}; parts along a batch axis in the function have a choice where they are small"
    return f"plain; {why}"
