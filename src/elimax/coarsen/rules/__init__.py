"""Rules of simplification, one family a file; each states where it holds.

Values are compared with those of the expression as it was written. A rule of the group "always" keeps every value up to
rounding; what it may change is the sign of a zero in a sum, as compilers do, and values in the last ten binades before
overflow, where constants are joined.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from elimax.coarsen.rules import (  # noqa: F401  # importing a file registers its rules
    exponentials,
    powers,
    products,
    quotients,
    selection,
    signs,
    sums,
    trigonometry,
)
from elimax.coarsen.rules.registry import ALL, EQUAL, Rule

if TYPE_CHECKING:
    from elimax.coarsen.arena import Rules
    from elimax.coarsen.nodes import Node

__all__ = ["ALL", "Rule", "Selection", "select"]


@functools.lru_cache(maxsize=16)
def select(rules: Rules) -> Selection:
    """The rules that are allowed."""
    return Selection([rule for rule in ALL if rules.allow(rule.group)])


class Selection:
    """Rules by the operation of a node and those of its operands."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._found: dict[tuple[str, ...], tuple[Rule, ...]] = {}

    def find(self, op: str, args: tuple[Node, ...]) -> tuple[Rule, ...]:
        """The rules that may apply to a node."""
        if len(args) == 2:
            key = (op, args[0].op, EQUAL if args[0] is args[1] else args[1].op)
        elif len(args) == 1:
            key = (op, args[0].op)
        else:
            key = (op, *(a.op for a in args))
        found = self._found.get(key)
        if found is None:
            present = set(key[1:])
            found = self._found[key] = tuple(
                rule for rule in self._rules if op in rule.ops and (not rule.needs or rule.needs & present)
            )
        return found
