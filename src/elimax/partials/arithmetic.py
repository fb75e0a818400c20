"""Sums, differences and products: by far the most frequent operations, written down instead of traced."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from elimax._jax import Equation
from elimax.partials.elementwise import broadcasts, diagonal
from elimax.partials.types import Context, Local, LocalEdge
from elimax.structure.term import Kind

SIGNS = {"add": (1, 1), "add_any": (1, 1), "sub": (1, -1), "neg": (-1,)}
"""Partials of the operations whose partials are units."""


def linear(equation: Equation, context: Context) -> Local | None:
    """Rule for the primitives in `SIGNS`."""
    shape = context.shape(equation.outputs[0].value)
    signs = SIGNS[equation.name]
    edges, partials = [], []
    for k, ref in enumerate(equation.inputs):
        if ref.vertex is None:
            continue
        if not broadcasts(context.shape(ref.value), shape):
            return None
        edges.append(LocalEdge(0, k, (diagonal(shape, context.shape(ref.value), Kind.UNIT, ()),)))
        partials.append((signs[k],))

    def evaluate(values: list[Any]) -> tuple[list[Any] | None, list[Any]]:
        return (None if equation.linear else equation.call(*values)), list(partials)

    return Local(tuple(edges), evaluate, "arithmetic")


def multiplication(equation: Equation, context: Context) -> Local | None:
    """Rule for ``mul``: the partial with respect to one operand is the other one."""
    shape = context.shape(equation.outputs[0].value)
    dtype = context.dtype(equation.outputs[0].value)
    edges = []
    for k, ref in enumerate(equation.inputs):
        if ref.vertex is None:
            continue
        if not broadcasts(context.shape(ref.value), shape):
            return None
        other = equation.inputs[1 - k].value
        kind = Kind.VARIABLE
        if other in context.program.literals:
            constant = context.program.constants[other]
            kind = (
                Kind.UNIT if constant.ndim == 0 and abs(constant) == 1 and constant.dtype.kind == "f" else Kind.CONSTANT
            )
        value_shape = () if kind == Kind.UNIT else context.shape(other)
        edges.append(LocalEdge(0, k, (diagonal(shape, context.shape(ref.value), kind, value_shape),)))

    def evaluate(values: list[Any]) -> tuple[list[Any] | None, list[Any]]:
        partials = []
        for edge in edges:
            (term,) = edge.structure
            other = values[1 - edge.operand]
            if term.kind == Kind.UNIT:
                partials.append((int(other),))
            elif term.kind == Kind.CONSTANT:
                partials.append((np.asarray(other, dtype).reshape(term.value_shape),))
            else:
                array = jnp.asarray(other)
                partials.append((array if array.shape == term.value_shape else array.reshape(term.value_shape),))
        return (None if equation.linear else equation.call(*values)), partials

    return Local(tuple(edges), evaluate, "arithmetic")
