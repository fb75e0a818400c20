"""Results whose batch axes are where everyone expects them.

Under `jax.vmap`, a function of `jax.custom_jvp` and its rule are mapped apart from each other, and JAX takes the places
of the batch axes from the function alone. Where the rule computes results in another way than the function does, and
their batch axes come to lie elsewhere, results of the rule are read with wrong axes. So both pass their results through
an identity that has all of them batched in front as soon as any argument is batched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.extend.core as jex
import jax.numpy as jnp
from jax.interpreters import ad, batching, mlir

NAME = "elimax_aligned"

aligned_p = jex.Primitive(NAME)
aligned_p.multiple_results = True


def aligned(results: Sequence[Any], args: Sequence[Any]) -> list[Any]:
    """The results; under `jax.vmap` with their batch axes in front if a result or an argument is batched.

    Args:
      results: arrays.
      args: what they were computed from.
    """
    return aligned_p.bind(*results, *args, count=len(results)) if results else []


@aligned_p.def_impl
def _evaluate(*operands: Any, count: int) -> list[Any]:
    return [jnp.asarray(x) for x in operands[:count]]


@aligned_p.def_abstract_eval
def _abstract(*avals: Any, count: int) -> list[Any]:
    return list(avals[:count])


def _map(operands: Sequence[Any], dims: Sequence[Any], *, count: int) -> tuple[list[Any], list[int]]:
    size = next(x.shape[d] for x, d in zip(operands, dims, strict=True) if d is not None)
    moved = [
        jnp.broadcast_to(x, (size, *jnp.shape(x))) if d is None else jnp.moveaxis(x, d, 0)
        for x, d in zip(operands, dims, strict=True)
    ]
    return aligned_p.bind(*moved, count=count), [0] * count


def _differentiate(primals: Sequence[Any], tangents: Sequence[Any], *, count: int) -> tuple[list[Any], list[Any]]:
    return aligned_p.bind(*primals, count=count), list(tangents[:count])


batching.primitive_batchers[aligned_p] = _map
ad.primitive_jvps[aligned_p] = _differentiate
mlir.register_lowering(aligned_p, lambda _, *operands, count: operands[:count])
