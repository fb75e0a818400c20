"""Emitting the lanes of a program as one loop: the core is staged, with its lane axes as inner axes of the batch."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from elimax._jax import Equation, inline
from elimax._jax.staged import Form, Place, is_local, stage
from elimax.emit.choose import LAYOUTS, choose
from elimax.emit.lanes import Lanes, lanes
from elimax.emit.scalarise import scalarise_program
from elimax.emit.scalars import ScalarProgram


def laned_call(
    name: str, closed: Any, args: Sequence[Any], form: str, layout: str, elementary: str = "exact"
) -> list[Any] | None:
    """Emit a program with lane axes, each lane in the form that suits the place where the program will run.

    Args:
      name: of the program, for people.
      closed: its closed jaxpr.
      args: its arguments.
      form: one of `elimax.emit.FORMS`.
      layout: one of `elimax.emit.LAYOUTS`.
      elementary: one of `elimax.emit.ELEMENTARY`.

    Returns:
      Its results, or None where there is no choice: no lane axis, or a lane that is not a small program on scalars.
    """
    if not any(isinstance(x, Tracer) for x in args) or not all(map(is_local, args)):
        return None
    program = inline(closed, [False] * len(closed.in_avals))
    found = lanes(program)
    if found is None:
        return None
    scalars = scalarise_program(found.lane)
    if scalars is None or not scalars.computed:
        return None
    env: dict[int, Any] = dict(program.constants)
    env.update((ref.value, x) for ref, x in zip(program.inputs, args, strict=True))
    needed = {*found.operands, *(ref.value for ref in program.outputs)}
    needed |= {ref.value for equation in found.behind for ref in equation.inputs}
    _evaluate(_needed(found.before, needed), env)
    operands = [jnp.asarray(env[v]) for v in found.operands]
    if not any(isinstance(x, Tracer) for x in operands) or not all(map(is_local, operands)):
        return None
    core = jax.make_jaxpr(functools.partial(_core, found))(
        *(jax.ShapeDtypeStruct(x.shape, x.dtype, weak_type=x.weak_type) for x in operands)
    )
    own = functools.partial(_choose, found, scalars, form, elementary)
    results = stage(name, core, own, operands, batch_last=layout == LAYOUTS[1])
    env.update(zip(found.results, results, strict=True))
    _evaluate(found.behind, env)
    return [jnp.asarray(env[ref.value]) for ref in program.outputs]


def _needed(equations: Sequence[Equation], values: set[int]) -> list[Equation]:
    """Those operations that some values need."""
    kept = []
    for equation in reversed(equations):
        if any(ref.value in values for ref in equation.outputs):
            values.update(ref.value for ref in equation.inputs)
            kept.append(equation)
    return kept[::-1]


def _evaluate(equations: Sequence[Equation], env: dict[int, Any]) -> None:
    for equation in equations:
        results = equation.call(*(env[ref.value] for ref in equation.inputs))
        env.update((ref.value, x) for ref, x in zip(equation.outputs, results, strict=True))


def _core(found: Lanes, *operands: Any) -> list[Any]:
    """The core as it comes."""
    env: dict[int, Any] = {v: c for v, c in found.program.constants.items() if not isinstance(c, Tracer)}
    env.update(zip(found.operands, operands, strict=True))
    made = {ref.value for equation in found.core for ref in equation.outputs}
    needed = {ref.value for equation in found.core for ref in equation.inputs} - made - set(found.operands)
    _evaluate(_needed(found.before, needed), env)
    _evaluate(found.core, env)
    return [env[v] for v in found.results]


def _choose(found: Lanes, scalars: ScalarProgram, form: str, elementary: str, place: Place) -> Form | None:
    """The form of the core for a place; None for the plain one."""
    sizes = found.sizes
    masks = [tuple(v in axes for v in found.operands) for axes in found.axes]
    inner = tuple(zip(reversed(sizes), reversed(masks), strict=True))
    chosen = choose(scalars, form, elementary, dataclasses.replace(place, batch=(*inner, *place.batch)), True)
    if chosen is None:
        return None
    outer = [[mask[k] for _, mask in place.batch] for k in range(len(found.operands))]

    def laned(*operands: Any) -> list[Any]:
        moved = []
        for x, v, own in zip(operands, found.operands, outer, strict=True):
            front = sum(own)
            axes = [front + axes[v] for axes in found.axes if v in axes]
            moved.append(jnp.moveaxis(x, axes, range(front, front + len(axes))))
        results = []
        for x, v in zip(chosen(*moved), found.results, strict=True):
            shape = found.program.values[v].shape
            axes = [axes[v] for axes in found.axes]
            rest = [size for axis, size in enumerate(shape) if axis not in axes]
            if place.batch_last:
                x = x.reshape((*rest, *place.sizes, *sizes))
                results.append(jnp.moveaxis(x, range(-len(axes), 0), axes))
            else:
                front = len(place.batch)
                x = x.reshape((*place.sizes, *sizes, *rest))
                results.append(jnp.moveaxis(x, range(front, front + len(axes)), [front + axis for axis in axes]))
        return results

    return laned
