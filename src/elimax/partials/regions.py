"""Complex values inside real programs: the whole region between real values becomes one operation.

The derivative of a non-holomorphic step such as ``abs`` or ``real`` is linear over the reals only, so it is no complex
number. From the real operands of a complex region to its results the derivative is an ordinary real Jacobian again,
and JAX computes it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from elimax._jax import Equation, Program, Ref

NON_HOLOMORPHIC = frozenset("conj real imag abs sign max min reduce_max reduce_min complex sort cummax cummin".split())


def has_complex(program: Program) -> bool:
    """Whether an active value is complex."""
    return any(_is_complex(program, r) for e in program.equations for r in (*e.inputs, *e.outputs)) or any(
        _is_complex(program, r) for r in program.inputs
    )


def _is_complex(program: Program, ref: Ref) -> bool:
    return ref.vertex is not None and jnp.issubdtype(program.values[ref.value].dtype, np.complexfloating)


def is_holomorphic(program: Program) -> bool:
    """Whether every active value is complex and every active step complex-differentiable, as far as names tell."""
    for equation in program.equations:
        if not equation.active:
            continue
        if equation.name in NON_HOLOMORPHIC or equation.name in (
            "custom_jvp_call",
            "custom_vjp_call",
            "scan",
            "cond",
            "while",
        ):
            return False
        if not all(_is_complex(program, r) for r in (*equation.inputs, *equation.outputs) if r.vertex is not None):
            return False
    return all(_is_complex(program, r) for r in program.inputs if r.vertex is not None)


def merge_complex_regions(program: Program) -> Program:
    """Replace each complex region by one equation named ``complex_region``."""
    if any(_is_complex(program, r) for r in program.inputs):
        # JAX seeds complex inputs with real tangents; only a derivative of the whole reproduces that.
        groups = [set(range(len(program.equations)))]
    else:
        groups = _close(program, _components(program))
    return _replace(program, groups)


def _components(program: Program) -> list[set[int]]:
    """Equations joined by complex active values."""
    owner: dict[int, set[int]] = {}
    groups: list[set[int]] = []
    for k, equation in enumerate(program.equations):
        touched = {r.value for r in (*equation.inputs, *equation.outputs) if _is_complex(program, r)}
        if not touched:
            continue
        merged = {k}
        for value in touched:
            if value in owner:
                merged |= owner[value]
        groups = [g for g in groups if not g & merged] + [merged]
        for member in merged:
            for ref in (*program.equations[member].inputs, *program.equations[member].outputs):
                if _is_complex(program, ref):
                    owner[ref.value] = merged
    return groups


def _close(program: Program, groups: list[set[int]]) -> list[set[int]]:
    """Add every equation that lies between two members, until no group overlaps another."""
    producer = {r.value: k for k, e in enumerate(program.equations) for r in e.outputs}
    sources = [{producer[r.value] for r in e.inputs if r.value in producer} for e in program.equations]
    while True:
        closed: list[set[int]] = []
        for group in groups:
            after: set[int] = set(group)
            for k in range(min(group), max(group) + 1):
                if sources[k] & after:
                    after.add(k)
            before: set[int] = set(group)
            for k in range(max(group), min(group) - 1, -1):
                if k in before:
                    before |= {s for s in sources[k] if s >= min(group)}
            full = group | (after & before)
            for other in [g for g in closed if g & full]:
                closed.remove(other)
                full |= other
            closed.append(full)
        if closed == groups:
            return groups
        groups = closed


def _replace(program: Program, groups: list[set[int]]) -> Program:
    member = {k: g for g, group in enumerate(groups) for k in group}
    outside_reads = {r.value for r in program.outputs}
    for k, equation in enumerate(program.equations):
        for ref in equation.inputs:
            outside_reads.add(ref.value) if k not in member else None
    for g, group in enumerate(groups):
        for k in group:
            for ref in program.equations[k].inputs:
                if any(ref.value in _made(program, other) for h, other in enumerate(groups) if h != g):
                    outside_reads.add(ref.value)
    pending: list[Equation] = []
    done: set[int] = set()
    for k, equation in enumerate(program.equations):
        if k not in member:
            pending.append(equation)
        elif member[k] not in done:
            done.add(member[k])
            pending.append(_region(program, sorted(groups[member[k]]), outside_reads))
    return dataclasses.replace(program, equations=_sorted(program, pending))


def _made(program: Program, group: set[int]) -> set[int]:
    return {r.value for k in group for r in program.equations[k].outputs}


def _region(program: Program, members: list[int], outside_reads: set[int]) -> Equation:
    equations = [program.equations[k] for k in members]
    made = {r.value for e in equations for r in e.outputs}
    inputs: dict[int, Ref] = {}
    for equation in equations:
        for ref in equation.inputs:
            if ref.value not in made and ref.value not in inputs:
                inputs[ref.value] = ref
    outputs = [r for e in equations for r in e.outputs if r.value in outside_reads]
    order = list(inputs)

    def call(*operands: Any) -> list[Any]:
        env = dict(zip(order, operands, strict=True))
        for equation in equations:
            results = equation.call(*(env[r.value] for r in equation.inputs))
            env.update(zip((r.value for r in equation.outputs), results, strict=True))
        return [env[r.value] for r in outputs]

    return Equation(
        "complex_region", {}, call, tuple(inputs.values()), tuple(outputs), effects=any(e.effects for e in equations)
    )


def _sorted(program: Program, equations: list[Equation]) -> list[Equation]:
    """Stable topological order."""
    ready = {r.value for r in program.inputs} | set(program.constants)
    ordered: list[Equation] = []
    while equations:
        waiting = []
        for equation in equations:
            if all(r.value in ready for r in equation.inputs):
                ordered.append(equation)
                ready |= {r.value for r in equation.outputs}
            else:
                waiting.append(equation)
        equations = waiting
    return ordered
