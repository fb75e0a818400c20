"""Products in which a factor is kept as an operator."""

from __future__ import annotations

import functools
import math

from elimax.structure.positions import dense_term, hull
from elimax.structure.products import block_product
from elimax.structure.recipes import OperatorProduct
from elimax.structure.term import Operator, Structure, Term


@functools.lru_cache(maxsize=4096)
def operator_product(left: Structure, right: Structure) -> OperatorProduct:
    """Product of two edges at least one of which is an operator."""
    if isinstance(left, Operator) and isinstance(right, Operator):
        left_first = left.out_size * (left.weight + right.weight)
        right_first = right.in_size * (left.weight + right.weight)
        use_left = left.reverse and right.reverse and (left_first < right_first or not (left.forward and right.forward))
        if use_left:
            dense = operator_dense(left)
            inner = operator_product((dense,), right)
            return OperatorProduct(inner.structure, "left", left.out_size * left.weight, dense, inner)
        dense = operator_dense(right)
        inner = operator_product(left, (dense,))
        return OperatorProduct(inner.structure, "right", materialise_cost(right), dense, inner)
    if isinstance(left, Operator):
        assert not isinstance(right, Operator)
        if not right:
            return OperatorProduct((), "jvp", 0)
        if not left.forward:
            dense = operator_dense(left)
            inner = block_product((dense,), right)
            return OperatorProduct(inner.structure, "left", materialise_cost(left), dense, inner)
        columns = hull(right, "in")
        term = dense_term([(0, left.out_size)], columns)
        return OperatorProduct((term,), "jvp", left.weight * math.prod(stop - start for start, stop in columns), term)
    assert isinstance(right, Operator)
    if not left:
        return OperatorProduct((), "vjp", 0)
    if not right.reverse:
        dense = operator_dense(right)
        inner = block_product(left, (dense,))
        return OperatorProduct(inner.structure, "right", materialise_cost(right), dense, inner)
    rows = hull(left, "out")
    term = dense_term(rows, [(0, right.in_size)])
    return OperatorProduct((term,), "vjp", right.weight * math.prod(stop - start for start, stop in rows), term)


def materialise_cost(operator: Operator) -> int:
    """Multiplications that making an operator dense takes."""
    return operator.weight * (operator.in_size if materialise_forward(operator) else operator.out_size)


def materialise_forward(operator: Operator) -> bool:
    """Whether an operator is made dense column by column (JVP) or row by row (VJP)."""
    return operator.forward and (not operator.reverse or operator.in_size <= operator.out_size)


def operator_dense(operator: Operator) -> Term:
    """The dense term that an operator becomes."""
    return dense_term([(0, operator.out_size)], [(0, operator.in_size)])
