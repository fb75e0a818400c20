"""Search over eliminations of single edges, from the best order of vertices."""

from __future__ import annotations

import dataclasses

import numpy as np

from elimax.elimination.problem import Problem
from elimax.elimination.steps import EdgeStep, Step, StepElimination
from elimax.errors import OrderError
from elimax.order.auto import auto
from elimax.order.limits import Limits
from elimax.order.result import Order
from elimax.structure.term import Kind

MOST_VERTICES = 400
"""Larger graphs do not fit the matrix that the compiled walk works on."""

_ROUND = 20_000


def edges(problem: Problem, limits: Limits, seed: int, *, hot: float = 2.0, cold: float = 0.15) -> Order:
    """Anneal sequences of vertex and edge eliminations.

    Half of the time goes into the best order of vertices, where the walk starts, so the result is never worse.

    Args:
      problem: a graph of scalars with at most `MOST_VERTICES` vertices, and the cost rule.
      limits: time and work.
      seed: of the random numbers.
      hot: temperature at the beginning of each round, in multiplications.
      cold: temperature at its end.

    Returns:
      The best sequence found. Its lower bound is that of vertex orders only where no edge step helped, otherwise 0:
      bounds for orders of vertices do not hold for edges.

    Raises:
      OrderError: for graphs of arrays and for large graphs.
    """
    if not problem.is_scalar:
        raise OrderError("order 'edges' searches graphs of scalars; this one has array blocks. Use order='auto'")
    if problem.num_vertices > MOST_VERTICES:
        raise OrderError(
            f"order 'edges' searches graphs of at most {MOST_VERTICES} vertices, this one has {problem.num_vertices}. "
            "Use order='auto'"
        )
    half = Limits(limits.seconds / 2, None if limits.evaluations is None else limits.evaluations // 2, limits.started)
    start = auto(problem, half, seed)
    if not start.vertices:
        return dataclasses.replace(start, method="edges")
    best, cost, evaluations = _anneal(problem, start, limits, seed, hot, cold)
    if cost >= start.multiplications:
        return dataclasses.replace(start, evaluations=start.evaluations + evaluations)
    return Order(best, cost, "edges", evaluations=start.evaluations + evaluations)


def _anneal(
    problem: Problem, start: Order, limits: Limits, seed: int, hot: float, cold: float
) -> tuple[tuple[Step, ...], int, int]:
    from elimax.elimination.random import new_state
    from elimax.order.walk_steps import walk

    matrix = np.full((problem.num_vertices, problem.num_vertices), -1, np.int8)
    matrix[problem.sources, problem.targets] = problem.structures
    is_input = np.zeros(problem.num_vertices, np.bool_)
    is_input[list(problem.inputs)] = True
    costs = np.array([[problem.algebra.product(int(a), int(b))[1] for b in Kind] for a in Kind], np.int64)
    best = tuple(start.vertices)
    cost, spent, state = start.multiplications, 0, new_state(seed)
    while limits.left > 0 and (limits.evaluations is None or spent < limits.evaluations // 2):
        steps = np.zeros((2 * len(best) + 64, 3), np.int32)
        for k, step in enumerate(best):
            steps[k] = (
                (1 + (step.kind == "back"), step.source, step.target) if isinstance(step, EdgeStep) else (0, step, 0)
            )
        found, count, new = walk(matrix, is_input, problem.is_output, costs, steps, len(best), _ROUND, hot, cold, state)
        spent += _ROUND
        if new < cost:
            cost, best = int(new), _effective(problem, found[:count])
    return best, cost, spent


def _effective(problem: Problem, rows: np.ndarray) -> tuple[Step, ...]:
    """The steps of a walk that do something."""
    state = StepElimination(problem)
    kept: list[Step] = []
    for kind, a, b in rows.tolist():
        step: Step = a if kind == 0 else EdgeStep("front" if kind == 1 else "back", a, b)
        try:
            state.apply(step)
        except OrderError:
            continue
        kept.append(step)
    return tuple(kept)
