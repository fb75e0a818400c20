"""From flat blocks to the pytrees that jacfwd returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from elimax.api.blocks import block_dtype, cast, combine_parts, weaken, zero_block
from elimax.api.endpoints import Kind, Leaf
from elimax.api.flat import FlatFunction

_NUM_PARTS = {Kind.DIRECT: 1, Kind.SPLIT: 2}


def jacobian_tree(flat: FlatFunction, blocks: Sequence[Sequence[Any]], *, layout: str, input_dtypes: bool) -> Any:
    """Arranges blocks as a tree: the tree of the output outside, the tree of the differentiated arguments inside.

    Args:
      flat: the function, after it was traced.
      blocks: a row for each differentiated output, with a block for each array that ``flat`` takes.
      layout: ``"dense"`` or ``"bcoo"``.
      input_dtypes: blocks get the dtype of the input, as in jacrev, instead of that of the output.

    Returns:
      The tree of blocks.
    """
    rows = iter(blocks)
    outer = []
    for output in flat.record.outputs:
        parts = [iter(next(rows)) for _ in range(_NUM_PARTS.get(output.kind, 0))]
        inner = []
        for x in flat.inputs:
            block = weaken(_one_block(output, x, parts, layout), output.weak_type)
            inner.append(cast(block, x.dtype) if input_dtypes else block)
        outer.append(jax.tree.unflatten(flat.in_tree, inner))
    return jax.tree.unflatten(flat.record.out_tree, outer)


def _one_block(output: Leaf, x: Leaf, parts: Sequence[Any], layout: str) -> Any:
    """Takes the block of ``output`` by ``x`` from the rows of the parts of ``output``."""
    if not parts or x.kind is Kind.INTEGER:
        return zero_block(output, x, layout)
    if output.kind is Kind.SPLIT:  # of real inputs
        return combine_parts(next(parts[0]), next(parts[1]), 1, output.dtype)
    if x.kind is Kind.SPLIT:  # of a real output: d/da - i d/db at a + ib, the convention of jax.grad
        return combine_parts(next(parts[0]), next(parts[0]), -1, block_dtype(output, x))
    return next(parts[0])


def value_and_aux(flat: FlatFunction, outputs: Sequence[Any], aux: Sequence[Any]) -> tuple[Any, Any]:
    """Puts the value of the function and its auxiliary data together again.

    Args:
      flat: the function, after it was traced.
      outputs: values of the differentiated outputs, if they were asked for.
      aux: values of what ``flat`` returned beside them.

    Returns:
      The output and the auxiliary data as trees. Outputs are ``None`` when they were not asked for.
    """
    record = flat.record
    direct, others = iter(outputs), iter(aux)
    value = []
    for i, leaf in enumerate(record.outputs):
        if i in record.fixed_outputs:
            value.append(jnp.asarray(record.fixed_outputs[i]))
        elif leaf.kind is Kind.DIRECT:
            value.append(next(direct) if flat.with_value else None)
        elif leaf.kind is Kind.SPLIT:
            value.append(jax.lax.complex(next(direct), next(direct)) if flat.with_value else None)
        else:
            value.append(next(others) if flat.with_value else None)
    auxiliary = [
        record.fixed_aux[i] if i in record.fixed_aux else next(others) for i in range(record.aux_tree.num_leaves)
    ]
    return jax.tree.unflatten(record.out_tree, value), jax.tree.unflatten(record.aux_tree, auxiliary)
