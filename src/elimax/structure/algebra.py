"""Products and sums of block structures.

Everything here is decided at trace time from structure alone. `product` and `add` return the structure of the result
together with a frozen recipe; `elimax.structure.values` carries recipes out on arrays, and the searches read only
structure and cost. Both see the same algebra, so a plan costs exactly what was predicted.
"""

from __future__ import annotations

from elimax.structure.operators import operator_dense, operator_product
from elimax.structure.products import block_product
from elimax.structure.recipes import BlockProduct, Collect, OperatorProduct
from elimax.structure.sums import collect
from elimax.structure.term import Operator, Structure, Term

Product = BlockProduct | OperatorProduct


def product(left: Structure, right: Structure) -> Product:
    """Product of the edges ``out <- mid`` (left) and ``mid <- in`` (right)."""
    if isinstance(left, Operator) or isinstance(right, Operator):
        return operator_product(left, right)
    return block_product(left, right)


def add(left: Structure, right: Structure) -> Collect:
    """Sum of two blocks; the summands are the terms of ``left`` followed by those of ``right``.

    An operator counts as the dense term that it becomes.
    """
    return collect((*as_terms(left), *as_terms(right)))


def sum(left: Structure, right: Structure) -> Structure:
    """Structure of the sum of two blocks."""
    return add(left, right).structure


def as_terms(structure: Structure) -> tuple[Term, ...]:
    """The terms of a block; an operator counts as dense."""
    return (operator_dense(structure),) if isinstance(structure, Operator) else structure
