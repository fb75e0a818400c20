"""A function as one program that computes its values and what is kept of its local Jacobian."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from elimax._jax import trace
from elimax._jax.program import as_function
from elimax.emit import laned_call, staged_call
from elimax.emit.scalarise import MAX_ELEMENTS
from elimax.execute.evaluate import plan_of
from elimax.execute.kept import Kept, Layout, keep_block, pack
from elimax.execute.layout import identity_block
from elimax.execute.modes import MOST_PRODUCTS, cheapest, predictions, products
from elimax.execute.run import run
from elimax.partials.build import Linearisation, linearise
from elimax.plan import Plan
from elimax.plan.types import ELIMINATION, JAX_MODES
from elimax.structure.positions import dense_term


@dataclasses.dataclass(frozen=True, eq=False)
class Preaccumulation:
    """The program.

    Attributes:
      plan: the plan of the Jacobian.
      closed: closed jaxpr from all arguments to values of results, followed by what is kept.
      layout: of what is kept.
      small: whether the function is small enough for forms on scalars.
    """

    plan: Plan
    closed: Any
    layout: Layout
    small: bool

    @property
    def kept(self) -> list[Any]:
        """Shape and dtype of each array that is kept."""
        return list(self.closed.out_avals[len(self.layout.outputs) :])

    def __call__(self, operands: Sequence[Any], name: str, form: str, elementary: str) -> tuple[list[Any], list[Any]]:
        """Values of results and the arrays that are kept."""
        found = None
        if form != "plain":
            call = staged_call if self.small else laned_call
            found = call(name, self.closed, operands, form, "batch-first", elementary)
            if found is None and self.small:
                found = laned_call(name, self.closed, operands, form, "batch-first", elementary)
        found = as_function(self.closed)(*operands) if found is None else found
        count = len(self.layout.outputs)
        return list(found[:count]), list(found[count:])


def preaccumulate(closed: Any, active: Sequence[bool], order: Any, cost: str, name: str) -> Preaccumulation:
    """Plan and trace the program.

    Args:
      closed: closed jaxpr of the function, without traced constants.
      active: which arguments are differentiated.
      order: as for `elimax.execute.evaluate`.
      cost: as for `elimax.execute.evaluate`.
      name: of the function, for people.
    """
    lin = linearise(closed, list(active), name)
    plan = plan_of(lin, order, cost=cost)
    avals = [jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in closed.in_avals]
    layouts: list[Layout] = []

    def eliminate(*operands: Any) -> list[Any]:
        results, edges = run(lin, plan.order, operands)
        return _stored(lin, edges, results, operands, active, layouts)

    modes = _modes(closed, active, layouts)
    mode = plan.mode if plan.mode in JAX_MODES else ELIMINATION
    if isinstance(order, str) and order == "auto":
        count = products(lin.graph, plan.order)
        if lin.opaque_operations or count > MOST_PRODUCTS:
            predicted = predictions(count if count > MOST_PRODUCTS else eliminate, modes, closed, avals)  # type: ignore[arg-type]
            mode = cheapest(predicted)
            plan = dataclasses.replace(plan, modes=tuple(predicted.items()), mode=mode)
    emit = eliminate if mode == ELIMINATION else modes[mode]
    program = trace(emit, avals)
    small = sum(math.prod(value.shape) for value in lin.program.values) <= MAX_ELEMENTS
    return Preaccumulation(plan, program, layouts[-1], small)


def _stored(
    lin: Linearisation,
    edges: Any,
    results: Sequence[Any],
    operands: Sequence[Any],
    active: Sequence[bool],
    layouts: list[Layout],
) -> list[Any]:
    """Values of results and what is kept of the edges; how goes into ``layouts``."""
    numbers = [k for k, is_active in enumerate(active) if is_active]
    blocks = []
    for i, (result, vertex) in enumerate(zip(results, lin.outputs, strict=True)):
        for j, source in zip(numbers, lin.inputs, strict=True):
            shapes = tuple(jnp.shape(result)), tuple(jnp.shape(operands[j]))
            if vertex is None:
                continue
            if vertex == source:
                structure, values = identity_block(shapes[0])
            elif (source, vertex) in edges:
                structure, values = edges[(source, vertex)]
            else:
                continue
            blocks.append(keep_block(i, j, structure, values, shapes, result.dtype))
    return _finished(results, [b for b in blocks if b is not None], layouts)


def _finished(results: Sequence[Any], blocks: Sequence[tuple[Kept, list[Any]]], layouts: list[Layout]) -> list[Any]:
    arrays, places = pack([value for _, values in blocks for value in values])
    outputs = tuple(jax.ShapeDtypeStruct(r.shape, r.dtype) for r in results)
    layouts.append(Layout(tuple(block for block, _ in blocks), places, outputs))
    return [*results, *arrays]


def _modes(closed: Any, active: Sequence[bool], layouts: list[Layout]) -> dict[str, Callable[..., Any]]:
    """JAX's forward and reverse mode, whose blocks are dense."""
    whole = as_function(closed)
    numbers = [k for k, is_active in enumerate(active) if is_active]
    inexact = [k for k, aval in enumerate(closed.out_avals) if jnp.issubdtype(aval.dtype, jnp.inexact)]

    def mode(transform: Any) -> Callable[..., Any]:
        def emit(*operands: Any) -> list[Any]:
            def fun(*chosen: Any) -> Any:
                full = list(operands)
                for k, x in zip(numbers, chosen, strict=True):
                    full[k] = x
                results = whole(*full)
                return [results[k] for k in inexact], results

            differentiate = transform(fun, argnums=tuple(range(len(numbers))), has_aux=True)
            rows, results = differentiate(*(operands[k] for k in numbers))
            blocks = []
            for i, row in zip(inexact, rows, strict=True):
                for j, block in zip(numbers, row, strict=True):
                    shapes = tuple(results[i].shape), tuple(jnp.shape(operands[j]))
                    term = dense_term(*([(0, n) for n in shape] for shape in shapes))
                    values = (jnp.asarray(block, results[i].dtype).reshape(term.value_shape),)
                    blocks.append(keep_block(i, j, (term,), values, shapes, results[i].dtype))
            return _finished(results, [b for b in blocks if b is not None], layouts)

        return emit

    return {"forward": mode(jax.jacfwd), "reverse": mode(jax.jacrev)}
