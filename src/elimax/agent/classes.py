"""Classes of block structures: a finite table of products and sums, small enough for compiled code.

The algebra of blocks has no end: sums of products of structures are structures again. A game needs those that its
own graph leads to: every edge gets all the structures that it can have in any order. If these are not too many, the
table is closed, and every game is exact. If they are, it has the structures of some games on the reference elimination
and what follows from them. Its entries are exact all the same, but a game may come to a product or a sum that is
missing; it is then not counted (`elimax.agent.block_game`).
"""

from __future__ import annotations

import dataclasses
import random
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from elimax.elimination.algebra import Algebra, BlockAlgebra
from elimax.elimination.problem import Problem
from elimax.elimination.reference import Elimination
from elimax.elimination.tables import Tables
from elimax.structure.term import Operator

SIZES = (16, 32, 64, 128, 256)
"""Numbers of classes that tables are padded to; an edge is one byte."""

MISSING = -1
"""A product or a sum that is not in the table."""

ROLLOUTS = 12
"""Games with chance that classes are met in, besides the simple orders."""

WORK = 20_000
"""Products and sums that are looked at to close a table."""


class Classes(NamedTuple):
    """The algebra of a graph; class 0 is no edge.

    Attributes:
      products: int32 [K, K] class of ``left @ right``, or `MISSING`.
      costs: int32 [K, K] its multiplications.
      sums: int32 [K, K] class of ``old + new``, or `MISSING`.
      entries: float32 [K] number of entries of a block.
    """

    products: np.ndarray
    costs: np.ndarray
    sums: np.ndarray
    entries: np.ndarray


class Noting:
    """An algebra that notes what it is asked for, in order.

    Args:
      algebra: gives the answers.

    Attributes:
      rule: the cost rule.
      products: what was asked for: number and cost by pair.
      sums: the same for sums.
      tables: not filled.
    """

    def __init__(self, algebra: Algebra):
        self.algebra, self.rule, self.tables = algebra, algebra.rule, Tables()
        self.products: dict[tuple[int, int], tuple[int, int]] = {}
        self.sums: dict[tuple[int, int], int] = {}

    def product(self, left: int, right: int) -> tuple[int, int]:
        """Structure and cost of ``left @ right``."""
        return self.products.setdefault((left, right), self.algebra.product(left, right))

    def sum(self, old: int, new: int) -> int:
        """Structure of ``old + new``."""
        return self.sums.setdefault((old, new), self.algebra.sum(old, new))


def explore(problem: Problem, most: int, only_closed: bool = False) -> tuple[Noting, bool]:
    """Meet all structures that can arise, or if there are too many those of some games and what comes next.

    Args:
      problem: the graph and the cost rule.
      most: stop with so many structures.
      only_closed: whether nothing else is wanted if they are too many.

    Returns:
      What was met, and whether it is all; both depend on the arguments alone.
    """
    noting = Noting(problem.algebra)
    closed = _Closure(problem, noting, most).run(give_up=True)
    if closed or only_closed:
        return noting, closed
    noting = Noting(problem.algebra)
    watched = dataclasses.replace(problem, algebra=noting)
    for order in (problem.eliminable, problem.eliminable[::-1]):
        _follow(Elimination(watched), order)
    for number in range(-1, ROLLOUTS):
        _roll(Elimination(watched), number)
    _Closure(problem, noting, most).run()
    return noting, False


