"""The portfolio: cheap searches first, then annealing beside a search for lower bounds, until one meets the other."""

from __future__ import annotations

import dataclasses
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait

from elimax.cost.bounds import cut_bound
from elimax.elimination.algebra import BlockAlgebra
from elimax.elimination.evaluate import is_small
from elimax.elimination.problem import Problem
from elimax.elimination.steps import vertices_of
from elimax.order.annealing import annealing
from elimax.order.limits import Limits, prices
from elimax.order.portfolio import portfolio
from elimax.order.progress import Progress
from elimax.order.registry import find
from elimax.order.result import Order
from elimax.order.simple import simple_orders

COMPILED = 0.15
"""Seconds that have to be left for a compiled search to be worth its start."""

POLICY, POLICY_EACH = 0.02, 0.0005
"""Seconds, and seconds per vertex, that have to be left to ask a trained policy where there is no time to search."""

HOPELESS, HOPELESS_FROM = 0.6, 300
"""Bounds of graphs with so many vertices to eliminate that reach less than this share of the best cost are left alone
where work is limited: they will not meet it, and raising them takes longer than all the rest."""

MOST_PAIRS, WIDE = 5000, 1000
"""Pairs of terms of blocks that simple orders multiply, where a value has as many elements; with more, each proposal
of a search takes tens of milliseconds. On small arrays it takes tenths of one."""

LARGE = 5000
"""Graphs with more vertices to eliminate get no bounds: the time is better spent on the order."""


def auto(
    problem: Problem,
    limits: Limits,
    seed: int,
    *,
    progress: Progress | None = None,
    executor: str | Executor | None = None,
) -> Order:
    """Try several searches and keep the best order; stop when it is proved optimal.

    Forward, reverse and greedy orders come first, with the minimum cut bound. If there is time, annealing and a
    search for better bounds run on a core each, or one after the other if work is limited and time is not. An interrupt
    ends the search with the best order so far.

    Args:
      problem: the graph and the cost rule.
      limits: time and work; without compiled code if less than about a tenth of a second is left, then a trained
        policy (`order="agent"`) is asked if there is time for one pass.
      seed: of the searches that draw random numbers.
      progress: receives the best order and bound as they are found.
      executor: where annealing runs: None for a thread beside the search for bounds, "processes", "ray", or an
        executor of `concurrent.futures`.

    Returns:
      The cheapest order found; its method names the search that found it.
    """
    progress = Progress() if progress is None else progress
    with progress.until_interrupted():
        for order in simple_orders(problem, limits, seed):
            progress.count(1)
            progress.offer(order)
        if is_small(problem):
            progress.raise_bound(cut_bound(problem))
        worthwhile = len(problem.eliminable) > 1 and limits.evaluations != 0 and limits.left > COMPILED
        dear = isinstance(problem.algebra, BlockAlgebra) and problem.algebra.pairs > MOST_PAIRS
        dear = dear and (problem.elements is None or int(problem.elements.max()) > WIDE)
        worthwhile = worthwhile and not (limits.usual and dear)
        if worthwhile and not progress.ended:
            _search(problem, limits, seed, progress, executor)
        elif (
            problem.is_scalar
            and limits.evaluations is None
            and not progress.ended
            and limits.left > POLICY + POLICY_EACH * len(problem.eliminable)
        ):
            _ask_the_policy(problem, seed, progress)
    return progress.result()


def _ask_the_policy(problem: Problem, seed: int, progress: Progress) -> None:
    """One pass of the trained agent."""
    progress.offer(find("agent")(problem, Limits(evaluations=1), seed, simple=False))
    progress.count(1)


def _search(problem: Problem, limits: Limits, seed: int, progress: Progress, executor: str | Executor | None) -> None:
    """Annealing and bounds, each on a thread: compiled code leaves Python's lock alone."""
    # Imported here, once, so that two threads do not compile the same function.
    from elimax.order.bounding import warm_up

    warm_up(problem)
    # The search for bounds looks at the best order: one after the other if the result has to depend on the work alone.
    with ThreadPoolExecutor(2 if limits.evaluations is None else 1) as pool:
        tasks: list[Future] = []
        if executor is None:
            tasks.append(pool.submit(_anneal, problem, limits, seed, progress))
        else:
            tasks.append(pool.submit(portfolio, problem, limits, seed, progress, executor))
        if problem.is_scalar and len(problem.eliminable) <= LARGE:
            tasks.append(pool.submit(_raise_bound, problem, limits, progress))
        try:
            wait(tasks)
        finally:
            progress.stopped.set()
        for task in tasks:
            task.result()


def _raise_bound(problem: Problem, limits: Limits, progress: Progress) -> None:
    from elimax.order.bounding import improve_bound

    found = progress.result()
    if (
        limits.evaluations is None
        or len(problem.eliminable) < HOPELESS_FROM
        or found.lower_bound >= HOPELESS * found.multiplications
    ):
        improve_bound(problem, _for_bounds(problem, limits), progress)


def _for_bounds(problem: Problem, limits: Limits) -> Limits:
    if limits.evaluations is None:
        return limits
    return dataclasses.replace(limits, evaluations=prices(limits.evaluations, problem))


def _anneal(problem: Problem, limits: Limits, seed: int, progress: Progress) -> None:
    best = progress.best
    assert best is not None
    annealing(problem, limits, seed, start=vertices_of(best.vertices), progress=progress)
