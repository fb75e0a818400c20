"""Elementary functions as plain arithmetic without branches, which compilers turn into vector instructions.

XLA:CPU calls the C library for each element of these functions, and a loop with such a call is not vectorised.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from elimax.emit.elementary.error import erf
from elimax.emit.elementary.inverse import acos, asin, atan, atan2
from elimax.emit.elementary.powers import cbrt, pow
from elimax.emit.elementary.trigonometric import LIMIT, cos, sin, tan

__all__ = ["ELEMENTARY", "FUNCTIONS", "Function", "function"]

ELEMENTARY = ("exact", "vector")
"""What callers can ask for."""

_BOTH = (np.dtype(np.float32), np.dtype(np.float64))


@dataclasses.dataclass(frozen=True)
class Function:
    """A vectorisable form of a primitive.

    Attributes:
      call: from arrays of one shape and dtype to an array of that shape and dtype.
      dtypes: of arguments where it takes the place of the primitive; XLA has vector code for the others.
      limit: by dtype the largest size of a finite argument for which it holds; None if it holds for all.
    """

    call: Callable[..., Any]
    dtypes: tuple[np.dtype, ...] = _BOTH
    limit: dict[np.dtype, float] | None = None


FUNCTIONS = {
    "sin": Function(sin, limit=LIMIT),
    "cos": Function(cos, limit=LIMIT),
    "tan": Function(tan, limit=LIMIT),
    "asin": Function(asin),
    "acos": Function(acos),
    "atan": Function(atan),
    "atan2": Function(atan2),
    "pow": Function(pow),
    "cbrt": Function(cbrt),
    "erf": Function(erf, dtypes=_BOTH[1:]),
}
"""By name of the primitive."""


def function(name: str, dtype: Any) -> Function | None:
    """The vectorisable form of a primitive on arguments of a dtype, or None."""
    found = FUNCTIONS.get(name)
    return found if found is not None and np.dtype(dtype) in found.dtypes else None
