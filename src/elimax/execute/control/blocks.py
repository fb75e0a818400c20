"""Blocks whose structure does not change from turn to turn, or from branch to branch.

What is carried around a loop has one structure on every turn, and what comes out of a branch has the structure of all
branches together. Terms are taken in their *full* form then: values over all labels, known at run time. The union of
full terms holds every block that is added up; where the union keeps growing, it is replaced by a dense term.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from elimax.structure.algebra import as_terms
from elimax.structure.arrays import as_array_over_labels, plus
from elimax.structure.canonical import sort_key
from elimax.structure.dense import dense
from elimax.structure.positions import dense_term
from elimax.structure.term import Kind, Structure, Term
from elimax.structure.values import Values, dense_operator

Full = tuple[Term, ...]
"""Full terms of a block, in canonical order."""

Shape = tuple[int, ...]

FEW_TERMS = 6
"""A union of more full terms than this becomes dense."""


def full_term(term: Term) -> Term:
    """A term with values over all its labels that are known at run time."""
    return dataclasses.replace(term, value_labels=tuple(range(len(term.sizes))), kind=Kind.VARIABLE)


def full(structure: Structure) -> Full:
    """A block in full form."""
    return tuple(sorted({full_term(term) for term in as_terms(structure)}, key=sort_key))


def united(left: Full, right: Full) -> Full:
    """The smallest full form that holds both."""
    return tuple(sorted({*left, *right}, key=sort_key))


def dense_block(out_shape: Shape, in_shape: Shape) -> Full:
    """A block that is dense."""
    return (dense_term([(0, n) for n in out_shape], [(0, n) for n in in_shape]),)


def bounded(block: Full, out_shape: Shape, in_shape: Shape) -> Full:
    """A union, or the dense block where the union has many terms or as many entries."""
    whole = dense_block(out_shape, in_shape)
    if len(block) > FEW_TERMS or (len(block) > 1 and entries(block) >= entries(whole)):
        return whole
    return block


def entries(block: Full) -> int:
    """Number of values of a block."""
    return sum(term.num_entries for term in block)


def fits(structure: Structure, target: Full, out_shape: Shape, in_shape: Shape) -> bool:
    """Whether a block can be written in a full form."""
    return set(full(structure)) <= set(target) or target == dense_block(out_shape, in_shape)


def written(
    target: Full, structure: Structure, values: Values, out_shape: Shape, in_shape: Shape, dtype: Any
) -> list[Any]:
    """Values of a block in a full form that it fits, one array of shape ``term.sizes`` for each term.

    Args:
      target: the full form.
      structure: of the block.
      values: of the block.
      out_shape: shape of the dependent value.
      in_shape: shape of the independent value.
      dtype: of the dependent value.
    """
    terms = as_terms(structure)
    if not isinstance(structure, tuple):
        values = dense_operator(values, structure)
    assert isinstance(values, tuple)
    place = {term: k for k, term in enumerate(target)}
    if not all(full_term(term) in place for term in terms):
        (whole,) = target
        array = dense(values, terms, dtype, [(0, n) for n in (*out_shape, *in_shape)])
        return [jnp.asarray(array, dtype).reshape(whole.sizes)]
    found: list[Any] = [None] * len(target)
    for term, value in zip(terms, values, strict=True):
        array = as_array_over_labels(value, term, dtype)
        k = place[full_term(term)]
        found[k] = array if found[k] is None else plus(found[k], array)
    return [
        jnp.zeros(term.sizes, dtype) if array is None else jnp.asarray(array, dtype).reshape(term.sizes)
        for term, array in zip(target, found, strict=True)
    ]


def known_alike(found: Sequence[tuple[Structure, Values]]) -> bool:
    """Whether blocks are equal whatever the arguments are."""
    first, values = found[0]
    if not isinstance(first, tuple) or any(structure != first for structure, _ in found):
        return False
    return all(_same(values, other) for _, other in found)


def _same(left: Any, right: Any) -> bool:
    return all(
        isinstance(a, int | np.ndarray | np.generic)
        and isinstance(b, int | np.ndarray | np.generic)
        and np.array_equal(a, b)
        for a, b in zip(left, right, strict=True)
    )
