"""Equality saturation with egglog: the laws of arithmetic in all directions at once, and the cheapest form taken out.

The module needs the extra ``elimax[egglog]``; `elimax.coarsen.saturation` imports it when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from egglog import (
    EGraph,
    Expr,
    get_callable_args,
    greedy_dag_cost_model,
    i64Like,
    method,
    rewrite,
    ruleset,
    var,
)


class Term(Expr):
    """An expression in the e-graph."""

    def __init__(self, leaf: i64Like) -> None: ...
    @classmethod
    def one(cls, op: i64Like, x: Term) -> Term:
        """A function of one operand; ``op`` is the number of a node like it."""
        ...  # noqa: PIE790

    @classmethod
    def two(cls, op: i64Like, x: Term, y: Term) -> Term:
        """A function of two operands."""
        ...  # noqa: PIE790

    @classmethod
    def three(cls, op: i64Like, x: Term, y: Term, z: Term) -> Term:
        """A function of three operands."""
        ...  # noqa: PIE790

    @classmethod
    def both(cls, x: Term, y: Term) -> Term:
        """Two expressions that are wanted together."""
        ...  # noqa: PIE790

    def __add__(self, other: Term) -> Term: ...
    def __sub__(self, other: Term) -> Term: ...
    def __mul__(self, other: Term) -> Term: ...
    @method(cost=5)
    def __truediv__(self, other: Term) -> Term: ...
    def __neg__(self) -> Term: ...


x, y, z = var("x", Term), var("y", Term), var("z", Term)

NEGATIVE = -x

LAWS = ruleset(
    rewrite(x + y).to(y + x),
    rewrite(x * y).to(y * x),
    rewrite(x * y + x * z).to(x * (y + z)),
    rewrite(x * y - x * z).to(x * (y - z)),
    rewrite((x * y) * z).to(x * (y * z)),
    rewrite(-(x * y)).to((-x) * y),
    rewrite((-x) * y).to(-(x * y)),
    rewrite(-NEGATIVE).to(x),
    rewrite(x + (-y)).to(x - y),
    rewrite(x - (-y)).to(x + y),
    rewrite(x / z + y / z).to((x + y) / z),
)
"""Laws that are as good as those by which elimination itself moves from one order to another."""

ARITHMETIC: dict[str, Callable[..., Term]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
}

_METHODS = {"add": Term.__add__, "sub": Term.__sub__, "mul": Term.__mul__, "div": Term.__truediv__, "neg": Term.__neg__}


def cheapest(terms: list[Term], rounds: int) -> list[Term]:
    """The cheapest forms of terms together, as far as a few rounds of laws and a greedy choice find them."""
    whole = terms[0]
    for term in terms[1:]:
        whole = Term.both(whole, term)
    egraph = EGraph()
    whole = egraph.let("whole", whole)
    egraph.run(LAWS * rounds)
    found = egraph.extract(whole, cost_model=greedy_dag_cost_model())
    parts: list[Term] = []
    for _ in terms[1:]:
        found, last = get_callable_args(found, Term.both)  # type: ignore[misc]
        parts.append(last)
    return [found, *parts[::-1]]


def taken_apart(term: Term) -> tuple[str, tuple[Any, ...]]:
    """Name of an operation and its operands; "leaf" and its number."""
    for name, own in _METHODS.items():
        found = get_callable_args(term, own)
        if found is not None:
            return name, found
    for function in (Term.one, Term.two, Term.three):
        found = get_callable_args(term, function)
        if found is not None:
            return "", found
    (leaf,) = get_callable_args(term, Term)  # type: ignore[misc]
    return "leaf", (int(leaf),)


__all__ = ["ARITHMETIC", "Term", "cheapest", "taken_apart"]
