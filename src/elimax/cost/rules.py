"""Names of the costs that can be asked for, and the rules they stand for."""

from __future__ import annotations

from elimax.elimination.algebra import RULES
from elimax.errors import OrderError

COSTS = {"published": "published", "executed": "executed", "multiplications": "executed", "time": "executed"}
"""Name of a cost and the rule that counts it. "multiplications" is what a program really multiplies; it stands in for
"time" as long as there is no time model."""

assert set(COSTS.values()) == set(RULES)


def rule_of(cost: str) -> str:
    """The rule that a cost's name stands for.

    Args:
      cost: "published", "executed", "multiplications" or "time".

    Returns:
      "published" or "executed".

    Raises:
      OrderError: if there is no such cost.
    """
    if cost not in COSTS:
        raise OrderError(f"unknown cost {cost!r}; expected one of {', '.join(map(repr, COSTS))}")
    return COSTS[cost]
