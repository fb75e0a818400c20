"""The orders that cost next to nothing to find, and the best of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from elimax.elimination.evaluate import is_small
from elimax.elimination.problem import Problem
from elimax.order.forward import forward
from elimax.order.limits import Limits
from elimax.order.markowitz import greedy_order
from elimax.order.race import forward_against_reverse
from elimax.order.result import Order
from elimax.order.reverse import reverse

TINY = 500
"""Up to this many edges all simple orders are tried, which takes some hundredths of a second."""

MODERATE, LOOKED_AHEAD = 3000, 1000
"""Without a limit on time, one greedy order is tried on graphs with more edges, and none that looks ahead."""

HUGE = 50_000
"""No greedy order is tried on graphs of blocks with more edges: it takes longer than what it could save."""

LOOKAHEAD = 8
"""Number of candidates of the greedy search that looks ahead."""


def simple_orders(problem: Problem, limits: Limits, seed: int) -> Iterator[Order]:
    """Forward, reverse and greedy orders, one after the other, the quickest first; for blocks reverse before forward.

    Args:
      problem: the graph and the cost rule.
      limits: time, which counts only for graphs of some size; if work is limited the size alone decides.
      seed: not used.

    Yields:
      The orders.
    """
    if problem.is_scalar or is_small(problem):
        first = [forward(problem, limits, seed), reverse(problem, limits, seed)]
    else:
        first = forward_against_reverse(problem)
    # Of two orders of blocks with the same cost the reverse one is faster in a batch: a product with a matrix that all
    # points share leaves the axis of the batch where it is if that matrix is the right factor.
    yield from first if problem.is_scalar else reversed(first)
    if not problem.is_scalar and limits.left == 0:
        return
    edges, by_size = problem.sources.size, limits.seconds == math.inf
    ceiling = min(order.multiplications for order in first)
    if not ceiling or (by_size and edges > HUGE and not problem.is_scalar):
        return
    further = [{}, {"ties": "highest"}, {"relative": True}]
    if edges <= LOOKED_AHEAD if by_size else is_small(problem):
        further.append({"ties": "highest", "lookahead": LOOKAHEAD})
    for position, options in enumerate(further):
        if position and (edges > MODERATE if by_size else limits.left == 0 and edges > TINY):
            return
        whole = position == 0 and is_small(problem)  # its cost is shown beside that of the plan
        order = greedy_order(problem, ceiling=None if whole else ceiling, **options)
        if order is not None:
            ceiling = min(ceiling, order.multiplications)
            yield order


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
