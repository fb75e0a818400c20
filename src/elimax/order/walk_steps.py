"""Simulated annealing over sequences of vertex and edge eliminations, compiled, for small scalar graphs.

A sequence names every vertex once, so that it is complete whatever edges are eliminated in between; an edge step whose
edge is not there does nothing.
"""

from __future__ import annotations

import numba
import numpy as np

from elimax.elimination.random import below, uniform

VERTEX, FRONT, BACK = 0, 1, 2
_ABSENT = -1


@numba.njit(cache=True, nogil=True)
def _join(kinds, source, target, left, right, costs):
    """Put the product of two partials on an edge; returns its cost."""
    new = max(left, right)
    old = kinds[source, target]
    if old != _ABSENT:
        new = max(max(old, new), 1)  # a sum is a constant at best
    kinds[source, target] = new
    return costs[left, right]


@numba.njit(cache=True, nogil=True)
def apply_step(kinds, is_input, is_output, costs, kind, a, b):
    """Carry out one step on the matrix of edge kinds; returns its cost, or -1 if there is nothing to do."""
    num = kinds.shape[0]
    cost = 0
    if kind == VERTEX:
        for source in range(a):
            right = kinds[source, a]
            if right == _ABSENT:
                continue
            for target in range(a + 1, num):
                left = kinds[a, target]
                if left != _ABSENT:
                    cost += _join(kinds, source, target, left, right, costs)
        for target in range(a + 1, num):
            kinds[a, target] = _ABSENT
        if not is_output[a]:
            for source in range(a):
                kinds[source, a] = _ABSENT
        return cost
    own = kinds[a, b]
    if own == _ABSENT:
        return -1
    if kind == FRONT:
        if is_output[b]:
            return -1
        found = False
        for target in range(b + 1, num):
            left = kinds[b, target]
            if left != _ABSENT:
                found = True
                cost += _join(kinds, a, target, left, own, costs)
        if not found:
            return -1
    else:
        if is_input[a]:
            return -1
        for source in range(a):
            right = kinds[source, a]
            if right != _ABSENT:
                cost += _join(kinds, source, b, own, right, costs)
    kinds[a, b] = _ABSENT
    return cost


@numba.njit(cache=True, nogil=True)
def price(kinds, is_input, is_output, costs, steps, count, limit):
    """Cost of a sequence, or something above ``limit`` as soon as it is certain to exceed it."""
    cost = 0
    for k in range(count):
        own = apply_step(kinds, is_input, is_output, costs, steps[k, 0], steps[k, 1], steps[k, 2])
        if own > 0:
            cost += own
            if cost > limit:
                return cost
    return cost


@numba.njit(cache=True, nogil=True)
def _random_edge(kinds, steps, count, start, state):
    """Choose a live edge at a random vertex still to come; returns (kind, source, target), or kind -1 for none."""
    num = kinds.shape[0]
    for _ in range(8):
        pick = start + below(state, count - start)
        if steps[pick, 0] != VERTEX:
            continue
        v = steps[pick, 1]
        degree = 0
        for u in range(num):
            degree += (kinds[u, v] != _ABSENT) + (kinds[v, u] != _ABSENT)
        if degree == 0:
            continue
        chosen = below(state, degree)
        kind = FRONT if below(state, 2) == 0 else BACK
        for u in range(num):
            if kinds[u, v] != _ABSENT:
                if chosen == 0:
                    return kind, u, v
                chosen -= 1
            if kinds[v, u] != _ABSENT:
                if chosen == 0:
                    return kind, v, u
                chosen -= 1
    return -1, 0, 0


@numba.njit(cache=True, nogil=True)
def walk(initial, is_input, is_output, costs, steps, count, evaluations, hot, cold, state):
    """Anneal a sequence.

    Args:
      initial: int8 [V, V] kind of each edge, -1 for none.
      is_input: bool [V].
      is_output: bool [V].
      costs: int64 [3, 3] cost of a product by the kinds of its factors.
      steps: int32 [capacity, 3] the sequence, as (kind, a, b); changed in place.
      count: number of steps.
      evaluations: how many sequences to price.
      hot: first temperature.
      cold: last temperature.
      state: of the random numbers, see `elimax.elimination.random`.

    Returns:
      The best sequence, its length and its cost.
    """
    capacity = steps.shape[0]
    kinds = initial.copy()
    current = price(kinds, is_input, is_output, costs, steps, count, 1 << 60)
    best, best_count, best_steps = current, count, steps.copy()
    trial = steps.copy()
    for evaluation in range(evaluations):
        temperature = hot * (cold / hot) ** (evaluation / evaluations)
        trial[:count] = steps[:count]
        new_count = count
        move = below(state, 10)
        if move < 3 and count < capacity:
            at = below(state, count)
            kinds[:] = initial
            price(kinds, is_input, is_output, costs, steps, at, 1 << 60)
            kind, a, b = _random_edge(kinds, steps, count, at, state)
            if kind < 0:
                continue
            trial[at + 1 : count + 1] = steps[at:count]
            trial[at, 0], trial[at, 1], trial[at, 2] = kind, a, b
            new_count = count + 1
        elif move < 5:
            at = below(state, count)
            if steps[at, 0] == VERTEX:
                continue
            trial[at : count - 1] = steps[at + 1 : count]
            new_count = count - 1
        elif move < 7:
            i, j = below(state, count), below(state, count)
            for k in range(3):
                trial[i, k], trial[j, k] = steps[j, k], steps[i, k]
        else:
            i, j = below(state, count), below(state, count)
            if i < j:
                trial[i:j] = steps[i + 1 : j + 1]
            else:
                trial[j + 1 : i + 1] = steps[j:i]
            trial[j] = steps[i]
        limit = current - temperature * np.log(uniform(state))
        kinds[:] = initial
        cost = price(kinds, is_input, is_output, costs, trial, new_count, int(limit))
        if cost <= limit:
            current, count = cost, new_count
            steps[:count] = trial[:count]
            if cost < best:
                best, best_count = cost, count
                best_steps[:count] = steps[:count]
    return best_steps, best_count, best
