"""Eliminations that are optimal now, whatever comes later.

Three arguments, each for a graph in the course of elimination; they are needed because a search over sets would
otherwise try such vertices early and late in every combination.

1. A vertex without in-edges or without out-edges costs nothing, and no vertex gets an edge from its elimination.
2. Let the only in-edge of ``v`` come from ``u`` that is never eliminated, and let ``v`` cost no more now than its
   least cost over all sets. Its elimination puts ``u`` in the place of ``v`` among the sources of other vertices, so
   none of these gets more in-edges, at present or later; the targets of ``u`` do not matter. Under the executed rule
   an edge must not become weaker on the way: the edge into ``v`` is no weaker than those out of it, and these are no
   units, because two units that meet make a constant. The same holds in the other direction, unless ``v`` is an
   output, which stays a target when it is eliminated.
3. (Published rule, ``v`` no output) Let ``u -> v -> w`` be all edges of ``v``, and let ``v`` be the only source of
   ``w`` or the only target of ``u``. Take any order. If ``v`` comes before ``u`` or before ``w``, moving it to the
   front saves its cost there, at least 1, and gives no vertex more edges. If both come before ``v``, say ``v`` is the
   only source of ``w``: eliminate ``v`` first and ``w`` at the place of ``v``. In between ``w`` has the edges that
   ``v`` had, so all costs are the same except that ``v`` costs 1 and ``w`` is not paid for, which cost at least 1.
"""

from __future__ import annotations

import numpy as np

from elimax.elimination.kernel import inner
from elimax.elimination.sets import ANY, KNOWN, VARIABLE, count, holds, price

_ZERO, _ONE = np.uint64(0), np.uint64(1)


@inner
def _single(words):
    """The element of a set that has one."""
    for k in range(words.size):
        if words[k] != _ZERO:
            return np.int64(64 * k + count(np.array([(words[k] & (~words[k] + _ONE)) - _ONE])))
    return np.int64(-1)


@inner
def _keeps_kinds(near, far, planes):
    """Whether edges ``far`` are no units and none of them is stronger than the one edge ``near``."""
    if planes == 1:
        return True
    if count(far[KNOWN]) < count(far[ANY]):
        return False
    return count(near[VARIABLE]) == 0 or count(far[VARIABLE]) == count(far[ANY])


@inner
def settled(graph, eliminated, is_eliminable, least, v):
    """Whether it is optimal to eliminate ``v`` next.

    Args:
      graph: `elimax.elimination.sets.SetGraph`, reduced.
      eliminated: uint64 [W].
      is_eliminable: bool [V].
      least: int64 [V] lower bounds on the cost of each vertex after any set.
      v: a vertex that has not been eliminated.

    Returns:
      True if one of the arguments above applies; the converse does not hold.
    """
    planes = graph.ins.shape[1]
    ins, outs = count(graph.ins[v, ANY]), count(graph.outs[v, ANY])
    if ins == 0 or outs == 0:
        return True
    if (ins > 1 and outs > 1) or price(graph, v) > least[v]:
        return False
    if ins == 1:
        u = _single(graph.ins[v, ANY])
        remains = is_eliminable[u] and not holds(eliminated, u)
        if not remains and _keeps_kinds(graph.ins[v], graph.outs[v], planes):
            return True
    if graph.is_output[v]:
        return False
    if outs == 1:
        w = _single(graph.outs[v, ANY])
        remains = is_eliminable[w] and not holds(eliminated, w)
        if not remains and _keeps_kinds(graph.outs[v], graph.ins[v], planes):
            return True
    if ins == 1 and outs == 1 and planes == 1:
        u, w = _single(graph.ins[v, ANY]), _single(graph.outs[v, ANY])
        return count(graph.outs[u, ANY]) == 1 or count(graph.ins[w, ANY]) == 1
    return False


@inner
def component(graph, remaining, found):
    """Fill ``found`` with the vertices of ``remaining``, all uint64 [W], that the first of them is joined with.

    Vertices that are never eliminated join nothing: what happens on one side of them does not change prices on the
    other. So there is an optimal way to go on that starts within any component.
    """
    found[:] = _ZERO
    done = np.zeros_like(found)
    for k in range(remaining.size):
        if remaining[k] != _ZERO:
            found[k] = remaining[k] & (~remaining[k] + _ONE)
            break
    while True:
        grown = False
        for k in range(found.size):
            while found[k] & ~done[k] != _ZERO:
                fresh = found[k] & ~done[k]
                low = fresh & (~fresh + _ONE)
                done[k] |= low
                v = 64 * k + count(np.array([low - _ONE]))
                for j in range(found.size):
                    found[j] |= (graph.ins[v, ANY, j] | graph.outs[v, ANY, j]) & remaining[j]
                grown = True
        if not grown:
            return
