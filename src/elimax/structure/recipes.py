"""Recipes: how the values of products and sums of blocks are computed, decided at trace time."""

from __future__ import annotations

import dataclasses

from elimax.structure.term import AxisMap, IndexTable, Term


@dataclasses.dataclass(frozen=True, slots=True)
class TermProduct:
    """How the values of a product of two terms are computed.

    Attributes:
      term: the result.
      sizes: sizes of the labels: those of the result first, then the contracted ones.
      num_labels: number of labels of the result.
      left: an index map per value axis of the left factor, over those labels.
      right: likewise for the right factor.
      factor: number of times that each product occurs (labels that no value and no result axis reads).
      merge: label and segment number of each of its entries, where entries with equal positions are added up.
      multiplications: number of scalar multiplications under the executed rule.
      published: the same under the published rule.
    """

    term: Term
    sizes: tuple[int, ...]
    num_labels: int
    left: tuple[AxisMap, ...]
    right: tuple[AxisMap, ...]
    factor: int
    merge: tuple[int, IndexTable] | None
    multiplications: int
    published: int


@dataclasses.dataclass(frozen=True, slots=True)
class Collect:
    """How terms are added up: ``groups[k]`` lists the positions of the summands of term ``k`` of the result.

    Attributes:
      terms: the result where ``consolidated`` is None, otherwise the terms that are consolidated.
      groups: positions in the list of all summands.
      consolidated: the single term that replaces ``terms`` if they are too many.
    """

    terms: tuple[Term, ...]
    groups: tuple[tuple[int, ...], ...]
    consolidated: Consolidation | None = None

    @property
    def structure(self) -> tuple[Term, ...]:
        """Structure of the sum."""
        return self.terms if self.consolidated is None else (self.consolidated.term,)


@dataclasses.dataclass(frozen=True, slots=True)
class Consolidation:
    """Many terms rewritten as one.

    Attributes:
      term: the result, dense over the smallest box of indices, or a table of positions.
      positions: per term, the position [entries of the term] of each of its entries in the flat value of the result.
    """

    term: Term
    positions: tuple[IndexTable, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class BlockProduct:
    """Product of two blocks made of terms.

    Attributes:
      pairs: ``(left term, right term, recipe)`` for each pair whose product is not structurally zero.
      collect: how the products are added up.
      left, right: consolidations applied to the factors first, if any.
    """

    pairs: tuple[tuple[int, int, TermProduct], ...]
    collect: Collect
    left: Collect | None = None
    right: Collect | None = None

    @property
    def structure(self) -> tuple[Term, ...]:
        """Structure of the product."""
        return self.collect.structure

    def multiplications(self, rule: str) -> int:
        """Number of scalar multiplications under the ``"executed"`` or the ``"published"`` rule."""
        if rule == "published":
            return sum(recipe.published for _, _, recipe in self.pairs)
        return sum(recipe.multiplications for _, _, recipe in self.pairs)


@dataclasses.dataclass(frozen=True, slots=True)
class OperatorProduct:
    """Product in which at least one factor is an operator; the result is one dense term.

    Attributes:
      structure: the result.
      how: "jvp" applies the left operator to the columns of the right block, "vjp" the right operator to the rows of
        the left block, "left" and "right" make that factor dense first and go on with ``inner``.
      cost: scalar multiplications, estimated from the operator's weight.
      dense: the term that the dense factor becomes.
      inner: the product of what is then dense.
    """

    structure: tuple[Term, ...]
    how: str
    cost: int
    dense: Term | None = None
    inner: BlockProduct | OperatorProduct | None = None

    def multiplications(self, rule: str) -> int:
        """Number of scalar multiplications; both rules charge operators alike."""
        return self.cost + (self.inner.multiplications(rule) if self.inner is not None else 0)
