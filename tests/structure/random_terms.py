"""Random terms with values, for the tests of the block algebra."""

from __future__ import annotations

import numpy as np

from elimax.structure.arrays import as_array_over_labels, reindex
from elimax.structure.canonical import make_term
from elimax.structure.positions import positions
from elimax.structure.term import Affine, IndexTable, Kind, Table


def random_shape(rng, rank=None):
    rank = rng.integers(0, 3) if rank is None else rank
    return tuple(int(n) for n in rng.choice([1, 2, 3, 4, 6], size=rank))


def random_axis(rng, length, sizes, allow_table=True):
    """An index map into [0, length) over new or known labels."""
    choice = rng.integers(0, 6)
    if choice == 0:
        return Affine(int(rng.integers(0, length)))
    if choice == 1 and allow_table:
        label = len(sizes)
        sizes[label] = int(rng.integers(1, 5))
        return Table(label, IndexTable(rng.integers(0, length, sizes[label])))
    if choice == 2 and length in (4, 6):
        low = 2
        high = length // low
        a, b = len(sizes), len(sizes) + 1
        sizes[a], sizes[b] = high, low
        return Affine(0, ((a, low), (b, 1)))
    known = [label for label, size in sizes.items() if size <= length]
    if choice in (3, 4) and known:
        label = int(rng.choice(known))
        size = sizes[label]
        stride = 1 if size == 1 else int(rng.integers(1, (length - 1) // (size - 1) + 1))
        offset = int(rng.integers(0, length - stride * (size - 1)))
        if rng.integers(0, 3) == 0:
            return Affine(offset + stride * (size - 1), ((label, -stride),))
        return Affine(offset, ((label, stride),))
    label = len(sizes)
    sizes[label] = length
    return Affine(0, ((label, 1),))


def random_term(rng, out_shape, in_shape):
    """A term and its value in float64."""
    sizes = {}
    axes = [random_axis(rng, n, sizes) for n in (*out_shape, *in_shape)]
    used = sorted(sizes)
    values = [label for label in used if rng.integers(0, 4)]
    kind = Kind.VARIABLE
    if not values and rng.integers(0, 2):
        kind = Kind.UNIT
    term, maps = make_term(sizes, axes[: len(out_shape)], axes[len(out_shape) :], values, kind)
    if kind == Kind.UNIT:
        return term, int(rng.choice([-1, 1]))
    raw = rng.normal(size=[sizes[label] for label in values])
    value, _ = reindex(raw, maps, term.sizes)
    return term, np.asarray(value)


def to_dense(term, value, out_shape, in_shape):
    """Brute force: add every entry of the term into an array."""
    result = np.zeros((*out_shape, *in_shape))
    where = positions(term)
    entries = np.ravel(np.asarray(as_array_over_labels(value, term, np.float64)))
    if not where.shape[0]:
        return result + entries.sum()
    np.add.at(result, tuple(where), entries)
    return result


def block_to_dense(terms, values, out_shape, in_shape):
    """Brute force for a sum of terms."""
    result = np.zeros((*out_shape, *in_shape))
    for term, value in zip(terms, values, strict=True):
        result += to_dense(term, value, out_shape, in_shape)
    return result
