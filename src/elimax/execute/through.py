"""Edges of a Jacobian by way of a function that emits a list of arrays in its own form.

What elimination computes and how its result is written are two programs then: the first maps arguments to values of
results and edges, the second puts these in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.core import Tracer

from elimax._jax import trace
from elimax._jax.program import as_function
from elimax.elimination.steps import Step
from elimax.execute.accumulate import Edges
from elimax.execute.run import run
from elimax.partials.build import Linearisation
from elimax.structure.algebra import as_terms
from elimax.structure.arrays import Masked, as_array
from elimax.structure.values import OperatorValue

Through = Callable[[Any, Sequence[Any]], "list[Any] | None"]
"""Emits a closed jaxpr on arguments; None if it has no other form for it."""


def run_through(
    lin: Linearisation, order: Sequence[Step], args: Sequence[Any], wanted: range, through: Through
) -> tuple[list[Any], Edges] | None:
    """What `run` returns, emitted by ``through``.

    Args:
      lin: the linearised program.
      order: see `run`.
      args: see `run`.
      wanted: numbers of the results whose values are wanted; in place of others stand shapes and dtypes.
      through: emits the program.

    Returns:
      Results and edges, or None if an edge is an operator.
    """
    results: list[Any] = []
    edges: Edges = {}

    def values(*arrays: Any) -> list[Any]:
        found, left = run(lin, order, arrays)
        results[:] = found
        edges.clear()
        traced = [found[k] for k in wanted if isinstance(found[k], Tracer)]
        for key, (structure, own) in left.items():
            if not isinstance(own, OperatorValue):
                own = tuple(
                    as_array(v, term.value_shape, lin.dtypes[key[1]]) if isinstance(v, Masked) else v
                    for v, term in zip(own, as_terms(structure), strict=True)
                )
                traced += [v for v in own if isinstance(v, Tracer)]
            edges[key] = (structure, own)
        return traced

    closed = trace(values, args)
    if any(isinstance(own, OperatorValue) for _, own in edges.values()):
        return None
    emitted = through(closed, args)
    found = iter(as_function(closed)(*args) if emitted is None else emitted)

    def settled(value: Any) -> Any:
        return next(found) if isinstance(value, Tracer) else value

    for k, result in enumerate(results):
        results[k] = settled(result) if k in wanted else jax.ShapeDtypeStruct(result.shape, result.dtype)
    done: Edges = {}
    for key, (structure, own) in edges.items():
        assert not isinstance(own, OperatorValue)
        done[key] = (structure, tuple(map(settled, own)))
    return results, done
