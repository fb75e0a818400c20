"""Nonlinear reductions: each operand element reaches one result element, so a VJP of ones gives every partial."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from elimax._jax import Equation
from elimax.partials.types import Context, Local, LocalEdge
from elimax.structure.arrays import reindex
from elimax.structure.canonical import make_term
from elimax.structure.term import Affine, AxisMap, Kind

NAMES = frozenset(["reduce_max", "reduce_min", "reduce_prod"])


def reduction(equation: Equation, context: Context) -> Local | None:
    """Rule for the primitives in `NAMES`, which reduce one operand along ``axes``."""
    if equation.linear:
        return None
    shape = context.shape(equation.inputs[0].value)
    out_shape = context.shape(equation.outputs[0].value)
    dtype = context.dtype(equation.outputs[0].value)
    axes: list[AxisMap] = [Affine(0, ((k, 1),)) for k in range(len(shape))]
    kept = [axis for k, axis in enumerate(axes) if k not in set(equation.params["axes"])]
    term, maps = make_term(dict(enumerate(shape)), kept, axes, list(range(len(shape))), Kind.VARIABLE)

    def evaluate(values: list[Any]) -> tuple[list[Any] | None, list[Any]]:
        result, pull = jax.vjp(lambda x: equation.call(x)[0], values[0])
        (partial,) = pull(jnp.ones(out_shape, dtype))
        value, _ = reindex(partial, maps, term.sizes)
        return [result], [(value,)]

    return Local((LocalEdge(0, 0, (term,)),), evaluate, "reduction")
