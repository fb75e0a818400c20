"""Second derivatives come in pairs of equal entries: of each pair one is computed, and written twice.

The terms of a Hessian are known before its values. Where the mirror image of a term is a term as well, its values are
those of the other with their axes exchanged; what would have computed them is not used any more, and falls away when
the program is compiled. Terms that share positions are taken together: their sum may be divided differently on the
other side of the diagonal.

Derivatives by rules of users need not be gradients of anything, and their mixed derivatives need not agree.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jax import lax

from elimax._jax.program import primitive_names
from elimax.execute.accumulate import Edges
from elimax.structure.algebra import as_terms
from elimax.structure.arrays import Masked, Value
from elimax.structure.canonical import make_term, sort_key
from elimax.structure.positions import term_ranges
from elimax.structure.relation import labels_of
from elimax.structure.term import Affine, Table, Term
from elimax.structure.values import OperatorValue

RULES = frozenset(["custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr", "custom_linear_solve"])
"""Primitives whose derivatives are those of the user, or rest on a promise, such as that of a symmetric matrix."""


class Symmetry(threading.local):
    """What is known of the symmetry of a matrix of blocks while it is made, in each thread.

    Attributes:
      own: whether the differentiated function was seen, and is free of rules of users.
      groups: for each result, the number of the function's result and that of the argument that it is a derivative by;
        empty where nothing is known.
      ended: whether loops of the function were ended, for want of more turns allowed.
      mirrored: share of the entries that were last taken from their mirror image; None before.
    """

    own: bool = False
    groups: tuple[tuple[int, int], ...] = ()
    mirrored: float | None = None
    ended: Any = False

    def forget(self) -> None:
        """Before another function is traced."""
        self.own, self.groups, self.mirrored = False, (), None

    def tell(self, ended: Any) -> None:
        """Hear whether loops of the function were ended."""
        self.ended = ended

    def see(self, closed: Any) -> None:
        """Look at the program of the function that is differentiated twice."""
        self.own = not RULES & primitive_names(closed)


_KNOWN = (int, np.ndarray, np.generic)

Key = tuple[int, int]


def mirrored(edges: Edges, keys: Mapping[Key, Key], symmetry: Symmetry, diagonals: bool) -> Edges:
    """Edges with the values of half of the mirrored terms in place of those of the other half.

    Args:
      edges: what remains, by ``(source, target)``.
      keys: the edge of each block, by the numbers of result and argument.
      symmetry: of the matrix of blocks.
      diagonals: whether terms of diagonals are mirrored, or only terms with dense parts. The compiler finds most of
        what the two sides of a diagonal share by itself, and fuses it better than values that were made elsewhere; but
        to write a diagonal of one label into a dense array it needs each value in one place.
    """
    if not symmetry.own or not symmetry.groups:
        return edges
    number = {group: k for k, group in enumerate(symmetry.groups)}
    found = dict(edges)
    replaced = 0
    for (row, column), key in keys.items():
        group, first = symmetry.groups[row]
        other = keys.get((number.get((group, column), -1), first))
        if column <= first and other is not None:
            replaced += _mirror(found, key, other, diagonals)
    total = sum(term.num_entries for key in keys.values() for term in as_terms(edges[key][0]))
    symmetry.mirrored = replaced / total if total else 0.0
    return found


def _mirror(edges: Edges, key: Key, other: Key, diagonals: bool) -> int:
    """Replace values of the second edge by those of the first; within one edge, those of later terms.

    Returns:
      The number of entries whose values were replaced.
    """
    (terms, values), (images, old) = edges[key], edges[other]
    if not isinstance(terms, tuple) or not isinstance(images, tuple) or isinstance(values, OperatorValue):
        return 0
    replaced = 0
    place = {_positions(term): k for k, term in enumerate(images)}
    new = list(old)  # type: ignore[arg-type]
    partners = _overlapping(images)
    for members in _overlapping(terms):
        if not diagonals and not any(_has_dense_part(terms[k]) for k in members):
            continue
        found = [_image(terms[k], len(images[0].in_axes)) for k in members]
        at = [None if image is None else place.get(_positions(image[0])) for image in found]
        if frozenset(at) not in partners:  # what falls on the same positions is another sum there
            continue
        if key == other and min(_maps(terms[k]) for k in members) >= min(_maps(images[k]) for k in at if k is not None):
            continue  # its own image, or the later one of the two
        pairs = [(k, image, t) for k, image, t in zip(members, found, at, strict=True) if image and t is not None]
        if any(images[t].value_labels != image.value_labels for _, (image, _), t in pairs):
            continue
        if all(isinstance(old[t], _KNOWN) for _, _, t in pairs):  # type: ignore[index]
            continue
        for k, (_, order), t in pairs:
            new[t] = _turned(values[k], order)
            replaced += images[t].num_entries
    edges[other] = (images, tuple(new))
    return replaced


def _overlapping(terms: tuple[Term, ...]) -> set[frozenset[int]]:
    """Numbers of terms in sets that share no position with each other, as far as that is seen."""
    sets = [{k} for k in range(len(terms))]
    for k, term in enumerate(terms):
        for other in range(k):
            if sets[k] is not sets[other] and not _disjoint(term, terms[other]):
                sets[k] |= sets[other]
                for member in sets[other]:
                    sets[member] = sets[k]
    return {frozenset(own) for own in sets}


@functools.lru_cache(maxsize=16384)
def _disjoint(a: Term, b: Term) -> bool:
    """Whether two terms are seen to share no position: by their ranges, or as diagonals with different offsets."""
    ranges = zip(term_ranges(a), term_ranges(b), strict=True)
    if any(low >= stop or start >= high for (low, high), (start, stop) in ranges):
        return True
    return any(p is not None and q is not None and p != q for p, q in zip(_offsets(a), _offsets(b), strict=True))


@functools.lru_cache(maxsize=4096)
def _offsets(term: Term) -> tuple[int | None, ...]:
    """For each out axis and each in axis, their difference where it is the same for all entries."""
    return tuple(
        out.offset - own.offset
        if isinstance(out, Affine) and isinstance(own, Affine) and out.parts == own.parts
        else None
        for out in term.out_axes
        for own in term.in_axes
    )


def _has_dense_part(term: Term) -> bool:
    """Whether some label drives axes of one side alone."""
    out, own = ({label for axis in axes for label in labels_of(axis)} for axes in (term.out_axes, term.in_axes))
    return out != own


def _maps(term: Term) -> tuple:
    return sort_key(term)[1:3]


def _positions(term: Term) -> tuple:
    return term.sizes, term.out_axes, term.in_axes


def _image(term: Term, num_in: int) -> tuple[Term, list[int]] | None:
    """The mirror image of a term, and the order of the axes of its value; None if values would change direction.

    Args:
      term: of the derivative by one argument of the derivative of a result by another.
      num_in: number of axes of that other argument, the last ones among the out axes of the term.
    """
    lead = len(term.out_axes) - num_in
    outs = [*term.out_axes[:lead], *term.in_axes]
    ins = list(term.out_axes[lead:])
    if any(isinstance(axis, Table) for axis in (*outs, *ins)):
        return None
    sizes = dict(enumerate(term.sizes))
    image, maps = make_term(sizes, outs, ins, list(term.value_labels), term.kind)
    labels = []
    for axis in maps:
        if not isinstance(axis, Affine) or axis.offset or len(axis.parts) != 1 or axis.parts[0][1] != 1:
            return None
        labels.extend(labels_of(axis))
    return image, [labels.index(label) for label in sorted(labels)]


def _turned(value: Value, order: Sequence[int]) -> Value:
    """A value with its axes in another order."""
    if isinstance(value, int) or list(order) == list(range(len(order))):
        return value
    if isinstance(value, np.ndarray):
        return np.transpose(value, order)
    if isinstance(value, Masked):
        return Masked(lax.transpose(value.mask, order), _turned(value.value, order))
    return lax.transpose(value, order)
