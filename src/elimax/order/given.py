"""An order that the user gives as a sequence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from elimax.elimination.evaluate import total
from elimax.elimination.problem import Problem
from elimax.elimination.steps import EdgeStep, Step, from_data, total_of_steps, vertices_of
from elimax.errors import OrderError
from elimax.order.result import Order


def given(problem: Problem, sequence: Iterable[Any]) -> Order:
    """Price a sequence of vertices after checking that it is an order.

    Args:
      problem: the graph and the cost rule.
      sequence: every eliminable vertex once.

    Returns:
      The order.

    Raises:
      OrderError: if the sequence misses, repeats or names unknown vertices.
    """
    steps = check_order(problem.eliminable, sequence)
    plain = not any(isinstance(step, EdgeStep) for step in steps)
    cost = total(problem, vertices_of(steps)) if plain else total_of_steps(problem, steps)
    return Order(steps, cost, "given", evaluations=1)


def check_order(eliminable: Iterable[int], sequence: Iterable[Any]) -> tuple[Step, ...]:
    """Check that a sequence names every eliminable vertex once; edges may be eliminated in between.

    Args:
      eliminable: vertices that an order has to name.
      sequence: the sequence.

    Returns:
      The sequence as a tuple of steps.

    Raises:
      OrderError: if it misses, repeats or names unknown vertices.
    """
    needed = set(eliminable)
    try:
        steps = tuple(from_data(step) for step in sequence)
    except TypeError as error:
        raise OrderError(
            f"an order should be the name of a search or a sequence of vertex numbers, got {sequence!r}"
        ) from error
    vertices = vertices_of(steps)
    seen: set[int] = set()
    repeated: list[int] = []
    for v in vertices:
        (repeated.append if v in seen else seen.add)(v)
    faults = [
        (sorted(seen - needed), "names {} that cannot be eliminated here; leave them out"),
        (sorted(set(repeated)), "repeats {}; name each vertex once"),
        (sorted(needed - seen), "misses {}; add them"),
    ]
    told = [text.format(_listed(found)) for found, text in faults if found]
    if told:
        raise OrderError(
            f"the order {'; it '.join(told)}. This graph has {len(needed)} vertices to eliminate"
            + (f": {_listed(sorted(needed))}" if needed else "")
        )
    return steps


def _listed(vertices: list[int], most: int = 12) -> str:
    text = ", ".join(map(str, vertices[:most]))
    return text if len(vertices) <= most else f"{text} and {len(vertices) - most} more"
