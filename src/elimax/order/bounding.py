"""The search for lower bounds as a part of a portfolio."""

from __future__ import annotations

from elimax.cost.grouping import Grouping
from elimax.elimination.problem import Problem
from elimax.order.limits import Limits
from elimax.order.progress import Progress


def improve_bound(problem: Problem, limits: Limits, progress: Progress) -> None:
    """Raise the lower bound until it meets the best order, time is up, or nothing more is found.

    Args:
      problem: a problem with a `ScalarAlgebra`.
      limits: time, and number of prices worked out.
      progress: receives the bounds and says when to stop.
    """
    grouping = Grouping(problem)
    for bound in grouping.improve(lambda: progress.best.multiplications if progress.best is not None else None):
        progress.raise_bound(bound)
        if progress.ended or limits.left == 0:
            return
        if limits.evaluations is not None and grouping.joint.evaluations >= limits.evaluations:
            return


def warm_up(problem: Problem) -> None:
    """Have the functions compiled that both threads of a portfolio use."""
    if problem.is_scalar:
        Grouping(problem).joint.bound(problem.eliminable[:1])
