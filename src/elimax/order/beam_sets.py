"""One step of beam search over sets of eliminated vertices, compiled, for scalar graphs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from elimax.cost.pattern import Pattern, look_up, saving
from elimax.elimination.kernel import inner, jit
from elimax.elimination.problem import Problem
from elimax.elimination.sets import SetGraph, from_problem, holds, insert, mixed, price, reduce, slot_of
from elimax.order.best_first import choose, new_frame

CHUNK = 256
"""Sets between looks at the clock."""


class Level(NamedTuple):
    """Sets of one size.

    Attributes:
      key: uint64 [N, W] the eliminated vertices.
      cost, left: int64 [N] cost so far, and least cost of what is left.
      before, last: int32 [N] the set of the level before, and the vertex eliminated last.
    """

    key: np.ndarray
    cost: np.ndarray
    left: np.ndarray
    before: np.ndarray
    last: np.ndarray


class Found(NamedTuple):
    """Sets that a level leads to, more than once if there is more than one way.

    Attributes:
      before, last: int32 [M] the set it came from, and the vertex eliminated last.
      cost, left: int64 [M].
      tie: uint64 [M] hash of the set.
    """

    before: np.ndarray
    last: np.ndarray
    cost: np.ndarray
    left: np.ndarray
    tie: np.ndarray


@jit
def _expand(graph, pattern, frame, level, first, last, best, seed, found):
    """Write down what sets ``first`` to ``last`` lead to below ``best``; returns the number."""
    number = np.int64(0)
    for position in range(first, last):
        eliminated = level.key[position]
        reduce(graph, eliminated)
        look_up(pattern, eliminated, frame.entry)
        choose(graph, frame, eliminated)
        for i in range(graph.vertices.size):
            v = graph.vertices[i]
            if not holds(frame.allowed, v):
                continue
            cost = level.cost[position] + price(graph, v)
            left = level.left[position] - saving(pattern, frame.entry, v)
            if cost + left >= best:
                continue
            frame.new[:] = eliminated
            insert(frame.new, v)
            found.before[number], found.last[number] = position, v
            found.cost[number], found.left[number] = cost, left
            found.tie[number] = mixed(frame.new) ^ seed
            number += 1
    return number


@inner
def _copy(level, found, choice, following, number):
    following.key[number] = level.key[found.before[choice]]
    insert(following.key[number], found.last[choice])
    following.cost[number], following.left[number] = found.cost[choice], found.left[choice]
    following.before[number], following.last[number] = found.before[choice], found.last[choice]


@jit
def _select(level, found, ranking, slots, following):
    """Keep sets in the order of ``ranking``, each once, until there is no more room.

    Returns:
      The number kept, and whether all were.
    """
    number = 0
    for k in range(ranking.size):
        choice = ranking[k]
        if number == following.cost.size:
            return number, False
        _copy(level, found, choice, following, number)
        slot = slot_of(slots, following.key, following.key[number])
        known = slots[slot]
        if known < 0:
            slots[slot] = number
            number += 1
        elif found.cost[choice] < following.cost[known]:
            _copy(level, found, choice, following, known)
    return number, True


@jit
def _root(pattern, frame):
    frame.new[:] = 0
    return look_up(pattern, frame.new, frame.entry)


class SetBeam:
    """Beam search over the sets of a problem.

    Args:
      problem: a problem with a `ScalarAlgebra`.
      pattern: least cost of what is left after a set.
      seed: decides among sets that rank the same.
    """

    def __init__(self, problem: Problem, pattern: Pattern, seed: int):
        self._graph: SetGraph = from_problem(problem)
        self._pattern, self._frame = pattern, new_frame(problem, pattern)
        self._seed = np.uint64((seed * 0x9E3779B97F4A7C15) % (1 << 64))
        self._trace: list[tuple[np.ndarray, np.ndarray]] = []
        self.start()

    def start(self) -> None:
        """Begin anew with the set of none."""
        left = int(_root(self._pattern, self._frame))
        self.level = _new_level(1, self._frame.new.size)
        self.level.left[0] = left
        self._trace, self.complete = [], True

    @property
    def num_sets(self) -> int:
        """Number of sets of the level."""
        return self.level.cost.size

    def advance(self, width: int, best: int, weight: float) -> Iterator[int]:
        """Go on to sets with one vertex more.

        Args:
          width: number of sets to keep at most.
          best: sets that cannot lead below this cost are dropped.
          weight: of the least cost of what is left, in the ranking.

        Yields:
          The number of sets gone on from, after each piece of work; the level has advanced when it ends.
        """
        pieces, size = [], self.level.cost.size
        for first in range(0, size, CHUNK):
            last = min(size, first + CHUNK)
            found = _new_found((last - first) * self._graph.vertices.size)
            state = self._graph, self._pattern, self._frame, self.level
            number = _expand(*state, first, last, best, self._seed, found)
            pieces.append([array[:number] for array in found])
            yield last - first
        found = Found._make(np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
        ranking = np.lexsort((found.tie, found.cost + weight * found.left))
        following = _new_level(min(width, ranking.size), self.level.key.shape[1])
        slots = np.full(2 << max(1, following.cost.size).bit_length(), -1, np.int32)
        number, complete = _select(self.level, found, ranking, slots, following)
        self.complete &= bool(complete)
        self.level = Level(*(array[:number] for array in following))
        self._trace.append((self.level.before, self.level.last))

    def order(self) -> tuple[int, ...]:
        """The order that leads to the cheapest set of the level."""
        position, found = int(np.argmin(self.level.cost)), []
        for before, last in reversed(self._trace):
            found.append(int(last[position]))
            position = int(before[position])
        return tuple(found[::-1])


def _new_level(size: int, words: int) -> Level:
    key, cost, left = np.zeros((size, words), np.uint64), np.zeros(size, np.int64), np.zeros(size, np.int64)
    return Level(key, cost, left, np.zeros(size, np.int32), np.zeros(size, np.int32))


def _new_found(size: int) -> Found:
    before, last = np.zeros(size, np.int32), np.zeros(size, np.int32)
    return Found(before, last, np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size, np.uint64))
