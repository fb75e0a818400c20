"""Which forms of emission a plan has, in words."""

from __future__ import annotations

import math
from typing import Any

from elimax.emit.lanes import lanes
from elimax.emit.scalarise import MAX_ELEMENTS, attempt
from elimax.execute.modes import MOST_PRODUCTS
from elimax.partials.build import Linearisation


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
            return f"plain, loop or kernel, chosen where it runs; {count:,} operations on scalars"
        why = found
    if lanes(lin.program) is not None:
        return f"plain as a whole, {why}; parts along a batch axis in the function have a choice where they are small"
    return f"plain; {why}"
