"""Trigonometric and hyperbolic identities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from elimax.coarsen.rules.registry import rule

if TYPE_CHECKING:
    from elimax.coarsen.arena import Arena
    from elimax.coarsen.nodes import Node

FINITE = "only where every argument is a finite number"


@rule("sine and cosine", "add", FINITE, "identities", needs="integer_pow mul")
def pythagoras(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law sin(x)^2 + cos(x)^2 = 1 and a sin(x)^2 + a cos(x)^2 = a."""
    (a, x), (b, y) = map(_squared, args)
    if x is None or y is None or a is not b or {x.op, y.op} != {"sin", "cos"} or x.args[0] is not y.args[0]:
        return None
    return arena.constant(1, x.dtype) if a is None else a


@rule(
    "hyperbolic sine and cosine",
    "sub",
    FINITE + "; the difference has lost its digits",
    "identities",
    needs="integer_pow",
)
def hyperbola(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law cosh(x)^2 - sinh(x)^2 = 1."""
    (a, x), (b, y) = map(_squared, args)
    if a is None and b is None and x is not None and y is not None and (x.op, y.op) == ("cosh", "sinh"):
        return arena.constant(1, x.dtype) if x.args[0] is y.args[0] else None
    return None


@rule(
    "complement of a square",
    "sub",
    "the other function is there; no digits are lost near one",
    "stable",
    needs="constant",
)
def complement(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law 1 - sin(x)^2 = cos(x)^2 and 1 - cos(x)^2 = sin(x)^2."""
    one, square = args
    a, x = _squared(square)
    if not one.equals(1) or a is not None or x is None or x.op not in ("sin", "cos"):
        return None
    other = arena.find("cos" if x.op == "sin" else "sin", x.args[0])
    return None if other is None else arena.apply("integer_pow", other, y=2)


@rule("tangent from the primal value", "div", "the tangent is there: the same poles, fewer roundings", needs="cos")
def tangent(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law sin(x) / cos(x) = tan(x)."""
    return _quotient(arena, args, "sin", "cos", "tan")


@rule(
    "hyperbolic tangent from the primal value",
    "div",
    "the tangent is there, which does not overflow",
    "stable",
    needs="cosh",
)
def hyperbolic_tangent(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law sinh(x) / cosh(x) = tanh(x)."""
    return _quotient(arena, args, "sinh", "cosh", "tanh")


def _quotient(arena: Arena, args: tuple[Node, ...], top: str, bottom: str, whole: str) -> Node | None:
    x, y = args
    if x.op == top and y.op == bottom and x.args[0] is y.args[0]:
        return arena.find(whole, x.args[0])
    return None


def _squared(node: Node) -> tuple[Node | None, Node | None]:
    """A node as ``a`` times the square of ``x``; None for ``a`` where it is 1, for ``x`` where there is no square."""
    if node.op == "integer_pow" and node.param("y") == 2:
        return None, node.args[0]
    if node.op == "mul":
        for a, square in (node.args, node.args[::-1]):
            if square.op == "integer_pow" and square.param("y") == 2 and square.args[0].op in ("sin", "cos"):
                return a, square.args[0]
    return None, None
