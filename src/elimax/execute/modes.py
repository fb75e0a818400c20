"""JAX's own modes as candidates, where elimination may lose to them.

One such place are operators: elimination evaluates an operation that JAX differentiates for its value, and once more
for each direction or covector that it meets. When most of a program is one loop, forward or reverse mode through the
whole can be cheaper. The other are programs of many scalars with much fill-in: each product is an operation that has to
be compiled, where JAX's modes have one operation for a whole row of products.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from elimax._jax import trace
from elimax._jax.program import as_function
from elimax._jax.replaced import pruned
from elimax.elimination.steps import Step, vertices_of
from elimax.emit.estimate import EQUATION, estimate, estimate_program
from elimax.execute.control.chaining import chained
from elimax.graph.types import Graph
from elimax.partials.build import Linearisation
from elimax.plan.types import CHECKPOINTED, ELIMINATION, STAR, WRITTEN

MOST_PRODUCTS = 5000
"""With more products of blocks than this, elimination has rivals."""

Emit = Callable[..., tuple[list[Any], list[Any], list[list[Any]]]]
"""Emits values of results, auxiliary values, and blocks."""

SHARED = 100
"""Forward mode is not looked into where it costs more than elimination even if this many directions cost as one."""

RESIDUALS = 1.3
"""Reverse mode writes what it needs on the way back and reads it again, which counts of operations do not show."""

PUSHED = ("forward", "written forward", "coloured forward", STAR)
"""Modes without a way back."""

GAIN = 0.8
"""A mode replaces elimination if its predicted time is below this share."""


def modes_of(closed: Any, num_outputs: int, values: bool) -> dict[str, Emit]:
    """JAX's forward and reverse mode for a traced function.

    Args:
      closed: its closed jaxpr.
      num_outputs: how many of its results are differentiated.
      values: whether their values are wanted.
    """
    whole = as_function(closed)

    def fun(*args: Any) -> tuple[list[Any], tuple[list[Any], list[Any]]]:
        results = whole(*args)
        outputs, aux = results[:num_outputs], results[num_outputs:]
        return outputs, (outputs, aux)

    def mode(transform: Any) -> Emit:
        def emit(*inputs: Any) -> tuple[list[Any], list[Any], list[list[Any]]]:
            numbers = tuple(range(len(inputs)))
            holomorphic = any(jnp.issubdtype(x.dtype, jnp.complexfloating) for x in inputs)
            rows, (outputs, aux) = transform(fun, argnums=numbers, has_aux=True, holomorphic=holomorphic)(*inputs)
            blocks = [[jnp.asarray(b, o.dtype) for b in row] for row, o in zip(rows, outputs, strict=True)]
            return (list(outputs) if values else []), list(aux), blocks

        return emit

    return {"forward": mode(jax.jacfwd), "reverse": mode(jax.jacrev)}


def modes_through(closed: Any, written: Any, num_outputs: int, values: bool) -> dict[str, Emit]:
    """JAX's modes, and those that a function has for its loops.

    Args:
      closed: the closed jaxpr of a traced function, without the loops that have a closed form.
      written: the same with them.
      num_outputs: how many of its results are differentiated.
      values: whether their values are wanted.
    """
    found = modes_of(closed, num_outputs, values)
    for name, program in programs_through(closed, written).items():
        found[name] = modes_of(program, num_outputs, values)[name.rpartition(" ")[2]]
    return found


def programs_through(closed: Any, written: Any) -> dict[str, Any]:
    """The program whose forward or reverse mode each mode for loops is."""
    found: dict[str, Any] = {} if written is closed else dict.fromkeys(WRITTEN, written)
    backwards = chained(closed, scans=True)
    return found if backwards is closed else {**found, CHECKPOINTED: backwards}


def products(graph: Graph, order: Sequence[Step]) -> int:
    """Number of products of two blocks that an order takes, whatever their size."""
    sources: dict[int, set[int]] = {}
    targets: dict[int, set[int]] = {}
    for edge in graph.edges:
        sources.setdefault(edge.target, set()).add(edge.source)
        targets.setdefault(edge.source, set()).add(edge.target)
    total = 0
    for vertex in vertices_of(order):
        above, below = sources.get(vertex, set()), targets.get(vertex, set())
        total += len(above) * len(below)
        for u in above:  # in place: an input may have edges to all other vertices
            targets[u].discard(vertex)
            targets[u] |= below
        for w in below:
            sources[w].discard(vertex)
            sources[w] |= above
    return total


def out_of_reach(lin: Linearisation, count: int) -> bool:
    """Whether no other mode can beat an elimination, by numbers of operations alone.

    Tracing a program of tens of thousands of operations in one more mode takes seconds. Forward or reverse, compressed
    or not, has an operation on tangents for each one that is differentiated, besides those of the function itself.

    Args:
      lin: the linearised function; without loops and operations that JAX differentiates.
      count: number of products of its elimination.
    """
    once = estimate_program(lin.program)
    active = sum(local is not None for _, local in lin.steps)
    return once + EQUATION * active > GAIN * (once + EQUATION * count)


def predictions(
    elimination: Emit | int, modes: dict[str, Emit], closed: Any, inputs: Sequence[Any]
) -> dict[str, float]:
    """Predicted seconds of elimination and of the modes that JAX can do, the cheapest first.

    Args:
      elimination: what elimination emits, or its number of products when they are too many to look at.
      modes: from `modes_of`.
      closed: the traced function, for a first guess of what a mode costs.
      inputs: its arguments.
    """
    once = estimate(closed)
    if isinstance(elimination, int):
        found = {ELIMINATION: 1e-9 * (once + EQUATION * elimination)}
    else:
        found = {ELIMINATION: _predict(elimination, inputs)}
    directions = sum(math.prod(jnp.shape(x)) for x in inputs)
    covectors = sum(math.prod(aval.shape) for aval in closed.out_avals)
    for name, emit in modes.items():
        if name in ("forward", WRITTEN[0]) and once * directions > SHARED * 1e9 * found[ELIMINATION]:
            continue
        if name == "reverse" and "forward" in found and directions <= covectors:
            continue  # as many directions or fewer, and nothing to keep for the way back
        try:
            found[name] = _predict(emit, inputs) * (1.0 if name in PUSHED else RESIDUALS)
        except (TypeError, ValueError, NotImplementedError):  # custom_vjp forward, while loops in reverse
            continue
    return dict(sorted(found.items(), key=lambda item: item[1]))


def cheapest(predicted: dict[str, float]) -> str:
    """The mode to take: elimination unless another one promises more than the model errs."""
    name = min(predicted, key=predicted.__getitem__)
    return name if predicted[name] < GAIN * predicted[ELIMINATION] else ELIMINATION


def _predict(emit: Emit, inputs: Sequence[Any]) -> float:
    return 1e-9 * estimate(pruned(traced(emit, inputs)))


def traced(emit: Emit, inputs: Sequence[Any]) -> Any:
    """The closed jaxpr of what is emitted; remembered, since it is looked at more than once."""
    if emit not in _TRACED:
        _TRACED[emit] = trace(lambda *xs: jax.tree.leaves(emit(*xs)), inputs)
    return _TRACED[emit]


_TRACED: weakref.WeakKeyDictionary[Emit, Any] = weakref.WeakKeyDictionary()
