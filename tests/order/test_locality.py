"""Neighbours close together: the same cost, and windows with more to gain."""

from __future__ import annotations

import random

import pytest
from tests.problems import random_problem

from elimax.elimination import reference
from elimax.order.locality import localised


@pytest.mark.parametrize("rule", ["published", "executed"])
@pytest.mark.parametrize("seed", range(8))
def test_the_cost_stays(seed, rule):
    problem = random_problem(seed, rule, middle=40, degree=3)
    order = list(problem.eliminable)
    random.Random(seed).shuffle(order)
    found = localised(problem, order)
    assert sorted(found) == sorted(order)
    assert reference.total(problem, found) == reference.total(problem, order)


def test_separate_parts_are_finished_one_after_the_other():
    """Two chains 0 -> ... -> 10 and 1 -> ... -> 11 of alternating numbers, eliminated in turns."""
    from elimax.elimination.problem import Problem
    from elimax.graph.types import Edge, Graph, Vertex
    from elimax.structure.term import Kind, scalar

    edges = tuple(Edge(v, v + 2, scalar(Kind.VARIABLE)) for v in range(10))
    problem = Problem.from_graph(Graph((Vertex(),) * 12, (0, 1), (10, 11), edges))
    found = localised(problem, problem.eliminable)
    assert found == [2, 4, 6, 8, 3, 5, 7, 9]
