"""Rules of simplification, one family a file; each states where it holds.

Values are compared with those of the expression as it was written. A rule of the group "always" keeps every value up to
rounding; what it may change is the sign of a zero in a sum, as compilers do, and values in the last ten binades before
overflow, where constants are joined.
"""

from __future__ import annotations

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
from elimax.coarsen.rules.registry import ALL, Rule

if TYPE_CHECKING:
    from elimax.coarsen.arena import Rules

__all__ = ["ALL", "Rule", "select"]


def select(rules: Rules) -> dict[str, list[Rule]]:
    """The rules that are allowed, by operation."""
    found: dict[str, list[Rule]] = {}
    for rule in ALL:
        if rules.allow(rule.group):
            for op in rule.ops:
                found.setdefault(op, []).append(rule)
    return found
