"""From remaining edges to the blocks that the user asked for."""

from __future__ import annotations

from typing import Any

from elimax.structure.algebra import as_terms
from elimax.structure.arrays import Value
from elimax.structure.canonical import make_term
from elimax.structure.dense import dense
from elimax.structure.sparse import coordinates
from elimax.structure.term import Affine, AxisMap, Kind, Structure, Term
from elimax.structure.values import Values, dense_operator

OUTPUTS = ("dense", "bcoo")


def identity_block(shape: tuple[int, ...]) -> tuple[tuple[Term, ...], tuple[Value, ...]]:
    """Structure and values of the partial of a value with respect to itself."""
    axes: list[AxisMap] = [Affine(0, ((k, 1),)) for k in range(len(shape))]
    term, _ = make_term(dict(enumerate(shape)), axes, axes, [], Kind.UNIT)
    return (term,), (1,)


def write_block(
    structure: Structure, values: Values, out_shape: tuple[int, ...], in_shape: tuple[int, ...], dtype: Any, output: str
) -> Any:
    """A block in the layout asked for.

    Args:
      structure: of the edge from the argument to the result; () for zero.
      values: of that edge.
      out_shape: shape of the result.
      in_shape: shape of the argument.
      dtype: of the block.
      output: "dense" for an array of shape out_shape + in_shape, "bcoo" for a BCOO of that shape.
    """
    shape = (*out_shape, *in_shape)
    terms = as_terms(structure)
    if not isinstance(structure, tuple):
        values = dense_operator(values, structure)
    if 0 in shape:
        terms, values = (), ()
    assert isinstance(values, tuple)
    if output == "bcoo":
        from jax.experimental.sparse import BCOO  # half a second to import, and most callers never need it

        index, data = coordinates(values, terms, dtype, len(shape))
        return BCOO((data, index), shape=shape, indices_sorted=True, unique_indices=True)
    return dense(values, terms, dtype, [(0, n) for n in shape])
