"""Compiled random walk over orders, for graphs of any size over any algebra.

Moving a vertex within an order changes the set that precedes the vertices in between by that one vertex, and most of
them do not notice: only those that are joined with it by a path through the set. They are found by following edges, so
a proposal prices a handful of vertices, not an order. The order is a linked list with labels that grow along it, so a
vertex moves in constant time however long the order is.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from elimax.elimination.kernel import DONE, inner, jit, resume_tables
from elimax.elimination.lists import NONE, ListGraph, Scratch, from_problem, new_scratch, pop, price, push
from elimax.elimination.problem import Problem
from elimax.elimination.random import below, new_state, uniform

NOW, BEST, ACCEPTED, STEP, STALE = 0, 1, 2, 3, 4
"""Positions in ``Walk.totals``."""

GAP = np.int64(1) << 40
NEVER = np.int64(1) << 62
"""Label of vertices that are not eliminated."""

MOST_VISITED = 4000
"""A move that would be noticed further away is not tried."""


class Walk(NamedTuple):
    """An order of n vertices in the course of annealing.

    Attributes:
      vertices: int64 [n] the vertices to eliminate.
      label: int64 [V] grows along the order.
      after, before: int64 [V + 1] the linked list; the last entry is its head.
      cost: int64 [V] price of each vertex at its position.
      best: int64 [V] labels of the best order so far.
      totals: int64 [5] cost now, best cost, accepted proposals, proposals, whether ``best`` has still to be written.
      changed, new_cost: int64 [V + 1] vertices that a proposal prices anew.
      latest: int64 [V] the least label that all paths to a vertex stay below, see `_noticing`.
      random: uint64 [1] state of the generator.
    """

    vertices: np.ndarray
    label: np.ndarray
    after: np.ndarray
    before: np.ndarray
    cost: np.ndarray
    best: np.ndarray
    totals: np.ndarray
    changed: np.ndarray
    new_cost: np.ndarray
    latest: np.ndarray
    random: np.ndarray


@inner
def _noticing(graph, scratch, walk, v, low, high):
    """Find who notices that ``v`` moves between the labels ``low`` and ``high``.

    It is every vertex in between that is joined with ``v`` by a path whose inner vertices are all eliminated before it.
    Vertices are passed in topological order, ``latest`` is the least possible label of the last inner vertex.

    Returns:
      Their number, or -1 if too many vertices had to be visited.
    """
    number, visited = np.int64(0), 0
    for direction in range(2):
        forward = direction == 0
        scratch.stamps[0] += 1
        stamp = scratch.stamps[0]
        size, p, last_label = np.int64(0), np.int64(v), np.int64(-1)
        while True:
            first = graph.out_start[p] if forward else graph.in_start[p]
            last = graph.out_start[p + 1] if forward else graph.in_start[p + 1]
            visited += last - first
            for e in range(first, last):
                q = graph.out_vertex[e] if forward else graph.in_vertex[e]
                if scratch.stamp[q] == stamp:
                    walk.latest[q] = min(walk.latest[q], last_label)
                elif walk.label[q] < high:
                    scratch.stamp[q] = stamp
                    walk.latest[q] = last_label
                    size = push(scratch.heap, size, q if forward else -q)
            if visited > MOST_VISITED:
                return NONE
            if size == 0:
                break
            p = pop(scratch.heap, size)
            size -= 1
            if not forward:
                p = -p
            last_label = walk.latest[p]
            if walk.label[p] > last_label:
                last_label = walk.label[p]
                if last_label > low:
                    walk.changed[number] = p
                    number += 1
    return number


@inner
def _relabel(walk):
    head = walk.label.size
    v, label = walk.after[head], GAP
    while v != head:
        walk.label[v] = label
        label += GAP
        v = walk.after[v]


@inner
def _label_beside(walk, x, later):
    """A free label just after or just before ``x``, or -1 if there is none."""
    head = walk.label.size
    beside = walk.after[x] if later else walk.before[x]
    if later:
        low = walk.label[x]
        high = walk.label[beside] if beside != head else low + 2 * GAP
    else:
        high = walk.label[x]
        low = walk.label[beside] if beside != head else np.int64(0)
    return low + (high - low) // 2 if high - low >= 2 else NONE


@inner
def _partner(graph, walk, v):
    """A vertex to move beside: one a few edges away, or sometimes any."""
    if below(walk.random, 8) == 0:
        return walk.vertices[below(walk.random, walk.vertices.size)]
    x = v
    while True:
        ins = graph.in_start[x + 1] - graph.in_start[x]
        outs = graph.out_start[x + 1] - graph.out_start[x]
        if ins + outs == 0:
            return v
        chosen = below(walk.random, ins + outs)
        if chosen < ins:
            x = graph.in_vertex[graph.in_start[x] + chosen]
        else:
            x = graph.out_vertex[graph.out_start[x] + chosen - ins]
        if uniform(walk.random) < 0.35:
            return x


@inner
def _evaluate(graph, tables, scratch, walk, v, label, number):
    """Price the vertices that notice ``v`` moving to a label, and ``v`` itself; returns a status and the change."""
    later = label > walk.label[v]
    new = price(graph, tables, scratch, v, walk.label, label, v, False)
    if new < 0:
        return -new, np.int64(0)
    walk.changed[number], walk.new_cost[number] = v, new
    delta = new - walk.cost[v]
    for k in range(number):
        x = walk.changed[k]
        new = price(graph, tables, scratch, x, walk.label, walk.label[x], v, not later)
        if new < 0:
            return -new, np.int64(0)
        walk.new_cost[k] = new
        delta += new - walk.cost[x]
    return np.int64(DONE), delta


@inner
def _accept(walk, v, x, label, number):
    later = label > walk.label[v]
    for k in range(number + 1):
        walk.cost[walk.changed[k]] = walk.new_cost[k]
    left, right = walk.before[v], walk.after[v]
    walk.after[left], walk.before[right] = right, left
    left, right = (x, walk.after[x]) if later else (walk.before[x], x)
    walk.after[left], walk.before[v], walk.after[v], walk.before[right] = v, left, right, v
    walk.label[v] = label


@inner
def _keep(walk):
    for v in range(walk.label.size):
        walk.best[v] = walk.label[v]
    walk.totals[STALE] = 0


@jit
def restart(graph, tables, scratch, walk, order, position):
    """Price an order from a position on; returns a status and the position reached."""
    head = walk.label.size
    if position == 0:
        left, walk.totals[NOW] = head, 0
        for k in range(order.size):
            v = order[k]
            walk.label[v] = (k + 1) * GAP
            walk.after[left], walk.before[v] = v, left
            left = v
        walk.after[left], walk.before[head] = head, left
    for k in range(position, order.size):
        v = order[k]
        new = price(graph, tables, scratch, v, walk.label, walk.label[v], NONE, False)
        if new < 0:
            return -new, k
        walk.cost[v] = new
        walk.totals[NOW] += new
    if walk.totals[NOW] < walk.totals[BEST]:
        walk.totals[BEST] = walk.totals[NOW]
        _keep(walk)
    return np.int64(DONE), order.size


@inner
def _place(graph, walk, v, x):
    """The label with which ``v`` comes next to ``x``, on the far side; -1 if that is no move."""
    if x == v or walk.label[x] == NEVER:
        return NONE
    later = walk.label[x] > walk.label[v]
    label = _label_beside(walk, x, later)
    if label < 0:
        if walk.totals[STALE]:
            _keep(walk)
        _relabel(walk)
        label = _label_beside(walk, x, later)
    return label


@inner
def _move(graph, tables, scratch, walk, v, x, temperature):
    """Propose to move ``v`` next to ``x``; returns a status."""
    label = _place(graph, walk, v, x)
    if label < 0:
        return np.int64(DONE)
    low, high = min(label, walk.label[v]), max(label, walk.label[v])
    number = _noticing(graph, scratch, walk, v, low, high)
    if number <= 0:
        return np.int64(DONE)
    status, delta = _evaluate(graph, tables, scratch, walk, v, label, number)
    if status == DONE and (delta <= 0 or delta < -temperature * math.log(uniform(walk.random))):
        if delta > 0 and walk.totals[STALE]:
            _keep(walk)
        _accept(walk, v, x, label, number)
        walk.totals[ACCEPTED] += 1
        walk.totals[NOW] += delta
        if walk.totals[NOW] < walk.totals[BEST]:
            walk.totals[BEST] = walk.totals[NOW]
            walk.totals[STALE] = 1
    return status


@jit
def anneal(graph, tables, scratch, walk, steps, hot, ratio, floor):
    """Propose moves until ``steps`` have been made, counted in ``walk.totals``, or the best cost reaches ``floor``.

    Args:
      graph: `ListGraph`.
      tables: `TableArrays`.
      scratch: `Scratch`.
      walk: `Walk`.
      steps: number of proposals.
      hot: temperature of the first.
      ratio: factor from one to the next.
      floor: lower bound on the cost.

    Returns:
      A status; if something is missing the proposal that needs it will be made again.
    """
    temperature = hot * ratio ** walk.totals[STEP]
    while walk.totals[STEP] < steps and walk.totals[BEST] > floor:
        random = walk.random[0]
        v = walk.vertices[below(walk.random, walk.vertices.size)]
        x = _partner(graph, walk, v)
        status = _move(graph, tables, scratch, walk, v, x, temperature)
        if status != DONE:
            walk.random[0] = random
            return status
        walk.totals[STEP] += 1
        temperature *= ratio
    if walk.totals[STALE]:
        _keep(walk)
    return np.int64(DONE)


class Annealer:
    """A random walk over the orders of a graph.

    Args:
      problem: the graph and the cost rule, with at least one vertex to eliminate.
      order: where to start.
      seed: of the random numbers.
    """

    def __init__(self, problem: Problem, order: tuple[int, ...], seed: int):
        self._problem = problem
        self._graph: ListGraph = from_problem(problem)
        self._scratch: Scratch = new_scratch(problem)
        size = problem.num_vertices
        after, before, changed, new_cost = (np.zeros(size + 1, np.int64) for _ in range(4))
        self._walk = Walk(
            vertices=np.array(problem.eliminable, np.int64),
            label=np.full(size, NEVER, np.int64),
            after=after,
            before=before,
            cost=np.zeros(size, np.int64),
            best=np.full(size, NEVER, np.int64),
            totals=np.array([0, np.iinfo(np.int64).max, 0, 0, 0], np.int64),
            changed=changed,
            new_cost=new_cost,
            latest=np.zeros(size, np.int64),
            random=new_state(seed),
        )
        self.start_from(order)

    @property
    def best_cost(self) -> int:
        """Cost of the best order so far."""
        return int(self._walk.totals[BEST])

    @property
    def best_order(self) -> tuple[int, ...]:
        """The best order so far."""
        vertices = self._walk.vertices
        return tuple(vertices[np.argsort(self._walk.best[vertices], kind="stable")].tolist())

    def start_from(self, order: tuple[int, ...]) -> None:
        """Go on from another order."""
        vertices = np.array(order, np.int64)
        state = self._graph, self._problem.algebra.tables.arrays(), self._scratch, self._walk
        status, position = restart(*state, vertices, 0)
        while status != DONE:
            tables = resume_tables(self._problem, int(status), self._scratch.request)
            status, position = restart(self._graph, tables, self._scratch, self._walk, vertices, position)

    def run(self, steps: int, hot: float, cold: float, floor: int = 0) -> int:
        """Propose moves while the temperature falls.

        Args:
          steps: number of proposals.
          hot: temperature at the beginning: a move that costs this much more is accepted once in e times.
          cold: temperature at the end.
          floor: stop when the best cost reaches it.

        Returns:
          The number of proposals made.
        """
        self._walk.totals[STEP] = 0
        ratio = (cold / hot) ** (1.0 / max(1, steps))
        tables = self._problem.algebra.tables.arrays()
        while True:
            status = anneal(self._graph, tables, self._scratch, self._walk, steps, float(hot), float(ratio), floor)
            if status == DONE:
                return int(self._walk.totals[STEP])
            tables = resume_tables(self._problem, int(status), self._scratch.request)
