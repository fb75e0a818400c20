"""The portfolio: cheap searches first, the best order found wins."""

from __future__ import annotations

import dataclasses

from elimax.elimination.problem import Problem
from elimax.order.forward import forward
from elimax.order.limits import Limits
from elimax.order.markowitz import markowitz
from elimax.order.result import Order
from elimax.order.reverse import reverse


def auto(problem: Problem, limits: Limits, seed: int) -> Order:
    """Try several searches and keep the best order.

    Args:
      problem: the graph and the cost rule.
      limits: time and work.
      seed: of the searches that draw random numbers.

    Returns:
      The cheapest order found; its method names the search that found it.
    """
    found = [
        forward(problem, limits, seed),
        reverse(problem, limits, seed),
        markowitz(problem, limits, seed),
        markowitz(problem, limits, seed, ties="highest"),
    ]
    best = min(found, key=lambda order: order.multiplications)
    return dataclasses.replace(best, evaluations=len(found))
