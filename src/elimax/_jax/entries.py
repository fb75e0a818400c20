"""Products with sparse matrices as operations on their entries, whose places are then part of the program.

JAX's product of a BCOO matrix and an array is one equation, and its derivative by JAX's rule a dense block. Written as
a gather, a multiplication and a scatter, with indices that are known, it has the structure of the matrix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

PRODUCT = "bcoo_dot_general"
TRANSPOSITION = "bcoo_transpose"
"""Names of the primitives."""


def product_by_entries(params: Mapping[str, Any], avals: Sequence[Any], indices: Any) -> Any:
    """The product of a sparse matrix and an array as a closed jaxpr of operations on entries.

    Args:
      params: of the equation.
      avals: shapes and dtypes of the values [entries], the indices [entries, axes] and the array.
      indices: the indices.

    Returns:
      A function of the three operands in closed form; None for matrices with batch or dense axes, and where the
      indices are an argument of a compiled function.
    """
    if isinstance(indices, Tracer):
        return None
    (contracted, by), batch = params["dimension_numbers"]
    data, _, array = avals
    matrix_shape = tuple(params["lhs_spinfo"].shape)
    where = np.asarray(indices)
    if any(batch) or len(data.shape) != 1 or where.ndim != 2 or where.shape[1] != len(matrix_shape):
        return None
    kept = [axis for axis in range(len(matrix_shape)) if axis not in contracted]
    others = [axis for axis in range(len(array.shape)) if axis not in by]
    # Entries that only fill up the arrays are marked by indices outside of the matrix.
    inside = np.flatnonzero((where < np.array(matrix_shape)).all(axis=1))
    where = where[inside]
    shape = (*(matrix_shape[axis] for axis in kept), *(array.shape[axis] for axis in others))
    dtype = params["preferred_element_type"] or jnp.result_type(data.dtype, array.dtype)

    def product(data: Any, _: Any, array: Any) -> tuple[Any]:
        values = data if inside.size == data.size else data[inside]
        rows = jnp.transpose(array, (*by, *others))[tuple(where[:, axis] for axis in contracted)]
        terms = values.astype(dtype).reshape(-1, *[1] * len(others)) * rows.astype(dtype)
        if not kept:
            return (terms.sum(axis=0),)
        return (jnp.zeros(shape, dtype).at[tuple(where[:, axis] for axis in kept)].add(terms),)

    return jax.make_jaxpr(product)(*(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in avals))


def transposed_indices(params: Mapping[str, Any], avals: Sequence[Any], indices: Any) -> Any:
    """Indices int [entries, axes] of a transposed sparse matrix, whose values stay in their order; None as above."""
    order = tuple(params["permutation"])
    if isinstance(indices, Tracer) or len(avals[0].shape) != 1 or avals[1].shape[-1] != len(order):
        return None
    return np.asarray(indices)[:, order]
