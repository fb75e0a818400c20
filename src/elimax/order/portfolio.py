"""Annealing on many workers at once, from the best order so far, whatever becomes of single workers.

Each task anneals from the order it is given for a slice of the time, with a seed of its own. Whoever finishes starts
again from the best order of all. A task that fails, because its worker was killed, say, costs the time it ran and
nothing else: the best order is kept here, and the task is handed out again.
"""

from __future__ import annotations

import concurrent.futures
import warnings

from elimax.elimination.problem import Problem
from elimax.elimination.steps import Step, vertices_of
from elimax.errors import ElimaxWarning, OrderError
from elimax.order.executors import num_workers, opened
from elimax.order.limits import Limits
from elimax.order.progress import Progress
from elimax.order.result import Order

MOST_FAILURES = 8
"""Failures in a row after which the search ends with what it has."""

SLICES = 4
"""How often a worker comes back for the best order within the time of the search."""


def portfolio(
    problem: Problem,
    limits: Limits,
    seed: int,
    progress: Progress,
    executor: str | concurrent.futures.Executor,
) -> None:
    """Anneal on an executor until the limits are reached; improvements go to ``progress``.

    Args:
      problem: the graph and the cost rule; it travels to the workers.
      limits: time, or number of proposals in all.
      seed: of the first task; each further task has the next one.
      progress: holds the order to start from; the search ends when it tells so.
      executor: "processes", "ray", or an executor of `concurrent.futures`.

    Raises:
      OrderError: for an unknown executor.
    """
    with opened(executor) as working:
        state = _State(problem, limits, seed, progress)
        running: set[concurrent.futures.Future] = set()
        try:
            while not progress.ended and state.failures < MOST_FAILURES:
                pool = working()
                while len(running) < num_workers(pool) and state.more():
                    running.add(pool.submit(_task, *state.next_task(num_workers(pool))))
                if not running:
                    break
                timeout = None if limits.evaluations is not None else max(0.05, limits.left) + 5.0
                done, running = concurrent.futures.wait(running, timeout, concurrent.futures.FIRST_COMPLETED)
                if not done:
                    break  # workers that outstay their time by seconds are not waited for
                for future in done:
                    state.receive(future)
        finally:
            for future in running:
                future.cancel()


class _State:
    """Work handed out and received."""

    def __init__(self, problem: Problem, limits: Limits, seed: int, progress: Progress):
        self._problem, self._limits, self._seed, self._progress = problem, limits, seed, progress
        self._evaluations = limits.evaluations
        self.failures = 0

    def more(self) -> bool:
        """Whether there is time or work left to hand out."""
        return self._limits.left > 0.05 and (self._evaluations is None or self._evaluations > 0)

    def next_task(self, workers: int) -> tuple:
        """Arguments of the next task."""
        share = None
        if self._evaluations is not None and self._limits.evaluations is not None:
            share = min(self._evaluations, max(1, self._limits.evaluations // (SLICES * workers)))
            self._evaluations -= share
        best = self._progress.best
        assert best is not None
        self._seed += 1
        seconds = min(self._limits.left, max(0.5, self._limits.seconds / SLICES))
        return self._problem, vertices_of(best.vertices), self._seed, seconds, share

    def receive(self, future: concurrent.futures.Future) -> None:
        """Take the result of a task, or note that it failed."""
        try:
            vertices, multiplications, evaluations = future.result()
        except OrderError:
            raise
        except Exception as error:  # every executor has its own exceptions for workers that die
            self.failures += 1
            warnings.warn(
                f"a worker of the order search failed ({type(error).__name__}: {str(error)[:200]}); "
                "the search goes on from the best order so far",
                ElimaxWarning,
                stacklevel=4,
            )
            return
        self.failures = 0
        self._progress.count(evaluations)
        self._progress.offer(Order(vertices, multiplications, "annealing", evaluations=evaluations))


def _task(
    problem: Problem, vertices: tuple[Step, ...], seed: int, seconds: float, evaluations: int | None
) -> tuple[tuple[Step, ...], int, int]:
    """One slice of annealing, on a worker."""
    from elimax.order.annealing import annealing

    limits = Limits(seconds if evaluations is None else float("inf"), evaluations)
    found = annealing(problem, limits, seed, start=vertices_of(vertices), restarts=1)
    return found.vertices, found.multiplications, found.evaluations
