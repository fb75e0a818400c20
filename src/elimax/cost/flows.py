"""Compiled minimum vertex cuts for graphs of which a part of the order is decided.

The question is how few edges of a kind a vertex ``v`` can have when it is eliminated, if some vertices come before it
and some after, and all others as it suits ``v``. A vertex that comes before cannot be in the cut, one that
comes after has to be cut off as if it were an input. Edges that are too strong to count (units, or constants) do
not count either at the end of a path, so paths live in two layers: as strong as that so far, or not.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from elimax.elimination.kernel import inner, jit
from elimax.elimination.problem import Problem
from elimax.structure.term import Kind

FREE, BEFORE, AFTER = 0, 1, 2
"""Entries of ``Flows.mark``."""

PASSES, ENDS, COUNTS = 0, 1, 2
"""Entries of ``Side.role``: an intermediate; an end of all paths; an output, which counts even when eliminated."""


SHIFT = 16
"""Two cuts share a number: that behind variable edges is shifted by so many bits."""


class Side(NamedTuple):
    """Edges followed away from a vertex, towards the inputs or towards the outputs.

    Attributes:
      start, vertex, edge: int64 [V + 1], [E], [E] edges onwards: where they lead and their number.
      back_start, back_vertex, back_edge: the same against the direction.
      role: int64 [V].
    """

    start: np.ndarray
    vertex: np.ndarray
    edge: np.ndarray
    back_start: np.ndarray
    back_vertex: np.ndarray
    back_edge: np.ndarray
    role: np.ndarray


class Flows(NamedTuple):
    """A scalar graph and working space.

    Attributes:
      kind: int64 [E].
      published: bool [1] whether every product counts.
      mark: int64 [V] what is decided about the vertex in question.
      flow, through, taken: int64 [2 E], [2 V], [V] paths over an edge and through a vertex by layer, paths that end.
      seen, source, edge, queue: int64 [4 V] breadth-first search over vertices, layers, and being entered or left.
      stamp: int64 [1].
    """

    kind: np.ndarray
    published: np.ndarray
    mark: np.ndarray
    flow: np.ndarray
    through: np.ndarray
    taken: np.ndarray
    seen: np.ndarray
    source: np.ndarray
    edge: np.ndarray
    queue: np.ndarray
    stamp: np.ndarray


def from_problem(problem: Problem) -> tuple[Flows, Side, Side]:
    """Working space, the side towards the inputs, and the side towards the outputs of a scalar problem."""
    size, edges = problem.num_vertices, problem.sources.size
    published = problem.rule == "published"
    kind = np.full(edges, int(Kind.VARIABLE), np.int64) if published else problem.structures.astype(np.int64)
    upwards = _lists(size, problem.targets, problem.sources)
    downwards = _lists(size, problem.sources, problem.targets)
    role_in, role_out = np.zeros(size, np.int64), np.zeros(size, np.int64)
    role_in[list(problem.inputs)] = ENDS
    eliminable = set(problem.eliminable)
    for v in problem.outputs:
        role_out[v] = COUNTS if v in eliminable else ENDS
    space = [np.zeros(k, np.int64) for k in (size, 2 * edges, 2 * size, size, *[4 * size + 1] * 4, 1)]
    flows = Flows._make([kind, np.array([published]), *space])
    return flows, Side._make([*upwards, *downwards, role_in]), Side._make([*downwards, *upwards, role_out])


def _lists(size: int, here: np.ndarray, there: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(here, kind="stable").astype(np.int64)
    start = np.zeros(size + 1, np.int64)
    start[1:] = np.cumsum(np.bincount(here, minlength=size))
    return [start, there[order].astype(np.int64), order]


@inner
def _enter(flows, state, source, edge, tail):
    """Put a state on the queue if it is new; returns the end of the queue."""
    if flows.seen[state] == flows.stamp[0]:
        return tail
    flows.seen[state] = flows.stamp[0]
    flows.source[state] = source
    flows.edge[state] = edge
    flows.queue[tail] = state
    return tail + 1


@inner
def _leave(flows, side, v, state, level, tail):
    """Continue from a vertex that is left. A state is ``4 vertex + 2 layer + left``."""
    u, layer = state >> 2, (state >> 1) & 1
    for k in range(side.start[u], side.start[u + 1]):
        w, e = side.vertex[k], side.edge[k]
        after = 1 if layer == 1 or flows.kind[e] >= level else 0
        if after == 1 or flows.mark[w] == BEFORE:
            tail = _enter(flows, 4 * w + 2 * after, state, e, tail)
    if u != v and flows.through[2 * u + layer] > 0:
        tail = _enter(flows, state - 1, state, np.int64(-1), tail)
    return tail


@inner
def _pass(flows, side, state, level, tail):
    """Continue from a vertex that is entered; returns the end of the queue and whether the path can end here."""
    u, layer = state >> 2, (state >> 1) & 1
    before, role = flows.mark[u] == BEFORE, side.role[u]
    ending = layer == 1 and (role != PASSES if before else role != PASSES or flows.mark[u] == AFTER)
    if ending and flows.taken[u] == 0:
        return tail, True
    if before or (not ending and flows.through[2 * u + layer] == 0):
        tail = _enter(flows, state + 1, state, np.int64(-1), tail)
    for k in range(side.back_start[u], side.back_start[u + 1]):
        p, e = side.back_vertex[k], side.back_edge[k]
        if layer == 1 and flows.flow[2 * e + 1] > 0:
            tail = _enter(flows, 4 * p + 3, state, e, tail)
        if flows.flow[2 * e] > 0 and (flows.kind[e] >= level) == (layer == 1):
            tail = _enter(flows, 4 * p + 1, state, e, tail)
    return tail, False


@inner
def _augment(flows, state):
    """Add the path that leads to a state."""
    flows.taken[state >> 2] = 1
    while flows.source[state] >= 0:
        previous = flows.source[state]
        if previous >> 2 == state >> 2:
            flows.through[state >> 1] += 1 if state & 1 else -1
        elif previous & 1:
            flows.flow[2 * flows.edge[state] + ((previous >> 1) & 1)] += 1
        else:
            flows.flow[2 * flows.edge[state] + ((state >> 1) & 1)] -= 1
        state = previous


@inner
def cut(flows, side, v, level):
    """Least number of edges of ``v`` on a side whose kind is at least ``level``, as ``flows.mark`` is decided."""
    for e in range(flows.flow.size):
        flows.flow[e] = 0
    for u in range(flows.taken.size):
        flows.taken[u] = 0
        flows.through[2 * u] = 0
        flows.through[2 * u + 1] = 0
    value = np.int64(0)
    while True:
        flows.stamp[0] += 1
        head, tail, found = 0, _enter(flows, 4 * v + 1, np.int64(-1), np.int64(-1), 0), np.int64(-1)
        while head < tail and found < 0:
            state = flows.queue[head]
            head += 1
            if state & 1:
                tail = _leave(flows, side, v, state, level, tail)
            else:
                tail, ends = _pass(flows, side, state, level, tail)
                if ends:
                    found = state
        if found < 0:
            return value
        _augment(flows, found)
        value += 1


@inner
def _count_decided(flows, side, v):
    """Numbers of edges of ``v`` on a side, non-units and variable ones in one number, if they are decided; else -1.

    They are if every path from ``v`` ends or meets a vertex that comes after before it meets one that is free.
    """
    flows.stamp[0] += 1
    tail = _enter(flows, 4 * v, np.int64(-1), np.int64(-1), 0)
    head = 0
    while head < tail:
        u = flows.queue[head] >> 2
        head += 1
        if u != v and flows.mark[u] != BEFORE:
            if flows.mark[u] == FREE and side.role[u] != ENDS:
                return np.int64(-1)
            continue
        for k in range(side.start[u], side.start[u + 1]):
            w = side.vertex[k]
            if flows.seen[4 * w] != flows.stamp[0]:
                tail = _enter(flows, 4 * w, np.int64(-1), np.int64(-1), tail)
                flows.taken[w] = 0
                flows.through[w] = -1
            flows.taken[w] += 1  # edges that still have to be followed to w

    known, variable = np.int64(0), np.int64(0)
    flows.queue[0], head, tail = v, 0, 1
    while head < tail:
        u = flows.queue[head]
        head += 1
        passed = u == v or flows.mark[u] == BEFORE
        if u != v and (not passed or side.role[u] == COUNTS):
            known += flows.through[u] >= 1
            variable += flows.through[u] >= 2
        if not passed:
            continue
        for k in range(side.start[u], side.start[u + 1]):
            w = side.vertex[k]
            kind = flows.kind[side.edge[k]] if u == v else max(flows.kind[side.edge[k]], flows.through[u])
            if flows.through[w] < 0:
                flows.through[w] = kind
            else:
                flows.through[w] = max(max(flows.through[w], kind), 1)  # a sum of units is a constant
            flows.taken[w] -= 1
            if flows.taken[w] == 0:
                flows.queue[tail] = w
                tail += 1
    return known | variable << SHIFT


@inner
def cuts(flows, side, v):
    """Least numbers of edges of ``v`` on a side, non-units and, shifted by `SHIFT`, variable ones.

    They are the true numbers if ``flows.mark`` decides all that matters.
    """
    if flows.published[0]:
        number = cut(flows, side, v, np.int64(2))
        return number | number << SHIFT
    decided = _count_decided(flows, side, v)
    if decided >= 0:
        return decided
    return cut(flows, side, v, np.int64(1)) | cut(flows, side, v, np.int64(2)) << SHIFT


@inner
def price_of_cuts(above, below):
    """Least price of a vertex from its `cuts` on both sides, see `elimax.cost.bounds.least_cost`."""
    mask = (1 << SHIFT) - 1
    known_in, variable_in, known_out, variable_out = above & mask, above >> SHIFT, below & mask, below >> SHIFT
    return known_in * known_out - (known_in - variable_in) * (known_out - variable_out)


@jit
def least_price(flows, above, below, v):
    """Least cost of ``v`` over all sets that agree with ``flows.mark``.

    Args:
      flows: `Flows`.
      above: the side towards the inputs.
      below: the side towards the outputs.
      v: the vertex.

    Returns:
      A lower bound; under the published rule some set attains it, under the executed rule if all is decided.
    """
    return price_of_cuts(cuts(flows, above, v), cuts(flows, below, v))
