"""Parts of a flat program that are expressions: operations on elements of arrays of one shape.

A region is convex: no path leaves it and comes back. That is so because every change between an operation of the region
and another one raises the depth, and a region has one depth.
"""

from __future__ import annotations

from typing import Any

from elimax._jax import Program
from elimax.coarsen.read import expressible

Region = tuple[int, ...]
"""Positions of equations, ascending."""


def regions(program: Program) -> list[Region]:
    """Convex sets of equations that are expressions of one shape; those of a single equation are left out.

    Equations that only compute numbers known beforehand belong to none, so that they stay known.
    """
    kinds: dict[int, object] = {}
    depth: dict[int, int] = {r.value: 0 for r in program.inputs}
    known = set(program.constants)
    found: dict[tuple[Any, int], list[int]] = {}
    for position, equation in enumerate(program.equations):
        sources = [r.value for r in equation.inputs]
        fixed = bool(sources) and all(v in known for v in sources) and not equation.effects
        kind: object = ("single", position)
        if not fixed and expressible(program, equation):
            kind = program.values[equation.outputs[0].value].shape
        # the tangent of an operand may be made later than its value
        numbers = {n for r in equation.inputs for n in (r.value, r.vertex) if n is not None}
        here = max((depth.get(n, 0) + (kinds.get(n, kind) != kind) for n in numbers if n not in known), default=0)
        if fixed and all(r.vertex is None for r in equation.inputs):
            known.update(r.value for r in equation.outputs)
        for ref in equation.outputs:
            kinds[ref.value], depth[ref.value] = kind, here
            if ref.vertex is not None and ref.vertex != ref.value:
                kinds[ref.vertex], depth[ref.vertex] = kind, here
        found.setdefault((kind, here), []).append(position)
    return [tuple(members) for (kind, _), members in found.items() if len(members) > 1 and not _single(kind)]


def _single(kind: object) -> bool:
    return isinstance(kind, tuple) and bool(kind) and kind[0] == "single"
