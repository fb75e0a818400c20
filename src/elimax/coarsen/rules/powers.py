"""Powers and roots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from elimax.coarsen.facts import nonnegative
from elimax.coarsen.rules.registry import rule

if TYPE_CHECKING:
    from elimax.coarsen.arena import Arena
    from elimax.coarsen.nodes import Node


@rule("trivial power", "integer_pow", "exact: the power zero of every value is one", "basic")
def trivial(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law x^0 = 1, x^1 = x."""
    if params["y"] == 0:
        return arena.constant(1, args[0].dtype)
    return args[0] if params["y"] == 1 else None


@rule("power of a power", "integer_pow", "both exponents are positive: the same range", needs="integer_pow")
def nested(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law (x^a)^b = x^(a b)."""
    (x,) = args
    if x.op == "integer_pow" and x.param("y") > 0 and params["y"] > 0:
        return arena.apply("integer_pow", x.args[0], y=x.param("y") * params["y"])
    return None


@rule("square of a root", "integer_pow", "the radicand is never negative; the result has fewer roundings", needs="sqrt")
def square_of_root(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law sqrt(x)^2 = x; a negative x would have been a NaN."""
    (x,) = args
    if params["y"] == 2 and x.op == "sqrt" and nonnegative(x.args[0]):
        return x.args[0]
    return None


@rule(
    "root of a square",
    "sqrt",
    "the size neither overflows nor underflows as its square does",
    "stable",
    needs="integer_pow",
)
def root_of_square(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law sqrt(x^2) = |x|, whose derivative at zero is 1 as that of JAX's ``abs`` where it was 0 / 0."""
    (x,) = args
    return arena.apply("abs", x.args[0]) if x.op == "integer_pow" and x.param("y") == 2 else None


@rule(
    "power with a known exponent",
    "pow",
    "the exponent is a small integer of the base's type; JAX agrees at zero, and compilers do so too",
    "basic",
    needs="constant",
)
def known_exponent(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law pow(x, 2.0) = x^2, likewise for 1 and 3, which is rounded less than the library's power."""
    x, y = args
    if y.is_constant and y.floating and float(y.value) in (1.0, 2.0, 3.0):
        return arena.apply("integer_pow", x, y=int(y.value))
    return None
