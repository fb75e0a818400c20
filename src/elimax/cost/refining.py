"""Bounds from groups that only three parts together make better.

`elimax.cost.grouping` merges two parts where that raises the bound. Often no two parts are in each other's way, but three
are: each pair can agree, on an order that the third does not accept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from elimax.cost.grouping import Grouping
from elimax.cost.joint import MOST_MEMBERS

MOST_WORK = 1 << 15
"""Groups that need more prices than this are not formed."""


def refine(grouping: Grouping, enough: Callable[[], int | None]) -> Iterator[int]:
    """Merge three parts at once where that raises the bound, the smallest first.

    Args:
      grouping: the parts; changed.
      enough: tells the bound at which to stop, if any.

    Yields:
      The bound, after a piece of work whether or not it has grown.
    """
    joint, bound = grouping.joint, grouping.bound
    size = 3
    while size <= MOST_MEMBERS:
        merged = False
        for parts in _triples(grouping, size):
            union = tuple(sorted(parts[0] + parts[1] + parts[2]))
            if joint.work(union) > MOST_WORK:
                continue
            gain = joint.bound(union) - sum(map(joint.bound, parts))
            if gain > 0:
                grouping.merge(grouping.merge(parts[0], parts[1]), parts[2])
                bound += gain
                merged = True
            yield bound
            limit = enough()
            if limit is not None and bound >= limit:
                return
            if merged:
                break
        size = 3 if merged else size + 1


def _triples(grouping: Grouping, size: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """Parts of which each is related to the two others, with a number of members in all."""
    related = grouping.joint.related
    parts = sorted(grouping.groups, key=lambda part: (len(part), part))
    near = [
        {j for j, other in enumerate(parts) if j != i and any(related(v, w) for v in part for w in other)}
        for i, part in enumerate(parts)
    ]
    for i, first in enumerate(parts):
        for j in sorted(near[i]):
            if j < i or len(first) + 2 * len(parts[j]) > size:
                continue
            for k in sorted(near[i] & near[j]):
                if k > j and len(first) + len(parts[j]) + len(parts[k]) == size:
                    yield first, parts[j], parts[k]
