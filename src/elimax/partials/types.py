"""What a rule for local partials says of one operation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from elimax._jax import Equation, Program
from elimax.structure.term import Structure
from elimax.structure.values import Values

CONTROL = "control"
"""Family of loops and branches that carry their own partials."""


@dataclasses.dataclass(frozen=True, slots=True)
class LocalEdge:
    """The partial of one result with respect to one operand.

    Attributes:
      output: position of the result.
      operand: position of the operand.
      structure: terms in any order, or an operator between flat vectors.
    """

    output: int
    operand: int
    structure: Structure


@dataclasses.dataclass(frozen=True, slots=True)
class Local:
    """All partials of one operation.

    Attributes:
      edges: one per result and active operand that depend on each other.
      evaluate: maps the operands' values to the results (None where the equation is linear and they are not wanted)
        and the value of each edge, in the dtype of the result.
      family: name of the family of rules, for people.
    """

    edges: tuple[LocalEdge, ...]
    evaluate: Callable[[list[Any]], tuple[list[Any] | None, list[Values]]]
    family: str


class Context:
    """What a rule may ask about the program it works on."""

    def __init__(self, program: Program, known: Callable[[int], np.ndarray | None]):
        self.program = program
        self.known = known
        """The value of a number if it follows from literals and captured concrete arrays alone, else None."""

    def shape(self, value: int) -> tuple[int, ...]:
        """Shape of a value."""
        return self.program.values[value].shape

    def dtype(self, value: int) -> Any:
        """Dtype of a value."""
        return self.program.values[value].dtype


Rule = Callable[[Equation, Context], Local | None]
"""A rule gives the partials of an equation, or None to leave it to the next family."""
