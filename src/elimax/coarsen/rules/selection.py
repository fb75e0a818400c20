"""Selections between cases, and truth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from elimax.coarsen.facts import moderate, power_of_two
from elimax.coarsen.rules.registry import rule

if TYPE_CHECKING:
    from elimax.coarsen.arena import Arena
    from elimax.coarsen.nodes import Node

EXACT = "exact for every value"

_UNDONE = {"log": ("exp",), "exp": ("log",), "neg": ("neg",)}
"""Operations that an operation may undo, under the conditions of its own rules."""


@rule("known choice", "select_n", EXACT, "basic")
def known_choice(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """A selection by a known predicate, or between equals."""
    which, *cases = args
    if which.is_constant:
        return cases[int(which.value)]
    return cases[0] if all(case is cases[0] for case in cases) else None


@rule("choice by a negation", "select_n", EXACT)
def negated_choice(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """A selection by not p exchanges the cases."""
    which, *cases = args
    if which.op == "not" and which.dtype.kind == "b":
        return arena.apply("select_n", which.args[0], *reversed(cases))
    return None


@rule("choice made before", "select_n", EXACT)
def repeated_choice(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """A selection within a selection by the same predicate."""
    which, *cases = args
    inner = [case.args[1 + k] if _by(case, which) else case for k, case in enumerate(cases)]
    if any(a is not b for a, b in zip(inner, cases, strict=True)):
        return arena.apply("select_n", which, *inner)
    return None


@rule("choice of choices that share a case", "select_n", EXACT)
def shared_case(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law select(p, select(q, a, b), select(q, a, d)) = select(q, a, select(p, b, d)), C4 of phi-calculus."""
    which, *cases = args
    if len(cases) != 2 or not all(case.op == "select_n" and len(case.args) == 3 for case in cases):
        return None
    if cases[0].args[0] is not cases[1].args[0]:
        return None
    (inner, a, b), (_, c, d) = cases[0].args, cases[1].args
    if a is c:
        return arena.apply("select_n", inner, a, arena.apply("select_n", which, b, d))
    return arena.apply("select_n", inner, arena.apply("select_n", which, a, c), b) if b is d else None


@rule("operation on a choice", "exp log sin cos tan tanh sqrt neg integer_pow", "every case is known", needs="select_n")
def distributed(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law f(select(p, a, b)) = select(p, f(a), f(b)), F2 of phi-calculus, where f is gone from every case.

    Where it stays in one, it would be computed for that case also where the other one is chosen.
    """
    (choice,) = args
    if choice.op != "select_n" or not all(c.is_constant or c.op in _UNDONE.get(op, ()) for c in choice.args[1:]):
        return None
    results = [arena.apply(op, case, **params) for case in choice.args[1:]]
    # Operations on constants are done by the compiler.
    gone = all(c.is_constant or any(r is a for a in c.args) for r, c in zip(results, choice.args[1:], strict=True))
    return arena.apply("select_n", choice.args[0], *results) if gone else None


@rule("choice of a finite factor", "mul", "both factors are choices of known finite numbers: exact", needs="select_n")
def chosen_factor(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law select(p, 0, 1) select(q, c, d) = select(p, 0, select(q, c, d)): derivatives of the larger of two."""
    for mask, other in (args, args[::-1]):
        if _numbers(mask) and _numbers(other) and all(case.equals(0) or case.equals(1) for case in mask.args[1:]):
            return arena.apply("select_n", mask.args[0], *(c if c.equals(0) else other for c in mask.args[1:]))
    return None


@rule(
    "choice of an exact reciprocal",
    "div",
    "every denominator is a power of two of moderate size: exact",
    needs="select_n",
)
def chosen_denominator(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law x / select(p, 1, 2) = x select(p, 1, 1/2)."""
    x, y = args
    if not _numbers(y) or not all(power_of_two(float(c.value)) and moderate(float(c.value)) for c in y.args[1:]):
        return None
    inverses = [arena.constant(1.0 / float(c.value), c.dtype) for c in y.args[1:]]
    return arena.apply("mul", x, arena.apply("select_n", y.args[0], *inverses))


@rule("sum of complementary choices", "add", "exact but for the sign of a zero", needs="select_n")
def complementary(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law select(p, a, 0) + select(p, 0, b) = select(p, a, b)."""
    x, y = args
    if x.op != "select_n" or not _by(y, x.args[0]) or len(x.args) != 3:
        return None
    pairs = list(zip(x.args[1:], y.args[1:], strict=True))
    if all(a.equals(0) or b.equals(0) for a, b in pairs):
        return arena.apply("select_n", x.args[0], *(b if a.equals(0) else a for a, b in pairs))
    return None


@rule("double not", "not", EXACT, "basic", needs="not")
def double_not(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law not not p = p."""
    return args[0].args[0] if args[0].op == "not" else None


@rule("known truth", "and or", EXACT)
def known_truth(arena: Arena, op: str, args: tuple[Node, ...], params: dict[str, Any]) -> Node | None:
    """The law p and p = p, p and true = p, p and false = false; the same for or."""
    if args[0].dtype.kind != "b":
        return None
    if args[0] is args[1]:
        return args[0]
    for x, y in (args, args[::-1]):
        if x.is_constant:
            return y if bool(x.value) == (op == "and") else x
    return None


def _numbers(node: Node) -> bool:
    """Whether a node chooses between finite constants."""
    cases = node.args[1:]
    return node.op == "select_n" and all(c.is_constant and c.floating and math.isfinite(c.value) for c in cases)


def _by(node: Node, which: Node) -> bool:
    return node.op == "select_n" and node.args[0] is which
