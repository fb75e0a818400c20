"""Quotients: units, exact reciprocals, and 1 / y once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from elimax.coarsen.facts import moderate, power_of_two
from elimax.coarsen.rules.registry import rule

if TYPE_CHECKING:
    from elimax.coarsen.arena import Arena
    from elimax.coarsen.nodes import Node


@rule("denominator one", "div", "exact for every value", "basic", needs="constant")
def unit(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law x / 1 = x, x / (-1) = -x."""
    x, y = args
    if not x.floating:
        return None
    if y.equals(1):
        return x
    return arena.apply("neg", x) if y.equals(-1) else None


@rule("exact reciprocal", "div", "the constant is a power of two of moderate size: exact", "basic", needs="constant")
def exact_reciprocal(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law x / c = x (1 / c) where 1 / c is exact."""
    x, y = args
    if not (x.floating and y.is_constant and not x.is_constant):
        return None
    value = float(y.value)
    if power_of_two(value) and moderate(value):
        return arena.apply("mul", x, arena.constant(1.0 / value, y.dtype))
    return None


@rule(
    "constants of a quotient",
    "div",
    "both constants are moderate, and the inner one is a power of two: exact",
    needs="constant",
)
def constants(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law c / (d x) = (c / d) / x."""
    c, inner = args
    if not (c.is_constant and c.floating and inner.op == "mul" and moderate(float(c.value))):
        return None
    for k in (0, 1):
        d = inner.args[k]
        if d.is_constant and power_of_two(float(d.value)) and moderate(float(d.value)):
            return arena.apply("div", arena.apply("div", c, d), inner.args[1 - k])
    return None


@rule("power of a reciprocal", "integer_pow", "the same range: 1 / y^n and (1 / y)^n leave it together", "basic")
def negative_power(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law y^-n = (1 / y)^n: the reciprocal is there for other uses."""
    if params["y"] >= 0:
        return None
    reciprocal = arena.apply("div", arena.constant(1, args[0].dtype), args[0])
    return arena.apply("integer_pow", reciprocal, y=-params["y"])


@rule(
    "quotient from the primal value",
    "mul",
    "the quotient is there; it overflows less than the square",
    needs="integer_pow",
)
def primal_quotient(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law x (1 / y)^2 = (x / y) (1 / y), as in the derivative of x / y."""
    for x, inverse in (args, args[::-1]):
        if inverse.op != "integer_pow" or inverse.param("y") != 2:
            continue
        reciprocal = inverse.args[0]
        if reciprocal.op == "div" and reciprocal.args[0].equals(1):
            quotient = arena.find("div", x, reciprocal.args[1])
            if quotient is not None and quotient is not reciprocal:
                return arena.apply("mul", quotient, reciprocal)
    return None
