"""Functions whose loops and straight parts are emitted as few programs, each in the form that suits its place.

XLA makes a kernel of each array that a turn of a loop computes, computes again what several of them share, and starts
them one after the other at every turn; where arrays are small, that takes longer than the arithmetic. A turn that is
one staged program has the forms of a Jacobian program to choose from. Operations that cannot be taken apart (a
decomposition, a sort, a loop within the loop) stay as they are, and divide what is around them into pieces.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from elimax._jax import Equation, Program, inline, trace
from elimax._jax.loops import read_loop
from elimax._jax.program import CALLS, bind, is_inexact, nested, primitive_names
from elimax._jax.replaced import REMAT, rebodied, replaced
from elimax._jax.staged import NAME as STAGED
from elimax._jax.weak import weakened
from elimax.emit.scalarise import is_plain, is_simple
from elimax.execute.emission import emitted_alone

CUSTOM = ("custom_jvp_call",)
"""Calls of functions with derivative rules of their own that are seen through."""

BODIES = {"scan": ("jaxpr",), "while": ("body_jaxpr",)}
"""Loops, and the parameters that hold what is done at each turn."""


def fused(closed: Any, form: str, elementary: str) -> Any:
    """A closed jaxpr whose pieces, and those of the bodies of its loops, are staged programs.

    Args:
      closed: a closed jaxpr; one with side effects is left as it is.
      form: one of `elimax.emit.FORMS`.
      elementary: one of `elimax.emit.ELEMENTARY`.
    """
    if closed.effects or form == "plain":
        return closed

    def replace(equation: Any, operands: Sequence[Any], _: Sequence[bool]) -> list[Any] | None:
        name = equation.primitive.name
        loop = read_loop(name, equation.params) if name in BODIES else None
        if loop is None:
            return None
        fixed = [k < loop.num_consts for k in range(len(loop.body.in_avals))]
        new = rebodied(equation, lambda body: _in_pieces(body, fixed, form, elementary), BODIES[name])
        return None if new is None else bind(new)(*operands)

    return _in_pieces(replaced(closed, replace), None, form, elementary)


def _in_pieces(closed: Any, fixed: Sequence[bool] | None, form: str, elementary: str) -> Any:
    """A closed jaxpr whose pieces are staged programs.

    Args:
      closed: the closed jaxpr.
      fixed: which of its arguments are the same at every turn of a loop around it; None outside of loops.
      form: one of `elimax.emit.FORMS`.
      elementary: one of `elimax.emit.ELEMENTARY`.
    """
    if closed.effects or primitive_names(closed) & set(REMAT):  # what a checkpoint forgets is its own business
        return closed
    program = inline(closed, [False] * len(closed.in_avals), keep=True, staged=False)
    pieces, known = _pieces(program)
    constant = (
        [] if fixed is None else [ref.value for ref, is_fixed in zip(program.inputs, fixed, strict=True) if is_fixed]
    )
    still = _reached(program, constant)

    def run(*args: Any) -> list[Any]:
        env: dict[int, Any] = dict(program.constants)
        env.update((ref.value, x) for ref, x in zip(program.inputs, args, strict=True))
        _evaluate(known, env)
        for piece in pieces:
            if isinstance(piece, Equation):
                _evaluate([piece], env)
                continue
            own = None if fixed is None else [v in still for v in piece.operands]
            results = emitted_alone(piece, [env[v] for v in piece.operands], own, form, elementary)
            env.update(zip(piece.results, results, strict=True))
        return [_like(aval, env[ref.value]) for aval, ref in zip(closed.out_avals, program.outputs, strict=True)]

    avals = [jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in closed.in_avals]
    return trace(run, avals)


@dataclasses.dataclass(frozen=True, eq=False)
class _Piece:
    """Operations on scalars between others.

    Attributes:
      program: the program they are part of.
      equations: the operations, and those on known values that they need.
      operands: numbers of the values that they need.
      results: numbers of the values that others need of them.
    """

    program: Program
    equations: tuple[Equation, ...]
    operands: tuple[int, ...]
    results: tuple[int, ...]

    def __call__(self, *operands: Any) -> list[Any]:
        """The results."""
        env = {v: c for v, c in self.program.constants.items() if not isinstance(c, Tracer)}
        env.update(zip(self.operands, operands, strict=True))
        _evaluate(self.equations, env)
        return [env[v] for v in self.results]


def _pieces(program: Program) -> tuple[list[_Piece | Equation], list[Equation]]:
    """A program in pieces, and between them what is no part of any; and operations on known values alone.

    What whole numbers alone decide, such as the next value of a counter, comes first. An operation that cannot be taken
    apart comes as late as what it needs allows, so that there are few pieces.
    """
    counters = {ref.value for ref in program.inputs if not is_inexact(program.values[ref.value].dtype)}
    counting: list[_Piece | Equation] = []
    free = {number for number, value in program.constants.items() if not isinstance(value, Tracer)}
    known: list[Equation] = []
    levels: dict[int, int] = {}
    groups: dict[tuple[int, bool], list[Equation]] = {}
    for equation in program.equations:
        simple = _is_simple(program, equation, free)
        if simple and all(ref.value in free for ref in equation.inputs):
            free.update(ref.value for ref in equation.outputs)
            known.append(equation)
            continue
        if simple and _counts(program, equation, counters | free):
            counters.update(ref.value for ref in equation.outputs)
            counting.append(equation)
            continue
        level = max((levels.get(ref.value, 0) for ref in equation.inputs), default=0)
        levels.update((ref.value, level + (not simple)) for ref in equation.outputs)
        groups.setdefault((level, not simple), []).append(equation)
    readers = {ref.value: None for ref in program.outputs}
    pieces = counting
    for (_, opaque), own in sorted(groups.items(), key=lambda item: item[0]):
        if opaque:
            pieces.extend(own)
            continue
        made = {ref.value for equation in own for ref in equation.outputs}
        read = dict.fromkeys(ref.value for equation in own for ref in equation.inputs)
        others = [e for group in groups.values() if group is not own for e in group]
        wanted = {*readers, *(ref.value for equation in others for ref in equation.inputs)}
        operands = tuple(v for v in read if v not in made and v not in free)
        pieces.append(_Piece(program, (*known, *own), operands, tuple(sorted(made & wanted))))
    return pieces, known


def _counts(program: Program, equation: Equation, counters: set[int]) -> bool:
    """Whether an operation makes whole numbers of whole numbers that nothing else decides."""
    made = [program.values[ref.value].dtype for ref in equation.outputs]
    return all(ref.value in counters for ref in equation.inputs) and not any(map(is_inexact, made))


def _is_simple(program: Program, equation: Equation, known: set[int]) -> bool:
    """Whether an operation can be part of a program on scalars, given which values are known beforehand."""
    values = [program.values[ref.value] for ref in (*equation.inputs, *equation.outputs)]
    if equation.effects or not all(is_plain(value.dtype) for value in values):
        return False
    if equation.name == STAGED:
        return True
    if equation.name in CUSTOM:  # their rules stay, for whoever differentiates; values are those of the function
        return all(
            is_simple(name, ()) for closed in nested(equation) for name in primitive_names(closed) - CALLS.keys()
        )
    return is_simple(equation.name, [ref.value in known for ref in equation.inputs])


def _reached(program: Program, values: Sequence[int]) -> set[int]:
    """Values that depend on some values and on constants alone."""
    found = {*values, *program.constants}
    for equation in program.equations:
        if all(ref.value in found for ref in equation.inputs):
            found.update(ref.value for ref in equation.outputs)
    return found


def _like(aval: Any, x: Any) -> Any:
    """An array with the weak type of another, without which it could not be carried by a loop."""
    return weakened(x) if aval.weak_type and not jax.typeof(x).weak_type else jnp.asarray(x)


def _evaluate(equations: Sequence[Equation], env: dict[int, Any]) -> None:
    for equation in equations:
        results = equation.call(*(env[ref.value] for ref in equation.inputs))
        env.update((ref.value, x) for ref, x in zip(equation.outputs, results, strict=True))
