"""Fitting a Jacobian into memory: what it needs, whether that is there, and in which chunks it can be had otherwise."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from elimax._jax import trace
from elimax.elimination.steps import Step
from elimax.emit.estimate import estimate
from elimax.errors import MemoryLimitError
from elimax.execute.chunks import chunked_mode
from elimax.execute.coloured import compressions, emission, is_symmetric, whole_pattern
from elimax.execute.memory import memory_of_machine, peak
from elimax.execute.modes import Emit, modes_of
from elimax.execute.remaining import MOST_ENTRIES, num_entries, remaining
from elimax.execute.symmetric import Symmetry
from elimax.partials.build import Linearisation
from elimax.plan.sizes import format_bytes
from elimax.plan.types import ELIMINATION, Plan
from elimax.structure.algebra import as_terms

SPARSE = 0.5
"""Sparse output is named as a way out if it needs less than this share of the dense one."""


_PRODUCTS = "Take products with it, by jax.jvp or jax.vjp."


def dense_size(outputs: Sequence[Any], inputs: Sequence[Any]) -> int:
    """Bytes of all blocks of a dense Jacobian; blocks have the dtype of the output."""
    columns = sum(math.prod(x.shape) for x in inputs)
    return sum(math.prod(y.shape) * columns * y.dtype.itemsize for y in outputs)


def sparse_size(lin: Linearisation, order: Sequence[Step]) -> int:
    """Bytes of all blocks of a sparse Jacobian, from structure alone: values, and an index of 32 bits for each axis."""
    graph = lin.graph
    if lin.opaque_operations:
        from elimax.execute.dependence import sharpened  # brings in SciPy, slow to import

        graph = sharpened(lin)
    left = remaining(graph, order)
    number = {full: vertex for vertex, full in enumerate(lin.full_vertices)}
    total = 0
    for ref, output in zip(lin.program.outputs, lin.outputs, strict=False):
        described = lin.program.values[ref.value]
        for source in lin.inputs:
            if output is None:
                continue
            shape = lin.graph.vertices[number[source]].shape
            structure = left.get((number[source], number[output]), ())
            entries = sum(term.num_entries for term in as_terms(structure))
            if output == source:
                entries = math.prod(shape)
            entries = min(entries, math.prod(shape) * math.prod(described.shape))
            total += entries * (described.dtype.itemsize + 4 * (len(shape) + len(described.shape)))
    return total


def check_result(
    name: str,
    outputs: Sequence[Any],
    inputs: Sequence[Any],
    limit: float | None,
    output: str,
    sparse: Callable[[], int],
) -> None:
    """Refuse a Jacobian that is larger than the limit, or than the memory of the machine if there is none.

    Args:
      name: of the function.
      outputs: shapes and dtypes of its results.
      inputs: of its arguments.
      limit: bytes, or None.
      output: "dense" or "bcoo".
      sparse: works out the size of the sparse Jacobian, where that matters.

    Raises:
      MemoryLimitError: if it is refused.
    """
    size = dense_size(outputs, inputs)
    if size < 1 << 20 and limit is None:
        return
    bound = memory_of_machine() if limit is None else limit
    whose = f"{'this machine has' if limit is None else 'max_memory is'} {format_bytes(bound)}"
    subject = f"the {'sparse' if output == 'bcoo' else 'dense'} Jacobian of {name or 'the function'} has"
    if output == "bcoo":
        axes = max((len(y.shape) for y in outputs), default=0) + max((len(x.shape) for x in inputs), default=0)
        if size * (1 + 4 * axes) > bound and sparse() > bound:
            raise MemoryLimitError(f"{subject} {format_bytes(sparse())}, and {whose}. {_PRODUCTS}")
    elif size > bound:
        raise MemoryLimitError(f"{subject} {format_bytes(size)}, and {whose}. {_way_out(size, sparse)}")


def _way_out(size: float, sparse: Callable[[], int]) -> str:
    found = sparse()
    if found < SPARSE * size:
        return f'It is sparse: output="bcoo" has {format_bytes(found)}.'
    return f"Sparse output would be no way out, it has {format_bytes(found)}. {_PRODUCTS}"


def memory_of(plan: Plan, closed: Any, lin: Linearisation, outputs: Sequence[Any], inputs: Sequence[Any]) -> Plan:
    """The plan with what it needs of memory.

    Args:
      plan: the plan.
      closed: its operations; None where they are too many, or the result too large, to look at.
      lin: the linearised function.
      outputs: shapes and dtypes of the results.
      inputs: of the arguments.
    """
    arguments = sum(math.prod(x.shape) * x.dtype.itemsize for x in inputs)
    dense = dense_size(outputs, inputs)
    found = arguments + dense if closed is None else peak(closed)
    sizes = {"peak": found, "arguments": arguments, "dense result": dense, "bcoo result": sparse_size(lin, plan.order)}
    return dataclasses.replace(plan, memory=tuple(sizes.items()))


def peak_of(emit: Emit, inputs: Sequence[Any]) -> int:
    """Predicted peak of what is emitted."""
    return peak(trace(lambda *xs: jax.tree.leaves(emit(*xs)), inputs))


def within(
    plan: Plan,
    limit: float,
    closed: Any,
    lin: Linearisation,
    inputs: Sequence[Any],
    output: str,
    values: bool,
    eliminate: Emit,
    symmetry: Symmetry | None = None,
) -> Plan:
    """The plan if it stays within a limit of memory, or else the fastest mode, whole or in chunks, that does.

    Args:
      plan: what is done without a limit.
      limit: bytes.
      closed: the traced function.
      lin: the same, linearised.
      inputs: its arguments.
      output: "dense" or "bcoo".
      values: whether values of the results are wanted.
      eliminate: emits the elimination.
      symmetry: of the Jacobian, if it is a Hessian.

    Raises:
      MemoryLimitError: if no way stays within the limit.
    """
    ways = _ways(plan, closed, lin, output, values, eliminate, is_symmetric(lin, symmetry))
    least: dict[str, float] = {}
    for name in [plan.mode, *(n for n in ways if n != plan.mode)] if plan.mode in ways else list(ways):
        least[name] = _peak(ways[name](None), inputs)
        if least[name] <= limit and name == plan.mode:
            return plan
    best: tuple[float, Plan] | None = None
    for name, way in ways.items():
        chunk: int | None = None
        if least[name] > limit:
            if name == ELIMINATION:
                continue
            chunk, least[name] = _largest_chunk(way, inputs, limit, least[name])
            if chunk is None:
                continue
        seconds = 1e-9 * estimate(trace(lambda *xs, w=way, c=chunk: jax.tree.leaves(w(c)(*xs)), inputs))
        if best is None or seconds < best[0]:
            best = seconds, dataclasses.replace(plan, mode=name, chunk=chunk)
    if best is None and not least:
        raise MemoryLimitError(
            f"the sparse Jacobian of {plan.name or 'the function'} has more than {MOST_ENTRIES:,} entries, too many "
            f"for any way that stays below {format_bytes(limit)}. {_PRODUCTS}"
        )
    if best is None:
        mode = min(least, key=least.__getitem__)
        dense = dense_size(shapes_of(lin), inputs)
        advice = "" if output == "bcoo" else " " + _way_out(dense, lambda: sparse_size(lin, plan.order))
        raise MemoryLimitError(
            f"the Jacobian of {plan.name or 'the function'} needs {format_bytes(least[mode])} at once by the mode that "
            f"needs least ({mode}), and max_memory is {format_bytes(limit)}.{advice}"
        )
    return best[1]


Way = Callable[[int | None], Emit]
"""Maps a number of directions at once, or None for all, to what emits them."""


def _ways(
    plan: Plan, closed: Any, lin: Linearisation, output: str, values: bool, eliminate: Emit, symmetric: bool
) -> dict[str, Way]:
    ways: dict[str, Way] = {}
    if output == "dense" or num_entries(lin.graph, plan.order) <= MOST_ENTRIES:
        ways[ELIMINATION] = lambda chunk: eliminate
    if output == "dense":
        whole = modes_of(closed, len(lin.outputs), values)
        for name in whole:
            ways[name] = lambda chunk, name=name: (
                whole[name] if chunk is None else chunked_mode(name, closed, len(lin.outputs), values, chunk)
            )
    pattern = whole_pattern(lin, plan.order)
    if pattern is not None:
        for name, found in compressions(pattern, symmetric).items():
            ways[name] = lambda chunk, found=found: emission(closed, lin, found, output, values, chunk)
    return ways


def _peak(emit: Emit, inputs: Sequence[Any]) -> int | float:
    try:
        return peak_of(emit, inputs)
    except (TypeError, ValueError, NotImplementedError):  # custom_vjp forward, while loops in reverse
        return math.inf


def _largest_chunk(way: Way, inputs: Sequence[Any], limit: float, whole: float) -> tuple[int | None, int | float]:
    """The largest power of two of directions that fits, or None, and the least that was found to be needed."""
    if not math.isfinite(whole):
        return None, whole
    one = _peak(way(1), inputs)
    if one > limit:
        return None, min(one, whole)
    each = max(1.0, _peak(way(2), inputs) - one)
    chunk = 1 << int(math.log2(max(1.0, (limit - one) / each + 1)))
    while chunk > 1 and _peak(way(chunk), inputs) > limit:
        chunk //= 2
    return chunk, one


def shapes_of(lin: Linearisation) -> list[Any]:
    """Shapes and dtypes of the results that are differentiated."""
    described = [lin.program.values[r.value] for r in lin.program.outputs[: len(lin.outputs)]]
    return [jax.ShapeDtypeStruct(v.shape, jnp.dtype(v.dtype)) for v in described]
