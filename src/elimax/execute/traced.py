"""A flat function traced on shapes, its loops closed or bounded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from elimax._jax import trace
from elimax._jax.program import has_symbolic_shapes
from elimax.execute.closing import Closed, closed_loops
from elimax.execute.control.bounds import bounded
from elimax.execute.symmetric import Symmetry

FlatFunction = Callable[..., tuple[Sequence[Any], Sequence[Any]]]
"""Maps arrays to a list of results to differentiate and a list of auxiliary results."""


@dataclasses.dataclass(frozen=True, eq=False)
class Traced:
    """A traced function.

    Attributes:
      closed: its closed jaxpr, without the loops that have a closed form.
      num_outputs: how many of its results are differentiated.
      loops: the loops that were closed.
      written: its closed jaxpr with them.
    """

    closed: Any
    num_outputs: int
    loops: tuple[Closed, ...] = ()
    written: Any = None

    @property
    def symbolic(self) -> bool:
        """Whether shapes are symbolic, so that structure cannot be worked out."""
        return has_symbolic_shapes(self.closed)


def trace_flat(
    fun: FlatFunction, inputs: Sequence[Any], max_trips: int | None = None, ended: Callable[[], Any] | None = None
) -> Traced:
    """Trace a flat function on the shapes of its arguments.

    Args:
      fun: the function.
      inputs: its arguments.
      max_trips: turns after which loops are ended; whether one was is then the last of the auxiliary results.
      ended: tells that instead, for a function whose loops have been ended already.
    """
    count: list[int] = []

    def flat(*args: Any) -> list[Any]:
        outputs, aux = fun(*args)
        count.append(len(outputs))
        return [*outputs, *aux, *(() if ended is None else (ended(),))]

    written = trace(flat, inputs)
    closed, loops = closed_loops(written, record=max_trips is None)
    max_trips = max_trips if ended is None else None
    same = written is closed
    closed = bounded(closed, max_trips)
    return Traced(closed, count[-1], loops, closed if same else bounded(written, max_trips))


def ended_elsewhere(limit: int | None, symmetry: Symmetry | None) -> Callable[[], Any] | None:
    """What tells whether loops of a Jacobian were ended that is differentiated once more."""
    return None if limit is None or symmetry is None else lambda: symmetry.ended
