"""The pattern of a Jacobian: the structure of each of its blocks, without values."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

from elimax.execute.layout import identity_block
from elimax.execute.planning import linearisation_for, plan_of
from elimax.execute.remaining import remaining
from elimax.execute.traced import FlatFunction
from elimax.structure.algebra import as_terms
from elimax.structure.sparse import num_coordinates, static_indices
from elimax.structure.term import Term


@dataclasses.dataclass(frozen=True)
class BlockPattern:
    """Entries of one block that may differ from zero.

    Attributes:
      out_shape: shape of the result.
      in_shape: shape of the argument.
      terms: what the block is the sum of.
    """

    out_shape: tuple[int, ...]
    in_shape: tuple[int, ...]
    terms: tuple[Term, ...]

    @functools.cached_property
    def nnz(self) -> int:
        """Number of entries."""
        return num_coordinates(self.terms, len(self.out_shape) + len(self.in_shape))

    @functools.cached_property
    def entries(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column int64 [nnz] of each entry in the flattened block, by row and then by column."""
        index = static_indices(self.terms, len(self.out_shape) + len(self.in_shape)).astype(np.int64)
        split = len(self.out_shape)
        return _flat(index[:, :split], self.out_shape), _flat(index[:, split:], self.in_shape)


def _flat(index: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return index @ np.array([math.prod(shape[k + 1 :]) for k in range(len(shape))], np.int64)


def pattern_for(fun: FlatFunction, inputs: list, name: str = "") -> list[list[BlockPattern]]:
    """Patterns of the blocks of a flat function by result and argument."""
    from elimax.execute.dependence import sharpened  # brings in SciPy, slow to import

    lin = linearisation_for(fun, inputs, name)
    left = remaining(sharpened(lin), plan_of(lin, "reverse").order)
    number = {full: vertex for vertex, full in enumerate(lin.full_vertices)}
    found = []
    for ref, output in zip(lin.program.outputs, lin.outputs, strict=False):
        shape = tuple(lin.program.values[ref.value].shape)
        row = []
        for source, x in zip(lin.inputs, inputs, strict=True):
            terms: tuple[Term, ...] = ()
            if output is not None and output == source:
                terms = identity_block(shape)[0]
            elif output is not None:
                terms = as_terms(left.get((number[source], number[output]), ()))
            own = tuple(x.shape)
            row.append(BlockPattern(shape, own, () if 0 in (*shape, *own) else terms))
        found.append(row)
    return found
