"""What each move loses against an order that an expert would follow, compiled.

The set of vertices that are gone decides the position, so an order of the others says how to go on from any position. A
move is worth as much as the expert's order with that vertex first: moves that commute lose nothing, whichever of them
the order names first.
"""

from __future__ import annotations

import numpy as np

from elimax.agent.classes import MISSING, Classes
from elimax.elimination.algebra import ScalarAlgebra
from elimax.elimination.kernel import inner, jit
from elimax.elimination.random import below

NEVER = 1 << 40
"""Cost of an order that meets a structure which the table lacks."""


def scalar_classes(rule: str) -> Classes:
    """The algebra of scalars as a table of classes: the number of the kind and one; one class under the published rule.

    Args:
      rule: "published" or "executed".
    """
    algebra, number = ScalarAlgebra(rule), 1 if rule == "published" else 3
    kinds = [2] if number == 1 else [0, 1, 2]
    products, costs, sums = (np.zeros((number + 1, number + 1), np.int32) for _ in range(3))
    sums[0] = sums[:, 0] = np.arange(number + 1)
    for i, left in enumerate(kinds):
        for j, right in enumerate(kinds):
            new, costs[i + 1, j + 1] = algebra.product(left, right)
            products[i + 1, j + 1] = kinds.index(new) + 1
            sums[i + 1, j + 1] = kinds.index(algebra.sum(left, right)) + 1
    return Classes(products, costs, sums, np.ones(number + 1, np.float32))


@inner
def _eliminate(edges, v, is_output, products, costs, sums, into):
    """Eliminate ``v`` from ``edges`` uint8 [A, A]; returns the cost, or `NEVER`."""
    size, number, cost = edges.shape[0], 0, np.int64(0)
    for u in range(size):
        if edges[u, v] > 0:
            into[number] = u
            number += 1
    for w in range(size):
        left = edges[v, w]
        if left == 0:
            continue
        edges[v, w] = 0
        for k in range(number):
            u = into[k]
            right = edges[u, v]
            product = products[left, right]
            if product == MISSING:
                return np.int64(NEVER)
            total = sums[edges[u, w], product]
            if total == MISSING:
                return np.int64(NEVER)
            cost += costs[left, right]
            edges[u, w] = total
    if not is_output[v]:
        for k in range(number):
            edges[into[k], v] = 0
    return cost


@inner
def _follow(edges, first, order, is_output, products, costs, sums, into, most):
    """Cost of eliminating ``first``, unless it is negative, and then the others in order; stops beyond ``most``."""
    cost = np.int64(0)
    if first >= 0:
        cost += _eliminate(edges, first, is_output, products, costs, sums, into)
    for k in range(order.size):
        if order[k] != first and cost <= most:
            cost += _eliminate(edges, order[k], is_output, products, costs, sums, into)
    return cost


@inner
def _polish(edges, work, order, cost, is_output, products, costs, sums, into, proposals, random):
    """Move vertices of the order elsewhere as long as that costs no more; returns the cost."""
    for _ in range(proposals):
        source, target = below(random, order.size), below(random, order.size)
        v, step = order[source], 1 if target > source else -1
        for k in range(source, target, step):
            order[k] = order[k + step]
        order[target] = v
        work[:] = edges
        new = _follow(work, -1, order, is_output, products, costs, sums, into, cost)
        if new <= cost:
            cost = new
        else:
            for k in range(target, source, -step):
                order[k] = order[k - step]
            order[source] = v
    return cost


@jit
def regrets(whole, order, is_output, products, costs, sums, proposals, random, most, result):
    """What each move loses.

    Args:
      whole: uint8 [N, N] class of the edge from row to column, 0 for none.
      order: int64 [n] the vertices that are left as the expert would eliminate them; improved in place.
      is_output: bool [N].
      products: int32 [K, K] of the algebra, see `Classes`.
      costs: int32 [K, K].
      sums: int32 [K, K].
      proposals: how often to try to improve the order first.
      random: uint64 [1] state of the generator.
      most: larger losses need not be told apart.
      result: int64 [N] receives the loss of each vertex that is left, negative if the move improves on the order.

    Returns:
      The cost of the order.
    """
    size, number = whole.shape[0], 0
    place, alive = np.full(size, -1, np.int64), np.empty(size, np.int64)
    for v in order:
        place[v] = 0
    for u in range(size):
        for w in range(size):
            if whole[u, w] > 0:
                place[u] = place[w] = 0
    for v in range(size):
        if place[v] == 0:
            place[v], alive[number] = number, v
            number += 1
    edges, ends = np.empty((number, number), np.uint8), np.empty(number, np.bool_)
    for i in range(number):
        ends[i] = is_output[alive[i]]
        for j in range(number):
            edges[i, j] = whole[alive[i], alive[j]]
    short, work, into = place[order], edges.copy(), np.empty(number, np.int64)
    cost = _follow(work, -1, short, ends, products, costs, sums, into, np.int64(NEVER))
    if order.size > 1:
        cost = _polish(edges, work, short, cost, ends, products, costs, sums, into, proposals, random)
    for k in range(order.size):
        order[k] = alive[short[k]]
        work[:] = edges
        found = _follow(work, short[k], short, ends, products, costs, sums, into, cost + most)
        result[order[k]] = min(found - cost, most)
    return cost
