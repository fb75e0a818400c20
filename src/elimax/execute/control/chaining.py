"""Programs whose loops can be differentiated backwards, and loops that are written so from the start."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from elimax._jax import Equation, Program, trace
from elimax._jax.chained import LOOP, loop_p
from elimax._jax.control import loop_of
from elimax._jax.loops import Loop, has_loops
from elimax._jax.program import MUTABLE, evaluated, primitive_names
from elimax._jax.replaced import replaced
from elimax._jax.weak import weakened
from elimax.execute.control.chain import chain_of
from elimax.execute.control.turns import Plain

LONG = 16
"""Loops of fewer known turns are left to JAX, which keeps what each turn needs on the way back."""


def chained(closed: Any, scans: bool) -> Any:
    """A program with loops that can be differentiated backwards.

    Args:
      closed: a closed jaxpr.
      scans: whether loops of a known number of turns, which JAX differentiates too, keep little as well.

    Returns:
      The closed jaxpr, the very same if there is no such loop.
    """
    if not has_loops(closed):
        return closed

    def replace(equation: Any, operands: Sequence[Any], wanted: Sequence[bool]) -> list[Any] | None:
        loop = loop_of(equation.primitive.name, equation.params)
        if loop is None or equation.primitive.name == LOOP or not any(wanted):
            return None
        if (loop.length is not None and (not scans or loop.length < LONG)) or not is_plain(loop):
            return None
        loop, operands = _apart(loop, operands)
        found = loop_p.bind(*map(jnp.asarray, operands), rule=chain_of(loop, operands), keep=False)
        return [weakened(x) if v.aval.weak_type else x for x, v in zip(found, equation.outvars, strict=True)]

    return replaced(closed, replace)


def chained_equation(program: Program, equation: Equation, loop: Loop) -> Equation:
    """An equation of a flat program that is a loop, as one that can be differentiated backwards."""
    if equation.name == LOOP or loop.length is not None or not is_plain(loop):
        return equation
    loop, inputs = _apart(loop, equation.inputs)
    values = [program.values[r.value] for r in inputs]
    rule = chain_of(loop, [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in values])
    results = [program.values[r.value] for r in equation.outputs]

    def call(*operands: Any) -> list[Any]:
        found = loop_p.bind(*map(jnp.asarray, operands), rule=rule, keep=False)
        return [weakened(x) if v.weak_type else x for x, v in zip(found, results, strict=True)]

    return dataclasses.replace(
        equation, name=LOOP, inputs=tuple(inputs), params={"rule": rule, "keep": False}, call=call
    )


def _apart(loop: Loop, operands: Sequence[Any]) -> tuple[Loop, list[Any]]:
    """A loop whose body does not share constants with its condition, as it does under `jax.vmap`, and its operands."""
    if loop.skip == loop.num_cond:
        return loop, list(operands)
    return dataclasses.replace(loop, skip=loop.num_cond), [*operands[: loop.num_cond], *operands]


def is_plain(loop: Loop) -> bool:
    """Whether turns can be run again without anyone noticing, on states that can be stored."""
    parts = [loop.body] if loop.cond is None else [loop.cond, loop.body]
    if any(part.effects or primitive_names(part) & MUTABLE for part in parts):
        return False
    avals = [a for part in parts for a in (*part.in_avals, *part.out_avals)]
    return not any(
        jnp.issubdtype(a.dtype, jax.dtypes.extended) or jnp.issubdtype(a.dtype, jnp.complexfloating) for a in avals
    )


def while_loop(cond: Callable[..., Any], body: Callable[..., Any], init: Any) -> Any:
    """`jax.lax.while_loop` that is differentiable in both directions.

    Args:
      cond: from the state to a truth value.
      body: from the state to the next one.
      init: the first state, a tree of arrays.
    """
    leaves, tree = jax.tree.flatten(init)
    leaves = [*map(jnp.asarray, leaves)]
    avals = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in leaves]
    test, one = _lifted(lambda *xs: [cond(jax.tree.unflatten(tree, xs))], avals)
    turn, two = _lifted(lambda *xs: jax.tree.leaves(body(jax.tree.unflatten(tree, xs))), avals)
    loop = Loop(turn, test, len(one), len(one), len(two), len(leaves), None)
    operands = [*one, *two, *leaves]
    rule = dataclasses.replace(chain_of(loop, operands), body=Plain(test, turn, len(two), len(leaves), staged=False))
    return jax.tree.unflatten(tree, loop_p.bind(*operands, rule=rule, keep=False))


def _lifted(fun: Callable[..., Sequence[Any]], avals: Sequence[Any]) -> tuple[Any, list[Any]]:
    """A function as a closed jaxpr with what it captures as its first arguments, and these."""
    closed = trace(fun, avals)
    own = [x for x in closed.consts if isinstance(x, Tracer)]
    if not own:
        return closed, []
    places = [k for k, x in enumerate(closed.consts) if isinstance(x, Tracer)]

    def lifted(*given: Any) -> list[Any]:
        constants = list(closed.consts)
        for k, x in zip(places, given, strict=False):
            constants[k] = x
        return evaluated(closed.jaxpr, constants, given[len(own) :])

    shapes = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in own]
    return trace(lifted, [*shapes, *avals]), own
