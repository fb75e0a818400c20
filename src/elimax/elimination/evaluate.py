"""Cost of a whole order by the quickest of the implementations."""

from __future__ import annotations

from collections.abc import Sequence

from elimax.elimination import reference
from elimax.elimination.problem import Problem

SMALL = 3000
"""Up to this many edges plain Python is done before the compiler would have been imported."""


def is_small(problem: Problem) -> bool:
    """Whether plain Python does for single passes over the graph."""
    return problem.sources.size <= SMALL


def total(problem: Problem, order: Sequence[int]) -> int:
    """Cost of eliminating vertices in the given order.

    Args:
      problem: the graph and the cost rule.
      order: vertices, each at most once; not checked.

    Returns:
      The number of multiplications under the rule.
    """
    if is_small(problem):
        return reference.total(problem, order)
    from elimax.elimination import kernel

    return kernel.total(problem, order)
