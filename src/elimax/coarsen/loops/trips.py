"""How often a while loop turns, where its condition compares a counter with a value that stays the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from elimax._jax import Program
from elimax.coarsen.loops.carries import Loop, Open

_MIRRORED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
_PASSED = ("convert_element_type", "copy", "copy_p", "broadcast_in_dim")


def turns(condition: Program, operands: Sequence[Any], loop: Loop) -> Any:
    """The number of turns: an integer, or a traced integer for each point.

    Args:
      condition: the flat condition, from its constants and the carries.
      operands: values of its constants, followed by those of the carries before the first turn.
      loop: the loop; its ``turns`` are not looked at.

    Raises:
      Open: if the condition is something else.
    """
    number = _followed(condition, condition.outputs[0].value)
    equation = next((e for e in condition.equations if e.outputs[0].value == number), None)
    if equation is None or equation.name not in _MIRRORED:
        raise Open("an end that is no comparison")
    sides = [_followed(condition, r.value) for r in equation.inputs]
    count = len(operands) - len(loop.init)
    inputs = {r.value: k for k, r in enumerate(condition.inputs)}
    counters = [inputs[s] - count if s in inputs and inputs[s] >= count else None for s in sides]
    steps = [None if k is None else step_of(loop, k) for k in counters]
    moving = [k for k, step in enumerate(steps) if step]
    if len(moving) != 1:
        raise Open("an end that no counter decides")
    side = moving[0]
    carry, step = counters[side], steps[side]
    if carry is None or step is None:
        raise Open("an end that no counter decides")
    comparison = equation.name if side == 0 else _MIRRORED[equation.name]
    bound = _fixed(condition, sides[1 - side], operands, loop, count)
    found = _count(comparison, operands[count + carry], bound, step)
    return jnp.broadcast_to(found, loop.points) if loop.points else found


def _followed(program: Program, number: int) -> int:
    """The value that a value is a mere copy of, or a number that all its elements are, without change of dtype."""
    for equation in reversed(program.equations):
        if equation.outputs[0].value == number and equation.name in _PASSED:
            source = equation.inputs[0].value
            before, after = program.values[source], program.values[number]
            if before.dtype == after.dtype and (not before.shape or before.shape == after.shape):
                number = source
    return number


def step_of(loop: Loop, carry: int) -> int | None:
    """By how much a carry grows at each turn, if it is an integer of each point that does so; 0 if it stays."""
    here, following = loop.carries[carry], _followed(loop.body, loop.following[carry])
    value = loop.body.values[here]
    if tuple(value.shape) != loop.points or value.dtype is None or not np.issubdtype(value.dtype, np.signedinteger):
        return None
    if following == here:
        return 0
    if following not in loop.producer:
        return None
    equation = loop.body.equations[loop.producer[following]]
    if equation.name not in ("add", "sub"):
        return None
    sides = [_followed(loop.body, r.value) for r in equation.inputs]
    if here not in sides or (equation.name == "sub" and sides[0] != here):
        return None
    other = sides[1] if sides[0] == here else sides[0]
    if other not in loop.body.constants or isinstance(loop.body.constants[other], Tracer):
        return None
    steps = np.unique(np.asarray(loop.body.constants[other]))
    if steps.size != 1:
        return None
    step = int(steps[0])
    return step if equation.name == "add" else -step


def _fixed(condition: Program, number: int, operands: Sequence[Any], loop: Loop, count: int) -> Any:
    """The value of something in the condition that stays the same."""
    inputs = {r.value: k for k, r in enumerate(condition.inputs)}
    if number in condition.constants:
        return condition.constants[number]
    if number not in inputs:
        raise Open("a bound that is computed at every turn")
    position = inputs[number]
    if position >= count and loop.following[position - count] != loop.carries[position - count]:
        raise Open("a bound that varies")
    return operands[position]


def _count(comparison: str, start: Any, bound: Any, step: int) -> Any:
    """Turns while ``start + k step`` compares so with the bound."""
    if (comparison in ("lt", "le")) != (step > 0):
        raise Open("a counter that runs away from its bound")
    known = not any(isinstance(x, Tracer) or np.ndim(x) for x in (start, bound))
    if not known and abs(step) != 1:
        raise Open("a counter whose steps are not one and whose bound is not known")
    if known:
        distance = int(bound) - int(start) if step > 0 else int(start) - int(bound)
        distance += comparison in ("le", "ge")
        return max(0, -(-distance // abs(step)))
    low, high = (start, bound) if step > 0 else (bound, start)
    low, high = jnp.asarray(low), jnp.asarray(high)
    goes = high >= low if comparison in ("le", "ge") else high > low
    # The difference is taken where it is positive: the extreme integers are bounds that people use for "never".
    distance = jnp.where(goes, high, low) - low
    return jnp.where(goes, distance + int(comparison in ("le", "ge")), 0)
