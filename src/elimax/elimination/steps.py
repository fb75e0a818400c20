"""Elimination of single edges, of which vertex elimination is a special case.

*Front* elimination of an edge ``i -> j`` extends it by every out-edge of ``j`` and removes it; *back* elimination
extends it backwards by every in-edge of ``i``. Eliminating all in-edges of a vertex to the front, or all its out-edges
to the back, is eliminating the vertex; anything in between is a way of its own, so the best sequence of edge
eliminations never costs more than the best order of vertices (Griewank & Walther, Evaluating Derivatives, ch. 9;
Naumann 2004).
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from elimax.elimination.problem import Problem
from elimax.elimination.reference import Elimination
from elimax.errors import OrderError

KINDS = ("front", "back")


@dataclasses.dataclass(frozen=True, slots=True)
class EdgeStep:
    """Elimination of one edge.

    Attributes:
      kind: "front" or "back".
      source: where the edge starts.
      target: where it ends.
    """

    kind: str
    source: int
    target: int

    def __str__(self) -> str:
        return f"{self.kind} {self.source}->{self.target}"


Step = int | EdgeStep
"""A vertex to eliminate, or an edge."""


class StepElimination(Elimination):
    """A graph in the course of elimination, by vertices and by edges: the specification.

    Args:
      problem: the graph at the beginning.
    """

    def apply(self, step: Step) -> int:
        """Eliminate a vertex or an edge; returns the cost.

        Raises:
          OrderError: if the edge is not there, or must not be eliminated that way.
        """
        return self.eliminate_edge(step) if isinstance(step, EdgeStep) else self.eliminate(step)

    def eliminate_edge(self, step: EdgeStep) -> int:
        """Eliminate an edge; returns the cost."""
        source, target = step.source, step.target
        self._check(step)
        own = self.outs[source][target]
        if step.kind == "front":
            pairs = [(source, far, left, own) for far, left in self.outs[target].items()]
        else:
            pairs = [(far, target, own, right) for far, right in self.ins[source].items()]
        algebra, cost = self.problem.algebra, 0
        for start, end, left, right in pairs:
            new, multiplications = algebra.product(left, right)
            cost += multiplications
            if new < 0:
                continue
            old = self.outs[start].get(end)
            new = new if old is None else algebra.sum(old, new)
            self.outs[start][end] = self.ins[end][start] = new
        del self.outs[source][target], self.ins[target][source]
        self.cost += cost
        return cost

    def _check(self, step: EdgeStep) -> None:
        source, target = step.source, step.target
        if step.kind not in KINDS:
            raise OrderError(f"an edge is eliminated to the {' or the '.join(KINDS)}, got {step.kind!r}")
        if not 0 <= source < len(self.outs) or target not in self.outs[source]:
            raise OrderError(f"the step {step} names an edge that is not there when its turn comes; leave it out")
        if step.kind == "front" and (target in self._outputs or not self.outs[target]):
            raise OrderError(f"the step {step} would lose an entry of the Jacobian: vertex {target} is an output")
        if step.kind == "back" and source in set(self.problem.inputs):
            raise OrderError(f"the step {step} would lose an entry of the Jacobian: vertex {source} is an input")


def renumbered(step: Step, number: Mapping[int, int] | Sequence[int]) -> Step:
    """A step under another numbering of the vertices."""
    if isinstance(step, EdgeStep):
        return EdgeStep(step.kind, number[step.source], number[step.target])
    return number[step]


def to_data(step: Step) -> Any:
    """A step for JSON: a number, or ``[kind, source, target]``."""
    return [step.kind, step.source, step.target] if isinstance(step, EdgeStep) else step


def from_data(data: Any) -> Step:
    """The step that `to_data` wrote.

    Raises:
      OrderError: if it is none.
    """
    if isinstance(data, EdgeStep):
        return data
    try:
        if isinstance(data, list | tuple) and len(data) == 3 and data[0] in KINDS:
            return EdgeStep(str(data[0]), operator.index(data[1]), operator.index(data[2]))
        number: Any = data
        return operator.index(number)
    except TypeError as error:
        raise OrderError(
            "an order should be the name of a search or a sequence of vertex numbers, among which steps such as "
            f"('front', source, target) may stand; got {data!r}"
        ) from error


def total_of_steps(problem: Problem, steps: Iterable[Step]) -> int:
    """Cost of a sequence of vertex and edge eliminations."""
    state = StepElimination(problem)
    for step in steps:
        state.apply(step)
    return state.cost


def vertices_of(steps: Iterable[Step]) -> tuple[int, ...]:
    """The vertex eliminations of a sequence."""
    return tuple(step for step in steps if not isinstance(step, EdgeStep))
