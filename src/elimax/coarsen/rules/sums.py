"""Sums: zeros, signs, like terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from elimax.coarsen.facts import moderate
from elimax.coarsen.rules.registry import rule

if TYPE_CHECKING:
    from elimax.coarsen.arena import Arena
    from elimax.coarsen.nodes import Node


@rule("term zero", "add sub", "exact but for the sign of a zero, as compilers hold", "basic", needs="constant")
def zero(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law x + 0 = x, x - 0 = x."""
    x, y = args
    if y.equals(0):
        return x
    return y if op == "add" and x.equals(0) else None


@rule("negative term", "add sub", "exact for every value", needs="neg")
def negative(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law x + (-y) = x - y, x - (-y) = x + y."""
    x, y = args
    if not x.floating:
        return None
    if y.op == "neg":
        return arena.apply("sub" if op == "add" else "add", x, y.args[0])
    if op == "add" and x.op == "neg":
        return arena.apply("sub", y, x.args[0])
    return None


@rule("difference of equals", "sub", "only where every argument is a finite number", "identities", needs="equal")
def nothing(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law x - x = 0; an infinity or a NaN would be lost."""
    return arena.constant(0, args[0].dtype) if args[0] is args[1] and args[0].floating else None


@rule("like terms", "add sub", "the sum of the constants is not zero and all are moderate", needs="equal mul neg")
def like_terms(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law c x + d x = (c + d) x, x + x = 2 x."""
    if not args[0].floating or any(a.is_constant for a in args):
        return None
    (c, x), (d, y) = map(_scaled, args)
    if x is not y:
        return None
    total = c + d if op == "add" else c - d
    if all(moderate(v) for v in (c, d, total)):
        return arena.apply("mul", arena.constant(total, x.dtype), x)
    return None


def _scaled(node: Node) -> tuple[float, Node]:
    """A node as a constant times another one."""
    if node.op == "neg":
        c, x = _scaled(node.args[0])
        return -c, x
    if node.op == "mul":
        for k in (0, 1):
            if node.args[k].is_constant:
                return float(node.args[k].value), node.args[1 - k]
    return 1.0, node
