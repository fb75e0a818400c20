"""Compiled greedy star colouring of the graph of a symmetric pattern.

A *star colouring* gives neighbours different colours, and four vertices on a path at least three; the vertices of any
two colours then form stars. Each vertex keeps a short list of the colours around it: how many neighbours have the
colour, which was the first, and whether the vertex is a leaf of a star of these two colours whose hub has more leaves.
All functions are deterministic, and call only what is in this file, so that numba's own check of the sources holds.
"""

from __future__ import annotations

import numpy as np

from elimax.structure.compiled import compiled


@compiled
def star(start, neighbour, sequence, most_colours, most_work):
    """Star-colour vertices in a sequence, each with the lowest colour that is allowed.

    Args:
      start: int64 [V + 1] where the neighbours of each vertex start.
      neighbour: int32 [2 E] the neighbours; no vertex is its own.
      sequence: int64 [V] the vertices.
      most_colours: the search ends when more colours are needed.
      most_work: the search ends after so many looks at colours around vertices.

    Returns:
      int32 [V] colours; the number of colours, or -1 if the search ended; and the colours around each vertex: int32
      [2 E] colours and their int32 [2 E] numbers of neighbours, of which int64 [V] are in use from ``start`` on.
    """
    size = start.size - 1
    colours = np.full(size, -1, np.int32)
    around = np.zeros(neighbour.size, np.int32)
    count = np.zeros(neighbour.size, np.int32)
    first = np.zeros(neighbour.size, np.int32)
    leaf = np.zeros(neighbour.size, np.bool_)
    used = np.zeros(size, np.int64)
    taken = np.full(size + 1, -1, np.int64)
    total, work = 0, 0
    for v in sequence:
        for k in range(start[v], start[v + 1]):
            w = neighbour[k]
            if colours[w] < 0:
                continue
            taken[colours[w]] = v
            # v between two vertices of a colour is a hub: its leaves must see its colour once
            is_hub = count[_slot(start, around, used, v, colours[w])] > 1
            for q in range(start[w], start[w] + used[w]):
                if is_hub or leaf[q]:
                    taken[around[q]] = v
            work += used[w] + 1
        if work > most_work:
            return colours, -1, around, count, used
        colour = 0
        while taken[colour] == v:
            colour += 1
        colours[v] = colour
        total = max(total, colour + 1)
        if total > most_colours:
            return colours, -1, around, count, used
        for k in range(start[v], start[v + 1]):
            w = neighbour[k]
            at = _slot(start, around, used, w, colour)
            if at == start[w] + used[w]:
                around[at], count[at], first[at], leaf[at] = colour, 0, v, False
                used[w] += 1
            count[at] += 1
            work += used[w]
            if colours[w] < 0:
                continue
            own = _slot(start, around, used, v, colours[w])
            work += used[v]
            if count[at] > 1:  # w is the hub of a star with v
                leaf[own] = True
                leaf[_slot(start, around, used, first[at], colours[w])] = True
            elif count[own] > 1:  # v is the hub of a star with w
                leaf[at] = True
    return colours, total, around, count, used


@compiled
def _slot(start, around, used, v, colour):
    """Where a colour is in the list of a vertex, or the end of the list."""
    at = start[v]
    while at < start[v] + used[v] and around[at] != colour:
        at += 1
    return at


@compiled
def shared(rows, columns, colours, start, around, count, used):
    """Bool [K]: whether another neighbour of the row of an entry has the colour of its column."""
    found = np.zeros(rows.size, np.bool_)
    for k in range(rows.size):
        if rows[k] != columns[k]:
            found[k] = count[_slot(start, around, used, rows[k], colours[columns[k]])] > 1
    return found
