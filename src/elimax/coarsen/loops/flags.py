"""Loops that end by what they compute: the number of their turns is recorded, and flags are resolved.

A loop with a condition that no counter decides (``while i < n and not done``) is run once without derivatives, which
gives the number of its turns. With that number its carries may have closed forms. Within a turn a flag that ends the
loop is known to be down.

A loop with a fixed number of turns whose body does nothing once a flag is up is such a loop too, with a ``break``: it
ends where the flag goes up. A flag qualifies if, assumed to be up, it stays up, and every other carry stays what it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax._jax import Equation, Program, Ref, inline
from elimax._jax.control import branches_of
from elimax._jax.loops import Loop as Read
from elimax._jax.program import as_function
from elimax.coarsen.loops.carries import Loop
from elimax.coarsen.loops.trips import step_of

_PASSED = ("convert_element_type", "broadcast_in_dim", "reshape", "copy", "copy_p", "squeeze", "expand_dims")


def assumed(program: Program, number: int, truth: bool) -> Program:
    """A program with a truth value known: choices that it decides are gone.

    Args:
      program: a flat program.
      number: of a boolean scalar.
      truth: its value.
    """
    known: dict[int, bool] = {number: truth}
    for value, constant in program.constants.items():
        if isinstance(constant, np.ndarray) and constant.dtype == bool and constant.size == 1:
            known[value] = bool(constant.reshape(()))
    alias: dict[int, int] = {}

    def now(refs: Sequence[Ref]) -> list[Ref]:
        numbers = [r.value for r in refs]
        for k, number in enumerate(numbers):
            while number in alias:
                number = numbers[k] = alias[number]
        return [dataclasses.replace(r, value=number) for r, number in zip(refs, numbers, strict=True)]

    equations: list[Equation] = []
    taken: dict[int, int] = {}
    program = dataclasses.replace(
        program, values=list(program.values), constants=dict(program.constants), literals=set(program.literals)
    )
    waiting = list(reversed(program.equations))
    while waiting:
        equation = waiting.pop()
        inputs = tuple(now(equation.inputs))
        if equation.name == "convert_element_type" and inputs[0].value in known:
            taken[equation.outputs[0].value] = int(known[inputs[0].value])
        branches = branches_of(equation.name, equation.params)
        if branches is not None and inputs[0].value in taken:
            inner, results = _inlined(program, branches[taken[inputs[0].value]], inputs[1:], known)
            alias.update((r.value, x) for r, x in zip(equation.outputs, results, strict=True))
            waiting.extend(reversed(inner))
            continue
        found = _decided(program, equation.name, equation.outputs[0].value, inputs, known)
        if isinstance(found, bool):
            known[equation.outputs[0].value] = found
        elif found is not None:
            alias[equation.outputs[0].value] = found
            continue
        equations.append(dataclasses.replace(equation, inputs=inputs))
    outputs = now(program.outputs)
    constants, literals, values = dict(program.constants), set(program.literals), list(program.values)
    for k, ref in enumerate(outputs):
        if ref.value in known and ref.value not in constants:
            values.append(dataclasses.replace(values[ref.value]))
            constants[len(values) - 1] = np.full(values[ref.value].shape, known[ref.value])
            literals.add(len(values) - 1)
            outputs[k] = Ref(len(values) - 1, None)
    return dataclasses.replace(
        program, values=values, constants=constants, literals=literals, equations=equations, outputs=outputs
    )


def _inlined(
    program: Program, branch: Any, operands: Sequence[Ref], known: dict[int, bool]
) -> tuple[list[Equation], list[int]]:
    """The equations of a branch and the numbers of its results; its values are added to those of the program."""
    inner = inline(branch, [False] * len(branch.in_avals), expand=False, keep=True)
    numbers: dict[int, int] = {r.value: x.value for r, x in zip(inner.inputs, operands, strict=True)}
    for value, described in enumerate(inner.values):
        if value not in numbers:
            numbers[value] = len(program.values)
            program.values.append(described)
    for value, constant in inner.constants.items():
        program.constants[numbers[value]] = constant
        if isinstance(constant, np.ndarray) and constant.dtype == bool and constant.size == 1:
            known[numbers[value]] = bool(constant.reshape(()))
    program.literals.update(numbers[value] for value in inner.literals)
    moved = lambda refs: tuple(Ref(numbers[r.value], None) for r in refs)  # noqa: E731
    equations = [dataclasses.replace(e, inputs=moved(e.inputs), outputs=moved(e.outputs)) for e in inner.equations]
    return equations, [numbers[r.value] for r in inner.outputs]


def _decided(
    program: Program, name: str, result: int, inputs: Sequence[Ref], known: dict[int, bool]
) -> bool | int | None:
    """A truth value, or the number of the operand that a result equals; None if neither is known."""
    given = [known.get(r.value) for r in inputs]
    described = program.values[result]
    if described.dtype == bool:
        if name in _PASSED and given[0] is not None and program.values[inputs[0].value].dtype == bool:
            return given[0]
        if name == "not" and given[0] is not None:
            return not given[0]
        if name == "and" and False in given:
            return False
        if name == "or" and True in given:
            return True
        if name in ("and", "or"):
            other = [k for k, v in enumerate(given) if v is None]
            if not other:
                return given[0]  # true and true, or false and false: all others are above
            if len(other) == 1 and program.values[inputs[other[0]].value].shape == described.shape:
                return inputs[other[0]].value
    if name == "select_n" and given[0] is not None and len(inputs) == 3:
        chosen = inputs[1 + given[0]].value
        return known[chosen] if chosen in known and described.dtype == bool else chosen
    return None


def ends(condition: Program, flag: int) -> bool:
    """Whether a loop ends as soon as an operand of its condition is up."""
    body = assumed(condition, condition.inputs[flag].value, True)
    found = body.constants.get(body.outputs[0].value)
    return isinstance(found, np.ndarray) and found.size == 1 and not bool(found.reshape(()))


def freezes(loop: Loop, flag: int) -> bool:
    """Whether nothing changes any more once a carried flag is up, but for counters."""
    body, sources = loop.body, loop.carries
    resolved = assumed(body, sources[flag], True)
    for k, source in enumerate(sources):
        result = resolved.outputs[k].value
        constant = resolved.constants.get(result)
        up = k == flag and isinstance(constant, np.ndarray) and bool(constant.all())
        if not up and result != source and step_of(loop, k) is None:
            return False
    return True


def flags_of(body: Program, consts: int, carried: int, points: tuple[int, ...] = ()) -> list[int]:
    """Carried values that are truth values, one for each point."""
    inputs = [body.values[r.value] for r in body.inputs[consts : consts + carried]]
    return [k for k, v in enumerate(inputs) if v.dtype == bool and tuple(v.shape) == points]


def recorded(loop: Read, operands: Sequence[Any], flag: int | None) -> tuple[Any, list[Any]]:
    """The number of turns of a loop, for each point, and its carries at the end, by running it without derivatives.

    Args:
      loop: the loop; stacked values of a scan are left out.
      operands: its operands.
      flag: number of the carry that ends a loop with a fixed number of turns.
    """
    operands = [lax.stop_gradient(jnp.asarray(x)) for x in operands]
    tests, consts = operands[: loop.num_cond], operands[loop.skip : loop.first]
    behind = loop.first + loop.num_carried
    carry, xs = operands[loop.first : behind], operands[behind:]
    turn = as_function(loop.body)
    points = () if loop.cond is None else loop.cond.out_avals[0].shape

    def going(state: Any) -> Any:
        if loop.cond is not None:
            return as_function(loop.cond)(*tests, *state[1])[0]
        return (state[0] < loop.length) & ~state[1][flag]

    def step(state: Any) -> Any:
        place = loop.length - 1 - state[0] if loop.reverse and loop.length else state[0]
        x = [lax.dynamic_index_in_dim(x, place, keepdims=False) for x in xs]
        after = turn(*consts, *state[1], *x)[: loop.num_carried]
        if not points:
            return state[0] + 1, after
        on = going(state)
        kept = [
            jnp.where(on.reshape(*points, *(1,) * (x.ndim - on.ndim)), x, y)
            for x, y in zip(after, state[1], strict=True)
        ]
        return state[0] + on.astype(jnp.int32), kept

    count, final = lax.while_loop(lambda s: jnp.any(going(s)), step, (jnp.zeros(points, jnp.int32), carry))
    return count, list(final)
