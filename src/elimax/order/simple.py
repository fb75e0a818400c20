"""The orders that cost next to nothing to find, and the best of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from elimax.elimination.evaluate import is_small
from elimax.elimination.problem import Problem
from elimax.order.forward import forward
from elimax.order.limits import Limits
from elimax.order.markowitz import markowitz
from elimax.order.result import Order
from elimax.order.reverse import reverse

TINY = 500
"""Up to this many edges all simple orders are tried, which takes some hundredths of a second."""

LOOKAHEAD = 8
"""Number of candidates of the greedy search that looks ahead."""


def simple_orders(problem: Problem, limits: Limits, seed: int) -> Iterator[Order]:
    """Forward, reverse and greedy orders, one after the other, the quickest first.

    Args:
      problem: the graph and the cost rule.
      limits: time, which counts only for graphs of some size.
      seed: not used.

    Yields:
      The orders.
    """
    yield forward(problem, limits, seed)
    yield reverse(problem, limits, seed)
    yield markowitz(problem, limits, seed)
    further = [{"ties": "highest"}, {"relative": True}]
    if is_small(problem):
        further.append({"ties": "highest", "lookahead": LOOKAHEAD})
    for options in further:
        if limits.left == 0 and problem.sources.size > TINY:
            return
        yield markowitz(problem, limits, seed, **options)


def simple(problem: Problem, limits: Limits, seed: int) -> Order:
    """The best of the simple orders.

    Args:
      problem: the graph and the cost rule.
      limits: see `simple_orders`.
      seed: not used.

    Returns:
      The cheapest order, the earliest if several are.
    """
    found = list(simple_orders(problem, limits, seed))
    best = min(found, key=lambda order: order.multiplications)
    return dataclasses.replace(best, evaluations=len(found))
