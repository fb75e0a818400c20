"""Coarse vertices: a program in which segments are single operations that carry their local Jacobians."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from elimax._jax import Equation, Program
from elimax._jax.weak import weakened
from elimax.coarsen.dynamic import LARGEST, dynamic
from elimax.coarsen.emit import emit
from elimax.coarsen.greedy import greedy
from elimax.coarsen.nodes import Node
from elimax.coarsen.read import NotExpressible
from elimax.coarsen.regions import regions
from elimax.coarsen.segments import Segment, Uses, measured, segment
from elimax.errors import ExpressionError
from elimax.partials.elementwise import diagonal
from elimax.partials.types import Local, LocalEdge
from elimax.structure.term import Kind

METHODS = ("dynamic", "greedy")
"""Ways to find segments."""


Part = tuple[tuple[int, ...], str]
"""Positions of the equations of a segment, and the order in which its inner values are eliminated."""


@dataclasses.dataclass(frozen=True, eq=False)
class Coarsened:
    """A program with coarse vertices.

    Attributes:
      program: in it each segment is one equation named "segment".
      segments: in the order of their first equations.
    """

    program: Program
    segments: tuple[Segment, ...]

    def measured(self, program: Program) -> tuple[Segment, ...]:
        """The segments with the work that they take without simplification.

        Args:
          program: the program as it was.
        """
        uses = Uses(program)
        return tuple(measured(uses, part) for part in self.segments)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What it takes to find the segments again in an equal program."""
        return tuple((s.equations, s.derived.order) for s in self.segments)


def coarsened(program: Program, method: str = "dynamic", largest: int = LARGEST) -> Coarsened:
    """Join equations to segments.

    Args:
      program: a flat program.
      method: one of `METHODS`.
      largest: number of equations in a segment.
    """
    uses = Uses(program)
    found: list[Segment] = []
    for region in regions(program):
        parts = greedy(program, region, largest) if method == "greedy" else dynamic(uses, region, largest)
        for part in parts:
            if len(part) > 1:
                try:
                    found.append(segment(uses, part))
                except (NotExpressible, ExpressionError):
                    continue
    return _joined(program, found)


def recoarsened(program: Program, parts: Sequence[Part]) -> Coarsened:
    """The same segments again, in a program that is equal but for its numbers.

    Args:
      program: the program.
      parts: equations of each segment and its order of elimination, as `Coarsened.parts` has them.
    """
    uses = Uses(program)
    return _joined(program, [segment(uses, equations, order=order) for equations, order in parts])


def _joined(program: Program, found: Sequence[Segment]) -> Coarsened:
    owner = {k for part in found for k in part.equations}
    equations = [e for k, e in enumerate(program.equations) if k not in owner]
    equations += [_equation(program, part) for part in found]
    joined = dataclasses.replace(program, equations=_sorted(program, equations))
    return Coarsened(joined, tuple(sorted(found, key=lambda s: s.equations)))


def _equation(program: Program, found: Segment) -> Equation:
    shape = program.values[found.outputs[0].value].shape
    local = _local(program, found, shape)

    def call(*operands: Any) -> list[Any]:
        values = emit(found.derived.values, dict(zip(found.names, operands, strict=True)), shape)
        return _weak(program, found, values)

    return Equation("segment", {"local": local}, call, found.inputs, found.outputs)


def _weak(program: Program, found: Segment, values: Sequence[Any]) -> list[Any]:
    described = [program.values[ref.value] for ref in found.outputs]
    return [weakened(x) if v.weak_type else x for x, v in zip(values, described, strict=True)]


def _local(program: Program, found: Segment, shape: tuple[int, ...]) -> Local:
    active = [k for k, ref in enumerate(found.inputs) if ref.vertex is not None]
    edges: list[LocalEdge] = []
    nodes: list[Node] = []
    for i, (ref, row) in enumerate(zip(found.outputs, found.derived.partials, strict=True)):
        for k, partial in zip(active, row, strict=True):
            if partial is not None and ref.vertex is not None:
                edges.append(LocalEdge(i, k, (diagonal(shape, shape, kind_of(partial), value_shape(partial, shape)),)))
                nodes.append(partial)

    def evaluate(operands: list[Any]) -> tuple[list[Any], list[Any]]:
        emitted = [node for node in nodes if not node.is_constant]
        values = dict(zip(found.names, operands, strict=True))
        results = emit([*found.derived.values, *emitted], values, shape)
        count = len(found.outputs)
        rest = iter(results[count:])
        partials: list[Any] = []
        for node, edge in zip(nodes, edges, strict=True):
            kind = kind_of(node)
            if kind == Kind.UNIT:
                partials.append((int(node.value),))
            elif kind == Kind.CONSTANT:
                partials.append((np.asarray(node.value, node.dtype),))
            else:
                (term,) = edge.structure  # type: ignore[misc]
                partials.append((next(rest).reshape(term.value_shape),))
        return _weak(program, found, results[:count]), partials

    return Local(tuple(edges), evaluate, "segment")


def kind_of(partial: Node) -> Kind:
    """What is known of a partial at trace time."""
    if partial.equals(1) or partial.equals(-1):
        return Kind.UNIT
    return Kind.CONSTANT if partial.is_constant else Kind.VARIABLE


def value_shape(partial: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of its values before axes of length one are dropped."""
    return () if partial.is_constant else shape


def _sorted(program: Program, equations: Sequence[Equation]) -> list[Equation]:
    """In an order in which every value is made before it is read; otherwise as they stand."""
    maker: dict[int, int] = {}
    for k, equation in enumerate(equations):
        for ref in equation.outputs:
            maker[ref.value] = k
            if ref.vertex is not None:
                maker.setdefault(ref.vertex, k)
    done: set[int] = set()
    ordered: list[Equation] = []
    for first in range(len(equations)):
        stack = [(first, False)]
        while stack:
            k, ready = stack.pop()
            if ready:
                ordered.append(equations[k])
                continue
            if k in done:
                continue
            done.add(k)
            stack.append((k, True))
            numbers = {n for r in equations[k].inputs for n in (r.value, r.vertex) if n in maker}
            stack.extend((maker[n], False) for n in sorted(numbers, reverse=True) if maker[n] not in done)
    return ordered
