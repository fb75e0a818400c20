"""From a traced function to its graph, loops and branches rewritten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from elimax._jax import Program
from elimax.execute.control.rewrite import controlled
from elimax.partials.build import Linearisation, linearise


def linearised(
    closed: Any,
    active: list[bool],
    name: str = "",
    num_differentiated: int | None = None,
    rewrite: Callable[[Program], Program] | None = None,
) -> Linearisation:
    """The graph of a closed jaxpr in which loops and branches carry their own partials; see `linearise`."""

    def rewritten(program: Program) -> Program:
        return controlled(program if rewrite is None else rewrite(program))

    return linearise(closed, active, name, num_differentiated, rewritten)
