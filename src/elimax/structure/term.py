"""The pieces of a Jacobian block: index maps over labels, and terms made of them.

A block ``y_D_x`` has the axes of ``y`` (out axes) followed by the axes of ``x`` (in axes). It is stored as a sum of
*terms*. A term is an array of values over a few integer *labels* together with one index map per axis:

    block[out_0(l), ..., in_0(l), ...] += value[l]        for every assignment l of the labels

A label that occurs in an out axis and in an in axis makes the term diagonal there; with an offset or a stride it is a
shifted or strided diagonal; a label on one side alone makes it dense; a label that is absent from the value array
makes it constant along that label. No labels at all is the scalar case. So diagonal, banded, Kronecker, broadcast,
permuted, block-diagonal and dense blocks are all the same kind of object.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib

import numpy as np


class Kind(enum.IntEnum):
    """What is known of the values of a local partial at trace time, from the strongest to the weakest."""

    UNIT = 0  # every value is the same +1 or -1
    CONSTANT = 1  # known at trace time
    VARIABLE = 2  # known at run time only


@dataclasses.dataclass(frozen=True, slots=True)
class Affine:
    """The index ``offset + sum(stride * label)``; ``parts`` lists ``(label, stride)``, empty for a fixed index."""

    offset: int
    parts: tuple[tuple[int, int], ...] = ()


class IndexTable:
    """A hashable, immutable list of indices [K]."""

    __slots__ = ("_digest", "indices")

    def __init__(self, indices: np.ndarray):
        array = np.ascontiguousarray(indices, dtype=np.int64)
        array.setflags(write=False)
        self.indices = array
        self._digest = hashlib.blake2b(array.tobytes(), digest_size=16).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IndexTable) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def __repr__(self) -> str:
        return f"IndexTable({self.indices.size} indices, {self._digest.hex()[:8]})"

    @property
    def digest(self) -> str:
        """Hexadecimal digest of the indices, equal in every process."""
        return self._digest.hex()


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """The index ``table[label]``: a general static pattern."""

    label: int
    table: IndexTable


AxisMap = Affine | Table


@dataclasses.dataclass(frozen=True)
class Term:
    """One summand of a block.

    Attributes:
      sizes: [L] number of values of each label; labels are numbered by first appearance in the out, then in axes.
      out_axes: an index map per axis of the dependent value.
      in_axes: an index map per axis of the independent value.
      value_labels: the labels that the value array runs over, ascending; its shape is their sizes.
      kind: what is known of the values at trace time.
    """

    sizes: tuple[int, ...]
    out_axes: tuple[AxisMap, ...]
    in_axes: tuple[AxisMap, ...]
    value_labels: tuple[int, ...]
    kind: Kind

    @functools.cached_property
    def _hash(self) -> int:
        return hash((self.sizes, self.out_axes, self.in_axes, self.value_labels, self.kind))

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def place(self) -> tuple:
        """What terms with entries at the same positions in the same order share; orders them alike in every process."""
        maps = tuple(
            ("t", axis.label, axis.table.digest) if isinstance(axis, Table) else ("a", axis.offset, axis.parts)
            for axis in (*self.out_axes, *self.in_axes)
        )
        return (len(self.sizes), self.sizes, maps)

    @property
    def value_shape(self) -> tuple[int, ...]:
        """Shape of the value array."""
        return tuple(self.sizes[label] for label in self.value_labels)

    @property
    def num_entries(self) -> int:
        """Number of (out, in) index pairs that the term touches."""
        count = 1
        for size in self.sizes:
            count *= size
        return count


@dataclasses.dataclass(frozen=True)
class Operator:
    """A block kept as a linear operator, applied by JVP or VJP to what it meets.

    Attributes:
      out_size: number of elements of the dependent value (a flat vector).
      in_size: number of elements of the independent value (a flat vector).
      forward: whether a JVP exists.
      reverse: whether a VJP exists.
      weight: estimated multiplications of one application.
      key: names the operation and its parameters; equal keys mean equal operators.
    """

    out_size: int
    in_size: int
    forward: bool
    reverse: bool
    weight: int
    key: str


Structure = tuple[Term, ...] | Operator
"""Structure of one edge: a sum of terms, or an operator. The empty tuple is the zero block."""

_SCALARS = {kind: (Term((), (), (), (), kind),) for kind in Kind}


def scalar(kind: Kind) -> tuple[Term, ...]:
    """The structure of a scalar partial of the given kind."""
    return _SCALARS[kind]
