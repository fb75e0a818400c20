"""What expressions cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from elimax.coarsen.nodes import MARKS, Node, reachable
from elimax.coarsen.operations import weight


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """Work of a set of expressions, each shared node counted once.

    Attributes:
      operations: number of operations on each element; a power counts as its multiplications.
      time: their time, in additions.
    """

    operations: int
    time: float


def cost(sinks: Iterable[Node], given: Iterable[Node] = ()) -> Cost:
    """What it takes to evaluate expressions.

    Args:
      sinks: the expressions.
      given: expressions that are there already, at no cost.
    """
    there = {node.number for node in reachable(given)}
    operations, time = 0, 0.0
    known: set[int] = set()
    for node in reachable(sinks):
        if not node.args:
            if node.op == "constant":
                known.add(node.number)
            continue
        if all(a.number in known for a in node.args):  # compilers compute it beforehand
            known.add(node.number)
            continue
        if node.op in MARKS or node.number in there:
            continue
        operations += _count(node)
        time += weight(node.op, node.params)
    return Cost(operations, time)


def _count(node: Node) -> int:
    if node.op != "integer_pow":
        return 1
    y = abs(node.param("y"))
    return max(y.bit_length() - 1, 0) + max(y.bit_count() - 1, 0) + (node.param("y") < 0)
