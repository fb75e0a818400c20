"""What is left to pay once a set of vertices has been eliminated, at least.

The least costs of disjoint groups (`elimax.cost.joint`) are tables over the subsets of each group; the sum of their
entries for a set bounds every way to go on from it. Eliminating one more vertex changes one entry, and never by more
than the vertex costs: the bound is consistent, so a best-first search meets each set at its least cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from elimax.cost.joint import JointBounds
from elimax.elimination.kernel import inner
from elimax.elimination.sets import holds


class Pattern(NamedTuple):
    """Tables of disjoint groups.

    Attributes:
      member: int64 [n] vertices, group by group.
      start: int64 [groups + 1] where the members of a group begin.
      group, bit: int64 [V] group of a vertex and its place in it.
      offset: int64 [groups] where the table of a group begins.
      left: int32 [...] least cost of the members that are not in a subset.
    """

    member: np.ndarray
    start: np.ndarray
    group: np.ndarray
    bit: np.ndarray
    offset: np.ndarray
    left: np.ndarray


def pattern(joint: JointBounds, groups: Sequence[tuple[int, ...]], num_vertices: int) -> Pattern:
    """The tables of a partition of the vertices to eliminate.

    Args:
      joint: bounds of the problem.
      groups: the parts.
      num_vertices: V.

    Returns:
      The tables.
    """
    tables = [joint.left(group) for group in groups]
    sizes = np.array([table.size for table in tables], np.int64)
    found = Pattern(
        member=np.array([v for group in groups for v in group], np.int64),
        start=np.cumsum([0, *map(len, groups)]).astype(np.int64),
        group=np.zeros(num_vertices, np.int64),
        bit=np.zeros(num_vertices, np.int64),
        offset=np.cumsum(sizes) - sizes,
        left=np.concatenate([*tables, np.zeros(0, np.int32)]),
    )
    for number, group in enumerate(groups):
        for place, v in enumerate(group):
            found.group[v], found.bit[v] = number, place
    return found


@inner
def look_up(pattern, eliminated, entry):
    """Fill ``entry``, int64 [groups], with the position of each group's entry; returns the sum of the entries."""
    total = np.int64(0)
    for g in range(pattern.offset.size):
        subset = pattern.offset[g]
        for k in range(pattern.start[g], pattern.start[g + 1]):
            if holds(eliminated, pattern.member[k]):
                subset += np.int64(1) << (k - pattern.start[g])
        entry[g] = subset
        total += pattern.left[subset]
    return total


@inner
def saving(pattern, entry, v):
    """By how much the bound falls when ``v`` is eliminated next."""
    position = entry[pattern.group[v]]
    return pattern.left[position] - pattern.left[position + (np.int64(1) << pattern.bit[v])]
