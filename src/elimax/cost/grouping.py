"""Better lower bounds from groups of vertices that are in each other's way."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from elimax.cost.joint import JointBounds
from elimax.elimination.problem import Problem

SIZES = (2, 4, 6, 8, 10, 12, 14)
"""Sizes up to which groups are merged, one after the other."""

MOST_WORK = 1 << 16
"""Groups that need more prices than this are not formed."""


class Grouping:
    """A partition of the vertices to eliminate; the bounds of its parts add up.

    Args:
      problem: a problem with a `ScalarAlgebra`.
      joint: bounds of groups of this problem, if there are any already.

    Attributes:
      joint: bounds of single groups.
      groups: the parts; vertices that are in nobody's way are left alone.
    """

    def __init__(self, problem: Problem, joint: JointBounds | None = None):
        self.joint = JointBounds(problem) if joint is None else joint
        self.groups: list[tuple[int, ...]] = [(v,) for v in problem.eliminable]
        self._gains: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}

    @property
    def bound(self) -> int:
        """Lower bound on the cost of every order."""
        return sum(self.joint.bound(group) for group in self.groups)

    def merge(self, first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
        """Replace two parts by their union."""
        self.groups.remove(first)
        self.groups.remove(second)
        union = tuple(sorted(first + second))
        self.groups.append(union)
        return union

    def gain(self, first: tuple[int, ...], second: tuple[int, ...]) -> int:
        """How much the bound grows if two parts are merged."""
        key = (first, second) if first < second else (second, first)
        if key not in self._gains:
            joint = self.joint
            union = tuple(sorted(first + second))
            self._gains[key] = joint.bound(union) - joint.bound(first) - joint.bound(second)
        return self._gains[key]

    def _partners(self, group: tuple[int, ...], size: int) -> Iterator[tuple[int, ...]]:
        """Parts that can be merged with a group within a size."""
        joint = self.joint
        for other in self.groups:
            if other is group or len(group) + len(other) > size:
                continue
            related = any(joint.related(v, w) for v in group for w in other)
            if related and joint.work(tuple(sorted(group + other))) <= MOST_WORK:
                yield other

    def improve(self, enough: Callable[[], int | None]) -> Iterator[int]:
        """Merge the parts that gain most, again and again.

        Args:
          enough: tells the bound at which to stop, if any.

        Yields:
          The bound, after a piece of work whether or not it has grown.
        """
        bound = self.bound
        yield bound
        for size in SIZES:
            candidates: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
            for position, group in enumerate(self.groups):
                for other in self._partners(group, size):
                    if other in self.groups[:position]:
                        continue
                    gain = self.gain(group, other)
                    if gain > 0:
                        candidates[group, other] = gain
                yield bound
            while candidates and not self._reached(bound, enough()):
                first, second = max(candidates, key=lambda pair: (candidates[pair], -len(pair[0]) - len(pair[1])))
                bound += candidates[first, second]
                candidates = {
                    pair: gain for pair, gain in candidates.items() if not {first, second} & {pair[0], pair[1]}
                }
                union = self.merge(first, second)
                yield bound
                for other in self._partners(union, size):
                    gain = self.gain(union, other)
                    if gain > 0:
                        candidates[union, other] = gain
                yield bound
            if self._reached(bound, enough()):
                return

    @staticmethod
    def _reached(bound: int, enough: int | None) -> bool:
        return enough is not None and bound >= enough
