"""Elementwise operations: the partial is diagonal, and its values are the JVP of a tangent of ones."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax._jax import Equation
from elimax._jax.local import Operand, local_program
from elimax._jax.program import Placeholder
from elimax.partials.types import Context, Local, LocalEdge
from elimax.structure.arrays import Masked
from elimax.structure.canonical import make_term
from elimax.structure.term import Affine, AxisMap, Kind, Term

NAMES = frozenset(
    "sin cos tan tanh asin acos atan atan2 sinh cosh asinh acosh atanh exp exp2 expm1 log log1p logistic sqrt rsqrt "
    "cbrt square integer_pow pow abs erf erfc erf_inv lgamma digamma polygamma igamma igammac igamma_grad_a "
    "random_gamma_grad bessel_i0e bessel_i1e regularized_incomplete_beta zeta div rem max min "
    "reduce_precision convert_element_type copy copy_p clamp conj real imag complex sharding_constraint tie_in "
    "mesh_cast reshard name stage layout_constraint relayout pvary log2 one_minus_square "
    "with_memory_space_constraint".split()
)


def broadcasts(in_shape: tuple[int, ...], out_shape: tuple[int, ...]) -> bool:
    """Whether an operand of a shape may stand beside others: a scalar, or equal up to axes of length 1."""
    return not in_shape or (
        len(in_shape) == len(out_shape) and all(n in (1, m) for n, m in zip(in_shape, out_shape, strict=True))
    )


def diagonal(out_shape: tuple[int, ...], in_shape: tuple[int, ...], kind: Kind, value_shape: tuple[int, ...]) -> Term:
    """The term of an elementwise dependence; an operand's axis of length 1 is read by every element along it.

    Args:
      out_shape: shape of the result.
      in_shape: shape of the operand; see `broadcasts`.
      kind: kind of the values.
      value_shape: shape of the values before axes of length 1 are dropped; see `broadcasts`.
    """
    sizes = dict(enumerate(out_shape))
    axes: list[AxisMap] = [Affine(0, ((k, 1),)) for k in range(len(out_shape))]
    in_axes = [axes[k] if n == out_shape[k] else Affine(0) for k, n in enumerate(in_shape)]
    labels = [k for k, n in enumerate(value_shape) if n != 1]
    term, _ = make_term(sizes, axes, in_axes, labels, kind)
    return term


def elementwise(equation: Equation, context: Context) -> Local | None:
    """Rule for the primitives in `NAMES`."""
    shape = context.shape(equation.outputs[0].value)
    dtype = context.dtype(equation.outputs[0].value)
    if equation.name == "convert_element_type" and not all(
        jnp.issubdtype(context.dtype(r.value), np.inexact) for r in equation.inputs
    ):
        return None
    constants = context.program.constants
    operands = [
        Operand(
            context.program.values[r.value],
            constants[r.value] if r.value in context.program.literals else None,
            r.vertex is not None,
        )
        for r in equation.inputs
    ]
    if not all(broadcasts(o.value.shape, shape) for o in operands if o.active):
        return None
    program = local_program(equation.name, equation.params, equation.call, operands, equation.linear)
    active = [k for k, o in enumerate(operands) if o.active]
    edges = []
    for k, partial in zip(active, program.partials, strict=True):
        kind = Kind.UNIT if isinstance(partial, int) else Kind.VARIABLE if isinstance(partial, tuple) else Kind.CONSTANT
        uniform = kind == Kind.UNIT or (isinstance(partial, np.ndarray) and partial.ndim == 0)
        value_shape = () if uniform else shape
        edges.append(LocalEdge(0, k, (diagonal(shape, operands[k].value.shape, kind, value_shape),)))

    def evaluate(values: list[Any]) -> tuple[list[Any] | None, list[Any]]:
        given = [None if isinstance(v, Placeholder) else v for v in values]
        if equation.linear:
            given = [v.zeros() if isinstance(v, Placeholder) else v for v in values]
        primal, partials = program.evaluate(given)
        shaped = []
        for edge, partial in zip(edges, partials, strict=True):
            term = _only(edge)
            if isinstance(partial, int):
                shaped.append((partial,))
                continue
            if isinstance(partial, np.ndarray):
                array = np.asarray(partial, dtype)
                array = np.broadcast_to(array, shape) if array.ndim else array
                shaped.append((array.reshape(term.value_shape),))
                continue
            full = jnp.broadcast_to(partial, shape) if partial.shape != shape else partial
            shaped.append((full.reshape(term.value_shape).astype(dtype),))
        return (None if equation.linear else primal), shaped

    return Local(tuple(edges), evaluate, "elementwise")


def _only(edge: LocalEdge) -> Term:
    assert isinstance(edge.structure, tuple)
    return edge.structure[0]


def select(equation: Equation, context: Context) -> Local | None:
    """Rule for ``select_n``: each partial is a mask, selected and never multiplied by zero."""
    shape = context.shape(equation.outputs[0].value)
    active = [k for k, r in enumerate(equation.inputs) if r.vertex is not None]
    if any(context.shape(equation.inputs[k].value) != shape for k in active):
        return None
    edges = tuple(LocalEdge(0, k, (diagonal(shape, shape, Kind.VARIABLE, shape),)) for k in active)

    def evaluate(values: list[Any]) -> tuple[list[Any] | None, list[Any]]:
        which = jnp.asarray(values[0])
        results = None if equation.linear else equation.call(*values)
        masks: list[Any] = []
        for edge in edges:
            term = _only(edge)
            chosen = edge.operand - 1
            if which.dtype == np.bool_:
                mask = which if chosen == 1 else lax.bitwise_not(which)
            else:
                mask = lax.eq(which, np.asarray(chosen, which.dtype))
            masks.append((Masked(jnp.broadcast_to(mask, shape).reshape(term.value_shape), 1),))
        return results, masks

    return Local(edges, evaluate, "select")
