"""How long a search may go on."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

from elimax.elimination.problem import Problem
from elimax.errors import OrderError

WORK_PER_EDGE = 100
"""Proposals of annealing per edge in a search that is given no limits."""

MOST_WORK, MOST_BLOCK_WORK = 50_000_000, 200_000
"""Most proposals times edges, for graphs of scalars, which take nanoseconds per edge, and of blocks."""

LEAST_PER_EDGE = 10
"""Proposals per edge on large graphs of scalars, which are annealed in windows."""

SETS = 3
"""A search over sets that is asked for by its name may take so many times as long."""

SEARCHED_FROM = 100
"""With fewer edges the portfolio leaves it at simple orders: starting a search takes longer than it gains."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """Time and work that a search may spend.

    Attributes:
      seconds: time from `started`; infinite if only work is limited.
      evaluations: number of evaluations, or None; with it a search depends on the seed alone.
      started: when the search began, on the clock of `time.perf_counter`.
      usual: whether nobody gave them.
    """

    seconds: float = math.inf
    evaluations: int | None = None
    started: float = dataclasses.field(default_factory=time.perf_counter)
    usual: bool = False

    @classmethod
    def make(cls, budget: float | None, max_evaluations: int | None, default: int) -> Limits:
        """Limits from the arguments of `elimax.order.search`.

        Args:
          budget: seconds, or None.
          max_evaluations: number of evaluations, or None.
          default: number of evaluations if neither is given.

        Returns:
          The limits, counting from now.

        Raises:
          OrderError: if one of them is not a non-negative number.
        """
        if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int | float) or not budget >= 0):
            raise OrderError(f"budget should be a number of seconds, zero or more, or None; got {budget!r}")
        if max_evaluations is not None and (
            isinstance(max_evaluations, bool) or not isinstance(max_evaluations, int) or max_evaluations < 0
        ):
            raise OrderError(f"max_evaluations should be an integer, zero or more, or None; got {max_evaluations!r}")
        usual = budget is None and max_evaluations is None
        evaluations = default if usual else max_evaluations
        return cls(math.inf if budget is None else float(budget), evaluations, usual=usual)

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.started

    @property
    def left(self) -> float:
        """Seconds left, zero or more."""
        return max(0.0, self.seconds - self.spent)

    @property
    def deadline(self) -> float:
        """When time is up, on the clock of `time.perf_counter`."""
        return self.started + self.seconds


def usual_work(problem: Problem, order: Any) -> int:
    """Evaluations of a search that is given no limits.

    It is a number of them, and no time, so that every process and every machine finds the same order.

    Args:
      problem: the graph and the cost rule.
      order: name of the search.
    """
    edges = max(1, problem.sources.size)
    if isinstance(order, str) and order == "agent":
        return 1  # one pass of the policy
    if problem.is_scalar:
        proposals = min(WORK_PER_EDGE * edges, max(MOST_WORK // edges, LEAST_PER_EDGE * edges))
    else:
        proposals = min(WORK_PER_EDGE * edges, MOST_BLOCK_WORK // edges)
    portfolio = isinstance(order, str) and order == "auto"
    if portfolio and (edges < SEARCHED_FROM or proposals < edges):
        return 0
    over_sets = isinstance(order, str) and order in ("beam", "exact")
    return SETS * prices(proposals, problem) if over_sets else proposals


def prices(proposals: int, problem: Problem) -> int:
    """How many prices of a bound, or sets gone on from, take about as long as so many proposals of annealing."""
    return int(proposals * min(1.0, WORK_PER_EDGE / max(1, problem.sources.size)))
