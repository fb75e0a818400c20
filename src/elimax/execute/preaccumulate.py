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
from elimax.emit.estimate import EQUATION, estimate
from elimax.emit.scalarise import MAX_ELEMENTS, scalarise
from elimax.execute.control.chaining import chained
from elimax.execute.control.entry import linearised
from elimax.execute.kept import Kept, Layout, keep_block, pack
from elimax.execute.layout import identity_block
from elimax.execute.modes import MOST_PRODUCTS, RESIDUALS, SHARED, cheapest, products, programs_through
from elimax.execute.planning import plan_of
from elimax.execute.run import run
from elimax.execute.segmented import COARSE, planned
from elimax.partials.build import Linearisation
from elimax.plan import Plan
from elimax.plan.types import ELIMINATION, JAX_MODES, THROUGH_LOOPS
from elimax.structure.positions import dense_term

EVEN = 1.1 * RESIDUALS
"""One pass in a mode of JAX is taken for large arrays unless elimination is predicted to be faster by this factor."""

TAPED = 3.0
"""Reverse mode through a loop keeps every turn; it is taken if all else is predicted to take so many times longer."""


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
        if form != "plain" and self.plan.mode == ELIMINATION:
            call = staged_call if self.small else laned_call
            found = call(name, self.closed, operands, form, "batch-first", elementary)
            if found is None and self.small:
                found = laned_call(name, self.closed, operands, form, "batch-first", elementary)
        found = as_function(self.closed)(*operands) if found is None else found
        count = len(self.layout.outputs)
        return list(found[:count]), list(found[count:])


def preaccumulate(
    closed: Any, active: Sequence[bool], order: Any, cost: str, name: str, written: Any = None
) -> Preaccumulation:
    """Plan and trace the program.

    Args:
      closed: closed jaxpr of the function, without traced constants.
      active: which arguments are differentiated.
      order: as for `elimax.execute.evaluate`.
      cost: as for `elimax.execute.evaluate`.
      name: of the function, for people.
      written: the function with the loops that are closed in ``closed``; None if there are none.
    """
    avals = [jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in closed.in_avals]
    if isinstance(order, str) and order == COARSE:
        lin, plan = _with_segments(closed, active, cost, name, avals)
    else:
        lin = linearised(closed, list(active), name)
        plan = plan_of(lin, order, cost=cost)
    # by mode: JAX may not call a function again that was traced before, so the latest of all may be another one's
    layouts: dict[str, list[Layout]] = {name: [] for name in (ELIMINATION, *JAX_MODES, *THROUGH_LOOPS)}

    def eliminate(*operands: Any) -> list[Any]:
        results, edges = run(lin, plan.order, operands)
        return _stored(lin, edges, results, operands, active, layouts[ELIMINATION])

    small = sum(math.prod(value.shape) for value in lin.program.values) <= MAX_ELEMENTS
    modes = _modes(closed, active, layouts)
    for through, other in programs_through(closed, closed if written is None else written).items():
        modes[through] = _modes(other, active, layouts, through)[through.rpartition(" ")[2]]
    mode = plan.mode if plan.mode in modes else ELIMINATION
    if isinstance(order, str) and order == "auto":
        count = products(lin.graph, plan.order)
        singles = _singles(closed, active)
        if (
            lin.opaque_operations
            or lin.coarse_operations
            or len(modes) > len(JAX_MODES)
            or count > MOST_PRODUCTS
            or (singles and not _scalar(eliminate, avals, small))
        ):
            predicted = _predictions(count if count > MOST_PRODUCTS else eliminate, modes, closed, active, avals)
            mode = cheapest(predicted)
            passes = [m for m in singles if m in predicted and predicted[m] <= EVEN * predicted[mode]]
            mode = passes[0] if passes else mode
            if mode == "written reverse" or (mode == "reverse" and lin.coarse_operations):
                mode = _without_tape(predicted, mode)
            plan = dataclasses.replace(plan, modes=tuple(predicted.items()), mode=mode)
    emit = eliminate if mode == ELIMINATION else modes[mode]
    program = chained(trace(emit, avals), scans=False)  # second derivatives may be taken backwards, too
    return Preaccumulation(plan, program, layouts[mode][-1], small)


def _with_segments(
    closed: Any, active: Sequence[bool], cost: str, name: str, avals: Sequence[Any]
) -> tuple[Linearisation, Plan]:
    """The graph with coarse vertices and its plan."""
    emitted: dict[Any, Callable[..., Any]] = {}

    def emission(lin: Linearisation, plan: Plan) -> Callable[..., Any]:
        def emit(*operands: Any) -> list[Any]:
            results, edges = run(lin, plan.order, operands)
            return _stored(lin, edges, results, operands, active, [])

        return emitted.setdefault((lin, tuple(plan.order)), emit)

    return planned(
        lambda rewrite: linearised(closed, list(active), name, None, rewrite),
        lambda lin: plan_of(lin, "auto", cost=cost),
        emission,
        avals,
        lambda lin: plan_of(lin, "markowitz", cost=cost),
    )


