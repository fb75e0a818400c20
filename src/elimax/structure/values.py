"""Carrying out the recipes of the block algebra on the values of whole blocks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elimax.structure.algebra import Product, as_terms
from elimax.structure.arrays import Value, as_array, as_array_over_labels, broadcast, cast, plus, spread, times
from elimax.structure.dense import dense
from elimax.structure.dense_cells import filled
from elimax.structure.operators import materialise_forward
from elimax.structure.placed import placed
from elimax.structure.positions import hull
from elimax.structure.recipes import Collect, OperatorProduct
from elimax.structure.term import Operator, Structure, Term


@dataclasses.dataclass(frozen=True, slots=True)
class OperatorValue:
    """The value of an operator edge.

    Attributes:
      jvp: maps a tangent [in_size] to a tangent [out_size]; None if there is none.
      vjp: maps a cotangent [out_size] to a cotangent [in_size]; None if there is none.
      out_dtype: dtype of the dependent vector.
      in_dtype: dtype of the independent vector.
    """

    jvp: Callable[[Any], Any] | None
    vjp: Callable[[Any], Any] | None
    out_dtype: Any
    in_dtype: Any


Values = tuple[Value, ...] | OperatorValue


def gather_terms(recipe: Collect, summands: Sequence[Value], terms: Sequence[Term], dtype: Any) -> tuple[Value, ...]:
    """Add up summands as a `Collect` recipe says.

    Args:
      recipe: what to do.
      summands: values of the terms that the recipe was made for.
      terms: those terms.
      dtype: dtype of the dependent value.
    """
    result = []
    for term, members in zip(recipe.terms, recipe.groups, strict=True):
        value = summands[members[0]]
        if len(members) > 1:
            value = _add([(summands[m], terms[m]) for m in members], term, dtype)
        result.append(value)
    if recipe.consolidated is None:
        return tuple(result)
    target = recipe.consolidated.term
    index = np.concatenate([table.indices for table in recipe.consolidated.positions])
    size = int(np.prod(target.value_shape))
    if all(isinstance(value, np.ndarray | np.generic | int) for value in result):
        known = np.zeros(size, dtype)
        entries = [as_array_over_labels(value, term, dtype) for value, term in zip(result, recipe.terms, strict=True)]
        np.add.at(known, index, np.concatenate([np.ravel(own) for own in entries]))
        return (known.reshape(target.value_shape),)
    if index.size == len(result):  # single entries
        entries: list[Any] = [None] * size
        for place, value, term in zip(index, result, recipe.terms, strict=True):
            entry = as_array(value, term.value_shape, dtype).reshape(())
            entries[place] = entry if entries[place] is None else plus(entries[place], entry)
        return (filled(entries, dtype, target.value_shape[-1], inner=True).reshape(target.value_shape),)
    flats = [
        jnp.ravel(as_array_over_labels(value, term, dtype)) for value, term in zip(result, recipe.terms, strict=True)
    ]
    flat = placed(jnp.concatenate(flats), index, size)
    return (flat.reshape(target.value_shape),)


def _add(members: list[tuple[Value, Term]], term: Term, dtype: Any) -> Value:
    total = None
    for value, own in members:
        array = as_array(value, own.value_shape, dtype)
        array = spread(array, own.value_labels, term.value_labels)
        total = array if total is None else plus(total, array)
    return broadcast(total, term.value_shape)


def multiply(
    recipe: Product,
    left: Values,
    right: Values,
    left_structure: Structure,
    right_structure: Structure,
    out_dtype: Any,
    mid_dtype: Any,
) -> tuple[Value, ...]:
    """Values of the product of two edges.

    Args:
      recipe: what `elimax.structure.algebra.product` returned for the two structures.
      left: values of the edge ``out <- mid``.
      right: values of the edge ``mid <- in``.
      left_structure: structure of the left edge.
      right_structure: structure of the right edge.
      out_dtype: dtype of the dependent value.
      mid_dtype: dtype of the eliminated value.
    """
    if isinstance(recipe, OperatorProduct):
        return _multiply_operator(recipe, left, right, left_structure, right_structure, out_dtype, mid_dtype)
    assert not isinstance(left, OperatorValue)
    assert not isinstance(right, OperatorValue)
    assert not isinstance(left_structure, Operator)
    assert not isinstance(right_structure, Operator)
    if recipe.left is not None:
        left = gather_terms(recipe.left, left, left_structure, out_dtype)
    if recipe.right is not None:
        right = gather_terms(recipe.right, right, right_structure, mid_dtype)
    values = [times(pair, left[i], right[j], out_dtype) for i, j, pair in recipe.pairs]
    return gather_terms(recipe.collect, values, [pair.term for _, _, pair in recipe.pairs], out_dtype)


def _multiply_operator(
    recipe: OperatorProduct,
    left: Values,
    right: Values,
    left_structure: Structure,
    right_structure: Structure,
    out_dtype: Any,
    mid_dtype: Any,
) -> tuple[Value, ...]:
    if not recipe.structure:
        return ()
    if recipe.how == "jvp":
        assert isinstance(left, OperatorValue)
        assert left.jvp is not None
        assert isinstance(left_structure, Operator)
        assert not isinstance(right_structure, Operator)
        columns = box(right, right_structure, mid_dtype, [(0, left_structure.in_size)], None)  # [mid, in...]
        seeds = columns.reshape(left_structure.in_size, -1)
        result = jax.vmap(left.jvp, in_axes=1, out_axes=1)(seeds)
        return (_fit(result, recipe.structure[0]),)
    if recipe.how == "vjp":
        assert isinstance(right, OperatorValue)
        assert right.vjp is not None
        assert isinstance(right_structure, Operator)
        assert not isinstance(left_structure, Operator)
        rows = box(left, left_structure, out_dtype, None, [(0, right_structure.out_size)])  # [out..., mid]
        seeds = cast(rows.reshape(-1, right_structure.out_size), right.out_dtype)
        result = cast(jax.vmap(right.vjp)(seeds), out_dtype)
        return (_fit(result, recipe.structure[0]),)
    assert recipe.inner is not None
    assert recipe.dense is not None
    if recipe.how == "left":
        assert isinstance(left_structure, Operator)
        left, left_structure = dense_operator(left, left_structure), (recipe.dense,)
    else:
        assert isinstance(right_structure, Operator)
        right, right_structure = dense_operator(right, right_structure), (recipe.dense,)
    return multiply(recipe.inner, left, right, left_structure, right_structure, out_dtype, mid_dtype)


def _fit(value: Any, term: Term) -> Any:
    return value.reshape(term.value_shape)


def dense_operator(value: Values, structure: Operator) -> tuple[Value, ...]:
    """An operator as the values [out_size, in_size] of its dense term."""
    assert isinstance(value, OperatorValue)
    if materialise_forward(structure):
        assert value.jvp is not None
        matrix = jax.vmap(value.jvp, in_axes=1, out_axes=1)(jnp.eye(structure.in_size, dtype=value.in_dtype))
    else:
        assert value.vjp is not None
        matrix = jax.vmap(value.vjp)(jnp.eye(structure.out_size, dtype=value.out_dtype))
    shape = tuple(size for size in (structure.out_size, structure.in_size) if size != 1)
    return (cast(matrix, value.out_dtype).reshape(shape),)


def sum_values(
    recipe: Collect, left: Values, right: Values, left_structure: Structure, right_structure: Structure, dtype: Any
) -> tuple[Value, ...]:
    """Values of the sum of two blocks; see `elimax.structure.algebra.add`."""
    parts: list[Value] = []
    for values, structure in ((left, left_structure), (right, right_structure)):
        if isinstance(structure, Operator):
            parts.extend(dense_operator(values, structure))
        else:
            assert not isinstance(values, OperatorValue)
            parts.extend(values)
    return gather_terms(recipe, parts, (*as_terms(left_structure), *as_terms(right_structure)), dtype)


def box(
    values: Values,
    structure: tuple[Term, ...],
    dtype: Any,
    outs: list[tuple[int, int]] | None,
    ins: list[tuple[int, int]] | None,
) -> Any:
    """A block as a dense array over a box of half-open index ranges; None stands for the smallest range."""
    assert not isinstance(values, OperatorValue)
    outs = hull(structure, "out") if outs is None else outs
    ins = hull(structure, "in") if ins is None else ins
    return dense(values, structure, dtype, [*outs, *ins])
