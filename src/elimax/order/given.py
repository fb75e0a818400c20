"""An order that the user gives as a sequence."""

from __future__ import annotations

import operator
from collections.abc import Iterable

from elimax.elimination.evaluate import total
from elimax.elimination.problem import Problem
from elimax.errors import OrderError
from elimax.order.result import Order


def given(problem: Problem, sequence: Iterable[int]) -> Order:
    """Price a sequence of vertices after checking that it is an order.

    Args:
      problem: the graph and the cost rule.
      sequence: every eliminable vertex once.

    Returns:
      The order.

    Raises:
      OrderError: if the sequence misses, repeats or names unknown vertices.
    """
    vertices = check_order(problem.eliminable, sequence)
    return Order(vertices, total(problem, vertices), "given", evaluations=1)


def check_order(eliminable: Iterable[int], sequence: Iterable[int]) -> tuple[int, ...]:
    """Check that a sequence names every eliminable vertex once.

    Args:
      eliminable: vertices that an order has to name.
      sequence: the sequence.

    Returns:
      The sequence as a tuple of integers.

    Raises:
      OrderError: if it misses, repeats or names unknown vertices.
    """
    needed = set(eliminable)
    try:
        vertices = tuple(operator.index(v) for v in sequence)
    except TypeError as error:
        raise OrderError(
            f"an order should be the name of a search or a sequence of vertex numbers, got {sequence!r}"
        ) from error
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
    return vertices


def _listed(vertices: list[int], most: int = 12) -> str:
    text = ", ".join(map(str, vertices[:most]))
    return text if len(vertices) <= most else f"{text} and {len(vertices) - most} more"
