"""Search for the cheapest order, with the proof that it is the cheapest.

Bounds of groups of vertices say what is left to pay after a set has been eliminated, at least; a best-first search
over sets with these bounds ends with the optimum. Before that, annealing looks for a better order, which tells where
the groups should grow and which sets need not be kept; often the bound meets the order before the search over sets
begins.
"""

from __future__ import annotations

import dataclasses
import math

from elimax.cost.bounds import cut_bound
from elimax.cost.grouping import Grouping
from elimax.cost.joint import JointBounds
from elimax.elimination.problem import Problem
from elimax.elimination.steps import vertices_of
from elimax.errors import OrderError
from elimax.order.annealing import annealing
from elimax.order.bounding import STEPS, by_groups, by_sets
from elimax.order.exact_blocks import exact_blocks
from elimax.order.limits import Limits
from elimax.order.progress import Progress
from elimax.order.result import Order
from elimax.order.simple import simple_orders

MOST_VERTICES = 1024
"""Larger graphs are refused: not even the bounds would be done in the time of a search."""

FIRST_SETS = 2000
"""Sets from which the first attempt goes on; small graphs need no more."""

ANNEALING_SECONDS, ANNEALING_SHARE = 2.0, 0.15
"""Most time that goes into a better order, and its share of the time or work that is left."""

FIRST_SHARE, BOUND_SHARE = 0.1, 0.8
"""Shares of the time or work that is left that may go into better groups, before and after annealing."""


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
      The cheapest order found. If it is proved optimal its method is "exact"; otherwise it names the search that found
      it, and ``lower_bound`` is what has been proved.

    Raises:
      OrderError: if an option makes no sense, or for graphs with more than `MOST_VERTICES` vertices.
    """
    if isinstance(memory, bool) or not isinstance(memory, int | float) or not 0 < memory < math.inf:
        raise OrderError(f"memory should be a positive number of bytes, got {memory!r}")
    if problem.num_vertices > MOST_VERTICES:
        raise OrderError(
            f"order 'exact' searches graphs of at most {MOST_VERTICES} vertices, this one has {problem.num_vertices}. "
            "Use order='auto'"
        )
    progress = Progress() if progress is None else progress
    with progress.until_interrupted():
        for order in simple_orders(problem, limits, seed):
            progress.count(1)
            progress.offer(order)
        progress.raise_bound(cut_bound(problem))
        if not problem.eliminable:
            pass  # nothing costs nothing
        elif problem.is_scalar:
            _exact(problem, limits, seed, int(memory), progress)
        else:
            exact_blocks(problem, limits, int(memory), progress)
    return progress.result("exact" if progress.proved else None)


def _exact(problem: Problem, limits: Limits, seed: int, memory: int, progress: Progress) -> None:
    joint, budget = JointBounds(problem), _Budget(limits, progress)
    grouping = _raise(problem, joint, budget, FIRST_SHARE)
    _by_sets(problem, grouping, memory, budget, FIRST_SETS)
    _anneal(problem, budget, seed)
    grouping = _raise(problem, joint, budget, BOUND_SHARE)
    _by_sets(problem, grouping, memory, budget)


@dataclasses.dataclass(frozen=True)
class _Budget:
    """What is left of time and work."""

    limits: Limits
    progress: Progress

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

    def part(self, share: float, most: float = math.inf) -> _Budget:
        """A share of what is left, at most so many seconds."""
        seconds, evaluations = self.limits.seconds, self.limits.evaluations
        if evaluations is not None and self.work is not None:
            evaluations = self.progress.evaluations + int(share * self.work)
        else:
            seconds = self.limits.spent + min(share * self.limits.left, most)
        return _Budget(Limits(seconds, evaluations, self.limits.started), self.progress)


def _raise(problem: Problem, joint: JointBounds, whole: _Budget, share: float) -> Grouping:
    """Raise the lower bound by better groups; returns the best."""
    budget, made, progress = whole.part(share), joint.evaluations, whole.progress
    best = Grouping(problem, joint)
    best_bound = best.bound
    if budget.over:
        return best
    for bound, grouping in by_groups(problem, joint, progress):
        progress.count(joint.evaluations - made)
        made = joint.evaluations
        progress.raise_bound(bound)
        if bound > best_bound:
            best, best_bound = grouping, bound
        if budget.over:
            break
    return best


def _anneal(problem: Problem, whole: _Budget, seed: int) -> None:
    """Look for a better order."""
    budget, best = whole.part(ANNEALING_SHARE, ANNEALING_SECONDS), whole.progress.best
    assert best is not None
    if not budget.over:
        limits = Limits(budget.limits.left) if budget.work is None else Limits(evaluations=budget.work)
        annealing(problem, limits, seed, start=vertices_of(best.vertices), progress=budget.progress)


def _by_sets(problem: Problem, grouping: Grouping, memory: int, budget: _Budget, most: float = math.inf) -> None:
    """Search over sets until the optimum is found, or at most so many of them."""
    made = 0
    if budget.over:
        return
    for expanded in by_sets(problem, grouping, memory, budget.progress):
        budget.progress.count(expanded)
        made += STEPS
        if budget.over or made >= most:
            return
