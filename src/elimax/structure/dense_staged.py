"""Two ways to write a block, one of which is taken where the batch is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.core import Tracer

from elimax._jax.staged import Place, is_local, stage

Way = Callable[[Sequence[Any], Any], Any]
"""Maps the value arrays of the terms, and a dtype, to the box."""


def staged(
    small: Way,
    wide: Way,
    is_wide: Callable[[int], bool],
    arrays: Sequence[Any],
    dtype: Any,
    platform: str | None = None,
) -> Any:
    """Write a box in the way that suits the batch, which is known where the program is lowered.

    Args:
      small: the way that is taken where ``is_wide`` is false, and where nothing is traced.
      wide: the other way.
      is_wide: maps the size of the batch to whether the second way is taken.
      arrays: what is written.
      dtype: of the box.
      platform: the only one where the second way is taken; None for all.
    """
    traced = [k for k, array in enumerate(arrays) if isinstance(array, Tracer)]
    if not traced or not all(is_local(arrays[k]) for k in traced):
        return small(arrays, dtype)

    def with_way(way: Way) -> Callable[..., Any]:
        def fun(*operands: Any) -> list[Any]:
            full = list(arrays)
            for k, operand in zip(traced, operands, strict=True):
                full[k] = operand
            return [way(full, dtype)]

        return fun

    def choose(where: Place) -> Callable[..., list[Any]] | None:
        taken = platform in (None, where.platform) and is_wide(math.prod(where.sizes))
        return _batched(with_way(wide), where) if taken else None

    operands = [arrays[k] for k in traced]
    closed = jax.make_jaxpr(with_way(small))(*(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in operands))
    (result,) = stage("assembly", closed, choose, operands, batch_last=False)
    return result


def _batched(fun: Callable[..., list[Any]], where: Place) -> Callable[..., list[Any]]:
    """A function mapped over the batch axes, which are in front of operands and results."""
    mapped: Any = fun
    for size, mask in where.batch:
        mapped = jax.vmap(mapped, in_axes=[0 if m else None for m in mask], axis_size=size)
    return mapped
