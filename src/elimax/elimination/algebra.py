"""Products and sums of edge structures as operations on small integers.

Searches eliminate vertices millions of times, so they see an edge only as the number of its structure. An algebra
knows what the numbers mean; each product and sum is worked out once and remembered.
"""

from __future__ import annotations

import math
import threading
from typing import Protocol

from elimax.elimination.tables import Tables
from elimax.structure import algebra as blocks
from elimax.structure.term import Kind, Structure, scalar

ZERO = -1
"""Number of the structurally zero block: no edge arises."""

RULES = ("published", "executed")
"""Cost rules: every product counts, or only products that a program has to multiply out."""


class Algebra(Protocol):
    """Structures by number.

    Attributes:
      rule: the cost rule.
      tables: what has been worked out so far, in the form that compiled code reads.
      products: the products worked out so far, for loops in which a call for each is too slow.
    """

    rule: str
    tables: Tables
    products: dict[tuple[int, int], tuple[int, int]]

    def product(self, left: int, right: int) -> tuple[int, int]:
        """Structure and cost of ``left @ right``, left the edge mid -> out, right the edge in -> mid."""
        ...

    def sum(self, old: int, new: int) -> int:
        """Structure of ``old + new``, old the edge that is there, new the product that meets it."""
        ...


class _Remembered:
    """Remembers products and sums; subclasses work them out. Threads may share it."""

    def __init__(self, rule: str):
        check_rule(rule)
        self.rule = rule
        self.tables = Tables()
        self.products: dict[tuple[int, int], tuple[int, int]] = {}
        self._sums: dict[tuple[int, int], int] = {}
        self._lock = threading.RLock()

    def __getstate__(self) -> dict[str, object]:
        """What travels to another process: everything but the lock."""
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()

    def product(self, left: int, right: int) -> tuple[int, int]:
        """Structure and cost of ``left @ right``."""
        found = self.products.get((left, right))
        if found is None:
            with self._lock:
                if (left, right) not in self.products:
                    result = self._product(left, right)
                    self.tables.add_product(left, right, *result)
                    self.products[left, right] = result
                found = self.products[left, right]
        return found

    def sum(self, old: int, new: int) -> int:
        """Structure of ``old + new``."""
        found = self._sums.get((old, new))
        if found is None:
            with self._lock:
                if (old, new) not in self._sums:
                    result = self._sum(old, new)
                    self.tables.add_sum(old, new, result)
                    self._sums[old, new] = result
                found = self._sums[old, new]
        return found

    def _product(self, left: int, right: int) -> tuple[int, int]:
        raise NotImplementedError

    def _sum(self, old: int, new: int) -> int:
        raise NotImplementedError


class ScalarAlgebra(_Remembered):
    """Scalar partials: a structure is a `Kind`.

    A product is the weaker of its factors; a sum is constant if both summands are known, else variable. Under the
    executed rule a product is free if a factor is a unit or both are constants.

    Args:
      rule: "published" or "executed".
    """

    def __init__(self, rule: str):
        super().__init__(rule)
        for left in Kind:
            for right in Kind:
                self.product(left, right)
                self.sum(left, right)

    def _product(self, left: int, right: int) -> tuple[int, int]:
        free = self.rule == "executed" and (Kind.UNIT in (left, right) or left == right == Kind.CONSTANT)
        return max(int(left), int(right)), 0 if free else 1

    def _sum(self, old: int, new: int) -> int:
        return int(Kind.VARIABLE if Kind.VARIABLE in (old, new) else Kind.CONSTANT)


class BlockAlgebra(_Remembered):
    """Block structures, numbered in order of appearance; the first three numbers are the scalar kinds.

    Args:
      rule: "published" or "executed".

    Attributes:
      pairs: number of pairs of terms that were multiplied so far, which is what working out products takes.
    """

    def __init__(self, rule: str):
        super().__init__(rule)
        self.pairs = 0
        self._structures: list[Structure] = []
        self._numbers: dict[Structure, int] = {}
        for kind in Kind:
            self.number(scalar(kind))

    def number(self, structure: Structure) -> int:
        """Number of a structure; `ZERO` for the empty one."""
        if structure == ():
            return ZERO
        found = self._numbers.get(structure)
        if found is None:
            found = self._numbers[structure] = len(self._structures)
            self._structures.append(structure)
        return found

    def structure(self, number: int) -> Structure:
        """The structure with a number."""
        return self._structures[number] if number != ZERO else ()

    def _product(self, left: int, right: int) -> tuple[int, int]:
        factors = self.structure(left), self.structure(right)
        self.pairs += math.prod(len(factor) if isinstance(factor, tuple) else 1 for factor in factors)
        result = blocks.product(*factors)
        return self.number(result.structure), int(result.multiplications(self.rule))

    def _sum(self, old: int, new: int) -> int:
        return self.number(blocks.sum(self.structure(old), self.structure(new)))


def check_rule(rule: str) -> None:
    """Check the name of a cost rule.

    Args:
      rule: a name.

    Raises:
      ValueError: if there is no such rule.
    """
    if rule not in RULES:
        raise ValueError(f"unknown cost rule {rule!r}; expected one of {', '.join(map(repr, RULES))}")
