"""Nodes of an expression graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np


@dataclasses.dataclass(slots=True, eq=False)
class Node:
    """One operation on scalars, or on arrays of one common shape element by element.

    Nodes are made by an `elimax.coarsen.arena.Arena`, which makes equal ones once; so equal means identical. Nobody
    changes them; that nothing checks it makes them three times faster to make.

    Attributes:
      number: position in the arena; operands have smaller numbers.
      op: name of the operation, "variable" or "constant", or one of `MARKS`.
      params: its static parameters, sorted pairs of a name and a hashable value.
      args: its operands.
      dtype: of its value.
      value: the known value of a constant, a NumPy scalar of ``dtype``.
    """

    number: int
    op: str
    params: tuple[tuple[str, Any], ...]
    args: tuple[Node, ...]
    dtype: np.dtype
    value: Any = None

    @property
    def is_constant(self) -> bool:
        """Whether the value is known."""
        return self.op == "constant"

    @property
    def floating(self) -> bool:
        """Whether derivatives may pass."""
        return self.dtype.kind == "f" or self.dtype.name == "bfloat16"

    def param(self, name: str) -> Any:
        """Value of a static parameter."""
        for known, value in self.params:
            if known == name:
                return value
        raise KeyError(name)

    def equals(self, value: float) -> bool:
        """Whether it is the constant of that value; zeros of both signs are equal."""
        return self.op == "constant" and self.floating and bool(self.value == value)

    def __repr__(self) -> str:
        if self.op == "constant":
            return f"{self.value!s}"
        if self.op == "variable":
            return f"x{self.param('name')}"
        shown = "".join(f", {name}={value}" for name, value in self.params)
        return f"{self.op}({', '.join(map(repr, self.args))}{shown})"


STOP = "stop"
"""Mark: the value of the operand, as a constant to derivatives."""

RULED = "ruled"
"""Mark: the value of the first operand, the derivative of the second; that is where a user's rule speaks."""

TANGENT = "tangent"
"""Mark: stands for the tangent of its operand in a user's rule; its value is read by nobody."""

MARKS = (STOP, RULED, TANGENT)
"""Operations that say how to differentiate and compute nothing."""


def reachable(sinks: Iterable[Node]) -> list[Node]:
    """All nodes that the sinks need, operands first."""
    seen = {node.number: node for node in sinks}
    stack = list(seen.values())
    while stack:
        for arg in stack.pop().args:
            number = arg.number
            if number not in seen:
                seen[number] = arg
                stack.append(arg)
    return [seen[number] for number in sorted(seen)]


def users_of(nodes: Iterable[Node]) -> dict[int, int]:
    """How often each node is an operand of the given ones, by number."""
    counts: dict[int, int] = {}
    for node in nodes:
        for arg in node.args:
            counts[arg.number] = counts.get(arg.number, 0) + 1
    return counts
