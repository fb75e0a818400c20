"""Segments of interest: parts of a region that are differentiated as one."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence

from elimax._jax import Program, Ref
from elimax._jax.program import Placeholder
from elimax.coarsen.arena import NONE, STRICT, Arena, Rules
from elimax.coarsen.costs import Cost
from elimax.coarsen.derive import Derived, derive, local_cost
from elimax.coarsen.nodes import Node
from elimax.coarsen.read import NotExpressible, Reader, number


@dataclasses.dataclass(frozen=True, eq=False)
class Segment:
    """A segment with its derivative.

    Attributes:
      equations: positions of its equations.
      inputs: values that come from outside.
      outputs: results that are used outside, with their vertices.
      names: names of the variables of the expressions, one for each input.
      derived: values of the outputs and partials with respect to the active inputs.
      before: work of values and partials in the same order without any rule.
      applied: how often each rule applied.
    """

    equations: tuple[int, ...]
    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]
    names: tuple[int, ...]
    derived: Derived
    before: Cost
    applied: Counter[str]

    @property
    def after(self) -> Cost:
        """Work of values and partials."""
        return self.derived.cost


class NotRead(NotExpressible):
    """A set of equations has no results."""


@dataclasses.dataclass(frozen=True)
class Border:
    """What goes in and out of a set of equations."""

    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]


class Uses:
    """Who makes and who reads the values of a program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.refs: dict[int, list[tuple[int, Ref]]] = {}
        self._tangents: set[int] = set()
        for position, equation in enumerate(program.equations):
            for ref in equation.inputs:
                for n in {ref.value, ref.vertex} - {None}:
                    self.refs.setdefault(n, []).append((position, ref))  # type: ignore[arg-type]
            if equation.linear and any(r.vertex is not None for r in equation.inputs):
                self._tangents.update(r.value for r in equation.outputs)
        for ref in program.outputs:
            for n in {ref.value, ref.vertex} - {None}:
                self.refs.setdefault(n, []).append((-1, ref))  # type: ignore[arg-type]

    def border(self, members: Iterable[int]) -> Border:
        """The values that a set of equations reads and that are read from it.

        Raises:
          NotExpressible: a rule of the user would be cut in two.
        """
        equations = self.program.equations
        inside = set(members)
        ordered = sorted(inside)
        made = {r.value for k in ordered for r in equations[k].outputs}
        vertices = {r.vertex for k in ordered for r in equations[k].outputs if r.vertex is not None}
        inputs: dict[int, Ref] = {}
        for k in ordered:
            linear = equations[k].linear and any(r.vertex is not None for r in equations[k].inputs)
            for ref in equations[k].inputs:
                if linear and ref.vertex is not None:
                    if ref.vertex not in vertices:
                        self._tangent_from_outside(inputs, ref.vertex)
                elif ref.value not in made and number(self.program, ref.value) is None:
                    self._from_outside(inputs, ref)
                elif ref.vertex is not None and ref.vertex not in vertices:
                    raise NotExpressible("a derivative rule in two parts")
        outputs: dict[tuple[int, int | None], Ref] = {}
        for k in ordered:
            for result in equations[k].outputs:
                for n in {result.value, result.vertex} - {None}:
                    for position, ref in self.refs.get(n, ()):  # type: ignore[arg-type]
                        if position in inside:
                            continue
                        if ref.value not in made or (ref.vertex is not None and ref.vertex not in vertices):
                            raise NotExpressible("a derivative rule in two parts")
                        outputs[(ref.value, ref.vertex)] = ref
        if len({value for value, _ in outputs}) != len(outputs):
            raise NotExpressible("a value with and without a derivative")
        return Border(tuple(inputs.values()), tuple(outputs.values()))

    def _from_outside(self, inputs: dict[int, Ref], ref: Ref) -> None:
        known = inputs.setdefault(ref.value, ref)
        if isinstance(self.program.constants.get(ref.value), Placeholder):
            raise NotExpressible("a tangent from outside")
        if known.vertex is None and ref.vertex is not None:
            inputs[ref.value] = ref
        elif ref.vertex is not None and known.vertex != ref.vertex:
            raise NotExpressible("a value with two derivatives")

    def _tangent_from_outside(self, inputs: dict[int, Ref], vertex: int) -> None:
        """The tangent of an ordinary value has the number of that value; one that a rule computes has no value."""
        if vertex in self._tangents:
            raise NotExpressible("a tangent from outside")
        if not any(ref.vertex == vertex for ref in inputs.values()):
            if isinstance(self.program.constants.get(vertex), Placeholder):
                raise NotExpressible("a tangent from outside")
            self._from_outside(inputs, Ref(vertex, vertex))


def segment(
    uses: Uses, members: Sequence[int], rules: Rules = STRICT, order: str | None = None, finished: bool = True
) -> Segment:
    """Differentiate a set of equations as one.

    Args:
      uses: of the program.
      members: positions of the equations.
      rules: for simplification.
      order: see `elimax.coarsen.derive.derive`.
      finished: the same.

    Raises:
      NotExpressible: the set is no segment.
      ExpressionError: it is too large.
    """
    border = uses.border(members)
    if not border.outputs:
        raise NotRead("a segment whose results nobody reads")
    names = tuple(ref.value for ref in border.inputs)
    arena, sinks, variables = _read(uses.program, members, border, rules)
    derived = derive(arena, sinks, variables, order, finished)
    return Segment(tuple(sorted(members)), border.inputs, border.outputs, names, derived, Cost(0, 0.0), arena.applied)


def measured(uses: Uses, found: Segment) -> Segment:
    """The segment with the work that it takes without simplification.

    Rules of the user are no obstacle in expressions that are only counted; simplification may have removed them.
    """
    border = Border(found.inputs, found.outputs)
    arena, sinks, variables = _read(uses.program, found.equations, border, NONE, ruled=True)
    return dataclasses.replace(found, before=derive(arena, sinks, variables, found.derived.order, False).cost)


def local_work(uses: Uses, members: Sequence[int], rules: Rules) -> Cost:
    """Work of values and local partials of a set of equations, in a fraction of the time of `segment`.

    Raises:
      NotExpressible, ExpressionError: as for `segment`.
    """
    return local_cost(*_read(uses.program, members, uses.border(members), rules))


def _read(
    program: Program, members: Sequence[int], border: Border, rules: Rules, ruled: bool = False
) -> tuple[Arena, list[Node], list[Node]]:
    arena = Arena(rules)
    reader = Reader(arena, program)
    variables = [reader.variable(ref) for ref in border.inputs]
    reader.read(program.equations[k] for k in sorted(members))
    sinks = [reader.operand(ref) for ref in border.outputs]
    if (
        arena.marked and not ruled
    ):  # what is emitted would have other derivatives than the rule says, once it is differentiated again
        raise NotExpressible("a rule of the user, or a stopped derivative")
    active = [v for v, ref in zip(variables, border.inputs, strict=True) if ref.vertex is not None]
    return arena, sinks, active
