"""The search for lower bounds, by groups of vertices and then over sets, as a part of other searches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from elimax.cost.grouping import Grouping
from elimax.cost.joint import JointBounds
from elimax.cost.refining import refine
from elimax.elimination.evaluate import total
from elimax.elimination.problem import Problem
from elimax.elimination.reference import Elimination
from elimax.elimination.steps import vertices_of
from elimax.order.limits import Limits
from elimax.order.progress import Progress
from elimax.order.result import Order

EARLY_WORKS = (1 << 8, 1 << 10, 1 << 12)
"""Groups that need more prices than this are not formed, one after the other, before other groups are tried."""

EARLY_PRICES = 250_000
"""Number of prices after which these are tried at the latest."""

EARLY_ROUNDS = 3
"""Most attempts before these are tried."""

STEPS = 500
"""Sets between looks at the clock."""

WORTHWHILE = 10.0
"""Seconds that have to be left for a search over sets, once the groups are as good as they get."""

MEMORY = 1 << 28
"""Bytes that this search over sets may take."""


def improve_bound(problem: Problem, limits: Limits, progress: Progress) -> None:
    """Raise the lower bound until it meets the best order, time is up, or nothing more is found.

    Args:
      problem: a problem with a `ScalarAlgebra`.
      limits: time, and number of prices worked out and sets gone on from.
      progress: receives the bounds, and an order if the search over sets meets a cheaper one; says when to stop.
    """
    grouping, made = Grouping(problem), 0
    for bound, groups in by_groups(problem, grouping.joint, progress):
        grouping = groups if bound > grouping.bound else grouping
        progress.raise_bound(bound)
        made = grouping.joint.evaluations
        if progress.ended or limits.left == 0 or (limits.evaluations is not None and made >= limits.evaluations):
            return
    if limits.left < WORTHWHILE:
        return
    for expanded in by_sets(problem, grouping, MEMORY, progress):
        made += expanded
        if progress.ended or limits.left == 0 or (limits.evaluations is not None and made >= limits.evaluations):
            return


def by_groups(problem: Problem, joint: JointBounds, progress: Progress) -> Iterator[tuple[int, Grouping]]:
    """Merge groups along edges at once, and, in a partition of their own, by pairs first: either may be the better way.

    Args:
      problem: a problem with a `ScalarAlgebra`.
      joint: bounds of its groups.
      progress: holds the best order so far.

    Yields:
      The bound of the partition that is worked on, and the partition, after a piece of work.
    """
    costs, along_edges = _Costs(problem, progress), Grouping(problem, joint)
    for _ in range(EARLY_ROUNDS):
        guide, most = progress.best, joint.evaluations + EARLY_PRICES
        along_edges = Grouping(problem, joint)
        for bound in refine(problem, along_edges, costs, EARLY_WORKS):
            yield bound, along_edges
            if joint.evaluations > most:
                break
        if progress.best is guide:
            break  # otherwise there is a better order by now, which is a better guide
    for grouping in (Grouping(problem, joint), along_edges):
        for bound in itertools.chain(grouping.improve(costs.total), refine(problem, grouping, costs)):
            yield bound, grouping


def by_sets(problem: Problem, grouping: Grouping, memory: int, progress: Progress) -> Iterator[int]:
    """Search best first over sets, with the bounds of the groups; yields the number of sets gone on from each time.

    Bounds and orders go to ``progress``; when the search is through, the bound meets the best order.
    """
    from elimax.cost.pattern import pattern
    from elimax.order.best_first import BestFirst

    best = progress.best
    assert best is not None
    tables = pattern(grouping.joint, grouping.groups, problem.num_vertices)
    search, more = BestFirst(problem, tables, best.multiplications, memory), True
    while more:
        search.beat(progress.best.multiplications if progress.best is not None else best.multiplications)
        before, known = search.expanded, search.best_cost
        more = search.run(STEPS)
        if search.best_cost < known:
            vertices = search.best_order()
            assert vertices is not None
            progress.offer(Order(vertices, total(problem, vertices), "exact"))
        progress.raise_bound(search.bound)
        yield search.expanded - before


class _Costs:
    """What each vertex costs in the best order so far; worked out again when there is a better one."""

    def __init__(self, problem: Problem, progress: Progress):
        self._problem, self._progress = problem, progress
        self._order: Order | None = None
        self._costs: dict[int, int] = {}

    def total(self) -> int:
        """What the best order costs."""
        order = self._progress.best
        assert order is not None
        return order.multiplications

    def __call__(self) -> dict[int, int]:
        order = self._progress.best
        assert order is not None
        if order is not self._order:
            state = Elimination(self._problem)
            self._order, self._costs = order, {v: state.eliminate(v) for v in vertices_of(order.vertices)}
        return self._costs


def warm_up(problem: Problem) -> None:
    """Have the functions compiled that both threads of a portfolio use."""
    if problem.is_scalar:
        Grouping(problem).joint.bound(problem.eliminable[:1])
