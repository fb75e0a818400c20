"""Minimum vertex cuts by augmenting paths, in plain Python."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def vertex_cut(edges: Sequence[Collection[int]], first: Collection[int], ends: Collection[int], most: int) -> int:
    """Least number of vertices that separate a vertex from the ends; vertices of ``ends`` may be in the cut.

    By Menger's theorem it is the largest number of paths that share no vertex. They are found one by one; a path may
    push back the part of an earlier one that it meets.

    Args:
      edges: [V] vertices that follow each vertex; the graph is acyclic.
      first: vertices that follow the one to separate.
      ends: vertices to be separated from.
      most: stop at this many; at most ``len(first)`` are possible.

    Returns:
      The size of the cut, at most ``most``.
    """
    before: dict[int, int] = {}  # the vertex before a vertex on its path, -1 at the beginning
    value = 0
    while value < most:
        # A vertex is entered (2v) and left (2v + 1); `source` tells from where a state was reached.
        source: dict[int, int] = {2 * u: -1 for u in first if before.get(u) != -1}
        waiting = list(source)
        reached = -1
        for state in waiting:
            u = state >> 1
            if state & 1:
                following = [2 * w for w in edges[u] if before.get(w) != u]
                if u in before:
                    following.append(2 * u)
            elif u in before:
                back = before[u]
                following = [2 * back + 1] if back >= 0 else []
            elif u in ends:
                reached = state
                break
            else:
                following = [2 * u + 1]
            for other in following:
                if other not in source:
                    source[other] = state
                    waiting.append(other)
        if reached < 0:
            break
        _augment(before, source, reached)
        value += 1
    return value


def _augment(before: dict[int, int], source: dict[int, int], state: int) -> None:
    """Add the path that leads to a state, and take away what it pushes back."""
    entered: dict[int, int] = {}
    while state >= 0:
        previous = source[state]
        u = state >> 1
        if not state & 1:
            if previous == 2 * u + 1:
                del before[u]  # pushed back beyond u: no path goes through it any more
            else:
                entered[u] = previous >> 1 if previous >= 0 else -1
        state = previous
    before.update(entered)
