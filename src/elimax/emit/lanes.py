"""Batch axes inside of a program: axes along which all that counts is done for each index alone.

A function of arrays [B, n] whose row b of the result depends on row b alone has a Jacobian program of arrays [B, ...]
that is large as a whole and small for one row. Axes of all values that are linked through the operations of the program
(`elimax.emit.axes`) form classes; a class is a *lane axis* if it has one axis at most in each value, and the
operations that it passes through keep to it. Such operations are the *core*. What is needed beforehand is evaluated
in front of the core, and what mixes lanes, such as a sum over the batch, behind it, both as they come.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax import lax
from jax.core import Tracer

from elimax._jax import Equation, Program
from elimax.emit.axes import Links, links
from elimax.emit.scalarise import ELEMENTWISE, MAX_ELEMENTS
from elimax.emit.scalars import MAX_STEPS

LEAST = 2
"""A lane axis is at least this long."""

TRIED = 4
"""Classes of axes that are looked into, those first along which the most elements are computed."""

MOST_EQUATIONS = 20_000
"""Programs with more operations are not looked into."""


@dataclasses.dataclass(frozen=True, eq=False)
class Lanes:
    """A program with lane axes, in three parts.

    Attributes:
      program: the whole program.
      axes: for each lane axis the position that it has in the values that have it, by number.
      before: operations in front of the core.
      core: operations that treat each lane alone.
      behind: operations that need results of the core and do not keep to lanes.
      lane: the core for one lane, with axes of length 1 in place of lane axes.
      operands: numbers of the values that the core needs, in the order of its arguments.
      results: numbers of the values that others need of it, in the order of its results.
    """

    program: Program
    axes: tuple[dict[int, int], ...]
    before: tuple[Equation, ...]
    core: tuple[Equation, ...]
    behind: tuple[Equation, ...]
    lane: Program
    operands: tuple[int, ...]
    results: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Lengths of the lane axes."""
        return tuple(self.program.values[v].shape[a] for axes in self.axes for v, a in [next(iter(axes.items()))])


def lanes(program: Program) -> Lanes | None:
    """Find lane axes of a program.

    Args:
      program: a flat program.

    Returns:
      The program in parts, or None if no axis is a lane axis, or a lane is too large to be taken apart.
    """
    if len(program.equations) > MOST_EQUATIONS or any(e.effects for e in program.equations):
        return None
    program = _alive(program)
    known = _linked(program)
    best: tuple[int, tuple[dict[int, int], ...], _Parts] | None = None
    candidates = _classes(program, known)
    for axes in candidates:
        parts = _Parts(program, known, (axes,))
        if parts.weight and (best is None or parts.weight > best[0]):
            best = parts.weight, (axes,), parts
    if best is None:
        return None
    _, chosen, parts = best
    for axes in candidates:
        if axes in chosen:
            continue
        more = _Parts(program, known, (*chosen, axes))
        if set(parts.core) <= set(more.core) and more.covered:
            chosen, parts = (*chosen, axes), more
    return parts.split()


def _alive(program: Program) -> Program:
    """The program without operations that no result needs."""
    needed = {ref.value for ref in program.outputs}
    kept = []
    for equation in reversed(program.equations):
        if any(ref.value in needed for ref in equation.outputs):
            needed.update(ref.value for ref in equation.inputs)
            kept.append(equation)
    return dataclasses.replace(program, equations=kept[::-1])


def _linked(program: Program) -> list[Links | None]:
    """Links of each operation; None where they are not known."""
    shapes = [value.shape for value in program.values]
    return [
        links(e, [shapes[r.value] for r in e.inputs], [shapes[r.value] for r in e.outputs], ELEMENTWISE)
        for e in program.equations
    ]


def _classes(program: Program, known: Sequence[Links | None]) -> list[dict[int, int]]:
    """Classes of linked axes, those first along which the most elements are computed.

    Values with several axes of a class have the axis -1 there: nothing that touches them is done lane by lane.
    """
    shapes = [value.shape for value in program.values]
    starts = np.concatenate([[0], np.cumsum([len(shape) for shape in shapes])]).tolist()
    parents = list(range(starts[-1]))

    def root(node: int) -> int:
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    for equation, own in zip(program.equations, known, strict=True):
        for k, i, j, o in own.pairs if own else ():
            one, other = root(starts[equation.inputs[k].value] + i), root(starts[equation.outputs[j].value] + o)
            parents[one] = other
    members: dict[int, dict[int, int]] = {}
    for value, shape in enumerate(shapes):
        for axis, size in enumerate(shape):
            if size >= LEAST:
                found = members.setdefault(root(starts[value] + axis), {})
                found[value] = -1 if value in found else axis
    made = [e.outputs[0].value for e in program.equations if e.name in ELEMENTWISE]
    weights = {r: sum(math.prod(shapes[v]) for v in made if found.get(v, -1) >= 0) for r, found in members.items()}
    ranked = sorted((r for r in members if weights[r]), key=lambda r: (-weights[r], next(iter(members[r].items()))))
    return [members[r] for r in ranked[:TRIED]]


