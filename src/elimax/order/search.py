"""The entry point to all searches."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from typing import Any

from elimax.cost.rules import rule_of
from elimax.elimination.problem import Problem
from elimax.elimination.steps import Step
from elimax.errors import OrderError
from elimax.graph.types import Graph
from elimax.order.given import given
from elimax.order.limits import Limits, usual_work
from elimax.order.registry import find
from elimax.order.result import Order


def search(
    graph: Graph | Problem,
    order: str | Sequence[Step] = "auto",
    cost: str = "executed",
    budget: float | None = None,
    max_evaluations: int | None = None,
    seed: int = 0,
    **options: Any,
) -> Order:
    """Find a cheap elimination order.

    Args:
      graph: a graph, or a problem, which brings its own cost.
      order: name of a search, see `elimax.order.names`, or a sequence of vertices, with edges in between.
      cost: "executed" counts what a program has to multiply, "published" every product.
      budget: seconds; the result then depends on how fast the machine is.
      max_evaluations: number of evaluations; without a budget the result depends on nothing but the seed. None, with
        no budget either, is work for less time than compiling the Jacobian takes, seconds for thousands of vertices.
      seed: of the random numbers that some searches draw.
      **options: of the search, see its own documentation.

    Returns:
      The order, its cost and a lower bound on the cost of any order.

    Raises:
      OrderError: for an unknown search, cost or option, a negative budget, or a sequence that is no order of the
        graph.

    Example:
      >>> from elimax.graph.json import loads
      >>> graph = loads('{"num_vertices": 3, "inputs": [0], "outputs": [2],'
      ...               ' "edges": [[0, 1, "variable"], [1, 2, "variable"]]}')
      >>> search(graph, "reverse").multiplications
      1
    """
    problem = graph if isinstance(graph, Problem) else Problem.from_graph(graph, rule_of(cost))
    limits = Limits.make(budget, max_evaluations, usual_work(problem, order))
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise OrderError(f"seed should be an integer, zero or more, got {seed!r}")
    if not isinstance(order, str):
        if options:
            raise OrderError(f"a sequence of vertices takes no options, got {', '.join(map(repr, options))}")
        found = given(problem, order)
    else:
        method = find(order)
        _check_options(order, method, options)
        found = method(problem, limits, seed, **options)
    return dataclasses.replace(found, seconds=limits.spent)


def _check_options(name: str, method: Any, options: dict[str, Any]) -> None:
    """Tell a misspelt option from a defect inside the search."""
    known = [
        parameter.name
        for parameter in list(inspect.signature(method).parameters.values())[3:]
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    unknown = [option for option in options if option not in known]
    if unknown:
        takes = f"takes {', '.join(map(repr, known))}" if known else "takes no options"
        raise OrderError(f"order {name!r} has no option {', '.join(map(repr, unknown))}; it {takes}")
