"""Parts of a Jacobian that do not depend on its arguments: computed once, not for each point of a batch.

`jax.vmap` leaves such a part as it is and repeats it for each point. XLA joins the repetition with what computes the
part, sines and all, which are then computed for each point. A call that is kept apart prevents that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from elimax._jax import Program, trace
from elimax._jax.calls import separate
from elimax._jax.invariant import settled
from elimax._jax.program import as_function
from elimax._jax.staged import Place, is_local, stage
from elimax.emit.counting import CALLED, SERIES

LEAST = 256
"""Elements of sines, exponentials and the like that are worth a call."""


def settled_results(closed: Any, inputs: Sequence[Any], program: Program) -> dict[int, Any]:
    """Results of emitted operations that depend on no argument, by place, if these take long enough.

    There are none where operations have effects, which are not to happen twice.

    Args:
      closed: a closed jaxpr of operations that are emitted.
      inputs: its arguments, whose batch is that of the results.
      program: the program that they differentiate.
    """
    if closed.jaxpr.effects or not takes_long(program) or not all(map(is_local, inputs)):
        return {}
    own = [k for k, is_settled in enumerate(settled(closed)) if is_settled]
    if not own:
        return {}

    def alone() -> list[Any]:
        whole = as_function(closed)(*(jnp.zeros(aval.shape, aval.dtype) for aval in closed.in_avals))
        return [whole[k] for k in own]

    def choose(where: Place) -> Any:
        if where.platform != "cpu" or math.prod(where.sizes) == 1:
            return None
        return lambda *_: [jnp.broadcast_to(x, (*where.sizes, *x.shape)) for x in separate(alone)()]

    found = stage("settled", trace(lambda *_: alone(), inputs), choose, inputs, batch_last=False)
    return dict(zip(own, found, strict=True))


def takes_long(program: Program) -> bool:
    """Whether a program has operations that take long and do not depend on its arguments."""
    return _slow_elements(program) >= LEAST


def _slow_elements(program: Program) -> int:
    """Elements of sines, exponentials and the like that do not depend on the arguments."""
    known, count = set(program.constants), 0
    for equation in program.equations:
        if known.issuperset(use.value for use in equation.inputs):
            known.update(use.value for use in equation.outputs)
            if equation.name in CALLED or equation.name in SERIES:
                count += sum(math.prod(program.values[use.value].shape) for use in equation.outputs)
    return count
