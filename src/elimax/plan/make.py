"""Making a plan for a graph, or fitting one that was made before."""

from __future__ import annotations

import dataclasses
import inspect
import threading
from typing import Any

from elimax.cost.rules import rule_of
from elimax.elimination.steps import Step, renumbered
from elimax.errors import PlanMismatchError
from elimax.graph.hashing import canonical_numbering, structural_hash, with_unknown_values
from elimax.graph.types import Graph
from elimax.order import search
from elimax.order.progress import Progress
from elimax.order.registry import find
from elimax.order.result import Order
from elimax.plan.cache import OrderCache, folder
from elimax.plan.types import Plan

SLOW = ("auto", "annealing", "beam", "exact", "edges", "agent")
"""Searches whose answers are worth keeping."""

REMEMBERED = 256
"""Number of orders that a process remembers."""

_MEMORY: dict[Any, Order] = {}
_LOCK = threading.Lock()

CACHED_FROM = 32
"""Graphs with fewer vertices to eliminate are searched faster than a file is found."""


def make_plan(
    graph: Graph,
    *,
    order: Any = "auto",
    cost: str = "time",
    budget: float | None = None,
    seed: int = 0,
    max_evaluations: int | None = None,
    opaque: tuple[str, ...] = (),
    progress: Any = None,
    executor: Any = None,
) -> Plan:
    """Plan the elimination of a graph.

    Args:
      graph: the graph.
      order: name of a search, a sequence of vertices, or a `Plan` made for an equal graph.
      cost: what the search minimises.
      budget: seconds for the search; None lets it decide, by amount of work, so that every process decides alike.
      seed: of the search.
      max_evaluations: limits the search by work instead of time; the plan then depends on the seed alone.
      opaque: names of the operations that JAX itself differentiates.
      progress: a `Progress` that the search reports to, for those that take one.
      executor: where order="auto" anneals: None for threads here, "processes", "ray", or an executor of
        `concurrent.futures`.

    Raises:
      OrderError: for an unknown search or a sequence that is no order of the graph.
      PlanMismatchError: for a plan that was made for another graph.
    """
    if isinstance(order, Plan):
        return fit(order, graph)
    found = _searched(graph, order, cost, Effort(budget, max_evaluations, seed), progress, executor)
    return Plan(
        graph=graph,
        order=found.vertices,
        method=found.method,
        multiplications=found.multiplications,
        lower_bound=found.lower_bound,
        optimal=found.optimal,
        cost=rule_of(cost),
        opaque=opaque,
        evaluations=found.evaluations,
        seconds=found.seconds,
        note=found.note,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Effort:
    """Time, work and seed of a search; see `make_plan`."""

    budget: float | None
    max_evaluations: int | None
    seed: int


def _searched(graph: Graph, order: Any, cost: str, effort: Effort, progress: Any, executor: Any) -> Order:
    """Search; but take the answer from memory, or from the disk where a search would take its time."""
    if not isinstance(order, str):
        return _search(graph, order, cost, effort, {})
    options = {} if executor is None else {"executor": executor}
    if "progress" in inspect.signature(find(order)).parameters:
        options["progress"] = progress = Progress() if progress is None else progress
    if executor is not None:  # workers come and go, so the answer depends on more than the question
        return _search(graph, order, cost, effort, options)
    # Names do not decide an order, and a function called again is traced again but seldom planned anew.
    anonymous = dataclasses.replace(graph, name="")
    with _LOCK:
        found = _MEMORY.get((anonymous, order, cost, effort))
    if found is None:
        found = _kept(graph, order, cost, effort, options)
        if not _cut_short(options):
            with _LOCK:
                while len(_MEMORY) >= REMEMBERED:
                    _MEMORY.pop(next(iter(_MEMORY)))
                _MEMORY[(anonymous, order, cost, effort)] = found
    if progress is not None:
        progress.offer(found)
        progress.raise_bound(found.lower_bound)
    return found


def _kept(graph: Graph, order: str, cost: str, effort: Effort, options: dict[str, Any]) -> Order:
    """Search, or take the answer from the disk."""
    directory = folder() if order in SLOW and len(graph.eliminable) >= CACHED_FROM else None
    if directory is None:
        return _search(graph, order, cost, effort, options)
    cache = OrderCache(graph, directory)
    question = cache.question(order, rule_of(cost), effort.budget, effort.max_evaluations, effort.seed)
    found = cache.find(question)
    if found is None:
        found = _search(graph, order, cost, effort, options)
        if not _cut_short(options):
            cache.keep(question, found)
    return found


def _cut_short(options: dict[str, Any]) -> bool:
    """Whether the search was interrupted: its answer is the best so far, which is no answer to keep."""
    progress = options.get("progress")
    return progress is not None and progress.interrupted


def _search(graph: Graph, order: Any, cost: str, effort: Effort, options: dict[str, Any]) -> Order:
    limits = {"budget": effort.budget, "max_evaluations": effort.max_evaluations, "seed": effort.seed}
    return search(graph, order, cost=cost, **limits, **options)


def forget() -> None:
    """Forget the orders that this process remembers."""
    with _LOCK:
        _MEMORY.clear()


def fit(plan: Plan, graph: Graph) -> Plan:
    """A plan made for an equal graph, renumbered for this one.

    Numbers that are known in one trace and arguments of a compiled function in the other make no difference: the plan
    is carried over, and its cost counted anew.

    Raises:
      PlanMismatchError: if the graphs differ; the message compares them argument by argument.
    """
    if plan.graph == graph:
        return plan
    target = dataclasses.replace(plan, graph=graph)
    if plan.graph_hash == target.graph_hash:
        return dataclasses.replace(target, order=_renumbered(plan, plan.graph, graph))
    planned, given = with_unknown_values(plan.graph), with_unknown_values(graph)
    if structural_hash(planned) != structural_hash(given):
        raise PlanMismatchError(_difference(plan.graph, graph))
    order = _renumbered(plan, planned, given)
    cost = search(graph, order, cost=plan.cost).multiplications
    return dataclasses.replace(target, order=order, multiplications=cost, lower_bound=0, optimal=False)


def _renumbered(plan: Plan, planned: Graph, given: Graph) -> tuple[Step, ...]:
    """The order of a plan, made for the first of two isomorphic graphs, for the second."""
    here = {canonical: vertex for vertex, canonical in enumerate(canonical_numbering(given))}
    number = [here[canonical] for canonical in canonical_numbering(planned)]
    return tuple(renumbered(step, number) for step in plan.order)


def _difference(planned: Graph, given: Graph) -> str:
    lines = [
        f"the plan was made for {planned.name or 'a function'}, whose graph is not that of "
        f"{given.name or 'this function'}:"
    ]
    for what, old, new in (("argument", planned.inputs, given.inputs), ("result", planned.outputs, given.outputs)):
        for k in range(max(len(old), len(new))):
            expected = _describe(planned, old[k]) if k < len(old) else "absent"
            came = _describe(given, new[k]) if k < len(new) else "absent"
            mark = "ok" if expected == came else f"DIFFERS, the plan expects {expected}"
            lines.append(f"  {what} {k}: {came}  {mark}")
    lines.append(
        f"  vertices {given.num_vertices} (plan {planned.num_vertices}), "
        f"edges {len(given.edges)} (plan {len(planned.edges)})"
    )
    lines.append("Make a new plan with elimax.plan(fun, *args) for these arguments.")
    return "\n".join(lines)


def _describe(graph: Graph, vertex: int) -> str:
    described = graph.vertices[vertex]
    return f"{described.dtype or 'scalar'}[{','.join(map(str, described.shape))}]"
