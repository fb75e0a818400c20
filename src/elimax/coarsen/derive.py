"""All partials of several expressions at once, by symbolic vertex elimination.

The graph of the expressions is the linearised computational graph of the little program they are: each node is a
vertex, each local partial an edge that holds an expression. Eliminating every node between variables and sinks leaves
the Jacobian. Products and sums are made by the arena, so that equal ones are shared with each other and with the
values. The order is the one of several that takes the fewest operations.

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
"""Orders of elimination that are looked at, in this sequence."""


@dataclasses.dataclass(frozen=True)
class Derived:
    """Values and partials of expressions.

    Attributes:
      values: the expressions themselves.
      partials: ``partials[i][j]`` is the partial of expression i with respect to variable j; None where it is zero.
      order: the order of elimination.
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
      order: one of `ORDERS`; None for the best of them.
      finished: whether the result gets the last touches of `elimax.coarsen.finish`; half of the time goes there.

    Raises:
      NotExpressible: the derivative rule of an operation is not an expression.
    """
    edges = _edges(arena, sinks, variables)
    fixed = {v.number for v in variables}
    rows = _numbered(edges)
    found = {name: ordered(rows, fixed, name) for name in ((order,) if order else ORDERS)}
    name = min(found, key=lambda name: found[name].operations)
    _eliminate(arena, edges, found[name].vertices)
    partials = tuple(tuple(edges.get(-1 - k, {}).get(v.number) for v in variables) for k in range(len(sinks)))
    derived = Derived(tuple(sinks), partials, name)
    return _finished(arena, derived) if finished else derived


_Edges = dict[int, dict[int, Node]]
"""Edges by target and source, both numbers of nodes; sink k is the vertex ``-1 - k``."""


def _edges(arena: Arena, sinks: Sequence[Node], variables: Sequence[Node]) -> _Edges:
    active = {v.number for v in variables}
    edges: _Edges = {}
    for node in reachable(sinks):
        number = node.number
        if number in active or not node.args or not node.floating:
            continue
        reached = [a.number in active for a in node.args]
        if True not in reached:
            continue
        own: dict[int, Node] = {}
        for arg, partial, is_active in zip(node.args, _partials(arena, node, reached), reached, strict=True):
            if is_active and partial is not None:
                own[arg.number] = total(arena, own[arg.number], partial) if arg.number in own else partial
        if own:
            active.add(number)
            edges[number] = own
    for k, sink in enumerate(sinks):
        if sink.number in active:
            edges[-1 - k] = {sink.number: arena.constant(1, sink.dtype)}
    return edges


def local_cost(arena: Arena, sinks: Sequence[Node], variables: Sequence[Node]) -> Cost:
    """Work of values and of the partials of single operations, before any is multiplied with another."""
    edges = _edges(arena, sinks, variables)
    return cost([*sinks, *(partial for row in edges.values() for partial in row.values())])


def _partials(arena: Arena, node: Node, wanted: Sequence[bool]) -> Sequence[Node | None]:
    if node.op == STOP:
        return [None]
    if node.op == RULED:
        return [None, arena.constant(1, node.dtype)]
    return [arena.constant(1, node.dtype)] if node.op == TANGENT else local_partials(arena, node, wanted)


def _finished(arena: Arena, derived: Derived) -> Derived:
    values, partials = finish(arena, derived.values, derived.sinks[len(derived.values) :])
    if arena.marked and any(node.op == TANGENT for node in reachable([*values, *partials])):
        raise NotExpressible("a derivative rule that is not linear")
    found = iter(partials)
    shaped = tuple(tuple(None if p is None else next(found) for p in row) for row in derived.partials)
    return Derived(tuple(values), shaped, derived.order)


@dataclasses.dataclass(frozen=True)
class Ordered:
    """An order of elimination.

    Attributes:
      vertices: all but the fixed ones and the sinks.
      operations: how many products and sums of partials it takes, equal ones once, products with 1 and -1 never.
    """

    vertices: list[int]
    operations: int


_Rows = dict[int, dict[int, int]]
"""Edges by target and source as numbers: 0 for a unit, and equal for equal partials."""


def _numbered(edges: _Edges) -> _Rows:
    return {target: {u: 0 if _unit(e) else e.number + 1 for u, e in row.items()} for target, row in edges.items()}


def ordered(edges: _Rows, fixed: set[int], order: str) -> Ordered:
    """An order and what it costs, from the edges alone.

    Args:
      edges: of the graph.
      fixed: vertices that stay.
      order: one of `ORDERS`.
    """
    into = {target: row.copy() for target, row in edges.items()}
    out_of: dict[int, set[int]] = {}
    for target, sources in into.items():
        for source in sources:
            out_of.setdefault(source, set()).add(target)
    todo = [v for v in into if v >= 0 and v not in fixed]
    made: dict[tuple[int, int, int], int] = {}

    def eliminate(v: int) -> None:
        sources, targets = into.pop(v), out_of.pop(v, ())
        for w in targets:
            row = into[w]
            outer = row.pop(v)
            for u, inner in sources.items():
                if outer and inner:
                    key = (1, outer, inner) if outer < inner else (1, inner, outer)
                    product = made.setdefault(key, -len(made) - 1)
                else:
                    product = outer or inner
                if u in row:
                    other = row[u]
                    key = (0, product, other) if product < other else (0, other, product)
                    row[u] = made.setdefault(key, -len(made) - 1)
                else:
                    row[u] = product
                    out_of[u].add(w)
        for u in sources:
            out_of[u].discard(v)

    if order != "markowitz":
        vertices = sorted(todo, reverse=order == "reverse")
        for v in vertices:
            eliminate(v)
        return Ordered(vertices, len(made))

    def degree(v: int) -> tuple[int, int]:
        row, targets = into[v], out_of.get(v, ())
        left = len(row) - list(row.values()).count(0)
        return left * (len(targets) - [into[w][v] for w in targets].count(0)), -v

    vertices = []
    waiting = {v: degree(v) for v in todo}
    queue = list(waiting.values())
    heapq.heapify(queue)
    while queue:
        known = heapq.heappop(queue)
        v = -known[1]
        if waiting.get(v) != known:
            continue
        del waiting[v]
        vertices.append(v)
        touched = [*into[v], *out_of.get(v, ())]
        eliminate(v)
        for u in touched:
            if u in waiting and (now := degree(u)) != waiting[u]:
                waiting[u] = now
                heapq.heappush(queue, now)
    return Ordered(vertices, len(made))


def _eliminate(arena: Arena, into: _Edges, vertices: Sequence[int]) -> None:
    """Eliminate vertices, in place."""
    out_of: dict[int, list[int]] = {}
    for target, sources in into.items():
        for source in sources:
            out_of.setdefault(source, []).append(target)
    for v in vertices:
        sources = into.pop(v)
        for w in sorted(out_of.pop(v, ())):
            row = into.get(w)
            outer = None if row is None else row.pop(v, None)
            if row is None or outer is None:  # eliminated before, or a product that is zero
                continue
            for u, inner in sources.items():
                product = chain(arena, outer, inner)
                if product is None:
                    continue
                if u in row:
                    row[u] = total(arena, row[u], product)
                else:
                    row[u] = product
                    out_of[u].append(w)


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