def _without_tape(predicted: dict[str, float], taped: str) -> str:
    """The cheapest mode that carries the derivatives of loops along, unless reverse mode is much faster."""
    others = [name for name in predicted if name not in ("reverse", "written reverse")]
    best = min(others, key=predicted.__getitem__)
    return best if predicted[best] <= TAPED * predicted[taped] else taped


def _scalar(emit: Callable[..., Any], avals: Sequence[Any], small: bool) -> bool:
    """Whether there are forms on scalars for a program."""
    return small and scalarise(trace(emit, avals)) is not None


def _singles(closed: Any, active: Sequence[bool]) -> list[str]:
    """JAX's modes that take one direction only, for functions with one number on one side; reverse mode first."""
    columns, rows = _sides(closed, active)
    return [name for name, count in (("reverse", rows), ("forward", columns)) if count == 1]


def _sides(closed: Any, active: Sequence[bool]) -> tuple[int, int]:
    """Number of differentiated elements of arguments, and of those of results."""
    columns = sum(math.prod(a.shape) for a, is_active in zip(closed.in_avals, active, strict=True) if is_active)
    return columns, sum(math.prod(a.shape) for a in closed.out_avals if jnp.issubdtype(a.dtype, jnp.inexact))


def _predictions(
    elimination: Callable[..., Any] | int,
    modes: dict[str, Callable[..., Any]],
    closed: Any,
    active: Sequence[bool],
    avals: Sequence[Any],
) -> dict[str, float]:
    """Predicted seconds of elimination and of the modes that JAX can do, the cheapest first.

    Args:
      elimination: what elimination emits, or its number of products when they are too many to look at.
      modes: see `_modes`.
      closed: the function.
      active: which arguments are differentiated.
      avals: its arguments.
    """
    once = estimate(closed)
    own = once + EQUATION * elimination if isinstance(elimination, int) else estimate(trace(elimination, avals))
    found = {ELIMINATION: own}
    columns, _ = _sides(closed, active)
    for name, emit in modes.items():
        if name.endswith("forward") and once * columns > SHARED * own:
            continue
        try:
            found[name] = estimate(trace(emit, avals)) * (1.0 if name.endswith("forward") else RESIDUALS)
        except (TypeError, ValueError, NotImplementedError):  # custom_vjp forward, while loops in reverse
            continue
    return {name: 1e-9 * time for name, time in sorted(found.items(), key=lambda item: item[1])}


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


def _modes(
    closed: Any, active: Sequence[bool], layouts: dict[str, list[Layout]], through: str | None = None
) -> dict[str, Callable[..., Any]]:
    """JAX's forward and reverse mode, whose blocks are dense; their layouts go to another name if one is given."""
    whole = as_function(closed)
    numbers = [k for k, is_active in enumerate(active) if is_active]
    inexact = [k for k, aval in enumerate(closed.out_avals) if jnp.issubdtype(aval.dtype, jnp.inexact)]

    def mode(transform: Any, layouts: list[Layout]) -> Callable[..., Any]:
        def emit(*operands: Any) -> list[Any]:
            def fun(*chosen: Any) -> Any:
                full = list(operands)
                for k, x in zip(numbers, chosen, strict=True):
                    full[k] = x
                results = whole(*full)
                return [results[k] for k in inexact], results

            rows, results = transform(fun, [operands[k] for k in numbers])
            blocks = []
            for i, row in zip(inexact, rows, strict=True):
                for j, block in zip(numbers, row, strict=True):
                    shapes = tuple(results[i].shape), tuple(jnp.shape(operands[j]))
                    term = dense_term(*([(0, n) for n in shape] for shape in shapes))
                    values = (jnp.asarray(block, results[i].dtype).reshape(term.value_shape),)
                    blocks.append(keep_block(i, j, (term,), values, shapes, results[i].dtype))
            return _finished(results, [b for b in blocks if b is not None], layouts)

        return emit

    ways = {"forward": _forward, "reverse": _reverse}
    return {name: mode(way, layouts[through or name]) for name, way in ways.items()}


def _forward(fun: Callable[..., Any], args: Sequence[Any]) -> tuple[list[list[Any]], list[Any]]:
    """Blocks of the first list that a function returns, and the second list; no axis is added for one direction."""
    if len(args) == 1 and jnp.size(args[0]) == 1:
        _, tangents, results = jax.jvp(fun, tuple(args), (jnp.ones_like(args[0]),), has_aux=True)
        return [[jnp.reshape(t, (*t.shape, *jnp.shape(args[0])))] for t in tangents], results
    return jax.jacfwd(fun, argnums=tuple(range(len(args))), has_aux=True)(*args)


def _reverse(fun: Callable[..., Any], args: Sequence[Any]) -> tuple[list[list[Any]], list[Any]]:
    """The same in reverse mode."""
    outputs, pull, results = jax.vjp(fun, *args, has_aux=True)
    if len(outputs) == 1 and outputs[0].size == 1:
        row = pull([jnp.ones_like(outputs[0])])
        return [[jnp.reshape(g, (*outputs[0].shape, *g.shape)) for g in row]], results
    return jax.jacrev(fun, argnums=tuple(range(len(args))), has_aux=True)(*args)
