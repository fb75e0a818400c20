"""What a rule is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elimax.coarsen.arena import Arena
    from elimax.coarsen.nodes import Node

Rewrite = Callable[["Arena", str, "tuple[Node, ...]", dict[str, Any]], "Node | None"]
"""From the operation, operands and parameters of a node that is to be made to a simpler one, or None."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """A law that is applied while nodes are made.

    Attributes:
      name: for people.
      ops: the operations that it looks at.
      condition: where it holds and why no digits are lost, for people.
      group: "basic", "always", or the attribute of `elimax.coarsen.arena.Rules` that asks for it.
      rewrite: applies it.
      needs: it is tried only where an operand is made by one of these operations, or where both operands are one
        (`EQUAL`); always if there are none.
    """

    name: str
    ops: tuple[str, ...]
    condition: str
    group: str
    rewrite: Rewrite
    needs: frozenset[str] = frozenset()


EQUAL = "equal"
"""Among what a rule needs: two operands that are one."""

ALL: list[Rule] = []
"""Every rule, in the order in which they are tried."""


def rule(name: str, ops: str, condition: str, group: str = "always", needs: str = "") -> Callable[[Rewrite], Rewrite]:
    """Register a rule."""

    def register(rewrite: Rewrite) -> Rewrite:
        ALL.append(Rule(name, tuple(ops.split()), condition, group, rewrite, frozenset(needs.split())))
        return rewrite

    return register
