"""Operations that act along some axes and repeat along the others: dense along the former, diagonal along the latter.

Cumulative operations, sorts, Fourier transforms and matrix factorisations are of this kind. One JVP per element of
the acted-upon axes, with ones along all repeated axes, gives the whole block.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from elimax._jax import Equation
from elimax.partials.types import Context, Local, LocalEdge
from elimax.structure.arrays import reindex
from elimax.structure.canonical import make_term
from elimax.structure.term import Affine, AxisMap, Kind

MAX_LOCAL = 64
"""Blocks whose shorter side is longer than this stay operators."""

MAX_ENTRIES = 1 << 22
"""Blocks with more entries than this stay operators."""

CUMULATIVE = frozenset(["cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"])
LAST_AXIS = frozenset(["top_k"])
MATRIX = frozenset("cholesky triangular_solve lu qr geqrf householder_product eigh svd solve cholesky_update".split())
NAMES = CUMULATIVE | MATRIX | LAST_AXIS | {"sort", "fft"}


def _local_rank(equation: Equation, rank: int) -> Sequence[int] | None:
    """The axes acted upon, of an array of the given rank."""
    if equation.name in CUMULATIVE:
        return [equation.params["axis"]]
    if equation.name == "sort":
        return [equation.params["dimension"]]
    if equation.name in LAST_AXIS:
        return [rank - 1]
    if equation.name == "fft":
        return list(range(rank - len(equation.params["fft_lengths"]), rank))
    return list(range(rank - 2, rank)) if rank >= 2 else None


def axis_local(equation: Equation, context: Context) -> Local | None:
    """Rule for the primitives in `NAMES`."""
    outputs = [k for k, r in enumerate(equation.outputs) if r.vertex is not None]
    operands = [k for k, r in enumerate(equation.inputs) if r.vertex is not None]
    shapes_in = [context.shape(equation.inputs[k].value) for k in operands]
    shapes_out = [context.shape(equation.outputs[k].value) for k in outputs]
    if equation.linear or any(not math.prod(s) for s in (*shapes_in, *shapes_out)):
        return None
    # Factorisations with vector results (eigenvalues, pivots) keep one local axis fewer.
    batch = None
    local_in, local_out = [], []
    for shape, target in [(s, local_in) for s in shapes_in] + [(s, local_out) for s in shapes_out]:
        axes = _local_rank(equation, len(shape))
        if equation.name == "triangular_solve" and operands == [1]:
            # Each column of the right hand side is solved for itself; each row where the matrix stands on the right.
            axes = [len(shape) - (2 if equation.params["left_side"] else 1)]
        elif equation.name in MATRIX:
            reference = len(shapes_in[0]) - 2
            axes = list(range(reference, len(shape)))
        if axes is None:
            return None
        rest = [n for k, n in enumerate(shape) if k not in axes]
        if batch is not None and rest != batch:
            return None
        batch = rest
        target.append(list(axes))
    assert batch is not None
    sizes_in = [math.prod(s[k] for k in axes) for s, axes in zip(shapes_in, local_in, strict=True)]
    sizes_out = [math.prod(s[k] for k in axes) for s, axes in zip(shapes_out, local_out, strict=True)]
    if max(sizes_in) > MAX_LOCAL and max(sizes_out) > MAX_LOCAL:
        return None
    if max(sizes_in) * max(sizes_out) * math.prod(batch) > MAX_ENTRIES or max(sizes_in) > 4 * MAX_LOCAL:
        return None
    if math.prod(batch) == 1 and max(sizes_in) > 16:
        return None  # nothing repeats, so an operator loses nothing and may need fewer columns

    edges, recipes = [], []
    for a, operand in enumerate(operands):
        for b, output in enumerate(outputs):
            term, maps = _term(shapes_out[b], local_out[b], shapes_in[a], local_in[a])
            edges.append(LocalEdge(output, operand, (term,)))
            recipes.append((a, b, term, maps))

    def evaluate(values: list[Any]) -> tuple[list[Any] | None, list[Any]]:
        def call(*chosen: Any) -> list[Any]:
            full = list(values)
            for k, x in zip(operands, chosen, strict=True):
                full[k] = x
            results = equation.call(*full)
            return [results[k] for k in outputs]

        primals = [jnp.asarray(values[k]) for k in operands]
        blocks = []
        for a, (x, axes) in enumerate(zip(primals, local_in, strict=True)):
            local_shape = tuple(x.shape[k] for k in axes)
            basis = jnp.eye(math.prod(local_shape), dtype=x.dtype).reshape(-1, *local_shape)

            def push(seed: Any, a: int = a, x: Any = x, axes: list[int] = axes) -> list[Any]:
                spread = seed.reshape([x.shape[k] if k in axes else 1 for k in range(x.ndim)])

                def along(y: Any) -> list[Any]:
                    return call(*[y if k == a else p for k, p in enumerate(primals)])

                return jax.jvp(along, (x,), (jnp.broadcast_to(spread, x.shape),))[1]

            blocks.append([jnp.reshape(t, (*local_shape, *t.shape[1:])) for t in jax.vmap(push)(basis)])
        partials = []
        for a, b, term, maps in recipes:
            value, _ = reindex(blocks[a][b], maps, term.sizes)
            partials.append((value,))
        return equation.call(*values), partials

    return Local(tuple(edges), evaluate, "along axes")


def _term(out_shape: tuple[int, ...], out_local: list[int], in_shape: tuple[int, ...], in_local: list[int]):
    """Term of one result and operand; the value array has the operand's local axes, then all axes of the result."""
    sizes: dict[int, int] = {}
    out_axes: list[AxisMap] = []
    shared: list[int] = []
    for k, n in enumerate(out_shape):
        sizes[k] = n
        out_axes.append(Affine(0, ((k, 1),)))
        if k not in out_local:
            shared.append(k)
    repeated = iter(shared)
    in_axes: list[AxisMap] = []
    local_labels = []
    for k, n in enumerate(in_shape):
        if k in in_local:
            number = len(sizes)
            sizes[number] = n
            local_labels.append(number)
            in_axes.append(Affine(0, ((number, 1),)))
        else:
            in_axes.append(Affine(0, ((next(repeated), 1),)))
    return make_term(sizes, out_axes, in_axes, [*local_labels, *range(len(out_shape))], Kind.VARIABLE)
