"""Signs move outwards: a floating-point number and its negative are rounded alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from elimax.coarsen.rules.registry import rule

if TYPE_CHECKING:
    from elimax.coarsen.arena import Arena
    from elimax.coarsen.nodes import Node

EXACT = "exact for every value"


@rule("double negation", "neg", EXACT, "basic", needs="neg")
def double_negation(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law -(-x) = x."""
    return args[0].args[0] if args[0].op == "neg" else None


@rule("negative of a scaled value", "neg", EXACT, needs="mul")
def negative_scaled(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law -(c x) = (-c) x for a constant c."""
    (x,) = args
    if x.op == "mul" and x.floating:
        for c, y in (x.args, x.args[::-1]):
            if c.is_constant:
                return arena.apply("mul", arena.apply("neg", c), y)
    return None


@rule("signs of factors", "mul div", EXACT, needs="neg")
def signs_of_factors(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law (-x) (-y) = x y, (-x) y = -(x y), (-x) c = x (-c) for a constant c; the same for quotients."""
    x, y = args
    if not x.floating:
        return None
    if x.op == y.op == "neg":
        return arena.apply(op, x.args[0], y.args[0])
    if x.op == "neg":
        if y.is_constant:
            return arena.apply(op, x.args[0], arena.apply("neg", y))
        return arena.apply("neg", arena.apply(op, x.args[0], y))
    if y.op == "neg":
        if x.is_constant:
            return arena.apply(op, arena.apply("neg", x), y.args[0])
        return arena.apply("neg", arena.apply(op, x, y.args[0]))
    return None


@rule("even function of a negative", "abs cos cosh integer_pow", EXACT, needs="neg abs")
def even(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """Even functions forget the sign of their argument."""
    (x,) = args
    if op == "integer_pow" and params["y"] % 2:
        return None
    return arena.apply(op, x.args[0], **params) if x.op in ("neg", "abs") else None


@rule("conversion to the same type", "convert_element_type", EXACT, "basic")
def same_type(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """A conversion that changes nothing."""
    return args[0] if str(args[0].dtype) == params["new_dtype"] else None