class _Closure:
    """All structures that each edge can have: closed under products along pairs of edges, and their sums.

    Args:
      problem: the graph.
      noting: what has been met; more is added to it.
      most: no further structures beyond so many; those that are there already may still turn up elsewhere.
    """

    def __init__(self, problem: Problem, noting: Noting, most: int):
        self.noting, self.most = noting, most
        self.known = set(numbered(problem, noting))
        self.joins = frozenset(problem.eliminable)
        self.edges: dict[tuple[int, int], dict[int, None]] = {}
        self.made: dict[tuple[int, int], dict[int, None]] = {}
        self.outs: list[dict[int, None]] = [{} for _ in range(problem.num_vertices)]
        self.ins: list[dict[int, None]] = [{} for _ in range(problem.num_vertices)]
        self.waiting: deque[tuple[int, int, int]] = deque()
        self.work, self.closed = WORK, True
        rows = zip(problem.sources.tolist(), problem.targets.tolist(), problem.structures.tolist(), strict=True)
        for u, w, number in rows:
            self._edge(u, w, number)

    def run(self, give_up: bool = False) -> bool:
        """Go on until nothing new turns up, the work is up, or with ``give_up`` there are too many structures.

        Returns:
          Whether it is all that can arise.
        """
        while self.waiting and self.work > 0 and (self.closed or not give_up):
            u, w, number = self.waiting.popleft()
            for product in list(self.made.get((u, w), ())):
                self._edge(u, w, self.noting.sum(number, product))
                self.work -= 1
            if w in self.joins:
                for target in list(self.outs[w]):
                    for left in list(self.edges[w, target]):
                        self._product(u, target, self.noting.product(left, number)[0])
            if u in self.joins:
                for source in list(self.ins[u]):
                    for right in list(self.edges[source, u]):
                        self._product(source, w, self.noting.product(number, right)[0])
        return self.closed and not self.waiting

    def _product(self, u: int, w: int, number: int) -> None:
        self.work -= 1
        made = self.made.setdefault((u, w), {})
        if number < 0 or number in made or not self._edge(u, w, number):
            return
        made[number] = None
        for old in list(self.edges[u, w]):
            self._edge(u, w, self.noting.sum(old, number))
            self.work -= 1

    def _edge(self, u: int, w: int, number: int) -> bool:
        """Whether the structure is one of those that are kept."""
        if number not in self.known:
            if len(self.known) >= self.most:
                self.closed = False
                return False
            self.known.add(number)
        there = self.edges.setdefault((u, w), {})
        if number not in there:
            there[number] = None
            self.outs[u][w] = self.ins[w][u] = None
            self.waiting.append((u, w, number))
        return True


def _follow(state: Elimination, order: Iterable[int]) -> None:
    for v in order:
        state.eliminate(v)


def _roll(state: Elimination, number: int) -> None:
    """Greedy for number -1; then in turn at random, and greedily among a few vertices drawn at random."""
    draw, waiting = random.Random(number), list(state.problem.eliminable)
    while waiting:
        some = waiting if number < 0 else draw.sample(waiting, min(len(waiting), 1 + 4 * (number % 2)))
        v = min(some, key=lambda u: (state.price(u), u)) if len(some) > 1 else some[0]
        state.eliminate(v)
        waiting.remove(v)


def numbered(problem: Problem, noting: Noting) -> dict[int, int]:
    """The class of each structure number, from 1, by appearance: edges of the graph first."""
    found: dict[int, int] = {}
    seen = [*problem.structures.tolist(), *(new for new, _ in noting.products.values()), *noting.sums.values()]
    for number in seen:
        if number >= 0 and number not in found:
            found[number] = len(found) + 1
    return found


def class_table(
    problem: Problem, size: int = SIZES[-1], exactly: bool = False, only_closed: bool = False
) -> tuple[Classes, dict[int, int], bool]:
    """The table of a graph.

    Args:
      problem: the graph and the cost rule.
      size: K, the most.
      exactly: whether to pad to that; else to the least of `SIZES`.
      only_closed: whether no other table is wanted.

    Returns:
      The table, the class of each structure number that it has, and whether it is closed.
    """
    noting, closed = explore(problem, size - 1, only_closed)
    numbers = dict(list(numbered(problem, noting).items())[: size - 1])
    if not exactly:
        size = next(size for size in SIZES if len(numbers) < size)
    products, costs = np.full((size, size), MISSING, np.int32), np.zeros((size, size), np.int32)
    sums = products.copy()
    products[0], products[:, 0] = 0, 0
    sums[0] = sums[:, 0] = np.arange(size)
    most = np.iinfo(np.int32).max
    for (left, right), (new, cost) in noting.products.items():
        if left in numbers and right in numbers:
            pair = numbers[left], numbers[right]
            products[pair], costs[pair] = numbers.get(new, MISSING) if new >= 0 else 0, min(cost, most)
    for (old, new), total in noting.sums.items():
        if old in numbers and new in numbers:
            sums[numbers[old], numbers[new]] = numbers.get(total, MISSING) if total >= 0 else 0
    entries = np.zeros(size, np.float32)
    for number, one in numbers.items():
        entries[one] = num_entries(problem.algebra, number)
    return Classes(products, costs, sums, entries), numbers, closed


def num_entries(algebra: Algebra, number: int) -> int:
    """Number of entries of a block; 1 for scalars and made-up algebras."""
    if not isinstance(algebra, BlockAlgebra):
        return 1
    structure = algebra.structure(number)
    if isinstance(structure, Operator):
        return structure.out_size * structure.in_size
    return max(1, sum(term.num_entries for term in structure))
