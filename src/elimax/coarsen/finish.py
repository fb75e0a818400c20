"""Last touches to partials, when it is known what is used how often.

Marks are taken off, so that what a user's rule computes is shared with the rest. Then, among the partials alone:

- ``x a + x b`` becomes ``x (a + b)`` where neither product has another use: the law by which elimination itself moves
  from one order to another;
- ``a (1 / y)`` becomes ``a / y`` where the reciprocal has no other use;
- minus signs are shared, see `elimax.coarsen.negatives`;
- ``x^3`` becomes ``x x^2`` where ``x^2`` is there anyway.

Values are left as the arena made them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from elimax.coarsen.arena import Arena
from elimax.coarsen.facts import moderate
from elimax.coarsen.negatives import negatives
from elimax.coarsen.nodes import MARKS, RULED, STOP, Node, reachable, users_of


def finish(arena: Arena, values: Sequence[Node], partials: Sequence[Node]) -> tuple[list[Node], list[Node]]:
    """Simplify partials of values; returns both, without marks."""
    erased = _erased(arena, [*values, *partials])
    kept, partials = erased[: len(values)], erased[len(values) :]
    if not arena.rules.simplify:
        return kept, partials
    partials = negatives(arena, kept, _rewritten(arena, kept, partials))
    every = _reciprocals(arena, [*kept, *partials]) if arena.rules.reciprocals else [*kept, *partials]
    every = _powers(arena, every)
    return every[: len(kept)], every[len(kept) :]


def _erased(arena: Arena, sinks: Sequence[Node]) -> list[Node]:
    if not arena.marked:
        return list(sinks)
    new: dict[int, Node] = {}
    nodes = reachable(sinks)
    if not any(node.op in MARKS for node in nodes):
        return list(sinks)
    for node in nodes:
        if node.op in (STOP, RULED):
            new[node.number] = new[node.args[0].number]
        elif node.args:
            new[node.number] = arena.rebuilt(node, tuple(new[a.number] for a in node.args))
        else:
            new[node.number] = node
    return [new[sink.number] for sink in sinks]


def _rewritten(arena: Arena, kept: Sequence[Node], partials: Sequence[Node]) -> list[Node]:
    """Factor sums and join reciprocals that are used once."""
    nodes = reachable([*kept, *partials])
    fixed = {node.number for node in reachable(kept)}
    uses = users_of(nodes)
    for sink in partials:
        uses[sink.number] = uses.get(sink.number, 0) + 1
    new: dict[int, Node] = {}

    for node in nodes:
        number, op, old = node.number, node.op, node.args
        if number in fixed or not old:
            new[number] = node
            continue
        args = tuple([new[a.number] for a in old])
        made = None
        if op == "add" or op == "sub" or op == "mul":
            single = [uses[a.number] == 1 and a.number not in fixed for a in old]
            if op == "mul":
                made = _quotient(arena, args, single) if True in single else None
            elif single[0] and single[1]:
                made = _factored(arena, op, *args)
        if made is None:
            made = node if args == old else arena.rebuilt(node, args)
        new[number] = made
    return [new[p.number] for p in partials]


def _factored(arena: Arena, op: str, left: Node, right: Node) -> Node | None:
    """``x a + x b`` as ``x (a + b)``."""
    if left.op != "mul" or right.op != "mul":
        return None
    for k in (0, 1):
        x = left.args[k]
        for j in (0, 1):
            if x is right.args[j] and not x.is_constant:
                arena.applied["common factor"] += 1
                return arena.apply("mul", x, arena.apply(op, left.args[1 - k], right.args[1 - j]))
    return None


def _quotient(arena: Arena, args: tuple[Node, ...], single: list[bool]) -> Node | None:
    """``a (1 / y)`` as ``a / y``, and ``c (d / y)`` as ``(c d) / y`` for moderate constants."""
    for k in (0, 1):
        if not single[k] or args[k].op != "div":
            continue
        (numerator, denominator), factor = args[k].args, args[1 - k]
        joined = factor.is_constant and numerator.is_constant
        if numerator.equals(1) or (joined and all(moderate(float(c.value)) for c in (factor, numerator))):
            arena.applied["single reciprocal"] += 1
            return arena.apply("div", arena.apply("mul", factor, numerator), denominator)
    return None


def _reciprocals(arena: Arena, sinks: Sequence[Node]) -> list[Node]:
    """Quotients by a denominator that has several of them as products with its reciprocal."""
    if max(_divided(arena.nodes).values(), default=0) < 2:
        return list(sinks)
    nodes = reachable(sinks)
    count = _divided(nodes)
    if max(count.values(), default=0) < 2:
        return list(sinks)
    new: dict[int, Node] = {}
    for node in nodes:
        args = tuple([new[a.number] for a in node.args])
        if node.op == "div" and count.get(node.args[1].number, 0) > 1 and not node.args[0].equals(1):
            arena.applied["one reciprocal"] += 1
            reciprocal = arena.apply("div", arena.constant(1, node.dtype), args[1])
            new[node.number] = arena.raw("mul", args[0], reciprocal)
        else:
            new[node.number] = _with(arena, node, args)
    return [new[sink.number] for sink in sinks]


def _divided(nodes: Iterable[Node]) -> dict[int, int]:
    """How many quotients each denominator has that is not known."""
    count: dict[int, int] = {}
    for node in nodes:
        if node.op == "div" and node.floating and not node.args[1].is_constant:
            count[node.args[1].number] = count.get(node.args[1].number, 0) + 1
    return count


def _with(arena: Arena, node: Node, args: tuple[Node, ...]) -> Node:
    """A node with other operands, as it is."""
    return node if args == node.args else arena.raw(node.op, *args, **dict(node.params))


def _powers(arena: Arena, sinks: Sequence[Node]) -> list[Node]:
    """Powers from smaller powers that are there."""
    if not any(node.op == "integer_pow" and node.param("y") > 2 for node in arena.nodes):
        return list(sinks)
    nodes = reachable(sinks)
    there: dict[int, set[int]] = {}
    for node in nodes:
        if node.op == "integer_pow" and node.param("y") > 1:
            there.setdefault(node.args[0].number, {1}).add(node.param("y"))
    if not any(_pair(exponents, y) for exponents in there.values() for y in exponents):
        return list(sinks)
    new: dict[int, Node] = {}
    for node in nodes:
        args = tuple([new[a.number] for a in node.args])
        pair = _pair(there.get(node.args[0].number, set()), node.param("y")) if node.op == "integer_pow" else None
        if pair is None:
            new[node.number] = _with(arena, node, args)
        else:
            low, high = (args[0] if y == 1 else arena.raw("integer_pow", args[0], y=y) for y in pair)
            new[node.number] = arena.raw("mul", low, high)
    return [new[sink.number] for sink in sinks]


def _pair(exponents: set[int], y: int) -> tuple[int, int] | None:
    """Two exponents that are there and have a sum."""
    if y <= 2:
        return None
    return next(((a, y - a) for a in sorted(exponents) if a <= y - a and y - a in exponents), None)
