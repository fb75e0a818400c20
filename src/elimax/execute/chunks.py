"""JAX's forward and reverse mode some columns or rows at a time, into one array that is filled in place.

``jax.jacfwd`` and ``jax.jacrev`` push all directions at once, so that each intermediate value is there once for each of
them. Here the memory of intermediate values is that of one chunk of directions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax._jax.program import as_function
from elimax.execute.modes import Emit


def chunked_mode(mode: str, closed: Any, num_outputs: int, values: bool, chunk: int) -> Emit:
    """Forward or reverse mode in chunks.

    Args:
      mode: "forward" or "reverse".
      closed: the traced function.
      num_outputs: how many of its results are differentiated.
      values: whether their values are wanted.
      chunk: number of directions at once; the last chunk overlaps the one before where it does not divide them.
    """
    function = as_function(closed)

    def fun(*args: Any) -> tuple[list[Any], list[Any]]:
        results = function(*args)
        return results[:num_outputs], results[num_outputs:]

    def emit(*inputs: Any) -> tuple[list[Any], list[Any], list[list[Any]]]:
        inputs = tuple(jnp.asarray(x) for x in inputs)
        if mode == "forward":
            outputs, aux = fun(*inputs)
            push = lambda *tangents: jax.jvp(fun, inputs, tangents, has_aux=True)[1]  # noqa: E731
            tables = _filled(push, inputs, outputs, chunk, axis=1)
            blocks = [_pieces(table, inputs, 1) for table in tables]
        else:
            outputs, pull, aux = jax.vjp(fun, *inputs, has_aux=True)
            tables = _filled(lambda *cotangents: pull(list(cotangents)), outputs, inputs, chunk, axis=0)
            columns = [_pieces(table, outputs, 0) for table in tables]
            blocks = [list(row) for row in zip(*columns, strict=True)]
        shaped = [
            [block.astype(y.dtype).reshape(*y.shape, *x.shape) for block, x in zip(row, inputs, strict=True)]
            for row, y in zip(blocks, outputs, strict=True)
        ]
        return (list(outputs) if values else []), list(aux), shaped

    return emit


def _filled(
    push: Callable[..., Sequence[Any]], sources: Sequence[Any], targets: Sequence[Any], chunk: int, axis: int
) -> list[Any]:
    """For each target a table of its elements against those of all sources, which lie along the axis.

    Args:
      push: maps a direction, one array for each source, to one array for each target.
      sources: arrays of the shapes of a direction.
      targets: arrays of the shapes of what comes out.
      chunk: number of directions at once.
      axis: 1 for tables [target, sources], 0 for [sources, target].
    """
    total = sum(x.size for x in sources)
    chunk = max(1, min(chunk, total))
    shapes = [(total, y.size) if axis == 0 else (y.size, total) for y in targets]
    steps = math.ceil(total / chunk)

    def step(tables: list[Any], k: Any) -> tuple[list[Any], None]:
        start = jnp.minimum(k * chunk, total - chunk)
        found = jax.vmap(push)(*_unit_vectors(start + jnp.arange(chunk, dtype=jnp.int32), sources))
        parts = [y.reshape(chunk, -1) for y in found]
        corner = (start, jnp.int32(0)) if axis == 0 else (jnp.int32(0), start)
        return [
            lax.dynamic_update_slice(table, part if axis == 0 else part.T, corner)
            for table, part in zip(tables, parts, strict=True)
        ], None

    empty = [jnp.zeros(shape, y.dtype) for shape, y in zip(shapes, targets, strict=True)]
    return lax.scan(step, empty, jnp.arange(steps, dtype=jnp.int32))[0]


def _unit_vectors(numbers: Any, like: Sequence[Any]) -> list[Any]:
    """For each array [chunk, *shape]: in direction k a one at the place that has the number in the joined arrays."""
    result, start = [], 0
    for x in like:
        places = np.arange(start, start + x.size, dtype=np.int32)
        start += x.size
        result.append((places[None] == numbers[:, None]).astype(x.dtype).reshape(-1, *x.shape))
    return result


def _pieces(table: Any, like: Sequence[Any], axis: int) -> list[Any]:
    bounds = np.cumsum([x.size for x in like])[:-1]
    return [table] if not bounds.size else jnp.split(table, bounds, axis=axis)
