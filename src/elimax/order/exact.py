"""Search for the cheapest order, with the proof that it is the cheapest.

Bounds of groups of vertices say what is left to pay after a set has been eliminated, at least; a best-first search over
sets with these bounds ends with the optimum. In between, annealing looks for a better order: sets that cannot beat the
best one need not be kept.
"""

from __future__ import annotations

import dataclasses
import itertools

from elimax.cost.bounds import vertex_bounds
from elimax.cost.grouping import Grouping
from elimax.cost.refining import refine
from elimax.elimination.evaluate import total
from elimax.elimination.problem import Problem
from elimax.elimination.steps import vertices_of
from elimax.errors import OrderError
from elimax.order.annealing import annealing
from elimax.order.exact_blocks import exact_blocks
from elimax.order.limits import Limits
from elimax.order.progress import Progress
from elimax.order.result import Order
from elimax.order.simple import simple_orders

MOST_VERTICES = 1024
"""Larger graphs are refused: not even the bounds would be done in the time of a search."""

FIRST_STEPS = 2000
"""Sets from which the first attempt goes on; small graphs need no more."""

STEPS = 500
"""Sets between looks at the clock."""

ANNEALING_SECONDS, ANNEALING_SHARE = 2.0, 0.15
"""Most time that goes into a better order before the long search, and its share of the time that is left."""

BOUND_SHARE = 0.3
"""Share of the time that is left, or of the work, that may go into better bounds before the long search."""


def exact(
    problem: Problem,
    limits: Limits,
    seed: int,
    *,
    memory: int | float = 1 << 30,
    progress: Progress | None = None,
) -> Order:
    """Find the cheapest order and prove it.

    Args:
      problem: the graph and the cost rule.
      limits: time, or number of evaluations: prices of bounds, proposals of annealing, and sets gone on from.
      seed: of annealing.
      memory: bytes that the sets met may take; when they are used up the search ends with what it has proved.
      progress: receives orders and bounds as they are found; the search ends when it tells so.

    Returns:
      The cheapest order found. Its method is "exact" if it is proved optimal by the search; otherwise it is the best
      of the orders met, with the bound that was reached.

    Raises:
      OrderError: if an option makes no sense, or for graphs with more than `MOST_VERTICES` vertices.
    """
    if isinstance(memory, bool) or not isinstance(memory, int | float) or not memory > 0:
        raise OrderError(f"memory should be a positive number of bytes, got {memory!r}")
    if problem.num_vertices > MOST_VERTICES:
        raise OrderError(
            f"order 'exact' searches graphs of at most {MOST_VERTICES} vertices, this one has {problem.num_vertices}. "
            "Use order='auto'"
        )
    progress = Progress() if progress is None else progress
    try:
        for order in simple_orders(problem, limits, seed):
            progress.count(1)
            progress.offer(order)
        if problem.is_scalar:
            _exact(problem, limits, seed, int(memory), progress)
        else:
            exact_blocks(problem, limits, int(memory), progress)
    except KeyboardInterrupt:
        if progress.best is None:
            raise
    assert progress.best is not None
    return dataclasses.replace(
        progress.best,
        method="exact" if progress.proved else progress.best.method,
        lower_bound=progress.lower_bound,
        optimal=progress.proved,
        evaluations=progress.evaluations,
    )


def _exact(problem: Problem, limits: Limits, seed: int, memory: int, progress: Progress) -> None:
    least = vertex_bounds(problem)
    progress.raise_bound(sum(least.values()))
    if progress.ended or not problem.eliminable:
        return
    grouping, budget = Grouping(problem), _Budget(limits, progress)
    _improve(grouping, budget, progress)
    _best_first(problem, grouping, least, memory, budget, progress, FIRST_STEPS)
    if budget.over:
        return
    _anneal(problem, budget, seed, progress)
    _improve(grouping, budget, progress)
    _best_first(problem, grouping, least, memory, budget, progress, None)


class _Budget:
    """What is left of time and work."""

    def __init__(self, limits: Limits, progress: Progress):
        self.limits = limits
        self.progress = progress

    @property
    def work(self) -> int | None:
        """Evaluations left, None if they are not limited."""
        if self.limits.evaluations is None:
            return None
        return max(0, self.limits.evaluations - self.progress.evaluations)

    @property
    def over(self) -> bool:
        """Whether the search has to end."""
        return self.progress.ended or self.limits.left == 0 or self.work == 0

    def part(self, share: float, most: float = float("inf")) -> _Budget:
        """A share of what is left, at most so many seconds."""
        if self.work is not None:
            limits = Limits(self.limits.seconds, self.progress.evaluations + int(share * self.work), self.limits.started)
        else:
            seconds = min(share * self.limits.left, most)
            limits = Limits(self.limits.spent + seconds, None, self.limits.started)
        return _Budget(limits, self.progress)


def _improve(grouping: Grouping, whole: _Budget, progress: Progress) -> None:
    """Raise the lower bound by better groups."""
    budget = whole.part(BOUND_SHARE)

    def best() -> int | None:
        return progress.best.multiplications if progress.best is not None else None

    made = grouping.joint.evaluations
    for bound in itertools.chain(grouping.improve(best), refine(grouping, best)):
        progress.count(grouping.joint.evaluations - made)
        made = grouping.joint.evaluations
        progress.raise_bound(bound)
        if budget.over:
            return


def _anneal(problem: Problem, whole: _Budget, seed: int, progress: Progress) -> None:
    """Look for a better order."""
    budget = whole.part(ANNEALING_SHARE, ANNEALING_SECONDS)
    best = progress.best
    assert best is not None
    if budget.work is None:
        limits = Limits(max(0.0, budget.limits.left))
    else:
        limits = Limits(evaluations=budget.work)
    annealing(problem, limits, seed, start=vertices_of(best.vertices), progress=progress)


def _best_first(
    problem: Problem,
    grouping: Grouping,
    least: dict[int, int],
    memory: int,
    budget: _Budget,
    progress: Progress,
    steps: int | None,
) -> None:
    """Search over sets until the optimum is found, or at most so many steps."""
    if budget.over:
        return
    from elimax.cost.pattern import pattern
    from elimax.order.best_first import BestFirst

    assert progress.best is not None
    tables = pattern(grouping.joint, grouping.groups, problem.num_vertices)
    found = BestFirst(problem, tables, least, progress.best.multiplications, memory)
    made, more = 0, True
    while more and not budget.over and (steps is None or made < steps):
        piece = STEPS if budget.work is None else min(STEPS, budget.work)
        before, known = found.expanded, found.best_cost
        more = found.run(piece)
        made += piece
        progress.count(found.expanded - before)
        if found.best_cost < known:
            vertices = found.best_order()
            assert vertices is not None
            progress.offer(Order(vertices, total(problem, vertices), "exact"))
        progress.raise_bound(found.bound)
