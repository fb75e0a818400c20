"""What a traced function's Jacobian can be emitted as: elimination in an order, JAX's modes, compressed ones."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from elimax.errors import ModeError
from elimax.execute.accumulate import Edges
from elimax.execute.chunks import chunked_mode
from elimax.execute.coloured import LONG, coloured_mode, coloured_modes
from elimax.execute.forms import is_long
from elimax.execute.layout import identity_block, write_block
from elimax.execute.modes import MOST_PRODUCTS, Emit, cheapest, modes_through, out_of_reach, predictions, products
from elimax.execute.remaining import MOST_ENTRIES, num_entries
from elimax.execute.run import run
from elimax.execute.symmetric import Symmetry, mirrored
from elimax.execute.through import Through, run_through
from elimax.execute.traced import Traced
from elimax.partials.build import Linearisation
from elimax.plan import Plan
from elimax.plan.types import COMPRESSED


def with_modes(
    plan: Plan,
    traced: Traced,
    lin: Linearisation,
    inputs: Sequence[Any],
    output: str = "dense",
    symmetry: Symmetry | None = None,
) -> Plan:
    """The plan with JAX's own modes and the compressed ones as candidates, where elimination has rivals.

    See `elimax.execute.modes` for where that is. Only compressed modes rival elimination for sparse output.
    """
    if any(jnp.issubdtype(x.dtype, jnp.complexfloating) for x in inputs):
        return plan
    count = products(lin.graph, plan.order)
    eliminate = elimination(traced, lin, plan, output, values=False)
    if not lin.opaque_operations and not lin.coarse_operations and not traced.loops:
        if count <= MOST_PRODUCTS and not (output == "dense" and is_long(lin, count, eliminate, inputs)):
            return plan
        if len(lin.steps) > LONG and out_of_reach(lin, count):
            return plan
    modes = _jax_modes(traced, values=False) if output == "dense" else {}
    modes |= coloured_modes(traced.closed, lin, plan.order, output, False, symmetry)
    if not modes:
        return plan
    work = count if count > MOST_PRODUCTS else eliminate
    if output == "bcoo" and num_entries(lin.graph, plan.order) > MOST_ENTRIES:
        work = sys.maxsize  # indices of so many entries are not written out while there is another way
    predicted = predictions(work, modes, traced.closed, inputs)
    return dataclasses.replace(plan, modes=tuple(predicted.items()), mode=cheapest(predicted))


def mode_of(
    plan: Plan, traced: Traced, lin: Linearisation, output: str, values: bool, symmetry: Symmetry | None = None
) -> Emit:
    """What emits the mode of a plan that is no elimination, in the plan's chunks."""
    if plan.mode in COMPRESSED:
        return coloured_mode(plan.mode, traced.closed, lin, plan.order, output, values, plan.chunk, symmetry)
    if plan.chunk is not None:
        return chunked_mode(plan.mode, traced.closed, traced.num_outputs, values, plan.chunk)
    modes = _jax_modes(traced, values)
    if plan.mode not in modes:
        raise ModeError(f"mode {plan.mode!r} is for functions with loops of its kind, and this one has none.")
    return modes[plan.mode]


def _jax_modes(traced: Traced, values: bool) -> dict[str, Emit]:
    return modes_through(traced.closed, traced.written, traced.num_outputs, values)


def elimination(
    traced: Traced, lin: Linearisation, plan: Plan, output: str, values: bool, symmetry: Symmetry | None = None
) -> Emit:
    """What emits values of results, auxiliary values and blocks by elimination."""
    wanted = range(0 if values else traced.num_outputs, len(lin.program.outputs))

    def emit(*arrays: Any, through: Through | None = None) -> tuple[list[Any], list[Any], list[list[Any]]]:
        found = None if through is None else run_through(lin, plan.order, arrays, wanted, through)
        results, edges = run(lin, plan.order, arrays) if found is None else found
        outputs, aux = results[: traced.num_outputs], results[traced.num_outputs :]
        return (outputs if values else []), aux, _blocks(lin, edges, arrays, outputs, output, symmetry)

    return emit


def _blocks(
    lin: Linearisation,
    edges: Edges,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    output: str,
    symmetry: Symmetry | None,
) -> Any:
    """The blocks of the Jacobian from the edges that remain, row by row."""
    if symmetry is not None:
        keys = {
            (i, j): (source, vertex)
            for i, vertex in enumerate(lin.outputs)
            for j, source in enumerate(lin.inputs)
            if vertex is not None and (source, vertex) in edges
        }
        edges = mirrored(edges, keys, symmetry, diagonals=output == "dense")
    blocks = []
    for result, vertex in zip(outputs, lin.outputs, strict=True):
        row = []
        for argument, source in zip(inputs, lin.inputs, strict=True):
            shapes = tuple(result.shape), tuple(jnp.shape(argument))
            if vertex is not None and vertex == source:
                structure, values = identity_block(shapes[0])
            elif vertex is not None and (source, vertex) in edges:
                structure, values = edges[(source, vertex)]
            else:
                structure, values = (), ()
            row.append(write_block(structure, values, *shapes, result.dtype, output))
        blocks.append(row)
    return blocks
