"""Reverse mode as an order: vertices descending."""

from __future__ import annotations

from elimax.elimination.evaluate import total
from elimax.elimination.problem import Problem
from elimax.order.limits import Limits
from elimax.order.result import Order


def reverse(problem: Problem, limits: Limits, seed: int) -> Order:
    """Eliminate against the order of computation, as reverse mode does on the whole graph.

    Args:
      problem: the graph and the cost rule.
      limits: not used; one pass is all.
      seed: not used.

    Returns:
      The order.
    """
    vertices = problem.eliminable[::-1]
    return Order(vertices, total(problem, vertices), "reverse", evaluations=1)
