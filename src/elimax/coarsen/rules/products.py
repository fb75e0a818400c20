"""Products: units and constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from elimax.coarsen.facts import moderate
from elimax.coarsen.rules.registry import rule

if TYPE_CHECKING:
    from elimax.coarsen.arena import Arena
    from elimax.coarsen.nodes import Node


@rule("factor one", "mul", "exact for every value", "basic", needs="constant")
def unit(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law 1 x = x, (-1) x = -x."""
    if not args[0].floating:
        return None
    for x, y in (args, args[::-1]):
        if x.equals(1):
            return y
        if x.equals(-1):
            return arena.apply("neg", y)
    return None


@rule("factor zero", "mul", "only where every argument is a finite number", "identities", needs="constant")
def zero(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law 0 x = 0; otherwise an infinity or a NaN in x would be lost."""
    return next((x for x in args if x.equals(0)), None)


@rule("joined constants", "mul", "both constants are moderate, so that no exponent moves far", needs="constant")
def constants(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law c (d x) = (c d) x for constants c, d."""
    for c, inner in (args, args[::-1]):
        if not (c.is_constant and c.floating and inner.op == "mul" and moderate(float(c.value))):
            continue
        for d, x in (inner.args, inner.args[::-1]):
            if d.is_constant and moderate(float(d.value)):
                joined = arena.apply("mul", c, d)
                if joined.is_constant:
                    return arena.apply("mul", joined, x)
    return None


@rule("square", "mul", "exact: a square is computed as this product", needs="equal")
def square(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law x x = x^2."""
    return arena.apply("integer_pow", args[0], y=2) if args[0] is args[1] and args[0].floating else None
