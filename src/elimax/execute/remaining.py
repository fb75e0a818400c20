"""The structure that an order leaves, worked out without values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from elimax.elimination.problem import Problem
from elimax.elimination.steps import Step, StepElimination
from elimax.graph.types import Graph
from elimax.structure.algebra import as_terms
from elimax.structure.term import Kind, Structure, scalar

MOST_ENTRIES = 20_000_000
"""Patterns with more entries are not written out."""


def remaining(graph: Graph, order: Sequence[Step]) -> dict[tuple[int, int], Structure]:
    """Structures of the edges from inputs to outputs that an order leaves, by ``(source, target)``."""
    problem = Problem.from_graph(graph)
    state = StepElimination(problem)
    for step in order:
        state.apply(step)
    algebra: Any = problem.algebra
    meaning = (lambda number: scalar(Kind(number))) if problem.is_scalar else algebra.structure
    return {(s, t): meaning(number) for t in graph.outputs for s, number in state.ins[t].items()}


def num_entries(graph: Graph, order: Sequence[Step]) -> int:
    """Number of entries of the sparse blocks that an order leaves; where terms overlap, they count twice."""
    return sum(t.num_entries for structure in remaining(graph, order).values() for t in as_terms(structure))
