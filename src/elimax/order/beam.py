"""Beam search over sets of eliminated vertices.

All sets of one size are ranked by their cost so far and what is left to pay; the best go on, each set once, at its
least cost. Sets that cannot beat the best known order are dropped. If no set was ever dropped for want of room,
the best order is optimal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from elimax.cost.bounds import cut_bound
from elimax.elimination.evaluate import total
from elimax.elimination.problem import Problem
from elimax.errors import OrderError
from elimax.order.beam_blocks import BlockBeam
from elimax.order.limits import Limits
from elimax.order.progress import Progress
from elimax.order.result import Order
from elimax.order.simple import simple_orders

if TYPE_CHECKING:
    from elimax.cost.pattern import Pattern


class Beam(Protocol):
    """Sets or graphs of one size."""

    complete: bool

    @property
    def num_sets(self) -> int:
        """Number of them."""
        ...

    def start(self) -> None:
        """Begin anew."""
        ...

    def advance(self, width: int, best: int, weight: float) -> Iterator[int]:
        """Go on to the next size; yields the number gone on from after each piece of work."""
        ...

    def order(self) -> tuple[int, ...]:
        """The order that leads to the cheapest."""
        ...


WEIGHTS = {"estimate": 0.7, "bound": 1.0, "cost": 0.0}
"""Ranks, and the weight of what is left. That of "estimate" was the best on the graphs of published tasks."""

FIRST_WIDTH = 16
"""Width of the first beam; each further one is twice as wide."""

MOST_BYTES = 1 << 29
"""The beam becomes no wider than fits into this memory."""

BOUND_SHARE, BOUND_SECONDS = 0.3, 2.0
"""Share of the time or work that may go into the bounds that rank the sets, and the most seconds."""

MOST_VERTICES = 5000
"""Larger graphs are refused: a single set takes too long."""


def beam(
    problem: Problem,
    limits: Limits,
    seed: int,
    *,
    width: int | None = None,
    rank: str | None = None,
    progress: Progress | None = None,
) -> Order:
    """Find an order by beam search.

    Args:
      problem: the graph and the cost rule.
      limits: time, or number of sets gone on from.
      seed: decides among sets that rank the same.
      width: number of sets of one size to keep; None begins with a narrow beam and doubles it until time is up.
      rank: what is added to the cost so far. "bound": the least cost of what is left; "estimate": a part of it, which
        finds cheaper orders because sets that put off the work look too cheap otherwise; "cost": nothing. For graphs of
        blocks no bound is known, and what the vertices that are left would cost now takes its place. None takes turns.
      progress: receives orders and bounds as they are found; the search ends when it tells so.

    Returns:
      The cheapest order found, never worse than the simple ones.

    Raises:
      OrderError: if an option makes no sense, or for graphs with more than `MOST_VERTICES` vertices.
    """
    if width is not None and (isinstance(width, bool) or not isinstance(width, int) or width < 1):
        raise OrderError(f"width should be an integer, one or more, or None; got {width!r}")
    if rank is not None and rank not in WEIGHTS:
        raise OrderError(f"unknown rank {rank!r}; expected one of {', '.join(map(repr, WEIGHTS))}")
    if problem.num_vertices > MOST_VERTICES:
        raise OrderError(
            f"order 'beam' searches graphs of at most {MOST_VERTICES} vertices, this one has {problem.num_vertices}. "
            "Use order='auto'"
        )
    progress = Progress() if progress is None else progress
    with progress.until_interrupted():
        for order in simple_orders(problem, limits, seed):
            progress.offer(order)
        progress.raise_bound(cut_bound(problem))
        if not progress.ended and limits.left > 0 and limits.evaluations != 0:
            _widen(problem, limits, seed, width, rank, progress)
    return progress.result()


def _widen(
    problem: Problem, limits: Limits, seed: int, width: int | None, rank: str | None, progress: Progress
) -> None:
    """Search with one beam, or with wider and wider ones."""
    assert progress.best is not None
    if problem.is_scalar:
        from elimax.order.beam_sets import SetBeam

        search: Beam = SetBeam(problem, _tables(problem, limits, progress), seed)
        most = MOST_BYTES // (64 * len(problem.eliminable))
    else:
        search, most = BlockBeam(problem), MOST_BYTES // (400 * max(1, problem.sources.size))
    weights = tuple(WEIGHTS.values()) if rank is None else (WEIGHTS[rank],)
    now = FIRST_WIDTH if width is None else width
    while True:
        for weight in weights:
            if progress.ended or not _run(problem, search, limits, now, weight, progress):
                return
        if width is not None or now >= most:
            return
        now = min(2 * now, most)


def _run(problem: Problem, search: Beam, limits: Limits, width: int, weight: float, progress: Progress) -> bool:
    """One beam from the first set to the last; returns whether a wider one makes sense and there is time for it."""
    search.start()
    for _ in problem.eliminable:
        assert progress.best is not None
        for made in search.advance(width, progress.best.multiplications, weight):
            progress.count(made)
            over = limits.evaluations is not None and progress.evaluations >= limits.evaluations
            if over or limits.left == 0 or progress.ended:
                return False
        if search.num_sets == 0:
            break
    else:
        vertices = search.order()
        progress.offer(Order(vertices, total(problem, vertices), "beam"))
    if search.complete and progress.best is not None:
        progress.raise_bound(progress.best.multiplications)
    return not search.complete


def _tables(problem: Problem, limits: Limits, progress: Progress) -> Pattern:
    """Bounds that rank the sets."""
    from elimax.cost.grouping import Grouping
    from elimax.cost.pattern import pattern
    from elimax.order.bounding import by_groups

    best, until = Grouping(problem), limits.spent + min(BOUND_SECONDS, BOUND_SHARE * limits.left)
    joint = best.joint
    for bound, grouping in by_groups(problem, joint, progress):
        best = grouping if bound > best.bound else best
        progress.raise_bound(bound)
        over = limits.evaluations is not None and joint.evaluations >= BOUND_SHARE * limits.evaluations
        if progress.ended or over or (limits.evaluations is None and limits.spent > until):
            break
    return pattern(joint, best.groups, problem.num_vertices)
