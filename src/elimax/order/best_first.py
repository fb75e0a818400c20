"""Best-first search (A*, Hart, Nilsson & Raphael 1968) over sets of eliminated vertices, compiled.

The edges of a scalar graph after eliminating a set depend on the set alone, so a set is met once, at its least cost.
It waits in the stack of its cost so far plus the least cost of what is left; the stacks are emptied in ascending order,
and the number of the one at hand bounds every order. Sets that cannot beat the best known order are not kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from elimax.cost.bounds import vertex_bounds
from elimax.cost.pattern import Pattern, look_up, saving
from elimax.elimination.kernel import inner, jit
from elimax.elimination.problem import Problem
from elimax.elimination.sets import SetGraph, from_problem, holds, insert, price, reduce, slot_of
from elimax.order.dominance import component, settled

DONE, MORE, FULL = 0, 1, 2
"""How `_search` ends: nothing is left below the best order, there is more to do, there is no more room."""

SIZE, BEST, GOAL, LEVEL, EXPANDED = 0, 1, 2, 3, 4
"""Positions in ``Sets.totals``."""

NONE = np.int32(-1)
FIRST = 1 << 12
"""Room for sets at the beginning."""


class Sets(NamedTuple):
    """Sets met so far, with room for N of them.

    Attributes:
      key: uint64 [N, W] the eliminated vertices.
      cost, left: int32 [N] least cost so far, and least cost of what is left.
      before, last: int32 [N] the set it came from, and the vertex eliminated last.
      below: int32 [N] the next set on the stack.
      stale: bool [N] whether the set has been met again at a lower cost.
      slots: int32 [2 N] hash table of sets by key.
      heads: int32 [B] the top of each stack.
      totals: int64 [5] number of sets, cost of the best order, its last set, the stack at hand, sets expanded.
    """

    key: np.ndarray
    cost: np.ndarray
    left: np.ndarray
    before: np.ndarray
    last: np.ndarray
    below: np.ndarray
    stale: np.ndarray
    slots: np.ndarray
    heads: np.ndarray
    totals: np.ndarray


class Frame(NamedTuple):
    """What does not change, and working space.

    Attributes:
      is_eliminable: bool [V].
      least: int64 [V] lower bounds on the cost of each vertex after any set.
      all_vertices: uint64 [W] the vertices to eliminate.
      new, allowed: uint64 [W] a new set, and the vertices to try.
      entry: int64 [groups] see `elimax.cost.pattern.look_up`.
    """

    is_eliminable: np.ndarray
    least: np.ndarray
    all_vertices: np.ndarray
    new: np.ndarray
    allowed: np.ndarray
    entry: np.ndarray


def new_frame(problem: Problem, pattern: Pattern) -> Frame:
    """What does not change in a search over the sets of a scalar problem."""
    words = max(1, -(-problem.num_vertices // 64))
    is_eliminable, least = np.zeros(problem.num_vertices, np.bool_), np.zeros(problem.num_vertices, np.int64)
    all_vertices = np.zeros(words, np.uint64)
    for v, bound in vertex_bounds(problem).items():
        is_eliminable[v], least[v] = True, bound
        all_vertices[v >> 6] |= np.uint64(1 << (v & 63))
    space = np.zeros(words, np.uint64), np.zeros(words, np.uint64), np.zeros(pattern.offset.size, np.int64)
    return Frame(is_eliminable, least, all_vertices, *space)


def bytes_of_set(words: int) -> int:
    """Memory that a set takes, in bytes."""
    return 8 * words + 5 * 4 + 1 + 8


def _make(room: int, words: int, heads: np.ndarray, totals: np.ndarray) -> Sets:
    return Sets(
        np.zeros((room, words), np.uint64),
        *(np.zeros(room, np.int32) for _ in range(5)),
        stale=np.zeros(room, np.bool_),
        slots=np.full(2 * room, NONE, np.int32),
        heads=heads,
        totals=totals,
    )


@jit
def _rehash(sets):
    for number in range(sets.totals[SIZE]):
        if not sets.stale[number]:
            sets.slots[slot_of(sets.slots, sets.key, sets.key[number])] = number


@inner
def _push(sets, key, cost, left, before, last):
    """Keep a set unless it is known at no higher cost."""
    slot = slot_of(sets.slots, sets.key, key)
    known = sets.slots[slot]
    if known != NONE:
        if sets.cost[known] <= cost:
            return
        sets.stale[known] = True
    number = sets.totals[SIZE]
    sets.totals[SIZE] += 1
    sets.slots[slot] = number
    sets.key[number] = key
    sets.cost[number], sets.left[number] = cost, left
    sets.before[number], sets.last[number] = before, last
    sets.below[number] = sets.heads[cost + left]
    sets.heads[cost + left] = number


@jit
def _begin(pattern, sets, frame):
    frame.new[:] = 0
    _push(sets, frame.new, 0, look_up(pattern, frame.new, frame.entry), NONE, NONE)


@inner
def choose(graph, frame, eliminated):
    """Fill ``frame.allowed`` with the vertices of which one can come next."""
    for k in range(eliminated.size):
        frame.new[k] = frame.all_vertices[k] & ~eliminated[k]
    component(graph, frame.new, frame.allowed)
    for i in range(graph.vertices.size):
        v = graph.vertices[i]
        if holds(frame.allowed, v) and settled(graph, eliminated, frame.is_eliminable, frame.least, v):
            frame.allowed[:] = 0
            insert(frame.allowed, v)
            return


@inner
def _expand(graph, pattern, sets, frame, number):
    eliminated, cost, left = sets.key[number], sets.cost[number], sets.left[number]
    reduce(graph, eliminated)
    look_up(pattern, eliminated, frame.entry)
    choose(graph, frame, eliminated)
    for i in range(graph.vertices.size):
        v = graph.vertices[i]
        if not holds(frame.allowed, v):
            continue
        new_cost = cost + price(graph, v)
        new_left = left - saving(pattern, frame.entry, v)
        if new_cost + new_left >= sets.totals[BEST]:
            continue
        frame.new[:] = eliminated
        insert(frame.new, v)
        before = sets.totals[SIZE]
        _push(sets, frame.new, new_cost, new_left, number, v)
        complete = True
        for k in range(frame.new.size):
            complete &= frame.new[k] == frame.all_vertices[k]
        if complete and sets.totals[SIZE] > before:
            sets.totals[BEST], sets.totals[GOAL] = new_cost, before


@jit
def _search(graph, pattern, sets, frame, steps):
    """Expand at most so many sets; returns how it ended."""
    totals = sets.totals
    for _ in range(steps):
        while totals[LEVEL] < totals[BEST] and sets.heads[totals[LEVEL]] == NONE:
            totals[LEVEL] += 1
        if totals[LEVEL] >= totals[BEST]:
            return DONE
        if totals[SIZE] + graph.vertices.size > sets.cost.size:
            return FULL
        number = sets.heads[totals[LEVEL]]
        sets.heads[totals[LEVEL]] = sets.below[number]
        if not sets.stale[number]:
            totals[EXPANDED] += 1
            _expand(graph, pattern, sets, frame, number)
    return MORE


class BestFirst:
    """A search for an order that is cheaper than a known one, or for the proof that there is none.

    Args:
      problem: a problem with a `ScalarAlgebra`.
      pattern: least cost of what is left after a set.
      best: cost of the known order.
      memory: bytes that the sets may take.
    """

    def __init__(self, problem: Problem, pattern: Pattern, best: int, memory: int):
        self._graph: SetGraph = from_problem(problem)
        self._pattern = pattern
        words = self._graph.ins.shape[2]
        self._frame = new_frame(problem, pattern)
        self._most = max(FIRST, memory // bytes_of_set(words))
        heads, totals = np.full(best + 1, NONE, np.int32), np.array([0, best, NONE, 0, 0], np.int64)
        self._sets = _make(FIRST, words, heads, totals)
        if best > 0 and int(pattern.left[pattern.offset].sum()) < best:
            _begin(pattern, self._sets, self._frame)

    @property
    def best_cost(self) -> int:
        """Cost of the best order, the known one included."""
        return int(self._sets.totals[BEST])

    @property
    def bound(self) -> int:
        """No order costs less."""
        return int(self._sets.totals[LEVEL])

    @property
    def expanded(self) -> int:
        """Number of sets from which the search has gone on."""
        return int(self._sets.totals[EXPANDED])

    @property
    def num_sets(self) -> int:
        """Number of sets kept."""
        return int(self._sets.totals[SIZE])

    def best_order(self) -> tuple[int, ...] | None:
        """The order found, None if none is cheaper than the known one."""
        number, found = int(self._sets.totals[GOAL]), []
        while number > 0:
            found.append(int(self._sets.last[number]))
            number = int(self._sets.before[number])
        return tuple(found[::-1]) if found else None

    def beat(self, best: int) -> None:
        """Do not keep sets that cannot lead below a cost."""
        if best < self.best_cost:
            self._sets.totals[BEST], self._sets.totals[GOAL] = best, NONE

    def run(self, steps: int) -> bool:
        """Go on from at most so many sets; returns whether there is more to do and room to do it."""
        ended = self._run(steps)
        while ended == FULL and self._grow():
            ended = self._run(steps)
        return ended == MORE

    def _run(self, steps: int) -> int:
        return int(_search(self._graph, self._pattern, self._sets, self._frame, steps))

    def _grow(self) -> bool:
        """Make more room; returns False if the memory is used up."""
        old, size = self._sets, self.num_sets
        room = 2 * old.cost.size
        if room > self._most:
            return False
        self._sets = _make(room, old.key.shape[1], old.heads, old.totals)
        for new_array, old_array in zip(self._sets[:7], old[:7], strict=True):
            new_array[:size] = old_array[:size]
        _rehash(self._sets)
        return True
