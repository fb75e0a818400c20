"""Forward mode as an order: vertices ascending."""

from __future__ import annotations

from elimax.elimination.evaluate import total
from elimax.elimination.problem import Problem
from elimax.order.limits import Limits
from elimax.order.result import Order


def forward(problem: Problem, limits: Limits, seed: int) -> Order:
    """Eliminate in the order of computation, as forward mode does on the whole graph.

    Args:
      problem: the graph and the cost rule.
      limits: not used; one pass is all.
      seed: not used.

    Returns:
      The order.
    """
    vertices = problem.eliminable
    return Order(vertices, total(problem, vertices), "forward", evaluations=1)
