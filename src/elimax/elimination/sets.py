"""Prices of all vertices after a set has been eliminated, for scalar graphs of up to a few hundred vertices.

The edges of a scalar graph after eliminating a set depend on the set alone, and so do their kinds: an edge is
variable if a path that it stands for has a variable edge, it is a unit if it stands for a single path of units, else
it is a constant. So one pass over the original edges with sets of vertices as words of bits gives all edges of the
reduced graph.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from elimax.elimination.kernel import inner
from elimax.elimination.problem import Problem
from elimax.structure.term import Kind

ANY, KNOWN, VARIABLE = 0, 1, 2
"""Planes of ``SetGraph.ins`` and ``SetGraph.outs``: all edges, those that are no units, variable ones."""

_ONE = np.uint64(1)


class SetGraph(NamedTuple):
    """A scalar graph with V vertices in W words of 64 bits, and working space.

    Attributes:
      source, target, kind: int64 [E] edges by ascending target.
      by_source: int64 [E] positions of the edges by descending source.
      vertices: int64 [n] vertices to eliminate, ascending.
      is_output: bool [V].
      published: bool [1] whether every product counts.
      ins, outs: uint64 [V, planes, W] ends of the edges of each vertex in the reduced graph.
    """

    source: np.ndarray
    target: np.ndarray
    kind: np.ndarray
    by_source: np.ndarray
    vertices: np.ndarray
    is_output: np.ndarray
    published: np.ndarray
    ins: np.ndarray
    outs: np.ndarray


def from_problem(problem: Problem) -> SetGraph:
    """The graph of a problem with a `ScalarAlgebra`."""
    published = problem.rule == "published"
    order = np.argsort(problem.targets, kind="stable")
    source, target = problem.sources[order].astype(np.int64), problem.targets[order].astype(np.int64)
    kind = problem.structures[order].astype(np.int64)
    planes, words = (1 if published else 3), max(1, -(-problem.num_vertices // 64))
    shape = (problem.num_vertices, planes, words)
    return SetGraph(
        source=source,
        target=target,
        kind=np.full_like(kind, int(Kind.VARIABLE)) if published else kind,
        by_source=np.argsort(-source, kind="stable").astype(np.int64),
        vertices=np.array(problem.eliminable, np.int64),
        is_output=problem.is_output,
        published=np.array([published]),
        ins=np.zeros(shape, np.uint64),
        outs=np.zeros(shape, np.uint64),
    )


@inner
def holds(words, v):
    """Whether a set holds a vertex."""
    return (words[v >> 6] >> np.uint64(v & 63)) & _ONE != 0


@inner
def insert(words, v):
    """Put a vertex into a set."""
    words[v >> 6] |= _ONE << np.uint64(v & 63)


@inner
def count(words):
    """Size of a set."""
    total = np.int64(0)
    for k in range(words.size):
        x = words[k]
        x -= (x >> _ONE) & np.uint64(0x5555555555555555)
        x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
        x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        total += np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))
    return total


@inner
def _join(edges, v, u, kind):
    """Add the edges of ``u``, seen over an edge of a kind, to those of ``v``."""
    planes = edges.shape[1]
    for k in range(edges.shape[2]):
        every = edges[u, ANY, k]
        if planes > 1:
            both = edges[v, ANY, k] & every  # a sum is never a unit
            edges[v, KNOWN, k] |= both | (every if kind >= 1 else edges[u, KNOWN, k])
            edges[v, VARIABLE, k] |= every if kind >= 2 else edges[u, VARIABLE, k]
        edges[v, ANY, k] |= every


@inner
def _add(edges, v, u, kind):
    """Add an edge between ``v`` and ``u`` itself."""
    word, bit = u >> 6, _ONE << np.uint64(u & 63)
    if edges.shape[1] > 1:
        if kind >= 1 or edges[v, ANY, word] & bit:
            edges[v, KNOWN, word] |= bit
        if kind >= 2:
            edges[v, VARIABLE, word] |= bit
    edges[v, ANY, word] |= bit


@inner
def reduce(graph, eliminated):
    """Fill ``graph.ins`` and ``graph.outs`` with the edges after eliminating a set, uint64 [W]."""
    graph.ins[:] = 0
    graph.outs[:] = 0
    for e in range(graph.source.size):
        u, v = graph.source[e], graph.target[e]
        if holds(eliminated, u):
            _join(graph.ins, v, u, graph.kind[e])
        else:
            _add(graph.ins, v, u, graph.kind[e])
    for position in range(graph.source.size):
        e = graph.by_source[position]
        u, v = graph.source[e], graph.target[e]
        gone = holds(eliminated, v)
        if gone:
            _join(graph.outs, u, v, graph.kind[e])
        if not gone or graph.is_output[v]:
            _add(graph.outs, u, v, graph.kind[e])


@inner
def price(graph, v):
    """Cost of eliminating a vertex from the graph that `reduce` has made."""
    if graph.published[0]:
        return count(graph.ins[v, ANY]) * count(graph.outs[v, ANY])
    known_in, known_out = count(graph.ins[v, KNOWN]), count(graph.outs[v, KNOWN])
    constant_in = known_in - count(graph.ins[v, VARIABLE])
    constant_out = known_out - count(graph.outs[v, VARIABLE])
    return known_in * known_out - constant_in * constant_out


@inner
def mixed(key):
    """A hash of a set, uint64."""
    found = np.uint64(0)
    for k in range(key.size):
        found = (found ^ key[k]) * np.uint64(0x9E3779B97F4A7C15)
        found ^= found >> np.uint64(29)
    return found * np.uint64(0xBF58476D1CE4E5B9)


@inner
def slot_of(slots, keys, key):
    """Slot of a set in a hash table, or the free one where it belongs.

    Args:
      slots: int32 [N], N a power of two: positions of sets in ``keys``, -1 where free.
      keys: uint64 [..., W].
      key: uint64 [W].
    """
    mask = slots.size - 1
    slot = np.int64(mixed(key) >> np.uint64(20)) & mask
    while slots[slot] >= 0:
        found, same = slots[slot], True
        for k in range(key.size):
            same &= keys[found, k] == key[k]
        if same:
            return slot
        slot = (slot + 1) & mask
    return slot