class _Parts:
    """Which operations are the core for some classes of axes.

    Attributes:
      core: numbers of the operations of the core.
      weight: elements that its operations on elements compute.
      covered: whether all operations on elements in the core, and all its results, have all lane axes.
    """

    def __init__(self, program: Program, known: Sequence[Links | None], axes: tuple[dict[int, int], ...]):
        self.program = program
        self.axes = axes
        used = [own for found in axes for own in found]
        laned = set(used)
        fixed = {
            number
            for number, value in program.constants.items()
            if number not in laned and not isinstance(value, Tracer)
        }
        inside: set[int] = set()
        outside: set[int] = set()
        self.core: list[int] = []
        self.static: list[int] = []
        self.before: list[int] = []
        self.behind: list[int] = []
        for k, (equation, own) in enumerate(zip(program.equations, known, strict=True)):
            ins, outs = [r.value for r in equation.inputs], [r.value for r in equation.outputs]
            if own is not None and all(v in fixed for v in ins) and not any(v in laned for v in outs):
                self.static.append(k)
                fixed.update(outs)
            elif (
                own is not None
                and not any(v in outside for v in ins)
                and any(v in laned for v in (*ins, *outs))
                and all(_keeps(found, own, ins, outs) for found in axes)
                and not (equation.name == "dot_general" and _apart(axes, ins))
            ):
                self.core.append(k)
                inside.update(outs)
            elif any(v in inside or v in outside for v in ins):
                self.behind.append(k)
                outside.update(outs)
            else:
                self.before.append(k)
        self.fixed = fixed
        self.inside = inside
        self.trim()

    def trim(self) -> None:
        """Leave out operations of the core that nothing needs, and those that only move what others need."""
        equations = self.program.equations
        wanted = {r.value for r in self.program.outputs} | {r.value for k in self.behind for r in equations[k].inputs}
        moved = wanted & self._moved()
        self.before = sorted({*self.before, *self._makers(moved)})
        wanted -= moved
        needed = set(wanted)
        kept = []
        for k in reversed(self.core):
            if any(r.value in needed for r in equations[k].outputs):
                needed.update(r.value for r in equations[k].inputs)
                kept.append(k)
        self.core = kept[::-1]
        self.results = sorted(wanted & self.inside)
        made = [equations[k].outputs[0].value for k in self.core if equations[k].name in ELEMENTWISE]
        self.weight = sum(math.prod(self.program.values[v].shape) for v in made)
        self.covered = all(v in found for v in (*made, *self.results) for found in self.axes)

    def _moved(self) -> set[int]:
        """Values of the core of which nothing is computed, or nothing from arguments.

        As results they would get all batch axes of the core.
        """
        found: set[int] = set()
        known = _independent(self.program)
        for k in self.core:
            equation = self.program.equations[k]
            computes = equation.name in ELEMENTWISE or equation.name == "dot_general"
            computes = computes and not all(r.value in known for r in equation.outputs)
            if not computes and all(r.value in found or r.value not in self.inside for r in equation.inputs):
                found.update(r.value for r in equation.outputs)
        return found

    def _makers(self, values: set[int]) -> list[int]:
        """Operations of the core that some of its values need."""
        needed = set(values)
        kept = []
        for k in reversed(self.core):
            equation = self.program.equations[k]
            if any(r.value in needed for r in equation.outputs):
                needed.update(r.value for r in equation.inputs)
                kept.append(k)
        return kept

    def split(self) -> Lanes | None:
        """The parts, or None if a lane is too large."""
        program = self.program
        equations = program.equations
        read = {r.value for k in self.core for r in equations[k].inputs}
        operands = sorted(v for v in read if v not in self.inside and v not in self.fixed)
        static = self._static(read)
        shapes = [_lane_shape(self.axes, v, value.shape) for v, value in enumerate(program.values)]
        touched = read | {r.value for k in (*static, *self.core) for r in equations[k].outputs}
        if sum(math.prod(shapes[v]) for v in touched) > MAX_ELEMENTS:
            return None
        if sum(_multiplications(equations[k], shapes) for k in self.core) > MAX_STEPS:
            return None
        values = [dataclasses.replace(v, shape=shape) for v, shape in zip(program.values, shapes, strict=True)]
        refs = {r.value: r for e in equations for r in (*e.inputs, *e.outputs)}
        lane = Program(
            values,
            {v: c for v, c in program.constants.items() if v in self.fixed and v in self._constants(static)},
            program.literals,
            [refs[v] for v in operands],
            [equations[k] for k in static] + [_for_lane(equations[k], shapes) for k in self.core],
            [refs[v] for v in self.results],
        )
        before = sorted((*self.before, *self.static))
        return Lanes(
            program,
            tuple({v: axis for v, axis in found.items() if axis >= 0} for found in self.axes),
            tuple(equations[k] for k in before),
            tuple(equations[k] for k in self.core),
            tuple(equations[k] for k in self.behind),
            lane,
            tuple(operands),
            tuple(self.results),
        )

    def _static(self, read: set[int]) -> list[int]:
        """Operations on known values that the core needs."""
        needed = read & self.fixed
        kept = []
        for k in reversed(self.static):
            equation = self.program.equations[k]
            if any(r.value in needed for r in equation.outputs):
                needed.update(r.value for r in equation.inputs)
                kept.append(k)
        return kept[::-1]

    def _constants(self, static: Sequence[int]) -> set[int]:
        equations = self.program.equations
        return {r.value for k in (*static, *self.core) for r in equations[k].inputs}


