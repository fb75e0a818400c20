"""All partials of several expressions at once, by symbolic vertex elimination.

The graph of the expressions is the linearised computational graph of the little program they are: each node is a
vertex, each local partial an edge that holds an expression. Eliminating every node between variables and sinks leaves
the Jacobian. Products and sums are made by the arena, so that equal ones are shared with each other and with the
values. Several orders are tried, and the one whose result costs least is kept.

A partial that selects is a selection of products, never a product with zero: a branch that is not taken has no say,
even where its derivative is infinite.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Sequence

from elimax.coarsen.arena import Arena
from elimax.coarsen.costs import Cost, cost
from elimax.coarsen.derivatives import local_partials
from elimax.coarsen.finish import finish
from elimax.coarsen.nodes import RULED, STOP, TANGENT, Node, reachable
from elimax.coarsen.read import NotExpressible

ORDERS = ("markowitz", "reverse", "forward")
"""Orders of elimination that are tried, in this sequence."""

SMALL = 300
"""Expressions with more nodes than this are differentiated in one order only."""


@dataclasses.dataclass(frozen=True)
class Derived:
    """Values and partials of expressions.

    Attributes:
      values: the expressions themselves.
      partials: ``partials[i][j]`` is the partial of expression i with respect to variable j; None where it is zero.
      order: the order of elimination that was kept.
    """

    values: tuple[Node, ...]
    partials: tuple[tuple[Node | None, ...], ...]
    order: str

    @property
    def sinks(self) -> tuple[Node, ...]:
        """Values, then all partials that are not zero."""
        return (*self.values, *(p for row in self.partials for p in row if p is not None))

    @property
    def cost(self) -> Cost:
        """Work of values and partials together."""
        return cost(self.sinks)


def derive(
    arena: Arena, sinks: Sequence[Node], variables: Sequence[Node], order: str | None = None, finished: bool = True
) -> Derived:
    """Differentiate expressions.

    Args:
      arena: where they live.
      sinks: the expressions.
      variables: with respect to what.
      order: one of `ORDERS`; None tries them.
      finished: whether the result gets the last touches of `elimax.coarsen.finish`; half of the time goes there.

    Raises:
      NotExpressible: the derivative rule of an operation is not an expression.
    """
    graph = _graph(arena, sinks, variables)
    orders = (order,) if order else ORDERS if len(graph.edges) <= SMALL else ORDERS[:1]
    found = [_derived(arena, graph, sinks, variables, name) for name in orders]
    best = found[0] if len(found) == 1 else min(found, key=lambda derived: derived.cost.time)
    return _finished(arena, best) if finished else best


@dataclasses.dataclass(frozen=True)
class _Graph:
    """Edges by target and source, both numbers of nodes; sink k is the vertex ``-1 - k``."""

    edges: dict[int, dict[int, Node]]


def _graph(arena: Arena, sinks: Sequence[Node], variables: Sequence[Node]) -> _Graph:
    active = {v.number for v in variables}
    edges: dict[int, dict[int, Node]] = {}
    for node in reachable(sinks):
        if node.number in active or not node.floating or not any(a.number in active for a in node.args):
            continue
        own: dict[int, Node] = {}
        for arg, partial in zip(node.args, _partials(arena, node), strict=True):
            if partial is not None and arg.number in active:
                own[arg.number] = total(arena, own[arg.number], partial) if arg.number in own else partial
        if own:
            active.add(node.number)
            edges[node.number] = own
    for k, sink in enumerate(sinks):
        if sink.number in active:
            edges[-1 - k] = {sink.number: arena.constant(1, sink.dtype)}
    return _Graph(edges)


def _partials(arena: Arena, node: Node) -> list[Node | None]:
    one = arena.constant(1, node.dtype)
    if node.op == STOP:
        return [None]
    if node.op == RULED:
        return [None, one]
    return [one] if node.op == TANGENT else local_partials(arena, node)


def _derived(arena: Arena, graph: _Graph, sinks: Sequence[Node], variables: Sequence[Node], order: str) -> Derived:
    into = {target: dict(sources) for target, sources in graph.edges.items()}
    _eliminate(arena, into, {v.number for v in variables}, order)
    rows = tuple(tuple(into.get(-1 - k, {}).get(v.number) for v in variables) for k in range(len(sinks)))
    return Derived(tuple(sinks), rows, order)


def _finished(arena: Arena, derived: Derived) -> Derived:
    values, partials = finish(arena, derived.values, derived.sinks[len(derived.values) :])
    if any(node.op == TANGENT for node in reachable([*values, *partials])):
        raise NotExpressible("a derivative rule that is not linear")
    found = iter(partials)
    shaped = tuple(tuple(None if p is None else next(found) for p in row) for row in derived.partials)
    return Derived(tuple(values), shaped, derived.order)


def _eliminate(arena: Arena, into: dict[int, dict[int, Node]], fixed: set[int], order: str) -> None:
    """Eliminate all vertices but the fixed ones and the sinks, in place."""
    out_of: dict[int, set[int]] = {}
    for target, sources in into.items():
        for source in sources:
            out_of.setdefault(source, set()).add(target)
    todo = [v for v in into if v >= 0 and v not in fixed]

    def degree(v: int) -> tuple[int, int]:
        left = sum(not _unit(e) for e in into[v].values())
        right = sum(not _unit(into[w][v]) for w in out_of.get(v, ()))
        return left * right, -v

    def eliminate(v: int) -> set[int]:
        sources, touched = into.pop(v), set()
        for w in sorted(out_of.pop(v, ())):
            outer = into[w].pop(v)
            touched.add(w)
            for u, inner in sources.items():
                product = chain(arena, outer, inner)
                if product is None:
                    continue
                into[w][u] = total(arena, into[w][u], product) if u in into[w] else product
                out_of[u].add(w)
        for u in sources:
            out_of[u].discard(v)
            touched.add(u)
        return touched

    if order != "markowitz":
        for v in sorted(todo, reverse=order == "reverse"):
            eliminate(v)
        return
    waiting = {v: degree(v) for v in todo}
    queue = [(degree_, v) for v, degree_ in waiting.items()]
    heapq.heapify(queue)
    while queue:
        known, v = heapq.heappop(queue)
        if waiting.get(v) != known:
            continue
        del waiting[v]
        for u in eliminate(v):
            if u in waiting:
                waiting[u] = degree(u)
                heapq.heappush(queue, (waiting[u], u))


def _unit(node: Node) -> bool:
    return node.op == "constant" and node.value in (1, -1)


def chain(arena: Arena, outer: Node, inner: Node) -> Node | None:
    """The product of two partials; None where it is zero."""
    if (outer.op == "constant" and outer.value == 0) or (inner.op == "constant" and inner.value == 0):
        return None
    if outer.dtype != inner.dtype:
        inner = arena.apply("convert_element_type", inner, new_dtype=str(outer.dtype))
    if outer.op != "select_n" and inner.op != "select_n":
        return arena.apply("mul", outer, inner)
    for mask, other in ((outer, inner), (inner, outer)):
        if mask.op == "select_n" and any(case.equals(0) for case in mask.args[1:]):
            zero = arena.constant(0, mask.dtype)
            cases = [chain(arena, case, other) or zero for case in mask.args[1:]]
            return arena.apply("select_n", mask.args[0], *cases)
    return arena.apply("mul", outer, inner)


def total(arena: Arena, left: Node, right: Node) -> Node:
    """The sum of two partials of the same."""
    return arena.apply("add", left, right)
