"""Exponentials and logarithms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from elimax.coarsen.facts import bound, nonnegative
from elimax.coarsen.rules.registry import rule

if TYPE_CHECKING:
    from elimax.coarsen.arena import Arena
    from elimax.coarsen.nodes import Node

LARGEST = {"float64": 700.0, "float32": 80.0, "bfloat16": 80.0, "float16": 9.0}
"""Arguments up to this size have an exponential that is a normal number."""


@rule(
    "logarithm of an exponential",
    "log",
    "the argument is bounded, so that its exponential does not overflow",
    needs="exp",
)
def log_of_exp(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law log(exp(x)) = x, which has lost no digits."""
    (x,) = args
    if x.op == "exp" and bound(x.args[0]) <= LARGEST[str(x.dtype)]:
        return x.args[0]
    return None


@rule(
    "exponential of a logarithm", "exp", "the argument is never negative; the result has fewer roundings", needs="log"
)
def exp_of_log(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law exp(log(x)) = x; a negative x would have been a NaN."""
    (x,) = args
    return x.args[0] if x.op == "log" and nonnegative(x.args[0]) else None


@rule("softplus", "log log1p", "equal where 1 + exp(x) neither overflows nor loses exp(x)", "stable", needs="exp add")
def softplus(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law log(1 + exp(x)) in the form that neither overflows nor loses small exp(x)."""
    (x,) = args
    if op == "log1p":
        small = x.op == "exp" and x.args[0].op == "neg" and nonnegative(x.args[0].args[0])
        return arena.apply("softplus", x.args[0]) if x.op == "exp" and not small else None
    if x.op == "add":
        for one, exp in (x.args, x.args[::-1]):
            if one.equals(1) and exp.op == "exp":
                return arena.apply("softplus", exp.args[0])
    return None


@rule("logarithm near one", "log", "the same range, more digits near zero", "stable", needs="add")
def near_one(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law log(1 + x) = log1p(x)."""
    (x,) = args
    if x.op == "add":
        for one, y in (x.args, x.args[::-1]):
            if one.equals(1):
                return arena.apply("log1p", y)
    return None


@rule("exponential less one", "sub add", "the same range, more digits near zero", "stable", needs="exp")
def less_one(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law exp(x) - 1 = expm1(x)."""
    x, y = args
    if op == "sub" and x.op == "exp" and y.equals(1):
        return arena.apply("expm1", x.args[0])
    if op == "add":
        for exp, one in (args, args[::-1]):
            if exp.op == "exp" and one.equals(-1):
                return arena.apply("expm1", exp.args[0])
    return None


@rule("quotient with a removable zero", "div", "equal but at zero, where it was 0 / 0", "stable", needs="expm1")
def bernoulli(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law x / expm1(x) is 1 at zero; near zero its derivatives come from the series."""
    x, y = args
    return arena.apply("bernoulli", x) if y.op == "expm1" and y.args[0] is x else None