def _independent(program: Program) -> set[int]:
    """Values that no argument reaches."""
    reached = {ref.value for ref in program.inputs}
    reached |= {number for number, value in program.constants.items() if isinstance(value, Tracer)}
    for equation in program.equations:
        if any(ref.value in reached for ref in equation.inputs):
            reached.update(ref.value for ref in equation.outputs)
    return set(range(len(program.values))) - reached


def _keeps(axes: dict[int, int], own: Links, ins: Sequence[int], outs: Sequence[int]) -> bool:
    """Whether an operation treats each index along a class of axes alone."""
    pairs = set(own.pairs)
    coming = [(k, axes[v]) for k, v in enumerate(ins) if v in axes]
    going = [(j, axes[v]) for j, v in enumerate(outs) if v in axes]
    if any(axis < 0 for _, axis in (*coming, *going)):
        return False
    if coming and len(going) < len(outs):
        return False
    if coming:
        return all((k, i, j, o) in pairs for k, i in coming for j, o in going)
    return all(place in own.free for place in going)


def _apart(axes: Sequence[dict[int, int]], ins: Sequence[int]) -> bool:
    """Whether both factors of a product have a lane axis that the other one lacks: one row times one column each.

    Such products are faster as a whole.
    """
    left, right = ({n for n, found in enumerate(axes) if v in found} for v in ins)
    return bool(left - right and right - left)


def _lane_shape(axes: Sequence[dict[int, int]], value: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a value with lane axes of length 1."""
    own = {found[value] for found in axes if value in found}
    return tuple(1 if axis in own else size for axis, size in enumerate(shape))


def _multiplications(equation: Equation, shapes: Sequence[tuple[int, ...]]) -> int:
    """Multiplications of a product of arrays for one lane."""
    if equation.name != "dot_general":
        return 0
    (summed, _), _ = equation.params["dimension_numbers"]
    left = shapes[equation.inputs[0].value]
    return math.prod(shapes[equation.outputs[0].value]) * math.prod(left[k] for k in summed)


def _for_lane(equation: Equation, shapes: Sequence[tuple[int, ...]]) -> Equation:
    """An operation as it is for one lane, where its parameters tell the length of axes."""
    out = shapes[equation.outputs[0].value]
    params = equation.params
    if equation.name == "iota":
        dtype, dimension = params["dtype"], params["dimension"]
        return dataclasses.replace(equation, call=lambda: [lax.broadcasted_iota(dtype, out, dimension)])
    source = shapes[equation.inputs[0].value] if equation.inputs else ()
    if equation.name == "dynamic_slice":
        return dataclasses.replace(equation, call=lambda x, *starts: [lax.dynamic_slice(x, starts, out)])
    if equation.name == "gather":
        full = params["slice_sizes"]
        sizes = tuple(min(own, size) for own, size in zip(full, source, strict=True))
        numbers = {k: params[k] for k in ("unique_indices", "indices_are_sorted", "mode", "fill_value") if k in params}

        def call(x: Any, places: Any) -> list[Any]:
            return [lax.gather(x, places, params["dimension_numbers"], sizes, **numbers)]

        return dataclasses.replace(equation, call=call)
    return equation
