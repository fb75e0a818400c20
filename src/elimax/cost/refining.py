"""Bounds from groups that only several parts together make better.

`elimax.cost.grouping` merges two parts where that raises the bound. Often no two parts are in each other's way, but
several are: each pair can agree, on an order that a third does not accept. Two observations find them among the many.

A union that raises the bound costs more than its parts demand in *every* order, so in any known order one of its parts
costs more than it demands: the search starts from such parts. And what a part prefers reaches others along edges, so
it goes on to parts that are joined with the union by an edge, along chains first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from elimax.cost.grouping import Grouping
from elimax.cost.joint import MOST_MEMBERS
from elimax.elimination.problem import Problem

WORKS = (1 << 12, 1 << 14, 1 << 16)
"""Groups that need more prices than this are not formed, at first, later, and in the end."""

MOST_PARTS = 6
"""Number of parts that a chain may add."""

PIECE = 50
"""Unions that are made longer between looks at the clock."""

Part = tuple[int, ...]


def refine(
    problem: Problem, grouping: Grouping, costs: Callable[[], Mapping[int, int]], works: Sequence[int] = WORKS
) -> Iterator[int]:
    """Merge several parts at once where that raises the bound.

    Args:
      problem: the problem of the groups.
      grouping: the parts; changed.
      costs: tells what each vertex costs in the best order known so far.
      works: groups that need more prices than this are not formed, one after the other.

    Yields:
      The bound, after a piece of work whether or not it has grown; ends when nothing more is found, at the latest when
      the bound meets the cost of the order.
    """
    near: list[set[int]] = [set() for _ in range(problem.num_vertices)]
    for source, target in zip(problem.sources.tolist(), problem.targets.tolist(), strict=True):
        near[source].add(target)
        near[target].add(source)
    bound, tried = grouping.bound, set[Part]()
    for work in works:
        for chains, most_parts in ((True, MOST_PARTS), (False, 3), (False, MOST_PARTS)):
            merged = True
            while merged:
                merged = False
                for parts in _unions(grouping, near, costs(), chains, most_parts, work):
                    if parts is None:
                        yield bound
                        continue
                    union = _union(parts)
                    if union not in tried:
                        tried.add(union)
                        gain = _gain(grouping, parts)
                        if gain > 0:
                            bound, merged = bound + gain, True
                            _merge(grouping, parts)
                        yield bound
                    if merged:
                        break


def _union(parts: tuple[Part, ...]) -> Part:
    return tuple(sorted(v for part in parts for v in part))


def _gain(grouping: Grouping, parts: tuple[Part, ...]) -> int:
    return grouping.joint.bound(_union(parts)) - sum(map(grouping.joint.bound, parts))


def _merge(grouping: Grouping, parts: tuple[Part, ...]) -> None:
    """Merge parts, but for those that the gain does not need."""
    gain, needed = _gain(grouping, parts), parts
    for part in parts:
        rest = tuple(other for other in needed if other != part)
        if len(rest) > 1 and _gain(grouping, rest) == gain:
            needed = rest
    union = needed[0]
    for part in needed[1:]:
        union = grouping.merge(union, part)


def _unions(
    grouping: Grouping, near: list[set[int]], costs: Mapping[int, int], chains: bool, most_parts: int, work: int
) -> Iterator[tuple[Part, ...] | None]:
    """Parts to merge, few first: one that costs more than it demands, and others joined by edges one after the other.

    With ``chains`` each is joined with the one before it, else with any. None comes after a piece of work.
    """
    joint = grouping.joint
    part_of = {v: part for part in grouping.groups for v in part}
    joined = {
        part: sorted({part_of[w] for v in part for w in near[v] if w in part_of} - {part}) for part in grouping.groups
    }
    level = [(part,) for part in grouping.groups if sum(costs[v] for v in part) > joint.bound(part)]
    for _ in range(most_parts):
        following: dict[frozenset[Part], tuple[Part, ...]] = {}
        for number, parts in enumerate(level):
            if number % PIECE == PIECE - 1:
                yield None
            for last in parts[-1:] if chains else parts:
                for other in joined[last]:
                    longer = (*parts, other)
                    key = frozenset(longer)
                    if other in parts or key in following or sum(map(len, longer)) > MOST_MEMBERS:
                        continue
                    if joint.work(_union(longer)) <= work:
                        following[key] = longer
        level = list(following.values())
        yield from sorted(level, key=lambda parts: sum(map(len, parts)))
