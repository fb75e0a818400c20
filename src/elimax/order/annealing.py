"""Simulated annealing over orders.

Kirkpatrick, Gelatt & Vecchi (1983). A proposal moves one vertex next to another, mostly one a few edges away; the
temperature falls geometrically. Several runs follow each other, each twice as long as the one before and each starting
from the best order so far, so an interrupted search has something to show.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

from elimax.elimination.evaluate import total
from elimax.elimination.problem import Problem
from elimax.elimination.steps import vertices_of
from elimax.errors import OrderError
from elimax.order.given import check_order
from elimax.order.limits import Limits
from elimax.order.progress import Progress
from elimax.order.result import Order
from elimax.order.simple import simple

if TYPE_CHECKING:
    from elimax.order.walk import Annealer

HOT, COLD = 3.0, 0.2
"""Temperatures at the beginning and at the end of a run for costs that are numbers of scalar multiplications."""

SHORT, LONG = 0.02, 0.1
"""Seconds between looks at the clock, in short and in long runs: each look waits for the other threads of Python."""

WHOLE = 1500
"""Larger graphs are annealed in windows of the order."""

WINDOW = 96
"""Number of vertices in a window."""

WINDOW_STEPS = 40
"""Proposals per vertex of a window in the first sweep; each sweep makes half as many again."""

STEPS = 2000
"""Proposals between looks at the clock when their number is given: pieces that follow the clock would round the
temperature differently each time."""


def annealing(
    problem: Problem,
    limits: Limits,
    seed: int,
    *,
    start: tuple[int, ...] | None = None,
    restarts: int = 3,
    hot: float | None = None,
    cold: float | None = None,
    progress: Progress | None = None,
) -> Order:
    """Anneal an order.

    Args:
      problem: the graph and the cost rule.
      limits: time, and number of proposals.
      seed: of the random numbers.
      start: where to start; None starts from the best of the simple orders.
      restarts: number of runs.
      hot: temperature at the beginning, in multiplications; None chooses it.
      cold: temperature at the end; None chooses it.
      progress: receives improvements; the search ends when it tells so, or when its lower bound is reached.

    Returns:
      The best order met; ``evaluations`` counts proposals.

    Raises:
      OrderError: if an option makes no sense.
    """
    if isinstance(restarts, bool) or not isinstance(restarts, int) or restarts < 1:
        raise OrderError(f"restarts should be an integer, one or more, got {restarts!r}")
    if start is None:
        first = dataclasses.replace(simple(problem, limits, seed), evaluations=0)
    else:
        given = vertices_of(check_order(problem.eliminable, start))
        first = Order(given, total(problem, given), "annealing")
    scale = _scale(problem, first)
    hot = HOT * scale if hot is None else hot
    cold = COLD * scale if cold is None else cold
    if not 0 < cold <= hot < math.inf:
        raise OrderError(f"temperatures should satisfy 0 < cold <= hot, got hot={hot!r}, cold={cold!r}")
    progress = Progress() if progress is None else progress
    progress.offer(first)
    if len(first.vertices) < 2 or progress.ended:
        return first
    if len(first.vertices) > WHOLE:
        found = _in_windows(problem, limits, seed, first, hot, cold)
    else:
        found = _as_a_whole(problem, limits, seed, first, hot, cold, restarts, progress)
    evaluations, best = 0, first
    try:
        for order in found:
            progress.count(order.evaluations - evaluations)
            evaluations = order.evaluations
            if order.multiplications < best.multiplications:
                best = order
                progress.offer(best)
            if progress.ended:
                break
    except KeyboardInterrupt:
        progress.interrupted = True  # the best order so far is as good as the time allowed
    return dataclasses.replace(best, evaluations=evaluations)


def _as_a_whole(
    problem: Problem,
    limits: Limits,
    seed: int,
    first: Order,
    hot: float,
    cold: float,
    restarts: int,
    progress: Progress,
) -> Iterator[Order]:
    """Anneal the order as one; yields the best order after each piece of work."""
    from elimax.order.walk import Annealer

    annealer = Annealer(problem, vertices_of(first.vertices), seed)
    evaluations, cost, best = 0, annealer.best_cost, first
    for made in _runs(annealer, limits, restarts, hot, cold, progress):
        evaluations += made
        if annealer.best_cost < cost:
            cost = annealer.best_cost
            best = _checked(problem, annealer.best_order)
        yield dataclasses.replace(best, evaluations=evaluations)


def _in_windows(problem: Problem, limits: Limits, seed: int, first: Order, hot: float, cold: float) -> Iterator[Order]:
    """Anneal windows of the order in sweeps, each with half as many proposals again; yields the order as it gets on."""
    from elimax.order.locality import localised
    from elimax.order.windows import Windows

    windows = Windows(problem, vertices_of(first.vertices), seed)
    draw, best, steps = random.Random(seed), first, WINDOW_STEPS
    while True:
        windows.order = localised(problem, windows.order)
        for _ in windows.sweep(WINDOW, draw.randint(WINDOW // 4, WINDOW), int(steps), hot, cold):
            over = limits.evaluations is not None and windows.proposals >= limits.evaluations
            if over or limits.left == 0:
                yield dataclasses.replace(_checked(problem, tuple(windows.order)), evaluations=windows.proposals)
                return
            yield dataclasses.replace(best, evaluations=windows.proposals)
        best = _checked(problem, tuple(windows.order))
        steps *= 1.5


def _checked(problem: Problem, vertices: tuple[int, ...]) -> Order:
    """An order with its cost as executed: structures of blocks may depend on how they were added up."""
    return Order(vertices, total(problem, vertices), "annealing")


def _scale(problem: Problem, order: Order) -> float:
    """What a multiplication of a scalar graph corresponds to: for blocks the mean price of a vertex decides."""
    if problem.is_scalar:
        return 1.0
    return max(1.0, order.multiplications / max(1, len(order.vertices)) / 4)


def _runs(
    annealer: Annealer, limits: Limits, restarts: int, hot: float, cold: float, progress: Progress
) -> Iterator[int]:
    """Carry out all runs in pieces; yields the number of proposals of each piece."""
    began, made = limits.spent, 0
    for run in range(restarts):
        if run:
            annealer.start_from(annealer.best_order)
        share = (2 ** (run + 1) - 1) / (2**restarts - 1)
        if limits.evaluations is not None:
            pieces = _counted(annealer, int(share * limits.evaluations) - made, hot, cold, progress)
        else:
            until = began + share * max(0.0, limits.seconds - began)
            pieces = _timed(annealer, limits, until, hot, cold, progress)
        for piece in pieces:
            made += piece
            yield piece
            if annealer.best_cost <= progress.lower_bound or progress.ended or limits.left == 0:
                return


def _counted(annealer: Annealer, steps: int, hot: float, cold: float, progress: Progress) -> Iterator[int]:
    """A run of a number of proposals."""
    for made in range(0, steps, STEPS):
        after = min(steps, made + STEPS)
        begin, end = (hot * (cold / hot) ** (step / steps) for step in (made, after))
        yield annealer.run(after - made, begin, end, progress.lower_bound)


def _timed(
    annealer: Annealer, limits: Limits, until: float, hot: float, cold: float, progress: Progress
) -> Iterator[int]:
    """A run that ends at a time."""
    began, size = limits.spent, 500
    length = max(1e-9, until - began)
    chunk = min(LONG, max(SHORT, length / 50))
    while (now := limits.spent) < until:
        done, after = (now - began) / length, min(1.0, (now - began + chunk) / length)
        yield annealer.run(size, hot * (cold / hot) ** done, hot * (cold / hot) ** after, progress.lower_bound)
        size = max(100, min(2 * size, int(size * chunk / max(limits.spent - now, 1e-6))))
