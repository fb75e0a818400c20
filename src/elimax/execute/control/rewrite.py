"""A program in which loops and branches are vertices that carry their own local Jacobians.

The seeds of a loop are the values that its operands are the values of, each taken once. What is not rewritten stays an
operator that JAX applies: loops with side effects, with complex numbers, or whose derivative would be too large to
carry along, and branches with large blocks.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax.numpy as jnp

from elimax._jax import Equation, Program, Ref, inline
from elimax._jax.chained import LOOP
from elimax._jax.control import branches_of, loop_of
from elimax._jax.loops import Loop
from elimax._jax.program import MUTABLE
from elimax._jax.weak import weakened
from elimax.elimination.steps import Step
from elimax.execute.control.blocks import entries, full
from elimax.execute.control.branches import branches
from elimax.execute.control.carried import LARGE, SPARSE, NotCarriedError, carried
from elimax.execute.control.chaining import chained_equation
from elimax.execute.control.step import Found
from elimax.execute.layout import identity_block
from elimax.partials.build import Linearisation
from elimax.partials.regions import has_complex
from elimax.partials.registry import LOCAL
from elimax.partials.types import CONTROL, Local, LocalEdge
from elimax.plan import make_plan
from elimax.structure.algebra import as_terms

NAMES = ("while", "scan", "cond", LOOP)
"""Primitives that are looked at."""

MOST_EQUATIONS = 2000
"""Bodies and branches with more equations are left to JAX."""


def controlled(program: Program) -> Program:
    """Replace loops and branches that pay by operations with partials of their own."""
    if not any(e.name in NAMES and e.active for e in program.equations):
        return program
    live = {r.vertex for r in program.outputs if r.vertex is not None}
    equations: list[Equation] = []
    for equation in reversed(program.equations):
        if equation.active and any(r.vertex in live for r in equation.outputs if r.vertex is not None):
            live |= {r.vertex for r in equation.inputs if r.vertex is not None}
            if equation.name in NAMES and not equation.linear and not equation.effects and LOCAL not in equation.params:
                equation = _rewritten(program, equation, live)
        equations.append(equation)
    return dataclasses.replace(program, equations=equations[::-1])


def _rewritten(program: Program, equation: Equation, live: set[int]) -> Equation:
    wanted = [
        k
        for k, r in enumerate(equation.outputs)
        if r.vertex is not None and r.vertex in live and math.prod(program.values[r.value].shape)
    ]
    refs = (*equation.inputs, *equation.outputs)
    if not wanted or any(_strange(program, r) for r in refs):
        return equation
    found, loop = branches_of(equation.name, equation.params), loop_of(equation.name, equation.params)
    try:
        if found is not None:
            return _branches(program, equation, found, wanted)
        return equation if loop is None else _loop(program, equation, loop, wanted)
    except NotCarriedError:
        return equation if loop is None else chained_equation(program, equation, loop)


def _strange(program: Program, ref: Ref) -> bool:
    value = program.values[ref.value]
    return ref.vertex is not None and jnp.issubdtype(value.dtype, jnp.complexfloating)


def _inner(closed: Any, active: Any) -> Program:
    """The flat program of a body or branch, with its own loops and branches rewritten."""
    program = inline(closed, list(active))
    names = {e.name for e in program.equations}
    if has_complex(program) or names & MUTABLE or "program" in names or len(program.equations) > MOST_EQUATIONS:
        raise NotCarriedError("its body is left to JAX")
    if names & {"custom_vjp_call", "custom_vjp_call_jaxpr"} or any(e.effects for e in program.equations):
        raise NotCarriedError("its body is left to JAX")
    return controlled(program)


def _quick(lin: Linearisation) -> tuple[Step, ...]:
    return _plan(lin, "reverse")


def _search(lin: Linearisation) -> tuple[Step, ...]:
    return _plan(lin, "auto")


def _plan(lin: Linearisation, order: str) -> tuple[Step, ...]:
    return tuple(make_plan(lin.graph, order=order, opaque=tuple(lin.opaque_operations), cost="time").order)


def _loop(program: Program, equation: Equation, loop: Loop, wanted: list[int]) -> Equation:
    if loop.length == 0:
        raise NotCarriedError("it has no turns")
    sources: dict[int, int] = {}  # operand that stands for each vertex
    number: dict[int, int] = {}
    seeds = []
    for k, ref in enumerate(equation.inputs):
        if ref.vertex is None or not math.prod(program.values[ref.value].shape) or k < loop.skip:
            continue
        if ref.vertex not in number:
            number[ref.vertex] = len(seeds)
            sources[len(seeds)] = k
            seeds.append(program.values[ref.value])
    given = {
        (k, number[ref.vertex]): full(identity_block(program.values[ref.value].shape)[0])
        for k, ref in enumerate(equation.inputs)
        if ref.vertex in number and k >= loop.skip
    }
    known: Found = {(k, j): identity_block(program.values[equation.inputs[k].value].shape) for k, j in given}
    operands = [program.values[r.value] for r in equation.inputs]

    def flat(active: Any) -> Program:
        return _inner(loop.body, active)

    own = carried(loop, flat, seeds, operands, given, known, wanted, _quick, _search)
    edges = tuple(LocalEdge(i, sources[j], terms) for (i, j), terms in own.results.items())
    described = [program.values[r.value] for r in equation.outputs]

    def evaluate(values: list[Any]) -> tuple[list[Any], list[Any]]:
        results, arrays = own(values, known)
        return _typed(results, described), [tuple(arrays[pair]) for pair in own.results]

    return _with(equation, Local(edges, evaluate, CONTROL))


def _branches(program: Program, equation: Equation, found: Any, wanted: list[int]) -> Equation:
    active = [r.vertex is not None and bool(math.prod(program.values[r.value].shape)) for r in equation.inputs[1:]]
    operands = [program.values[r.value] for r in equation.inputs[1:]]
    own = branches([_inner(branch, active) for branch in found], wanted, operands, _search)
    size = sum(map(entries, own.chosen.values()))
    size += sum(term.num_entries for structure, _ in own.same.values() for term in as_terms(structure))
    around = sum(math.prod(v.shape) for v, is_active in zip(operands, active, strict=True) if is_active)
    around += sum(math.prod(program.values[equation.outputs[k].value].shape) for k in wanted)
    if size > max(LARGE, SPARSE * around):
        raise NotCarriedError("its blocks are large")
    pairs = [*own.same, *own.chosen]
    structures = {**{pair: structure for pair, (structure, _) in own.same.items()}, **own.chosen}
    edges = tuple(LocalEdge(i, k + 1, structures[(i, k)]) for i, k in pairs)
    described = [program.values[r.value] for r in equation.outputs]

    def evaluate(values: list[Any]) -> tuple[list[Any], list[Any]]:
        results, blocks = own(values[0], values[1:])
        return _typed(results, described), [blocks[pair][1] for pair in pairs]

    return _with(equation, Local(edges, evaluate, CONTROL))


def _typed(results: list[Any], described: list[Any]) -> list[Any]:
    return [weakened(x) if v.weak_type else x for x, v in zip(results, described, strict=True)]


def _with(equation: Equation, local: Local) -> Equation:
    return dataclasses.replace(equation, params={**equation.params, LOCAL: local})
